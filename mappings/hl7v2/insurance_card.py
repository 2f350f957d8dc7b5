"""The Vietnamese health insurance card (thẻ BHYT) in IN1: several cards in one field, what the number itself tells, and the
facility of first care.

Numbers are kept exactly as received, in any of the three forms that are valid side by side (15, 10 and 12 characters); none is
made of another. What the card is worth at a visit is not computed.

Standard: NĐ 188/2025/NĐ-CP, QĐ 3176/QĐ-BYT (MA_THE_BHYT, GT_THE_TU, GT_THE_DEN, MA_DKBD)
"""

from __future__ import annotations

import re
from itertools import zip_longest

from mappings.hl7v2 import faults
from mappings.hl7v2.actors import xon_to_organization
from mappings.hl7v2.datatypes import Element, compact, period, words
from mappings.hl7v2.draft import Draft, date_of
from mappings.hl7v2.identifiers import FACILITY_CODE
from mappings.hl7v2.reader import Segment
from mappings.ids import resource_id
from mappings.outcome import Resource

_CARD = re.compile(r"^([A-Z]{2})([1-5])[0-9]{2}[0-9A-Z]{10}$")
_FORM = re.compile(r"^([0-9]{10}|[0-9]{12}|[A-Z]{2}[0-9]{3}[0-9A-Z]{10})$", re.IGNORECASE)


def is_card(number: str) -> bool:
    """Tell whether a number has the form of a card: 15 characters, or 10 or 12 digits."""
    return bool(_FORM.match(number))


def card_numbers(text: str) -> list[str]:
    """Split the cards of one field, joined by `;`, each without the spaces it is printed with."""
    found = ("".join(part.split()) for part in text.split(";"))
    return list(dict.fromkeys(number for number in found if number))


def card_periods(in1: Segment, draft: Draft) -> list[Element]:
    """Take IN1-12 and IN1-13 as the periods of the cards, joined by `;` in the same order."""
    starts, ends = (_days(in1, n, draft) for n in (12, 13))
    return [period(start, end) for start, end in zip_longest(starts, ends, fillvalue="")]


def _days(in1: Segment, n: int, draft: Draft) -> list[str]:
    text = in1[n].text
    if ";" not in text:
        return [draft.day(in1, n)] if text else []
    found = [date_of(part.strip()) if part.strip() else "" for part in text.split(";")]
    if any(part.strip() and not day for part, day in zip(text.split(";"), found, strict=True)):
        draft.notice(faults.DATE_UNREADABLE, in1.where(n))
        if not any(found):
            in1.give_back(n)
    return found


def card_classes(number: str, draft: Draft) -> list[Element]:
    """Say the benefit level, the third character of a card of 15, as Coverage.class."""
    form = _CARD.match(number.upper())
    if form is None:
        return []
    coding = {"system": f"{draft.context.systems.own}/CodeSystem/coverage-class", "code": "benefit-level"}
    return [{"type": {"coding": [coding], "text": "Mức hưởng BHYT"}, "value": form[2]}]


def card_extensions(number: str, draft: Draft) -> list[Element]:
    """Say the object group, the two letters of a card of 15, and the facility of first care of PD1-3."""
    national = draft.context.systems.national
    found: list[Element] = []
    form = _CARD.match(number.upper())
    if form:
        kind = {"coding": [{"system": f"{national}/CodeSystem/vn-bhyt-card-type-cs", "code": form[1]}]}
        found.append({"url": f"{national}/StructureDefinition/vn-ext-bhyt-card-type", "valueCodeableConcept": kind})
    if is_card(number):
        place = first_care(draft)
        if place:
            found.append(
                {"url": f"{national}/StructureDefinition/vn-ext-primary-care-facility", "valueReference": place}
            )
    return found


def first_care(draft: Draft) -> Element | None:
    """Refer to the facility in PD1-3 whose number is a facility code (MA_DKBD); any other is a practice, not a registration."""
    pd1 = draft.reader.first("PD1")
    for xon in pd1.peek(3).repetitions if pd1 is not None else ():
        if FACILITY_CODE.match(words(xon.c(10)) or words(xon.c(3))):
            return xon_to_organization(xon, draft)
    return None


def further_coverages(coverage: Resource, numbers: list[str], periods: list[Element], draft: Draft) -> list[Resource]:
    """Make a Coverage of each card after the first: the same insurance under another number, with its own period."""
    system = draft.context.systems.bhyt
    first = numbers[0] if numbers else ""
    found = []
    for number, span in zip_longest(numbers[1:], periods[1 : len(numbers)], fillvalue=None):
        if number is None:
            continue
        others = [one for one in coverage.get("class", []) if one not in card_classes(first, draft)]
        identifiers = [
            one | {"value": number} if one["system"] == system and one["value"] == first else one
            for one in coverage.get("identifier", [])
        ]
        found.append(
            compact(
                {
                    **coverage,
                    "id": resource_id("Coverage", system, f"{draft.patient}|{number}"),
                    "extension": card_extensions(number, draft),
                    "identifier": identifiers,
                    "subscriberId": number,
                    "period": span or {},
                    "class": [*others, *card_classes(number, draft)],
                }
            )
        )
    return found
