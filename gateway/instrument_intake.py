"""The door of a channel whose instrument is told its orders unasked (`gateway/lab_calls.py`)."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.contract import OwedOrders
from gateway.intake import ChannelIntake
from gateway.lab_calls import Call, CallDesk
from gateway.store import lab_calls as rows
from mappings.formats.faults import IntakeFault


class InstrumentIntake(ChannelIntake):
    """What such a source calls (`connectors.contract.OrderIntake`)."""

    owner: str = ""
    """The node; set by whoever builds it."""

    async def owed_orders(self, most: int) -> Sequence[OwedOrders]:
        """Give what the instrument is to be told now."""
        desk, now, name = self._call_desk, self._clock.now(), self._settings.name
        if not await self._store.read(lambda connection: rows.due(connection, name, now, 1)):
            return ()
        return await self._store.write(lambda connection: desk.give_out(connection, now, most))

    async def note_orders(self, told: OwedOrders, fault: IntakeFault | None) -> None:
        """Note that the instrument took it, or why it did not."""
        assert isinstance(told, Call)
        desk = self._call_desk
        await self._store.write(lambda connection: desk.note(connection, told, fault, self._clock.now()))

    @property
    def _call_desk(self) -> CallDesk:
        return CallDesk(self._channel, self._keyring, self._context, self.owner)
