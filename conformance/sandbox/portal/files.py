"""Judge a submitted file at reception: encoding, structure, tables inside, sizes, facility and signature.

Of a record (GIAMDINHHS) only what makes it unreadable is judged here, unless `structure_at_reception` is on: the rest is
found by the assessment, later.

Standard: QĐ 3176/QĐ-BYT, second-hand; XML Signature Syntax and Processing 1.1
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum, auto
from typing import Final

from lxml import etree

from conformance.sandbox.portal.forms import BY_PATH, Form
from conformance.sandbox.portal.shapes import Shape, shape
from conformance.sandbox.portal.switches import Switches
from conformance.sandbox.signatures import (
    DS,
    NotSignedError,
    NotXmlError,
    Signature,
    SignatureError,
    Trust,
    UnregisteredError,
    parse,
    verify,
)

RECORD: Final = BY_PATH["/api/qd130/guihosoxmlqd3176"]
NAMES: Final = tuple(f"XML{number}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15))
"""What LOAIHOSO may be; XML0 and XML12 travel alone."""
ENCODINGS: Final = frozenset({None, "UTF-8", "ASCII", "US-ASCII"})


class FileProblem(Enum):
    """The kinds of refusal the portal tells apart."""

    NOT_SIGNED = auto()
    SIGNATURE = auto()
    UNREGISTERED = auto()
    CONTENT = auto()
    FACILITY = auto()


class FileError(Exception):
    """Raised when a file is to be refused; `detail` names element and rule, never a value."""

    def __init__(self, problem: FileProblem, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail


def judge_file(
    file: bytes, facility: str | None, trust: Trust, form: Form = RECORD, switches: Switches | None = None
) -> list[str]:
    """Return the signers of a good file; `facility` None accepts the file of any. Raises FileError."""
    switches = switches or Switches()
    root = read(file, "tệp")
    if form.root and root.tag != form.root:
        raise _content(f"phần tử gốc phải là {form.root}")
    signers = _signers(root, trust, switches)
    if form.name == "record":
        _judge_record(root, facility, form)
    else:
        _judge_bare(root, facility, form)
    return signers


def signature_of(file: bytes, trust: Trust) -> tuple[str, list[Signature]]:
    """Return the signatures of a kept file; before them `none` or `bad` when there are none or one does not hold."""
    try:
        return "", verify(parse(file), trust)
    except (NotSignedError, NotXmlError):
        return "none", []
    except SignatureError:
        return "bad", []


def read(document: bytes, name: str) -> etree._Element:
    """Parse a document that has to be UTF-8. Raises FileError."""
    try:
        root = parse(document)
    except NotXmlError as error:
        raise _content(f"{name} không phải XML đúng cú pháp") from error
    encoding = root.getroottree().docinfo.encoding
    if (encoding.upper() if encoding else None) not in ENCODINGS:
        raise _content(f"{name} phải mã hóa UTF-8")
    return root


def visits(root: etree._Element) -> Iterator[list[tuple[str, etree._Element]]]:
    """Yield the tables of each HOSO by LOAIHOSO, in the file's order. Raises FileError."""
    for visit in root.findall("THONGTINHOSO/DANHSACHHOSO/HOSO"):
        yield [(text(each, "LOAIHOSO"), inner_document(each)) for each in visit.findall("FILEHOSO")]


def inner_document(each: etree._Element) -> etree._Element:
    """Return the root of the document inside a FILEHOSO. Raises FileError."""
    name = text(each, "LOAIHOSO")
    try:
        inner = base64.b64decode("".join(text(each, "NOIDUNGFILE").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _content(f"NOIDUNGFILE của {name} không phải base64") from error
    return read(inner, f"nội dung {name}")


def file_identifier(root: etree._Element) -> str:
    """Return MA_LK and the names of the tables, such as `LK01:XML1,XML4`; without HOSO, the MA_LK of the rows."""
    found: list[str] = []
    for visit in root.findall("THONGTINHOSO/DANHSACHHOSO/HOSO"):
        names = [text(each, "LOAIHOSO") for each in visit.findall("FILEHOSO")]
        links = [link for each in visit.findall("FILEHOSO") if (link := _link(each))]
        if links:
            found.append(f"{links[0]}:{','.join(names)}")
    if not found:
        found = list(dict.fromkeys(value for each in root.iter("MA_LK") if (value := text_of(each))))
    return ";".join(found)


def text(parent: etree._Element, path: str) -> str:
    """Return the text at a path without spaces around it; the empty string when there is none."""
    element = parent.find(path)
    return "" if element is None else text_of(element)


def text_of(element: etree._Element) -> str:
    """Return an element's text without spaces around it."""
    return (element.text or "").strip()


def _signers(root: etree._Element, trust: Trust, switches: Switches) -> list[str]:
    if root.find(f"CHUKYDONVI/{{{DS}}}Signature") is None:
        raise FileError(FileProblem.NOT_SIGNED, "CHUKYDONVI không có chữ ký")
    if not switches.registered_certificates:
        trust = replace(trust, registered=None)
    try:
        signatures = verify(root, trust)
    except NotSignedError as error:
        raise FileError(FileProblem.NOT_SIGNED, "tệp không có chữ ký") from error
    except UnregisteredError as error:
        raise FileError(FileProblem.UNREGISTERED, "chứng thư chưa đăng ký với cổng") from error
    except SignatureError as error:
        raise FileError(
            FileProblem.SIGNATURE, "chữ ký không hợp lệ hoặc chứng thư không thuộc CA thử nghiệm"
        ) from error
    _judge_scope(root, signatures, switches)
    return [signature.signer for signature in signatures]


def _judge_scope(root: etree._Element, signatures: list[Signature], switches: Switches) -> None:
    parts = [each for each in root.iterchildren(etree.Element) if each.tag != "CHUKYDONVI"]
    whole = any("" in each.covers for each in signatures)
    if switches.signature_scope == "whole" and not whole:
        raise FileError(FileProblem.SIGNATURE, 'chữ ký phải bao phủ cả tệp (Reference URI="")')
    if switches.signature_scope == "parts" and not all(any(each.names(part) for each in signatures) for part in parts):
        raise FileError(FileProblem.SIGNATURE, "chữ ký phải tham chiếu từng phần trước CHUKYDONVI bằng Id")
    for part in parts:
        if not any(each.over(root) or each.over(part) for each in signatures):
            raise FileError(FileProblem.SIGNATURE, f"chữ ký không bao phủ {part.tag}")


def _judge_record(root: etree._Element, facility: str | None, form: Form) -> None:
    if facility is not None and text(root, "THONGTINDONVI/MACSKCB") != facility:
        raise FileError(FileProblem.FACILITY, "THONGTINDONVI/MACSKCB khác maCSKCB")
    if not re.fullmatch(r"\d{8}", text(root, "THONGTINHOSO/NGAYLAP")):
        raise _content("NGAYLAP phải có dạng yyyyMMdd")
    count = len(root.findall("THONGTINHOSO/DANHSACHHOSO/HOSO"))
    if not count or text(root, "THONGTINHOSO/SOLUONGHOSO") != str(count):
        raise _content("SOLUONGHOSO khác số phần tử HOSO")
    for visit in visits(root):
        _judge_visit(visit, form.decision)


def _judge_visit(visit: list[tuple[str, etree._Element]], decision: str) -> None:
    names = [name for name, _ in visit]
    if len(set(names)) != len(names):
        raise _content("LOAIHOSO trùng trong một HOSO")
    links: set[str] = set()
    for name, table in visit:
        known = shape(name, decision) if name in NAMES else None
        if known is None:
            raise _content(f"LOAIHOSO lạ đối với QĐ {decision}")
        if table.tag != known.root:
            raise _content(f"phần tử gốc của {name} phải là {known.root}")
        links.update(text_of(link) for link in table.iter("MA_LK"))
        _judge_sizes(known, table)
    if "XML1" not in names:
        raise _content("HOSO thiếu XML1")
    if len(links) != 1 or "" in links:
        raise _content("MA_LK trống hoặc khác nhau giữa các bảng của một HOSO")


def _judge_bare(root: etree._Element, facility: str | None, form: Form) -> None:
    if form.rows:
        rows = root.find(form.rows)
        if rows is None or not rows.findall(form.row):
            raise _content(f"thiếu {form.rows}/{form.row}")
        if not rows.get("Id"):
            raise _content(f"{form.rows} thiếu thuộc tính Id")
    known = next(
        (one for name in ("XML0", "XML12") if (one := shape(name, form.decision)) and one.root == form.root), None
    )
    if known is not None:
        if not root.findall(f"{known.rows}/{known.row}"):
            raise _content(f"thiếu {known.rows}/{known.row}")
        _judge_sizes(known, root)
    if form.name == "check-in" and any(not text(row, "MA_LK") for row in root.iter("TRANG_THAI_KCB")):
        raise _content("MA_LK trống")
    told = {text_of(each) for each in root.iter("MA_CSKCB")} - {""}
    if facility is not None and form.name in ("check-in", "catalogue") and told - {facility}:
        raise FileError(FileProblem.FACILITY, "MA_CSKCB khác maCSKCB")


def _judge_sizes(known: Shape, table: etree._Element) -> None:
    sizes = {field.name: field.size for field in known.fields}
    for element in table.iter(etree.Element):
        size = sizes.get(str(element.tag))
        if size is not None and len(text_of(element)) > size:
            raise _content(f"{known.name}/{element.tag} dài hơn {size} ký tự")


def _link(each: etree._Element) -> str:
    try:
        table = inner_document(each)
    except FileError:
        return ""
    return next((text_of(link) for link in table.iter("MA_LK")), "")


def _content(detail: str) -> FileError:
    return FileError(FileProblem.CONTENT, detail)
