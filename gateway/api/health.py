"""Say over HTTP whether the node lives and can keep promises: for container engines and monitoring.

`GET /health` → 200 `{"status": "ok"}` when the ledger can be written, 503 otherwise.
`GET /metrics` → what is counted, as Prometheus reads it; also when the ledger is away.
No patient data; of configuration only names of channels, destinations, roles and the node. Requirement: S2.16.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response

from gateway import __version__
from gateway.api.server import serve
from mappings.formats.faults import Fault


class HealthServer:
    """Serve `/health` and `/metrics` on an address.

    `check` is awaited at every call and raises a Fault when something is wrong; `metrics` gives the page and its media type for
    what the caller accepts.
    """

    def __init__(
        self,
        address: str,
        check: Callable[[], Awaitable[None]],
        metrics: Callable[[str], Awaitable[tuple[bytes, str]]],
    ) -> None:
        self._address = address
        self._check = check
        self._metrics = metrics

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

        @app.get("/metrics")
        async def metrics(request: Request) -> Response:
            body, media_type = await self._metrics(request.headers.get("accept", ""))
            return Response(body, headers={"content-type": media_type})

        return app

    async def run(self, ready: Callable[[str], None]) -> None:
        await serve(self.app(), self._address, ready)
