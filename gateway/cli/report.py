"""`lienthong report`: what of a day arrived, what is missing and why, and whether the books agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.access import ledger
from gateway.cli.days import Day, chosen_day
from gateway.cli.output import HERE, Config, Json, console, fault_dict, iso, language, moment, print_json, print_table
from gateway.cli.report_health_book import health_book_
from gateway.clock import SystemClock
from gateway.faults import NothingThere
from gateway.ops.deadlines import Deadlines, deadlines
from gateway.ops.reports import Account, Completeness, Missing, Open, Reconciliation, completeness, reconciliation, span
from gateway.settings import Plan
from gateway.site import load_site
from gateway.text import text
from mappings.formats import sheet

app = typer.Typer(help="Báo cáo của một ngày: đủ hay thiếu, và đối soát với từng nơi nhận.", no_args_is_help=True)
app.command("health-book")(health_book_)

WithDay = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d", "%d/%m/%Y"],
        help="Chỉ các lượt của ngày này, kể cả giấy đến trễ; không ghi = mọi thứ chưa đến nơi.",
        show_default=False,
    ),
]
_WHY = {
    "fault": "lỗi",
    "signature": "chờ ký",
    "under_way": "đang đi",
    "withheld": "không được gửi",
    "no_paper": "không kênh nào lập giấy",
    "no_destination": "không có nơi nhận",
}

_STATUS = {"near": "sắp hết hạn", "past": "QUÁ HẠN", "late": "đến trễ"}
_WHO = {"it": "CNTT", "signer": "người ký", "destination": "nơi nhận", "nobody": "không ai, đang tự đi"}


@app.command("completeness")
def completeness_(config: Config = HERE, day: Day = None, json: Json = False) -> None:
    """Giấy tờ của các lượt trong ngày: bao nhiêu đã đến nơi, đúng hạn hay trễ; còn thiếu gì, vì sao. Mã thoát 1 khi còn thiếu.

    Ví dụ: lienthong report completeness -c /etc/lienthong --day 2026-11-25
    """
    now = SystemClock().now()
    with ledger(config) as (plan, store):
        on = chosen_day(day, plan, now)
        begin, end = span(on, plan.node.zone)
        found = store.read_now(lambda connection: completeness(connection, begin, end, now))
    if json:
        print_json(_head(plan, on) | {"whole": found.whole} | _completeness(found))
    else:
        _print_completeness(found, on)
    raise typer.Exit(0 if found.whole else 1)


@app.command("deadlines")
def deadlines_(config: Config = HERE, day: WithDay = None, json: Json = False) -> None:
    """Hạn của giấy tờ: gì sắp hết hạn hoặc đã quá hạn ở từng nơi nhận, vì sao, ai phải làm. Mã thoát 1 khi có quá hạn.

    Ví dụ: lienthong report deadlines --day 2026-11-25
    """
    now = SystemClock().now()
    with ledger(config) as (plan, store):
        load_site(plan.site)
        on = None if day is None else day.date()
        of = None if on is None else span(on, plan.node.zone)
        found = store.read_now(lambda connection: deadlines(connection, plan, now, of))
    if json:
        head = {"facility": plan.facility.code, "day": None if on is None else on.isoformat(), "at": iso(now)}
        print_json(head | _deadlines(found))
    else:
        _print_deadlines(found, on, now)
    raise typer.Exit(1 if found.breached else 0)


@app.command("reconciliation")
def reconciliation_(
    config: Config = HERE,
    day: Day = None,
    destination: Annotated[str, typer.Option(help="Chỉ nơi nhận này.")] = "",
    theirs: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Danh sách của chính nơi nhận (CSV, XLSX), cần --destination."),
    ] = None,
    column: Annotated[str, typer.Option(help="Cột chứa mã tiếp nhận trong danh sách ấy.")] = "maGiaoDich",
    json: Json = False,
) -> None:
    """Đối soát một ngày với từng nơi nhận: đã lập, đã nhận, không gửi, đã đóng, còn lại. Mã thoát 1 khi không khớp.

    Ví dụ: lienthong report reconciliation --day 2026-11-25 --destination insurance_portal --theirs cong-bhyt.xlsx
    """
    now = SystemClock().now()
    with ledger(config) as (plan, store):
        if destination and destination not in plan.routes:
            raise NothingThere(destination, f"known: {', '.join(plan.routes)}")
        if theirs is not None and not destination:
            raise typer.BadParameter("--theirs cần --destination")
        listed = None if theirs is None else _column(theirs, column)
        on = chosen_day(day, plan, now)
        begin, end = span(on, plan.node.zone)
        found = store.read_now(lambda connection: reconciliation(connection, begin, end, destination, listed))
    if json:
        print_json(_head(plan, on) | _reconciliation(found))
    else:
        _print_reconciliation(found, on)
    raise typer.Exit(0 if found.closes else 1)


def _column(path: Path, name: str) -> list[str]:
    lines = sheet.read(path.read_bytes())
    heads = [cell.casefold() for cell in lines[0].cells] if lines else []
    if name.casefold() not in heads:
        raise typer.BadParameter(f"không có cột {name}; có: {', '.join(lines[0].cells) if lines else ''}")
    at = heads.index(name.casefold())
    return [line.cells[at] for line in lines[1:] if len(line.cells) > at and line.cells[at]]


def _head(plan: Plan, on: date) -> dict[str, Any]:
    return {"facility": plan.facility.code, "day": on.isoformat()}


def _completeness(found: Completeness) -> dict[str, Any]:
    return {
        "shares": [
            {
                "paper": one.paper,
                "destination": one.destination,
                "expected": one.expected,
                "in_time": one.in_time,
                "late": one.late,
                "missing": one.missing,
                "withheld": one.withheld,
                "percent": one.percent,
            }
            for one in found.shares
        ],
        "missing": [
            {
                "what": one.what,
                "id": one.id,
                "paper": one.paper,
                "destination": one.destination,
                "state": one.state,
                "why": one.why,
                "fault": fault_dict(*one.fault),
                "waits_for": list(one.waits_for),
                "deadline_at": iso(one.deadline_at),
                "overdue": one.overdue,
            }
            for one in found.missing
        ],
    }


def _deadlines(found: Deadlines) -> dict[str, Any]:
    return {
        "breached": found.breached,
        "near": found.count("near"),
        "past": found.count("past"),
        "late": found.count("late"),
        "items": [
            {
                "what": one.item.what,
                "id": one.item.id,
                "paper": one.item.paper,
                "destination": one.item.destination,
                "status": one.status,
                "state": one.item.state,
                "deadline_at": iso(one.item.deadline_at),
                "accepted_at": iso(one.accepted_at),
                "why": "" if one.status == "late" else one.item.why,
                "fault": fault_dict(*one.item.fault),
                "waits_for": list(one.item.waits_for),
                "paused": one.paused,
                "who": one.who,
            }
            for one in found.clocks
        ],
    }


def _print_deadlines(found: Deadlines, on: date | None, now: int) -> None:
    ways: dict[tuple[str, str], Counter[str]] = {}
    for one in found.clocks:
        ways.setdefault((one.item.paper or one.item.what, one.item.destination), Counter())[one.status] += 1
    print_table(
        f"Hạn của các lượt ngày {on:%d/%m/%Y}" if on else f"Hạn lúc {moment(now)}",
        ("giấy tờ", "nơi nhận", "sắp hết hạn", "quá hạn", "đến trễ"),
        ((paper, to or "—", *(n[status] for status in _STATUS)) for (paper, to), n in sorted(ways.items())),
        right=(2, 3, 4),
    )
    for one in found.clocks:
        way = _way(one.item.paper or one.item.what, one.item.destination)
        about = f"{way}: {_STATUS[one.status]}, hạn {moment(one.item.deadline_at)}"
        if one.status == "late":
            _print_item(one.item.id, about, f"đến nơi {moment(one.accepted_at)}")
            continue
        paused = f"; nơi nhận tạm dừng: {one.paused}" if one.paused else ""
        _print_item(one.item.id, f"{about}: {_WHY[one.item.why]} → {_WHO[one.who]}", _detail(one.item) + paused)
    console.print("[bold red]có quá hạn[/]" if found.breached else "[bold green]không có gì quá hạn[/]")


def _print_completeness(found: Completeness, on: date) -> None:
    if not found.shares and not found.missing:
        console.print(f"Ngày {on:%d/%m/%Y} không có giấy nào phải gửi.")
        return
    print_table(
        f"Đầy đủ ngày {on:%d/%m/%Y}",
        ("giấy tờ", "nơi nhận", "phải gửi", "đúng hạn", "trễ", "còn thiếu", "không gửi", "%"),
        (
            (s.paper, s.destination or "—", s.expected, s.in_time, s.late, s.missing, s.withheld, f"{s.percent:g}")
            for s in found.shares
        ),
        right=(2, 3, 4, 5, 6, 7),
    )
    for one in found.missing:
        late = " QUÁ HẠN" if one.overdue else ""
        deadline = f", hạn {moment(one.deadline_at)}{late}" if one.deadline_at else ""
        _print_item(one.id, f"{_way(one.paper or one.what, one.destination)}: {_WHY[one.why]}{deadline}", _detail(one))
    console.print("[bold green]đủ[/]" if found.whole else "[bold red]còn thiếu[/]")


def _way(paper: str, destination: str) -> str:
    return f"{paper} → {destination}" if destination else paper


def _print_item(item_id: str, about: str, detail: str) -> None:
    """Print what a person looks into; the id stays whole on every width, to be copied."""
    console.print(f"{item_id}  {about}\n    {detail}", markup=False, highlight=False, soft_wrap=True)


def _detail(one: Missing | Open) -> str:
    if isinstance(one, Missing) and one.waits_for:
        return ", ".join(one.waits_for)
    code, where, detail = one.fault
    if not code:
        return one.state
    return f"LT{code:04d} {text(code, language())} {where} {detail}".strip()


def _reconciliation(found: Reconciliation) -> dict[str, Any]:
    return {
        "closes": found.closes,
        "difference": found.difference,
        "messages": dict(found.messages),
        "documents": dict(found.documents),
        "destinations": [_account(one) for one in found.accounts],
        "open": [
            {
                "id": one.id,
                "paper": one.paper,
                "destination": one.destination,
                "state": one.state,
                "fault": fault_dict(*one.fault),
                "created_at": iso(one.created_at),
                "deadline_at": iso(one.deadline_at),
            }
            for one in found.open
        ],
    }


def _account(one: Account) -> dict[str, Any]:
    return {
        "destination": one.destination,
        "made": one.made,
        "accepted": one.accepted,
        "receipts": one.receipts,
        "withheld": one.withheld,
        "closed": one.closed,
        "in_error_queue": one.in_error_queue,
        "under_way": one.under_way,
        "only_theirs": list(one.only_theirs),
        "only_ours": list(one.only_ours),
        "difference": one.difference,
    }


def _print_reconciliation(found: Reconciliation, on: date) -> None:
    for title, counted in (("Thông điệp", found.messages), ("Giấy tờ", found.documents)):
        console.print(f"{title}: " + (", ".join(f"{n} {state}" for state, n in sorted(counted.items())) or "không có"))
    print_table(
        f"Đối soát ngày {on:%d/%m/%Y}",
        ("nơi nhận", "đã lập", "đã nhận", "có biên nhận", "không gửi", "đã đóng", "hàng lỗi", "đang đi", "chênh lệch"),
        (
            (a.destination, a.made, a.accepted, a.receipts, a.withheld, a.closed, a.in_error_queue, a.under_way,
             a.difference)
            for a in found.accounts
        ),
        right=tuple(range(1, 9)),
    )  # fmt: skip
    for account in found.accounts:
        _print_names("chỉ có ở nơi nhận", account.destination, account.only_theirs)
        _print_names("chỉ có ở đây", account.destination, account.only_ours)
    for one in found.open:
        _print_item(one.id, f"{_way(one.paper, one.destination)}, từ {moment(one.created_at)}", _detail(one))
    console.print("[bold green]khớp[/]" if found.closes else f"[bold red]chênh lệch {found.difference}[/]")


def _print_names(label: str, destination: str, names: Sequence[str]) -> None:
    if names:
        console.print(f"{label} ({destination}): {', '.join(names)}", markup=False)
