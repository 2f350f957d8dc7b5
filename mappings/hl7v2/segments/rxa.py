"""RXA: a medicine that was given, or a vaccination.

Standard: HL7 v2.5.1 §4.14.7, §4.17
"""

from __future__ import annotations

from typing import Any

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import practitioners
from mappings.hl7v2.codings import coding_system, cwe_to_codeable_concept, v2_coding
from mappings.hl7v2.datatypes import Element, code_of, compact, period
from mappings.hl7v2.dosage import UNKNOWN_AMOUNT, category, concepts, measured, rate, remarks
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.medicines import batch, ingredient, lots, manufacturer, medicine_code, strength
from mappings.hl7v2.places import la2_to_location, placed
from mappings.hl7v2.quantities import nm_to_decimal
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable

MAPPED = {
    3: "Immunization.occurrence | MedicationAdministration.effective",
    4: "MedicationAdministration.effective",
    5: "Immunization.vaccineCode | MedicationAdministration.medication | Medication.code",
    6: "Immunization.doseQuantity | MedicationAdministration.dosage.dose",
    7: "Immunization.doseQuantity | MedicationAdministration.dosage.dose",
    8: "Medication.form",
    9: "Immunization.primarySource | Immunization.reportOrigin | Immunization.note | MedicationAdministration.note",
    10: "Immunization.performer.actor | MedicationAdministration.performer.actor",
    11: "Immunization.location",
    12: "MedicationAdministration.dosage.rate",
    13: "Medication.ingredient.strength",
    14: "Medication.ingredient.strength",
    15: "Immunization.lotNumber | Medication.batch.lotNumber",
    16: "Immunization.expirationDate | Medication.batch.expirationDate",
    17: "Immunization.manufacturer | Medication.manufacturer",
    18: "Immunization.statusReason | MedicationAdministration.statusReason",
    19: "Immunization.reasonCode | MedicationAdministration.reasonCode",
    20: "Immunization.status | MedicationAdministration.status",
    21: "Immunization.status | MedicationAdministration.status",
    22: "Immunization.recorded",
    23: "Medication.ingredient.strength",
    24: "Medication.ingredient.strength",
    25: "Medication.identifier",
    26: "MedicationAdministration.category",
    27: "Immunization.location",
    28: "Location.address",
    29: "MedicationAdministration.identifier | Immunization.identifier",
}
IGNORED = {
    1: "counter of the givings of an order; part of the key",
    2: "counter of the administrations of an order; part of the key",
    4: "end of the administration; Immunization has one time",
    8: "dosage form; the vaccine code tells it",
    11: "place; MedicationAdministration has no such element, the visit has it",
    12: "time the amount was given in; Immunization has no such element",
    13: "strength; the vaccine code tells it",
    14: "strength; the vaccine code tells it",
    22: "time of the entry at the sender; MedicationAdministration has no such element",
    23: "strength; the vaccine code tells it",
    24: "strength; the vaccine code tells it",
    25: "barcode of the package; Immunization has no such element",
    26: "type of the pharmacy order; a vaccination is none",
    27: "place; MedicationAdministration has no such element, the visit has it",
    28: "place; MedicationAdministration has no such element, the visit has it",
}

NO_VACCINE = "998"
"""CVX code that says no vaccine was given: the observations below stand for themselves. Standard: CDC CVX"""
_UNKNOWN_TIME = {
    "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
}


# ---- medicines ----


@replaceable
def rxa_to_medication_administration(rxa: Segment, draft: Draft) -> Element:
    """Give what RXA knows of the MedicationAdministration; `medication` in the elements of Medication.

    `status` is `""` when RXA-20 and RXA-21 say nothing.
    """
    context = draft.context
    code = medicine_code(rxa, 5, draft)
    given = _dose(rxa, draft)
    speed = rate(rxa, 12, 0, 0, {"doseQuantity": given} if given else {}, draft)
    started, ended = draft.moment(rxa, 3), draft.moment(rxa, 4)
    when: Element
    if started and ended and started != ended:
        when = {"effectivePeriod": period(started, ended)}
        if "end" not in when["effectivePeriod"]:
            rxa.give_back(4, "ends before it starts")
    elif started or ended:
        when = {"effectiveDateTime": started or ended}
    else:
        when = {"_effectiveDateTime": _UNKNOWN_TIME}
    bar = rxa[25]
    barcode = ei_to_identifier(bar, context, "medication-barcode") if bar else None
    tags = [ei_to_identifier(ei, context, "administration-tag") for ei in rxa[29].repetitions]
    reasons = concepts(rxa, 18, draft)
    return compact(
        {
            "medication": compact(
                {
                    "identifier": [barcode] if barcode else [],
                    "code": code,
                    "manufacturer": manufacturer(rxa, 17, draft),
                    "form": cwe_to_codeable_concept(rxa[8], context),
                    "ingredient": ingredient(code, strength(rxa, 13, 14, 23, 24, draft)),
                    "batch": batch(rxa, 15, 16, draft),
                }
            ),
            "dosage": compact({"dose": given, **speed}),
            "identifier": [tag for tag in tags if tag],
            "status": _status(rxa, draft, "v2-0322-administration"),
            "statusReason": reasons,
            "category": category(rxa, 26, draft),
            **when,
            "performer": [{"actor": person} for person in practitioners(rxa[10].repetitions, draft)],
            "reasonCode": concepts(rxa, 19, draft),
            "note": remarks(rxa, 9),
        }
    )


def _status(rxa: Segment, draft: Draft, table: str) -> str:
    """Read completion (table 0322) and action (table 0206): what was deleted was entered in error."""
    done, action = code_of(rxa[20].text).upper(), code_of(rxa[21].text).upper()
    if action not in ("", "A", "U", "D", "X"):
        rxa.give_back(21)
        draft.notice(faults.CODE_UNKNOWN, rxa.where(21))
    if action == "D":
        return "entered-in-error"
    status = codes.table(table).target(done)
    if done and not status:
        rxa.give_back(20)
        draft.notice(faults.CODE_UNKNOWN, rxa.where(20))
    return status


def _dose(rxa: Segment, draft: Draft) -> Element | None:
    """Take the amount; 999 means that nobody knows it."""
    if nm_to_decimal(rxa.peek(6).text) == UNKNOWN_AMOUNT:
        rxa.ignore(6, "999: the amount is not known")
        if rxa.peek(7):
            rxa.ignore(7, "unit without an amount")
        return None
    return measured(rxa, 6, 7, draft)


# ---- vaccinations ----


@replaceable
def rxa_to_immunization(rxa: Segment, draft: Draft) -> dict[str, Any]:
    """Give what RXA knows of the Immunization."""
    context = draft.context
    immunization: dict[str, Any] = {
        "status": _status(rxa, draft, "v2-0322") or "completed",
        "statusReason": next(iter(concepts(rxa, 18, draft)), None),
        "vaccineCode": cwe_to_codeable_concept(rxa[5], context),
        "occurrenceDateTime": draft.moment(rxa, 3),
    }
    action = code_of(rxa.peek(21).text).upper()
    if action in ("", "A"):
        immunization["recorded"] = draft.moment(rxa, 22)
    elif rxa.peek(22):
        rxa.ignore(22, "time of a change, not of the first entry")
    _origin(rxa, immunization, draft)
    immunization["location"] = la2_to_location(rxa[11], draft) if rxa[11] else None
    if rxa.peek(27) or rxa.peek(28):
        place = placed(rxa[27], rxa[28], draft)
        if rxa.peek(11) and place:
            rxa.ignore(11, "RXA-27 names the place")
        immunization["location"] = place or immunization["location"]
    immunization |= {
        "manufacturer": manufacturer(rxa, 17, draft),
        "lotNumber": lots(rxa, 15),
        "expirationDate": draft.day(rxa, 16),
        "doseQuantity": _dose(rxa, draft),
        "performer": performers(rxa, 10, "AP", draft),
        "reasonCode": concepts(rxa, 19, draft),
    }
    tags = [ei_to_identifier(ei, context, "administration-tag") for ei in rxa[29].repetitions]
    immunization["identifier"] = [tag for tag in tags if tag]
    return immunization


def performers(segment: Segment, n: int, role: str, draft: Draft) -> list[Element]:
    """Take people of XCN as performers with that function of table 0443."""
    function = {"coding": [v2_coding("0443", role)]}
    return [{"function": function, "actor": person} for person in practitioners(segment[n].repetitions, draft)]


def _origin(rxa: Segment, immunization: dict[str, Any], draft: Draft) -> None:
    """Take RXA-9: by the list NIP001 whether it was seen or told, and by whom; other words are comments.

    Standard: CDC implementation guide for immunisation messaging 1.5, NIP001
    """
    comments: list[Element] = []
    for cwe in rxa[9].repetitions:
        found = cwe_to_codeable_concept(cwe, draft.context)
        if found is None:
            continue
        if cwe.c(3).strip().upper() != "NIP001":
            text = found.get("text") or found["coding"][0].get("display") or found["coding"][0]["code"]
            comments.append({"text": text})
            continue
        code = code_of(cwe.c(1))
        immunization["primarySource"] = code == "00"
        row = codes.table("nip001").find(code)
        if code != "00":
            system = coding_system("NIP001", draft.context)
            said = [compact({"system": system, "code": code, "display": found.get("text", "")})]
            immunization["reportOrigin"] = compact(
                {"coding": [*([row.coding()] if row else []), *said], "text": found.get("text", "")}
            )
    immunization["note"] = comments


def is_no_vaccine(rxa: Segment) -> bool:
    """Tell whether RXA only carries observations: CVX 998, no vaccine administered."""
    return code_of(rxa.peek(5).c(1)) == NO_VACCINE and rxa.peek(5).c(3).strip().upper() in ("CVX", "")
