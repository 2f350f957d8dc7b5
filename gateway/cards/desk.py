"""Look up a person's card: make the question of the record, ask once, keep the answer, bring the record up to date.

    whom? ─ asked just now? ─ quota ─ the insurer ─┬─ answer: kept as a message, its Coverage a new version with a Provenance
                                                   └─ fault: kept as that, told, never repeated by itself

The answer is a message of the ledger like any other, so every fact of the record that comes of it leads back to its bytes.
What the insurer says about a card is written to a person's record only when it was asked with the name and birth date that
the record has: then the insurer has confirmed both.

Requirement: S2.11, S4.1, S1.10
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from sqlalchemy.engine import Connection

from connectors.contract import CardQuestion, Cards
from gateway import meters
from gateway.cards.quota import Asking, Limits, Quota
from gateway.clock import SECOND, Clock, iso
from gateway.faults import CardQuestionIncomplete, CardsNotServed, NothingThere
from gateway.records import message_search, persons, resources
from gateway.records.versions import opened
from gateway.settings import Plan
from gateway.store import actions, card_lookups, message_keys, messages
from gateway.store import resources as rows
from gateway.store.engine import Store
from gateway.store.messages import NewMessage
from mappings.bhyt.card import (
    Asked,
    CardAnswer,
    Difference,
    Step,
    answer_to_coverages,
    differences,
    is_born,
    is_card_number,
    patient_to_question,
    read_answer,
)
from mappings.formats.faults import Fault
from mappings.hl7v2.business_keys import folded
from mappings.ids import resource_id
from mappings.outcome import Resource

log = logging.getLogger("lienthong.cards")

MOMENTS = ("reception", "treatment", "discharge")
"""When a card is looked up during a visit. Standard: integrators' notes on the insurance's guide"""
HISTORY = "history"
"""In place of a moment: a question about a file, not about a visit."""
TYPE = f"{resources.INSURER}^LOOKUP"
_PASSING = (Step.LATER, Step.CALLER, Step.OFFICER)
"""What is not given again without asking."""


class CardSettings(Limits, Protocol):
    """What the desk must know of a destination that looks up cards."""

    @property
    def lookup_good_for(self) -> timedelta: ...


@dataclass(frozen=True)
class Wanted:
    """Whose card is to be looked up, by ids of the record, or by what stands on the card, or both."""

    actor: str
    patient_id: str = ""
    encounter_id: str = ""
    number: str = field(default="", repr=False)
    name: str = field(default="", repr=False)
    born: str = field(default="", repr=False)
    moment: str = ""
    """One of `MOMENTS`; without it the first look-up of a visit is `reception`, a further one `treatment`."""


@dataclass(frozen=True)
class Told:
    """What came of a look-up."""

    id: str
    """Of the message that holds the answer."""
    at: int
    moment: str
    answer: CardAnswer
    coverages: tuple[Resource, ...]
    """What the record now says of the cards; empty when nothing was written."""
    differences: tuple[Difference, ...]
    patient_id: str
    encounter_id: str
    again: bool = False
    """The answer to the same question a moment ago; nothing was asked."""


@dataclass(frozen=True)
class _Whose:
    patient: Resource | None
    patient_id: str
    encounter_id: str
    coverages: tuple[Resource, ...]


class CardDesk:
    """Serves every look-up of this node."""

    def __init__(self, plan: Plan, store: Store, clock: Clock, cards: Mapping[str, Cards]) -> None:
        """`cards` by the name of their destination; the first is asked unless another is named."""
        self._plan = plan
        self._store = store
        self._clock = clock
        self._cards = cards
        self._quotas = {
            name: Quota(store, clock, name, plan.routes[name].settings, plan.node.zone) for name in self._cards
        }
        for name, one in cards.items():
            one.permit = self._permit_of(name)

    @property
    def serves(self) -> bool:
        """Whether any destination of this node looks up cards."""
        return bool(self._cards)

    async def ask(self, wanted: Wanted, destination: str = "") -> Told:
        """Look a card up, once.

        Raises CardsNotServed, NothingThere (nobody of that id), CardQuestionIncomplete, LookupsStopped, and whatever the
        insurer's connector raises.
        """
        name = destination or next(iter(self._cards), "")
        if name not in self._cards:
            raise CardsNotServed(name)
        whose = await self._store.read(lambda connection: self._whose(connection, wanted))
        asked = self._question(wanted, whose)
        moment = wanted.moment or await self._store.read(lambda connection: _moment(connection, whose.encounter_id))
        key = self._plan.keyring.search_key("card", "|".join((name, moment, whose.encounter_id, *asked)))
        again = await self._store.read(lambda connection: self._answered(connection, name, key))
        if again is not None:
            row_id, at, body = again
            return self._told(row_id, at, moment, body, whose, asked, again=True)
        return await self._look_up(
            name, Asking(wanted.actor, moment, key, whose.encounter_id, whose.patient_id), whose, asked
        )

    async def _look_up(self, name: str, asking: Asking, whose: _Whose, asked: Asked) -> Told:
        row_id = ""

        async def permit() -> None:
            nonlocal row_id
            row_id = await self._quotas[name].take(asking)

        try:
            reply = await self._cards[name].look_up(CardQuestion(*asked), permit)
        except Fault as fault:
            if row_id:
                code = fault.code
                meters.count(meters.LOOKUPS, destination=name, outcome="fault")
                await self._store.write(lambda connection: card_lookups.failed(connection, row_id, code))
            raise
        now = self._clock.now()
        told = self._told(row_id, now, asking.moment, reply.body, whose, asked)
        meters.count(meters.LOOKUPS, destination=name, outcome=told.answer.step.value)
        await self._store.write(lambda connection: self._keep(connection, name, asking, reply.body, told))
        return told

    # ---- whose card, which question ----

    def _whose(self, connection: Connection, wanted: Wanted) -> _Whose:
        keyring = self._plan.keyring
        patient_id, encounter_id = wanted.patient_id, wanted.encounter_id
        if encounter_id:
            found = rows.current(connection, [("Encounter", encounter_id)])
            if not found or not found[0].patient_id:
                raise NothingThere(where=f"Encounter/{encounter_id}"[:80])
            owner = persons.resolve(connection, found[0].patient_id)
            if patient_id and persons.resolve(connection, patient_id) != owner:
                raise NothingThere(where=f"Encounter/{encounter_id}"[:80], detail="of another person")
            patient_id = owner
        if not patient_id:
            return _Whose(None, "", "", ())
        patient_id = persons.resolve(connection, patient_id)
        stored = rows.current(connection, [("Patient", patient_id)])
        if not stored:
            raise NothingThere(where=f"Patient/{patient_id}"[:80])
        cards = [
            opened(keyring, row)
            for row in rows.of_patients(connection, persons.all_ids(connection, patient_id))
            if row.type == "Coverage"
        ]
        return _Whose(opened(keyring, stored[0]), patient_id, encounter_id, tuple(cards))

    def _question(self, wanted: Wanted, whose: _Whose) -> Asked:
        known = Asked("", "", "")
        if whose.patient is not None:
            known = patient_to_question(whose.patient, whose.coverages, self._plan.systems)
        number = "".join(wanted.number.split()).upper() or known.number
        asked = Asked(number, " ".join(wanted.name.split()) or known.name, wanted.born.strip() or known.born)
        wrong = [
            name
            for name, good in (
                ("number", is_card_number(asked.number)),
                ("name", 0 < len(asked.name) <= 255),
                ("born", is_born(asked.born)),
            )
            if not good
        ]
        if wrong:
            raise CardQuestionIncomplete(detail=", ".join(wrong))
        return asked

    def _answered(self, connection: Connection, name: str, key: bytes) -> tuple[str, int, bytes] | None:
        settings: CardSettings = self._plan.routes[name].settings
        since = self._clock.now() - round(settings.lookup_good_for.total_seconds() * SECOND)
        for row in card_lookups.asked(connection, key, since):
            if row.code:
                body = self._plan.keyring.open(messages.body(connection, row.id), row.id)
                if read_answer(body).step not in _PASSING:
                    return row.id, row.at, body
        return None

    # ---- what becomes of the answer ----

    def _told(
        self, row_id: str, at: int, moment: str, body: bytes, whose: _Whose, asked: Asked, *, again: bool = False
    ) -> Told:
        answer = read_answer(body)
        found: list[Resource] = []
        differing: list[Difference] = []
        if whose.patient is not None:
            differing = differences(answer, whose.patient)
            if _same_person(asked, patient_to_question(whose.patient, (), self._plan.systems)):
                found = answer_to_coverages(answer, f"Patient/{whose.patient_id}", self._plan.systems)
        source = f"urn:uuid:{row_id}"
        coverages = tuple({**one, "meta": {"source": source}} for one in found)
        return Told(
            row_id, at, moment, answer, coverages, tuple(differing), whose.patient_id, whose.encounter_id, again
        )

    def _keep(self, connection: Connection, name: str, asking: Asking, body: bytes, told: Told) -> None:
        """Store the answer as a message, what the record learns of it, and who asked: in one transaction."""
        keyring, now = self._plan.keyring, told.at
        new = NewMessage(
            id=told.id,
            channel=name,
            received_at=now,
            peer="",
            sender=f"{name}|",
            control_id="",
            type=TYPE,
            version="",
            size=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            body=keyring.seal(body, told.id),
            dedupe_key=None,
            order_key=keyring.search_key("order", told.patient_id or told.id),
            state="answered",
            answer="AA",
        )
        messages.insert_all(connection, [new])
        cards = [card.number for card in (told.answer.card, told.answer.new) if card is not None]
        message_search.put(
            connection, keyring, {told.id: [("card", folded(number)) for number in dict.fromkeys(cards)]}
        )
        message_keys.note_keyed(connection, [told.id])
        card_lookups.answered(connection, told.id, told.answer.code)
        actions.insert(
            connection,
            at=now,
            actor=asking.actor,
            verb="lookup",
            target=f"Encounter/{told.encounter_id}" if told.encounter_id else f"Patient/{told.patient_id}",
            reason=f"{told.moment} {told.answer.code}",
        )
        if not told.coverages:
            return
        known = {
            row.id: opened(keyring, row)
            for row in rows.current(connection, [("Coverage", one["id"]) for one in told.coverages])
        }
        laid = [_laid(known.get(one["id"]), one) for one in told.coverages]
        said = resources.Said(told.id, TYPE.partition("^")[0], new.sender, patient_id=told.patient_id)
        resources.save(connection, keyring, [*laid, self._provenance(told)], said, now)

    def _provenance(self, told: Told) -> Resource:
        system = self._plan.systems.own
        return {
            "resourceType": "Provenance",
            "id": resource_id("Provenance", f"{system}/card-lookup", told.id),
            "target": [{"reference": f"Coverage/{one['id']}"} for one in told.coverages],
            "recorded": iso(told.at),
            "activity": {"text": "Tra cứu thẻ BHYT"},
            "agent": [{"who": {"display": "Cổng tiếp nhận dữ liệu giám định BHYT"}}],
            "entity": [
                {
                    "role": "source",
                    "what": {"identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{told.id}"}},
                }
            ],
        }

    def _permit_of(self, name: str) -> Any:
        """Count also the questions that are not a desk's: whether a file arrived."""
        key = self._plan.keyring.search_key("card", f"{name}|{HISTORY}")

        async def permit() -> None:
            await self._quotas[name].take(Asking("delivery", HISTORY, key))

        return permit

    # ---- what was asked ----

    async def moments(self, encounter_id: str) -> list[dict[str, Any]]:
        """Say of each of the three moments of a visit when its card was looked up last, and what was answered."""
        found = await self._store.read(lambda connection: card_lookups.of_encounter(connection, encounter_id))
        last = {row.moment: row for row in found if row.code}
        return [
            {
                "moment": one,
                "done": one in last,
                "at": iso(last[one].at) if one in last else None,
                "code": last[one].code if one in last else None,
            }
            for one in MOMENTS
        ]


def _moment(connection: Connection, encounter_id: str) -> str:
    if not encounter_id:
        return MOMENTS[0]
    return MOMENTS[1] if any(row.code for row in card_lookups.of_encounter(connection, encounter_id)) else MOMENTS[0]


def _same_person(asked: Asked, known: Asked) -> bool:
    return (asked.name.casefold(), asked.born) == (known.name.casefold(), known.born)


def _laid(known: Resource | None, told: Resource) -> Resource:
    """Leave what the record knows better than the insurer's answer: the insurer by name and number, classes of a plan."""
    if known is None:
        return told
    return {name: value for name, value in told.items() if name not in ("payor", "class") or name not in known}
