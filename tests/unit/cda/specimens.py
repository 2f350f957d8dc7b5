"""A document of every edition of every form, all rows filled, made of the form alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mappings.documents import bundle, form, narrative
from mappings.documents.clean import Cleaner
from mappings.documents.form import Edition, Section
from mappings.outcome import Resource
from mappings.systems import LOINC
from tests.unit.documents.samples import CONTEXT, doctor, encounter, organization, patient


class Filled(dict[str, str]):
    """Every key has a value."""

    def __missing__(self, key: str) -> str:
        return f"đã ghi {key.lower()}"


def editions() -> Iterator[tuple[str, Edition]]:
    """Give every edition of every form there is."""
    for paper in form.names():
        for edition in form.form(paper).editions:
            yield paper, edition


def specimen(paper: str, edition: Edition, version: int = 1) -> Resource:
    """Make a document Bundle that shows a form with everything filled in."""
    context = replace(
        CONTEXT, version=version, replaces="0192f6a0-0000-7abc-8def-0123456789ab" if version > 1 else None
    )
    facility = {**organization(), "name": context.facility.name}
    visit = {**encounter(), "diagnosis": [], "location": []}
    head = bundle.composition(
        form.form(paper),
        edition,
        "Encounter/dt1",
        context,
        patient=patient(),
        encounter=visit,
        author=doctor(),
        facility=facility,
        sections=[*(_section(section) for section in edition.sections), _signatures(edition)],
    )
    return bundle.document(head, [patient(), visit, doctor(), facility], context, Cleaner())


def _section(section: Section) -> Resource:
    values = Filled({row.box: row.choices[0].codes[0] for row in section.rows if row.choices and row.choices[0].codes})
    markup = [narrative.paragraph(line) for line in section.lines]
    markup.append(narrative.rows([(row.label, row.key, narrative.row_text(row, values)) for row in section.rows]))
    if section.columns:
        markup.append(narrative.table(section, [values, Filled()]))
    markup += [narrative.paragraph(note) for note in section.notes]
    one: Resource = {"title": section.title, "text": {"status": "generated", "div": narrative.div(*markup)}}
    if section.loinc:
        one["code"] = {"coding": [{"system": LOINC, "code": section.loinc, "display": section.loinc_display}]}
    return one


def _signatures(edition: Edition) -> Resource:
    names = dict.fromkeys(edition.signers, "Lê Quốc Vượng")
    text = narrative.div(narrative.signatures(edition, "Ngày 05 tháng 11 năm 2026", names))
    return {"title": "Chữ ký", "text": {"status": "generated", "div": text}}
