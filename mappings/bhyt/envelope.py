"""The outer file of the insurance portal: GIAMDINHHS around the tables of a visit.

Written as the portal was seen to accept it: no white space between elements, base64 on one line, CHUKYDONVI empty at the end
for the signature. Nothing may change after signing, so these bytes are the ones to sign. XML0 and XML12 travel without it.

Standard: BHXH guide for QĐ 3176 (second-hand)
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from xml.sax.saxutils import escape

from lxml import etree

from mappings.bhyt.faults import EnvelopeInvalid
from mappings.formats import safe_xml

ORDER = tuple(f"XML{number}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15))
"""The tables an envelope may hold, in the order they stand in it."""

FORMS = frozenset({"XML7", "XML8", "XML10", "XML11", "XML13", "XML14"})
"""Tables whose root is the one row: of twins there is a file each."""
_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\r\n'
_NAMESPACES = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
_FACILITY = re.compile(r"[0-9A-Z]{5}")
_SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"


@dataclass(frozen=True)
class Envelope:
    """What an envelope holds."""

    facility: str
    made_on: date | None
    visits: tuple[tuple[tuple[str, bytes], ...], ...]
    """Per visit its files: LOAIHOSO and the inner document as it was, decoded."""
    signed: bool
    """A signature is there; whether it holds is not asked here."""


def envelope(facility: str, made_on: date, files: Sequence[tuple[str, bytes]], *, as_in_guide: bool = False) -> bytes:
    """Put the tables of one visit into the outer file; they are sorted into the portal's order.

    `files` are LOAIHOSO and inner document; a form may come several times. `as_in_guide` adds the XML declaration and the
    namespaces that the guide prints and the accepted files did not have. Raises EnvelopeInvalid for a facility code that is not
    five characters, no file, an unknown table or one twice that is no form.
    """
    if not _FACILITY.fullmatch(facility):
        raise EnvelopeInvalid("THONGTINDONVI/MACSKCB", "five characters")
    names = [name for name, _ in files]
    repeated = {name for name in names if names.count(name) > 1} - FORMS
    if not names or repeated or not set(names) <= set(ORDER):
        raise EnvelopeInvalid("HOSO/FILEHOSO/LOAIHOSO", "each of XML1 to XML15 once, without XML12")
    ordered = sorted(files, key=lambda file: ORDER.index(file[0]))
    inner = "".join(
        f"<FILEHOSO><LOAIHOSO>{name}</LOAIHOSO>"
        f"<NOIDUNGFILE>{base64.b64encode(content).decode()}</NOIDUNGFILE></FILEHOSO>"
        for name, content in ordered
    )
    return (
        f"{_DECLARATION if as_in_guide else ''}<GIAMDINHHS{_NAMESPACES if as_in_guide else ''}>"
        f"<THONGTINDONVI><MACSKCB>{escape(facility)}</MACSKCB></THONGTINDONVI>"
        f"<THONGTINHOSO><NGAYLAP>{made_on:%Y%m%d}</NGAYLAP><SOLUONGHOSO>1</SOLUONGHOSO>"
        f"<DANHSACHHOSO><HOSO>{inner}</HOSO></DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI/></GIAMDINHHS>"
    ).encode()


def read(data: bytes) -> Envelope:
    """Read an envelope of one or many visits; inner documents may be base64 or, as older producers wrote, plain XML.

    Raises XmlRefused, EnvelopeInvalid. Does not check the inner documents nor the signature.
    """
    root = safe_xml.parse(data)
    if root.tag != "GIAMDINHHS":
        raise EnvelopeInvalid("/", "GIAMDINHHS is the root")
    visits = tuple(
        tuple(_file(file, f"HOSO[{v}]/FILEHOSO[{f}]") for f, file in enumerate(visit.findall("FILEHOSO"), 1))
        for v, visit in enumerate(root.findall("THONGTINHOSO/DANHSACHHOSO/HOSO"), 1)
    )
    counted = (root.findtext("THONGTINHOSO/SOLUONGHOSO") or "").strip()
    if not visits or (counted and counted != str(len(visits))):
        raise EnvelopeInvalid("THONGTINHOSO/SOLUONGHOSO", f"{len(visits)} visits found")
    return Envelope(
        facility=(root.findtext("THONGTINDONVI/MACSKCB") or "").strip(),
        made_on=_day((root.findtext("THONGTINHOSO/NGAYLAP") or "").strip()),
        visits=visits,
        signed=root.find(f"CHUKYDONVI/{_SIGNATURE}") is not None,
    )


def _file(file: etree._Element, where: str) -> tuple[str, bytes]:
    name = (file.findtext("LOAIHOSO") or "").strip().upper()
    if name not in ORDER:
        raise EnvelopeInvalid(f"{where}/LOAIHOSO", "no such table")
    content = file.find("NOIDUNGFILE")
    if content is None:
        raise EnvelopeInvalid(f"{where}/NOIDUNGFILE", "absent")
    inside = content.find("*")
    if inside is not None:
        return name, etree.tostring(inside, encoding="utf-8", with_tail=False)
    text = (content.text or "").strip()
    if text.startswith("<"):
        return name, text.encode()
    try:
        return name, base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise EnvelopeInvalid(f"{where}/NOIDUNGFILE", "neither base64 nor XML") from None


def _day(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if re.fullmatch(r"\d{8}", text) else None
    except ValueError:
        return None
