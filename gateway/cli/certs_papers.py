"""`lienthong certs expiring` and `certs form`: what ends when, and forms to print."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from gateway.certificates import forms, lists, notices
from gateway.cli.access import ledger
from gateway.cli.output import HERE, Config, Json, console, print_json, print_table
from gateway.clock import SystemClock


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("expiring")(expiring)
    app.command("form")(form)


def expiring(
    days: Annotated[int, typer.Option(help="Hết hạn trong số ngày này.", min=0, max=3650)] = notices.DAYS[0],
    csv_file: Annotated[
        Path | None,
        typer.Option("--csv", help="Xuất ra tệp CSV (mở được bằng Excel), có địa chỉ e-mail của người giữ."),
    ] = None,
    config: Config = HERE,
    json: Json = False,
) -> None:
    """Chứng thư nào hết hạn lúc nào, đã báo ai (60, 30, 7 ngày), đã xin gia hạn chưa. Nút đang chạy tự báo mỗi ngày một lần.

    Ví dụ: lienthong certs expiring --days 90 --csv het-han.csv
    """
    now = SystemClock().now()
    with ledger(config) as (plan, store):
        found = store.read_now(lambda connection: lists.expiring(connection, plan, now, days))
    if csv_file:
        _write(csv_file, lists.expiring_csv(found))
    if json:
        print_json(lists.expiring_told(found))
        return
    print_table(
        f"Hết hạn trong {days} ngày",
        ("mã", "người giữ", "hết hạn", "còn (ngày)", "gia hạn", "đã báo"),
        (
            (
                row.id,
                f"{line['code']} {line['name']}",
                line["ends_on"],
                line["days_left"],
                line["renewal"],
                line["notices"],
            )
            for row, line in found
        ),
        right=(3,),
    )


def form(
    kind: Annotated[str, typer.Argument(help="handover: biên bản bàn giao · commitment: bản cam kết.")],
    holder: Annotated[str, typer.Option(help="Mã nhân viên; với con dấu là mã cơ sở. Hoặc mã chứng thư.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Tệp .pdf hoặc .html.")],
    config: Config = HERE,
) -> None:
    """In biên bản bàn giao hoặc bản cam kết, điền sẵn những gì sổ biết; chỗ chưa biết là dòng chấm. Có dữ liệu cá nhân.

    Ví dụ: lienthong certs form handover --holder NV001 -o ban-giao-NV001.pdf
    """
    if kind not in forms.KINDS:
        raise typer.BadParameter(f"chỉ có {', '.join(forms.KINDS)}", param_hint="KIND")
    made = {".pdf": forms.pdf, ".html": forms.page}.get(output.suffix.lower())
    if made is None:
        raise typer.BadParameter("tên tệp kết thúc bằng .pdf hoặc .html", param_hint="--output")
    with ledger(config) as (plan, store):
        subject = store.read_now(lambda connection: lists.subject(connection, plan, holder))
    _write(output, made(kind, subject))
    console.print(str(output), soft_wrap=True)


def _write(file: Path, body: bytes) -> None:
    """Write a file that only its owner reads: it holds personal data."""
    if not file.parent.is_dir():
        raise typer.BadParameter(f"{file.parent} không phải thư mục")
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(body)
