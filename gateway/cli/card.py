"""`lienthong card`: insurance cards — look one up, who looked up what, stop look-ups and let them go on."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

import msgspec
import typer

from gateway import repair
from gateway.app import build_destination
from gateway.cards.desk import MOMENTS, CardDesk, Told, Wanted
from gateway.cards.quota import day_begin, row_name
from gateway.cards.told import as_dict
from gateway.cli.access import actor, ledger
from gateway.cli.output import HERE, Config, Json, console, iso, language, moment, print_json, print_table
from gateway.clock import SystemClock
from gateway.faults import CardsNotServed, SettingInvalid
from gateway.settings import Plan, Route
from gateway.store import card_lookups, destinations
from gateway.store.engine import Store
from mappings.bhyt.card import STEPS, card_codes

app = typer.Typer(help="Thẻ BHYT: tra cứu, ai đã tra, dừng và cho tra tiếp.", no_args_is_help=True)

Destination = Annotated[str, typer.Option(help="Tên nơi nhận, khi có nhiều cổng.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Lý do (bắt buộc), được ghi lại cùng tên người làm.")]


@app.callback()
def card() -> None:
    """Thẻ BHYT: tra cứu, ai đã tra, dừng và cho tra tiếp."""


@app.command("lookup")
def lookup(
    config: Config = HERE,
    patient: Annotated[str, typer.Option(help="Mã người bệnh trong hồ sơ (lienthong persons).")] = "",
    encounter: Annotated[str, typer.Option(help="Mã lượt khám trong hồ sơ.")] = "",
    ask: Annotated[
        bool, typer.Option("--ask", help="Hỏi mã thẻ, họ tên, ngày sinh ở bàn phím (dòng lệnh thì ai cũng xem được).")
    ] = False,
    stdin: Annotated[bool, typer.Option("--stdin", help='Đọc JSON {"number", "name", "born"} từ đầu vào.')] = False,
    when: Annotated[str, typer.Option("--moment", help=f"Thời điểm: {', '.join(MOMENTS)}.")] = "",
    destination: Destination = "",
    json: Json = False,
) -> None:
    """Tra một thẻ trên cổng, một lần; kết quả vào hồ sơ khi biết là của ai. Chứa dữ liệu người bệnh.

    Ví dụ: lienthong card lookup --encounter 3f2a… --moment discharge -c /etc/lienthong
    """
    if when not in ("", *MOMENTS):
        raise SettingInvalid("moment", ", ".join(MOMENTS))
    given = _given(ask=ask, stdin=stdin)
    with ledger(config) as (plan, store):
        wanted = Wanted(actor(), patient, encounter, *given, when)
        told = asyncio.run(_ask(plan, store, wanted, destination))
        said = as_dict(told, language(), plan.systems)
    if json:
        print_json(said)
    else:
        console.print(f"[bold]{said['code']}[/] {said['what']}\n{said['do']}")
        for name, one in (("dùng thẻ", said["use"]), ("thẻ đã hỏi", said["card"])):
            if one is not None:
                console.print(f"{name}: {one['number']} · {one['start']} → {one['end']} · nơi ĐKBĐ {one['facility']}")
        for differing in told.differences:
            console.print(f"khác hồ sơ: {differing.element}: {differing.ours} ≠ {differing.theirs}")
    if not said["usable"]:
        raise typer.Exit(1)


@app.command("list")
def list_(
    config: Config = HERE,
    encounter: Annotated[str, typer.Option(help="Chỉ lượt khám này: ba thời điểm tra thẻ.")] = "",
    limit: Annotated[int, typer.Option(help="Số dòng nhiều nhất; 0 = tất cả.")] = 50,
    destination: Destination = "",
    json: Json = False,
) -> None:
    """Cho xem ai đã tra thẻ hôm nay, bao nhiêu lần, so với hạn mức. Không chứa dữ liệu người bệnh."""
    with ledger(config) as (plan, store):
        route = _route(plan, destination)
        since = day_begin(SystemClock().now(), plan.node.zone)
        rows, by_actor, row = store.read_now(
            lambda c: (
                card_lookups.of_encounter(c, encounter)
                if encounter
                else card_lookups.listing(c, route.name, since, limit),
                card_lookups.by_actor(c, route.name, since),
                destinations.get(c, row_name(route.name)),
            )
        )
    stopped = row.paused_reason if row is not None and row.paused_at is not None else ""
    today = sum(one.n for one in by_actor)
    if json:
        print_json(
            {
                "today": today,
                "usual": route.settings.usual_lookups_per_day,
                "most": route.settings.lookups_per_day,
                "stopped": stopped or None,
                "by": {one.actor: one.n for one in by_actor},
                "lookups": [_row(one) for one in rows],
            }
        )
        return
    settings = route.settings
    console.print(
        f"hôm nay {today} lượt · ngày thường {settings.usual_lookups_per_day} · nhiều nhất {settings.lookups_per_day} "
        f"một ngày, {settings.lookups_per_minute} một phút"
    )
    if stopped:
        console.print(f"[bold red]đã dừng:[/] {stopped}")
    print_table("Theo người hỏi", ("ai", "số lượt"), ((one.actor, one.n) for one in by_actor), right=(1,))
    print_table(
        "Lượt tra",
        ("lúc", "ai", "thời điểm", "kết quả", "lượt khám"),
        (
            (moment(one.at), one.actor, one.moment, one.code or f"LT{one.fault_code:04d}", one.encounter_id)
            for one in rows
        ),
    )


@app.command("codes")
def codes(json: Json = False) -> None:
    """Cho xem 26 mã kết quả tra thẻ và việc tiếp đón phải làm với từng mã."""
    rows = [(one.code, one.said, STEPS[one.step], one.step.value) for one in card_codes().values()]
    if json:
        print_json([{"code": c, "step": s, "vi": [w.vi, d.vi], "en": [w.en, d.en]} for c, w, d, s in rows])
        return
    spoken = language()
    print_table(
        "Mã tra thẻ BHYT",
        ("mã", "nghĩa", "việc phải làm"),
        ((code, getattr(said, spoken), getattr(do, spoken)) for code, said, do, _ in rows),
    )


@app.command("stop")
def stop(reason: Reason, config: Config = HERE, destination: Destination = "") -> None:
    """Dừng mọi lượt tra thẻ, ở mọi nút, đến khi có người cho tra tiếp."""
    with ledger(config) as (plan, store):
        name = row_name(_route(plan, destination).name)
        store.write_now(lambda c: repair.pause(c, name, actor(), reason, SystemClock()))
    console.print(f"đã dừng: {name}")


@app.command("resume")
def resume(reason: Reason, config: Config = HERE, destination: Destination = "") -> None:
    """Cho tra thẻ tiếp sau khi dừng; xem `lienthong card list` trước để biết vì sao dừng."""
    with ledger(config) as (plan, store):
        name = row_name(_route(plan, destination).name)
        store.write_now(lambda c: repair.resume(c, name, actor(), reason, SystemClock()))
    console.print(f"cho tra tiếp: {name}")


def _given(*, ask: bool, stdin: bool) -> tuple[str, str, str]:
    if stdin:
        try:
            read = msgspec.json.decode(sys.stdin.buffer.read(), type=dict[str, str])
        except msgspec.DecodeError:
            raise SettingInvalid("stdin", 'write {"number": …, "name": …, "born": …}') from None
        return read.get("number", ""), read.get("name", ""), read.get("born", "")
    if ask:
        return (
            typer.prompt("Mã thẻ, mã BHXH hoặc CCCD", default=""),
            typer.prompt("Họ tên", default=""),
            typer.prompt("Ngày sinh (dd/MM/yyyy)", default=""),
        )
    return "", "", ""


async def _ask(plan: Plan, store: Store, wanted: Wanted, destination: str) -> Told:
    route = _route(plan, destination)
    portal: Any = build_destination(route, lambda data: data)
    try:
        return await CardDesk(plan, store, SystemClock(), {route.name: portal.cards}).ask(wanted)
    finally:
        await portal.close()


def _route(plan: Plan, name: str) -> Route:
    for route in plan.routes.values():
        if route.looks_up_cards and name in ("", route.name):
            return route
    raise CardsNotServed(name)


def _row(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": iso(row.at),
        "actor": row.actor,
        "moment": row.moment,
        "encounter": row.encounter_id or None,
        "code": row.code or None,
        "fault": f"LT{row.fault_code:04d}" if row.fault_code else None,
    }
