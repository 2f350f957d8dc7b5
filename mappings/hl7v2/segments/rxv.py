"""RXV: limits of an infusion pump, its boluses and what the patient may ask for.

Standard: HL7 v2.8.2 §4A.4.8
"""

from __future__ import annotations

from decimal import Decimal

from mappings.formats.ucum import is_ucum
from mappings.hl7v2.datatypes import Element, code_of, compact
from mappings.hl7v2.dosage import dose_and_rate, measured
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.quantities import cq_to_quantity, quantity
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.hl7v2.timing import unit_of_time
from mappings.systems import UCUM

_DOSE = "MedicationRequest.dosageInstruction.doseAndRate.dose"
MAPPED = {
    2: "MedicationRequest.dosageInstruction.text",
    3: _DOSE,
    4: _DOSE,
    5: _DOSE,
    6: _DOSE,
    7: "MedicationRequest.dosageInstruction.text",
    8: _DOSE,
    9: _DOSE,
    10: _DOSE,
    11: _DOSE,
    12: "MedicationRequest.dosageInstruction.maxDosePerAdministration",
    13: "MedicationRequest.dosageInstruction.maxDosePerAdministration",
    14: "MedicationRequest.dosageInstruction.maxDosePerPeriod",
}
IGNORED = {
    1: SEQUENCE,
    5: "volume of the bolus; its amount is kept",
    6: "volume of the bolus; its amount is kept",
    10: "volume of the patient's dose; its amount is kept",
    11: "volume of the patient's dose; its amount is kept",
    15: "lockout interval of the pump; Dosage has no such element",
    16: "syringe of the pump",
    17: "syringe of the pump",
    18: "syringe of the pump",
    19: "syringe of the pump",
    20: "action on the segment; the message is stored whole",
}


@replaceable
def rxv_to_dosages(rxv: Segment, draft: Draft) -> tuple[Element, list[Element]]:
    """Give the limits for the infusion itself, and a Dosage each for the bolus and for what the patient may ask for."""
    limits = compact(
        {
            "maxDosePerPeriod": _per_time(rxv),
            "maxDosePerAdministration": measured(rxv, 12, 13, draft),
        }
    )
    more = [_extra(rxv, (2, 3, 4, 5, 6), "Bolus", draft), _extra(rxv, (7, 8, 9, 10, 11), "PCA", draft)]
    return limits, [one for one in more if one]


def _per_time(rxv: Segment) -> Element | None:
    """Take the most per time, whose unit names the time: `mg/h`; without one it is given back."""
    found = cq_to_quantity(rxv[14])
    unit, _, time = found.get("unit", "").partition("/") if found else ("", "", "")
    span = unit_of_time(time)
    if found is None or not unit or not span:
        if rxv.peek(14):
            rxv.give_back(14, "amount without the time it is for")
        return None
    numerator = quantity(
        found["value"], {"unit": unit, "system": UCUM, "code": unit} if is_ucum(unit) else {"unit": unit}
    )
    return {"numerator": numerator, "denominator": {"value": Decimal(1), "unit": span, "system": UCUM, "code": span}}


def _extra(rxv: Segment, fields: tuple[int, int, int, int, int], name: str, draft: Draft) -> Element:
    kind, n, unit, volume, volume_unit = fields
    amount = measured(rxv, n, unit, draft) or measured(rxv, volume, volume_unit, draft)
    said = code_of(rxv[kind].text)
    if amount is None and not said:
        return {}
    return compact(
        {
            "text": f"{name} {said}".strip(),
            "asNeededBoolean": True if name == "PCA" else None,
            "doseAndRate": [dose_and_rate({"doseQuantity": amount}, {})] if amount else [],
        }
    )
