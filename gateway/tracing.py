"""One trace for one message, from its frame to the receipts of its papers, over hours and nodes, as OpenTelemetry has it.

Nothing of a trace is stored: the trace of a message is its id, 128 bits that are as random as a trace's have to be, and what
everybody refers to (the message, a paper, a delivery) has an identifier that follows from its own id. So any node can add to a
trace at any time, and whoever has a message's id has its trace. Spans are handed over when they have ended, with what the
ledger knows of their times; the three that last long come when they are complete.

    message            the frame to the answer
    ├─ map             each time
    └─ paper           from the event to the last signature; what people signed are its events
       ├─ compose, sign, complete
       └─ delivery     from when it was made to the destination's yes
          └─ attempt   each request

Attributes are ids, names of configuration, types, states and codes of faults: nothing of a patient (promise P9). Spans that
cannot be sent are dropped and counted; nothing waits for them. Off unless `[trace]` names an endpoint.

Standard: OpenTelemetry Specification, Trace; OTLP/HTTP; W3C Trace Context level 2 §3.2.2.3
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from gateway import __version__
from mappings.formats.faults import Fault

if TYPE_CHECKING:  # a node that does not trace need not load it
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor

Kind = Literal["internal", "server", "client"]
_TAIL = (1 << 48) - 1
"""The bits of a trace id that are random in every key of the ledger (those above count within a millisecond), by which a share
of traces is chosen."""


@dataclass(frozen=True)
class Moment:
    """Something that happened within a span."""

    name: str
    at: int
    attributes: Mapping[str, str | int]


class Tracer:
    """Takes spans; one without a processor takes none."""

    def __init__(self, processor: SpanProcessor | None = None, node: str = "", share: float = 1.0) -> None:
        self._processor = processor
        self._bound = round(share * (_TAIL + 1))
        self._node = node

    def wants(self, message_id: str) -> bool:
        """Tell whether the trace of a message is kept; every node says the same."""
        return self._processor is not None and trace_id(message_id) & _TAIL < self._bound

    def span(
        self,
        message_id: str,
        name: str,
        start: int,
        end: int,
        attributes: Mapping[str, str | int],
        *,
        key: str = "",
        parent: str = "",
        kind: Kind = "internal",
        moments: Sequence[Moment] = (),
        fault: Fault | None = None,
    ) -> None:
        """Hand over a span of a message's trace that has ended; instants are stored ones.

        `key` is what it is known by to those below it, `parent` the key of what it is below.
        """
        if self._processor is None or not self.wants(message_id):
            return
        from opentelemetry.sdk.trace import Event, ReadableSpan
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

        told = dict(attributes)
        status = Status(StatusCode.UNSET)
        if fault is not None:
            told |= {"lienthong.fault": f"LT{fault.code:04d}", "lienthong.fault_class": fault.fault_class.value}
            status = Status(StatusCode.ERROR, type(fault).__name__)
        trace = trace_id(message_id)

        def context(span_id: int) -> SpanContext:
            return SpanContext(trace, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

        kinds = {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER, "client": SpanKind.CLIENT}
        self._processor.on_end(
            ReadableSpan(
                name,
                context(span_id(key) if key else int.from_bytes(os.urandom(8), "big") or 1),
                context(span_id(parent)) if parent else None,
                _resource(self._node),
                told,
                [Event(one.name, dict(one.attributes), one.at * 1000) for one in moments],
                kind=kinds[kind],
                status=status,
                start_time=start * 1000,
                end_time=max(start, end) * 1000,
                instrumentation_scope=InstrumentationScope("lienthong", __version__),
            )
        )

    async def close(self) -> None:
        """Send what waits, for a few seconds at most."""
        if self._processor is not None:
            await asyncio.to_thread(self._processor.shutdown)


OFF = Tracer()


def open_tracer(endpoint: str, token: str, share: float, node: str) -> Tracer:
    """Give the tracer of a node; an empty endpoint gives one that takes nothing."""
    if not endpoint:
        return OFF
    from gateway.tracing_export import Processor

    return Tracer(Processor(endpoint, token), node, share)


def trace_id(message_id: str) -> int:
    """Give the id of a message's trace: the message's own."""
    return UUID(message_id).int


def span_id(key: str) -> int:
    """Give the id that follows from a key, such as `delivery/<id>`."""
    return int.from_bytes(hashlib.sha256(f"lienthong/{key}".encode()).digest()[:8], "big") or 1


@cache
def _resource(node: str) -> Resource:
    from opentelemetry.sdk.resources import Resource

    return Resource({"service.name": "lienthong", "service.version": __version__, "service.instance.id": node})
