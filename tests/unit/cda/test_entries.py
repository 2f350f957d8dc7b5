"""Every resource becomes an entry or stands in the header: no resource a section is made of is lost, whatever it holds."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import pytest
from lxml import etree

from mappings import cda
from mappings.cda.check import checked_tree
from mappings.cda.entries import HEADER
from mappings.formats import json, safe_xml
from mappings.outcome import Resource
from tests.conftest import CORPORA
from tests.unit.cda.test_render import V3

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
PAPERS = sorted(GOLDEN.glob("papers/*/*/expected.fhir.json"))
MESSAGES = sorted(GOLDEN.glob("*/*/expected.json"))
BASE = "https://lienthong.vn/fhir"
SCHEMA = CORPORA / "cda-schema/normative/infrastructure/cda/CDA.xsd"
DIV = '<div xmlns="http://www.w3.org/1999/xhtml"><p>Hồ sơ</p></div>'


@cache
def schema() -> etree.XMLSchema:
    if not SCHEMA.exists():
        pytest.skip("corpora are not on this machine")
    return etree.XMLSchema(etree.parse(SCHEMA))


def bundles(path: Path) -> list[Resource]:
    read = json.loads(path.read_bytes())
    return read if isinstance(read, list) else [read]


def document(resources: list[Resource]) -> Resource:
    """Make a document whose one section is made of resources; the first Patient is its subject."""
    patient = next((one for one in resources if one["resourceType"] == "Patient"), None)
    if patient is None:
        patient = {"resourceType": "Patient", "id": "nobody"}
        resources = [patient, *resources]
    facility: Resource = {"resourceType": "Organization", "id": "facility", "name": "Bệnh viện"}
    head: Resource = {
        "resourceType": "Composition",
        "id": "c",
        "identifier": {"value": "1"},
        "type": {"text": "Hồ sơ"},
        "subject": {"reference": f"Patient/{patient['id']}"},
        "date": "2026-11-05T10:00:00+07:00",
        "title": "Hồ sơ",
        "author": [{"reference": "Organization/facility"}],
        "custodian": {"reference": "Organization/facility"},
        "section": [
            {
                "title": "Tất cả",
                "text": {"status": "generated", "div": DIV},
                "entry": [{"reference": f"{one['resourceType']}/{one['id']}"} for one in resources],
            }
        ],
    }
    entries = [
        {"fullUrl": f"{BASE}/{one['resourceType']}/{one['id']}", "resource": one}
        for one in (head, facility, *resources)
    ]
    return {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:0192f6a0-1111-7abc-8def-0123456789ab"},
        "entry": entries,
    }


def listed(bundle: Resource) -> list[tuple[str, Resource]]:
    """Give the resources the sections are made of, with their absolute URLs."""
    known: dict[str, tuple[str, Resource]] = {}
    for entry in bundle["entry"]:
        resource = entry["resource"]
        known[f"{resource['resourceType']}/{resource['id']}"] = (entry["fullUrl"], resource)
    return [
        known[one["reference"]]
        for section in bundle["entry"][0]["resource"]["section"]
        for one in section.get("entry", [])
        if one["reference"] in known
    ]


def said(root: etree._Element) -> set[tuple[str, str]]:
    nodes = root.xpath("//v3:structuredBody//v3:id", namespaces=V3)
    assert isinstance(nodes, list)
    return {(node.get("root", ""), node.get("extension", "")) for node in nodes if isinstance(node, etree._Element)}


def identity(url: str) -> tuple[str, str]:
    base, _, own = url.rpartition("/")
    return str(uuid5(NAMESPACE_URL, base)), own


def lost(bundle: Resource, root: etree._Element) -> list[str]:
    """Name the resources that neither an entry nor the header says."""
    known = said(root)
    visit = bundle["entry"][0]["resource"].get("encounter", {}).get("reference")
    missing = []
    for url, resource in listed(bundle):
        kind = resource["resourceType"]
        if kind in HEADER or f"{kind}/{resource['id']}" == visit:
            continue
        if identity(url) not in known:
            missing.append(f"{kind}/{resource['id']}")
    return missing


def unsaid(bundle: Resource, root: etree._Element) -> list[str]:
    """Name the persons, cards and relatives that the header should say and does not."""
    header = root.xpath("//v3:*[not(ancestor-or-self::v3:component)]", namespaces=V3)
    assert isinstance(header, list)
    nodes = [node for node in header if isinstance(node, etree._Element)]
    texts = {"".join(str(part) for part in node.itertext()) for node in nodes}
    numbers = {node.get("extension", "") for node in nodes}
    missing = []
    for _, resource in listed(bundle):
        if resource["resourceType"] not in ("Patient", "Coverage", "RelatedPerson"):
            continue
        shown = {one["value"] for one in resource.get("identifier", []) if one.get("value")}
        names = {one.get("text", "") for one in resource.get("name", [])}
        if not (shown <= numbers if shown else names & texts):
            missing.append(f"{resource['resourceType']}/{resource['id']}")
    return missing


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: f"{path.parent.parent.name}/{path.parent.name}")
def test_nothing_of_a_paper_is_lost(path: Path) -> None:
    for bundle in bundles(path):
        root = safe_xml.parse(cda.render(bundle))
        assert lost(bundle, root) == []
        assert unsaid(bundle, root) == []
        assert checked_tree(root).problems == ()


def test_the_search_would_see_a_loss() -> None:
    (bundle,) = bundles(GOLDEN / "papers/discharge_paper/inpatient/expected.fhir.json")
    root = safe_xml.parse(cda.render(bundle))
    entry = root.find(".//v3:entry", V3)
    assert entry is not None
    entry.getparent().remove(entry)  # type: ignore[union-attr]
    assert len(lost(bundle, root)) == 1
    target = root.find("v3:recordTarget", V3)
    assert target is not None
    root.remove(target)
    assert [one.partition("/")[0] for one in unsaid(bundle, root)] == ["Patient"]


def test_every_resource_that_messages_become_is_a_valid_entry() -> None:
    kinds: Counter[str] = Counter()
    wrong: dict[str, list[str]] = {}
    for path in MESSAGES:
        told = json.loads(path.read_bytes())["resources"]
        resources = [one for one in told if one["resourceType"] not in ("MessageHeader", "OperationOutcome")]
        if not resources:
            continue
        bundle = document(resources)
        root = safe_xml.parse(cda.render(bundle))
        problems = [] if schema().validate(root) else [str(schema().error_log)]
        problems += [f"lost {one}" for one in lost(bundle, root)]
        if problems:
            wrong[str(path.relative_to(GOLDEN))] = problems
        kinds.update(one["resourceType"] for one in resources)
    assert wrong == {}
    assert {"MedicationRequest", "Immunization", "AllergyIntolerance", "Procedure", "Goal", "DiagnosticReport"} <= set(
        kinds
    )
