"""Find in a patient's record what belongs to one paper."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property
from itertools import chain
from typing import Any

from mappings.documents import wording
from mappings.documents.faults import SubjectMissing
from mappings.outcome import Resource
from mappings.systems import DEFAULT, Systems

_WRONG = frozenset({"entered-in-error", "cancelled"})
_NUMBER = re.compile(r"\d+([.,]\d+)?", re.ASCII)


TABLE_OF_PAPER = {
    "discharge_paper": "XML7",
    "record_summary": "XML8",
    "birth_certificate": "XML9",
    "maternity_rest_paper": "XML10",
    "leave_paper": "XML11",
    "referral": "XML13",
    "reexamination": "XML14",
    "lab_report": "XML4",
}
"""Papers that have a table in the insurance file, and its name there."""


class Record:
    """The newest version of every resource of one person."""

    def __init__(self, resources: Sequence[Resource], systems: Systems) -> None:
        self.systems = systems
        self.part = ""
        """Which part of its subject a paper is about, such as one day of a visit; empty when it is the whole."""
        self.table = ""
        """The insurance table a paper has; what that table told otherwise than the others comes first: `XML7/GHI_CHU`."""
        self._by_reference = {f"{resource['resourceType']}/{resource['id']}": resource for resource in resources}
        self._by_type: dict[str, list[Resource]] = {}
        for resource in self._by_reference.values():
            self._by_type.setdefault(resource["resourceType"], []).append(resource)

    def for_table(self, name: str) -> Record:
        """Give the same record as the paper with this table reads it."""
        other = copy(self)
        other.table = name
        return other

    @property
    def by_reference(self) -> Mapping[str, Resource]:
        """Every resource by `Type/id`."""
        return self._by_reference

    def get(self, reference: str) -> Resource | None:
        """Give the resource `Type/id`."""
        return self._by_reference.get(reference)

    def all(self, resource_type: str) -> Sequence[Resource]:
        return self._by_type.get(resource_type, ())

    def follow(self, element: Resource | None) -> Resource | None:
        """Give the resource a Reference points to."""
        return self.get(element.get("reference", "")) if element else None

    def of_type(self, references: Iterable[Resource | None], resource_type: str) -> Iterator[Resource]:
        """Give the resources of one type among references; a PractitionerRole stands for its practitioner."""
        for element in references:
            found = self.follow(element)
            if found and found["resourceType"] == "PractitionerRole" and resource_type == "Practitioner":
                found = self.follow(found.get("practitioner"))
            if found and found["resourceType"] == resource_type:
                yield found

    def subject(self, paper: str, reference: str) -> Resource:
        """Give what a paper is about: the resource before `#`; what stands behind is kept as `part`.

        Raises `SubjectMissing`.
        """
        whole, _, self.part = reference.partition("#")
        found = self.get(whole)
        if found is None:
            raise SubjectMissing(paper, whole.partition("/")[0])
        return found

    def patient(self, paper: str, *about: Resource | None) -> Resource:
        """Give the person, after merges: who replaced a replaced one; raises `SubjectMissing`."""
        for resource in about:
            if resource is None:
                continue
            if resource.get("resourceType") == "Patient":
                return self._survivor(resource)
            actors = [part.get("actor") for part in resource.get("participant", [])]
            for patient in self.of_type([resource.get("subject"), *actors], "Patient"):
                return self._survivor(patient)
        living = [patient for patient in self.all("Patient") if patient.get("active", True)]
        if len(living) == 1:
            return living[0]
        raise SubjectMissing(paper, "Patient")

    def _survivor(self, patient: Resource) -> Resource:
        seen = {patient["id"]}
        while True:
            links = [link["other"] for link in patient.get("link", []) if link.get("type") == "replaced-by"]
            other = next(self.of_type(links, "Patient"), None)
            if other is None or other["id"] in seen:
                return patient
            seen.add(other["id"])
            patient = other

    def encounter(self, resource: Resource, before: str = "") -> Resource | None:
        """Give the visit a resource belongs to; of one that names none the last that began `before`, when that is asked for."""
        named = [resource.get("encounter"), *resource.get("supportingInformation", [])]
        found = next(self.of_type(named, "Encounter"), None)
        latest = wording.instant(before)
        if found or latest is None:
            return found
        visits = [
            (start, visit)
            for visit in self.all("Encounter")
            if visit.get("status") not in _WRONG
            and (start := wording.instant(visit.get("period", {}).get("start", "")))
            and start <= latest
        ]
        return max(visits, key=lambda pair: pair[0])[1] if visits else None

    # ---- what a visit says ----

    def field(self, code: str, encounter: Resource | None) -> str:
        """Give the text of a field of QĐ 3176 told about a visit (or about none); the latest when told more than once.

        A time is given as FHIR dateTime.
        """
        parts = self.field_parts(code, encounter)
        texts = (part.get("valueDateTime") or value_text(part) for part in parts)
        return "; ".join(text for text in texts if text)

    def measured(self, code: str, encounter: Resource | None, unit: str) -> str:
        """Give the text of a field that is an amount, with the unit told; a bare number is in `unit`, that of QĐ 3176."""
        texts: list[str] = []
        for part in self.field_parts(code, encounter):
            text = value_text(part)
            said = wording.unit(part.get("valueQuantity", {})) or (unit if _NUMBER.fullmatch(text) else "")
            texts.append(f"{text} {said}".strip())
        return "; ".join(text for text in texts if text)

    def field_parts(self, code: str, encounter: Resource | None) -> list[Resource]:
        """Give what carries the values of a field: the Observation, or its components when several codes were told."""
        found = self.field_observation(code, encounter)
        return list(found.get("component", [found])) if found else []

    def coded_field(self, code: str, encounter: Resource | None) -> tuple[str, str]:
        """Give code and meaning of a coded field, also when it came as the text `code^meaning^system`."""
        found = self.field_observation(code, encounter) or {}
        codings = found.get("valueCodeableConcept", {}).get("coding", [])
        if codings:
            return codings[0].get("code", ""), wording.concept(found["valueCodeableConcept"])
        first, _, rest = (value_text(found) if found else "").partition("^")
        return first.strip(), rest.partition("^")[0].strip()

    def is_field(self, observation: Resource) -> bool:
        """Tell whether an Observation of the record carries a field of QĐ 3176."""
        return observation["id"] in self._carriers

    @cached_property
    def _carriers(self) -> frozenset[str]:
        """Ids of the Observations that carry fields."""
        return frozenset(observation["id"] for found in self._fields.values() for observation in found)

    @cached_property
    def _fields(self) -> dict[str, list[Resource]]:
        """Code of a field → the Observations that carry it."""
        found: dict[str, list[Resource]] = {}
        for observation in self.all("Observation"):
            for coding in observation.get("code", {}).get("coding", []):
                if coding.get("system", "").endswith(_FIELDS):
                    found.setdefault(coding.get("code", ""), []).append(observation)
        return found

    def field_observation(self, code: str, encounter: Resource | None) -> Resource | None:
        """Give the Observation that carries a field: as the paper's own table told it, else as anything did."""
        own = self._told(f"{self.table}/{code}", encounter) if self.table else None
        return own or self._told(code, encounter)

    def _told(self, code: str, encounter: Resource | None) -> Resource | None:
        visit = f"Encounter/{encounter['id']}" if encounter else ""
        best: tuple[tuple[bool, str], Resource] | None = None
        for observation in self._fields.get(code, ()):
            about = observation.get("encounter", {}).get("reference", "")
            if about not in ("", visit) or observation.get("status") in _WRONG:
                continue
            rank = (about == visit, observation.get("effectiveDateTime", ""))
            if best is None or rank >= best[0]:
                best = (rank, observation)
        return best[1] if best else None

    def fields(self, codes: Iterable[str], encounter: Resource | None) -> list[Resource]:
        """Give the Observations of several fields, each once."""
        found = (self.field_observation(code, encounter) for code in dict.fromkeys(codes))
        return [observation for observation in found if observation]

    def diagnoses(self, encounter: Resource | None) -> list[Resource]:
        """Give the conditions of a visit, the main one first.

        Discharge diagnoses where there are any; else all that are not only admission diagnoses; else all.
        """
        if encounter is None:
            return []
        listed = self._listed(encounter)
        if not listed:
            visit = f"Encounter/{encounter['id']}"
            listed = [
                (99, "", condition)
                for condition in self.all("Condition")
                if condition.get("encounter", {}).get("reference") == visit and not _is_wrong(condition)
            ]
        final = [one for one in listed if one[1] in ("DD", "CM")]
        if not any(one[1] == "DD" for one in final):
            final = [one for one in listed if one[1] != "AD"] or listed
        final.sort(key=lambda one: (one[1] == "CM", one[0]))
        return list({one[2]["id"]: one[2] for one in final}.values())

    def admission_diagnoses(self, encounter: Resource | None) -> list[Resource]:
        """Give the conditions a visit began with, the main one first; none when none is called an admission diagnosis."""
        listed = self._listed(encounter) if encounter else []
        found = sorted((one for one in listed if one[1] == "AD"), key=lambda one: one[0])
        return list({one[2]["id"]: one[2] for one in found}.values())

    def _listed(self, encounter: Resource) -> list[tuple[int, str, Resource]]:
        """Give rank, role and condition of what a visit lists as its diagnoses."""
        listed: list[tuple[int, str, Resource]] = []
        for entry in encounter.get("diagnosis", []):
            condition = self.follow(entry.get("condition"))
            if condition and not _is_wrong(condition):
                codes = {coding.get("code", "") for coding in entry.get("use", {}).get("coding", [])}
                use = next((code for code in ("DD", "CM", "CC", "AD") if code in codes), "")
                listed.append((int(entry.get("rank", 99)), use, condition))
        return listed

    def cards(self, start: str, end: str) -> list[Resource]:
        """Give the insurance coverages in force during a visit, newest first; one without a period is always in force."""
        first, last = wording.day(start), wording.day(end or start)

        def covers(coverage: Resource) -> bool:
            period = coverage.get("period", {})
            begins, ends = wording.day(period.get("start", "")), wording.day(period.get("end", ""))
            return not ((begins and last and begins > last) or (ends and first and ends < first))

        found = [coverage for coverage in self._insured() if covers(coverage)]
        return sorted(found, key=lambda coverage: coverage.get("period", {}).get("start", ""), reverse=True)

    def last_card(self) -> list[Resource]:
        """Give the coverage that ended last."""
        return sorted(self._insured(), key=lambda coverage: coverage.get("period", {}).get("end", ""))[-1:]

    def _insured(self) -> list[Resource]:
        return [
            coverage
            for coverage in self.all("Coverage")
            if coverage.get("subscriberId") and coverage.get("status", "active") in ("active", "draft")
        ]

    def relatives(self, patient: Resource | None = None) -> list[Resource]:
        """Give father, mother and guardians, in this order, then other relatives; of several persons those of one."""
        order = {"FTH": 0, "MTH": 1, "GUARD": 2, "GRD": 2}
        ranked = [
            (min((order.get(code, 9) for code in relation_codes(one)), default=9), one)
            for one in self.all("RelatedPerson")
            if patient is None or not self._is_another(self.follow(one.get("patient")), patient)
        ]
        return [one for _, one in sorted(ranked, key=lambda pair: pair[0])]

    @staticmethod
    def _is_another(whose: Resource | None, patient: Resource) -> bool:
        return whose is not None and whose["id"] != patient.get("id") and not whose.get("link")

    def doctor(self, encounter: Resource | None) -> Resource | None:
        """Give the practitioner who answers for a visit: the attender, else anybody taking part."""
        parts = encounter.get("participant", []) if encounter else []
        ranked = sorted(
            parts,
            key=lambda part: "ATND" not in {c.get("code") for t in part.get("type", []) for c in t.get("coding", [])},
        )
        return next(self.of_type([part.get("individual") for part in ranked], "Practitioner"), None)

    def named(self, resource_type: str, name: str) -> Resource | None:
        """Give the only person of a type who has this name; a title before it may be told or not."""
        found = [
            one
            for one in self.all(resource_type)
            if name and name.casefold() in (wording.name(one).casefold(), wording.title_and_name(one).casefold())
        ]
        return found[0] if len(found) == 1 else None

    def place(self, encounter: Resource | None) -> dict[str, str]:
        """Give department, room and bed of a visit under their physical type codes `wa`, `ro`, `bd`."""
        stays = encounter.get("location", []) if encounter else []
        stays = sorted(stays, key=lambda stay: stay.get("status") != "active")
        found: dict[str, str] = {}
        location = self.follow(stays[0].get("location")) if stays else None
        described = location.get("description", "") if location else ""
        while location and len(found) < 6:
            kinds = [coding.get("code", "") for coding in location.get("physicalType", {}).get("coding", [])]
            for kind in kinds:
                found.setdefault(kind, location.get("name", ""))
            location = self.follow(location.get("partOf"))
        if described:
            found["wa"] = described
        return found


def tells(resources: Iterable[Resource], *codes: str) -> bool:
    """Tell whether one of the resources carries one of these fields of QĐ 3176 with a value; nought is none."""
    return any(
        coding.get("code") in codes and coding.get("system", "").endswith("/qd3176-field")
        for one in resources
        if one["resourceType"] == "Observation" and one.get("status") not in _WRONG and value_text(one).strip(" 0")
        for coding in one.get("code", {}).get("coding", [])
    )


def owner(resource: Resource) -> str:
    """Refer to the visit a resource belongs to, without one to the person; `""` when it names neither."""
    about = (resource.get("encounter"), resource.get("context", {}).get("encounter"), resource.get("subject"))
    named = chain.from_iterable(one if isinstance(one, list) else [one or {}] for one in about)
    return next((reference for one in named if (reference := one.get("reference", ""))), "")


_FIELDS = DEFAULT.field.removeprefix(DEFAULT.own)


def is_field(observation: Resource, code: str = "") -> bool:
    """Tell whether an Observation carries a field of QĐ 3176, whatever base our systems have: this one, or any."""
    codings = observation.get("code", {}).get("coding", [])
    return any(c.get("system", "").endswith(_FIELDS) and code in ("", c.get("code")) for c in codings)


def relation_codes(related: Resource) -> set[str]:
    """Give the codes of a relationship."""
    return {coding.get("code", "") for one in related.get("relationship", []) for coding in one.get("coding", [])}


def _is_wrong(condition: Resource) -> bool:
    codings = condition.get("verificationStatus", {}).get("coding", [])
    return any(coding.get("code") in ("entered-in-error", "refuted") for coding in codings)


def icd10(condition: Resource) -> str:
    """Give the ICD-10 code of a condition: as the Vietnamese edition has it, where that says more."""
    codings: list[dict[str, Any]] = condition.get("code", {}).get("coding", [])
    found: dict[str, str] = {
        name: c["code"] for c in codings for name in ("vn-icd10", "icd-10") if name in c.get("system", "").lower()
    }
    return found.get("vn-icd10") or found.get("icd-10", "")


def value_text(observation: Resource) -> str:
    """Write the value of an Observation, without its unit."""
    for key, write in (
        ("valueString", str),
        ("valueQuantity", wording.amount),
        ("valueCodeableConcept", wording.concept),
        ("valueDateTime", wording.short_time),
        ("valueInteger", str),
        ("valueTime", str),
    ):
        if key in observation:
            return write(observation[key])
    if "valueBoolean" in observation:
        return "Có" if observation["valueBoolean"] else "Không"
    if "valueRange" in observation:
        return " - ".join(wording.amount(observation["valueRange"].get(side, {})) for side in ("low", "high"))
    if "valueRatio" in observation:
        ratio = observation["valueRatio"]
        return ":".join(wording.amount(ratio.get(part, {})) for part in ("numerator", "denominator"))
    if "valuePeriod" in observation:
        return " - ".join(wording.short_time(observation["valuePeriod"].get(side, "")) for side in ("start", "end"))
    return ""
