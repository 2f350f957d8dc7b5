"""`lienthong errors`: what waits for a person, and what a person can do about it."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

import typer
from sqlalchemy.engine import Connection

from gateway import repair
from gateway.cli.access import actor, ledger, remember
from gateway.cli.output import (
    HERE,
    Config,
    Json,
    complain,
    console,
    fault_dict,
    iso,
    language,
    moment,
    print_json,
    print_table,
)
from gateway.clock import Clock, SystemClock
from gateway.faults import NothingThere, NotPossibleNow
from gateway.store import actions
from gateway.text import text

app = typer.Typer(help="Hàng lỗi: việc cần con người, nguyên nhân và cách xử lý.", invoke_without_command=True)

Ids = Annotated[list[str], typer.Argument(help="Mã thông điệp, giấy tờ, lần gửi hoặc báo cáo lưu trữ.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Lý do, được ghi lại cùng tên người làm.")]


@app.callback()
@app.command("list")
def list_(
    context: typer.Context,
    config: Config = HERE,
    limit: Annotated[int, typer.Option(help="Số dòng nhiều nhất; 0 = tất cả.")] = 0,
    json: Json = False,
) -> None:
    """Liệt kê mọi việc đang chờ con người, mới nhất trước.

    Ví dụ: lienthong errors -c /etc/lienthong
    """
    if context.invoked_subcommand:
        remember(config)
        return
    with ledger(config) as (_, store):
        found = store.read_now(lambda connection: repair.error_queue(connection, limit))
    if json:
        print_json(
            [
                {
                    "what": item.what,
                    "id": item.id,
                    "about": item.about,
                    "at": iso(item.at),
                    "fault": fault_dict(item.fault_code, item.where, item.detail),
                }
                for item in found
            ]
        )
        return
    print_table(
        "Hàng lỗi",
        ("loại", "mã", "về", "lúc", "lỗi", "vị trí", "chuyện gì — làm gì"),
        (
            (
                item.what,
                item.id,
                item.about,
                moment(item.at),
                f"LT{item.fault_code:04d}",
                " ".join((item.where, item.detail)).strip(),
                text(item.fault_code, language()),
            )
            for item in found
        ),
    )


@app.command("show")
def show(item_id: str, config: Config = HERE, json: Json = False) -> None:
    """Cho xem một việc: lỗi, vị trí, cách xử lý, các thao tác đã làm."""

    def query(connection: Connection) -> dict[str, Any]:
        what, row = repair.kind_of(connection, item_id)
        done = actions.of_target(connection, item_id)
        return {
            "what": what,
            "id": item_id,
            "state": row.state,
            "attempts": row.attempts,
            "fault": fault_dict(row.fault_code, row.fault_where, row.fault_detail),
            "actions": [{"at": iso(a.at), "actor": a.actor, "verb": a.verb, "reason": a.reason} for a in done],
        }

    with ledger(config) as (_, store):
        full = store.read_now(query)
    if json:
        print_json(full)
        return
    console.print(f"[bold]{full['what']}[/] {item_id}: {full['state']}")
    if full["fault"]:
        fault = full["fault"]
        console.print(f"{fault['code']} {fault['where']} {fault['detail']}".strip())
        console.print(f"  chuyện gì: {fault['what']}\n  làm gì:    {fault['do']}")
    for act in full["actions"]:
        console.print(f"  {act['at']} {act['actor']}: {act['verb']} — {act['reason']}")


class _Act(Protocol):
    def __call__(self, connection: Connection, item_id: str, actor: str, reason: str, clock: Clock, /) -> None: ...


def _each(config: Any, ids: list[str], reason: str, act: _Act) -> None:
    """Act on each; one that cannot be acted on now keeps the others waiting no longer than it takes to say so."""
    who = actor()
    clock = SystemClock()
    refused = False
    with ledger(config) as (_, store):
        for item_id in ids:
            try:
                store.write_now(lambda connection, item_id=item_id: act(connection, item_id, who, reason, clock))  # type: ignore[misc]
            except (NotPossibleNow, NothingThere) as fault:
                complain(fault)
                refused = True
            else:
                console.print(f"đã nhận: {item_id}")
    if refused:
        raise typer.Exit(1)


@app.command("retry")
def retry(ids: Ids, config: Config = HERE, reason: Reason = "") -> None:
    """Làm lại bước đã lỗi (ánh xạ lại thông điệp, lập lại giấy, gửi lại, báo lại cho thiết bị)."""
    _each(config, ids, reason, repair.retry)


@app.command("resend")
def resend(ids: Ids, config: Config = HERE, reason: Reason = "") -> None:
    """Gửi lại đúng các byte cũ với đúng khóa cũ."""
    _each(config, ids, reason, repair.resend)


@app.command("reprocess")
def reprocess(ids: Ids, config: Config = HERE, reason: Reason = "") -> None:
    """Ánh xạ lại thông điệp; giấy tờ sinh ra là phiên bản mới, nối với bản cũ."""
    _each(config, ids, reason, repair.reprocess)


@app.command("hold")
def hold(ids: Ids, config: Config = HERE, reason: Reason = "") -> None:
    """Giữ lại một thông điệp hoặc lần gửi đang chờ; chỉ khóa (người bệnh) đó phải chờ theo."""
    _each(config, ids, reason, repair.hold)


@app.command("release")
def release(ids: Ids, config: Config = HERE, reason: Reason = "") -> None:
    """Cho đi tiếp việc đang bị giữ."""
    _each(config, ids, reason, repair.release)


@app.command("skip")
def skip(
    ids: Ids,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Lý do (bắt buộc).")],
    config: Config = HERE,
) -> None:
    """Bỏ qua lần gửi đang chờ, đang giữ hoặc chưa rõ: giấy sau của cùng khóa đi tiếp; lần gửi này sang hàng lỗi.

    Ví dụ: lienthong errors skip 0197… -r "cổng BHYT khóa hồ sơ này đến hết tháng"
    """
    _each(config, ids, reason, repair.skip)


@app.command("close")
def close(
    ids: Ids,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Lý do (bắt buộc).")],
    config: Config = HERE,
) -> None:
    """Kết thúc một việc: đã quyết định không làm gì thêm. Dữ liệu vẫn ở trong sổ cái."""
    _each(config, ids, reason, repair.close)


@app.command("confirm")
def confirm(
    delivery_id: str,
    reference: Annotated[str, typer.Option(help="Mã tiếp nhận thấy ở trang của nơi nhận.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Ai đã xem, ở đâu (bắt buộc).")],
    config: Config = HERE,
) -> None:
    """Xác nhận rằng nơi nhận đã có giấy tờ này (đã xem tận nơi)."""
    who = actor()
    clock = SystemClock()
    with ledger(config) as (_, store):
        store.write_now(lambda connection: repair.confirm(connection, delivery_id, who, reason, clock, reference))
    console.print(f"đã nhận: {delivery_id}")
