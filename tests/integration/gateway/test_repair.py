"""What a person may do about an item, in every state it may be in; each act leaves a row that says who and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway import repair
from gateway.faults import InternalFault, NothingThere, NotPossibleNow, ReasonMissing, SkippedByPerson
from gateway.states import DELIVERY, DOCUMENT, MESSAGE, states
from gateway.store import actions, deliveries, documents, messages, schema
from gateway.store.documents import NewDocument
from gateway.store.engine import Store, open_store
from gateway.store.ids import uuid7
from tests.conftest import HandClock
from tests.integration.gateway.test_store import new_message

WHO, WHY = "lan.nt", "số thẻ đã sửa ở HIS"
EARLIER = 5
FAULT = 3101


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    yield opened
    opened.close()


class Ledger:
    """One message, its document, and that document's delivery, each put into a state by hand."""

    def __init__(self, store: Store, clock: HandClock) -> None:
        self.store = store
        self.clock = clock
        self.message, self.document, self.delivery = store.write_now(self._fill)

    def _fill(self, connection: Connection) -> tuple[str, str, str]:
        message = new_message()
        messages.insert_all(connection, [message])
        new = NewDocument("discharge_paper", "Encounter/1", "his", message.id, "p1", b"k", EARLIER, EARLIER)
        document = documents.insert(connection, new)
        return message.id, document, deliveries.insert(connection, document, "portal", b"k", "law", EARLIER, "pending")

    def put(self, **wanted: str) -> Ledger:
        """Put `message`, `document` or `delivery` into a state, failed often and held by a worker that is no more."""
        for name, state in wanted.items():
            table = schema.metadata.tables[name]
            values = {"state": state, "attempts": 7, "lease_owner": "gone", "lease_until": 9, "fault_code": FAULT}
            self.store.write_now(
                lambda c, t=table, i=getattr(self, name), v=values: c.execute(  # type: ignore[misc]
                    t.update().where(t.c.id == i).values(**v)
                )
            )
        return self

    def row(self, name: str) -> Any:
        table = schema.metadata.tables[name]
        item: str = getattr(self, name)
        return self.store.read_now(lambda c: c.execute(sa.select(table).where(table.c.id == item)).one())

    def do(self, act: Callable[..., None], item: str, *more: str) -> None:
        self.store.write_now(lambda c: act(c, item, WHO, WHY, self.clock, *more))

    def log(self, item: str) -> list[tuple[str, str, str, int]]:
        rows = self.store.read_now(lambda c: actions.of_target(c, item))
        return [(row.verb, row.actor, row.reason, row.at) for row in rows]

    def all(self) -> list[Any]:
        """Everything the ledger says, to see that a refused act changed none of it."""
        tables = (schema.message, schema.document, schema.delivery, schema.action)
        return [self.store.read_now(lambda c, t=t: c.execute(sa.select(t)).all()) for t in tables]  # type: ignore[misc]


@pytest.fixture
def ledger(store: Store, clock: HandClock) -> Ledger:
    return Ledger(store, clock)


MESSAGE_STATES = sorted(states(MESSAGE) | {"duplicate", "answered"})
DOCUMENT_STATES = sorted(states(DOCUMENT))
DELIVERY_STATES = sorted(states(DELIVERY))


def expect(ledger: Ledger, what: str, act: Callable[..., None], verb: str, became: str, *more: str) -> Any:
    """Do an act; with `became` empty it must be refused and leave no trace. Return the row after it."""
    item: str = getattr(ledger, what)
    if not became:
        before = ledger.all()
        with pytest.raises(NotPossibleNow) as refused:
            ledger.do(act, item, *more)
        assert refused.value.where == item
        assert ledger.all() == before
        return ledger.row(what)
    ledger.do(act, item, *more)
    assert ledger.log(item) == [(verb, WHO, WHY, ledger.clock.now())]
    row = ledger.row(what)
    assert (row.state, row.lease_owner, row.lease_until) == (became, "", 0)
    assert row.fault_code == (FAULT if verb == "close" else 0), "what is closed still tells why it was wrong"
    return row


@pytest.mark.parametrize("state", MESSAGE_STATES)
@pytest.mark.parametrize("act", [repair.reprocess, repair.retry])
def test_a_message_is_mapped_again(ledger: Ledger, state: str, act: Callable[..., None]) -> None:
    ledger.put(message=state)
    became = "received" if state in ("mapped", "kept", "error") else ""
    row = expect(ledger, "message", act, "reprocess", became)
    if became:
        assert (row.due_at, row.attempts) == (ledger.clock.now(), 0)


@pytest.mark.parametrize("state", DOCUMENT_STATES)
@pytest.mark.parametrize("act", [repair.compose_again, repair.retry])
def test_a_paper_is_composed_again(ledger: Ledger, state: str, act: Callable[..., None]) -> None:
    ledger.put(document=state, delivery="error")
    became = "due" if state == "error" else ""
    row = expect(ledger, "document", act, "retry", became)
    if became:
        assert (row.due_at, row.attempts) == (ledger.clock.now(), 0)
        assert ledger.row("delivery").state == "pending", "its delivery waits for it again"


def test_a_settled_delivery_does_not_wait_again(ledger: Ledger) -> None:
    ledger.put(document="error", delivery="withheld")
    ledger.do(repair.compose_again, ledger.document)
    assert ledger.row("delivery").state == "withheld"


@pytest.mark.parametrize("state", DELIVERY_STATES)
@pytest.mark.parametrize("act", [repair.resend, repair.retry])
def test_a_delivery_is_sent_again(ledger: Ledger, state: str, act: Callable[..., None]) -> None:
    ledger.put(document="signed", delivery=state)
    row = expect(ledger, "delivery", act, "resend", "uncertain" if state == "error" else "")
    if row.state == "queued" and state == "error":
        assert (row.due_at, row.attempts) == (ledger.clock.now(), 0)


@pytest.mark.parametrize("state", DELIVERY_STATES)
def test_only_what_was_accepted_is_sent_once_more(ledger: Ledger, state: str) -> None:
    ledger.put(document="signed", delivery=state)
    row = expect(ledger, "delivery", repair.send_again, "send_again", "queued" if state == "accepted" else "")
    if state == "accepted":
        assert (row.due_at, row.attempts, row.resent_at) == (ledger.clock.now(), 0, ledger.clock.now())


@pytest.mark.parametrize("state", sorted(states(DOCUMENT) - {"signed"}))
def test_what_is_not_signed_is_not_sent_again(ledger: Ledger, state: str) -> None:
    ledger.put(document=state, delivery="error")
    expect(ledger, "delivery", repair.resend, "resend", "")


@pytest.mark.parametrize("state", DELIVERY_STATES)
def test_a_delivery_is_confirmed_by_a_person(ledger: Ledger, state: str) -> None:
    ledger.put(document="signed", delivery=state)
    became = "accepted" if state in ("uncertain", "error") else ""
    row = expect(ledger, "delivery", repair.confirm, "accept", became, "BHXH-7")
    if became:
        assert (row.reference, row.accepted_at) == ("BHXH-7", ledger.clock.now())


@pytest.mark.parametrize("state", MESSAGE_STATES)
def test_a_message_is_closed(ledger: Ledger, state: str) -> None:
    ledger.put(message=state)
    expect(ledger, "message", repair.close, "close", "closed" if state == "error" else "")


@pytest.mark.parametrize("state", DOCUMENT_STATES)
def test_a_paper_is_closed(ledger: Ledger, state: str) -> None:
    ledger.put(document=state)
    expect(ledger, "document", repair.close, "close", "closed" if state == "error" else "")


@pytest.mark.parametrize("state", DELIVERY_STATES)
def test_a_delivery_is_closed(ledger: Ledger, state: str) -> None:
    ledger.put(delivery=state)
    expect(ledger, "delivery", repair.close, "close", "closed" if state in ("error", "withheld") else "")


@pytest.mark.parametrize("state", DELIVERY_STATES)
def test_a_delivery_is_skipped(ledger: Ledger, state: str) -> None:
    ledger.put(document="signed", delivery=state)
    if state not in ("queued", "held", "uncertain"):
        expect(ledger, "delivery", repair.skip, "skip", "")
        return
    ledger.do(repair.skip, ledger.delivery)
    row = ledger.row("delivery")
    assert (row.state, row.fault_code, row.lease_owner) == ("error", SkippedByPerson.code, "")
    assert ledger.log(ledger.delivery) == [("skip", WHO, WHY, ledger.clock.now())]


def test_nothing_is_skipped_paused_or_repeated_without_a_reason(ledger: Ledger) -> None:
    ledger.put(document="signed", delivery="held")
    acts = ((repair.skip, ledger.delivery), (repair.pause, "portal"), (repair.send_again, ledger.delivery))
    for act, item in acts:
        before = ledger.all()
        with pytest.raises(ReasonMissing):
            ledger.store.write_now(lambda c, act=act, item=item: act(c, item, WHO, "", ledger.clock))  # type: ignore[misc]
        assert ledger.all() == before


def test_a_destination_is_paused_and_goes_on(ledger: Ledger) -> None:
    for act, verb in ((repair.pause, "pause"), (repair.resume, "resume")):
        ledger.do(act, "portal")
        with pytest.raises(NotPossibleNow):
            ledger.do(act, "portal")
        assert ledger.log("portal")[-1] == (verb, WHO, WHY, ledger.clock.now())


@pytest.mark.parametrize("act", [repair.retry, repair.reprocess, repair.compose_again, repair.resend, repair.close])
def test_an_id_that_names_nothing(ledger: Ledger, act: Callable[..., None]) -> None:
    before = ledger.all()
    with pytest.raises(NothingThere):
        ledger.do(act, uuid7())
    assert ledger.all() == before


def test_the_error_queue_holds_what_waits_for_a_person_newest_first(ledger: Ledger) -> None:
    fault = InternalFault("PID-3", "a rule")

    def fail(connection: Connection) -> None:
        messages.move(connection, ledger.message, "fail", fault)
        documents.move(connection, ledger.document, "fail", fault)
        deliveries.move_all(connection, ledger.document, "fail", 1, fault)

    ledger.store.write_now(fail)
    queue = ledger.store.read_now(repair.error_queue)
    assert [(item.what, item.id, item.about) for item in queue] == [
        ("delivery", ledger.delivery, "discharge_paper → portal"),
        ("document", ledger.document, "discharge_paper"),
        ("message", ledger.message, "ADT^A01"),
    ]
    assert {(item.fault_code, item.where, item.detail) for item in queue} == {(fault.code, "PID-3", "a rule")}
    assert ledger.store.read_now(lambda c: repair.error_queue(c, 1)) == queue[:1]
    for item in queue:
        ledger.do(repair.close, item.id)
    assert ledger.store.read_now(repair.error_queue) == []
