"""Parts are found whatever the pieces in which a body comes, and what is no multipart is said to be none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.faults import MultipartInvalid
from connectors.sources._multipart_related import (
    MOST_AROUND,
    MultipartReader,
    PartBegins,
    PartBytes,
    read_media_type,
)

B = "b0undary"
Part = tuple[Mapping[str, str], bytes]


def read(pieces: Iterable[bytes], max_header: int = 200) -> tuple[list[Part], MultipartInvalid | None]:
    """Give the parts that ended, and the fault if there was one."""
    parts: list[Part] = []
    headers: Mapping[str, str] = {}
    content = bytearray()
    reader = MultipartReader(B, max_header)
    try:
        for piece in pieces:
            for event in reader.feed(piece):
                if isinstance(event, PartBegins):
                    headers, content = event.headers, bytearray()
                elif isinstance(event, PartBytes):
                    assert event.data
                    content += event.data
                else:
                    parts.append((headers, bytes(content)))
        reader.end()
    except MultipartInvalid as fault:
        return parts, fault
    return parts, None


def single(body: bytes) -> list[bytes]:
    return [body[n : n + 1] for n in range(len(body))]


TYPE = b"Content-Type: application/dicom"
HOSTILE = (
    b"preamble\r\n--b0undar\r\n--b0undary \t\r\n" + TYPE + b"; transfer-syntax=1.2\r\nX-Long: a\r\n\tb\r\n\r\n"
    b"\r\n--b0undar\r\n--b0undaryx\r\n--b0undary-\r\n-\r\r\n\r\n--\r\n-\r\n"
    b"\r\n--b0undary\r\n\r\nno head"
    b"\r\n--b0undary\r\n" + TYPE + b"\r\n\r\n"
    b"\r\n--b0undary\r\n" + TYPE + b"\r\n"  # no empty line of its own: a part without a body
    b"\r\n--b0undary--  \r\nepilogue\r\n--b0undary\r\n\r\n"
)
HOSTILE_PARTS: list[Part] = [
    (
        {"content-type": "application/dicom; transfer-syntax=1.2", "x-long": "a b"},
        b"\r\n--b0undar\r\n--b0undaryx\r\n--b0undary-\r\n-\r\r\n\r\n--\r\n-\r\n",
    ),
    ({}, b"no head"),
    ({"content-type": "application/dicom"}, b""),
    ({"content-type": "application/dicom"}, b""),
]


def test_a_hostile_body_cut_at_every_position() -> None:
    assert read([HOSTILE]) == (HOSTILE_PARTS, None)
    assert read(single(HOSTILE)) == (HOSTILE_PARTS, None)
    for n in range(len(HOSTILE)):
        assert read([HOSTILE[:n], HOSTILE[n:]]) == (HOSTILE_PARTS, None), n


_FRAGMENTS = st.sampled_from(
    [
        *(b"\r", b"\n", b"\r\n", b"-", b"--", b" ", b"\t", b"x", b"\0\xff", b"--b0undary", b"\r\n--b0undary"),
        *(b"b0undary", b"\r\n\r\n", b"A: b", TYPE, b"\r\n--b0undary\r\n", b"\r\n--b0undary\r\n\r\n", b" " * 256),
        *(b"\r\n--b0undary--", b"\r\n--b0undary \r\n", b"x" * 50),
    ]
)
_BODIES = st.lists(_FRAGMENTS, max_size=14).map(b"".join)


def by_the_book(body: bytes) -> list[bytes]:
    """Split at the delimiter lines of RFC 2046 with a regular expression over the whole body."""
    cut = re.split(rb"\r\n--b0undary(?=--|[ \t]{0,256}\r\n)", b"\r\n" + body)
    found = []
    for piece in cut[1:]:
        if piece.startswith(b"--"):
            break
        found.append(piece)
    return found


@given(_BODIES, st.lists(st.integers(0, 400), max_size=12))
def test_any_body_gives_the_same_parts_in_any_pieces(body: bytes, cuts: list[int]) -> None:
    body = b"--b0undary\r\nX: y\r\n\r\n" + body + b"\r\n--b0undary--"
    whole, fault = read([body])
    ends = sorted({0, len(body), *(min(cut, len(body)) for cut in cuts)})
    pieces, found = read([body[a:b] for a, b in pairwise(ends)])
    assert pieces == whole
    assert (found is None) == (fault is None)
    assert read(single(body))[0] == whole
    if fault is None:
        expected = [piece.partition(b"\r\n\r\n")[2] for piece in by_the_book(body)]
        # a part whose head ends with the line of the next delimiter has no body at all
        assert [content for _, content in whole] == expected


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 40))
def test_any_bytes_come_out_as_they_went_in(contents: list[bytes], step: int) -> None:
    body = b"".join(b"--b0undary\r\n" + TYPE + b"\r\n\r\n" + one + b"\r\n" for one in contents) + b"--b0undary--\r\n"
    parts, fault = read(body[n : n + step] for n in range(0, len(body), step))
    assert fault is None
    assert [content for _, content in parts] == contents


@pytest.mark.parametrize(
    ("body", "why", "parts"),
    [
        (b"", "final boundary", 0),
        (b"no multipart at all", "final boundary", 0),
        (b"--b0undary", "final boundary", 0),
        (b"--b0undary--", "no part", 0),
        (b"--b0undary\r\n\r\none", "final boundary", 0),
        (b"--b0undary\r\n\r\none\r\n--b0undary\r\n\r\ntwo", "final boundary", 1),
        (b"--b0undary\r\n\r\none\r\n--b0undary-", "final boundary", 0),
        (b"--b0undary\n\none\n--b0undary--", "final boundary", 0),
        (b"--b0undary\r\n\r\none\r\n--b0undary\r\nno field\r\n\r\ntwo\r\n--b0undary--", "header fields", 1),
        (b"--b0undary\r\nA: b\r\n--b0undary--\r\n\r\n", "header fields", 0),
        (b"--b0undary\r\nA : b\r\n\r\n", "header fields", 0),
        (b"--b0undary\r\n: b\r\n\r\n", "header fields", 0),
        (b"--b0undary\r\nA: b\0\r\n\r\n", "header fields", 0),
        (b"--b0undary\r\nA: b\nB: c\r\n\r\n", "header fields", 0),
        (b"--b0undary\r\nA: b\r\na: c\r\n\r\n", "twice", 0),
        (b"--b0undary\r\nA: " + b"x" * 300 + b"\r\n\r\n", "longer than 200", 0),
        (b"--b0undary\r\nA: " + b"x" * 300, "longer than 200", 0),
        (b"x" * MOST_AROUND + b"\r\n--b0undary\r\n", "outside the parts", 0),
        (b"--b0undary\r\n\r\none\r\n--b0undary--" + b"x" * (MOST_AROUND + 1), "outside the parts", 1),
    ],
)
def test_what_is_no_multipart_is_said_to_be_none_and_parts_before_that_hold(body: bytes, why: str, parts: int) -> None:
    for pieces in ([body], single(body)):
        found, fault = read(pieces)
        assert fault is not None
        assert why in fault.detail
        assert len(found) == parts


@pytest.mark.parametrize("size", [195, 196, 197])
def test_the_limit_of_a_head_is_the_same_in_any_pieces(size: int) -> None:
    body = b"--b0undary\r\nA: " + b"x" * size + b"\r\n\r\none\r\n--b0undary--"
    assert (read([body])[1] is None) == (read(single(body))[1] is None) == (size <= 195)


def test_no_more_is_kept_than_may_begin_a_delimiter() -> None:
    reader = MultipartReader(B, 200)
    list(reader.feed(b"--b0undary\r\n\r\n"))
    for _ in range(100):
        (event,) = reader.feed(b"x" * 10_000 + b"\r\n--b0unda")
        assert isinstance(event, PartBytes)
        assert len(reader._pending) < 20


@pytest.mark.parametrize("boundary", ["", " x", "x ", "x\r\ny", "x" * 201, "é"])
def test_a_boundary_that_cannot_be_one_is_refused(boundary: str) -> None:
    with pytest.raises(MultipartInvalid):
        MultipartReader(boundary, 200)


@pytest.mark.parametrize(
    ("text", "kind", "parameters"),
    [
        ("multipart/related", "multipart/related", {}),
        (
            'Multipart/Related; Type="application/dicom"; BOUNDARY="a b"',
            "multipart/related",
            {"type": "application/dicom", "boundary": "a b"},
        ),
        ("a/b;c=d;e=application/f", "a/b", {"c": "d", "e": "application/f"}),
        ('  a/b  ; \t c="x\\"y;z"  ;', "a/b", {"c": 'x"y;z'}),
        ('a/b; c=""', "a/b", {"c": ""}),
        ("application/dicom;transfer-syntax=1.2.840", "application/dicom", {"transfer-syntax": "1.2.840"}),
    ],
)
def test_media_types(text: str, kind: str, parameters: dict[str, str]) -> None:
    assert read_media_type(text) == (kind, parameters)


@pytest.mark.parametrize("text", ["", "multipart", "a/b c", "a/b; c", "a/b; c=d; C=e", 'a/b; c="d', "a/b; c=d e"])
def test_media_types_that_are_none(text: str) -> None:
    with pytest.raises(MultipartInvalid):
        read_media_type(text)
