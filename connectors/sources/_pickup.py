"""What fetching files has in common, wherever they lie: when a file is whole, in which order, and what its answer is.

Putting the file away is the positive answer: it happens after `receive()` said yes, and never before. Whoever dies in
between finds the file again and hands the same bytes in again; the ledger knows a duplicate. A file's name may tell who it
is about, so it is never said, to intake, to a log or to a fault. Does not know how a place lists, reads and moves.

    seen ── the same on two looks ── receive ──┬─ yes ────────── taken ────┬── put away ── forgotten
     ▲                                ▲        ├─ no, but kept ─ refused ──┘   (or later, and not handed in again)
     └─ changed, from anywhere        └─ later ┴─ not kept, not readable ── waiting
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from fnmatch import fnmatchcase
from itertools import count
from typing import Final, Protocol

from connectors.contract import Answer, Intake
from connectors.faults import PickupAway, PickupFileStuck, PickupFileWaits, TooLarge
from connectors.mllp_framing import KEPT
from mappings.formats.faults import IntakeFault

logger = logging.getLogger(__name__)

LONGEST_WAIT_S: Final = 300.0
"""The longest pause between two tries."""
_UNFINISHED: Final = ("*.part", "*.tmp", ".*", "~*")
_LONGEST_NAME: Final = 255
_LONGEST_SUFFIX: Final = 16
_ANSWER: Final = ".answer"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file as a look shows it; the same while nobody writes to it."""

    name: str
    size: int
    changed: int
    """When it was last written, in the place's own units; only compared."""


@dataclass(frozen=True, slots=True)
class Look:
    files: Sequence[Entry]
    strange: int = 0
    """Entries that the pattern names and that are never taken: links, folders, devices, names that are none."""


class FileGone(Exception):
    """Raised when a file is not there any more: somebody else took it."""


class FileChanged(Exception):
    """Raised when the file under a name is not the one that was looked at."""


class FileTrouble(Exception):
    """Raised when a file cannot be read or put away; holds a reason without its name."""


class Place(Protocol):
    """Where files lie. Every method may raise `PickupAway`; those on one file also the three errors above."""

    label: str
    """How logs and the ledger call it; at most 64 characters."""

    async def look(self) -> Look: ...

    async def read(self, entry: Entry, most: int) -> bytes:
        """Give the file's content, but not more than `most` bytes, whatever its size is said to be."""
        ...

    async def accept(self, entry: Entry) -> None:
        """Put the file away as taken; raise `FileChanged` rather than put away another."""
        ...

    async def refuse(self, entry: Entry, answer: bytes) -> None:
        """Put the file among the refused ones, with the answer beside it."""
        ...

    async def close(self) -> None: ...


class State(Enum):
    SEEN = "seen"
    WAITING = "waiting"
    TAKEN = "taken"
    REFUSED = "refused"
    FORGOTTEN = "forgotten"


class Event(Enum):
    CHANGED = "changed"
    VANISHED = "vanished"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    FAILED = "failed"
    FINISHED = "finished"


TABLE: Final[dict[tuple[State, Event], State]] = {
    (State.SEEN, Event.ACCEPTED): State.TAKEN,
    (State.SEEN, Event.REJECTED): State.REFUSED,
    (State.SEEN, Event.FAILED): State.WAITING,
    (State.WAITING, Event.ACCEPTED): State.TAKEN,
    (State.WAITING, Event.REJECTED): State.REFUSED,
    (State.WAITING, Event.FAILED): State.WAITING,
    (State.TAKEN, Event.FAILED): State.TAKEN,
    (State.TAKEN, Event.FINISHED): State.FORGOTTEN,
    (State.REFUSED, Event.FAILED): State.REFUSED,
    (State.REFUSED, Event.FINISHED): State.FORGOTTEN,
    **{(state, Event.CHANGED): State.SEEN for state in State if state is not State.FORGOTTEN},
    **{(state, Event.VANISHED): State.FORGOTTEN for state in State if state is not State.FORGOTTEN},
}
"""What may happen to a file, and what it is then; anything else is a mistake of ours."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What the settings of every such source say."""

    poll: timedelta
    settle: timedelta
    max_size: int
    grace: timedelta


@dataclass(slots=True)
class _File:
    entry: Entry
    due_at: float
    state: State = State.SEEN
    looks: int = 1
    tries: int = 0
    answer: Answer | None = None


@dataclass
class Pickup:
    """Fetch files from a place, one at a time, the oldest first."""

    place: Place
    habits: Habits
    now: Callable[[], float] = time.monotonic
    away: PickupAway | None = None
    """Why the place does not answer, while it does not."""
    _files: dict[str, _File] = field(default_factory=dict)
    _strange: int = 0
    _refusals: int = 0
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def counts(self) -> dict[str, int]:
        """Count what is known now: `away` is 0 or 1; files that settle, wait for another try, or cannot be put away."""
        states = [file.state for file in self._files.values()]
        stuck = sum(1 for file in self._files.values() if file.answer is not None and file.tries)
        return {
            "away": int(self.away is not None),
            "seen": states.count(State.SEEN),
            "waiting": states.count(State.WAITING),
            "stuck": stuck,
        }

    async def run(self, intake: Intake) -> None:
        """Look again and again until cancelled; then finish the file under way within the grace time and return."""
        worker = asyncio.create_task(self._work(intake))
        try:
            await asyncio.shield(worker)
        except asyncio.CancelledError:
            logger.info("%s: stopping", self.place.label)
            self._stopping.set()
            await asyncio.wait({worker}, timeout=self.habits.grace.total_seconds())
            if not worker.done():
                logger.warning("%s: a file under way was left; it will be fetched again", self.place.label)
        finally:
            worker.cancel()
            await asyncio.wait({worker})
            await self.place.close()

    async def _work(self, intake: Intake) -> None:
        while not self._stopping.is_set():
            await self.round(intake)
            pause = self.habits.poll.total_seconds()
            if self.away is not None:
                pause = self._backoff(self._refusals)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()

    async def round(self, intake: Intake) -> None:
        """Look once, and hand in what is whole and due."""
        try:
            self._learn(await self.place.look())
            if self.away is not None:
                logger.warning("%s: answers again", self.place.label)
            self.away, self._refusals = None, 0
            for file in self._due():
                if self._stopping.is_set() or not await self._one(file, intake):
                    return
        except PickupAway as fault:
            self._lost(fault)
        except Exception as exc:  # noqa: BLE001 — a mistake of ours here must not stop the node
            self._lost(PickupAway(detail=type(exc).__name__))

    def _lost(self, fault: PickupAway) -> None:
        if self.away is None or type(self.away) is not type(fault):
            logger.error("%s: %s", self.place.label, fault)
        self.away = fault
        self._refusals += 1

    def _learn(self, look: Look) -> None:
        if look.strange > self._strange:
            told = "%s: %d entries are no plain files (links, folders, devices) and stay where they are"
            logger.warning(told, self.place.label, look.strange)
        self._strange = look.strange
        settled_at = self.now() + self.habits.settle.total_seconds()
        found = {entry.name: entry for entry in look.files}
        for name in self._files.keys() - found.keys():
            self._step(self._files[name], Event.VANISHED)
        for name, entry in found.items():
            known = self._files.get(name)
            if known is None:
                self._files[name] = _File(entry, settled_at)
            elif known.entry != entry:
                self._step(known, Event.CHANGED)
                self._files[name] = _File(entry, settled_at, known.state)
            else:
                known.looks += 1

    def _due(self) -> list[_File]:
        now = self.now()
        due = [file for file in self._files.values() if file.looks > 1 and file.due_at <= now]
        return sorted(due, key=lambda file: (file.entry.changed, file.entry.name))

    async def _one(self, file: _File, intake: Intake) -> bool:
        """Take one file as far as it goes; say whether the next one may have its turn in this round."""
        try:
            if file.answer is None and not await self._hand_in(file, intake):
                return False
            if file.answer is not None:
                await self._put_away(file, file.answer, intake)
        except FileGone:
            self._step(file, Event.VANISHED)
        except FileChanged:
            self._step(file, Event.CHANGED)
            del self._files[file.entry.name]  # the next look is its first
        except FileTrouble as trouble:
            self._later(file, str(trouble))
        except PickupAway:
            raise
        except Exception as exc:  # noqa: BLE001 — one file's trouble does not stop the others
            self._later(file, type(exc).__name__)
        return True

    async def _hand_in(self, file: _File, intake: Intake) -> bool:
        """Read the file and hand it in; say whether the ledger did its part."""
        entry, limit = file.entry, self.habits.max_size
        raw = await self.place.read(entry, KEPT if entry.size > limit else limit + 1)
        fault: IntakeFault | None = None
        if entry.size > limit or len(raw) > limit:
            raw, fault = raw[:KEPT], TooLarge()
        elif len(raw) != entry.size:
            raise FileTrouble("its content is not as long as the listing says")
        try:
            answer = await intake.receive(raw, self.place.label, fault)
        except Exception as exc:  # noqa: BLE001 — whatever breaks behind us, the file stays and the others go on
            self._later(file, f"intake broke with {type(exc).__name__}")
            return False
        if not answer.positive and answer.message_id is None:
            self._later(file, "the ledger did not take it")
            return False
        self._step(file, Event.ACCEPTED if answer.positive else Event.REJECTED)
        file.answer, file.tries = answer, 0
        return True

    async def _put_away(self, file: _File, answer: Answer, intake: Intake) -> None:
        if file.state is State.TAKEN:
            await self.place.accept(file.entry)
        else:
            await self.place.refuse(file.entry, answer.whole)
        intake.answered(answer)
        self._step(file, Event.FINISHED)

    def _later(self, file: _File, reason: str) -> None:
        self._step(file, Event.FAILED)
        fault = (PickupFileWaits if file.answer is None else PickupFileStuck)(detail=reason)
        file.tries += 1
        file.due_at = self.now() + self._backoff(file.tries)
        logger.error("%s: %s; try %d, again in %.0f s", self.place.label, fault, file.tries, self._backoff(file.tries))

    def _step(self, file: _File, event: Event) -> None:
        file.state = TABLE[file.state, event]
        if file.state is State.FORGOTTEN:
            del self._files[file.entry.name]

    def _backoff(self, tries: int) -> float:
        first = self.habits.poll.total_seconds()
        return max(first, min(LONGEST_WAIT_S, first * 2.0 ** min(tries - 1, 30)))


def wanted(name: str, pattern: str) -> bool:
    """Say whether a file of this name is to be taken, in large or small letters; names of unfinished files are not."""
    small = name.lower()
    return fnmatchcase(small, pattern.lower()) and not any(fnmatchcase(small, mask) for mask in _UNFINISHED)


def free_names(name: str) -> Iterator[str]:
    """Give names for a file to be put away under: its own, then with a number; room for `.answer` is left in each."""
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix) > _LONGEST_SUFFIX:
        stem, dot, suffix = name, "", ""
    for number in count(1):
        tail = (f".{number}" if number > 1 else "") + dot + suffix
        yield _cut(stem, _LONGEST_NAME - len(_bytes(_ANSWER + tail))) + tail


def answer_name(name: str) -> str:
    """Name the file that lies beside a refused one."""
    return name + _ANSWER


def check_habits(pattern: str, habits: Habits, folders: Sequence[str]) -> None:
    """Raise `ValueError`, worded as one line of `lienthong check`, for settings that cannot work."""
    if not pattern or "/" in pattern:
        raise ValueError('pattern: names files of the folder itself — write a pattern like "*.xml"')
    if habits.poll <= timedelta(0):
        raise ValueError('poll: it would look without a pause — write a duration like "5s"')
    if habits.settle < timedelta(0):
        raise ValueError('settle: a time cannot be negative — write a duration like "5s"')
    if habits.max_size < 1:
        raise ValueError('max_size: no file would fit — write a size like "20MB"')
    if habits.grace < timedelta(0):
        raise ValueError('grace: a time cannot be negative — write "0s" or more')
    for setting, name in zip(("done", "refused"), folders, strict=True):
        if not name or "/" in name or "\\" in name or name in (".", "..") or not name.isprintable():
            raise ValueError(f'{setting}: a plain name of a sub-folder is needed — write one like "{setting}"')
    if len(set(folders)) != len(folders):
        raise ValueError('refused: is where taken files go — write another name, like "refused"')


def _cut(text: str, most: int) -> str:
    """Cut a text to so many bytes, not within a letter."""
    while len(_bytes(text)) > most:
        text = text[:-1]
    return text


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
