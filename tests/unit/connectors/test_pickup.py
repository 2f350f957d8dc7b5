"""What becomes of files that are fetched, with a place and a clock in the test's hand."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import Answer
from connectors.faults import PickupAway, TooLarge
from connectors.mllp_framing import KEPT
from connectors.sources._pickup import (
    TABLE,
    Entry,
    Event,
    FileChanged,
    FileGone,
    FileTrouble,
    Habits,
    Look,
    Pickup,
    State,
    free_names,
    wanted,
)
from mappings.formats.faults import IntakeFault

HABITS = Habits(timedelta(seconds=5), timedelta(seconds=5), 100, timedelta(seconds=10))


@dataclass
class Shelf:
    """A place in memory that fails as told."""

    label: str = "shelf"
    files: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    said: dict[str, int] = field(default_factory=dict)
    """Sizes that the listing says instead of the true ones."""
    accepted: list[str] = field(default_factory=list)
    refused: list[tuple[str, bytes]] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    down: bool = False
    strange: int = 0
    on_read: dict[str, Exception] = field(default_factory=dict)
    on_move: dict[str, BaseException] = field(default_factory=dict)
    closed: bool = False

    def put(self, name: str, content: bytes, changed: int = 1) -> None:
        self.files[name] = (content, changed)

    async def look(self) -> Look:
        if self.down:
            raise PickupAway(detail="down")
        entries = [Entry(n, self.said.get(n, len(c)), changed) for n, (c, changed) in self.files.items()]
        return Look(entries, self.strange)

    async def read(self, entry: Entry, most: int) -> bytes:
        self.reads.append(entry.name)
        if entry.name in self.on_read:
            raise self.on_read[entry.name]
        return self.files[entry.name][0][:most]

    async def accept(self, entry: Entry) -> None:
        self._leave(entry)
        self.accepted.append(entry.name)

    async def refuse(self, entry: Entry, answer: bytes) -> None:
        self._leave(entry)
        self.refused.append((entry.name, answer))

    def _leave(self, entry: Entry) -> None:
        if entry.name in self.on_move:
            raise self.on_move[entry.name]
        del self.files[entry.name]

    async def close(self) -> None:
        self.closed = True


@dataclass
class Desk:
    """An intake that says yes to everything, no to `bad`, and keeps nothing of `unlucky`."""

    taken: list[bytes] = field(default_factory=list)
    faults: list[IntakeFault | None] = field(default_factory=list)
    told: list[Answer] = field(default_factory=list)
    unlucky: set[bytes] = field(default_factory=set)
    broken: bool = False
    refusing: bool = False
    kept: list[bytes] = field(default_factory=list)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event | None = None

    async def receive(self, raw: bytes, peer: str, fault: IntakeFault | None = None) -> Answer:
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.broken:
            raise RuntimeError(raw.decode())
        self.taken.append(raw)
        self.faults.append(fault)
        if raw in self.unlucky or self.refusing:
            return Answer((b"AR",), False, None)
        self.kept.append(raw)
        positive = fault is None and not raw.startswith(b"bad")
        return Answer((b"first", b"second"), positive, str(len(self.taken)))

    def answered(self, answer: Answer) -> None:
        self.told.append(answer)


@dataclass
class House:
    shelf: Shelf = field(default_factory=Shelf)
    desk: Desk = field(default_factory=Desk)
    at: float = 0.0
    habits: Habits = HABITS

    def __post_init__(self) -> None:
        self.pickup = Pickup(self.shelf, self.habits, now=lambda: self.at)

    async def rounds(self, count: int, every: float = 5.0) -> None:
        for _ in range(count):
            await self.pickup.round(self.desk)
            self.at += every


def scene(play: Callable[[House], Coroutine[Any, Any, None]], **given: Any) -> House:
    house = House(**given)
    asyncio.run(play(house))
    return house


OPEN = {"changed": "seen", "vanished": "forgotten", "accepted": "taken", "rejected": "refused", "failed": "waiting"}
LEGAL = {
    State.SEEN: OPEN,
    State.WAITING: OPEN,
    State.TAKEN: {"changed": "seen", "vanished": "forgotten", "finished": "forgotten", "failed": "taken"},
    State.REFUSED: {"changed": "seen", "vanished": "forgotten", "finished": "forgotten", "failed": "refused"},
    State.FORGOTTEN: {},
}


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("event", list(Event))
def test_every_cell_of_the_table(state: State, event: Event) -> None:
    expected = LEGAL[state].get(event.value)
    found = TABLE.get((state, event))
    assert (found.value if found else None) == expected


def test_a_file_is_taken_at_the_second_equal_look() -> None:
    async def play(house: House) -> None:
        house.shelf.put("a.xml", b"one")
        await house.rounds(1)
        assert house.desk.taken == []
        assert house.pickup.counts()["seen"] == 1
        await house.rounds(1)
        assert house.desk.taken == [b"one"]
        assert house.shelf.accepted == ["a.xml"]
        assert [answer.message_id for answer in house.desk.told] == ["1"]
        await house.rounds(3)
        assert house.desk.taken == [b"one"]

    scene(play)


def test_looks_in_quick_succession_do_not_count_as_settled() -> None:
    async def play(house: House) -> None:
        house.shelf.put("a.xml", b"one")
        await house.rounds(5, every=0.9)
        assert house.desk.taken == []
        await house.rounds(2, every=0.9)
        assert house.desk.taken == [b"one"]

    scene(play)


def test_without_a_settling_time_there_are_two_looks_all_the_same() -> None:
    async def play(house: House) -> None:
        house.shelf.put("a.xml", b"one")
        await house.rounds(1, every=0)
        assert house.desk.taken == []
        await house.rounds(1, every=0)
        assert house.desk.taken == [b"one"]

    scene(play, habits=replace(HABITS, settle=timedelta(0)))


def test_a_file_that_grows_or_is_touched_is_not_taken() -> None:
    async def play(house: House) -> None:
        for changed, content in ((1, b"o"), (1, b"on"), (1, b"one"), (2, b"one"), (3, b"one")):
            house.shelf.put("a.xml", content, changed)
            await house.rounds(1)
        assert house.desk.taken == []
        await house.rounds(1)
        assert house.desk.taken == [b"one"]

    scene(play)


def test_the_oldest_comes_first_then_the_name() -> None:
    async def play(house: House) -> None:
        for name, changed in (("c.xml", 1), ("b.xml", 2), ("a.xml", 3), ("a2.xml", 1)):
            house.shelf.put(name, name.encode(), changed)
        await house.rounds(2)
        assert house.desk.taken == [b"a2.xml", b"c.xml", b"b.xml", b"a.xml"]

    scene(play)


def test_a_refused_file_lies_with_its_answer() -> None:
    async def play(house: House) -> None:
        house.shelf.put("a.xml", b"bad")
        await house.rounds(3)
        assert house.shelf.refused == [("a.xml", b"first\nsecond")]
        assert house.desk.taken == [b"bad"]
        assert len(house.desk.told) == 1

    scene(play)


@pytest.mark.parametrize("said", [None, 3, 5_000_000])
def test_a_file_over_the_limit_is_cut_and_refused(said: int | None) -> None:
    """Whatever size the listing says."""
    content = b"x" * (KEPT + 500)

    async def play(house: House) -> None:
        house.shelf.put("a.xml", content)
        if said is not None:
            house.shelf.said["a.xml"] = said
        await house.rounds(2)
        (raw,), (fault,) = house.desk.taken, house.desk.faults
        assert isinstance(fault, TooLarge)
        assert content.startswith(raw)
        assert 100 < len(raw) <= KEPT
        assert [name for name, _ in house.shelf.refused] == ["a.xml"]

    scene(play)


def test_a_size_that_lies_is_told_and_the_file_not_taken(caplog: pytest.LogCaptureFixture) -> None:
    async def play(house: House) -> None:
        house.shelf.put("a.xml", b"half")
        house.shelf.said["a.xml"] = 50
        await house.rounds(3)
        assert house.desk.taken == []
        assert house.pickup.counts()["waiting"] == 1

    scene(play)
    assert "LT2108" in caplog.text


def test_what_the_ledger_did_not_take_stays_and_comes_again_later(caplog: pytest.LogCaptureFixture) -> None:
    async def play(house: House) -> None:
        house.desk.unlucky = {b"one"}
        house.shelf.put("a.xml", b"one")
        house.shelf.put("b.xml", b"two", 2)
        await house.rounds(2)
        assert house.desk.taken == [b"one"], "the ledger is not asked again in the same round"
        assert house.pickup.counts()["waiting"] == 1
        await house.rounds(1)
        assert house.desk.taken == [b"one", b"one"]
        await house.rounds(1)
        assert house.shelf.accepted == ["b.xml"], "the others go on"
        before = house.desk.taken.count(b"one")
        await house.rounds(20)
        assert house.desk.taken.count(b"one") - before <= 4, "the pauses grow"
        house.desk.unlucky = set()
        await house.rounds(61)
        assert house.shelf.accepted == ["b.xml", "a.xml"]
        assert house.shelf.refused == []

    scene(play)
    assert "a.xml" not in caplog.text


def test_a_broken_intake_shows_nothing_and_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def play(house: House) -> None:
        house.desk.broken = True
        house.shelf.put("NGUYEN VAN AN.xml", b"NGUYEN VAN AN")
        await house.rounds(2)
        house.desk.broken = False
        await house.rounds(2)
        assert house.shelf.accepted == ["NGUYEN VAN AN.xml"]

    scene(play)
    assert "RuntimeError" in caplog.text
    assert "NGUYEN" not in caplog.text


@pytest.mark.parametrize("trouble", [FileTrouble("Permission denied"), ValueError("NGUYEN VAN AN")])
def test_an_unreadable_file_does_not_stop_the_others(trouble: Exception, caplog: pytest.LogCaptureFixture) -> None:
    async def play(house: House) -> None:
        house.shelf.put("NGUYEN VAN AN.xml", b"one")
        house.shelf.put("b.xml", b"two", 2)
        house.shelf.on_read["NGUYEN VAN AN.xml"] = trouble
        await house.rounds(2)
        assert house.shelf.accepted == ["b.xml"]
        await house.rounds(30)
        assert house.shelf.reads.count("NGUYEN VAN AN.xml") < 8
        house.shelf.on_read.clear()
        await house.rounds(61)
        assert house.shelf.accepted == ["b.xml", "NGUYEN VAN AN.xml"]

    scene(play)
    assert "LT2108" in caplog.text
    assert "NGUYEN" not in caplog.text


@pytest.mark.parametrize("content", [b"one", b"bad one"])
def test_a_file_that_cannot_be_put_away_is_not_handed_in_again(
    content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def play(house: House) -> None:
        house.shelf.put("a.xml", content)
        house.shelf.put("b.xml", b"two", 2)
        house.shelf.on_move["a.xml"] = FileTrouble("No space left on device")
        await house.rounds(30)
        assert house.desk.taken == [content, b"two"]
        assert house.shelf.accepted == ["b.xml"]
        assert house.pickup.counts()["stuck"] == 1
        assert len(house.desk.told) == 1
        house.shelf.on_move.clear()
        await house.rounds(61)
        assert house.desk.taken == [content, b"two"]
        assert house.shelf.files == {}
        assert house.pickup.counts() == {"away": 0, "seen": 0, "waiting": 0, "stuck": 0}
        assert len(house.desk.told) == 2

    scene(play)
    assert "LT2109" in caplog.text


def test_a_new_file_under_the_name_of_a_stuck_one_is_a_message_of_its_own() -> None:
    async def play(house: House) -> None:
        house.shelf.put("a.xml", b"one")
        house.shelf.on_move["a.xml"] = FileTrouble("No space left on device")
        await house.rounds(2)
        house.shelf.put("a.xml", b"another", 2)
        house.shelf.on_move.clear()
        await house.rounds(2)
        assert house.desk.taken == [b"one", b"another"]
        assert house.shelf.accepted == ["a.xml"]

    scene(play)


def test_a_file_overwritten_while_it_was_taken_is_taken_again() -> None:
    async def play(house: House) -> None:
        house.shelf.put("a.xml", b"one")
        house.shelf.on_move["a.xml"] = FileChanged()
        await house.rounds(2)
        house.shelf.put("a.xml", b"another", 2)
        house.shelf.on_move.clear()
        await house.rounds(2)
        assert house.desk.taken == [b"one", b"another"]
        assert len(house.desk.told) == 1

    scene(play)


def test_a_file_that_somebody_else_takes_is_forgotten() -> None:
    async def play(house: House) -> None:
        house.shelf.put("a.xml", b"one")
        house.shelf.put("b.xml", b"two", 2)
        house.shelf.put("c.xml", b"three", 3)
        house.shelf.on_read["a.xml"] = FileGone()
        house.shelf.on_move["b.xml"] = FileGone()
        await house.rounds(2)
        assert house.shelf.accepted == ["c.xml"]
        assert house.pickup.counts() == {"away": 0, "seen": 0, "waiting": 0, "stuck": 0}

    scene(play)


def test_a_place_that_is_away_is_told_once_and_asked_ever_more_seldom(caplog: pytest.LogCaptureFixture) -> None:
    async def play(house: House) -> None:
        house.shelf.down = True
        await house.rounds(3)
        assert house.pickup.counts()["away"] == 1
        house.shelf.down = False
        house.shelf.put("a.xml", b"one")
        await house.rounds(2)
        assert house.pickup.counts()["away"] == 0
        assert house.shelf.accepted == ["a.xml"]

    scene(play)
    assert caplog.text.count("LT2107") == 1
    assert caplog.text.count("answers again") == 1


def test_a_place_that_leaves_before_the_move_is_asked_for_the_move_only() -> None:
    async def play(house: House) -> None:
        house.shelf.put("a.xml", b"one")
        house.shelf.on_move["a.xml"] = PickupAway(detail="reset")
        await house.rounds(2)
        assert house.pickup.counts()["away"] == 1
        house.shelf.on_move.clear()
        await house.rounds(1)
        assert house.desk.taken == [b"one"]
        assert house.shelf.accepted == ["a.xml"]

    scene(play)


def test_dying_between_taking_and_moving_hands_the_same_bytes_in_again() -> None:
    class Killed(BaseException):
        pass

    async def play(house: House) -> None:
        house.shelf.put("a.xml", b"one")
        await house.rounds(1)
        house.shelf.on_move["a.xml"] = Killed()
        with pytest.raises(Killed):
            await house.rounds(1)
        house.shelf.on_move.clear()
        again = House(house.shelf, house.desk)
        await again.rounds(3)
        assert house.desk.taken == [b"one", b"one"]
        assert house.shelf.accepted == ["a.xml"]

    scene(play)


def test_entries_that_are_no_files_are_counted_once(caplog: pytest.LogCaptureFixture) -> None:
    async def play(house: House) -> None:
        house.shelf.strange = 2
        await house.rounds(3)

    scene(play)
    assert caplog.text.count("2 entries are no plain files") == 1


def test_stopping_finishes_the_file_under_way_and_begins_no_other() -> None:
    async def play(house: House) -> None:
        house.desk.gate = asyncio.Event()
        house.shelf.put("a.xml", b"one")
        house.shelf.put("b.xml", b"two", 2)
        await house.rounds(1)
        running = asyncio.create_task(house.pickup.run(house.desk))
        await house.desk.entered.wait()
        running.cancel()
        await asyncio.wait({running}, timeout=0.05)
        assert not running.done()
        house.desk.gate.set()
        await running
        assert house.desk.taken == [b"one"]
        assert house.shelf.accepted == ["a.xml"]
        assert house.shelf.closed

    scene(play)


def test_stopping_does_not_wait_longer_than_the_grace_time() -> None:
    async def play(house: House) -> None:
        house.desk.gate = asyncio.Event()
        house.shelf.put("a.xml", b"one")
        await house.rounds(1)
        running = asyncio.create_task(house.pickup.run(house.desk))
        await house.desk.entered.wait()
        running.cancel()
        await running
        assert list(house.shelf.files) == ["a.xml"]

    scene(play, habits=replace(HABITS, grace=timedelta(milliseconds=20)))


STEP = st.tuples(
    st.sampled_from(("put", "put", "grow", "remove", "no read", "no move", "no ledger", "down", "heal", "heal", "die")),
    st.sampled_from(("a.xml", "b.xml")),
    st.integers(0, 3),
)
"""What happens, to which file, and how many looks come after it."""


@settings(max_examples=300)
@given(st.lists(STEP, min_size=5, max_size=30))
def test_whatever_happens_every_file_is_taken_whole_and_once(story: list[tuple[str, str, int]]) -> None:
    async def play(house: House) -> None:
        shelf, desk, deaths = house.shelf, house.desk, 0
        whole: Counter[bytes] = Counter()
        for number, (act, name, looks) in enumerate(story):
            if act == "put":
                shelf.put(name, b"%d." % number, number)
            elif act == "grow" and name in shelf.files:
                shelf.put(name, shelf.files[name][0] + b"%d." % number, number)
            elif act == "remove":
                shelf.files.pop(name, None)
            elif act == "no read":
                shelf.on_read[name] = FileTrouble("told")
            elif act == "no move":
                shelf.on_move[name] = FileTrouble("told")
            elif act == "no ledger":
                desk.refusing = True
            elif act == "down":
                shelf.down = True
            elif act == "heal":
                heal(house)
            elif act == "die":
                house = House(shelf, desk, house.at)
                deaths += 1
            for _ in range(looks):
                whole.update(content for content, _ in shelf.files.values())
                await house.rounds(1, every=400)
        heal(house)
        left = [content for content, _ in shelf.files.values()]
        await house.rounds(4, every=400)
        assert shelf.files == {}
        assert house.pickup.counts() == {"away": 0, "seen": 0, "waiting": 0, "stuck": 0}
        kept = desk.kept
        assert set(left) <= set(kept), "nothing is lost"
        assert all(kept.count(content) <= 1 + deaths for content in kept), "nothing is doubled without a death"
        assert all(content in left or whole[content] >= 2 for content in kept), "nothing is taken at its first look"

    scene(play)


def heal(house: House) -> None:
    house.shelf.on_read.clear()
    house.shelf.on_move.clear()
    house.shelf.down = house.desk.refusing = False


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("a.xml", "*.xml", True),
        ("A.XML", "*.xml", True),
        ("a.xml", "*.XML", True),
        ("a.hl7", "*.xml", False),
        ("a.xml.part", "*", False),
        ("a.TMP", "*", False),
        (".a.xml", "*.xml", False),
        ("~a.xml", "*.xml", False),
        ("hồ sơ.xml", "*.xml", True),
        ("a\nb.xml", "*.xml", True),
    ],
)
def test_which_names_are_wanted(name: str, pattern: str, expected: bool) -> None:
    assert wanted(name, pattern) is expected


@pytest.mark.parametrize(
    ("name", "second"),
    [
        ("a.xml", "a.2.xml"),
        ("a", "a.2"),
        ("a.b.xml", "a.b.2.xml"),
        ("ễ" * 83 + ".xml", "ễ" * 80 + ".2.xml"),
        ("x" * 240 + ".\udcff", "x" * 240 + ".2.\udcff"),
    ],
)
def test_a_second_file_of_a_name_gets_a_number(name: str, second: str) -> None:
    names = free_names(name)
    assert name.startswith(next(names)[:80])
    assert next(names) == second


@pytest.mark.parametrize("name", ["ễ" * 85, "a." + "b" * 253, "." + "x" * 254, "x" * 251 + ".xml"])
def test_names_put_away_have_room_for_an_answer_beside(name: str) -> None:
    names = free_names(name)
    for _ in range(12):
        assert len((next(names) + ".answer").encode()) <= 255
