"""Write a table of the insurance interface from a paper of ours, in the shape of the decision its visit belongs to.

Every field of the table is written, in its order, an empty one as `<X/>`. Fields come from the paper alone, so that the table
and what was signed say the same; only the head of the facility, whom no message names, comes from outside. XML1 is written
without its money: enough for the portal to take the file, not to settle a visit. Which decision rules follows from the end of
the visit, of one that has not ended from the day of the paper.

Standard: QĐ 4750/QĐ-BYT, QĐ 3176/QĐ-BYT, QĐ 1931/QĐ-BYT; second-hand
Requirement: S3.15
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from mappings.bhyt.decisions import CALENDAR, Calendar
from mappings.bhyt.envelope import envelope
from mappings.bhyt.faults import FieldInvalid, FieldMissing, FieldTooLong, PaperNotInsured
from mappings.bhyt.papers import SOURCES, SUBJECT, TABLE_OF_PAPER
from mappings.bhyt.rows import rows_to_xml
from mappings.bhyt.sheet import Sheet, nothing
from mappings.bhyt.tables import Field, Table, table
from mappings.documents import wording
from mappings.documents.record import Record, value_text
from mappings.formats.faults import DateInvalid
from mappings.outcome import Resource
from mappings.systems import DEFAULT, Systems

_NAMES_VISIT = frozenset({"MA_LK", "MA_BN", "HO_TEN", "NGAY_SINH", "GIOI_TINH", "MA_CSKCB"})
"""The fields of XML1 that a paper must know: those that name the visit."""

_VOID = frozenset({"cancelled", "entered-in-error"})
_FORMS = {
    "number": re.compile(r"\d+(\.\d+)?"),
    "date": re.compile(r"\d{8}"),
    "datetime": re.compile(r"\d{12}"),
    "string": re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]*", re.DOTALL),
}
_ONE_CODE = re.compile(r"[A-Z]\d{2}(\.[0-9A-Z]{1,3})?[†*+]?")


_LONGEST_SOCIAL_NUMBER = 10
_LICENCES = frozenset({"3176", "1931"})
"""Decisions in which MA_TTDV is a practice licence; before it was a number of social insurance."""
_ABOLISHED = {"MAHUYEN_CU_TRU": date(2025, 7, 1)}
"""Required codes of what is no more: districts ended that day, and what to send instead no source tells."""


def paper_to_gdbhyt(
    bundle: Resource, *, head: str = "", systems: Systems = DEFAULT, calendar: Calendar = CALENDAR
) -> bytes:
    """Write the inner document of the paper's table, as it goes into an envelope.

    `head` is the practice licence of the head of the facility (MA_TTDV), used when the paper names none; a visit of QĐ 4750
    wants the head's number of social insurance, and a licence is not taken for one. Raises `PaperNotInsured`, `FieldMissing`,
    `FieldTooLong`, `FieldInvalid`; nothing is cut or made up.
    """
    known, rows = paper_to_rows(bundle, head=head, systems=systems, calendar=calendar)
    return rows_to_xml(known, rows)


def paper_to_rows(
    bundle: Resource, *, head: str = "", systems: Systems = DEFAULT, calendar: Calendar = CALENDAR
) -> tuple[Table, list[dict[str, str]]]:
    """Give the paper's table in the shape of its decision, and its rows; raises as `paper_to_gdbhyt`."""
    paper = paper_name(bundle, systems)
    return _rows(TABLE_OF_PAPER[paper], _open(bundle, paper, head, systems, calendar))


def paper_to_envelope(
    bundle: Resource,
    *,
    facility: str,
    made_on: date,
    head: str = "",
    systems: Systems = DEFAULT,
    calendar: Calendar = CALENDAR,
) -> bytes:
    """Write the whole unsigned file for the portal: XML1 without money, and the paper's own table.

    `facility` is MA_CSKCB. Raises as `paper_to_gdbhyt`, and EnvelopeInvalid.
    """
    paper = paper_name(bundle, systems)
    sheet = _open(bundle, paper, head, systems, calendar)
    names = ("XML1", TABLE_OF_PAPER[paper])
    return envelope(facility, made_on, [(name, rows_to_xml(*_rows(name, sheet))) for name in names])


def _rows(name: str, first: Sheet) -> tuple[Table, list[dict[str, str]]]:
    try:
        known = table(name, first.decision)
    except KeyError:
        raise PaperNotInsured(name, first.decision) from None
    sheets = list(_results(first)) if name == "XML4" else [first]
    if not sheets:
        raise FieldMissing(f"{known.name}/{known.elements[-1]}", "no result")
    return known, [_row(known, one, f"[{one.number}]" if known.has_list else "") for one in sheets]


def paper_name(bundle: Resource, systems: Systems = DEFAULT) -> str:
    """Tell which of our papers a document is; raises PaperNotInsured when the portal has no table for it."""
    entries = bundle.get("entry", [])
    head: Resource = entries[0].get("resource", {}) if entries else {}
    codings = head.get("type", {}).get("coding", []) if head.get("resourceType") == "Composition" else []
    names = [c.get("code", "") for c in codings if c.get("system") == systems.paper]
    for name in TABLE_OF_PAPER:
        if name in names:
            return name
    raise PaperNotInsured("Composition.type", names[0] if names and names[0].isidentifier() else "")


def _open(bundle: Resource, paper: str, head: str, systems: Systems, calendar: Calendar) -> Sheet:
    resources = [entry["resource"] for entry in bundle["entry"] if "resource" in entry]
    record, composition = Record(resources, systems).for_table(TABLE_OF_PAPER[paper]), resources[0]
    encounter = record.follow(composition.get("encounter"))
    patient = record.follow(composition.get("subject"))
    if patient is None:
        raise PaperNotInsured("Composition.subject", paper)
    kind = SUBJECT[paper]
    named = [record.follow(entry) for part in composition.get("section", []) for entry in part.get("entry", [])]
    subjects = [one for one in [*named, *record.all(kind)] if one and one["resourceType"] == kind]
    about_visit = kind == "Encounter" or (paper == "reexamination" and not subjects)
    subject = encounter if about_visit else patient if kind == "Patient" else next(iter(subjects), None)
    if subject is None:
        raise PaperNotInsured("Composition.section.entry", kind)
    ended = wording.day((encounter or {}).get("period", {}).get("end") or composition.get("date", ""))
    decision = calendar.decision(ended) if ended else Sheet.decision
    head = head.strip()
    if decision not in _LICENCES and len(head) > _LONGEST_SOCIAL_NUMBER:
        head = ""
    return Sheet(record, systems, composition, patient, encounter, subject, head, decision, ended)


def _results(sheet: Sheet) -> Iterator[Sheet]:
    """Give one sheet per result; members of a panel and components stand as rows of their own after it."""
    waiting = list(sheet.record.of_type(sheet.subject.get("result", []), "Observation"))
    seen: set[str] = set()
    number = 0
    while waiting:
        result = waiting.pop(0)
        if result.get("status") in _VOID or result.get("id", "") in seen:
            continue
        seen.add(result.get("id", ""))
        waiting = [*sheet.record.of_type(result.get("hasMember", []), "Observation"), *waiting]
        parts = [part | {"issued": result.get("issued", "")} for part in result.get("component", [])]
        said = value_text(result)
        whole = [result] if said or not (parts or result.get("hasMember")) else []
        for one in [*whole, *parts]:
            number += 1
            yield replace(sheet, row=one, number=number)


def _row(known: Table, sheet: Sheet, at: str) -> dict[str, str]:
    """Take the fields of one row from the paper."""
    sources = SOURCES[known.name]
    row: dict[str, str] = {}
    missing: list[str] = []
    for field in known.fields:
        where = f"{known.name}{at}/{field.name}"
        try:
            value = sources.get(field.name, nothing)(sheet).strip()
        except DateInvalid:
            raise FieldInvalid(where, field.type) from None
        if not value:
            missing += [field.name] if _is_wanted(known, field, sheet.ended) else []
            continue
        if field.type == "date" and _FORMS["datetime"].fullmatch(value):
            value = value[:8]
        one_code = field.name == "MA_BENH_CHINH"
        if not _FORMS[field.type].fullmatch(value) or (one_code and not _ONE_CODE.fullmatch(value)):
            raise FieldInvalid(where, "one ICD-10 code" if one_code else field.type)
        if field.size is not None and len(value) > field.size:
            raise FieldTooLong(where, f"{len(value)} characters, {field.size} allowed")
        row[field.name] = value
    if missing:
        raise FieldMissing(f"{known.name}{at}/{missing[0]}", ", ".join(missing))
    return row


def _is_wanted(known: Table, field: Field, ended: date | None) -> bool:
    """Tell whether a paper is refused without a field."""
    if field.name in _ABOLISHED and ended and ended >= _ABOLISHED[field.name]:
        return False
    return field.required == "yes" and (field.name in _NAMES_VISIT or known.name != "XML1")
