"""Tables of results as messages: the file as it came, and one message for each report in it.

    table        the file, kept, and a message for each report, so that each is mapped, ordered and repaired alone
    bad row      a message of its own in the error queue; the other rows go their way
    unreadable   one message in the error queue, negative answer: nothing of it was believed

A file that comes again is a duplicate by its bytes, a report that comes again, in whichever file, by what its rows say; a
corrected one is another message about the same report. Does not map.

Requirement: S1.5
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from gateway.clock import to_datetime
from gateway.faults import TypeNotAccepted
from gateway.result_steps import FAMILY, FILE, ROWS
from gateway.settings import Channel
from gateway.store.ids import uuid7
from gateway.store.messages import Earlier, NewMessage
from gateway.store.sealed import Keyring
from gateway.visit_intake import Arrival
from mappings.formats import json
from mappings.formats.faults import Fault
from mappings.lab.layout import Layout
from mappings.lab.rows import Report, split_reports

_FAULTS_TOLD = 100


def table_to_messages(arrival: Arrival, channel: Channel, layout: Layout, keyring: Keyring) -> list[NewMessage]:
    """Make the messages of a table, the file's own first; never raises for what the file is: a fault goes with the message."""
    make = _maker(arrival, channel, keyring)
    sha256 = hashlib.sha256(arrival.raw).hexdigest()
    refused = None if channel.accepts(ROWS) else TypeNotAccepted("/", ROWS)
    whole = Report(arrival.raw, "", sha256, refused)
    if refused:
        return [make(whole, FILE)]
    try:
        came = f"{to_datetime(arrival.at):%Y%m%d%H%M%S%z}"
        reports = list(split_reports(arrival.raw, layout, came))
    except Fault as fault:
        return [make(Report(arrival.raw, "", sha256, fault), FILE)]
    return [make(whole, FILE), *(make(one, ROWS) for one in reports)]


def answer_to_table(
    new: Sequence[NewMessage], earlier: Sequence[Earlier | None], said: Callable[[Fault], str]
) -> bytes:
    """Write what the sender is told, as JSON: how many reports there were, how many came before, what is wrong."""
    faults = [one for one in new if one.fault]
    told = [
        {"code": f"LT{one.fault.code:04d}", "where": one.fault.where, "text": said(one.fault)}
        for one in faults[:_FAULTS_TOLD]
        if one.fault
    ]
    return json.dumps(
        {
            "answer": new[0].answer,
            "message": new[0].id,
            "reports": sum(one.type == ROWS for one in new),
            "repeats": sum(one is not None for one in earlier[1:]),
            "faulty": len(faults),
            "faults": told,
        }
    )


def _maker(arrival: Arrival, channel: Channel, keyring: Keyring) -> Callable[[Report, str], NewMessage]:
    name = channel.settings.name

    def make(one: Report, kind: str) -> NewMessage:
        message_id = uuid7()
        return NewMessage(
            id=message_id,
            channel=name,
            received_at=arrival.at,
            peer=arrival.peer,
            sender=name,
            control_id=one.digest,
            type=kind,
            version="",
            size=len(one.body),
            sha256=one.digest,
            body=keyring.seal(one.body, message_id),
            dedupe_key=keyring.search_key("control", f"{name}|{FAMILY}|{one.digest}"),
            order_key=keyring.search_key("order", f"{name}|{one.patient}" if one.patient else message_id),
            state="error" if one.fault else "received" if kind == ROWS else "kept",
            answer="AE" if one.fault else "AA",
            fault=one.fault,
        )

    return make
