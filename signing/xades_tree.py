"""Signatures in their document: find them, take them out, and see whether a change would break one.

Standard: XML-Signature XPath Filter 2.0; ETSI EN 319 132-1 V1.2.1 §4.3
"""

from __future__ import annotations

from typing import NamedTuple

from lxml import etree

from signing.faults import DocumentUnsignable
from signing.positions import split_before_end
from signing.xades_properties import XADES
from signing.xml_parts import left_out, remove
from signing.xmldsig import NAMESPACE, SIGNATURE

XML = "{http://www.w3.org/XML/1998/namespace}"
_IDS = ("Id", "ID", "id", f"{XML}id")


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


def find_by_id(root: etree._Element, identifier: str) -> list[etree._Element]:
    """Return every element with this value in an attribute that somebody may take for its Id."""
    return [one for one in root.iter("*") if any(one.get(name) == identifier for name in _IDS)]


class Place(NamedTuple):
    """Where the next unsigned property of a signature will stand in its document."""

    before: bytes
    opening: bytes
    """Elements that are missing around it, and their ends in `closing`."""
    closing: bytes
    after: bytes


def cut_for_property(xml: bytes, signature: etree._Element) -> tuple[bytes, bytes]:
    """Cut `xml` where the next unsigned property of `signature` will stand; what is missing around it is written.

    Raises DocumentUnsignable when the signature has no QualifyingProperties or another signature covers the place.
    """
    place = place_for_property(xml, signature)
    return place.before + place.opening, place.closing + place.after


def place_for_property(xml: bytes, signature: etree._Element) -> Place:
    """Tell the same in pieces: `xml` is what stands before and after, but for an empty tag that is written as two."""
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
    return Place(before, opening.encode(), closing.encode(), after)


def require_undisturbed(holder: etree._Element) -> None:
    """Raise DocumentUnsignable when one more child of `holder` would break a signature in its document.

    A change is no harm to a signature that it stands in, nor to a parallel one when it is inside a signature or will be one.
    """
    lineage = [holder, *holder.iterancestors()]
    root = lineage[-1]
    at_a_place = len(lineage) <= 2 or any(signature in lineage for signature in _others(root))
    for signature in root.iter(SIGNATURE):
        for reference in signature.iterfind(f"{{{NAMESPACE}}}SignedInfo/{{{NAMESPACE}}}Reference"):
            uri = reference.get("URI") or ""
            if uri:
                touched = any(f"#{element.get(name)}" == uri for element in lineage for name in _IDS)
            else:
                steps = reference.iterfind(f"{{{NAMESPACE}}}Transforms/{{{NAMESPACE}}}Transform")
                gone = {left_out(step) for step in steps}
                spared = "all" in gone or ("places" in gone and at_a_place)
                touched = not spared and signature not in lineage
            if touched:
                raise DocumentUnsignable("Signature", "signed already; a change here would break that signature")


def remove_others(root: etree._Element, *, everywhere: bool = False) -> None:
    """Take the signatures that `OTHERS` names, or all, out of the tree and leave the text that follows each."""
    for signature in list(root.iter(SIGNATURE)) if everywhere else _others(root):
        remove(signature)


def canonical_element(element: etree._Element, *, exclusive: bool = True) -> bytes:
    """Return the canonical form of one element; raise DocumentUnsignable when it has none."""
    try:
        return etree.tostring(element, method="c14n", exclusive=exclusive, with_comments=False, with_tail=False)
    except etree.LxmlError as problem:
        raise DocumentUnsignable(etree.QName(element).localname, "cannot be canonicalised") from problem


def _others(root: etree._Element) -> list[etree._Element]:
    """Return the signatures in the root and in its children; walks in the library, which has many children to pass by."""
    return [
        signature
        for signature in root.iter(SIGNATURE)
        if (above := signature.getparent()) is root
        or (above is not None and above.tag != SIGNATURE and above.getparent() is root)
    ]
