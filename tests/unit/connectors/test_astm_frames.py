"""The frames of ASTM: what is read out of a stream of bytes, and what is written into one."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._astm_frames import ACK, ENQ, EOT, NAK, Broken, Control, Frame, Noise, Reader, Token, framed, texts_of
from connectors.mllp_framing import KEPT

H = rb"H|\^&" + b"\r"


def read(*packets: bytes, max_frame: int = 1000) -> list[Token]:
    reader = Reader(max_frame)
    return [token for packet in packets for token in reader.feed(packet)]


def test_a_frame_as_the_standard_prints_it() -> None:
    assert framed(1, b"H\r", last=True) == b"\x021H\r\x03" + b"%02X" % (0x31 + 0x48 + 0x0D + 0x03) + b"\r\n"
    assert framed(8, b"x", last=False)[:4] == b"\x020x\x17"


def test_what_is_written_is_read() -> None:
    stream = ENQ + framed(1, H, last=True) + framed(2, b"P|1", last=False) + framed(3, b"||\r", last=True) + EOT
    expected = [Control(ENQ), Frame(1, H, True), Frame(2, b"P|1", False), Frame(3, b"||\r", True), Control(EOT)]
    assert read(stream) == expected
    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == expected


def test_a_checksum_in_small_letters() -> None:
    frame = framed(1, b"H|~\r", last=True)
    assert read(frame[:-4] + frame[-4:-2].lower() + b"\r\n") == [Frame(1, b"H|~\r", True)]


def test_bytes_of_any_charset_and_control_characters_stay_in_the_text() -> None:
    text = bytes(set(range(256)) - {0x02, 0x03, 0x17}) + "Nguyễn".encode("utf-16") + b"\x03 and \x17 as text\r"
    assert read(framed(1, text, last=True)) == [Frame(1, text, True)]


@pytest.mark.parametrize("end", [b"\r", b"\n", b""])
def test_an_end_without_cr_or_lf_is_known_by_what_follows_or_by_silence(end: bytes) -> None:
    bare = framed(1, H, last=True)[:-2] + end
    assert read(bare + framed(2, b"L|1\r", last=True)) == [Frame(1, H, True), Frame(2, b"L|1\r", True)]
    assert read(bare + EOT) == [Frame(1, H, True), Control(EOT)]
    reader = Reader(1000)
    at_once = reader.feed(bare)
    assert at_once + reader.quiet() == [Frame(1, H, True)]
    assert reader.feed(b"\r\n") + reader.quiet() == []
    assert not reader.pending


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        (b"\x021H|\r\x0300\r\n", "checksum"),
        (b"\x02\x0303\r\n", "no frame number"),
        (b"\x02H\r\x0358\r\n", "no frame number"),
        (b"1H|\r\x0304\r\n", "no beginning"),
        (framed(1, b"x" * 2000, last=True), "more than 1000 bytes"),
        (framed(1, b"x" * 1_000_000, last=True), "more than 1000 bytes"),
    ],
)
def test_a_broken_frame_says_why_and_the_next_is_read(wire: bytes, why: str) -> None:
    (broken, after) = read(*(wire[at : at + 777] for at in range(0, len(wire), 777)), framed(2, H, last=True))
    assert isinstance(broken, Broken)
    assert (broken.why, after) == (why, Frame(2, H, True))
    assert broken.raw == wire[:KEPT] if why == "no beginning" else broken.raw in wire


def test_a_frame_begun_again_is_noise_and_a_frame() -> None:
    assert read(b"\x021H|lost", framed(1, H, last=True)) == [Noise(b"1H|lost"), Frame(1, H, True)]


@pytest.mark.parametrize("control", [ENQ, EOT, ACK, NAK])
def test_a_control_character_is_what_it_says_outside_a_frame_and_inside_one_after_silence(control: bytes) -> None:
    assert read(b"??" + control) == [Noise(b"??"), Control(control)]
    reader = Reader(1000)
    assert reader.feed(b"\x021H|" + control) == []
    assert reader.quiet() == [Noise(b"1H|"), Control(control)]
    assert reader.feed(ENQ) == [Control(ENQ)]


def test_a_damaged_end_is_known_after_silence() -> None:
    reader = Reader(1000)
    assert reader.feed(b"\x021H|\r\x8304\r\n") == []
    assert reader.quiet() == [Broken(b"1H|\r\x8304\r\n", "no end")]
    assert reader.quiet() == []


def test_a_pause_inside_a_frame_ends_nothing() -> None:
    wire = framed(1, b"H|a\r\nb\r", last=True)
    for at in range(1, len(wire) - 2):
        reader = Reader(1000)
        assert reader.feed(wire[:at]) + reader.quiet() + reader.feed(wire[at:]) == [Frame(1, b"H|a\r\nb\r", True)]


def test_what_was_cut_off_is_given_at_the_end() -> None:
    reader = Reader(1000)
    reader.feed(b"\x021H|half")
    assert reader.end() == [Broken(b"1H|half", "cut off")]
    assert reader.end() == []
    reader.feed(b"rubbish\r\n")
    assert reader.end() == [Noise(b"rubbish")]


def test_of_endless_rubbish_only_the_beginning_is_held() -> None:
    reader = Reader(1000)
    for _ in range(100):
        assert reader.feed(b"x" * 50_000) == []
    assert len(reader._buffer) <= KEPT + 50_000
    assert reader.quiet() == [Noise(b"x" * KEPT)]


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_in_any_pieces_give_the_same(data: bytes, at: int) -> None:
    assert read(data) == read(data[:at], data[at:])


@given(st.lists(st.sampled_from([b"\x02", b"\x03", b"\x17", b"\r", b"\n", b"1", b"F", b"\x04", b"\x05", b"x"])))
def test_any_order_of_what_frames_are_made_of_ends(pieces: list[bytes]) -> None:
    reader = Reader(20)
    for piece in pieces:
        reader.feed(piece)
        reader.quiet()
    reader.end()
    assert not reader.pending
    assert reader.feed(framed(1, b"x", last=True)) == [Frame(1, b"x", True)]


@given(st.binary(max_size=600), st.integers(1, 300))
def test_a_message_is_cut_by_records_and_nothing_is_lost(content: bytes, size: int) -> None:
    message = b"".join(record + b"\r" for record in content.replace(b"\n", b"").split(b"\r") if record)
    texts = list(texts_of(message, size))
    assert b"".join(text for text, _ in texts) == message
    assert all(len(text) <= size for text, _ in texts)
    assert [text.endswith(b"\r") for text, _ in texts] == [last for _, last in texts]


def test_a_single_wrong_byte_never_passes() -> None:
    chance = random.Random(1)
    wire = framed(3, b"R|1|^^^GLU|5.40|mmol/L\r", last=True)
    for at in range(len(wire) - 2):
        for _ in range(50):
            other = bytearray(wire)
            other[at] = chance.choice([byte for byte in range(256) if byte != wire[at]])
            reader = Reader(1000)
            got = reader.feed(bytes(other)) + reader.end()
            same = bytes(other[-4:-2]).upper() == wire[-4:-2] and bytes(other[:-4]) == wire[:-4]
            assert same or not any(isinstance(token, Frame) for token in got)
