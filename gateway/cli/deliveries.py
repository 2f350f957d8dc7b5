"""`lienthong deliveries`: one paper, one destination, one row."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from sqlalchemy.engine import Connection, Row

from gateway import repair
from gateway.cli.access import actor, ledger, remember
from gateway.cli.output import HERE, Config, Json, console, fault_dict, iso, moment, print_json, print_table
from gateway.clock import Clock, SystemClock
from gateway.delivery.limits import is_down, opens_at
from gateway.faults import NothingThere
from gateway.settings import Plan, Route
from gateway.store import actions, destinations, documents
from gateway.store import deliveries as rows

app = typer.Typer(help="Giấy tờ trên đường đến từng nơi nhận.", invoke_without_command=True)


@app.callback()
@app.command("list")
def list_(
    context: typer.Context,
    config: Config = HERE,
    state: Annotated[list[str], typer.Option(help="Chỉ các trạng thái này.")] = [],  # noqa: B006 - typer's form
    destination: Annotated[str, typer.Option(help="Chỉ nơi nhận này.")] = "",
    limit: Annotated[int, typer.Option(help="Số dòng nhiều nhất; 0 = tất cả.")] = 0,
    after: Annotated[str, typer.Option(help="Tiếp theo trang trước: mã cuối cùng.")] = "",
    json: Json = False,
) -> None:
    """Liệt kê các lần gửi, mới nhất trước.

    Ví dụ: lienthong deliveries -c /etc/lienthong --destination insurance_portal --state error
    """
    if context.invoked_subcommand:
        remember(config)
        return
    with ledger(config) as (_, store):
        found = store.read_now(
            lambda connection: rows.listing(
                connection, states=tuple(state), destination=destination, after=after, limit=limit
            )
        )
    if json:
        print_json([_summary(row) for row in found])
        return
    print_table(
        "Lần gửi",
        ("mã", "giấy tờ", "nơi nhận", "trạng thái", "lần lỗi", "hạn", "nhận lúc", "mã tiếp nhận", "lỗi"),
        (
            (
                row.id,
                row.paper,
                row.destination,
                row.state,
                row.attempts,
                moment(row.deadline_at),
                moment(row.accepted_at),
                row.reference,
                f"LT{row.fault_code:04d}" if row.fault_code else "",
            )
            for row in found
        ),
        right=(4,),
    )


@app.command("show")
def show(delivery_id: str, config: Config = HERE, json: Json = False) -> None:
    """Cho xem một lần gửi: mọi lần thử, biên nhận, thao tác của con người."""

    def query(connection: Connection) -> tuple[Row[Any], list[Row[Any]], list[Row[Any]]]:
        row = rows.get(connection, delivery_id)
        (summary,) = [r for r in rows.listing(connection, document_id=row.document_id) if r.id == delivery_id]
        return summary, rows.attempts(connection, delivery_id), actions.of_target(connection, delivery_id)

    with ledger(config) as (_, store):
        summary, attempts, done = store.read_now(query)
    full = _summary(summary) | {
        "tries": [
            {
                "number": a.number,
                "at": iso(a.ended_at),
                "event": a.event,
                "fault": fault_dict(a.fault_code, "", a.detail),
                "facts": msgspec.json.decode(a.facts),
            }
            for a in attempts
        ],
        "actions": [{"at": iso(a.at), "actor": a.actor, "verb": a.verb, "reason": a.reason} for a in done],
    }
    if json:
        print_json(full)
    else:
        console.print_json(msgspec.json.encode(full).decode(), ensure_ascii=False)


@app.command("destinations")
def destinations_(config: Config = HERE, json: Json = False) -> None:
    """Cho xem từng nơi nhận: đang chạy, tạm dừng, mất liên lạc hay ngoài giờ; còn bao nhiêu giấy chờ.

    Ví dụ: lienthong deliveries destinations -c /etc/lienthong
    """
    now = SystemClock().now()
    with ledger(config) as (plan, store):
        listed, waiting = store.read_now(lambda c: (destinations.listing(c), rows.waiting(c)))
    known = {row.name: row for row in listed}
    shown = [
        _destination(name, route, plan, known.get(name), waiting.get(name, 0), now)
        for name, route in plan.routes.items()
    ]
    if json:
        print_json(shown)
        return
    print_table(
        "Nơi nhận",
        ("nơi nhận", "tình trạng", "đến lúc", "giấy chờ", "lý do", "bởi"),
        (
            (one["name"], _CONDITIONS[one["condition"]], one["until"] or "", one["waiting"], one["reason"], one["by"])
            for one in shown
        ),
        right=(3,),
    )


_CONDITIONS = {
    "open": "đang chạy",
    "paused": "tạm dừng",
    "down": "mất liên lạc",
    "waiting": "được yêu cầu chờ",
    "closed": "ngoài giờ",
}


def _destination(name: str, route: Route, plan: Plan, row: Row[Any] | None, waiting: int, now: int) -> dict[str, Any]:
    rules, load = route.common.rules(plan.node.zone), destinations.load_of(row)
    opens = opens_at(rules, load, now)
    if load.paused:
        condition = "paused"
    elif is_down(rules, load):
        condition = "down"
    elif opens > now:
        condition = "closed" if rules.hours.opens_at(now) > now else "waiting"
    else:
        condition = "open"
    return {
        "name": name,
        "condition": condition,
        "until": iso(opens) if opens > now and not load.paused else None,
        "failures": load.failures,
        "waiting": waiting,
        "paused_at": iso(row.paused_at) if row is not None else None,
        "by": row.paused_by if row is not None else "",
        "reason": load.paused,
    }


@app.command("pause")
def pause(
    destination: str,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Lý do (bắt buộc).")],
    config: Config = HERE,
) -> None:
    """Dừng gửi đến một nơi nhận (đổi giao diện, nghỉ lễ, bảo trì); giấy chờ theo thứ tự đến khi cho chạy lại.

    Ví dụ: lienthong deliveries pause insurance_portal -r "cổng khóa giao diện 3176 đến 01/12"
    """
    _steer(destination, reason, config, repair.pause)
    console.print(f"đã dừng: {destination}", markup=False)


@app.command("resume")
def resume(
    destination: str,
    config: Config = HERE,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Lý do.")] = "",
) -> None:
    """Cho một nơi nhận đang tạm dừng chạy lại; giấy đầu tiên được gửi ngay."""
    _steer(destination, reason, config, repair.resume)
    console.print(f"chạy lại: {destination}", markup=False)


def _steer(
    destination: str, reason: str, config: Path, act: Callable[[Connection, str, str, str, Clock], None]
) -> None:
    clock = SystemClock()
    with ledger(config) as (plan, store):
        if destination not in plan.routes:
            raise NothingThere(destination, f"known: {', '.join(plan.routes)}")
        store.write_now(lambda connection: act(connection, destination, actor(), reason, clock))


@app.command("paper")
def paper(delivery_id: str, config: Config = HERE) -> None:
    """Xuất giấy tờ đã ký của một lần gửi, đúng các byte đã gửi, ra đầu ra chuẩn. Chứa dữ liệu người bệnh.

    Ví dụ: lienthong deliveries paper 0197… > giay.xml && lienthong verify giay.xml --trust ca.pem
    """
    with ledger(config) as (plan, store):

        def query(connection: Connection) -> Row[Any]:
            row = rows.get(connection, delivery_id)
            found = documents.first_signed(connection, row.document_id, plan.routes[row.destination].renditions)
            if found is None:
                raise NothingThere(where=delivery_id)
            return found

        found = store.read_now(query)
        sys.stdout.buffer.write(plan.keyring.open(found.body, f"{found.document_id}/{found.kind}"))


def _summary(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "document": row.document_id,
        "message": row.message_id,
        "paper": row.paper,
        "version": row.version,
        "destination": row.destination,
        "basis": row.basis,
        "state": row.state,
        "attempts": row.attempts,
        "created_at": iso(row.created_at),
        "due_at": iso(row.due_at),
        "deadline_at": iso(row.deadline_at),
        "accepted_at": iso(row.accepted_at),
        "reference": row.reference,
        "fault": fault_dict(row.fault_code, row.fault_where, row.fault_detail),
    }
