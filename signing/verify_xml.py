"""Read the XML signatures of a document: which of them hold mathematically, and over which bytes.

Strict on purpose. Signatures stand in the root, at the places of interfaces (`xml_parts.holds_signatures`), or are the root;
every reference leads to the whole document, to a child of the root that has the one Id, to a file that was given, or into the
signature itself; transforms can only take signatures out, or decode an Object around which the signature is; an XPath is
compared with the known ones and never evaluated. So there is no room for moved or wrapped content. Callers act on
`Covered.data`, never on the file.

Not here: certificates, revocation and time (`validation`), what XAdES adds (`verify_xades`), the network. References are
hashed here and not by signxml, because signxml leaves processing instructions beside the root out of the hash, where W3C and
xmlsec1 have them in; the tests hold both up as judges.

Standard: XML Signature Syntax and Processing 1.1 §3.2; XML-Signature XPath Filter 2.0; W3C XML Signature Best Practices
Requirement: S0.6, S0.10, S3.9
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from cryptography import x509
from lxml import etree

from mappings.formats import safe_xml
from mappings.formats.faults import SigningFault, XmlRefused
from signing import certificates, verify_xades, xml_parts
from signing.algorithms import Algorithm
from signing.faults import (
    AlgorithmRefused,
    ContentChanged,
    DocumentUnreadable,
    KeyInfoRefused,
    KeyUnsuitable,
    ManifestUnread,
    NotSigned,
    PropertiesRefused,
    ReferenceRefused,
    SignatureMisplaced,
    SignatureValueWrong,
    TransformRefused,
)
from signing.verdict import COMMENTS, DOCUMENT, Covered, Held, Reason
from signing.xml_parts import DS, HOLDER, INCLUSIVE, SIGNATURE, SIGNERS, XADES, Form

_OBJECT = f"{{{DS}}}Object"
_MANIFEST = f"{{{DS}}}Manifest"
_COUNTER_PATH = [
    *(f"{{{XADES}}}{name}" for name in ("CounterSignature", "UnsignedSignatureProperties", "UnsignedProperties")),
    f"{{{XADES}}}QualifyingProperties",
    f"{{{DS}}}Object",
    SIGNATURE,
]
_KEY_INFO = frozenset(f"{{{DS}}}{name}" for name in ("KeyName", "KeyValue", "X509Data"))
_NAME = re.compile(r"[A-Za-z_][\w.-]*")
_WITH_ID = etree.XPath('//*[@*[translate(local-name(), "ID", "id") = "id"] = $value]')
_EXCLUSIVE = Form(exclusive=True)
_MAXIMUM_CERTIFICATES = 10
_MAXIMUM_SIGNATURES = 100
_MAXIMUM_REFERENCES = 100


@dataclass
class Document:
    """A document with signatures, read once; what has to be taken out of it is taken out of a copy."""

    xml: bytes = field(repr=False)
    root: etree._Element
    files: Mapping[str, bytes] = field(repr=False)
    """What detached signatures may refer to, by URI."""
    _without: dict[tuple[object, ...], bytes] = field(default_factory=dict, repr=False)

    def with_id(self, identifier: str) -> list[etree._Element]:
        """Return every element that has this value in an attribute that somebody may take for an Id."""
        found = _WITH_ID(self.root, value=identifier)
        return [one for one in found if isinstance(one, etree._Element)] if isinstance(found, list) else []

    def whole(self, signature: etree._Element, transforms: Transforms, *, instructions: bool) -> bytes:
        """Return the canonical document without what the transforms take out, with or without what is beside its root."""
        own = list(self.root.iter(SIGNATURE)).index(signature)
        key = (own if transforms.enveloped else -1, transforms.others, transforms.form, instructions)
        if key not in self._without:
            copy = safe_xml.parse(self.xml)
            everywhere = list(copy.iter(SIGNATURE))
            gone = [everywhere[own]] if transforms.enveloped else []
            gone += [
                one for one in everywhere if transforms.others == "all" or (transforms.others and _depth(one) in (1, 2))
            ]
            for each in dict.fromkeys(gone):
                xml_parts.remove(each)
            write = xml_parts.canonical_document if instructions else xml_parts.canonical
            self._without[key] = write(copy, transforms.form)
        return self._without[key]


@dataclass(frozen=True)
class Transforms:
    enveloped: bool = False
    others: str = ""
    """Which signatures are taken out besides: none, those at the `places`, or `all`."""
    form: Form = INCLUSIVE
    base64: bool = False
    """Not the element is hashed but what its text encodes."""


@dataclass(frozen=True)
class Reference:
    """A reference whose digest fits."""

    target: etree._Element | None
    """None for the whole document and for files."""
    kind: str
    octets: bytes = field(repr=False)
    part: str = ""
    """What it covers of the content; empty for parts of signatures."""
    manifest: bool = False
    """True for a Manifest in an Object of the signature: more references, which signing it does not make good."""


def read(xml: bytes, files: Mapping[str, bytes] | None = None) -> list[Held | SigningFault]:
    """Return, per signature in document order, what it vouches for, or the fault why it is worth nothing.

    Raises NotSigned, DocumentUnreadable, SignatureMisplaced when the document as a whole cannot be judged.
    """
    document = Document(xml, _parse(xml), files or {})
    signatures = [one for one in document.root.iter(SIGNATURE) if next(one.iterancestors(SIGNATURE), None) is None]
    if not signatures:
        raise NotSigned()
    if len(signatures) > _MAXIMUM_SIGNATURES:
        raise SignatureMisplaced("Signature", f"more than {_MAXIMUM_SIGNATURES}")
    for signature in signatures:
        _require_place(document.root, signature)
    warnings, doubts = _comments(document.root)
    held: list[Held | SigningFault] = []
    for number, signature in enumerate(signatures, 1):
        where = "Signature" if len(signatures) == 1 else f"Signature {number}"
        try:
            one = hold(document, signature, where)
            held.append(replace(one, warnings=(*warnings, *one.warnings), doubts=(*doubts, *one.doubts)))
        except SigningFault as fault:
            held.append(fault)
    if all(isinstance(one, Held) for one in held):
        _require_coverage(document.root, [one for one in held if isinstance(one, Held)])
    return held


def hold(
    document: Document,
    signature: etree._Element,
    where: str,
    parent: etree._Element | None = None,
) -> Held:
    """Return what `signature` vouches for, or raise a SigningFault; `parent` is the signature that it counter-signs."""
    if any(not isinstance(node.tag, str) for node in signature.iter()):
        raise SignatureMisplaced(where, "comment or processing instruction inside")
    parts = xml_parts.children(signature, "SignedInfo", "SignatureValue", "KeyInfo?", "Object*")
    info, value = parts[:2]
    key_info = next((one for one in parts[2:3] if xml_parts.name_of(one) == "KeyInfo"), None)
    if key_info is None:
        raise KeyInfoRefused(where, "no certificate")
    canonicalisation, method, *references = xml_parts.children(
        info, "CanonicalizationMethod", "SignatureMethod", "Reference*"
    )
    if not 0 < len(references) <= _MAXIMUM_REFERENCES:
        raise ReferenceRefused(where, f"{len(references)} references")
    algorithm = xml_parts.signature_method(method)
    known = _certificates(key_info)
    signed_info = xml_parts.canonical(info, xml_parts.form(canonicalisation))
    leaf = _signer(known, algorithm, xml_parts.octets(value), signed_info)
    checked = [_reference(document, signature, one, parent) for one in references]
    covers = tuple(Covered(one.part, one.octets) for one in checked if one.part)
    lists = sum(one.manifest for one in checked)
    if not covers and not lists:
        raise ReferenceRefused(where, "nothing of the content is signed")
    objects = [one for one in parts[2:] if one is not key_info]
    found = verify_xades.properties(signature, objects, checked, leaf, key_info)
    counters: list[Held | SigningFault] = []
    for number, inner in enumerate(found.countersignatures, 1):
        try:
            counters.append(hold(document, inner, f"{where} / CounterSignature {number}", parent=signature))
        except SigningFault as fault:
            counters.append(fault)
    return Held(
        where=where,
        form="XAdES" if found.present else "XMLDSig",
        leaf=leaf,
        others=tuple(other for other in known if other != leaf),
        covers=covers,
        claimed_at=found.claimed_at,
        stamps=found.stamps,
        archive_stamps=found.archive_stamps,
        evidence=found.evidence,
        warnings=found.warnings,
        countersigned=tuple(counters),
        value=xml_parts.canonical(value, _EXCLUSIVE),
        doubts=(ManifestUnread(where, f"{lists} of them"),) if lists else (),
        policy=found.policy,
    )


def _parse(xml: bytes) -> etree._Element:
    try:
        return safe_xml.parse(xml)
    except XmlRefused as problem:
        raise DocumentUnreadable(problem.where, problem.detail) from problem


def _depth(element: etree._Element) -> int:
    return sum(1 for _ in element.iterancestors())


def _require_place(root: etree._Element, signature: etree._Element) -> None:
    holder = signature.getparent()
    if holder is not None and holder is not root and not xml_parts.holds_signatures(holder):
        raise SignatureMisplaced("Signature", "not at a place for signatures")
    for inner in signature.iter(SIGNATURE):
        if inner is not signature and [one.tag for one in inner.iterancestors()][: len(_COUNTER_PATH)] != _COUNTER_PATH:
            raise SignatureMisplaced("Signature", "another signature inside")


def _comments(root: etree._Element) -> tuple[tuple[Reason, ...], tuple[SigningFault, ...]]:
    """Warn of comments, which are outside every signature; doubt one in a text: programs read different values then."""
    found = next(root.getroottree().iter(etree.Comment), None) is not None
    touches = found and xml_parts.comment_in_text(root)
    return (
        (Reason(COMMENTS),) if found else (),
        (DocumentUnreadable("comment", "in the middle of a text"),) if touches else (),
    )


# ---- key ----


def _certificates(key_info: etree._Element) -> list[x509.Certificate]:
    """Return what KeyInfo holds; a KeyValue or a name beside it is read past, anything that leads elsewhere is refused."""
    if any(one.tag not in _KEY_INFO for one in key_info):
        raise KeyInfoRefused("KeyInfo", "leads elsewhere, or is not understood")
    elements = key_info.findall(f"{{{DS}}}X509Data/{{{DS}}}X509Certificate")
    if not 0 < len(elements) <= _MAXIMUM_CERTIFICATES:
        raise KeyInfoRefused("KeyInfo", f"{len(elements)} certificates, 1 to {_MAXIMUM_CERTIFICATES} expected")
    try:
        return list(dict.fromkeys(certificates.from_der(xml_parts.octets(one)) for one in elements))
    except ValueError as problem:
        raise KeyInfoRefused("KeyInfo", str(problem)) from problem


def _signer(
    known: Sequence[x509.Certificate], algorithm: Algorithm, value: bytes, signed_info: bytes
) -> x509.Certificate:
    """Return whose key made the signature: the certificate below the others, or of several chains the one whose key fits."""
    below = certificates.find_leaves(known)
    if len(below) > 1:
        fitting = [one for one in below if _fits(one, algorithm) and _holds(one, algorithm, value, signed_info)]
        if len(fitting) == 1:
            return fitting[0]
    if len(below) != 1:
        raise KeyInfoRefused("KeyInfo", f"{len(below)} chains in {len(known)} certificates")
    (leaf,) = below
    try:
        if not algorithm.fits(certificates.public_key(leaf)):
            raise AlgorithmRefused("SignatureMethod", "not for the certificate's key")
    except KeyUnsuitable as problem:
        raise AlgorithmRefused(problem.where, problem.detail) from problem
    if not _holds(leaf, algorithm, value, signed_info):
        raise SignatureValueWrong("SignatureValue", "not made by the certificate's key over this SignedInfo")
    return leaf


def _fits(certificate: x509.Certificate, algorithm: Algorithm) -> bool:
    try:
        return algorithm.fits(certificates.public_key(certificate))
    except KeyUnsuitable:
        return False


def _holds(certificate: x509.Certificate, algorithm: Algorithm, value: bytes, signed_info: bytes) -> bool:
    return algorithm.holds(certificates.public_key(certificate), value, signed_info)


# ---- references ----


def _reference(
    document: Document, signature: etree._Element, reference: etree._Element, parent: etree._Element | None
) -> Reference:
    parts = xml_parts.children(reference, "Transforms?", "DigestMethod", "DigestValue")
    digest, expected = xml_parts.digest_method(parts[-2]), xml_parts.octets(parts[-1])
    steps = xml_parts.children(parts[0], "Transform*") if len(parts) == 3 else []
    found = _resolve(document, signature, reference, steps, parent)
    if not hmac.compare_digest(digest(found.octets).digest(), expected):
        raise ContentChanged("Reference", f"content changed after signing: {found.part or 'a part of the signature'}")
    return found


def _resolve(
    document: Document,
    signature: etree._Element,
    reference: etree._Element,
    steps: Sequence[etree._Element],
    parent: etree._Element | None,
) -> Reference:
    uri, kind = reference.get("URI"), reference.get("Type", "")
    if uri is None:
        raise ReferenceRefused("Reference", "no URI")
    if not uri:
        transforms = _transforms(steps)
        if signature is document.root or parent is not None:
            raise ReferenceRefused("Reference", "to the whole document, of which nothing else is there")
        if not transforms.enveloped and not transforms.others:
            raise TransformRefused("Transforms", "not enveloped-signature with a known canonical form")
        return Reference(None, kind, document.whole(signature, transforms, instructions=True), DOCUMENT)
    if not uri.startswith("#"):
        return _file(document, signature, uri, kind, steps)
    if not _NAME.fullmatch(uri[1:]):
        raise ReferenceRefused("Reference", "an address inside the document that is not a plain name")
    targets = document.with_id(uri[1:])
    if len(targets) != 1:
        raise ReferenceRefused("Reference", f"{len(targets)} elements have the Id that is referred to")
    return _element(document, signature, targets[0], kind, _transforms(steps), parent)


def _file(
    document: Document, signature: etree._Element, uri: str, kind: str, steps: Sequence[etree._Element]
) -> Reference:
    if signature is not document.root:
        raise ReferenceRefused("Reference", "leads outside the document")
    name = next((one for one in (uri, unquote(uri).removeprefix("./")) if one in document.files), "")
    if not name:
        raise ReferenceRefused("Reference", "a file that was not given")
    if not steps:
        return Reference(None, kind, document.files[name], name)
    if len(steps) != 1 or not xml_parts.is_form(steps[0]):
        raise TransformRefused("Transforms", "over a file, no other than one canonical form")
    root = _parse(document.files[name])
    if xml_parts.comment_in_text(root):
        raise DocumentUnreadable("comment", "in the middle of a text")
    return Reference(None, kind, xml_parts.canonical_document(root, xml_parts.form(steps[0])), name)


def _element(
    document: Document,
    signature: etree._Element,
    target: etree._Element,
    kind: str,
    transforms: Transforms,
    parent: etree._Element | None,
) -> Reference:
    """Return what a reference by Id covers: a child of the root, the root, or something that belongs to signatures."""
    above = target.getparent()
    if target is document.root and target is not signature:
        if not transforms.enveloped and not transforms.others:
            raise TransformRefused("Transforms", "not enveloped-signature with a known canonical form")
        return Reference(target, kind, document.whole(signature, transforms, instructions=False), DOCUMENT)
    if transforms.enveloped or transforms.others:
        raise TransformRefused("Transforms", "takes signatures out of what holds none")
    enveloping = above is signature and xml_parts.name_of(target) == "Object" and signature is document.root
    if transforms.base64 and not enveloping:
        raise TransformRefused("Transform", "base64 of something that is no Object around which the signature is")
    octets = xml_parts.octets(target) if transforms.base64 else xml_parts.canonical(target, transforms.form)
    if target.tag == _MANIFEST and above is not None and above.tag == _OBJECT and above.getparent() is signature:
        return Reference(target, kind, octets, manifest=True)
    if next((one for one in (target, *target.iterancestors()) if one is signature), None) is not None:
        own = above is signature and xml_parts.name_of(target) in ("KeyInfo", "Object")
        if not own and kind != verify_xades.SIGNED_PROPERTIES:
            raise ReferenceRefused("Reference", "to a part of the signature itself")
        return Reference(target, kind, octets, _object_name(signature, target) if enveloping else "")
    if kind == verify_xades.SIGNED_PROPERTIES:
        raise PropertiesRefused("Reference", "to signed properties that are not the signature's own")
    if target.tag == f"{{{DS}}}SignatureValue" and above is not None:
        if kind != verify_xades.COUNTERSIGNED or (parent is not None and above is not parent):
            raise ReferenceRefused("Reference", "to the value of another signature")
        return Reference(target, kind, octets, f"signature {above.get('Id', '')}".rstrip())
    if parent is not None or kind == verify_xades.COUNTERSIGNED:
        raise ReferenceRefused("Reference", "a counter-signature of something that is no signature")
    if above is not document.root or next(target.iter(SIGNATURE), None) is not None or signature is document.root:
        raise ReferenceRefused("Reference", "to an element that is not a child of the root")
    return Reference(target, kind, octets, xml_parts.name_of(target))


def _object_name(signature: etree._Element, target: etree._Element) -> str:
    """Name an Object; with its Id where there are several, so that each part has a name of its own."""
    several = sum(one.find(f"{{{XADES}}}QualifyingProperties") is None for one in signature.iterchildren(_OBJECT)) > 1
    return f"Object {target.get('Id', '')}".rstrip() if several else "Object"


def _transforms(steps: Sequence[etree._Element]) -> Transforms:
    if [step.get("Algorithm") for step in steps] == [xml_parts.BASE64] and not len(steps[0]):
        return Transforms(base64=True)
    enveloped, others, form, done = False, "", INCLUSIVE, False
    for step in steps:
        algorithm = step.get("Algorithm", "")
        if done:
            raise TransformRefused("Transforms", "something follows the canonical form")
        if xml_parts.is_form(step):
            form, done = xml_parts.form(step), True
        elif (
            algorithm == xml_parts.ENVELOPED
            and not enveloped
            and not others
            and not len(step)
            and not xml_parts.texts(step)
        ):
            enveloped = True
        elif not others and (gone := xml_parts.left_out(step)):
            others = gone
        else:
            raise TransformRefused("Transform", "not accepted")
    return Transforms(enveloped, others, form)


# ---- coverage ----


def _require_coverage(root: etree._Element, held: Sequence[Held]) -> None:
    """Raise unless the signatures together cover everything outside them.

    A document that keeps signatures in `CHUKYDONVI` may be covered child by child; then its root has no attributes. What a
    manifest covers is not known here, and such a signature is undecided for it.
    """
    if any(isinstance(doubt, ManifestUnread) for one in held for doubt in one.doubts):
        return
    parts = {covered.part for one in held for covered in one.covers}
    if DOCUMENT in parts or root.tag == SIGNATURE:
        return
    content = [child for child in root if child.tag != SIGNATURE]
    names = [etree.QName(child).localname if isinstance(child.tag, str) else "" for child in content]
    if (
        HOLDER not in names
        or not set(names) <= parts | {HOLDER}
        or len(names) != len(set(names))
        or root.attrib
        or xml_parts.texts(root)
        or not all(_only_holds_signatures(child) for child in content if etree.QName(child).localname == HOLDER)
    ):
        raise ReferenceRefused("Reference", "covers a part of the document only")


def _only_holds_signatures(holder: etree._Element) -> bool:
    inside = [child for child in holder if child.tag != SIGNATURE]
    plain = not holder.attrib and not xml_parts.texts(holder)
    return plain and all(
        isinstance(one.tag, str) and etree.QName(one).localname in SIGNERS and _only_holds_signatures(one)
        for one in inside
    )
