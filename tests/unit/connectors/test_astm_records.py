"""From records to messages: H to L, whatever the frames cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._astm_records import Message, Records
from connectors.mllp_framing import KEPT

ONE = b"H|\\^&|||one\rP|1\rO|1\rR|1|^^^GLU|5.40\rL|1|N\r"
TWO = b"H|\\^&|||two\rQ|1|^7\rL|1\r"


def told(messages: list[Message]) -> list[tuple[bytes, str]]:
    return [(message.raw, "" if message.fault is None else str(message.fault)) for message in messages]


def taken(*texts: bytes, max_size: int = 10_000) -> list[tuple[bytes, str]]:
    records = Records(max_size)
    return [one for text in texts for one in told(records.take(text))]


def test_messages_in_one_text_and_in_single_bytes() -> None:
    assert taken(ONE + TWO) == [(ONE, ""), (TWO, "")]
    assert taken(*(bytes([byte]) for byte in ONE + TWO)) == [(ONE, ""), (TWO, "")]


def test_line_ends_between_messages_are_no_message_and_inside_stay() -> None:
    windows = ONE.replace(b"\r", b"\r\n")
    assert taken(b"\r\n\r\n" + windows + windows) == [(windows, ""), (windows, "")]


def test_letters_that_only_begin_like_h_and_l() -> None:
    message = b"H|\\^&\rHX|1\rLAB|2\rL1|3\rL\r"
    assert taken(message) == [(message, "")]


def test_a_message_begun_again_is_kept_beside() -> None:
    assert taken(b"H|\\^&\rP|1\r" + ONE) == [
        (b"H|\\^&\rP|1\r", "LT2150 MessageUnended (begun again, 2 records)"),
        (ONE, ""),
    ]


def test_a_message_without_header_says_so() -> None:
    assert taken(b"P|1\rL|1\r" + ONE) == [(b"P|1\rL|1\r", "LT2150 MessageUnended (no header, 2 records)"), (ONE, "")]


def test_what_is_left_at_the_end() -> None:
    records = Records(10_000)
    records.take(b"H|\\^&\rP|1\rO|")
    assert told(records.end("EOT")) == [(b"H|\\^&\rP|1\rO|", "LT2150 MessageUnended (EOT, 3 records)")]
    assert records.end("EOT") == []
    assert told(records.take(ONE)) == [(ONE, "")]


def test_too_large_keeps_the_beginning_and_goes_on_with_the_next() -> None:
    large = b"H|\\^&\rR|" + b"x" * 500_000 + b"\rR|2\rL|1\r"
    fault = "LT2101 TooLarge (more than 100000 bytes)"
    for step in (len(large), 1000):
        texts = [large[at : at + step] for at in range(0, len(large), step)]
        assert taken(*texts, ONE, max_size=100_000) == [(large[:KEPT], fault), (ONE, "")]
    unended = large.rpartition(b"L")[0]
    assert taken(unended, ONE, max_size=100_000) == [(large[:KEPT], fault), (ONE, "")]


def test_exactly_the_limit_fits() -> None:
    assert taken(ONE, max_size=len(ONE)) == [(ONE, "")]
    assert taken(ONE, max_size=len(ONE) - 1)[0][1] == f"LT2101 TooLarge (more than {len(ONE) - 1} bytes)"


def test_frames_that_end_records_without_cr() -> None:
    records = Records(10_000)
    found = [one for record in ONE.rstrip(b"\r").split(b"\r") for one in records.take(record, closes=True)]
    assert told(found) == [(ONE, "")]


def test_frames_that_end_in_the_middle_of_a_record() -> None:
    records = Records(10_000)
    found = [one for at in range(0, len(ONE), 7) for one in records.take(ONE[at : at + 7], closes=True)]
    assert told(found) == [(ONE, "")]


def test_a_terminator_without_cr_ends_after_silence() -> None:
    records = Records(10_000)
    assert records.take(ONE.rstrip(b"\r")) == []
    assert told(records.quiet()) == [(ONE, "")]
    records.take(b"H|\\^&\rP|1")
    assert records.quiet() == []


@pytest.mark.parametrize("before", [b"", b"H|\\^&|||one\rP|", b"H|\\^&|||one\rP|1\r"])
@pytest.mark.parametrize("text", [ONE, ONE + TWO[:9], b"R|1|^^^GLU|5.40\rL|1|N\r", b"\rL|1\rH|", b"x" * 9_000])
def test_undone_is_as_it_was(before: bytes, text: bytes) -> None:
    undone, plain = Records(5_000), Records(5_000)
    undone.take(before)
    plain.take(before)
    mark = undone.mark()
    undone.take(text)
    undone.undo(mark)
    assert told(undone.take(text)) == told(plain.take(text))
    assert told(undone.end("EOT")) == told(plain.end("EOT"))


@given(
    st.lists(st.sampled_from([b"H|", b"L|1", b"L", b"R|1", b"H", b"x", b"\r", b"\n"]), max_size=40), st.integers(0, 99)
)
def test_no_byte_is_lost_whatever_comes(pieces: list[bytes], at: int) -> None:
    data = b"".join(pieces)
    records = Records(10_000)
    found = [*records.take(data[:at]), *records.take(data[at:]), *records.end("EOT")]
    strip = bytes.maketrans(b"", b"")
    assert b"".join(one.raw for one in found).translate(strip, b"\r\n") == data.translate(strip, b"\r\n")
