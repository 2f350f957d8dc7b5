"""Orders of the record as records for an instrument, one that asks or one that is told unasked: H, P and O for each, L.

Written in the instrument's own dialect: fields and components stand where its results have them, tests are its own codes where
the site's table `site-analyser` has them. Standard: CLSI LIS2-A2 §6–§8, §11, §13
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mappings import codes
from mappings.formats import astm
from mappings.formats.astm import Value
from mappings.formats.er7_encoding import Delimiters
from mappings.formats.identifiers import full_name, match_key_unaccented
from mappings.hl7v2.datatypes import slug
from mappings.hl7v2.fields import datetime_to_dtm
from mappings.lab.profiles import Profile
from mappings.lab.translation import ANALYSER_TESTS
from mappings.outcome import Resource
from mappings.systems import Systems

_SEXES = {"male": "M", "female": "F"}
_PRIORITIES = {"stat": "S", "asap": "A", "urgent": "A"}
_DONE, _NOTHING, _TOLD = "F", "I", "N"
"""Letters of L-3: the last request is processed; no information; as usual. Standard: CLSI LIS2-A2 §13.1.3"""
_ANSWER, _ORDER = "Q", "O"
"""Letters of O-26: the answer to a question; an order that nobody asked for. Standard: CLSI LIS2-A2 §8.4.26"""
_ADD = "A"
"""Letter of O-12: tests for a specimen. Standard: CLSI LIS2-A2 §8.4.12"""


@dataclass(frozen=True)
class Waiting:
    """What an instrument is to do with one specimen."""

    specimen: str
    patient: Resource
    orders: tuple[Resource, ...]


@dataclass(frozen=True)
class Reader:
    """Who asked."""

    profile: Profile
    instrument: str
    facility: str
    systems: Systems
    charset: str = "auto"
    """Of the channel; `auto`: names go out without diacritics, in ASCII, which every instrument can show."""
    delimiters: Delimiters = astm.DEFAULT


@dataclass(frozen=True)
class Asked:
    """Tests of one order, and what is to be done with them."""

    specimen: str
    order: Resource
    tests: tuple[str, ...]
    """In the instrument's own codes."""
    action: str = _ADD
    """Letter of O-12: `N` for a specimen that is new, `A` added, `C` cancelled."""


def orders_to_records(waiting: Sequence[Waiting], reader: Reader, at: datetime, sender: str) -> bytes:
    """Write the answer to a question; one without orders says that there is no information."""
    told = [
        (one.patient, [Asked(one.specimen, order, tuple(tests_of(order, reader))) for order in one.orders])
        for one in waiting
    ]
    return _records(told, _ANSWER, _DONE if waiting else _NOTHING, reader, at, sender)


def call_to_records(
    told: Sequence[tuple[Resource, Sequence[Asked]]], reader: Reader, at: datetime, sender: str
) -> bytes:
    """Write what an instrument is told unasked: of each person what is new, added and cancelled."""
    return _records(told, _ORDER, _TOLD, reader, at, sender)


def _records(
    told: Sequence[tuple[Resource, Sequence[Asked]]], kind: str, end: str, reader: Reader, at: datetime, sender: str
) -> bytes:
    head = {5: sender, 10: reader.instrument, 12: "P", 13: "LIS2-A2", 14: f"{at:%Y%m%d%H%M%S}"}
    records: list[tuple[str, Mapping[int, Value]]] = [("H", _placed("H", head, reader))]
    for n, (patient, asked) in enumerate(told, 1):
        records.append(("P", _placed("P", {2: str(n), **_patient(patient, reader)}, reader)))
        orders = (_order(one, kind, reader) for one in asked)
        records += [("O", _placed("O", {2: str(m), **order}, reader)) for m, order in enumerate(orders, 1)]
    records.append(("L", {2: "1", 3: end}))
    charset = "ascii" if reader.charset == "auto" else reader.charset
    return astm.write(records, reader.delimiters, charset)


def _placed(record: str, fields: Mapping[int, Value], reader: Reader) -> dict[int, Value]:
    """Put fields where the dialect has them."""
    found: dict[int, Value] = {}
    for n, value in fields.items():
        place = reader.profile.place(f"{record}-{n}")
        if not place or not value:
            continue
        where = astm.position(place)
        found[where.field] = ("",) * (where.component - 1) + (str(value),) if where.component > 1 else value
    return found


def _patient(patient: Resource, reader: Reader) -> dict[int, Value]:
    name: Resource = next(iter(patient.get("name", ())), {})
    whole = str(name.get("text") or full_name(name.get("family", ""), "", " ".join(name.get("given", ()))))
    family, _, rest = _shown(whole, reader).partition(" ")
    middle, _, given = rest.rpartition(" ")
    local = reader.systems.local(reader.facility, "patient")
    number = next((one["value"] for one in patient.get("identifier", ()) if one.get("system") == local), "")
    return {
        3: str(number),
        6: (family, given, middle) if given else family,
        8: str(patient.get("birthDate", "")).replace("-", ""),
        9: _SEXES.get(patient.get("gender", ""), "U"),
    }


def _order(one: Asked, kind: str, reader: Reader) -> dict[int, Value]:
    order = one.order
    return {
        3: one.specimen,
        5: [_test(code, reader.profile) for code in one.tests],
        6: priority_of(order),
        7: datetime_to_dtm(str(order.get("occurrenceDateTime") or order.get("authoredOn") or ""))[:14],
        12: one.action,
        26: kind,
    }


def priority_of(order: Resource) -> str:
    """Give the letter of O-6."""
    return _PRIORITIES.get(order.get("priority", ""), "R")


def tests_of(order: Resource, reader: Reader) -> list[str]:
    """Give the instrument's codes of what an order asks for; its own where the site's table has none."""
    found = _codes_of(order, {slug(reader.instrument), slug(reader.profile.name), "other"})
    return found or [_first(one) for one in _concepts(order) if _first(one)]


def served(order: Resource, instrument: str) -> list[str]:
    """Give the tests of an order that the site's table gives to this instrument by its name."""
    return _codes_of(order, {slug(instrument)})


def is_known(instrument: str) -> bool:
    """Tell whether the site's table names tests of this instrument."""
    table = codes.site_table(ANALYSER_TESTS)
    return table is not None and any(slug(row.source) == slug(instrument) for row in table.rows)


def _codes_of(order: Resource, sources: set[str]) -> list[str]:
    table = codes.site_table(ANALYSER_TESTS)
    if table is None:
        return []
    asked = {str(coding["code"]) for one in _concepts(order) for coding in one.get("coding", ()) if coding.get("code")}
    return list(dict.fromkeys(row.code for row in table.rows if row.target in asked and slug(row.source) in sources))


def _concepts(order: Resource) -> list[Resource]:
    return [order.get("code", {}), *order.get("orderDetail", ())]


def _first(concept: Resource) -> str:
    coding: Resource = next(iter(concept.get("coding", ())), {})
    return str(coding.get("code") or "")


def _test(code: str, profile: Profile) -> tuple[str, ...]:
    at = profile.test.code[0]
    return (*("",) * (at - 1), code)


def _shown(name: str, reader: Reader) -> str:
    return match_key_unaccented(name).upper() if reader.charset == "auto" else name
