"""A ledger with data in it is brought to today's schema, and works."""

from __future__ import annotations

import asyncio
from pathlib import Path

import sqlalchemy as sa

from gateway.delivery import deadlines
from gateway.records import identity, persons, search
from gateway.store import certificates, deliveries, documents
from gateway.store import persons as rows
from gateway.store.engine import make_engine, open_store
from gateway.store.ids import uuid7
from gateway.store.migrate import upgrade
from gateway.store.sealed import Keyring, new_key_line
from mappings.formats import json
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, evn, message, pid, pv1

OLD_MESSAGE = (
    "INSERT INTO message (id, channel, received_at, peer, sender, control_id, type, version, size, sha256, order_key,"
    " state, answer, due_at) VALUES (:id, 'his', 1, '', 'HIS|01999', '1', 'ADT^A40', '2.5', 1, '', :key, 'mapped', 'AA', 1)"
)
OLD_RESOURCE = (
    "INSERT INTO resource (type, id, version, patient_id, message_id, recorded_at, current, digest, body)"
    " VALUES ('Patient', :id, :version, :id, :message, 1, :current, :digest, :body)"
)
OLD_LINK = "INSERT INTO person_link (patient_id, survivor_id, message_id) VALUES (:other, :kept, :message)"


def test_from_the_first_schema(empty_url: str, tmp_path: Path) -> None:
    keyring = Keyring.parse(new_key_line("k1"))
    merged = uuid7()
    engine = make_engine(empty_url)
    upgrade(engine, "0001")
    with engine.begin() as connection:
        connection.execute(sa.text(OLD_MESSAGE), {"id": merged, "key": b"k"})
        for id_, version, newest in (("p1", 1, False), ("p1", 2, True), ("p2", 1, True), ("p3", 1, True)):
            patient = {"resourceType": "Patient", "id": id_, "identifier": [{"system": "s", "value": id_}]}
            connection.execute(
                sa.text(OLD_RESOURCE),
                {
                    "id": id_,
                    "version": version,
                    "message": merged,
                    "current": newest,
                    "digest": b"d",
                    "body": keyring.seal(json.canonical(patient), f"Patient/{id_}/{version}"),
                },
            )
        for other, kept in (("p2", "p1"), ("p3", "p1")):
            connection.execute(sa.text(OLD_LINK), {"other": other, "kept": kept, "message": merged})
    engine.dispose()

    store = open_store(empty_url)
    try:
        assert store.read_now(lambda c: persons.all_ids(c, "p3")) == ["p1", "p2", "p3"]
        assert asyncio.run(search.fill(store, keyring)) == 3
        assert asyncio.run(search.fill(store, keyring)) == 0
        wanted = search.Wanted(numbers=[("s", "P2")])
        assert store.read_now(lambda c: search.find(c, keyring, wanted)) == ["p2"]
        undone = store.write_now(lambda c: identity.undo(c, keyring, merged, "lan", "nhầm", 5))
        assert [(change.kept, change.other) for change in undone] == [
            ("Patient/p1", "Patient/p2"),
            ("Patient/p1", "Patient/p3"),
        ]
        assert store.read_now(lambda c: persons.all_ids(c, "p3")) == ["p3"]
        assert [change.message_id for change in store.read_now(lambda c: rows.listing(c))] == [merged, merged]
    finally:
        store.close()


def test_an_empty_ledger_of_the_first_schema(empty_url: str, tmp_path: Path, clock: HandClock) -> None:
    engine = make_engine(empty_url)
    upgrade(engine, "0001")
    engine.dispose()
    desk = Desk(tmp_path / "site", empty_url, clock, produce=())
    try:
        desk.send(message("ADT^A01", "1", evn(), pid("BN1"), pv1("LK1")))
        assert desk.get(desk.patient("BN1"))["gender"] == "female"
    finally:
        desk.store.close()


def test_a_signature_of_before_is_the_first_of_its_rendition(empty_url: str) -> None:
    engine = make_engine(empty_url)
    upgrade(engine, "0005")
    with engine.begin() as connection:
        connection.execute(sa.text(OLD_MESSAGE), {"id": "m1", "key": b"k"})
        connection.execute(
            sa.text(
                "INSERT INTO document (id, paper, subject, version, channel, message_id, patient_id, order_key, event_at,"
                " deadline_at, signed_at, state, due_at) VALUES"
                " ('d1', 'referral', 's', 1, 'his', 'm1', 'p1', :key, 1, 2, 3, 'signed', 1)"
            ),
            {"key": b"k"},
        )
        connection.execute(
            sa.text(
                "INSERT INTO signature (document_id, kind, sha256, signer, certificate_sha256, signed_at)"
                " VALUES ('d1', 'cda', 'aa', 'CN=Seal', 'ff', 3)"
            )
        )
    engine.dispose()
    store = open_store(empty_url)
    try:
        (kept,) = store.read_now(lambda c: documents.signatures(c, "d1"))
        assert (kept.number, kept.role, kept.signer, kept.signed_at, kept.voided_at) == (1, "seal", "CN=Seal", 3, None)
        assert store.read_now(lambda c: certificates.signed_since(c, "ff", 3)) == ["d1"]
        store.write_now(
            lambda c: documents.put_signature(c, "d1", "cda", sha256="bb", signer="CN=A", certificate="ee", at=4)
        )
        assert [one.number for one in store.read_now(lambda c: documents.signatures(c, "d1"))] == [1, 2]
    finally:
        store.close()


def test_a_delivery_of_before_that_has_not_arrived_gets_a_clock(empty_url: str) -> None:
    engine = make_engine(empty_url)
    upgrade(engine, "0011")
    document = (
        "INSERT INTO document (id, paper, subject, version, channel, message_id, patient_id, order_key, event_at, deadline_at,"
        " state, due_at) VALUES ('d1', 'discharge_paper', 'Encounter/1', 1, 'his', :message, 'p1', :key, 1, 900, 'signed', 1)"
    )
    delivery = (
        "INSERT INTO delivery (id, document_id, destination, order_key, basis, created_at, state, due_at)"
        " VALUES (:id, 'd1', 'portal', :key, 'law', 1, :state, 1)"
    )
    message_id = uuid7()
    with engine.begin() as connection:
        connection.execute(sa.text(OLD_MESSAGE), {"id": message_id, "key": b"k"})
        connection.execute(sa.text(document), {"message": message_id, "key": b"k"})
        for id_, state in (("v1", "queued"), ("v2", "accepted"), ("v3", "error")):
            connection.execute(sa.text(delivery), {"id": id_, "key": b"k", "state": state})
    engine.dispose()

    store = open_store(empty_url)
    try:
        _, told = store.write_now(lambda c: deadlines.tell(c, 1000))
        assert {(one.id, one.event) for one in told} == {("v1", "breached"), ("v3", "breached")}
        found = store.read_now(lambda c: deliveries.listing(c))
        assert {row.id: row.deadline_at for row in found} == {"v1": 900, "v2": 900, "v3": 900}
    finally:
        store.close()
