"""The folder destination on a real file system."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.contract import Outbound
from connectors.destinations.folder import Destination, Settings
from connectors.faults import FolderUnusable, Refused
from mappings.formats.values import FileName

BODY = b"<ClinicalDocument/>"
DOCUMENT = Outbound(
    key="0192f0c4-5f3e-7a10-8c3d-1f2e3d4c5b6a",
    kind="discharge_paper",
    body=BODY,
    media_type="application/xml",
    sha256=hashlib.sha256(BODY).hexdigest(),
    created_at=datetime(2026, 11, 21, tzinfo=UTC),
    facility="01999",
)


def destination(folder: Path) -> Destination:
    return Destination("archive", Settings(FileName(folder)), lambda data: data)


def test_a_document_is_one_file_and_a_repeat_the_same_receipt(tmp_path: Path) -> None:
    async def scene() -> None:
        archive = destination(tmp_path)
        assert await archive.find(DOCUMENT) is None
        receipt = await archive.deliver(DOCUMENT)
        assert receipt.reference == DOCUMENT.sha256
        assert await archive.deliver(DOCUMENT) == receipt
        assert await archive.find(DOCUMENT) == receipt

    asyncio.run(scene())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {f"{DOCUMENT.key}.xml": BODY}


def test_what_a_crash_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / f"{DOCUMENT.key}.part").write_bytes(BODY[:5])
    asyncio.run(destination(tmp_path).deliver(DOCUMENT))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [BODY]


def test_another_body_under_the_same_key_is_refused_and_nothing_is_overwritten(tmp_path: Path) -> None:
    async def scene() -> None:
        archive = destination(tmp_path)
        await archive.deliver(DOCUMENT)
        other = replace(DOCUMENT, body=b"<Other/>")
        with pytest.raises(Refused):
            await archive.deliver(other)
        with pytest.raises(Refused):
            await archive.find(other)

    asyncio.run(scene())
    assert (tmp_path / f"{DOCUMENT.key}.xml").read_bytes() == BODY


def test_a_folder_that_is_not_there_is_tried_again_later(tmp_path: Path) -> None:
    async def scene() -> None:
        absent = destination(tmp_path / "unmounted")
        with pytest.raises(FolderUnusable):
            await absent.deliver(DOCUMENT)
        with pytest.raises(FolderUnusable):
            await absent.find(DOCUMENT)

    asyncio.run(scene())


def test_no_room_left_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FolderUnusable):
        asyncio.run(destination(tmp_path).deliver(DOCUMENT))
    assert not list(tmp_path.iterdir())
