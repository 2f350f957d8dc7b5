"""Spoilt messages on the whole way to FHIR: nothing but faults, sound resources, no hang, bounded memory.

What failed is named `SEED:NUMBER`; `pytest tests/fuzz/hl7v2 --fuzz-seed SEED:NUMBER` tries that one message again, `--fuzz-seed
SEED` a whole run. The nightly run takes ten minutes and a seed of its own.
"""

from __future__ import annotations

import ctypes
import gc
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from types import FrameType

import pytest

from mappings.fhir import problems
from mappings.formats import er7
from mappings.formats.er7_header import read_header
from mappings.formats.er7_writer import Revision
from mappings.formats.faults import Fault
from mappings.hl7v2 import Context, map_message
from mappings.outcome import Outcome
from tests.conftest import CORPORA
from tests.fuzz.hl7v2.mutations import mutated

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
CPU_S = 5.0
"""What one message may take; the longest here are 400 KB."""
PEAK = 64 * 1024 * 1024
"""Memory that one message may need, and that a whole run may leave behind; in bytes."""
GROWTH = 12 * 1024 * 1024
"""Memory that the second half of a run may leave behind. What is kept on purpose is full by then; the rest is what the
allocator cannot give back yet, 3 MB in seven minutes."""
CONTEXT = Context("01032")


class TooLong(BaseException):
    """A message took more CPU time than it may."""


@contextmanager
def watchdog(seconds: float) -> Iterator[None]:
    """Interrupt what takes more CPU time."""

    def bark(_: int, __: FrameType | None) -> None:
        raise TooLong(f"more than {seconds} s")

    before = signal.signal(signal.SIGVTALRM, bark)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def whole_way(raw: bytes) -> bool:
    """Read, map and check one message; tell whether it came through."""
    read_header(raw)
    try:
        message = er7.Message.parse(raw)
    except Fault:
        return False
    assert Revision(message).write() == raw, "written otherwise than read"
    try:
        outcome = map_message(message, CONTEXT)
    except Fault:
        return False
    told = outcome.coverage.total
    assert told == sum(len(list(segment.populated())) for segment in message.segments), "the account does not add up"
    ids = {(resource["resourceType"], resource["id"]) for resource in outcome.resources}
    assert len(ids) == len(outcome.resources), "two resources of one id"
    for resource in outcome.resources:
        found = problems(resource)
        assert not found, f"{resource['resourceType']}: {found[0]}"
    return True


@dataclass
class Run:
    """What a run found: each different failure once, under the name that repeats it."""

    seed: int
    tried: int = 0
    through: int = 0
    left_behind: int = 0
    """Bytes more in use after the run than before it."""
    failures: dict[str, str] = field(default_factory=dict)

    def attempt(self, number: int, sources: list[bytes], way: Callable[[bytes], bool]) -> None:
        rng = Random(f"{self.seed}:{number}")
        raw = mutated(rng, rng.choice(sources))
        self.tried += 1
        before = _reset_peak()
        try:
            with watchdog(CPU_S):
                self.through += way(raw)
            assert _status("VmHWM") - before < PEAK, "too much memory for one message"
        except (Exception, TooLong) as error:  # noqa: BLE001
            last = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno} {error}"
            self.failures.setdefault(what[:160], f"{self.seed}:{number}")


def run(
    seed: int, seconds: float, sources: list[bytes], way: Callable[[bytes], bool] = whole_way, first: int = 200
) -> Run:
    """Try for some seconds, after as many as `first` that fill what is remembered on first use."""
    found = Run(seed)
    for number in range(first):
        found.attempt(number, sources, way)
    number, at_first = first, _in_use()
    kept = [at_first]
    for half in (seconds / 2, seconds / 2):
        started = time.monotonic()
        while time.monotonic() - started < half and len(found.failures) < 20:
            found.attempt(number, sources, way)
            number += 1
        kept.append(_in_use())
    found.left_behind = kept[-1] - at_first
    if found.left_behind > PEAK:
        found.failures["too much memory is left behind"] = str(seed)
    if kept[-1] - kept[-2] > GROWTH:
        found.failures["memory keeps growing"] = str(seed)
    return found


def _in_use() -> int:
    """Give the memory of this process once what is free has been given back to the system."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return _status("VmRSS")


def _reset_peak() -> int:
    """Let the highest use of memory be the present one, and give it.

    `tracemalloc` would know more exactly, but every start of it costs the process 13 KB that never come back (CPython 3.11).
    """
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmHWM")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


@pytest.fixture(scope="module")
def sources() -> list[bytes]:
    """Our own golden inputs, and as often the messages of others."""
    golden = [path.read_bytes() for path in sorted(GOLDEN.glob("*/*/input.hl7"))]
    others = [path.read_bytes() for path in sorted((CORPORA / "hl7v2").glob("*/*.hl7"))] if CORPORA.is_dir() else []
    return golden * max(1, len(others) // len(golden)) + others


def report(found: Run) -> None:
    counts = f"{found.tried} messages, {found.through} came through, {found.left_behind >> 20} MB left behind"
    print(f"fuzz seed {found.seed}: {counts}")  # noqa: T201
    lines = [f"--fuzz-seed {name}  {what}" for what, name in found.failures.items()]
    assert not lines, "\n".join(lines)
    assert found.through * 5 > found.tried, "too many refused to say anything about mapping"


def _seed(request: pytest.FixtureRequest, otherwise: int) -> str:
    return str(request.config.getoption("--fuzz-seed") or otherwise)


def test_ten_seconds(request: pytest.FixtureRequest, sources: list[bytes]) -> None:
    seed, _, number = _seed(request, 1).partition(":")
    if number:
        rng = Random(f"{seed}:{number}")
        whole_way(mutated(rng, rng.choice(sources)))
        return
    report(run(int(seed), 10, sources))


@pytest.mark.nightly
def test_ten_minutes(request: pytest.FixtureRequest, sources: list[bytes]) -> None:
    report(run(int(_seed(request, int(time.time())).partition(":")[0]), 600, sources))


# ---- planted errors ----


def _planted(way: Callable[[bytes], bool]) -> str:
    source = b"MSH|^~\\&|A|B|C|D|2026||ADT^A08|1|P|2.5\rPID|1||7\r"
    return " ".join(run(7, 0, [source], way, first=40).failures)


def test_an_exception_is_found_with_its_seed() -> None:
    def careless(raw: bytes) -> bool:
        return int(raw.split(b"|")[1:2][0] == b"^~\\&") / (b"NaN" not in raw) > 0

    found = run(7, 0, [b"MSH|^~\\&|A\rPID|1||7"], careless)
    what, name = next((what, name) for what, name in found.failures.items() if "ZeroDivisionError" in what)
    rng = Random(name)
    assert b"NaN" in mutated(rng, rng.choice([b"MSH|^~\\&|A\rPID|1||7"])), what


def test_a_hang_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "CPU_S", 0.05)

    def hanging(raw: bytes) -> bool:
        while len(raw) < 20:
            pass
        return True

    assert "TooLong" in _planted(hanging)


def test_hunger_for_memory_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "PEAK", 1024 * 1024)
    kept: list[bytes] = []

    def keeping(_: bytes) -> bool:
        kept.append(b"x" * 100_000)
        return True

    assert "too much memory for one message" in _planted(lambda raw: bool(b"x" * 20_000_000))
    monkeypatch.setitem(globals(), "PEAK", 8 * 1024 * 1024)
    found = run(7, 0.5, [b"MSH|^~\\&|A\rPID|1||7"], keeping, first=20)
    assert "too much memory is left behind" in found.failures


def test_memory_that_keeps_growing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "GROWTH", 256 * 1024)
    kept: list[bytes] = []

    def keeping(_: bytes) -> bool:
        kept.append(bytes(2_000))
        return True

    source = [b"MSH|^~\\&|A\rPID|1||7"]
    assert "memory keeps growing" in run(7, 0.5, source, keeping, first=20).failures
    assert not run(7, 0.5, source, lambda _: True, first=20).failures


def test_an_unsound_resource_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "problems", lambda resource: ["planted"])
    assert "planted" in _planted(whole_way)


def test_a_field_without_account_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = map_message

    def forgetful(message: er7.Message, context: Context) -> Outcome:
        outcome = genuine(message, context)
        return replace(outcome, coverage=replace(outcome.coverage, mapped={}))

    monkeypatch.setitem(globals(), "map_message", forgetful)
    assert "account" in _planted(whole_way)
