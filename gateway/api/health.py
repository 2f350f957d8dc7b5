"""Say over HTTP whether the node lives and can keep promises: for container engines and monitoring.

`GET /health` → 200 `{"status": "ok"}` when the ledger can be written, 503 otherwise. No patient data, no configuration.
Requirement: S2.16.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Response

from gateway import __version__
from gateway.api.server import serve
from mappings.formats.faults import Fault


class HealthServer:
    """Serve `/health` on an address; `check` is awaited at every call and raises a Fault when something is wrong."""

    def __init__(self, address: str, check: Callable[[], Awaitable[None]]) -> None:
        self._address = address
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
        await serve(self.app(), self._address, ready)
