"""The sandbox's remote signing service beside tests that are not asynchronous: in a thread, until the context ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from conformance.sandbox.faults import Action, Rule
from conformance.sandbox.holders import DEMO_HOLDERS, KeyKind
from conformance.sandbox.remote_credentials import RemoteCredential, Terms
from conformance.sandbox.server import USER, Sandbox
from mappings.formats.values import Secret
from signing.testing import AnyMemoryKey, EllipticMemoryKey, MemoryKey
from tests.integration.sandbox.peer import PASSWORD, SETTINGS

PIN = Secret("24682468")


class RemoteService:
    """A running sandbox whose signing service tests fill and break."""

    def __init__(self, sandbox: Sandbox, loop: asyncio.AbstractEventLoop) -> None:
        self.sandbox = sandbox
        self.loop = loop

    @property
    def url(self) -> str:
        return f"{self.sandbox.csc_url}/csc/v2"

    def add(self, key: KeyKind = "rsa2048", *, code: bool = True, multisign: int = 50) -> RemoteCredential:
        terms = Terms(USER, PIN, one_time_code=code, multisign=multisign)
        return self.sandbox.credentials.add(DEMO_HOLDERS["doctor"], terms, key=key)

    def fail(self, action: Action | None, code: str | None = None, **more: Any) -> None:
        """Play this failure and no other; None: none."""

        async def change() -> None:
            self.sandbox.faults.clear()
            if action is not None:
                self.sandbox.faults.add(Rule("csc", action, code=code, **more))
            await self.sandbox.settle()

        asyncio.run_coroutine_threadsafe(change(), self.loop).result(timeout=20)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody answers."""
        self.fail(Action.DOWN)
        try:
            yield
        finally:
            self.fail(None)

    def options(self, credential: RemoteCredential) -> dict[str, object]:
        """Settings of the key kind `remote`."""
        login: dict[str, object] = {"client_id": USER, "client_secret": Secret(PASSWORD)}
        return {"url": self.url, "credential": credential.identifier, "pin": PIN, **login}


def held_key(credential: RemoteCredential) -> AnyMemoryKey:
    """The same key in the test's hand."""
    held = credential.held
    chain = (held.certificate, *held.chain)
    return MemoryKey(held.key, chain) if isinstance(held.key, rsa.RSAPrivateKey) else EllipticMemoryKey(held.key, chain)


@contextmanager
def remote_service() -> Iterator[RemoteService]:
    ready, over = threading.Event(), asyncio.Event()
    made: list[RemoteService] = []

    async def main() -> None:
        async with Sandbox(SETTINGS) as sandbox:
            made.append(RemoteService(sandbox, asyncio.get_running_loop()))
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="sandbox")
    thread.start()
    assert ready.wait(timeout=30)
    try:
        yield made[0]
    finally:
        made[0].loop.call_soon_threadsafe(over.set)
        thread.join()
