"""Compose official papers as FHIR documents, narrative in Vietnamese.

One paper is one module here and one file of `forms/`: the module collects the facts, the file has labels, order, signature
blocks and days in force. Pure: no clock, no store; the same record and context give the same document. Does not sign, and does
not decide who may see a paper.

Requirement: S3.3, S3.15
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, cast

from mappings.documents import bundle, form, imaging_study, leave, narrative, rules, versions, wording
from mappings.documents.clean import Cleaner
from mappings.documents.content import Content
from mappings.documents.context import Context, Facility
from mappings.documents.face import face
from mappings.documents.faults import FormNotInForce, ItemMalformed, PaperBeyondLimit, PaperIncomplete
from mappings.documents.form import Edition, Signer
from mappings.documents.record import TABLE_OF_PAPER, Record
from mappings.documents.rules import Due
from mappings.documents.versions import cancel, digest
from mappings.outcome import Resource
from mappings.systems import LOINC

__all__ = [
    "DOCUMENTS",
    "PAPERS",
    "Context",
    "Due",
    "Facility",
    "asked",
    "cancel",
    "caption",
    "compose",
    "digest",
    "due",
    "face",
    "label",
    "subjects",
    "title",
]

PAPERS = form.names()
"""Every paper there is a form and a module for."""
DOCUMENTS = tuple(sorted((*PAPERS, imaging_study.PAPER)))
"""Everything that leaves as a document: the papers, and the pictures of a study, which have no form."""


_NOTHING_KNOWN = {
    "system": "http://terminology.hl7.org/CodeSystem/list-empty-reason",
    "code": "unavailable",
    "display": "Unavailable",
}


class _Paper(Protocol):
    def subjects(self, resources: Sequence[Resource]) -> list[str]: ...

    def gather(self, record: Record, subject: Resource, context: Context) -> Content: ...


def _module(paper: str) -> _Paper:
    if paper != imaging_study.PAPER:
        form.form(paper)
    return cast(_Paper, import_module(f"{__name__}.{paper}"))


def title(paper: str) -> str:
    """Give the Vietnamese title as printed."""
    return imaging_study.TITLE if paper == imaging_study.PAPER else form.form(paper).title


def caption(paper: str) -> str:
    """Give the Vietnamese title as it stands in a sentence: no capitals but the first and what is quoted."""
    parts = title(paper).split('"')
    said = '"'.join(part if n % 2 else part.lower() for n, part in enumerate(parts))
    return said[:1].upper() + said[1:]


def label(paper: str, key: str) -> str:
    """Give the words that a row of a form is printed with; the key itself for what has none."""
    rows = (row for edition in form.form(paper).editions for section in edition.sections for row in section.rows)
    return next((row.label.rstrip(":").strip() for row in rows if row.key == key), "") or key


def subjects(paper: str, resources: Sequence[Resource]) -> list[str]:
    """Say about whom or what there is a paper to be made of these resources: references such as `Encounter/…`.

    A paper about a part of a resource names the part behind `#`: `Encounter/…#2026-11-05`. Where an insurance file brought the
    paper's own table, its rows say it; the visits of those who only came along in such a file are no subjects of other papers.
    """
    told = _of_table(paper, resources)
    if told:
        return told
    along = {f"Encounter/{one['id']}" for one in resources if one["resourceType"] == "Encounter" and _came_along(one)}
    return [one for one in _module(paper).subjects(resources) if one.partition("#")[0] not in along]


def _of_table(paper: str, resources: Sequence[Resource]) -> list[str]:
    """Give whom or what the rows of a paper's own insurance table are about."""
    whom = "subject" if paper == "birth_certificate" else "encounter"
    return [
        one[whom]["reference"]
        for one in resources
        if one["resourceType"] == "Composition"
        and any(
            c.get("code") == paper and c["system"].endswith("/CodeSystem/paper") for c in one["type"].get("coding", [])
        )
        and "reference" in one.get(whom, {})
    ]


def _came_along(visit: Resource) -> bool:
    """Tell whether a visit is known by the number of another's file alone, such as that of a newborn."""
    systems = [one.get("system", "") for one in visit.get("identifier", [])]
    return bool(systems) and all(system.endswith("/ma-lk") for system in systems)


def asked(paper: str, trigger: str, resources: Sequence[Resource]) -> list[Due]:
    """Say what a message asks of a paper, as the rules have it: to be made, made again, withdrawn.

    A module of papers about parts of a resource may say with `changed` which of them a message changes without making them due,
    such as a prescription one medicine of which is taken back: these are made again where they were issued.

    `trigger` is the message type and event (`ADT^A03`), `resources` what the message was mapped to.
    """
    changed = getattr(_module(paper), "changed", None)
    touched = changed(resources) if changed else None
    return list(rules.asked(paper, trigger, resources, subjects(paper, resources), touched))


def due(paper: str, trigger: str, resources: Sequence[Resource]) -> list[str]:
    """Give the subjects about which a paper has to be made after a message."""
    return [one.subject for one in asked(paper, trigger, resources) if one.act == "make"]


def compose(paper: str, subject: str, record: Sequence[Resource], context: Context) -> Resource:
    """Compose a paper as a document Bundle.

    `record` is the newest version of every resource of the patient; what belongs to the subject is picked from it, and the
    document holds it without a copy where nothing in it had to be changed: change neither. Raises
    `PaperIncomplete`, `SubjectMissing`, `FormNotInForce`, `PaperUnknown`, and where the law forbids what the paper would say
    `LeaveTooLong`, `PaperBeyondLimit`, `LeaveDatesWrong`, `VisitUnfit`, `ItemMalformed`.
    """
    module, sheet, known = _module(paper), form.form(paper), Record(record, context.systems)
    known.table = TABLE_OF_PAPER.get(paper, "")
    content = module.gather(known, known.subject(paper, subject), context)
    on = wording.day(content.event_at)
    if on is None:
        raise FormNotInForce(paper, "no day")
    edition = sheet.on(on)
    _add_own(paper, known, content)
    heading = edition.titles.get(content.category, sheet.title)
    content.values["MS"] = edition.numbers.get(content.category, edition.number)
    content.values["NGAY_CT"] = wording.long_date(wording.stamp(context.issued_at)).capitalize()
    _require(edition, content)
    _check(edition, content)
    cleaner = Cleaner()
    content.values = {key: cleaner.text(value) for key, value in content.values.items()}
    organizations = bundle.facility_organization(known, context)
    picked = [resource for section in edition.sections for resource in content.entries.get(section.key, ())]
    roots = [content.patient, content.encounter, content.professional, organizations[0], *picked]
    told = versions.provenance(context, organizations[0])
    resources = bundle.closure(known, roots, organizations, cleaner, content.apart)
    resources += [bundle.taken(told, cleaner)] if told else []
    sections = _sections(edition, content, context, cleaner, heading)
    head = bundle.composition(
        sheet,
        edition,
        heading,
        subject,
        context,
        patient=content.patient,
        encounter=content.encounter,
        author=content.professional,
        facility=organizations[0],
        sections=sections,
        attested="professional" in {signer.role for signer in edition.signers} - content.unsigned,
    )
    document = bundle.document([bundle.taken(head, cleaner), *resources], context, cleaner)
    if cleaner.replaced:
        _note_replaced(document)
    return document


def _require(edition: Edition, content: Content) -> None:
    """Raise `PaperIncomplete` when a required row or the signing practitioner is missing, `PaperBeyondLimit`."""
    missing = [
        (row.label, row.key, row.origin)
        for section in edition.sections
        for row in section.rows
        if (row.need == "R" or row.key in content.required) and not content.values[row.key].strip()
    ]
    shown = {row.key for section in edition.sections for row in section.rows}
    missing += [
        (key, key, form.origin(key)) for key in content.required if key not in shown and not content.values[key].strip()
    ]
    names = _signing(edition, content)
    missing += [
        (signer.label, signer.role, signer.origin)
        for signer in edition.signers
        if signer.need == "R" and signer.role not in content.unsigned and not names[signer]
    ]
    if missing:
        label, key, _ = missing[0]
        told = (f"{key} ← {origin}" for _, key, origin in missing)
        raise PaperIncomplete(f"{label.rstrip(':')} ({key})", "; ".join(told))
    for key, most in edition.limits.items():
        said = content.values[key]
        if said.isdigit() and int(said) > most:
            raise PaperBeyondLimit(key, f"{key} ≤ {most}")


def _check(edition: Edition, content: Content) -> None:
    """Raise a fault when an item is not as the law wants it."""
    for row in (row for section in edition.sections for row in section.rows):
        said = content.values[row.key].strip() if row.pattern else ""
        if said and not re.fullmatch(row.pattern, said):
            raise ItemMalformed(f"{row.label.rstrip(':')} ({row.key})", row.pattern)
    if content.leave:
        leave.check(content.leave, edition.max_days)


def _signing(edition: Edition, content: Content) -> Mapping[Signer, str]:
    names = {}
    for signer in edition.signers:
        if signer.role in content.unsigned:
            names[signer] = ""
        elif signer.role == "professional" and not signer.key:
            names[signer] = _signer(content.professional) if content.professional else ""
        else:
            names[signer] = content.values[signer.key] if signer.key else ""
    return names


def _signer(person: Resource) -> str:
    """Give the name of who signs, of whom only the licence is known that."""
    licences = (one["value"] for one in person.get("identifier", []) if one.get("system", "").endswith("/sid/cchn"))
    known = next(licences, "")
    return wording.title_and_name(person) or (f"GPHN số {known}" if known else "")


def _add_own(paper: str, record: Record, content: Content) -> None:
    """Fill the rows a site added to the form, from the fields told about the visit."""
    keys = [row.key for row in form.own_rows(paper)]
    if keys:
        content.values |= {key: record.field(key, content.encounter) for key in keys}
        said = record.fields(keys, content.encounter)
        content.entries = {**content.entries, form.EXTRAS: [*content.entries.get(form.EXTRAS, ()), *said]}


def _sections(
    edition: Edition, content: Content, context: Context, cleaner: Cleaner, heading: str
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for section in edition.sections:
        body = [{key: cleaner.text(text) for key, text in line.items()} for line in content.lines.get(section.key, ())]
        silent = narrative.says_nothing(section, content.values, body)
        stamp = "CẤP LẠI" if (context.reissue or content.reissue) and section is edition.sections[0] else ""
        further = content.columns.get(section.key, ())
        div = narrative.section(section, edition, content.values, body, stamp, further)
        one: dict[str, Any] = {"title": heading if section.key == "header" else section.title}
        if section.loinc:
            one["code"] = {"coding": [{"system": LOINC, "code": section.loinc, "display": section.loinc_display}]}
        one["text"] = {"status": "generated", "div": div}
        entries = content.entries.get(section.key, ())
        if entries:
            one["entry"] = [bundle.reference(resource) for resource in entries]
        elif silent:
            one["emptyReason"] = {"coding": [_NOTHING_KNOWN]}
        found.append(one)
    date_line = edition.date_line.format_map(content.values)
    names = {signer: cleaner.text(name) for signer, name in _signing(edition, content).items()}
    text = narrative.signatures(edition, date_line, names, cleaner.text(versions.reason_line(context)))
    found.append({"title": "Chữ ký", "text": {"status": "generated", "div": text}})
    return found


def _note_replaced(document: Resource) -> None:
    """Say on the paper that characters of the source could not be shown."""
    last = document["entry"][0]["resource"]["section"][-1]["text"]
    note = narrative.paragraph("Dữ liệu nguồn có ký tự không hợp lệ, đã thay bằng dấu �.", "KY_TU_THAY")
    last["div"] = last["div"].removesuffix("</div>") + note + "</div>"
