"""What the delivery worker asks of a queue. The ledger is the truth behind every queue; losing a queue costs time only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy.engine import Row

from connectors.contract import Outbound, Receipt
from mappings.formats.faults import Fault


class Queue(Protocol):
    """Deliveries of all destinations. Every method that changes something is durable when it returns."""

    async def take(self, destination: str, limit: int) -> list[Row[Any]]:
        """Lease the next deliveries that are due, at most one per order key; nothing is on the wire yet."""
        ...

    async def take_uncertain(self, destination: str, limit: int) -> list[Row[Any]]:
        """Lease deliveries about which the destination is to be asked."""
        ...

    async def next_due(self, destination: str) -> int | None:
        """Return when something may next be due; None when nothing waits."""
        ...

    async def load(self, row: Row[Any], renditions: Sequence[str]) -> Outbound:
        """Return the final bytes of a delivery's document: of the first of these kinds that is signed."""
        ...

    async def send(self, row: Row[Any]) -> bool:
        """Note that the request is about to leave; False when the lease was lost meanwhile."""
        ...

    async def accept(self, row: Row[Any], receipt: Receipt) -> None:
        """Keep the destination's yes."""
        ...

    async def fail(self, row: Row[Any], event: str, fault: Fault, due_at: int) -> None:
        """Apply `retry`, `refuse` or `lose`."""
        ...

    async def postpone(self, row: Row[Any], fault: Fault, due_at: int) -> None:
        """Leave an uncertain delivery uncertain until `due_at`."""
        ...

    async def heartbeat(self) -> None:
        """Extend the leases that this worker holds, and take back those of workers that died."""
        ...
