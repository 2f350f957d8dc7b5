"""The numbers by which people look for a message: of its patient, insurance card, orders, visit, document, and its own.

Reads fields by place, so a message that no mapping understands is found too. Does not decide who may look
(`gateway/records/message_search.py`), and tells nothing of what the numbers mean to FHIR (`identifiers.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from mappings.formats import er7
from mappings.formats.identifiers import Kind, classify
from mappings.hl7v2.identifiers import kind_of
from mappings.hl7v2.insurance_card import card_numbers, is_card

KINDS = ("patient", "card", "order", "encounter", "document", "control")

_PLACES = {
    "MSH": (("control", (10,)),),
    "PID": (("patient", (2, 3, 4, 19)), ("encounter", (18,))),
    "MRG": (("patient", (1, 4)), ("encounter", (3, 5))),
    "PV1": (("encounter", (19, 50)),),
    "ORC": (("order", (2, 3)),),
    "OBR": (("order", (2, 3)),),
    "TXA": (("document", (12,)),),
}
_CARDS = (36, 49, 2)
_HELD = frozenset({"bhyt", "bhxh"})


def business_keys(message: er7.Message) -> set[tuple[str, str]]:
    """Return the (kind, value) pairs of a message, each value as `folded` gives it.

    A number of a person is of kind `patient` whoever gave it; one that is an insurance card or a social insurance number is of
    kind `card` as well. Standard: HL7 v2.5.1 §2.15.9.10, §3.4.2, §3.4.3, §3.4.9, §4.5.1, §4.5.3, §6.5.6, §9.6.1
    """
    return set(_keys(message))


def looked_for(kind: str, value: str) -> list[str]:
    """Return the values under which what somebody types is found; none when it says nothing."""
    number = folded(value)
    if not number or (kind != "control" and classify(number) is Kind.PLACEHOLDER):
        return []
    return _forms(number) if kind == "card" else [number]


def folded(value: str) -> str:
    """Give a number without spaces and in small letters."""
    return "".join(value.split()).casefold()


def _keys(message: er7.Message) -> Iterator[tuple[str, str]]:
    for segment in message.segments:
        for kind, fields in _PLACES.get(segment.name, ()):
            for n in fields:
                for one in segment[n].repetitions:
                    yield from _pairs(kind, one.c(1))
                    if kind == "patient" and kind_of(one) in _HELD:
                        yield from _pairs("card", one.c(1))
        if segment.name == "IN1":
            for n in _CARDS:
                for one in segment[n].repetitions:
                    for card in card_numbers(one.c(1)):
                        if n != 2 or is_card(card):
                            yield from _pairs("card", card)


def _pairs(kind: str, value: str) -> Iterator[tuple[str, str]]:
    return ((kind, form) for form in looked_for(kind, value))


def _forms(card: str) -> list[str]:
    """Give a card of 15 characters also as the social insurance number that it ends in."""
    return [card, card[-10:]] if classify(card) is Kind.BHYT else [card]
