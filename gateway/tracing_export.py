"""Send spans by OTLP/HTTP, a batch at a time, from a thread of its own; what cannot be sent is dropped, counted and told once.

Loaded only by a node that traces. Does not try a batch twice: a trace is nice to have.

Standard: OpenTelemetry Protocol 1.x, OTLP/HTTP with binary Protobuf
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import httpx
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from gateway import meters

log = logging.getLogger("lienthong.trace")

TIMEOUT_S = 3.0
QUEUE = 8192
"""Spans that wait to be sent, at most; more are dropped."""
_EVERY_MS = 2000.0
_BATCH = 512


class Exporter(SpanExporter):
    """Posts spans to an endpoint."""

    def __init__(self, endpoint: str, token: str) -> None:
        bearer = {"authorization": f"Bearer {token}"} if token else {}
        headers = {"content-type": "application/x-protobuf", **bearer}
        self._client = httpx.Client(headers=headers, timeout=TIMEOUT_S, trust_env=False)
        self._endpoint = endpoint
        self._failing = False
        self._closing = False

    def hurry(self) -> None:
        """Try nothing more once something fails."""
        self._closing = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._closing and self._failing:
            return self._dropped(spans)
        try:
            answer = self._client.post(self._endpoint, content=encode_spans(spans).SerializeToString())
            answer.raise_for_status()
        except Exception as error:  # noqa: BLE001 - whatever it is, the work goes on
            if not self._failing:
                log.warning("traces cannot be sent (%s); they are dropped", type(error).__name__)
            self._failing = True
            return self._dropped(spans)
        if self._failing:
            log.warning("traces are sent again")
        self._failing = False
        meters.count(meters.SPANS, len(spans), outcome="sent")
        return SpanExportResult.SUCCESS

    def _dropped(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        meters.count(meters.SPANS, len(spans), outcome="dropped")
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self._client.close()


class Processor(BatchSpanProcessor):
    """Collects spans for an endpoint; does not wait long at the end for one that is away."""

    def __init__(self, endpoint: str, token: str) -> None:
        self._own = Exporter(endpoint, token)
        super().__init__(self._own, QUEUE, _EVERY_MS, _BATCH)
        logging.getLogger("opentelemetry").setLevel(
            logging.CRITICAL
        )  # it would say of every span that there is no room

    def shutdown(self) -> None:
        self._own.hurry()
        super().shutdown()  # type: ignore[no-untyped-call]
