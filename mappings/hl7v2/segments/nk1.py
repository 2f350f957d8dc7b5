"""NK1: next of kin and guardians.

Standard: HL7 v2.5.1 §3.4.5
Requirement: S3.18
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2.actors import reference
from mappings.hl7v2.datatypes import (
    Element,
    compact,
    cwe_to_codeable_concept,
    period,
    words,
    xpn_to_human_name,
)
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import cx_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.segments.pid import addresses, gender, telecoms
from mappings.ids import resource_id
from mappings.outcome import Resource

IGNORED = {
    1: SEQUENCE,
    10: "job of the relative; not part of the patient's record",
    11: "job of the relative; not part of the patient's record",
    14: "marital status of the relative",
    17: "living dependency of the relative",
    18: "ambulatory status of the relative",
    19: "citizenship of the relative",
    21: "living arrangement of the relative",
    22: "publicity of the relative",
    23: "protection indicator; handled by access rights",
    24: "student status of the relative",
    25: "religion of the relative",
    26: "mother's maiden name of the relative",
    27: "nationality of the relative",
    28: "ethnic group of the relative",
    29: "reason for the contact",
    34: "job status of the relative",
    35: "race of the relative",
    36: "handicap of the relative",
    38: "birth place of the relative",
    39: "VIP status of the relative",
}


def nk1_to_related_person(nk1: Segment, draft: Draft) -> Resource | None:
    """Make a RelatedPerson; nothing when the segment names nobody (then its fields stay unknown)."""
    context = draft.context
    names = [name for n in (2, 30) for xpn in nk1[n].repetitions if (name := xpn_to_human_name(xpn, context))]
    organisation = words(nk1[13].text)
    if not names and organisation:
        names = [{"text": organisation}]
    roles = [role for role in (_relationship(nk1, draft), cwe_to_codeable_concept(nk1[7], context, "v2-0131")) if role]
    identifiers = [
        identifier
        for n in (33, 12)
        for cx in nk1[n].repetitions
        if (identifier := cx_to_identifier(cx, context, of="relative"))
    ]
    social = words(nk1[37].text)
    if social:
        identifiers.append({"system": context.systems.local(context.facility, "social"), "value": social})
    points = telecoms(nk1, ((5, "home"), (6, "work"), (31, ""), (40, ""), (41, "")), draft)
    where = addresses(nk1, 4, draft) + addresses(nk1, 32, draft)
    if not (names or identifiers or points or where or roles):
        return None
    if organisation and names[0]["text"] != organisation:
        nk1.ignore(13, "organisation of the relative; the person is named")
    language = cwe_to_codeable_concept(nk1[20], context, system="urn:ietf:bcp:47")
    if identifiers:
        key = f"{draft.patient}|{identifiers[0]['system']}|{identifiers[0]['value']}"
    else:
        role = roles[0] if roles else {}
        kind = role["coding"][0].get("code", "") if role.get("coding") else role.get("text", "")
        shown = names[0]["text"] if names else ""
        key = f"{draft.patient}|{kind}|{shown}"
        key += f"|{draft.nth(key)}"
    return compact(
        {
            "resourceType": "RelatedPerson",
            "id": resource_id("RelatedPerson", context.systems.local(context.facility, "relative"), key),
            "identifier": identifiers,
            "patient": reference(draft.patient),
            "relationship": roles,
            "name": names,
            "telecom": points,
            "gender": gender(nk1, 15, draft),
            "birthDate": draft.day(nk1, 16),
            "address": where,
            "period": period(draft.day(nk1, 8), draft.day(nk1, 9)),
            "communication": [{"language": language}] if language else [],
        }
    )


_VIETNAMESE = {"BỐ": "FTH", "CHA": "FTH", "MẸ": "MTH", "VỢ": "SPO", "CHỒNG": "SPO", "CON": "CHD", "GIÁM HỘ": "GRD"}


def _relationship(nk1: Segment, draft: Draft) -> Element | None:
    """Take NK1-3 by table 0063; Vietnamese words are understood too, and kept as text."""
    field = nk1[3]
    found = cwe_to_codeable_concept(field, draft.context, "v2-0063")
    said = _VIETNAMESE.get((words(field.c(2)) or words(field.c(1))).upper())
    if found and said and all(c.get("system", "").endswith("/code") for c in found.get("coding", [])):
        row = codes.table("v2-0063").find(said)
        if row:
            found = {**found, "coding": [row.coding()]}
    return found
