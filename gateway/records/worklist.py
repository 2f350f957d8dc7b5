"""Keep what devices are told to do: every imaging order in force whose study has not come, as the record has it now.

An entry follows all that is shown of it: the order, the person's name and numbers, the visit and where it is. An order that
is held, revoked or completed is not on the list, nor is one whose study came; each of the two is a fact of its own, so that an
order told again does not bring back what is done. A study finds its order by the UID that the list gave it, else by reference,
else by accession number, and only that of its own person.
Entries are made when messages are mapped; orders that were mapped by a version that made none get theirs from `fill`.

Requirement: S1.4
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway import __version__
from gateway.clock import Clock, to_datetime
from gateway.faults import QueryTooWide
from gateway.imaging_steps import Asked
from gateway.records import persons
from gateway.records.versions import opened
from gateway.settings import Plan
from gateway.store import migrate, nodes
from gateway.store import resources as resource_rows
from gateway.store import worklist as rows
from gateway.store.engine import Store
from gateway.store.sealed import Keyring
from gateway.store.worklist import Entry
from mappings.dicom import worklist as mapping
from mappings.dicom.attributes import items, text
from mappings.dicom.context import Context
from mappings.dicom.draft import UID
from mappings.dicom.matching import asked_exactly, days_asked, matches
from mappings.formats import json
from mappings.ids import resource_id
from mappings.outcome import Resource

_PAGE = 500
CANDIDATES = 5000
"""Entries that are opened for one question at most; a wider question is refused."""


@dataclass(frozen=True)
class Keeper:
    """Bring the entries to what one message, or one act of a person, made of the record."""

    connection: Connection
    keyring: Keyring
    context: Context
    """`message_id` is that of the message."""
    now: int
    heard_at: str
    """When the message came, as FHIR dateTime: the day of an order that says none."""

    @classmethod
    def of(cls, connection: Connection, plan: Plan, row: Row[Any], now: int) -> Keeper:
        """Keep them for a message."""
        context = Context(plan.facility.code, plan.systems, plan.node.zone, message_id=row.id)
        return cls(connection, plan.keyring, context, now, to_datetime(row.received_at).isoformat())

    @classmethod
    def by_hand(cls, connection: Connection, plan: Plan, now: int) -> Keeper:
        """Keep them for what a person does."""
        return cls(connection, plan.keyring, Context(plan.facility.code, plan.systems, plan.node.zone), now, "")

    def follow(self, told: Sequence[Resource], patient_id: str | None, pairs: Iterable[tuple[str, str]] = ()) -> None:
        """Take over what a message told, once its resources are stored; `pairs` are the records it merged or parted."""
        studies = [one for one in told if one["resourceType"] == "ImagingStudy"]
        came = [one for one in studies if one.get("status") != "registered"]
        changed = set() if came else self._orders(told, {_order(one): one for one in studies})
        for study in came:
            self._arrived(study)
        merged = (one.partition("/")[2] for pair in pairs for one in pair if one.startswith("Patient/"))
        self.refresh({one for one in (patient_id, *merged) if one}, changed)

    def refresh(self, patient_ids: Collection[str], but: Collection[str] = ()) -> None:
        """Say of the open entries of persons what the record says now."""
        for row in rows.of_patients(self.connection, sorted(patient_ids)):
            if row.order_id not in but:
                self._put(row.order_id, row.study_uid, row.message_id, row.day)

    def enter(self, order_id: str, uid: str) -> None:
        """Make the entry of an order that is in the record; `uid` is that of the study that it announces."""
        self._put(order_id, uid, self.context.message_id, "")
        order = self._newest(f"ServiceRequest/{order_id}")
        if order is None:
            return
        numbers = set(mapping.accessions(order))
        patient_id = persons.resolve(self.connection, order.get("subject", {}).get("reference", "").partition("/")[2])
        ids = persons.all_ids(self.connection, patient_id)
        for row in resource_rows.of_patients(self.connection, ids, "ImagingStudy"):
            study = opened(self.keyring, row)
            its_own = _order(study) == order_id or numbers & set(mapping.accessions(study))
            if study.get("status") != "registered" and its_own:
                rows.done(self.connection, [order_id], self.now)

    def _orders(self, told: Sequence[Resource], announced: Mapping[str, Resource]) -> set[str]:
        orders = {one["id"]: one for one in told if one["resourceType"] == "ServiceRequest"}
        if not orders:
            return set()
        known = rows.of_orders(self.connection, orders)
        meant = {id_ for id_, one in orders.items() if id_ in known or mapping.is_imaging(one, announced.get(id_))}
        for id_ in sorted(meant):
            row = known.get(id_)
            uid = mapping.announced_uid(announced[id_]) if id_ in announced else ""
            before = (row.study_uid, row.day) if row else ("", "")
            self._put(id_, uid or before[0], self.context.message_id, before[1])
        return meant

    def _put(self, order_id: str, uid: str, message_id: str, day: str) -> None:
        order = self._newest(f"ServiceRequest/{order_id}")
        if order is None:
            return
        patient_id = persons.resolve(self.connection, order.get("subject", {}).get("reference", "").partition("/")[2])
        study = f"ImagingStudy/{resource_id('ImagingStudy', UID, uid)}" if uid else ""
        visit, requester = (order.get(name, {}).get("reference", "") for name in ("encounter", "requester"))
        found = self._all_newest(f"Patient/{patient_id}", visit, requester, study)
        patient = found.get(f"Patient/{patient_id}")
        if patient is None:
            return
        item = mapping.order_to_worklist_item(
            order,
            patient,
            found.get(visit),
            study=found.get(study),
            requester=found.get(requester),
            allergies=self._allergies(patient_id),
            ordered_at=f"{day[:4]}-{day[4:6]}-{day[6:]}" if day else self.heard_at,
            context=self.context,
        )
        number, accession = text(item, mapping.PATIENT), text(item, mapping.ACCESSION)
        entry = Entry(
            order_id=order_id,
            patient_id=patient_id,
            patient_key=key_of_patient(self.keyring, number),
            accession_key=key_of_accession(self.keyring, accession),
            study_uid=text(item, mapping.STUDY),
            day=text(items(item, mapping.STEP)[0], mapping.DAY),
            status=order["status"],
            message_id=message_id,
            body=self.keyring.seal(json.dumps(item), _name(order_id)),
        )
        rows.put(self.connection, entry, self._came_before(entry) if accession else None)

    def _came_before(self, entry: Entry) -> int | None:
        """Give when the study of an order came that is told only now."""
        came = rows.of_accessions(self.connection, [entry.accession_key])
        found = [one.done_at for one in came if not one.status and one.patient_key == entry.patient_key]
        return min((at for at in found if at is not None), default=None)

    def _arrived(self, study: Resource) -> None:
        """Note that a study came; where its order is not known yet, keep that for when it is told."""
        uid, named = mapping.announced_uid(study), _order(study)
        patient_id = study.get("subject", {}).get("reference", "").partition("/")[2]
        patient = self._newest(f"Patient/{persons.resolve(self.connection, patient_id)}") if patient_id else None
        if patient is None:
            return
        number = key_of_patient(self.keyring, mapping.patient_number(patient, self.context))
        keys = [key_of_accession(self.keyring, one) for one in mapping.accessions(study)]
        ways: tuple[Callable[[], Iterable[Row[Any]]], ...] = (
            lambda: rows.of_study(self.connection, uid),
            lambda: rows.of_orders(self.connection, [named]).values(),
            lambda: rows.of_accessions(self.connection, keys),
        )
        theirs = ([row.order_id for row in way() if row.patient_key == number] for way in ways)
        found = next((one for one in theirs if one), [])
        if found:
            rows.done(self.connection, found, self.now)
        elif keys:
            order_id = named or study["id"]
            told = Entry(order_id, patient["id"], number, keys[0], uid, "", "", self.context.message_id, b"")
            rows.put(self.connection, told, self.now)

    def _allergies(self, patient_id: str) -> list[Resource]:
        ids = persons.all_ids(self.connection, patient_id)
        found = resource_rows.of_patients(self.connection, ids, "AllergyIntolerance")
        return [one for one in (opened(self.keyring, row) for row in found) if _holds(one)]

    def _newest(self, reference: str) -> Resource | None:
        return self._all_newest(reference).get(reference)

    def _all_newest(self, *references: str) -> dict[str, Resource]:
        keys = [(one.partition("/")[0], one.partition("/")[2]) for one in references if one]
        return {
            f"{row.type}/{row.id}": opened(self.keyring, row) for row in resource_rows.current(self.connection, keys)
        }


async def fill(store: Store, plan: Plan, clock: Clock) -> int:
    """Enter the orders in force that have no entry, once for each version of the gateway; return how many.

    Safe beside running nodes and to repeat, in small transactions. It counts as done when no node of another version is left
    that could map an order without entering it.
    """
    release = (__version__, migrate.newest())
    duty = " ".join(("worklist", *release))
    if duty in await store.read(nodes.ran):
        return 0
    announced = await store.read(lambda connection: _announced(connection, plan.keyring))
    done, after = 0, ""
    while True:
        wanted, last = await store.read(lambda c, after=after: _wanted(c, plan.keyring, announced, after))  # type: ignore[misc]
        if not last:
            break
        if wanted:
            enter = partial(_enter, plan=plan, wanted=wanted, now=clock.now())
            done += await store.write(enter)
        after = last

    def note(connection: Connection) -> None:
        living = [(one.version, one.revision) for one in nodes.listing(connection) if one.state in nodes.LIVING]
        if all(one == release for one in living):
            nodes.put_ran(connection, duty, plan.node.name, clock.now())

    await store.write(note)
    return done


def _announced(connection: Connection, keyring: Keyring) -> dict[str, str]:
    """Give the orders that announce a study: id → UID of the study."""
    found, after = {}, ""
    while page := resource_rows.newest(connection, "ImagingStudy", after, _PAGE):
        for study in (opened(keyring, row) for row in page):
            if study.get("status") == "registered" and _order(study):
                found[_order(study)] = mapping.announced_uid(study)
        after = page[-1].id
    return found


def _wanted(
    connection: Connection, keyring: Keyring, announced: Mapping[str, str], after: str
) -> tuple[list[tuple[resource_rows.Version, str]], str]:
    """Give the orders of a page that lack an entry, with the UID that each announces, and the page's last id."""
    page = resource_rows.newest(connection, "ServiceRequest", after, _PAGE)
    meant = []
    for row in page:
        order = opened(keyring, row)
        if order.get("status") == "active" and (row.id in announced or mapping.is_imaging(order)):
            meant.append((row, announced.get(row.id, "")))
    known = rows.of_orders(connection, [row.id for row, _ in meant]) if meant else {}
    return [(row, uid) for row, uid in meant if row.id not in known], page[-1].id if page else ""


def _enter(connection: Connection, plan: Plan, wanted: Sequence[tuple[resource_rows.Version, str]], now: int) -> int:
    """Enter orders that still lack an entry; one whose study is in the record is done."""
    known = rows.of_orders(connection, [row.id for row, _ in wanted])
    for row, uid in wanted:
        if row.id not in known:
            context = Context(plan.facility.code, plan.systems, plan.node.zone, message_id=row.message_id)
            heard_at = to_datetime(row.recorded_at).isoformat()
            Keeper(connection, plan.keyring, context, now, heard_at).enter(row.id, uid)
    return len(wanted) - len(known)


def answer(
    connection: Connection,
    keyring: Keyring,
    query: Mapping[str, str],
    calling: str,
    stations: Mapping[str, Sequence[str]],
    since: str,
) -> list[mapping.Item]:
    """Give the entries that fit what a device asks for, by day; those of a day before `since` are no longer offered.

    Raises `QueryUnreadable`, and `QueryTooWide` where more entries than `CANDIDATES` would have to be opened.
    """
    first, last = days_asked(query)
    number, accession = (asked_exactly(query, path) for path in (mapping.PATIENT, mapping.ACCESSION))
    found = rows.waiting(
        connection,
        first=max(first, since),
        last=last,
        patient_key=key_of_patient(keyring, number) if number else b"",
        accession_key=key_of_accession(keyring, accession) if accession else b"",
        limit=CANDIDATES + 1,
    )
    if len(found) > CANDIDATES:
        raise QueryTooWide(detail=f"more than {CANDIDATES} orders wait; ask by day")
    offered = (
        mapping.for_stations(json.loads(keyring.open(row.body, _name(row.order_id))), stations, calling)
        for row in found
    )
    return [item for item in offered if matches(item, query)]


def orders_of(connection: Connection, keyring: Keyring, asked: Asked) -> dict[str, str]:
    """Give the orders of a study: accession number → `ServiceRequest/<id>`, of its patient."""
    persons_ = {key_of_patient(keyring, one) for one in asked.patients}
    keys = {key_of_accession(keyring, one): one for one in asked.accessions}
    found = rows.of_accessions(connection, keys) if keys else []
    told = [row for row in found if row.status and row.patient_key in persons_]
    told.sort(key=lambda row: row.study_uid == asked.study)
    return {keys[row.accession_key]: f"ServiceRequest/{row.order_id}" for row in told}


def key_of_patient(keyring: Keyring, number: str) -> bytes:
    return keyring.search_key("worklist", f"patient|{number.strip()}")


def key_of_accession(keyring: Keyring, number: str) -> bytes:
    return keyring.search_key("worklist", f"accession|{number.strip()}")


def _order(study: Resource) -> str:
    """Give the id of the order that a study is based on."""
    references = (str(one.get("reference", "")) for one in study.get("basedOn", ()))
    return next((one.partition("/")[2] for one in references if one.startswith("ServiceRequest/")), "")


def _holds(allergy: Resource) -> bool:
    said: list[Any] = [*allergy.get("clinicalStatus", {}).get("coding", ())]
    said += allergy.get("verificationStatus", {}).get("coding", ())
    return not {one.get("code") for one in said} & {"inactive", "resolved", "refuted", "entered-in-error"}


def _name(order_id: str) -> str:
    return f"worklist/{order_id}"
