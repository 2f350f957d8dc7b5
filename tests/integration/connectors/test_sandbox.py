"""The network destinations against the simulated peers that ship with the product, over TLS."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from conformance.sandbox.faults import Action, Rule
from conformance.sandbox.server import FACILITY, GLN, USER, Sandbox, Settings, default_accounts
from connectors.contract import Destination, Outbound
from connectors.destinations.fhir_rest import Destination as FhirRest
from connectors.destinations.fhir_rest import Settings as FhirSettings
from connectors.destinations.insurance_portal import Destination as InsurancePortal
from connectors.destinations.insurance_portal import Settings as PortalSettings
from connectors.destinations.moh_axis import Destination as MohAxis
from connectors.destinations.moh_axis import Settings as AxisSettings
from connectors.destinations.national_coordination import Destination as NationalCoordination
from connectors.destinations.national_coordination import Settings as CoordinationSettings
from connectors.faults import CannotAsk, LoginRefused, Refused, ServerTrouble, Throttled, Uncertain, Unreachable
from mappings.formats.values import Secret
from tests.integration.sandbox.peer import bundle, cda, insurance_file, sign, sign_bundle, write

PASSWORD = Secret("mật-khẩu thử")
KINDS = ("fhir_rest", "insurance_portal", "moh_axis", "national_coordination")
every_kind = pytest.mark.parametrize("kind", KINDS)


def document(body: bytes, media_type: str) -> Outbound:
    return Outbound(
        key="0192f0c4-5f3e-7a10-8c3d-1f2e3d4c5b6a",
        kind="discharge_paper",
        body=body,
        media_type=media_type,
        sha256=hashlib.sha256(body).hexdigest(),
        created_at=datetime(2026, 11, 21, 1, 0, tzinfo=UTC),
        facility=FACILITY,
    )


class Bench:
    """A running sandbox, one destination that speaks to it, and one signed document that it would accept."""

    def __init__(self, kind: str, sandbox: Sandbox) -> None:
        self.kind, self.sandbox = kind, sandbox
        signer, transport = sandbox.ca.issue("Bệnh viện"), sandbox.ca.issue("transport")
        sandbox.register(GLN, transport.pem)
        self._key = transport.key
        if kind == "insurance_portal":
            self.document = document(sign(insurance_file(), signer, "CHUKYDONVI"), "application/xml")
        elif kind == "fhir_rest":
            self.document = document(sign_bundle(bundle(), signer), "application/fhir+json")
        else:
            self.document = document(sign(cda(), signer), "application/xml")

    def seal(self, data: bytes) -> bytes:
        return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def destination(self, password: Secret = PASSWORD, **more: Any) -> Destination:
        shared = {"ca": str(self.sandbox.ca.pem_file), "answer_timeout": timedelta(seconds=2), **more}
        if self.kind == "insurance_portal":
            portal = PortalSettings(self.sandbox.portal_url, USER, password, FACILITY, **shared)
            return InsurancePortal(self.kind, portal, self.seal)
        if self.kind == "moh_axis":
            axis = AxisSettings(self.sandbox.axis_url, USER, password, GLN, "sync_document", **shared)
            return MohAxis(self.kind, axis, self.seal)
        if self.kind == "fhir_rest":
            fhir = FhirSettings(self.sandbox.fhir_url, "/token", USER, password, **shared)
            return FhirRest(self.kind, fhir, self.seal)
        coordination = CoordinationSettings(self.sandbox.coordination_url, USER, password, FACILITY, **shared)
        return NationalCoordination(self.kind, coordination, self.seal)

    def rule(self, action: Action, **more: Any) -> None:
        self.sandbox.faults.clear()
        self.sandbox.faults.add(Rule(self.kind, action, **more))


async def refused(bench: Bench) -> None:
    """Return when the destination's port is closed and what hung on it is gone."""
    port = int(bench.sandbox.addresses()[bench.kind].rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


def play(kind: str, scene: Callable[[Bench, Destination], Awaitable[None]]) -> None:
    async def run() -> None:
        settings = Settings(accounts=default_accounts(str(PASSWORD)), tls=True)
        async with asyncio.timeout(30), Sandbox(settings) as sandbox:
            bench = Bench(kind, sandbox)
            destination = bench.destination()
            try:
                await scene(bench, destination)
            finally:
                await destination.close()

    asyncio.run(run())


@every_kind
def test_accepted_once_and_recognised_when_repeated(kind: str) -> None:
    async def scene(bench: Bench, destination: Destination) -> None:
        first = await destination.deliver(bench.document)
        assert first.reference
        assert (await destination.deliver(bench.document)).reference == first.reference
        if kind == "insurance_portal":
            with pytest.raises(CannotAsk):
                await destination.find(bench.document)
            return
        found = await destination.find(bench.document)
        assert found is not None
        assert found.reference == first.reference
        other = replace(bench.document, key="0192f0c4-0000-7a10-8c3d-000000000000")
        if kind == "fhir_rest":  # knows a document by its identifier
            other = replace(other, body=write(bundle("2")))
        assert await destination.find(other) is None

    play(kind, scene)


@every_kind
def test_an_unsigned_document_is_refused(kind: str) -> None:
    async def scene(bench: Bench, destination: Destination) -> None:
        made = {"insurance_portal": insurance_file, "fhir_rest": lambda: write(bundle()).decode()}
        body = made.get(kind, cda)().encode()
        with pytest.raises(Refused):
            await destination.deliver(document(body, "application/xml"))

    play(kind, scene)


@every_kind
def test_a_wrong_password_is_a_refused_log_in(kind: str) -> None:
    async def scene(bench: Bench, destination: Destination) -> None:
        wrong = bench.destination(Secret("sai"))
        with pytest.raises(LoginRefused):
            await wrong.deliver(bench.document)
        await wrong.close()

    play(kind, scene)


@every_kind
def test_each_way_to_misbehave_has_its_class(kind: str) -> None:
    async def scene(bench: Bench, destination: Destination) -> None:
        await destination.deliver(bench.document)
        for action in (Action.UNAVAILABLE, Action.THROTTLE):
            bench.rule(action, retry_after_s=3)
            with pytest.raises(Throttled) as caught:
                await destination.deliver(bench.document)
            assert caught.value.retry_after == timedelta(seconds=3)
        for action in (Action.LOSE_ANSWER, Action.BAD_ANSWER):
            bench.rule(action)
            with pytest.raises(Uncertain):
                await destination.deliver(bench.document)
        bench.rule(Action.HTTP_500)
        with pytest.raises(ServerTrouble if kind == "national_coordination" else Uncertain):
            await destination.deliver(bench.document)
        bench.rule(Action.REFUSE)
        with pytest.raises(Refused):
            await destination.deliver(bench.document)
        bench.rule(Action.SLOW, delay_ms=4000)
        quick = bench.destination(answer_timeout=timedelta(milliseconds=300))
        with pytest.raises(Uncertain):
            await quick.deliver(bench.document)
        await quick.close()
        bench.rule(Action.DOWN, call=None)
        await bench.sandbox.settle()
        await refused(bench)
        with pytest.raises(Unreachable):
            await destination.deliver(bench.document)
        bench.sandbox.faults.clear()
        await bench.sandbox.settle()
        await destination.deliver(bench.document)

    play(kind, scene)


@pytest.mark.parametrize("form", ["string", "file_content", "content"])
def test_the_forms_of_axis_data_are_sealed_as_they_are_sent(form: str) -> None:
    async def scene(bench: Bench, destination: Destination) -> None:
        shaped = bench.destination(data_form=form)
        await shaped.deliver(bench.document)
        await shaped.close()

    play("moh_axis", scene)
