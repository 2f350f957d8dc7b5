"""Coded entries beside the narrative: every resource a section is made of, unless the header says it.

Results of a report and members of a panel stand inside it; the vital signs of one moment make one organizer.

Standard: CDA R2 §4.3.6
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from mappings.cda import acts, attachments, medicines, problems, results
from mappings.cda.markup import Markup, el
from mappings.cda.writer import Writer
from mappings.outcome import Resource

HEADER: Mapping[str, str] = {
    "Patient": "recordTarget",
    "RelatedPerson": "guardian, informant or participant",
    "Coverage": "participant HLD",
    "Practitioner": "author, authenticator, or performer of an entry",
    "PractitionerRole": "author, authenticator, or performer of an entry",
    "Organization": "custodian, recipient, or maker in an entry",
    "Location": "place of the visit, or of an entry",
    "Consent": "authorization",
    "Provenance": "dataEnterer",
}
"""Types that make no entry, and which part of the document says them."""

_MAKERS: Mapping[str, Callable[[Resource, Writer], Markup]] = {
    "AllergyIntolerance": problems.allergy_intolerance_to_observation,
    "Appointment": acts.appointment_to_encounter,
    "Binary": attachments.binary_to_media,
    "CarePlan": acts.care_plan_to_act,
    "ClinicalImpression": acts.clinical_impression_to_act,
    "Condition": problems.condition_to_observation,
    "DiagnosticReport": results.diagnostic_report_to_organizer,
    "DocumentReference": attachments.document_reference_to_act,
    "Encounter": acts.encounter_to_encounter,
    "FamilyMemberHistory": problems.family_member_history_to_organizer,
    "Goal": acts.goal_to_observation,
    "ImagingStudy": results.imaging_study_to_act,
    "Immunization": medicines.immunization_to_substance_administration,
    "Media": attachments.media_to_media,
    "MedicationAdministration": medicines.medication_administration_to_substance_administration,
    "MedicationDispense": medicines.medication_dispense_to_supply,
    "MedicationRequest": medicines.medication_request_to_substance_administration,
    "MedicationStatement": medicines.medication_statement_to_substance_administration,
    "Observation": results.observation_to_observation,
    "Procedure": acts.procedure_to_procedure,
    "ServiceRequest": acts.service_request_to_act,
    "Specimen": results.specimen_to_procedure,
}

_PARTS: Mapping[str, Sequence[str]] = {
    "DiagnosticReport": ("result", "imagingStudy", "specimen"),
    "MedicationAdministration": ("medicationReference",),
    "MedicationDispense": ("medicationReference",),
    "MedicationRequest": ("medicationReference",),
    "MedicationStatement": ("medicationReference",),
    "Observation": ("hasMember",),
}
"""What stands inside the entry of another resource."""


def entries(resources: Sequence[Resource], w: Writer) -> list[Markup]:
    """Make the entries of one section, and of what these refer to that no section is made of."""
    listed = [one for one in resources if one["resourceType"] not in HEADER and one is not w.source.encounter]
    inner = _inside(listed, w)
    tops = [one for one in listed if _key(one) not in inner]
    signs: dict[str, list[Resource]] = {}
    made: list[Markup] = []
    for one in tops:
        if _is_sign(one):
            signs.setdefault(one.get("effectiveDateTime", ""), []).append(one)
        else:
            made.append(_MAKERS.get(one["resourceType"], acts.resource_to_act)(one, w))
    made += [results.vital_signs_to_organizer(group, w) for group in signs.values()]
    made += _referred(w)
    return [el("entry", one) for one in made]


def _referred(w: Writer) -> Iterator[Markup]:
    """Make the entries of what entries refer to and no section is made of."""
    source = w.source
    while source.mentioned:
        one = source.mentioned.pop(0)
        maker = _MAKERS.get(one["resourceType"])
        if maker and _key(one) not in source.written and one is not source.encounter and not source.is_listed(one):
            yield maker(one, w)


def _key(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def _is_sign(resource: Resource) -> bool:
    return (
        resource["resourceType"] == "Observation" and not resource.get("hasMember") and results.is_vital_sign(resource)
    )


def _inside(listed: Sequence[Resource], w: Writer) -> set[str]:
    """Give what other resources of the section have inside; of those that have each other inside the first is outside."""
    inner: set[str] = set()
    for top in listed:
        waiting = [] if _key(top) in inner else [top]
        while waiting:
            for part in _parts(waiting.pop(), w):
                if _key(part) not in inner and part is not top:
                    inner.add(_key(part))
                    waiting.append(part)
    return inner


def _parts(resource: Resource, w: Writer) -> Iterator[Resource]:
    for element in _PARTS.get(resource["resourceType"], ()):
        said = resource.get(element, [])
        for reference in said if isinstance(said, list) else [said]:
            if found := w.source.get(reference):
                yield found
