"""The document being read: what has been made of it so far. Does not map anything itself."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from hashlib import sha256

from mappings.cda import faults
from mappings.cda.read.context import Context
from mappings.cda.read.elements import Element
from mappings.cda.read.node import Node
from mappings.cda.read.systems import resource_of
from mappings.ids import resource_id
from mappings.outcome import Notice, Resource


@dataclass
class Place:
    """Where in the document a statement stands."""

    section: str = ""
    """LOINC code of the section."""
    depth: int = 0
    """Statements above this one."""
    security: tuple[str, ...] = ()
    """Confidentiality codes of the sections around it."""
    concern: Concern | None = None
    """What the act around it says, when that only holds statements together."""

    def below(self, concern: Concern | None = None) -> Place:
        """Give the place of a statement inside the one that stands here."""
        return Place(self.section, self.depth + 1, self.security, concern)


@dataclass
class Concern:
    """What an act around a problem or an allergy says about it."""

    code: str = ""
    status: str = ""
    asserted: str = ""
    recorded: str = ""
    recorder: str = ""
    identifiers: list[Element] = field(default_factory=list)
    verification: Element = field(default_factory=dict)


class Draft:
    """Collect the resources of one document, each once."""

    def __init__(self, root: Node, data: bytes, context: Context) -> None:
        self.root = root
        self.context = context
        self.fingerprint = sha256(data)
        self.notices: list[Notice] = []
        self.number: Element = {}
        """Identifier of the document; from its bytes when it has none."""
        self.dated = ""
        self.written = ""
        """When the first author contributed."""
        self.patient = ""
        self.patient_numbers: list[Element] = []
        self.encounter = ""
        self.authors: list[str] = []
        self.orders: list[str] = []
        """Orders that the document answers."""
        self.shown: dict[str, str] = {}
        """Text of the narrative by ID."""
        self.resources: dict[str, Resource] = {}
        self.pending: list[tuple[Resource, Node, Node]] = []
        """Resource, relationship and statement where one only names another statement, which may stand further down."""
        self.links: set[str] = set()
        """Which links between resources there are, as `links` writes them."""
        self.references: list[Element] = []
        """References by the ids that a document of ours says."""
        self._added: dict[str, Resource] = {}
        """The statements as they were when they were kept, before what stands inside them was linked."""
        self._numbered: dict[tuple[str, str], str] = {}

    @property
    def key(self) -> str:
        """What the document is known by."""
        return f"{self.number.get('system', '')}|{self.number.get('value', '')}"

    @property
    def subject(self) -> Element:
        """Refer to the patient; nothing when the document names none."""
        return {"reference": self.patient} if self.patient else {}

    def get(self, reference: str) -> Resource:
        """Give a resource kept before."""
        return self.resources[reference]

    def pointed(self, node: Node, numbers: list[Element]) -> str:
        """Give the statement that another one names: by the resource it says it is, else by its number."""
        for ii in node.all("id"):
            own = resource_of(ii.peek("root"), ii.peek("extension"), ii.peek("assigningAuthorityName"))
            reference = f"{own[1]}/{self.known(own[1], [], node)}" if own else ""
            if reference in self.resources:
                return reference
        return next((found for one in numbers if (found := self.numbered(one))), "")

    def numbered(self, identifier: Element) -> str:
        """Give the statement that was read under a number; `""` when there is none."""
        return self._numbered.get((identifier.get("system", ""), identifier["value"]), "")

    def known(self, kind: str, identifiers: list[Element], node: Node) -> str:
        """Give the id of a resource: the one it says it has, else from its first number, else from its place."""
        for ii in node.all("id"):
            own = resource_of(ii.peek("root"), ii.peek("extension"), ii.peek("assigningAuthorityName"))
            if own and own[1] == kind:
                base, _, value = own
                return value if base == self.context.systems.own else resource_id(kind, base, value)
        for one in identifiers:
            if one.get("system") and one.get("value"):
                return resource_id(kind, one["system"], one["value"])
        return self.placed(kind, node)

    def placed(self, kind: str, node: Node) -> str:
        """Give the id of a resource without a number: from the document and the position."""
        return resource_id(kind, f"{self.context.systems.own}/sid/document-part", f"{self.key}|{node.where()}")

    def tell(self, resource: Resource) -> str:
        """Keep somebody or something that several places name; one that is there already gains what it lacked.

        Somebody with the same number and another name is somebody else.
        """
        reference = f"{resource['resourceType']}/{resource['id']}"
        present = self.resources.get(reference)
        if present is None:
            self.resources[reference] = resource
            return reference
        mine, theirs = _called(resource), _called(present)
        if mine and theirs and mine != theirs:
            kind = resource["resourceType"]
            other = resource_id(kind, f"{self.context.systems.own}/sid/document-name", f"{resource['id']}|{mine}")
            return self.tell({**resource, "id": other})
        for name, value in resource.items():
            kept = present.setdefault(name, value)
            if isinstance(kept, list) and kept is not value:
                kept += [one for one in value if one not in kept]
        return reference

    def add(self, resource: Resource, node: Node, place: Place | None = None) -> str:
        """Keep a statement and give its reference.

        What was only named before (an order in the header, a specimen of a report) is now told. The same statement again is
        kept once; another one under the same number is kept under a number of ours, and noticed.
        """
        for code in place.security if place else ():
            label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": code}
            resource.setdefault("meta", {}).setdefault("security", []).append(label)
        reference = f"{resource['resourceType']}/{resource['id']}"
        present = self.resources.get(reference)
        if present is not None and reference not in self._added:
            for name, value in present.items():
                resource.setdefault(name, value)
        elif present is not None and (self._added[reference] == resource or self._is(node, resource)):
            node.becomes(reference)
            return reference
        elif present is not None:
            self.notice(faults.NUMBER_REPEATED, node.where())
            resource["id"] = self.placed(resource["resourceType"], node)
            reference = f"{resource['resourceType']}/{resource['id']}"
        self.resources[reference] = resource
        self._added[reference] = deepcopy(resource)
        for one in resource.get("identifier", ()):
            self._numbered.setdefault((one.get("system", ""), one["value"]), reference)
        node.becomes(reference)
        return reference

    @staticmethod
    def _is(node: Node, resource: Resource) -> bool:
        """Tell whether an entry says that it is this very resource, so that a second one is the same."""
        said = ((ii.peek("root"), ii.peek("extension"), ii.peek("assigningAuthorityName")) for ii in node.all("id"))
        found = (resource_of(*one) for one in said)
        return any(one is not None and one[1:] == (resource["resourceType"], resource["id"]) for one in found)

    def notice(self, code: int, where: str, detail: str = "") -> None:
        """Note something that a person should look at; once per place."""
        found = Notice(code, where, detail)
        if found not in self.notices:
            self.notices.append(found)


def _called(resource: Resource) -> str:
    """Give the name of a person, an organization or a device, as something to compare."""
    name = resource.get("name") or resource.get("deviceName") or ""
    if isinstance(name, list):
        parts = [name[0].get(part, "") for part in ("text", "family", "given", "name")] if name else []
        name = " ".join(" ".join(part) if isinstance(part, list) else part for part in parts)
    return " ".join(str(name).casefold().split())
