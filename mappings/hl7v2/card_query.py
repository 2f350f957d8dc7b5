"""Questions about an insurance card by HL7 v2, and their answers: RQI^I01 → RPI^I01, and a query of our own name by QBP^Q11 →
RSP^K11.

RQI is HL7's own request for insurance information; it has no place for the moment of a visit. The query has: `QPD-1` is
`BHYT^Tra cứu thẻ BHYT^LT`, `QPD-3` numbers (CX), `QPD-4` name (XPN), `QPD-5` birth date, `QPD-6` visit, `QPD-7` `reception`,
`treatment` or `discharge`. An answer is AA when the insurer answered, whatever about; its code, what it means and what
reception does stand in NTE, IN1 is the card to use or, without one, the card that was asked about. Searches and asks nothing.

Standard: HL7 v2.5.1 §11.3.1 (RQI/RPI), §5.3.1.2 (QBP/RSP)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from mappings.bhyt.card import STEPS, Card, CardAnswer, is_card_number
from mappings.formats import er7
from mappings.formats.er7_header import Header
from mappings.formats.er7_writer import Segment, Value, write
from mappings.formats.faults import Fault
from mappings.hl7v2 import ack
from mappings.hl7v2.datatypes import code_of, words
from mappings.hl7v2.draft import date_of
from mappings.hl7v2.names import full_name
from mappings.hl7v2.query import Number

REQUEST: Final = "RQI^I01"
QUERY: Final = "QBP^Q11"
NAME: Final = "BHYT"
TRIGGERS: Final = (REQUEST, QUERY)
_MOMENTS: Final = ("reception", "treatment", "discharge")


@dataclass(frozen=True)
class CardQuery:
    """Whose card, as the message says it."""

    trigger: str
    tag: str = ""
    name: tuple[str, str, str] = ("", "", "")
    """QPD-1."""
    numbers: tuple[Number, ...] = field(default=(), repr=False)
    """Numbers of the person here."""
    card: str = field(default="", repr=False)
    person: str = field(default="", repr=False)
    born: str = field(default="", repr=False)
    """As the look-up wants it, `dd/MM/yyyy`."""
    visit: str = ""
    moment: str = ""
    echo: tuple[er7.Segment, ...] = ()


def is_card_query(trigger: str, message: er7.Message) -> bool:
    """Tell whether a message asks about a card."""
    if trigger == REQUEST:
        return True
    qpd = message.first("QPD") if trigger == QUERY else None
    return qpd is not None and code_of(qpd[1].c(1)).upper() == NAME


def read_card_query(trigger: str, message: er7.Message) -> CardQuery:
    """Read a message that `is_card_query`; what is absent stays empty."""
    return _read_request(message) if trigger == REQUEST else _read_query(message)


def _read_request(message: er7.Message) -> CardQuery:
    pid, in1, pv1 = message.first("PID"), message.first("IN1"), message.first("PV1")
    if pid is None:
        return CardQuery(REQUEST)
    numbers = _numbers(pid[3])
    of_card = [words(in1[n].c(1)) for n in (36, 49, 2)] if in1 is not None else []
    person = pid[5].repetitions[0] if pid[5].repetitions else pid[5]
    return CardQuery(
        REQUEST,
        numbers=numbers,
        card=_card([*of_card, *(number.value for number in numbers)]),
        person=full_name(words(person.c(1)), words(person.c(3)), words(person.c(2))),
        born=_born(pid[7].text),
        visit=words(pv1[19].c(1)) if pv1 is not None else "",
        echo=(pid,),
    )


def _read_query(message: er7.Message) -> CardQuery:
    qpd = message.first("QPD")
    assert qpd is not None, "is_card_query found it"
    numbers = _numbers(qpd[3])
    moment = code_of(qpd[7].text).lower()
    return CardQuery(
        QUERY,
        words(qpd[2].text),
        (code_of(qpd[1].c(1)), words(qpd[1].c(2)), words(qpd[1].c(3))),
        numbers,
        _card([number.value for number in numbers]),
        full_name(words(qpd[4].c(1)), words(qpd[4].c(3)), words(qpd[4].c(2))),
        _born(qpd[5].text),
        words(qpd[6].c(1)),
        moment if moment in _MOMENTS else "",
        (qpd,),
    )


def _numbers(of: er7.Field) -> tuple[Number, ...]:
    found = (
        Number(words(cx.c(1)), words(cx.c(4)), words(cx.c(4, 2)), words(cx.c(4, 3)), code_of(cx.c(5)))
        for cx in of.repetitions
    )
    return tuple(number for number in found if number.value)


def _card(numbers: list[str]) -> str:
    """Choose the number to ask with: a card of 15 characters before 12 or 10 digits, else the first that could be one."""
    usable = [said for number in numbers if is_card_number(said := "".join(number.split()).upper())]
    return next((one for one in usable if len(one) == 15), next(iter(usable), ""))


def _born(text: str) -> str:
    return "/".join(reversed(date_of(text)[:10].split("-"))) if text and date_of(text) else ""


# ---- the answer ----


def write_card_answer(
    query: CardQuery,
    header: Header,
    answer: CardAnswer | None,
    at: datetime,
    control_id: str,
    fault: Fault | None = None,
    text: str = "",
) -> bytes:
    """Write the whole answer, ending with a carriage return, in UTF-8.

    With a `fault` it says AE, and `text` to people, and tells nothing about a card.
    """
    if query.trigger == REQUEST and fault is not None:
        return ack.acknowledge(header, "AE", control_id, at, fault, text)
    delimiters = ack.answering_delimiters(header)
    kind = ("RPI", "I01", "RPI_I01") if query.trigger == REQUEST else ("RSP", "K11", "RSP_K11")
    first = [ack.answering_msh(header, kind, control_id, at), ack.msa(header, "AE" if fault else "AA")]
    if query.trigger == QUERY:
        if fault is not None:
            first.append(ack.err(header, fault, text, diagnosis=fault.detail))
        found = answer is not None and answer.card is not None
        status = "AE" if fault else "OK" if found else "NF"
        first.append(Segment("QAK", {1: query.tag, 2: status, 3: query.name}))
        first += [_again(segment) for segment in query.echo]
    if answer is not None and fault is None:
        first += _about(query, answer)
    return write(first, delimiters)


def _about(query: CardQuery, answer: CardAnswer) -> Iterator[Segment]:
    card = answer.usable or answer.card
    if query.trigger == REQUEST:
        role = ("PP", "Primary Care Provider", "HL70286")
        place = (card.facility, "MA_CSKCB") if card is not None and card.facility else ""
        yield Segment("PRD", {1: role, 7: place})
        yield from (_again(segment) for segment in query.echo)
    else:
        yield Segment(
            "PID", {1: "1", 3: [_cx(number) for number in query.numbers], 5: (query.person,), 7: _digits(query.born)}
        )
        if card is not None and card.facility:
            yield Segment("PD1", {3: (card.facility_name, "", "", "", "", "", "", "", "", card.facility)})
    told = [card] if card is not None else []
    if answer.usable is not None and answer.card is not None and answer.card != card:
        told.append(answer.card)
    for n, one in enumerate(told, 1):
        yield _in1(n, one, answer)
    words_of = STEPS[answer.step]
    kind = (answer.code, answer.said.vi, "PORTAL_CARD_LOOKUP")
    yield Segment("NTE", {1: "1", 2: "O", 3: f"{answer.code} {answer.said.vi}. {words_of.vi}", 4: kind})
    step = (answer.step.value, words_of.en, "LT_CARD_STEP")
    yield Segment("NTE", {1: "2", 2: "O", 3: words_of.en, 4: step})


def _in1(n: int, card: Card, answer: CardAnswer) -> Segment:
    return Segment(
        "IN1",
        {
            1: str(n),
            2: ("BHYT", "Bảo hiểm y tế"),
            3: ("BHXH",),
            4: (answer.issuer or "Bảo hiểm xã hội Việt Nam",),
            12: _day(card.start),
            13: _day(card.end),
            36: card.number,
        },
    )


def _cx(number: Number) -> tuple[str | tuple[str, ...], ...]:
    authority = (number.authority, number.authority_id, number.authority_id_type)
    return (number.value, "", "", authority if any(authority) else "", number.type)


def _day(day: date | None) -> str:
    return day.strftime("%Y%m%d") if day else ""


def _digits(born: str) -> str:
    return "".join(reversed(born.split("/")))


def _again(segment: er7.Segment) -> Segment:
    fields: dict[int, Value] = {}
    for n in segment.populated():
        fields[n] = [
            tuple(one.c(part) for part in range(1, one.components + 1)) for one in segment[n].repetitions
        ] or er7.NULL
    return Segment(segment.name, fields)
