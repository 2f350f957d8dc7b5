"""`lienthong certs`: the register of certificates: who holds which, in what state, and every step of its life."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.certificates import lists
from gateway.certificates.told import EVENTS, INCIDENTS, ROLES, STATES, summary
from gateway.cli import certs_import, certs_papers, certs_steps
from gateway.cli.access import ledger, remember
from gateway.cli.output import HERE, Config, Json, console, moment, print_json, print_table
from gateway.states import CERTIFICATE, states
from gateway.store import certificates as rows

app = typer.Typer(
    help="Sổ đăng ký chứng thư chữ ký số: người giữ, cấp, bàn giao, sự cố, gia hạn, thu hồi.",
    invoke_without_command=True,
)


@app.callback()
@app.command("list")
def list_(
    context: typer.Context,
    config: Config = HERE,
    state: Annotated[
        list[str], typer.Option(help=f"Chỉ các trạng thái này: {', '.join(sorted(states(CERTIFICATE)))}.")
    ] = [],  # noqa: B006 - typer's form
    department: Annotated[str, typer.Option(help="Chỉ khoa/phòng này.")] = "",
    proposed: Annotated[
        bool, typer.Option("--proposed", help="Chỉ chứng thư được đề nghị thu hồi (người giữ rời danh sách nhân sự).")
    ] = False,
    limit: Annotated[int, typer.Option(help="Số dòng nhiều nhất; 0 = tất cả.")] = 0,
    json: Json = False,
) -> None:
    """Liệt kê chứng thư theo mã người giữ.

    Ví dụ: lienthong certs list --state active --department "Khoa Nội" -c /etc/lienthong
    """
    if context.invoked_subcommand:
        remember(config)
        return
    for one in state:
        if one not in states(CERTIFICATE):
            raise typer.BadParameter(f"{one}: không có trạng thái này", param_hint="--state")
    with ledger(config) as (_, store):
        found = store.read_now(
            lambda c: rows.listing(c, states=state, department=department, proposed=proposed, limit=limit)
        )
    if json:
        print_json([summary(row) for row in found])
        return
    print_table(
        "Chứng thư được đề nghị thu hồi" if proposed else "Chứng thư chữ ký số",
        ("mã", "người giữ", "khoa/phòng", "trạng thái", "hết hạn", "đề nghị"),
        (
            (
                row.id,
                f"{row.holder_code} {row.holder_name}",
                row.holder_department,
                STATES[row.state],
                moment(row.not_after)[:10],
                row.proposal,
            )
            for row in found
        ),
    )


Key = Annotated[str, typer.Argument(help="Mã chứng thư trong sổ, số sê-ri chứng thư, hoặc mã nhân viên.")]


@app.command("show")
def show(key: Key, config: Config = HERE, json: Json = False) -> None:
    """Cho xem một chứng thư hoặc một người giữ: mọi chứng thư của họ, bàn giao, cam kết, sự cố, nhật ký. Có dữ liệu cá nhân.

    Ví dụ: lienthong certs show NV001
    """
    with ledger(config) as (plan, store):
        found = store.read_now(lambda c: lists.holder(c, plan.keyring, key))
    if json:
        print_json(found)
        return
    _tell(found)


def _tell(found: dict[str, Any]) -> None:
    who, commitment = found["holder"], found["commitment"]
    roles = ", ".join(ROLES[role] for role in who["roles"])
    console.print(
        f"[bold]{who['code']} {who['name']}[/]  {who['title']}, {who['post']}, {who['department']}", soft_wrap=True
    )
    console.print(f"vai trò: {roles} · giấy phép hành nghề: {who['licence'] or 'không'}", soft_wrap=True)
    console.print(f"cam kết: {commitment['on'] or 'chưa ký'} {commitment['reference']}".rstrip(), soft_wrap=True)
    if not who["listed"]:
        console.print("[yellow]không còn trong danh sách nhân sự[/]")
    for one in found["certificates"]:
        device = " ".join(part for part in (one["device"]["kind"], one["device"]["serial"]) if part)
        console.print(f"\n[bold]{one['id']}[/] {STATES[one['state']]}, từ {one['state_since']}", soft_wrap=True)
        if one["serial"]:
            console.print(f"  số {one['serial']}, {one['issuer']}, đến {one['not_after']}", soft_wrap=True)
        console.print(f"  thiết bị {device or 'chưa có'}; bàn giao: {one['handover']['on'] or 'chưa'}", soft_wrap=True)
        if one["proposal"]:
            console.print(f"  [yellow]đề nghị thu hồi: {one['proposal']}[/]", soft_wrap=True)
        for incident in one["incidents"]:
            ended = incident["outcome"] or "đang mở"
            console.print(f"  sự cố {incident['id']} {INCIDENTS[incident['kind']]}: {ended}", soft_wrap=True)
    _tell_events(found["events"])


@app.command("events")
def events(
    key: Annotated[str, typer.Argument(help="Chỉ của chứng thư hoặc người giữ này.")] = "",
    config: Config = HERE,
    limit: Annotated[int, typer.Option(help="Số dòng nhiều nhất; 0 = tất cả.")] = 50,
    json: Json = False,
) -> None:
    """Nhật ký: ai đã làm gì, lúc nào, vì sao; mới nhất trước. Chỉ thêm, không sửa, không xóa.

    Ví dụ: lienthong certs events NV001
    """
    with ledger(config) as (_, store):
        found = store.read_now(lambda c: lists.events(c, key, limit))
    if json:
        print_json(found)
    else:
        _tell_events(found)


def _tell_events(found: list[dict[str, Any]]) -> None:
    print_table(
        "Nhật ký",
        ("lúc", "việc", "trạng thái", "do", "lý do", "chứng thư"),
        (
            (
                one["at_local"],
                EVENTS.get(one["event"], one["event"]),
                STATES.get(one["state"], ""),
                one["actor"],
                one["reason"],
                one["certificate"] or "",
            )
            for one in found
        ),
    )


certs_import.add_to(app)
certs_steps.add_to(app)
certs_papers.add_to(app)
