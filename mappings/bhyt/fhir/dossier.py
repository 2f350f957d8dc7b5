"""One visit while it is written: the resources of a record, opened for the insurance tables.

The record may have come by XML, by HL7 v2, or by both: what was told under the name of a field, and the natural elements, are
looked for wherever either puts them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import copy
from functools import cached_property

from mappings.bhyt.fhir.forms import extension
from mappings.bhyt.sheet import Sheet, number_of
from mappings.bhyt.visits import BARE
from mappings.documents.record import Record
from mappings.outcome import Resource
from mappings.systems import Systems

_FACILITY = re.compile(r"\d{2}[0-9A-Z]\d{2}")


def _identifiers(resource: Resource) -> Sequence[Resource]:
    """Give the identifiers of a resource, also of a type that has only one."""
    found: Resource | Sequence[Resource] = resource.get("identifier", ())
    return [found] if isinstance(found, dict) else found


class Dossier:
    """What is known while the tables of one visit are written."""

    def __init__(
        self,
        resources: Sequence[Resource],
        encounter_id: str | None,
        *,
        systems: Systems,
        decision: str,
        facility: str,
        head: str = "",
        patient_id: str | None = None,
    ) -> None:
        self.systems = systems
        self.decision = decision
        self.record = Record(resources, systems)
        self.encounter = self.record.get(f"Encounter/{encounter_id}") if encounter_id else None
        self.visit = f"Encounter/{encounter_id}" if encounter_id else ""
        """Reference to the Encounter; empty when there is none."""
        self.facility = facility
        """MA_CSKCB."""
        self.head = head
        """Practice licence of the head of the facility, used when nobody told one."""
        self._patient_id = patient_id
        self._of_visit: dict[str, list[Resource]] = {}
        self._of_rows: dict[str, dict[str, list[tuple[str, Resource]]]] = {}
        self._licences: dict[str, str] = {}

    @cached_property
    def patient(self) -> Resource:
        """The person, or an empty resource."""
        named = self.record.follow((self.encounter or {}).get("subject"))
        return named or self.record.get(f"Patient/{self._patient_id}") or {}

    def about(self, patient: Resource) -> Dossier:
        """Give the same record opened at another person, without a visit."""
        other = copy(self)
        for name in ("sheet", "number"):
            other.__dict__.pop(name, None)
        other.encounter = None
        other.__dict__["patient"] = patient
        return other

    @cached_property
    def sheet(self) -> Sheet:
        """The visit as the sources of `mappings.bhyt.facts` want it."""
        return Sheet(self.record, self.systems, {}, self.patient, self.encounter, self.encounter or {}, self.head)

    @cached_property
    def number(self) -> str:
        """MA_LK: the number issued as such, else the hospital's number of the visit."""
        visit = self.encounter or {}
        own = self.systems.local(self.facility, "visit")
        return (
            number_of(visit, lambda system: system == self.systems.episode)
            or number_of(visit, lambda system: system == own)
            or number_of(visit, lambda system: system.endswith("/visit"))
        )

    def of_visit(self, resource_type: str) -> Sequence[Resource]:
        """Give the resources of a type that belong to the visit (by `encounter`, or `context` of charges and dispenses)."""
        found = self._of_visit.get(resource_type)
        if found is None:
            found = [one for one in self.record.all(resource_type) if self._is_of_visit(one)]
            self._of_visit[resource_type] = found
        return found

    def _is_of_visit(self, resource: Resource) -> bool:
        for name in ("encounter", "context"):
            if name in resource and resource[name].get("reference") == self.visit:
                return True
        return resource["resourceType"] == "Encounter" and f"Encounter/{resource['id']}" == self.visit

    def rows(self, name: str, *resource_types: str) -> list[Resource]:
        """Give the main resources of the rows of a table that came as XML, in their order.

        Rows that the visit had when it was sent before, and has no more, are left out: the Claim of XML1 knows how many there
        are.
        """
        counts = self._row_counts
        last = counts.get(name, 0) if counts and name not in (*BARE, "XML1") else None
        return [one for n, one in self._rows(name, resource_types) if last is None or n <= last]

    @cached_property
    def _row_counts(self) -> dict[str, int]:
        claims = self._rows("XML1", ("Claim",))
        told = extension(claims[0][1], "/qd3176-rows").get("extension", ()) if claims else ()
        return {one["url"]: one["valueInteger"] for one in told}

    def _rows(self, name: str, resource_types: Sequence[str]) -> list[tuple[int, Resource]]:
        row = f"{self.number}/{name}"
        found = [(int(n), one) for kind in resource_types for n, one in self._mains(kind).get(row, ())]
        return sorted(found, key=lambda one: one[0])

    def _mains(self, resource_type: str) -> dict[str, list[tuple[str, Resource]]]:
        """Give, by MA_LK and table, number and main resource of every row that came as XML, as far as that is of a type."""
        found = self._of_rows.get(resource_type)
        if found is None:
            found = self._of_rows[resource_type] = {}
            for resource in self.record.all(resource_type):
                for identifier in _identifiers(resource):
                    if identifier.get("system", "").endswith("/bhyt-row"):
                        row, _, n = identifier.get("value", "").rpartition("/")
                        found.setdefault(row, []).append((n, resource))
        return found

    @cached_property
    def came_as_xml(self) -> bool:
        """Whether a table of the visit was read: then no table is made up beside those."""
        start = f"{self.number}/"
        return any(
            identifier.get("system", "").endswith("/bhyt-row") and identifier.get("value", "").startswith(start)
            for resource in self.record.by_reference.values()
            for identifier in _identifiers(resource)
        )

    def field(self, name: str) -> str:
        """Give the text of a field told about the visit."""
        return self.record.field(name, self.encounter)

    def codes(self, name: str) -> str:
        """Give the codes of a field, joined with `;`; of one told as text the text."""
        concepts = (part.get("valueCodeableConcept", {}) for part in self.record.field_parts(name, self.encounter))
        found = (next((c["code"] for c in one.get("coding", ()) if c.get("code")), "") for one in concepts)
        return ";".join(code for code in found if code) or self.field(name)

    def licence(self, reference: Resource | None) -> str:
        """Give the licence of a practitioner referred to, and what the table writes behind it."""
        if not reference:
            return ""
        who = reference.get("reference", "")
        licence = self._licences.get(who)
        if licence is None:
            person = next(self.record.of_type([reference], "Practitioner"), {})
            licence = self._licences[who] = number_of(person, lambda system: system == self.systems.licence)
        if licence and "extension" in reference:
            return f"{licence}{extension(reference, '/staff-role').get('valueString', '')}"
        return licence

    def licences(self, references: Sequence[Resource]) -> str:
        return ";".join([licence for one in references if (licence := self.licence(one))])

    def facility_of(self, reference: Resource | None) -> str:
        """Give MA_CSKCB of an Organization (or of the Location HL7 v2 makes of a destination) referred to."""
        place = self.record.follow(reference) or {}
        found = number_of(place, lambda system: system == self.systems.facility)
        named = number_of(place, lambda system: system.endswith("/destination"))
        return found or (named if _FACILITY.fullmatch(named) else "")

    def department_of(self, location: Resource | None) -> str:
        """Give MA_KHOA: the number of the ward that a Location is or lies in."""
        for _ in range(6):
            if location is None:
                return ""
            found = number_of(location, lambda system: system.endswith("/department"))
            if found:
                return found
            location = self.record.follow(location.get("partOf"))
        return ""

    def departments(self) -> Iterator[str]:
        """Give the departments of the visit, each once, in the order of the stay."""
        seen: set[str] = set()
        for stay in (self.encounter or {}).get("location", []):
            code = self.department_of(self.record.follow(stay.get("location")))
            if code and code not in seen:
                seen.add(code)
                yield code
