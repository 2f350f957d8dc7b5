"""Answer questions about cards that come by HL7 v2: whose card in our words, the look-up, and the answer in HL7's.

Requirement: S2.11
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from gateway import queries
from gateway.cards.desk import CardDesk, Wanted
from gateway.faults import CardsNotServed
from gateway.records import persons, search
from gateway.records.versions import opened
from gateway.store import resources as rows
from gateway.store.engine import Store
from gateway.store.sealed import Keyring
from gateway.text import text
from mappings.formats import er7
from mappings.formats.er7_header import Header
from mappings.formats.faults import Fault
from mappings.hl7v2 import Context
from mappings.hl7v2.card_query import CardQuery, read_card_query, write_card_answer


@dataclass(frozen=True)
class Reply:
    """What goes back to who asked."""

    body: bytes
    fault: Fault | None
    told: str = ""
    """Which look-up it tells of; empty when it tells nothing."""


async def answer(
    desk: CardDesk | None,
    store: Store,
    keyring: Keyring,
    trigger: str,
    message: er7.Message,
    header: Header,
    context: Context,
    control_id: str,
    at: datetime,
    actor: str,
) -> Reply:
    """Look the card up and write the answer; every fault is one that says so and tells nothing about anybody."""
    query = read_card_query(trigger, message)
    try:
        if desk is None:
            raise CardsNotServed()
        patient, encounter = await store.read(lambda connection: _ids(connection, keyring, query, header, context))
        wanted = Wanted(actor, patient, encounter, query.card, query.person, query.born, query.moment)
        told = await desk.ask(wanted)
    except Fault as fault:
        return Reply(refuse(trigger, message, header, control_id, at, fault), fault)
    return Reply(write_card_answer(query, header, told.answer, at, control_id), None, told.id)


def refuse(trigger: str, message: er7.Message, header: Header, control_id: str, at: datetime, fault: Fault) -> bytes:
    """Write the answer to a question that is not answered."""
    query = read_card_query(trigger, message)
    return write_card_answer(query, header, None, at, control_id, fault, str(text(fault.code)))


def _ids(
    connection: Connection, keyring: Keyring, query: CardQuery, header: Header, context: Context
) -> tuple[str, str]:
    """Find the person and the visit in the record; empty for whom it does not know for certain."""
    identifiers = queries.identifiers(query.numbers, header, context)
    found = search.find(connection, keyring, search.Wanted(identifiers)) if identifiers else []
    survivors = {persons.resolve(connection, one) for one in found}
    if len(survivors) != 1:
        return "", ""
    (patient,) = survivors
    if not query.visit:
        return patient, ""
    for row in rows.of_patients(connection, persons.all_ids(connection, patient)):
        if row.type == "Encounter":
            numbers = [one.get("value") for one in opened(keyring, row).get("identifier", [])]
            if query.visit in numbers:
                return patient, str(row.id)
    return patient, ""
