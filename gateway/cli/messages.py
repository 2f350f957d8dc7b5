"""`lienthong messages`: what arrived, what became of it, and of every field."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import msgspec
import typer
from sqlalchemy.engine import Connection, Row

from gateway.cli.access import ledger, remember
from gateway.cli.output import HERE, Config, Json, console, fault_dict, iso, language, moment, print_json, print_table
from gateway.store import deliveries as delivery_rows
from gateway.store import documents
from gateway.store import messages as rows
from gateway.store.sealed import Keyring
from gateway.text.reasons import reason

app = typer.Typer(help="Thông điệp đã nhận và kết quả xử lý từng trường.", invoke_without_command=True)


@app.callback()
@app.command("list")
def list_(
    context: typer.Context,
    config: Config = HERE,
    state: Annotated[list[str], typer.Option(help="Chỉ các trạng thái này.")] = [],  # noqa: B006 - typer's form
    patient: Annotated[str, typer.Option(help="Mã sắp thứ tự (mặc định PID-3.1), ví dụ BN000123.")] = "",
    limit: Annotated[int, typer.Option(help="Số dòng nhiều nhất; 0 = tất cả.")] = 0,
    after: Annotated[str, typer.Option(help="Tiếp theo trang trước: mã thông điệp cuối cùng.")] = "",
    json: Json = False,
) -> None:
    """Liệt kê thông điệp, mới nhất trước.

    Ví dụ: lienthong messages -c /etc/lienthong --state error --json
    """
    if context.invoked_subcommand:
        remember(config)
        return
    with ledger(config) as (plan, store):
        keyring = plan.keyring
        keys = tuple(keyring.search_key(kind, patient) for kind in ("order", "order-low")) if patient else ()
        found = store.read_now(
            lambda connection: rows.listing(connection, states=tuple(state), order_keys=keys, after=after, limit=limit)
        )
    if json:
        print_json([_summary(row, keyring) for row in found])
        return
    print_table(
        "Thông điệp",
        ("mã", "nhận lúc", "loại", "từ", "trạng thái", "trả lời", "ánh xạ", "bỏ qua", "chưa biết", "lỗi"),
        (
            (
                row.id,
                moment(row.received_at),
                row.type,
                row.sender,
                row.state,
                row.answer,
                _number(row.mapped),
                _number(row.ignored),
                _number(row.unknown),
                f"LT{row.fault_code:04d}" if row.fault_code else "",
            )
            for row in found
        ),
        right=(6, 7, 8),
    )


@app.command("show")
def show(message_id: str, config: Config = HERE, json: Json = False) -> None:
    """Cho xem một thông điệp: trạng thái, từng vị trí đã ánh xạ / bỏ qua / chưa biết, giấy tờ và nơi nhận."""
    with ledger(config) as (plan, store):
        keyring = plan.keyring

        def query(connection: Connection) -> tuple[Row[Any], list[Row[Any]], list[Row[Any]]]:
            rows.get(connection, message_id)
            (message,) = [
                row for row in rows.listing(connection, limit=1, after=message_id + "~") if row.id == message_id
            ]
            papers = documents.of_message(connection, message_id)
            sent = [d for p in papers for d in delivery_rows.listing(connection, document_id=p.id)]
            return message, papers, sent

        message, papers, sent = store.read_now(query)
    full = _summary(message, keyring) | {
        "documents": [{"id": p.id, "paper": p.paper, "version": p.version, "state": p.state} for p in papers],
        "deliveries": [{"id": d.id, "destination": d.destination, "state": d.state} for d in sent],
    }
    if json:
        print_json(full)
    else:
        full["coverage"] = _told(full["coverage"])
        console.print_json(msgspec.json.encode(full).decode(), ensure_ascii=False)


@app.command("raw")
def raw(
    message_id: str,
    config: Config = HERE,
    answer: Annotated[
        bool, typer.Option("--answer", help="Câu trả lời cho một câu hỏi, thay cho chính câu hỏi.")
    ] = False,
) -> None:
    """Xuất nguyên văn các byte đã nhận ra đầu ra chuẩn. Chứa dữ liệu người bệnh.

    Ví dụ: lienthong messages raw -c /etc/lienthong 0197… > thong-diep.hl7
    """
    with ledger(config) as (plan, store):
        sealed = store.read_now(lambda connection: (rows.answer if answer else rows.body)(connection, message_id))
        sys.stdout.buffer.write(plan.keyring.open(sealed, f"answer/{message_id}" if answer else message_id))


def _summary(row: Row[Any], keyring: Keyring) -> dict[str, Any]:
    coverage: Any = None
    if row.positions is not None:
        coverage = msgspec.json.decode(keyring.open(row.positions, f"coverage/{row.id}"))
    return {
        "id": row.id,
        "channel": row.channel,
        "received_at": iso(row.received_at),
        "answered_at": iso(row.answered_at),
        "peer": row.peer,
        "sender": row.sender,
        "control_id": row.control_id,
        "type": row.type,
        "version": row.version,
        "size": row.size,
        "sha256": row.sha256,
        "state": row.state,
        "answer": row.answer,
        "repeats": row.repeats_id,
        "fault": fault_dict(row.fault_code, row.fault_where, row.fault_detail),
        "coverage": coverage,
    }


def _told(coverage: dict[str, Any] | None) -> dict[str, Any] | None:
    """Tell the reasons of an account in the reader's language; for programs they stay as the mappings give them."""
    if coverage is None:
        return None
    return {
        state: {position: reason(why, language()) for position, why in fields.items()}
        if state in ("ignored", "unknown")
        else fields
        for state, fields in coverage.items()
    }


def _number(value: int | None) -> str:
    return "" if value is None else str(value)
