"""Orders of medicines, their dispenses and administrations, as any message carries them.

An order is ORC with its timings (TQ1, or TQ in ORC-7), then RXO, RXE, RXD, RXG or RXA, each with the routes (RXR), components
(RXC), infusion limits (RXV), comments and observations that follow it. The order is one MedicationRequest, however many of RXO
and RXE tell of it: the pharmacy's encoding (RXE) wins, what only RXO says is added. Only when the two name different medicines
there are two, the second based on the first.

Standard: HL7 v2.5.1 §4.13
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mappings.hl7v2.actors import reference
from mappings.hl7v2.datatypes import Element, compact, words
from mappings.hl7v2.dosage import completed, distinct, dosage
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.encoded_order import account, differ, filled
from mappings.hl7v2.medicine_orders import (
    administration_status,
    control_of,
    dispense_status,
    numbers,
    orc_to_medication_event,
    orc_to_medication_request,
)
from mappings.hl7v2.medicines import medicine
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.cdo import cdo_to_limit
from mappings.hl7v2.segments.obx import is_document, obx_to_observation
from mappings.hl7v2.segments.rxa import rxa_to_medication_administration
from mappings.hl7v2.segments.rxc import rxc_to_ingredient
from mappings.hl7v2.segments.rxd import rxd_to_medication_dispense
from mappings.hl7v2.segments.rxe import rxe_to_medication_request
from mappings.hl7v2.segments.rxg import rxg_to_medication_request
from mappings.hl7v2.segments.rxo import rxo_to_medication_request
from mappings.hl7v2.segments.rxr import rxr_to_device, rxr_to_dosage
from mappings.hl7v2.segments.rxv import rxv_to_dosages
from mappings.hl7v2.segments.tq1 import tq1_to_timed
from mappings.hl7v2.timing import Timed, tq_to_timed
from mappings.hl7v2.visit import document, note
from mappings.ids import resource_id
from mappings.outcome import Resource

PARTS = frozenset({"RXO", "RXE", "RXD", "RXG", "RXA"})
"""Segments by which an order turns out to be one of a medicine."""
_DETAILS = frozenset({"RXR", "RXC", "RXV", "CDO", "TQ1", "TQ2", "NTE", "OBX"})
_READERS: dict[str, Callable[[Segment, Draft], Element]] = {
    "RXO": rxo_to_medication_request,
    "RXE": rxe_to_medication_request,
    "RXG": rxg_to_medication_request,
    "RXD": rxd_to_medication_dispense,
    "RXA": rxa_to_medication_administration,
}
_TIMED_FIELDS = {"RXE": 1, "RXG": 3}

TOLD_AGAIN = "the order as the pharmacy encoded it, or what was done, tells it again"


@dataclass
class Part:
    """One RX segment with the details after it; without one, what stands between ORC and the first."""

    segment: Segment | None = None
    timings: list[Segment] = field(default_factory=list)
    routes: list[Segment] = field(default_factory=list)
    components: list[Segment] = field(default_factory=list)
    limits: list[Segment] = field(default_factory=list)
    comments: list[Segment] = field(default_factory=list)
    observations: list[Resource] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.segment.name if self.segment else ""


def take_medicines(draft: Draft, segments: Sequence[Segment]) -> None:
    """Map the orders of medicines among the segments."""
    orders = _Orders(draft)
    for segment in segments:
        if segment.name == "ORC":
            orders.begin(segment)
        else:
            orders.take(segment)
    orders.close()


class _Orders:
    """Collect each order of a medicine from the segments of a message, one after the other, and map it when it ends."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._orc: Segment | None = None
        self._parts: list[Part] = []
        self._observed: Resource | None = None
        self._ids: dict[str, dict[str, str]] = {}
        """Ids by key and medicine: what was made under each number."""

    def begin(self, orc: Segment | None) -> None:
        """Begin an order; what came before it is closed."""
        self.close()
        self._orc = orc
        self._parts = [Part()]

    def take(self, segment: Segment) -> None:
        """Take a segment of the present order; one that is none of its is passed over."""
        if segment.name in PARTS:
            if not self._parts:
                self.begin(None)
            self._parts.append(Part(segment))
            self._observed = None
        elif segment.name in _DETAILS and self._parts:
            self._detail(segment, self._parts[-1])

    def _detail(self, segment: Segment, part: Part) -> None:
        name = segment.name
        if name == "NTE":
            if self._observed is not None:
                note(self._observed, segment, self._draft)
            else:
                part.comments.append(segment)
            return
        if name == "OBX":
            self._observe(segment, part)
            return
        self._observed = None
        if name == "RXR":
            part.routes.append(segment)
        elif name == "RXC":
            part.components.append(segment)
        elif name in ("RXV", "CDO"):
            part.limits.append(segment)
        elif name == "TQ1":
            part.timings.append(segment)

    def _observe(self, obx: Segment, part: Part) -> None:
        if is_document(obx):
            document(self._draft, obx)
            self._observed = None
            return
        known = numbers(self._orc, self._draft)
        number = known[-1] if known else None
        self._observed = obx_to_observation(obx, self._draft, f"{number['system']}|{number['value']}" if number else "")
        if self._observed is not None:
            self._draft.add(self._observed, obx)
            part.observations.append(self._observed)

    def close(self) -> None:
        """Finish the order."""
        parts, orc = self._parts, self._orc
        self._parts, self._orc, self._observed = [], None, None
        if any(part.segment for part in parts):
            _Order(self._draft, orc, parts, self._ids).make()


class _Order:
    """A whole order on its way into resources."""

    def __init__(self, draft: Draft, orc: Segment | None, parts: list[Part], ids: dict[str, dict[str, str]]) -> None:
        self.draft = draft
        self._ids = ids
        self.orc = orc
        self.early = parts[0]
        self.parts = parts[1:]
        self.numbers = numbers(orc, draft)
        self.request = ""
        """Reference to the MedicationRequest, once made."""
        self.event: Element = {}
        """What ORC says of what was done, when the message does not repeat the order."""
        if self.numbers:
            self.system, self.key = self.numbers[0]["system"], self.numbers[0]["value"]
        else:
            self.system = draft.context.systems.local(draft.context.facility, "medicine-order")
            first = next(part.segment for part in self.parts if part.segment)
            self.key = draft.own_key(orc or first)

    def make(self) -> None:
        names = {part.name for part in self.parts}
        ordered: dict[str, Any] = {"status": "active"}
        if self.orc and names & {"RXO", "RXE", "RXG"}:
            ordered = orc_to_medication_request(self.orc, self.draft)
        elif self.orc:
            self.event = orc_to_medication_event(self.orc, self.draft, "RXA" in names)
        self._orders(ordered)
        routes: list[Segment] = []
        for part in reversed([part for part in self.parts if part.name == "RXA"]):
            part.routes = routes = part.routes or routes
        for part in self.parts:
            if part.name == "RXD":
                self._dispense(part)
            elif part.name == "RXA":
                self._administration(part)
            elif part.name == "RXG":
                self._instance(part, ordered)
        for part in (self.early, *self.parts):
            for segment in (*part.timings, *part.routes, *part.components, *part.limits):
                if not segment.made:
                    for n in segment.fields:
                        segment.ignore(n, TOLD_AGAIN)

    # ---- what is ordered ----

    def _orders(self, ordered: dict[str, Any]) -> None:
        originals = [part for part in self.parts if part.name == "RXO"]
        encoded = [part for part in self.parts if part.name == "RXE"]
        for n in range(max(len(originals), len(encoded))):
            self._one(
                originals[n] if n < len(originals) else None, encoded[n] if n < len(encoded) else None, ordered, n
            )

    def _one(self, original: Part | None, encoded: Part | None, ordered: dict[str, Any], n: int) -> None:
        """Make the MedicationRequest of RXO, RXE or both; of several in one order the later ones get keys of their own."""
        suffix = f"|{n + 1}" if n else ""
        said = self._said(original) if original else {}
        told = self._said(encoded) if encoded else {}
        if original and encoded and differ(said["medication"], told["medication"]):
            first = self._request(original, said, {**ordered, "intent": "original-order"}, f"{suffix}|original")
            based = [*ordered.get("basedOn", []), reference(first)]
            self.request = self._request(encoded, told, {**ordered, "intent": "order", "basedOn": based}, suffix)
            return
        part = encoded or original
        if part is None:
            return
        whole = filled(told, said) if encoded else said
        if original and encoded:
            account(original.segment, said, whole)
            part = Part(encoded.segment, *_joined(original, encoded))
        intent = "order" if encoded else "original-order"
        target = self._request(
            part, whole, {**ordered, "intent": intent}, suffix, original.segment if original else None
        )
        self.request = self.request or target

    def _said(self, part: Part) -> Element:
        segment = part.segment
        if segment is None:
            return {}
        found = _READERS[segment.name](segment, self.draft)
        found.setdefault("medication", {})
        mixed = [one for rxc in part.components if (one := rxc_to_ingredient(rxc, self.draft))]
        if mixed:
            own = found["medication"].get("ingredient", [])
            found["medication"] = {**found["medication"], "ingredient": [*own, *mixed]}
        return found

    def _request(
        self, part: Part, said: Element, ordered: dict[str, Any], suffix: str, other: Segment | None = None
    ) -> str:
        draft = self.draft
        segments = [one for one in (part.segment, other, self.orc) if one is not None]
        times = self._times(part)
        dosages = self._dosages(part, said.get("dosage", {}), times)
        named = medicine(said["medication"], draft, *[one for one in segments if one.name != "ORC"])
        security = {"meta": ordered["meta"]} if "meta" in ordered else {}
        if self.orc and said.get("requester") and ordered.get("requester") and part.segment:
            n = 14 if part.name == "RXO" else 13
            if part.segment.peek(n):
                part.segment.ignore(n, "ORC names who ordered")
        resource = {
            "resourceType": "MedicationRequest",
            "id": self._id("MedicationRequest", f"{self.key}{suffix}", named),
            **security,
            "identifier": distinct([*ordered.get("identifier", []), *said.get("identifier", [])]),
            "status": ordered["status"],
            "statusReason": ordered.get("statusReason"),
            "intent": ordered["intent"],
            "category": distinct([*ordered.get("category", []), *said.get("category", [])]),
            "priority": next((timed.priority for timed in times if timed.priority), ""),
            **named,
            "subject": draft.subject,
            "encounter": reference(draft.encounter) if draft.encounter else {},
            "supportingInformation": [
                reference(f"Observation/{one['id']}") for one in (*self.early.observations, *part.observations)
            ],
            "authoredOn": said.get("authoredOn") or ordered.get("authoredOn"),
            "requester": ordered.get("requester") or said.get("requester"),
            "recorder": ordered.get("recorder"),
            "reasonCode": said.get("reasonCode"),
            "basedOn": ordered.get("basedOn"),
            "groupIdentifier": ordered.get("groupIdentifier"),
            "note": list(said.get("note", [])),
            "dosageInstruction": dosages,
            "dispenseRequest": said.get("dispenseRequest"),
            "substitution": said.get("substitution"),
        }
        for nte in (*self.early.comments, *part.comments):
            note(resource, nte, draft)
        details = [*(part.routes or self.early.routes), *part.limits, *part.components]
        return draft.add(compact(resource), *segments, *details, *part.timings, *self.early.timings)

    def _id(self, kind: str, key: str, named: Element) -> str:
        """Make an id of the key; of the key and a count when the message has another medicine under the same number."""
        made = self._ids.setdefault(f"{kind}|{self.system}|{key}", {})
        apart = f"{key}|{len(made) + 1}" if made else key
        return made.setdefault(repr(named), resource_id(kind, self.system, apart))

    def _instance(self, part: Part, ordered: dict[str, Any]) -> None:
        """Make the order of one giving, based on the whole order."""
        said = self._said(part)
        sub_id = words(part.segment.peek(1).text) if part.segment else ""
        suffix = f"|give|{sub_id or self.draft.nth(f'RXG|{self.key}')}"
        kept = ordered
        if self.request:
            kept = {name: value for name, value in ordered.items() if name in ("meta", "requester", "recorder")}
            based = [reference(self.request)]
        else:
            known = self._logical()
            based = [*ordered.get("basedOn", []), *([known] if known else [])]
        self._request(
            part, said, {**kept, "status": ordered["status"], "intent": "instance-order", "basedOn": based}, suffix
        )

    # ---- what happened ----

    def _dispense(self, part: Part) -> None:
        draft, rxd = self.draft, part.segment
        if rxd is None:
            return
        said = self._said(part)
        control, status = control_of(self.orc)
        times = [] if self.request else self._times(part)
        named = medicine(said["medication"], draft, rxd)
        number = words(rxd.peek(1).text) or str(draft.nth(f"RXD|{self.system}|{self.key}"))
        resource = {
            "resourceType": "MedicationDispense",
            "id": self._id("MedicationDispense", f"{self.key}|{number}", named),
            "meta": self.event.get("meta"),
            "identifier": distinct([*([] if self.request else self.numbers), *said.get("identifier", [])]),
            "status": dispense_status(control, status, bool(said.get("whenHandedOver") or said.get("quantity"))),
            "category": said.get("category"),
            **named,
            "subject": draft.subject,
            "context": reference(draft.encounter) if draft.encounter else {},
            "supportingInformation": [reference(f"Observation/{one['id']}") for one in part.observations],
            "performer": said.get("performer"),
            "authorizingPrescription": self._authority(),
            "type": said.get("type"),
            "quantity": said.get("quantity"),
            "whenHandedOver": said.get("whenHandedOver"),
            "destination": said.get("destination"),
            "note": list(said.get("note", [])),
            "dosageInstruction": self._dosages(part, said.get("dosage", {}), times),
            "substitution": said.get("substitution"),
        }
        for nte in self._comments(part):
            note(resource, nte, draft)
        origins = [one for one in (rxd, self.orc) if one is not None]
        draft.add(compact(resource), *origins, *part.routes, *part.components, *part.timings)

    def _administration(self, part: Part) -> None:
        draft, rxa = self.draft, part.segment
        if rxa is None:
            return
        said = self._said(part)
        control, _ = control_of(self.orc)
        given, device = self._given(part, said.get("dosage", {}))
        counters = f"{words(rxa.peek(1).text)}|{words(rxa.peek(2).text)}"
        key = f"{self.key}|{counters}|{words(rxa.peek(3).text)}|{words(rxa.peek(5).c(1))}"
        count = draft.nth(f"RXA|{self.system}|{key}")
        when = {name: said[name] for name in said if "effective" in name}
        resource = {
            "resourceType": "MedicationAdministration",
            "id": resource_id("MedicationAdministration", self.system, key if count == 1 else f"{key}|{count}"),
            "meta": self.event.get("meta"),
            "identifier": distinct([*self.numbers, *said.get("identifier", [])]),
            "status": administration_status(control, said.get("status", "")),
            "statusReason": said.get("statusReason"),
            "category": said.get("category"),
            **medicine(said["medication"], draft, rxa),
            "subject": draft.subject,
            "context": reference(draft.encounter) if draft.encounter else {},
            "supportingInformation": [reference(f"Observation/{one['id']}") for one in part.observations],
            **when,
            "performer": [*said.get("performer", []), *self.event.get("performer", [])],
            "reasonCode": said.get("reasonCode"),
            "request": next(iter(self._authority()), {}),
            "device": [device] if device else [],
            "note": list(said.get("note", [])),
            "dosage": given,
        }
        for nte in self._comments(part):
            note(resource, nte, draft)
        origins = [one for one in (rxa, self.orc) if one is not None]
        draft.add(compact(resource), *origins, *part.routes, *part.components)

    def _given(self, part: Part, dose: Element) -> tuple[Element, Element | None]:
        """Give dosage and device of an administration; a dosage needs a dose or a rate, without them the route has no place."""
        routes = part.routes or ([] if self.request else self.early.routes)
        if not routes:
            return dose, None
        rxr = routes[0]
        device = rxr_to_device(rxr, self.draft) if rxr.peek(3) else None
        if not dose:
            for n in (1, 2, 4, 5, 6):
                if rxr.peek(n):
                    rxr.give_back(n, "route without an amount; FHIR has no place for it")
            return {}, device
        route = rxr_to_dosage(rxr, self.draft)
        if route.pop("additionalInstruction", None):
            rxr.ignore(5, "routing instruction; only an order has an element for it")
        return {**dose, **route}, device

    def _authority(self) -> list[Element]:
        """Refer to the order: it is in the message, or known by its number."""
        if self.request:
            return [reference(self.request)]
        known = self._logical()
        return [known] if known else []

    def _logical(self) -> Element | None:
        return {"type": "MedicationRequest", "identifier": self.numbers[0]} if self.numbers else None

    def _comments(self, part: Part) -> list[Segment]:
        first = not self.request and part is self.parts[0]
        return [*(self.early.comments if first else []), *part.comments]

    # ---- dosage ----

    def _times(self, part: Part) -> list[Timed]:
        """Read the timings: those after the RX segment, else in it, else those of the order, else ORC-7."""
        draft = self.draft
        n = _TIMED_FIELDS.get(part.name, 0)
        field_of = part.segment if part.segment and n and part.segment.peek(n) else None
        found = [self._timed(tq1) for tq1 in part.timings]
        inside = [tq_to_timed(tq, draft.context) for tq in field_of[n].repetitions if tq] if field_of else []
        whole = [self._timed(tq1) for tq1 in self.early.timings]
        outside = [tq_to_timed(tq, draft.context) for tq in self.orc[7].repetitions if tq] if self.orc else []
        return completed(found or inside or whole or outside, [inside, whole, outside])

    def _timed(self, tq1: Segment) -> Timed:
        if tq1.peek(12):
            tq1.ignore(12, "conjunction; the sequence of the dosages keeps it")
        return tq1_to_timed(tq1, self.draft)

    def _dosages(self, part: Part, base: Element, times: list[Timed]) -> list[Element]:
        """Give a Dosage for every timing, by the first route, and for every other route, at the first time."""
        rate = base.get("doseAndRate")
        base = {**base, "doseAndRate": [rate]} if rate else dict(base)
        more: list[Element] = []
        for limit in part.limits:
            if limit.name == "CDO":
                limits: Element = cdo_to_limit(limit, self.draft)
                extra: list[Element] = []
            else:
                limits, extra = rxv_to_dosages(limit, self.draft)
            base, more = {**limits, **base}, [*more, *extra]
        routes = [found for rxr in part.routes or self.early.routes if (found := rxr_to_dosage(rxr, self.draft))] or [
            {}
        ]
        dosages = []
        sequence = 1
        for n, timed in enumerate(times or [Timed()]):
            for route in routes if n == 0 else routes[:1]:
                one = compact(dosage(base, timed, route))
                if one:
                    dosages.append({"sequence": sequence, **one} if len(times) > 1 else one)
            sequence += timed.in_turn
        return [*dosages, *more]


def _joined(
    original: Part, encoded: Part
) -> tuple[list[Segment], list[Segment], list[Segment], list[Segment], list[Segment], list[Resource]]:
    """Give the details of both, those of the encoded order where both have some."""
    return (
        encoded.timings or original.timings,
        encoded.routes or original.routes,
        encoded.components or original.components,
        encoded.limits or original.limits,
        [*original.comments, *encoded.comments],
        [*original.observations, *encoded.observations],
    )
