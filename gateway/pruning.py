"""Remove the files of studies that nobody needs here any more: when a person asks, by name or by age, and never otherwise.

    chosen ── may it go? ─┬─ in the log of actions, its objects given up ── files removed ── gone
                          └─ stays: arriving, not in the record, or a paper or a delivery of it is not at its end

The ledger gives objects up before their files are removed, so what is interrupted is ended by the next run. Headers stay,
sealed, and so does all that was made of the study: only pixels go. An object that comes again is kept again.

Requirement: S1.4, S1.10
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway.clock import Clock
from gateway.records import message_search
from gateway.settings import Plan
from gateway.states import ENDED_DELIVERY
from gateway.store import actions, deliveries, documents, images, messages
from gateway.store.engine import Store
from gateway.store.objects import Objects

ARRIVING, NOT_IN_RECORD, PAPER, DELIVERY, UNKNOWN, NOTHING = (
    "arriving",
    "not in record",
    "paper",
    "delivery",
    "unknown",
    "nothing",
)
"""Why a study stays."""
_PAGE = 200
_FILES = 100
_SETTLED = frozenset(("mapped", "kept", "closed"))
_ENDED = frozenset(("signed", "closed", "unchanged", "returned", "superseded"))


@dataclass(frozen=True)
class Choice:
    """A study that was chosen."""

    uid: str
    objects: int
    size: int
    last_at: int
    stays: str
    """Why its files stay; empty: they may go."""


@dataclass(frozen=True)
class Pruning:
    """The files of one ledger."""

    plan: Plan
    store: Store
    clock: Clock

    def chosen(self, studies: Sequence[str], before: int) -> Iterator[Choice]:
        """Give the studies named, else all of which nothing came since `before`; raises StoreFault."""
        for uid in studies:
            yield self.store.read_now(lambda c, uid=uid: self._weigh(c, uid, images.get_study(c, uid)))  # type: ignore[misc]
        after = ""
        while not studies:
            page = self.store.read_now(lambda c, after=after: images.unpruned(c, before, after, _PAGE))  # type: ignore[misc]
            if not page:
                return
            for row in page:
                yield self.store.read_now(lambda c, row=row: self._weigh(c, row.uid, row))  # type: ignore[misc]
            after = page[-1].uid

    def prune(self, uid: str, actor: str, reason: str) -> Choice:
        """Remove the files of a study, unless it stays; raises StoreFault, ObjectStoreAway."""
        now = self.clock.now()

        def unit(connection: Connection) -> Choice:
            choice = self._weigh(connection, uid, images.get_study(connection, uid))
            if not choice.stays:
                count = images.give_up_files(connection, uid, now)
                said = f"{count} files; {reason}"
                actions.insert(connection, at=now, actor=actor, verb="prune", target=uid, reason=said)
            return choice

        choice = self.store.write_now(unit)
        self.finish()
        return choice

    def finish(self) -> int:
        """Remove the files of all objects that were given up; return how many. Raises StoreFault, ObjectStoreAway."""
        objects = Objects(self.plan.objects_folder, self.plan.keyring, self.plan.node.name)
        done = 0
        while ids := self.store.read_now(lambda connection: images.going(connection, _FILES)):
            for one in ids:
                objects.remove(one)
            self.store.write_now(lambda connection, ids=ids: images.removed(connection, ids))  # type: ignore[misc]
            done += len(ids)
        return done

    def _weigh(self, connection: Connection, uid: str, row: Row[Any] | None) -> Choice:
        kept = images.of_scope(connection, uid) if row is not None else []
        stays = self._stays(connection, row, bool(kept))
        return Choice(uid, len(kept), sum(one.size for one in kept), row.last_at if row is not None else 0, stays)

    def _stays(self, connection: Connection, row: Row[Any] | None, has_files: bool) -> str:
        if row is None:
            return UNKNOWN
        if not has_files:
            return NOTHING
        if row.due_at is not None or row.message_id is None:
            return ARRIVING
        if messages.get(connection, row.message_id).state not in _SETTLED:
            return NOT_IN_RECORD
        told = message_search.messages_with(connection, self.plan.keyring, "document", row.uid) | {row.message_id}
        for message_id in sorted(told):
            for document in documents.of_message(connection, message_id):
                if document.state not in _ENDED:
                    return PAPER
                sent = deliveries.listing(connection, document_id=document.id)
                if any(one.state not in ENDED_DELIVERY for one in sent):
                    return DELIVERY
        return ""
