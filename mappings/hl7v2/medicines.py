"""What a medicine is, as all pharmacy segments have it: code, strength, batch, manufacturer, package as Medication.

How it is taken stands in `dosage`. Does not look medicines up in a catalogue.

Standard: HL7 v2.5.1 §4.14
"""

from __future__ import annotations

import json
from decimal import Decimal

from mappings.hl7v2.actors import cwe_to_organization, organization, reference
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.dosage import concepts, distinct, measured
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.shared_codes import DRUGS, shared_codings
from mappings.ids import resource_id

MVX = "http://hl7.org/fhir/sid/mvx"


def strength(segment: Segment, n: int, n_unit: int, volume: int, volume_unit: int, draft: Draft) -> Element | None:
    """Give the strength as a Ratio: so much in that volume, or in one of it when no volume is said."""
    numerator = measured(segment, n, n_unit, draft)
    denominator = measured(segment, volume, volume_unit, draft) if volume else None
    if numerator is not None and not numerator["value"]:
        for field in (n, n_unit):
            segment.give_back(field, "a strength of nothing")
        numerator = None
    if numerator is None:
        if denominator is not None:
            segment.give_back(volume, "volume without a strength")
            segment.give_back(volume_unit, "volume without a strength")
        return None
    return {"numerator": numerator, "denominator": denominator or {"value": Decimal(1)}}


def package(segment: Segment, n: int, n_unit: int, draft: Draft) -> Element | None:
    """Give the amount in one package as a Ratio."""
    size = measured(segment, n, n_unit, draft)
    return {"numerator": size, "denominator": {"value": Decimal(1)}} if size else None


def medicine_code(segment: Segment, n: int, draft: Draft, supplementary: int = 0) -> Element | None:
    """Give the code of the medicine in field `n`: with the supplementary codes of another field, and the shared catalogue's."""
    code = cwe_to_codeable_concept(segment[n], draft.context)
    if supplementary:
        code = supplemented(code, segment, supplementary, draft)
    return code and shared_codings(code, draft, segment.where(n), DRUGS)


def supplemented(code: Element | None, segment: Segment, n: int, draft: Draft) -> Element | None:
    """Add the supplementary codes of field `n` to the code of the medicine."""
    if not segment.peek(n):
        return code
    if code is None:
        return next(iter(concepts(segment, n, draft)), None)
    more = [one for concept in concepts(segment, n, draft) for one in concept.get("coding", [])]
    if more:
        return {**code, "coding": distinct([*code.get("coding", []), *more])}
    segment.ignore(n, "another name of the medicine, without a code; the medicine is named")
    return code


def manufacturer(segment: Segment, n: int, draft: Draft) -> Element | None:
    """Take the manufacturer as Organization; one of the MVX list by its code there."""
    cwe = segment[n]
    if not cwe:
        return None
    if cwe.c(3).strip().upper() == "MVX" and code_of(cwe.c(1)):
        return organization(draft, cwe.c(2), code_of(cwe.c(1)), MVX)
    found = cwe_to_organization(cwe, draft)
    if found is None:
        segment.give_back(n)
    return found


def medicine(content: Element, draft: Draft, *origins: Segment) -> Element:
    """Give `medication[x]` of what is known of the medicine, in the elements of Medication.

    A bare code is a CodeableConcept; anything more is a Medication, the same for the same content.
    """
    code = content.get("code") or {"text": "không rõ"}
    if set(content) <= {"code"}:
        return {"medicationCodeableConcept": code}
    key = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    system = draft.context.systems.local(draft.context.facility, "medication")
    target = draft.add(
        {"resourceType": "Medication", "id": resource_id("Medication", system, key), **content}, *origins
    )
    shown = code.get("text") or next((c["display"] for c in code.get("coding", []) if c.get("display")), "")
    return {"medicationReference": reference(target, shown)}


def ingredient(code: Element | None, measure: Element | None) -> list[Element]:
    """Write the one ingredient that has the strength of the medicine itself."""
    if measure is None:
        return []
    return [{"itemCodeableConcept": code or {"text": "không rõ"}, "strength": measure}]


def batch(segment: Segment, lot: int, expires: int, draft: Draft) -> Element:
    """Take lot numbers and expiry as Medication.batch."""
    return compact({"lotNumber": lots(segment, lot), "expirationDate": draft.moment(segment, expires)})


def lots(segment: Segment, n: int) -> str:
    """Take lot numbers as one text."""
    return ", ".join(dict.fromkeys(text for one in segment[n].repetitions if (text := words(one.c(1)))))
