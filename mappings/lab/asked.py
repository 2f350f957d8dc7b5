"""By what a message of an instrument finds its persons and orders in the record, and what a question asks for.

Standard: CLSI LIS2-A2 §7 (patient), §8 (order), §11 (request information)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mappings import codes
from mappings.dicom.same_person import Comparison, compare
from mappings.hl7v2.business_keys import folded
from mappings.hl7v2.datatypes import Element
from mappings.hl7v2.draft import date_of
from mappings.hl7v2.names import full_name
from mappings.lab.control import is_control
from mappings.lab.groups import Read
from mappings.outcome import Resource

ALL = "ALL"
_CANCELS = "A"
"""Letter of Q-13: the question before is taken back. Standard: CLSI LIS2-A2 §11.13"""


@dataclass(frozen=True)
class Person:
    """Whom a message names: by specimens, by numbers, by name."""

    position: str
    """Of the P record; `""` before the first."""
    specimens: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    """P-3, P-4, P-5, as the dialect has them."""
    name: str = ""
    birth_date: str = ""
    sex: str = ""
    """As written (M, F, U)."""
    cell: str = ""
    """Where the number stands in a table of results; empty: in a record."""
    introduced: bool = False
    """Number, name and birth are told, and nobody types them at an instrument: somebody unknown is entered by them."""

    def agrees(self, patient: Resource) -> Comparison:
        """Compare with a person of the record."""
        attributes: Element = {
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": self.name}]},
            "00100030": {"vr": "DA", "Value": [self.birth_date.replace("-", "")]},
            "00100040": {"vr": "CS", "Value": [self.sex]},
        }
        return compare({tag: one for tag, one in attributes.items() if any(one["Value"]) and self._says(tag)}, patient)

    def _says(self, tag: str) -> bool:
        return bool({"00100010": self.name, "00100030": self.birth_date, "00100040": self.sex}[tag])


@dataclass(frozen=True)
class Question:
    """What an instrument asks for: the orders of specimens or of persons, or everything that waits."""

    specimens: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    everything: bool = False
    cancels: bool = False
    """The question before is taken back; nothing is to be answered."""


def persons_of(told: Read) -> tuple[Person, ...]:
    """Give whom the results of a message are of; control material is nobody."""
    return tuple(_persons(told))


def _persons(told: Read) -> Iterator[Person]:
    for group in told.groups:
        tested = [one for one in group.tested if not is_control(one, told.rows[0], told.profile)]
        if not tested:
            continue
        specimens = tuple(dict.fromkeys(one.specimen for one in tested if one.specimen))
        row = group.patient
        if row is None:
            yield Person("", specimens)
            continue
        yield Person(
            row.record.position(),
            specimens,
            tuple(number for n in (3, 4, 5) if (number := row[n].c(1))),
            full_name(row[6].c(1), row[6].c(3), row[6].c(2)),
            date_of(row[8].c(1)),
            row[9].c(1).upper() if row[9].c(1).upper() in codes.table("v2-0001") else "",
        )


def question_of(told: Read) -> Question:
    """Read what is asked for."""
    profile = told.profile
    specimens: dict[str, None] = {}
    patients: dict[str, None] = {}
    everything = cancels = False
    for row in told.rows:
        if row.name != "Q":
            continue
        cancels = cancels or row[13].c(1).upper() == _CANCELS
        for part in (*row[3].repetitions, *row[4].repetitions):
            patient, specimen = (
                part[n - 1] if 0 < n <= len(part) else "" for n in (profile.query.patient, profile.query.specimen)
            )
            everything = everything or ALL in (patient.upper(), specimen.upper())
            if specimen and specimen.upper() != ALL:
                specimens[specimen] = None
            elif patient and patient.upper() != ALL:
                patients[patient] = None
    return Question(tuple(specimens), tuple(patients), everything and not specimens and not patients, cancels)


def keys_of(told: Read) -> tuple[tuple[str, str], ...]:
    """Return the numbers by which people look for it: its own, those of persons and specimens."""
    found: dict[tuple[str, str], None] = {}

    def add(kind: str, value: Any) -> None:
        if str(value).strip(" 0"):
            found[kind, folded(str(value))] = None

    add("control", told.rows[0][3].c(1))
    for person in persons_of(told):
        for number in person.numbers:
            add("patient", number)
        for specimen in person.specimens:
            add("order", specimen)
    for specimen in question_of(told).specimens if not told.profile.control.records else ():
        add("order", specimen)
    return tuple(found)
