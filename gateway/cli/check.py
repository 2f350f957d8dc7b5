"""`lienthong check`: every problem of the configuration at once."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import typer

from gateway import probes, signing_review
from gateway.accounts import Account, accounts
from gateway.cli.output import (
    HERE,
    Config,
    Json,
    complain,
    console,
    fault_dict,
    language,
    now_local,
    print_json,
    print_table,
)
from gateway.configuration import load
from gateway.faults import ConfigFault, ConfigInvalid
from gateway.settings import Plan
from gateway.text import text


def check(
    config: Config = HERE,
    json: Json = False,
    probe: Annotated[bool, typer.Option(help="Thử mở cổng, khóa ký và chứng thư gốc.")] = True,
) -> None:
    """Kiểm tra toàn bộ cấu hình: tệp, dòng, cách sửa; thử cổng, bí mật và khóa ký.

    Mã thoát 1 khi có lỗi, 0 khi chỉ có lưu ý.

    Ví dụ: lienthong check --config /etc/lienthong --json
    """
    plan: Plan | None = None
    try:
        plan = load(config)
        found: tuple[ConfigFault, ...] = tuple(probes.problems(plan)) if probe else ()
    except ConfigInvalid as invalid:
        found = invalid.problems
    doubts = [] if plan is None else list(signing_review.doubts(plan))
    held = [] if plan is None else list(accounts(plan))
    today = now_local().date()
    if json:
        told = [fault_dict(p.code, p.where, p.detail) for p in found]
        warned = [fault_dict(one.code, one.where, one.detail) for one in doubts]
        print_json({"problems": told, "warnings": warned, "accounts": [_told(one, today) for one in held]})
    elif found:
        complain(ConfigInvalid(found))
        console.print(f"{len(found)} lỗi cấu hình.")
    else:
        console.print("Cấu hình đúng.")
    if not json:
        for one in doubts:
            words = f"LT{one.code} {one.where}: {one.detail}. {text(one.code, language())}"
            console.print(f"[yellow]lưu ý[/] {words}", soft_wrap=True)
    if held and not json:
        _show(held, today)
    if found:
        raise typer.Exit(1)


def _told(account: Account, today: date) -> dict[str, Any]:
    return {
        "destination": account.destination,
        "username": account.username,
        "owner": account.owner,
        "changed_on": account.changed_on or None,
        "change_by": account.change_by.isoformat() if account.change_by else None,
        "due": account.is_due(today),
    }


def _show(held: list[Account], today: date) -> None:
    print_table(
        "Tài khoản ở nơi nhận",
        ("nơi nhận", "tài khoản", "người phụ trách", "đổi mật khẩu lần cuối", "phải đổi trước"),
        (
            (
                one.destination,
                one.username,
                one.owner or "chưa ghi (owner)",
                one.changed_on or "chưa ghi (changed_on)",
                f"{one.change_by:%d/%m/%Y}{' — QUÁ HẠN, đổi ngay' if one.is_due(today) else ''}"
                if one.change_by
                else "",
            )
            for one in held
        ),
    )
