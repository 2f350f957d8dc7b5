"""A seal that a remote signing service keeps: proved at start, and messages do not wait while the service is away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway import app, probes, steps
from gateway.settings import Plan, SigningPlan
from gateway.store import documents
from mappings.formats import safe_xml
from mappings.formats.values import Secret
from signing.faults import KeyMisconfigured, KeyUnavailable, NotAuthorised
from signing.xmldsig import SIGNATURE
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk
from tests.integration.gateway.test_papers import FOLDER, discharge, rows
from tests.remote_service import RemoteService, remote_service


@pytest.fixture(scope="module")
def service() -> Iterator[RemoteService]:
    with remote_service() as running:
        yield running


@pytest.fixture
def options(service: RemoteService) -> dict[str, object]:
    return service.options(service.add(code=False))


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock, options: dict[str, object]) -> Desk:
    desk = Desk(tmp_path, f"sqlite:///{tmp_path}/ledger.db", clock, destinations=FOLDER)
    steps.prepare("remote", options, desk.plan.site, watch_parent=False)
    return desk


def sealed_with(desk: Desk, options: dict[str, object]) -> Plan:
    return replace(desk.plan, signing=SigningPlan("remote", options, ()))


def test_every_rendition_is_sealed_by_the_service(desk: Desk) -> None:
    desk.send(discharge("1"))
    (row,) = rows(desk)
    assert row.state == "signed"
    (kept,) = desk.store.read_now(lambda c: documents.renditions(c, row.id, "cda"))
    body = desk.keyring.open(kept.body, f"{row.id}/cda")
    assert len(list(safe_xml.parse(body).iter(SIGNATURE))) == 1
    signers = {one.signer for one in desk.store.read_now(lambda c: documents.signatures(c, row.id))}
    assert len(signers) == 1
    assert "Nguyễn Thị Bác" in signers.pop()


def test_messages_are_mapped_while_the_service_is_away(desk: Desk, service: RemoteService) -> None:
    with service.away():
        sent = desk.send(discharge("1"))
        assert desk.state(sent).state == "mapped"
        (row,) = rows(desk)
        assert (row.state, row.fault_code) == ("composed", KeyUnavailable.code)
    desk.clock.forward(3600)
    desk.work()
    assert rows(desk)[0].state == "signed"


def test_a_node_starts_while_the_service_is_away(
    desk: Desk, service: RemoteService, options: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    with service.away():
        app._require_key(sealed_with(desk, options))
    assert "papers wait for their seal" in caplog.text
    gone = SigningPlan("pkcs12", {"file": "nowhere.p12", "password": Secret("x")}, ())
    with pytest.raises(KeyUnavailable):
        app._require_key(replace(desk.plan, signing=gone))


@pytest.mark.parametrize(
    ("change", "fault"), [({"pin": Secret("00000000")}, NotAuthorised), ({"pin": Secret("")}, KeyMisconfigured)]
)
def test_a_node_does_not_start_with_a_seal_that_cannot_seal(
    change: dict[str, Any], fault: type[Exception], desk: Desk, options: dict[str, object]
) -> None:
    plan = sealed_with(desk, options | change)
    with pytest.raises(fault):
        app._require_key(plan)
    assert [one.where for one in probes.problems(plan)] == ["signing"]


def test_nor_with_one_that_wants_a_code_from_a_person(desk: Desk, service: RemoteService) -> None:
    plan = sealed_with(desk, service.options(service.add()))
    with pytest.raises(KeyMisconfigured):
        app._require_key(plan)
    assert "one-time code" in str(next(iter(probes.problems(plan))))
