"""The CDA rendition: valid against the schema, same narrative as FHIR, digits and codes kept, hostile text harmless."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
from lxml import etree

from mappings import cda, documents
from mappings.cda.faults import NarrativeUnsupported, NotADocument
from mappings.cda.settings import TEMPLATES
from mappings.documents import form
from mappings.formats import json, safe_xml
from mappings.formats.faults import XmlRefused
from mappings.outcome import Resource
from mappings.systems import DEFAULT
from tests.unit.documents.reading import cells, labels, table, titles
from tests.unit.documents.samples import CONTEXT, FORMED, NO_VISIT, SAMPLES, child, mother, sample, without

SCHEMA = Path(__file__).resolve().parents[3] / "../shared/corpora/cda-schema/sdtc/infrastructure/cda/CDA_SDTC.xsd"
PAPERS = sorted(SAMPLES)
V3 = {"v3": "urn:hl7-org:v3", "xsi": "http://www.w3.org/2001/XMLSchema-instance"}
TEXT = "{urn:hl7-org:v3}text"
HOSTILE = "a]]>b <script>alert(1)</script> & \x0b\x00 \ufffe \ud800 <!DOCTYPE x> dấu \" ' cuối"


@cache
def schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(SCHEMA))


def composed(paper: str, record: list[Resource] | None = None, **changes: Any) -> Resource:
    subject, known = sample(paper)
    return documents.compose(paper, subject, known if record is None else record, replace(CONTEXT, **changes))


def rendered(paper: str, record: list[Resource] | None = None, **changes: Any) -> etree._Element:
    return safe_xml.parse(cda.render(composed(paper, record, **changes)))


def assert_valid(root: etree._Element) -> None:
    if not SCHEMA.parent.parent.parent.parent.parent.exists():
        pytest.skip("corpora are not on this machine")
    schema().assertValid(root)


def values(root: etree._Element, path: str) -> list[str]:
    found = root.xpath(path, namespaces=V3)
    assert isinstance(found, list)
    return [str(one) for one in found]


def text_of(node: etree._Element) -> str:
    for line_end in node.iter(f"{{{V3['v3']}}}br"):
        line_end.text = "\n"
    return "".join(str(part) for part in node.itertext())


def find(record: list[Resource], reference: str) -> Resource:
    return next(r for r in record if f"{r['resourceType']}/{r['id']}" == reference)


@pytest.mark.parametrize("paper", PAPERS)
def test_valid_against_the_schema(paper: str) -> None:
    assert_valid(rendered(paper))


def test_the_schema_would_object() -> None:
    root = rendered("discharge_paper")
    root.insert(0, etree.SubElement(root, "{urn:hl7-org:v3}title"))
    if not SCHEMA.parent.parent.parent.parent.parent.exists():
        pytest.skip("corpora are not on this machine")
    assert not schema().validate(root)


@pytest.mark.parametrize("paper", [paper for paper in PAPERS if paper != "birth_certificate"])
def test_valid_for_a_child_without_card_and_as_second_version(paper: str) -> None:
    _, record = sample(paper)
    record = [child(), mother(), *without(record, "Patient/bn1", "Coverage/bhyt1")]
    root = rendered(paper, record, version=2, replaces="0192f6a0-0000-7abc-8def-0123456789ab")
    assert_valid(root)
    assert values(root, "//v3:guardian/v3:guardianPerson/v3:name/text()") == ["Trần Thị Hoà"]
    assert values(root, "//v3:guardian/v3:code/@code") == ["MTH"]
    assert values(root, "v3:versionNumber/@value") == ["2"]
    parents = values(root, "v3:relatedDocument[@typeCode='RPLC']/v3:parentDocument/v3:id/@root")
    assert parents == ["0192f6a0-0000-7abc-8def-0123456789ab"]


@pytest.mark.parametrize("paper", PAPERS)
def test_same_bundle_same_bytes(paper: str) -> None:
    bundle = composed(paper)
    first = cda.render(bundle)
    assert first.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
    assert cda.render(json.loads(json.dumps(bundle))) == first
    assert bundle == composed(paper)


@pytest.mark.parametrize("paper", PAPERS)
def test_header(paper: str) -> None:
    root = rendered(paper)
    assert values(root, "v3:realmCode/@code") == ["VN"]
    assert values(root, "v3:typeId/@extension") == ["POCD_HD000040"]
    assert values(root, "//v3:templateId/@root") == [TEMPLATES]
    assert values(root, "v3:templateId/@extension")[0].partition(":")[0] == paper
    assert values(root, "v3:id/@root") == [CONTEXT.number]
    assert set(values(root, "v3:title/text()")) <= titles(paper)
    assert values(root, "v3:effectiveTime/@value") == ["20261105101530+0700"]
    assert values(root, "v3:languageCode/@code") == ["vi-VN"]
    codes = values(root, "v3:code/@code") + values(root, "v3:code/v3:translation/@code")
    assert codes == [code for code in (form.form(paper).loinc, paper) if code]
    person = find(sample(paper)[1], "Patient/bn1")
    (name,) = root.iterfind("v3:recordTarget//v3:patient/v3:name", V3)
    assert text_of(name) == person["name"][0]["text"]
    assert values(root, "v3:recordTarget//v3:birthTime/@value") == [person["birthDate"].replace("-", "")]
    assert values(root, "v3:custodian//v3:name/text()") == ["Bệnh viện Đa khoa Sông Hồng"]
    assert values(root, "v3:legalAuthenticator/v3:signatureCode/@code") == ["S"]
    signs = "professional" in {signer.role for signer in form.form(paper).editions[0].signers}
    assert values(root, "v3:authenticator/v3:signatureCode/@code") == (["X"] if signs else [])
    came = [] if paper in NO_VISIT else ["20261101083000+0700"]
    assert values(root, "v3:componentOf//v3:effectiveTime/v3:low/@value") == came


def test_systems_without_oid_get_the_uuid_of_their_uri() -> None:
    root = rendered("discharge_paper")
    roots = dict(
        zip(
            values(root, "//v3:patientRole/v3:id/@extension"), values(root, "//v3:patientRole/v3:id/@root"), strict=True
        )
    )
    assert roots["001186000001"] == str(uuid5(NAMESPACE_URL, DEFAULT.cccd))
    assert DEFAULT.cccd in values(root, "//v3:patientRole/v3:id/@assigningAuthorityName")


def test_a_system_that_is_an_oid_keeps_it() -> None:
    _, record = sample("discharge_paper")
    find(record, "Patient/bn1")["identifier"][0]["system"] = "urn:oid:2.16.704.1"
    assert "2.16.704.1" in values(rendered("discharge_paper", record), "//v3:patientRole/v3:id/@root")


@pytest.mark.parametrize("paper", PAPERS)
def test_the_narrative_says_what_the_fhir_narrative_says(paper: str) -> None:
    bundle = composed(paper)
    root = safe_xml.parse(cda.render(bundle))
    shown = {str(node.get("ID")): text_of(node) for node in root.iter() if node.get("ID") and node.tag != TEXT}
    assert shown == cells(bundle)
    rows = root.xpath("//v3:structuredBody/v3:component[position() < last()]//v3:tbody/v3:tr/v3:th", namespaces=V3)
    assert isinstance(rows, list)
    assert [text_of(row) for row in rows if isinstance(row, etree._Element)] == labels(bundle)


def test_birth_year_alone() -> None:
    _, record = sample("discharge_paper")
    find(record, "Patient/bn1")["birthDate"] = "1957"
    root = rendered("discharge_paper", record)
    assert_valid(root)
    assert values(root, "//v3:birthTime/@value") == ["1957"]


def test_diagnoses_carry_icd10() -> None:
    root = rendered("discharge_paper")
    path = "//v3:observation/v3:value[@codeSystem='2.16.840.1.113883.6.3']/@code"
    assert values(root, path) == ["J18.9", "E11.9"]
    assert set(values(root, "//v3:observation/v3:text/v3:reference/@value")) >= {"#CHAN_DOAN", "#PP_DIEUTRI"}


def test_results_keep_their_digits() -> None:
    bundle = composed("lab_report")
    root = safe_xml.parse(cda.render(bundle))
    assert_valid(root)
    heads = values(root, "//v3:thead/v3:tr/v3:th/text()")
    assert heads[:5] == ["STT", "Tên xét nghiệm", "Kết quả", "Đơn vị", "Khoảng tham chiếu"]
    assert len(values(root, "//v3:section[v3:title='Kết quả xét nghiệm']//v3:tbody/v3:tr/v3:td[1]/text()")) == 4
    measured = "//v3:component/v3:observation[v3:id]/v3:value"
    assert values(root, f"{measured}[@xsi:type='PQ']/@value") == ["4.50", "2.80"]
    assert values(root, f"{measured}[@xsi:type='PQ']/@unit") == ["mmol/L", "mmol/L"]
    assert values(root, f"{measured}[@xsi:type='ST']/text()") == ["O Rh(D) dương"]
    foreign = "//v3:component/v3:observation/v3:value[@xsi:type='IVL_PQ']/v3:high[@nullFlavor='OTH']/v3:translation"
    assert values(root, f"{foreign}/@value") == ["0.30"]
    assert values(root, f"{foreign}/v3:originalText/text()") == ["mg/dL lạ"]
    limits = "//v3:referenceRange/v3:observationRange/v3:value/v3:{}/@value"
    assert values(root, limits.format("low")) == ["3.90"]
    assert values(root, limits.format("high")) == ["6.40"]
    assert values(root, "//v3:observationRange/v3:text/text()") == ["3.5 - 5.1"]
    assert values(root, "//v3:interpretationCode/@code") == ["LL"]
    assert values(root, "//v3:organizer//v3:text/v3:reference/@value") == [f"#KET_QUA-{n}" for n in (1, 2, 3, 4)]
    assert values(root, "v3:inFulfillmentOf/v3:order/v3:id/@extension") == ["CD26000009"]
    assert len(table(bundle)) == 5
    # a result is said once as an entry, inside the report
    assert len(values(root, "//v3:value[@value='4.50']/@value")) == 1


@pytest.mark.parametrize(
    ("comparator", "limit"), [("<", "high false"), ("<=", "high true"), (">", "low false"), (">=", "low true")]
)
def test_results_beyond_a_limit_are_intervals(comparator: str, limit: str) -> None:
    _, record = sample("lab_report")
    find(record, "Observation/kq1")["valueQuantity"]["comparator"] = comparator
    root = rendered("lab_report", record)
    assert_valid(root)
    side, inclusive = limit.split()
    value = f"//v3:observation[v3:id/@extension='kq1']/v3:value[@xsi:type='IVL_PQ']/v3:{side}"
    assert values(root, f"{value}/@inclusive") == [inclusive]
    assert values(root, f"{value}/@value") == ["4.50"]


def test_a_referral_names_who_it_is_for() -> None:
    root = rendered("referral")
    path = "v3:informationRecipient//v3:receivedOrganization/v3:name/text()"
    assert values(root, path) == ["Bệnh viện Trung ương Thử Nghiệm"]
    assert values(root, "v3:inFulfillmentOf") == []


def test_an_appointment_is_an_entry() -> None:
    root = rendered("reexamination")
    assert values(root, "//v3:encounter[@moodCode='APT']/v3:effectiveTime/v3:low/@value") == ["20261119080000+0700"]


@pytest.mark.parametrize("paper", PAPERS)
def test_hostile_text(paper: str) -> None:
    _, record = sample(paper)
    person = find(record, "Patient/bn1")
    person["name"] = [{"text": HOSTILE}]
    person["address"] = [{"text": HOSTILE}]
    person["identifier"][0]["value"] = HOSTILE
    person["telecom"] = [{"system": "phone", "value": HOSTILE}]
    for resource in record:
        if "valueString" in resource and resource["code"]["coding"][0].get("code") not in FORMED:
            resource["valueString"] = HOSTILE
    find(record, "Condition/cd1")["code"]["text"] = HOSTILE
    find(record, "Practitioner/bs1")["name"] = [{"text": HOSTILE}]
    root = rendered(paper, record)
    assert_valid(root)
    assert values(root, "//*[local-name()='script']") == []
    clean = HOSTILE.translate(dict.fromkeys((0x0B, 0, 0xFFFE, 0xD800), "�"))
    assert values(root, "v3:recordTarget//v3:patient/v3:name/text()") == [clean]


def test_what_is_no_document_of_ours() -> None:
    bundle = composed("discharge_paper")
    with pytest.raises(NotADocument):
        cda.render({**bundle, "type": "collection"})
    with pytest.raises(NotADocument):
        cda.render({**bundle, "entry": bundle["entry"][1:]})
    with pytest.raises(NotADocument) as missing:
        cda.render({**bundle, "entry": bundle["entry"][:1]})
    assert missing.value.where == "Composition.subject"


def test_markup_without_a_place_in_cda_is_refused() -> None:
    bundle = composed("discharge_paper")
    text = bundle["entry"][0]["resource"]["section"][0]["text"]
    text["div"] = text["div"].replace("<p ", "<ul ", 1).replace("</p>", "</ul>", 1)
    with pytest.raises(NarrativeUnsupported) as unsupported:
        cda.render(bundle)
    assert unsupported.value.where == "ul"


@pytest.mark.parametrize("inside", ["<span>" * 300 + "</span>" * 300, "<span>", "&undeclared;", "<!-- a remark -->"])
def test_a_narrative_that_is_no_markup_of_ours_is_refused(inside: str) -> None:
    bundle = composed("discharge_paper")
    text = bundle["entry"][0]["resource"]["section"][0]["text"]
    text["div"] = text["div"].replace("</div>", f"{inside}</div>", 1)
    with pytest.raises((XmlRefused, NarrativeUnsupported)):
        cda.render(bundle)
