"""A document of every edition of every form, all rows filled, made of the form alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mappings.documents import form, narrative
from mappings.documents.bundle import VERSION_EXTENSION
from mappings.documents.form import Edition, Section
from mappings.outcome import Resource
from mappings.systems import DEFAULT, LOINC
from tests.unit.documents.samples import doctor, encounter, organization, patient

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


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
    facility: Resource = {**organization(), "name": "Bệnh viện Đa khoa Sông Hồng"}
    visit: Resource = {**encounter(), "diagnosis": [], "location": []}
    known = form.form(paper)
    coding = [{"system": LOINC, "code": known.loinc}] if known.loinc else []
    signs = any(signer.role == "professional" for signer in edition.signers)
    doctors = [{"mode": "professional", "party": {"reference": "Practitioner/bs1"}}] if signs else []
    head: Resource = {
        "resourceType": "Composition",
        "id": "giay",
        "language": "vi",
        "extension": [{"url": VERSION_EXTENSION, "valueString": str(version)}],
        "identifier": {"system": DEFAULT.document, "value": "72a75c2b-678f-5166-9151-b1a047bbd6bc"},
        "type": {
            "coding": [*coding, {"system": DEFAULT.paper, "version": edition.valid_from.isoformat(), "code": paper}]
        },
        "subject": {"reference": "Patient/bn1"},
        "encounter": {"reference": "Encounter/dt1"},
        "date": "2026-11-05T10:15:30+07:00",
        "author": [{"reference": "Practitioner/bs1"}],
        "title": known.title,
        "attester": [*doctors, {"mode": "legal", "party": {"reference": "Organization/cskcb"}}],
        "custodian": {"reference": "Organization/cskcb"},
        "section": [*(_section(section, edition) for section in edition.sections), _signatures(edition)],
    }
    if version > 1:
        replaced = {"system": DEFAULT.document, "value": "0192f6a0-0000-7abc-8def-0123456789ab"}
        head["relatesTo"] = [{"code": "replaces", "targetIdentifier": replaced}]
    return {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": DEFAULT.document, "value": "0192f6a0-1111-7abc-8def-0123456789ab"},
        "entry": [
            {"fullUrl": f"{DEFAULT.own}/{one['resourceType']}/{one['id']}", "resource": one}
            for one in (head, patient(), visit, doctor(), facility)
        ],
    }


def _section(part: Section, edition: Edition) -> Resource:
    values = Filled()
    for row in part.rows:
        values |= {key: values[key] for key in (row.key, row.box, *_PLACEHOLDER.findall(row.value))}
    values |= {row.box: row.choices[0].codes[0] for row in part.rows if row.choices and row.choices[0].codes}
    first = part.columns[0].key if part.columns else ""
    items = [Filled({first: item.label}) for item in part.items]
    body = [values, Filled(), *items] if part.columns else []
    one: Resource = {
        "title": part.title,
        "text": {"status": "generated", "div": narrative.section(part, edition, values, body)},
    }
    if part.loinc:
        one["code"] = {"coding": [{"system": LOINC, "code": part.loinc, "display": part.loinc_display}]}
    return one


def _signatures(edition: Edition) -> Resource:
    names = dict.fromkeys(edition.signers, "Lê Quốc Vượng")
    text = narrative.signatures(edition, "Ngày 05 tháng 11 năm 2026", names)
    return {"title": "Chữ ký", "text": {"status": "generated", "div": text}}
