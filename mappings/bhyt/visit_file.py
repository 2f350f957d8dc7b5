"""The whole insurance file of one visit, from the document that records it.

XML1 to XML5 and whatever else the record holds come through `mappings.bhyt.fhir`; the tables of papers are those of the papers
themselves, composed from the same document, so that table and paper say the same. A paper that cannot be made yet has no table:
the check before sending says so. Of a visit that came as XML the tables that were sent stay as they were. Does not sign, and
does not decide whether the file may leave.

Standard: QĐ 4750/QĐ-BYT, QĐ 3176/QĐ-BYT, QĐ 1931/QĐ-BYT; second-hand
Requirement: S2.14, S3.15
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from mappings.bhyt import lists
from mappings.bhyt.completion import complete
from mappings.bhyt.decisions import Calendar
from mappings.bhyt.envelope import envelope
from mappings.bhyt.faults import PaperNotInsured, VisitBlocked
from mappings.bhyt.fhir import record_to_visit
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.files import parts
from mappings.bhyt.health_book import summary_row
from mappings.bhyt.papers import TABLE_OF_PAPER
from mappings.bhyt.rows import Row, rows_to_xml
from mappings.bhyt.rules import Settings as RuleSettings
from mappings.bhyt.rules import check_visit
from mappings.bhyt.settings import DEFAULT, Settings
from mappings.bhyt.tables import code_list, table
from mappings.bhyt.visits import BARE, Visit
from mappings.bhyt.write import paper_to_rows
from mappings.documents import Context, compose, due, wording
from mappings.documents.record import Record
from mappings.documents.rules import rules
from mappings.formats.faults import Fault
from mappings.outcome import Resource

RECORD = "insurance_record"
"""The document this is made from."""
WITHDRAWAL = "8"
"""MA_DOITUONG_KCB of a visit for which payment is asked no more. Standard: QĐ 3276/QĐ-BYT; second-hand"""
_EVERY_KIND = frozenset(code.code for code in code_list("MA_LOAI_KCB") or ())
_BEDS = frozenset({"14", "15", "16"})
"""MA_NHOM of days in bed."""
_BY_RESULTS = "lab_report"
"""XML4 holds the results of the whole visit, not those of one report."""
_TABLES_OF_PAPERS = frozenset(name for paper, name in TABLE_OF_PAPER.items() if paper != _BY_RESULTS)


def is_record(bundle: Resource) -> bool:
    """Tell whether a document records a visit for insurance."""
    first: Resource = next((entry["resource"] for entry in bundle.get("entry", ()) if "resource" in entry), {})
    codings = first.get("type", {}).get("coding", ()) if first.get("resourceType") == "Composition" else ()
    return any(coding.get("code") == RECORD for coding in codings)


def record_to_envelope(
    bundle: Resource,
    context: Context,
    *,
    made_on: date,
    head: str = "",
    settings: Settings = DEFAULT,
    withdrawn: bool = False,
) -> bytes:
    """Write the unsigned GIAMDINHHS of the visit that a document of kind `insurance_record` is about.

    `withdrawn` asks for the visit back: it is sent once more under its number, as MA_DOITUONG_KCB 8 says. Raises
    PaperNotInsured, EnvelopeInvalid, and VisitBlocked when the rules find what the portal would send back.
    """
    visit, decision = record_to_file_tables(bundle, context, head=head, settings=settings)
    if settings.check == "refuse" and not withdrawn:
        known = RuleSettings(calendar=settings.calendar)
        if settings.summary == "every":
            known = replace(known, summary_kinds=_EVERY_KIND)
        require_clean(visit, decision, context, known)
    if withdrawn:
        summary = visit.one("XML1") | {"MA_DOITUONG_KCB": WITHDRAWAL}
        visit = replace(visit, tables={**visit.tables, "XML1": (summary,)})
    files = [
        (name, rows_to_xml(table(name, decision), part, cdata=settings.cdata))
        for name, rows in visit.tables.items()
        if name not in BARE
        for part in parts(name, rows)
    ]
    return envelope(context.facility.code, made_on, files, as_in_guide=settings.as_guide)


def record_to_file_tables(
    bundle: Resource, context: Context, *, head: str = "", settings: Settings = DEFAULT, half_told: bool = False
) -> tuple[Visit, str]:
    """Give the tables of the visit that such a document is about, and the decision they are shaped by.

    `head` is the practice licence of the head of the facility. Raises PaperNotInsured for another document.
    """
    resources = [entry["resource"] for entry in bundle["entry"] if "resource" in entry]
    composition, *record = resources
    encounter = composition.get("encounter", {}).get("reference", "").partition("/")[2]
    visit = next((one for one in record if one["resourceType"] == "Encounter" and one["id"] == encounter), None)
    if not is_record(bundle) or visit is None:
        raise PaperNotInsured("Composition.type", RECORD)
    ended = wording.day(visit.get("period", {}).get("end") or composition.get("date", ""))
    calendar = settings.calendar
    decision = calendar.decision(ended) if ended else "1931"
    written = record_to_visit(
        record, encounter, systems=context.systems, decision=decision, facility=context.facility.code, head=head
    )
    opened = Dossier(record, encounter, systems=context.systems, decision=decision, facility=context.facility.code)
    of_papers = dict(_of_papers(record, context, head, calendar, decision))
    if opened.came_as_xml:  # what was sent stays what it was
        tables = {**of_papers, **written.tables}
    else:
        tables = {name: rows for name, rows in written.tables.items() if name not in _TABLES_OF_PAPERS} | of_papers
    if settings.summary == "every" and "XML8" not in tables:
        told = summary_row(
            record, encounter, decision=decision, facility=context.facility.code, head=head, systems=context.systems
        )
        if told and (half_told or _is_whole(told, decision)):
            tables["XML8"] = (told,)
    _put_beds(tables, record, visit, context)
    tables = complete(tables, lists.site())
    for name, rows in tables.items():
        fields = table(name, decision).names
        tables[name] = tuple({field: row.get(field, "") for field in fields} for row in rows)
    ordered = {name: tables[name] for name in sorted(tables, key=lambda name: int(name[3:]))}
    return replace(written, tables=ordered), decision


def _is_whole(summary: Row, decision: str) -> bool:
    """Tell whether what was told is enough for Table 8 of a visit that nobody summed up: half of it would hold the visit up."""
    needed = [one.name for one in table("XML8", decision).fields if one.required == "yes" and one.name != "MA_LK"]
    return all(summary.get(name) for name in needed)


def _put_beds(
    tables: dict[str, tuple[dict[str, str], ...]], record: list[Resource], visit: Resource, context: Context
) -> None:
    """Name the bed of the stay in lines of days in bed that name none."""
    bed = Record(record, context.systems).place(visit).get("bd", "")
    for row in tables.get("XML3", ()):
        if bed and row.get("MA_NHOM") in _BEDS and not row.get("MA_GIUONG"):
            row["MA_GIUONG"] = bed


def require_clean(visit: Visit, decision: str, context: Context, known: RuleSettings) -> None:
    """Raise VisitBlocked when rules find what the portal would send back."""
    found = check_visit(visit, decision=decision, lists=lists.site(), now=context.issued_at, settings=known)
    blocking = [one for one in found if one.severity == "blocks"]
    if blocking:
        first = blocking[0]
        row = f"[{first.row}]" if first.row and table(first.table, decision).has_list else ""
        told = ", ".join(dict.fromkeys(one.rule for one in blocking))
        raise VisitBlocked(f"{first.table}{row}/{first.field}", f"{len(blocking)}: {told}")


def _of_papers(
    record: list[Resource], context: Context, head: str, calendar: Calendar, decision: str
) -> Iterator[tuple[str, tuple[dict[str, str], ...]]]:
    for paper, name in TABLE_OF_PAPER.items():
        if paper == _BY_RESULTS:
            continue
        events = dict.fromkeys(event for rule in rules(paper) for event in rule.on)
        subjects = dict.fromkeys(subject for event in events for subject in due(paper, event, record))
        rows: list[dict[str, str]] = []
        for subject in subjects:
            try:
                known, found = paper_to_rows(
                    compose(paper, subject, record, context), head=head, systems=context.systems, calendar=calendar
                )
            except Fault:
                continue
            if known.decision == decision:
                rows += found
        if rows:
            yield name, tuple(rows)
