"""`lienthong bhyt read`: files of the insurance interface, visit by visit, as FHIR and an account of every field."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from gateway.cli.bhyt_table import show_list, show_one
from gateway.cli.mapped import STATES
from gateway.cli.output import Json, console, errors, said
from gateway.faults import InternalFault
from gateway.safe_log import describe
from mappings.bhyt.fhir import visit_to_outcome
from mappings.bhyt.fhir.bundle import outcome_to_bundle
from mappings.bhyt.tables import DECISIONS
from mappings.bhyt.visits import Visit, read_visits
from mappings.fhir import require_valid
from mappings.formats import json
from mappings.formats.faults import Fault
from mappings.outcome import Coverage, Outcome


@dataclass
class Read:
    """One visit of a file and what became of it; without a visit the file itself."""

    file: str
    visit: Visit | None = None
    outcome: Outcome | None = None
    fault: Fault | None = None
    counts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(STATES, 0)))
    """Fields by state."""

    @property
    def record(self) -> str:
        return self.visit.number if self.visit else ""

    def fields(self) -> list[dict[str, str]]:
        """List every populated field: position, state, target, reason."""
        if self.outcome is None:
            return []
        account = self.outcome.coverage
        return [
            *(_field(at, "mapped", target, "") for at, target in account.mapped.items()),
            *(_field(at, "ignored", "", reason) for at, reason in account.ignored.items()),
            *(_field(at, "unknown", "", reason) for at, reason in account.unknown.items()),
        ]

    def as_dict(self) -> dict[str, Any]:
        """Give the line of `--json`."""
        fields = self.fields()
        notices = self.outcome.notices if self.outcome else ()
        return {
            "file": self.file,
            "record": self.record,
            "outcome": "fault" if self.fault else "read",
            "bundle": outcome_to_bundle(self.outcome, self.record) if self.outcome else None,
            "coverage": {"populated": len(fields), **self.counts, "fields": fields},
            "faults": [said(self.fault.code, self.fault.where, self.fault.detail)] if self.fault else [],
            "notices": [said(notice.code, notice.where, notice.detail) for notice in notices],
        }


def _field(position: str, state: str, target: str, reason: str) -> dict[str, str]:
    return {"position": position, "state": state, "target": target, "reason": reason}


def read(
    paths: Annotated[list[Path], typer.Argument(help="Tệp hoặc thư mục.", metavar="TỆP", exists=True)],
    decision: Annotated[
        str,
        typer.Option("--decision", help="Đọc theo quyết định này (130, 4750, 3176, 1931); mặc định theo ngày ra viện."),
    ] = "",
    facility: Annotated[
        str, typer.Option("--facility", help="MA_CSKCB, dùng khi tệp không nêu (bảng gửi rời).", metavar="MÃ")
    ] = "",
    json: Json = False,
) -> None:
    """Đọc tệp XML BHYT (GIAMDINHHS, bảng rời): mỗi hồ sơ thành tài nguyên FHIR nào, trường nào chưa hiểu.

    Một hồ sơ: các bảng, tài nguyên, trường chưa biết. Nhiều hồ sơ: mỗi hồ sơ một dòng.

    Không cần nút đang chạy, không ghi gì. Tệp hỏng không dừng các tệp khác. Mã thoát 1 nếu có tệp hay hồ sơ không đọc được.

    --json in mỗi hồ sơ một dòng; ở đó lý do ("reason") luôn là câu tiếng Anh cố định, để chương trình so được.

    Ví dụ: lienthong bhyt read ho-so.xml

    Ví dụ: lienthong bhyt read thu-muc/ --json > ket-qua.ndjson

    Ví dụ: lienthong bhyt read check-in.xml --facility 01999
    """
    if decision and decision not in DECISIONS:
        raise typer.BadParameter(", ".join(DECISIONS), param_hint="--decision")
    files = files_in(paths)
    if not files:
        errors.print("Không có tệp nào: trong thư mục chỉ đọc các tệp .xml.")
        raise typer.Exit(1)
    results: list[Read] = []
    failed = 0
    quiet = json or len(files) < 2 or not sys.stdout.isatty()
    with Progress(console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("đọc", total=len(files))
        for file in files:
            for one in read_file(file, decision, facility):
                failed += one.fault is not None
                if json:
                    _print_line(one)
                else:
                    _keep(results, one)
            progress.advance(task)
    if len(results) == 1:
        show_one(results[0])
    elif results:
        show_list(results)
    if failed:
        raise typer.Exit(1)


def _keep(results: list[Read], one: Read) -> None:
    """Keep what the tables need: of more than one visit only what was not understood."""
    if results:
        for other in (*results[:1], one):
            if other.outcome:
                unknown = Coverage(unknown=other.outcome.coverage.unknown)
                other.outcome = Outcome((), unknown, notices=other.outcome.notices)
    results.append(one)


def files_in(paths: Sequence[Path]) -> list[Path]:
    """Give the files named, and of a folder all that end in .xml, sorted; each once."""
    found: dict[Path, None] = {}
    for path in paths:
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() == ".xml") if path.is_dir() else [path]
        found |= dict.fromkeys(inside)
    return list(found)


def read_file(file: Path, decision: str = "", facility: str = "") -> Iterator[Read]:
    """Read the visits of a file, one at a time; whatever goes wrong is a fault, never an exception."""
    try:
        with file.open("rb") as source:
            for visit in read_visits(source):
                yield read_one(str(file), visit, decision, facility)
    except OSError as error:
        yield Read(str(file), fault=InternalFault(file.name, type(error).__name__))
    except Fault as fault:
        yield Read(str(file), fault=fault)
    except Exception as error:  # noqa: BLE001 - one file must not end the run over a folder
        yield Read(str(file), fault=InternalFault(detail=describe(error)))


def read_one(file: str, visit: Visit, decision: str = "", facility: str = "") -> Read:
    """Map one visit."""
    try:
        outcome = visit_to_outcome(visit, decision=decision or None, facility=facility)
        for resource in outcome.resources:
            require_valid(resource)
    except Fault as fault:
        return Read(file, visit, fault=fault)
    except Exception as error:  # noqa: BLE001 - one visit must not end the run over a file
        return Read(file, visit, fault=InternalFault(detail=describe(error)))
    sizes = (len(getattr(outcome.coverage, state)) for state in STATES)
    return Read(file, visit, outcome, counts=Counter(dict(zip(STATES, sizes, strict=True))))


def _print_line(one: Read) -> None:
    sys.stdout.buffer.write(json.dumps(one.as_dict()) + b"\n")
    sys.stdout.buffer.flush()
