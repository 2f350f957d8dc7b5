"""Certification paths: from a certificate up to a configured root, valid at one moment.

Built from certificates at hand alone, and judged as a relying party that accepts every certificate policy: policies matter only
where an issuer insists on one. Issuers' keys and seals have to be as strong as signers'. The rules of a root's own certificate
count too (its end, its name constraints, its path length).

Not here: revocation, what the first certificate is for, the network, policies that a relying party insists on.

Standard: RFC 5280 §6.1; RFC 9618 §5
Requirement: S0.6, S0.9
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, ObjectIdentifier

from signing import names
from signing.faults import CertificateUntrusted, PathRefused

UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension)
"""What the library raises, at loading or at first use of a field, for a certificate that a stranger made up."""
MINIMUM_RSA_BITS = 2048
WEAK: tuple[type[hashes.HashAlgorithm], ...] = (hashes.SHA1, hashes.MD5)
"""No seal with one of these counts."""
_MAXIMUM_ISSUERS = 4
"""Between the certificate and the root; those that only carry a new key of their issuer are not counted."""
_MAXIMUM_LENGTH = 10
_MAXIMUM_SEALS = 100
"""How many seals are tried for one certificate; strangers choose how many certificates a file holds."""
_ANY_POLICY = "2.5.29.32.0"
_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.POLICY_MAPPINGS,
        ExtensionOID.POLICY_CONSTRAINTS,
        ExtensionOID.INHIBIT_ANY_POLICY,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.OCSP_NO_CHECK,
    }
)


def find(
    leaf: x509.Certificate, others: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], at: datetime
) -> tuple[x509.Certificate, ...]:
    """Return the first path from `leaf` to one of `roots` that holds at `at`.

    Raises PathRefused when a path leads to a root but breaks a rule, CertificateUntrusted when none leads there.
    """
    refused: PathRefused | CertificateUntrusted | None = None
    try:
        for path in _paths((leaf,), others, roots, _Seals()):
            try:
                _judge(path, at)
            except (PathRefused, CertificateUntrusted) as problem:
                refused = refused or problem
            else:
                return path
    except UNREADABLE as problem:
        raise PathRefused("chain", "a certificate that cannot be read") from problem
    raise refused or CertificateUntrusted("signer certificate", "no valid chain to a configured root")


def issued(issuer: x509.Certificate, subject: x509.Certificate) -> bool:
    """Tell whether `issuer` sealed `subject`; its right to do so is not looked at."""
    try:
        subject.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return False
    except UNREADABLE:  # also for another spelling of the issuer's name
        return _sealed_under_another_spelling(issuer, subject)
    return True


def is_self_issued(certificate: x509.Certificate) -> bool:
    """Tell whether an authority issued it to itself, as for a change of keys."""
    return names.same(certificate.subject, certificate.issuer)


def require_strong(certificate: x509.Certificate) -> None:
    """Raise PathRefused for a key or a seal that may be forged."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MINIMUM_RSA_BITS:
            raise PathRefused("chain", f"RSA {key.key_size} bits")
    elif not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.key_size < 256:
        raise PathRefused("chain", "a key that is neither RSA nor on a known curve")
    seal = certificate.signature_hash_algorithm
    if seal is None or isinstance(seal, WEAK):
        raise PathRefused("chain", f"sealed with {seal.name if seal else 'an unknown algorithm'}")


# ---- building ----


@dataclass
class _Seals:
    """Counts tried seals."""

    left: int = _MAXIMUM_SEALS

    def issued(self, issuer: x509.Certificate, subject: x509.Certificate) -> bool:
        try:
            if self.left <= 0 or not names.same(issuer.subject, subject.issuer):
                return False
        except UNREADABLE:
            return False
        self.left -= 1
        return issued(issuer, subject)


def _paths(
    begun: tuple[x509.Certificate, ...],
    others: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    seals: _Seals,
) -> Iterator[tuple[x509.Certificate, ...]]:
    last = begun[-1]
    for root in roots:
        if root not in begun and seals.issued(root, last):
            yield (*begun, root)
    if len(begun) < _MAXIMUM_LENGTH - 1:
        for other in others:
            if other not in begun and other not in roots and seals.issued(other, last):
                yield from _paths((*begun, other), others, roots, seals)


def _sealed_under_another_spelling(issuer: x509.Certificate, subject: x509.Certificate) -> bool:
    try:
        if not names.same(issuer.subject, subject.issuer):
            return False
        whole = asn1.Certificate.load(subject.public_bytes(Encoding.DER))
        if whole["signature_algorithm"].dump() != whole["tbs_certificate"]["signature"].dump():
            return False
        key, how = issuer.public_key(), subject.signature_algorithm_parameters
        algorithm = subject.signature_hash_algorithm
        if isinstance(key, rsa.RSAPublicKey) and algorithm and isinstance(how, padding.PKCS1v15 | padding.PSS):
            key.verify(subject.signature, subject.tbs_certificate_bytes, how, algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(how, ec.ECDSA):
            key.verify(subject.signature, subject.tbs_certificate_bytes, how)
        else:
            return False
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


# ---- judging ----


def _judge(path: Sequence[x509.Certificate], at: datetime) -> None:
    """Raise unless every certificate of `path` holds at `at`, and each under the rules of those above it."""
    _require_length(path)
    state = _State(len(path))
    for certificate in path:
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            raise CertificateUntrusted("chain", "a certificate outside its validity")
    root, *rest = reversed(path)
    state.become_issuer(root, is_root=True)
    for certificate in rest[:-1]:
        state.pass_by(certificate, is_last=False)
        state.become_issuer(certificate)
    state.pass_by(path[0], is_last=True)
    state.wrap_up(path[0])


def _require_length(path: Sequence[x509.Certificate]) -> None:
    if sum(not is_self_issued(one) for one in path[1:-1]) > _MAXIMUM_ISSUERS:
        raise PathRefused("chain", f"more than {_MAXIMUM_ISSUERS} issuers")


@dataclass
class _State:
    """What RFC 5280 §6.1.2 carries from issuer to issuer; the names are its own."""

    length: int
    name_constraints: list[x509.NameConstraints] = field(default_factory=list)
    policies: dict[str, frozenset[str]] = field(default_factory=lambda: {_ANY_POLICY: frozenset({_ANY_POLICY})})
    """The lowest level of the policy graph: valid policy → expected policies. Empty: no policy is left."""
    explicit_policy: int = 0
    inhibit_any_policy: int = 0
    policy_mapping: int = 0
    path_length: int = 0

    def __post_init__(self) -> None:
        self.explicit_policy = self.inhibit_any_policy = self.policy_mapping = self.path_length = self.length

    def pass_by(self, certificate: x509.Certificate, *, is_last: bool) -> None:
        """Standard: RFC 5280 §6.1.3."""
        require_strong(certificate)
        self_issued = is_self_issued(certificate)
        if is_last or not self_issued:
            given = names.of(certificate)
            if not all(names.allows(one, given) for one in self.name_constraints):
                raise PathRefused("chain", "a name outside its issuer's name constraints")
        held = _policies(certificate)
        self.policies = self._next_level(held, any_allowed=self.inhibit_any_policy > 0 or (self_issued and not is_last))
        if not self.explicit_policy and not self.policies:
            raise PathRefused("chain", "an issuer insists on a policy that is not there")
        unknown = [one.oid.dotted_string for one in certificate.extensions if one.critical and not _known(one.oid)]
        if unknown:
            raise PathRefused("chain", f"critical extension {unknown[0]} is not understood")

    def become_issuer(self, certificate: x509.Certificate, *, is_root: bool = False) -> None:
        """Standard: RFC 5280 §6.1.4; RFC 5937 for what a root's own certificate says."""
        held = {type(one.value): one.value for one in certificate.extensions}
        constraints, usage = held.get(x509.BasicConstraints), held.get(x509.KeyUsage)
        if not isinstance(constraints, x509.BasicConstraints) or not constraints.ca:
            raise CertificateUntrusted("chain", "an issuer that is no certificate authority")
        if isinstance(usage, x509.KeyUsage) and not usage.key_cert_sign:
            raise CertificateUntrusted("chain", "an issuer that may not sign certificates")
        if not is_root:
            self._map_policies(certificate)
        if not is_root and not is_self_issued(certificate):
            if self.path_length <= 0:
                raise PathRefused("chain", "longer than an issuer allows")
            self.path_length -= 1
            self.explicit_policy = max(0, self.explicit_policy - 1)
            self.policy_mapping = max(0, self.policy_mapping - 1)
            self.inhibit_any_policy = max(0, self.inhibit_any_policy - 1)
        if constraints.path_length is not None:
            self.path_length = min(self.path_length, constraints.path_length)
        if isinstance(found := held.get(x509.NameConstraints), x509.NameConstraints):
            self.name_constraints.append(found)
        if isinstance(found := held.get(x509.PolicyConstraints), x509.PolicyConstraints):
            if found.require_explicit_policy is not None:
                self.explicit_policy = min(self.explicit_policy, found.require_explicit_policy)
            if found.inhibit_policy_mapping is not None:
                self.policy_mapping = min(self.policy_mapping, found.inhibit_policy_mapping)
        if isinstance(found := held.get(x509.InhibitAnyPolicy), x509.InhibitAnyPolicy):
            self.inhibit_any_policy = min(self.inhibit_any_policy, found.skip_certs)

    def wrap_up(self, leaf: x509.Certificate) -> None:
        """Standard: RFC 5280 §6.1.5."""
        self.explicit_policy = max(0, self.explicit_policy - 1)
        for one in leaf.extensions:
            if isinstance(one.value, x509.PolicyConstraints) and one.value.require_explicit_policy == 0:
                self.explicit_policy = 0
        if not self.explicit_policy and not self.policies:
            raise PathRefused("chain", "an issuer insists on a policy that is not there")

    def _next_level(self, held: frozenset[str], *, any_allowed: bool) -> dict[str, frozenset[str]]:
        expected = frozenset[str]().union(*self.policies.values())
        named = held - {_ANY_POLICY}
        found = {policy for policy in named if policy in expected or _ANY_POLICY in self.policies}
        if _ANY_POLICY in held and any_allowed:
            found |= expected
        return {policy: frozenset({policy}) for policy in found}

    def _map_policies(self, certificate: x509.Certificate) -> None:
        mapped: dict[str, set[str]] = {}
        for own, theirs in _mappings(certificate):
            if _ANY_POLICY in (own, theirs):
                raise PathRefused("chain", "a policy mapped to any")
            mapped.setdefault(own, set()).add(theirs)
        for own, expected in mapped.items():
            if self.policy_mapping <= 0:
                self.policies.pop(own, None)
            elif own in self.policies or _ANY_POLICY in self.policies:
                self.policies[own] = frozenset(expected)


def _known(oid: ObjectIdentifier) -> bool:
    return oid in _UNDERSTOOD


def _policies(certificate: x509.Certificate) -> frozenset[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.CertificatePolicies).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(one.policy_identifier.dotted_string for one in found)


def _mappings(certificate: x509.Certificate) -> list[tuple[str, str]]:
    try:
        found = certificate.extensions.get_extension_for_oid(ExtensionOID.POLICY_MAPPINGS).value
    except x509.ExtensionNotFound:
        return []
    assert isinstance(found, x509.UnrecognizedExtension)
    pairs = asn1.PolicyMappings.load(found.value, strict=True)
    return [(one["issuer_domain_policy"].dotted, one["subject_domain_policy"].dotted) for one in pairs]
