"""Orders that were in the record before there was a worklist come onto it at the start of a node, on both engines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from gateway.records import worklist
from gateway.store import image_schema, node_schema, nodes
from mappings.dicom.attributes import items, text
from tests.conftest import HandClock
from tests.integration.gateway.desk import message, pid
from tests.integration.gateway.test_worklist import Ward


@pytest.fixture
def ward(tmp_path: Path, store_url: str, clock: HandClock) -> Iterator[Ward]:
    made = Ward(tmp_path / "site", store_url, clock, produce=())
    yield made
    made.store.close()


def forget(ward: Ward) -> None:
    """Do as a version did that had no worklist."""
    ward.store.write_now(lambda c: c.execute(delete(image_schema.worklist)))


def filled(ward: Ward) -> int:
    return asyncio.run(worklist.fill(ward.store, ward.plan, ward.clock))


def test_orders_in_force_are_entered_as_if_they_came_now(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worklist, "_PAGE", 2)
    for number in ("O1", "O2", "O3"):
        ward.orders(number)
    ward.orders("O4", section="HM")
    ward.orders("O5", control="CA")
    before = ward.listed()
    forget(ward)
    assert ward.numbers() == []
    assert filled(ward) == 3
    assert ward.listed() == before
    ward.orders("O2", control="CA")
    assert ward.numbers() == ["O1", "O3"]


def test_an_order_whose_study_came_is_not_offered(ward: Ward) -> None:
    ward.orders("O1", accession="ACC1")
    ward.orders("O2", accession="ACC2")
    ward.orders("O3", accession="ACC3", patient="BN2", name="Trần^Văn^Bình")
    forget(ward)
    ward.study(AccessionNumber="ACC1")
    forget(ward)
    ward.study(AccessionNumber="ACC3", uid="1.2.9")  # of somebody else
    forget(ward)
    assert filled(ward) == 3
    assert ward.numbers() == ["ACC2", "ACC3"]


def test_an_announced_study_keeps_its_uid(ward: Ward) -> None:
    order = (
        pid("BN1"), "ORC|NW|O1^HIS", "TQ1|1||||||20261122080000", "OBR|1|O1^HIS||CTN^CT ngực^99HIS",
        "IPC|ACC1|P1|1.2.840.77|S1|CT",
    )  # fmt: skip
    ward.send(message("OMI^O23", "i1", *order))
    before = ward.listed()
    assert text(before[0], "0020000D") == "1.2.840.77"
    forget(ward)
    assert filled(ward) == 1
    assert ward.listed() == before


def test_it_is_done_once_and_again_after_an_upgrade(ward: Ward) -> None:
    ward.orders("O1")
    forget(ward)
    older = {"name": "n0", "run": "r", "roles": "all", "version": "0.0.1", "revision": "0015", "started_at": 1}
    insert = node_schema.node.insert().values(**older, state="running", beat=0, seen_at=1)
    ward.store.write_now(lambda c: c.execute(insert))
    assert filled(ward) == 1
    forget(ward)
    assert filled(ward) == 1  # a node of the version before lives: it may have mapped more
    ward.store.write_now(lambda c: nodes.move(c, "n0", "r", "stop"))
    assert filled(ward) == 0
    forget(ward)
    assert filled(ward) == 0
    ward.store.write_now(lambda c: c.execute(delete(node_schema.duty)))
    assert filled(ward) == 1
    assert items(ward.listed()[0], "00400100")
