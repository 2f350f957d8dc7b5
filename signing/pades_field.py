"""Signature fields of a PDF: find them, place them, make them, tagged for screen readers.

A field that does not exist is placed where the page has the named destination `slot-<field>` (the papers of
`mappings/cda/pdf.py` have one over each signature slot), else at the top edge of the first page, from the right. In a tagged
PDF it gets a Form element, unless somebody has signed already: changes of the structure would break what was signed.

Standard: ISO 32000-1 §12.5.6.19, §12.7.4.5, §14.7; ISO 14289-1 §7.18
Requirement: S3.9
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.form_tools import enumerate_fields_in
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.sign import fields

from signing.faults import FieldUnfit
from signing.pdf_file import get

SLOT = "slot-"
"""What a named destination of a signature slot begins with."""
_PER_ROW = 3
_SLOT_HEIGHT, _SLOT_WIDTH = 48.0, 212.0
_GAP = 6.0
_DEPTH = 100


@dataclass(frozen=True)
class Place:
    page: int
    box: tuple[float, float, float, float]
    """Left, bottom, right, top, in points from the lower left corner."""


def free_name(writer: Any) -> str:
    """Return a name that no field has."""
    taken = {name for name, _, _ in _all(writer)}
    return next(name for number in range(1, len(taken) + 2) if (name := f"Signature{number}") not in taken)


def names(handler: Any) -> list[tuple[str, bool]]:
    """Return the signature fields by name, and whether each holds a signature."""
    return [(name, value is not None) for name, value, _ in _all(handler)]


def is_signed(handler: Any) -> bool:
    """Tell whether any field holds a signature."""
    return any(value is not None for _, value, _ in _all(handler))


def require(writer: Any, name: str, *, visible: bool, label: str) -> Any:
    """Return the empty signature field called `name`, made when there is none; `label` is for screen readers.

    Raises FieldUnfit.
    """
    for found, value, reference in _all(writer):
        if found == name:
            if value is not None:
                raise FieldUnfit("field", "signed already")
            return reference
    if not name or "." in name or any(get(entry.get_object(), "/T") == name for entry in _fields(writer)):
        raise FieldUnfit("field", "no signature field")
    place = _place(writer, name) if visible else None
    page = writer.find_page_for_modification(place.page if place else 0)[0]
    tagged = "/StructTreeRoot" in writer.root and not is_signed(writer)
    _, reference = fields.prepare_sig_field(
        name,
        writer.root,
        update_writer=writer,
        include_on_page=page,
        box=None if place is None else place.box,
        # PDF/UA asks for a Form element or for this flag
        invis_settings=fields.InvisSigSettings(set_hidden_flag="/StructTreeRoot" in writer.root),
    )
    widget = reference.get_object()
    widget[pdf_name("/TU")] = generic.pdf_string(label)
    if place is not None and tagged:
        _tag(writer, reference, page, label)
    return reference


def size(field: Any) -> tuple[float, float]:
    """Return width and height of a field's widget; zero for one that is not seen."""
    return _size(_widget(field))


def share(handler: Any, field: Any) -> float:
    """Return how much of a page the largest widget of a field may cover; of the smallest page, since a field may lie."""
    pages = [_page_size(page.get_object()) for page in _pages(handler.root["/Pages"], 0)]
    smallest = min(width * height for width, height in pages)
    return max(width * height for width, height in map(_size, _widgets(field))) / max(smallest, 1.0)


def show(writer: Any, field: Any, block: Any) -> None:
    """Make `block`, a form XObject, what the field's widget shows."""
    widget = _widget(field)
    widget[pdf_name("/AP")] = generic.DictionaryObject({pdf_name("/N"): block})
    writer.update_container(widget)


def _widget(field: Any) -> Any:
    return _widgets(field)[0]


def _widgets(field: Any) -> list[Any]:
    kids = get(field, "/Kids")
    return [kids[number] for number in range(len(kids))] if kids else [field]


def _size(widget: Any) -> tuple[float, float]:
    try:
        left, bottom, right, top = (float(one) for one in widget["/Rect"])
    except (KeyError, TypeError, ValueError):
        return 0.0, 0.0
    return abs(right - left), abs(top - bottom)


def _fields(handler: Any) -> Any:
    form = get(handler.root, "/AcroForm")
    return generic.ArrayObject() if form is None else get(form, "/Fields", generic.ArrayObject())


def _all(handler: Any) -> Iterator[tuple[str, Any, Any]]:
    return enumerate_fields_in(_fields(handler), refs_seen=set(), target_field_type="/Sig")  # type: ignore[no-any-return]


# ---- where ----


def _place(writer: Any, name: str) -> Place:
    slots = _slots(writer)
    if name in slots:
        page, left, top = slots[name]
        width = _page_size(writer.find_page_for_modification(page)[0].get_object())[0]
        beside = [x for other, x, y in slots.values() if other == page and x > left and abs(y - top) < _SLOT_HEIGHT]
        right = min([left + _SLOT_WIDTH, width - _GAP, *(x - _GAP for x in beside)])
        return Place(page, (left, max(0.0, top - _SLOT_HEIGHT), right, top))
    seen = sum(all(size(reference.get_object())) for other, _, reference in _all(writer) if other not in slots)
    row, column = divmod(seen, _PER_ROW)
    if row > 1:
        raise FieldUnfit("field", "no place left for a visible block")
    width, height = _page_size(writer.find_page_for_modification(0)[0].get_object())
    right = width * (0.97 - column * 0.32)
    bottom = height * 0.955 if row == 0 else height * 0.005
    return Place(0, (right - width * 0.3, bottom, right, bottom + height * 0.04))


def _page_size(page: Any) -> tuple[float, float]:
    for _ in range(_DEPTH):
        if (box := get(page, "/CropBox", get(page, "/MediaBox"))) is not None:
            left, bottom, right, top = (float(one) for one in box)
            return abs(right - left), abs(top - bottom)
        page = page["/Parent"]
    raise FieldUnfit("page", "without a size")


def _slots(writer: Any) -> dict[str, tuple[int, float, float]]:
    """Return page, left and top of every signature slot by the name of its field."""
    pages = {reference: number for number, reference in enumerate(_pages(writer.root["/Pages"], 0))}
    found = {}
    for name, target in _destinations(writer.root):
        target = get(target, "/D") if isinstance(target, generic.DictionaryObject) else target
        if name.startswith(SLOT) and isinstance(target, generic.ArrayObject) and len(target) >= 4:
            page = pages.get(target.raw_get(0))
            if page is not None and target[1] == "/XYZ":
                found[name.removeprefix(SLOT)] = (page, float(target[2]), float(target[3]))
    return found


def _pages(node: Any, depth: int) -> Iterator[Any]:
    for reference in get(node, "/Kids", ()) if depth < _DEPTH else ():
        kid = reference.get_object()
        if get(kid, "/Type") == "/Pages":
            yield from _pages(kid, depth + 1)
        else:
            yield reference


def _destinations(root: Any) -> Iterator[tuple[str, Any]]:
    yield from ((name.removeprefix("/"), target) for name, target in dict(get(root, "/Dests", {})).items())
    tree = get(root, "/Names", {})
    waiting = [tree["/Dests"]] if "/Dests" in tree else []
    for _ in range(1000):
        if not waiting:
            return
        node = waiting.pop().get_object()
        waiting.extend(get(node, "/Kids", ()))
        entries = get(node, "/Names", generic.ArrayObject())
        for number in range(0, len(entries) - 1, 2):
            yield str(entries[number]), entries[number + 1]


# ---- tags ----


def _tag(writer: Any, reference: Any, page: Any, label: str) -> None:
    """Put the widget into the structure, under the document's element; leave it out of a structure of unusual shape."""
    tree = writer.root["/StructTreeRoot"]
    index = get(tree, "/ParentTree")
    if index is None or "/Nums" not in index:
        return
    entries = index["/Nums"]
    number = get(tree, "/ParentTreeNextKey")
    if number is None:
        number = max((int(entries[at]) for at in range(0, len(entries), 2)), default=-1) + 1
    above = tree.raw_get("/K")
    above = above if isinstance(above, generic.IndirectObject) else above[0]
    holder = above.get_object()
    content = generic.DictionaryObject(
        {pdf_name("/Type"): pdf_name("/OBJR"), pdf_name("/Obj"): reference, pdf_name("/Pg"): page}
    )
    element = writer.add_object(
        generic.DictionaryObject(
            {
                pdf_name("/Type"): pdf_name("/StructElem"),
                pdf_name("/S"): pdf_name("/Form"),
                pdf_name("/P"): above,
                pdf_name("/Pg"): page,
                pdf_name("/Alt"): generic.pdf_string(label),
                pdf_name("/K"): content,
            }
        )
    )
    kids = holder["/K"]
    if not isinstance(kids, generic.ArrayObject):
        kids = generic.ArrayObject([holder.raw_get("/K")])
    holder[pdf_name("/K")] = generic.ArrayObject([*kids, element])
    writer.update_container(holder)
    entries.extend([generic.NumberObject(number), element])
    writer.update_container(entries)
    tree[pdf_name("/ParentTreeNextKey")] = generic.NumberObject(number + 1)
    writer.update_container(tree)
    reference.get_object()[pdf_name("/StructParent")] = generic.NumberObject(number)
