"""Every table of a visit to FHIR and back: reads, checks what would come back, keeps the rest as written, accounts for all.

The natural mapping of each table is its own module; this one knows none of their fields, except those that join the tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mappings.bhyt.decisions import decision_of, with_tables
from mappings.bhyt.faults import FORM_ODD, NOT_UNDERSTOOD, TABLE_UNREADABLE, VisitUnknown
from mappings.bhyt.fhir import (
    as_written,
    person,
    xml0,
    xml1,
    xml2,
    xml3,
    xml4,
    xml5,
    xml6,
    xml7,
    xml8,
    xml9,
    xml10,
    xml11,
    xml12,
    xml13,
    xml14,
    xml15,
)
from mappings.bhyt.fhir.case import Case, TableMap, known_fields
from mappings.bhyt.fhir.cleared import cleared
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import extension
from mappings.bhyt.rows import Row
from mappings.bhyt.tables import table
from mappings.bhyt.visits import Visit
from mappings.outcome import Coverage, Notice, Outcome, Resource
from mappings.systems import DEFAULT, Systems

_MODULES = (xml1, xml2, xml3, xml4, xml5, xml6, xml7, xml8, xml9, xml10, xml11, xml12, xml13, xml14, xml15, xml0)
TABLES: dict[str, TableMap] = {module.TABLE.name: module.TABLE for module in _MODULES}
"""The tables that have a mapping, in the order they are read in: XML1 says who it is about."""

_KNOWN = {name: known_fields(name) for name in TABLES}
_RESERVED = "/StructureDefinition/qd3176-reserved"
_NOT_UNDERSTOOD = "not in a form that can be understood; kept as written"
_NO_DECISION = "a field of no decision; kept as written"
_NO_TABLE = "no mapping of this table"
REASONS = frozenset({_NOT_UNDERSTOOD, _NO_DECISION, _NO_TABLE})
"""Why a field is unknown; why one is ignored its table says."""


def visit_to_outcome(
    visit: Visit, *, systems: Systems = DEFAULT, decision: str | None = None, facility: str = ""
) -> Outcome:
    """Map the tables of one visit to FHIR; every populated field is accounted for as `XML2[3]/DON_GIA`.

    `decision` is the one it is read by, else found in the tables; `facility` is MA_CSKCB where neither XML1 nor the envelope
    names one. What was odd about the file, and every field that was not understood, becomes a notice.

    Requirement: S3.15
    """
    read_by = with_tables(decision or decision_of(visit.tables), visit.tables)
    case = Case(visit, systems, read_by, _facility(visit, facility))
    person.open_case(case)
    mains: dict[str, Sequence[Resource]] = {}
    for name, known in TABLES.items():
        if name in visit.tables:
            case.name = name
            mains[name] = known.read(case, visit.tables[name])
    case.notices += [
        Notice(TABLE_UNREADABLE, one.where, one.detail)
        if one.kind == "unreadable"
        else Notice(FORM_ODD, one.where, one.kind)
        for one in visit.oddities
    ]
    coverage = _account(case, mains)
    return Outcome(
        resources=case.resources,
        coverage=coverage,
        sent_at=visit.made_on.isoformat() if visit.made_on else "",
        notices=case.notices,
        patient_id=case.patient.partition("/")[2] or None,
        encounter_id=case.encounter.partition("/")[2] or None,
        cleared=cleared(case.resources, case.owned, {_reference(main) for one in mains.values() for main in one}),
        assumed=case.assumed,
    )


_FACILITY = re.compile(r"[0-9A-Z]{5}")


def _facility(visit: Visit, otherwise: str) -> str:
    """Give MA_CSKCB as XML1 names it, else the envelope, else any table."""
    rows = (row for name in visit.tables for row in visit.tables[name])
    named = (
        visit.one("XML1").get("MA_CSKCB", ""),
        visit.facility,
        otherwise,
        *(row.get("MA_CSKCB", "") for row in rows),
    )
    return next((code for code in named if _FACILITY.fullmatch(code)), "")


def _account(case: Case, mains: Mapping[str, Sequence[Resource]]) -> Coverage:
    """Compare with what would come back, keep what would not, and say where every field went."""
    mapped: dict[str, str] = {}
    ignored: dict[str, str] = {}
    unknown: dict[str, str] = {}
    dossier = Dossier(
        case.resources,
        case.encounter.partition("/")[2] or None,
        systems=case.systems,
        decision=case.decision,
        facility=case.facility,
        patient_id=case.patient.partition("/")[2] or None,
    )
    dossier.number = case.number
    for name, rows in case.visit.tables.items():
        known = TABLES.get(name)
        if known is None:
            for at, row in _placed(name, rows):
                unknown |= {f"{at}/{field}": _NO_TABLE for field, text in row.items() if text}
            continue
        goes = known.mapped
        back = {_reference(main): row for main, row in known.write(dossier)}
        for main, (at, row) in zip(mains[name], _placed(name, rows), strict=True):
            told = {field: text for field, text in row.items() if text}
            lost = _lost(case, main, row, told, back.get(_reference(main), {}))
            apart = {*known.ignored, "DU_PHONG", *lost}
            if apart.isdisjoint(told):
                mapped |= {f"{at}/{field}": goes[field] for field in told}
                continue
            for field in told:
                if field in known.ignored:
                    ignored[f"{at}/{field}"] = known.ignored[field]
                elif field == "DU_PHONG":
                    mapped[f"{at}/{field}"] = f"{main['resourceType']}.extension(qd3176-reserved)"
                elif lost.get(field) == "":
                    unknown[f"{at}/{field}"] = _NOT_UNDERSTOOD if field in _KNOWN[name] else _NO_DECISION
                    case.notices.append(Notice(NOT_UNDERSTOOD, f"{at}/{field}"))
                else:
                    mapped[f"{at}/{field}"] = goes[field]
    return Coverage(mapped, ignored, unknown)


def _placed(name: str, rows: Sequence[Row]) -> list[tuple[str, Row]]:
    """Give each row with its position; a table without a list has no index."""
    if len(rows) == 1 and not table(name).has_list:
        return [(name, rows[0])]
    return [(f"{name}[{n}]", row) for n, row in enumerate(rows, 1)]


def _lost(case: Case, main: Resource, row: Row, told: Mapping[str, str], back: Mapping[str, str]) -> dict[str, str]:
    """Keep what differs with the main resource; give, for each such field, what would come back instead.

    `told` is what the row tells: its fields without the empty ones.
    """
    reserved = told.get("DU_PHONG", "")
    if reserved:
        kept = {"url": f"{case.systems.own}{_RESERVED}", "valueString": reserved}
        main.setdefault("extension", []).append(kept)
    if told == {field: text for field, text in back.items() if text}:
        return {}
    lost = {field: back.get(field, "") for field in (*row, *back) if row.get(field, "") != back.get(field, "")}
    lost.pop("DU_PHONG", None)
    as_written.keep(main, {field: row.get(field, "") for field in lost}, case.systems)
    return lost


def _reference(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def record_to_visit(
    resources: Sequence[Resource],
    encounter_id: str | None,
    *,
    systems: Systems = DEFAULT,
    decision: str,
    facility: str,
    head: str = "",
    patient_id: str | None = None,
) -> Visit:
    """Write the tables of one visit from a record, in the shape of a decision; empty fields are left out of the rows.

    `facility` is MA_CSKCB, `head` the practice licence of its head where nobody told one. Tables of which the record knows
    nothing are absent. Raises VisitUnknown when the record has no such visit.

    Requirement: S3.15
    """
    dossier = Dossier(
        resources,
        encounter_id,
        systems=systems,
        decision=decision,
        facility=facility,
        head=head.strip(),
        patient_id=patient_id,
    )
    if encounter_id and dossier.encounter is None:
        raise VisitUnknown("Encounter")
    tables: dict[str, tuple[dict[str, str], ...]] = {}
    for name, known in TABLES.items():
        try:
            fields = table(name, decision).names
        except KeyError:
            continue
        rows = [_whole(main, row) for main, row in known.write(dossier)]
        if rows:
            tables[name] = tuple(
                {field: text for field, text in zip(fields, map(row.get, fields), strict=True) if text} for row in rows
            )
    return Visit(tables, facility=facility)


def _whole(main: Resource, row: dict[str, str]) -> dict[str, str]:
    """Lay over a row what was kept as written, and the reserved field."""
    if reserved := extension(main, _RESERVED).get("valueString", ""):
        row["DU_PHONG"] = reserved
    row |= as_written.kept(main)
    return row
