"""From the messages of a hospital's day to papers: every paper that is due comes out sound, in FHIR and in CDA."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from lxml import etree

from conformance.scenarios.event import Event
from conformance.scenarios.hospital_day import hospital_day
from mappings import bhyt, cda, documents, hl7v2
from mappings.documents.faults import PaperIncomplete, PaperNotWanted
from mappings.fhir.check import problems
from mappings.fhir.references import bundle_references
from mappings.formats import er7, safe_xml
from mappings.outcome import Resource
from tests.unit.documents.samples import CONTEXT

CORPORA = Path(__file__).resolve().parents[3] / "../shared/corpora"
_CODED = {
    "referral": ("XML13", "MA_LYDO_CT", "MA_NGHE_NGHIEP"),
    "discharge_paper": ("XML1", "KET_QUA_DTRI", "MA_NGHE_NGHIEP"),
}
SCHEMA = CORPORA / "cda-schema/sdtc/infrastructure/cda/CDA_SDTC.xsd"


def test_the_papers_of_a_day() -> None:
    schema = etree.XMLSchema(etree.parse(SCHEMA)) if CORPORA.exists() else None
    records: defaultdict[str, dict[str, Resource]] = defaultdict(dict)
    composed: Counter[str] = Counter()
    coded: defaultdict[str, list[str]] = defaultdict(list)
    day = hospital_day(encounters=25)
    foretold = set(day.expected_papers())
    made_once: set[tuple[str, str]] = set()
    for event in day.events:
        if event.expect != "accepted":
            continue
        message = er7.Message.parse(event.raw, "auto")
        outcome = hl7v2.map_message(message, hl7v2.Context(facility=CONTEXT.facility.code))
        record = records[outcome.patient_id or ""]
        for change in outcome.identity:
            record |= records[change.other.partition("/")[2]]
        record |= {f"{resource['resourceType']}/{resource['id']}": resource for resource in outcome.resources}
        found: Counter[str] = Counter()
        for paper in sorted(foretold):
            for subject in documents.due(paper, hl7v2.trigger_of(message), outcome.resources):
                known = list(record.values())
                if found_lacking(event, paper):
                    with pytest.raises(PaperIncomplete) as refused:
                        documents.compose(paper, subject, known, replace(CONTEXT, issued_at=event.at))
                    assert "QT_BENHLY" in refused.value.detail
                    continue
                if (paper, subject) in made_once:
                    continue
                try:
                    bundle = documents.compose(paper, subject, known, replace(CONTEXT, issued_at=event.at))
                except PaperNotWanted:
                    continue
                made_once |= {(paper, subject)} if paper == "insurance_check_in" else set()
                found[paper] += 1
                assert problems(bundle) == []
                assert bundle_references(bundle) == []
                coded[paper] += _codes(paper, bundle)
                root = safe_xml.parse(cda.render(bundle))
                if schema:
                    schema.assertValid(root)
        assert found == Counter(paper.name for paper in event.papers if paper.act == "make")
        composed += found
    assert set(composed) == foretold
    assert len(coded["referral"]) == 2 * composed["referral"]
    assert len(coded["discharge_paper"]) == 2 * composed["discharge_paper"]
    assert all(code.isdigit() for codes in coded.values() for code in codes)


def found_lacking(event: Event, paper: str) -> bool:
    """Tell whether the day foretells that something is missing on the paper."""
    return any(one.name == paper and one.act == "lack" for one in event.papers)


def _codes(paper: str, bundle: Resource) -> list[str]:
    """Give the codes that reached the insurance file: two of every referral and of every discharge paper."""
    if paper not in _CODED:
        return []
    table, *names = _CODED[paper]
    file = bhyt.paper_to_envelope(bundle, facility=CONTEXT.facility.code, made_on=date(2026, 11, 20), head="1/HNO-GPHN")
    inner = dict(bhyt.read(file).visits[0]).get(table)
    return [safe_xml.parse(inner).findtext(name) or "" for name in names] if inner else []
