"""Objects that are entered in the ledger together fare as they would one after the other, on both engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.faults import ObjectClash
from gateway.store import images
from gateway.store.engine import Store, open_store
from gateway.store.images import Entered, NewInstance

QUIET = 60


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    yield opened
    opened.close()


def new(id_: str, uid: str, study: str = "1.2", at: int = 10, sha256: str = "a") -> NewInstance:
    return NewInstance(
        id=id_, sop_instance=uid, sop_class="1", study_uid=study, series_uid="1", transfer_syntax="1", channel="pacs",
        peer="", calling="CT1", received_at=at, size=1, sha256=sha256, order_key=b"0" * 16, header=id_.encode(), quiet=QUIET,
    )  # fmt: skip


def enter(store: Store, *batch: NewInstance) -> list[Entered]:
    return store.write_now(lambda c: images.insert_all(c, list(batch)))


def counts(store: Store) -> dict[str, tuple[int, int]]:
    due = store.read_now(lambda c: images.due(c, 1 << 40, 9))
    return {one.uid: (one.instances, one.due_at) for one in due}


def test_objects_of_several_studies(store: Store) -> None:
    entered = enter(store, new("i1", "1"), new("i2", "2", at=11), new("i3", "3", "1.3"))
    assert entered == [Entered("i1"), Entered("i2"), Entered("i3")]
    assert counts(store) == {"1.2": (2, 11 + QUIET), "1.3": (1, 10 + QUIET)}
    enter(store, new("i4", "4", at=20), new("i5", "5", at=21))
    assert counts(store)["1.2"] == (4, 21 + QUIET)
    kept = store.read_now(lambda c: images.of_study(c, "1.2"))
    assert [(one.id, bytes(one.body)) for one in kept] == [(i, i.encode()) for i in ("i1", "i2", "i4", "i5")]


def test_the_same_object_twice_at_once(store: Store) -> None:
    assert enter(store, new("i1", "1"), new("i2", "1"), new("i3", "3")) == [
        Entered("i1"),
        Entered("i1", repeat=True),
        Entered("i3"),
    ]
    assert counts(store) == {"1.2": (2, 10 + QUIET)}


def test_a_repeat_and_a_clash_beside_a_new_one(store: Store) -> None:
    enter(store, new("i1", "1"))
    repeat, clash, fresh = enter(store, new("i2", "1"), new("i3", "1", sha256="b"), new("i4", "4"))
    assert repeat == Entered("i1", repeat=True)
    assert (clash.id, type(clash.fault)) == ("i3", ObjectClash)
    assert fresh == Entered("i4")
    assert counts(store) == {"1.2": (2, 10 + QUIET)}
    assert [one.id for one in store.read_now(images.aside)] == ["i3"]
