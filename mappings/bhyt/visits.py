"""Read files of the insurance interface as visits, one at a time: GIAMDINHHS of one or ten thousand visits, and bare tables.

Accepted on reading and never written: content that is not base64, roots of QĐ 4210, namespaces, a byte order mark, several
visits in one file, a table in several files. What cannot be read of one visit is told as an `Oddity` of that visit; the others
are read. Signatures are not checked here.

Standard: guide CV 1245/BHXH-CNTT (2024), QĐ 3176/QĐ-BYT; second-hand
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import BinaryIO
from xml.sax.saxutils import escape

from lxml import etree

from mappings.bhyt.decisions import digits_to_day
from mappings.bhyt.faults import EnvelopeInvalid
from mappings.bhyt.rows import Oddity, xml_to_rows
from mappings.formats import safe_xml
from mappings.formats.faults import XmlRefused

BARE = ("XML0", "XML12")
"""Tables that travel without the envelope."""


@dataclass(frozen=True)
class Visit:
    """The tables of one visit as they were sent."""

    tables: Mapping[str, tuple[dict[str, str], ...]]
    """LOAIHOSO → rows, in the order of the file."""
    oddities: tuple[Oddity, ...] = ()
    facility: str = ""
    """MACSKCB of the envelope; empty for a bare table."""
    made_on: date | None = None
    position: int = 1
    """Which HOSO of its file."""

    @property
    def number(self) -> str:
        """MA_LK of the visit; empty when no row has it."""
        rows = (row for name in self.tables for row in self.tables[name])
        return next((row["MA_LK"] for row in rows if row.get("MA_LK")), "")

    def one(self, name: str) -> dict[str, str]:
        """Give the first row of a table, or an empty one."""
        return next(iter(self.tables.get(name, ())), {})


def read_visits(source: bytes | BinaryIO) -> Iterator[Visit]:
    """Read the visits of a file, keeping one in memory at a time.

    Raises XmlRefused and EnvelopeInvalid: for a file that is neither an envelope nor a table before the first visit, for one
    that is cut off after the last whole visit.
    """
    for element, header, position in _records(source):
        yield _visit(element, header, position) if _local(element) == "HOSO" else _bare(element)


def split_visits(source: bytes | BinaryIO) -> Iterator[bytes]:
    """Give each visit of a file as a file of its own: the same HOSO, unchanged, under the same facility and day, unsigned.

    A bare table is given as it is. Raises as `read_visits`.
    """
    for element, header, _ in _records(source):
        if _local(element) != "HOSO":
            yield etree.tostring(element, encoding="utf-8")
            continue
        yield (
            f"<GIAMDINHHS><THONGTINDONVI><MACSKCB>{escape(header.get('MACSKCB', ''))}</MACSKCB></THONGTINDONVI><THONGTINHOSO>"
            f"<NGAYLAP>{escape(header.get('NGAYLAP', ''))}</NGAYLAP><SOLUONGHOSO>1</SOLUONGHOSO><DANHSACHHOSO>"
            f"{etree.tostring(element, encoding='unicode', with_tail=False)}"
            "</DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI/></GIAMDINHHS>"
        ).encode()


def _records(source: bytes | BinaryIO) -> Iterator[tuple[etree._Element, Mapping[str, str], int]]:
    """Give each HOSO, or the root of a bare table, with what the envelope says before it and its number."""
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    header: dict[str, str] = {}
    position = 0
    counted = ""
    for element in safe_xml.stream(stream, _WANTED):
        name = _local(element)
        if name == "HOSO":
            position += 1
            yield element, header, position
        elif name in ("MACSKCB", "NGAYLAP", "SOLUONGHOSO"):
            header.setdefault(name, (element.text or "").strip())
        elif element.getparent() is None:
            if name == "GIAMDINHHS":
                counted = header.get("SOLUONGHOSO", "")
            else:
                position += 1
                yield element, header, position
    if not position:
        raise EnvelopeInvalid("THONGTINHOSO/DANHSACHHOSO", "no visit in the file")
    if counted and counted != str(position):
        raise EnvelopeInvalid("THONGTINHOSO/SOLUONGHOSO", f"{position} visits found")


_WANTED = frozenset({"HOSO", "MACSKCB", "NGAYLAP", "SOLUONGHOSO"})


def _visit(element: etree._Element, header: Mapping[str, str], position: int) -> Visit:
    tables: dict[str, tuple[dict[str, str], ...]] = {}
    oddities: list[Oddity] = []
    for n, file in enumerate((child for child in element if _local(child) == "FILEHOSO"), 1):
        where = f"HOSO[{position}]/FILEHOSO[{n}]"
        try:
            name, rows, odd = _file(file, where)
        except (EnvelopeInvalid, XmlRefused) as fault:
            oddities.append(Oddity("unreadable", where, fault.detail))
            continue
        oddities += odd
        tables[name] = (*tables.get(name, ()), *rows)
        if name in BARE:
            oddities.append(Oddity("foreign", f"{where}/LOAIHOSO", f"{name} travels without the envelope"))
    facility, made_on = header.get("MACSKCB", ""), digits_to_day(header.get("NGAYLAP", ""))
    return Visit(tables, tuple(oddities), facility, made_on, position)


def _bare(root: etree._Element) -> Visit:
    name, rows, odd = xml_to_rows(root)
    return Visit({name: tuple(rows)}, tuple(odd))


def _file(file: etree._Element, where: str) -> tuple[str, list[dict[str, str]], list[Oddity]]:
    parts = {_local(child): child for child in file}
    claimed = _claimed((parts["LOAIHOSO"].text or "") if "LOAIHOSO" in parts else "")
    content = parts.get("NOIDUNGFILE")
    if content is None:
        raise EnvelopeInvalid(where, "NOIDUNGFILE is absent")
    inside = next((child for child in content if isinstance(child.tag, str)), None)
    if inside is not None:
        name, rows, odd = xml_to_rows(inside, claimed)
        return name, rows, [Oddity("plain", where), *odd]
    text = (content.text or "").strip()
    plain = text.startswith("<")
    try:
        data = text.encode() if plain else base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise EnvelopeInvalid(where, "neither base64 nor XML") from None
    if not data:
        raise EnvelopeInvalid(where, "empty")
    name, rows, odd = xml_to_rows(safe_xml.parse(data), claimed)
    return name, rows, [*([Oddity("plain", where)] if plain else []), *odd]


def _claimed(text: str) -> str:
    """Read LOAIHOSO; `xml1` and `XML01` were seen for XML1."""
    match = re.fullmatch(r"\s*XML0*(\d{1,2})\s*", text, re.IGNORECASE)
    return f"XML{match.group(1)}" if match else text.strip()


def _local(element: etree._Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
