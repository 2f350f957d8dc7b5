"""A sandbox for tests of its trust services, and OpenSSL to judge them: another process, so the sandbox's loop must run on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from conformance.sandbox.faults import Action, Rule
from conformance.sandbox.holders import Credential
from conformance.sandbox.server import Sandbox
from tests.integration.sandbox.peer import SETTINGS, Clock

Scene = Callable[["Bench"], Awaitable[None]]


class Bench:
    """One running sandbox, a client, and files for OpenSSL."""

    def __init__(self, sandbox: Sandbox, http: httpx.AsyncClient, folder: Path) -> None:
        self.sandbox = sandbox
        self.http = http
        self.folder = folder
        self.root = self.file("root.pem", sandbox.ca.certificate)
        self.issuing = self.file("issuing.pem", sandbox.authority.issuing.certificate)

    def file(self, name: str, content: bytes | x509.Certificate | Credential) -> str:
        path = self.folder / name
        if isinstance(content, x509.Certificate):
            content = content.public_bytes(Encoding.PEM)
        path.write_bytes(content.pem if isinstance(content, Credential) else content)
        return str(path)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    async def openssl(self, *arguments: str) -> tuple[int, str]:
        """Run it; return its status and all it said."""
        process = await asyncio.create_subprocess_exec(
            "openssl", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode(errors="replace")

    async def ocsp(self, certificate: str, *more: str, issuer: str = "") -> str:
        """Ask with OpenSSL and return all it said."""
        asked = ("-issuer", issuer or self.issuing, "-cert", certificate, "-url", self.sandbox.ocsp_url)
        _, said = await self.openssl("ocsp", *asked, "-CAfile", self.root, *more)
        return said

    def distort(self, destination: str, code: str, **more: Any) -> None:
        self.sandbox.faults.clear()
        self.sandbox.faults.add(Rule(destination, Action.DISTORT, code=code, **more))

    async def admin(self, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """POST with a body, GET without."""
        url = f"{self.sandbox.admin_url}/_sandbox/{path}"
        return await (self.http.get(url) if body is None else self.http.post(url, json=body))


def play(scene: Scene, place: Path, *, clock: Clock | None = None, **settings: Any) -> None:
    async def run() -> None:
        chosen = replace(SETTINGS, **settings)
        async with (
            Sandbox(chosen, clock=clock) if clock else Sandbox(chosen) as sandbox,
            httpx.AsyncClient(trust_env=False, timeout=30) as http,
        ):
            await scene(Bench(sandbox, http, place))

    asyncio.run(run())
