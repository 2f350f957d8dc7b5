"""`lienthong codes`: what the site's code tables lack."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.access import ledger
from gateway.cli.output import HERE, Config, Json, iso, moment, print_json, print_table
from gateway.store import codes as rows

app = typer.Typer(help="Mã dùng tại cơ sở và danh mục dùng chung.", no_args_is_help=True)


@app.callback()
def codes() -> None:
    """Mã dùng tại cơ sở và danh mục dùng chung."""


@app.command("unmapped")
def unmapped(
    config: Config = HERE,
    limit: Annotated[int, typer.Option(help="Số dòng nhiều nhất; 0 = tất cả.")] = 0,
    json: Json = False,
) -> None:
    """Liệt kê mã chưa có trong bảng mã nào, mã gặp nhiều nhất trước. Không chứa dữ liệu người bệnh.

    Ví dụ: lienthong codes unmapped -c /etc/lienthong --limit 20
    """
    with ledger(config) as (_, store):
        found = store.read_now(lambda connection: rows.listing(connection, limit))
    if json:
        print_json(
            [
                {
                    "system": row.system,
                    "code": row.code,
                    "display": row.display,
                    "field": row.field,
                    "messages": row.messages,
                    "first_at": iso(row.first_at),
                    "last_at": iso(row.last_at),
                }
                for row in found
            ]
        )
        return
    print_table(
        "Mã chưa ánh xạ",
        ("hệ mã", "mã", "tên", "vị trí", "số thông điệp", "lần đầu", "lần cuối"),
        (
            (row.system, row.code, row.display, row.field, row.messages, moment(row.first_at), moment(row.last_at))
            for row in found
        ),
        right=(4,),
    )
