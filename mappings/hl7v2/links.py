"""What belongs together although it stands apart: parent orders and results, sub-ids, specimens named by number.

Everything is linked once the whole message is read, because the one may stand before or after the other. What the message does
not hold is referred to by its number.

Standard: HL7 v2.5.1 §7.4.1.26, §7.4.1.29, §7.4.2.4; v2.8 §2.A.49
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mappings.hl7v2.actors import reference
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.obx import is_coded
from mappings.hl7v2.segments.orc import parents_of
from mappings.hl7v2.segments.spm import eip_to_identifiers, specimen_reference
from mappings.ids import resource_id
from mappings.outcome import Resource


@dataclass
class Member:
    """One result of an order: its segment and what was made of it."""

    obx: Segment
    sub_id: str
    observation: Resource


@dataclass
class Family:
    """One order as others may name it."""

    numbers: list[Element]
    members: list[Member] = field(default_factory=list)
    obr: Segment | None = None
    orc: Segment | None = None
    request: dict[str, Any] | None = None


class Links:
    """Collect orders and results of one message, and link them at its end."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._families: list[Family] = []
        self._specimens: list[tuple[Segment, Resource]] = []
        self._by_code: dict[tuple[str, str], list[tuple[Family, Member]]] | None = None

    def add(self, family: Family) -> None:
        """Keep an order that is closed; its own results are grouped by sub-id at once."""
        self._families.append(family)
        if any(member.sub_id for member in family.members):
            group(family.members)

    def from_specimen(self, obx: Segment, observation: Resource) -> None:
        """Remember a result that names its specimen (OBX-33)."""
        self._specimens.append((obx, observation))

    def resolve(self) -> None:
        """Link everything."""
        for obx, observation in self._specimens:
            self._specimen(obx, observation)
        for family in self._families:
            if family.request is not None:
                self._parent_order(family, family.request)
            if family.obr is not None and family.obr.peek(26):
                self._parent_result(family, family.obr)

    def _specimen(self, obx: Segment, observation: Resource) -> None:
        found = [numbers for eip in obx[33].repetitions if (numbers := eip_to_identifiers(eip, self._draft))]
        if not found:
            obx.give_back(33)
            return
        observation["specimen"] = specimen_reference(found[0], self._draft)
        url = f"{self._draft.context.systems.own}/StructureDefinition/observation-specimen"
        for numbers in found[1:]:
            observation.setdefault("extension", []).append(
                {"url": url, "valueReference": specimen_reference(numbers, self._draft)}
            )

    def _parent_order(self, family: Family, request: dict[str, Any]) -> None:
        """Say on which order this one is based: ORC-8, OBR-29, OBR-54; OBR-50 and ORC-31 say what that was."""
        draft = self._draft
        numbers: list[Element] = []
        display = ""
        for segment, fields, service in ((family.orc, (8,), 31), (family.obr, (29, 54), 50)):
            if segment is None:
                continue
            for n in fields:
                told = parents_of(segment, n, draft)
                numbers += [number for number in told if number not in numbers]
                if not told and segment.peek(n):
                    segment.give_back(n)
            if segment.peek(service):
                shown = words(segment[service].c(2)) or words(segment[service].c(1))
                display = display or shown
        found: list[Element] = []
        for number in numbers:
            target = f"ServiceRequest/{resource_id('ServiceRequest', number['system'], number['value'])}"
            if draft.has(target) and target != f"ServiceRequest/{request['id']}":
                found = [reference(target, display)]
                break
        if not found and numbers:
            found = [compact({"type": "ServiceRequest", "identifier": numbers[0], "display": display})]
        elif not found and display:
            found = [{"type": "ServiceRequest", "display": display}]
        if found:
            request["basedOn"] = [*request.get("basedOn", []), *found]

    def _parent_result(self, family: Family, obr: Segment) -> None:
        """Derive the results of an order from the result of the parent order that OBR-26 names."""
        draft = self._draft
        code, sub_id = code_of(obr[26].c(1)), words(obr[26].c(2))
        shown = words(obr[26].c(3)) or words(obr[26].c(1, 2))
        parent = self._find(family, parents_of(obr, 29, draft), code, sub_id)
        if parent is not None:
            link = reference(f"Observation/{parent['id']}")
            children = [reference(f"Observation/{member.observation['id']}") for member in family.members]
            _join(parent, [child for child in children if child != link])
        else:
            system = draft.context.systems.local(draft.context.facility, "parent-result")
            value = "|".join(part for part in (code, sub_id) if part)
            number = {"system": system, "value": value} if value else {}
            link = compact({"identifier": number, "display": shown})
            if not link:
                obr.give_back(26)
                return
            link = {"type": "Observation", **link}
        for member in family.members:
            member.observation.setdefault("derivedFrom", []).append(link)
        if not family.members:
            if family.request is None:
                obr.give_back(26, "no result to derive from it")
            else:
                family.request.setdefault("supportingInfo", []).append(link)

    def _find(self, child: Family, numbers: Sequence[Element], code: str, sub_id: str) -> Resource | None:
        """Find the parent result: of the order with one of the numbers, or of the only order that has such a result."""
        for known in numbers or ({},):
            found = [
                member.observation
                for family, member in self._index().get((known.get("value", ""), code), ())
                if family is not child
                and (not known or known in family.numbers)
                and (not sub_id or member.sub_id == sub_id)
            ]
            if found:
                return found[0] if numbers or len(found) == 1 else None
        return None

    def _index(self) -> dict[tuple[str, str], list[tuple[Family, Member]]]:
        """Find results by a number of their order, or none, and their code, or none."""
        if self._by_code is None:
            self._by_code = {}
            for family in self._families:
                values = {"", *(number["value"] for number in family.numbers)}
                for member in family.members:
                    named = {"", *(coding["code"] for coding in member.observation["code"].get("coding", ()))}
                    for key in ((value, code) for value in values for code in named):
                        self._by_code.setdefault(key, []).append((family, member))
        return self._by_code


def group(members: Sequence[Member]) -> None:
    """Group the results of one order by their sub-ids.

    `1.1` and `1.2` are members of `1`. A coded result that comes once in every group (the organism of each isolate) has the
    other results of its group as members; any other sharing of a sub-id stays what it is, beside the result.
    """
    by_sub_id: dict[str, list[Member]] = {}
    for member in members:
        if member.sub_id:
            by_sub_id.setdefault(member.sub_id, []).append(member)
    for sub_id, found in by_sub_id.items():
        above = sub_id.rpartition(".")[0]
        while above and above not in by_sub_id:
            above = above.rpartition(".")[0]
        if above:
            _adopt(by_sub_id[above][0], found)
    whole = [found for sub_id, found in by_sub_id.items() if "." not in sub_id]
    heads = {_code(found[0]) for found in whole}
    if len(whole) > 1 and len(heads) == 1 and all(is_coded(found[0].obx) for found in whole):
        for found in whole:
            _adopt(found[0], [member for member in found[1:] if _code(member) not in heads])


def _code(member: Member) -> str:
    return member.obx.peek(3).c(1)


def _adopt(head: Member, members: Sequence[Member]) -> None:
    _join(
        head.observation,
        [reference(f"Observation/{member.observation['id']}") for member in members if member is not head],
    )


def _join(observation: Resource, members: Sequence[Element]) -> None:
    """Make results members of another, each once."""
    known = {link["reference"]: link for link in (*observation.get("hasMember", ()), *members)}
    if known:
        observation["hasMember"] = list(known.values())
