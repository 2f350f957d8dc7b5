"""STF: a member of the staff.

Standard: HL7 v2.5.1 §15.4.8
"""

from __future__ import annotations

from mappings.hl7v2.actors import cwe_to_organization
from mappings.hl7v2.addresses import xtn_to_contact_point
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, period, words
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.pid import addresses, gender, names
from mappings.hl7v2.site import replaceable
from mappings.hl7v2.staff import add_number, number_to_identifier, practitioner_id, staff_number
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

MAPPED = {
    1: "Practitioner.identifier",
    2: "Practitioner.identifier",
    3: "Practitioner.name",
    4: "PractitionerRole.code",
    5: "Practitioner.gender",
    6: "Practitioner.birthDate",
    7: "Practitioner.active",
    8: "PractitionerRole.organization",
    9: "PractitionerRole.specialty",
    10: "Practitioner.telecom",
    11: "Practitioner.address",
    12: "PractitionerRole.period.start",
    13: "PractitionerRole.period.end",
    15: "Practitioner.telecom",
    18: "PractitionerRole.code",
    19: "PractitionerRole.code",
    34: "PractitionerRole.period",
}
_PRIVATE = "private matter of a member of the staff; not needed to know who treats"
_EMPLOYER = "matter between employer and employee"
IGNORED = (
    {
        14: "backup person; rosters are not kept",
        16: "preferred way of contact; all ways are kept",
        34: "time of the employment; STF-12 and STF-13 tell it",
        36: _EMPLOYER,
        37: "sort of resource for scheduling",
        39: "sort of resource for scheduling",
        41: "picture of a signature; signatures are made by certificates",
    }
    | dict.fromkeys((17, *range(21, 28), 28, 30, 31, 32, 40), _PRIVATE)
    | dict.fromkeys((20, 29, 33, 35, 38), _EMPLOYER)
)


@replaceable
def stf_to_practitioner(stf: Segment, draft: Draft, active: bool | None) -> Resource | None:
    """Make the Practitioner; nothing without number and name. The id is that of the number other messages name them by."""
    number = staff_number(stf[1], draft)
    others = [found for cx in stf[2].repetitions if (found := number_to_identifier(cx.c(1), cx.c(5), cx.c(4), draft))]
    told: Resource = {}
    for one in (number, *others):
        if one:
            add_number(told, one)
    numbers = told.get("identifier", [])
    called = names(stf[3], draft)
    if not numbers and not called:
        return None
    points = [found for xtn in stf[10].repetitions if (found := xtn_to_contact_point(xtn, draft.context))]
    for mail in stf[15].repetitions:
        if words(mail.whole) and all(words(mail.whole) != one["value"] for one in points):
            points.append({"system": "email", "value": words(mail.whole)})
    return compact(
        {
            "resourceType": "Practitioner",
            "id": practitioner_id(numbers[0] if numbers else None, called[0]["text"] if called else "", draft),
            "identifier": numbers,
            "active": active,
            "name": called,
            "telecom": points,
            "address": addresses(stf, 11, draft),
            "gender": gender(stf, 5, draft),
            "birthDate": draft.day(stf, 6),
        }
    )


@replaceable
def stf_to_role(stf: Segment, draft: Draft) -> Element:
    """Give what STF says of the post: code, specialty, department and time."""
    context = draft.context
    kinds = [found for cwe in stf[4].repetitions if (found := cwe_to_codeable_concept(cwe, context))]
    job = stf[19]
    title = words(stf[18].whole) or words(job.c(3))
    post = compact({"coding": _job(stf, draft), "text": title})
    departments = [found for cwe in stf[8].repetitions[:1] if (found := cwe_to_organization(cwe, draft))]
    return compact(
        {
            "code": [*kinds, *([post] if post else [])],
            "specialty": [
                found
                for cwe in stf[9].repetitions
                if (found := cwe_to_codeable_concept(cwe, context, system=f"{V2_TABLE}0069"))
            ],
            "organization": departments[0] if departments else {},
            "period": _employed(stf, draft),
        }
    )


def _job(stf: Segment, draft: Draft) -> list[Element]:
    code = code_of(stf[19].c(1))
    system = draft.context.systems.local(draft.context.facility, "code-job")
    return [{"system": system, "code": code}] if code else []


def _employed(stf: Segment, draft: Draft) -> Element:
    """Take STF-12 and STF-13 (DIN: day and institution), else STF-34 (DR)."""
    context = draft.context
    start, end = datetime_of(stf[12].c(1), context), datetime_of(stf[13].c(1), context)
    for n, read in ((12, start), (13, end)):
        if stf.peek(n) and not read:
            stf.give_back(n)
    if start or end:
        return period(start, end)
    span = period(datetime_of(stf[34].c(1), context), datetime_of(stf[34].c(2), context))
    if stf.peek(34) and not span:
        stf.give_back(34)
    return span
