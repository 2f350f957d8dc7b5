"""Send the portal a file that no document of ours is: catalogues, monthly files, a corrected or withdrawn record.

Signed with the facility's key where it is not yet, sent once, kept for ever: the file as a message of the ledger, the receipt
as its answer, who did it and why in the log of actions. What was sent, or may have been, is not sent again unless a person
says so. Such files do not wait in the queue: a fault is told to whoever sends.

Requirement: S1.10, S3.14
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from lxml import etree
from sqlalchemy.engine import Connection

from connectors.contract import Destination, Outbound, Receipt
from connectors.faults import Uncertain
from gateway import visit_steps
from gateway.clock import Clock, to_datetime
from gateway.faults import NotPossibleNow, ReasonMissing
from gateway.settings import Plan, Route
from gateway.signing_forms import PLACES, parts_of
from gateway.store import actions, message_keys, messages
from gateway.store.engine import Store
from gateway.store.ids import uuid7
from gateway.store.messages import NewMessage
from mappings.formats import safe_xml
from mappings.formats.faults import Fault
from signing import joint
from signing.keys import open_unattended

FAMILY = "PORTAL"
_KIND = "gdbhyt"
_SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
VERB = "portal_send"


@dataclass(frozen=True)
class Sending:
    """What is to be sent."""

    call: str
    """Name of the call, as `lienthong portal calls` lists them."""
    file: bytes = field(repr=False)
    actor: str
    reason: str = ""
    """Why; needed for a correction and a withdrawal. Holds no data of a patient."""
    period: str = ""
    """`yyyyMM`, where the call wants one."""
    corrects: bool = False
    again: bool = False
    """Send although it was sent before, or may have been."""


@dataclass(frozen=True)
class Sent:
    id: str
    """Of the message that holds the file and its receipt."""
    receipt: Receipt


async def send(
    plan: Plan, store: Store, clock: Clock, route: Route, destination: Destination, sending: Sending
) -> Sent:
    """Sign, send and keep.

    Raises ReasonMissing, NotPossibleNow when the same file was sent before, XmlRefused, what signing and `deliver` raise.
    """
    if sending.corrects and not sending.reason.strip():
        raise ReasonMissing(route.name)
    root = safe_xml.parse(sending.file)
    key = plan.keyring.search_key(
        "portal", f"{route.name}|{sending.call}|{sending.period}|{hashlib.sha256(sending.file).hexdigest()}"
    )
    earlier = await store.read(lambda connection: messages.holder(connection, key))
    if earlier is not None and not sending.again:
        raise NotPossibleNow(earlier.id, "sent before")
    body = sending.file if is_signed(root) else _signed(plan, route, sending.file)
    message_id, now = uuid7(), clock.now()
    new = NewMessage(
        id=message_id,
        channel=route.name,
        received_at=now,
        peer="",
        sender=f"{sending.actor}|"[:255],
        control_id="",
        type=f"{FAMILY}^{sending.call}"[:32],
        version="",
        size=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        body=plan.keyring.seal(body, message_id),
        dedupe_key=None if earlier else key,
        order_key=plan.keyring.search_key("order", message_id),
        state="answered",
        answer="AA",
    )
    document = Outbound(
        message_id, sending.call, body, _media_type(sending), new.sha256, to_datetime(now), plan.facility.code
    )
    await store.write(lambda connection: _note(connection, now, sending, message_id, "begun"))
    try:
        receipt = await destination.deliver(document)
    except Fault as fault:
        told, lost = f"LT{fault.code:04d} {fault.detail}".strip(), isinstance(fault, Uncertain)

        def failed(connection: Connection) -> None:
            if lost:
                _keep(connection, new)
            _note(connection, clock.now(), sending, message_id, told)

        await store.write(failed)
        raise
    evidence = plan.keyring.seal(receipt.evidence, f"answer/{message_id}")

    def accepted(connection: Connection) -> None:
        _keep(connection, new)
        messages.put_answer(connection, message_id, evidence)
        _note(connection, clock.now(), sending, message_id, f"accepted {receipt.reference}")

    await store.write(accepted)
    return Sent(message_id, receipt)


def is_signed(root: etree._Element) -> bool:
    """Tell whether a file of the portal bears a signature; whether it holds is not asked."""
    return root.find(f"{PLACES[_KIND]}/{_SIGNATURE}") is not None


def _media_type(sending: Sending) -> str:
    found = visit_steps.media_type(sending.file) if sending.call in ("record", "check-in") else "application/xml"
    period = f"; period={sending.period}" if sending.period else ""
    return f"{found}; call={sending.call}{period}{'; corrects=1' if sending.corrects else ''}"


def _signed(plan: Plan, route: Route, file: bytes) -> bytes:
    """Seal a file as the visits of this destination are."""
    key = open_unattended(plan.signing.kind, plan.signing.options)
    form = plan.policies.forms.of("", *route.called)
    return joint.seal(file, key, PLACES[_KIND], form, parts_of(_KIND, file, form))


def _keep(connection: Connection, new: NewMessage) -> None:
    messages.insert_all(connection, [new])
    message_keys.note_keyed(connection, [new.id])


def _note(connection: Connection, at: int, sending: Sending, message_id: str, what: str) -> None:
    reason = f"{sending.call} {what}" + (f": {sending.reason.strip()}" if sending.reason.strip() else "")
    actions.insert(connection, at=at, actor=sending.actor, verb=VERB, target=message_id, reason=reason)
