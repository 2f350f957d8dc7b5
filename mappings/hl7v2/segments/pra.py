"""PRA: what a member of the staff practises.

Standard: HL7 v2.5.1 §15.4.6
"""

from __future__ import annotations

from mappings.hl7v2.actors import cwe_to_organization
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, Subcomponents, code_of, compact, period, words
from mappings.hl7v2.draft import Draft, date_of
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING, SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.hl7v2.staff import add_number, add_qualification, is_licence, number_to_identifier
from mappings.outcome import Resource

MAPPED = {
    2: "PractitionerRole.code",
    3: "PractitionerRole.code",
    5: "PractitionerRole.specialty",
    6: "Practitioner.qualification.identifier | Practitioner.identifier",
    7: "Practitioner.qualification.code",
    8: "PractitionerRole.period.start",
    9: "PractitionerRole.organization",
    10: "PractitionerRole.period.end",
}
IGNORED = {
    1: "key of the record; STF-1 names the person",
    4: BILLING,
    8: "day practice began; the time of the post is kept",
    9: "institution; the department of the post is kept",
    10: "day practice ended; the time of the post is kept",
    11: BILLING,
    12: SEQUENCE,
}


@replaceable
def pra_to_practitioner(pra: Segment, practitioner: Resource, draft: Draft) -> None:
    """Add licences and other numbers (PRA-6), and what the person is allowed to do (PRA-7), to the Practitioner."""
    for pln in pra[6].repetitions:
        number = number_to_identifier(pln.c(1), pln.c(2), "", draft)
        if number is None:
            continue
        add_number(practitioner, number)
        if is_licence(pln.c(1), pln.c(2), "") or pln.c(4) or pln.c(3):
            ends = date_of(pln.c(4)) if pln.c(4) else ""
            kind = {"text": code_of(pln.c(2)) or "licence"}
            held = {"identifier": [number], "code": kind, "period": period("", ends)}
            add_qualification(practitioner, compact(held))
    for pip in pra[7].repetitions:
        code = cwe_to_codeable_concept(Subcomponents(pip, 1), draft.context)
        if code:
            ends, starts = (date_of(pip.c(n)) if pip.c(n) else "" for n in (3, 4))
            add_qualification(practitioner, compact({"code": code, "period": period(starts, ends)}))
    if pra.peek(6) and not practitioner.get("identifier"):
        pra.give_back(6)


@replaceable
def pra_to_role(pra: Segment, role: Element, draft: Draft) -> None:
    """Add category, group, specialty, institution and time to the post, where STF does not say them."""
    context = draft.context
    said = [found for n in (2, 3) for cwe in pra[n].repetitions if (found := cwe_to_codeable_concept(cwe, context))]
    if said:
        role["code"] = [*role.get("code", []), *said]
    specialties = [{"text": words(spd.c(1))} for spd in pra[5].repetitions if words(spd.c(1))]
    if specialties:
        role["specialty"] = [*role.get("specialty", []), *specialties]
    if "organization" not in role and pra.peek(9):
        place = cwe_to_organization(pra[9], draft)
        role |= {"organization": place} if place else {}
    if "period" not in role:
        span = period(draft.day(pra, 8), draft.day(pra, 10))
        role |= {"period": span} if span else {}
