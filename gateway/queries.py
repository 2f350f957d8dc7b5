"""Answer questions about persons from the record, in the connection they came by.

An answer discloses data about persons to the connected system of this facility. So a question is answered only on a channel
whose `accept` names its trigger (`QBP^Q22`; not `QBP`, not `*`), the number of persons told is kept in the log of actions, and
question and answer are in the ledger. Persons that were merged are answered as the survivor. A new number (Q24) is given in the
gateway's own domain alone. Reads the question and writes the answer with `mappings.hl7v2`; finds with `gateway.records`.

Requirement: S1.10, S2.1, S2.8
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from gateway.faults import DomainNotServed, QueryNotUnderstood
from gateway.records import numbers, persons, resources, search
from gateway.records.search import Wanted
from gateway.records.versions import opened
from gateway.store import persons as person_rows
from gateway.store import resources as rows
from gateway.store.sealed import Keyring
from mappings.formats import er7
from mappings.formats.er7_header import Header
from mappings.formats.faults import IntakeFault
from mappings.hl7v2 import Context
from mappings.hl7v2.answer import Found, write_answer
from mappings.hl7v2.identifiers import FACILITY_CODE, PERSON, cx_to_identifier, home_authority, identifier_type
from mappings.hl7v2.query import Number, Query, read_query
from mappings.outcome import Resource

TRIGGERS = frozenset(("QBP^Q11", "QBP^Q21", "QBP^Q22", "QBP^Q23", "QBP^Q24", "VXQ^V01", "QRY^A19"))
"""Messages that ask about persons and wait for more than an acknowledgement."""
_NAMED = ("Practitioner", "PractitionerRole", "Organization", "Location")


@dataclass(frozen=True)
class Reply:
    """What goes back to who asked."""

    body: bytes
    disclosed: int
    """How many persons it tells about."""
    fault: IntakeFault | None
    allocates: bool = False
    """A new number is asked for: there is no `body` before `allocate` has taken one."""


def answer(
    connection: Connection,
    keyring: Keyring,
    message: er7.Message,
    header: Header,
    context: Context,
    control_id: str,
    at: datetime,
) -> Reply:
    """Answer a question; one that cannot be answered gets an answer that says why and tells nothing about anybody."""
    query = read_query(message)
    found: list[Found] = []
    fault: IntakeFault | None = None
    try:
        found = _find(connection, keyring, query, header, context)
    except IntakeFault as refused:
        fault = refused
    if query.kind == "allocation" and fault is None:
        return Reply(b"", 0, None, allocates=True)
    body = write_answer(query, header, found, at, control_id, fault, systems=context.systems)
    return Reply(body, sum(line.startswith(b"PID") for line in body.split(b"\r")), fault)


def allocate(
    connection: Connection,
    keyring: Keyring,
    message: er7.Message,
    header: Header,
    context: Context,
    message_id: str,
    control_id: str,
    at: datetime,
) -> bytes:
    """Answer a question for a new number with one that nobody has; taken for good once the transaction is durable."""
    system = context.systems.local(context.facility, PERSON)
    number = numbers.allocate(connection, keyring, system, message_id)
    patient = {"identifier": [{"type": identifier_type("PN"), "system": system, "value": number}]}
    return write_answer(read_query(message), header, [Found(patient)], at, control_id, systems=context.systems)


def refuse(message: er7.Message, header: Header, control_id: str, at: datetime, fault: IntakeFault) -> bytes:
    """Write the answer to a question that is not to be answered."""
    return write_answer(read_query(message), header, [], at, control_id, fault)


def _find(connection: Connection, keyring: Keyring, query: Query, header: Header, context: Context) -> list[Found]:
    if query.kind == "other":
        raise QueryNotUnderstood("MSH-9" if not any(query.name) else "QPD-1")
    if query.kind == "allocation":
        _require_served(query, context)
        return []
    if query.others:
        raise QueryNotUnderstood("QPD-3", ", ".join(query.others))
    found = search.find(connection, keyring, _wanted(query, header, context))
    survivors = list(dict.fromkeys(persons.resolve(connection, patient_id) for patient_id in found))
    patients = {row.id: row for row in rows.current(connection, [("Patient", id_) for id_ in survivors])}
    domains = {system for number in query.domains if (system := _system(number, context))}
    answers: list[Found] = []
    for patient_id in survivors:
        if patient_id not in patients:
            continue
        patient = _told(connection, keyring, query, patients[patient_id])
        if query.domains:
            patient["identifier"] = [one for one in patient.get("identifier", ()) if one.get("system") in domains]
        if patient.get("identifier"):
            answers.append(Found(patient))
    if len(answers) != 1:
        return answers
    return [_whole(connection, keyring, query, answers[0].patient)]


def identifiers(numbers: Iterable[Number], header: Header, context: Context) -> list[tuple[str, str]]:
    """Give system and value of the numbers that a sender says of a person."""
    numbers = [number for number in numbers if number.value]
    home: str | None = home_authority(list(numbers), context, header.sending_facility)
    if home and FACILITY_CODE.match(home) and home != context.facility:
        home = None  # another facility's numbers are never taken for ours
    found = []
    for number in numbers:
        bare = not (number.authority or number.authority_id or number.type)
        identifier = cx_to_identifier(number, context, home, "patient" if bare else "")
        if identifier is not None:
            found.append((str(identifier["system"]), str(identifier["value"])))
    return found


def _wanted(query: Query, header: Header, context: Context) -> Wanted:
    known = identifiers(query.numbers, header, context)
    if not known and any(number.value for number in query.numbers):
        raise QueryNotUnderstood("QPD-3")
    return Wanted(
        known,
        query.person.family,
        query.person.middle,
        query.person.given,
        f"{query.mother.family} {query.mother.middle} {query.mother.given}".strip(),
        query.birth_date,
        query.sex,
        query.phone,
        query.address,
    )


def _require_served(query: Query, context: Context) -> None:
    """Raise `DomainNotServed` for the first domain that is not the gateway's own. Standard: HL7 v2.5.1 §3.3.59"""
    for n, domain in enumerate(query.domains, 1):
        if domain and _system(domain, context) != context.systems.local(context.facility, PERSON):
            name = domain.authority or domain.authority_id
            raise DomainNotServed(f"QPD-3[{n}]", name if len(name) <= 40 else "")


def _system(number: Number, context: Context) -> str:
    """Give the identifier system of a domain."""
    home = number.authority if number.authority in ("", context.facility) else None
    as_number = number._replace(value="1", type=number.type or "PI")
    identifier = cx_to_identifier(as_number, context, home)
    return str(identifier["system"]) if identifier else ""


def _told(connection: Connection, keyring: Keyring, query: Query, row: rows.Version) -> Resource:
    """Give a Patient with the numbers that were moved to it and, where numbers are asked for, those of linked records."""
    patient = opened(keyring, row)
    reference = f"Patient/{row.id}"
    more = [
        change.other
        for change in person_rows.kept_by(connection, reference)
        if change.kind == "move" and change.other.startswith("Patient/")
    ]
    if query.kind == "identifiers":
        for link in person_rows.links(connection, [reference]):
            more.append(link.other if link.kept == reference else link.kept)
    keys = [("Patient", one.partition("/")[2]) for one in more]
    for other in rows.current(connection, keys):
        known = [(one.get("system"), one.get("value")) for one in patient.get("identifier", ())]
        patient["identifier"] = [
            *patient.get("identifier", ()),
            *(
                one
                for one in opened(keyring, other).get("identifier", ())
                if (one.get("system"), one.get("value")) not in known
            ),
        ]
    return patient


def _whole(connection: Connection, keyring: Keyring, query: Query, patient: Resource) -> Found:
    """Add what else is told about the one person who fits."""
    if query.kind == "immunizations":
        record = resources.record(connection, keyring, str(patient["id"]))
        given = sorted(_of(record, "Immunization"), key=lambda one: str(one.get("occurrenceDateTime", "")))
        return Found(patient, _of(record, "RelatedPerson"), given, _of(record, *_NAMED))
    if query.kind == "identifiers":
        return Found(patient)
    related = [
        opened(keyring, row)
        for row in rows.of_patients(connection, persons.all_ids(connection, str(patient["id"])))
        if row.type == "RelatedPerson"
    ]
    return Found(patient, related)


def _of(record: Iterable[Resource], *types: str) -> list[Resource]:
    return [resource for resource in record if resource["resourceType"] in types]
