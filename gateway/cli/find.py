"""`lienthong find`: everything that has to do with one number, whatever it numbers."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from sqlalchemy.engine import Row

from gateway.cli.access import ledger
from gateway.cli.output import HERE, Config, Json, console, fault_dict, iso, moment, print_json, print_table
from gateway.records import message_search
from gateway.records.message_search import KINDS, Found

_WORDS = {
    "patient": "số của người bệnh",
    "card": "thẻ bảo hiểm y tế",
    "order": "số chỉ định",
    "encounter": "mã lượt khám",
    "document": "giấy tờ",
    "control": "mã kiểm soát",
    "message": "thông điệp",
    "delivery": "lần gửi",
}


def find(
    key: Annotated[str, typer.Argument(help="Mã bệnh nhân, thẻ BHYT, CCCD, số chỉ định, mã lượt khám, MSH-10 …")],
    config: Config = HERE,
    kind: Annotated[str, typer.Option(help=f"Chỉ tìm như: {', '.join(KINDS)}.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Số thông điệp và giấy tờ nhiều nhất.")] = 50,
    json: Json = False,
) -> None:
    """Tìm thông điệp, giấy tờ và lần gửi theo một số bất kỳ; không tìm thấy thì mã thoát là 1.

    Tìm được theo: mọi số ở PID-2, PID-3, PID-4 (mã bệnh nhân, CCCD), thẻ BHYT (đủ 15 ký tự hay 10 số cuối), số chỉ định
    (ORC-2, ORC-3, OBR-2, OBR-3), lượt khám (PV1-19), MSH-10, mã của chính cổng, SHA-256 của bản ký, mã giao dịch của nơi nhận.

    Ví dụ: lienthong find BN000123 -c /etc/lienthong --kind patient --json
    """
    if kind and kind not in KINDS:
        raise typer.BadParameter(", ".join(KINDS), param_hint="--kind")
    with ledger(config) as (plan, store):
        keyring = plan.keyring
        kinds = (kind,) if kind else KINDS
        found = store.read_now(lambda c: message_search.find(c, keyring, key, kinds, limit))
    if json:
        print_json(_summary(found))
    else:
        _print(found)
    if not (found.messages or found.documents or found.deliveries):
        raise typer.Exit(1)


def _summary(found: Found) -> dict[str, Any]:
    return {
        "found_as": found.kinds,
        "more": found.more,
        "messages": [
            {
                "id": row.id,
                "received_at": iso(row.received_at),
                "channel": row.channel,
                "sender": row.sender,
                "control_id": row.control_id,
                "type": row.type,
                "state": row.state,
                "repeats": row.repeats_id,
                "fault": _fault(row),
            }
            for row in found.messages
        ],
        "documents": [
            {
                "id": row.id,
                "paper": row.paper,
                "version": row.version,
                "event_at": iso(row.event_at),
                "state": row.state,
                "message": row.message_id,
                "fault": _fault(row),
            }
            for row in found.documents
        ],
        "deliveries": [
            {
                "id": row.id,
                "destination": row.destination,
                "state": row.state,
                "document": row.document_id,
                "accepted_at": iso(row.accepted_at),
                "reference": row.reference,
                "fault": _fault(row),
            }
            for row in found.deliveries
        ],
    }


def _print(found: Found) -> None:
    if found.kinds:
        console.print(f"Là: {', '.join(_WORDS[kind] for kind in found.kinds)}")
    if found.messages:
        print_table(
            "Thông điệp",
            ("mã", "nhận lúc", "loại", "từ", "trạng thái", "lỗi"),
            ((m.id, moment(m.received_at), m.type, m.sender, m.state, _code(m)) for m in found.messages),
        )
    if found.documents:
        print_table(
            "Giấy tờ",
            ("mã", "giấy", "bản", "lúc", "trạng thái", "lỗi"),
            ((d.id, d.paper, d.version, moment(d.event_at), d.state, _code(d)) for d in found.documents),
        )
    if found.deliveries:
        print_table(
            "Lần gửi",
            ("mã", "nơi nhận", "trạng thái", "chấp nhận lúc", "mã giao dịch", "lỗi"),
            ((d.id, d.destination, d.state, moment(d.accepted_at), d.reference, _code(d)) for d in found.deliveries),
        )
    if found.more:
        console.print("Còn nữa, cũ hơn: thêm --limit.")
    if not (found.messages or found.documents or found.deliveries):
        console.print("Không tìm thấy gì.")


def _fault(row: Row[Any]) -> Any:
    return fault_dict(row.fault_code, row.fault_where, row.fault_detail)


def _code(row: Row[Any]) -> str:
    return f"LT{row.fault_code:04d}" if row.fault_code else ""
