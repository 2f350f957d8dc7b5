"""Records that come without frames, from H to L, and go out so: no I/O and no clock. For analysers that send so over TCP.

Nothing is acknowledged there, so a message cannot be refused: whoever owns this has to keep every one. The methods are those
of `Link`.

Standard: none; CLSI LIS2-A2 (ASTM E1394) for the records
"""

from __future__ import annotations

from typing import Final

from connectors._astm_outputs import Kept, NotSent, Output, Received, Sent, Times, Write
from connectors._astm_records import Message, Records
from connectors.faults import OutsideSession
from mappings.formats.faults import IntakeFault

_QUIET_S: Final = 1.0
"""Silence after which an L record is over though no CR came."""


class Bare:
    """One end of a line without frames; `busy` changes nothing, because nobody asks."""

    refuses: Final = False

    def __init__(self, times: Times, *, max_size: int) -> None:
        self.busy = False
        self._times = times
        self._records = Records(max_size)
        self._heard_at: float | None = None
        self._quiet_given = False
        self._judgements = 0
        self._numbers = 0
        self._undecided: set[int] = set()

    @property
    def deadline(self) -> float | None:
        """Give the time at which `tick` should be called, if any."""
        if self._heard_at is None or not self._records.begun:
            return None
        return self._heard_at + (self._times.frame_s if self._quiet_given else min(_QUIET_S, self._times.frame_s))

    @property
    def under_way(self) -> bool:
        """Whether a message is on its way, or waits for the owner's word."""
        return self._records.begun or bool(self._undecided)

    def feed(self, data: bytes, now: float) -> list[Output]:
        """Take bytes of the peer."""
        self._heard_at, self._quiet_given = now, False
        return self._given(self._records.take(data))

    def tick(self, now: float) -> list[Output]:
        """Note that time has passed."""
        if self._heard_at is None or not self._records.begun:
            return []
        silent, self._quiet_given = now - self._heard_at, True
        if silent >= self._times.frame_s:
            return self._end("silence")
        return self._given(self._records.quiet())

    def send(self, message: bytes, now: float) -> tuple[int, list[Output]]:
        """Write a message; that the peer took it is not known here."""
        self._numbers += 1
        content = message.rstrip(b"\r\n")
        if not content:
            return self._numbers, [NotSent(self._numbers, "empty")]
        return self._numbers, [Write(content + b"\r"), Sent(self._numbers)]

    def judged(self, number: int, good: bool, now: float) -> list[Output]:
        """Note that the messages of `Received` are kept."""
        self._undecided.discard(number)
        return []

    def lost(self, now: float) -> list[Output]:
        """Note that no more bytes will come or go."""
        return [*self._given(self._records.quiet()), *self._end("line lost")]

    def _given(self, messages: list[Message]) -> list[Output]:
        outputs: list[Output] = []
        for message in messages:
            if message.fault is None:
                self._judgements += 1
                self._undecided.add(self._judgements)
                outputs.append(Received(self._judgements, (message,)))
            else:
                outputs.append(Kept(message))
        return outputs

    def _end(self, why: str) -> list[Output]:
        headed = self._records.headed
        left = self._records.end(why)
        return [Kept(message if headed else Message(message.raw, _outside(message))) for message in left]


def _outside(message: Message) -> IntakeFault:
    return OutsideSession(detail=f"{len(message.raw)} bytes")
