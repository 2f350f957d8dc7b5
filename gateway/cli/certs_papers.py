"""`lienthong certs expiring` and `certs form`: what ends when, and forms to print."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.engine import Connection, Row

from gateway.certificates import forms, notices, register
from gateway.certificates.enrolment import private
from gateway.certificates.register import FINAL
from gateway.cli.access import ledger
from gateway.cli.certs_shown import STATES, summary
from gateway.cli.output import HERE, Config, Json, console, moment, print_json, print_table
from gateway.clock import SystemClock
from gateway.settings import Plan
from gateway.store import certificates as rows

_HEADINGS = {
    "code": "Mã nhân viên",
    "name": "Họ và tên",
    "department": "Khoa/phòng",
    "email": "E-mail",
    "serial": "Số sê-ri chứng thư",
    "provider": "Nhà cung cấp",
    "ends_on": "Hết hạn",
    "days_left": "Còn (ngày)",
    "state": "Trạng thái",
    "renewal": "Gia hạn",
    "notices": "Đã báo",
}


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
        found = store.read_now(
            lambda connection: [_ends(connection, plan, row, now) for row in _near(connection, now, days)]
        )
    if csv_file:
        _write(csv_file, _csv([line for _, line in found]))
    if json:
        print_json(
            [
                summary(row) | {key: line[key] for key in ("days_left", "renewal", "email")} | {"notices": line["sent"]}
                for row, line in found
            ]
        )
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


def _near(connection: Connection, now: int, days: int) -> list[Row[Any]]:
    return notices.ending(connection, now, days)


def _ends(connection: Connection, plan: Plan, row: Row[Any], now: int) -> tuple[Row[Any], dict[str, Any]]:
    renewals = [one for one in rows.replacing(connection, row.holder_id, row.id) if one.state not in FINAL]
    sent = notices.sent(connection, [row.id])
    told = [
        f"{days} ngày → {'người giữ' if recipient == 'holder' else 'CNTT'} {moment(at)[:10]}"
        for (_, days, recipient), at in sorted(sent.items(), key=lambda item: (-item[0][1], item[0][2]))
    ]
    line = {
        "code": row.holder_code,
        "name": row.holder_name,
        "department": row.holder_department,
        "email": private(plan.keyring, register.holder(connection, row.holder_code))["email"],
        "serial": row.serial,
        "provider": row.provider,
        "ends_on": moment(row.not_after)[:10],
        "days_left": (row.not_after - now) // notices.DAY,
        "state": STATES[row.state],
        "renewal": STATES[renewals[0].state] if renewals else "chưa",
        "notices": "; ".join(told),
        "sent": [{"days": days, "recipient": recipient} for _, days, recipient in sorted(sent)],
    }
    return row, line


def _csv(lines: list[dict[str, Any]]) -> bytes:
    """Write what Excel opens with a double click in Vietnam; a cell never begins like a formula."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";")
    writer.writerow(_HEADINGS.values())
    for line in lines:
        cells = [str(line[key]) for key in _HEADINGS]
        writer.writerow([f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell for cell in cells])
    return text.getvalue().encode("utf-8-sig")


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
        subject = store.read_now(lambda connection: _subject(connection, plan, holder))
    _write(output, made(kind, subject))
    console.print(str(output), soft_wrap=True)


def _subject(connection: Connection, plan: Plan, key: str) -> forms.Subject:
    who = rows.holder_of(connection, key)
    if who is not None:
        own = rows.of_holder(connection, who.id)
        living = [row for row in own if row.state not in FINAL]
        certificate = living[-1] if living else None
    else:
        certificate = register.find(connection, key)
        who = register.holder(connection, certificate.holder_code)
    return forms.Subject(plan.facility, who, private(plan.keyring, who), certificate)


def _write(file: Path, body: bytes) -> None:
    """Write a file that only its owner reads: it holds personal data."""
    if not file.parent.is_dir():
        raise typer.BadParameter(f"{file.parent} không phải thư mục")
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(body)
