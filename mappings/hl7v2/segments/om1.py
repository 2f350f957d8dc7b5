"""OM1: a test or observation that the facility offers.

Standard: HL7 v2.5.1 §8.8.8
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2.codings import cwe_to_codeable_concept, v2_coding
from mappings.hl7v2.datatypes import Components, Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource

MAPPED = {
    2: "ObservationDefinition.code",
    3: "ObservationDefinition.permittedDataType",
    6: "ObservationDefinition.code.text",
    7: "ObservationDefinition.code.coding",
    9: "ObservationDefinition.preferredReportName",
    11: "ObservationDefinition.code.text | ObservationDefinition.preferredReportName",
    14: "ObservationDefinition.method",
    18: "ObservationDefinition.category",
    37: "SpecimenDefinition.patientPreparation",
    41: "ObservationDefinition.method.text",
    49: "ObservationDefinition.category",
    55: "ObservationDefinition.category",
    56: "ObservationDefinition.code.coding",
}
_ONE_NAME = "further name; a definition has one, the preferred, in R4"
_WHO = "who performs it; no element of ObservationDefinition in R4"
_TIMES = "time it takes; no element of ObservationDefinition in R4"
_ADVICE = "advice for doctors; no element of ObservationDefinition in R4"
_CHANGE = "time of a change; no element of ObservationDefinition in R4"
IGNORED = {
    1: SEQUENCE,
    3: "data type that an observation in FHIR cannot have",
    4: "whether a specimen is needed; OM4 tells which",
    6: "description; the preferred name is kept",
    11: "long name; a preferred report name is kept",
    12: "whether it can be ordered; orders tell",
    15: "portable device; no element of ObservationDefinition in R4",
    19: "layout of the sender's reports",
    20: "layout of the sender's reports",
    30: "confidentiality; handled by access rights",
    37: "preparation of the patient; kept with the specimen, which is not told",
    41: "description of the method; its code is kept",
    42: "kind of quantity; the code tells",
    43: "point or interval; the code tells",
    45: "relation to another observation; the code tells",
    46: "site; the code tells",
    47: "modality; the code tells",
    48: "whether it excludes others; rules of ordering are not kept",
    50: "taxonomy of what is tested; the code tells",
    52: "what replaces it; no element of ObservationDefinition in R4",
    58: "restriction by sex; ranges carry their own",
    59: "restriction by age; ranges carry their own",
} | {
    **dict.fromkeys((8, 10, 51), _ONE_NAME),
    **dict.fromkeys((5, 13, 16, 17, 27, 28, 29), _WHO),
    **dict.fromkeys((23, 24, 25, 26, 40, 57), _TIMES),
    **dict.fromkeys((31, 32, 33, 34, 35, 36, 38, 39, 44, 53, 54), _ADVICE),
    **dict.fromkeys((21, 22), _CHANGE),
}

_STATUS = "http://hl7.org/fhir/5.0/StructureDefinition/extension-ObservationDefinition.status"


@replaceable
def om1_to_observation_definition(om1: Segment, draft: Draft, active: bool | None) -> Resource | None:
    """Make the ObservationDefinition, still without units, ranges, answers and members; nothing without a code."""
    context = draft.context
    definition = observation_definition(om1[2], draft, active)
    if definition is None:
        return None
    codings: list[Element] = list(definition["code"].get("coding", []))
    for cwe in (*om1[7].repetitions, *om1[56].repetitions):
        found = cwe_to_codeable_concept(cwe, context) or {}
        codings += [one for one in found.get("coding", []) if one not in codings]
    report = words(om1[9].whole)
    long = words(om1[11].whole) if om1.peek(11) else ""
    if not report and long:
        report, long = long, ""
    described = words(om1.peek(6).whole)
    text = long or definition["code"].get("text", "")
    if described and not text:
        _ = om1[6]
        text = described
    kinds = [codes.table("v2-0125").target(code_of(one.whole).upper()) for one in om1.peek(3).repetitions]
    if any(kinds):
        _ = om1[3]
    return compact(
        definition
        | {
            "category": _categories(om1, draft),
            "code": compact({"coding": codings, "text": text}),
            "permittedDataType": list(dict.fromkeys(kind for kind in kinds if kind)),
            "method": _method(om1, draft),
            "preferredReportName": report,
        }
    )


def _categories(om1: Segment, draft: Draft) -> list[Element]:
    context = draft.context
    nature = v2_coding("0174", code_of(om1[18].c(1)).upper())
    if om1.peek(18) and nature is None:
        om1.give_back(18)
    found = [
        {"coding": [nature]} if nature else None,
        cwe_to_codeable_concept(om1[49], context, "v2-0074"),
        *(cwe_to_codeable_concept(cwe, context) for cwe in om1[55].repetitions),
    ]
    return [one for one in found if one]


def _method(om1: Segment, draft: Draft) -> Element | None:
    method = next(
        (found for cwe in om1[14].repetitions if (found := cwe_to_codeable_concept(cwe, draft.context))), None
    )
    described = words(om1.peek(41).whole)
    if method is None and described:
        _ = om1[41]
        return {"text": described}
    return method


def observation_definition(key: Components, draft: Draft, active: bool | None) -> Resource | None:
    """Make what an ObservationDefinition must have, from the code of its record."""
    code = cwe_to_codeable_concept(key, draft.context)
    number = observation_number(key, draft)
    if code is None or number is None:
        return None
    status = "active" if active else "retired"
    return {
        "resourceType": "ObservationDefinition",
        "id": resource_id("ObservationDefinition", number["system"], number["value"]),
        "extension": [] if active is None else [{"url": _STATUS, "valueCode": status}],
        "identifier": [number],
        "code": code,
    }


def observation_number(key: Components, draft: Draft) -> Element | None:
    """Give the Identifier by which the facility knows a test: its code, else its name."""
    value = code_of(key.c(1)) or words(key.c(2))
    system = draft.context.systems.local(draft.context.facility, "test")
    return {"system": system, "value": value} if value else None
