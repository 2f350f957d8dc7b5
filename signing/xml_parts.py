"""Read the pieces of an XML signature in one way only: children, octets, algorithms, canonical bytes.

Every function raises a SignatureInvalid fault for what could be read in two ways. Nothing is verified here.

Standard: XML Signature Syntax and Processing 1.1 §4, §6; Canonical XML 1.0; Exclusive XML Canonicalization 1.0
"""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree

from mappings.formats import safe_xml
from signing.algorithms import Algorithm
from signing.faults import AlgorithmRefused, DocumentUnreadable, SignatureMisplaced, TransformRefused

DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
XADES141 = "http://uri.etsi.org/01903/v1.4.1#"
SIGNATURE = f"{{{DS}}}Signature"
BASE64 = f"{DS}base64"
ENVELOPED = f"{DS}enveloped-signature"
FILTER = "http://www.w3.org/2002/06/xmldsig-filter2"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
_IS_SIGNATURE = f'*[local-name()="Signature" and namespace-uri()="{DS}"]'
OTHERS = f"/*/{_IS_SIGNATURE} | /*/*/{_IS_SIGNATURE}"
"""What a parallel signature leaves out of the document. Constant: a verifier compares it and evaluates nothing."""
NO_SIGNATURE = f'<ds:XPath xmlns:ds="{DS}">not(ancestor-or-self::ds:Signature)</ds:XPath>'
"""XPath 1.0 for the same, of every signature anywhere, as other people's software writes it; in exclusive canonical form."""
_NO_SIGNATURE = re.compile(r"\s*not\(\s*ancestor-or-self::([A-Za-z_][\w.-]*):Signature\s*\)\s*")
_C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
_C14N11 = "http://www.w3.org/2006/12/xml-c14n11"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_MORE2007 = "http://www.w3.org/2007/05/xmldsig-more#"
_XENC = "http://www.w3.org/2001/04/xmlenc#"
_XML = "{http://www.w3.org/XML/1998/namespace}"

_LESS_THAN = ord("<")
_ALGORITHM = re.compile(r"http://www\.w3\.org/[\w/.-]{1,40}#([\w-]{1,24})")

SIGNATURE_METHODS: Mapping[str, Algorithm] = {
    f"{_MORE}rsa-sha256": Algorithm("RS256", hashes.SHA256(), "pkcs1"),
    f"{_MORE}rsa-sha384": Algorithm("RS384", hashes.SHA384(), "pkcs1"),
    f"{_MORE}rsa-sha512": Algorithm("RS512", hashes.SHA512(), "pkcs1"),
    f"{_MORE2007}sha256-rsa-MGF1": Algorithm("PS256", hashes.SHA256(), "pss"),
    f"{_MORE2007}sha384-rsa-MGF1": Algorithm("PS384", hashes.SHA384(), "pss"),
    f"{_MORE2007}sha512-rsa-MGF1": Algorithm("PS512", hashes.SHA512(), "pss"),
    f"{_MORE}ecdsa-sha256": Algorithm("ES256", hashes.SHA256(), "ecdsa", ec.EllipticCurve),
    f"{_MORE}ecdsa-sha384": Algorithm("ES384", hashes.SHA384(), "ecdsa", ec.EllipticCurve),
    f"{_MORE}ecdsa-sha512": Algorithm("ES512", hashes.SHA512(), "ecdsa", ec.EllipticCurve),
}
"""Unlike JOSE, XML joins no curve to a hash."""
DIGEST_METHODS: Mapping[str, Callable[[bytes], Any]] = {
    f"{_XENC}sha256": hashlib.sha256,
    f"{_MORE}sha384": hashlib.sha384,
    f"{_XENC}sha512": hashlib.sha512,
}


HOLDER = "CHUKYDONVI"
"""Child of the root of GIAMDINHHS, KHAMSUCKHOE, XML0, XML12 and the certificates of social insurance."""
SIGNERS = frozenset({"CKS_NGUOI_KET_LUAN", "CKS_BENH_VIEN"})
"""Children of that in health-check data: who concludes, and the hospital."""
RESERVE = "DU_PHONG"
_WITH_RESERVE = frozenset({"CHI_TIEU_GIAYCHUYENTUYEN", "CHI_TIEU_GIAYHEN_KHAMLAI"})
"""Roots of tables 13 and 14, in whose reserve field the facility signs."""


def holds_signatures(element: etree._Element) -> bool:
    """Tell whether an element is a place where an interface has signatures, by its name and by where it stands."""
    *above, root = [name_of(one) for one in (element, *element.iterancestors())]
    if above == [RESERVE]:
        return root in _WITH_RESERVE
    return above == [HOLDER] or (len(above) == 2 and above[0] in SIGNERS and above[1] == HOLDER)


@dataclass(frozen=True)
class Form:
    """A canonical form without comments."""

    exclusive: bool = False
    prefixes: tuple[str, ...] = ()
    """Namespace prefixes treated as in the inclusive form; only for the exclusive one."""
    version: str = "1.0"


INCLUSIVE = Form()


def name_of(element: etree._Element) -> str:
    """Return the local name, for faults."""
    return etree.QName(element).localname


def texts(element: etree._Element) -> str:
    """Return the text between the children, white space taken off."""
    return "".join((text or "").strip() for text in (element.text, *(child.tail for child in element)))


def children(element: etree._Element, *expected: str) -> list[etree._Element]:
    """Return the children when they are these, in this order, with nothing but white space between.

    Names are of the signature namespace; `Name*` may stand any number of times, `Name?` once at most.
    """
    found = list(element)
    names = [child.tag.removeprefix(f"{{{DS}}}") if isinstance(child.tag, str) else "" for child in found]
    for pattern in expected:
        name, many = pattern.rstrip("*?"), pattern.endswith("*")
        least = 0 if pattern.endswith(("*", "?")) else 1
        count = 0
        while names and names[0] == name and (many or count < 1):
            names.pop(0)
            count += 1
        if count < least:
            raise SignatureMisplaced(name_of(element), f"{name} expected")
    if names or texts(element):
        raise SignatureMisplaced(name_of(element), "text between elements" if not names else "more than expected")
    return found


def octets(element: etree._Element) -> bytes:
    """Return the decoded content, refusing every spelling but the canonical one (white space aside)."""
    text = "".join((element.text or "").split())
    try:
        decoded = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise DocumentUnreadable(name_of(element), "not base64") from problem
    if len(element) or not decoded or b64encode(decoded).decode() != text:
        raise DocumentUnreadable(name_of(element), "not base64")
    return decoded


def signature_method(element: etree._Element) -> Algorithm:
    """Return the signature algorithm; parameters are not accepted."""
    found = SIGNATURE_METHODS.get(element.get("Algorithm", ""))
    if found is None or len(element) or texts(element):
        raise _refused(element)
    return found


def digest_method(element: etree._Element) -> Callable[[bytes], Any]:
    """Return the hash; parameters are not accepted."""
    found = DIGEST_METHODS.get(element.get("Algorithm", ""))
    if found is None or len(element) or texts(element):
        raise _refused(element)
    return found


def _refused(element: etree._Element) -> AlgorithmRefused:
    """Name the algorithm as its standard does, when a name of an algorithm is all it says."""
    said = _ALGORITHM.fullmatch(element.get("Algorithm", ""))
    name = "" if said is None else f"{said[1]}{' (SHA-1)' if 'sha1' in said[1].lower() else ''}, "
    return AlgorithmRefused(name_of(element), f"{name}algorithm not accepted")


def is_form(element: etree._Element) -> bool:
    """Tell whether the element names a canonical form that is known."""
    return element.get("Algorithm", "") in (_C14N, _C14N11, _EXCLUSIVE)


def form(element: etree._Element) -> Form:
    """Return the canonical form that a CanonicalizationMethod or Transform names."""
    algorithm = element.get("Algorithm", "")
    if not is_form(element) or texts(element):
        raise TransformRefused(name_of(element), "not a canonical form that is accepted")
    if algorithm != _EXCLUSIVE:
        if len(element):
            raise TransformRefused(name_of(element), "parameters are not accepted")
        return Form(version="1.1" if algorithm == _C14N11 else "1.0")
    if [child.tag for child in element] not in ([], [f"{{{_EXCLUSIVE}}}InclusiveNamespaces"]):
        raise TransformRefused(name_of(element), "parameters are not accepted")
    prefixes = [prefix for child in element for prefix in (child.get("PrefixList") or "").split()]
    return Form(exclusive=True, prefixes=tuple("" if prefix == "#default" else prefix for prefix in prefixes))


def left_out(transform: etree._Element) -> str:
    """Tell which signatures a Transform takes out: those at the `places`, `all`, or "" when it is no known filter.

    The expression is compared with the known ones and never evaluated.
    """
    paths = list(transform)
    if len(paths) != 1 or texts(transform) or len(paths[0]):
        return ""
    path, text = paths[0], paths[0].text or ""
    if transform.get("Algorithm") == FILTER:
        known = path.tag == f"{{{FILTER}}}XPath" and path.get("Filter") == "subtract" and text == OTHERS
        return "places" if known else ""
    found = _NO_SIGNATURE.fullmatch(text)
    known = transform.get("Algorithm") == XPATH and path.tag == f"{{{DS}}}XPath"
    return "all" if known and found is not None and path.nsmap.get(found[1]) == DS else ""


def declares(xml: bytes) -> bool:
    """Tell whether there is a comment, CDATA or a DTD in the bytes of a document."""
    return _opens(xml, b"!", 0)


def instructs(xml: bytes) -> bool:
    """Tell whether there is a processing instruction behind the first byte of a document."""
    return _opens(xml, b"?", 2)


def _opens(xml: bytes, letter: bytes, start: int) -> bool:
    """Look for `letter` behind `<`: for the rarer of the two, because a search for both takes as long as a third of a parse."""
    at = xml.find(letter, start)
    while at > 0:
        if xml[at - 1] == _LESS_THAN:
            return True
        at = xml.find(letter, at + 1)
    return False


def comment_in_text(root: etree._Element) -> bool:
    """Tell whether a comment in the document of `root` touches a text: programs read different values then, and the canonical
    form knows no difference. A processing instruction is in that form, so nobody can add one later.
    """
    return any(map(_touches_text, root.getroottree().iter(etree.Comment)))


def _touches_text(comment: etree._Element) -> bool:
    previous, parent = comment.getprevious(), comment.getparent()
    before = (None if parent is None else parent.text) if previous is None else previous.tail
    return bool((before or "").strip() or (comment.tail or "").strip())


def canonical(element: etree._Element, how: Form = INCLUSIVE) -> bytes:
    """Return the canonical bytes of one element and what is in it.

    A part is taken out as text first: lxml's inclusive form of an element inside a tree writes `xmlns=""` where a default
    namespace comes from above, which no other implementation does.
    """
    _require_writable(element, how)
    if element.getparent() is None:
        return _write(element, how)
    alone = safe_xml.parse(etree.tostring(element, with_tail=False))
    if not how.exclusive:
        _inherit(element, alone)
    return _write(alone, how)


def canonical_document(root: etree._Element, how: Form = INCLUSIVE) -> bytes:
    """Return the canonical bytes of the whole document, processing instructions beside its root too."""
    _require_writable(root, how)
    alone = root.getprevious() is None and root.getnext() is None
    return _write(root if alone else root.getroottree(), how)


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


def _write(node: Any, how: Form) -> bytes:
    prefixes: Sequence[str] | None = how.prefixes or None
    try:
        return etree.tostring(
            node,
            method="c14n",
            exclusive=how.exclusive,
            inclusive_ns_prefixes=prefixes if how.exclusive else None,
            with_comments=False,
            with_tail=False,
        )
    except etree.LxmlError as problem:
        raise DocumentUnreadable("/", "cannot be canonicalised") from problem


def _inherit(element: etree._Element, alone: etree._Element) -> None:
    """Write down on `alone` the xml:… attributes that hold for `element`; the form has them where a part begins."""
    for ancestor in element.iterancestors():
        for name, value in ancestor.attrib.items():
            if str(name).startswith(_XML) and name not in alone.attrib:
                alone.set(name, value)


def _require_writable(element: etree._Element, how: Form) -> None:
    """Raise where versions 1.0 and 1.1 differ and 1.1, which is not at hand, is asked for."""
    if how.version == "1.1" and element.getroottree().xpath("boolean(//@xml:id | //@xml:base)"):
        raise TransformRefused("Canonical XML 1.1", "not accepted with xml:id or xml:base")
