"""`lienthong persons`: who is known, under which numbers, and which records are one person."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer
from sqlalchemy.engine import Connection, Row

from gateway.cli.access import actor, ledger, remember
from gateway.cli.output import HERE, Config, Json, console, iso, moment, print_json, print_table
from gateway.clock import SystemClock
from gateway.faults import NothingThere
from gateway.records import identity, persons, search, worklist
from gateway.records.versions import opened
from gateway.store import actions
from gateway.store import persons as rows
from gateway.store import resources as resource_rows
from gateway.store.sealed import Keyring
from mappings.outcome import Resource

app = typer.Typer(help="Người bệnh: các số của một người, gộp, liên kết và hoàn tác.", invoke_without_command=True)

Reason = Annotated[str, typer.Option("--reason", "-r", help="Lý do (bắt buộc), được ghi lại cùng tên người làm.")]
Limit = Annotated[int, typer.Option(help="Số dòng nhiều nhất; 0 = tất cả.")]


@app.callback()
@app.command("list")
def list_(
    context: typer.Context,
    config: Config = HERE,
    number: Annotated[str, typer.Option(help="Chỉ người mang số này (mã người bệnh, CCCD, thẻ BHYT …).")] = "",
    limit: Limit = 50,
    after: Annotated[str, typer.Option(help="Tiếp theo trang trước: mã cuối cùng.")] = "",
    json: Json = False,
) -> None:
    """Liệt kê người bệnh. Chứa dữ liệu người bệnh.

    Ví dụ: lienthong persons -c /etc/lienthong --number BN000123
    """
    if context.invoked_subcommand:
        remember(config)
        return
    with ledger(config) as (plan, store):
        keyring = plan.keyring

        def query(connection: Connection) -> list[dict[str, Any]]:
            if number:
                ids = search.find(connection, keyring, search.Wanted(numbers=[("", number)]))
                found = resource_rows.current(connection, [("Patient", id_) for id_ in ids])
            else:
                found = resource_rows.newest(connection, "Patient", after, limit)
            return [_summary(connection, keyring, row) for row in found]

        people = store.read_now(query)
    if json:
        print_json(people)
        return
    print_table(
        "Người bệnh",
        ("mã", "họ tên", "sinh", "số", "gộp vào"),
        ((p["id"], p["name"], p["birth_date"], ", ".join(p["numbers"]), p["merged_into"] or "") for p in people),
    )


@app.command("show")
def show(person_id: str, config: Config = HERE, json: Json = False) -> None:
    """Cho xem một người: mọi mã đã gộp, hồ sơ liên kết, từng thay đổi. Chứa dữ liệu người bệnh."""
    with ledger(config) as (plan, store):
        keyring = plan.keyring

        def query(connection: Connection) -> dict[str, Any]:
            row = next(iter(resource_rows.current(connection, [("Patient", person_id)])), None)
            if row is None:
                raise NothingThere(where=person_id)
            ids = persons.all_ids(connection, person_id)
            reference = f"Patient/{person_id}"
            return _summary(connection, keyring, row) | {
                "survivor": ids[0],
                "ids": ids,
                "resources": len(resource_rows.of_patients(connection, ids)),
                "links": [
                    link.other if link.kept == reference else link.kept for link in rows.links(connection, [reference])
                ],
                "changes": [_change(connection, change) for change in rows.listing(connection, reference=reference)],
            }

        full = store.read_now(query)
    if json:
        print_json(full)
    else:
        console.print_json(msgspec.json.encode(full).decode(), ensure_ascii=False)


@app.command("links")
def links(
    config: Config = HERE,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """Liệt kê mọi thay đổi về danh tính (gộp, liên kết, chuyển), mới nhất trước, kể cả đã hoàn tác."""
    with ledger(config) as (_, store):
        found = store.read_now(
            lambda connection: [_change(connection, change) for change in rows.listing(connection, limit=limit)]
        )
    if json:
        print_json(found)
        return
    print_table(
        "Thay đổi danh tính",
        ("mã", "lúc", "loại", "giữ lại", "bản kia", "do", "còn hiệu lực"),
        (
            (
                change["id"],
                change["at_local"],
                change["kind"],
                change["kept"],
                change["other"],
                change["message"] or change["actor"],
                "có" if change["holds"] else "không",
            )
            for change in found
        ),
    )


@app.command("merge")
def merge(kept: str, other: str, reason: Reason, config: Config = HERE) -> None:
    """Gộp OTHER vào KEPT: hai mã là một người, KEPT được giữ lại. Hoàn tác được bằng `persons undo`."""
    with ledger(config) as (plan, store):
        keyring, who, now = plan.keyring, actor(), SystemClock().now()

        def act(connection: Connection) -> str:
            made = identity.merge(connection, keyring, kept, other, who, reason, now)
            worklist.Keeper.by_hand(connection, plan, now).refresh((kept, other))
            return made

        made = store.write_now(act)
    console.print(f"đã gộp: {made}")


@app.command("undo")
def undo(message_id: str, reason: Reason, config: Config = HERE) -> None:
    """Hoàn tác mọi thay đổi danh tính của một thông điệp, hoặc một thay đổi theo mã trong `persons links`."""
    with ledger(config) as (plan, store):
        keyring, who, now = plan.keyring, actor(), SystemClock().now()

        def act(connection: Connection) -> list[Row[Any]]:
            undone = identity.undo(connection, keyring, message_id, who, reason, now)
            parted = {one.partition("/")[2] for change in undone for one in (change.kept, change.other)}
            worklist.Keeper.by_hand(connection, plan, now).refresh(parted)
            return undone

        undone = store.write_now(act)
    for change in undone:
        console.print(f"đã hoàn tác: {change.kind} {change.kept} ← {change.other}")


def _summary(connection: Connection, keyring: Keyring, row: resource_rows.Version) -> dict[str, Any]:
    patient: Resource = opened(keyring, row)
    names = [name.get("text") or " ".join((name.get("family", ""), *name.get("given", ()))) for name in _list(patient)]
    survivor = persons.resolve(connection, row.id)
    return {
        "id": row.id,
        "name": names[0] if names else "",
        "birth_date": patient.get("birthDate", ""),
        "numbers": [one.get("value", "") for one in patient.get("identifier", ())],
        "merged_into": None if survivor == row.id else survivor,
    }


def _list(patient: Resource) -> list[Resource]:
    found: list[Resource] = patient.get("name", [])
    return found


def _change(connection: Connection, change: Row[Any]) -> dict[str, Any]:
    acts = [act for target in (change.id, change.message_id) if target for act in actions.of_target(connection, target)]
    return {
        "id": change.id,
        "at": iso(change.at),
        "at_local": moment(change.at),
        "kind": change.kind,
        "kept": change.kept,
        "other": change.other,
        "was": change.was,
        "message": change.message_id,
        "actor": change.actor,
        "holds": change.ended_by is None,
        "actions": [{"at": iso(a.at), "actor": a.actor, "verb": a.verb, "reason": a.reason} for a in acts],
    }
