"""Say over HTTP whether the node lives and can keep promises: for container engines and monitoring.

`GET /health` → 200 `{"status": "ok"}` when the ledger can be written, 503 otherwise. No patient data, no configuration.
Requirement: S2.16.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import uvicorn
from fastapi import FastAPI, Response

from gateway import __version__
from mappings.formats.faults import Fault
from mappings.formats.values import parse_address


class HealthServer:
    """Serve `/health` on an address; `check` is awaited at every call and raises a Fault when something is wrong."""

    def __init__(self, address: str, check: Callable[[], Awaitable[None]]) -> None:
        self._host, self._port = parse_address(address)
        self._check = check

    def app(self) -> FastAPI:
        app = FastAPI(title="Liên Thông", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)

        @app.get("/health")
        async def health(response: Response) -> dict[str, str]:
            try:
                await self._check()
            except Fault as fault:
                response.status_code = 503
                return {"status": "failing", "fault": f"LT{fault.code}"}
            return {"status": "ok", "version": __version__}

        return app

    async def run(self, ready: Callable[[str], None]) -> None:
        config = uvicorn.Config(self.app(), self._host, self._port, log_config=None, access_log=False, lifespan="off")
        server = _Server(config)
        serving = asyncio.create_task(server.serve())
        try:
            while not server.started:
                if serving.done():
                    await serving
                    return
                await asyncio.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            ready(f"{self._host}:{port}")
            await serving
        finally:
            server.should_exit = True
            await asyncio.shield(serving)


class _Server(uvicorn.Server):
    """A server that leaves signals to the node."""

    def install_signal_handlers(self) -> None:
        return
