"""Of one SOP Instance UID one object is kept, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.faults import ObjectClash
from gateway.store import images
from gateway.store.images import Entered, NewInstance
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk


@pytest.fixture
def desk(tmp_path: Path, store_url: str, clock: HandClock) -> Iterator[Desk]:
    made = Desk(tmp_path / "site", store_url, clock, produce=())
    yield made
    made.store.close()


def enter(desk: Desk, id_: str, sha256: str) -> Entered:
    new = NewInstance(
        id=id_, sop_instance="1.2.3", sop_class="1", study_uid="1.2", series_uid="1", transfer_syntax="1", channel="pacs",
        peer="", calling="CT1", received_at=1, size=1, sha256=sha256, order_key=b"0" * 16, header=b"x", quiet=1,
    )  # fmt: skip
    (entered,) = desk.store.write_now(lambda c: images.insert_all(c, [new]))
    return entered


def test_the_same_bytes_again_are_a_repeat(desk: Desk) -> None:
    assert enter(desk, "i1", "a") == Entered("i1")
    assert enter(desk, "i2", "a") == Entered("i1", repeat=True)
    row = desk.store.read_now(lambda c: images.get_study(c, "1.2"))
    assert row is not None
    assert row.instances == 1


def test_other_bytes_go_into_quarantine(desk: Desk) -> None:
    enter(desk, "i1", "a")
    assert isinstance(enter(desk, "i2", "b").fault, ObjectClash)
    assert [row.id for row in desk.store.read_now(images.aside)] == ["i2"]
