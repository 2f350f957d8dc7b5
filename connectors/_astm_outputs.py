"""What one end of a line is given, its times, and what it gives its owner to do; with frames (`_astm_link`) or without."""

from __future__ import annotations

from dataclasses import dataclass

from connectors._astm_records import Message


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds."""

    answer_s: float = 15.0
    """How long the answer to our ENQ or frame may take."""
    frame_s: float = 30.0
    """How long a sender may be silent within its session."""
    busy_s: float = 10.0
    """How long after NAK to our ENQ, or after we gave up, we do not ask again."""
    host_s: float = 20.0
    """How long a host lets the line be when both asked for it."""
    instrument_s: float = 1.0
    """The same for an instrument."""
    interrupt_s: float = 15.0
    """How long the line is left to a receiver who asked for it."""
    quiet_s: float = 0.25
    """Silence after which bytes mean what they mean by themselves."""


@dataclass(frozen=True, slots=True)
class Write:
    data: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """Messages that end with a frame not answered yet: `Link.judged(number, …)` answers it."""

    number: int
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """What came and is no whole message, to be kept with its fault; nobody waits for an answer."""

    message: Message


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was transmitted, and its last frame acknowledged."""

    number: int


@dataclass(frozen=True, slots=True)
class NotSent:
    """A message that was given up; the peer may have it, or a part of it."""

    number: int
    why: str


Output = Write | Received | Kept | Sent | NotSent
