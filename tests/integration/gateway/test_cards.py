"""Card look-ups at the desk: what is asked, kept and written to the record, and when no more may be asked; on both engines.

All people, cards and facilities are invented.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import CardQuestion, CardReply
from connectors.faults import LookupUnanswered
from gateway import steps
from gateway.cards.desk import CardDesk, Told, Wanted
from gateway.cards.quota import row_name
from gateway.faults import CardQuestionIncomplete, CardsNotServed, LookupsStopped, NothingThere
from gateway.records import message_search
from gateway.records import resources as records
from gateway.store import actions, card_lookups, destinations, messages
from gateway.store import resources as rows
from mappings.fhir import problems
from mappings.formats.json import dumps
from mappings.ids import resource_id
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, evn, message, pid, pv1
from tests.integration.gateway.test_papers import discharge
from tests.unit.bhyt.test_card import CARD, NEW
from tests.unit.bhyt.test_card import answer as answered

ROUTE = "insurance_portal"
PORTAL = """
[[destination]]
kind = "insurance_portal"
url = "https://portal.example"
username = "01999_BV"
password = "secret:destinations"
facility = "01999"
basis = "law"
officer = "Lê Văn Cán"
officer_id = "secret:destinations"
lookups_per_minute = 4
lookups_per_day = 6
usual_lookups_per_day = 2
"""
NAME, BORN = "Trần Thị Bích Ngọc", "02/09/1984"
WOMAN = pid("BN1", "Trần^Ngọc^Thị Bích", "19840902")
IN1 = f"IN1|1|{CARD}|BHXH|BHXH cũ||||||||20250101|20251231|||||||||||||||||||||||{CARD}"


class Insurer:
    """Answers from a list, and keeps what it was asked."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[CardQuestion] = []
        self.permit: Callable[[], Awaitable[None]] = self._never

    async def _never(self) -> None:
        raise AssertionError("the desk puts its own here")

    async def look_up(self, question: CardQuestion, permit: Callable[[], Awaitable[None]] | None = None) -> CardReply:
        await (permit or self.permit)()
        self.asked.append(question)
        given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(given, Exception):
            raise given
        return CardReply(str(json.loads(given)["maKetQua"]), given)

    shared_costs = look_up


class Reception:
    def __init__(self, folder: Path, url: str) -> None:
        self.clock = HandClock()
        self.desk = Desk(folder, url, self.clock, destinations=PORTAL, produce=())
        self.insurer = Insurer(answered())
        self.cards = CardDesk(self.desk.plan, self.desk.store, self.clock, {ROUTE: self.insurer})

    @property
    def patient(self) -> str:
        return self.desk.patient("BN1").partition("/")[2]

    @property
    def visit(self) -> str:
        return self.desk.visit("V1").partition("/")[2]

    def admit(self, *more: str) -> None:
        self.desk.send(message("ADT^A01", "1", evn(), WOMAN, pv1("V1"), *more))

    def ask(self, **wanted: Any) -> Told:
        return asyncio.run(self.cards.ask(Wanted("kiosk-1", **wanted)))

    def rows(self) -> list[Any]:
        return self.desk.store.read_now(lambda c: card_lookups.listing(c, ROUTE, 0, 0))

    def coverage(self, number: str = CARD) -> dict[str, Any]:
        system = self.desk.plan.systems.bhyt
        return self.desk.get(f"Coverage/{resource_id('Coverage', system, f'Patient/{self.patient}|{number}')}")


@pytest.fixture
def at(tmp_path: Path, store_url: str) -> Any:
    made = Reception(tmp_path / "site", store_url)
    yield made
    made.desk.store.close()


def test_what_the_insurer_says_becomes_a_new_version_with_its_provenance(at: Reception) -> None:
    at.admit(IN1)
    before = at.coverage()
    assert before["period"]["end"] == "2025-12-31"
    told = at.ask(encounter_id=at.visit)
    assert at.insurer.asked == [CardQuestion(CARD, NAME, BORN)]
    assert (told.moment, told.patient_id, told.again) == ("reception", at.patient, False)
    after = at.coverage()
    assert after["period"] == {"start": "2026-01-01", "end": "2026-12-31"}
    assert after["payor"] == before["payor"], "the record knows the insurer by name; the answer has a display only"
    assert not problems(after)
    (provenance,) = at.desk.of(f"Patient/{at.patient}", "Provenance")
    assert provenance["target"] == [{"reference": f"Coverage/{after['id']}"}]
    assert provenance["entity"][0]["what"]["identifier"]["value"] == f"urn:uuid:{told.id}"
    assert not problems(provenance)
    row = at.desk.row(f"Coverage/{after['id']}")
    assert (row.version, row.message_id) == (2, told.id)
    kept = at.desk.store.read_now(lambda c: messages.body(c, told.id))
    assert at.desk.keyring.open(kept, told.id) == answered(), "every fact leads back to the insurer's own bytes"
    assert b"Ng\\u1ecdc" not in kept
    (act,) = at.desk.store.read_now(lambda c: actions.of_target(c, f"Encounter/{at.visit}"))
    assert (act.actor, act.verb, act.reason) == ("kiosk-1", "lookup", "reception 000")


def test_the_answer_is_found_by_the_card_and_is_in_no_paper(at: Reception) -> None:
    at.desk.send(discharge("1"))
    at.insurer.answers = [answered(hoTen="Nguyễn Thị Hoa", ngaySinh="14/02/1985")]
    told = at.ask(patient_id=at.patient, number=CARD)
    found = at.desk.store.read_now(lambda c: message_search.find(c, at.desk.keyring, CARD))
    assert told.id in {row.id for row in found.messages}
    record = at.desk.record(f"Patient/{at.patient}")
    assert "Provenance" in {one["resourceType"] for one in record}
    context = at.desk.plan.paper_context("1", datetime(2026, 11, 26, tzinfo=UTC))
    for paper in ("discharge_paper", "health_summary"):
        made = steps.compose(paper, at.desk.visit("VV1"), dumps(record), context, "1").renditions["fhir"]
        assert b'"Provenance"' not in made
        assert CARD.encode() in made


def test_a_new_card_comes_beside_the_old_one(at: Reception) -> None:
    at.admit(IN1)
    at.insurer.answers = [answered("003", maTheMoi=NEW, gtTheTuMoi="01/11/2026", gtTheDenMoi="31/12/2027")]
    told = at.ask(patient_id=at.patient)
    assert told.answer.usable is not None
    assert (at.coverage()["status"], at.coverage(NEW)["status"]) == ("cancelled", "active")
    at.clock.forward(3600)
    at.insurer.answers = [answered()]
    at.ask(patient_id=at.patient)
    assert at.insurer.asked[-1].number == NEW, "next time the new card is asked about"


def test_nothing_is_written_to_somebody_else(at: Reception) -> None:
    at.admit()
    told = at.ask(patient_id=at.patient, number=CARD, name="Nguyễn Văn Khác", born="01/01/1990")
    assert told.coverages == ()
    assert not at.desk.of(f"Patient/{at.patient}", "Coverage")
    assert [one.element for one in told.differences] == []
    at.insurer.answers = [answered("070")]
    assert at.ask(patient_id=at.patient, number=CARD).coverages == ()


def test_somebody_whom_the_record_does_not_know(at: Reception) -> None:
    told = at.ask(number=f" {CARD.lower()} ", name=NAME, born=BORN)
    assert (told.patient_id, told.coverages, at.insurer.asked[0].number) == ("", (), CARD)
    assert at.rows()[0].code == "000"


def test_what_is_lacking_is_named_and_nobody_is_asked(at: Reception) -> None:
    at.admit()
    for wanted, lacking in (
        ({"patient_id": at.patient}, "number"),
        ({"number": "12"}, "number, name, born"),
        ({"number": CARD, "name": NAME, "born": "1984-09-02"}, "born"),
    ):
        with pytest.raises(CardQuestionIncomplete) as caught:
            at.ask(**wanted)
        assert caught.value.detail == lacking
    for ids in ({"patient_id": "nobody"}, {"encounter_id": "none"}, {"encounter_id": at.visit, "patient_id": "other"}):
        with pytest.raises(NothingThere):
            at.ask(**ids)
    with pytest.raises(CardsNotServed):
        asyncio.run(at.cards.ask(Wanted("kiosk-1", number=CARD, name=NAME, born=BORN), "elsewhere"))
    assert not at.insurer.asked
    assert not at.rows()


def test_the_three_moments_of_a_visit(at: Reception) -> None:
    at.admit(IN1)
    assert [at.ask(encounter_id=at.visit).moment for _ in range(2)] == ["reception", "treatment"]
    at.ask(encounter_id=at.visit, moment="discharge")
    said = asyncio.run(at.cards.moments(at.visit))
    assert [(one["moment"], one["done"], one["code"]) for one in said] == [
        ("reception", True, "000"),
        ("treatment", True, "000"),
        ("discharge", True, "000"),
    ]
    assert [one["done"] for one in asyncio.run(at.cards.moments("another"))] == [False] * 3


def test_the_same_question_a_moment_later_is_not_asked_again(at: Reception) -> None:
    at.admit(IN1)
    first = at.ask(encounter_id=at.visit, moment="reception")
    again = at.ask(encounter_id=at.visit, moment="reception")
    assert (again.again, again.id, again.answer) == (True, first.id, first.answer)
    assert len(at.insurer.asked) == 1
    at.clock.forward(601)
    assert not at.ask(encounter_id=at.visit, moment="reception").again
    at.insurer.answers = [answered("101")]
    for _ in range(2):  # what passes by itself is no answer to keep
        assert not at.ask(number=CARD, name=NAME, born=BORN).again
    assert len(at.insurer.asked) == 4


def test_a_look_up_that_fails_counts_and_is_not_repeated(at: Reception) -> None:
    at.insurer.answers = [LookupUnanswered(ROUTE)]
    with pytest.raises(LookupUnanswered):
        at.ask(number=CARD, name=NAME, born=BORN)
    assert len(at.insurer.asked) == 1
    (row,) = at.rows()
    assert (row.code, row.fault_code, row.moment, row.actor) == ("", 6043, "reception", "kiosk-1")


def others(at: Reception, first: int, last: int) -> None:
    for n in range(first, last):
        at.ask(number=f"DN40101234567{n:02}", name=NAME, born=BORN)


def test_a_burst_stops_look_ups_until_a_person_lets_them_go_on(at: Reception, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    others(at, 0, 4)
    assert "more card look-ups than on a usual day (2)" in caplog.text
    with pytest.raises(LookupsStopped) as caught:
        others(at, 4, 5)
    assert caught.value.detail == "more than 4 look-ups within a minute"
    assert "LT7015" in caplog.text
    at.clock.forward(3600)
    with pytest.raises(LookupsStopped):
        others(at, 5, 6)
    assert len(at.insurer.asked) == 4
    at.desk.store.write_now(lambda c: destinations.resume(c, row_name(ROUTE)))
    others(at, 6, 7)
    assert NAME not in caplog.text
    assert CARD[:10] not in caplog.text


def test_so_does_a_day_of_too_many(at: Reception) -> None:
    for n in range(6):
        others(at, n, n + 1)
        at.clock.forward(61)
    with pytest.raises(LookupsStopped) as caught:
        others(at, 6, 7)
    assert caught.value.detail == "more than 6 look-ups on one day"
    at.clock.forward(24 * 3600)
    at.desk.store.write_now(lambda c: destinations.resume(c, row_name(ROUTE)))
    others(at, 7, 8)


def test_many_at_once_are_counted_one_by_one(at: Reception) -> None:
    async def burst() -> list[Any]:
        asked = (Wanted("k", number=f"DN40101234567{n:02}", name=NAME, born=BORN) for n in range(12))
        return await asyncio.gather(*map(at.cards.ask, asked), return_exceptions=True)

    found = asyncio.run(burst())
    assert sorted({type(one).__name__ for one in found}) == ["LookupsStopped", "Told"]
    assert len(at.insurer.asked) == 4


def test_questions_about_files_count_too(at: Reception) -> None:
    for _ in range(4):
        asyncio.run(at.insurer.look_up(CardQuestion(CARD, NAME, BORN)))
    with pytest.raises(LookupsStopped):
        asyncio.run(at.insurer.look_up(CardQuestion(CARD, NAME, BORN)))
    assert {(row.actor, row.moment) for row in at.rows()} == {("delivery", "history")}


def test_what_the_insurer_said_stays_until_a_card_is_good_for_longer(at: Reception) -> None:
    at.admit(IN1)
    at.ask(patient_id=at.patient)
    at.desk.send(message("ADT^A08", "2", evn(), WOMAN, pv1("V1"), IN1, at="20261121090000"))
    assert at.coverage()["period"] == {"start": "2026-01-01", "end": "2026-12-31"}
    renewed = IN1.replace("20250101|20251231", "20270101|20271231")
    at.desk.send(message("ADT^A08", "3", evn(), WOMAN, pv1("V1"), renewed, at="20261121100000"))
    assert at.coverage()["period"] == {"start": "2027-01-01", "end": "2027-12-31"}


def test_admission_and_insurer_overwrite_and_results_do_not(at: Reception) -> None:
    at.admit(IN1)
    at.ask(patient_id=at.patient)
    at.desk.send(message("ORU^R01", "2", WOMAN, "PV1|1|I|||||||||||||||||V1", at="20261121090000"))
    assert at.coverage()["period"]["end"] == "2026-12-31"
    assert records._AUTHORITY["Coverage"] == ("ADT", "CARD")
    assert at.desk.store.read_now(lambda c: len(rows.earlier(c, "Coverage", at.coverage()["id"]))) == 1
