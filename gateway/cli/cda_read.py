"""`lienthong cda read`: clinical documents of others, CDA or FHIR, without a running node and without a store."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from rich.progress import Progress

from gateway.cli.cda_table import show_list, show_one
from gateway.cli.mapped import STATES
from gateway.cli.output import Json, console, errors, said
from gateway.faults import InternalFault
from gateway.safe_log import describe
from mappings.cda import read as cda
from mappings.cda.read import Context
from mappings.fhir import document
from mappings.formats import json
from mappings.formats.faults import Fault
from mappings.outcome import Coverage, Reading

_SUFFIXES = {".xml": "cda", ".cda": "cda", ".ccda": "cda", ".json": "fhir"}


class _Reader(Protocol):
    """What reads documents of one format."""

    def read(self, data: bytes, context: Context | None = None, /) -> Reading: ...

    def unread(self, data: bytes, context: Context | None = None, /) -> Coverage: ...


@dataclass
class Read:
    """One document and what became of it."""

    file: str
    reading: Reading | None = None
    fault: Fault | None = None
    account: Coverage = field(default_factory=Coverage)

    def fields(self) -> list[dict[str, str]]:
        """List every fact of the document: position, state, target, reason."""
        account = self.account
        return [
            *(_field(at, "mapped", target, "") for at, target in account.mapped.items()),
            *(_field(at, "ignored", "", reason) for at, reason in account.ignored.items()),
            *(_field(at, "unknown", "", reason) for at, reason in account.unknown.items()),
        ]

    def as_dict(self) -> dict[str, Any]:
        fields = self.fields()
        counts = {state: sum(entry["state"] == state for entry in fields) for state in STATES}
        notices = self.reading.notices if self.reading else ()
        return {
            "file": self.file,
            "outcome": "fault" if self.reading is None else "without_patient" if self.fault else "read",
            "bundle": self.reading.bundle if self.reading else None,
            "coverage": {"populated": len(fields), **counts, "fields": fields},
            "faults": [said(self.fault.code, self.fault.where, self.fault.detail)] if self.fault else [],
            "notices": [said(notice.code, notice.where, notice.detail) for notice in notices],
        }


def _field(position: str, state: str, target: str, reason: str) -> dict[str, str]:
    return {"position": position, "state": state, "target": target, "reason": reason}


def read(
    paths: Annotated[list[Path], typer.Argument(help="Tệp hoặc thư mục.", metavar="TỆP", exists=True)],
    patient: Annotated[
        list[str] | None,
        typer.Option(
            "--patient", help="Số định danh của người bệnh được chờ, dạng HỆ|SỐ; tài liệu của người khác là lỗi."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Đọc tài liệu CDA R2 (.xml) và tài liệu FHIR (.json) của nơi khác: thành tài nguyên nào, dữ kiện nào chưa hiểu.

    Một tài liệu: phần đầu, các mục, bảng dữ kiện chưa biết. Nhiều tài liệu: mỗi tài liệu một dòng.

    Không cần nút đang chạy, không ghi gì. Mã thoát 1 nếu có tài liệu không đọc được, hay không nêu là của ai.

    Tài liệu không nêu là của ai: chỉ có phần đầu và phần trình bày, kèm lỗi; không mục nào thành tài nguyên của người bệnh.

    --json in mỗi tài liệu một dòng; ở đó lý do ("reason") luôn là câu tiếng Anh cố định, để chương trình so được.

    Ví dụ: lienthong cda read giay-ra-vien.xml

    Ví dụ: lienthong cda read thu-muc/ --json > ket-qua.ndjson

    Ví dụ: lienthong cda read giay.xml --patient "http://fhir.hl7.org.vn/core/sid/cccd|001086000001"
    """
    context = Context(expect_patient=_expected(patient or []))
    files = documents_in(paths)
    if not files:
        errors.print("Không có tài liệu nào: trong thư mục chỉ đọc các tệp .xml, .cda, .ccda, .json.")
        raise typer.Exit(1)
    results: list[Read] = []
    failed = 0
    quiet = json or len(files) < 2 or not sys.stdout.isatty()
    with Progress(console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("đọc", total=len(files))
        for file in files:
            one = read_one(file, context)
            failed += one.fault is not None
            if json:
                _print_line(one)
            else:
                results.append(one)
            progress.advance(task)
    if len(results) == 1:
        show_one(results[0])
    elif results:
        show_list(results)
    if failed:
        raise typer.Exit(1)


def _expected(numbers: Sequence[str]) -> tuple[tuple[str, str], ...]:
    found = []
    for number in numbers:
        system, bar, value = number.rpartition("|")
        if not bar or not value:
            raise typer.BadParameter("viết HỆ|SỐ", param_hint="--patient")
        found.append((system, value))
    return tuple(found)


def documents_in(paths: Sequence[Path]) -> list[Path]:
    """Give the files named, and of a folder all that look like documents, sorted; each once."""
    found: dict[Path, None] = {}
    for path in paths:
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES) if path.is_dir() else [path]
        found |= dict.fromkeys(inside)
    return list(found)


def read_one(file: Path, context: Context) -> Read:
    """Read one document; whatever goes wrong is a fault of it, never an exception."""
    try:
        data = file.read_bytes()
    except OSError as error:
        return Read(str(file), fault=InternalFault(file.name, type(error).__name__))
    reader: _Reader = document if _is_json(file, data) else cda
    try:
        reading = reader.read(data, context)
        return Read(str(file), reading, reading.fault, reading.coverage)
    except Fault as refused:
        fault = refused
    except Exception as error:  # noqa: BLE001 - one document must not end the run over a folder
        fault = InternalFault(detail=describe(error))
    return Read(str(file), None, fault, reader.unread(data, context))


def _is_json(file: Path, data: bytes) -> bool:
    kind = _SUFFIXES.get(file.suffix.lower())
    return kind == "fhir" or (kind is None and data.lstrip()[:1] in (b"{", b"["))


def _print_line(one: Read) -> None:
    sys.stdout.buffer.write(json.dumps(one.as_dict()) + b"\n")
    sys.stdout.buffer.flush()
