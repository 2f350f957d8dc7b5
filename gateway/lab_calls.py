"""Tell instruments unasked which orders wait for them, what was added to them and what was cancelled.

    order told ── owed ── given out while the instrument is on the line ─┬─ taken: told ── the order changes ── owed
                    └──── silent, busy, line lost: again later ──────────┴─ refused, or a week over: error queue

What is owed is durable with the message that told the order, and one row stands for one order and channel, so that what came
and went while the instrument was away is not told. What was told is kept, and only the difference is told. Where the
acknowledgement of an instrument is lost, it is told the same again: it knows a specimen by its number.

Standard: CLSI LIS2-A2 §8. Requirement: S1.5, S3.2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sqlalchemy.engine import Connection, Row

from connectors.contract import OwedOrders
from connectors.faults import OrdersNotTaken
from gateway.clock import SECOND, to_datetime
from gateway.lab_intake import SENDER
from gateway.records.laboratory import Finder
from gateway.settings import Channel, Plan
from gateway.store import actions
from gateway.store import lab_calls as rows
from gateway.store.ids import uuid7
from gateway.store.leases import too_many
from gateway.store.messages import fault_values
from gateway.store.sealed import Keyring
from mappings.formats import astm, json
from mappings.formats.dates import zone_of
from mappings.formats.faults import FaultClass, IntakeFault
from mappings.hl7v2 import Context
from mappings.lab.answer import Asked, Reader, call_to_records, served
from mappings.lab.astm import profile_of
from mappings.lab.calls import CANCELLED, Told, steps, wanted
from mappings.outcome import Resource

GIVE_UP = 7 * 24 * 3600 * SECOND
"""How long after its last change an order is told; then it goes to the error queue."""
_LEASE = 15 * 60 * SECOND
"""How long an instrument may take over what it is told; it has six tries for each message."""
_FIRST, _CAP = 5 * SECOND, 60 * SECOND
_MOST = 200
"""Orders that are looked at together."""
_CHANGES = frozenset({"active", *CANCELLED})


def owe(connection: Connection, plan: Plan, orders: Sequence[Resource], now: int) -> None:
    """Enter what instruments have to be told of orders, as the record has them now."""
    channels = [one.settings for one in plan.channels if one.settings.instrument]
    changed = {one["id"]: one for one in orders if one.get("status") in _CHANGES}
    if not channels or not changed:
        return
    known = rows.of_orders(connection, changed)
    for order_id, order in changed.items():
        for channel in channels:
            row = known.get((channel.name, order_id))
            if row is not None:
                again: dict[str, Any] = {} if row.owner else {"due_at": now, "attempts": 0, "deaths": 0}
                rows.move(connection, row.id, "change", changed_at=max(now, row.changed_at + 1), **again)
            elif order["status"] == "active" and served(order, channel.instrument):
                rows.insert(connection, id=uuid7(), channel=channel.name, order_id=order_id, changed_at=now, due_at=now)


@dataclass(frozen=True)
class _Change:
    """What an instrument knows of an order once it took a message."""

    row: Row[Any]
    after: Told


@dataclass(frozen=True)
class Call(OwedOrders):
    """What an instrument is told of the orders of one specimen."""

    changes: tuple[_Change, ...] = field(default=(), repr=False)


@dataclass
class _Message:
    blocks: dict[str, list[Asked]] = field(default_factory=dict)
    """By Patient."""
    changes: list[_Change] = field(default_factory=list)


@dataclass(frozen=True)
class CallDesk:
    """What one channel's instrument is told, and what came of it."""

    channel: Channel
    keyring: Keyring
    context: Context
    owner: str
    """The node."""

    def give_out(self, connection: Connection, now: int, most: int) -> list[Call]:
        """Claim what is due and write it as records, one message for each specimen; what need not be told is settled."""
        context, instrument = self.context, self.channel.settings.instrument
        finder = Finder(connection, self.keyring, context.systems, context.facility, now)
        found: dict[tuple[str, str], _Message] = {}
        due = rows.due(connection, self.channel.settings.name, now, _MOST)
        left = too_many(due, 1)
        for row in due:
            if row.id in left:
                continue
            if row.changed_at + GIVE_UP <= now:
                fault = OrdersNotTaken(row.channel, row.fault_detail or "the instrument was away")
                rows.move(connection, row.id, "fail", fault, changed_at=row.changed_at, owner="")
                continue
            before, order = told_of(self.keyring, row), finder.order(row.order_id)
            if order is None:
                continue
            patient_id = finder.whose(order)
            after = wanted(order, patient_id, finder.specimen_of(order), instrument, before)
            cancelled, come = steps(order, before, after)
            if not cancelled and not come:
                rows.move(connection, row.id, "tell", changed_at=row.changed_at, owner="")
                continue
            key = (after.patient or before.patient, after.specimen or before.specimen)
            if (key not in found and len(found) >= most) or not rows.claim(connection, row, self.owner, now + _LEASE):
                continue
            message = found.setdefault(key, _Message())
            message.changes.append(_Change(row, after))
            for whose, asked in ((before.patient, cancelled), (after.patient, come)):
                message.blocks.setdefault(whose, []).extend(self._added(connection, one) for one in asked)
        return [call for one in found.values() if (call := self._write(finder, one, now)) is not None]

    def note(self, connection: Connection, call: Call, fault: IntakeFault | None, now: int) -> None:
        """Note what came of a message; what changed meanwhile is due at once."""
        for change in call.changes:
            row = change.row
            if fault is None:
                self._note_told(connection, change, now)
            elif fault.fault_class is FaultClass.TRANSIENT:
                pause = min(_FIRST << min(row.attempts, 10), _CAP)
                more: dict[str, Any] = {"owner": "", "attempts": row.attempts + 1, "deaths": 0, "due_at": now + pause}
                rows.note(connection, row.id, **more, **fault_values(fault))
            elif not rows.move(connection, row.id, "fail", fault, changed_at=row.changed_at, owner=""):
                rows.note(connection, row.id, owner="", due_at=now)
        if fault is None:
            settings = self.channel.settings
            target, reason = call.changes[0].row.id, f"1 persons to {settings.instrument} (orders)"
            actions.insert(connection, at=now, actor=settings.name, verb="disclose", target=target, reason=reason)

    def _note_told(self, connection: Connection, change: _Change, now: int) -> None:
        row, after = change.row, change.after
        specimen_key = self._key(after.specimen) if after.tests else b""
        body = self.keyring.seal(json.dumps(asdict(after)), _name(row.id)) if after.tests else b""
        ended: dict[str, Any] = {"told_at": now, "owner": "", "attempts": 0, "deaths": 0}
        known = {"body": body, "specimen_key": specimen_key, **ended}
        if not rows.move(connection, row.id, "tell", changed_at=row.changed_at, **known):
            rows.note(connection, row.id, due_at=now, **known)

    def _added(self, connection: Connection, asked: Asked) -> Asked:
        """Say that tests are added where the instrument knows the specimen by another order."""
        known = asked.action == "N" and rows.knows(connection, self.channel.settings.name, self._key(asked.specimen))
        return replace(asked, action="A") if known else asked

    def _key(self, specimen: str) -> bytes:
        return self.keyring.search_key("lab", specimen)

    def _write(self, finder: Finder, message: _Message, now: int) -> Call | None:
        instrument = self.channel.settings.instrument
        head = astm.Message.parse(b"H|\\^&|||" + instrument.encode() + b"\rL|1\r")
        profile = profile_of(head, self.channel.settings.profile)
        context = self.context
        reader = Reader(profile, instrument, context.facility, context.systems, self.channel.charset)
        told = [
            (patient, asked)
            for patient_id, asked in message.blocks.items()
            if asked and (patient := finder.patient(patient_id)) is not None
        ]
        if not told:
            return None
        at = to_datetime(now).astimezone(zone_of(context.zone))
        return Call(call_to_records(told, reader, at, SENDER), tuple(message.changes))


def again(connection: Connection, call_id: str, now: int) -> bool:
    """Tell an instrument once more what it refused; False when it did not."""
    row = rows.get(connection, call_id)
    return rows.move(
        connection,
        call_id,
        "retry",
        changed_at=max(now, row.changed_at + 1),
        due_at=now,
        attempts=0,
        deaths=0,
        owner="",
    )


def told_of(keyring: Keyring, row: Row[Any]) -> Told:
    """Give what an instrument was last told of an order."""
    if not row.body:
        return Told()
    told = json.loads(keyring.open(row.body, _name(row.id)))
    return Told(**(told | {"tests": tuple(told["tests"])}))


def _name(call_id: str) -> str:
    return f"lab-call/{call_id}"
