"""Files of large objects (DICOM), sealed on the way to disk: written while they arrive, durable before anybody is told.

    objects/incoming/<node>/<id>   on its way: durable before the ledger knows it, put away after; the node's next start ends it
    objects/<ab>/<id>              kept; <ab> are the last two digits of the id
    objects/quarantine/<id>        did not arrive whole, or is not what it was sent as

A file's name says nothing of a person. Nodes that share a ledger share this folder. Does not know what an object means.

Requirement: S1.4, S2.15
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TypeVar

from connectors.faults import ObjectStoreAway
from gateway.faults import NothingThere
from gateway.store.sealed import Keyring

T = TypeVar("T")
_INCOMING, _QUARANTINE = "incoming", "quarantine"
BEGINNING = 1 << 20
"""Bytes at the beginning of an object that are at hand when it is whole."""


class Objects:
    """The folder of objects of one ledger, as one node uses it."""

    def __init__(self, folder: Path, keyring: Keyring, node: str) -> None:
        self._folder = folder
        self._keyring = keyring
        self._incoming = folder / _INCOMING / node

    def begin(self, object_id: str) -> Writing:
        """Begin an object; raises ObjectStoreAway."""
        return _told(lambda: Writing(self._incoming, object_id, self._keyring))

    def keep(self, object_id: str) -> None:
        """Put a whole object that the ledger knows where it stays; raises ObjectStoreAway, and the next start does it."""
        _told(lambda: self._move(object_id, object_id[-2:]))

    def quarantine(self, object_id: str) -> None:
        """Put an object that the ledger knows aside; raises as `keep`."""
        _told(lambda: self._move(object_id, _QUARANTINE))

    def forget(self, object_id: str) -> None:
        """Delete an object that the ledger does not know: nobody was told that it arrived."""
        with suppress(OSError):
            (self._incoming / object_id).unlink(missing_ok=True)

    def read(self, object_id: str) -> Iterator[bytes]:
        """Give an object in pieces, wherever it lies; raises NothingThere, KeyUnknown, SealBroken."""
        settled = [self._folder / place / object_id for place in (object_id[-2:], _QUARANTINE)]
        on_its_way = (self._folder / _INCOMING).glob(f"*/{object_id}")  # looked for only where it is not settled
        for path in chain(settled, on_its_way, settled[:1]):
            with suppress(FileNotFoundError), open(path, "rb") as file:
                yield from self._keyring.open_stream(file, f"object/{object_id}")
                return
        raise NothingThere(object_id)

    def recover(self, states: Callable[[list[str]], Mapping[str, str]]) -> None:
        """End what an earlier run of this node left: put away what the ledger knows, delete what nobody was told arrived.

        `states` gives the state of each object that the ledger knows. Raises ObjectStoreAway.
        """
        with suppress(FileNotFoundError):
            left = sorted(one.name for one in self._incoming.iterdir())
            found = states(left) if left else {}
            for object_id in left:
                {"kept": self.keep, "quarantined": self.quarantine}.get(found.get(object_id, ""), self.forget)(
                    object_id
                )

    def _move(self, object_id: str, name: str) -> None:
        target = self._folder / name
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._incoming / object_id).rename(target / object_id)


class Writing:
    """One object on its way to disk; not for two threads at once. Raises ObjectStoreAway where the disk does not take it."""

    def __init__(self, folder: Path, object_id: str, keyring: Keyring) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self.size = 0
        self.beginning = bytearray()
        """The first bytes, up to `BEGINNING`."""
        self._digest = hashlib.sha256()
        self._seal = keyring.seal_stream(f"object/{object_id}")
        descriptor = os.open(folder / object_id, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file: BinaryIO = os.fdopen(descriptor, "wb", buffering=0)
        self._put(self._seal.head)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._digest.update(chunk)
        if len(self.beginning) < BEGINNING:
            self.beginning += chunk[: BEGINNING - len(self.beginning)]
        sealed = self._seal.add(chunk)
        if sealed:
            _told(lambda: self._put(sealed))

    def end(self, *, durable: bool = True) -> None:
        """Write the rest and close; `durable`: the bytes are on the disk when this returns."""

        def finish() -> None:
            self._put(self._seal.end())
            if durable:
                os.fdatasync(self._file.fileno())
                _sync(self._folder)
            self._file.close()

        _told(finish)

    def close(self) -> None:
        """Let go of the file as it is."""
        with suppress(OSError):
            self._file.close()

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]


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
