from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from connectors.faults import FrameIncomplete, FrameInvalid, TooLarge
from connectors.mllp_framing import KEPT, Framer, framed


def told(framer: Framer, *packets: bytes) -> list[tuple[bytes, type | None]]:
    return [(frame.raw, type(frame.fault) if frame.fault else None) for data in packets for frame in framer.feed(data)]


def ended(framer: Framer) -> list[tuple[bytes, type | None]]:
    return [(frame.raw, type(frame.fault) if frame.fault else None) for frame in framer.end()]


def test_missing_cr_and_stray_line_ends_between_frames() -> None:
    stream = b"\r\n\x0bMSH|1\x1c\x0bMSH|2\x1c\r\r\n\n\x0bMSH|3\x1c\r\n"
    assert told(Framer(100), stream) == [(b"MSH|1", None), (b"MSH|2", None), (b"MSH|3", None)]
    assert ended(Framer(100)) == []


def test_a_message_begun_again_is_two_frames() -> None:
    assert told(Framer(100), b"\x0bMSH|lost in the mid\x0b", b"MSH|whole\x1c\r") == [
        (b"MSH|lost in the mid", FrameIncomplete),
        (b"MSH|whole", None),
    ]


def test_a_doubled_start_block_is_noise() -> None:
    assert told(Framer(100), b"\x0b\x0bMSH|1\x1c\r") == [(b"MSH|1", None)]


def test_a_soft_line_break_stays_in_the_text() -> None:
    assert told(Framer(100), b"\x0bMSH|1\rOBX|a\x0bb\x1c\r") == [(b"MSH|1\rOBX|a\x0bb", None)]


def test_exactly_the_limit_fits_and_one_more_does_not() -> None:
    assert told(Framer(10), framed(b"x" * 10)) == [(b"x" * 10, None)]
    assert told(Framer(10), framed(b"x" * 11)) == [(b"x" * 11, TooLarge)]


def test_of_an_endless_frame_only_the_beginning_is_held() -> None:
    framer = Framer(100_000)
    assert told(framer, b"\x0b", *[b"y" * 50_000] * 40) == []
    assert sum(map(len, framer._parts)) == KEPT
    assert ended(framer) == [(b"y" * KEPT, TooLarge)]
    assert told(framer, framed(b"MSH|1")) == [(b"MSH|1", None)]


def test_rubbish_before_a_frame_is_given_first_and_after_a_pause_again() -> None:
    framer = Framer(100)
    assert told(framer, b"\r\nhello", b" there\x0bMSH|1\x1c\r") == [(b"hello there", FrameInvalid), (b"MSH|1", None)]
    assert told(framer, b"again") == []
    assert framer.pending
    assert [frame.raw for frame in framer.quiet()] == [b"again"]
    assert framer.quiet() == []
    assert not framer.pending


def test_a_frame_cut_off_says_so() -> None:
    framer = Framer(100)
    told(framer, b"\x0bMSH|ha")
    assert framer.in_frame
    assert framer.quiet() == []
    assert ended(framer) == [(b"MSH|ha", FrameIncomplete)]
    assert ended(framer) == []


def test_faults_carry_no_content() -> None:
    framer = Framer(10)
    frames = framer.feed(b"NGUYEN VAN AN\x0bNGUYEN VAN AN\x1c\r\x0bNGUYEN") + framer.end()
    assert [str(frame.fault) for frame in frames] == [
        "LT2103 FrameInvalid (13 bytes)",
        "LT2101 TooLarge (more than 10 bytes)",
        "LT2102 FrameIncomplete (after 6 bytes)",
    ]


@given(
    st.lists(st.binary(max_size=30).map(lambda raw: raw.translate(None, b"\x0b\x1c")), max_size=6),
    st.lists(st.integers(min_value=1, max_value=20), min_size=1, max_size=12),
)
def test_packet_borders_never_matter(contents: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(framed, contents))
    packets, at, turn = [], 0, 0
    while at < len(stream):
        step = cuts[turn % len(cuts)]
        packets.append(stream[at : at + step])
        at, turn = at + step, turn + 1
    assert told(Framer(1000), *packets) == [(raw, None) for raw in contents]


def test_time_grows_with_the_bytes_and_not_with_their_square() -> None:
    def seconds(packets: int) -> float:
        framer = Framer(1 << 30)
        packet = b"x" * 100
        began = time.process_time()
        framer.feed(b"\x0b")
        for _ in range(packets):
            framer.feed(packet)
        framer.feed(b"\x1c\r")
        return time.process_time() - began

    few = min(seconds(4_000) for _ in range(5))
    many = min(seconds(64_000) for _ in range(3))
    assert many < few * 16 * 5, "sixteen times the bytes must not cost much more than sixteen times the time"
