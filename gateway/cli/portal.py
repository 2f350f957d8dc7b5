"""`lienthong portal`: the insurance portal beside the queue: catalogues, monthly files, corrections, withdrawals, days."""

from __future__ import annotations

import asyncio
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.engine import Connection

from connectors.destinations.insurance_portal import CALLS, CATALOGUES
from gateway.app import build_destination
from gateway.cli.access import actor, ledger
from gateway.cli.output import HERE, Config, Json, console, now_local, print_json, print_table
from gateway.clock import SystemClock, to_datetime
from gateway.delivery.workdays import Workdays
from gateway.faults import KindUnknown, NotPossibleNow, SettingInvalid
from gateway.portal_calls import Sending, send
from gateway.settings import Plan, Route
from gateway.store import deliveries
from mappings.bhyt.catalogue import rows_to_catalogue
from mappings.bhyt.visits import read_visits
from mappings.bhyt.withdrawal import visit_to_withdrawal
from mappings.formats import sheet
from mappings.formats.dates import zone_of

KIND = "insurance_portal"
_SURE = {"guide": "tài liệu của cổng", "several": "nhiều nguồn", "one": "một nguồn"}
_OPEN = ("pending", "queued", "claimed", "sending", "uncertain", "error", "held")

app = typer.Typer(
    help="Cổng BHYT ngoài hàng đợi: danh mục, tệp tháng, sửa và thu hồi hồ sơ, hạn gửi.", no_args_is_help=True
)

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Lý do, được ghi lại; không ghi dữ liệu người bệnh.")]
Destination = Annotated[str, typer.Option(help="Tên nơi nhận, khi có nhiều cổng.")]
Again = Annotated[bool, typer.Option("--again", help="Gửi dù đã gửi, hoặc có thể đã đến, trước đó.")]


@app.callback()
def portal() -> None:
    """Cổng BHYT ngoài hàng đợi: danh mục, tệp tháng, sửa và thu hồi hồ sơ, hạn gửi."""


@app.command("calls")
def calls(json: Json = False) -> None:
    """Liệt kê các hàm gửi tệp của cổng: đường dẫn, loại hồ sơ, mức chắc chắn của thông tin."""
    if json:
        print_json(
            [
                {"call": one.name, "path": one.path, "type": one.record_type, "sure": one.sure, "about": one.en}
                for one in CALLS.values()
            ]
        )
        return
    print_table(
        "Hàm gửi tệp của cổng",
        ("tên", "loại", "đường dẫn", "nội dung", "mức chắc chắn"),
        ((one.name, one.record_type, one.path, one.vi, _SURE[one.sure]) for one in CALLS.values()),
    )


@app.command("send-catalogue")
def send_catalogue(
    kind: Annotated[str, typer.Argument(help=f"Một trong: {', '.join(CATALOGUES)}.")],
    file: File,
    config: Config = HERE,
    destination: Destination = "",
    reason: Reason = "",
    again: Again = False,
    json: Json = False,
) -> None:
    """Gửi một danh mục của cơ sở (TT 12/2026/TT-BTC; biết từ một nguồn, cần thử ở cổng đào tạo trước).

    FILE là XML HSDANHMUC, hoặc bảng CSV/XLSX có dòng đầu là tên trường; tệp chưa ký được ký bằng khóa của cơ sở.

    Ví dụ: lienthong portal send-catalogue medicines thuoc.xlsx -c /etc/lienthong
    """
    if kind not in CATALOGUES:
        raise KindUnknown("catalogue", f"{kind}; known: {', '.join(CATALOGUES)}")
    data = file.read_bytes()
    if not data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        head, *rows = [line.cells for line in sheet.read(data)] or [()]
        data = rows_to_catalogue(kind, head, rows)
    _send(config, destination, Sending(kind, data, actor(), reason, again=again), json)


@app.command("send-summary")
def send_summary(
    file: File,
    period: Annotated[str, typer.Option("--period", help="Kỳ quyết toán, dạng 202611.")],
    config: Config = HERE,
    destination: Destination = "",
    reason: Reason = "",
    again: Again = False,
    json: Json = False,
) -> None:
    """Gửi tổng hợp tháng 01/BH (hàm biết từ nhiều nguồn, nội dung tệp chưa được kiểm chứng).

    Ví dụ: lienthong portal send-summary 01bh.xml --period 202611 -c /etc/lienthong
    """
    if not (period.isdigit() and len(period) == 6 and "01" <= period[4:] <= "12"):
        raise SettingInvalid("period", "write it like 202611")
    _send(config, destination, Sending("summary", file.read_bytes(), actor(), reason, period, again=again), json)


@app.command("send-adjustment")
def send_adjustment(
    file: File,
    config: Config = HERE,
    destination: Destination = "",
    reason: Reason = "",
    again: Again = False,
    json: Json = False,
) -> None:
    """Gửi hồ sơ điều chỉnh 09/BH (hàm biết từ nhiều nguồn, nội dung tệp chưa được kiểm chứng)."""
    _send(config, destination, Sending("adjustment", file.read_bytes(), actor(), reason, again=again), json)


@app.command("send-certificate")
def send_certificate(
    kind: Annotated[
        str, typer.Argument(help="certificate (chứng từ), death (giấy báo tử) hoặc birth (giấy chứng sinh).")
    ],
    file: File,
    config: Config = HERE,
    destination: Destination = "",
    reason: Reason = "",
    again: Again = False,
    json: Json = False,
) -> None:
    """Gửi chứng từ ngoài hồ sơ khám bệnh (biết từ một nguồn, cần thử ở cổng đào tạo trước)."""
    if kind not in ("certificate", "death", "birth"):
        raise KindUnknown("certificate", f"{kind}; known: certificate, death, birth")
    _send(config, destination, Sending(kind, file.read_bytes(), actor(), reason, again=again), json)


@app.command("check-in")
def check_in(
    file: File, config: Config = HERE, destination: Destination = "", again: Again = False, json: Json = False
) -> None:
    """Gửi trạng thái khám chữa bệnh (XML0, tệp CHI_TIEU_TRANG_THAI_KCB); chưa ký thì được ký."""
    _send(config, destination, Sending("check-in", file.read_bytes(), actor(), again=again), json)


@app.command("boards")
def boards(
    file: File, config: Config = HERE, destination: Destination = "", again: Again = False, json: Json = False
) -> None:
    """Gửi dữ liệu giám định y khoa (XML12, tệp CHI_TIEU_GIAM_DINH_YKHOA); chưa ký thì được ký."""
    _send(config, destination, Sending("boards", file.read_bytes(), actor(), again=again), json)


@app.command("correct")
def correct(
    file: File,
    reason: Reason,
    config: Config = HERE,
    destination: Destination = "",
    again: Again = False,
    json: Json = False,
) -> None:
    """Gửi lại hồ sơ đã sửa, cùng MA_LK; lý do được giữ. FILE là GIAMDINHHS của một lượt khám, chưa ký thì được ký.

    Ví dụ: lienthong portal correct LK123.xml -r "sửa mã bệnh chính theo thông báo của cổng" -c /etc/lienthong
    """
    data = file.read_bytes()
    _only_visit(data)
    _send(config, destination, Sending("record", data, actor(), reason, corrects=True, again=again), json)


@app.command("withdraw")
def withdraw(
    file: File,
    reason: Reason,
    config: Config = HERE,
    destination: Destination = "",
    summary_only: Annotated[
        bool, typer.Option("--summary-only", help="Chỉ XML1; mặc định là mọi bảng đã gửi (chưa rõ cổng đòi cách nào).")
    ] = False,
    again: Again = False,
    json: Json = False,
) -> None:
    """Thu hồi đề nghị thanh toán của hồ sơ đã gửi: gửi lại với MA_DOITUONG_KCB = 8. FILE là tệp đã gửi.

    Ví dụ: lienthong portal withdraw LK123.xml -r "gửi nhầm người bệnh" -c /etc/lienthong
    """
    visit = _only_visit(file.read_bytes())
    data = visit_to_withdrawal(visit, now_local().date(), whole=not summary_only)
    _send(config, destination, Sending("record", data, actor(), reason, corrects=True, again=again), json)


@app.command("due")
def due(config: Config = HERE, destination: Destination = "", json: Json = False) -> None:
    """Liệt kê lần gửi chưa được nhận: sửa được đến ngày nào (7 ngày làm việc), tháng chốt ngày nào (trước ngày 05).

    Ngày nghỉ lễ lấy từ `holidays` của nơi nhận. Ví dụ: lienthong portal due -c /etc/lienthong
    """
    with ledger(config) as (plan, store):
        found = []
        for route in _routes(plan, destination):
            work = Workdays(route.settings.days_off)
            found += [_due(plan, work, row) for row in store.read_now(partial(_open, route.name))]
    found.sort(key=lambda one: (one["correct_until"], one["delivery"]))
    if json:
        print_json(found)
        return
    print_table(
        "Chưa được cổng nhận",
        ("lần gửi", "giấy", "trạng thái", "ngày", "sửa đến hết ngày", "tháng chốt ngày"),
        (
            (
                one["delivery"],
                one["paper"],
                one["state"],
                one["day"],
                one["correct_until"] + (" — QUÁ HẠN" if one["late"] else ""),
                one["closes_on"] + (" — ĐÃ CHỐT" if one["closed"] else ""),
            )
            for one in found
        ),
    )


def _open(destination: str, connection: Connection) -> list[Any]:
    return deliveries.listing(connection, states=_OPEN, destination=destination)


def _due(plan: Plan, work: Workdays, row: Any) -> dict[str, Any]:
    day: date = to_datetime(row.event_at or row.created_at).astimezone(zone_of(plan.node.zone)).date()
    until, closes, today = work.correct_until(day), work.closes_on(day), now_local().date()
    return {
        "delivery": row.id,
        "paper": row.paper,
        "state": row.state,
        "day": day.isoformat(),
        "correct_until": until.isoformat(),
        "late": today > until,
        "closes_on": closes.isoformat(),
        "closed": today > closes,
    }


def _only_visit(data: bytes) -> Any:
    visits = list(read_visits(data))
    if len(visits) != 1:
        raise NotPossibleNow("HOSO", f"{len(visits)} visits in the file; one is sent at a time")
    return visits[0]


def _routes(plan: Plan, name: str) -> list[Route]:
    found = [one for one in plan.routes.values() if one.common.kind == KIND and name in ("", one.name)]
    if not found:
        raise KindUnknown("destination", f"{name or KIND}: no destination of kind {KIND}")
    return found


def _send(config: Path, destination: str, sending: Sending, json: bool) -> None:
    with ledger(config) as (plan, store):
        routes = _routes(plan, destination)
        if len(routes) > 1:
            raise KindUnknown("destination", f"write --destination: {', '.join(one.name for one in routes)}")
        (route,) = routes

        async def run() -> Any:
            portal = build_destination(route, lambda data: data)
            try:
                return await send(plan, store, SystemClock(), route, portal, sending)
            finally:
                await portal.close()

        sent = asyncio.run(run())
    if json:
        print_json({"message": sent.id, "reference": sent.receipt.reference, "facts": dict(sent.receipt.facts)})
    else:
        console.print(f"cổng đã nhận, mã giao dịch {sent.receipt.reference}; giữ ở thông điệp {sent.id}")
