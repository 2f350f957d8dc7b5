"""The low level of ASTM as a table: what happens in every state on every event, and the state after. Data and nothing else.

    NEUTRAL ── ENQ / ACK ──▶ AWAKE ── last frame of a message ──▶ JUDGING      receiving; the owner's word is the ACK or the NAK
       │  ▲                    ▲ └─ EOT, silence ▶ NEUTRAL             │
       │  └──── EOT ────┐      └───────────── ACK or NAK ──────────────┘
       └─ ENQ ▶ ASKING ─┴ ACK ▶ SENDING ── NAK, busy, silence, both ask ──▶ WAITING ── its time ──▶ NEUTRAL

Standard: CLSI LIS1-A (ASTM E1381) §6.2 establishment, §6.3 transfer, §6.4 termination, §6.4.3 receiver interrupts
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class State(Enum):
    NEUTRAL = auto()
    WAITING = auto()
    """Neutral, and not yet allowed to ask for the line."""
    AWAKE = auto()
    JUDGING = auto()
    ASKING = auto()
    SENDING = auto()


class Event(Enum):
    ENQ = auto()
    ENQ_BUSY = auto()
    """ENQ, or a frame without it, while we cannot take another session."""
    ACK = auto()
    ACK_ALL = auto()
    """ACK of the last frame of all we had to send."""
    NAK = auto()
    NAK_ALL = auto()
    """NAK of a frame that was sent again as often as is allowed."""
    EOT = auto()
    EOT_MESSAGE = auto()
    """EOT in place of the ACK of a message's last frame."""
    FRAME = auto()
    FINAL = auto()
    """A frame that ends a message."""
    REPEAT = auto()
    BROKEN = auto()
    NOISE = auto()
    SEND = auto()
    """There is something to send."""
    YES = auto()
    NO = auto()
    TIMEOUT = auto()
    LOST = auto()


class Action(Enum):
    IGNORE = auto()
    OPEN = auto()
    PUT_OFF = auto()
    TAKE = auto()
    JUDGE = auto()
    CONFIRM = auto()
    DENY = auto()
    AGREE = auto()
    REFUSE = auto()
    CLOSE = auto()
    EXPIRE = auto()
    REOPEN = auto()
    TURN_AWAY = auto()
    KEEP = auto()
    BID = auto()
    YIELD = auto()
    POSTPONE = auto()
    BEGIN = auto()
    ADVANCE = auto()
    FINISH = auto()
    STOP = auto()
    RETRANSMIT = auto()
    GIVE_UP = auto()
    ABANDON = auto()
    PART = auto()


Row = dict[Event, tuple[Action, State]]


def _row(here: State, **cells: tuple[Action, State]) -> dict[tuple[State, Event], tuple[Action, State]]:
    """Write a row of the table; what is not named changes nothing, a lost line ends everything."""
    rest: Row = dict.fromkeys(Event, (Action.IGNORE, here)) | {Event.LOST: (Action.PART, State.NEUTRAL)}
    return {(here, event): cell for event, cell in (rest | {Event[name]: cell for name, cell in cells.items()}).items()}


_N, _W, _A, _J, _Q, _S = State
TABLE: Final[dict[tuple[State, Event], tuple[Action, State]]] = {
    **_row(
        State.NEUTRAL,
        ENQ=(Action.OPEN, _A),
        ENQ_BUSY=(Action.PUT_OFF, _N),
        FRAME=(Action.TAKE, _A),
        FINAL=(Action.JUDGE, _J),
        BROKEN=(Action.KEEP, _N),
        NOISE=(Action.KEEP, _N),
        SEND=(Action.BID, _Q),
    ),
    **_row(
        State.WAITING,
        ENQ=(Action.OPEN, _A),
        ENQ_BUSY=(Action.PUT_OFF, _W),
        FRAME=(Action.TAKE, _A),
        FINAL=(Action.JUDGE, _J),
        BROKEN=(Action.KEEP, _W),
        NOISE=(Action.KEEP, _W),
        TIMEOUT=(Action.IGNORE, _N),
    ),
    **_row(
        State.AWAKE,
        ENQ=(Action.REOPEN, _A),
        ENQ_BUSY=(Action.TURN_AWAY, _N),
        EOT=(Action.CLOSE, _N),
        EOT_MESSAGE=(Action.CLOSE, _N),
        FRAME=(Action.TAKE, _A),
        FINAL=(Action.JUDGE, _J),
        REPEAT=(Action.AGREE, _A),
        BROKEN=(Action.REFUSE, _A),
        TIMEOUT=(Action.EXPIRE, _N),
    ),
    **_row(
        State.JUDGING,
        ENQ=(Action.TURN_AWAY, _N),
        ENQ_BUSY=(Action.TURN_AWAY, _N),
        EOT=(Action.CLOSE, _N),
        EOT_MESSAGE=(Action.CLOSE, _N),
        YES=(Action.CONFIRM, _A),
        NO=(Action.DENY, _A),
    ),
    **_row(
        State.ASKING,
        ENQ=(Action.YIELD, _W),
        ENQ_BUSY=(Action.YIELD, _W),
        ACK=(Action.BEGIN, _S),
        ACK_ALL=(Action.BEGIN, _S),
        NAK=(Action.POSTPONE, _W),
        NAK_ALL=(Action.POSTPONE, _W),
        TIMEOUT=(Action.GIVE_UP, _W),
    ),
    **_row(
        State.SENDING,
        ENQ=(Action.ABANDON, _W),
        ENQ_BUSY=(Action.ABANDON, _W),
        ACK=(Action.ADVANCE, _S),
        ACK_ALL=(Action.FINISH, _N),
        NAK=(Action.RETRANSMIT, _S),
        NAK_ALL=(Action.GIVE_UP, _W),
        EOT=(Action.ADVANCE, _S),
        EOT_MESSAGE=(Action.STOP, _W),
        TIMEOUT=(Action.GIVE_UP, _W),
    ),
}
"""What happens in every state on every event, and the state after."""
