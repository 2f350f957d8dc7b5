"""Mapping again: what the dry run says, that it writes nothing, that reprocessing then does exactly that, and what leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connectors.kinds import load_destination
from gateway import papers
from gateway.cli.rehearsal import _dict
from gateway.clock import SECOND
from gateway.delivery.sql_queue import SqlQueue
from gateway.delivery.worker import Worker
from gateway.ops import again
from gateway.ops.again import Selection
from gateway.ops.rehearsal import Element, PaperEffect, Rehearsal, Rehearsed, elements, printed_anew
from gateway.site import load_site
from gateway.store import deliveries
from gateway.store.schema import metadata
from gateway.store.selections import Wanted
from mappings.formats import json as fhir_json
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, evn, message, pid, pv1
from tests.integration.gateway.test_papers import FOLDER, change, discharge, document, rows, segments, states

NEW_NAME = """
from mappings.hl7v2 import site

@site.replace
def pid_to_patient(pid, draft, usual):
    patient = usual(pid, draft)
    patient["name"][0]["text"] = "Bà " + patient["name"][0]["text"]
    return patient
"""
NEW_USE = """
from mappings.hl7v2 import site

@site.replace
def pid_to_patient(pid, draft, usual):
    patient = usual(pid, draft)
    patient["name"][0]["use"] = "usual"
    return patient
"""
NEW_NOTE = """
from mappings.hl7v2 import site

@site.replace
def al1_to_allergy_intolerance(al1, draft, usual):
    allergy = usual(al1, draft)
    allergy["note"] = [{"text": "x"}]
    return allergy
"""
OTHER_ID = """
from mappings.hl7v2 import site

@site.replace
def dg1_to_condition(dg1, draft, usual):
    condition, entry = usual(dg1, draft)
    condition["id"] = "other"
    entry["condition"] = {"reference": "Condition/other"}
    return condition, entry
"""
ALLERGY = "AL1|1|DA|PEN^Penicillin"
BROKEN = """
from mappings.hl7v2 import site

@site.replace
def pid_to_patient(pid, draft, usual):
    raise ZeroDivisionError("Nguyễn Thị Hoa")
"""


@pytest.fixture(autouse=True)
def _forget(tmp_path: Path) -> Iterator[None]:
    yield
    load_site(tmp_path / "no such folder")


@pytest.fixture
def desk(tmp_path: Path, store_url: str, clock: HandClock) -> Iterator[Desk]:
    (tmp_path / "out").mkdir()
    made = Desk(tmp_path, store_url, clock, destinations=FOLDER)
    yield made
    made.store.close()


def today(desk: Desk, content: str) -> None:
    """Change the site's mapping."""
    desk.plan.site.mkdir(exist_ok=True)
    (desk.plan.site / "own.py").write_text(content, encoding="utf-8")
    load_site(desk.plan.site)


def rehearse(desk: Desk, *ids: str) -> list[Rehearsed]:
    """Rehearse messages, and see that the ledger is as it was."""
    before = contents(desk)
    rehearsal = Rehearsal(desk.plan, desk.clock.now())
    found = [desk.store.read_now(lambda c, i=i: rehearsal.one(c, i)) for i in ids]  # type: ignore[misc]
    assert contents(desk) == before
    return found


def contents(desk: Desk) -> dict[str, list[Any]]:
    def query(connection: Connection) -> dict[str, list[Any]]:
        return {name: sorted(map(repr, connection.execute(sa.select(t)))) for name, t in metadata.tables.items()}

    return desk.store.read_now(query)


def reprocess(desk: Desk, *ids: str) -> None:
    """Map messages again as `lienthong reprocess` does, and work until nothing is due."""
    selection = Selection(Wanted(states=again.REPROCESSED, destinations=("folder",)), messages=ids)

    def begin(connection: Connection) -> str:
        chosen = again.messages_to_reprocess(connection, desk.plan, selection)
        options: Any = {"owner": "me", "actor": "lan", "reason": "", "force": False, "rate": "100/s"}
        return again.begin(connection, "reprocess", selection, chosen, clock=desk.clock, **options)

    job = desk.store.write_now(begin)
    done = again.work(desk.store, job, "me", "lan", desk.clock, rest=lambda seconds: False)
    assert (done.state, done.done) == ("done", len(ids))
    desk.clock.forward(1)
    desk.work()


def deliver(desk: Desk) -> None:
    """Let the worker of the folder deliver what is due."""

    async def run() -> None:
        route = desk.plan.routes["folder"]
        _, make = load_destination("folder")
        destination = make("folder", route.settings, lambda data: b"")
        rules = {"folder": route.common.rules("Asia/Ho_Chi_Minh")}
        queue = SqlQueue(desk.store, desk.keyring, desk.clock, "n1", 30 * SECOND, "01999", rules)
        worker = Worker(route, destination, queue, desk.clock)
        while await worker._step():
            await worker._tasks.drain()
        await destination.close()

    asyncio.run(run())


def sent(desk: Desk) -> list[tuple[str, int]]:
    """Give state and tries of every delivery, oldest first."""
    found = desk.store.read_now(deliveries.listing)[::-1]
    tries = [len(desk.store.read_now(lambda c, i=row.id: deliveries.attempts(c, i))) for row in found]  # type: ignore[misc]
    return [(row.state, tried) for row, tried in zip(found, tries, strict=True)]


def test_todays_mapping_makes_a_new_version_linked_to_the_old_and_only_that_is_sent(desk: Desk) -> None:
    sent_first = desk.send(discharge("1"))
    deliver(desk)
    assert sent(desk) == [("accepted", 1)]
    today(desk, NEW_NAME)
    (said,) = rehearse(desk, sent_first)
    (effect,) = said.papers
    subject = rows(desk)[0].subject
    names = (["NGUYỄN THỊ HOA"], ["BÀ NGUYỄN THỊ HOA"])
    printed = [Element("Người bệnh / Họ tên người bệnh", "changed", *names)]
    assert effect == PaperEffect("discharge_paper", subject, "version", 2, ("folder",), printed=printed, coded=[])
    reprocess(desk, sent_first)
    deliver(desk)
    first, second = rows(desk)
    assert list(printed_anew(document(desk, first), document(desk, second))) == printed, "the rehearsal was right"
    assert (second.state, second.version, second.replaces_id) == ("signed", 2, first.id)
    assert second.message_id == first.message_id == sent_first
    assert sent(desk) == [("accepted", 1), ("accepted", 1)], "the old version is not sent again"


def test_a_version_that_is_printed_as_before_names_the_codes_that_differ(desk: Desk) -> None:
    one = desk.send(discharge("1"))
    today(desk, NEW_USE)
    (said,) = rehearse(desk, one)
    (effect,) = said.papers
    assert (effect.result, effect.printed) == ("version", [])
    (patient,) = desk.of(desk.patient("BN1"), "Patient")
    assert effect.coded == [Element(f"Patient/{patient['id']}.name[0].use", "added", None, "usual")]


def test_of_a_version_whose_body_is_pruned_it_is_not_told_what_differs(desk: Desk) -> None:
    one = desk.send(discharge("1"))
    desk.store.write_now(lambda c: c.execute(sa.delete(metadata.tables["rendition"])))
    today(desk, NEW_NAME)
    (effect,) = rehearse(desk, one)[0].papers
    assert (effect.result, effect.printed, effect.coded) == ("version", (), ())


def test_what_no_paper_says_makes_no_version_and_nothing_is_sent(desk: Desk) -> None:
    one = desk.send(message("ADT^A03", "1", *segments(), ALLERGY))
    deliver(desk)
    today(desk, NEW_NOTE)
    (said,) = rehearse(desk, one)
    assert [difference.how for difference in said.differences] == ["changed"]
    assert [effect.result for effect in said.papers] == ["unchanged"]
    reprocess(desk, one)
    deliver(desk)
    assert states(desk) == [("make", 1, "signed"), ("make", 2, "unchanged")]
    assert sent(desk) == [("accepted", 1), ("closed", 0)]
    assert [one["note"] for one in desk.of(desk.patient("BN1"), "AllergyIntolerance")] == [[{"text": "x"}]]


def test_the_dry_run_is_what_happens(desk: Desk) -> None:
    """Element by element: the record before and after reprocessing differ as was said."""
    ids = (desk.send(discharge("1")), desk.send(change("2", illness="J15.9^Viêm phổi do vi khuẩn^I10")))
    patient = desk.patient("BN1")
    before = {f"{one['resourceType']}/{one['id']}": one for one in desk.record(patient)}
    today(desk, NEW_NAME)
    said = rehearse(desk, *ids)
    told = {one.reference: list(one.elements) for each in said for one in each.differences}
    reprocess(desk, *ids)
    after = {f"{one['resourceType']}/{one['id']}": one for one in desk.record(patient)}
    assert before.keys() == after.keys()
    found = {name: list(elements(before[name], after[name])) for name in before}
    assert told == {name: paths for name, paths in found.items() if paths} != {}
    made = [effect.version for each in said for effect in each.papers if effect.result == "version"]
    assert max(made) == max(row.version for row in rows(desk) if row.state == "signed")


def test_each_message_meets_what_the_one_before_it_would_leave(desk: Desk) -> None:
    ids = (
        desk.send(message("ADT^A04", "1", evn(), pid("BN1"), pv1("LK1"), ALLERGY)),
        desk.send(message("ADT^A08", "2", evn(), pid("BN1"), pv1("LK1"), ALLERGY)),
    )
    today(desk, NEW_NOTE)
    first, second = rehearse(desk, *ids)
    assert [one.elements[0].path for one in first.differences] == ["AllergyIntolerance.note"]
    assert second.differences == []


def test_values_are_shown_only_when_asked_for(desk: Desk) -> None:
    one = desk.send(discharge("1"))
    today(desk, NEW_NAME)
    (said,) = rehearse(desk, one)
    hidden, shown = (fhir_json.dumps(_dict(said, values)).decode() for values in (False, True))
    assert "Patient.name[0].text" in hidden
    assert "Họ tên người bệnh" in hidden
    assert "nguyễn" not in hidden.lower()
    assert "Bà Nguyễn" in shown


def test_what_cannot_be_mapped_today_is_told_without_its_data(desk: Desk) -> None:
    one = desk.send(discharge("1"))
    today(desk, BROKEN)
    (said,) = rehearse(desk, one)
    assert (said.outcome, said.fault and said.fault.code) == ("fault", 8101)
    assert "Nguyễn" not in json.dumps(_dict(said, True), default=str)


def test_what_today_makes_under_another_id_stays_and_is_told(desk: Desk) -> None:
    one = desk.send(discharge("1"))
    (old,) = desk.of(desk.patient("BN1"), "Condition")
    today(desk, OTHER_ID)
    (said,) = rehearse(desk, one)
    told = {each.reference: each.how for each in said.differences if each.reference.startswith("Condition/")}
    assert told == {"Condition/other": "added", f"Condition/{old['id']}": "unmade"}
    reprocess(desk, one)
    assert {each["id"] for each in desk.of(desk.patient("BN1"), "Condition")} == {"other", old["id"]}


def test_a_message_no_mapping_knows(desk: Desk) -> None:
    one = desk.send(message("ZZZ^Z99", "1", pid("BN1")))
    (said,) = rehearse(desk, one)
    assert (said.outcome, said.differences, said.papers) == ("kept", (), ())


def test_a_paper_that_lacks_something_would_be_tried_again(desk: Desk) -> None:
    one = desk.send(discharge("1", treatment=""))
    (said,) = rehearse(desk, one)
    (effect,) = said.papers
    assert (effect.result, effect.fault and effect.fault.code) == ("fault", 3201)


def test_an_old_withdrawal_does_not_withdraw_what_was_made_after_it(desk: Desk) -> None:
    desk.send(discharge("1"))
    withdrawal = desk.send(change("2", trigger="ADT^A13", end=""))
    desk.send(discharge("3"))
    deliver(desk)
    before = states(desk)
    assert before[-1] == ("make", 3, "signed")
    (said,) = rehearse(desk, withdrawal)
    assert said.papers == []
    reprocess(desk, withdrawal)
    assert states(desk) == before


@pytest.mark.parametrize("by", ["message", "person"])
def test_an_old_discharge_does_not_bring_back_what_was_withdrawn_after_it(desk: Desk, by: str) -> None:
    first = desk.send(discharge("1"))
    if by == "message":
        desk.send(change("2", trigger="ADT^A13", end=""))
    else:
        subject = rows(desk)[0].subject
        desk.store.write_now(
            lambda c: papers.request(
                c, desk.plan, "discharge_paper", subject, "cancel", actor="lan", reason="nhầm", now=desk.clock.now()
            )
        )
        desk.work()
    before = states(desk)
    assert before[-1] == ("cancel", 2, "signed")
    (said,) = rehearse(desk, first)
    assert said.papers == []
    reprocess(desk, first)
    assert states(desk) == before


def test_identities_are_counted_and_not_changed(desk: Desk) -> None:
    for number in ("BN1", "BN2"):
        desk.send(message("ADT^A04", number, evn(), pid(number), pv1(f"LK{number}")))
    merge = desk.send(message("ADT^A40", "3", evn(), pid("BN1"), "MRG|BN2^^^01999^PI"))
    (said,) = rehearse(desk, merge)
    assert said.identity == 0, "it was carried out when it came"


def test_counts_of_fields_before_and_after(desk: Desk) -> None:
    one = desk.send(message("ADT^A04", "1", evn(), pid("BN1"), pv1("LK1"), "ZPI|1||x"))
    today(
        desk,
        'from mappings.hl7v2 import site\n\n@site.segment("ZPI", mapped={}, ignored={1: "sequence", 3: "sequence"})\n'
        "def zpi(zpi, draft):\n    return None\n",
    )
    (said,) = rehearse(desk, one)
    assert said.counts_before is not None
    assert said.counts is not None
    assert sum(said.counts) == sum(said.counts_before)
    assert said.counts[2] == said.counts_before[2] - 2


@pytest.mark.parametrize(
    "words",
    [
        {"patient": "BN1"},
        {"encounter": "VV1"},
        {"control_ids": ("1",)},
        {"patient": "BN1", "encounter": "VV1", "control_ids": ("1", "2")},
    ],
    ids=["person", "visit", "control", "all"],
)
def test_what_is_of_a_person_or_a_visit(desk: Desk, words: dict[str, Any]) -> None:
    one = desk.send(discharge("1"))
    desk.send(message("ADT^A04", "2", evn(), pid("BN2"), pv1("LK2")))
    deliver(desk)
    again_, (delivery,) = Wanted(states=again.REPROCESSED), desk.store.read_now(deliveries.listing)
    sent_ = Wanted(states=("accepted",), destinations=("folder",))
    chosen = desk.store.read_now(lambda c: again.messages_to_reprocess(c, desk.plan, Selection(again_, **words)))
    assert [id_ for id_, _ in chosen.items] == [one]
    found = desk.store.read_now(
        lambda c: again.deliveries_to_resend(c, desk.plan, Selection(sent_, **words), force=True)
    )
    assert found.items == [(delivery.id, "accepted")]


def test_nothing_is_of_one_persons_and_anothers_visit(desk: Desk) -> None:
    desk.send(discharge("1"))
    other = desk.send(message("ADT^A04", "2", evn(), pid("BN2"), pv1("LK2")))
    both = Selection(Wanted(states=again.REPROCESSED), patient="BN2", encounter="VV1")
    assert desk.store.read_now(lambda c: again.messages_to_reprocess(c, desk.plan, both)).items == []
    in_span = Selection(Wanted(states=again.REPROCESSED, begin=1), patient="BN2")
    found = desk.store.read_now(lambda c: again.messages_to_reprocess(c, desk.plan, in_span))
    assert found.items == [(other, "mapped")]


def test_elements_by_path() -> None:
    before = {
        "resourceType": "Observation",
        "meta": {"a": 1},
        "status": "final",
        "note": [{"text": "a"}, {"text": "b"}],
    }
    after = {"resourceType": "Observation", "meta": {"a": 2}, "note": [{"text": "c"}], "code": {"text": "x"}}
    assert list(elements(before, after)) == [
        Element("Observation.status", "removed", "final", None),
        Element("Observation.note[0].text", "changed", "a", "c"),
        Element("Observation.note[1]", "removed", {"text": "b"}, None),
        Element("Observation.code", "added", None, {"text": "x"}),
    ]


def test_digits_are_part_of_a_result() -> None:
    one, two = (fhir_json.loads(b'{"resourceType":"Quantity","value":%b}' % digits) for digits in (b"4.5", b"4.50"))
    assert [found.path for found in elements(one, two)] == ["Quantity.value"]
    assert list(elements(one, one)) == []
