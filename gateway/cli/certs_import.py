"""`lienthong certs import`: the staff list of human resources, checked before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.engine import Connection

from gateway.certificates.procedure import Brought, bring_in
from gateway.certificates.register import Act
from gateway.certificates.told import STATES
from gateway.cli.access import actor, ledger
from gateway.cli.output import HERE, Config, Json, console, print_json, print_table
from gateway.clock import SystemClock
from mappings.formats.sheet import read


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command("import")(import_)


def import_(
    file: Annotated[Path, typer.Argument(help="Danh sách nhân sự: .xlsx hoặc .csv.", exists=True, dir_okay=False)],
    check_only: Annotated[bool, typer.Option("--check", help="Chỉ kiểm tra và cho xem sẽ đổi gì; không ghi.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Danh sách đầy đủ: ai không có trong đó thì được đề nghị thu hồi chứng thư.")
    ] = False,
    request: Annotated[
        bool, typer.Option("--request/--no-request", help="Lập đề nghị cấp cho người chưa có chứng thư.")
    ] = True,
    provider: Annotated[str, typer.Option(help="Nhà cung cấp ghi vào các đề nghị.")] = "",
    reason: Annotated[str, typer.Option("--reason", "-r", help="Ghi chú, ví dụ số công văn.")] = "",
    config: Config = HERE,
    json: Json = False,
) -> None:
    """Nhập danh sách người cần chứng thư. Có lỗi ở bất kỳ dòng nào thì không ghi gì, và nêu từng lỗi: dòng, cột, sai gì.

    Cột: Mã nhân viên, Họ và tên, CCCD, Khoa/phòng, Chức danh nghề nghiệp; nếu có: Chức vụ, Số giấy phép hành nghề, Vai trò ký,
    E-mail, Điện thoại. Mã thoát 1 khi có lỗi.

    Ví dụ: lienthong certs import nhan-su.xlsx --check
    """
    lines = read(file.read_bytes())
    who, now = actor(), SystemClock().now()
    with ledger(config) as (plan, store):

        def unit(connection: Connection) -> Brought:
            act = Act(who, reason, now)
            return bring_in(
                connection, plan, act, lines, full=full, request=request, provider=provider, only_check=check_only
            )

        brought = store.read_now(unit) if check_only else store.write_now(unit)
    if json:
        print_json(brought.told())
    else:
        _tell(brought)
    if brought.problems:
        raise typer.Exit(1)


def _tell(brought: Brought) -> None:
    changes, problems = brought.changes, brought.problems
    if problems:
        print_table(
            f"{len(problems)} lỗi; chưa ghi gì",
            ("dòng", "cột", "sai gì"),
            ((one.line, one.field, one.text) for one in problems),
            right=(0,),
        )
        return
    assert changes is not None
    verb = "đã ghi" if brought.written else "chưa ghi gì (--check)"
    console.print(f"{len(brought.checked.staff)} người, không có lỗi; {verb}")
    console.print(
        f"mới: {len(changes.new)} · thay đổi: {len(changes.changed)} · như cũ: {changes.same} · trở lại: {len(changes.back)}"
        f" · chưa có chứng thư: {len(changes.without)} · đề nghị cấp: {len(brought.requested)}",
        soft_wrap=True,
    )
    if brought.checked.ignored:
        console.print(f"cột không dùng: {', '.join(brought.checked.ignored)}", soft_wrap=True, markup=False)
    if changes.proposed:
        print_table(
            "Đề nghị thu hồi: không còn trong danh sách",
            ("mã", "người giữ", "trạng thái"),
            ((row.id, f"{row.holder_code} {row.holder_name}", STATES[row.state]) for row in changes.proposed),
        )
