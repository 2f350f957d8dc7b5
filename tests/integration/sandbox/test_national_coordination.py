"""The coordination system takes a document once under its key and answers every bad call in its own form."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable

import httpx

from conformance.sandbox.ca import Identity
from conformance.sandbox.codes import COORDINATION
from conformance.sandbox.server import Sandbox
from tests.integration.sandbox.peer import SETTINGS, CoordinationClient, cda, sign

Scene = Callable[[Sandbox, CoordinationClient, Identity], Awaitable[None]]


def play(scene: Scene) -> None:
    async def run() -> None:
        async with Sandbox(SETTINGS) as sandbox, httpx.AsyncClient(trust_env=False) as http:
            client = CoordinationClient(sandbox, http)
            await client.login()
            await scene(sandbox, client, sandbox.ca.issue("Bác sĩ B"))

    asyncio.run(run())


def test_one_key_one_document() -> None:
    async def scene(sandbox: Sandbox, client: CoordinationClient, signer: Identity) -> None:
        key, body = str(uuid.uuid4()), sign(cda(), signer)
        first, again = await client.send(body, key), await client.send(body, key.upper())
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json() == (await client.find(key)).json()
        other = await client.send(sign(cda("2"), signer), key)
        assert (other.status_code, other.json()["code"]) == (409, "KEY_REUSED")
        unknown = await client.find(str(uuid.uuid4()))
        assert (unknown.status_code, unknown.json()["code"]) == (404, "NOT_FOUND")
        assert sandbox.records.counts("national_coordination") == {"accepted": 1, "repeats": 1, "refused": 1}

    play(scene)


def test_every_refusal() -> None:
    async def scene(sandbox: Sandbox, client: CoordinationClient, signer: Identity) -> None:
        good = sign(cda(), signer)
        changed = good.replace(b'extension="1"', b'extension="2"')
        assert changed != good
        cases: list[tuple[int, str, bytes, dict[str, str]]] = [
            (422, "NOT_A_DOCUMENT", b"<ClinicalDocument", {}),
            (422, "NOT_A_DOCUMENT", sign("<ClinicalDocument/>", signer), {}),
            (422, "SIGNATURE_MISSING", cda().encode(), {}),
            (422, "SIGNATURE_INVALID", changed, {}),
            (400, "DIGEST_MISMATCH", good, {"Digest": "sha-256=x"}),
            (400, "BAD_REQUEST", good, {"Idempotency_Key": "1"}),
            (400, "BAD_REQUEST", good, {"X_Document_Type": ""}),
            (403, "SENDER_MISMATCH", good, {"X_Sender": "01001"}),
            (415, "UNSUPPORTED_MEDIA_TYPE", good, {"Content_Type": "text/plain"}),
            (401, "UNAUTHENTICATED", good, {"Authorization": "Bearer x"}),
        ]
        for status, code, body, headers in cases:
            response = await client.send(body, str(uuid.uuid4()), **headers)
            assert (response.status_code, response.json()) == (status, {"code": code, "message": COORDINATION[code]})
        assert (await client.login("wrong")).status_code == 401

    play(scene)
