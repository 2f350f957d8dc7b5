"""Tell what came of a look-up: to programs as JSON with FHIR inside, in the reader's language."""

from __future__ import annotations

from typing import Any

from gateway.cards.desk import Told
from gateway.clock import iso
from gateway.text import Language
from mappings.bhyt.card import STEPS, Card, Words, answer_to_outcome
from mappings.systems import Systems


def as_dict(told: Told, language: Language, systems: Systems) -> dict[str, Any]:
    """Describe an answer: what reception does, with which card, and what that was read of. Holds data of the person."""
    answer = told.answer
    return {
        "lookup": told.id,
        "at": iso(told.at),
        "again": told.again,
        "moment": told.moment,
        "patient": told.patient_id or None,
        "encounter": told.encounter_id or None,
        "code": answer.code,
        "step": answer.step.value,
        "usable": answer.usable is not None,
        "what": _said(answer.said, language),
        "do": _said(STEPS[answer.step], language),
        "note": answer.note,
        "use": _card(answer.usable),
        "card": _card(answer.card),
        "new_card": _card(answer.new),
        "differences": [one._asdict() for one in told.differences],
        "five_years_on": answer.five_years_on.isoformat() if answer.five_years_on else None,
        "area": answer.area or None,
        "history": [vars(visit) for visit in answer.history],
        "checked_at": list(answer.checks),
        "coverage": list(told.coverages),
        "outcome": answer_to_outcome(answer, systems),
    }


def _said(words: Words, language: Language) -> str:
    return words.en if language == "en" else words.vi


def _card(card: Card | None) -> dict[str, Any] | None:
    if card is None:
        return None
    return {
        "number": card.number,
        "start": card.start.isoformat() if card.start else None,
        "end": card.end.isoformat() if card.end else None,
        "facility": card.facility or None,
        "facility_name": card.facility_name or None,
    }
