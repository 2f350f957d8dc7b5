"""The FHIR server creates, finds and reads as FHIR R4 says, keeps every digit, and refuses with an OperationOutcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from conformance.sandbox.ca import DemoCA, Identity
from conformance.sandbox.faults import Action, Rule
from conformance.sandbox.server import USER, Sandbox
from tests.integration.sandbox.peer import SETTINGS, SYSTEM, FhirClient, bundle, sign_bundle, write

Scene = Callable[[Sandbox, FhirClient, Identity], Awaitable[None]]


def play(scene: Scene) -> None:
    async def run() -> None:
        async with asyncio.timeout(60), Sandbox(SETTINGS) as sandbox, httpx.AsyncClient(trust_env=False) as http:
            client = FhirClient(sandbox, http)
            await client.login()
            await scene(sandbox, client, sandbox.ca.issue("Bệnh viện"))

    asyncio.run(run())


def issue(response: httpx.Response) -> tuple[int, str]:
    outcome = response.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert response.headers["content-type"].startswith("application/fhir+json")
    return response.status_code, outcome["issue"][0]["code"]


def test_create_gives_an_identity_of_its_own_and_keeps_the_rest() -> None:
    async def scene(sandbox: Sandbox, client: FhirClient, signer: Identity) -> None:
        body = sign_bundle(bundle(), signer)
        made = await client.create(body)
        assert made.status_code == 201
        assert made.headers["etag"] == 'W/"1"'
        assert made.headers["last-modified"].endswith("GMT")
        path = made.headers["location"].removeprefix(sandbox.fhir_url)
        read = await client.get(path.removesuffix("/_history/1"))
        assert read.content == made.content == (await client.get(path)).content
        assert b'"value":4.50' in read.content
        kept: dict[str, Any] = read.json()
        assert path == f"/Bundle/{kept.pop('id')}/_history/{kept.pop('meta')['versionId']}"
        assert kept == httpx.Response(200, content=body).json()
        assert issue(await client.get("/Bundle/none")) == (404, "not-found")
        assert issue(await client.get(f"{path[:-1]}2")) == (404, "not-found")
        assert sandbox.records.all()[0].signers == ("Bệnh viện",)

    play(scene)


def test_create_on_condition_makes_one() -> None:
    async def scene(sandbox: Sandbox, client: FhirClient, signer: Identity) -> None:
        body, condition = sign_bundle(bundle(), signer), {"If_None_Exist": f"identifier={SYSTEM}|1"}
        first = await client.create(body, **condition, Prefer="return=minimal")
        again = await client.create(body, **condition)
        assert (first.status_code, first.content, again.status_code) == (201, b"", 200)
        assert first.headers["location"] == again.headers["location"]
        assert sandbox.records.counts("fhir_rest") == {"accepted": 1, "repeats": 1, "refused": 0}
        outcome = await client.create(body, **condition, Prefer="return=OperationOutcome")
        assert issue(outcome) == (200, "informational")
        assert (await client.create(body)).status_code == 201  # without a condition there are two
        assert issue(await client.create(body, **condition)) == (412, "multiple-matches")
        assert issue(await client.create(body, If_None_Exist="subject=1")) == (400, "not-supported")
        assert issue(await client.create(body, If_None_Exist="identifier=")) == (400, "invalid")

    play(scene)


def test_search_by_identifier() -> None:
    async def scene(sandbox: Sandbox, client: FhirClient, signer: Identity) -> None:
        for value in ("1", "2", "a|b"):
            assert (await client.create(sign_bundle(bundle(value), signer))).status_code == 201

        async def values(query: str) -> list[str]:
            found = (await client.get(f"/Bundle?{query}")).json()
            assert (found["resourceType"], found["type"]) == ("Bundle", "searchset")
            assert {entry["search"]["mode"] for entry in found.get("entry", ())} <= {"match"}
            assert found["total"] == len(found.get("entry", ()))
            return [entry["resource"]["identifier"]["value"] for entry in found.get("entry", ())]

        assert await values(f"identifier={SYSTEM}|2") == ["2"]
        assert await values("identifier=2") == ["2"]
        assert await values(f"identifier={SYSTEM}|") == ["1", "2", "a|b"]
        assert await values(f"identifier={SYSTEM}|a\\|b") == ["a|b"]
        assert await values("identifier=|2") == []
        assert await values("identifier=urn:other|2") == []
        assert await values("") == ["1", "2", "a|b"]
        few = (await client.get("/Bundle?identifier=1&_elements=identifier&colour=red")).json()
        (entry,) = few["entry"]
        assert entry["resource"].keys() == {"resourceType", "id", "meta", "type", "identifier"}
        assert entry["resource"]["meta"]["tag"][0]["code"] == "SUBSETTED"
        assert "colour" not in few["link"][0]["url"]
        assert issue(await client.get("/Bundle?colour=red", Prefer="handling=strict")) == (400, "not-supported")
        counted = (await client.get("/Bundle?_summary=count")).json()
        assert (counted["total"], "entry" in counted) == (3, False)

    play(scene)


def test_every_refusal() -> None:
    async def scene(sandbox: Sandbox, client: FhirClient, signer: Identity) -> None:
        good = sign_bundle(bundle(), signer)
        stranger = DemoCA(sandbox.ca.folder.parent / "other").issue("Bệnh viện")
        plain: dict[str, Any] = bundle()
        cases: list[tuple[int, str, bytes, dict[str, str]]] = [
            (400, "structure", b"{", {}),
            (400, "structure", b'{"resourceType":"Patient"}', {}),
            (415, "not-supported", good, {"Content_Type": "text/plain"}),
            (422, "business-rule", write({**plain, "type": "collection"}), {}),
            (422, "invariant", write({**plain, "identifier": {"value": "1"}}), {}),
            (422, "invariant", write({name: value for name, value in plain.items() if name != "timestamp"}), {}),
            (422, "invariant", write({**plain, "entry": plain["entry"][::-1]}), {}),
            (422, "business-rule", write(plain), {}),
            (422, "business-rule", good.replace(b"4.50", b"4.51"), {}),
            (422, "business-rule", good.replace(b"4.50", b"4.5"), {}),
            (422, "business-rule", good.replace("Bệnh viện".encode(), "Phòng khám".encode()), {}),
            (422, "business-rule", sign_bundle(bundle(), stranger), {}),
            (401, "login", good, {"Authorization": "Bearer x"}),
        ]
        for number, (status, code, body, headers) in enumerate(cases):
            assert issue(await client.create(body, **headers)) == (status, code), number
        assert sandbox.records.counts("fhir_rest")["accepted"] == 0
        assert (await client.login("sai")).json() == {"error": "invalid_client"}

    play(scene)


def test_token_by_basic_and_the_capability_statement() -> None:
    async def scene(sandbox: Sandbox, client: FhirClient, signer: Identity) -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            form = {"grant_type": "client_credentials"}
            told = await http.post(sandbox.fhir_url + "/token", data=form, auth=(USER, "sai"))
            assert told.status_code == 401
            wrong = await http.post(sandbox.fhir_url + "/token", data={"grant_type": "password"})
            assert wrong.json() == {"error": "unsupported_grant_type"}
            statement = (await http.get(sandbox.fhir_url + "/metadata")).json()
            assert statement["fhirVersion"] == "4.0.1"
            assert statement["rest"][0]["resource"][0]["conditionalCreate"] is True

    play(scene)


def test_the_fault_plan_acts_here_too() -> None:
    async def scene(sandbox: Sandbox, client: FhirClient, signer: Identity) -> None:
        body = sign_bundle(bundle(), signer)
        for action, status in ((Action.THROTTLE, 429), (Action.UNAVAILABLE, 503), (Action.HTTP_500, 500)):
            sandbox.faults.clear()
            sandbox.faults.add(Rule("fhir_rest", action, retry_after_s=3))
            response = await client.create(body)
            assert response.status_code == status
            assert response.headers.get("retry-after") == (None if status == 500 else "3")
        sandbox.faults.clear()
        sandbox.faults.add(Rule("fhir_rest", Action.REFUSE, code="duplicate"))
        assert issue(await client.create(body)) == (422, "duplicate")
        assert sandbox.records.counts("fhir_rest") == {"accepted": 0, "repeats": 0, "refused": 1}

    play(scene)
