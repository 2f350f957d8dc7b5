"""Read the papers that arrive and judge their XML signatures with signxml, against the demo CA.

XMLDSig and XAdES-BES alike, several on one paper too. A certificate has to have been good at the moment that its signature
claims, and at arrival when it claims none; time stamps are not judged.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from lxml import etree
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from conformance.sandbox.ca import common_name

DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
FILTER = "http://www.w3.org/2002/06/xmldsig-filter2"
CDA = "urn:hl7-org:v3"
MOST_SIGNATURES = 16
HOSTILE_INPUT: Final = (
    SignXMLException,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    etree.LxmlError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
)
"""What signxml and the certificate reader below it answer bytes with that nobody honest would send."""


class NotXmlError(Exception):
    """Raised when bytes are not well-formed XML, or carry a document type."""


class NotSignedError(Exception):
    """Raised when a paper holds no signature at all."""


class SignatureError(Exception):
    """Raised when a signature does not hold, covers too little, or its certificate is not of the demo CA or out of use."""


class UnregisteredError(SignatureError):
    """Raised when a destination wants certificates registered and the signer's is not."""


@dataclass(frozen=True)
class Trust:
    """On whose word a signature is believed."""

    ca_pem_file: Path
    """The demo root."""
    holds: Callable[[x509.Certificate, datetime | None], bool] = lambda certificate, at: True
    """Whether its authority let a certificate sign at a moment; None: now."""
    registered: Callable[[], tuple[x509.Certificate, ...]] | None = None
    """Believe these certificates and no others, whoever issued them. None: those below the root."""


@dataclass(frozen=True)
class Signature:
    """One signature that holds."""

    signer: str
    """Common name of the certificate."""
    covers: frozenset[str]
    """URIs of what is signed: empty text for the whole paper, `#id` for an element."""

    def over(self, element: etree._Element) -> bool:
        """Tell whether the signature covers this element, by itself or with the whole paper."""
        return "" in self.covers or self.names(element)

    def names(self, element: etree._Element) -> bool:
        """Tell whether the signature refers to this very element."""
        return any(f"#{element.get(name)}" in self.covers for name in ("Id", "ID", "id"))


def parse(data: bytes) -> etree._Element:
    """Read a paper without following anything it points at. Raises NotXmlError."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotXmlError("not well-formed") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise NotXmlError("has a document type")
    return root


def local_name(element: etree._Element) -> str:
    """Return the name without namespace."""
    return etree.QName(element).localname


def verify(root: etree._Element, trust: Trust) -> list[Signature]:
    """Check every signature of a paper; what was added last is checked and taken away first.

    A signature added later changes the paper that an earlier one covers, so each is judged on the paper as it stood when
    it was made. Raises NotSignedError, SignatureError. The tree given is not changed.
    """
    around = _instructions(root)
    root = parse(etree.tostring(root))
    found: list[Signature] = []
    while signatures := root.findall(f".//{{{DS}}}Signature"):
        if len(signatures) > MOST_SIGNATURES:
            raise SignatureError("too many signatures")
        position = len(signatures) - 1
        while (signature := _holds(root, position, trust, around)) is None:
            position -= 1
            if position < 0:
                raise SignatureError("a signature does not hold")
        found.append(signature)
        _take_away(signatures[position])
    if not found:
        raise NotSignedError
    return found[::-1]


class _Verifier(XMLVerifier):
    """signxml with four gaps closed.

    It finds the first signature below a path; among siblings we must be able to name the second. For `URI=""` it reads the
    root element alone, where the standard means the document: processing instructions before and after the root, such as
    `xml-stylesheet`, are signed as well. And lxml writes a wrong `xmlns=""` when it canonicalises an element inside a tree
    whose default namespace is declared above it, as in every `<Signature xmlns=…><SignedInfo>` of .NET: so the element is
    given a tree of its own first. And it passes over XPath Filter 2.0, by which several signatures on one paper leave each
    other out: that is done here, for filters that take out signatures and nothing else.

    Standard: XML Signature Syntax and Processing 1.1 §4.4.3.3; Canonical XML 1.0 §2.3; XML-Signature XPath Filter 2.0 §3
    """

    def __init__(self, position: int, around: tuple[bytes, bytes]) -> None:
        super().__init__()
        self._position = position
        self._around = around
        self._document = False

    def _resolve_reference(self, doc_root: Any, reference: Any, uri_resolver: Any = None) -> Any:
        self._document = reference.get("URI") == ""
        # signxml leaves this method without types
        return super()._resolve_reference(doc_root, reference, uri_resolver)  # type: ignore[no-untyped-call]

    def _apply_transforms(self, payload: Any, *, transforms_node: Any, signature: Any) -> Any:
        for each in [] if transforms_node is None else transforms_node.iterfind(f"{{{DS}}}Transform/{{{FILTER}}}XPath"):
            selected = payload.xpath(each.text or "")
            if each.get("Filter") != "subtract" or any(one.tag != f"{{{DS}}}Signature" for one in selected):
                raise SignXMLException("a filter for something else than signatures")
            for one in selected:
                _take_away(one)
        return super()._apply_transforms(payload, transforms_node=transforms_node, signature=signature)

    def _c14n(self, nodes: Any, algorithm: Any, inclusive_ns_prefixes: Any = None) -> bytes:
        alone = parse(etree.tostring(nodes, with_tail=False))
        canonical: bytes = super()._c14n(alone, algorithm, inclusive_ns_prefixes)
        before, after = self._around if self._document else (b"", b"")
        return before + canonical + after

    def _get_signature(self, root: etree._Element) -> etree._Element:
        return root.findall(f".//{{{DS}}}Signature")[self._position]


def _instructions(root: etree._Element) -> tuple[bytes, bytes]:
    """Return the canonical form of the processing instructions before and after the root."""
    before = [_bytes(each) + b"\n" for each in root.itersiblings(etree.PI, preceding=True)]
    after = [b"\n" + _bytes(each) for each in root.itersiblings(etree.PI)]
    return b"".join(reversed(before)), b"".join(after)


def _bytes(instruction: etree._Element) -> bytes:
    return etree.tostring(instruction, encoding="unicode", with_tail=False).encode()


def _holds(root: etree._Element, position: int, trust: Trust, around: tuple[bytes, bytes]) -> Signature | None:
    config = SignatureConfiguration(expect_references=True)
    anchor: dict[str, Any] = {"ca_pem_file": str(trust.ca_pem_file)}
    if trust.registered is not None:
        anchor = {"x509_cert": _registered(root.findall(f".//{{{DS}}}Signature")[position], trust.registered())}
    try:
        results: Any = _Verifier(position, around).verify(root, expect_config=config, **anchor)
    except HOSTILE_INPUT:
        return None
    if not results:
        return None
    signature = results[0].signature_xml
    references = signature.iterfind(f"{{{DS}}}SignedInfo/{{{DS}}}Reference")
    uris = frozenset(reference.get("URI") for reference in references)
    certificate = _certificate(signature, results[0].signature_key)
    if certificate is None or not trust.holds(certificate, _signing_time(signature, uris)):
        raise SignatureError("a certificate was suspended, revoked or out of date when it signed")
    return Signature(common_name(certificate), uris)


def _registered(signature: etree._Element, known: tuple[x509.Certificate, ...]) -> x509.Certificate:
    carried = {"".join((each.text or "").split()) for each in signature.iterfind(f".//{{{DS}}}X509Certificate")}
    for certificate in known:
        if base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode() in carried:
            return certificate
    raise UnregisteredError("the signer's certificate is not registered")


def _signing_time(signature: etree._Element, uris: frozenset[str]) -> datetime | None:
    """Return the moment that a XAdES signature claims and signs."""
    for properties in signature.iterfind(f".//{{{XADES}}}SignedProperties"):
        told = properties.findtext(f".//{{{XADES}}}SigningTime")
        if told and f"#{properties.get('Id')}" in uris:
            try:
                moment = datetime.fromisoformat(told)
            except ValueError as error:
                raise SignatureError("SigningTime is no time") from error
            return moment if moment.tzinfo else moment.astimezone()
    return None


def _certificate(signature: etree._Element, key_pem: bytes) -> x509.Certificate | None:
    for element in signature.iterfind(f".//{{{DS}}}X509Certificate"):
        certificate = x509.load_der_x509_certificate(base64.b64decode(element.text or ""))
        public = certificate.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        if public == key_pem:
            return certificate
    return None


def _take_away(signature: etree._Element) -> None:
    parent = signature.getparent()
    if parent is None:
        raise SignatureError("the paper is nothing but a signature")
    before = signature.getprevious()
    if signature.tail and before is not None:
        before.tail = (before.tail or "") + signature.tail
    elif signature.tail:
        parent.text = (parent.text or "") + signature.tail
    parent.remove(signature)


def cda_identifier(root: etree._Element) -> str:
    """Return `ClinicalDocument/id` as `root^extension`, or the empty string."""
    identifier = root.find(f"{{{CDA}}}id")
    if identifier is None:
        return ""
    return "^".join(part for part in (identifier.get("root"), identifier.get("extension")) if part)


def check_whole(root: etree._Element, trust: Trust) -> list[str]:
    """Check that a paper is signed as a whole and return its signers. Raises NotSignedError, SignatureError."""
    signatures = verify(root, trust)
    if not all(signature.over(root) for signature in signatures):
        raise SignatureError("a signature does not cover the whole paper")
    return [signature.signer for signature in signatures]
