"""Results, vital signs, whatever is observed; procedures, plans, visits, notes, insurance."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.cda.read.snippets import LOINC, OWN, SNOMED, all_of, codes, one, taken, unknown

UCUM = "http://unitsofmeasure.org"
ABSENT = {"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "not-asked"}
POSITIVE = {"system": "http://snomed.info/sct", "code": "10828004", "display": "Positive"}


def observation(
    value: str, inside: str = "", attributes: str = "", mood: str = "EVN", status: str = "completed"
) -> str:
    return f"""<observation classCode="OBS" moodCode="{mood}" {attributes}><id root="{OWN}" extension="o1"/>
    <code code="718-7" codeSystem="{LOINC}" displayName="Hb"/><statusCode code="{status}"/>
    <effectiveTime value="202503010730+0700"/>{value}{inside}</observation>"""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            '<value xsi:type="PQ" value="4.50" unit="mmol/L"/>',
            {"valueQuantity": {"value": Decimal("4.50"), "unit": "mmol/L", "system": UCUM, "code": "mmol/L"}},
        ),
        (
            '<value xsi:type="PQ" value="4" unit="viên/ngày"/>',
            {"valueQuantity": {"value": Decimal(4), "unit": "viên/ngày"}},
        ),
        ('<value xsi:type="INT" value="3"/>', {"valueInteger": 3}),
        ('<value xsi:type="REAL" value="3.10"/>', {"valueQuantity": {"value": Decimal("3.10")}}),
        ('<value xsi:type="BL" value="true"/>', {"valueBoolean": True}),
        ('<value xsi:type="ST">Dương tính\n  (++)</value>', {"valueString": "Dương tính\n(++)"}),
        ('<value xsi:type="ED">Chữ</value>', {"valueString": "Chữ"}),
        ('<value xsi:type="TS" value="2024"/>', {"valueDateTime": "2024"}),
        (
            '<value xsi:type="IVL_TS"><low value="2024"/><high value="2025"/></value>',
            {"valuePeriod": {"start": "2024", "end": "2025"}},
        ),
        (
            '<value xsi:type="IVL_PQ"><high value="5" inclusive="false"/></value>',
            {"valueQuantity": {"value": Decimal(5), "comparator": "<"}},
        ),
        (
            '<value xsi:type="IVL_PQ"><low value="5"/></value>',
            {"valueQuantity": {"value": Decimal(5), "comparator": ">="}},
        ),
        (
            '<value xsi:type="IVL_PQ"><low value="1"/><high value="2"/></value>',
            {"valueRange": {"low": {"value": Decimal(1)}, "high": {"value": Decimal(2)}}},
        ),
        (
            '<value xsi:type="RTO_PQ_PQ"><numerator value="1"/><denominator value="128"/></value>',
            {"valueRatio": {"numerator": {"value": Decimal(1)}, "denominator": {"value": Decimal(128)}}},
        ),
        ('<value xsi:type="II" root="1.2" extension="N7"/>', {"valueString": "N7"}),
        (
            f'<value xsi:type="CD" code="10828004" codeSystem="{SNOMED}" displayName="Positive"/>',
            {"valueCodeableConcept": {"coding": [POSITIVE]}},
        ),
        (
            '<value xsi:type="PQ" nullFlavor="NASK"/>',
            {"dataAbsentReason": {"coding": [ABSENT]}},
        ),
    ],
)
def test_values(value: str, expected: dict[str, Any]) -> None:
    reading = taken(observation(value), "30954-2")
    found = one(reading, "Observation")
    assert {name: said for name, said in found.items() if name.startswith(("value", "dataAbsent"))} == expected
    assert unknown(reading) == {}


def test_a_code_that_hl7_does_not_have_is_claimed_of_nobody() -> None:
    value = '<value xsi:type="CD" code="XYZ" codeSystem="2.16.840.1.113883.5.83" displayName="Lạ"/>'
    found = one(taken(observation(value), "30954-2"), "Observation")
    assert found["valueCodeableConcept"]["coding"] == [{"code": "XYZ", "display": "Lạ"}]


def test_a_result_with_its_range_and_interpretation() -> None:
    inside = f"""<interpretationCode code="H" codeSystem="2.16.840.1.113883.5.83"/><methodCode code="1" codeSystem="{OWN}"/>
    <referenceRange><observationRange><text>12 – 16</text><value xsi:type="IVL_PQ"><low value="12.0" unit="g/dL"/>
    <high value="16.0" unit="g/dL"/></value></observationRange></referenceRange>"""
    found = one(taken(observation('<value xsi:type="PQ" value="17.0" unit="g/dL"/>', inside), "30954-2"), "Observation")
    assert found["status"] == "final"
    assert found["interpretation"][0]["coding"][0]["display"] == "High"
    assert str(found["referenceRange"][0]["low"]["value"]) == "12.0"
    assert found["referenceRange"][0]["text"] == "12 – 16"


def test_a_report_holds_its_results_and_gives_them_its_time() -> None:
    result = observation('<value xsi:type="PQ" value="1"/>').replace('<effectiveTime value="202503010730+0700"/>', "")
    organizer = f"""<organizer classCode="BATTERY" moodCode="EVN"><id root="{OWN}" extension="r1"/>
    <code code="58410-2" codeSystem="{LOINC}"/><statusCode code="completed"/><effectiveTime value="20250301"/>
    <specimen><specimenRole><id root="{OWN}.7" extension="M1"/></specimenRole></specimen>
    <component>{result}</component></organizer>"""
    reading = taken(organizer, "30954-2")
    report, found = one(reading, "DiagnosticReport"), one(reading, "Observation")
    assert report["result"] == [{"reference": f"Observation/{found['id']}"}]
    assert report["specimen"] == [{"reference": f"Specimen/{one(reading, 'Specimen')['id']}"}]
    assert found["effectiveDateTime"] == report["effectiveDateTime"] == "2025-03-01"


def test_vital_signs_are_a_panel() -> None:
    organizer = f"""<organizer classCode="CLUSTER" moodCode="EVN"><code code="46680005" codeSystem="{SNOMED}"/>
    <statusCode code="completed"/><component>{observation('<value xsi:type="PQ" value="90" unit="kg"/>')}</component>
    </organizer>"""
    panel, sign = all_of(taken(organizer, "8716-3"), "Observation")
    assert panel["hasMember"] == [{"reference": f"Observation/{sign['id']}"}]
    assert codes(sign["category"][0]) == ["vital-signs"]


def test_what_is_denied_never_reads_as_found() -> None:
    value = f'<value xsi:type="CD" code="56018004" codeSystem="{SNOMED}" displayName="Wheezing"/>'
    found = one(taken(observation(value, attributes='negationInd="true"'), "29545-1"), "Observation")
    assert found["valueString"] == "Không (negationInd): Wheezing"
    assert "valueCodeableConcept" not in found
    bare = one(taken(observation("", attributes='negationInd="true"'), "29545-1"), "Observation")
    assert bare["valueBoolean"] is False


@pytest.mark.parametrize(("mood", "intent"), [("RQO", "order"), ("INT", "plan"), ("PRP", "proposal"), ("PRMS", "plan")])
@pytest.mark.parametrize("name", ["act", "observation", "procedure", "encounter"])
def test_what_is_not_done_yet_is_a_request(name: str, mood: str, intent: str) -> None:
    entry = f"""<{name} classCode="ACT" moodCode="{mood}"><id root="{OWN}" extension="q1"/><code code="73761001"
    codeSystem="{SNOMED}"/><statusCode code="active"/><effectiveTime value="20260401"/></{name}>"""
    reading = taken(entry, "18776-5")
    found = one(reading, "ServiceRequest")
    assert (found["intent"], found["status"], found["occurrenceDateTime"]) == (intent, "active", "2026-04-01")
    assert all_of(reading, "Procedure") + all_of(reading, "Observation") + all_of(reading, "Encounter") == []


def test_goals_appointments_visits_procedures() -> None:
    goal = observation('<value xsi:type="PQ" value="37" unit="Cel"/>', mood="GOL", status="active")
    visit = f"""<encounter classCode="ENC" moodCode="{{}}"><id root="{OWN}" extension="e{{}}"/><effectiveTime>
    <low value="202604010800+0700"/><high value="202604010830+0700"/></effectiveTime></encounter>"""
    procedure = f"""<procedure classCode="PROC" moodCode="EVN" negationInd="true"><code code="1" codeSystem="{OWN}"/>
    <statusCode code="completed"/></procedure>"""
    entries = [goal, visit.format("APT", 1), visit.format("EVN", 2), procedure]
    reading = taken("<!--next-->".join(entries), "18776-5")
    assert one(reading, "Goal")["target"][0]["detailQuantity"]["value"] == 37
    assert (one(reading, "Appointment")["status"], one(reading, "Encounter")["status"]) == ("booked", "finished")
    assert one(reading, "Procedure")["status"] == "not-done"


def test_a_note_keeps_its_words() -> None:
    note = f"""<act classCode="ACT" moodCode="EVN"><code code="34109-9" codeSystem="{LOINC}"/><text><reference
    value="#n"/></text><statusCode code="completed"/></act>"""
    text = '<text><paragraph ID="n">Dòng một<br/>Dòng hai</paragraph></text>'
    found = one(taken(note, "11506-3", text), "DocumentReference")
    assert base64.b64decode(found["content"][0]["attachment"]["data"]).decode() == "Dòng một\nDòng hai"


def test_insurance() -> None:
    policy = f"""<act classCode="ACT" moodCode="EVN"><code code="48768-6" codeSystem="{LOINC}"/>
    <entryRelationship typeCode="COMP"><act classCode="ACT" moodCode="EVN"><id root="{OWN}.8" extension="BH1"/>
    <code code="1" codeSystem="{OWN}"/><performer><assignedEntity><representedOrganization><name>BHXH</name>
    </representedOrganization></assignedEntity></performer><participant typeCode="COV"><participantRole>
    <id root="{OWN}.9" extension="DN4010"/></participantRole></participant></act></entryRelationship></act>"""
    reading = taken(policy, "48768-6")
    found = one(reading, "Coverage")
    assert found["subscriberId"] == "DN4010"
    payor = next(o for o in all_of(reading, "Organization") if o["name"] == "BHXH")
    assert found["payor"] == [{"reference": f"Organization/{payor['id']}"}]


def test_confidential_sections_label_what_they_hold() -> None:
    secret = '<confidentialityCode code="R" codeSystem="2.16.840.1.113883.5.25"/>'
    reading = taken(observation('<value xsi:type="INT" value="1"/>'), "30954-2", f"{secret}<text>x</text>")
    assert one(reading, "Observation")["meta"]["security"][0]["code"] == "R"


def test_what_nobody_knows_is_listed_with_its_place_and_no_value() -> None:
    reading = taken(observation('<value xsi:type="INT" value="1"/>', '<sdtc:new code="bí mật"/>'), "30954-2")
    ((position, why),) = reading.coverage.unknown.items()
    assert position.endswith("/section/entry/observation/sdtc:new/@code")
    assert why == "no mapping knows the element"
    assert "bí mật" not in position


def test_mapped_facts_name_resource_and_element() -> None:
    reading = taken(observation('<value xsi:type="PQ" value="4" unit="g"/>'), "30954-2")
    found = one(reading, "Observation")
    places = {
        p.rpartition("/observation/")[2]: target for p, target in reading.coverage.mapped.items() if "/entry/" in p
    }
    assert places["value/@value"] == f"Observation/{found['id']}.value[x]"
    assert places["code/@code"] == f"Observation/{found['id']}.code"
    assert places["effectiveTime/@value"] == f"Observation/{found['id']}.effective"
