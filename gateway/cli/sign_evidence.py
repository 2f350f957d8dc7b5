"""`lienthong sign evidence`, `proofs`, `raise`: what proves signatures, what is lacking, and asking for more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.engine import Connection, Row

from gateway.cli.access import actor, ledger
from gateway.cli.output import HERE, Config, Json, console, fault_dict, iso, language, moment, print_json, print_table
from gateway.clock import SystemClock
from gateway.proof import raising
from gateway.proof.evidence import evidence
from gateway.proof.raising import Raised
from gateway.settings import Plan
from gateway.store import documents
from gateway.store import proofs as rows
from gateway.store.engine import Store
from gateway.text import text
from mappings.formats import json as canonical
from signing.kept import FIELDS

_BATCH = 100
_STATES = {
    "kept": "chỉ lưu chữ ký",
    "bare": "chờ dấu thời gian",
    "stamped": "chờ OCSP/CRL",
    "proved": "đủ bằng chứng",
    "error": "không chứng minh được",
    "void": "hết giá trị",
}


def show(
    document: Annotated[str, typer.Argument(help="Mã giấy, từ lienthong paper list.")],
    config: Config = HERE,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Ghi bằng chứng (JSON) vào tệp này.")] = None,
    json: Json = False,
) -> None:
    """Cho xem hoặc xuất bằng chứng của từng chữ ký trên một giấy: giá trị, chứng thư, dấu thời gian, OCSP, CRL.

    Tệp xuất ra dùng được với lienthong verify --evidence, không cần mạng, không cần nút.

    Ví dụ: lienthong sign evidence 0197… --out bang-chung.json -c /etc/lienthong
    """
    with ledger(config) as (plan, store):
        found = store.read_now(lambda connection: evidence(connection, plan.keyring, document))
    if out is not None:
        out.write_bytes(canonical.dumps(found))
        console.print(f"đã ghi: {out}")
        return
    if json:
        print_json(found)
        return
    print_table(
        f"Bằng chứng của {found['paper']} bản {found['version']}, {found['state']}",
        ("tệp", "chữ ký", "người ký", "ký lúc", "dấu thời gian", "mức", "trạng thái", "chứng thư/OCSP/CRL/dấu"),
        (
            (
                one["kind"],
                f"{one['number']} {one.get('step', '')}",
                one["signer"],
                one["signed_at"],
                one.get("stamped_at") or "—",
                one.get("level", "B-B"),
                "hết giá trị" if one["voided_at"] else _STATES[one.get("state", "kept")],
                "/".join(str(len(one[name])) for name in FIELDS.values()),
            )
            for one in found["signatures"]
        ),
    )
    for one in found["archive"]:
        console.print(f"dấu lưu trữ {one['kind']}: {one['stamped_at']}, tới {one['ends_at']}; {one['sha256']}")


def lacking(
    config: Config = HERE,
    limit: Annotated[int, typer.Option(help="Số dòng nhiều nhất; 0 = tất cả.")] = 0,
    json: Json = False,
) -> None:
    """Liệt kê chữ ký còn chờ dấu thời gian hoặc lời của nơi cấp chứng thư, cũ nhất trước.

    Ví dụ: lienthong sign proofs -c /etc/lienthong
    """
    with ledger(config) as (_, store):
        found = store.read_now(lambda connection: waiting(connection, limit))
    if json:
        print_json(found)
        return
    print_table(
        "Chữ ký chờ bằng chứng",
        ("mã", "giấy", "chữ ký", "trạng thái", "thử lại lúc", "lỗi", "chuyện gì — làm gì"),
        (
            (
                one["id"],
                f"{one['paper']} {one['document']}",
                f"{one['kind']} {one['number']}",
                _STATES[one["state"]],
                moment(one["due"]),
                f"{one['fault']['code']} {one['fault']['where']} {one['fault']['detail']}".strip()
                if one["fault"]
                else "",
                f"{one['fault']['what']} — {one['fault']['do']}" if one["fault"] else "",
            )
            for one in found
        ),
    )


def ask_more(
    reason: Annotated[str, typer.Option("--reason", "-r", help="Lý do (bắt buộc), không ghi dữ liệu người bệnh.")],
    document: Annotated[list[str] | None, typer.Argument(help="Mã giấy; không ghi = mọi giấy đã ký.")] = None,
    config: Config = HERE,
    paper: Annotated[list[str], typer.Option("--paper", help="Chỉ các loại giấy này.")] = [],  # noqa: B006 - typer's form
    json: Json = False,
) -> None:
    """Xin thêm bằng chứng cho giấy đã ký khi mức còn thấp hơn mức đặt hôm nay; tệp đã gửi không đổi một byte nào.

    Bằng chứng nằm trong sổ cái, cạnh tệp (lienthong sign evidence); nút lần lượt xin dấu thời gian, OCSP, CRL và, ở B-LTA, lập
    bản ghi bằng chứng. Chạy lại không xin lần nữa những gì đã có.

    Ví dụ: lienthong sign raise --paper discharge_paper -r "đã có TSA từ 01/12" -c /etc/lienthong
    """
    done, now = Raised(), SystemClock().now()
    with ledger(config) as (plan, store):
        for found in _signed(store, document or (), paper):
            done += store.write_now(partial(_ask_more, plan, found, reason, now))
    if json:
        print_json(asdict(done))
        return
    console.print(f"chữ ký được xin bằng chứng: {done.signatures}; bản ghi bằng chứng sẽ lập: {done.records}")
    if done.ended:
        console.print(
            f"bỏ qua {done.ended} chữ ký có chứng thư đã hết hạn: dấu thời gian hôm nay không chứng minh được gì"
        )


def _ask_more(plan: Plan, found: Sequence[Row[Any]], reason: str, now: int, connection: Connection) -> Raised:
    return sum((raising.ask(connection, plan, one, actor(), reason, now) for one in found), Raised())


def _signed(store: Store, named: Sequence[str], papers: Sequence[str]) -> Iterator[list[Row[Any]]]:
    """Give signed documents, those named or all, some at a time."""
    if named:
        found = store.read_now(lambda connection: [documents.get(connection, one) for one in named])
        yield [one for one in found if one.state == "signed" and (not papers or one.paper in papers)]
        return
    last = ""
    signed = partial(documents.listing, states=["signed"], papers=papers, limit=_BATCH)
    while found := store.read_now(partial(signed, after=last)):
        yield found
        last = found[-1].id


def waiting(connection: Connection, limit: int = 0) -> list[dict[str, Any]]:
    """Return the signatures that lack something, JSON-shaped."""
    return [
        {
            "id": one.id,
            "document": one.document_id,
            "paper": one.paper,
            "kind": one.kind,
            "number": one.number,
            "step": one.step,
            "state": one.state,
            "attempts": one.attempts,
            "due": one.due_at,
            "due_at": iso(one.due_at),
            "fault": fault_dict(one.fault_code, one.fault_where, one.fault_detail) if one.fault_code else None,
        }
        for one in rows.wanting(connection, limit=limit)
    ]


def tell_lacking(connection: Connection) -> str:
    """Say in one line how many signatures lack something, and what went wrong last; nothing when none does."""
    count, code = rows.lacking(connection)
    if not count:
        return ""
    said = f"{count} chữ ký chờ bằng chứng (lienthong sign proofs)"
    return f"{said}; LT{code} {text(code, language())}" if code else said
