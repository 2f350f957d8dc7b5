"""One visit while it is read: the resources made of it, and whom every table of it means.

A person, a practitioner, a facility, a ward has the same id here as when HL7 v2 names it by the same number
(`mappings/hl7v2`): a hospital that sends both has one record. What has no number anywhere is known by the visit, the table and
the row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import compact, concept, is_code, parts
from mappings.bhyt.rows import Row
from mappings.bhyt.tables import code_list, table
from mappings.bhyt.visits import Visit
from mappings.ids import resource_id
from mappings.outcome import Notice, Resource
from mappings.systems import Systems

_STAFF = re.compile(r"(.+?)(\.(?:C|HD|TX|CG)\.[0-9A-Z]{5})?")
_PHYSICAL_TYPE = "http://terminology.hl7.org/CodeSystem/location-physical-type"


class Case:
    """What is known while the tables of one visit are read."""

    def __init__(self, visit: Visit, systems: Systems, decision: str, facility: str) -> None:
        self.visit = visit
        self.systems = systems
        self.decision = decision
        self.facility = facility
        """MA_CSKCB under which the numbers of the visit mean something."""
        self.number = visit.number
        """MA_LK."""
        self.patient = ""
        """Reference to the Patient; empty when no table says who it is."""
        self.encounter = ""
        """Reference to the Encounter; empty without MA_LK."""
        self.notices: list[Notice] = []
        self.owned: set[str] = set()
        """References of what only a row of this visit tells of."""
        self.assumed: dict[str, tuple[str, ...]] = {}
        """Reference → elements that FHIR demands and no table tells."""
        self._resources: dict[str, Resource] = {}
        self._people: dict[str, Resource] = {}
        self._systems: dict[str, str] = {}
        self._numbered: dict[tuple[str, str, str], str] = {}
        self.medicines: dict[tuple[str, ...], str] = {}
        """What lines say of a medicine → reference to its Medication."""
        self.name = ""
        """The table that is read just now."""

    @property
    def resources(self) -> list[Resource]:
        """Everything made so far."""
        return list(self._resources.values())

    def add(self, resource: Resource) -> str:
        """Keep a resource and give its reference; one that is there already only gains the elements it lacked.

        An Observation gains nothing: of two values of one fact the first stands.
        """
        reference = f"{resource['resourceType']}/{resource['id']}"
        present = self._resources.setdefault(reference, resource)
        if present is not resource and resource["resourceType"] != "Observation":
            for name, value in resource.items():
                present.setdefault(name, value)
        return reference

    def get(self, reference: str) -> Resource:
        """Give a resource that is there, to be completed."""
        return self._resources[reference]

    def local(self, kind: str) -> str:
        """Give the system of a number that means something in this facility only."""
        found = self._systems.get(kind)
        if found is None:
            found = self._systems[kind] = self.systems.local(self.facility, kind)
        return found

    def code_system(self, name: str) -> str:
        """Give the URI of a field's own code list."""
        return _code_system(self.systems.own, name)

    def structure(self, name: str) -> str:
        """Give the URI of an extension of ours."""
        return f"{self.systems.own}/StructureDefinition/{name}"

    def national(self, name: str) -> str:
        """Give the URI of an extension of the community guide."""
        return f"{self.systems.national}/StructureDefinition/{name}"

    def row_id(self, resource_type: str, n: int, part: str = "") -> str:
        """Give the id of a resource that only this row tells of."""
        found = resource_id(resource_type, self.local("bhyt-row"), f"{self.number}|{self.name}|{n}|{part}")
        self.owned.add(f"{resource_type}/{found}")
        return found

    def row_identifier(self, n: int) -> Resource:
        """Give the identifier of the row's main resource: by it the row is found again, in its order."""
        return {"system": self.local("bhyt-row"), "value": f"{self.number}/{self.name}/{n}"}

    @property
    def subject(self) -> Resource:
        """Refer to the Patient, for elements that demand one."""
        return {"reference": self.patient} if self.patient else {"display": "không rõ"}

    def about(self) -> dict[str, Any]:
        """Give `subject` and `encounter`, as far as they are known."""
        found: dict[str, Any] = {}
        if self.patient:
            found["subject"] = {"reference": self.patient}
        if self.encounter:
            found["encounter"] = {"reference": self.encounter}
        return found

    # ---- who and where ----

    def practitioner(self, text: str, name: str = "") -> Resource:
        """Refer to a practitioner by the licence; what stands behind it, such as `.TX.01234`, stays with the reference."""
        known = self._people.get(text)
        if known is None:
            match = _STAFF.fullmatch(text)
            licence, suffix = (match[1], match[2] or "") if match else (text, "")
            system = self.systems.licence
            target = self.add(
                compact(
                    {
                        "resourceType": "Practitioner",
                        "id": resource_id("Practitioner", system, licence),
                        "identifier": [{"system": system, "value": licence}],
                        "name": [{"text": name}] if name else [],
                    }
                )
            )
            known = {"reference": target}
            if suffix:
                known = {"extension": [{"url": self.structure("staff-role"), "valueString": suffix}], **known}
            self._people[text] = known
        return known

    def practitioners(self, text: str) -> list[Resource]:
        """Refer to the practitioners of a list."""
        known = self._people.get(text)
        if known is not None:
            return [known]
        return [self.practitioner(one) for one in parts(text) if one]

    def organization(self, code: str) -> Resource:
        """Refer to a facility by MA_CSKCB."""
        return {"reference": self.numbered("Organization", self.systems.facility, code)}

    def numbered(self, resource_type: str, system: str, number: str) -> str:
        """Give the reference of what is known by its number alone; however many rows name it, it is made once."""
        key = (resource_type, system, number)
        found = self._numbered.get(key)
        if found is None:
            found = self._numbered[key] = self.add(
                {
                    "resourceType": resource_type,
                    "id": resource_id(resource_type, system, number),
                    "identifier": [{"system": system, "value": number}],
                }
            )
        return found

    def department(self, code: str) -> Resource:
        """Refer to the ward of a department by MA_KHOA."""
        path = f"wa:{code}"
        target = self.add(
            {
                "resourceType": "Location",
                "id": resource_id("Location", self.local("location"), path),
                "identifier": [{"system": self.local("department"), "value": code}],
                "name": code,
                "mode": "instance",
                "physicalType": {"coding": [{"system": _PHYSICAL_TYPE, "code": "wa", "display": "Ward"}]},
            }
        )
        return {"reference": target, "display": code}

    # ---- facts told under the name of a field ----

    def field(self, name: str, *values: tuple[str, Any], also: Sequence[Resource] = ()) -> str:
        """Keep a fact as the Observation of the visit that carries the field, as HL7 v2 tells it; nothing of no value.

        `values` are pairs such as `("valueString", text)`; several become components. `also` are further codings of what was
        observed.
        """
        if not values:
            return ""
        system = self.systems.field
        anchor = self.encounter or self.patient or self.number
        code = {"coding": [{"system": system, "code": name}, *also]}
        told = (
            dict(values) if len(values) == 1 else {"component": [{"code": code, key: value} for key, value in values]}
        )
        return self.add(
            {
                "resourceType": "Observation",
                "id": resource_id("Observation", self.local("observation"), f"{anchor}|{system}|{name}|||1"),
                "status": "final",
                "code": code,
                **self.about(),
                **told,
            }
        )

    def text_field(self, name: str, text: str) -> str:
        """Keep a text as `field`."""
        return self.field(name, ("valueString", text)) if text else ""

    def code_field(self, name: str, text: str, codes: str = "") -> str:
        """Keep codes of a `;` list as `field`; the words come from the list `codes`, where it comes with the product.

        What is no list of codes is kept as text.
        """
        known = code_list(codes) if codes else None
        system = self.code_system(name)
        found = []
        for code in parts(text):
            if not is_code(code):
                return self.text_field(name, text)
            row = known.find(code) if known else None
            found.append(("valueCodeableConcept", concept(code, system, row.vi if row else "")))
        return self.field(name, *found)


@cache
def _code_system(own: str, name: str) -> str:
    return f"{own}/CodeSystem/qd3176-{name.lower().replace('_', '-')}"


class TableMap(NamedTuple):
    """How one table becomes resources and comes back."""

    name: str
    read: Callable[[Case, Sequence[Row]], Sequence[Resource]]
    """Make resources of the rows (`Case.add`) and give the main resource of every row, in order, each another one."""
    write: Callable[[Dossier], Sequence[tuple[Resource, dict[str, str]]]]
    """Give the rows back from resources, each with its main resource; fields in any order, empty ones may be left out."""
    mapped: Mapping[str, str]
    """Field → where it goes, as element paths parted by ` | `. A field of the table that is in neither is unknown."""
    ignored: Mapping[str, str] = {}
    """Field → the reason why nothing is made of it. It comes back all the same: the frame keeps it as written."""


def known_fields(name: str) -> frozenset[str]:
    """Give every field a table has or had under any decision."""
    found: set[str] = set()
    for decision in ("130", "4750", "3176", "1931"):
        try:
            found |= set(table(name, decision).names)
        except KeyError:
            continue
    return frozenset(found)
