"""`lienthong report health-book`: which items of the health book the visits of a day lack, and where they should come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

import typer

from gateway.cli.access import ledger
from gateway.cli.days import Day, chosen_day
from gateway.cli.output import HERE, Config, Json, console, fault_dict, print_json, print_table
from gateway.clock import SystemClock
from gateway.ops.health_book import Visit, health_book
from gateway.ops.reports import span
from gateway.site import load_site

_GROUPS = {"a": "hành chính", "b": "tiền sử", "c": "lượt khám", "d": "tóm tắt"}


def health_book_(config: Config = HERE, day: Day = None, json: Json = False) -> None:
    """Sổ sức khỏe điện tử: từng lượt trong ngày còn thiếu mục nào (nhóm a–d), lấy từ đâu. Mã thoát 1 khi còn thiếu.

    Mọi người bệnh, có thẻ BHYT hay không; hồ sơ chưa lập được thì nêu lỗi. Xem trước khi gửi hoặc sau khi gửi đều được.

    Ví dụ: lienthong report health-book --day 2026-11-25
    """
    with ledger(config) as (plan, store):
        load_site(plan.site)
        on = chosen_day(day, plan, SystemClock().now())
        begin, end = span(on, plan.node.zone)
        found = store.read_now(lambda connection: health_book(connection, plan, begin, end))
        code = plan.facility.code
    lacking = [one for one in found if one.missing or one.fault[0]]
    if json:
        head: dict[str, Any] = {"facility": code, "day": on.isoformat(), "visits": len(found), "whole": not lacking}
        print_json(head | {"missing": [_as_dict(one) for one in lacking]})
    else:
        _print(found, lacking, on)
    raise typer.Exit(1 if lacking else 0)


def _as_dict(visit: Visit) -> dict[str, Any]:
    items = [
        {"group": one.group, "item": one.name, "table": one.table, "field": one.field, "origin": one.origin}
        for one in visit.missing
    ]
    return {
        "document": visit.document,
        "record": visit.number,
        "state": visit.state,
        "insured": visit.insured,
        "items": items,
        "fault": fault_dict(*visit.fault),
    }


def _print(found: Sequence[Visit], lacking: Sequence[Visit], on: date) -> None:
    console.print(f"Sổ sức khỏe, ngày {on:%d/%m/%Y}: {len(found)} lượt, {len(found) - len(lacking)} đủ mọi mục.")
    often = Counter(one._replace(name=one.name.partition(":")[0]) for visit in lacking for one in visit.missing)
    if often:
        print_table(
            "Mục còn thiếu",
            ("lượt", "nhóm", "mục", "bảng/trường", "lấy từ"),
            (
                (count, f"{one.group}. {_GROUPS[one.group]}", one.name, f"{one.table}/{one.field}", one.origin)
                for one, count in often.most_common()
            ),
            right=(0,),
        )
    if lacking:
        print_table(
            "Từng lượt",
            ("lượt", "còn thiếu"),
            ((visit.number or visit.document, _told(visit)) for visit in lacking),
        )


def _told(visit: Visit) -> str:
    if visit.fault[0]:
        said = fault_dict(*visit.fault)
        return f"{said['code']} {said['what']}" if said else ""
    return ", ".join(dict.fromkeys(f"{one.table}/{one.field}" for one in visit.missing))
