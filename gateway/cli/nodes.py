"""`lienthong nodes`: who works on this ledger, what each holds, and who leads."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection

from gateway.cli.access import ledger
from gateway.cli.output import HERE, Config, Json, iso, moment, print_json, print_table
from gateway.clock import SystemClock
from gateway.membership import overview

_STATES = {"running": "đang chạy", "draining": "đang dừng", "stopped": "đã dừng", "dead": "đã chết"}
_KINDS = {
    "messages": "thông điệp",
    "documents": "giấy tờ",
    "deliveries": "lần gửi",
    "proofs": "bằng chứng",
    "archives": "dấu lưu trữ",
}


def nodes(config: Config = HERE, json: Json = False) -> None:
    """Liệt kê các nút cùng dùng sổ cái: việc, phiên bản, nút dẫn đầu, lần cuối lên tiếng, đang giữ gì.

    Ví dụ: lienthong nodes -c /etc/lienthong
    """

    def query(connection: Connection) -> list[dict[str, Any]]:
        return overview(connection, SystemClock().now())

    with ledger(config) as (_, store):
        found = store.read_now(query)
    if json:
        times = ("started_at", "seen_at")
        print_json([{**one, **{name: iso(one[name]) for name in times}} for one in found])
        return
    print_table(
        "Nút",
        ("tên", "việc", "trạng thái", "phiên bản", "lược đồ", "dẫn đầu", "chạy từ", "lên tiếng", "đang giữ"),
        (
            (
                one["name"],
                ", ".join(one["roles"]),
                _STATES[one["state"]] + (" (im lặng)" if one["silent"] else ""),
                one["version"],
                one["revision"],
                "có" if one["leads"] else "",
                moment(one["started_at"]),
                moment(one["seen_at"]),
                ", ".join(f"{count} {_KINDS[kind]}" for kind, count in one["holds"].items()),
            )
            for one in found
        ),
    )
