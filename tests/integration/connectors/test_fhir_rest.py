"""What only the FHIR destination does: conditions, references, outcomes told without a word about a patient."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest

from connectors.contract import Outbound
from connectors.destinations.fhir_rest import Destination, Settings
from connectors.faults import CannotAsk, LoginRefused, Refused, Unreachable
from mappings.formats import json
from tests.contract.http_peer import Reply, ScriptedPeer, http, scripted_peer

SYSTEM = "https://lienthong.vn/fhir/sid/document"


def document(**identifier: str) -> Outbound:
    body = json.dumps({"resourceType": "Bundle", **({"identifier": identifier} if identifier else {})})
    return Outbound(
        key="0192f0c4-5f3e-7a10-8c3d-1f2e3d4c5b6a",
        kind="discharge_paper",
        body=body,
        media_type="application/fhir+json",
        sha256=hashlib.sha256(body).hexdigest(),
        created_at=datetime(2026, 11, 21, tzinfo=UTC),
        facility="01999",
    )


@asynccontextmanager
async def against(*replies: Reply) -> AsyncIterator[tuple[ScriptedPeer, Destination]]:
    script = iter(replies)
    async with scripted_peer(lambda request: next(script)) as peer:
        settings = Settings(f"{peer.url}/fhir/", answer_timeout=timedelta(seconds=2))
        destination = Destination("kho", settings, lambda data: data)
        try:
            yield peer, destination
        finally:
            await destination.close()


def on_loop(scene: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(20):
            await scene()

    asyncio.run(limited())


def test_the_condition_names_the_document_whatever_letters_it_has() -> None:
    async def scene() -> None:
        made = http(201, Location="Bundle/7/_history/1")
        async with against(made, made) as (peer, destination):
            assert (await destination.deliver(document(system=SYSTEM, value="0192"))).reference == "Bundle/7"
            await destination.deliver(document(system=SYSTEM, value="a|b$c,d\\ é"))
        first, second = peer.requests
        assert (first.method, first.path) == ("POST", "/fhir/Bundle")
        assert unquote(first.headers["if-none-exist"]) == f"identifier={SYSTEM}|0192"
        assert unquote(second.headers["if-none-exist"]) == f"identifier={SYSTEM}|a\\|b\\$c\\,d\\\\ é"
        assert first.headers["content-type"] == "application/fhir+json"
        assert first.headers["prefer"] == "return=minimal"
        assert "authorization" not in first.headers

    on_loop(scene)


def test_one_that_is_there_already_is_a_receipt() -> None:
    async def scene() -> None:
        for headers in ({"Location": "https://h/fhir/Bundle/7"}, {"Content_Location": "/fhir/Bundle/7/_history/3"}):
            async with against(http(200, **headers)) as (_, destination):
                receipt = await destination.deliver(document(system=SYSTEM, value="1"))
                assert receipt.reference == "Bundle/7"
                assert b"Bundle/7" in receipt.evidence
                assert receipt.facts == {"status": "200"}

    on_loop(scene)


@pytest.mark.parametrize("identifier", [{}, {"value": "1"}, {"system": SYSTEM}, {"system": SYSTEM, "value": ""}])
def test_what_has_no_name_is_not_sent(identifier: dict[str, str]) -> None:
    async def scene() -> None:
        async with against() as (peer, destination):
            with pytest.raises(Refused, match="nothing was sent"):
                await destination.deliver(document(**identifier))
            assert not peer.requests

    on_loop(scene)


def outcome(*issues: Any) -> Reply:
    return http(422, {"resourceType": "OperationOutcome", "issue": list(issues)})


@pytest.mark.parametrize(
    ("issues", "told"),
    [
        (
            [{"severity": "error", "code": "required", "expression": ["Bundle.entry[3].resource.birthDate"]}],
            "HTTP 422 required Bundle.entry[3].resource.birthDate",
        ),
        (
            [
                {"severity": "warning", "code": "informational"},
                {"severity": "fatal", "code": "business-rule", "diagnostics": "Trần Thị B"},
            ],
            "HTTP 422 business-rule",
        ),
        ([{"severity": "error", "code": "Trần Thị B"}], "HTTP 422"),
        ([{"severity": "error", "code": "TranThiB"}], "HTTP 422"),
        (
            [{"severity": "error", "code": "value", "expression": ["Bundle.entry.where(id='TranThiB')"]}],
            "HTTP 422 value",
        ),
        ([{"severity": "error", "code": "value", "expression": ["TranThiB"]}], "HTTP 422 value"),
        ([{"severity": "error", "code": "value", "expression": [7]}], "HTTP 422 value"),
        ([{"severity": "error", "code": ["value"]}], "HTTP 422"),
        ([7, None], "HTTP 422"),
    ],
)
def test_an_outcome_is_told_by_code_and_place(issues: list[Any], told: str) -> None:
    async def scene() -> None:
        async with against(outcome(*issues)) as (_, destination):
            with pytest.raises(Refused) as caught:
                await destination.deliver(document(system=SYSTEM, value="1"))
            assert caught.value.detail == told

    on_loop(scene)


def test_a_server_that_wants_a_token_says_so() -> None:
    async def scene() -> None:
        async with against(http(401), http(401)) as (_, destination):
            with pytest.raises(LoginRefused, match="token_url"):
                await destination.deliver(document(system=SYSTEM, value="1"))
            with pytest.raises(LoginRefused):
                await destination.find(document(system=SYSTEM, value="1"))

    on_loop(scene)


def test_a_server_that_does_not_keep_to_the_question_proves_nothing() -> None:
    def page(*found: object, **more: Any) -> Reply:
        entries = [{"resource": one} for one in found]
        return http(200, {"resourceType": "Bundle", "type": "searchset", "entry": entries, **more})

    other = {"resourceType": "Bundle", "id": "8", "identifier": {"system": "urn:x", "value": "1"}}

    async def scene() -> None:
        asked = document(system=SYSTEM, value="1")
        unclear = (page(other), page(None), page(total=2), page(link=[{"relation": "next", "url": "x"}]))
        async with against(*unclear, page(entry=3), page()) as (peer, destination):
            for _ in unclear:
                with pytest.raises(CannotAsk):
                    await destination.find(asked)
            with pytest.raises(Unreachable):
                await destination.find(asked)
            assert await destination.find(asked) is None
        assert unquote(peer.requests[0].path) == f"/fhir/Bundle?identifier={SYSTEM}|1&_elements=identifier"

    on_loop(scene)
