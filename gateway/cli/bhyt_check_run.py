"""Check many insurance files on all cores: what is big is split by visits, results come in the order of the files.

Memory holds a few parts at a time, whatever the files hold together. Which records came earlier in the run is remembered here,
as digests, since no process sees all of them. Says nothing to people.
"""

from __future__ import annotations

import multiprocessing
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gateway.faults import InternalFault
from gateway.safe_log import describe
from mappings.bhyt.lists import Lists
from mappings.bhyt.rules import Checker, Earlier, Finding, Settings, key_of
from mappings.bhyt.rules.duplicates import Key
from mappings.bhyt.visits import Visit, read_visits
from mappings.formats.faults import Fault

PART = 2 << 20
"""Bytes of a part, more or less: a few hundred visits."""
AHEAD = 3
"""Parts for each process that are under way or wait for their turn to be told."""
_OPENED, _CLOSED, _END = b"<HOSO>", b"</HOSO>", b"</GIAMDINHHS>"
_HEADER, _BLOCK = 4096, 1 << 20
_TAIL = b"</DANHSACHHOSO></THONGTINHOSO></GIAMDINHHS>"
_COUNTED = re.compile(rb"<SOLUONGHOSO>\s*(\d*)\s*</SOLUONGHOSO>")


@dataclass(frozen=True)
class Options:
    """With what is checked."""

    now: datetime
    lists: Lists
    settings: Settings
    decision: str = ""


class Checked(NamedTuple):
    """One record, or a file that could not be read."""

    file: str
    record: str
    findings: tuple[Finding, ...] = ()
    key: Key | None = None
    fault: tuple[int, str, str] | None = None
    """Code, where and detail."""


class Part(NamedTuple):
    """Some whole files, or the visits between two places of one."""

    files: tuple[Path, ...]
    size: int
    start: int = 0
    end: int = 0
    before: int = 0
    """Visits of the file before this part."""
    header: bytes = b""


def parts_of(files: Iterable[Path], size: int = PART) -> Iterator[Part]:
    """Yield the work in the order of the files: small files together, a big one by its visits."""
    waiting: list[Path] = []
    weight = 0
    for file in files:
        bytes_ = file.stat().st_size
        if bytes_ > 2 * size:
            if waiting:
                yield Part(tuple(waiting), weight)
            waiting, weight = [], 0
            yield from _split(file, bytes_, size)
            continue
        waiting.append(file)
        weight += bytes_
        if weight >= size:
            yield Part(tuple(waiting), weight)
            waiting, weight = [], 0
    if waiting:
        yield Part(tuple(waiting), weight)


def _split(file: Path, bytes_: int, size: int) -> Iterator[Part]:
    """Cut an envelope between its visits; one that is not plainly written stays whole."""
    with file.open("rb") as source:
        begins = source.read(_HEADER)
        first = begins.find(_OPENED)
        header = begins[:first] if first > 0 and b"<GIAMDINHHS" in begins[:first] else b""
        ends = list(_ends(source, first)) if header else []
    told = _COUNTED.search(header)
    if not ends or (told is not None and told[1] not in (b"", str(len(ends)).encode())):
        yield Part((file,), bytes_)
        return
    start, before = first, 0
    for counted, place in enumerate(ends, 1):
        if place - start >= size or counted == len(ends):
            yield Part((file,), place - start, start, place, before, header)
            start, before = place, counted


def _ends(source: BinaryIO, first: int) -> Iterator[int]:
    """Yield where each visit ends; nothing when something could be mistaken for it, or the file is cut off."""
    source.seek(first)
    found: list[int] = []
    at, kept = first, b""
    while block := source.read(_BLOCK):
        data = kept + block
        if b"<!" in data:
            return
        place = 0
        while (closed := data.find(_CLOSED, place)) >= 0:
            place = closed + len(_CLOSED)
            found.append(at + place)
        keep = max(place, len(data) - len(_END))
        at, kept = at + keep, data[keep:]
    if data.rstrip().endswith(_END):
        yield from found


def check_part(part: Part, options: Options) -> Iterator[Checked]:
    """Yield the records of a part; what goes wrong with a file is a fault in its place."""
    checker = Checker(options.lists, options.settings)
    for file in part.files:
        try:
            with file.open("rb") as source:
                for visit in read_visits(_between(source, part) if part.end else source):
                    yield _check(checker, str(file), visit, part.before, options)
        except OSError as error:
            yield Checked(str(file), "", fault=(InternalFault.code, file.name, type(error).__name__))
        except Fault as fault:
            yield Checked(str(file), "", fault=(fault.code, fault.where, fault.detail))


def _between(source: BinaryIO, part: Part) -> BinaryIO:
    source.seek(part.start)
    header = _COUNTED.sub(b"<SOLUONGHOSO></SOLUONGHOSO>", part.header)
    return BytesIO(header + source.read(part.end - part.start) + _TAIL)


def _check(checker: Checker, file: str, visit: Visit, before: int, options: Options) -> Checked:
    visit = replace(visit, position=visit.position + before)
    record = visit.number or f"#{visit.position}"
    try:
        found = checker.check(visit, decision=options.decision, now=options.now)
    except Exception as error:  # noqa: BLE001 - one record must not end the run over ten thousand
        return Checked(file, record, fault=(InternalFault.code, record, describe(error)))
    return Checked(file, record, tuple(found), key_of(visit))


def run(files: Iterable[Path], options: Options, workers: int) -> Iterator[tuple[Checked, int]]:
    """Yield every record with what its part weighs, the weight with the last of a part.

    Raises InternalFault when a process is killed.
    """
    earlier = Earlier()
    file = ""
    for checked, weight in _all(parts_of(files), options, workers):
        if checked.file != file:
            file = checked.file
            earlier.another_file()
        again = earlier.findings(checked.key) if checked.key else []
        yield (checked._replace(findings=(*checked.findings, *again)) if again else checked), weight


def _all(parts: Iterator[Part], options: Options, workers: int) -> Iterator[tuple[Checked, int]]:
    if workers < 2:
        for part in parts:
            yield from _weighed(check_part(part, options), part.size)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(options,)) as pool:
        ahead: deque[tuple[Part, Future[list[Checked]]]] = deque()
        try:
            for part in parts:
                ahead.append((part, pool.submit(_work, part)))
                if len(ahead) >= workers * AHEAD:
                    done, future = ahead.popleft()
                    yield from _weighed(future.result(), done.size)
            while ahead:
                done, future = ahead.popleft()
                yield from _weighed(future.result(), done.size)
        except BrokenProcessPool:
            raise InternalFault(detail="a process of the check was ended from outside") from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _weighed(records: Iterable[Checked], size: int) -> Iterator[tuple[Checked, int]]:
    last: Checked | None = None
    for record in records:
        if last is not None:
            yield last, 0
        last = record
    if last is not None:
        yield last, size


_options: list[Options] = []


def _start(options: Options) -> None:
    _options[:] = [options]


def _work(part: Part) -> list[Checked]:
    return list(check_part(part, _options[0]))
