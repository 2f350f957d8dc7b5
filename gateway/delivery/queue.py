"""What the delivery worker asks of a queue. The ledger is the truth behind every queue; losing a queue costs time only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.engine import Row

from connectors.contract import Outbound, Receipt
from mappings.formats.faults import Fault


@dataclass(frozen=True)
class Taken:
    """What a worker may do now."""

    to_ask: Sequence[Row[Any]] = ()
    """Deliveries about whose fate the destination is to be asked."""
    to_send: Sequence[Row[Any]] = ()
    down: bool = False
    """The breaker is open: too many failures in a row."""
    paused: str = ""
    """Why a person, or an answer, stopped the destination."""
    busy: bool = False
    """Another node was taking; there may be something in a moment."""

    def __bool__(self) -> bool:
        return bool(self.to_ask or self.to_send)


class Queue(Protocol):
    """Deliveries of all destinations. Every method that changes something is durable when it returns.

    Limits, breaker and pause of a destination hold over all nodes that share the queue.
    """

    async def take(self, destination: str, limit: int) -> Taken:
        """Lease what is due and what the destination bears: of each order key the oldest; nothing is on the wire yet.

        Of deliveries that outlived a node which held them, the whole node takes one at a time.
        """
        ...

    async def next_due(self, destination: str) -> int | None:
        """Return when something may next be taken; None when nothing waits or the destination is paused."""
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
        """Apply `retry`, `refuse` or `lose`; count the failure for the breaker, or wait as the destination asks."""
        ...

    async def postpone(self, row: Row[Any], fault: Fault, due_at: int) -> None:
        """Leave an uncertain delivery uncertain until `due_at`."""
        ...

    async def give_back(self, row: Row[Any]) -> None:
        """Put back what was taken and never sent: it is due as before."""
        ...

    async def pause(self, destination: str, reason: str) -> None:
        """Stop a destination until a person lets it go on."""
        ...

    def forget(self, row: Row[Any]) -> None:
        """Stop extending the lease of a delivery whose step has ended, however it did."""
        ...

    async def relieve(self, owner: str) -> None:
        """Let go of what a node had taken that died or ends, after its leases in the ledger were taken back."""
        ...

    async def close(self) -> None:
        """Give back what the queue holds open."""
        ...

    async def heartbeat(self) -> None:
        """Extend the leases that this worker holds, and take back those of workers that died.

        When the clock was set back since the last one, also forget every waiting time by the old clock.
        """
        ...
