"""Tell of a DICOM study when it is complete: one message about all of its objects, and another when more come.

A study counts as complete when nothing came for as long as its channel says (`quiet`). Its message holds the headers of all
objects that are kept, so that a late one makes a new version of the same study and never a second one. From there the way is
that of every message.

Requirement: S1.4
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway import imaging_steps
from gateway.clock import SECOND, Clock
from gateway.faults import StoreFault
from gateway.pool import Pool
from gateway.settings import Plan
from gateway.store import images, messages
from gateway.store.engine import Store
from gateway.store.ids import uuid7
from gateway.store.messages import NewMessage
from mappings.formats.faults import Fault

log = logging.getLogger("lienthong.studies")

_AT_ONCE = 8
_EVERY_S = 1.0
_AGAIN = 60 * SECOND
"""How long a study waits whose headers could not be put together."""


@dataclass(frozen=True)
class Collector:
    """Look for complete studies on a node; where several do, the first to tell of one is heard."""

    plan: Plan
    store: Store
    pool: Pool
    clock: Clock
    ring: Callable[[], None]

    async def run(self) -> None:
        """Look every second until cancelled."""
        while True:
            try:
                await self.collect()
            except StoreFault as fault:
                log.error("studies: %s", fault)
            await asyncio.sleep(_EVERY_S)

    async def collect(self) -> None:
        """Tell of every study that is complete by now."""
        now = self.clock.now()
        for row in await self.store.read(lambda connection: images.due(connection, now, _AT_ONCE)):
            try:
                await self._tell(row)
            except Fault as fault:
                log.error("study of %d objects: %s", row.instances, fault)
                await self.store.write(partial(images.postpone, uid=row.uid, due_at=self.clock.now() + _AGAIN))

    async def _tell(self, row: Row[Any]) -> None:
        here, gone = await self.store.read(
            lambda connection: (images.of_study(connection, row.uid), images.gone_of_study(connection, row.uid))
        )
        # an object that came again after its file was removed is told of once
        again = {one.sop_instance for one in here}
        kept = [*(one for one in gone if one.sop_instance not in again), *here]
        keyring = self.plan.keyring
        objects = [
            imaging_steps.Kept(keyring.open(one.body, f"header/{one.id}"), one.id, one.sha256, one.size, one.calling)
            for one in kept
        ]
        assigned = keyring.open(row.assigned, f"assigned/{row.uid}").decode() if row.assigned else ""
        body = await self.pool.run(imaging_steps.study_body, objects, assigned)
        message_id = uuid7()
        new = NewMessage(
            id=message_id,
            channel=row.channel,
            received_at=self.clock.now(),
            peer=kept[-1].peer,
            sender=f"{row.calling}|",
            control_id=f"{row.uid}/{row.version + 1}"[:255],
            type=imaging_steps.STUDY,
            version="",
            size=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            body=keyring.seal(body, message_id),
            dedupe_key=None,
            order_key=row.order_key,
            state="received",
            answer="AA",
        )

        def enter(connection: Connection) -> bool:
            # the message first: the study refers to it
            messages.insert_all(connection, [new])
            return images.told(connection, row, message_id, len(here) + len(gone))

        if await self.store.write(lambda connection: _or_nothing(connection, enter)):
            self.ring()


def _or_nothing(connection: Connection, act: Callable[[Connection], bool]) -> bool:
    """Do something that is undone when it says no."""
    point = connection.begin_nested()
    done = act(connection)
    if done:
        point.commit()
    else:
        point.rollback()
    return done
