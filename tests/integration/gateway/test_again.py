"""Selections to resend and reprocess, on both engines: what is chosen, counted, done once, left, stopped and gone on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.clock import SECOND
from gateway.configuration import load
from gateway.faults import DestinationsUnnamed, NothingThere, NotPossibleNow, ReasonMissing
from gateway.ops import again
from gateway.ops.again import Chosen, Progress, Selection
from gateway.store import actions, deliveries, documents, job_schema, jobs, messages, schema
from gateway.store.documents import NewDocument
from gateway.store.engine import Store, open_store
from gateway.store.ids import uuid7, uuid7_instant
from gateway.store.selections import Wanted
from tests.conftest import HandClock
from tests.integration.gateway.test_store import new_message
from tests.site import write_site

TWO = "".join(
    f'\n[[destination]]\nkind = "folder"\nname = "{name}"\nfolder = "{name}"\nbasis = "law"\n'
    for name in ("portal", "axis")
)
WHO, WHY = "lan.nt", "cổng đã sửa"


class Ledger:
    """Papers of messages, each delivered to two places, put into a state by hand."""

    def __init__(self, folder: Path, url: str, clock: HandClock) -> None:
        self.plan = load(write_site(folder, store=url, destinations=TWO))
        self.store: Store = open_store(url)
        self.clock = clock

    def paper(
        self,
        *,
        key: bytes = b"k",
        paper: str = "discharge_paper",
        subject: str = "",
        document: str = "signed",
        portal: str = "error",
        axis: str = "accepted",
        fault: int = 0,
        **of_message: Any,
    ) -> str:
        """Store a message, its paper and the two deliveries of that; return the message."""
        message = replace(new_message(key), **{"type": "ADT^A03", "state": "mapped", **of_message})

        def unit(connection: Connection) -> None:
            messages.insert_all(connection, [message])
            new = NewDocument(paper, subject or uuid7(), "his", message.id, "p1", key, 1, 1)
            made = documents.insert(connection, new)
            connection.execute(schema.document.update().where(schema.document.c.id == made).values(state=document))
            for name, state in (("portal", portal), ("axis", axis)):
                sent = deliveries.insert(connection, made, name, key, "law", 1, "pending")
                values = {"state": state, "fault_code": fault if state == "error" else 0}
                connection.execute(schema.delivery.update().where(schema.delivery.c.id == sent).values(**values))

        self.store.write_now(unit)
        return message.id

    def delivery(self, message: str, destination: str = "portal") -> str:
        (document,) = self.store.read_now(lambda c: documents.of_message(c, message))
        found = self.store.read_now(lambda c: deliveries.listing(c, document_id=document.id, destination=destination))
        return str(found[0].id)

    def states(self, *ids: str) -> list[str]:
        return [self.store.read_now(lambda c, i=i: deliveries.get(c, i)).state for i in ids]  # type: ignore[misc]

    def resendable(self, selection: Selection, *, force: bool = False) -> Chosen:
        return self.store.read_now(lambda c: again.deliveries_to_resend(c, self.plan, selection, force=force))

    def reprocessable(self, selection: Selection) -> Chosen:
        return self.store.read_now(lambda c: again.messages_to_reprocess(c, self.plan, selection))

    def begin(self, verb: str, selection: Selection, chosen: Chosen, *, reason: str = WHY, **more: Any) -> str:
        options = {"force": False, "rate": "60/min", "owner": "me", **more}
        return self.store.write_now(
            lambda c: again.begin(c, verb, selection, chosen, actor=WHO, reason=reason, clock=self.clock, **options)
        )

    def work(self, job: str, rest: Callable[[float], bool] | None = None, owner: str = "me") -> Progress:
        def wait(seconds: float) -> bool:
            self.clock.forward(seconds)
            return False

        return again.work(self.store, job, owner, WHO, self.clock, rest=rest or wait)

    def log(self, target: str) -> list[tuple[str, str, str]]:
        rows = self.store.read_now(lambda c: actions.of_target(c, target))
        return [(row.verb, row.actor, row.reason) for row in rows]

    def counted(self, table: sa.Table) -> int:
        return int(self.store.read_now(lambda c: c.scalar(sa.select(sa.func.count()).select_from(table))) or 0)


@pytest.fixture
def ledger(tmp_path: Path, store_url: str, clock: HandClock) -> Iterator[Ledger]:
    opened = Ledger(tmp_path, store_url, clock)
    yield opened
    opened.store.close()


def to(*destinations: str, states: tuple[str, ...] = ("error",), **more: Any) -> Selection:
    of = {name: more.pop(name) for name in ("messages", "documents", "deliveries") if name in more}
    return Selection(Wanted(states=states, destinations=destinations, **more), **of)


# ---- what is chosen ----


def test_only_named_destinations_are_counted_by_state_and_what_speaks_against_it(ledger: Ledger) -> None:
    first = ledger.paper()
    ledger.paper(document="error", portal="error")
    ledger.paper(portal="accepted", axis="error")
    chosen = ledger.resendable(to("portal"))
    assert chosen.counted == {("portal", "error", ""): 1, ("portal", "error", again.UNSIGNED): 1}
    assert chosen.items == [(ledger.delivery(first), "error")]
    with pytest.raises(DestinationsUnnamed, match="portal, axis"):
        ledger.resendable(to())


def test_accepted_ones_are_chosen_by_force_only(ledger: Ledger) -> None:
    message = ledger.paper(portal="accepted")
    wanted = to("portal", states=("error", "accepted"), begin=1)
    assert ledger.resendable(wanted).items == []
    assert ledger.resendable(wanted).counted == {("portal", "accepted", again.FORCED): 1}
    assert ledger.resendable(wanted, force=True).items == [(ledger.delivery(message), "accepted")]


def test_a_version_after_which_a_newer_one_arrived_is_left_out(ledger: Ledger) -> None:
    old = ledger.paper(subject="Encounter/1", portal="error", axis="error")
    ledger.paper(subject="Encounter/1", portal="accepted", axis="queued")
    chosen = ledger.resendable(to("portal", "axis"))
    assert chosen.items == [(ledger.delivery(old, "axis"), "error")]
    assert chosen.counted[("portal", "error", again.OVERTAKEN)] == 1
    assert len(ledger.resendable(to("portal", "axis"), force=True).items) == 2


def test_order_is_by_key_and_then_by_age(ledger: Ledger) -> None:
    made = [ledger.paper(key=key) for key in (b"b", b"a", b"b", b"a")]
    expected = [made[1], made[3], made[0], made[2]]
    found = ledger.resendable(to("portal"))
    assert [id_ for id_, _ in found.items] == [ledger.delivery(one) for one in expected]
    found = ledger.reprocessable(to(states=("mapped",), begin=1))
    assert [id_ for id_, _ in found.items] == expected


@pytest.mark.parametrize(
    "condition",
    [
        {"channels": ("his",)},
        {"types": ("ADT^A03",)},
        {"types": ("ADT",)},
        {"papers": ("discharge_paper",)},
        {"faults": (6002,)},
    ],
)
def test_each_condition_narrows(ledger: Ledger, condition: dict[str, Any]) -> None:
    message = ledger.paper(fault=6002)
    ledger.paper(fault=6001, type="ORU^R01", channel="lis", paper="lab_report")
    other = ledger.store.read_now(lambda c: documents.listing(c, papers=["lab_report"]))[0].id
    ledger.store.write_now(
        lambda c: c.execute(schema.document.update().where(schema.document.c.id == other).values(channel="lis"))
    )
    assert ledger.resendable(to("portal", **condition)).items == [(ledger.delivery(message), "error")]
    found = ledger.reprocessable(to("portal", states=("mapped",), begin=1, **condition))
    assert found.items == [(message, "mapped")]


def test_what_is_named_by_id(ledger: Ledger) -> None:
    message, other = ledger.paper(), ledger.paper()
    (document,) = ledger.store.read_now(lambda c: documents.of_message(c, message))
    named = {"messages": (message,), "documents": (document.id,), "deliveries": (ledger.delivery(message),)}
    for name, ids in named.items():
        assert ledger.resendable(to("portal", **{name: ids})).items == [(ledger.delivery(message), "error")], name
        if name != "deliveries":
            found = ledger.reprocessable(to(states=("mapped",), **{name: ids}))
            assert found.items == [(message, "mapped")], name
    assert ledger.resendable(to("portal", messages=(other,), documents=(document.id,))).items == []


def test_a_span_is_when_it_was_made(ledger: Ledger) -> None:
    message = ledger.paper()
    at = uuid7_instant(message)
    at_delivery = uuid7_instant(ledger.delivery(message))
    for begin, end, found in ((at, 0, 1), (at, at_delivery + 1000, 1), (at + 10**9, 0, 0), (1, at, 0)):
        assert len(ledger.resendable(to("portal", begin=begin, end=end)).items) == found
        assert len(ledger.reprocessable(to(states=("mapped",), begin=begin, end=end)).items) == found


def test_a_fault_leads_from_a_refused_delivery_to_its_message(ledger: Ledger) -> None:
    message = ledger.paper(fault=6002)
    ledger.paper(fault=6002, portal="accepted", axis="error")
    ledger.paper()
    failed = replace(new_message(b"x"), state="error")
    ledger.store.write_now(lambda c: messages.insert_all(c, [failed]))
    ledger.store.write_now(
        lambda c: c.execute(schema.message.update().where(schema.message.c.id == failed.id).values(fault_code=6002))
    )
    found = ledger.reprocessable(to("portal", states=("mapped", "error"), faults=(6002,)))
    assert dict(found.items) == {message: "mapped", failed.id: "error"}


# ---- what is done ----


def test_everything_is_done_in_order_at_its_rate_and_told(ledger: Ledger) -> None:
    made = [ledger.delivery(ledger.paper(key=key)) for key in (b"b", b"a", b"c")]
    wanted = to("portal")
    job = ledger.begin("resend", wanted, ledger.resendable(wanted), rate="6/min")
    start, seen = ledger.clock.now(), []

    def rest(seconds: float) -> bool:
        ledger.clock.forward(seconds)
        seen.append((ledger.clock.now() - start) // SECOND)
        return False

    assert ledger.work(job, rest) == Progress("done", 3, 3, 0)
    assert seen == [0, 10, 20], "one item every ten seconds"
    assert ledger.states(*made) == ["uncertain"] * 3
    rows = [ledger.store.read_now(lambda c, i=i: deliveries.get(c, i)) for i in made]  # type: ignore[misc]
    assert [(row.resent_at - start) // SECOND for row in rows] == [10, 0, 20]
    for one in made:
        assert ledger.log(one) == [("resend", WHO, f"{WHY} [{job}]")]
    assert ledger.log(job) == [("resend", WHO, WHY), ("finish", WHO, "")]
    with pytest.raises(NotPossibleNow):
        ledger.store.write_now(lambda c: again.resume(c, job, "me", WHO, ledger.clock))


def test_messages_are_mapped_again(ledger: Ledger) -> None:
    message = ledger.paper()
    wanted = to("portal", "axis", states=("mapped",), begin=1)
    job = ledger.begin("reprocess", wanted, ledger.reprocessable(wanted))
    assert ledger.work(job).done == 1
    assert ledger.store.read_now(lambda c: messages.get(c, message)).state == "received"
    assert ledger.log(message) == [("reprocess", WHO, f"{WHY} [{job}]")]


def test_what_changed_since_it_was_counted_is_left_and_told(ledger: Ledger) -> None:
    gone, kept, accepted = (ledger.delivery(ledger.paper(key=key)) for key in (b"a", b"b", b"c"))
    wanted = to("portal")
    job = ledger.begin("resend", wanted, ledger.resendable(wanted), force=True)

    def change(connection: Connection) -> None:
        deliveries.move(connection, gone, "close", None)
        deliveries.move(connection, accepted, "accept", None, accepted_at=1)

    ledger.store.write_now(change)
    assert ledger.work(job) == Progress("done", 3, 1, 2)
    assert ledger.states(gone, kept, accepted) == ["closed", "uncertain", "accepted"]
    left = ledger.store.read_now(lambda c: jobs.left(c, job))
    assert [(one.target, one.fault_code) for one in left] == [(gone, 8103), (accepted, 8103)]
    assert left[1].fault_detail == "resend while accepted, counted as error"
    assert ledger.log(accepted) == []


def test_force_repeats_what_was_accepted_once(ledger: Ledger) -> None:
    message = ledger.paper(portal="accepted")
    wanted = to("portal", states=("accepted",), begin=1)
    chosen = ledger.resendable(wanted, force=True)
    with pytest.raises(ReasonMissing):
        ledger.begin("resend", wanted, chosen, force=True, reason=" ")
    assert ledger.counted(job_schema.job) == 0
    job = ledger.begin("resend", wanted, chosen, force=True)
    assert ledger.work(job).done == 1
    assert ledger.states(ledger.delivery(message)) == ["queued"]
    assert ledger.log(ledger.delivery(message)) == [("send_again", WHO, f"{WHY} [{job}]")]


def test_a_job_without_force_never_repeats_what_was_accepted(ledger: Ledger) -> None:
    """Even when it is handed one: the guard stands where the act is."""
    delivery = ledger.delivery(ledger.paper(portal="accepted"))
    job = ledger.begin("resend", to("portal"), Chosen([(delivery, "accepted")], {}))
    assert ledger.work(job) == Progress("done", 1, 0, 1)
    assert ledger.states(delivery) == ["accepted"]


def test_new_versions_go_to_named_destinations_only(ledger: Ledger) -> None:
    ledger.paper()
    wanted = to("portal", states=("mapped",), begin=1)
    chosen = ledger.reprocessable(wanted)
    assert chosen.leads_to == ("portal", "axis")
    with pytest.raises(DestinationsUnnamed, match="axis"):
        ledger.begin("reprocess", wanted, chosen)
    assert (ledger.counted(job_schema.job), ledger.counted(schema.action)) == (0, 0)


# ---- stopped, killed, gone on with ----


class Killed(BaseException):
    pass


def test_a_job_is_stopped_between_two_items_and_gone_on_with(ledger: Ledger) -> None:
    made = [ledger.delivery(ledger.paper()) for _ in range(3)]
    wanted = to("portal")
    job = ledger.begin("resend", wanted, ledger.resendable(wanted))
    answers = iter((False, True))
    assert ledger.work(job, lambda seconds: next(answers)) == Progress("stopped", 3, 1, 0)
    assert ledger.states(*made) == ["uncertain", "error", "error"]
    assert ledger.store.read_now(lambda c: again.progress(c, job)) == Progress("stopped", 3, 1, 0)
    assert ledger.work(job).state == "stopped", "nobody works on what nobody resumed"
    ledger.store.write_now(lambda c: again.resume(c, job, "other", "minh", ledger.clock))
    assert ledger.work(job, owner="other") == Progress("done", 3, 3, 0)
    assert [len(ledger.log(one)) for one in made] == [1, 1, 1], "nothing is done twice"
    assert [verb for verb, _, _ in ledger.log(job)] == ["resend", "stop", "resume", "finish"]


def test_somebody_else_stops_it(ledger: Ledger) -> None:
    made = [ledger.delivery(ledger.paper()) for _ in range(2)]
    wanted = to("portal")
    job = ledger.begin("resend", wanted, ledger.resendable(wanted))

    def rest(seconds: float) -> bool:
        if ledger.states(made[0]) == ["uncertain"]:
            ledger.store.write_now(lambda c: again.stop(c, job, "minh", ledger.clock))
        return False

    assert ledger.work(job, rest).state == "stopped"
    assert ledger.states(*made) == ["uncertain", "error"]
    with pytest.raises(NotPossibleNow):
        ledger.store.write_now(lambda c: again.stop(c, job, "minh", ledger.clock))


def test_a_job_whose_owner_died_is_gone_on_with_after_its_lease(ledger: Ledger) -> None:
    made = [ledger.delivery(ledger.paper()) for _ in range(2)]
    wanted = to("portal")
    job = ledger.begin("resend", wanted, ledger.resendable(wanted))

    def die(seconds: float) -> bool:
        if ledger.states(made[0]) == ["uncertain"]:
            raise Killed
        return False

    with pytest.raises(Killed):
        ledger.work(job, die)

    def resume(connection: Connection) -> None:
        again.resume(connection, job, "other", WHO, ledger.clock)

    with pytest.raises(NotPossibleNow):
        ledger.store.write_now(resume)
    ledger.clock.forward(62)
    ledger.store.write_now(resume)
    assert ledger.work(job).state == "stopped", "the old owner, should it live, does nothing more"
    assert ledger.states(*made) == ["uncertain", "error"]
    assert ledger.work(job, owner="other") == Progress("done", 2, 2, 0)
    assert [len(ledger.log(one)) for one in made] == [1, 1]


def test_an_empty_selection_is_done_at_once(ledger: Ledger) -> None:
    job = ledger.begin("resend", to("portal"), Chosen([], {}))
    assert ledger.work(job) == Progress("done", 0, 0, 0)


def test_a_job_that_is_not_there(ledger: Ledger) -> None:
    with pytest.raises(NothingThere):
        ledger.store.read_now(lambda c: again.progress(c, "x"))


@pytest.mark.parametrize(
    ("rate", "microseconds"), [("10/min", 6 * SECOND), ("2/s", SECOND // 2), ("100/h", 36 * SECOND)]
)
def test_rates(rate: str, microseconds: int) -> None:
    assert again.gap(rate) == microseconds


@pytest.mark.parametrize("rate", ["", "0/min", "-1/s", "10", "10/d", "1.5/s", "1000000/s"])
def test_what_is_no_rate(rate: str) -> None:
    with pytest.raises(ValueError, match="10/min"):
        again.gap(rate)


def test_the_ledger_keeps_no_number_of_a_person(ledger: Ledger) -> None:
    selection = replace(to("portal"), patient="BN000123", encounter="LK-7")
    assert "BN000123" not in selection.described()
    assert "LK-7" not in selection.described()
    assert '"patient":true' in selection.described()
