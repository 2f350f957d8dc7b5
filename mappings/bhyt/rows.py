"""The rows of a table: inner XML to plain fields, tolerant of how producers write it, and fields to exact bytes.

A row is a mapping of field names to texts, as they stood; nothing is understood here, neither dates nor money. Reading accepts
what producers were seen to write and tells every departure as an `Oddity`; writing gives one form only. Does not know rules.

Standard: QĐ 3176/QĐ-BYT, guide CV 1245/BHXH-CNTT (2024); second-hand
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from xml.sax.saxutils import escape

from lxml import etree

from mappings.bhyt.faults import EnvelopeInvalid
from mappings.bhyt.tables import DECISIONS, NAMES, Table, table

Row = Mapping[str, str]
"""Field name → text; an empty or absent field is `""` or not there. Fields no decision has stand under their own names."""

DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\r\n'
"""Standard: an inner document that a 3176 portal accepted began with exactly these bytes."""

OddityKind = Literal["unknown", "missing", "repeated", "order", "root", "plain", "unreadable", "foreign"]


@dataclass(frozen=True)
class Oddity:
    """One departure from the published form that did not stop the reading."""

    kind: OddityKind
    """`unknown` field, `missing` or `repeated` tag, `order` of tags, `root` as in QĐ 4210, `plain` content that is not base64,
    `unreadable` content, `foreign` table that does not belong into the envelope."""
    where: str
    """`XML2[3]/TEN_THUOC`, or the element of the outer file. Never a value."""
    detail: str = ""


_BY_ELEMENT = {element: name for name in NAMES for element in table(name).elements}
"""Each element of each table, from the root to the row, is used by one table alone."""
_ORDERS = {
    name: {(order := table(name, one).names): order for one in DECISIONS if one != "130" or int(name[3:]) < 13}
    for name in NAMES
}
"""The orders a table may have its fields in, each by itself: rows share these names, and need none of their own."""
_KNOWN = {name: frozenset(field for order in orders for field in order) for name, orders in _ORDERS.items()}


def rows_to_xml(known: Table, rows: Sequence[Row], *, cdata: bool = False) -> bytes:
    """Write an inner document: every field of the table in its order, an empty one as `<X/>`, no white space between elements.

    `cdata` writes words of people as CDATA instead of escaping them, as some producers do. Fields the table does not have are
    left out. The same rows give the same bytes. Raises ValueError for no row, or more than one where the root is the row.
    """
    if not rows or (len(rows) > 1 and not known.has_list):
        raise ValueError(f"{known.name}: {len(rows)} rows")
    *outer, row = known.elements
    body = "".join(f"<{row}>{_fields(known, one, cdata)}</{row}>" for one in rows)
    opened, closed = "".join(f"<{e}>" for e in outer), "".join(f"</{e}>" for e in reversed(outer))
    return f"{DECLARATION}{opened}{body}{closed}".encode()


def _fields(known: Table, row: Row, cdata: bool) -> str:
    values = list(map(row.get, known.names))
    told = [value for value in values if value]
    whole = "".join(told)
    if cdata or "&" in whole or "<" in whole or ">" in whole or "\r" in whole:
        both = zip(known.fields, values, strict=True)
        told = [_escaped(value, cdata and field.is_text) for field, value in both if value]
    return _form(known, tuple(map(bool, values))) % tuple(told)


@lru_cache(1024)
def _form(known: Table, told: tuple[bool, ...]) -> str:
    """Give the elements of a row with `%s` for each field that is told; rows of one table have few shapes."""
    both = zip(known.names, told, strict=True)
    return "".join(f"<{name}>%s</{name}>" if there else f"<{name}/>" for name, there in both)


def _escaped(value: str, cdata: bool) -> str:
    if cdata and "\r" not in value:
        inside = value.replace("]]>", "]]]]><![CDATA[>")
        return f"<![CDATA[{inside}]]>"
    return escape(value, {"\r": "&#13;"})


def xml_to_rows(root: etree._Element, claimed: str = "") -> tuple[str, list[dict[str, str]], list[Oddity]]:
    """Read one inner document: which table it is, its rows, and what was odd about it.

    The table is told by the elements; `claimed` is what LOAIHOSO said. Namespaces, comments and white space around a value do
    not count. Raises EnvelopeInvalid when the root is of no table.
    """
    name = _BY_ELEMENT.get(_local(root), "")
    if not name:
        raise EnvelopeInvalid(claimed or "/", "the root is of none of the tables")
    elements = table(name).elements
    oddities = [Oddity("root", name)] if _local(root) != elements[0] else []
    if claimed and claimed != name:
        oddities.append(Oddity("foreign", claimed, f"the content is {name}"))
    found = [root] if _local(root) == elements[-1] else _inside(root, elements[1:])
    rows = [_row(name, one, f"{name}[{n}]" if len(elements) > 1 else name, oddities) for n, one in enumerate(found, 1)]
    return name, rows, oddities


def _inside(root: etree._Element, path: Sequence[str]) -> list[etree._Element]:
    """Find the rows; a level that a producer left out is not missed."""
    found = [root]
    for element in path:
        below = [child for one in found for child in one if _local(child) == element]
        found = below or found
    return [one for one in found if _local(one) == path[-1]] if path else found


def _row(name: str, row: etree._Element, where: str, oddities: list[Oddity]) -> dict[str, str]:
    """Read a row; one whose fields stand in the order of a decision, with nothing but text in them, in one pass."""
    fields = list(row.iter())[1:]
    order = _ORDERS[name].get(tuple([field.tag for field in fields]))
    if order is None or len(order) != len(row):
        return _odd_row(name, row, where, oddities)
    return dict(zip(order, map(str.strip, [field.text or "" for field in fields]), strict=True))


def _odd_row(name: str, row: etree._Element, where: str, oddities: list[Oddity]) -> dict[str, str]:
    values: dict[str, str] = {}
    tags: list[str] = []
    for child in row:
        tag = _local(child)
        if not tag:
            continue
        text = child.text or "" if not len(child) else _inner(child)
        if tag in values:
            oddities.append(Oddity("repeated", f"{where}/{tag}"))
            values[tag] = values[tag] or text.strip()
            continue
        tags.append(tag)
        values[tag] = text.strip()
    if tuple(tags) not in _ORDERS[name]:
        _account(name, tags, where, oddities)
    return values


def _account(name: str, tags: list[str], where: str, oddities: list[Oddity]) -> None:
    """Say how the tags differ from the order of every decision."""
    known = [tag for tag in tags if tag in _KNOWN[name]]
    oddities += [Oddity("unknown", f"{where}/{tag}") for tag in tags if tag not in _KNOWN[name]]
    nearest = min(_ORDERS[name], key=lambda order: (len(set(order) ^ set(known)), -len(order)))
    oddities += [Oddity("missing", f"{where}/{field}") for field in nearest if field not in known]
    if known != [field for field in nearest if field in known]:
        oddities.append(Oddity("order", where))


def _inner(element: etree._Element) -> str:
    """Give what stands inside an element that should hold text only, markup and all (a signature in DU_PHONG)."""
    parts = [element.text or ""]
    for child in element:
        if isinstance(child.tag, str):
            parts.append(etree.tostring(child, encoding="unicode", with_tail=False))
        parts.append(child.tail or "")
    return "".join(parts)


def _local(element: etree._Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
