"""Show any CDA document to people: accessible HTML5, on screen and on paper.

Our own papers look like the printed form; documents of others get their header facts in Vietnamese and their narrative. The
page holds no script and loads nothing: a policy in it forbids both. What it says beside the document (signatures, stamp, notice
of a copy, code to look it up) is what the caller gives; nothing is taken from the document for it. Verifies no signature.

Standard: CDA R2 §4.3.5, HTML5
Requirement: S3.3, S3.9
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import cast

import segno
from lxml import etree

from mappings.cda.faults import NotRendered
from mappings.cda.markup import NS
from mappings.documents import wording
from mappings.documents.clean import Cleaner
from mappings.formats import safe_xml

_VIEW = "urn:lienthong:view"
_V3 = {"v": NS}
_STYLES = ("cda", "narrative", "form", "facts")
_CODE = re.compile(r"[0-9A-Za-z._-]{4,80}")
_TIME = re.compile(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?(?:\.\d+)?(?:([+-]\d{2})(\d{2}))?)?$")
_MARGINS = {"A4": "14mm 15mm 15mm 20mm", "A5": "11mm 10mm 13mm 12mm", "two": "10mm 10mm 13mm 12mm"}
_SMALL = "font:8.5pt 'Liberation Serif','Times New Roman',serif;color:#333"
_SERIAL = 16
"""Longer serial numbers are shown by their last digits."""
_LONGEST = 80
_SHORT, _UNIT, _WORD = 8, 13, 24
_UPRIGHT = 9
"""Tables of more columns are printed on landscape pages."""
_MOMENT = re.compile(r"\d{2}:\d{2} \d{2}/\d{2}/\d{4}")
_LONG_WORD = re.compile(rf"\S{{{_WORD},}}")


def _elements(path: str) -> Callable[[etree._Element], list[etree._Element]]:
    return cast("Callable[[etree._Element], list[etree._Element]]", etree.XPath(path, namespaces=_V3))


_texts_of_sections = _elements("v:component/v:structuredBody/v:component/v:section/v:text")
_rows_of_last_section = _elements(
    "v:component/v:structuredBody/v:component[last()]/v:section/v:text/v:table/v:tbody/v:tr"
)


class Stamp(StrEnum):
    """What is stamped on a page."""

    REISSUED = "CẤP LẠI"
    CANCELLED = "ĐÃ HỦY"
    DRAFT = "BẢN NHÁP"


@dataclass(frozen=True)
class Signed:
    """One signature that was found valid."""

    slot: str
    """`KY-1`, `KY-2` … of the paper, or the role: `professional`, `legal`, `other`."""
    name: str
    """Of the signer, from the certificate."""
    title: str
    at: datetime
    """Aware; from the timestamp where there is one."""
    serial: str
    """Of the certificate."""


@dataclass(frozen=True)
class Copy:
    """What a paper copy of an electronic document must say about itself (NĐ 137/2024 Điều 5)."""

    system: str
    owner: str
    code: str
    at: datetime
    by: str


@dataclass(frozen=True)
class Options:
    """What stands on the page beside the document."""

    signatures: tuple[Signed, ...] = ()
    stamp: Stamp | None = None
    copy: Copy | None = None
    verify_at: str = ""
    """Address before the code in the QR code; without it there is none."""
    code: str = ""
    """What verification looks up: no more than letters, digits, `.`, `_`, `-`. Default: SHA-256 of the given bytes."""


PLAIN = Options()


def html(cda: bytes, options: Options = PLAIN) -> bytes:
    """Show a CDA document as one HTML page in UTF-8; the same input gives the same bytes.

    Raises `XmlRefused`, `NotRendered`.
    """
    root = safe_xml.parse(cda)
    if root.tag == "ClinicalDocument":
        _name(root)
    if root.tag != f"{{{NS}}}ClinicalDocument":
        raise NotRendered("root", "no CDA document")
    view = etree.Element(f"{{{_VIEW}}}view", nsmap={"view": _VIEW})
    slots = _slots(root)
    placed = list(_placed(options.signatures, slots))
    view.extend([_signed(signed, slot) for signed, slot in placed])
    if options.copy:
        view.append(_copy(options.copy))
    styles = {style: text for text in _texts_of_sections(root) for style in text.get("styleCode", "").split()}
    _marks(view, options, cda)
    if "xCancelled" in styles:
        view.set("watermark", Stamp.CANCELLED)
    missing = [label for key, _, label in slots if all(slot != key for _, slot in placed)]
    if missing or not placed:
        view.set("unsigned", Cleaner().text("; ".join(missing)))
    _layout(view, root, styles, "" if placed else "CHƯA KÝ SỐ")
    _decode_text(root)
    _mark_cells(root)
    root.append(view)  # not the other way round: each element that goes to another tree is touched
    try:
        return b"<!DOCTYPE html>\n" + bytes(_sheet()(root))
    except etree.XSLTApplyError:
        raise NotRendered("", "nested too deep") from None


def _name(root: etree._Element) -> None:
    """Put a document that was written without the name space of HL7 into it."""
    for node in root.iter(etree.Element):
        if not str(node.tag).startswith("{"):
            node.tag = f"{{{NS}}}{node.tag}"


@cache
def _sheet() -> etree.XSLT:
    """Compile the style sheet once per process; it can read and write nothing."""
    first, *others = (safe_xml.parse(_file(f"{name}.xsl")) for name in _STYLES)
    for other in others:
        first.extend(list(other))
    nothing = etree.XSLTAccessControl.DENY_ALL  # type: ignore[attr-defined]  # the stubs leave it out
    return etree.XSLT(first, access_control=nothing)


def _file(name: str) -> bytes:
    return files(__package__).joinpath("style", name).read_bytes()


@cache
def _css() -> str:
    return _file("paper.css").decode()


def _slots(root: etree._Element) -> list[tuple[str, str, str]]:
    """Give key, role and label of the signature slots of a paper of ours."""
    found = []
    for row in _rows_of_last_section(root):
        roles = [style[6:] for style in row.get("styleCode", "").split() if style.startswith("xRole-")]
        label, cell = row.find("v:th", _V3), row.find("v:td", _V3)
        if roles and label is not None and cell is not None and cell.get("ID"):
            found.append((cell.get("ID", ""), roles[0], (label.text or "").strip()))
    return found


def _placed(signatures: Sequence[Signed], slots: Sequence[tuple[str, str, str]]) -> Iterator[tuple[Signed, str]]:
    """Give each signature its slot: the one it names, else the first free one of its role, else none."""
    free = [(key, role) for key, role, _ in slots]
    for signed in signatures:
        slot = next((one for one in free if signed.slot in one), None)
        if slot:
            free.remove(slot)
        yield signed, slot[0] if slot else ""


def _signed(signed: Signed, slot: str) -> etree._Element:
    serial = signed.serial if len(signed.serial) <= _SERIAL else f"…{signed.serial[-_SERIAL:]}"
    at = f"{signed.at.astimezone(wording.VIETNAM):%d/%m/%Y %H:%M:%S}"
    values = {"name": signed.name, "title": signed.title, "at": at, "serial": serial}
    return _element("signed", values | ({"slot": slot} if slot else {}))


def _copy(copy: Copy) -> etree._Element:
    at = f"{copy.at.astimezone(wording.VIETNAM):%d/%m/%Y %H:%M:%S}"
    return _element("copy", {"system": copy.system, "owner": copy.owner, "code": copy.code, "at": at, "by": copy.by})


def _element(name: str, values: dict[str, str]) -> etree._Element:
    node = etree.Element(f"{{{_VIEW}}}{name}")
    for key, value in values.items():
        node.set(key, Cleaner().text(value))
    return node


def _marks(view: etree._Element, options: Options, cda: bytes) -> None:
    """Say what is stamped, and where verification is: never more than a code behind the address."""
    if options.stamp:
        view.set("stamp", options.stamp)
        if options.stamp is not Stamp.REISSUED:
            view.set("watermark", options.stamp)
    if options.verify_at:
        code = options.code or sha256(cda).hexdigest()
        if not _CODE.fullmatch(code):
            raise NotRendered("code", "letters, digits, . _ - only")
        view.set("code", code)
        view.set(
            "qr", segno.make(options.verify_at + code, error="m", micro=False).svg_data_uri(border=2, xmldecl=False)
        )


def _layout(view: etree._Element, root: etree._Element, styles: Mapping[str, etree._Element], mark: str) -> None:
    """Set size and margins of the page, what stands in the margins, and the policy that lets only this style work."""
    head = styles.get("xHeader")
    size = "A5" if head is not None and "xPaperA5" in styles else "A4"
    two = head is not None and "xCopies2" in styles
    wide = size == "A4" and any(len(row) > _UPRIGHT for row in root.iter(f"{{{NS}}}tr"))
    style = (
        f"{_css()}@page{{size:{size}{' landscape' if two or wide else ''};margin:{_MARGINS['two' if two else size]};"
        f"@bottom-left{{{_SMALL};content:{_css_string(_identity(root, head))}}}"
        f"@bottom-right{{{_SMALL};content:'Trang ' counter(page) '/' counter(pages)}}"
        f"@top-right{{{_SMALL};content:{_css_string(mark)}}}}}"
    )
    digest = b64encode(sha256(style.encode()).digest()).decode()
    view.set("style", style)
    view.set(
        "policy", f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    view.set("layout", f"form {size.lower()}{' two' if two else ''}" if head is not None else "plain a4")
    written = root.find("v:effectiveTime", _V3)
    stamp = _TIME.match(written.get("value", "")) if written is not None else None
    if stamp:
        year, month, day, hour, minute, second, zone, minutes = (part or "" for part in stamp.groups())
        at = f"T{hour}:{minute}:{second or '00'}{f'{zone}:{minutes}' if zone else '+07:00'}" if minute else ""
        view.set("written", f"{year}-{month}-{day}{at}")


def _identity(root: etree._Element, head: etree._Element | None) -> str:
    """Say whose page it is: the name, and the number of the record or of the person."""
    name = root.find("v:recordTarget/v:patientRole/v:patient/v:name", _V3)
    shown = " ".join(" ".join(_texts(name)).split()) if name is not None else ""
    number = next(("".join(_texts(cell)) for cell in _cells(head) if cell.get("ID") == "SO_HO_SO"), "")
    if number:
        number = f"Số hồ sơ: {number}"
    else:
        ids = root.iterfind("v:recordTarget/v:patientRole/v:id[@extension]", _V3)
        number = next((f"Mã người bệnh: {one.get('extension', '')}" for one in ids), "")
    return " – ".join(part[:_LONGEST] for part in (f"Người bệnh: {shown}" if shown else "", number) if part)


def _texts(node: etree._Element) -> Iterator[str]:
    return (str(part) for part in node.itertext(etree.Element, with_tail=True))


def _cells(block: etree._Element | None) -> Iterator[etree._Element]:
    if block is not None:
        yield from block.iter(f"{{{NS}}}td")


def _css_string(text: str) -> str:
    """Write a string of CSS in which nothing but letters and digits of ASCII stands unescaped."""
    return "'" + "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):06x}" for c in text) + "'"


def _mark_cells(root: etree._Element) -> None:
    """Mark cells that should stay on one line, and those with a word that would make a table wider than the page."""
    for cell in root.iter(f"{{{NS}}}td", f"{{{NS}}}th"):
        text = cell.text or ""
        if len(cell):
            text = " ".join(_texts(cell))
        elif len(text) < _SHORT or _MOMENT.fullmatch(text) or (len(text) < _UNIT and " " not in text):
            cell.set("fit", "short")
            continue
        if len(text) > _WORD and _LONG_WORD.search(text):
            cell.set("fit", "split")


def _decode_text(root: etree._Element) -> None:
    """Make plain text that is embedded as base64 readable."""
    for text in root.iterfind("v:component/v:nonXMLBody/v:text[@representation='B64']", _V3):
        if text.get("mediaType", "text/plain").startswith("text/plain"):
            try:
                decoded = b64decode("".join(_texts(text)), validate=False).decode()
            except ValueError:
                continue
            del text.attrib["representation"]
            text[:] = []
            text.text = Cleaner().text(decoded)
