"""EDU: a degree of a member of the staff.

Standard: HL7 v2.5.1 §15.4.3
"""

from __future__ import annotations

from mappings.hl7v2.actors import xon_to_organization
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, compact, period
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable

MAPPED = {
    2: "Practitioner.qualification.code",
    3: "Practitioner.qualification.period",
    4: "Practitioner.qualification.period",
    5: "Practitioner.qualification.period.start",
    6: "Practitioner.qualification.issuer",
    8: "Organization.address",
    9: "Practitioner.qualification.code",
}
IGNORED = {
    1: SEQUENCE,
    3: "time of the studies; the degree holds from the day it was granted",
    4: "time of the studies; the degree holds from the day it was granted",
    7: "sort of school; the school is kept",
    8: "address of the school; only with the school itself",
}


@replaceable
def edu_to_qualification(edu: Segment, draft: Draft) -> Element | None:
    """Make the qualification, with degree and field of study; nothing without either."""
    context = draft.context
    degree = cwe_to_codeable_concept(edu[2], context, "v2-0360") or {}
    majors = [found for cwe in edu[9].repetitions if (found := cwe_to_codeable_concept(cwe, context))]
    said = [found for found in (degree, *majors) if found]
    if not said:
        return None
    codings = [coding for found in said for coding in found.get("coding", [])]
    text = ", ".join(text for found in said if (text := found.get("text", "")))
    granted = draft.day(edu, 5)
    school = xon_to_organization(edu[6], draft, address=edu[8]) if edu.peek(6) else None
    if school and edu.peek(8) and "address" not in draft.get(school["reference"]):
        edu.give_back(8)
    return compact(
        {
            "code": compact({"coding": codings, "text": text}),
            "period": {"start": granted} if granted else _studied(edu, draft),
            "issuer": school,
        }
    )


def _studied(edu: Segment, draft: Draft) -> Element:
    for n in (3, 4):
        if edu.peek(n):
            span = period(datetime_of(edu[n].c(1), draft.context), datetime_of(edu[n].c(2), draft.context))
            if span:
                return span
            edu.give_back(n)
    return {}
