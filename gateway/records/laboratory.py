"""Find whose the results of an instrument are and which orders they answer, and tell instruments what waits.

Every order that is not of pictures is kept with the numbers by which instruments know it: of its specimens, of the filler, of
the placer, the best kind that fits counts. A number of a specimen comes again after a while in many laboratories; so an order
that waits is found for a month and one that is done for a week, those that wait first. Whose results they are is decided by
order and number together, and the name has to agree: in doubt nobody, and a person decides (`lienthong lab assign`).

Requirement: S3.2, S3.18
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway import steps
from gateway.clock import SECOND
from gateway.lab_steps import FAMILY
from gateway.records import persons, search
from gateway.records.search import Wanted
from gateway.records.versions import opened
from gateway.settings import Channel, Plan
from gateway.store import lab as rows
from gateway.store import resources as resource_rows
from gateway.store.sealed import Keyring
from mappings.dicom.worklist import is_imaging
from mappings.hl7v2.business_keys import folded
from mappings.lab.answer import Waiting
from mappings.lab.asked import Person, Question
from mappings.lab.context import Known
from mappings.lab.faults import PersonContradicted, PersonMerged, PersonUnknown
from mappings.outcome import Resource
from mappings.systems import Systems

_DAY = 24 * 3600 * SECOND
WAITS, DONE = 30 * _DAY, 7 * _DAY
"""How long an order that waits, and one that is done, is found by its numbers."""
MOST = 200
"""Orders that are told to an instrument which asks for everything."""
_KINDS = ("specimen", "filler", "placer")
_OF_CODE = {"PLAC": "placer", "FILL": "filler"}


def channel_of(channel: Channel | None) -> steps.LabChannel:
    """Give what a channel says of the laboratory behind it."""
    if channel is None:
        return steps.LabChannel()
    return steps.LabChannel(channel.settings.profile, channel.settings.approver, channel.layout)


def has_instruments(plan: Plan) -> bool:
    """Tell whether any channel takes what instruments say: only then orders are kept for them."""
    return any(
        channel.source.kind == "astm" or any(entry.startswith(FAMILY) for entry in channel.settings.accept)
        for channel in plan.channels
    )


# ---- what the record keeps for them ----


def follow(connection: Connection, keyring: Keyring, told: Sequence[Resource], now: int) -> list[Resource]:
    """Keep the orders that a message told, once its resources are stored; give them as the record has them."""
    kept = []
    orders = [one for one in told if one["resourceType"] == "ServiceRequest"]
    specimens = {f"Specimen/{one['id']}": one for one in told if one["resourceType"] == "Specimen"}
    reports = [one for one in told if one["resourceType"] == "DiagnosticReport"]
    for order in orders:
        if is_imaging(order, None):
            continue
        patient_id = str(order.get("subject", {}).get("reference", "")).partition("/")[2]
        if not patient_id:
            continue
        newest = _newest(connection, keyring, f"ServiceRequest/{order['id']}") or order
        kept.append(newest)
        rows.put_order(connection, order["id"], patient_id, str(newest.get("status", "")), now)
        taken = [ref["reference"] for ref in order.get("specimen", ()) if "reference" in ref]
        for report in reports:
            if f"ServiceRequest/{order['id']}" in {one.get("reference") for one in report.get("basedOn", ())}:
                taken += [ref["reference"] for ref in report.get("specimen", ()) if "reference" in ref]
        numbers = [("specimen", one) for ref in taken for one in specimens.get(ref, {}).get("identifier", ())]
        numbers += [(_kind(one), one) for one in order.get("identifier", ())]
        keys = {(_key(keyring, str(one["value"])), kind) for kind, one in numbers if one.get("value")}
        best = {key: min((kind for k, kind in keys if k == key), key=_KINDS.index) for key, _ in keys}
        rows.put_numbers(connection, order["id"], best.items())
    return kept


def _kind(identifier: Resource) -> str:
    codes = (coding.get("code", "") for coding in identifier.get("type", {}).get("coding", ()))
    return next((_OF_CODE[code] for code in codes if code in _OF_CODE), "placer")


def _key(keyring: Keyring, number: str) -> bytes:
    return keyring.search_key("lab", folded(number))


def _newest(connection: Connection, keyring: Keyring, reference: str) -> Resource | None:
    type_, _, id_ = reference.partition("/")
    row = next(iter(resource_rows.current(connection, [(type_, id_)])), None)
    return None if row is None else opened(keyring, row)


# ---- whose results they are ----


@dataclass(frozen=True)
class Finder:
    """Look persons and orders up for one message."""

    connection: Connection
    keyring: Keyring
    systems: Systems
    facility: str
    now: int

    @classmethod
    def of(cls, connection: Connection, plan: Plan, now: int) -> Finder:
        """Look for the facility of a node."""
        return cls(connection, plan.keyring, plan.systems, plan.facility.code, now)

    def known_of(self, message_id: str, asked: Iterable[Person]) -> dict[str, Known]:
        """Give what the record knows of each person of a stored message, as `known` does."""
        sealed = rows.assigned(self.connection, message_id)
        number = self.keyring.open(sealed, f"lab/{message_id}").decode() if sealed is not None else ""
        return self.known(asked, number)

    def known(self, asked: Iterable[Person], assigned: str = "") -> dict[str, Known]:
        """Give what the record knows of each person of a message.

        `assigned` is the number of the person whom somebody gave the message to, whatever it says. Raises PersonUnknown,
        PersonContradicted, PersonMerged.
        """
        found = {one.position: self._one(one, assigned) for one in asked}
        return {position: known for position, known in found.items() if known is not None}

    def _one(self, asked: Person, assigned: str) -> Known | None:
        orders = {number: self._orders(number) for number in asked.specimens}
        by_order = {self.whose(order) for found in orders.values() for order in found}
        numbered = (assigned,) if assigned else asked.numbers
        by_number = {found for number in numbered for found in self._numbered(number, asked.cell or "P-3")}
        where = asked.cell or f"{asked.position or 'O'}-3"
        if assigned:
            by_order &= by_number
        elif len(by_order) > 1:
            raise PersonContradicted(where, "orders of several persons")
        elif by_order and by_number and not by_order & by_number:
            raise PersonContradicted(where, "the number is of another person than the order")
        if len(by_number) > 1 and not by_order & by_number:
            raise PersonContradicted(where, "numbers of several persons")
        whose = by_order & by_number or by_order or by_number
        patient = _newest(self.connection, self.keyring, f"Patient/{next(iter(whose))}") if whose else None
        if patient is None and asked.introduced and not assigned:
            return None
        if patient is None:
            raise PersonUnknown(where)
        if not assigned:
            self._require_agreement(asked, patient)
        theirs = {
            number: tuple(order for order in found if self.whose(order) == patient["id"])
            for number, found in orders.items()
        }
        return Known(patient, theirs)

    @staticmethod
    def _require_agreement(asked: Person, patient: Resource) -> None:
        found = asked.agrees(patient)
        if found.verdict == "other":
            raise PersonContradicted(asked.cell or f"{asked.position or 'P'}-6", ", ".join(found.reasons))

    def _numbered(self, number: str, where: str = "P-3") -> list[str]:
        """Give whose a number is: this hospital's first, else anybody's; raise PersonMerged for one that is no more."""
        local = self.systems.local(self.facility, "patient")
        for system in (local, ""):
            found = search.find(self.connection, self.keyring, Wanted(numbers=[(system, number)]))
            if found:
                alive = [one for one in found if persons.resolve(self.connection, one) == one]
                if not alive:
                    raise PersonMerged(where)
                return alive
        return []

    def whose(self, order: Resource) -> str:
        """Give the id of the Patient that an order is of, the one that survived."""
        patient_id = str(order.get("subject", {}).get("reference", "")).partition("/")[2]
        return persons.resolve(self.connection, patient_id)

    def _orders(self, number: str) -> tuple[Resource, ...]:
        """Give the orders of a specimen: those that wait, else those done of late; of the best kind of number."""
        found = rows.orders_with(self.connection, [_key(self.keyring, number)], self.now - WAITS)
        active = [row for row in found if row.status == "active"]
        chosen = active or [row for row in found if row.told_at >= self.now - DONE]
        kind = min((row.kind for row in chosen), key=_KINDS.index, default="")
        return self._opened([row for row in chosen if row.kind == kind])

    def order(self, order_id: str) -> Resource | None:
        """Give an order as the record has it."""
        return _newest(self.connection, self.keyring, f"ServiceRequest/{order_id}")

    def patient(self, patient_id: str) -> Resource | None:
        """Give a person as the record has them."""
        return _newest(self.connection, self.keyring, f"Patient/{patient_id}")

    def _opened(self, found: Sequence[Row[Any]]) -> tuple[Resource, ...]:
        keys = [("ServiceRequest", row.order_id) for row in found]
        known = (
            {row.id: opened(self.keyring, row) for row in resource_rows.current(self.connection, keys)} if keys else {}
        )
        return tuple(known[row.order_id] for row in found if row.order_id in known)

    # ---- what waits ----

    def waiting(self, question: Question) -> list[Waiting]:
        """Give the orders that an instrument asks for, by specimen; none for a question that is taken back."""
        if question.cancels:
            return []
        since = self.now - WAITS
        found: dict[tuple[str, str], list[Resource]] = {}
        for number in question.specimens:
            for order in self._orders(number):
                if order.get("status") == "active":
                    found.setdefault((number, self.whose(order)), []).append(order)
        more: list[Row[Any]] = []
        for number in question.patients:
            ids = [one for alive in self._numbered(number) for one in persons.all_ids(self.connection, alive)]
            more += rows.orders_of(self.connection, ids, since)
        if question.everything:
            more += rows.waiting(self.connection, since, MOST)
        for order in self._opened(more):
            found.setdefault((self.specimen_of(order), self.whose(order)), []).append(order)
        told: list[Waiting] = []
        for (number, whose), orders in found.items():
            patient = self.patient(whose)
            if number and patient is not None:
                told.append(Waiting(number, patient, tuple(orders)))
        return told

    def specimen_of(self, order: Resource) -> str:
        """Give the number of an order's specimen, else the filler's, else the placer's."""
        for reference in (one.get("reference", "") for one in order.get("specimen", ())):
            specimen = _newest(self.connection, self.keyring, reference) if reference else None
            for identifier in (specimen or {}).get("identifier", ()):
                return str(identifier["value"])
        numbers = sorted(order.get("identifier", ()), key=lambda one: _KINDS.index(_kind(one)))
        return str(next((one["value"] for one in numbers if one.get("value")), ""))


# ---- one report, however its results come ----


_FINAL = frozenset({"final", "corrected", "amended", "appended"})


def cumulate(connection: Connection, keyring: Keyring, told: Sequence[Resource]) -> None:
    """Let each report of a message keep the results that the record knows of it: an instrument tells them one by one.

    Its status is that of all of them.
    """
    statuses = {
        f"Observation/{one['id']}": one.get("status", "") for one in told if one["resourceType"] == "Observation"
    }
    for report in told:
        if report["resourceType"] != "DiagnosticReport":
            continue
        known = _newest(connection, keyring, f"DiagnosticReport/{report['id']}")
        if known is None:
            continue
        results = {one["reference"]: one for one in (*known.get("result", ()), *report.get("result", ()))}
        if not results:
            continue
        report["result"] = list(results.values())
        others = [("Observation", reference.partition("/")[2]) for reference in results if reference not in statuses]
        rows_of = resource_rows.current(connection, others) if others else []
        stored = [str(opened(keyring, row).get("status", "")) for row in rows_of]
        report["status"] = _status([*stored, *(statuses[one] for one in results if one in statuses)], report["status"])


def _status(statuses: Sequence[str], said: str) -> str:
    counting = [one for one in statuses if one not in ("cancelled", "entered-in-error")]
    if counting and all(one in _FINAL for one in counting):
        return "corrected" if said == "corrected" or "corrected" in counting else "final"
    return "partial" if any(one in _FINAL for one in counting) else said
