"""Verification of enveloped XML signatures: what was signed, by whom, and whether to believe it.

Strict on purpose. One signature, standing in the root or in one of `xmldsig.PLACES`; one reference, to the whole
document; known algorithms; every certificate up to a configured root. So nothing in the document is outside the
signature except the Signature itself, and there is no room for moved or wrapped content. Callers act on
`Verified.data`, never on the file.

Not here: revocation (stated in the result), time stamps and XAdES properties, signatures over parts of a document, the
network. The reference is hashed here and not by signxml, because signxml leaves processing instructions beside the root
out of the hash, where W3C and xmlsec1 have them in; the tests hold both up as judges.

Standard: XML Signature Syntax and Processing 1.1 §3.2; W3C XML Signature Best Practices
Requirement: S0.6, S0.10, S3.9
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from mappings.formats import safe_xml
from mappings.formats.faults import XmlRefused
from signing import certificates, xmldsig
from signing.certificates import Signer
from signing.faults import DocumentUnsignable, KeyUnsuitable, NotSigned, SignatureInvalid

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_SIGNATURE_METHODS: dict[str, hashes.HashAlgorithm] = {
    xmldsig.RSA_SHA256: hashes.SHA256(),
    f"{_MORE}rsa-sha384": hashes.SHA384(),
    f"{_MORE}rsa-sha512": hashes.SHA512(),
}
_DIGEST_METHODS = {
    xmldsig.SHA256: hashlib.sha256,
    f"{_MORE}sha384": hashlib.sha384,
    "http://www.w3.org/2001/04/xmlenc#sha512": hashlib.sha512,
}
_CANONICAL_FORMS = {xmldsig.C14N: False, xmldsig.EXCLUSIVE_C14N: True}
_MAXIMUM_CERTIFICATES = 10

T = TypeVar("T")


@dataclass(frozen=True)
class Verified:
    """A signature that holds."""

    data: bytes = field(repr=False)
    """What was signed: the canonical document without its signature."""
    signer: Signer
    chain: tuple[x509.Certificate, ...] = field(repr=False)
    """The signer's certificate up to the configured root."""
    checked_for: datetime
    """The moment at which the certificates had to be valid."""
    claimed_at: datetime | None = None
    """When the signer says to have signed; a plain XML signature does not say."""
    revocation: str = "not checked"
    warnings: tuple[str, ...] = ("revocation not checked", "no signing time in the signature")


def verify(xml: bytes, roots: Sequence[x509.Certificate], at: datetime | None = None) -> Verified:
    """Return what was signed and by whom, or raise; `at` is an aware instant, now when None.

    Raises NotSigned, SignatureInvalid (changed content or a form we do not accept), CertificateUntrusted.
    """
    moment = (at or datetime.now(UTC)).astimezone(UTC)
    root = _parse(xml)
    signature = _find_signature(root)
    info, value, key_info = _children(signature, "SignedInfo", "SignatureValue", "KeyInfo")
    canonicalisation, method, reference = _children(info, "CanonicalizationMethod", "SignatureMethod", "Reference")
    hash_algorithm = _lookup(_SIGNATURE_METHODS, method)
    form = _lookup(_CANONICAL_FORMS, canonicalisation)
    known = _certificates(key_info)
    leaf = certificates.find_leaf(known)
    try:
        certificates.signing_key(leaf).verify(
            _octets(value), _canonical_part(info, exclusive=form), padding.PKCS1v15(), hash_algorithm
        )
    except InvalidSignature as problem:
        raise SignatureInvalid("SignatureValue", "not made by the certificate's key over this SignedInfo") from problem
    except KeyUnsuitable as problem:
        raise SignatureInvalid(problem.where, problem.detail) from problem
    data = _referenced(root, signature, reference)
    chain = certificates.require_trusted(leaf, [other for other in known if other != leaf], roots, moment)
    return Verified(data=data, signer=certificates.signer_of(leaf), chain=chain, checked_for=moment)


def report(verified: Verified) -> dict[str, Any]:
    """Return the facts for people and machines, JSON-shaped; the signed content itself is left out."""
    signer = verified.signer
    return {
        "integrity": "valid",
        "chain": "trusted",
        "revocation": verified.revocation,
        "signer": {
            "name": signer.name,
            "title": signer.title,
            "organisation": signer.organisation,
            "identifier": signer.identifier,
            "issuer": signer.issuer,
            "serial": signer.serial,
            "not_before": signer.not_before.isoformat(),
            "not_after": signer.not_after.isoformat(),
            "sha256": signer.sha256,
        },
        "claimed_at": None if verified.claimed_at is None else verified.claimed_at.isoformat(),
        "checked_for": verified.checked_for.isoformat(),
        "data_sha256": hashlib.sha256(verified.data).hexdigest(),
        "data_bytes": len(verified.data),
        "warnings": list(verified.warnings),
    }


def _parse(xml: bytes) -> etree._Element:
    try:
        return safe_xml.parse(xml)
    except XmlRefused as problem:
        raise SignatureInvalid(problem.where, problem.detail) from problem


def _find_signature(root: etree._Element) -> etree._Element:
    found = list(root.iter(xmldsig.SIGNATURE))
    if not found:
        raise NotSigned()
    if len(found) != 1:
        raise SignatureInvalid("Signature", f"{len(found)} signatures, one expected")
    signature = found[0]
    parent = signature.getparent()
    inside_place = parent is not None and parent.getparent() is root and etree.QName(parent).localname in xmldsig.PLACES
    if parent is not root and not inside_place:
        raise SignatureInvalid("Signature", "not at a place for signatures")
    if any(not isinstance(node.tag, str) for node in signature.iter()):
        raise SignatureInvalid("Signature", "comment or processing instruction inside")
    return signature


def _children(element: etree._Element, *names: str) -> list[etree._Element]:
    """Return the children when they are exactly these, in this order, with nothing but white space between."""
    children = list(element)
    if [child.tag for child in children] != [f"{{{xmldsig.NAMESPACE}}}{name}" for name in names]:
        raise SignatureInvalid(etree.QName(element).localname, f"expected {', '.join(names)} and nothing else")
    if any((text or "").strip() for text in (element.text, *(child.tail for child in children))):
        raise SignatureInvalid(etree.QName(element).localname, "text between elements")
    return children


def _lookup(known: Mapping[str, T], element: etree._Element) -> T:
    """Return what the element's Algorithm stands for; parameters (children) are not accepted."""
    found = known.get(element.get("Algorithm", ""))
    if found is None or len(element) or (element.text or "").strip():
        raise SignatureInvalid(etree.QName(element).localname, "algorithm not accepted")
    return found


def _octets(element: etree._Element) -> bytes:
    """Return the decoded content, refusing every spelling but the canonical one (white space aside)."""
    text = "".join((element.text or "").split())
    try:
        octets = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise SignatureInvalid(etree.QName(element).localname, "not base64") from problem
    if len(element) or not octets or b64encode(octets).decode() != text:
        raise SignatureInvalid(etree.QName(element).localname, "not base64")
    return octets


def _certificates(key_info: etree._Element) -> list[x509.Certificate]:
    elements = key_info.findall(f"{{{xmldsig.NAMESPACE}}}X509Data/{{{xmldsig.NAMESPACE}}}X509Certificate")
    if not 0 < len(elements) <= _MAXIMUM_CERTIFICATES:
        raise SignatureInvalid("KeyInfo", f"{len(elements)} certificates, 1 to {_MAXIMUM_CERTIFICATES} expected")
    return [_certificate(_octets(element)) for element in elements]


def _certificate(der: bytes) -> x509.Certificate:
    try:
        return certificates.from_der(der)
    except ValueError as problem:
        raise SignatureInvalid("KeyInfo", str(problem)) from problem


def _canonical_part(element: etree._Element, *, exclusive: bool) -> bytes:
    try:
        return etree.tostring(element, method="c14n", exclusive=exclusive, with_comments=False, with_tail=False)
    except etree.LxmlError as problem:
        raise SignatureInvalid(etree.QName(element).localname, "cannot be canonicalised") from problem


def _referenced(root: etree._Element, signature: etree._Element, reference: etree._Element) -> bytes:
    """Return the referenced bytes after checking their digest. Takes the signature out of the tree."""
    if reference.get("URI") != "":
        raise SignatureInvalid("Reference", "not to the whole document")
    transforms, digest_method, digest_value = _children(reference, "Transforms", "DigestMethod", "DigestValue")
    algorithms = [transform.get("Algorithm", "") for transform in transforms]
    steps = _children(transforms, *["Transform"] * len(algorithms))
    if any(len(step) or (step.text or "").strip() for step in steps):
        raise SignatureInvalid("Transform", "parameters are not accepted")
    match algorithms:
        case [xmldsig.ENVELOPED]:
            exclusive = False
        case [xmldsig.ENVELOPED, form] if form in _CANONICAL_FORMS:
            exclusive = _CANONICAL_FORMS[form]
        case _:
            raise SignatureInvalid("Transforms", "not enveloped-signature with a known canonical form")
    digest = _lookup(_DIGEST_METHODS, digest_method)
    expected = _octets(digest_value)
    _remove(signature)
    try:
        data = xmldsig.canonical_document(root, exclusive=exclusive)
    except DocumentUnsignable as problem:
        raise SignatureInvalid(problem.where, problem.detail) from problem
    if not hmac.compare_digest(digest(data).digest(), expected):
        raise SignatureInvalid("Reference", "content changed after signing")
    return data


def _remove(signature: etree._Element) -> None:
    """Take the element out and leave the text that follows it."""
    parent, previous, tail = signature.getparent(), signature.getprevious(), signature.tail
    if parent is None:
        return
    parent.remove(signature)
    if tail and previous is not None:
        previous.tail = (previous.tail or "") + tail
    elif tail:
        parent.text = (parent.text or "") + tail
