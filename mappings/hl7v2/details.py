"""What a visit is about and who pays for it: diagnoses, allergies, procedures, insurance, guarantors, accident and death.

Standard: HL7 v2.5.1 §3.3.1, §6.4
"""

from __future__ import annotations

from mappings.hl7v2.draft import Draft
from mappings.hl7v2.participation import Participation, followers, to_care_team, to_performers
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.acc import acc_to_observation
from mappings.hl7v2.segments.al1 import al1_to_allergy_intolerance
from mappings.hl7v2.segments.dg1 import dg1_to_condition
from mappings.hl7v2.segments.gt1 import gt1_to_guarantor
from mappings.hl7v2.segments.iam import iam_to_allergy_intolerance
from mappings.hl7v2.segments.iar import iar_to_reaction
from mappings.hl7v2.segments.in1 import in1_to_coverage
from mappings.hl7v2.segments.in2 import in2_to_coverage
from mappings.hl7v2.segments.in3 import in3_to_case_manager
from mappings.hl7v2.segments.pda import pda_to_autopsy, pda_to_cause_of_death
from mappings.hl7v2.segments.pr1 import pr1_to_procedure
from mappings.hl7v2.segments.prt import prt_to_participation
from mappings.hl7v2.segments.rol import rol_to_participation
from mappings.outcome import Resource

_PEOPLE = frozenset({"ROL", "PRT"})


def details(draft: Draft, encounter: Resource | None) -> None:
    """Take diagnoses, allergies, procedures, insurance, guarantors, accident and death."""
    coverage: Resource | None = None
    allergy: Resource | None = None
    first: Resource | None = None
    guarantors: list[Segment] = []
    for segment in draft.reader.segments:
        resource: Resource | None = None
        name = segment.name
        if name == "DG1":
            _diagnosis(segment, draft, encounter)
        elif name == "AL1":
            resource = al1_to_allergy_intolerance(segment, draft)
        elif name == "IAM":
            found = iam_to_allergy_intolerance(segment, draft)
            allergy = draft.get(draft.add(found, segment)) if found else None
        elif name == "IAR" and allergy is not None:
            iar_to_reaction(segment, allergy, draft)
            draft.add(allergy, segment)
        elif name == "PR1":
            resource = pr1_to_procedure(segment, draft)
        elif name == "IN1":
            resource = coverage = in1_to_coverage(segment, draft)
            first = first or coverage
        elif name == "IN2" and coverage is not None:
            in2_to_coverage(segment, coverage, draft)
            draft.add(coverage, segment)
        elif name == "IN3" and segment.peek(21):
            to_care_team(in3_to_case_manager(segment), draft, draft.patient)
        elif name == "GT1":
            guarantors.append(segment)
        elif name == "ACC":
            resource = acc_to_observation(segment, draft)
        elif name == "PDA":
            _death(segment, draft)
        if resource:
            draft.add(resource, segment)
    for gt1 in guarantors:
        _guarantor(gt1, draft, first)
    _people(draft)


def _diagnosis(dg1: Segment, draft: Draft, encounter: Resource | None) -> None:
    found = dg1_to_condition(dg1, draft)
    if found is None:
        return
    condition, entry = found
    draft.add(condition, dg1)
    if encounter is not None and condition["verificationStatus"]["coding"][0]["code"] != "entered-in-error":
        encounter.setdefault("diagnosis", []).append(entry)
        draft.add(encounter, dg1)
    elif "rank" in entry:
        dg1.ignore(15, "priority outside the diagnoses that are ranked")


def _death(pda: Segment, draft: Draft) -> None:
    for resource in (pda_to_cause_of_death(pda, draft), pda_to_autopsy(pda, draft)):
        if resource:
            draft.add(resource, pda)


def _guarantor(gt1: Segment, draft: Draft, coverage: Resource | None) -> None:
    """Keep who answers for the account with the Account, else with the first insurance; else only as a person."""
    entry = gt1_to_guarantor(gt1, draft)
    if entry is None:
        return
    if draft.account:
        account = draft.get(draft.account)
        account.setdefault("guarantor", []).append(entry)
        draft.add(account, gt1)
    elif coverage is not None and "policyHolder" not in coverage:
        coverage["policyHolder"] = entry["party"]
        draft.add(coverage, gt1)


def _people(draft: Draft) -> None:
    """Take the roles told after procedures and insurance."""
    for head, segment in followers(draft.reader.segments, frozenset({"PR1", "IN1", "IN2", "IN3"}), _PEOPLE):
        part: Participation
        part = rol_to_participation(segment, draft) if segment.name == "ROL" else prt_to_participation(segment, draft)
        procedures = [one for one in head.made if one.startswith("Procedure/")]
        if head.name == "PR1":
            for target in procedures:
                to_performers(part, draft.get(target), draft)
        else:
            to_care_team(part, draft, draft.patient)
