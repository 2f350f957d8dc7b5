"""CON: a consent of the patient.

Standard: HL7 v2.5.1 §9.9.6
"""

from __future__ import annotations

from base64 import b64encode

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import reference
from mappings.hl7v2.codings import concept, cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, joined, period, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.names import xpn_to_human_name
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

MAPPED = {
    2: "Consent.category",
    3: "Consent.policyRule",
    4: "Consent.identifier",
    5: "Consent.source",
    6: "Consent.source",
    7: "Consent.source",
    8: "Consent.source",
    9: "Consent.source",
    11: "Consent.status",
    13: "Consent.dateTime",
    14: "Consent.provision.period.start",
    15: "Consent.provision.period.end",
    24: "Consent.performer",
    25: "Consent.performer",
}
IGNORED = {
    1: SEQUENCE,
    10: "how the consent was given (written, by telephone); FHIR R4 has no element for it",
    12: "when it was talked over; the decision counts",
    16: "competence of the patient; FHIR R4 has no element for it",
    17: "interpreter; FHIR R4 has no element for it",
    18: "interpreter; FHIR R4 has no element for it",
    19: "material handed out; FHIR R4 has no element for it",
    20: "why consent was not sought; FHIR R4 has no element for it",
    21: "how much the patient was told; FHIR R4 has no element for it",
    22: "why the patient was not told all; FHIR R4 has no element for it",
    23: "why another decides; FHIR R4 has no element for it",
    25: "relation of the consenter; the consenter is named",
    26: "relation of the consenter; the consenter is named",
    27: "relation of the consenter; the consenter is named",
}

_SCOPES = "http://terminology.hl7.org/CodeSystem/consentscope"
_PRIVACY = frozenset({"001", "003"})
"""Codes of table 0496 that are about information: its release, the notice of privacy practices."""
_OWN = frozenset({"SEL", "SELF", "PAT"})


@replaceable
def con_to_consent(con: Segment, draft: Draft) -> Resource | None:
    """Make the Consent; known by CON-4, else by patient, type and form. Nothing without a type."""
    context = draft.context
    kind = cwe_to_codeable_concept(con[2], context, system=f"{V2_TABLE}0496")
    if kind is None:
        return None
    said = code_of(con[11].c(1)).upper()
    status = codes.table("v2-0498").target(said)
    if said and not status:
        draft.notice(faults.CODE_UNKNOWN, con.where(11))
        con.give_back(11)
    number = ei_to_identifier(con[4], context, "consent")
    form = words(con[3].whole)
    system, key = context.systems.local(context.facility, "consent"), f"{draft.patient}|{con[2].c(1)}|{form}"
    if number:
        system, key = number["system"], number["value"]
    text = "\n\n".join(part for n in range(5, 10) if (part := joined(con[n].repetitions)))
    privacy = code_of(con[2].c(1)) in _PRIVACY
    scope = ("patient-privacy", "Privacy Consent") if privacy else ("treatment", "Treatment")
    valid = period(draft.moment(con, 14), draft.moment(con, 15))
    return compact(
        {
            "resourceType": "Consent",
            "id": resource_id("Consent", system, key),
            "identifier": [number] if number else [],
            "status": status or "active",
            "scope": concept(scope[0], _SCOPES, scope[1]),
            "category": [kind],
            "patient": reference(draft.patient),
            "dateTime": draft.moment(con, 13),
            "performer": _consenters(con, draft),
            "sourceAttachment": {"contentType": "text/plain", "data": b64encode(text.encode()).decode()}
            if text
            else {},
            "policyRule": {"text": form or kind.get("text") or kind["coding"][0]["code"]},
            "provision": {"period": valid} if valid else {},
        }
    )


def _consenters(con: Segment, draft: Draft) -> list[Element]:
    """Name who decided: the patient, or the people of CON-24."""
    if code_of(con.peek(25).c(1)).upper() in _OWN:
        for n in (24, 25):
            _ = con[n]
        return [reference(draft.patient)]
    names = [name["text"] for xpn in con[24].repetitions if (name := xpn_to_human_name(xpn, draft.context))]
    return [{"display": name} for name in names]
