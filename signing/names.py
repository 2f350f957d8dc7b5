"""Names in certificates: which are the same, and which lie inside a name constraint. Pure.

Not here: internationalised domain names and mailboxes, which are compared as they are written.

Standard: RFC 5280 §4.2.1.10, §7
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

Comparable = tuple[frozenset[tuple[str, str]], ...]
Given = tuple[type[x509.GeneralName], Any]


def comparable(name: x509.Name) -> Comparable:
    """Return the form in which two spellings of one name are equal: case, white space and string type do not count."""
    return tuple(frozenset((part.oid.dotted_string, _prepared(str(part.value))) for part in rdn) for rdn in name.rdns)


def same(one: x509.Name, other: x509.Name) -> bool:
    """Tell whether both are the same name."""
    return one == other or comparable(one) == comparable(other)


def of(certificate: x509.Certificate) -> list[Given]:
    """Return the names that constraints are about: the subject and its alternatives, or mailboxes in the subject."""
    found: list[Given] = [(x509.DirectoryName, certificate.subject)] if certificate.subject.rdns else []
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        boxes = certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)
        return [*found, *((x509.RFC822Name, str(box.value)) for box in boxes)]
    return [*found, *((type(name), name.value) for name in alternatives)]


def allows(constraints: x509.NameConstraints, given: Iterable[Given]) -> bool:
    """Tell whether every one of the `given` names is permitted and none excluded; a kind we cannot compare is not."""
    return all(_allows(constraints, kind, name) for kind, name in given)


def overlap(one: Iterable[x509.GeneralName], other: Iterable[x509.GeneralName]) -> bool:
    """Tell whether a name stands in both lists."""
    return bool({_key(name) for name in one} & {_key(name) for name in other})


def _allows(constraints: x509.NameConstraints, kind: type[x509.GeneralName], name: Any) -> bool:
    permitted = [one.value for one in constraints.permitted_subtrees or () if type(one) is kind]
    excluded = [one.value for one in constraints.excluded_subtrees or () if type(one) is kind]
    if not permitted and not excluded:
        return True
    inside = _INSIDE.get(kind)
    if inside is None:
        return False
    try:
        allowed = not permitted or any(inside(name, base) for base in permitted)
        return allowed and not any(inside(name, base) for base in excluded)
    except ValueError:  # a URI without a host, and the like: nobody can say that it lies inside or outside
        return False


def _in_directory(name: x509.Name, base: x509.Name) -> bool:
    above = comparable(base)
    return comparable(name)[: len(above)] == above


def _in_domain(name: str, base: str) -> bool:
    host, domain = name.casefold(), base.casefold()
    return not domain or host == domain or host.endswith(domain if domain.startswith(".") else f".{domain}")


def _is_host(name: str, base: str) -> bool:
    """Compare as for mailboxes and URIs: a base with a dot in front means every host below, one without means that host."""
    host, domain = name.casefold(), base.casefold()
    return host.endswith(domain) and host != domain if domain.startswith(".") else host == domain


def _in_mailbox(name: str, base: str) -> bool:
    local, _, host = name.rpartition("@")
    if not local or not host:
        raise ValueError("not a mailbox")
    box, _, domain = base.rpartition("@")
    return (not box or box == local) and _is_host(host, domain)


def _in_uri(name: str, base: str) -> bool:
    host = urlsplit(name).hostname
    if not host or host.replace(".", "").isdecimal() or ":" in host:
        raise ValueError("no host name")
    return _is_host(host, base)


def _in_network(address: Any, network: Any) -> bool:
    return address in network


_INSIDE: dict[type[x509.GeneralName], Callable[[Any, Any], bool]] = {
    x509.DirectoryName: _in_directory,
    x509.DNSName: _in_domain,
    x509.RFC822Name: _in_mailbox,
    x509.UniformResourceIdentifier: _in_uri,
    x509.IPAddress: _in_network,
}


def _key(name: x509.GeneralName) -> object:
    return (type(name), comparable(name.value) if isinstance(name, x509.DirectoryName) else name)


def _prepared(text: str) -> str:
    """Standard: RFC 4518 §2, as far as names of certificates need it."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
