"""Files of the insurance interface as messages: one for each visit, beside the file itself when it holds several.

    one visit        one message, its bytes the file's
    several visits   the file, kept as it came, and a message for each visit, so that each is mapped, ordered and repaired alone
    unreadable       one message in the error queue

A file that comes again is a duplicate by its bytes; a corrected one is another message about the same visit. Does not map.

Requirement: S2.10
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gateway.faults import TypeNotAccepted
from gateway.settings import Channel
from gateway.store.ids import uuid7
from gateway.store.messages import Earlier, NewMessage
from gateway.store.sealed import Keyring
from gateway.visit_steps import FAMILY, FILE, UNREADABLE
from mappings.bhyt.decisions import PORTAL_VERSION, decision_of
from mappings.bhyt.visits import Visit, read_visits, split_visits
from mappings.formats import json
from mappings.formats.faults import Fault


@dataclass(frozen=True)
class Arrival:
    """What intake knows of a file besides its bytes."""

    raw: bytes
    peer: str
    at: int
    """When it came, as a stored instant."""


def file_to_messages(arrival: Arrival, channel: Channel, keyring: Keyring) -> list[NewMessage]:
    """Make the messages of a file; never raises for what the file is: a fault goes with the message."""
    make = _maker(arrival, channel, keyring)
    try:
        parts = list(split_visits(arrival.raw))
        if len(parts) == 1:
            return [make(arrival.raw, next(read_visits(arrival.raw)), 0)]
        whole = make(arrival.raw, None, 0)
        return [whole, *(make(raw, next(read_visits(raw)), n) for n, raw in enumerate(parts, 1))]
    except Fault as fault:
        return [make(arrival.raw, None, 0, fault)]


def _maker(arrival: Arrival, channel: Channel, keyring: Keyring) -> Callable[..., NewMessage]:
    name, of_file = channel.settings.name, hashlib.sha256(arrival.raw).hexdigest()

    def make(raw: bytes, visit: Visit | None, number: int, fault: Fault | None = None) -> NewMessage:
        """Make the message of a visit, the `number`-th of its file, or of a whole file."""
        message_id, kind = uuid7(), _type(visit) if visit else UNREADABLE if fault else FILE
        control_id = f"{of_file}#{number}" if number else of_file
        sender = visit.facility if visit else ""
        person = next(_patients(visit), "") if visit else ""
        fault = fault or (None if _accepts(channel, kind) else TypeNotAccepted("/", kind))
        return NewMessage(
            id=message_id,
            channel=name,
            received_at=arrival.at,
            peer=arrival.peer,
            sender=sender[:255],
            control_id=control_id,
            type=kind,
            version=decision_of(visit.tables) if visit else "",
            size=len(raw),
            sha256=hashlib.sha256(raw).hexdigest(),
            body=keyring.seal(raw, message_id),
            dedupe_key=keyring.search_key("control", f"{name}|{FAMILY}|{control_id}"),
            order_key=keyring.search_key("order", f"{sender}|{person}" if person else message_id),
            state="error" if fault else "received" if visit else "kept",
            answer="AE" if fault else "AA",
            fault=fault,
        )

    return make


def _accepts(channel: Channel, kind: str) -> bool:
    """Tell whether a channel takes a kind; a file as a whole wherever any visit may come."""
    return channel.accepts(kind) or (kind == FILE and any(one.startswith(FAMILY) for one in channel.settings.accept))


def _type(visit: Visit) -> str:
    return f"{FAMILY}^{PORTAL_VERSION[decision_of(visit.tables)]}"


def _patients(visit: Visit) -> Iterator[str]:
    return (row["MA_BN"] for name in visit.tables for row in visit.tables[name] if row.get("MA_BN"))


def answer_to_file(new: Sequence[NewMessage], earlier: Sequence[Earlier | None], said: Callable[[Fault], str]) -> bytes:
    """Write what the sender is told, as JSON: the numbers of the ledger, which visits came before, what is wrong."""
    repeated = [one.id for one in earlier if one is not None]
    faults = [
        {"code": f"LT{one.fault.code:04d}", "where": one.fault.where, "text": said(one.fault)}
        for one in new
        if one.fault
    ]
    return json.dumps(
        {
            "answer": "AE" if faults else "AA",
            "message": new[0].id,
            "visits": [one.id for one in new if one.state == "received"],
            "repeats": repeated,
            "faults": faults,
        }
    )
