"""`lienthong certs import`: the staff list of human resources, checked before anything is written."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.engine import Connection

from gateway.certificates.enrolment import Changes, compare, enrol
from gateway.certificates.register import Act
from gateway.certificates.staff_list import Checked, Problem, check
from gateway.cli.access import actor, ledger
from gateway.cli.certs_shown import STATES
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
    found = read(file.read_bytes())
    who, now = actor(), SystemClock().now()
    with ledger(config) as (plan, store):
        keyring = plan.keyring
        checked = check(found, plan.facility.departments, plan.facility.code)

        def look(connection: Connection) -> Changes | None:
            return None if checked.problems else compare(connection, keyring, checked.staff, whole=full)

        def write(connection: Connection) -> tuple[Changes | None, list[str]]:
            changes = look(connection)
            if changes is None or changes.problems:
                return changes, []
            act = Act(who, reason, now)
            return changes, enrol(connection, keyring, changes, act, request=request, provider=provider)

        changes, requested = (store.read_now(look), []) if check_only else store.write_now(write)
    problems = checked.problems or (changes.problems if changes else ())
    said = _said(checked, changes, problems, requested, written=not check_only and not problems)
    if json:
        print_json(said)
    else:
        _tell(said, checked, changes, problems)
    if problems:
        raise typer.Exit(1)


def _said(
    checked: Checked, changes: Changes | None, problems: tuple[Problem, ...], requested: list[str], *, written: bool
) -> dict[str, Any]:
    said: dict[str, Any] = {
        "written": written,
        "people": len(checked.staff),
        "problems": [asdict(one) for one in problems],
        "ignored_columns": list(checked.ignored),
    }
    if changes is None or problems:
        return said
    return said | {
        "new": [one.code for one in changes.new],
        "changed": [{"code": one.code, "fields": list(fields)} for _, one, fields in changes.changed],
        "same": changes.same,
        "back": [row.code for row in changes.back],
        "left": [row.code for row in changes.left],
        "without_certificate": [one.code for one in changes.without],
        "requested": requested,
        "proposed": [{"id": row.id, "holder": row.holder_code, "state": row.state} for row in changes.proposed],
    }


def _tell(said: dict[str, Any], checked: Checked, changes: Changes | None, problems: tuple[Problem, ...]) -> None:
    if problems:
        print_table(
            f"{len(problems)} lỗi; chưa ghi gì",
            ("dòng", "cột", "sai gì"),
            ((one.line, one.field, one.text) for one in problems),
            right=(0,),
        )
        return
    assert changes is not None
    verb = "đã ghi" if said["written"] else "chưa ghi gì (--check)"
    console.print(f"{len(checked.staff)} người, không có lỗi; {verb}")
    console.print(
        f"mới: {len(changes.new)} · thay đổi: {len(changes.changed)} · như cũ: {changes.same} · trở lại: {len(changes.back)}"
        f" · chưa có chứng thư: {len(changes.without)} · đề nghị cấp: {len(said['requested'])}",
        soft_wrap=True,
    )
    if checked.ignored:
        console.print(f"cột không dùng: {', '.join(checked.ignored)}", soft_wrap=True, markup=False)
    if changes.proposed:
        print_table(
            "Đề nghị thu hồi: không còn trong danh sách",
            ("mã", "người giữ", "trạng thái"),
            ((row.id, f"{row.holder_code} {row.holder_name}", STATES[row.state]) for row in changes.proposed),
        )
