"""`lienthong key`: keys that seal the ledger."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gateway.cli.output import now_local
from gateway.store.sealed import new_key_line

app = typer.Typer(help="Khóa mã hóa sổ cái.", no_args_is_help=True)


@app.command("new")
def new(name: Annotated[str, typer.Option(help="Mã khóa; mặc định là ngày hôm nay.")] = "") -> None:
    """In một dòng khóa mới cho tệp khóa. Thêm dòng mới vào CUỐI tệp để đổi khóa; không xóa các dòng cũ.

    Ví dụ: lienthong key new > secrets/store-keys && chmod 600 secrets/store-keys
    """
    sys.stdout.write(new_key_line(name or now_local().strftime("k%Y%m%d")) + "\n")
