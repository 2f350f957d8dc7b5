"""`lienthong map`: what becomes of messages, field by field, without a running node and without a store."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from gateway.cli.files import TABLES, files_of, messages_of
from gateway.cli.mapped import Mapped, map_one, map_table
from gateway.cli.mapping_table import show_list, show_one
from gateway.cli.output import Json, console, errors
from gateway.configuration import load
from gateway.faults import InternalFault
from gateway.site import load_site
from mappings.formats import json
from mappings.guides import Guide, guides, in_guide
from mappings.hl7v2 import Context
from mappings.lab.layout import Layout, parse_layout


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
    layout: Annotated[
        Path | None,
        typer.Option(
            help="Tệp kênh có [layout]: các tệp là bảng kết quả (CSV, Excel, cột cố định).", dir_okay=False, exists=True
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Cho xem thông điệp HL7 v2 hoặc của máy xét nghiệm (ASTM) thành gì: từng trường đi về đâu trong FHIR, hoặc vì sao không.

    Một thông điệp: từng trường một dòng. Nhiều thông điệp: mỗi thông điệp một dòng, rồi các trường chưa biết, nhiều nhất trước.

    Không cần nút đang chạy, không ghi gì. Mã thoát 1 nếu có thông điệp không ánh xạ được.

    --json in mỗi thông điệp một dòng; ở đó lý do ("reason") luôn là câu tiếng Anh cố định, để chương trình so được.

    Ví dụ: lienthong map thong-diep.hl7

    Ví dụ: lienthong map may-huyet-hoc.astm

    Ví dụ: lienthong map ket-qua.csv --layout channels/lab-table.toml

    Ví dụ: lienthong map thu-muc/ --json > ket-qua.ndjson

    Ví dụ: lienthong map thong-diep.hl7 --json --guide "http://fhir.ehealth.gov.vn/core|1.0.0"
    """
    said = _guide(guide)
    context = _context(config, facility)
    declared = _layout(layout)
    files = files_of(paths, TABLES) if declared else files_of(paths)
    if not files:
        errors.print(
            "Không có thông điệp nào: trong thư mục chỉ đọc các tệp .hl7, .astm, .txt, .er7, .msg, .dat, .mllp."
        )
        raise typer.Exit(1)
    results: list[Mapped] = []
    failed = 0
    quiet = json or len(files) < 2 or not sys.stdout.isatty()
    with Progress(console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("ánh xạ", total=len(files))
        for file in files:
            for mapped in _map_table(file, declared, context) if declared else _map_file(file, context, charset):
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


def _layout(file: Path | None) -> Layout | None:
    if file is None:
        return None
    try:
        return parse_layout(tomllib.loads(file.read_text(encoding="utf-8"))["layout"])
    except KeyError:
        raise typer.BadParameter(f"{file.name}: không có [layout]", param_hint="--layout") from None
    except (ValueError, OSError) as error:
        raise typer.BadParameter(f"{file.name}: {error}", param_hint="--layout") from None


def _map_table(file: Path, layout: Layout, context: Context) -> Iterator[Mapped]:
    try:
        yield from map_table(str(file), file.read_bytes(), layout, context)
    except OSError as error:
        yield Mapped(str(file), "", fault=InternalFault(file.name, type(error).__name__))


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


def _print_line(mapped: Mapped) -> None:
    sys.stdout.buffer.write(json.dumps(mapped.as_dict()) + b"\n")
    sys.stdout.buffer.flush()


def _show(results: list[Mapped]) -> None:
    """Show one message side by side, several as a list."""
    if len(results) == 1 and not results[0].rows:
        show_one(results[0])
    else:
        show_list(results)
