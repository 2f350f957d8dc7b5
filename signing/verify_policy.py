"""The signature policy that a XAdES signature names: read it, and compare its hash with the document when that is at hand.

A verdict is made by this product's own rules, never by those of a policy. Who gives documents of policies says which ones
count: another one, or one whose hash cannot be compared, is undecided; where none are given it is a warning. When the document
is at hand and is another one than the signer meant, nobody can say what was agreed: undecided.

Not here: what a policy asks, fetching it, hashes over a part or a transformed form of it.

Standard: ETSI EN 319 132-1 V1.2.1 §5.2.9, §5.2.10; ETSI EN 319 102-1 §5.2.4
Requirement: S0.10
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence

from lxml import etree

from signing import xml_parts
from signing.faults import PolicyContradicted, PolicyUnknown, PropertiesRefused
from signing.verdict import POLICY_UNKNOWN, NamedPolicy, Reason
from signing.xml_parts import DS, XADES, XADES141


def read(signed: etree._Element) -> NamedPolicy | None:
    """Return the policy that SignedSignatureProperties name; None when they name none. Raises PropertiesRefused."""
    found = signed.findall(f"{{{XADES}}}SignaturePolicyIdentifier")
    if not found:
        return None
    inside = list(found[0])
    if len(found) != 1 or len(inside) != 1:
        raise PropertiesRefused("SignaturePolicyIdentifier", "not one policy")
    if inside[0].tag == f"{{{XADES}}}SignaturePolicyImplied":
        return NamedPolicy("", implied=True)
    identifier = inside[0].find(f"{{{XADES}}}SigPolicyId/{{{XADES}}}Identifier")
    held = inside[0].find(f"{{{XADES}}}SigPolicyHash")
    method = None if held is None else held.find(f"{{{DS}}}DigestMethod")
    value = None if held is None else held.find(f"{{{DS}}}DigestValue")
    if identifier is None or method is None or value is None:
        raise PropertiesRefused("SignaturePolicyId", "without identifier or hash")
    whole = inside[0].find(f"{{{DS}}}Transforms") is None
    return NamedPolicy(
        "".join((identifier.text or "").split()), method.get("Algorithm", ""), xml_parts.octets(value), whole
    )


def stored(unsigned: Sequence[etree._Element]) -> bytes:
    """Return the policy document that the signature carries (SignaturePolicyStore); empty when it carries none."""
    for one in unsigned:
        document = one.find(f"{{{XADES141}}}SignaturePolicyDocument")
        if one.tag == f"{{{XADES141}}}SignaturePolicyStore" and document is not None:
            return xml_parts.octets(document)
    return b""


def check(policy: NamedPolicy, documents: Mapping[str, bytes] | None) -> Reason | None:
    """Compare the hash with the documents at hand, or with the one that the signature carries.

    `documents` are by identifier or by file name; a file bears the name of a policy when it is called as the identifier ends
    (`1.2.840.1` or `1.2.840.1.pdf` for `urn:oid:1.2.840.1`), and serves under any other name, too, when its hash fits.
    Returns a warning when nothing was given to compare with, None when it fits. Raises PolicyContradicted, PolicyUnknown.
    """
    if policy.implied:
        return None
    told = policy.identifier[:80]
    hashed = xml_parts.DIGEST_METHODS.get(policy.digest_method) if policy.whole else None
    if hashed is None:
        if documents is None:
            return Reason(POLICY_UNKNOWN, "SignaturePolicyId", told)
        raise PolicyUnknown("SignaturePolicyId", f"{told}: a hash that cannot be compared")

    def fits(document: bytes) -> bool:
        return hmac.compare_digest(hashed(document).digest(), policy.digest)

    given = documents or {}
    if any(fits(one) for one in given.values()):
        return None
    carried = policy.document
    if any(_is_named(name, policy.identifier) for name in given) or (carried and not fits(carried)):
        raise PolicyContradicted("SignaturePolicyId", told)
    if documents is not None:
        raise PolicyUnknown("SignaturePolicyId", told)
    return None if carried else Reason(POLICY_UNKNOWN, "SignaturePolicyId", told)


def _is_named(name: str, identifier: str) -> bool:
    last = re.split("[/:#]", identifier.rstrip("/"))[-1].casefold()
    stem, _, suffix = name.casefold().rpartition(".")
    return name == identifier or last == name.casefold() or (bool(last) and last == stem and not suffix.isdecimal())
