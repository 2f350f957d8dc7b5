"""Map a report of rows: it is written as the HL7 v2 message that a LIS would send of it, and mapped as that.

    rows ─ layout ─▶ ORU^R01 in memory ─ mappings.hl7v2 ─▶ resources; every field's account goes back to its cell

So a result means the same whichever way it came, gets the same ids, meets the same tables of the site, and becomes a version
of the report that another system told of before. What a cell cannot mean is a fault; nothing is guessed.

Standard: HL7 v2.5.1 §7.3.1
Requirement: S1.5, S3.15
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

from mappings import hl7v2
from mappings.formats import er7, er7_writer
from mappings.formats.dates import dtm_to_fhir_date
from mappings.formats.er7_writer import Repetition, Segment, Value
from mappings.hl7v2 import Context
from mappings.lab.asked import Person
from mappings.lab.context import Known
from mappings.lab.faults import CellInvalid, CellMissing, RowsContradict
from mappings.lab.layout import FIELDS, REPORT, TIMES, WORDS, Layout, heading_key
from mappings.lab.reasons import KNOWN_PERSON
from mappings.lab.rows import Row, join_rows, read_rows
from mappings.lab.translation import hospital_number, renamed
from mappings.outcome import Coverage, Notice, Outcome, Resource

TRIGGER = "ORU^R01"
"""What a report asks of papers: as much as the message it is written as."""
IGNORED = "named under `ignore` in the layout"
UNKNOWN = "the layout does not say what the column means"
ELSEWHERE = "another row of the report says differently"
TWICE = "the same row again"
CORRECTED = "corrected by a later row"
REASONS = frozenset({IGNORED, UNKNOWN, ELSEWHERE, TWICE, CORRECTED})
_COLUMN = re.compile("#[0-9]{1,4}")
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
_COMPARED = re.compile(r"(<=|>=|<|>|≤|≥)\s*(.+)")
_SIGNS = {"≤": "<=", "≥": ">="}
_GROUPED = re.compile(r"[-+]?[0-9]{1,3}([ .,'][0-9]{3})*([.,][0-9]+)?|[-+]?[0-9]+[.,][0-9]+")
_DECIMAL_COMMA = re.compile(r"(?<=[0-9]),(?=[0-9])")
_IDENTITY = ("name", "birth", "sex")
_IDENTIFIERS = (("patient", "PI"), ("citizen_id", "NI"), ("card", "HC"))
_OF_PERSON = frozenset({*_IDENTITY, *(name for name, _ in _IDENTIFIERS)})
_ASSIGNERS = {"NI": "CA", "HC": "BHXH"}


@dataclass(frozen=True)
class Told:
    """One result as its row tells it, in HL7 v2's words."""

    row: Row
    said: Mapping[str, str]
    """Field → value."""
    places: Mapping[str, str]
    """Field → where its cell stands; those that have one."""


@dataclass
class Trace:
    """From which cells the fields of the message are."""

    of: dict[str, list[str]] = field(default_factory=dict)
    """Position in the message → cells."""
    unknown: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)


def report_to_outcome(raw: bytes, layout: Layout, context: Context, known: Mapping[str, Known]) -> Outcome:
    """Map the body of a report; `known` has under `""` whom of the record it is about, when that is somebody known.

    Raises RowsInvalid, CellMissing, CellInvalid, RowsContradict, and what the mapping of ORU^R01 raises.
    """
    rows, came = read_rows(raw)
    whose = known[""].patient if known else None
    message, trace = rows_to_oru(rows, layout, context, came, whose)
    outcome = hl7v2.map_message(er7.Message.parse(message, "utf-8"), context)
    return replace(
        outcome if whose is None else _of_known(outcome, whose),
        coverage=_account(rows, outcome.coverage, trace),
        notices=[Notice(one.code, _cell_of(one.where, trace), one.detail) for one in outcome.notices],
        unmapped=[replace(one, where=_cell_of(one.where, trace)) for one in outcome.unmapped],
        origins={},
    )


def _of_known(outcome: Outcome, whose: Resource) -> Outcome:
    """Say of somebody of the record what was said under the number; of the person nothing."""
    made = f"Patient/{outcome.patient_id}"
    names = {made: f"Patient/{whose['id']}"}
    kept = [renamed(one, names) for one in outcome.resources if f"{one['resourceType']}/{one['id']}" != made]
    return replace(outcome, resources=kept, patient_id=str(whose["id"]))


def numbers_of(raw: bytes, layout: Layout) -> dict[str, tuple[str, ...]]:
    """Give the numbers that the rows name, by field, each once; raise RowsInvalid."""
    rows, _ = read_rows(raw)
    found: dict[str, dict[str, None]] = {name: {text: None} for name, text in layout.always.items() if name in REPORT}
    for label, name in _fields(rows, layout).items():
        if name in REPORT:
            found[name] = {text: None for row in rows if (text := row.cells.get(label))}
    return {name: tuple(values) for name, values in found.items()}


def person_of(raw: bytes, layout: Layout) -> Person:
    """Say whom the rows name; raise as `report_to_outcome`."""
    rows, _ = read_rows(raw)
    names = {label: name for label, name in _fields(rows, layout).items() if name in _OF_PERSON}
    words, labels = _Words(layout), {name: label for label, name in names.items()}
    report = _Report([_of_person(row, names, words) for row in rows], labels, Trace())
    _require_one_person(report)
    numbers = tuple(number for name, _ in _IDENTIFIERS if (number := report.said(name)))
    name, birth, sex = (report.said(one) for one in _IDENTITY)
    place = cell(rows[0], report.labels.get("patient", "patient"))
    known = bool(numbers and name and birth)
    return Person("", (), numbers, name, dtm_to_fhir_date(birth), sex, cell=place, introduced=known)


def rows_to_oru(
    rows: Sequence[Row], layout: Layout, context: Context, came: str, whose: Resource | None = None
) -> tuple[bytes, Trace]:
    """Write the message that says what the rows say, and from where each of its fields is; raises as above.

    Of somebody whom the record knows (`whose`) nothing is told but the number.
    """
    trace = Trace()
    names = _fields(rows, layout)
    words = _Words(layout)
    results = _without_corrected([_told(row, names, words, trace) for row in rows], trace, names)
    one = _Report(results, {name: label for label, name in names.items()}, trace)
    _require_one_person(one)
    person = _pid(one, context) if whose is None else _known(one, whose, context)
    segments = [_msh(rows, context, came), person, *_pv1(one, context), *_obr(one), *_results(one), *_spm(one)]
    return er7_writer.write(segments), trace


def cell(row: Row, label: str) -> str:
    """Say where a cell stands."""
    return f"row[{row.number}].{label}"


def _fields(rows: Sequence[Row], layout: Layout) -> dict[str, str]:
    """Say which field each heading of the rows is."""
    wanted = {column: name for name, column in layout.columns.items()}
    labels = dict.fromkeys(chain.from_iterable(row.cells for row in rows))
    found = {}
    for label in labels:
        number = int(label[1:]) - 1 if _COLUMN.fullmatch(label) else None
        name = wanted.get(heading_key(label)) or (wanted.get(number) if number is not None else None)
        if name is not None:
            found[label] = name
    return found


class _Words:
    """The cells of a report in HL7 v2's words; rows say most things alike, and each of these is read once."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._known: dict[tuple[str, str], str] = {}

    def read(self, name: str, text: str, where: str) -> str:
        """Turn a cell into HL7 v2's words; raise CellInvalid."""
        known = self._known.get((name, text))
        if known is None:
            known = self._known[name, text] = _read(name, text, where, self.layout)
        return known


def _told(row: Row, names: Mapping[str, str], words: _Words, trace: Trace) -> Told:
    layout = words.layout
    said, places = dict(layout.always), {}
    for label, text in row.cells.items():
        name, place = names.get(label), cell(row, label)
        if name is not None:
            places[name] = place
            said[name] = words.read(name, text, place)
        elif {heading_key(label), int(label[1:]) - 1 if label[1:].isdigit() else None} & layout.ignore:
            trace.ignored[place] = IGNORED
        else:
            trace.unknown[place] = UNKNOWN
    missing = [name for name in ("patient", "test", "value", "status") if not said.get(name)]
    if missing and not (missing == ["value"] and said.get("status") in ("X", "D", "I", "O", "S")):
        raise CellMissing(f"row[{row.number}]", ", ".join(missing))
    return Told(row, said, places)


def _of_person(row: Row, names: Mapping[str, str], words: _Words) -> Told:
    """Read of a row whose it is, and nothing else; raise CellInvalid."""
    places = {name: cell(row, label) for label, name in names.items() if label in row.cells}
    said = {name: words.read(name, row.cells[label], places[name]) for label, name in names.items() if name in places}
    return Told(row, {**words.layout.always, **said}, places)


def _read(name: str, text: str, where: str, layout: Layout) -> str:
    """Turn a cell into HL7 v2's words."""
    pattern = layout.patterns.get(name)
    if pattern is not None and not pattern.fullmatch(text):
        raise CellInvalid(where, f"patterns.{name}")
    try:
        if name in TIMES:
            return layout.time(text)
        if name in WORDS:
            return layout.word(name, text)
    except ValueError as problem:
        raise CellInvalid(where, str(problem)) from None
    if name == "range" and layout.decimal == ",":
        return _DECIMAL_COMMA.sub(".", text)
    return _value(text, where, layout.decimal) if name == "value" else text


def _value(text: str, where: str, decimal: str) -> str:
    """Write a number with a point, as HL7 v2 wants it; a text stays what it is. Raises CellInvalid for the other sign."""
    compared = _COMPARED.fullmatch(text)
    sign, amount = (_SIGNS.get(compared[1], compared[1]), compared[2]) if compared else ("", text)
    if not _GROUPED.fullmatch(amount):
        return text
    plain = amount.replace(",", ".") if decimal == "," and amount.count(",") == 1 and "." not in amount else amount
    if not _NUMBER.fullmatch(plain) or (decimal == "," and "." in amount):
        raise CellInvalid(where, f"a number whose decimal sign is not {decimal!r}, or with signs between the thousands")
    return sign + plain


def _without_corrected(results: Sequence[Told], trace: Trace, names: Mapping[str, str]) -> list[Told]:
    """Leave out what a later row corrects or says again; raises RowsContradict when one test has two values."""
    labels = {name: label for label, name in names.items()}
    last: dict[tuple[str, str], Told] = {}
    for one in results:
        key = (one.said["test"], one.said.get("observed", ""))
        before = last.pop(key, None)
        last[key] = one
        if before is None:
            continue
        again = before.said == one.said
        if not again and one.said["status"] != "C":
            raise RowsContradict(cell(one.row, labels["test"]), f"row {before.row.number}")
        why = TWICE if again else CORRECTED
        trace.ignored |= {cell(before.row, label): why for label in before.row.cells if label in names}
    return list(last.values())


@dataclass(frozen=True)
class _Report:
    results: Sequence[Told]
    labels: Mapping[str, str]
    """Field → heading."""
    trace: Trace

    @cached_property
    def names(self) -> frozenset[str]:
        """Fields of which any row says something."""
        return frozenset().union(*(one.said for one in self.results))

    def said(self, name: str, *positions: str) -> str:
        """Give what the rows say of the whole report; cells that say another thing are unknown."""
        if name not in self.names:
            return ""
        values = [value for one in self.results if (value := one.said.get(name))]
        value = (max(values) if name == "resulted" else values[0]) if values else ""
        told = [self.trace.of.setdefault(position, []) for position in positions]
        for one in self.results:
            place = one.places.get(name)
            if place is None:
                continue
            if one.said.get(name) == value:
                for cells in told:
                    cells.append(place)
            else:
                self.trace.unknown[place] = ELSEWHERE
        return value

    def of_row(self, one: Told, name: str, position: str) -> str:
        """Give what a row says of its own result."""
        place = one.places.get(name)
        if place is not None:
            self.trace.of.setdefault(position, []).append(place)
        return one.said.get(name, "")


def _require_one_person(report: _Report) -> None:
    for name in _IDENTITY:
        found = {value for one in report.results if (value := one.said.get(name))}
        if len(found) > 1:
            raise RowsContradict(cell(report.results[-1].row, report.labels[name]), name)


def _msh(rows: Sequence[Row], context: Context, came: str) -> Segment:
    """Write the header. It counts as sent when the file came: a LIS often leaves a corrected result its times."""
    kind: Value = ("ORU", "R01", "ORU_R01")
    said: dict[int, Value] = {
        3: "LAB",
        4: context.facility,
        7: came,
        9: kind,
        10: context.message_id or hashlib.sha256(join_rows(rows, came)).hexdigest()[:20],
        11: "P",
    }
    return Segment("MSH", {**said, 12: "2.5.1", 17: "VNM", 18: "UNICODE UTF-8"})


def _pid(report: _Report, context: Context) -> Segment:
    numbers: list[Repetition] = []
    for name, kind in _IDENTIFIERS:
        number = report.said(name, "PID-3")
        if number:
            numbers.append((number, "", "", _ASSIGNERS.get(kind, context.facility), kind))
    who: dict[int, Value] = {1: "1", 3: numbers, 5: report.said("name", "PID-5")}
    return Segment("PID", {**who, 7: report.said("birth", "PID-7"), 8: report.said("sex", "PID-8")})


def _known(report: _Report, whose: Resource, context: Context) -> Segment:
    for name in ("patient", "citizen_id", "card", *_IDENTITY):
        report.trace.ignored |= {one.places[name]: KNOWN_PERSON for one in report.results if name in one.places}
    number = hospital_number(whose, context.systems, context.facility)
    return Segment("PID", {1: "1", 3: (number, "", "", context.facility, "PI")})


def _pv1(report: _Report, context: Context) -> Iterator[Segment]:
    number = report.said("encounter", "PV1-19")
    department = report.said("department", "PV1-3")
    if number or department:
        visit: Value = (number, "", "", context.facility, "VN") if number else ""
        yield Segment("PV1", {1: "1", 3: department, 19: visit})


def _obr(report: _Report) -> Iterator[Segment]:
    placer, filler = report.said("order", "OBR-2"), report.said("filler", "OBR-3")
    if not placer and not filler:
        filler = report.said("specimen", "OBR-3")
    panel = tuple(report.said(name, "OBR-4") for name in ("panel", "panel_name", "panel_system"))
    doctor = tuple(report.said(name, "OBR-16") for name in ("requester", "requester_name"))
    approver = tuple(report.said(name, "OBR-32") for name in ("approver", "approver_name"))
    said: dict[int, Value] = {
        1: "1",
        2: placer,
        3: filler,
        4: panel if panel[0] or panel[1] else ("11502-2", "Laboratory report", "LN"),
        7: report.said("collected", "OBR-7"),
        14: report.said("received", "OBR-14"),
        16: doctor,
        22: report.said("resulted", "OBR-22"),
        24: "LAB",
        25: _whole([one.said["status"] for one in report.results]),
        32: (approver,) if any(approver) else "",
    }
    yield Segment("OBR", said)


def _whole(statuses: Sequence[str]) -> str:
    """Give the status of a report (table 0123) by those of its results."""
    for status, meant in (("C", "C"), ("P", "P"), ("R", "P"), ("S", "P"), ("I", "P"), ("F", "F"), ("U", "F")):
        if status in statuses:
            return meant
    return "X"


_AT = {name: f"-{where.partition('-')[2].partition('.')[0]}" for name, where in FIELDS.items()}
"""Field → the number of its place in the segment, as positions end."""


def _results(report: _Report) -> Iterator[Segment]:
    notes = 0
    for number, one in enumerate(report.results, 1):
        at = "OBX" if number == 1 else f"OBX[{number}]"

        def said(name: str, told: Told = one, at: str = at) -> str:
            return report.of_row(told, name, at + _AT[name])

        value = said("value")
        fields: dict[int, Value] = {1: str(number), 2: "NM" if _NUMBER.fullmatch(value) else "ST", 5: value}
        fields |= {3: (said("test"), said("test_name"), said("test_system"))}
        fields |= {6: said("unit"), 7: said("range"), 8: said("flag"), 11: said("status"), 14: said("observed")}
        fields |= {16: (said("performer"), said("performer_name")), 17: said("method"), 18: said("device")}
        yield Segment("OBX", fields)
        if one.said.get("comment"):
            notes += 1
            place = "NTE-3" if notes == 1 else f"NTE[{notes}]-3"
            yield Segment("NTE", {1: "1", 3: report.of_row(one, "comment", place)})


def _spm(report: _Report) -> Iterator[Segment]:
    number = report.said("specimen", "SPM-2")
    kind = (report.said("specimen_type", "SPM-4"), report.said("specimen_name", "SPM-4"))
    if number or any(kind):
        yield Segment("SPM", {1: "1", 2: number, 4: kind})


def _account(rows: Sequence[Row], of_message: Coverage, trace: Trace) -> Coverage:
    """Account for every cell by what became of the fields that were written from it."""
    mapped: dict[str, list[str]] = {}
    ignored, unknown = dict(trace.ignored), dict(trace.unknown)
    for position, cells in trace.of.items():
        target = of_message.mapped.get(position)
        for place in cells:
            if target is not None:
                mapped.setdefault(place, []).append(target)
            elif position in of_message.ignored:
                ignored.setdefault(place, of_message.ignored[position])
            else:
                unknown.setdefault(place, of_message.unknown.get(position, UNKNOWN))
    for row in rows:
        before = cell(row, "")
        for label in row.cells:
            place = before + label
            if place not in mapped and place not in ignored:
                unknown.setdefault(place, UNKNOWN)
    joined = {
        place: targets[0] if len(targets) == 1 else " | ".join(dict.fromkeys(targets))
        for place, targets in mapped.items()
    }
    ignored = {place: why for place, why in ignored.items() if place not in joined}
    unknown = {place: why for place, why in unknown.items() if place not in joined and place not in ignored}
    return Coverage(joined, ignored, unknown)


def _cell_of(position: str, trace: Trace) -> str:
    """Say in which cell stands what the mapping of the message called by its field."""
    base = re.sub(r"\.\d+.*$", "", position)
    return next(iter(trace.of.get(base, ())), position)
