"""What the database does for every hot query: it uses the index that `gateway/store/schema.py` means for it.

The statements are caught on their way to the driver while the product's own functions run, and explained as they are, on
tables of a few thousand rows with statistics. A plan that reads a whole table is a fault that no small test feels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

import psycopg
import pytest
from sqlalchemy import event, exists
from sqlalchemy.engine import Connection, Engine

from gateway.ops import metrics
from gateway.store import (
    card_lookups,
    card_schema,
    certificates,
    commitments,
    deadlines,
    deliveries,
    dispatch,
    documents,
    gauges,
    image_schema,
    images,
    job_schema,
    jobs,
    lab,
    lab_calls,
    lab_schema,
    message_keys,
    messages,
    nodes,
    persons,
    procedure_steps,
    proof_schema,
    proofs,
    reports,
    resources,
    sample_schema,
    samples,
    schema,
    search_schema,
    selections,
    signing_tasks,
    worklist,
)
from gateway.store.engine import make_engine
from gateway.store.ids import uuid7
from gateway.store.migrate import upgrade
from gateway.store.raw import Raw
from gateway.store.schema import metadata

MESSAGES = 4000
DESTINATIONS = ("portal", "axis", "coordination")
DESTINATION = "portal"
PEOPLE = 500
HOLDERS = 2000
NOW = 10_000_000
JOBS = 12
LEASE: Any = {"owner": "n1", "now": NOW, "until": NOW + 50, "limit": 8}

PARTIAL = {
    index.name
    for table in metadata.tables.values()
    for index in table.indexes
    if table.name != "resource" and index.dialect_options["sqlite"]["where"] is not None
}
"""Indexes that hold the few rows that wait; reading one from end to end is what it is for. (Half of `resource` is current.)"""


def key(n: int) -> bytes:
    return n.to_bytes(16, "big")


def state_of(n: int, usual: str, *others: str) -> str:
    """Give one row in forty a state that work is found in, and the rest the state in which rows end."""
    return others[n // 40 % len(others)] if n % 40 == 0 else usual


def _work(n: int) -> dict[str, Any]:
    return {"due_at": n * 1000, "lease_owner": "n1" if n % 400 == 0 else "", "lease_until": n if n % 400 == 0 else 0}


def fill(connection: Connection) -> None:
    """Fill the tables as they are after some months: nearly everything is done, a little waits."""
    connection.execute(
        schema.message.insert(),
        [
            {
                "id": f"m{n:08}", "channel": "his", "received_at": n * 1000, "peer": "127.0.0.1:1", "sender": "HIS",
                "control_id": str(n), "type": "ADT^A01", "version": "2.5.1", "size": 400, "sha256": f"{n:064}",
                "dedupe_key": key(n), "order_key": key(n % PEOPLE),
                "state": state_of(n, "mapped", "received", "error"), "answer": "AA", "keyed": n % 40 != 0,
                **_work(n),
            }
            for n in range(MESSAGES)
        ],
    )  # fmt: skip
    connection.execute(
        search_schema.message_key.insert(),
        [{"key": key(n * 10 + m), "message_id": f"m{n:08}"} for n in range(MESSAGES) for m in range(6)],
    )
    connection.execute(
        schema.message_body.insert(), [{"message_id": f"m{n:08}", "body": bytes(400)} for n in range(MESSAGES)]
    )
    connection.execute(
        schema.coverage.insert(),
        [
            {"message_id": f"m{n:08}", "mapped": 20, "ignored": 2, "unknown": 1, "positions": bytes(200)}
            for n in range(MESSAGES)
        ],
    )
    connection.execute(
        schema.resource.insert(),
        [
            {
                "type": type_, "id": f"r{n:08}", "version": version, "patient_id": f"p{n % PEOPLE}",
                "message_id": f"m{n:08}", "recorded_at": n, "current": version == 2, "digest": key(n),
                "body": bytes(400),
            }
            for type_ in ("Encounter", "Observation")
            for n in range(MESSAGES // 2)
            for version in (1, 2)
        ],
    )  # fmt: skip
    connection.execute(
        schema.resource.insert(),
        [
            {
                "type": "Patient", "id": f"p{n}", "version": 1, "patient_id": f"p{n}", "message_id": "m00000000",
                "recorded_at": n, "current": True, "digest": key(n), "body": bytes(400),
            }
            for n in range(PEOPLE)
        ],
    )  # fmt: skip
    connection.execute(
        schema.identity_change.insert(),
        [
            {
                "id": f"c{n:08}", "message_id": f"m{n:08}", "at": n, "kind": "merge", "kept": f"Patient/p{n + 1}",
                "other": f"Patient/p{n}", "ended_by": "a" if n % 2 else None,
            }
            for n in range(PEOPLE, PEOPLE + 3000)
        ],
    )  # fmt: skip
    connection.execute(
        schema.identity_effect.insert(),
        [
            {"change_id": f"c{n:08}", "type": "Observation", "id": f"r{n:08}"}
            for n in range(PEOPLE, PEOPLE + 3000)
        ],
    )  # fmt: skip
    connection.execute(
        schema.person_link.insert(),
        [
            {"patient_id": f"p{n}", "survivor_id": f"p{n + 1}", "change_id": f"c{n:08}"}
            for n in range(PEOPLE, PEOPLE + 3000)
        ],
    )
    connection.execute(
        schema.person_key.insert(),
        [{"key": key(n * 1000 + m), "patient_id": f"p{n}"} for n in range(PEOPLE) for m in range(14)],
    )
    connection.execute(
        schema.message_answer.insert(), [{"message_id": f"m{n:08}", "body": bytes(400)} for n in range(MESSAGES)]
    )
    connection.execute(
        schema.document.insert(),
        [
            {
                "id": f"d{n:08}", "paper": "discharge_paper", "subject": f"Encounter/{n // 2}", "version": n % 2,
                "channel": "his", "message_id": f"m{n:08}", "patient_id": f"p{n % PEOPLE}",
                "order_key": key(n % PEOPLE), "event_at": n, "deadline_at": n,
                "state": state_of(n, "signed", "due", "composed", "error"), **_work(n),
            }
            for n in range(MESSAGES)
        ],
    )  # fmt: skip
    connection.execute(
        schema.rendition.insert(),
        [
            {
                "document_id": f"d{n:08}", "kind": kind, "media_type": "application/xml", "sha256": f"{n:064}",
                "signed": kind == "cda", "body": bytes(400),
            }
            for n in range(MESSAGES)
            for kind in ("fhir", "cda")
        ],
    )  # fmt: skip
    connection.execute(
        schema.signing_task.insert(),
        [
            {
                "id": f"t{n:08}{number}", "document_id": f"d{n:08}", "number": number, "step": "head", "role": role,
                "optional": False, "in_person": False, "countersigns": False,
                "state": state_of(n, "signed", "waiting", "ready", "claimed"), "lease_until": n,
                "deadline_at": n, "notice_at": n,
            }
            for n in range(MESSAGES)
            for number, role in ((1, "treating_doctor"), (2, "head_of_department"), (3, "seal"))
        ],
    )  # fmt: skip
    connection.execute(
        schema.delivery.insert(),
        [
            {
                "id": f"v{n:08}{place}", "document_id": f"d{n:08}", "destination": name,
                "order_key": key(n % PEOPLE), "basis": "law", "created_at": n, "deadline_at": n + 1,
                "notice_at": n if n % 40 == 0 else None,
                "state": state_of(
                    n, "accepted", "queued", "uncertain", "pending", "claimed", "sending", "held", "error"
                ),
                "reference": f"G{n}{place}" if n % 40 else "",
                **_work(n),
            }
            for n in range(MESSAGES)
            for place, name in enumerate(DESTINATIONS)
        ],
    )  # fmt: skip
    connection.execute(
        schema.attempt.insert(),
        [
            {
                "delivery_id": f"v{n:08}0", "number": number, "ended_at": n, "event": "accept", "fault_code": 0,
                "detail": "", "facts": "{}", "body": None,
            }
            for n in range(MESSAGES)
            for number in (1, 2)
        ],
    )  # fmt: skip
    fill_register(connection)
    fill_proofs(connection)
    fill_jobs(connection)
    fill_card_lookups(connection)
    fill_images(connection)
    fill_worklist(connection)
    fill_samples(connection)
    fill_steps(connection)
    fill_commitments(connection)
    fill_laboratory(connection)


def fill_images(connection: Connection) -> None:
    """Fill studies of two objects; the last few still arrive, and some objects lie in quarantine."""
    studies = MESSAGES // 2
    connection.execute(
        image_schema.study.insert(),
        [
            {
                "uid": f"1.2.{n}", "channel": "pacs", "calling": "CT1", "order_key": n.to_bytes(16, "big"),
                "first_at": n, "last_at": n, "instances": 2, "due_at": n if n > studies - 5 else None,
            }
            for n in range(studies)
        ],
    )  # fmt: skip
    connection.execute(
        image_schema.instance.insert(),
        [
            {
                "id": f"i{n:08}", "sop_instance": f"1.2.{n // 2}.{n}", "sop_class": "1.2", "transfer_syntax": "1.2.1",
                "study_uid": f"1.2.{n // 2}", "series_uid": "1", "channel": "pacs", "peer": "", "calling": "CT1",
                "received_at": n, "size": 500_000, "sha256": "", "state": "kept" if n % 500 else "quarantined",
            }
            for n in range(MESSAGES)
        ],
    )  # fmt: skip
    connection.execute(
        image_schema.instance_header.insert(),
        [{"instance_id": f"i{n:08}", "body": b"x" * 2000} for n in range(MESSAGES) if n % 500],
    )


def fill_worklist(connection: Connection) -> None:
    """Fill imaging orders; nearly all are done or were revoked, one in forty waits."""
    connection.execute(
        image_schema.worklist.insert(),
        [
            {
                "order_id": f"o{n:08}", "patient_id": f"p{n % PEOPLE}", "patient_key": key(n % PEOPLE),
                "accession_key": key(n), "study_uid": f"2.25.{n}", "day": f"2026{n % 12 + 1:02}{n % 28 + 1:02}",
                "status": "active" if n % 20 == 0 else "completed", "done_at": n if n % 40 == 20 else None,
                "message_id": f"m{n:08}", "body": bytes(400),
            }
            for n in range(MESSAGES)
        ],
    )  # fmt: skip


def fill_samples(connection: Connection) -> None:
    """Fill values of devices, forty in a window; the last windows are still to be taken."""
    connection.execute(
        sample_schema.device_sample.insert(),
        [
            {
                "message_id": f"m{n:08}", "series": key(n // 40 % 20), "window_at": n // 40 * 60, "patient_id": f"p{n % 20}",
                "due_at": n if n > MESSAGES - 100 else None, "body": bytes(900),
            }
            for n in range(MESSAGES)
        ],
    )  # fmt: skip


def fill_steps(connection: Connection) -> None:
    """Fill one step for each study."""
    connection.execute(
        image_schema.procedure_step.insert(),
        [
            {
                "sop_instance": f"1.9.{n}", "study_uid": f"1.2.{n}", "channel": "pacs", "calling": "CT1",
                "state": state_of(n, "completed", "in_progress"), "instances": 2 if n % 40 else None, "begun_at": n,
                "begun_key": key(n), "last_key": key(n), "body": bytes(400),
            }
            for n in range(MESSAGES // 2)
        ],
    )  # fmt: skip


def fill_commitments(connection: Connection) -> None:
    """Fill requests of commitment; nearly all have their reports."""
    connection.execute(
        image_schema.commitment.insert(),
        [
            {
                "id": f"k{n:08}", "channel": "pacs", "calling": "CT1", "transaction_uid": f"1.9.{n}", "key": key(n),
                "objects": 2, "asked_at": n, "until": n + 10, "due_at": n + 1,
                "state": state_of(n, "reported", "owed", "error"), "body": b"",
            }
            for n in range(MESSAGES // 2)
        ],
    )  # fmt: skip


def fill_laboratory(connection: Connection) -> None:
    """Fill laboratory orders with two numbers each, nearly all done; and critical values, nearly all acknowledged."""
    connection.execute(
        lab_schema.lab_order.insert(),
        [
            {
                "order_id": f"o{n:08}", "patient_id": f"p{n % PEOPLE}", "told_at": n,
                "status": state_of(n, "completed", "active"),
            }
            for n in range(MESSAGES)
        ],
    )  # fmt: skip
    connection.execute(
        lab_schema.lab_number.insert(),
        [
            {"key": key(2 * n + m), "order_id": f"o{n:08}", "kind": ("specimen", "placer")[m]}
            for n in range(MESSAGES)
            for m in (0, 1)
        ],
    )
    connection.execute(
        lab_schema.lab_call.insert(),
        [
            {
                "id": f"k{n:08}", "channel": "analyser", "order_id": f"o{n:08}", "state": state_of(n, "told", "owed", "error"),
                "changed_at": n, "due_at": n, "specimen_key": key(n), "body": bytes(120),
            }
            for n in range(MESSAGES)
        ],
    )  # fmt: skip
    connection.execute(
        lab_schema.lab_assignment.insert(),
        [{"message_id": f"m{n:08}", "body": bytes(60), "at": n} for n in range(0, MESSAGES, 2)],
    )
    connection.execute(
        lab_schema.critical_value.insert(),
        [
            {
                "id": f"v{n:08}", "key": key(n), "patient_id": f"p{n % PEOPLE}", "message_id": f"m{n:08}",
                "state": state_of(n, "acknowledged", "open"), "raised_at": n, "body": bytes(200),
            }
            for n in range(MESSAGES)
        ],
    )  # fmt: skip


def fill_card_lookups(connection: Connection) -> None:
    """Fill card look-ups: of most visits the three, day after day."""
    connection.execute(
        card_schema.card_lookup.insert(),
        [
            {
                "id": f"c{n:08}", "at": n, "destination": DESTINATIONS[n % 3], "actor": f"kiosk-{n % 7}",
                "moment": "reception", "encounter_id": f"e{n // 3}", "patient_id": f"p{n % PEOPLE}",
                "question": n.to_bytes(16, "big"), "code": "000",
            }
            for n in range(MESSAGES)
        ],
    )  # fmt: skip


def fill_jobs(connection: Connection) -> None:
    """Fill runs over selections: the last one is half done."""
    connection.execute(
        job_schema.job.insert(),
        [
            {
                "id": f"j{n}", "verb": "resend", "at": n, "actor": "a", "reason": "", "force": False, "rate": "10/min",
                "selection": "{}", "total": 500, "state": "running" if n == JOBS - 1 else "done",
            }
            for n in range(JOBS)
        ],
    )  # fmt: skip
    connection.execute(
        job_schema.job_item.insert(),
        [
            {
                "job_id": f"j{n}", "position": position, "target": f"v{position:08}0", "was": "error",
                "state": "waiting" if n == JOBS - 1 and position > 250 else "done",
            }
            for n in range(JOBS)
            for position in range(500)
        ],
    )  # fmt: skip


def fill_proofs(connection: Connection) -> None:
    """Fill the proofs of signatures: nearly all have what they want, and few archive time stamps end soon."""
    connection.execute(
        proof_schema.signature_proof.insert(),
        [
            {
                "id": f"f{n:08}{number}", "document_id": f"d{n:08}", "kind": "cda", "number": number, "signature_id": "",
                "octets": bytes(400), "inside": True, "policy": "*", "step": "head", "level": "B-LT",
                "state": state_of(n, "proved", "bare", "stamped", "error"), "fault_code": 5050 if n % 80 == 0 else 0,
                **_work(n),
            }
            for n in range(MESSAGES)
            for number in (1, 2)
        ],
    )  # fmt: skip
    connection.execute(
        proof_schema.material.insert(),
        [{"sha256": f"{n:064}", "type": "ocsp", "der": bytes(400)} for n in range(MESSAGES)],
    )
    connection.execute(
        proof_schema.signature_material.insert(),
        [
            {"proof_id": f"f{n:08}{number}", "position": position, "sha256": f"{(n + position) % MESSAGES:064}"}
            for n in range(MESSAGES)
            for number in (1, 2)
            for position in (0, 1)
        ],
    )
    connection.execute(
        proof_schema.archive.insert(),
        [
            {
                "id": f"a{n:08}{number}", "document_id": f"d{n:08}", "kind": "cda", "number": number, "sha256": "",
                "before_sha256": "", "stamped_at": n, "ends_at": n,
                "state": "renewed" if number == 0 else "current", **_work(n), "due_at": NOW - 50 + n * 1000,
            }
            for n in range(MESSAGES)
            for number in (0, 1)
        ],
    )  # fmt: skip


def fill_register(connection: Connection) -> None:
    """Fill the register as a province's is: everybody had a certificate or two, most of them are past."""
    connection.execute(
        schema.signature.insert(),
        [
            {
                "document_id": f"d{n:08}", "kind": "cda", "number": number, "role": "seal", "holder": "", "account": "",
                "workstation": "", "sha256": "", "signer": "", "signed_at": n,
                "certificate_sha256": f"{n % HOLDERS:064}",
            }
            for n in range(MESSAGES)
            for number in (1, 2)
        ],
    )  # fmt: skip
    connection.execute(
        schema.holder.insert(),
        [
            {
                "id": f"h{n:08}", "kind": "person", "code": f"NV{n}", "name": f"n{n}", "roles": "doctor",
                "private": b"", "listed": True, "recorded_at": n,
            }
            for n in range(HOLDERS)
        ],
    )  # fmt: skip
    connection.execute(
        schema.certificate.insert(),
        [
            {
                "id": f"k{n:08}", "holder_id": f"h{n % HOLDERS:08}", "state": state_of(n, "expired", "active"),
                "state_since": n, "requested_at": n, "serial": f"{n:x}", "sha256": f"{n:064}", "not_before": n,
                "not_after": n * 1000,
            }
            for n in range(2 * HOLDERS)
        ],
    )  # fmt: skip
    connection.execute(
        schema.certificate_event.insert(),
        [
            {
                "id": f"e{n:08}", "holder_id": f"h{n % HOLDERS:08}", "certificate_id": f"k{n % (2 * HOLDERS):08}",
                "at": n, "effective_at": n, "actor": "a", "event": "approve", "reason": "", "facts": "{}",
            }
            for n in range(8 * HOLDERS)
        ],
    )  # fmt: skip
    connection.execute(
        schema.certificate_incident.insert(),
        [
            {"id": f"i{n:08}", "certificate_id": f"k{n:08}", "kind": "locked", "at": n, "actor": "a", "reason": "r"}
            for n in range(HOLDERS)
        ],
    )
    connection.execute(
        schema.certificate_notice.insert(),
        [
            {"certificate_id": f"k{n:08}", "days": days, "recipient": "it", "at": n}
            for n in range(HOLDERS)
            for days in (60, 30, 7)
        ],
    )


@pytest.fixture(scope="module", params=["sqlite", "sqlite with statistics", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A filled database of each engine; SQLite also as it is in the field, where nobody ever runs ANALYZE."""
    if request.param != "postgresql":
        url = f"sqlite:///{tmp_path_factory.mktemp('plans') / 'ledger.db'}"
    else:
        server: str = request.getfixturevalue("postgres_server")
        name = "t" + uuid7().replace("-", "")
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        url = server.rpartition("/")[0] + "/" + name
    made = make_engine(url)
    upgrade(made)
    with made.begin() as filling:
        fill(filling)
    if request.param != "sqlite":
        with made.begin() as measuring:
            measuring.exec_driver_sql("ANALYZE")
    yield made
    made.dispose()


Statement = tuple[str, Any]


def statements(engine: Engine, act: Callable[[Connection], object]) -> list[Statement]:
    """Run `act`, take it back, and return what it sent to the database, insertions aside."""
    caught: list[Statement] = []

    def note(_c: object, _cursor: object, statement: str, parameters: Any, _context: object, many: bool) -> None:
        if not statement.startswith("INSERT"):
            caught.append((statement, parameters[0] if many else parameters))

    bound = Raw._bound

    def noting(self: Raw, connection: Connection, rows: Any) -> tuple[str, list[Any]]:
        text, values = bound(self, connection, rows)
        note(None, None, text, values, None, True)
        return text, values

    with engine.connect() as connection, connection.begin() as transaction:
        event.listen(engine, "before_cursor_execute", note)
        try:
            with mock.patch.object(Raw, "_bound", noting):
                act(connection)
        finally:
            event.remove(engine, "before_cursor_execute", note)
            transaction.rollback()
    return caught


@dataclass(frozen=True)
class Plan:
    """What a database will do: the indexes it names, the tables it reads as a whole, and its own words."""

    indexes: frozenset[str]
    whole: frozenset[str]
    text: str


def explain(engine: Engine, statement: Statement, without: str = "") -> Plan:
    """Ask for the plan of a statement; `without` an index, as if nobody had made it."""
    sql, parameters = statement
    with engine.connect() as connection, connection.begin() as transaction:
        try:
            if without:
                connection.exec_driver_sql(f"DROP INDEX {without}")
                sql += f" -- without {without}"  # another text, or SQLite's driver answers from its cache
            if engine.dialect.name == "sqlite":
                lines = [row.detail for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + sql, parameters)]
                return sqlite_plan(lines)
            return postgres_plan(connection.exec_driver_sql("EXPLAIN (FORMAT JSON) " + sql, parameters).scalar())
        finally:
            transaction.rollback()


def sqlite_plan(lines: list[str]) -> Plan:
    indexes, whole = set(), set()
    for line in lines:
        found = re.match(r"(SCAN|SEARCH) (\S+)(?:.*?USING (?:COVERING )?(?:INDEX (\S+)|PRIMARY KEY))?", line)
        if found is None:
            continue
        how, table, index = found.groups()
        if index or "USING PRIMARY KEY" in line:
            indexes.add(index or f"{table}_pkey")  # of a table without row ids, which is its own index
        if how == "SCAN" and index not in PARTIAL and (table in metadata.tables or table == "earlier"):
            whole.add(table)
    return Plan(frozenset(indexes), frozenset(whole), "\n".join(lines))


def postgres_plan(explained: Any) -> Plan:
    indexes, whole, lines = set(), set(), []
    nodes = [(0, explained[0]["Plan"])]
    while nodes:
        depth, node = nodes.pop()
        kind, table, index = node["Node Type"], node.get("Relation Name", ""), node.get("Index Name", "")
        condition = node.get("Index Cond", "")
        lines.append("  " * depth + f"{kind} {table} {index} {condition}")
        if index:
            indexes.add(index)
        if kind == "Seq Scan" or (index and not condition and index not in PARTIAL):
            whole.add(table or index)
        nodes += [(depth + 1, child) for child in reversed(node.get("Plans", ()))]
    return Plan(frozenset(indexes), frozenset(whole), "\n".join(lines))


def new_messages() -> list[messages.NewMessage]:
    return [
        messages.NewMessage(
            id=uuid7(), channel="his", received_at=NOW, peer="", sender="HIS", control_id="1", type="ADT^A01",
            version="2.5.1", size=3, sha256="0" * 64, body=b"abc", dedupe_key=key(n), order_key=key(n),
            state="received", answer="AA",
        )
        for n in (1, 2, MESSAGES + 1)
    ]  # fmt: skip


NOTICED: Any = SimpleNamespace(id="v000000400", notice_at=40)
NEW_DOCUMENT = documents.NewDocument("discharge_paper", "Encounter/7", "his", "m00000007", "p7", key(7), NOW, NOW)


@dataclass(frozen=True)
class Query:
    """A function of the store, and per statement that it sends the indexes of which at least one must serve it."""

    run: Callable[[Connection], object]
    meant: tuple[tuple[str, ...], ...]


WINDOW = samples.Window(key(99 % 20), 99 * 60)
SAMPLES_OF_WINDOW = ("device_sample_window", "device_sample_due")
SAMPLES_BY_MESSAGE = ("device_sample_pkey", "sqlite_autoindex_device_sample_1")
WORKLIST_BY_ID = ("worklist_pkey", "sqlite_autoindex_worklist_1")
STEP_BY_ID = ("procedure_step_pkey", "sqlite_autoindex_procedure_step_1")
STUDY_AND_STEPS = ("study_pkey", "sqlite_autoindex_study_1")
DELIVERY_BY_ID = ("delivery_pkey", "sqlite_autoindex_delivery_1", "delivery_wrong")
DOCUMENT_BY_ID = ("document_pkey", "sqlite_autoindex_document_1", "document_due", "document_wrong")
MESSAGE_BY_ID = ("message_pkey", "sqlite_autoindex_message_1", "message_due", "message_wrong")
DEDUPE = ("message_dedupe", "sqlite_autoindex_message_2")
BODY_BY_ID = ("message_body_pkey", "sqlite_autoindex_message_body_1")
STUDY_BY_UID = ("study_pkey", "sqlite_autoindex_study_1")
RENDITION_BY_ID = ("rendition_pkey", "sqlite_autoindex_rendition_1")
SIGNATURE_BY_ID = ("signature_of_rendition", "signature_pkey", "sqlite_autoindex_signature_1")
TASK_BY_ID = ("signing_task_pkey", "sqlite_autoindex_signing_task_1", "signing_task_open", "signing_task_notice")
PROOF_BY_ID = ("signature_proof_pkey", "sqlite_autoindex_signature_proof_1", "signature_proof_due")
PROOF_OF = ("signature_proof_of", "sqlite_autoindex_signature_proof_2")
ARCHIVE_BY_ID = ("archive_pkey", "sqlite_autoindex_archive_1", "archive_due")
MATERIAL = ("signature_material_pkey", "sqlite_autoindex_signature_material_1")
ATTEMPT_BY_ID = ("attempt_pkey", "sqlite_autoindex_attempt_1")
MESSAGE_KEY = ("message_key_pkey",)
JOB_ITEM_BY_ID = ("job_item_pkey", "sqlite_autoindex_job_item_1")
KEY = ("person_key_pkey", "sqlite_autoindex_person_key_1")
FINGERPRINT = ("certificate_sha256", "sqlite_autoindex_certificate_2")
HOLDER_BY_ID = ("holder_pkey", "sqlite_autoindex_holder_1")
LINK_BY_ID = ("person_link_pkey", "sqlite_autoindex_person_link_1")

LAB_NUMBER = ("lab_number_pkey", "sqlite_autoindex_lab_number_1")
LAB_ORDER = ("lab_order_pkey", "sqlite_autoindex_lab_order_1")

FIRST = 1_790_000_000_000_000
"""An instant after which nothing of what is filled in was made, as far as keys tell."""
SELECTED = selections.Wanted(states=("error",), destinations=(DESTINATION,))

HOT = {
    "messages.insert_all": Query(lambda c: messages.insert_all(c, new_messages()), (DEDUPE,)),
    "messages.answered_all": Query(lambda c: messages.answered_all(c, [("m00000001", NOW)]), (MESSAGE_BY_ID,)),
    "messages.take_received": Query(
        lambda c: messages.take_received(c, **LEASE | {"limit": 2 * MESSAGES}), (("message_first",), ("message_due",))
    ),
    "messages.move": Query(lambda c: messages.move(c, "m00000040", "map"), (MESSAGE_BY_ID,)),
    "messages.body": Query(lambda c: messages.body(c, "m00000001"), (BODY_BY_ID,)),
    "messages.listing: error queue": Query(
        lambda c: messages.listing(c, states=("error",), limit=20), (("message_wrong",),)
    ),
    "messages.release_leases": Query(lambda c: messages.release_leases(c, "n1"), (("message_due", "message_order"),)),
    "messages.died": Query(lambda c: messages.died(c, "n1"), (("message_due", "message_order"),) * 3),
    "resources.current": Query(
        lambda c: resources.current(c, [("Encounter", f"r{n:08}") for n in range(5)]), (("resource_current",),)
    ),
    "resources.of_patients": Query(lambda c: resources.of_patients(c, ["p1", "p2"]), (("resource_patient",),)),
    "resources.put_all": Query(
        lambda c: resources.put_all(
            c, [resources.Version("Encounter", "r00000001", 3, "p1", "m00000001", 0, NOW, key(1), b"")]
        ),
        (("resource_current",),),
    ),
    "resources.heard": Query(
        lambda c: resources.heard(c, [("Encounter", "r00000001")], "m00000002", NOW), (("resource_current",),)
    ),
    "resources.earlier": Query(
        lambda c: resources.earlier(c, "Encounter", "r00000001"),
        (("resource_pkey", "sqlite_autoindex_resource_1"),),
    ),
    "resources.newest": Query(lambda c: resources.newest(c, "Patient", "p100", 50), (("resource_current",),)),
    "messages.sender": Query(lambda c: messages.sender(c, "m00000001"), (MESSAGE_BY_ID,)),
    "messages.answer": Query(
        lambda c: messages.answer(c, "m00000001"), (("message_answer_pkey", "sqlite_autoindex_message_answer_1"),)
    ),
    "persons.survivor_of": Query(lambda c: persons.survivor_of(c, "p501"), (LINK_BY_ID,)),
    "persons.merged_into": Query(lambda c: persons.merged_into(c, ["p501"]), (("person_link_survivor",),)),
    "persons.holding": Query(
        lambda c: persons.holding(c, ["Encounter/r00000001", "Patient/p601"]), (("identity_change_other",),) * 2
    ),
    "persons.kept_by": Query(lambda c: persons.kept_by(c, "Patient/p601"), (("identity_change_kept",),)),
    "persons.links": Query(
        lambda c: persons.links(c, ["Patient/p601"]), (("identity_change_other", "identity_change_kept"),)
    ),
    "persons.changes_of": Query(lambda c: persons.changes_of(c, "m00000600"), (("identity_change_message",),)),
    "persons.effects": Query(
        lambda c: persons.effects(c, "c00000600"), (("identity_effect_pkey", "sqlite_autoindex_identity_effect_1"),)
    ),
    "persons.with_key": Query(lambda c: persons.with_key(c, key(1001), 20), (KEY,)),
    "persons.drop_keys": Query(lambda c: persons.drop_keys(c, [("p1", key(1001))]), ((*KEY, "person_key_patient"),)),
    "deadlines.deliveries_to_tell": Query(
        lambda c: deadlines.deliveries_to_tell(c, NOW, 500), (("delivery_notice",),)
    ),
    "deadlines.told_of": Query(lambda c: deadlines.told_of(c, NOTICED, warned_at=NOW), ((*DELIVERY_BY_ID, "delivery_notice"),)),
    "deadlines.counts": Query(lambda c: deadlines.counts(c, NOW), (("delivery_notice",),)),
    "reports.near_or_past": Query(lambda c: reports.near_or_past(c, NOW), (("delivery_notice",),)),
    "reports.wrong_messages": Query(reports.wrong_messages, (("message_wrong",),)),
    "gauges.open_deliveries": Query(gauges.open_deliveries, (("delivery_order",),)),
    "gauges.in_flight": Query(lambda c: gauges.in_flight(c, NOW), (("delivery_leased",),)),
    "gauges.wrong": Query(gauges.wrong, tuple((f"{kind}_wrong",) for kind in metrics.KINDS)),
    "gauges.waiting_messages": Query(gauges.waiting_messages, (("message_due", "message_order"),)),
    "gauges.waiting_documents": Query(gauges.waiting_documents, (("document_due",),)),
    "gauges.open_tasks": Query(gauges.open_tasks, (("signing_task_open", "signing_task_notice"),)),
    "gauges.ending_certificates": Query(
        lambda c: gauges.ending_certificates(c, (NOW,)), (("certificate_ending",),)
    ),
    "message_keys.with_key": Query(lambda c: message_keys.with_key(c, key(1001), 51), (MESSAGE_KEY,)),
    "message_keys.without": Query(lambda c: message_keys.without(c, 20), (("message_unkeyed",),)),
    "message_keys.note_keyed": Query(
        lambda c: message_keys.note_keyed(c, [f"m{n:08}" for n in range(20)]), (MESSAGE_BY_ID,)
    ),
    "message_keys.messages_of": Query(
        lambda c: message_keys.messages_of(c, [f"m{n:08}" for n in range(50)]), (MESSAGE_BY_ID,)
    ),
    "message_keys.documents_of": Query(
        lambda c: message_keys.documents_of(
            c, 51, ids=["d00000001"], messages=[f"m{n:08}" for n in range(50)], patients=["p1", "p2"]
        ),
        (DOCUMENT_BY_ID, ("document_message",), ("document_patient",)),
    ),
    "message_keys.documents_with_hash": Query(
        lambda c: message_keys.documents_with_hash(c, "0" * 64), (("rendition_sha256",),)
    ),
    "message_keys.deliveries_of": Query(
        lambda c: message_keys.deliveries_of(
            c, ids=["v000000000"], documents=[f"d{n:08}" for n in range(50)], reference="G10"
        ),
        (DELIVERY_BY_ID, ("delivery_document",), ("delivery_reference",)),
    ),
    "documents.insert": Query(lambda c: documents.insert(c, NEW_DOCUMENT), (("document_subject",),)),
    "documents.take_unfinished": Query(lambda c: documents.take_unfinished(c, **LEASE), (("document_due",),)),
    "documents.move": Query(lambda c: documents.move(c, "d00000000", "compose"), (DOCUMENT_BY_ID,)),
    "documents.renditions": Query(lambda c: documents.renditions(c, "d00000001", "cda"), (RENDITION_BY_ID,)),
    "documents.with_hash": Query(lambda c: documents.with_hash(c, "0" * 64), (("rendition_sha256",),)),
    "documents.in_state: error queue": Query(lambda c: documents.in_state(c, "error", 20), (("document_wrong",),)),
    "documents.of_message": Query(lambda c: documents.of_message(c, "m00000001"), (("document_message",),)),
    "documents.release_leases": Query(lambda c: documents.release_leases(c, "n1"), (("document_due",),)),
    "documents.died": Query(lambda c: documents.died(c, "n1"), (("document_due",),) * 3),
    "nodes.held": Query(
        nodes.held,
        (
            ("message_due", "message_order"), ("document_due",), ("delivery_leased",), ("signature_proof_due",),
            ("archive_due",),
        ),
    ),
    "documents.waiting_for_people": Query(
        lambda c: documents.waiting_for_people(c, "discharge_paper", "Encounter/1900", "d00003999"),
        (("document_subject",),),
    ),
    "documents.given_out": Query(
        lambda c: documents.given_out(c, "discharge_paper", "Encounter/7"), (("document_subject",),)
    ),
    "documents.next_signature": Query(lambda c: documents.next_signature(c, "d00000001", "cda"), (SIGNATURE_BY_ID,)),
    "documents.void_signatures": Query(
        lambda c: documents.void_signatures(c, "d00000001", NOW), (SIGNATURE_BY_ID, SIGNATURE_BY_ID, PROOF_OF)
    ),
    "documents.wake": Query(lambda c: documents.wake(c, "d00000001", NOW), (DOCUMENT_BY_ID,)),
    "proofs.take_wanting": Query(lambda c: proofs.take_wanting(c, **LEASE), (("signature_proof_due",),)),
    "proofs.move": Query(lambda c: proofs.move(c, "f000000401", "stamp"), (PROOF_BY_ID,)),
    "proofs.of_document": Query(lambda c: proofs.of_document(c, "d00000001"), (PROOF_OF,)),
    "proofs.evidence": Query(lambda c: proofs.evidence(c, "f000000011"), (MATERIAL,)),
    "proofs.want": Query(lambda c: proofs.want(c, ["f000000401"], NOW), (PROOF_BY_ID,)),
    "proofs.wanting: people": Query(lambda c: proofs.wanting(c, failed=True, limit=20), (("signature_proof_due",),)),
    "proofs.lacking: people": Query(proofs.lacking, (("signature_proof_due",),) * 2),
    "documents.unfinished": Query(lambda c: documents.unfinished(c, "d00000001"), (RENDITION_BY_ID,)),
    "documents.waiting_early": Query(lambda c: documents.waiting_early(c, "d00000001"), (RENDITION_BY_ID,)),
    "proofs.release_leases": Query(
        lambda c: proofs.release_leases(c, "n1"), (("signature_proof_due",), ("archive_due",))
    ),
    "proofs.take_ending": Query(lambda c: proofs.take_ending(c, **LEASE), (("archive_due",),)),
    "proofs.take_ending: records": Query(lambda c: proofs.take_ending(c, **LEASE, records=True), (("archive_due",),)),
    "proofs.to_renew: people": Query(lambda c: proofs.to_renew(c, NOW), (("archive_due",),)),
    "proofs.pieces": Query(lambda c: proofs.pieces(c, ["f000000011"]), (MATERIAL,)),
    "proofs.renewed": Query(lambda c: proofs.renewed(c, "a000000011", "n1"), (ARCHIVE_BY_ID,)),
    "proofs.not_renewed: people": Query(lambda c: proofs.not_renewed(c, NOW), (("archive_due",),)),
    "signing_tasks.of_document": Query(
        lambda c: signing_tasks.of_document(c, "d00000001"), (("signing_task_document",),)
    ),
    "signing_tasks.open_tasks: work list": Query(
        lambda c: signing_tasks.open_tasks(c, roles=("head_of_department",), states=("ready",)),
        (("signing_task_open", "signing_task_notice"),),
    ),
    "signing_tasks.move": Query(lambda c: signing_tasks.move(c, "t000000401", "ready"), (TASK_BY_ID,)),
    "signing_tasks.expire": Query(
        lambda c: signing_tasks.expire(c, NOW), (("signing_task_open", "signing_task_notice"),)
    ),
    "signing_tasks.void_all": Query(
        lambda c: signing_tasks.void_all(c, "d00000001", "x"), (("signing_task_document",),)
    ),
    "signing_tasks.release_of": Query(
        lambda c: signing_tasks.release_of(c, "BS1"), (("signing_task_open", "signing_task_notice"),) * 2
    ),
    "signing_tasks.renew": Query(
        lambda c: signing_tasks.renew(c, "page-1", NOW), (("signing_task_open", "signing_task_notice"),) * 2
    ),
    "signing_tasks.to_tell": Query(lambda c: signing_tasks.to_tell(c, 3), (("signing_task_notice",),)),
    "deliveries.take_queued": Query(lambda c: deliveries.take_queued(c, DESTINATION, **LEASE), (("delivery_due",),)),
    "deliveries.take_queued: named by Redis": Query(
        lambda c: deliveries.take_queued(c, DESTINATION, ids=[f"v{n:08}0" for n in range(20)], **LEASE),
        (DELIVERY_BY_ID,),
    ),
    "deliveries.take_uncertain": Query(
        lambda c: deliveries.take_uncertain(c, DESTINATION, **LEASE), (("delivery_uncertain",),)
    ),
    "deliveries.heads": Query(
        lambda c: deliveries.heads(c, DESTINATION, now=NOW, limit=100), (("delivery_due",),)
    ),
    "deliveries.next_of_keys": Query(
        lambda c: deliveries.next_of_keys(c, [(f"v{n:08}0", NOW) for n in range(20)]),
        ((*DELIVERY_BY_ID, "delivery_order"), DELIVERY_BY_ID),
    ),
    "dispatch.send_all": Query(
        lambda c: dispatch.send_all(c, [(f"v{n:08}0", "n1") for n in (400, 4)]), (DELIVERY_BY_ID,)
    ),
    "dispatch.accept_all": Query(
        lambda c: dispatch.accept_all(c, [dispatch.Accepted("v000024000", "n1", NOW, "R", "{}", b"x")]),
        (DELIVERY_BY_ID, DELIVERY_BY_ID),
    ),
    "documents.final_all": Query(
        lambda c: documents.final_all(c, [(f"d{n:08}", ("cda",)) for n in range(20)]),
        ((*RENDITION_BY_ID, *DOCUMENT_BY_ID),),
    ),
    "deliveries.running": Query(lambda c: deliveries.running(c, DESTINATION, NOW), (("delivery_leased",),)),
    "deliveries.waiting": Query(lambda c: deliveries.waiting(c), (("delivery_order",),)),
    "deliveries.next_due": Query(lambda c: deliveries.next_due(c, DESTINATION), (("delivery_due",),)),
    "deliveries.move": Query(lambda c: deliveries.move(c, "v000000000", "claim", None), (DELIVERY_BY_ID,)),
    "deliveries.move_all": Query(
        lambda c: deliveries.move_all(c, "d00000000", "ready", NOW), (("delivery_document",),)
    ),
    "deliveries.put_attempt": Query(
        lambda c: deliveries.put_attempt(
            c, "v000000010", ended_at=NOW, event="accept", fault=None, facts="{}", sealed=None
        ),
        (ATTEMPT_BY_ID,),
    ),
    "deliveries.heartbeat": Query(
        lambda c: deliveries.heartbeat(c, ["v000000000", "v000000001"], "n1", NOW), (DELIVERY_BY_ID,)
    ),
    "deliveries.expire": Query(lambda c: deliveries.expire(c, NOW), (("delivery_leased",), ("delivery_leased",))),
    "deliveries.expire: start of a node": Query(
        lambda c: deliveries.expire(c, NOW, "n1"),
        (("delivery_leased",), ("delivery_leased",), ("delivery_leased", "delivery_uncertain")),
    ),
    "deliveries.died": Query(lambda c: deliveries.died(c, "n1", NOW), (("delivery_leased", "delivery_uncertain"),) * 5),
    "deliveries.set_aside": Query(
        lambda c: deliveries.set_aside(c, ["v000000000"], "n1", NOW), (DELIVERY_BY_ID, DELIVERY_BY_ID)
    ),
    "deliveries.listing: error queue": Query(
        lambda c: deliveries.listing(c, states=("error",), limit=20), (("delivery_wrong",),)
    ),
    "deliveries.listing: of a document": Query(
        lambda c: deliveries.listing(c, document_id="d00000001"), (("delivery_document",),)
    ),
    "reports.papers_of": Query(
        lambda c: reports.papers_of(c, 1000, 1010), (("document_event", "delivery_document"),)
    ),
    "reports.discharges": Query(
        lambda c: reports.discharges(c, 1000, 2000), ((*MESSAGE_BY_ID, "document_message"),)
    ),
    "selections.deliveries_in: a span": Query(
        lambda c: selections.deliveries_in(c, replace(SELECTED, begin=FIRST, end=FIRST + 1)),
        ((*DELIVERY_BY_ID, *DOCUMENT_BY_ID),),
    ),
    "selections.deliveries_in: error queue": Query(
        lambda c: selections.deliveries_in(c, replace(SELECTED, types=("ADT",))), (("delivery_wrong",),)
    ),
    "selections.deliveries_among": Query(
        lambda c: selections.deliveries_among(c, SELECTED, ["d00000001", "d00000002"]), (("delivery_document",),)
    ),
    "selections.deliveries_named": Query(
        lambda c: selections.deliveries_named(c, SELECTED, ["v000000000", "v000000401"]), (DELIVERY_BY_ID,)
    ),
    "selections.messages_in: a span": Query(
        lambda c: selections.messages_in(c, selections.Wanted(begin=FIRST, end=FIRST + 1, papers=("referral",))),
        (MESSAGE_BY_ID,),
    ),
    "selections.messages_in: error queue": Query(
        lambda c: selections.messages_in(c, selections.Wanted(states=("error",))), (("message_wrong",),)
    ),
    "selections.messages_named": Query(
        lambda c: selections.messages_named(c, selections.Wanted(), ["m00000001", "m00000002"]), (MESSAGE_BY_ID,)
    ),
    "selections.messages_with_fault": Query(
        lambda c: selections.messages_with_fault(c, [6002], ["portal"]),
        (("message_wrong",), ("document_wrong",), ("delivery_wrong",)),
    ),
    "selections.messages_of_persons": Query(
        lambda c: selections.messages_of_persons(c, ["p1", "p2"]), (("resource_patient",), ("document_patient",))
    ),
    "selections.documents_of_messages": Query(
        lambda c: selections.documents_of_messages(c, ["m00000001", "m00000002"]), (("document_message",),)
    ),
    "selections.messages_of_documents": Query(
        lambda c: selections.messages_of_documents(c, ["d00000001", "d00000002"]), (DOCUMENT_BY_ID,)
    ),
    "selections.documents_of_persons": Query(
        lambda c: selections.documents_of_persons(c, ["p1", "p2"]), (("document_patient",),)
    ),
    "images.find": Query(lambda c: images.find(c, "1.2.3.7"), (("instance_sop",),)),
    "images.of_study": Query(
        lambda c: images.of_study(c, "1.2.3"), (("instance_study",),)
    ),
    "images.known": Query(
        lambda c: images.known(c, ["i00000007", "i00000009"]), (("instance_pkey", "sqlite_autoindex_instance_1"),)
    ),
    "images.settled": Query(lambda c: images.settled(c, "1.2.3"), ((*STUDY_BY_UID, *MESSAGE_BY_ID),)),
    "images.newest_of": Query(lambda c: images.newest_of(c, ["1.2.3", "1.2.4"], 8), (STUDY_BY_UID,)),
    "images.of_scope": Query(lambda c: images.of_scope(c, "1.2.3", "1"), (("instance_study",),)),
    "images.of_scope: one": Query(
        lambda c: images.of_scope(c, "1.2.3", "1", "1.2.3.7"), (("instance_sop", "instance_study"),)
    ),
    "images.header": Query(
        lambda c: images.header(c, "i00000007"), (("instance_header_pkey", "sqlite_autoindex_instance_header_1"),)
    ),
    "images.due": Query(lambda c: images.due(c, MESSAGES, 8), (("study_due",),)),
    "images.studies": Query(lambda c: images.studies(c, 50), (("study_newest",),)),
    "samples.due": Query(lambda c: samples.due(c, NOW, 50), (("device_sample_due",),)),
    "samples.of_window": Query(lambda c: samples.of_window(c, WINDOW), (SAMPLES_OF_WINDOW,)),
    "samples.settle": Query(lambda c: samples.settle(c, WINDOW, 40), (SAMPLES_OF_WINDOW, SAMPLES_OF_WINDOW)),
    "samples.put": Query(lambda c: samples.put(c, "m00000001", []), (SAMPLES_BY_MESSAGE,)),
    "worklist.of_orders": Query(lambda c: worklist.of_orders(c, ["o00000040", "o00000041"]), (WORKLIST_BY_ID,)),
    "worklist.of_patients": Query(lambda c: worklist.of_patients(c, ["p40"]), (("worklist_patient",),)),
    "worklist.of_accessions": Query(lambda c: worklist.of_accessions(c, [key(40)]), (("worklist_accession",),)),
    "worklist.of_study": Query(lambda c: worklist.of_study(c, "2.25.40"), (("worklist_study",),)),
    "worklist.done": Query(lambda c: worklist.done(c, ["o00000040"], NOW), (WORKLIST_BY_ID,)),
    "worklist.waiting": Query(
        lambda c: worklist.waiting(c, first="20261120", last="20261120", limit=500), (("worklist_day",),)
    ),
    "worklist.waiting: of a person": Query(
        lambda c: worklist.waiting(c, first="20261001", patient_key=key(40), limit=500), (("worklist_number",),)
    ),
    "worklist.waiting: an accession number": Query(
        lambda c: worklist.waiting(c, first="20261001", accession_key=key(40), limit=500), (("worklist_accession",),)
    ),
    "resources.of_patients: of a type": Query(
        lambda c: resources.of_patients(c, ["p1"], "AllergyIntolerance"), (("resource_patient",),)
    ),
    "procedure_steps.get": Query(lambda c: procedure_steps.get(c, "1.9.40"), (STEP_BY_ID,)),
    "procedure_steps.change": Query(
        lambda c: procedure_steps.change(
            c, cast("Any", SimpleNamespace(sop_instance="1.9.40", state="in_progress", last_key=key(1))), "complete"
        ),
        (STEP_BY_ID,),
    ),
    "procedure_steps.expect": Query(lambda c: procedure_steps.expect(c, "1.2.7", NOW), (STUDY_AND_STEPS,)),
    "commitments.due": Query(lambda c: commitments.due(c, "pacs", NOW, "CT1", 4), (("commitment_due",),)),
    "commitments.count_owed": Query(lambda c: commitments.count_owed(c, "pacs"), (("commitment_due",),)),
    "commitments.of_transaction": Query(
        lambda c: commitments.of_transaction(c, "pacs", "CT1", "1.9.40"), (("commitment_asked",),)
    ),
    "commitments.given_up": Query(lambda c: commitments.given_up(c, 50), (("commitment_wrong",),)),
    "images.gone_of_study": Query(lambda c: images.gone_of_study(c, "1.2.3"), (("instance_gone",),)),
    "images.going": Query(lambda c: images.going(c, 50), (("instance_going",),)),
    "images.give_up_files": Query(
        lambda c: images.give_up_files(c, "1.2.3", NOW), (("instance_study",), STUDY_BY_UID)
    ),
    "images.newest_since": Query(lambda c: images.newest_since(c, MESSAGES // 2 - 50, 8), (("study_newest",),)),
    "images.aside": Query(lambda c: images.aside(c, 50), (("instance_aside",),)),
    "lab.orders_with": Query(lambda c: lab.orders_with(c, [key(80)], 0), ((*LAB_NUMBER, *LAB_ORDER),)),
    "lab.orders_of": Query(lambda c: lab.orders_of(c, ["p40"], 0), (("lab_order_patient", "lab_order_active"),)),
    "lab.waiting": Query(lambda c: lab.waiting(c, MESSAGES - 400, 200), (("lab_order_active",),)),
    "lab.assigned": Query(
        lambda c: lab.assigned(c, "m00000001"), (("lab_assignment_pkey", "sqlite_autoindex_lab_assignment_1"),)
    ),
    "lab.values": Query(lambda c: lab.values(c, every=False, limit=50), (("critical_value_open",),)),
    "lab.open_values": Query(lab.open_values, (("critical_value_open",),)),
    "lab_calls.of_orders": Query(lambda c: lab_calls.of_orders(c, ["o00000040"]), (("lab_call_order",),)),
    "lab_calls.due": Query(lambda c: lab_calls.due(c, "analyser", NOW, 200), (("lab_call_due",),)),
    "lab_calls.knows": Query(lambda c: lab_calls.knows(c, "analyser", key(40)), (("lab_call_specimen",),)),
    "lab_calls.refused": Query(lambda c: lab_calls.refused(c, 50), (("lab_call_wrong",),)),
    "lab_calls.waiting": Query(lab_calls.waiting, (("lab_call_due",),)),
    "card_lookups.count_since": Query(
        lambda c: card_lookups.count_since(c, DESTINATION, MESSAGES - 60), (("card_lookup_day",),)
    ),
    "card_lookups.asked": Query(
        lambda c: card_lookups.asked(c, (7).to_bytes(16, "big"), 0), (("card_lookup_question",),)
    ),
    "card_lookups.of_encounter": Query(
        lambda c: card_lookups.of_encounter(c, "e7"), (("card_lookup_encounter",),)
    ),
    "card_lookups.listing": Query(
        lambda c: card_lookups.listing(c, DESTINATION, MESSAGES - 60, 50), (("card_lookup_day",),)
    ),
    "card_lookups.by_actor": Query(
        lambda c: card_lookups.by_actor(c, DESTINATION, MESSAGES - 60), (("card_lookup_day",),)
    ),
    "jobs.next_item": Query(lambda c: jobs.next_item(c, f"j{JOBS - 1}"), (("job_item_waiting",),)),
    "jobs.counts": Query(lambda c: jobs.counts(c, "j3"), (JOB_ITEM_BY_ID,)),
    "jobs.left": Query(lambda c: jobs.left(c, "j3"), (JOB_ITEM_BY_ID,)),
    "certificates.by_fingerprint": Query(
        lambda c: certificates.by_fingerprint(c, f"{40:064}"), ((*FINGERPRINT, *HOLDER_BY_ID),)
    ),
    "certificates.of_holder": Query(lambda c: certificates.of_holder(c, "h00000001"), (("certificate_holder",),)),
    "certificates.holder_of": Query(
        lambda c: certificates.holder_of(c, "NV7"), (("holder_code", "sqlite_autoindex_holder_2"),)
    ),
    "certificates.ending": Query(lambda c: certificates.ending(c, 50_000), (("certificate_ending",),)),
    "certificates.events": Query(
        lambda c: certificates.events(c, certificate_id="k00000001"), (("certificate_event_certificate",),)
    ),
    "certificates.events: of a holder": Query(
        lambda c: certificates.events(c, holder_id="h00000001"), (("certificate_event_holder",),)
    ),
    "certificates.incidents": Query(
        lambda c: certificates.incidents(c, "k00000001"), (("certificate_incident_certificate",),)
    ),
    "certificates.notices": Query(
        lambda c: certificates.notices(c, ["k00000001"]),
        (("certificate_notice_pkey", "sqlite_autoindex_certificate_notice_1"),),
    ),
    "certificates.signed_since": Query(
        lambda c: certificates.signed_since(c, f"{7:064}", 3000), (("signature_certificate",),)
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def backlog(postgres_server: str) -> Iterator[Engine]:
    """A PostgreSQL in which a backlog has built up since statistics were taken: it believes that hardly anything waits."""
    name = "t" + uuid7().replace("-", "")
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    made = make_engine(postgres_server.rpartition("/")[0] + "/" + name)
    upgrade(made)
    with made.begin() as filling:
        for table in ("message", "document", "delivery"):
            filling.exec_driver_sql(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        filling.exec_driver_sql("ANALYZE")
        fill_waiting(filling)
    yield made
    made.dispose()


def fill_waiting(connection: Connection) -> None:
    common: dict[str, Any] = {"due_at": 1, "lease_owner": "", "lease_until": 0}
    connection.execute(
        schema.message.insert(),
        [
            {
                "id": f"m{n:08}", "channel": "his", "received_at": n, "peer": "", "sender": "HIS", "control_id": str(n),
                "type": "ADT^A01", "version": "2.5.1", "size": 400, "sha256": f"{n:064}", "dedupe_key": key(n),
                "order_key": key(n), "state": "received", "answer": "AA", **common,
            }
            for n in range(MESSAGES)
        ],
    )  # fmt: skip
    connection.execute(
        schema.document.insert(),
        [
            {
                "id": f"d{n:08}", "paper": "discharge_paper", "subject": f"Encounter/{n}", "version": 1,
                "channel": "his", "message_id": f"m{n:08}", "patient_id": f"p{n}", "order_key": key(n), "event_at": n,
                "deadline_at": n, "state": "due", **common,
            }
            for n in range(MESSAGES)
        ],
    )  # fmt: skip
    connection.execute(
        schema.delivery.insert(),
        [
            {
                "id": f"v{n:08}", "document_id": f"d{n:08}", "destination": DESTINATION, "order_key": key(n),
                "basis": "law", "created_at": n, "state": "queued", **common,
            }
            for n in range(MESSAGES)
        ],
    )  # fmt: skip


BACKLOG: dict[str, tuple[Callable[[Connection], object], str, str]] = {
    "messages": (lambda c: messages.take_received(c, **LEASE), "message_order", "order_key"),
    "documents": (lambda c: documents.take_unfinished(c, **LEASE), "document_subject", "subject"),
    "deliveries": (lambda c: deliveries.take_queued(c, DESTINATION, **LEASE), "delivery_order", "order_key"),
    "heads": (lambda c: deliveries.heads(c, DESTINATION, now=NOW, limit=100), "delivery_order", "order_key"),
    "named": (
        lambda c: deliveries.take_queued(c, DESTINATION, ids=[f"v{n:08}" for n in range(20)], **LEASE),
        "delivery_order",
        "order_key",
    ),
}
"""What looks for an earlier one of the same key, the index that finds it, and the column that says which key."""


def lookups(engine: Engine, act: Callable[[Connection], object], index: str, column: str) -> str:
    """Complain when an earlier one is looked for among everything that waits, or candidates are looked up so."""
    (statement,) = statements(engine, act)
    plan = explain(engine, statement)
    used = [line for line in plan.text.splitlines() if index in line]
    if not used or not all(column in line for line in used):
        return f"{index} is not asked for {column}\n{plan.text}"
    waiting = [line for line in plan.text.splitlines() if "_due " in line]
    return f"what waits is read {len(waiting)} times\n{plan.text}" if len(waiting) > 1 else ""


@pytest.mark.parametrize("name", BACKLOG)
def test_a_backlog_that_no_statistics_know(name: str, backlog: Engine) -> None:
    complaint = lookups(backlog, *BACKLOG[name])
    assert not complaint, complaint


@pytest.mark.parametrize(
    ("name", "module", "made"),
    [
        ("messages", messages, messages._ways),
        ("deliveries", deliveries, deliveries._blocked),
        ("heads", deliveries, deliveries._blocked),
    ],
)
def test_a_join_with_what_waits_is_seen(name: str, module: Any, made: Any, backlog: Engine) -> None:
    def joined(*conditions: Any) -> Any:
        return exists().where(*conditions)

    made.cache_clear()
    try:
        with mock.patch.object(module, "there_is", joined):
            assert lookups(backlog, *BACKLOG[name])
    finally:
        made.cache_clear()


def complaint(plan: Plan, meant: tuple[str, ...]) -> str:
    if plan.whole:
        return f"reads the whole of {', '.join(sorted(plan.whole))}"
    return "" if plan.indexes & set(meant) else f"is not served by {' or '.join(meant)}"


@pytest.mark.parametrize("name", HOT)
def test_plan(name: str, engine: Engine) -> None:
    query = HOT[name]
    sent = statements(engine, query.run)
    assert len(sent) == len(query.meant), sent
    for statement, meant in zip(sent, query.meant, strict=True):
        plan = explain(engine, statement)
        assert not complaint(plan, meant), f"{complaint(plan, meant)}\n{statement[0]}\n{plan.text}"


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("resources.of_patients", "resource_patient"),
        ("documents.insert", "document_subject"),
        ("documents.in_state: error queue", "document_wrong"),
        ("deliveries.move_all", "delivery_document"),
        ("signing_tasks.of_document", "signing_task_document"),
        ("persons.holding", "identity_change_other"),
        ("message_keys.without", "message_unkeyed"),
        ("proofs.take_ending", "archive_due"),
        ("jobs.next_item", "job_item_waiting"),
        ("selections.deliveries_in: error queue", "delivery_wrong"),
        ("selections.documents_of_messages", "document_message"),
        ("proofs.wanting: people", "signature_proof_due"),
        ("certificates.of_holder", "certificate_holder"),
        ("certificates.signed_since", "signature_certificate"),
    ],
)
def test_a_missing_index_is_seen(name: str, index: str, engine: Engine) -> None:
    statement = statements(engine, HOT[name].run)[0]
    assert complaint(explain(engine, statement, without=index), (index,))
