"""Judge one insurance file (GIAMDINHHS, QĐ 3176): structure, tables inside, sizes and signature.

Not judged: the hundreds of rules of assessment; the portal applies them days later.
"""

from __future__ import annotations

import base64
import binascii
import csv
import re
from enum import Enum, auto
from functools import cache
from importlib import resources
from typing import Final

from lxml import etree

from conformance.sandbox.signatures import DS, NotSignedError, NotXmlError, SignatureError, Trust, parse, verify

TABLES: Final = {
    "XML1": "TONG_HOP",
    "XML2": "CHITIEU_CHITIET_THUOC",
    "XML3": "CHITIEU_CHITIET_DVKT_VTYT",
    "XML4": "CHITIEU_CHITIET_DICHVUCANLAMSANG",
    "XML5": "CHITIEU_CHITIET_DIENBIENLAMSANG",
}
"""The tables of every visit by the root of their document; of the others only the name is checked."""
NAMES: Final = frozenset(f"XML{number}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15))


class FileProblem(Enum):
    """The kinds of refusal the portal tells apart."""

    NOT_SIGNED = auto()
    SIGNATURE = auto()
    CONTENT = auto()
    FACILITY = auto()


class FileError(Exception):
    """Raised when a file is to be refused; `detail` names element and rule, never a value."""

    def __init__(self, problem: FileProblem, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail


def judge_file(file: bytes, facility: str | None, trust: Trust) -> list[str]:
    """Return the signers of a good file; `facility` None accepts the file of any. Raises FileError."""
    try:
        root = parse(file)
    except NotXmlError as error:
        raise _content("tệp không phải XML đúng cú pháp") from error
    if root.tag != "GIAMDINHHS":
        raise _content("phần tử gốc phải là GIAMDINHHS")
    signers = _signers(root, trust)
    if facility is not None and _text(root, "THONGTINDONVI/MACSKCB") != facility:
        raise FileError(FileProblem.FACILITY, "THONGTINDONVI/MACSKCB khác maCSKCB")
    if not re.fullmatch(r"\d{8}", _text(root, "THONGTINHOSO/NGAYLAP")):
        raise _content("NGAYLAP phải có dạng yyyyMMdd")
    visits = root.findall("THONGTINHOSO/DANHSACHHOSO/HOSO")
    if not visits or _text(root, "THONGTINHOSO/SOLUONGHOSO") != str(len(visits)):
        raise _content("SOLUONGHOSO khác số phần tử HOSO")
    for visit in visits:
        _judge_visit(visit)
    return signers


def file_identifier(root: etree._Element) -> str:
    """Return MA_LK and the names of the tables, such as `LK01:XML1,XML4`; the empty string when there is none."""
    found: list[str] = []
    for visit in root.findall("THONGTINHOSO/DANHSACHHOSO/HOSO"):
        names = [_text(each, "LOAIHOSO") for each in visit.findall("FILEHOSO")]
        links = [link for each in visit.findall("FILEHOSO") if (link := _link(each))]
        if links:
            found.append(f"{links[0]}:{','.join(names)}")
    return ";".join(found)


def _signers(root: etree._Element, trust: Trust) -> list[str]:
    if root.find(f"CHUKYDONVI/{{{DS}}}Signature") is None:
        raise FileError(FileProblem.NOT_SIGNED, "CHUKYDONVI không có chữ ký")
    try:
        signatures = verify(root, trust)
    except NotSignedError as error:
        raise FileError(FileProblem.NOT_SIGNED, "tệp không có chữ ký") from error
    except SignatureError as error:
        raise FileError(
            FileProblem.SIGNATURE, "chữ ký không hợp lệ hoặc chứng thư không thuộc CA thử nghiệm"
        ) from error
    parts = [root.find("THONGTINDONVI"), root.find("THONGTINHOSO")]
    for part in parts:
        covered = any(each.over(root) or (part is not None and each.over(part)) for each in signatures)
        if not covered:
            raise FileError(FileProblem.SIGNATURE, "chữ ký không bao phủ THONGTINDONVI và THONGTINHOSO")
    return [signature.signer for signature in signatures]


def _judge_visit(visit: etree._Element) -> None:
    names: list[str] = []
    links: set[str] = set()
    for each in visit.findall("FILEHOSO"):
        name = _text(each, "LOAIHOSO")
        if name not in NAMES or name in names:
            raise _content("LOAIHOSO lạ hoặc trùng trong một HOSO")
        names.append(name)
        table = _table(each, name)
        links.update(_text_of(link) for link in table.iter("MA_LK"))
        _judge_sizes(name, table)
    if "XML1" not in names:
        raise _content("HOSO thiếu XML1")
    if len(links) != 1 or "" in links:
        raise _content("MA_LK trống hoặc khác nhau giữa các bảng của một HOSO")


def _table(each: etree._Element, name: str) -> etree._Element:
    try:
        inner = base64.b64decode("".join(_text(each, "NOIDUNGFILE").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _content(f"NOIDUNGFILE của {name} không phải base64") from error
    try:
        table = parse(inner)
    except NotXmlError as error:
        raise _content(f"nội dung {name} không phải XML đúng cú pháp") from error
    if table.tag != TABLES.get(name, table.tag):
        raise _content(f"phần tử gốc của {name} phải là {TABLES[name]}")
    return table


def _judge_sizes(name: str, table: etree._Element) -> None:
    sizes = _sizes()
    for field in table.iter(etree.Element):
        size = sizes.get((name, str(field.tag)))
        if size is not None and len(_text_of(field)) > size:
            raise _content(f"{name}/{field.tag} dài hơn {size} ký tự")


@cache
def _sizes() -> dict[tuple[str, str], int]:
    text = resources.files("conformance.sandbox").joinpath("field_sizes.csv").read_text("utf-8")
    return {(row["table"], row["field"]): int(row["size"]) for row in csv.DictReader(text.splitlines())}


def _link(each: etree._Element) -> str:
    try:
        table = parse(base64.b64decode(_text(each, "NOIDUNGFILE")))
    except (NotXmlError, binascii.Error, ValueError):
        return ""
    return next((_text_of(link) for link in table.iter("MA_LK")), "")


def _text(parent: etree._Element, path: str) -> str:
    element = parent.find(path)
    return "" if element is None else _text_of(element)


def _text_of(element: etree._Element) -> str:
    return (element.text or "").strip()


def _content(detail: str) -> FileError:
    return FileError(FileProblem.CONTENT, detail)
