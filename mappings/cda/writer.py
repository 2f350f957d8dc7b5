"""What every entry is written with: ids, pointers into the narrative, states, remarks, reasons.

Standard: CDA R2 §4.3.6
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mappings.cda.datatypes import DataTypes, when
from mappings.cda.markup import Markup, el
from mappings.cda.narrative import Block
from mappings.cda.people import People
from mappings.cda.source import Source
from mappings.documents.record import value_text
from mappings.outcome import Resource
from mappings.systems import LOINC, V3_ACT_CODE

FHIR = "http://hl7.org/fhir"
_PRIORITY = {"routine": "R", "urgent": "UR", "asap": "A", "stat": "S"}
_PRIORITIES = "http://terminology.hl7.org/CodeSystem/v3-ActPriority"
_NAMED_BY = (
    "code",
    "vaccineCode",
    "medicationCodeableConcept",
    "description",
    "type",
    "serviceType",
    "reasonCode",
    "category",
)

STATES: Mapping[str, str] = {
    "active": "active",
    "amended": "completed",
    "appended": "completed",
    "arrived": "active",
    "available": "completed",
    "booked": "active",
    "cancelled": "cancelled",
    "completed": "completed",
    "corrected": "completed",
    "current": "completed",
    "draft": "new",
    "entered-in-error": "nullified",
    "final": "completed",
    "finished": "completed",
    "fulfilled": "completed",
    "in-progress": "active",
    "not-done": "completed",
    "noshow": "aborted",
    "on-hold": "suspended",
    "partial": "active",
    "pending": "new",
    "planned": "new",
    "preliminary": "active",
    "preparation": "new",
    "proposed": "new",
    "registered": "new",
    "revoked": "aborted",
    "stopped": "aborted",
    "superseded": "obsolete",
}
"""FHIR status → act status of HL7 v3."""

_STATUS = {state: el("statusCode", code=state) for state in STATES.values()}
_UNKNOWN = el("statusCode", nullFlavor="UNK")
COMPLETED = _STATUS["completed"]


class Writer:
    """Writes entries of one section; `block` is its narrative, `listed` what it is made of."""

    def __init__(
        self, source: Source, types: DataTypes, people: People, block: Block, listed: Sequence[Resource]
    ) -> None:
        self.source = source
        self.types = types
        self.people = people
        self.block = block
        self.coded = types.coded
        self._listed = frozenset(id(resource) for resource in listed)
        self._made: dict[tuple[object, int], Markup] = {}

    def once(self, make: Callable[[Resource, Writer], Markup], resource: Resource) -> Markup:
        """Make what many entries of the section say of a resource in the same words; `make` is asked once."""
        key = (make, id(resource))
        if key not in self._made:
            self._made[key] = make(resource, self)
        return self._made[key]

    # ---- which one, and where it is shown ----

    def ids(self, resource: Resource) -> list[Markup]:
        """Make the II of a resource's identifiers, and the one that says which resource of the FHIR document it is."""
        self.source.written.add(f"{resource['resourceType']}/{resource['id']}")
        return self.role_ids(resource)

    def role_ids(self, resource: Resource) -> list[Markup]:
        """Make the same of what an entry only names."""
        return [*self.types.known_instances(resource), self.reference_id(resource)]

    def reference_id(self, resource: Resource) -> Markup:
        """Make the II of a resource's `fullUrl`: base and type are the root, the id is the extension."""
        base, _, own = self.source.url(resource).rpartition("/")
        if not base:
            return el("id", root=own.removeprefix("urn:uuid:"))
        return self.types.numbered(base, own)

    def text(self, resource: Resource, said: str = "") -> Markup | None:
        """Point to where the narrative shows a resource: its cell or row, else the whole section.

        What the section is not made of, and an Observation that the narrative does not show, has no pointer.
        """
        place = self.place(resource)
        if not place and resource["resourceType"] != "Observation" and id(resource) in self._listed:
            place = self.block.whole()
        return (
            el("text", el("reference", value=f"#{place}") if place else None, said or None) if place or said else None
        )

    def place(self, resource: Resource) -> str:
        """Give the id of the narrative element that shows a resource; `""` when none does."""
        codes = [coding.get("code", "") for coding in (resource.get("code") or {}).get("coding", [])]
        value = value_text(resource) if resource["resourceType"] == "Observation" else ""
        block = self.block
        return block.key(codes) or block.saying(self._words(resource), value) or (block.showing(value) if value else "")

    def _words(self, resource: Resource) -> Iterator[str]:
        medication = self.source.get(resource.get("medicationReference")) or {}
        for said in (medication.get("code"), *map(resource.get, _NAMED_BY)):
            for concept in said if isinstance(said, list) else (said,):
                if isinstance(concept, dict):
                    if text := concept.get("text"):
                        yield text
                    for coding in concept.get("coding", ()):
                        if (display := coding.get("display")) and display != text:
                            yield display
        for element in ("description", "summary", "title", "comment", "conclusion"):
            if isinstance(said := resource.get(element), str) and said:
                yield said

    # ---- what is said of many ----

    def status(self, resource: Resource) -> Markup:
        """Make `statusCode`."""
        return _STATUS.get(STATES.get(resource.get("status", ""), ""), _UNKNOWN)

    def status_observation(self, concept: dict[str, Any] | None) -> Markup | None:
        """Say a status as an Observation; the system of its value tells which."""
        return self.related("REFR", self.fact("33999-4", "Status", concept)) if concept else None

    def fact(self, loinc: str, display: str, concept: dict[str, Any]) -> Markup:
        """Make an Observation that is a part of another statement."""
        return self.observation(self.types.code("code", LOINC, loinc, display), self.coded("value", concept, "CD"))

    def assertion(self, concept: dict[str, Any]) -> Markup:
        """Make an Observation that states a concept."""
        code = self.types.code("code", V3_ACT_CODE, "ASSERTION", "Assertion")
        return self.observation(code, self.coded("value", concept, "CD"))

    def observation(self, code: Markup, value: Markup | None, *rest: Markup | None, mood: str = "EVN") -> Markup:
        """Make a completed Observation of code and value."""
        return el("observation", code, COMPLETED, value, *rest, classCode="OBS", moodCode=mood)

    def related(
        self, kind: str, act: Markup | None, inverted: bool = False, number: int | None = None
    ) -> Markup | None:
        """Make an `entryRelationship`; nothing of nothing."""
        if act is None:
            return None
        order = el("sequenceNumber", value=str(number)) if number is not None else None
        return el("entryRelationship", order, act, typeCode=kind, inversionInd="true" if inverted else None)

    def severity(self, concept: dict[str, Any] | None) -> Markup | None:
        """Say how severe something is."""
        if not concept:
            return None
        code = self.types.code("code", V3_ACT_CODE, "SEV", "Severity Observation")
        return self.related("SUBJ", self.observation(code, self.coded("value", concept, "CD")), inverted=True)

    def notes(self, resource: Resource, element: str = "note") -> list[Markup | None]:
        """Make the remarks on a statement."""
        return [self.related("SUBJ", self.note(note), inverted=True) for note in resource.get(element, [])]

    def note(self, note: dict[str, Any]) -> Markup:
        """Make a remark: its text, who wrote it, when."""
        author = self.people.author(note.get("authorReference"), note.get("time"))
        return self.remark("48767-8", "Annotation comment", note.get("text", ""), author)

    def remark(self, loinc: str, display: str, text: str, *rest: Markup | None) -> Markup:
        """Make an act that is a text."""
        code = self.types.code("code", LOINC, loinc, display)
        return el("act", code, el("text", text), COMPLETED, *rest, classCode="ACT", moodCode="EVN")

    def priority(self, resource: Resource) -> Markup | None:
        """Make `priorityCode` of a FHIR request priority."""
        said = resource.get("priority")
        if not isinstance(said, str) or said not in _PRIORITY:
            return None
        return self.types.code("priorityCode", _PRIORITIES, _PRIORITY[said])

    def performers(self, resource: Resource, element: str = "performer") -> list[Markup | None]:
        """Make the performers, also those that stand in a backbone element with a function."""
        made: list[Markup | None] = []
        for one in resource.get(element, []):
            made.append(self.people.performer(one.get("actor", one)))
        return made

    def locations(self, resource: Resource, *elements: str) -> list[Markup | None]:
        """Make the participants that say where."""
        made: list[Markup | None] = []
        for element in elements:
            said = resource.get(element, [])
            for reference in said if isinstance(said, list) else [said]:
                made.append(self.people.place(self.source.get(reference), reference.get("display", "")))
        return made

    def sites(self, resource: Resource, element: str, tag: str) -> list[Markup]:
        """Make body sites."""
        said = resource.get(element, [])
        return [self.coded(tag, one) for one in (said if isinstance(said, list) else [said])]

    def when(self, resource: Resource, *elements: str) -> Markup | None:
        """Make `effectiveTime` of the first choice that says something."""
        return next((made for element in elements if (made := when(resource, element))), None)
