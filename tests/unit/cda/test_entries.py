"""Every resource becomes an entry or stands in the header: no resource a section is made of is lost, whatever it holds."""

from __future__ import annotations

import re
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
from tests.unit.cda import rich
from tests.unit.cda.test_render import V3, values

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


@cache
def whole() -> etree._Element:
    return safe_xml.parse(cda.render(document(rich.everything())))


def test_everything_that_can_be_said_is_valid() -> None:
    problems = [] if schema().validate(whole()) else [str(schema().error_log)]
    assert problems == []
    assert lost(document(rich.everything()), whole()) == []
    assert unsaid(document(rich.everything()), whole()) == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        # header
        ("//v3:patientRole/v3:addr[@use='HP']/v3:county/text()", ["Huyện B"]),
        ("//v3:patientRole/v3:addr/@use", ["HP", "BAD"]),
        ("//v3:patientRole/v3:telecom/@value", ["mailto:be@example.org", "http://x/y"]),
        ("//v3:patient/v3:name/@use", ["L"]),
        ("//v3:patient/v3:maritalStatusCode/@code", ["S"]),
        ("//v3:patient/v3:religiousAffiliationCode/@code", ["01"]),
        ("//v3:patient/v3:birthplace//v3:city/text()", ["Hải Phòng"]),
        ("//v3:patient/v3:languageCommunication/v3:languageCode/@code", ["vi"]),
        ("//v3:patient/v3:guardian/v3:code/@code", ["MTH"]),
        ("v3:informant/v3:relatedEntity/v3:code/@code", ["MTH"]),
        ("v3:participant[@typeCode='IND']/v3:associatedEntity/v3:code/@code", ["AUNT"]),
        ("v3:participant[@typeCode='HLD']//v3:scopingOrganization/v3:name/text()", ["Bảo hiểm xã hội Việt Nam"]),
        ("v3:authorization/v3:consent/v3:code/@code", ["59284-0"]),
        ("v3:inFulfillmentOf/v3:order/v3:id/@extension", ["CD1"]),
        ("v3:documentationOf/v3:serviceEvent/v3:code/@code", ["36643-5"]),
        ("v3:documentationOf//v3:performer/v3:assignedEntity/v3:code/v3:originalText/text()", ["Bác sĩ điều trị"]),
        # problems
        ("{benh}/v3:effectiveTime/*/@value", ["202503", "20260110"]),
        (
            "{benh}/v3:entryRelationship/v3:observation[v3:code/@code='33999-4']/v3:value/@code",
            ["resolved"],
        ),
        ("{benh}/v3:entryRelationship/v3:observation[v3:code/@code='SEV']/v3:value/@code", ["24484000"]),
        ("{benh}/v3:author/v3:time/@value", ["20261105080000+0700"]),
        ("{benh}//v3:act[v3:code/@code='48767-8']/v3:text/text()", ["theo dõi"]),
        ("{di-ung}/v3:participant[@typeCode='CSM']//v3:playingEntity/v3:code/@code", ["J01CA04"]),
        ("{di-ung}/v3:value/@code | {di-ung}/v3:value/v3:translation/@code", ["DALG"]),
        ("{di-ung}/v3:entryRelationship[@typeCode='MFST']/v3:observation/v3:value/@code", ["247472004"]),
        ("{di-ung}//v3:observation[v3:code/@code='82606-5']/v3:value/@code", ["CRITH"]),
        ("{gia-dinh}/v3:subject/v3:relatedSubject/v3:code/@code", ["FTH"]),
        ("{gia-dinh}//v3:observation[v3:code/@code='21611-9']/v3:value/@value", ["40"]),
        # findings
        ("//v3:organizer[v3:code/@code='8716-3']/v3:component/v3:observation/v3:code/@code", ["8867-4", "85354-9"]),
        ("{ha}/v3:entryRelationship/v3:observation[v3:code/@code='8480-6']/v3:value/@value", ["120"]),
        ("{vi-sinh}/v3:entryRelationship/v3:observation[v3:id/@extension='khang-sinh']/v3:value/v3:low/@value", ["2"]),
        ("{vi-sinh}//v3:observation[v3:code/@code='Observation.status']/v3:value/text()", ["corrected"]),
        ("{vi-sinh}/v3:participant[@typeCode='DEV']//v3:manufacturerModelName/text()", ["Máy A"]),
        ("{khoang}/v3:value/*/@value", ["1", "2"]),
        ("{ti-le}/v3:value/v3:denominator/@value", ["128"]),
        ("{song}/v3:value/v3:digits/text()", ["1 -2 3"]),
        ("{trong}/v3:value/@nullFlavor", ["NASK"]),
        # reports
        ("{xq}/v3:component/v3:act/v3:entryRelationship/v3:act/v3:id/@root", ["1.2.3.4.1"]),
        ("{xq}/v3:component/v3:observationMedia/v3:value/text()", ["JVBERi0="]),
        (
            "{xq}/v3:component/v3:observation[v3:code/@code='DiagnosticReport.conclusion']/v3:value/text()",
            ["Không thấy tổn thương"],
        ),
        ("{giay}/v3:reference/v3:externalDocument/v3:text/v3:reference/@value", ["https://example.org/giay.pdf"]),
        # medicines
        ("{don}/v3:effectiveTime[@xsi:type='PIVL_TS']/v3:period/@value", ["8"]),
        ("{don}/v3:doseQuantity/v3:translation/v3:originalText/text()", ["viên"]),
        ("{don}//v3:supply/v3:repeatNumber/@value", ["3"]),
        ("{don}//v3:supply/v3:expectedUseTime/v3:width/@value", ["7"]),
        ("{don}/v3:precondition/v3:criterion/v3:value/v3:originalText/text()", ["sốt"]),
        ("{don}//v3:act[v3:code/@code='76662-6']/v3:text/text()", ["Uống 1 viên x 3 lần/ngày", "sau đó 1 viên tối"]),
        ("{don}/v3:entryRelationship[v3:sequenceNumber/@value='2']//v3:event/@code", ["PC", "HS"]),
        ("{don}//v3:manufacturedMaterial/v3:lotNumberText/text()", ["L1"]),
        ("{dang-dung}/v3:effectiveTime/v3:phase/v3:low/@value", ["19000101080000", "19000101200000"]),
        ("{da-tiem}/@negationInd", ["true"]),
        ("{da-tiem}/v3:rateQuantity/@unit", ["mL/h"]),
        ("{da-phat}/v3:quantity/v3:translation/@value", ["21"]),
        ("{tiem}/@negationInd", ["true"]),
        ("{tiem}//v3:observation[v3:code/@code='30973-2']/v3:value/@value", ["2"]),
        ("{tiem}//v3:manufacturerOrganization/v3:name/text()", ["VABIOTECH"]),
        # acts
        ("{mo}/@negationInd", ["true"]),
        ("{mo}/v3:participant[@typeCode='LOC']//v3:name/text()", ["Phòng mổ 1"]),
        (
            "{mo}//v3:observation[v3:code/@code='Procedure.complication[0]']/v3:value/v3:originalText/text()",
            ["chảy máu"],
        ),
        ("{chi-dinh}/@moodCode", ["INT"]),
        ("{chi-dinh}/v3:priorityCode/@code", ["S"]),
        ("{ke-hoach}/v3:entryRelationship/v3:act/v3:text/text()", ["đo huyết áp"]),
        ("{dich}/@moodCode", ["GOL"]),
        ("{dich}/v3:effectiveTime/v3:high/@value", ["20270101"]),
        ("{hen}/@moodCode", ["ARQ"]),
        ("{nhan-dinh}/v3:text/text()", ["Ổn định, theo dõi tiếp"]),
        ("{an}/v3:code/v3:originalText/text()", ["NutritionOrder"]),
    ],
)
def test_what_an_entry_says(path: str, expected: list[str]) -> None:
    """`{id}` stands for the entry of the resource with that id, or for its component inside a report."""

    def entry(match: re.Match[str]) -> str:
        top = f"//v3:entry/*[v3:id[@extension='{match[1]}']]"
        return top if values(whole(), f"{top}/@moodCode") else f"//v3:component/*[v3:id[@extension='{match[1]}']]"

    named = re.sub(r"\{([a-z-]+)\}", entry, path)
    assert values(whole(), named) == expected
