"""Read what a query asks: QPD and RCP of the conformance-based queries, QRD and QRF of the original ones.

Understands the questions about immunisations (QBP^Q11 with profile Z34 or Z44, VXQ^V01) and about persons (QBP^Q21 to Q24,
QRY^A19); any other query has kind `other`. Does not search, does not decide who may ask; answers are written by `answer.py`.

Standard: HL7 v2.5.1 §5.4, §5.5.4, §5.10.5, §3.3.56–§3.3.59, §4.17
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from mappings import codes
from mappings.formats import er7
from mappings.hl7v2.datatypes import Components, code_of, words
from mappings.hl7v2.draft import date_of
from mappings.hl7v2.quantities import nm_to_count

Kind = Literal["immunizations", "demographics", "candidates", "identifiers", "allocation", "other"]
"""`immunizations`: the history of one person. `demographics`: one person by number. `candidates`: everybody who fits.
`identifiers`: the other numbers of one person. `allocation`: new numbers."""

_KINDS: dict[str, Kind] = {
    "QBP^Q11": "immunizations",
    "VXQ^V01": "immunizations",
    "QBP^Q21": "demographics",
    "QRY^A19": "demographics",
    "QBP^Q22": "candidates",
    "QBP^Q23": "identifiers",
    "QBP^Q24": "allocation",
}
_IMMUNISATION_QUERIES = frozenset({"Z34", "Z44", "V01"})
"""Names in QPD-1 under which a QBP^Q11 asks for immunisations."""


class Number(NamedTuple):
    """A number of a person as CX has it; only the domain is set where the question is in which domains to look."""

    value: str = ""
    authority: str = ""
    authority_id: str = ""
    authority_id_type: str = ""
    type: str = ""

    def c(self, n: int, s: int = 1) -> str:
        """Give component `n`, subcomponent `s` of the CX."""
        return {
            (1, 1): self.value,
            (4, 1): self.authority,
            (4, 2): self.authority_id,
            (4, 3): self.authority_id_type,
            (5, 1): self.type,
        }.get((n, s), "")

    def __bool__(self) -> bool:
        return any(self)


class Name(NamedTuple):
    """A name to look for; parts that were not said are `""`."""

    family: str = ""
    given: str = ""
    middle: str = ""

    def __bool__(self) -> bool:
        return any(self)


_NOBODY = Name()


@dataclass(frozen=True)
class Query:
    """What is asked."""

    kind: Kind
    trigger: str
    """`QBP^Q11`."""
    name: tuple[str, str, str] = ("", "", "")
    """QPD-1: code, text, coding system. For the original queries QRD-9."""
    tag: str = ""
    """QPD-2 or QRD-4: what the answer must repeat."""
    numbers: tuple[Number, ...] = ()
    person: Name = _NOBODY
    mother: Name = _NOBODY
    """Maiden name of the mother."""
    birth_date: str = ""
    """FHIR date, as precise as it was asked."""
    sex: str = ""
    """FHIR administrative-gender."""
    address: tuple[str, str, str, str] = ("", "", "", "")
    """Street, city, state, postal code."""
    phone: str = ""
    multiple_birth: str = ""
    """QPD-10, `Y` or `N`."""
    birth_order: int = 0
    domains: tuple[Number, ...] = ()
    """In which domains numbers are wanted, or are to be allocated; empty: in all. Of an allocation as many as there are
    repetitions, so that one can be named by its place."""
    limit: int = 0
    """How many records at most (RCP-2, QRD-7); 0: as many as there are."""
    offset: int = 0
    """How many were answered before (DSC-1 of our last answer)."""
    others: tuple[str, ...] = ()
    """Criteria that are not understood, by their names (`@PID.18.1`) or positions (`QPD-12`), never their values: an answer
    that leaves them aside is wider than the question."""
    echo: tuple[er7.Segment, ...] = field(default=(), compare=False, repr=False)
    """The segments of the question that the answer repeats."""


def read_query(message: er7.Message) -> Query:
    """Read the question of a message; whatever is not there is left empty."""
    kind = code_of(message.value("MSH-9.1") or "").upper()
    event = code_of(message.value("MSH-9.2") or "").upper() or ("V01" if kind == "VXQ" else "")
    trigger = f"{kind}^{event}"
    asked = _KINDS.get(trigger, "other")
    qpd = message.first("QPD")
    if qpd is not None:
        return _read_qpd(message, qpd, trigger, asked)
    qrd = message.first("QRD")
    if qrd is not None:
        return _read_qrd(message, qrd, trigger, asked)
    return Query("other", trigger)


# ---- conformance-based queries ----


def _read_qpd(message: er7.Message, qpd: er7.Segment, trigger: str, asked: Kind) -> Query:
    name = (code_of(qpd[1].c(1)), words(qpd[1].c(2)), words(qpd[1].c(3)))
    if trigger == "QBP^Q11" and name[0].upper() not in _IMMUNISATION_QUERIES:
        asked = "other"
    rcp, dsc = message.first("RCP"), message.first("DSC")
    about: _Person
    if asked == "immunizations":
        about = _by_fields(qpd)
    elif asked == "candidates":
        about = _by_parameters(qpd)
    elif asked == "allocation":
        about = _Person()
        about.domains = [_number(cx) for cx in qpd[3].repetitions]
    else:
        about = _Person()
        about.numbers = _numbers(qpd[3])
        about.domains = _numbers(qpd[4])
    return Query(
        asked,
        trigger,
        name,
        words(qpd[2].text),
        tuple(about.numbers),
        Name(about.parts["family"], about.parts["given"], about.parts["middle"]),
        Name(about.parts["mother"], about.parts["mother_given"]),
        about.birth_date,
        about.sex,
        (about.parts["street"], about.parts["city"], about.parts["state"], about.parts["postal"]),
        about.parts["phone"],
        about.multiple_birth,
        about.birth_order,
        tuple(about.domains),
        nm_to_count(rcp[2].c(1)) if rcp is not None else 0,
        nm_to_count(dsc[1].text) if dsc is not None else 0,
        tuple(about.others),
        (qpd,),
    )


class _Person:
    """Criteria while they are collected."""

    def __init__(self) -> None:
        self.numbers: list[Number] = []
        self.domains: list[Number] = []
        self.parts: dict[str, str] = dict.fromkeys(
            (
                "family",
                "given",
                "middle",
                "mother",
                "mother_given",
                "street",
                "city",
                "state",
                "postal",
                "phone",
            ),
            "",
        )
        self.birth_date = ""
        self.sex = ""
        self.multiple_birth = ""
        self.birth_order = 0
        self.others: list[str] = []

    def dated(self, text: str, where: str) -> None:
        self.birth_date = date_of(text) if text else ""
        if text and not self.birth_date:
            self.others.append(where)

    def sexed(self, text: str, where: str) -> None:
        code = code_of(text).upper()
        self.sex = codes.table("v2-0001").target(code)
        if code and not self.sex:
            self.others.append(where)


def _numbers(of: er7.Field) -> list[Number]:
    return [number for cx in of.repetitions if (number := _number(cx))]


def _number(cx: Components) -> Number:
    return Number(words(cx.c(1)), words(cx.c(4)), words(cx.c(4, 2)), words(cx.c(4, 3)), code_of(cx.c(5)))


def _by_fields(qpd: er7.Segment) -> _Person:
    """Read the parameters of Z34 and Z44. Standard: CDC implementation guide for immunisation messaging 1.5, §7"""
    found = _Person()
    parts = found.parts
    found.numbers = [number for number in _numbers(qpd[3]) if number.value]
    parts["family"], parts["given"], parts["middle"] = (words(qpd[4].c(n)) for n in (1, 2, 3))
    parts["mother"], parts["mother_given"] = words(qpd[5].c(1)), words(qpd[5].c(2))
    found.dated(qpd[6].text, "QPD-6")
    found.sexed(qpd[7].text, "QPD-7")
    parts["street"], parts["city"] = words(qpd[8].c(1)), words(qpd[8].c(3))
    parts["state"], parts["postal"] = words(qpd[8].c(4)), words(qpd[8].c(5))
    parts["phone"] = _phone(qpd[9])
    found.multiple_birth = code_of(qpd[10].text).upper()
    found.birth_order = nm_to_count(qpd[11].text)
    found.others += [f"QPD-{n}" for n in qpd.populated() if n > 13]
    return found


def _phone(xtn: Components) -> str:
    return words(xtn.c(1)) or words(xtn.c(12)) or "".join(words(xtn.c(n)) for n in (6, 7))


_PARAMETERS = {
    "PID.5.1": "family",
    "PID.5.1.1": "family",
    "PID.5.2": "given",
    "PID.5.3": "middle",
    "PID.6.1": "mother",
    "PID.6.1.1": "mother",
    "PID.6.2": "mother_given",
    "PID.11.1": "street",
    "PID.11.1.1": "street",
    "PID.11.3": "city",
    "PID.11.4": "state",
    "PID.11.5": "postal",
    "PID.13": "phone",
    "PID.13.1": "phone",
    "PID.13.7": "phone",
    "PID.13.12": "phone",
}
_OF_NUMBER = {
    "PID.3": "value",
    "PID.3.1": "value",
    "PID.3.4": "authority",
    "PID.3.4.1": "authority",
    "PID.3.4.2": "authority_id",
    "PID.3.4.3": "authority_id_type",
    "PID.3.5": "type",
}


def _by_parameters(qpd: er7.Segment) -> _Person:
    """Read QPD-3 as QIP: `@PID.5.1^Nguyễn`. Standard: HL7 v2.5.1 §3.3.57"""
    found = _Person()
    number: dict[str, str] = {}
    for parameter, value in _parameters(qpd):
        path = parameter.lstrip("@").upper()
        if path in _OF_NUMBER:
            number[_OF_NUMBER[path]] = value
        elif path in _PARAMETERS:
            found.parts[_PARAMETERS[path]] = value
        elif path in ("PID.7", "PID.7.1"):
            found.dated(value, parameter)
        elif path in ("PID.8", "PID.8.1"):
            found.sexed(value, parameter)
        elif path:
            found.others.append(parameter if len(parameter) < 20 else "QPD-3")
    if number.get("value"):
        found.numbers = [Number(**number)]
    elif number:
        found.domains = [Number(**number)]
    found.domains += _numbers(qpd[8])
    return found


def _parameters(qpd: er7.Segment) -> Iterator[tuple[str, str]]:
    for qip in qpd[3].repetitions:
        parameter, value = words(qip.c(1)), words(qip.c(2))
        if value and value != "*":
            yield parameter, value.removesuffix("*")


# ---- original queries ----


def _read_qrd(message: er7.Message, qrd: er7.Segment, trigger: str, asked: Kind) -> Query:
    """Read QRD and QRF; of VXQ^V01, QRF-5 has number, birth date and mother in fixed places. Standard: HL7 v2.5.1 §4.17.3"""
    qrf, dsc = message.first("QRF"), message.first("DSC")
    who = qrd[8]
    numbers = [Number(words(who.c(1)), words(who.c(9)), words(who.c(9, 2)), words(who.c(9, 3)), code_of(who.c(13)))]
    person = Name(words(who.c(2)), words(who.c(3)), words(who.c(4)))
    mother = Name()
    birth_date = ""
    others: list[str] = []
    if qrf is not None and asked == "immunizations":
        filters = qrf[5].repetitions
        said = [words(one.c(1)) for one in filters] + [""] * 10
        if said[0]:
            numbers.append(Number(said[0], type="SS"))
        birth_date = date_of(said[1]) if said[1] else ""
        if said[1] and not birth_date:
            others.append("QRF-5")
        mother = Name(said[6] or said[5], words(filters[5].c(2)) if len(filters) > 5 else "")
    elif qrf is not None:
        others += [f"QRF-{n}" for n in qrf.populated() if n > 1]
    return Query(
        asked,
        trigger,
        (code_of(qrd[9].c(1)), words(qrd[9].c(2)), words(qrd[9].c(3))),
        words(qrd[4].text),
        tuple(number for number in numbers if number.value),
        person,
        mother,
        birth_date,
        limit=nm_to_count(qrd[7].c(1)),
        offset=nm_to_count(dsc[1].text) if dsc is not None else 0,
        others=tuple(others),
        echo=(qrd, *((qrf,) if qrf is not None else ())),
    )
