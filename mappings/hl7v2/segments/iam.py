"""IAM: adverse reactions, each with a state and an action.

Standard: HL7 v2.5.1 §3.4.7
"""

from __future__ import annotations

from mappings.hl7v2.actors import practitioners, reference
from mappings.hl7v2.codings import concept, cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.segments.al1 import CLINICAL, VERIFICATION, allergy_id, category_and_type, severity_of
from mappings.hl7v2.segments.pid import names
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource

MAPPED = {
    2: "AllergyIntolerance.category | AllergyIntolerance.type",
    3: "AllergyIntolerance.code",
    4: "AllergyIntolerance.reaction.severity | AllergyIntolerance.criticality",
    5: "AllergyIntolerance.reaction.manifestation",
    6: "AllergyIntolerance.verificationStatus",
    7: "AllergyIntolerance.identifier",
    8: "AllergyIntolerance.note",
    9: "AllergyIntolerance.type",
    11: "AllergyIntolerance.onset",
    12: "AllergyIntolerance.onset",
    13: "AllergyIntolerance.recordedDate",
    14: "RelatedPerson.name | AllergyIntolerance.recorder",
    15: "RelatedPerson.relationship | AllergyIntolerance.recorder",
    17: "AllergyIntolerance.clinicalStatus | AllergyIntolerance.verificationStatus",
    18: "AllergyIntolerance.asserter",
    20: "AllergyIntolerance.recordedDate",
    27: "AllergyIntolerance.code",
}
IGNORED = {
    1: SEQUENCE,
    10: "class of the substance; the code of the allergen tells",
    16: "device that raised the alert; FHIR R4 has no element for it",
    19: "organisation of who stated it; the person is named",
    21: "type of procedure for the intolerance; FHIR R4 has no element for it",
    22: "contraindication; orders are checked by the prescriber's system",
    23: "organisation; the person is named",
    24: "person that updated the record; IAM-18 states it",
    25: "when the record was updated",
    26: "confirmation status of the message",
    28: "inactivation reason of the sender",
    29: "inactivation reason of the sender",
    30: "inactivation time of the sender",
}

_STATES = {
    # HL7 table 0438: clinicalStatus, verificationStatus
    "C": ("active", "confirmed"),
    "P": ("active", "unconfirmed"),
    "S": ("active", "unconfirmed"),
    "U": ("active", "unconfirmed"),
    "I": ("inactive", ""),
    "D": ("inactive", "confirmed"),
    "E": ("", "entered-in-error"),
}
_SHOWN = {
    "active": "Active",
    "inactive": "Inactive",
    "confirmed": "Confirmed",
    "unconfirmed": "Unconfirmed",
    "entered-in-error": "Entered in Error",
}
SENSITIVITY = {"AD": "allergy", "AL": "allergy", "IN": "intolerance"}
"""HL7 table 0436 as far as FHIR tells it apart."""


@replaceable
def iam_to_allergy_intolerance(iam: Segment, draft: Draft) -> Resource | None:
    """Make the AllergyIntolerance; nothing when no allergen is named. Action D says that it was entered in error."""
    context = draft.context
    code = _code(iam, draft)
    if code is None:
        return None
    category, kind = category_and_type(iam, draft)
    sensitivity = code_of(iam[9].c(1)).upper()
    if sensitivity and sensitivity not in SENSITIVITY:
        iam.ignore(9, "kind of sensitivity that FHIR does not tell apart")
    manifestations = [found for cwe in iam[5].repetitions if (found := cwe_to_codeable_concept(cwe, context))]
    severity, criticality = severity_of(iam, bool(manifestations))
    state = code_of(iam[17].c(1)).upper()
    if state and state not in _STATES:
        iam.give_back(17)
    clinical, verification = _STATES.get(state, ("active", ""))
    if code_of(iam[6].c(1)).upper() == "D":
        clinical, verification = "", "entered-in-error"
    elif iam.peek(6):
        iam.ignore(6, "action on the segment; the reaction stands")
    identifier = ei_to_identifier(iam[7], context, "allergy")
    onset = draft.day(iam, 11)
    onset_text = "" if onset else words(iam[12].whole)
    if onset and iam.peek(12):
        iam.ignore(12, "onset in words; IAM-11 is its date")
    recorded = draft.moment(iam, 13)
    if recorded and iam.peek(20):
        iam.ignore(20, "when the state was told; IAM-13 is when the reaction was reported")
    elif iam.peek(20):
        recorded = draft.moment(iam, 20)
    reason = words(iam[8].whole)
    return compact(
        {
            "resourceType": "AllergyIntolerance",
            "id": resource_id("AllergyIntolerance", identifier["system"], identifier["value"])
            if identifier
            else allergy_id(code, draft),
            "identifier": [identifier] if identifier else [],
            "clinicalStatus": concept(clinical, CLINICAL, _SHOWN[clinical]) if clinical else {},
            "verificationStatus": concept(verification, VERIFICATION, _SHOWN[verification]) if verification else {},
            "type": SENSITIVITY.get(sensitivity, kind),
            "category": [category] if category else [],
            "criticality": criticality,
            "code": code,
            "patient": draft.subject,
            "onsetDateTime": onset,
            "onsetString": onset_text,
            "recordedDate": recorded,
            **_reporter(iam, draft),
            "note": [{"text": reason}] if reason else [],
            "reaction": [compact({"manifestation": manifestations, "severity": severity})] if manifestations else [],
        }
    )


def _code(iam: Segment, draft: Draft) -> Element | None:
    """Take IAM-3 with the further codes of IAM-27."""
    code = cwe_to_codeable_concept(iam[3], draft.context)
    more = cwe_to_codeable_concept(iam[27], draft.context) if iam[27] else None
    if code is None or more is None:
        return code or more
    codings = code.get("coding", [])
    codings = codings + [one for one in more.get("coding", []) if one not in codings]
    return compact({"coding": codings, "text": code.get("text") or more.get("text", "")})


def _reporter(iam: Segment, draft: Draft) -> Element:
    """Tell who reported it (the person, a relative of IAM-15, else a name) and who stands for the state of the record."""
    found: Element = {}
    stated = practitioners(iam[18].repetitions[:1], draft) if iam[18] else []
    if stated:
        found["asserter"] = stated[0]
    told = names(iam[14], draft) if iam[14] else []
    relation = code_of(iam[15].c(1)).upper()
    if relation == "SEL":
        found["recorder"] = reference(draft.patient, told[0]["text"] if told else "")
    elif relation and told:
        role = cwe_to_codeable_concept(iam[15], draft.context, "v2-0063")
        system = draft.context.systems.local(draft.context.facility, "relative")
        target = draft.add(
            compact(
                {
                    "resourceType": "RelatedPerson",
                    "id": resource_id("RelatedPerson", system, f"{draft.patient}|{relation}|{told[0]['text']}|1"),
                    "patient": draft.subject,
                    "relationship": [role] if role else [],
                    "name": told,
                }
            ),
            iam,
        )
        found["recorder"] = reference(target, told[0]["text"])
    elif told:
        found["recorder"] = {"display": told[0]["text"]}
    elif iam.peek(15):
        iam.give_back(15)
    return found
