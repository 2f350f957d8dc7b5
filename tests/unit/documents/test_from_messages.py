"""From the messages of a hospital's day to papers: every paper that is due comes out sound, in FHIR and in CDA."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

from lxml import etree

from conformance.scenarios.hospital_day import hospital_day
from mappings import cda, documents, hl7v2
from mappings.fhir.check import problems
from mappings.fhir.references import bundle_references
from mappings.formats import er7, safe_xml
from mappings.outcome import Resource
from tests.unit.documents.samples import CONTEXT

CORPORA = Path(__file__).resolve().parents[3] / "../shared/corpora"
SCHEMA = CORPORA / "cda-schema/sdtc/infrastructure/cda/CDA_SDTC.xsd"


def test_the_papers_of_a_day() -> None:
    schema = etree.XMLSchema(etree.parse(SCHEMA)) if CORPORA.exists() else None
    records: defaultdict[str, dict[str, Resource]] = defaultdict(dict)
    composed: Counter[str] = Counter()
    for event in hospital_day(encounters=25).events:
        if event.expect != "accepted":
            continue
        message = er7.Message.parse(event.raw, "auto")
        outcome = hl7v2.map_message(message, hl7v2.Context(facility=CONTEXT.facility.code))
        record = records[outcome.patient_id or ""]
        record |= {f"{resource['resourceType']}/{resource['id']}": resource for resource in outcome.resources}
        found: Counter[str] = Counter()
        for paper in documents.PAPERS:
            for subject in documents.due(paper, hl7v2.trigger_of(message), outcome.resources):
                found[paper] += 1
                bundle = documents.compose(paper, subject, list(record.values()), replace(CONTEXT, issued_at=event.at))
                assert problems(bundle) == []
                assert bundle_references(bundle) == []
                root = safe_xml.parse(cda.render(bundle))
                if schema:
                    schema.assertValid(root)
        assert found == Counter(paper.name for paper in event.papers)
        composed += found
    assert set(composed) == set(documents.PAPERS)
