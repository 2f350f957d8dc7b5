"""Completeness and reconciliation of one day, on both engines; each count has a row that makes it wrong when it is missed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Connection

from gateway.clock import SECOND, SystemClock
from gateway.configuration import load
from gateway.ops.reports import completeness, reconciliation, span
from gateway.states import DELIVERY, DOCUMENT, states
from gateway.store import deliveries, documents, messages, schema
from gateway.store.documents import NewDocument
from gateway.store.engine import Store, open_store
from gateway.store.ids import first_uuid7, uuid7, uuid7_instant
from tests.integration.gateway.test_store import new_message
from tests.site import cli, write_site

ALWAYS = (0, 10**16)
NOW = 5_000 * SECOND
DEADLINE = 4_000 * SECOND


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    yield opened
    opened.close()


@dataclass(frozen=True)
class Made:
    message: str
    document: str
    delivery: str


def make(
    store: Store,
    *,
    paper: str = "discharge_paper",
    subject: str = "",
    state: str = "signed",
    to: str = "portal",
    delivery: str = "accepted",
    accepted_at: int = 3_000 * SECOND,
    event_at: int = 1_000 * SECOND,
    fault: int = 0,
    receipt: bool = True,
) -> Made:
    """Put a paper of an event into the ledger, with one delivery unless `delivery` is empty."""
    message = new_message()

    def unit(connection: Connection) -> Made:
        messages.insert_all(connection, [message])
        messages.move(connection, message.id, "map")
        new = NewDocument(paper, subject or uuid7(), "his", message.id, "p1", b"k", event_at, DEADLINE)
        document = documents.insert(connection, new)
        connection.execute(schema.document.update().where(schema.document.c.id == document).values(state=state))
        if not delivery:
            return Made(message.id, document, "")
        sent = deliveries.insert(connection, document, to, b"k", "law", event_at, "pending")
        accepted = {"accepted_at": accepted_at, "reference": f"R-{sent}"} if delivery == "accepted" else {}
        connection.execute(
            schema.delivery.update()
            .where(schema.delivery.c.id == sent)
            .values(state=delivery, fault_code=fault, **accepted)
        )
        if delivery == "accepted" and receipt:
            deliveries.put_attempt(
                connection, sent, ended_at=accepted_at, event="accept", fault=None, facts="{}", sealed=b"x"
            )
        return Made(message.id, document, sent)

    return store.write_now(unit)


def whole(store: Store, now: int = NOW) -> Any:
    return store.read_now(lambda c: completeness(c, *ALWAYS, now))


def test_what_arrived_in_time_late_or_not(store: Store) -> None:
    make(store)
    make(store, accepted_at=DEADLINE + 1)
    queued = make(store, delivery="queued")
    refused = make(store, delivery="error", fault=6002)
    hidden = make(store, delivery="withheld")
    found = whole(store)
    (share,) = found.shares
    assert (share.expected, share.in_time, share.late, share.missing, share.withheld) == (4, 1, 1, 2, 1)
    assert share.percent == 50.0
    told = {one.id: (one.what, one.state, one.why, one.fault[0], one.overdue) for one in found.missing}
    assert told == {
        queued.delivery: ("delivery", "queued", "under_way", 0, True),
        refused.delivery: ("delivery", "error", "fault", 6002, True),
        hidden.delivery: ("delivery", "withheld", "withheld", 0, False),
    }
    assert not found.whole


def test_a_day_of_which_all_arrived_is_whole_also_when_something_must_not_leave(store: Store) -> None:
    make(store)
    make(store, delivery="withheld")
    assert whole(store).whole


def test_nothing_is_overdue_before_its_deadline(store: Store) -> None:
    make(store, delivery="queued")
    assert [one.overdue for one in whole(store, now=DEADLINE - 1).missing] == [False]


def test_only_the_newest_version_counts(store: Store) -> None:
    make(store, subject="Encounter/1", delivery="error")
    make(store, subject="Encounter/1")
    make(store, subject="Encounter/1", state="unchanged", delivery="closed")
    found = whole(store)
    assert found.whole
    assert [share.expected for share in found.shares] == [1]


def test_only_events_of_the_span_count(store: Store) -> None:
    begin, end = span(date(2026, 11, 25), "Asia/Ho_Chi_Minh")
    assert end - begin == 86_400 * SECOND
    for at in (begin - 1, begin, end - 1, end):
        make(store, event_at=at)
    found = store.read_now(lambda c: completeness(c, begin, end, NOW))
    assert [share.expected for share in found.shares] == [2]


def test_a_paper_that_waits_for_a_signature_says_for_whose(store: Store) -> None:
    made = make(store, state="signing", delivery="awaiting")

    def task(connection: Connection) -> None:
        for number, role, state in ((1, "treating_doctor", "signed"), (2, "head", "ready"), (3, "seal", "waiting")):
            connection.execute(
                schema.signing_task.insert().values(
                    id=uuid7(), document_id=made.document, number=number, step=role, role=role, state=state,
                    optional=False, in_person=False, countersigns=False, deadline_at=1,
                )
            )  # fmt: skip

    store.write_now(task)
    (missing,) = whole(store).missing
    assert (missing.why, missing.waits_for) == ("signature", ("head",))


def test_a_paper_that_could_not_be_composed_and_one_that_goes_nowhere(store: Store) -> None:
    failed = make(store, state="error", delivery="")
    nowhere = make(store, delivery="")
    store.write_now(
        lambda c: c.execute(
            schema.document.update().where(schema.document.c.id == failed.document).values(fault_code=3401)
        )
    )
    told = {one.id: (one.what, one.why) for one in whole(store).missing}
    assert told == {failed.document: ("document", "fault"), nowhere.document: ("document", "no_destination")}


def test_a_discharge_that_led_to_no_paper_is_missing(store: Store) -> None:
    def arrive(state: str, fault: int = 0) -> str:
        message = new_message()

        def unit(connection: Connection) -> None:
            messages.insert_all(connection, [message])
            connection.execute(
                schema.message.update()
                .where(schema.message.c.id == message.id)
                .values(type="ADT^A03", state=state, fault_code=fault)
            )

        store.write_now(unit)
        return message.id

    wrong, waiting, mapped = arrive("error", 3101), arrive("received"), arrive("mapped")
    arrive("duplicate")
    told = {one.id: (one.what, one.why, one.fault[0]) for one in whole(store).missing}
    assert told == {
        wrong: ("message", "fault", 3101),
        waiting: ("message", "under_way", 0),
        mapped: ("message", "no_paper", 0),
    }


# ---- reconciliation ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", sorted(states(DELIVERY)))
def test_every_state_of_a_delivery_is_in_one_place_of_the_account(store: Store, state: str) -> None:
    made = make(store, delivery=state)
    found = store.read_now(lambda c: reconciliation(c, *ALWAYS))
    (account,) = found.accounts
    places = (account.accepted, account.withheld, account.closed, account.in_error_queue, account.under_way)
    assert (account.made, sum(places)) == (1, 1)
    ended = state in ("accepted", "withheld", "closed")
    assert found.closes == ended
    assert [one.id for one in found.open] == ([] if ended else [made.delivery])


def test_what_a_person_confirmed_is_accepted_without_a_receipt(store: Store) -> None:
    make(store)
    make(store, receipt=False)
    (account,) = store.read_now(lambda c: reconciliation(c, *ALWAYS)).accounts
    assert (account.accepted, account.receipts, account.difference) == (2, 1, 0)


def test_the_destinations_own_list_is_compared_both_ways(store: Store) -> None:
    here, gone = make(store), make(store)
    other = make(store, to="axis")
    listed = [f"R-{here.delivery}", "R-unknown"]
    found = store.read_now(lambda c: reconciliation(c, *ALWAYS, "portal", listed))
    (account,) = found.accounts
    assert (account.only_theirs, account.only_ours) == (("R-unknown",), (gone.delivery,))
    assert (account.difference, found.closes) == (2, False)
    assert other.delivery not in account.only_ours


def test_a_list_of_a_destination_to_which_nothing_went(store: Store) -> None:
    found = store.read_now(lambda c: reconciliation(c, *ALWAYS, "portal", ["R-1"]))
    assert [(one.destination, one.only_theirs) for one in found.accounts] == [("portal", ("R-1",))]
    assert not found.closes


@pytest.mark.parametrize("state", sorted(states(DOCUMENT)))
def test_papers_without_an_end_keep_the_books_open(store: Store, state: str) -> None:
    make(store, state=state, delivery="")
    found = store.read_now(lambda c: reconciliation(c, *ALWAYS))
    ended = state in ("signed", "unchanged", "returned", "superseded", "closed")
    assert (found.unfinished, found.closes) == (int(not ended), ended)


def test_messages_without_an_end_keep_the_books_open(store: Store) -> None:
    store.write_now(lambda c: messages.insert_all(c, [new_message()]))
    assert store.read_now(lambda c: reconciliation(c, *ALWAYS)).unfinished == 1


def test_keys_of_a_span(store: Store) -> None:
    key = uuid7()
    made = uuid7_instant(key)
    assert first_uuid7(made) <= key < first_uuid7(made + 1000)
    make(store)
    for begin, end, n in ((0, made, 0), (made, ALWAYS[1], 1)):
        found = store.read_now(lambda c, b=begin, e=end: reconciliation(c, b, e))  # type: ignore[misc]
        assert len(found.accounts) == n


# ---- the commands ------------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A hospital whose day had one paper accepted and one refused."""
    folder = '\n[[destination]]\nkind = "folder"\nfolder = "out"\nbasis = "test"\n'
    config = write_site(tmp_path, produce=(), destinations=folder)
    store = open_store(load(config).store_url)
    now = SystemClock().now()
    good = make(store, to="folder", event_at=now)
    make(store, to="folder", event_at=now, delivery="error", fault=6002)
    (tmp_path / "theirs.csv").write_text(f"STT;maGiaoDich\n1;R-{good.delivery}\n2;R-x\n", encoding="utf-8")
    store.close()
    return config


def report(config: Path, *arguments: str) -> tuple[int, str]:
    done = cli("report", *arguments, "--config", str(config))
    return done.returncode, done.stdout


def test_the_command_says_what_is_missing_and_why(site: Path) -> None:
    code, printed = report(site, "completeness", "--json")
    told = json.loads(printed)
    assert (code, told["whole"], told["facility"]) == (1, False, load(site).facility.code)
    assert [share["percent"] for share in told["shares"]] == [50.0]
    assert [one["fault"]["code"] for one in told["missing"]] == ["LT6002"]
    code, printed = report(site, "completeness")
    assert code == 1
    assert "LT6002" in printed
    assert "còn thiếu" in printed


def test_an_empty_day_is_whole_and_closes(site: Path) -> None:
    for kind in ("completeness", "reconciliation"):
        assert report(site, kind, "--day", "2001-01-01")[0] == 0
        assert report(site, kind, "--day", "01/01/2001")[0] == 0
    assert report(site, "completeness", "--day", "2001-01-01")[1] == "Ngày 01/01/2001 không có giấy nào phải gửi.\n"


def test_the_command_names_the_difference(site: Path) -> None:
    code, printed = report(site, "reconciliation", "--json")
    told = json.loads(printed)
    assert (code, told["closes"], told["difference"]) == (1, False, 1)
    assert report(site, "reconciliation")[0] == 1


def test_the_command_compares_with_the_destinations_list(site: Path) -> None:
    theirs = site / "theirs.csv"
    arguments = ("reconciliation", "--destination", "folder", "--theirs", str(theirs))
    code, printed = report(site, *arguments, "--json")
    assert code == 1
    assert [one["only_theirs"] for one in json.loads(printed)["destinations"]] == [["R-x"]]
    assert "R-x" in report(site, *arguments)[1]
    assert report(site, *arguments, "--column", "khac")[0] == 2
    assert report(site, "reconciliation", "--theirs", str(theirs))[0] == 2
    assert report(site, "reconciliation", "--day", "tomorrow")[0] == 2
    assert report(site, "reconciliation", "--destination", "nowhere")[0] == 1
