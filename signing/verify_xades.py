"""Read what XAdES adds to an XML signature: signed properties, time stamps, validation material, counter-signatures.

Signed properties count only when the signature covers them; unsigned ones are given on as they are found, for others to judge.
Signature policies are judged in `verify_policy`.

Standard: ETSI EN 319 132-1 V1.2.1 §4, §5; ETSI TS 101 903 V1.4.2
Requirement: S0.6, S0.10
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from signing import verify_policy, xml_parts
from signing.evidence import Evidence
from signing.faults import PropertiesRefused, SignatureMisplaced
from signing.verdict import SERIAL_DIFFERS, NamedPolicy, Reason, Stamped
from signing.xml_parts import DS, INCLUSIVE, XADES, XADES141

if TYPE_CHECKING:
    from signing.verify_xml import Reference

SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"
COUNTERSIGNED = "http://uri.etsi.org/01903#CountersignedSignature"
_MAXIMUM_PROPERTIES = 64


@dataclass(frozen=True)
class Properties:
    present: bool = False
    claimed_at: datetime | None = None
    stamps: tuple[Stamped, ...] = ()
    archive_stamps: tuple[Stamped, ...] = ()
    evidence: Evidence = field(default_factory=Evidence)
    countersignatures: tuple[etree._Element, ...] = ()
    policy: NamedPolicy | None = None
    warnings: tuple[Reason, ...] = ()


def properties(
    signature: etree._Element,
    objects: Sequence[etree._Element],
    references: Sequence[Reference],
    leaf: x509.Certificate,
    key_info: etree._Element,
) -> Properties:
    """Return the properties of `signature`, whose `references` hold; none when it is no XAdES signature.

    Raises PropertiesRefused, and SignatureMisplaced for an Object that nobody signed.
    """
    qualifying = signature.findall(f"{{{DS}}}Object/{{{XADES}}}QualifyingProperties")
    holders = [one.getparent() for one in qualifying]
    loose = [one for one in objects if one not in holders and all(one is not ref.target for ref in references)]
    if loose and not any(one.manifest for one in references):  # a manifest lies in one, and may lead to others
        raise SignatureMisplaced("Object", "not signed")
    claims = [one for one in references if one.kind == SIGNED_PROPERTIES]
    if not qualifying and not claims:
        return Properties()
    if len(qualifying) != 1 or len(claims) != 1:
        raise PropertiesRefused("SignedProperties", f"{len(qualifying)} of them, {len(claims)} signed")
    (holder,) = qualifying
    parts = _sorted_children(holder, "SignedProperties", "UnsignedProperties")
    if claims[0].target is not parts["SignedProperties"]:
        raise PropertiesRefused("SignedProperties", "not those that are signed")
    if holder.get("Target") != f"#{signature.get('Id')}":
        raise PropertiesRefused("QualifyingProperties", "of another signature")
    found = _signed(parts["SignedProperties"], leaf)
    unsigned = parts.get("UnsignedProperties")
    if unsigned is None:
        return found
    free = [one for one in objects if one not in holders]
    return _unsigned(unsigned, found, _Stamping(signature, key_info, references, free))


@dataclass(frozen=True)
class _Stamping:
    """What an archive time stamp is over, before the unsigned properties come in."""

    signature: etree._Element
    key_info: etree._Element
    references: Sequence[Reference]
    objects: Sequence[etree._Element]
    """All but the one with the properties, signed or not."""

    def octets(self, before: Sequence[etree._Element], how: xml_parts.Form) -> bytes:
        """Standard: ETSI EN 319 132-1 V1.2.1 §5.5.2.2."""
        info, value = self.signature[0], self.signature[1]
        parts = [info, value, self.key_info, *before, *self.objects]
        return b"".join([*(one.octets for one in self.references), *(xml_parts.canonical(one, how) for one in parts)])


def _signed(signed: etree._Element, leaf: x509.Certificate) -> Properties:
    inner = signed.findall(f"{{{XADES}}}SignedSignatureProperties")
    if len(inner) != 1:
        raise PropertiesRefused("SignedSignatureProperties", f"{len(inner)} of them")
    times = inner[0].findall(f"{{{XADES}}}SigningTime")
    named = [
        one for name in ("SigningCertificateV2", "SigningCertificate") for one in inner[0].findall(f"{{{XADES}}}{name}")
    ]
    if len(named) != 1 or len(times) > 1:
        raise PropertiesRefused("SigningCertificateV2", f"{len(named)} of them")
    first = named[0].find(f"{{{XADES}}}Cert/{{{XADES}}}CertDigest")
    method = None if first is None else first.find(f"{{{DS}}}DigestMethod")
    value = None if first is None else first.find(f"{{{DS}}}DigestValue")
    if method is None or value is None:
        raise PropertiesRefused("SigningCertificateV2", "names no certificate")
    digest = xml_parts.digest_method(method)(leaf.public_bytes(Encoding.DER)).digest()
    if not hmac.compare_digest(digest, xml_parts.octets(value)):
        raise PropertiesRefused("SigningCertificateV2", "another certificate than the one in KeyInfo")
    serial = named[0].find(f"{{{XADES}}}Cert/{{{XADES}}}IssuerSerial/{{{DS}}}X509SerialNumber")
    differs = serial is not None and (serial.text or "").strip() != str(leaf.serial_number)
    return Properties(
        present=True,
        claimed_at=_instant(times[0].text or "") if times else None,
        policy=verify_policy.read(inner[0]),
        warnings=(Reason(SERIAL_DIFFERS, "IssuerSerial"),) if differs else (),
    )


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as problem:
        raise PropertiesRefused("SigningTime", "not an instant") from problem
    if moment.tzinfo is None:
        raise PropertiesRefused("SigningTime", "no time zone")
    return moment.astimezone(UTC)


def _unsigned(unsigned: etree._Element, signed: Properties, stamping: _Stamping) -> Properties:
    parts = _sorted_children(unsigned, "UnsignedSignatureProperties", "UnsignedDataObjectProperties")
    found = list(parts["UnsignedSignatureProperties"])
    if len(found) > _MAXIMUM_PROPERTIES:
        raise PropertiesRefused("UnsignedSignatureProperties", f"more than {_MAXIMUM_PROPERTIES}")
    stamps: list[Stamped] = []
    archive: list[Stamped] = []
    counters: list[etree._Element] = []
    evidence = Evidence()
    for position, one in enumerate(found):
        if one.tag == f"{{{XADES}}}SignatureTimeStamp":
            how, tokens = _time_stamp(one)
            stamps += [Stamped(token, xml_parts.canonical(stamping.signature[1], how)) for token in tokens]
        elif one.tag == f"{{{XADES141}}}ArchiveTimeStamp":
            how, tokens = _time_stamp(one)
            archive += [Stamped(token, stamping.octets(found[:position], how)) for token in tokens]
        elif one.tag == f"{{{XADES}}}CounterSignature":
            counters += list(one)
        else:
            evidence += _material(one)
    if any(one.tag != xml_parts.SIGNATURE for one in counters):
        raise PropertiesRefused("CounterSignature", "not a signature")
    policy = signed.policy and replace(signed.policy, document=verify_policy.stored(found))
    return replace(
        signed,
        stamps=tuple(stamps),
        archive_stamps=tuple(archive),
        evidence=evidence,
        countersignatures=tuple(counters),
        policy=policy,
    )


def _time_stamp(element: etree._Element) -> tuple[xml_parts.Form, list[bytes]]:
    method = element.find(f"{{{DS}}}CanonicalizationMethod")
    tokens = [xml_parts.octets(one) for one in element.findall(f"{{{XADES}}}EncapsulatedTimeStamp")]
    if not tokens or element.find(f"{{{XADES}}}Include") is not None:
        raise PropertiesRefused(xml_parts.name_of(element), "a time stamp of a form that is not accepted")
    return (INCLUSIVE if method is None else xml_parts.form(method)), tokens


def _material(element: etree._Element) -> Evidence:
    """Return what CertificateValues, RevocationValues or TimeStampValidationData hold."""

    def values(name: str) -> tuple[bytes, ...]:
        return tuple(xml_parts.octets(one) for one in element.iter(f"{{{XADES}}}{name}"))

    if element.tag not in (
        f"{{{XADES}}}CertificateValues",
        f"{{{XADES}}}RevocationValues",
        f"{{{XADES141}}}TimeStampValidationData",
    ):
        return Evidence()
    return Evidence(
        values("EncapsulatedX509Certificate"), values("EncapsulatedOCSPValue"), values("EncapsulatedCRLValue")
    )


def _sorted_children(element: etree._Element, first: str, second: str) -> dict[str, etree._Element]:
    """Return the children by name: `first`, then perhaps `second`, and nothing else."""
    names = [child.tag for child in element]
    if names not in ([f"{{{XADES}}}{first}"], [f"{{{XADES}}}{first}", f"{{{XADES}}}{second}"]):
        raise PropertiesRefused(xml_parts.name_of(element), f"{first} once, {second} after it, nothing else")
    return dict(zip((first, second), element, strict=False))
