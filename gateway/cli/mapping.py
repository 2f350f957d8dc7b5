"""`lienthong map`: what becomes of messages, field by field, without a running node and without a store."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from gateway.cli.files import files_of, messages_of
from gateway.cli.mapping_table import STATES, show_list, show_one
from gateway.cli.output import Json, console, errors, language
from gateway.configuration import load
from gateway.faults import InternalFault
from gateway.safe_log import describe
from gateway.site import load_site
from gateway.text import text
from mappings.fhir import require_valid
from mappings.formats import er7, json
from mappings.formats.er7_header import read_header
from mappings.formats.faults import Fault
from mappings.guides import Guide, guides, in_guide
from mappings.hl7v2 import Context, map_message, outcome_to_bundle, targets, trigger_of
from mappings.outcome import Outcome


@dataclass
class Mapped:
    """One message and what became of it."""

    file: str
    type: str
    message: er7.Message | None = None
    outcome: Outcome | None = None
    bundle: dict[str, Any] | None = None
    fault: Fault | None = None

    def fields(self) -> list[dict[str, str]]:
        """List every populated field in the order of the message: position, state, target, reason."""
        message, outcome = self.message, self.outcome
        if message is None:
            return []
        found = []
        places = targets.Places(outcome) if outcome else None
        for position in _populated(message):
            entry = {"position": position, "state": "unknown", "target": "", "reason": ""}
            if outcome is None or places is None:
                entry["reason"] = f"LT{self.fault.code:04d}" if self.fault else ""
            elif position in outcome.coverage.mapped:
                target = outcome.coverage.mapped[position]
                entry["state"] = "mapped"
                entry["target"] = ", ".join(places.of(position, target)) or target
            elif position in outcome.coverage.ignored:
                entry["state"], entry["reason"] = "ignored", outcome.coverage.ignored[position]
            else:
                entry["reason"] = outcome.coverage.unknown[position]
            found.append(entry)
        return found

    def as_dict(self) -> dict[str, Any]:
        fields = self.fields()
        counts = {state: sum(entry["state"] == state for entry in fields) for state in STATES}
        notices = self.outcome.notices if self.outcome else ()
        return {
            "file": self.file,
            "type": self.type,
            "outcome": "fault" if self.fault else "mapped",
            "bundle": self.bundle,
            "coverage": {"populated": len(fields), **counts, "fields": fields},
            "faults": [_said(self.fault.code, self.fault.where, self.fault.detail)] if self.fault else [],
            "notices": [_said(notice.code, notice.where, notice.detail) for notice in notices],
        }


def map_(
    paths: Annotated[list[Path], typer.Argument(help="Tệp hoặc thư mục.", metavar="TỆP", exists=True)],
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Thư mục cấu hình: mã cơ sở, múi giờ, hệ mã và thư mục site của nút."),
    ] = None,
    facility: Annotated[str, typer.Option(help="Mã cơ sở KCB khi không có --config.")] = "",
    charset: Annotated[str, typer.Option(help="Bảng mã của tệp; auto tin theo MSH-18.")] = "auto",
    guide: Annotated[
        str, typer.Option(help="Với --json: viết bundle theo hướng dẫn quốc gia này, dạng canonical|phiên-bản.")
    ] = "",
    json: Json = False,
) -> None:
    """Cho xem thông điệp HL7 v2 thành gì: từng trường có dữ liệu đi về đâu trong FHIR, hoặc vì sao không.

    Một thông điệp: từng trường một dòng. Nhiều thông điệp: mỗi thông điệp một dòng, rồi các trường chưa biết, nhiều nhất trước.

    Không cần nút đang chạy, không ghi gì. Mã thoát 1 nếu có thông điệp không ánh xạ được.

    --json in mỗi thông điệp một dòng; ở đó lý do ("reason") luôn là câu tiếng Anh cố định, để chương trình so được.

    Ví dụ: lienthong map thong-diep.hl7

    Ví dụ: lienthong map thu-muc/ --json > ket-qua.ndjson

    Ví dụ: lienthong map thong-diep.hl7 --json --guide "http://fhir.ehealth.gov.vn/core|1.0.0"
    """
    said = _guide(guide)
    context = _context(config, facility)
    files = files_of(paths)
    if not files:
        errors.print("Không có thông điệp nào: trong thư mục chỉ đọc các tệp .hl7, .txt, .er7, .msg, .dat, .mllp.")
        raise typer.Exit(1)
    results: list[Mapped] = []
    failed = 0
    quiet = json or len(files) < 2 or not sys.stdout.isatty()
    with Progress(console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("ánh xạ", total=len(files))
        for file in files:
            for mapped in _map_file(file, context, charset):
                failed += mapped.fault is not None
                if json:
                    if said and mapped.bundle:
                        mapped.bundle = in_guide(mapped.bundle, said, context.systems)
                    _print_line(mapped)
                else:
                    results.append(mapped)
            progress.advance(task)
    if not json:
        _show(results)
    if failed:
        raise typer.Exit(1)


def _guide(key: str) -> Guide | None:
    if key and key not in guides():
        raise typer.BadParameter(f"{key!r}; có: {', '.join(guides())}", param_hint="--guide")
    return guides().get(key)


def _context(config: Path | None, facility: str) -> Context:
    if config is None:
        return Context(facility=facility)
    plan = load(config)
    load_site(plan.site)
    return Context(facility or plan.facility.code, plan.systems, plan.node.zone)


def _map_file(file: Path, context: Context, charset: str) -> Iterator[Mapped]:
    try:
        messages = list(messages_of(file))
    except OSError as error:
        yield Mapped(str(file), "", fault=InternalFault(file.name, type(error).__name__))
        return
    for number, raw in messages:
        name = str(file) if len(messages) == 1 else f"{file}#{number}"
        yield map_one(name, raw, context, charset)


def map_one(name: str, raw: bytes, context: Context, charset: str) -> Mapped:
    """Map one message; whatever goes wrong is a fault of it, never an exception."""
    header = read_header(raw)
    mapped = Mapped(name, f"{header.type}^{header.trigger}".strip("^"))
    try:
        mapped.message = message = er7.Message.parse(raw, charset)
        mapped.type = trigger_of(message)
        outcome = map_message(message, context)
        for resource in (*outcome.about, *outcome.resources):
            require_valid(resource)
        mapped.bundle = outcome_to_bundle(outcome, context)
        mapped.outcome = outcome
    except Fault as fault:
        mapped.fault = fault
    except Exception as error:  # noqa: BLE001 - one message must not end the run over a folder
        mapped.fault = InternalFault(detail=describe(error))
    return mapped


def _populated(message: er7.Message) -> Iterator[str]:
    for segment in message.segments:
        position = segment.position()
        yield from (f"{position}-{n}" for n in segment.populated())


def _said(code: int, where: str, detail: str) -> dict[str, str]:
    said = text(code, language())
    place = f" [{detail}]" if detail else ""
    return {"code": f"LT{code:04d}", "where": where, "text": f"{said}{place}"}


def _print_line(mapped: Mapped) -> None:
    sys.stdout.buffer.write(json.dumps(mapped.as_dict()) + b"\n")
    sys.stdout.buffer.flush()


def _show(results: list[Mapped]) -> None:
    """Show one message side by side, several as a list."""
    if len(results) == 1:
        show_one(results[0])
    else:
        show_list(results)
