"""Enveloped XML signatures: RSA with SHA-256 over the whole document.

One `ds:Reference URI=""` with the enveloped-signature transform and Canonical XML 1.0; SignedInfo itself in exclusive
Canonical XML, so that the bytes to be signed do not depend on where they will stand. Canonical XML 1.0 and not the
exclusive form for the document, because the exclusive form leaves unused namespace declarations unprotected — and
`xsi:type="v:CD"` uses one without the canonicaliser knowing. No Id attribute is added and none is referred to.

The input is never serialised again: the Signature is put between its bytes (promise P6). What canonicalisation drops is
not protected by any XML signature: comments, the XML declaration, quotes, order of attributes, white space inside tags.

Not here: XAdES (signing time, certificate digest, time stamps), which comes with its own issue; references to parts of
a document; encodings other than UTF-8.

Standard: XML Signature Syntax and Processing 1.1 §4, §6.6.4; Canonical XML 1.0; Exclusive XML Canonicalization 1.0
Requirement: S0.5, S0.10
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from mappings.formats import safe_xml
from mappings.formats.faults import XmlRefused
from signing import certificates, xml_parts
from signing.contract import KeyProvider
from signing.faults import DocumentUnsignable, KeyUnsuitable
from signing.positions import open_empty_tag

NAMESPACE = "http://www.w3.org/2000/09/xmldsig#"
SIGNATURE = f"{{{NAMESPACE}}}Signature"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = f"{NAMESPACE}enveloped-signature"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"

PLACES = frozenset({xml_parts.HOLDER, *xml_parts.SIGNERS, xml_parts.RESERVE})
"""Elements in which a signature may stand, besides the root itself; by local name."""

_XMLNS = f' xmlns="{NAMESPACE}"'
_SIGNED_INFO = (
    f"<SignedInfo{_XMLNS}>"
    f'<CanonicalizationMethod Algorithm="{EXCLUSIVE_C14N}"></CanonicalizationMethod>'
    f'<SignatureMethod Algorithm="{RSA_SHA256}"></SignatureMethod>'
    f'<Reference URI=""><Transforms><Transform Algorithm="{ENVELOPED}"></Transform>'
    f'<Transform Algorithm="{C14N}"></Transform></Transforms>'
    f'<DigestMethod Algorithm="{SHA256}"></DigestMethod><DigestValue>%s</DigestValue></Reference></SignedInfo>'
)
"""Already in its canonical form: what is hashed is this text, not a serialisation of it."""

_NOT_A_TAG = rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|"
_REST_OF_TAG = rb"""(?=[\s/>])(?:[^<>"']|"[^"]*"|'[^']*')*>)"""


@dataclass(frozen=True)
class Prepared:
    """A document waiting for its signature; plain data, so that it may wait in a store or travel to who signs."""

    to_be_signed: bytes
    """The canonical SignedInfo. Sign these bytes with RSA PKCS#1 v1.5 and SHA-256."""
    before: bytes = field(repr=False)
    after: bytes = field(repr=False)


def prepare(xml: bytes, place: str | None = None) -> Prepared:
    """Hash `xml` and find the byte at which its signature will stand.

    `place` None is the end of the root; otherwise the local name of an empty element that occurs exactly once and is one of
    `PLACES`. Raises DocumentUnsignable.
    """
    root = parse_to_sign(xml)
    if next(root.iter(SIGNATURE), None) is not None:
        raise DocumentUnsignable("Signature", "signed already")
    before, after = split(xml, root, place)
    digest = b64encode(hashlib.sha256(canonical_document(root)).digest()).decode()
    return Prepared(to_be_signed=(_SIGNED_INFO % digest).encode(), before=before, after=after)


def inject(prepared: Prepared, signature: bytes, chain: Sequence[x509.Certificate]) -> bytes:
    """Return the final bytes: the document with its signature and `chain`, the signer's certificate first.

    Raises KeyUnsuitable when `signature` was not made by the key of `chain[0]`: no document leaves with a wrong pair.
    """
    if not chain:
        raise KeyUnsuitable("chain", "no certificate")
    try:
        certificates.signing_key(chain[0]).verify(signature, prepared.to_be_signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature as problem:
        raise KeyUnsuitable("chain", "signature and certificate do not belong together") from problem
    return b"".join(
        (
            prepared.before,
            f"<Signature{_XMLNS}>".encode(),
            prepared.to_be_signed.replace(_XMLNS.encode(), b"", 1),
            b"<SignatureValue>",
            b64encode(signature),
            b"</SignatureValue><KeyInfo><X509Data>",
            *(_certificate_element(certificate) for certificate in chain),
            b"</X509Data></KeyInfo></Signature>",
            prepared.after,
        )
    )


def sign(xml: bytes, key: KeyProvider, place: str | None = None) -> bytes:
    """Return `xml` with an enveloped signature by `key`; every byte outside the Signature stays as it was.

    An empty `<CHUKYDONVI/>` is opened to take the signature: the same element, written with two tags.
    Raises DocumentUnsignable, KeyUnsuitable, CertificateOutOfDate and what `key.sign` raises.
    """
    certificates.require_current(key.chain[0], datetime.now(UTC))
    prepared = prepare(xml, place)
    return inject(prepared, key.sign(prepared.to_be_signed, "RS256"), key.chain)


def canonical_document(root: etree._Element, *, exclusive: bool = False) -> bytes:
    """Return the canonical form of the whole document of `root`: processing instructions beside it too, no comments.

    Raises DocumentUnsignable for what cannot be canonicalised, such as a relative namespace name.
    """
    alone = root.getprevious() is None and root.getnext() is None
    try:
        return etree.tostring(
            root if alone else root.getroottree(), method="c14n", exclusive=exclusive, with_comments=False
        )
    except etree.LxmlError as problem:
        raise DocumentUnsignable("/", "cannot be canonicalised") from problem


def parse_document(xml: bytes) -> etree._Element:
    """Return the root; raise DocumentUnsignable for what is not XML in UTF-8 without a DTD."""
    try:
        root = safe_xml.parse(xml)
    except XmlRefused as problem:
        raise DocumentUnsignable(problem.where, problem.detail) from problem
    encoding = (root.getroottree().docinfo.encoding or "UTF-8").upper()
    if encoding not in {"UTF-8", "US-ASCII", "ASCII"}:
        raise DocumentUnsignable("/", f"encoding {encoding}")
    return root


def parse_to_sign(xml: bytes) -> etree._Element:
    """Return the root as `parse_document` does; also raise for a comment in the middle of a text.

    A signature does not cover comments: whoever adds one there changes what programs read, so verification calls such a
    document invalid, and nothing that is born invalid is signed.
    """
    root = parse_document(xml)
    if xml_parts.declares(xml) and xml_parts.comment_in_text(root):
        raise DocumentUnsignable("comment", "in the middle of a text")
    return root


def split(xml: bytes, root: etree._Element, place: str | None) -> tuple[bytes, bytes]:
    """Cut `xml` where its signature will stand; see `prepare` for `place`. Raises DocumentUnsignable."""
    return _split_at_end_of_root(xml, root) if place is None else _split_inside(xml, root, place)


def _split_at_end_of_root(xml: bytes, root: etree._Element) -> tuple[bytes, bytes]:
    """Walk back over what follows the root; a comment cannot hold `<!--`, an instruction tells how many `<?`."""
    end = len(xml.rstrip())
    for follower in reversed(list(root.itersiblings())):
        opening, inner = (
            (b"<!--", 0) if isinstance(follower, etree._Comment) else (b"<?", (follower.text or "").count("<?"))
        )
        for _ in range(inner + 1):
            end = xml.rindex(opening, 0, end)
        end = len(xml[:end].rstrip())
    if xml.endswith(b"/>", 0, end):
        return open_empty_tag(xml, xml.rindex(b"<", 0, end), end)
    position = xml.rindex(b"</", 0, end)
    return xml[:position], xml[position:]


def find_place(root: etree._Element, place: str) -> etree._Element:
    """Return the element for signatures with this local name; raise DocumentUnsignable unless it is there, once, in place."""
    if place not in PLACES:
        raise DocumentUnsignable(place, "not a place for signatures")
    found = list(root.iter(f"{{*}}{place}"))
    if len(found) != 1:
        raise DocumentUnsignable(place, f"occurs {len(found)} times")
    if not xml_parts.holds_signatures(found[0]):
        raise DocumentUnsignable(place, "not where it belongs")
    return found[0]


def _split_inside(xml: bytes, root: etree._Element, place: str) -> tuple[bytes, bytes]:
    element = find_place(root, place)
    if len(element) or element.text:
        raise DocumentUnsignable(place, "not empty")
    name = re.escape((f"{element.prefix}:{place}" if element.prefix else place).encode())
    tags = list(re.finditer(rb"(?P<tag><" + name + _REST_OF_TAG, xml))
    if len(tags) != 1:  # the same letters inside a comment, CDATA or processing instruction
        spans = re.finditer(_NOT_A_TAG + rb"(?P<tag><" + name + _REST_OF_TAG, xml, re.DOTALL)
        tags = [span for span in spans if span["tag"]]
    start, end = tags[0].span()
    if xml.endswith(b"/>", start, end):
        return open_empty_tag(xml, start, end)
    return xml[:end], xml[end:]


def _certificate_element(certificate: x509.Certificate) -> bytes:
    der = certificate.public_bytes(serialization.Encoding.DER)
    return b"<X509Certificate>" + b64encode(der) + b"</X509Certificate>"
