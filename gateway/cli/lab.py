"""`lienthong lab`: whose results are, what instruments are told, and critical values that somebody has to be told of."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from sqlalchemy.engine import Connection, Row

from gateway import lab_calls, lab_steps, repair, result_steps
from gateway.cli.access import actor, ledger
from gateway.cli.output import HERE, Config, Json, console, iso, moment, print_json, print_table
from gateway.clock import SystemClock
from gateway.faults import NotPossibleNow, ReasonMissing
from gateway.records import critical_values
from gateway.records.critical_values import CriticalValue
from gateway.store import actions, lab, messages
from gateway.store import lab_calls as call_rows
from mappings.lab.calls import Told

app = typer.Typer(help="Xét nghiệm: gán kết quả của máy cho đúng người, chỉ định gửi xuống máy, giá trị nguy kịch.")
critical_app = typer.Typer(help="Giá trị nguy kịch: xem, xác nhận đã báo bác sĩ.")
app.add_typer(critical_app, name="critical")

_STATES = {"open": "chưa báo", "acknowledged": "đã báo"}
_CALLS = {"owed": "chờ gửi", "told": "máy đã nhận", "error": "hàng lỗi", "closed": "đã đóng"}
_SIDES = {"low": "thấp", "high": "cao"}


@app.command("assign")
def assign(
    message_id: Annotated[str, typer.Argument(help="Mã thông điệp (lienthong errors).", metavar="MÃ")],
    patient: Annotated[str, typer.Option("--patient", help="Mã bệnh nhân (PID-3) đúng của kết quả.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Lý do (bắt buộc), được ghi cùng tên người làm.")],
    config: Config = HERE,
) -> None:
    """Gán kết quả của máy xét nghiệm cho đúng người bệnh, rồi ánh xạ lại; thông điệp gốc không đổi.

    Dùng khi kết quả nằm trong hàng lỗi (LT3383, LT3384, LT3385) hoặc đã vào nhầm người.

    Ví dụ: lienthong lab assign 0198… --patient BN000123 -r "dán nhầm nhãn ống" -c /etc/lienthong
    """
    if not reason.strip():
        raise ReasonMissing(message_id)
    clock = SystemClock()
    with ledger(config) as (plan, store):
        sealed = plan.keyring.seal(patient.strip().encode(), f"lab/{message_id}")

        def unit(connection: Connection) -> None:
            row = messages.get(connection, message_id)
            if not (lab_steps.is_lab(row.type) or row.type == result_steps.ROWS):
                raise NotPossibleNow(message_id, f"{row.type} is not of a laboratory")
            lab.assign(connection, message_id, sealed, clock.now())
            actions.insert(
                connection, at=clock.now(), actor=actor(), verb="assign", target=message_id, reason=reason.strip()
            )
            repair.reprocess(connection, message_id, actor(), reason.strip(), clock)

        store.write_now(unit)
    console.print("Nút đang chạy sẽ ánh xạ lại thông điệp cho người bệnh này.")


@app.command("orders")
def orders(
    config: Config = HERE,
    channel: Annotated[str, typer.Option(help="Chỉ kênh này.")] = "",
    limit: Annotated[int, typer.Option(help="Số dòng nhiều nhất; 0 = tất cả.")] = 50,
    json: Json = False,
) -> None:
    """Liệt kê chỉ định gửi xuống máy xét nghiệm (kênh có `instrument`): chờ gửi, máy đã nhận, bị từ chối; mới nhất trước.

    Chứa số mẫu. Chỉ định bị từ chối nằm trong hàng lỗi; gửi lại bằng lienthong errors retry.

    Ví dụ: lienthong lab orders --json -c /etc/lienthong
    """
    with ledger(config) as (plan, store):
        found = [
            (row, lab_calls.told_of(plan.keyring, row))
            for row in store.read_now(lambda c: call_rows.listing(c, channel, limit=limit))
        ]
    if json:
        print_json([_order(row, told) for row, told in found])
        return
    print_table(
        "Chỉ định gửi máy xét nghiệm",
        ("mã", "kênh", "lúc", "máy biết", "trạng thái"),
        (
            (row.id, row.channel, moment(row.changed_at), " ".join((told.specimen, *told.tests)), _CALLS[row.state])
            for row, told in found
        ),
    )


@critical_app.command("list")
def list_(
    config: Config = HERE,
    every: Annotated[bool, typer.Option("--all", help="Cả những giá trị đã báo.")] = False,
    limit: Annotated[int, typer.Option(help="Số dòng nhiều nhất; 0 = tất cả.")] = 50,
    json: Json = False,
) -> None:
    """Liệt kê giá trị nguy kịch chưa ai xác nhận, mới nhất trước. Chứa dữ liệu người bệnh. Mã thoát 1 khi còn giá trị chưa báo.

    Ví dụ: lienthong lab critical list --json -c /etc/lienthong
    """
    with ledger(config) as (plan, store):
        found = store.read_now(lambda c: critical_values.listed(c, plan.keyring, every=every, limit=limit))
    if json:
        print_json([_told(one) for one in found])
    else:
        print_table(
            "Giá trị nguy kịch",
            ("mã", "lúc", "kết quả", "trạng thái"),
            ((one.row.id, moment(one.row.raised_at), _line(one), _STATES[one.row.state]) for one in found),
        )
    if any(one.row.state == "open" for one in found):
        raise typer.Exit(1)


@critical_app.command("acknowledge")
def acknowledge(
    value_id: Annotated[str, typer.Argument(help="Mã giá trị (lienthong lab critical list).", metavar="MÃ")],
    told: Annotated[str, typer.Option("--told", help="Đã báo cho ai, lúc nào, bằng cách nào (bắt buộc).")],
    config: Config = HERE,
    json: Json = False,
) -> None:
    """Xác nhận đã báo giá trị nguy kịch cho người điều trị; ghi ai xác nhận và lúc nào. Chỉ một lần.

    Ví dụ: lienthong lab critical acknowledge 0198… --told "BS Lan, khoa Nội, điện thoại 10:05" -c /etc/lienthong
    """
    if not told.strip():
        raise ReasonMissing(value_id)
    now = SystemClock().now()
    with ledger(config) as (plan, store):

        def unit(connection: Connection) -> CriticalValue:
            critical_values.acknowledge(connection, plan.keyring, value_id, at=now, actor=actor(), note=told.strip())
            actions.insert(
                connection, at=now, actor=actor(), verb="acknowledge", target=value_id, reason="critical value"
            )
            return critical_values.get(connection, plan.keyring, value_id)

        done = store.write_now(unit)
    if json:
        print_json(_told(done))
    else:
        console.print("Đã ghi.")


def _line(one: CriticalValue) -> str:
    found = one.found
    return f"{found.test} {found.value} {found.unit} {_SIDES[found.side]} ({found.limit})"


def _order(row: Row[Any], told: Told) -> dict[str, Any]:
    return {
        "id": row.id,
        "channel": row.channel,
        "order": row.order_id,
        "state": row.state,
        "changed_at": iso(row.changed_at),
        "told_at": iso(row.told_at) if row.told_at else None,
        "specimen": told.specimen or None,
        "tests": list(told.tests),
        "attempts": row.attempts,
        "fault": f"LT{row.fault_code}" if row.fault_code else None,
        "detail": row.fault_detail or None,
    }


def _told(one: CriticalValue) -> dict[str, Any]:
    row, found = one.row, one.found
    return {
        "id": row.id,
        "state": row.state,
        "raised_at": iso(row.raised_at),
        "patient": row.patient_id,
        "message": row.message_id,
        **found._asdict(),
        "acknowledged_at": iso(row.acknowledged_at) if row.acknowledged_at else None,
        "acknowledged_by": row.actor or None,
        "told": one.note or None,
    }
