"""Let a face work with the register: one transaction per step, one name in the audit log for each.

Requirement: S0.1, S1.10
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.engine import Connection

from gateway.certificates.register import Act
from gateway.clock import Clock
from gateway.settings import Plan
from gateway.store import actions
from gateway.store.engine import Store

T = TypeVar("T")


@dataclass(frozen=True)
class Desk:
    plan: Plan
    store: Store
    clock: Clock

    async def do(self, actor: str, reason: str, step: Callable[[Connection, Plan, Act], T]) -> T:
        """Run a step of `procedure`."""
        act = Act(actor, reason, self.clock.now())
        return await self.store.write(lambda connection: step(connection, self.plan, act))

    async def look(self, query: Callable[[Connection, Plan, int], T]) -> T:
        """Run a query of `lists` that tells no personal numbers."""
        now = self.clock.now()
        return await self.store.read(lambda connection: query(connection, self.plan, now))

    async def disclose(self, actor: str, target: str, query: Callable[[Connection, Plan, int], T]) -> T:
        """Run a query that tells personal data of staff, and note that it was told."""
        now = self.clock.now()

        def unit(connection: Connection) -> T:
            found = query(connection, self.plan, now)
            actions.insert(connection, at=now, actor=actor, verb="show", target=target[:64], reason="certs")
            return found

        return await self.store.write(unit)
