"""XAdES signatures, level B-B, made in two phases: prepare, then inject the signature value that a key made elsewhere.

Enveloped (the last child of the root, or inside one of `xmldsig.PLACES`), detached over files, or as a counter-signature
inside another. The input is never serialised again: the Signature is put between its bytes (promise P6), and everything
in it that is hashed is written in its canonical form already. A signature prepared with `parallel` may stand beside others,
each over the document without any of them (docs/decisions/0015); without it, it stays the only one.

Not here: the levels above B-B (`signing/xades_levels.py`), verification, plain XMLDSig (`signing/xmldsig.py`), signature
policies, encodings other than UTF-8.

Standard: ETSI EN 319 132-1 V1.2.1 §5.2, §6.3; XML Signature Syntax and Processing 1.1; XML-Signature XPath Filter 2.0
Requirement: S0.5, S0.10, S3.6
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
from signing.xmldsig import (
    C14N,
    ENVELOPED,
    EXCLUSIVE_C14N,
    NAMESPACE,
    SIGNATURE,
    canonical_document,
    parse_document,
    split,
)

FILTER = "http://www.w3.org/2002/06/xmldsig-filter2"
_IS_SIGNATURE = f'*[local-name()="Signature" and namespace-uri()="{NAMESPACE}"]'
OTHERS = f"/*/{_IS_SIGNATURE} | /*/*/{_IS_SIGNATURE}"
"""What a parallel signature leaves out of the document. Constant: a verifier compares it and evaluates nothing."""

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

_XMLNS = f' xmlns="{NAMESPACE}"'
_ENVELOPED = f'<Transform Algorithm="{ENVELOPED}"></Transform>'
_SUBTRACT = f'<Transform Algorithm="{FILTER}"><XPath xmlns="{FILTER}" Filter="subtract">{OTHERS}</XPath></Transform>'
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
    claims: Claims = Claims(),
    algorithm: str = "",
    at: datetime | None = None,
    mime_type: str = "text/xml",
    confirms: Sequence[str] = (),
) -> Prepared:
    """Hash `xml` and find the byte at which a signature by the holder of `certificate` will stand.

    `place` as in `xmldsig.prepare`, but a place may hold parallel signatures already. `algorithm` empty is the usual one of
    the key; its hash is used for all digests. `at` is the claimed signing time, now when None. `confirms` are the Ids of
    signatures in the document whose values this one covers too. Raises DocumentUnsignable (also when the signature would
    break one that stands there), KeyUnsuitable, CertificateOutOfDate.
    """
    root = parse_document(xml)
    confirmed = [_confirmation(find_signature(root, identifier)) for identifier in confirms]
    if b"Signature" in xml and next(root.iter(SIGNATURE), None) is not None:
        if not parallel:
            raise DocumentUnsignable("Signature", "signed already")
        before, after = _cut(xml, root, place)
        remove_others(root)
    else:
        before, after = split(xml, root, place)
    transforms = _ENVELOPED + (_SUBTRACT if parallel else "") + _C14N
    document = _Reference("", transforms, canonical_document(root), mime_type=mime_type)
    return _prepare([document, *confirmed], certificate, claims, algorithm, at, before, after)


def prepare_detached(
    files: Sequence[File],
    certificate: x509.Certificate,
    *,
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
    return _prepare(references, certificate, claims, algorithm, at, b"", b"")


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
    root = parse_document(xml)
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
    if not chain or chain[0].fingerprint(hashes.SHA256()).hex() != prepared.certificate_sha256:
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
            *(
                b"<X509Certificate>" + b64encode(certificate.public_bytes(Encoding.DER)) + b"</X509Certificate>"
                for certificate in chain
            ),
            b"</X509Data></KeyInfo><Object>",
            f'<xades:QualifyingProperties xmlns:xades="{XADES}" Target="#{identifier}">'.encode(),
            prepared.properties,
            b"</xades:QualifyingProperties></Object></Signature>",
            prepared.after,
        )
    )


def sign(
    xml: bytes,
    key: KeyProvider,
    *,
    place: str | None = None,
    parallel: bool = False,
    claims: Claims = Claims(),
    mime_type: str = "text/xml",
    confirms: Sequence[str] = (),
) -> bytes:
    """Return `xml` with an enveloped XAdES signature by `key`; every byte outside the Signature stays as it was.

    Arguments and faults as for `prepare`, and what `key.sign` raises.
    """
    prepared = prepare(
        xml, key.chain[0], place=place, parallel=parallel, claims=claims, mime_type=mime_type, confirms=confirms
    )
    return inject(prepared, key.sign(prepared.to_be_signed), key.chain)


def find_signature(root: etree._Element, identifier: str = "") -> etree._Element:
    """Return the signature with this Id, or the only one that is not inside another; raise DocumentUnsignable."""
    found = [
        signature
        for signature in root.iter(SIGNATURE)
        if (signature.get("Id") == identifier if identifier else next(signature.iterancestors(SIGNATURE), None) is None)
    ]
    if len(found) != 1:
        raise DocumentUnsignable("Signature", f"{len(found)} signatures where one is meant")
    return found[0]


def cut_for_property(xml: bytes, signature: etree._Element) -> tuple[bytes, bytes]:
    """Cut `xml` where the next unsigned property of `signature` will stand; what is missing around it is written.

    Raises DocumentUnsignable when the signature has no QualifyingProperties or another signature covers the place.
    """
    require_undisturbed(signature)
    holder = signature.find(f"{{{NAMESPACE}}}Object/{{{XADES}}}QualifyingProperties")
    if holder is None:
        raise DocumentUnsignable("QualifyingProperties", "not a XAdES signature")
    opening = closing = ""
    for name in ("UnsignedProperties", "UnsignedSignatureProperties"):
        inner = None if opening else holder.find(f"{{{XADES}}}{name}")
        if inner is not None:
            holder = inner
        else:
            declared = "" if opening else f' xmlns:xades="{XADES}"'
            opening, closing = f"{opening}<xades:{name}{declared}>", f"</xades:{name}>{closing}"
    before, after = split_before_end(xml, holder)
    return before + opening.encode(), closing.encode() + after


def require_undisturbed(holder: etree._Element) -> None:
    """Raise DocumentUnsignable when one more child of `holder` would break a signature in its document.

    A change is no harm to a signature that it stands in, nor to a parallel one when it is inside a signature or will be one.
    """
    lineage = [holder, *holder.iterancestors()]
    root = lineage[-1]
    left_out = len(lineage) <= 2 or any(signature in lineage for signature in _others(root))
    for signature in root.iter(SIGNATURE):
        for reference in signature.iterfind(f"{{{NAMESPACE}}}SignedInfo/{{{NAMESPACE}}}Reference"):
            uri = reference.get("URI") or ""
            if uri:
                touched = any(f"#{element.get('Id')}" == uri for element in lineage)
            else:
                steps = reference.iterfind(f"{{{NAMESPACE}}}Transforms/{{{NAMESPACE}}}Transform/{{{FILTER}}}XPath")
                subtracted = any(step.get("Filter") == "subtract" and step.text == OTHERS for step in steps)
                touched = not (subtracted and left_out) and signature not in lineage
            if touched:
                raise DocumentUnsignable("Signature", "signed already; a change here would break that signature")


def remove_others(root: etree._Element) -> None:
    """Take the signatures that `OTHERS` names out of the tree and leave the text that follows each."""
    for signature in _others(root):
        remove(signature)


def remove(element: etree._Element) -> None:
    """Take the element out of its tree and leave the text that follows it."""
    parent, previous, tail = element.getparent(), element.getprevious(), element.tail
    if parent is None:
        return
    parent.remove(element)
    if tail and previous is not None:
        previous.tail = (previous.tail or "") + tail
    elif tail:
        parent.text = (parent.text or "") + tail


def canonical_element(element: etree._Element) -> bytes:
    """Return the exclusive canonical form of one element; raise DocumentUnsignable when it has none."""
    try:
        return etree.tostring(element, method="c14n", exclusive=True, with_comments=False, with_tail=False)
    except etree.LxmlError as problem:
        raise DocumentUnsignable(etree.QName(element).localname, "cannot be canonicalised") from problem


def _others(root: etree._Element) -> list[etree._Element]:
    children = list(root.iterchildren(SIGNATURE))
    return [*children, *(s for child in root if child.tag != SIGNATURE for s in child.iterchildren(SIGNATURE))]


def _prepare(
    references: Sequence[_Reference],
    certificate: x509.Certificate,
    claims: Claims,
    algorithm_name: str,
    at: datetime | None,
    before: bytes,
    after: bytes,
) -> Prepared:
    moment = at or datetime.now(UTC)
    algorithm = algorithm_for(certificates.public_key(certificate), algorithm_name)
    certificates.require_current(certificate, moment)
    digests = [_digest(algorithm, reference.octets) for reference in references]
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
    identifier = _identifier((before, after), f"{fingerprint}{moment.isoformat()}{''.join(digests)}")
    digest_uri = DIGEST_METHODS[algorithm.hash.name]
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
    own = _Reference(f"#{identifier}-properties", _EXCLUSIVE, properties, SIGNED_PROPERTIES)
    digests.append(_digest(algorithm, properties))
    elements = "".join(
        f'<Reference Id="{identifier}-{number}"'
        + (f' Type="{reference.kind}"' if reference.kind else "")
        + f" URI={_attribute(reference.uri)}>"
        + (f"<Transforms>{reference.transforms}</Transforms>" if reference.transforms else "")
        + f'<DigestMethod Algorithm="{digest_uri}"></DigestMethod><DigestValue>{digest}</DigestValue></Reference>'
        for number, (reference, digest) in enumerate(zip([*references, own], digests, strict=True))
    )
    info = (
        f'<SignedInfo{_XMLNS}><CanonicalizationMethod Algorithm="{EXCLUSIVE_C14N}"></CanonicalizationMethod>'
        f'<SignatureMethod Algorithm="{SIGNATURE_METHODS[algorithm.name]}"></SignatureMethod>{elements}</SignedInfo>'
    )
    return Prepared(info.encode(), algorithm.name, identifier, fingerprint, properties, before, after)


def _confirmation(signature: etree._Element) -> _Reference:
    value = signature.find(f"{{{NAMESPACE}}}SignatureValue")
    identifier = None if value is None else value.get("Id")
    if value is None or not identifier:
        raise DocumentUnsignable("SignatureValue", "no Id to refer to")
    root = signature.getroottree().getroot()
    if sum(element.get("Id") == identifier for element in root.iter("*")) != 1:
        raise DocumentUnsignable("SignatureValue", "its Id occurs more than once")
    return _Reference(f"#{identifier}", _EXCLUSIVE, canonical_element(value), COUNTERSIGNED)


def _cut(xml: bytes, root: etree._Element, place: str | None) -> tuple[bytes, bytes]:
    """Cut as `split` does, in a document that is signed: a place may hold signatures."""
    holder = None if place is None else root.find(f"{{*}}{place}")
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
