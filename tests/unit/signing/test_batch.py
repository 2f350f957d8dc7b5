"""A batch: every document has its own state, whatever interrupts it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from mappings.formats.faults import SigningFault
from signing.batch import Result, State, sign_batch, unsigned
from signing.contract import ToSign
from signing.faults import KeyUnavailable, KeyUnsuitable, NotWanted
from signing.testing import MemoryKey

BATCH = {name: ToSign(name.encode() * 32) for name in "abcde"}


@dataclass
class Scripted:
    """A key that gives what it is told to; a raised fault is the end."""

    script: list[bytes | SigningFault | type[SigningFault]]
    closed: bool = False
    chain = ()
    algorithms = ("RS256",)

    def sign(self, data: bytes, algorithm: str = "") -> bytes:
        raise AssertionError("a batch signs hashes")

    def sign_hashes(self, documents: Sequence[ToSign], algorithm: str = "") -> Iterator[bytes | SigningFault]:
        try:
            for entry in self.script:
                if isinstance(entry, type):
                    raise entry("token")
                yield entry
        finally:
            self.closed = True


def states(results: list[Result]) -> str:
    return "".join({State.SIGNED: "s", State.FAILED: "f", State.NOT_REACHED: "-"}[result.state] for result in results)


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ([b"1", b"2", b"3", b"4", b"5"], "sssss"),
        ([b"1", NotWanted("batch"), b"3", b"4", b"5"], "sfsss"),
        ([b"1", b"2", KeyUnavailable], "ssf--"),
        ([KeyUnavailable], "f----"),
        ([b"1", b"2", b"3", b"4", b"5", KeyUnavailable], "sssss"),
        ([b"1"], "s----"),
    ],
)
def test_every_document_has_one_state(script: list[bytes | SigningFault | type[SigningFault]], wanted: str) -> None:
    key = Scripted(script)
    results = list(sign_batch(BATCH, key))
    assert [result.name for result in results] == list(BATCH)
    assert states(results) == wanted
    assert key.closed
    assert all((result.fault is not None) == (result.state is State.FAILED) for result in results)
    rest = unsigned(BATCH, results)
    assert list(rest) == [name for name, state in zip(BATCH, wanted, strict=True) if state != "s"]


def test_a_stop_is_heard_before_the_next_document() -> None:
    key = Scripted([b"1", b"2", b"3", b"4", b"5"])
    seen: list[Result] = []
    for result in sign_batch(BATCH, key, stopped=lambda: len(seen) == 2):
        seen.append(result)
    assert states(seen) == "ss---"
    assert key.closed


def test_closing_the_iterator_stops_the_key() -> None:
    key = Scripted([b"1", b"2"])
    results = sign_batch(BATCH, key)
    next(results)
    results.close()  # type: ignore[attr-defined]  # it is a generator
    assert key.closed


def test_what_the_key_cannot_do_fails_the_first_and_reaches_no_other(key: MemoryKey) -> None:
    results = list(sign_batch(BATCH, key, "ES256"))
    assert states(results) == "f----"
    assert isinstance(results[0].fault, KeyUnsuitable)
    assert list(sign_batch({}, key, "ES256")) == []


def test_nothing_of_a_paper_shows_itself() -> None:
    shown = repr(ToSign(b"", "Giấy của Nguyễn Văn A", lambda: "<p>HIV</p>")) + repr(
        Result("a", State.SIGNED, b"signature")
    )
    assert not [text for text in ("Nguyễn", "HIV", "signature=") if text in shown]
