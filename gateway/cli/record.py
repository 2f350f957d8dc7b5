"""`lienthong record`: give out the whole record of a visit."""

from __future__ import annotations

import hashlib
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress
from sqlalchemy.engine import Connection

from gateway import export
from gateway.cli.access import actor, ledger
from gateway.cli.output import HERE, Config, Json, console, errors, print_json
from gateway.clock import SystemClock
from gateway.faults import DocumentWithheld
from gateway.store import actions
from mappings import emr_export

app = typer.Typer(help="Hồ sơ của một lượt khám, điều trị: kết xuất khi có yêu cầu.", no_args_is_help=True)


class Form(StrEnum):
    """How a record is given out."""

    zip = "zip"
    xml = "xml"
    json = "json"


@app.callback()
def record() -> None:
    """Hồ sơ của một lượt khám, điều trị."""


@app.command("export")
def export_(
    encounter: Annotated[str, typer.Option(help="Số lượt khám, điều trị (số vào viện, MA_LK) hoặc mã Encounter.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Tệp kết quả; chưa được có.")],
    basis: Annotated[
        str,
        typer.Option(
            help="Căn cứ được đưa ra (bắt buộc, ghi lại cùng tên người làm): điều luật, hoặc referral, emergency, request."
        ),
    ],
    to: Annotated[
        Form,
        typer.Option(help="zip: giấy đã ký, chữ ký, mục lục và HoSoBenhAn; xml, json: riêng HoSoBenhAn (CV 365)."),
    ] = Form.zip,
    closed_lists: Annotated[
        bool,
        typer.Option("--closed-lists", help="Người nhận được luật cho xem bệnh thuộc danh mục hạn chế (HIV …)."),
    ] = False,
    config: Config = HERE,
    json: Json = False,
) -> None:
    """Kết xuất hồ sơ của một lượt khám, điều trị. Tệp chứa dữ liệu người bệnh và không mã hóa: người nhận phải giữ.

    Mã thoát 1 khi không được đưa ra, không có lượt này, hoặc còn giấy đến hạn chưa ký (tệp vẫn được ghi).

    Ví dụ: lienthong record export --encounter LK-2026-000001 --basis "Luật KCB Điều 69" --to zip -o ho-so.zip -c /etc/lienthong
    """
    if not basis.strip():
        raise typer.BadParameter("phải nêu căn cứ", param_hint="--basis")
    if output.exists():
        raise typer.BadParameter(f"{output} đã có", param_hint="--output")
    if not output.parent.is_dir():
        raise typer.BadParameter(f"{output.parent} không phải thư mục", param_hint="--output")
    who, now = actor(), SystemClock().now()
    with ledger(config) as (plan, store):
        visit = store.read_now(lambda connection: export.visit_of(connection, plan, encounter))
        target = f"Encounter/{visit.id}"

        def note(connection: Connection, verb: str, reason: str) -> str:
            return actions.insert(connection, at=now, actor=who, verb=verb, target=target, reason=reason)

        with Progress(console=errors, transient=True, disable=json or not sys.stderr.isatty()) as progress:
            task = progress.add_task("giấy tờ", total=None)

            def query(connection: Connection) -> export.Export:
                return export.gather(
                    connection,
                    plan,
                    visit,
                    basis=basis,
                    now=now,
                    closed_lists=closed_lists,
                    told=lambda done, of: progress.update(task, completed=done, total=of),
                )

            try:
                made = store.read_now(query)
            except DocumentWithheld as fault:
                reason = f"{basis.strip()}; {fault.detail}"
                store.write_now(lambda connection: note(connection, "withhold", reason))
                raise
        body = _written(made, to)
        sha256 = hashlib.sha256(body).hexdigest()
        store.write_now(lambda connection: note(connection, "export", f"{basis.strip()}; {to}; sha256 {sha256}"))
    _keep(output, body)
    _tell(made, output, body, sha256, json)
    if made.waiting:
        raise typer.Exit(1)


def _written(made: export.Export, to: Form) -> bytes:
    if to is Form.zip:
        return export.as_zip(made)
    return emr_export.to_xml(made.hoso) if to is Form.xml else emr_export.to_json(made.hoso)


def _keep(output: Path, body: bytes) -> None:
    """Write the file for its owner's eyes only; never over another."""
    with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _tell(made: export.Export, output: Path, body: bytes, sha256: str, json: bool) -> None:
    said: dict[str, Any] = {
        "file": str(output),
        "size": len(body),
        "sha256": sha256,
        "encounter": made.encounter,
        "signed": made.signed,
        "waiting": made.waiting,
        "papers": [
            {name: paper[name] for name in ("id", "paper", "version", "act", "state", "fault")}
            for paper in made.index["papers"]
        ],
    }
    if json:
        print_json(said)
        return
    console.print(f"{output}: {len(body)} byte, SHA-256 {sha256}", soft_wrap=True)
    console.print(f"  giấy đã ký: {made.signed}; đến hạn chưa ký: {made.waiting}")
    for paper in made.index["papers"]:
        if paper["state"] != "signed":
            console.print(f"  [yellow]chưa ký:[/] {paper['title']} ({paper['state']}) {paper['fault'] or ''}".rstrip())
