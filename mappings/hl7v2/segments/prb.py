"""PRB: a problem of the patient.

Standard: HL7 v2.5.1 §12.4.2
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.actions import Action, action_of, life_cycle
from mappings.hl7v2.actors import reference
from mappings.hl7v2.codings import concept, cwe_to_codeable_concept, cwe_to_coding
from mappings.hl7v2.datatypes import Element, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource

MAPPED = {
    1: "Condition.verificationStatus | Condition.clinicalStatus",
    2: "Condition.recordedDate",
    3: "Condition.code",
    4: "Condition.identifier",
    7: "Condition.extension(condition-assertedDate)",
    9: "Condition.abatement",
    10: "Condition.category",
    12: "Condition.category",
    13: "Condition.verificationStatus",
    14: "Condition.clinicalStatus",
    16: "Condition.onset",
    17: "Condition.onset | Condition.note",
    19: "Condition.verificationStatus",
    22: "ClinicalImpression.prognosisCodeableConcept",
    25: "Condition.meta.security",
    26: "Condition.severity",
}
IGNORED = {
    5: "episode of care; no episode of care is kept",
    6: "place on the sender's list of problems; a Condition has none",
    8: "expected end of the problem; R4 has no element for an expectation",
    11: "disciplines that manage the problem; the people are ROL",
    15: "time of the state; R4 has no element for it",
    18: "rank among the problems; a Condition has none",
    20: "probability; R4 has no element, PRB-19 tells the certainty",
    21: "what the patient knows of the problem; FHIR R4 has no element for it",
    23: "what the patient knows of the prognosis; FHIR R4 has no element for it",
    24: "what the family knows; FHIR R4 has no element for it",
    27: "whose view of the problem it is; FHIR R4 has no element for it",
    28: "mood; a problem is a fact",
}

_CATEGORY = concept(
    "problem-list-item", "http://terminology.hl7.org/CodeSystem/condition-category", "Problem List Item"
)
_ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_ABATED = frozenset({"inactive", "resolved", "remission"})


@replaceable
def prb_to_condition(prb: Segment, draft: Draft) -> tuple[dict[str, Any], Action] | None:
    """Make the Condition, and tell what becomes of its links; nothing when no problem is named.

    Known by PRB-4, else by patient and problem.
    """
    context = draft.context
    code = cwe_to_codeable_concept(prb[3], context)
    number = ei_to_identifier(prb[4], context, "problem")
    if code is None and number is None:
        return None
    action = action_of(prb, draft)
    first = (code or {}).get("coding", [{}])[0]
    system = context.systems.local(context.facility, "problem")
    key = f"{draft.patient}|{first.get('system', '')}|{first.get('code') or (code or {}).get('text', '')}"
    if number:
        system, key = number["system"], number["value"]
    asserted = draft.moment(prb, 7)
    label = cwe_to_coding(prb[25], context)
    kinds = [found for n in (10, 12) if (found := cwe_to_codeable_concept(prb[n], context))]
    recorded = draft.moment(prb, 2)
    if recorded and prb.peek(1).text.strip().upper() != "AD":
        prb.ignore(2, "time of a later change; recordedDate is that of the first entry")
        recorded = ""
    abated = draft.moment(prb, 9)
    return compact(
        {
            "resourceType": "Condition",
            "id": resource_id("Condition", system, key),
            "meta": {"security": [label]} if label else {},
            "extension": [{"url": _ASSERTED, "valueDateTime": asserted}] if asserted else [],
            "identifier": [number] if number else [],
            **_states(prb, draft, action, bool(abated)),
            "category": [_CATEGORY, *kinds],
            "severity": cwe_to_codeable_concept(prb[26], context),
            "code": code,
            "subject": draft.subject,
            "encounter": reference(draft.encounter) if draft.encounter else {},
            **_onset(prb, draft),
            "abatementDateTime": abated,
            "recordedDate": recorded,
        }
    ), action


def _onset(prb: Segment, draft: Draft) -> Element:
    """Take PRB-16, else the words of PRB-17; beside a date the words are a note."""
    started, said = draft.moment(prb, 16), words(prb[17].whole)
    if started:
        return {"onsetDateTime": started, "note": [{"text": said}] if said else []}
    return {"onsetString": said}


def _states(prb: Segment, draft: Draft, action: Action, abated: bool) -> Element:
    """Give clinicalStatus and verificationStatus as FHIR lets them stand together (con-3, con-4, con-5)."""
    clinical = life_cycle(prb, 14, "prb-life-cycle", draft)
    verified = life_cycle(prb, 13, "prb-confirmation", draft)
    if prb.peek(13) and prb.peek(19):
        prb.ignore(19, "PRB-13 tells whether it is confirmed")
    elif prb.peek(19):
        verified = life_cycle(prb, 19, "prb-confirmation", draft)
    if action == "delete" or (verified and verified.target == "entered-in-error"):
        for n in (13, 14, 19):
            if prb.peek(n):
                prb.ignore(n, "the problem is deleted")
        return {"verificationStatus": concept("entered-in-error", _VERIFICATION, "Entered in Error")}
    coding = clinical.coding() if clinical else {"system": _CLINICAL, "code": "active", "display": "Active"}
    if action == "stop" and coding["code"] not in _ABATED:
        coding = {"system": _CLINICAL, "code": "inactive", "display": "Inactive"}
    if abated and coding["code"] not in _ABATED:
        coding = {"system": _CLINICAL, "code": "resolved", "display": "Resolved"}
    return {
        "clinicalStatus": {"coding": [coding]},
        "verificationStatus": {"coding": [verified.coding()]} if verified else {},
    }


@replaceable
def prb_to_clinical_impression(prb: Segment, draft: Draft, problem: str) -> Resource | None:
    """Make the ClinicalImpression that holds the prognosis PRB-22: a Condition has none."""
    prognosis = cwe_to_codeable_concept(prb[22], draft.context)
    if prognosis is None:
        return None
    system = draft.context.systems.local(draft.context.facility, "prognosis")
    return compact(
        {
            "resourceType": "ClinicalImpression",
            "id": resource_id("ClinicalImpression", system, problem),
            "status": "completed",
            "subject": draft.subject,
            "encounter": reference(draft.encounter) if draft.encounter else {},
            "problem": [reference(problem)],
            "prognosisCodeableConcept": [prognosis],
        }
    )
