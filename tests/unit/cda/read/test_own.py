"""Documents of ours: an entry says which resource it is, and by paths what CDA has no place for."""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5

import pytest

from mappings import cda
from mappings.cda.read import read
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import DEFAULT
from tests.unit.cda.read.snippets import LOINC, SNOMED, all_of, codes, one, sound, taken
from tests.unit.cda.test_render import PAPERS, composed

PATHS = "http://hl7.org/fhir/StructureDefinition"


def own_id(kind: str, value: str, base: str = DEFAULT.own) -> str:
    uri = f"{base}/{kind}"
    return f'<id root="{uuid5(NAMESPACE_URL, uri)}" extension="{value}" assigningAuthorityName="{uri}"/>'


def path(element: str, inside: str, name: str = "observation") -> str:
    code = f'<code code="{element}" codeSystem="{uuid5(NAMESPACE_URL, PATHS)}" codeSystemName="{PATHS}"/>'
    said = f"{inside}{code}" if name == "act" else f'{code}<statusCode code="completed"/>{inside}'
    return (
        f'<entryRelationship typeCode="REFR"><{name} classCode="OBS" moodCode="EVN">{said}</{name}></entryRelationship>'
    )


def coded(code: str, system: str = SNOMED) -> str:
    return f'<value xsi:type="CD" code="{code}" codeSystem="{system}"/>'


def procedure(inside: str, number: str = "mo") -> str:
    return f"""<procedure classCode="PROC" moodCode="EVN">{own_id("Procedure", number)}<code code="80146002"
    codeSystem="{SNOMED}"/><statusCode code="completed"/>{inside}</procedure>"""


def test_an_entry_is_the_resource_it_says_it_is() -> None:
    reading = taken(procedure(""), "47519-4")
    found = one(reading, "Procedure")
    assert found["id"] == "mo"
    assert "identifier" not in found
    assert not reading.coverage.unknown


def test_a_resource_of_another_server_gets_an_id_made_of_its_address() -> None:
    other = procedure("").replace(own_id("Procedure", "mo"), own_id("Procedure", "1", "https://b.example/fhir"))
    assert one(taken(other, "47519-4"), "Procedure")["id"] == resource_id("Procedure", "https://b.example/fhir", "1")


def test_elements_said_by_paths_are_taken() -> None:
    inside = path("Procedure.category", coded("387713003"))
    inside += path("Procedure.performer[0].function", coded("304292004"))
    inside += path("Procedure.performer[0].actor", own_id("Practitioner", "bs") + "<text>BS. Tạ</text>", "act")
    inside += path("Procedure.followUp[0]", coded("18949003"))
    inside += path(
        "Procedure.followUp[1]", '<value xsi:type="CD" nullFlavor="OTH"><originalText>tái khám</originalText></value>'
    )
    inside += path("Procedure.performedString", '<value xsi:type="ST">sáng nay</value>')
    reading = taken(procedure(inside), "47519-4")
    found = one(reading, "Procedure")
    assert codes(found["category"]) == ["387713003"]
    assert codes(found["performer"][0]["function"]) == ["304292004"]
    assert found["performer"][0]["actor"]["identifier"]["value"] == "bs"
    assert found["performer"][0]["actor"]["display"] == "BS. Tạ"
    assert [one.get("text", "") for one in found["followUp"]] == ["", "tái khám"]
    assert found["performedString"] == "sáng nay"
    assert not reading.coverage.unknown


@pytest.mark.parametrize(
    ("element", "inside"),
    [
        ("Procedure.nothing", coded("1")),
        ("Procedure.status", '<value xsi:type="ST">nonsense</value>'),
        ("Observation.category", coded("1")),
        ("Procedure.category[", coded("1")),
        ("Procedure.performer[0].nothing.deep", coded("1")),
    ],
)
def test_a_path_that_fits_nothing_is_unknown_and_does_no_harm(element: str, inside: str) -> None:
    reading = taken(procedure(path(element, inside)), "47519-4")
    assert one(reading, "Procedure")["status"] == "completed"
    assert reading.coverage.unknown


def test_a_resource_said_by_paths_alone() -> None:
    entry = f"""<act classCode="ACT" moodCode="INT">{own_id("CarePlan", "kh")}<code code="18776-5" codeSystem="{LOINC}"/>
    <statusCode code="active"/>{path("CarePlan.status", '<value xsi:type="ST">active</value>')}
    {path("CarePlan.intent", '<value xsi:type="ST">plan</value>')}
    {path("CarePlan.title", '<value xsi:type="ST">Chăm sóc</value>')}
    {path("CarePlan.activity[0].detail.status", '<value xsi:type="ST">scheduled</value>')}
    {path("CarePlan.activity[0].detail.description", '<value xsi:type="ST">Tập thở</value>')}</act>"""
    reading = taken(entry, "18776-5")
    plan = one(reading, "CarePlan")
    assert (plan["id"], plan["title"], plan["intent"]) == ("kh", "Chăm sóc", "plan")
    assert plan["activity"] == [{"detail": {"status": "scheduled", "description": "Tập thở"}}]
    assert plan["subject"]["reference"].startswith("Patient/")
    assert not reading.coverage.unknown


def test_references_may_lead_forwards() -> None:
    act = f'<act classCode="ACT" moodCode="EVN">{own_id("Condition", "b")}</act>'
    pointer = f'<entryRelationship typeCode="RSON">{act}</entryRelationship>'
    condition = f"""<observation classCode="OBS" moodCode="EVN">{own_id("Condition", "b")}<code code="29308-4"
    codeSystem="{LOINC}"/><statusCode code="completed"/>{coded("44054006")}</observation>"""
    reading = taken(f"{procedure(pointer)}<!--next-->{condition}", "47519-4")
    assert one(reading, "Procedure")["reasonReference"] == [{"reference": "Condition/b"}]
    assert not reading.coverage.unknown


def of_type(bundle: Resource, kind: str) -> list[Resource]:
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


@pytest.mark.parametrize("paper", PAPERS)
def test_a_paper_of_ours_is_read_without_a_rest(paper: str) -> None:
    bundle = composed(paper)
    reading = sound(read(cda.render(bundle)))
    assert not reading.coverage.unknown
    for kind in ("Condition", "Observation", "DiagnosticReport", "Appointment"):
        known = [resource.get("code") for resource in of_type(bundle, kind)]
        assert all(resource.get("code") in known for resource in all_of(reading, kind)), kind
    patient, again = of_type(bundle, "Patient")[0], one(reading, "Patient")
    assert again["identifier"] == [{k: i[k] for k in ("system", "value")} for i in patient["identifier"]]
    assert (again["birthDate"], again["gender"]) == (patient["birthDate"], patient["gender"])
    assert one(reading, "Composition")["title"] == of_type(bundle, "Composition")[0]["title"]
