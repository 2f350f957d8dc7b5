"""Files of large objects (DICOM), sealed on the way to disk: written while they arrive, durable before anybody is told.

    objects/incoming/<node>/<id>   on its way: flushed while the ledger enters it, put away after; the node's next start ends it
    objects/<ab>/<id>              kept; <ab> are the last two digits of the id
    objects/quarantine/<id>        did not arrive whole, or is not what it was sent as

A file's name says nothing of a person. Nodes that share a ledger share this folder. Does not know what an object means.

Files are made ahead, empty, some at once: that their names are durable is one flush for all of them in place of one for each.

Requirement: S1.4, S2.15
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TypeVar

from connectors.faults import ObjectStoreAway
from gateway.faults import KeyUnknown, NothingThere, SealBroken
from gateway.store.ids import uuid7
from gateway.store.sealed import PIECE, Keyring

T = TypeVar("T")
_INCOMING, _QUARANTINE = "incoming", "quarantine"
BEGINNING = PIECE
"""Bytes at the beginning of an object that are at hand when it is whole."""
_MOST_SPARES = 32
_FRESH_S = 30.0
"""Age up to which a file made ahead is used: ids tell the order in which objects came."""
_BUSY_S = 1.0
"""Within what time files made ahead have to be used up for the next to be twice as many."""


class Objects:
    """The folder of objects of one ledger, as one node uses it."""

    def __init__(self, folder: Path, keyring: Keyring, node: str) -> None:
        self._folder = folder
        self._keyring = keyring
        self._incoming = folder / _INCOMING / node
        self._spares = _Spares(self._incoming)
        self._settling: dict[str, threading.Event] = {}
        self._durable: set[str] = set()
        """What is durable and could not be put away."""

    def begin(self) -> Writing:
        """Begin an object under an id of its own; raises ObjectStoreAway."""
        return _told(lambda: Writing(*self._spares.take(), self._keyring))

    def close(self) -> None:
        """Delete what was made ahead; nothing is begun after."""
        self._spares.close()

    def keep(self, object_id: str) -> None:
        """Put a durable object that the ledger knows where it stays; raises ObjectStoreAway, and the next start does it."""
        try:
            _told(lambda: self._move(object_id, object_id[-2:]))
        except ObjectStoreAway:
            self._durable.add(object_id)
            raise

    def quarantine(self, object_id: str) -> None:
        """Put an object that the ledger knows aside; raises as `keep`."""
        _told(lambda: self._move(object_id, _QUARANTINE))

    @contextmanager
    def settling(self, object_id: str) -> Iterator[None]:
        """Have whoever asks whether this object is durable wait until it is put away, or is not."""
        ended = self._settling[object_id] = threading.Event()
        try:
            yield
        finally:
            del self._settling[object_id]
            ended.set()

    def is_durable(self, object_id: str, within_s: float) -> bool:
        """Tell whether an object that the ledger knows as kept is on the disk; one that is not put away yet is not."""
        settling = self._settling.get(object_id)
        if settling is not None:
            settling.wait(within_s)
        return object_id in self._durable or (self._folder / object_id[-2:] / object_id).exists()

    def forget(self, object_id: str) -> None:
        """Delete an object that the ledger does not know: nobody was told that it arrived."""
        with suppress(OSError):
            os.unlink(f"{self._incoming}/{object_id}")

    def remove(self, object_id: str) -> None:
        """Delete the file of an object that the ledger gave up, for certain; raises ObjectStoreAway."""

        def act() -> None:
            for path in (self._folder / object_id[-2:] / object_id, *(self._folder / _INCOMING).glob(f"*/{object_id}")):
                with suppress(FileNotFoundError):
                    path.unlink()
                    _sync(path.parent)

        _told(act)

    def read(self, object_id: str) -> Iterator[bytes]:
        """Give an object in pieces, wherever it lies; raises NothingThere, KeyUnknown, SealBroken."""
        settled = [self._folder / place / object_id for place in (object_id[-2:], _QUARANTINE)]
        on_its_way = (self._folder / _INCOMING).glob(f"*/{object_id}")  # looked for only where it is not settled
        for path in chain(settled, on_its_way, settled[:1]):
            with suppress(FileNotFoundError), open(path, "rb") as file:
                yield from self._keyring.open_stream(file, f"object/{object_id}")
                return
        raise NothingThere(object_id)

    def recover(self, states: Callable[[list[str]], Mapping[str, str]], withdraw: Callable[[list[str]], None]) -> None:
        """End what an earlier run of this node left: put away what the ledger knows, delete what nobody was told arrived.

        `states` gives the state of each object that the ledger knows; `withdraw` takes those back whose bytes a loss of power
        cut off before they were answered. Raises ObjectStoreAway.
        """
        with suppress(FileNotFoundError):
            left = sorted(one.name for one in self._incoming.iterdir())
            found = states(left) if left else {}
            cut_off = [object_id for object_id in left if object_id in found and not self._is_whole(object_id)]
            if cut_off:
                withdraw(cut_off)
            for object_id in left:
                state = "" if object_id in cut_off else found.get(object_id, "")
                {"kept": self.keep, "quarantined": self.quarantine}.get(state, self.forget)(object_id)

    def _is_whole(self, object_id: str) -> bool:
        """Tell whether a file has all its pieces, which its seal proves; for want of its key it counts as whole."""
        path = self._incoming / object_id
        try:
            with path.open("rb") as file:
                for _ in self._keyring.open_stream(file, f"object/{object_id}"):
                    pass
        except SealBroken:
            return False
        except KeyUnknown:
            with path.open("rb") as file:
                return file.read(1) not in (b"", b"\0")
        return True

    def _move(self, object_id: str, name: str) -> None:
        source, target = f"{self._incoming}/{object_id}", self._folder / name
        try:
            os.rename(source, f"{target}/{object_id}")
        except FileNotFoundError:
            target.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.rename(source, f"{target}/{object_id}")


class _Spares:
    """Empty files with ids of their own, whose names are durable. Any thread may take one. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._files: deque[tuple[str, int]] = deque()
        self._made_at = 0.0
        self._count = 1

    def take(self) -> tuple[str, int]:
        """Give an id and the descriptor of its file."""
        with self._lock:
            if self._files and time.monotonic() - self._made_at > _FRESH_S:
                self._drop()
            if not self._files:
                self._make()
            return self._files.popleft()

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _make(self) -> None:
        """Make one, and the more the faster they are used."""
        busy = time.monotonic() - self._made_at < _BUSY_S
        self._count = min(2 * self._count, _MOST_SPARES) if busy else 1
        try:
            self._files.append(self._file())
        except FileNotFoundError:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._files.append(self._file())
        try:
            while len(self._files) < self._count:
                self._files.append(self._file())
            _sync(self._folder)
        except OSError:
            self._drop()
            raise
        self._made_at = time.monotonic()

    def _file(self) -> tuple[str, int]:
        object_id = uuid7()
        return object_id, os.open(f"{self._folder}/{object_id}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def _drop(self) -> None:
        while self._files:
            object_id, descriptor = self._files.popleft()
            os.close(descriptor)
            with suppress(OSError):
                os.unlink(f"{self._folder}/{object_id}")


class Writing:
    """One object on its way to disk; not for two threads at once. Raises ObjectStoreAway where the disk does not take it."""

    def __init__(self, object_id: str, descriptor: int, keyring: Keyring) -> None:
        self.id = object_id
        self.size = 0
        self._digest = hashlib.sha256()
        self._file: BinaryIO = os.fdopen(descriptor, "wb", buffering=0)
        self._seal = keyring.seal_stream(f"object/{object_id}")
        self._head = self._seal.head

    @property
    def beginning(self) -> memoryview:
        """The first bytes, up to `BEGINNING`; to be looked at only before more are added."""
        return memoryview(self._seal.first)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def add(self, chunk: bytes | memoryview) -> None:
        self.size += len(chunk)
        self._digest.update(chunk)
        sealed = self._seal.add(chunk)
        if sealed:
            _told(lambda: self._put(sealed))

    def end(self) -> None:
        """Write the rest; it is durable after `flush`."""
        _told(lambda: self._put(self._seal.end()))

    def flush(self) -> None:
        """Have the bytes on the disk, and close; a file that the disk did not take is empty afterwards, and so never whole."""

        def finish() -> None:
            try:
                os.fdatasync(self._file.fileno())
            except OSError:
                with suppress(OSError):
                    os.ftruncate(self._file.fileno(), 0)
                raise
            self._file.close()

        _told(finish)

    def close(self) -> None:
        """Let go of the file as it is."""
        with suppress(OSError):
            self._file.close()

    def _put(self, sealed: bytes) -> None:
        parts = [memoryview(self._head), memoryview(sealed)]
        self._head = b""
        while parts:
            written = os.writev(self._file.fileno(), parts)
            while parts and written >= len(parts[0]):
                written -= len(parts.pop(0))
            if parts:
                parts[0] = parts[0][written:]


def _told(act: Callable[[], T]) -> T:
    try:
        return act()
    except OSError as error:
        raise ObjectStoreAway(detail=os.strerror(error.errno) if error.errno else type(error).__name__) from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
