"""A folder of this machine or a mounted share: writes each document as one file, whole or not at all.

The name of the file is the delivery's key: nothing about a patient can be read from it. A detached signature lies beside it as
`<key>.xml.xades`, and is there before the document is. Who fetches the files is not our
business, so a file that is gone counts as not there.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal
from uuid import UUID

from connectors.contract import Outbound, Receipt, Seal
from connectors.faults import FolderUnusable, Refused
from mappings.formats.values import FileName

_SUFFIXES: Final = {"cda": ".xml", "fhir": ".json"}


_BESIDE: Final = ".xades"


@dataclass(frozen=True)
class Settings:
    takes_signature_beside: ClassVar[bool] = True

    folder: FileName
    """Where the files go; it must exist and be writable."""
    rendition: Literal["cda", "fhir"] = "cda"
    """What is written: CDA as `<key>.xml`, or signed FHIR document Bundles as `<key>.json`."""

    @property
    def takes(self) -> str:
        return self.rendition

    def __post_init__(self) -> None:
        if not self.folder:
            raise ValueError("folder: empty — write the path of a folder that exists")


class Destination:
    """Write documents under the delivery's key."""

    def __init__(self, name: str, settings: Settings, seal: Seal) -> None:
        self._name = name
        self._folder = Path(settings.folder)
        self._suffix = _SUFFIXES[settings.takes]

    async def deliver(self, document: Outbound) -> Receipt:
        """Write the file durably; the same document again is the same receipt, another body under its key is `Refused`."""
        return await asyncio.to_thread(self._write, document)

    async def find(self, document: Outbound) -> Receipt | None:
        """Look for the file; raises `Refused` when one of that name holds something else."""
        return await asyncio.to_thread(self._look, document)

    async def close(self) -> None:
        return None

    def _write(self, document: Outbound) -> Receipt:
        there = self._look(document)
        if there is not None:
            return there
        path = self._path(document)
        part = path.with_suffix(".part")
        try:
            for name, content in self._files(document):
                with part.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(name)
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as exc:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise FolderUnusable(self._name, exc.strerror or type(exc).__name__) from exc
        return _receipt(document.body)

    def _look(self, document: Outbound) -> Receipt | None:
        for name, content in self._files(document):
            try:
                there = name.read_bytes()
            except FileNotFoundError:
                if not self._folder.is_dir():
                    raise FolderUnusable(self._name, "no such folder") from None
                return None
            except OSError as exc:
                raise FolderUnusable(self._name, exc.strerror or type(exc).__name__) from exc
            if there != content:
                raise Refused(self._name, "the file under this key holds something else")
        return _receipt(document.body)

    def _files(self, document: Outbound) -> list[tuple[Path, bytes]]:
        """Name what is written, in order."""
        path = self._path(document)
        beside = [(path.with_name(path.name + _BESIDE), document.signature)] if document.signature else []
        return [*beside, (path, document.body)]

    def _path(self, document: Outbound) -> Path:
        return self._folder / f"{UUID(document.key)}{self._suffix}"


def _receipt(body: bytes) -> Receipt:
    digest = hashlib.sha256(body).hexdigest()
    return Receipt(digest, b"", {"sha256": digest})
