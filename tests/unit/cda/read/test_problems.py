"""Problems, allergies, family: what somebody has, has not, or a relative has."""

from __future__ import annotations

import pytest

from mappings.cda import faults
from tests.unit.cda.read.snippets import LOINC, OWN, SNOMED, all_of, codes, one, taken, unknown

ACT_CODE = "2.16.840.1.113883.5.4"


def concern(inside: str, code: str = "CONC", status: str = "active") -> str:
    return f"""<act classCode="ACT" moodCode="EVN"><id root="{OWN}" extension="c1"/>
    <code code="{code}" codeSystem="2.16.840.1.113883.5.6"/><statusCode code="{status}"/>
    <effectiveTime><low value="20250102"/></effectiveTime>
    <author><time value="20250103"/><assignedAuthor><id root="{OWN}.2" extension="BS1"/></assignedAuthor></author>
    <entryRelationship typeCode="SUBJ">{inside}</entryRelationship></act>"""


def problem(inside: str = "", value: str = "", attributes: str = "", high: str = "") -> str:
    value = value or f'<value xsi:type="CD" code="233604007" codeSystem="{SNOMED}" displayName="Pneumonia"/>'
    return f"""<observation classCode="OBS" moodCode="EVN" {attributes}><id root="{OWN}" extension="p1"/>
    <code code="282291009" codeSystem="{SNOMED}"/><statusCode code="completed"/>
    <effectiveTime><low value="20241230"/>{high}</effectiveTime>{value}{inside}</observation>"""


def sub(code: str, value: str, kind: str = "REFR", system: str = LOINC) -> str:
    return f"""<entryRelationship typeCode="{kind}" inversionInd="true"><observation classCode="OBS" moodCode="EVN">
    <code code="{code}" codeSystem="{system}"/><statusCode code="completed"/>{value}</observation></entryRelationship>"""


def test_a_problem_in_its_concern() -> None:
    reading = taken(concern(problem()))
    condition = one(reading, "Condition")
    assert condition["code"]["coding"] == [
        {"system": "http://snomed.info/sct", "code": "233604007", "display": "Pneumonia"}
    ]
    assert codes(condition["clinicalStatus"]) == ["active"]
    assert codes(condition["category"][0]) == ["problem-list-item"]
    assert (condition["onsetDateTime"], condition["recordedDate"]) == ("2024-12-30", "2025-01-03")
    assert condition["recorder"]["reference"].startswith("Practitioner/")
    assert [number["value"] for number in condition["identifier"]] == ["p1", "c1"]
    assert condition["extension"][0]["valueDateTime"] == "2025-01-02"
    section = one(reading, "Composition")["section"][0]
    assert section["entry"] == [{"reference": f"Condition/{condition['id']}"}]
    assert unknown(reading) == {}


@pytest.mark.parametrize(
    ("status", "said", "high", "expected"),
    [
        ("active", "", "", "active"),
        ("completed", "", "", "inactive"),
        ("active", "", '<high value="20250201"/>', "resolved"),
        ("active", "413322009", "", "resolved"),
        ("completed", "55561003", "", "active"),
    ],
)
def test_clinical_status(status: str, said: str, high: str, expected: str) -> None:
    inside = sub("33999-4", f'<value xsi:type="CD" code="{said}" codeSystem="{SNOMED}"/>') if said else ""
    condition = one(taken(concern(problem(inside, high=high), status=status)), "Condition")
    assert codes(condition["clinicalStatus"]) == [expected]


def test_a_status_that_is_not_understood_is_unknown() -> None:
    inside = sub("33999-4", f'<value xsi:type="CD" code="1" codeSystem="{OWN}"/>')
    reading = taken(concern(problem(inside)))
    assert "not usable as it was sent" in unknown(reading).values()


def test_a_denied_problem_is_refuted_and_none_at_all_has_its_own_code() -> None:
    denied = one(taken(problem(attributes='negationInd="true"')), "Condition")
    assert codes(denied["verificationStatus"]) == ["refuted"]
    assert "clinicalStatus" not in denied
    value = f'<value xsi:type="CD" code="55607006" codeSystem="{SNOMED}" displayName="Problem"/>'
    none = one(taken(problem(value=value, attributes='negationInd="true"')), "Condition")
    assert codes(none["code"]) == ["160245001"]
    assert none["code"]["text"] == "Không (negationInd): Problem"


def test_words_of_the_narrative_severity_age_site_and_note() -> None:
    value = f"""<value xsi:type="CD" code="J18.9" codeSystem="2.16.840.1.113883.6.3"><originalText>
    <reference value="#cd1"/></originalText><translation code="233604007" codeSystem="{SNOMED}"/></value>
    <targetSiteCode code="39607008" codeSystem="{SNOMED}" displayName="Phổi"><qualifier>
    <name code="272741003" codeSystem="{SNOMED}" displayName="Bên"/>
    <value code="7771000" codeSystem="{SNOMED}" displayName="trái"/></qualifier></targetSiteCode>"""
    inside = sub("SEV", f'<value xsi:type="CD" code="24484000" codeSystem="{SNOMED}"/>', "SUBJ", ACT_CODE)
    inside += sub("445518008", '<value xsi:type="PQ" value="57" unit="a"/>', "SUBJ", SNOMED)
    inside += f"""<entryRelationship typeCode="SUBJ"><act classCode="ACT" moodCode="EVN"><code code="48767-8"
    codeSystem="{LOINC}"/><text>Theo dõi thêm</text></act></entryRelationship>"""
    entry = problem(inside, value).replace('<low value="20241230"/>', "")
    reading = taken(entry, text='<text><content ID="cd1">Viêm   phổi</content></text>')
    condition = one(reading, "Condition")
    assert condition["code"]["text"] == "Viêm phổi"
    assert codes(condition["code"]) == ["J18.9", "233604007"]
    assert codes(condition["severity"]) == ["24484000"]
    assert condition["onsetAge"]["value"] == 57
    assert condition["bodySite"][0]["text"] == "Phổi (Bên: trái)"
    assert condition["note"] == [{"text": "Theo dõi thêm"}]
    assert all_of(reading, "Observation") == []


def allergy(inside: str = "", participant: str = "Penicillin", attributes: str = "", kind: str = "416098002") -> str:
    who = f"""<participant typeCode="CSM"><participantRole classCode="MANU"><playingEntity classCode="MMAT">
    <code code="7980" codeSystem="2.16.840.1.113883.6.88" displayName="{participant}"/></playingEntity></participantRole>
    </participant>"""
    return concern(
        f"""<observation classCode="OBS" moodCode="EVN" {attributes}><id root="{OWN}" extension="a1"/>
    <code code="ASSERTION" codeSystem="{ACT_CODE}"/><statusCode code="completed"/>
    <value xsi:type="CD" code="{kind}" codeSystem="{SNOMED}" displayName="Loại"/>{who if participant else ""}{inside}
    </observation>""",
        "48765-2",
    )


def test_an_allergy_with_its_reaction() -> None:
    value = f'<value xsi:type="CD" code="247472004" codeSystem="{SNOMED}" displayName="Hives"/>'
    severity = sub("SEV", f'<value xsi:type="CD" code="255604002" codeSystem="{SNOMED}"/>', "SUBJ", ACT_CODE)
    inside = sub("ASSERTION", value + severity, "MFST", ACT_CODE)
    inside += sub("82606-5", '<value xsi:type="CD" code="CRITH" codeSystem="2.16.840.1.113883.5.1063"/>')
    reading = taken(allergy(inside), "48765-2")
    found = one(reading, "AllergyIntolerance")
    assert found["code"]["coding"][0]["display"] == "Penicillin"
    assert (found["type"], found["category"], found["criticality"]) == ("allergy", ["medication"], "high")
    assert codes(found["clinicalStatus"]) == ["active"]
    assert found["reaction"] == [
        {
            "manifestation": [
                {"coding": [{"system": "http://snomed.info/sct", "code": "247472004", "display": "Hives"}]}
            ],
            "severity": "mild",
        }
    ]
    assert all_of(reading, "Observation") == []


def test_no_allergy_is_never_an_allergy() -> None:
    none = one(taken(allergy("", "", 'negationInd="true"', "419511003"), "48765-2"), "AllergyIntolerance")
    assert codes(none["code"]) == ["409137002"]
    refuted = one(taken(allergy("", "Penicillin", 'negationInd="true"'), "48765-2"), "AllergyIntolerance")
    assert codes(refuted["verificationStatus"]) == ["refuted"]


RELATIVE = """<subject><relatedSubject classCode="PRS"><code code="FTH" codeSystem="2.16.840.1.113883.5.111"/><subject>
<administrativeGenderCode code="M"/><birthTime value="1940"/><sdtc:deceasedInd value="true"/></subject></relatedSubject>
</subject>"""


def test_a_disease_of_the_father_is_his() -> None:
    disease = f"""<component><observation classCode="OBS" moodCode="EVN"><id root="{OWN}" extension="f1"/>
    <code code="64572001" codeSystem="{SNOMED}"/><statusCode code="completed"/><value xsi:type="CD" code="22298006"
    codeSystem="{SNOMED}" displayName="MI"/>{sub("445518008", '<value xsi:type="PQ" value="57" unit="a"/>', "SUBJ", SNOMED)}
    {sub("ASSERTION", f'<value xsi:type="CD" code="419099009" codeSystem="{SNOMED}"/>', "CAUS", ACT_CODE)}
    </observation></component>"""
    entry = (
        f'<organizer classCode="CLUSTER" moodCode="EVN"><statusCode code="completed"/>{RELATIVE}{disease}</organizer>'
    )
    reading = taken(entry, "10157-6")
    history = one(reading, "FamilyMemberHistory")
    assert codes(history["relationship"]) == ["FTH"]
    assert (history["bornDate"], history["deceasedBoolean"]) == ("1940", True)
    assert history["condition"][0]["onsetAge"]["value"] == 57
    assert history["condition"][0]["contributedToDeath"] is True
    assert all_of(reading, "Observation") + all_of(reading, "Condition") == []


def test_what_is_said_of_somebody_else_never_becomes_the_patients() -> None:
    observation = f"""<observation classCode="OBS" moodCode="EVN"><code code="8867-4" codeSystem="{LOINC}"/>
    <statusCode code="completed"/><value xsi:type="INT" value="140"/>{RELATIVE}</observation>"""
    group = f"""<organizer classCode="CLUSTER" moodCode="EVN"><code code="x" codeSystem="{OWN}"/>{RELATIVE}<component>
    {observation.replace(RELATIVE, "")}</component></organizer>"""
    reading = taken(f"{observation}<!--next-->{group}<!--next-->{problem(RELATIVE)}", "8716-3")
    found = one(reading, "Observation")
    assert found["focus"] == [{"display": "father"}]
    assert all_of(reading, "Condition") == []
    assert [notice.code for notice in reading.notices] == [faults.ABOUT_ANOTHER] * 2
    assert "a diagnosis of somebody else" in reading.coverage.unknown.values()


def test_the_code_itself_can_be_the_problem() -> None:
    entry = f"""<observation classCode="COND" moodCode="EVN"><code code="195967001" codeSystem="{SNOMED}"
    displayName="Hen"/><statusCode code="completed"/></observation>"""
    assert codes(one(taken(entry, "10153-2"), "Condition")["code"]) == ["195967001"]


def test_two_statements_with_one_number_are_both_kept() -> None:
    other = problem(value=f'<value xsi:type="CD" code="38341003" codeSystem="{SNOMED}"/>')
    reading = taken(f"{problem()}<!--next-->{other}<!--next-->{problem()}")
    assert {codes(c["code"])[0] for c in all_of(reading, "Condition")} == {"233604007", "38341003"}
    assert {notice.code for notice in reading.notices} == {faults.NUMBER_REPEATED}
