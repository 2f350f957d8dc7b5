"""Medicines taken, ordered, dispensed; vaccines given or not; devices."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.unit.cda.read.snippets import LOINC, OWN, SNOMED, all_of, codes, one, taken

RXNORM = "2.16.840.1.113883.6.88"
PRODUCT = f"""<consumable><manufacturedProduct classCode="MANU"><manufacturedMaterial><code code="197380"
codeSystem="{RXNORM}" displayName="atenolol 25 MG Oral Tablet"/></manufacturedMaterial></manufacturedProduct></consumable>"""


def medicine(
    inside: str, mood: str = "EVN", attributes: str = "", status: str = "active", product: str = PRODUCT
) -> str:
    return f"""<substanceAdministration classCode="SBADM" moodCode="{mood}" {attributes}><id root="{OWN}" extension="m1"/>
    <statusCode code="{status}"/>{inside.replace("<!--product-->", product)}</substanceAdministration>"""


DOSE = f"""<effectiveTime xsi:type="IVL_TS"><low value="20250101"/><high nullFlavor="UNK"/></effectiveTime>
<effectiveTime xsi:type="PIVL_TS" operator="A"><period value="12" unit="h"/></effectiveTime>
<effectiveTime xsi:type="EIVL_TS" operator="A"><event code="PCM"/></effectiveTime>
<routeCode code="PO" codeSystem="2.16.840.1.113883.5.112"/><doseQuantity value="1.50"/>
<maxDoseQuantity><numerator value="4"/><denominator value="1" unit="d"/></maxDoseQuantity>
<administrationUnitCode code="TAB" codeSystem="2.16.840.1.113883.5.85"/><!--product-->
<precondition><criterion><value xsi:type="CD" code="25064002" codeSystem="{SNOMED}" displayName="Đau đầu"/></criterion>
</precondition>"""


def test_a_medicine_somebody_takes() -> None:
    reading = taken(medicine(DOSE), "10160-0")
    found = one(reading, "MedicationStatement")
    assert found["status"] == "active"
    assert found["medicationCodeableConcept"]["coding"][0]["system"] == "http://www.nlm.nih.gov/research/umls/rxnorm"
    assert found["effectivePeriod"] == {"start": "2025-01-01"}
    (dosage,) = found["dosage"]
    assert dosage["timing"]["repeat"] == {"frequency": 1, "period": Decimal(12), "periodUnit": "h", "when": ["PCM"]}
    quantity = dosage["doseAndRate"][0]["doseQuantity"]
    assert (str(quantity["value"]), quantity["code"]) == ("1.50", "TAB")
    assert dosage["asNeededCodeableConcept"]["coding"][0]["display"] == "Đau đầu"
    assert dosage["maxDosePerPeriod"]["denominator"]["code"] == "d"
    assert codes(dosage["route"]) == ["PO"]
    assert not reading.coverage.unknown


@pytest.mark.parametrize(
    ("mood", "attributes", "status", "kind", "expected"),
    [
        ("EVN", 'negationInd="true"', "completed", "MedicationStatement", ("not-taken", None)),
        ("EVN", "", "suspended", "MedicationStatement", ("on-hold", None)),
        ("RQO", "", "active", "MedicationRequest", ("active", "order")),
        ("INT", "", "new", "MedicationRequest", ("draft", "plan")),
        ("PRP", "", "aborted", "MedicationRequest", ("stopped", "proposal")),
    ],
)
def test_mood_and_status(mood: str, attributes: str, status: str, kind: str, expected: tuple[str, str]) -> None:
    found = one(taken(medicine("<!--product-->", mood, attributes, status), "10160-0"), kind)
    assert (found["status"], found.get("intent")) == expected


def test_an_order_that_shall_not_be_done() -> None:
    found = one(taken(medicine("<!--product-->", "RQO", 'negationInd="true"'), "10160-0"), "MedicationRequest")
    assert found["doNotPerform"] is True


def test_supply_and_dispense_and_reason() -> None:
    supply = """<supply classCode="SPLY" moodCode="{}">{}<statusCode code="completed"/><effectiveTime value="20250102"/>
    <repeatNumber value="2"/><quantity value="30" unit="1"/></supply>"""
    inside = f"""<!--product-->
    <entryRelationship typeCode="REFR">{supply.format("RQO", "")}</entryRelationship>
    <entryRelationship typeCode="REFR">{supply.format("EVN", f'<id root="{OWN}" extension="d1"/>')}</entryRelationship>
    <entryRelationship typeCode="RSON"><observation classCode="OBS" moodCode="EVN">
    <code code="29308-4" codeSystem="{LOINC}"/><value xsi:type="CD" code="I10" codeSystem="2.16.840.1.113883.6.3"/>
    </observation></entryRelationship>"""
    reading = taken(medicine(inside, "RQO"), "10160-0")
    request, dispense = one(reading, "MedicationRequest"), one(reading, "MedicationDispense")
    assert request["dispenseRequest"]["quantity"]["value"] == 30
    assert request["dispenseRequest"]["numberOfRepeatsAllowed"] == 1
    assert request["reasonReference"] == [{"reference": f"Condition/{one(reading, 'Condition')['id']}"}]
    assert dispense["authorizingPrescription"] == [{"reference": f"MedicationRequest/{request['id']}"}]
    assert codes(dispense["medicationCodeableConcept"]) == ["197380"]
    assert dispense["whenHandedOver"] == "2025-01-02"


def test_batch_and_maker_make_a_medication() -> None:
    product = PRODUCT.replace("</manufacturedMaterial>", "<lotNumberText>L-7</lotNumberText></manufacturedMaterial>"
                              "<manufacturerOrganization><name>Dược A</name></manufacturerOrganization>")  # fmt: skip
    reading = taken(medicine("<!--product-->", product=product), "10160-0")
    made = one(reading, "Medication")
    assert made["batch"] == {"lotNumber": "L-7"}
    assert one(reading, "MedicationStatement")["medicationReference"] == {"reference": f"Medication/{made['id']}"}


VACCINE = f"""<effectiveTime value="20250301"/><routeCode code="IM" codeSystem="2.16.840.1.113883.5.112"/>
<doseQuantity value="0.5" unit="mL"/><consumable><manufacturedProduct><manufacturedMaterial><code code="08"
codeSystem="2.16.840.1.113883.12.292"/><lotNumberText>V1</lotNumberText></manufacturedMaterial></manufacturedProduct>
</consumable><performer><assignedEntity><id root="{OWN}.2" extension="DD1"/></assignedEntity></performer>
<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><code code="30973-2" codeSystem="{LOINC}"/>
<value xsi:type="INT" value="2"/></observation></entryRelationship>"""


def test_a_vaccine_given() -> None:
    reading = taken(medicine(VACCINE, status="completed"), "11369-6")
    found = one(reading, "Immunization")
    assert (found["status"], found["occurrenceDateTime"], found["lotNumber"]) == ("completed", "2025-03-01", "V1")
    assert found["vaccineCode"]["coding"][0] == {"system": "http://hl7.org/fhir/sid/cvx", "code": "08"}
    assert found["protocolApplied"] == [{"doseNumberPositiveInt": 2}]
    assert found["doseQuantity"]["value"] == Decimal("0.5")
    assert not reading.coverage.unknown


def test_a_vaccine_refused() -> None:
    reason = """<entryRelationship typeCode="RSON"><observation classCode="OBS" moodCode="EVN"><code code="PATOBJ"
    codeSystem="2.16.840.1.113883.5.8"/><statusCode code="completed"/></observation></entryRelationship>"""
    entry = medicine(VACCINE + reason, attributes='negationInd="true"', status="completed")
    found = one(taken(entry, "11369-6"), "Immunization")
    assert found["status"] == "not-done"
    assert codes(found["statusReason"]) == ["PATOBJ"]


def test_a_device_in_use_and_one_implanted() -> None:
    device = """<participant typeCode="{}"><participantRole classCode="MANU"><id root="2.16.840.1.113883.3.3719"
    extension="(01)00643169007222"/><playingDevice><code code="14106009" codeSystem="2.16.840.1.113883.6.96"
    displayName="Pacemaker"/></playingDevice><scopingEntity><id root="2.16.840.1.113883.3.3719"/></scopingEntity>
    </participantRole></participant>"""
    supply = f"""<supply classCode="SPLY" moodCode="EVN"><id root="{OWN}" extension="s1"/><statusCode code="completed"/>
    <effectiveTime value="2020"/>{device.format("PRD")}</supply>"""
    procedure = f"""<procedure classCode="PROC" moodCode="EVN"><code code="1" codeSystem="{OWN}"/>
    <statusCode code="completed"/>{device.format("DEV")}</procedure>"""
    reading = taken(f"{supply}<!--next-->{procedure}", "46264-8")
    found = one(reading, "Device")
    assert found["udiCarrier"][0]["carrierHRF"] == "(01)00643169007222"
    reference = {"reference": f"Device/{found['id']}"}
    assert one(reading, "DeviceUseStatement")["device"] == reference
    assert one(reading, "Procedure")["focalDevice"] == [{"manipulated": reference}]
    assert len(all_of(reading, "Device")) == 1
