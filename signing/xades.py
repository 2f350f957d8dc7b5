"""XAdES signatures, level B-B, and plain ones of the same forms, made in two phases: prepare, then inject what a key gave.

Enveloped (the last child of the root, or inside one of `xmldsig.PLACES`), detached over files or over one child of the root,
or as a counter-signature inside another. The input is never serialised again: the Signature is put between its bytes
(promise P6), and everything in it that is hashed is written in its canonical form already. A signature prepared with
`parallel` may stand beside others, each over the document without any of them (docs/decisions/0015); without it, it stays the
only one.

Not here: the levels above B-B (`signing/xades_levels.py`), verification, the one plain signature without any Id that most
interfaces show (`signing/xmldsig.py`), signature policies, encodings other than UTF-8.

Standard: ETSI EN 319 132-1 V1.2.1 §5.2, §6.3; XML Signature Syntax and Processing 1.1; XML-Signature XPath Filter 2.0
Requirement: S0.5, S0.10, S3.6
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from xml.sax.saxutils import quoteattr

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from signing import certificates
from signing.algorithms import ALGORITHMS, Algorithm, algorithm_for
from signing.contract import KeyProvider
from signing.faults import DocumentUnsignable, KeyUnsuitable
from signing.positions import split_before_end
from signing.xades_properties import XADES, Claims, DataObject, signed_properties
from signing.xades_tree import (
    XML,
    canonical_element,
    cut_for_property,
    find_by_id,
    find_signature,
    remove_others,
    require_undisturbed,
)
from signing.xml_parts import FILTER, NO_SIGNATURE, OTHERS, SIGNERS, XPATH
from signing.xmldsig import (
    C14N,
    ENVELOPED,
    EXCLUSIVE_C14N,
    NAMESPACE,
    SIGNATURE,
    canonical_document,
    find_place,
    parse_to_sign,
    split,
)

SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"
COUNTERSIGNED = "http://uri.etsi.org/01903#CountersignedSignature"

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_MGF1 = "http://www.w3.org/2007/05/xmldsig-more#"
_ENCRYPTION = "http://www.w3.org/2001/04/xmlenc#"
SIGNATURE_METHODS: Mapping[str, str] = {
    "RS256": f"{_MORE}rsa-sha256",
    "RS384": f"{_MORE}rsa-sha384",
    "RS512": f"{_MORE}rsa-sha512",
    "PS256": f"{_MGF1}sha256-rsa-MGF1",
    "PS384": f"{_MGF1}sha384-rsa-MGF1",
    "PS512": f"{_MGF1}sha512-rsa-MGF1",
    "ES256": f"{_MORE}ecdsa-sha256",
    "ES384": f"{_MORE}ecdsa-sha384",
}
"""Algorithm URI by the names of `signing/algorithms.py`."""
DIGEST_METHODS: Mapping[str, str] = {
    "sha256": f"{_ENCRYPTION}sha256",
    "sha384": f"{_MORE}sha384",
    "sha512": f"{_ENCRYPTION}sha512",
}

_NAME = re.compile(r"[A-Za-z_][\w.-]*")
_XMLNS = f' xmlns="{NAMESPACE}"'
_ENVELOPED = f'<Transform Algorithm="{ENVELOPED}"></Transform>'
_SUBTRACT = f'<Transform Algorithm="{FILTER}"><XPath xmlns="{FILTER}" Filter="subtract">{OTHERS}</XPath></Transform>'
_NO_SIGNATURES = f'<Transform Algorithm="{XPATH}">{NO_SIGNATURE}</Transform>'
_C14N = f'<Transform Algorithm="{C14N}"></Transform>'
_EXCLUSIVE = f'<Transform Algorithm="{EXCLUSIVE_C14N}"></Transform>'


@dataclass(frozen=True)
class Prepared:
    """A signature waiting for its value; plain data, so that it may wait in a store or travel to who signs."""

    to_be_signed: bytes
    """The canonical SignedInfo."""
    algorithm: str
    """How to sign it, by the names of `signing/algorithms.py`."""
    signature_id: str
    certificate_sha256: str
    """Fingerprint of the certificate that the signature names; only its key fits."""
    properties: bytes = field(repr=False)
    before: bytes = field(repr=False)
    after: bytes = field(repr=False)

    @property
    def digest(self) -> bytes:
        """Hash of `to_be_signed`, for devices and services that sign hashes."""
        return hashlib.new(ALGORITHMS[self.algorithm].hash.name, self.to_be_signed).digest()


@dataclass(frozen=True)
class File:
    """What a detached signature covers: bytes, and the URI by which a verifier will find them."""

    uri: str
    data: bytes = field(repr=False)
    mime_type: str = "application/octet-stream"


@dataclass(frozen=True)
class _Reference:
    uri: str
    transforms: str
    octets: bytes
    kind: str = ""
    mime_type: str = ""


def prepare(
    xml: bytes,
    certificate: x509.Certificate,
    *,
    place: str | None = None,
    parallel: bool = False,
    parts: Sequence[str] = (),
    plain: bool = False,
    claims: Claims = Claims(),
    algorithm: str = "",
    at: datetime | None = None,
    mime_type: str = "text/xml",
    confirms: Sequence[str] = (),
) -> Prepared:
    """Hash `xml` and find the byte at which a signature by the holder of `certificate` will stand.

    `place` as in `xmldsig.prepare`, but a place may hold parallel signatures already. `parts` are the Ids of children of the
    root: the signature covers these alone, from outside them. `plain` makes an XML signature without the properties of XAdES,
    for interfaces that know no others. `algorithm` empty is the usual one of the key; its hash is used for all digests. `at` is
    the claimed signing time, now when None. `confirms` are the Ids of signatures in the document whose values this one covers
    too. Raises DocumentUnsignable (also when the signature would break one that stands there),
    KeyUnsuitable, CertificateOutOfDate.
    """
    root = parse_to_sign(xml)
    confirmed = [_confirmation(find_signature(root, identifier)) for identifier in confirms]
    signed = next(root.iter(SIGNATURE), None) is not None
    if signed and not parallel and not parts:
        raise DocumentUnsignable("Signature", "signed already")
    before, after = _cut(xml, root, place) if signed else split(xml, root, place)
    if parts:
        content = [
            _Reference(f"#{part}", _C14N, _canonical_part(root, part, place), mime_type=mime_type) for part in parts
        ]
    else:
        everywhere = (
            plain or place in SIGNERS
        )  # the first for software that knows no other filter, the others stand deeper
        if signed:
            remove_others(root, everywhere=everywhere)
        spared = "" if not parallel else _NO_SIGNATURES if everywhere else _SUBTRACT
        content = [_Reference("", _ENVELOPED + spared + _C14N, canonical_document(root), mime_type=mime_type)]
    whole = not parts and not signed
    return _prepare([*content, *confirmed], certificate, None if plain else claims, algorithm, at, before, after, whole)


def prepare_detached(
    files: Sequence[File],
    certificate: x509.Certificate,
    *,
    plain: bool = False,
    claims: Claims = Claims(),
    algorithm: str = "",
    at: datetime | None = None,
) -> Prepared:
    """Hash `files`; the signature will be a document of its own. Other arguments and faults as for `prepare`."""
    if not files:
        raise DocumentUnsignable("Reference", "no file")
    if any(not file.uri or file.uri.startswith("#") for file in files):
        raise DocumentUnsignable("Reference", "a file needs a URI of its own")
    references = [_Reference(file.uri, "", file.data, mime_type=file.mime_type) for file in files]
    return _prepare(references, certificate, None if plain else claims, algorithm, at, b"", b"")


def prepare_countersignature(
    xml: bytes,
    certificate: x509.Certificate,
    countersigned: str = "",
    *,
    claims: Claims = Claims(),
    algorithm: str = "",
    at: datetime | None = None,
) -> Prepared:
    """Prepare a CounterSignature, over the value of the signature with Id `countersigned` and inside that signature.

    It says nothing about the document but through that value. An Id may be left out when there is one signature.
    Standard: ETSI EN 319 132-1 V1.2.1 §5.2.7
    """
    root = parse_to_sign(xml)
    signature = find_signature(root, countersigned)
    before, after = cut_for_property(xml, signature)
    opening, closing = f'<xades:CounterSignature xmlns:xades="{XADES}">'.encode(), b"</xades:CounterSignature>"
    confirmed = _confirmation(signature)
    return _prepare([confirmed], certificate, claims, algorithm, at, before + opening, closing + after)


def inject(prepared: Prepared, signature: bytes, chain: Sequence[x509.Certificate]) -> bytes:
    """Return the final bytes: what was prepared with its signature value and `chain`, the signer's certificate first.

    An ECDSA signature is r and s, one after the other. Raises KeyUnsuitable when `chain[0]` is not the certificate that the
    signature was prepared for, or `signature` was not made with its key: no document leaves with a wrong pair.
    """
    if not chain or _fingerprint(chain[0]) != prepared.certificate_sha256:
        raise KeyUnsuitable("chain", "not the certificate that was prepared for")
    if not ALGORITHMS[prepared.algorithm].holds(certificates.public_key(chain[0]), signature, prepared.to_be_signed):
        raise KeyUnsuitable("chain", "signature and certificate do not belong together")
    identifier = prepared.signature_id
    return b"".join(
        (
            prepared.before,
            f'<Signature{_XMLNS} Id="{identifier}">'.encode(),
            prepared.to_be_signed.replace(_XMLNS.encode(), b"", 1),
            f'<SignatureValue Id="{identifier}-value">'.encode(),
            b64encode(signature),
            b"</SignatureValue><KeyInfo><X509Data>",
            *(_certificate_element(certificate) for certificate in chain),
            b"</X509Data></KeyInfo>",
            *_qualifying(prepared),
            b"</Signature>",
            prepared.after,
        )
    )


def sign(
    xml: bytes,
    key: KeyProvider,
    *,
    place: str | None = None,
    parallel: bool = False,
    parts: Sequence[str] = (),
    plain: bool = False,
    claims: Claims = Claims(),
    algorithm: str = "",
    mime_type: str = "text/xml",
    confirms: Sequence[str] = (),
) -> bytes:
    """Return `xml` with a signature by `key`; every byte outside the Signature stays as it was.

    Arguments and faults as for `prepare`, but for `algorithm`: empty is the key's own first; and what `key.sign` raises.
    """
    prepared = prepare(
        xml,
        key.chain[0],
        place=place,
        parallel=parallel,
        parts=parts,
        plain=plain,
        claims=claims,
        algorithm=algorithm or key.algorithms[0],
        mime_type=mime_type,
        confirms=confirms,
    )
    return inject(prepared, key.sign(prepared.to_be_signed, prepared.algorithm), key.chain)


def _prepare(
    references: Sequence[_Reference],
    certificate: x509.Certificate,
    claims: Claims | None,
    algorithm_name: str,
    at: datetime | None,
    before: bytes,
    after: bytes,
    whole: bool = False,
) -> Prepared:
    """Make SignedInfo and properties; a document whose hash is over the `whole` of it cannot hold the Id made of that hash."""
    moment = at or datetime.now(UTC)
    algorithm = algorithm_for(certificates.public_key(certificate), algorithm_name)
    certificates.require_current(certificate, moment)
    digests = [_digest(algorithm, reference.octets) for reference in references]
    fingerprint = _fingerprint(certificate)
    identifier = _identifier(() if whole else (before, after), f"{fingerprint}{moment.isoformat()}{''.join(digests)}")
    digest_uri = DIGEST_METHODS[algorithm.hash.name]
    properties, own = b"", []
    if claims is not None:
        properties = signed_properties(
            f"{identifier}-properties",
            certificate,
            moment,
            claims,
            [
                DataObject(f"{identifier}-{number}", reference.mime_type)
                for number, reference in enumerate(references)
                if reference.mime_type
            ],
            algorithm.hash.name,
            digest_uri,
        )
        own = [_Reference(f"#{identifier}-properties", _EXCLUSIVE, properties, SIGNED_PROPERTIES)]
        digests.append(_digest(algorithm, properties))
    elements = "".join(
        f'<Reference Id="{identifier}-{number}"'
        + (f' Type="{reference.kind}"' if reference.kind else "")
        + f" URI={_attribute(reference.uri)}>"
        + (f"<Transforms>{reference.transforms}</Transforms>" if reference.transforms else "")
        + f'<DigestMethod Algorithm="{digest_uri}"></DigestMethod><DigestValue>{digest}</DigestValue></Reference>'
        for number, (reference, digest) in enumerate(zip([*references, *own], digests, strict=True))
    )
    info = (
        f'<SignedInfo{_XMLNS}><CanonicalizationMethod Algorithm="{EXCLUSIVE_C14N}"></CanonicalizationMethod>'
        f'<SignatureMethod Algorithm="{SIGNATURE_METHODS[algorithm.name]}"></SignatureMethod>{elements}</SignedInfo>'
    )
    return Prepared(info.encode(), algorithm.name, identifier, fingerprint, properties, before, after)


def _qualifying(prepared: Prepared) -> tuple[bytes, ...]:
    if not prepared.properties:
        return ()
    opening = f'<Object><xades:QualifyingProperties xmlns:xades="{XADES}" Target="#{prepared.signature_id}">'
    return opening.encode(), prepared.properties, b"</xades:QualifyingProperties></Object>"


@lru_cache(maxsize=256)
def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


@lru_cache(maxsize=256)
def _certificate_element(certificate: x509.Certificate) -> bytes:
    return b"<X509Certificate>" + b64encode(certificate.public_bytes(Encoding.DER)) + b"</X509Certificate>"


def _canonical_part(root: etree._Element, part: str, place: str | None) -> bytes:
    found = find_by_id(root, part)
    if len(found) != 1 or found[0].getparent() is not root or not _NAME.fullmatch(part):
        raise DocumentUnsignable("Id", f"{len(found)} elements where one child of the root is meant")
    if etree.QName(found[0]).localname == place:
        raise DocumentUnsignable(place, "the signature would stand in what it covers")
    if any(str(name).startswith(XML) for name in root.attrib):  # canonicalisation would have the part inherit them
        raise DocumentUnsignable("Id", "the root has xml: attributes")
    return canonical_element(found[0], exclusive=False)


def _confirmation(signature: etree._Element) -> _Reference:
    value = signature.find(f"{{{NAMESPACE}}}SignatureValue")
    identifier = None if value is None else value.get("Id")
    if value is None or not identifier:
        raise DocumentUnsignable("SignatureValue", "no Id to refer to")
    root = signature.getroottree().getroot()
    if len(find_by_id(root, identifier)) != 1:
        raise DocumentUnsignable("SignatureValue", "its Id occurs more than once")
    return _Reference(f"#{identifier}", _EXCLUSIVE, canonical_element(value), COUNTERSIGNED)


def _cut(xml: bytes, root: etree._Element, place: str | None) -> tuple[bytes, bytes]:
    """Cut as `split` does, in a document that is signed: a place may hold signatures."""
    holder = None if place is None else find_place(root, place)
    require_undisturbed(root if holder is None else holder)
    if holder is None or not len(holder):
        return split(xml, root, place)
    texts = (holder.text, *(child.tail for child in holder))
    if any(child.tag != SIGNATURE for child in holder) or any((text or "").strip() for text in texts):
        raise DocumentUnsignable(place or "", "not empty")
    return split_before_end(xml, holder)


def _identifier(around: Sequence[bytes], seed: str) -> str:
    """Make an Id that does not occur in the document; the same document, signer and moment give the same."""
    while True:
        seed = hashlib.sha256(seed.encode()).hexdigest()
        identifier = f"S-{seed[:16]}"
        if not any(identifier.encode() in part for part in around):
            return identifier


def _digest(algorithm: Algorithm, octets: bytes) -> str:
    return b64encode(hashlib.new(algorithm.hash.name, octets).digest()).decode()


def _attribute(value: str) -> str:
    """Quote as Canonical XML does: always double quotes."""
    escaped = quoteattr(value, {'"': "&quot;", "\r": "&#xD;", "\n": "&#xA;", "\t": "&#x9;"})
    return escaped.replace("&gt;", ">")
