"""`lienthong jobs`: runs of `resend` and `reprocess` over selections: how far they are, stop one, go on with one."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer
from sqlalchemy.engine import Connection, Row

from gateway.cli.access import actor, ledger, remember
from gateway.cli.again import STATES, follow, job_dict, own_name, tell_left
from gateway.cli.output import HERE, Config, Json, console, iso, moment, print_json, print_table
from gateway.clock import SystemClock
from gateway.ops import again
from gateway.store import actions, jobs

app = typer.Typer(help="Các đợt gửi lại, ánh xạ lại: đến đâu, dừng, làm tiếp.", invoke_without_command=True)


@app.callback()
@app.command("list")
def list_(
    context: typer.Context,
    config: Config = HERE,
    limit: Annotated[int, typer.Option(help="Số dòng nhiều nhất; 0 = tất cả.")] = 20,
    json: Json = False,
) -> None:
    """Liệt kê các đợt, mới nhất trước.

    Ví dụ: lienthong jobs -c /etc/lienthong
    """
    if context.invoked_subcommand:
        remember(config)
        return

    def query(connection: Connection) -> list[tuple[Row[Any], again.Progress]]:
        return [(row, again.progress(connection, row.id)) for row in jobs.listing(connection, limit)]

    with ledger(config) as (_, store):
        found = store.read_now(query)
    if json:
        print_json([_summary(row, at) for row, at in found])
        return
    print_table(
        "Đợt",
        ("mã", "việc", "lúc", "bởi", "trạng thái", "đã làm", "không được", "còn lại", "lý do"),
        (
            (row.id, row.verb, moment(row.at), row.actor, STATES[at.state], at.done, at.left, at.waiting, row.reason)
            for row, at in found
        ),
        right=(5, 6, 7),
    )


@app.command("show")
def show(job_id: str, config: Config = HERE, json: Json = False) -> None:
    """Cho xem một đợt: đã chọn gì, đến đâu, việc nào không làm được và vì sao, ai đã làm gì."""

    def query(connection: Connection) -> tuple[Row[Any], again.Progress, list[Row[Any]], list[Row[Any]]]:
        found = jobs.get(connection, job_id), again.progress(connection, job_id)
        return *found, jobs.left(connection, job_id), actions.of_target(connection, job_id)

    with ledger(config) as (_, store):
        row, at, left, done = store.read_now(query)
    if json:
        acts = [{"at": iso(one.at), "actor": one.actor, "verb": one.verb, "reason": one.reason} for one in done]
        print_json({**_summary(row, at), **job_dict(job_id, at, left), "actions": acts})
        return
    console.print(f"{row.verb} {row.id}: {STATES[at.state]}, {row.rate}" + ", --force" * row.force, markup=False)
    console.print(f"{at.total} đã chọn, {at.done} đã làm, {at.left} không làm được, {at.waiting} còn lại")
    console.print(row.selection, markup=False, soft_wrap=True)
    tell_left(left)
    for one in done:
        console.print(f"  {iso(one.at)} {one.actor}: {one.verb} — {one.reason}", markup=False)


@app.command("stop")
def stop(job_id: str, config: Config = HERE) -> None:
    """Dừng một đợt đang chạy ở nơi khác, sau việc đang làm dở."""
    with ledger(config) as (_, store):
        store.write_now(lambda connection: again.stop(connection, job_id, actor(), SystemClock()))
    console.print(f"đã dừng: {job_id}")


@app.command("resume")
def resume(job_id: str, config: Config = HERE, json: Json = False) -> None:
    """Làm tiếp một đợt đã dừng, hoặc đợt mà tiến trình làm nó đã chết; việc đã làm không làm lại.

    Ví dụ: lienthong jobs resume 0197…
    """
    owner = own_name()
    with ledger(config) as (_, store):
        store.write_now(lambda connection: again.resume(connection, job_id, owner, actor(), SystemClock()))
        follow(store, job_id, owner, json=json)


def _summary(row: Row[Any], at: again.Progress) -> dict[str, Any]:
    return {
        "id": row.id,
        "verb": row.verb,
        "at": iso(row.at),
        "actor": row.actor,
        "reason": row.reason,
        "force": row.force,
        "rate": row.rate,
        "selection": msgspec.json.decode(row.selection),
        "state": at.state,
        "total": at.total,
        "done": at.done,
        "left": at.left,
        "waiting": at.waiting,
        "ended_at": iso(row.ended_at),
    }
