"""Encryption at rest."""

from __future__ import annotations

import pytest

from gateway.faults import KeyUnknown, SealBroken
from gateway.store.sealed import Keyring, new_key_line

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
