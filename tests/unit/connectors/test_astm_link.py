"""The low level of ASTM: every cell of the table, driven by bytes and times, and two links against each other."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._astm_frames import ACK, ENQ, EOT, NAK, framed
from connectors._astm_link import BIDS, RETRANSMISSIONS, Link, Role
from connectors._astm_outputs import Kept, NotSent, Output, Received, Sent, Times, Write
from connectors._astm_table import TABLE, Event, State

H = b"H|\\^&|||analyser\r"
L = b"L|1|N\r"
ONE = H + b"P|1\r" + L
ORDER = b"H|\\^&|||host\rO|1\rL|1|N\r"
LONG = b"H|" + b"x" * 20 + b"\r"
"""Two frames of 15."""
SHORT = b"L|1\r"
NOW = 1000.0


def frame(number: int, text: bytes, *, last: bool = True) -> bytes:
    return framed(number, text, last=last)


def written(outputs: list[Output]) -> bytes:
    return b"".join(output.data for output in outputs if isinstance(output, Write))


def others(outputs: list[Output]) -> list[str]:
    """Name the outputs that are not bytes, with the fault or the reason."""
    told = []
    for output in outputs:
        if isinstance(output, Kept):
            told.append(f"kept {output.message.fault}")
        elif isinstance(output, NotSent):
            told.append(f"not sent: {output.why}")
        elif not isinstance(output, Write):
            told.append(type(output).__name__.lower())
    return told


# ---- every cell ----


def to_neutral() -> Link:
    return Link(Role.HOST, send_frame=15)


def to_awake() -> Link:
    link = to_neutral()
    assert written(link.feed(ENQ + frame(1, H), NOW)) == ACK + ACK
    return link


def to_judging() -> Link:
    link = to_awake()
    assert others(link.feed(frame(2, L), NOW)) == ["received"]
    return link


def to_asking(*messages: bytes) -> Link:
    link = to_neutral()
    outputs = [output for message in messages or (LONG,) for output in link.send(message, NOW)[1]]
    assert written(outputs) == ENQ
    return link


def to_sending(*messages: bytes) -> Link:
    link = to_asking(*messages)
    assert written(link.feed(ACK, NOW)).startswith(b"\x021")
    return link


def to_waiting() -> Link:
    link = to_asking()
    assert written(link.feed(NAK, NOW)) == b""
    return link


def refused(link: Link) -> Link:
    """Answer a frame with NAK as often as it is sent again."""
    for _ in range(RETRANSMISSIONS):
        assert written(link.feed(NAK, NOW)).startswith(b"\x02")
    return link


def busy(link: Link) -> Link:
    link.busy = True
    return link


REACH: dict[State, Callable[[], Link]] = {
    State.NEUTRAL: to_neutral,
    State.WAITING: to_waiting,
    State.AWAKE: to_awake,
    State.JUDGING: to_judging,
    State.ASKING: to_asking,
    State.SENDING: to_sending,
}

SPECIAL: dict[tuple[State, Event], Callable[[], Link]] = {
    (State.SENDING, Event.ACK_ALL): lambda: to_sending(SHORT),
    (State.SENDING, Event.EOT_MESSAGE): lambda: to_sending(SHORT, SHORT),
    (State.SENDING, Event.NAK_ALL): lambda: refused(to_sending()),
    **{(state, Event.ENQ_BUSY): lambda state=state: busy(REACH[state]()) for state in State},  # type: ignore[misc]
}
"""Where an event needs more than the state."""

NUMBER = {State.AWAKE: 2}
"""The frame that is due; a session without ENQ begins with 1."""

EXCITE: dict[Event, Callable[[Link, State], list[Output]]] = {
    Event.ENQ: lambda link, state: link.feed(ENQ, NOW),
    Event.ENQ_BUSY: lambda link, state: link.feed(ENQ, NOW),
    Event.ACK: lambda link, state: link.feed(ACK, NOW),
    Event.ACK_ALL: lambda link, state: link.feed(ACK, NOW),
    Event.NAK: lambda link, state: link.feed(NAK, NOW),
    Event.NAK_ALL: lambda link, state: link.feed(NAK, NOW),
    Event.EOT: lambda link, state: link.feed(EOT, NOW),
    Event.EOT_MESSAGE: lambda link, state: link.feed(EOT, NOW),
    Event.FRAME: lambda link, state: link.feed(
        frame(NUMBER.get(state, 1), H if state not in NUMBER else b"P|1\r"), NOW
    ),
    Event.FINAL: lambda link, state: link.feed(frame(NUMBER.get(state, 1), ONE if state not in NUMBER else L), NOW),
    Event.REPEAT: lambda link, state: link.feed(frame(1, H), NOW),
    Event.BROKEN: lambda link, state: link.feed(b"\x022P|1 broken\r\x0300\r\n", NOW),
    Event.NOISE: lambda link, state: [*link.feed(b"some noise", NOW), *link.tick(NOW + 1)],
    Event.SEND: lambda link, state: link.send(ORDER, NOW)[1],
    Event.YES: lambda link, state: link.judged(1, True, NOW),
    Event.NO: lambda link, state: link.judged(1, False, NOW),
    Event.TIMEOUT: lambda link, state: link.tick(NOW + 100),
    Event.LOST: lambda link, state: link.lost(NOW),
}

N, W, A, J, Q, S = State
LOST_MESSAGE = "not sent: line lost"
HALF = "kept LT2150 MessageUnended (%s, 1 records)"
CELLS: dict[tuple[State, Event], tuple[bytes, State, list[str]]] = {
    (N, Event.ENQ): (ACK, A, []),
    (N, Event.ENQ_BUSY): (NAK, N, []),
    (N, Event.FRAME): (ACK, A, []),
    (N, Event.FINAL): (b"", J, ["received"]),
    (N, Event.REPEAT): (ACK, A, []),  # there is nothing yet that it could repeat
    (N, Event.BROKEN): (b"", N, ["kept LT2152 OutsideSession (17 bytes)"]),
    (N, Event.NOISE): (b"", N, ["kept LT2152 OutsideSession (10 bytes)"]),
    (N, Event.SEND): (ENQ, Q, []),
    (W, Event.ENQ): (ACK, A, []),
    (W, Event.ENQ_BUSY): (NAK, W, []),
    (W, Event.FRAME): (ACK, A, []),
    (W, Event.FINAL): (b"", J, ["received"]),
    (W, Event.REPEAT): (ACK, A, []),
    (W, Event.BROKEN): (b"", W, ["kept LT2152 OutsideSession (17 bytes)"]),
    (W, Event.NOISE): (b"", W, ["kept LT2152 OutsideSession (10 bytes)"]),
    (W, Event.TIMEOUT): (ENQ, Q, []),  # neutral, and asking at once: the message still waits
    (W, Event.LOST): (b"", N, [LOST_MESSAGE]),
    (A, Event.ENQ): (ACK, A, [HALF % "ENQ"]),
    (A, Event.ENQ_BUSY): (NAK, N, [HALF % "ENQ"]),
    (A, Event.EOT): (b"", N, [HALF % "EOT"]),
    (A, Event.EOT_MESSAGE): (b"", N, [HALF % "EOT"]),
    (A, Event.FRAME): (ACK, A, []),
    (A, Event.FINAL): (b"", J, ["received"]),
    (A, Event.REPEAT): (ACK, A, []),
    (A, Event.BROKEN): (NAK, A, []),
    (A, Event.TIMEOUT): (b"", N, [HALF % "silence"]),
    (A, Event.LOST): (b"", N, [HALF % "line lost"]),
    (J, Event.ENQ): (NAK, N, []),
    (J, Event.ENQ_BUSY): (NAK, N, []),
    (J, Event.EOT): (b"", N, []),
    (J, Event.EOT_MESSAGE): (b"", N, []),
    (J, Event.YES): (ACK, A, []),
    (J, Event.NO): (NAK, A, []),
    (J, Event.LOST): (b"", N, []),
    (Q, Event.ENQ): (b"", W, []),
    (Q, Event.ENQ_BUSY): (b"", W, []),
    (Q, Event.ACK): (frame(1, LONG[:15], last=False), S, []),
    (Q, Event.ACK_ALL): (frame(1, LONG[:15], last=False), S, []),
    (Q, Event.NAK): (b"", W, []),
    (Q, Event.NAK_ALL): (b"", W, []),
    (Q, Event.TIMEOUT): (EOT, W, []),
    (Q, Event.LOST): (b"", N, [LOST_MESSAGE]),
    (S, Event.ENQ): (b"", W, []),
    (S, Event.ENQ_BUSY): (b"", W, []),
    (S, Event.ACK): (frame(2, LONG[15:]), S, []),
    (S, Event.ACK_ALL): (EOT, N, ["sent"]),
    (S, Event.NAK): (frame(1, LONG[:15], last=False), S, []),
    (S, Event.NAK_ALL): (EOT, W, []),
    (S, Event.EOT): (frame(2, LONG[15:]), S, []),
    (S, Event.EOT_MESSAGE): (EOT, W, ["sent"]),
    (S, Event.TIMEOUT): (EOT, W, []),
    (S, Event.LOST): (b"", N, [LOST_MESSAGE]),
}
"""What is written, the state after, and what else is given. Every cell that is not here changes nothing and writes nothing."""


def test_the_table_has_every_cell() -> None:
    assert set(TABLE) == {(state, event) for state in State for event in Event}


@pytest.mark.parametrize("event", Event, ids=lambda event: event.name)
@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_every_cell(state: State, event: Event) -> None:
    link = SPECIAL.get((state, event), REACH[state])()
    assert link.state is state
    outputs = EXCITE[event](link, state)
    assert (written(outputs), link.state, others(outputs)) == CELLS.get((state, event), (b"", state, []))


def test_the_events_of_the_cells_are_the_ones_they_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell of the table is walked by its own event, and not by another that does the same."""
    seen: set[tuple[State, Event]] = set()
    real = Link._step

    def step(link: Link, event: Event) -> None:
        seen.add((link.state, event))
        real(link, event)

    monkeypatch.setattr(Link, "_step", step)
    for state in State:
        for event in Event:
            link = SPECIAL.get((state, event), REACH[state])()
            EXCITE[event](link, state)
    cannot = {
        *((state, Event.ACK_ALL) for state in State if state is not S),
        *((state, Event.EOT_MESSAGE) for state in State if state is not S),
        *((state, Event.NAK_ALL) for state in State if state is not S),
        *((state, Event.REPEAT) for state in State if state is not A),
        *((state, Event.FINAL) for state in (J, Q, S)),
        *((state, word) for state in State if state is not J for word in (Event.YES, Event.NO)),
        *((state, Event.SEND) for state in State if state is not N),
        *((state, Event.TIMEOUT) for state in (N, J)),
        (J, Event.ENQ),
    }
    assert set(TABLE) - seen <= cannot
    assert {cell for cell in cannot if TABLE[cell][1] is not cell[0]} <= {
        (J, Event.EOT_MESSAGE),
        (J, Event.ENQ),
        (A, Event.EOT_MESSAGE),
        (Q, Event.ACK_ALL),
        (Q, Event.NAK_ALL),
    }


# ---- receiving ----


def received(outputs: list[Output]) -> list[bytes]:
    return [message.raw for output in outputs if isinstance(output, Received) for message in output.messages]


def test_a_message_is_acknowledged_when_the_owner_says_so() -> None:
    link = to_neutral()
    outputs = link.feed(ENQ + frame(1, H) + frame(2, b"P|1\r") + frame(3, L), NOW)
    assert (written(outputs), received(outputs)) == (ACK * 3, [ONE])
    assert link.deadline is None
    assert written(link.judged(1, True, NOW)) == ACK
    assert written(link.feed(EOT, NOW)) == b""
    assert link.idle


def test_a_refused_message_comes_again_whole() -> None:
    link = to_judging()
    assert written(link.judged(1, False, NOW)) == NAK
    outputs = link.feed(frame(2, L), NOW)
    assert (written(outputs), received(outputs)) == (b"", [H + L])
    assert written(link.judged(2, True, NOW)) == ACK
    assert written(link.feed(frame(2, L), NOW)) == ACK, "its ACK was lost: answered again, not taken again"


def test_two_messages_in_one_session_and_in_one_frame() -> None:
    link = to_neutral()
    outputs = link.feed(ENQ + frame(1, ONE + ONE + H), NOW)
    assert received(outputs) == [ONE, ONE]
    outputs = [*link.judged(1, True, NOW), *link.feed(frame(2, L), NOW)]
    assert received(outputs) == [H + L]


def test_the_word_on_a_message_whose_sender_gave_up_says_nothing_and_no_session_begins_before_it() -> None:
    link = to_judging()
    link.feed(EOT, NOW)
    assert not link.idle
    assert written(link.feed(ENQ, NOW)) == NAK
    assert written(link.judged(1, True, NOW)) == b""
    assert written(link.feed(ENQ, NOW)) == ACK
    assert written(link.judged(1, True, NOW)) == b"", "said twice"


def test_frame_numbers_go_round() -> None:
    link = to_neutral()
    link.feed(ENQ, NOW)
    for number in range(1, 20):
        assert written(link.feed(frame(number % 8, H if number == 1 else b"R|1\r"), NOW)) == ACK
    assert written(link.feed(frame(20 % 8 + 1, b"R|1\r"), NOW)) == NAK


def test_another_frame_under_the_number_of_the_last_is_refused_and_kept() -> None:
    link = to_awake()
    assert written(link.feed(frame(1, b"R|1|^^^GLU|5.4\r"), NOW)) == NAK
    (kept,) = (output for output in link.feed(EOT, NOW) if isinstance(output, Kept))
    assert str(kept.message.fault) == "LT2151 FramesRefused (EOT: number 1 in place of 2)"
    assert kept.message.raw == H + frame(1, b"R|1|^^^GLU|5.4\r")


def test_a_frame_that_never_comes_whole_is_kept_with_what_came_before() -> None:
    link = to_awake()
    broken = b"\x022P|1\r\x0300\r\n"
    for _ in range(7):
        assert written(link.feed(broken, NOW)) == NAK
    (kept,) = (output for output in link.feed(EOT, NOW) if isinstance(output, Kept))
    assert kept.message.raw == H + broken[1:]
    assert str(kept.message.fault) == "LT2151 FramesRefused (EOT: checksum)"


def test_a_frame_that_came_whole_after_all_leaves_no_fault() -> None:
    link = to_awake()
    assert written(link.feed(b"\x022P|1\r\x0300\r\n" + frame(2, b"P|1\r"), NOW)) == NAK + ACK
    assert received(link.feed(frame(3, L), NOW)) == [ONE]
    assert others(link.judged(1, True, NOW) + link.feed(EOT, NOW)) == []


def test_too_large_is_refused_until_the_session_ends_and_told_once() -> None:
    link = Link(Role.HOST, max_size=100)
    link.feed(ENQ + frame(1, H), NOW)
    told = []
    for _ in range(1 + RETRANSMISSIONS):
        outputs = link.feed(frame(2, b"R|" + b"x" * 100 + b"\rL|1\r"), NOW)
        assert written(outputs) == NAK
        told += others(outputs)
    assert told == ["kept LT2101 TooLarge (more than 100 bytes)"]
    assert others(link.feed(EOT, NOW)) == []
    assert received(link.feed(ENQ + frame(1, ONE), NOW)) == [ONE]


def test_silence_inside_a_session_ends_it_after_thirty_seconds() -> None:
    link = to_awake()
    link.feed(b"\x022P|1", NOW + 20)
    assert others(link.tick(NOW + 49.9)) == []
    assert link.deadline == NOW + 50
    outputs = link.tick(NOW + 50)
    assert (written(outputs), others(outputs)) == (b"", ["kept LT2151 FramesRefused (silence: cut off)"])
    assert link.deadline is None


def test_a_few_bytes_of_line_noise_are_no_message() -> None:
    link = to_neutral()
    assert link.feed(b"\xff\x00\xff", NOW) == []
    assert link.tick(NOW + 1) == []
    assert written(link.feed(b"\xff" + ENQ, NOW)) == ACK


# ---- sending ----


def test_a_message_is_sent_by_records_and_named_when_it_is_through() -> None:
    link = Link(Role.HOST)
    number, outputs = link.send(ORDER, NOW)
    wire = written(outputs)
    for _ in range(4):
        outputs = link.feed(ACK, NOW)
        wire += written(outputs)
    assert wire == ENQ + frame(1, b"H|\\^&|||host\r") + frame(2, b"O|1\r") + frame(3, L) + EOT
    assert outputs[0] == Sent(number)
    assert link.idle


def test_several_messages_in_one_session() -> None:
    link = Link(Role.HOST)
    numbers = [link.send(SHORT, NOW)[0] for _ in range(2)]
    outputs = [output for _ in range(3) for output in link.feed(ACK, NOW)]
    assert written(outputs) == frame(1, SHORT) + frame(2, SHORT) + EOT
    assert [output.number for output in outputs if isinstance(output, Sent)] == numbers


def test_both_ask_and_the_instrument_goes_first() -> None:
    host, instrument = Link(Role.HOST), Link(Role.INSTRUMENT)
    host.send(ORDER, NOW)
    instrument.send(ONE, NOW)
    assert (written(host.feed(ENQ, NOW)), written(instrument.feed(ENQ, NOW))) == (b"", b"")
    assert (host.deadline, instrument.deadline) == (NOW + 20, NOW + 1)
    assert written(instrument.tick(NOW + 1)) == ENQ
    assert written(host.feed(ENQ, NOW + 1)) == ACK
    host.feed(frame(1, ONE), NOW + 1)
    host.judged(1, True, NOW + 1)
    assert written(host.feed(EOT, NOW + 1)) == ENQ, "our turn as soon as the instrument is through"


def test_after_busy_we_wait_ten_seconds_and_give_up_in_the_end() -> None:
    link, now = Link(Role.HOST), NOW
    number, outputs = link.send(ORDER, now)
    for _ in range(BIDS):
        assert written(outputs) == ENQ
        assert link.feed(NAK, now) == []
        assert link.deadline == now + 10
        now += 10
        outputs = link.tick(now)
    assert outputs == [NotSent(number, "busy")]
    assert link.idle


@pytest.mark.parametrize(
    ("reply", "why"), [(None, "silent"), (NAK, "refused"), (ENQ, "began again"), (b"\x86", "silent")]
)
def test_frames_that_find_no_answer_are_begun_again_and_given_up_in_the_end(reply: bytes | None, why: str) -> None:
    link, now = Link(Role.HOST), NOW
    number, outputs = link.send(SHORT, now)
    for _ in range(BIDS):
        assert written(outputs) == ENQ
        wire = written(link.feed(ACK, now))
        for _ in range(RETRANSMISSIONS + 1 if reply == NAK else 1):
            if reply is not None:
                wire += written(link.feed(reply, now))
        wire += written(link.tick(now + 1))
        if why == "silent":
            wire += written(link.tick(now + 15))
        times = RETRANSMISSIONS + 1 if reply == NAK else 1
        assert wire == frame(1, SHORT) * times + (b"" if reply == ENQ else EOT)
        now += 100
        outputs = link.tick(now)
    assert outputs == [NotSent(number, why)]


def test_a_receiver_that_wants_the_line_gets_it_for_fifteen_seconds() -> None:
    link = to_sending(SHORT, ORDER)
    outputs = link.feed(EOT, NOW)
    assert (written(outputs), others(outputs)) == (EOT, ["sent"])
    assert link.deadline == NOW + 15
    assert written(link.feed(ENQ, NOW)) == ACK
    assert written(link.feed(EOT, NOW)) == ENQ


def test_an_empty_message_is_told_at_once() -> None:
    link = Link(Role.HOST)
    number, outputs = link.send(b"\r\n", NOW)
    assert outputs == [NotSent(number, "empty")]


def test_an_answer_is_read_behind_a_frame_that_never_ended() -> None:
    link = to_sending(SHORT)
    assert link.feed(b"\x02" + ACK, NOW) == []
    assert written(link.tick(NOW + 0.25)) == EOT


# ---- two links against each other ----


@dataclass
class Side:
    link: Link
    inbox: deque[bytes] = field(default_factory=deque)
    got: list[bytes] = field(default_factory=list)
    partial: list[bytes] = field(default_factory=list)
    sent: dict[int, bytes] = field(default_factory=dict)
    through: set[bytes] = field(default_factory=set)
    given_up: set[bytes] = field(default_factory=set)


@dataclass
class Pipe:
    """A line that loses, damages and repeats bytes for a while, and then is good."""

    faults: deque[str]
    chance: random.Random

    def carry(self, data: bytes) -> list[bytes]:
        fault = self.faults.popleft() if self.faults else "good"
        if fault == "lost":
            return []
        if fault == "damaged":
            at = self.chance.randrange(len(data))
            return [data[:at] + bytes([data[at] ^ 0x80]) + data[at + 1 :]]
        if fault == "cut":
            return [data[: self.chance.randrange(len(data))]]
        if fault == "noise":
            return [b"\x80\xfe" + data]
        return [data]


def play(left: Side, right: Side, pipe: Pipe) -> None:
    """Let both speak until both are idle; time jumps to the next deadline when nothing is under way."""
    now = NOW
    for _ in range(20_000):
        for here, there in ((left, right), (right, left)):
            while here.inbox:
                handle(here, there, here.link.feed(here.inbox.popleft(), now), pipe, now)
        if left.inbox or right.inbox:
            continue
        deadlines = [at for at in (left.link.deadline, right.link.deadline) if at is not None]
        if not deadlines:
            assert left.link.idle
            assert right.link.idle
            return
        now = max(now, min(deadlines))
        for here, there in ((left, right), (right, left)):
            handle(here, there, here.link.tick(now), pipe, now)
    raise AssertionError("they do not come to an end")


def handle(here: Side, there: Side, outputs: list[Output], pipe: Pipe, now: float) -> None:
    waiting = deque(outputs)
    while waiting:
        output = waiting.popleft()
        if isinstance(output, Write):
            there.inbox.extend(data for data in pipe.carry(output.data) if data)
        elif isinstance(output, Received):
            here.got += (message.raw for message in output.messages)
            good = pipe.chance.random() < 0.9
            if not good:
                del here.got[-len(output.messages) :]
            waiting.extend(here.link.judged(output.number, good, now))
        elif isinstance(output, Kept):
            here.partial.append(output.message.raw)
        elif isinstance(output, Sent):
            here.through.add(here.sent[output.number])
        else:
            here.given_up.add(here.sent[output.number])


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(["good", "good", "good", "lost", "damaged", "cut", "noise"]), max_size=60),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 2**32),
)
def test_a_bad_line_loses_no_message_that_was_not_given_up(
    faults: list[str], mine: int, theirs: int, seed: int
) -> None:
    chance = random.Random(seed)
    pipe = Pipe(deque(faults), chance)
    host, instrument = Side(Link(Role.HOST, send_frame=20)), Side(Link(Role.INSTRUMENT, send_frame=20))
    for side, other, count in ((host, instrument, mine), (instrument, host, theirs)):
        for index in range(count):
            message = b"H|\\^&|||%d\rR|%d|%b\rL|1|N\r" % (id(side), index, b"v" * chance.randrange(60))
            number, outputs = side.link.send(message, NOW)
            side.sent[number] = message
            handle(side, other, outputs, pipe, NOW)
    play(host, instrument, pipe)
    for here, there in ((host, instrument), (instrument, host)):
        messages = set(here.sent.values())
        assert here.through | here.given_up == messages
        assert here.through <= set(there.got), "acknowledged, and not there"
        assert set(there.got) <= messages, "something else arrived"
        if not faults:
            assert sorted(there.got) == sorted(messages), "each once"


@given(st.binary(max_size=400), st.integers(1, 50))
def test_any_bytes_are_answered_or_ignored(data: bytes, size: int) -> None:
    link, now = Link(Role.HOST, max_size=100, max_frame=50, times=Times()), NOW
    for at in range(0, len(data), size):
        for output in link.feed(data[at : at + size], now):
            if isinstance(output, Received):
                link.judged(output.number, bool(at % 2), now)
        if link.deadline is not None and at % 3:
            now = link.deadline
            link.tick(now)
    link.lost(now)
    assert link.state is State.NEUTRAL
    assert written(link.feed(ENQ, now)) == ACK
