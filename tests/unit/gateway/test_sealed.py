"""Encryption at rest."""

from __future__ import annotations

import hmac
import os
from io import BytesIO

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.faults import KeyUnknown, SealBroken
from gateway.store.sealed import PIECE, Keyring, new_key_line

OLD, NEW = new_key_line("k1"), new_key_line("k2")


def test_what_is_sealed_opens() -> None:
    ring = Keyring.parse(OLD)
    for payload in (b"", b"a secret payload", "Nguyễn Thị Hòa".encode() * 1000):
        sealed = ring.seal(payload, "row")
        assert payload not in sealed or not payload
        assert ring.open(sealed, "row") == payload


def test_the_same_payload_looks_different_every_time() -> None:
    ring = Keyring.parse(OLD)
    assert ring.seal(b"a", "row") != ring.seal(b"a", "row")


def test_a_changed_byte_or_another_row_does_not_open() -> None:
    ring = Keyring.parse(OLD)
    sealed = ring.seal(b"payload", "row")
    with pytest.raises(SealBroken):
        ring.open(sealed, "another row")
    for position in range(3, len(sealed)):
        broken = bytearray(sealed)
        broken[position] ^= 1
        with pytest.raises(SealBroken):
            ring.open(bytes(broken), "row")


def test_keys_rotate_by_adding_a_line() -> None:
    before = Keyring.parse(OLD)
    after = Keyring.parse(f"# keys\n{OLD}\n\n{NEW}\n")
    assert after.current == "k2"
    assert after.open(before.seal(b"old", "row"), "row") == b"old"
    with pytest.raises(KeyUnknown):
        before.open(after.seal(b"new", "row"), "row")


def test_search_keys_survive_rotation_and_tell_kinds_apart() -> None:
    before, after = Keyring.parse(OLD), Keyring.parse(f"{OLD}\n{NEW}")
    assert before.search_key("order", "BN1") == after.search_key("order", "BN1")
    assert before.search_key("order", "BN1") != before.search_key("control", "BN1")
    assert before.search_key("order", "BN1") != Keyring.parse(NEW).search_key("order", "BN1")


@pytest.mark.parametrize("text", ["", "# nothing", "k1:short", "noid", ":AAAA", "k1:" + "A" * 43 + "?"])
def test_a_wrong_key_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="key"):
        Keyring.parse(text)


def test_repr_shows_no_key() -> None:
    assert repr(Keyring.parse(OLD)) == "Keyring(k1)"


# ---- payloads in pieces ----


def stream(ring: Keyring, payload: bytes, step: int = 700_000) -> bytes:
    seal = ring.seal_stream("object/1")
    parts = [seal.add(payload[n : n + step]) for n in range(0, len(payload), step)]
    return b"".join((seal.head, *parts, seal.end()))


def opened(ring: Keyring, sealed: bytes, row: str = "object/1") -> bytes:
    return b"".join(ring.open_stream(BytesIO(sealed), row))


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 7])
def test_a_stream_opens_whatever_its_length(size: int) -> None:
    ring = Keyring.parse(OLD)
    payload = os.urandom(size)
    sealed = stream(ring, payload)
    assert opened(ring, sealed) == payload
    assert stream(ring, payload) != sealed
    assert opened(Keyring.parse(f"{OLD}\n{NEW}"), sealed) == payload
    with pytest.raises(KeyUnknown):
        opened(Keyring.parse(NEW), sealed)


def test_a_stream_that_is_cut_changed_or_put_together_otherwise_does_not_open() -> None:
    ring = Keyring.parse(OLD)
    sealed = stream(ring, os.urandom(2 * PIECE + 100))
    head, piece = len(ring.seal_stream("x").head), PIECE + 16
    first, second, last = (
        sealed[head : head + piece],
        sealed[head + piece : head + 2 * piece],
        sealed[head + 2 * piece :],
    )
    whole = sealed[:head]
    for other in (
        whole,
        whole + first,
        whole + first + second,
        whole + second + first + last,
        whole + first + last,
        sealed[:-1],
        sealed + b"x",
        sealed[: head + 50] + bytes([sealed[head + 50] ^ 1]) + sealed[head + 51 :],
    ):
        with pytest.raises(SealBroken):
            opened(ring, other)
    with pytest.raises(SealBroken):
        opened(ring, sealed, "object/2")


def test_what_is_no_stream_at_all_is_refused() -> None:
    ring = Keyring.parse(OLD)
    for other in (b"", b"\x02", b"\x02k1", b"\x02k1" + bytes(32)):
        with pytest.raises((SealBroken, KeyUnknown)):
            opened(ring, other)


def test_a_search_key_is_the_hmac_of_its_kind_and_value() -> None:
    ring = Keyring({"k1": bytes(range(32))})
    key = HKDF(hashes.SHA256(), 32, salt=None, info=b"lienthong search key 1").derive(bytes(range(32)))
    for value in ("", "BN000001", "Nguyễn Văn Bệnh Nhân" * 100):
        assert ring.search_key("person", value) == hmac.digest(key, f"person\0{value}".encode(), "sha256")[:16]
