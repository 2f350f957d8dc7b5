"""Tell an instrument its orders unasked, on the line that it has with us.

Orders are asked of intake only while there is a line; what is given out is transmitted in its order, and intake is told of each
message what became of it before it is asked for more. When both sides ask for the line the instrument goes first
(`connectors/_astm_link.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

from connectors.contract import OrderIntake, OwedOrders
from connectors.faults import OrdersNotTaken, OrdersRefused
from mappings.formats.faults import Fault, IntakeFault

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 20
"""Messages that are given out together, and as a rule transmitted in one session."""
_LOOK_S: Final = 1.0
_AGAIN_S: Final = 5.0
REFUSED: Final = "refused"
"""What `connectors/_astm_link.py` says of a message whose frames got NAK as often as is allowed."""


class Told(Protocol):
    """A line that an instrument is on."""

    @property
    def peer(self) -> str: ...

    def tell(self, message: bytes) -> asyncio.Future[str]:
        """Transmit a message when the line is ours; gives why it was not taken, or nothing."""
        ...


class Caller:
    """Looks for orders until it is closed; one to a source."""

    def __init__(self, intake: OrderIntake, line: Callable[[], Told | None]) -> None:
        """`line` gives that which the instrument called on last and still is on."""
        self._intake = intake
        self._line = line
        self._ended = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Ask for no more, and return when it is noted what became of what was given out; after the lines have ended."""
        self._ended.set()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while not self._ended.is_set():
            try:
                busy = await self._tell()
            except Fault as fault:
                logger.error("astm: orders: %s", fault)
                busy = False
            except Exception as exc:  # noqa: BLE001 - whatever breaks behind us, the next look may go well
                logger.error("astm: orders: %s", type(exc).__name__)
                busy = False
            if not busy:
                await self._pause(_LOOK_S)

    async def _tell(self) -> bool:
        """Tell what is due; False when there was nothing, or nobody to be told."""
        line = self._line()
        owed = await self._intake.owed_orders(_AT_ONCE) if line is not None else ()
        if line is None or not owed:
            return False
        told = [(one, line.tell(one.records)) for one in owed]
        for one, outcome in told:
            await self._note(one, line.peer, await outcome)
        return True

    async def _note(self, one: OwedOrders, peer: str, why: str) -> None:
        """Have it noted, however long the ledger is away: what was taken is not told again for want of a note."""
        fault: IntakeFault | None = None
        if why:
            fault = OrdersRefused(where=peer) if why == REFUSED else OrdersNotTaken(where=peer, detail=why)
            logger.warning("astm: %s", fault)
        while True:
            try:
                return await self._intake.note_orders(one, fault)
            except Fault as away:
                logger.error("astm %s: not noted that orders were told: %s", peer, away)
                if self._ended.is_set():
                    return None
                await self._pause(_AGAIN_S)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            pass
