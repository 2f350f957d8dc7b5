"""OM4: the specimen that a test needs.

Standard: HL7 v2.5.1 §8.8.11
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.actors import reference
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.quantities import cq_to_quantity, cwe_to_unit, nm_to_decimal, quantity
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource

MAPPED = {
    2: "SpecimenDefinition.typeTested.isDerived",
    3: "SpecimenDefinition.typeTested.container.description",
    4: "SpecimenDefinition.typeTested.container.capacity",
    5: "SpecimenDefinition.typeTested.container.capacity.unit",
    6: "SpecimenDefinition.typeCollected",
    7: "SpecimenDefinition.typeTested.container.additive",
    8: "SpecimenDefinition.typeTested.container.preparation",
    9: "SpecimenDefinition.typeTested.handling.instruction",
    10: "SpecimenDefinition.typeTested.requirement",
    11: "SpecimenDefinition.typeTested.container.minimumVolume",
    12: "SpecimenDefinition.typeTested.requirement",
    14: "SpecimenDefinition.typeTested.retentionTime",
    15: "SpecimenDefinition.typeTested.handling.temperatureQualifier",
    16: "SpecimenDefinition.typeTested.preference",
}
IGNORED = {
    1: SEQUENCE,
    5: "unit without an amount",
    13: "priorities that the specimen is fit for; orders tell theirs",
    17: "order of preference; the order of the segments is kept",
    18: "taxonomy of what is tested; the type tells",
}

_SPECIMEN = "http://hl7.org/fhir/5.0/StructureDefinition/extension-ObservationDefinition.specimen"
_TIMES = frozenset({"s", "min", "h", "d", "wk", "mo", "a"})


@replaceable
def om4_to_specimen_definition(
    om4: Segment, om1: Segment | None, definition: Resource, draft: Draft, count: int
) -> Resource | None:
    """Make the `count`-th SpecimenDefinition of a test and name it in the ObservationDefinition; nothing of an empty one."""
    context = draft.context
    kind = cwe_to_codeable_concept(om4[6], context, "v2-0487")
    tested = _tested(om4, kind, draft)
    if kind is None and set(tested) == {"preference"} and not om4.peek(16):
        return None
    number = definition["identifier"][0]
    preparations = [words(one.whole) for one in om1[37].repetitions] if om1 is not None and om1.peek(37) else []
    specimen = compact(
        {
            "resourceType": "SpecimenDefinition",
            "id": resource_id("SpecimenDefinition", number["system"], f"{number['value']}|{count}"),
            "identifier": {"system": f"{number['system']}-specimen", "value": f"{number['value']}/{count}"},
            "typeCollected": kind,
            "patientPreparation": [{"text": text} for text in preparations if text],
            "typeTested": [tested],
        }
    )
    target = reference(f"SpecimenDefinition/{specimen['id']}")
    definition.setdefault("extension", []).append({"url": _SPECIMEN, "valueReference": target})
    return specimen


def _tested(om4: Segment, kind: Element | None, draft: Draft) -> Element:
    derived = code_of(om4[2].text).upper()
    if derived and derived not in ("P", "C"):
        om4.give_back(2)
    said = code_of(om4[16].text).upper()
    if said and said not in ("P", "A"):
        om4.give_back(16)
    usual = cq_to_quantity(om4[10])
    volume = f"thể tích lấy thông thường {usual['value']} {usual.get('unit', '')}".strip() if usual else ""
    if om4.peek(10) and not usual:
        om4.give_back(10)
    needed = "; ".join(part for part in (words(om4[12].whole), volume) if part)
    tested: dict[str, Any] = {
        "type": kind,
        "preference": "alternate" if said == "A" else "preferred",
        "container": _container(om4, draft),
        "requirement": needed,
        "retentionTime": _duration(om4),
        "handling": _handling(om4, draft),
    }
    if derived in ("P", "C"):
        tested["isDerived"] = derived == "C"
    return compact(tested)


def _container(om4: Segment, draft: Draft) -> Element:
    described = ", ".join(text for one in om4[3].repetitions if (text := words(one.whole)))
    volume = nm_to_decimal(om4[4].text)
    if om4.peek(4) and volume is None:
        om4.give_back(4)
    unit = cwe_to_unit(om4[5]) if volume is not None else {}
    additive = cwe_to_codeable_concept(om4[7], draft.context, "v2-0371")
    least = cq_to_quantity(om4[11])
    if om4.peek(11) and least is None:
        om4.give_back(11)
    return compact(
        {
            "description": described,
            "capacity": quantity(volume, unit) if volume is not None else {},
            "minimumVolumeQuantity": least,
            "additive": [{"additiveCodeableConcept": additive}] if additive else [],
            "preparation": words(om4[8].whole),
        }
    )


def _duration(om4: Segment) -> Element | None:
    """Take OM4-14 when its unit is one of time."""
    kept = cq_to_quantity(om4[14])
    if kept is not None and kept.get("code") in _TIMES:
        return kept
    if om4.peek(14):
        om4.give_back(14)
    return None


def _handling(om4: Segment, draft: Draft) -> list[Element]:
    instruction = words(om4[9].whole)
    found: list[Element] = [
        {"temperatureQualifier": code}
        for cwe in om4[15].repetitions
        if (code := cwe_to_codeable_concept(cwe, draft.context, system="http://terminology.hl7.org/CodeSystem/v2-0376"))
    ]
    if instruction:
        found.append({"instruction": instruction})
    return found
