"""Patients, orders, results and comments of an instrument as the segments of one ORU^R01.

Every segment field remembers the fields it was made of, so that the account of HL7 v2 becomes the account of the records. Tests
stay what the instrument calls them, in a list of that instrument (OBX-3.3), beside what the site's table `site-analyser` says
they are. Does not map (`mappings.hl7v2` does) and holds no results of quality control (`control` does).

Standard: CLSI LIS2-A2 §6–§9; HL7 v2.5.1 §7.3.1
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from mappings import codes
from mappings.formats import er7_writer
from mappings.formats.er7_writer import Value
from mappings.formats.identifiers import Kind, classify
from mappings.hl7v2 import targets
from mappings.hl7v2.datatypes import slug
from mappings.hl7v2.draft import date_of
from mappings.hl7v2.quantities import nm_to_decimal
from mappings.ids import resource_id
from mappings.lab import faults, reasons
from mappings.lab.context import Context, Known
from mappings.lab.fields import Account, Part, Row
from mappings.lab.groups import Group, Tested
from mappings.lab.matching import Matched, match
from mappings.lab.profiles import Profile
from mappings.outcome import Notice, Outcome, Resource
from mappings.systems import Systems

ANALYSER_TESTS = "site-analyser"
"""The site's table from an instrument's tests to its own, the shared catalogue and LOINC; `source` names the instrument."""
UNORDERED = "Xét nghiệm trên máy"
"""Words for what was ordered where only the instrument tells: its results of one specimen are one report, however they come."""
_LIMITED = re.compile(r"^(<=|>=|<|>|≤|≥)\s*(\d+(?:\.\d+)?)$")
_SIGNS = {"≤": "<=", "≥": ">="}
_REPORTED = frozenset("XIOYZ")
"""Letters of O-26 that are said of an order without results. Standard: HL7 table 0123"""


@dataclass
class Made:
    """One segment on its way, and of which fields it was made."""

    name: str
    fields: dict[int, Value] = field(default_factory=dict)
    origins: dict[int, list[str]] = field(default_factory=dict)

    def put(self, n: int, value: Value, *origins: str) -> None:
        """Write field `n`, unless it is there already; then it only gains the origins."""
        said = any(value) if isinstance(value, tuple) else bool(value)
        if said:
            self.fields.setdefault(n, value)
            known = self.origins.get(n)
            if known is None:
                self.origins[n] = [*dict.fromkeys(origins)]
            else:
                known.extend(one for one in origins if one not in known)

    def take(self, n: int, row: Row, of: int) -> None:
        """Write field `n` as the first component of field `of` of a record, as `put` does."""
        said = row[of].c(1)
        if said:
            self.put(n, said, row.where(of))


@dataclass
class Translation:
    """The segments made so far."""

    account: Account
    context: Context
    profile: Profile
    instrument: str
    segments: list[Made] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    matched: dict[str, Resource] = field(default_factory=dict)
    """Position of an OBR → the ServiceRequest of the record that it is of."""
    opened: Counter[str] = field(default_factory=Counter)
    """How many segments of a name were begun."""

    @cached_property
    def head(self) -> Row:
        """Give H."""
        return Row(self.account.message.records[0], self.profile)

    @cached_property
    def day(self) -> date | None:
        """Give the day of the message, by which codes are read."""
        sent = date_of(self.head[14].c(1))
        return date.fromisoformat(sent) if len(sent) == 10 else None

    def open(self, name: str) -> Made:
        """Begin a segment."""
        self.opened[name] += 1
        self.segments.append(Made(name))
        return self.segments[-1]

    def write(self) -> bytes:
        """Give the message."""
        return er7_writer.write(er7_writer.Segment(one.name, one.fields) for one in self.segments)

    def origins(self) -> dict[str, tuple[str, ...]]:
        """Give segment field (`OBX[2]-5`) → the fields of the records that it was made of."""
        seen: dict[str, int] = {}
        found: dict[str, tuple[str, ...]] = {}
        for one in self.segments:
            seen[one.name] = seen.get(one.name, 0) + 1
            place = one.name if seen[one.name] == 1 else f"{one.name}[{seen[one.name]}]"
            found |= {f"{place}-{n}": tuple(of) for n, of in one.origins.items()}
        return found


def header(row: Row, made: Translation) -> None:
    """Translate H."""
    msh = made.open("MSH")
    msh.put(3, (made.instrument,), row.where(5))
    msh.put(5, row[10].c(1), row.where(10))
    msh.put(7, row[14].c(1), row.where(14))
    msh.put(9, ("ORU", "R01", "ORU_R01"))
    msh.put(10, row[3].c(1), row.where(3))
    msh.put(11, row[12].c(1), row.where(12))
    msh.put(12, "2.5.1")


def group(told: Group, made: Translation) -> None:
    """Translate one person with all orders."""
    known = made.context.known.get(told.position)
    _person(told, known, made)

    def names(parts: Sequence[str]) -> frozenset[str]:
        return frozenset(code.casefold() for code in test_of(parts, made)[::3] if code)

    for tested, matched in match(told, known, names):
        _order(told, known, tested, matched, made)


# ---- the person ----


def _person(told: Group, known: Known | None, made: Translation) -> None:
    """Translate P; of a person whom the record knows only the number under which it does."""
    if known is not None:
        pid = made.open("PID")
        pid.put(3, [number_of(known.patient, made)])
        if told.patient is not None:
            for n in (3, 4, 5, 6, 7, 8, 9, 11, 13):
                made.account.put([told.patient.where(n)], "ignored", reasons.KNOWN_PERSON)
        return
    row = told.patient
    if row is None:
        return
    pid = Made("PID")
    numbers, origins = _numbers(row)
    pid.put(3, numbers, *origins)
    for n, to in ((6, 5), (7, 6), (11, 11)):
        parts = row[n].parts
        parts = (parts[0], "", *parts[1:]) if n == 11 and parts else parts
        pid.put(to, parts[:6], row.where(n))
    for n, to in ((8, 7), (9, 8), (13, 13)):
        pid.take(to, row, n)
    if pid.fields:
        made.segments.append(pid)


def _numbers(row: Row) -> tuple[Value, list[str]]:
    """Give CX of the numbers and where they stand: the first is the hospital's, others the laboratory's or national ones."""
    found: list[tuple[str, ...]] = []
    origins: list[str] = []
    for n, authority in ((3, ""), (4, "LAB"), (5, "")):
        number = row[n].c(1)
        if not number:
            continue
        origins.append(row.where(n))
        national = classify(number) in (Kind.CCCD, Kind.CMND, Kind.PASSPORT)
        if national and n == 5:
            found.append((number, "", "", "", "NI"))
        else:
            found.append((number, "", "", authority if found else "", "PI"))
    return [*found], origins


def number_of(patient: Resource, made: Translation) -> tuple[str, ...]:
    """Give CX of the number that makes the id of a Patient of the record; the id itself when none does."""
    return (hospital_number(patient, made.context.systems, made.context.facility), "", "", "", "PI")


def hospital_number(patient: Resource, systems: Systems, facility: str) -> str:
    """Give the number of this hospital that makes the id of a Patient of the record; the id itself when none does."""
    local = systems.local(facility, "patient")
    for one in patient.get("identifier", ()):
        value = str(one.get("value", ""))
        if one.get("system") == local and resource_id("Patient", local, value) == patient["id"]:
            return value
    return str(patient["id"])


def patient_id(number: tuple[str, ...], made: Translation) -> str:
    """Give the id that HL7 v2 makes of a number of this hospital."""
    return resource_id("Patient", made.context.systems.local(made.context.facility, "patient"), number[0])


# ---- the order ----


def _order(told: Group, known: Known | None, tested: Sequence[Tested], matched: Matched, made: Translation) -> None:
    first = tested[0].order
    obr = made.open("OBR")
    if matched.order is not None:
        count = made.opened["OBR"]
        made.matched["OBR" if count == 1 else f"OBR[{count}]"] = matched.order
    elif known is not None and tested[0].specimen:
        made.notices.append(Notice(faults.ORDER_UNKNOWN, first.where(3)))
    _numbers_and_service(obr, tested, matched, made)
    for one in tested:
        row = one.order
        obr.put(5, row[6].c(1), row.where(6))
        for n, to in ((7, 6), (8, 7), (9, 8), (18, 17), (23, 22)):
            obr.take(to, row, n)
        for n, to in ((11, 10), (17, 16)):
            obr.put(to, [_person_of(row[n].parts)] if row[n] else "", row.where(n))
        obr.put(13, [("", text) for text in [", ".join(filter(None, row[14].parts))] if text], row.where(14))
        obr.put(12, ("", row[13].c(1)), row.where(13))
        if row[25] and row[25].c(1).upper() in codes.table("v2-0074"):
            obr.put(24, row[25].c(1).upper(), row.where(25))
    obr.put(24, "LAB")
    if told.patient is not None and matched.order is None:
        obr.put(31, [("", text) for text in [told.patient[19].c(1)] if text], told.patient.where(19))
    _status(obr, tested, made)
    _approvers(obr, tested, made)
    for row in (
        *(told.comments if first is told.tested[0].order else ()),
        *(c for one in tested for c in one.comments),
    ):
        take_comment(row, made)
    for one in tested:
        for result, comments in one.results:
            if take_result(result, one, made):
                for row in comments:
                    take_comment(row, made)
    _specimen(tested, made)


def _numbers_and_service(obr: Made, tested: Sequence[Tested], matched: Matched, made: Translation) -> None:
    """Write the numbers and the service: of the record's order, else the specimen's number and what the instrument names."""
    order, first = matched.order, tested[0].order
    asked = [test for one in tested for test in one.order[5].repetitions]
    where = [one.order.where(5) for one in tested]
    if order is not None:
        placer, filler = matched.numbers(made.context)
        obr.put(2, placer)
        obr.put(3, filler)
        obr.put(4, matched.service())
        made.account.put(where, "mapped", "DiagnosticReport.code")
        return
    if tested[0].specimen:
        obr.put(3, tested[0].specimen, first.where(3))
    service = made.profile.service
    tests = [test for one in asked if (test := test_of(one, made))]
    if service.code:
        obr.put(4, (service.code, service.name, "L"))
    else:
        obr.put(4, ("", f"{UNORDERED} {made.instrument}".strip()))
    obr.put(44, [*tests], *where)


def _status(obr: Made, tested: Sequence[Tested], made: Translation) -> None:
    """Write OBR-25: corrected or final when all results are, else what an order without results says; else it follows."""
    letters = {status_of(result, one.order, made) for one in tested for result, _ in one.results}
    said = [one.order for one in tested if one.order[26]]
    report = said[0][26].c(1).upper() if said else ""
    where = [row.where(26) for row in said]
    if not letters and report:
        obr.put(25, report if report in _REPORTED else "", *where)
    elif letters and letters <= {"F", "C"}:
        obr.put(25, "C" if "C" in letters or report == "C" else "F")
    elif letters == {"X"}:
        obr.put(25, "X")
    elif letters and letters <= {"P", "I", "X"}:
        obr.put(25, "P")
    made.account.put(where, "mapped", "DiagnosticReport.status")


def _approvers(obr: Made, tested: Sequence[Tested], made: Translation) -> None:
    """Write who answers for the results (OBR-32): whom R-11 names second, else whom the site names."""
    found: dict[str, list[str]] = {}
    for one in tested:
        for result, _ in one.results:
            verifier = result[11].c(2)
            if verifier:
                found.setdefault(verifier, []).append(result.where(11))
    for verifier, where in list(found.items())[:1]:
        obr.put(32, (_named(verifier),), *where)
    if not found and made.context.approver:
        obr.put(32, (_named(made.context.approver),))


def _named(person: str) -> tuple[str, ...]:
    """Give CNN of what an instrument has for a person: a number has no space, a name may have."""
    return ("", person) if " " in person else (person,)


def _person_of(parts: Sequence[str]) -> tuple[str, ...]:
    """Give XCN: number, family, given, middle, suffix, title."""
    if len(parts) == 1:
        return _named(parts[0])
    return tuple(parts[:6])


def _specimen(tested: Sequence[Tested], made: Translation) -> None:
    """Write SPM, when anything is said of the specimen."""
    spm = Made("SPM")
    for one in tested:
        row = one.order
        spm.put(2, one.specimen, row.where(3))
        spm.put(30, row[4].c(1), row.where(4))
        spm.put(4, ("", row[16].c(1)) if row[16].c(1) not in codes.table("v2-0487") else row[16].c(1), row.where(16))
        spm.put(8, ("", row[16].c(2)), row.where(16))
        volume, unit = row[10].c(1), row[10].c(2)
        if nm_to_decimal(volume) is not None:
            spm.put(12, (volume, (unit or "mL",)), row.where(10))
        spm.put(17, (row[8].c(1), row[9].c(1)), *[row.where(n) for n in (8, 9) if row[n]])
        spm.take(18, row, 15)
    if spm.fields.keys() - {17}:
        spm.put(1, "1")
        spm.put(4, ("", "không rõ"))
        made.segments.append(spm)


# ---- results ----


def status_of(result: Row, order: Row, made: Translation) -> str:
    """Give the letter of HL7 table 0085 for R-9; for none that of the order (O-26), else preliminary."""
    said = result[9].c(1).upper()
    letters = made.profile.status
    if said in letters:
        return letters[said]
    if said:
        return "P"
    report = order[26].c(1).upper()
    return report if report in ("F", "C", "P", "X") else "P"


def code_of_test(parts: Sequence[str], profile: Profile) -> str:
    """Give the instrument's code of a test; where the dialect has none, the first component that says something."""
    code = " ".join(part for n in profile.test.code if (part := _at(parts, n)))
    return code or next((part for part in parts if part), "")


def _at(parts: Sequence[str], n: int) -> str:
    return parts[n - 1] if 0 < n <= len(parts) else ""


def test_of(parts: Sequence[str], made: Translation) -> tuple[str, ...]:
    """Give CWE of a test: what the site's table says it is, and what the instrument calls it."""
    form = made.profile.test
    code = code_of_test(parts, made.profile)
    if not code:
        return ()
    name = _at(parts, form.name)
    own = (code, "" if name.isdigit() else name, made.instrument or "L")
    found = [*_rows(code, made), own]
    loinc = _at(parts, form.loinc)
    if loinc and all(one[0] != loinc for one in found):
        found.append((loinc, "", "LN"))
    one, *more = found[:3]
    second, third = [*more, ("", "", ""), ("", "", "")][:2]
    return (*one, *second, "", "", "", *third)


def _rows(code: str, made: Translation) -> list[tuple[str, str, str]]:
    """Give what the site's table says of a test: the hospital's own code alone, else the shared ones."""
    table = codes.site_table(ANALYSER_TESTS)
    if table is None:
        return []
    wanted = {slug(made.instrument), slug(made.profile.name), "other"}
    day = made.day
    rows = [
        row
        for row in table.rows
        if row.code == code and row.target and slug(row.source) in wanted and (day is None or row.covers(day))
    ]
    own = [row for row in rows if not row.target_system]
    return [(row.target, row.display, _name_of(row.target_system)) for row in own[:1] or rows]


def _name_of(system: str) -> str:
    if not system:
        return "L"
    known = next((row.code for row in codes.table("v2-0396") if row.target == system), "")
    return known or system


def take_result(row: Row, tested: Tested, made: Translation) -> bool:
    """Write OBX; tell whether there is one."""
    test = test_of(row[3].parts, made)
    reason = row.is_left_out(code_of_test(row[3].parts, made.profile))
    if reason or not test:
        for n in row.record.populated():
            made.account.put([row.record.where(n)], "ignored" if reason else "unknown", reason or reasons.NO_TEST)
        return False
    obx = made.open("OBX")
    obx.put(1, str(made.opened["OBX"]))
    obx.put(3, test, row.where(3))
    status = status_of(row, tested.order, made)
    if row[9] and row[9].c(1).upper() not in made.profile.status:
        made.notices.append(Notice(faults.STATUS_UNKNOWN, row.where(9)))
    put_value(obx, row, 4, status, made)
    if row.where(4) in made.account.ignored:
        made.account.put([row.where(5)], "ignored", reasons.NO_VALUE)
    elif unit := row[5].c(1):
        obx.put(6, ("", unit), row.where(5))
    for n, to in ((7, 8), (8, 10)):
        if flags := [one[:1] for one in row[n].repetitions if one and one[0]]:
            obx.put(to, [*flags], row.where(n))
    if row[6].repetitions:
        obx.put(7, range_of(row[6]), row.where(6))
    obx.put(11, obx.fields.pop(11, status), row.where(9))
    _times(obx, row, tested.order, made)
    if row[11].repetitions:
        people = [_named(person) for person in dict.fromkeys((row[11].c(1), row[11].c(2))) if person]
        obx.put(16, [*people], row.where(11))
    put_device(obx, row, made)
    return True


def put_value(obx: Made, row: Row, n: int, status: str, made: Translation) -> None:
    """Write type and value; a mark that there is none makes a final result one that could not be had."""
    form = made.profile.value
    said = next((text for part in form.components if (text := row[n].c(part))), "")
    more = row[n].repetitions[1:]
    if form.decimal == "," and re.fullmatch(r"(?:[<>]=?\s*)?-?\d+,\d+", said):
        said = said.replace(",", ".")
    if not said:
        return
    if said in form.none:
        made.account.put([row.where(n)], "ignored", reasons.NO_VALUE)
        obx.fields[11] = status if status in ("X", "I", "P") else "X"
        return
    limited = _LIMITED.match(said)
    if more:
        obx.put(2, "ST")
        obx.put(5, [said, *(" ".join(filter(None, one)) for one in more)], row.where(n))
    elif nm_to_decimal(said) is not None:
        obx.put(2, "NM")
        obx.put(5, said, row.where(n))
    elif limited:
        obx.put(2, "SN")
        obx.put(5, (_SIGNS.get(limited[1], limited[1]), limited[2]), row.where(n))
    else:
        obx.put(2, "ST")
        obx.put(5, said, row.where(n))


def range_of(told: Part) -> str:
    """Give the reference range as text: `3.5-5.0`, also when its limits are two components."""
    first = next((one for one in told.repetitions if any(one)), ())
    limits = [one for one in first if one]
    if len(limits) > 1 and all(nm_to_decimal(one) is not None for one in limits[:2]):
        return f"{limits[0]}-{limits[1]}"
    others = [one[0] for one in told.repetitions if one and one[0] and one is not first]
    return "; ".join([*(limits[:1]), *others])


def _times(obx: Made, row: Row, order: Row, made: Translation) -> None:
    """Write when the result was had, and for when it holds: the specimen's time, else that of the result."""
    done = 13 if row[13] else 12
    obx.take(19, row, done)
    if not order[8] and not order[9]:
        obx.take(14, row, done)
    if done == 13 and row[12]:
        made.account.put([row.where(12)], "ignored", reasons.BEGUN)


def put_device(obx: Made, row: Row, made: Translation) -> None:
    """Write which instrument: R-14, else what H-5 says."""
    head = made.head
    form = made.profile.instrument
    number = row[14].c(1) if row.name == "R" else ""
    serial = head[5].c(form.serial) if form.serial else ""
    origin = row.where(14) if number else head.where(5)
    if number or serial or made.instrument:
        obx.put(18, [(number or serial or made.instrument, made.instrument)], origin)


def take_comment(row: Row, made: Translation) -> None:
    text = ", ".join(part for part in row[4].parts if part)
    if not text:
        return
    nte = made.open("NTE")
    nte.put(3, [text], row.where(4))


def instrument_of(head: Row, profile: Profile) -> str:
    """Give what an instrument calls itself."""
    return " ".join(part for n in profile.instrument.name if (part := head[5].c(n)))


# ---- back from the segments ----

_RECORDS = {"MSH": "H", "PID": "P", "OBX": "R", "NTE": "C"}


class Back:
    """What HL7 v2 says of segments, said of the records that they were made of."""

    def __init__(self, origins: Mapping[str, Sequence[str]], outcome: Outcome | None = None) -> None:
        self._origins = origins
        self._by_kind: dict[str, list[Resource]] = {}
        for one in (*outcome.resources, *outcome.about) if outcome else ():
            self._by_kind.setdefault(one["resourceType"], []).append(one)
        self._records: dict[str, dict[str, None]] = {}
        self._targets: dict[str, str] = {}
        for where, of in origins.items():
            found = self._records.setdefault(where.partition("-")[0], {})
            for field_ in of:
                found[field_.partition("-")[0]] = None

    def record(self, segment: str) -> str:
        """Give the record that a segment was made of, of several kinds the one that it is named for; `""` when of none."""
        name = _RECORDS.get(segment[:3], "O")
        return next((one for one in self._records.get(segment, ()) if one.startswith(name)), "")

    def place(self, where: str) -> str:
        """Give where in the records that stands which a segment has at a position."""
        segment = where.partition("-")[0]
        return next(iter(self._origins.get(where, ())), "") or self.record(segment) or _RECORDS.get(segment[:3], "O")

    def target(self, said: str) -> str:
        """Leave of a target's alternatives those that the message has."""
        known = self._targets.get(said)
        if known is None:
            alternatives = targets.alternatives(said)
            found = [
                f"{kind}.{path}"
                for kind, path in (alternatives if len(alternatives) > 1 else ())
                if any(targets.present(one, path) for one in self._by_kind.get(kind, ()))
            ]
            known = self._targets[said] = " | ".join(found) or said
        return known


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Give a resource, or a part of one, with other references."""
    if isinstance(value, dict):
        return {name: renamed(below, names) for name, below in value.items()}
    if isinstance(value, list):
        return [renamed(below, names) for below in value]
    return names.get(value, value) if isinstance(value, str) else value
