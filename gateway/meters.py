"""What this process counts and times, for Prometheus: the meters, and the one way to use them.

A label takes only values that were allowed for it, from configuration or a closed table (`gateway/ops/metrics.py` allows them
at the start); whatever else comes counts as `other`. So what a sender writes can neither make series without end nor bring
data of a patient out (promise P9). Does not know the ledger: what waits there is counted when somebody asks.

Standard: Prometheus, metric and label naming; exposition format 0.0.4
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.metrics import MetricWrapperBase

M = TypeVar("M", Counter, Gauge, Histogram)
OTHER = "other"
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

_SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_LONG = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

MESSAGES = Counter(
    "lienthong_messages",
    "Messages that came in, by what became of them at the door and how the sender was answered (AA, AE, AR).",
    ("channel", "type", "state", "answer"),
    registry=REGISTRY,
)
INTAKE = Histogram(
    "lienthong_intake_seconds",
    "From the last byte of a message to its answer, with the commit between.",
    ("channel",),
    buckets=_SHORT,
    registry=REGISTRY,
)
STEP = Histogram(
    "lienthong_step_seconds",
    "One step of the pipeline, from when it was taken to its commit: map, compose, sign (the seal), complete (proofs put in).",
    ("step",),
    buckets=_LONG,
    registry=REGISTRY,
)
STEP_FAULTS = Counter(
    "lienthong_step_faults",
    "Steps that failed, by the class of the fault: transient ones are tried again, refused ones are for a person.",
    ("step", "fault_class"),
    registry=REGISTRY,
)
DEVICE_VALUES = Counter(
    "lienthong_device_values",
    "Measurements of devices by what became of them: record (taken one by one), waiting (for the others of their window),"
    " window (chosen of one for the record), raw (kept in the message alone, by the rules of site/devices.toml).",
    ("fate",),
    registry=REGISTRY,
)
DELIVERIES = Counter(
    "lienthong_delivery_events",
    "What tries led to (accept, retry, refuse, lose, postpone), with the class of the fault; `none` for a yes.",
    ("destination", "event", "fault_class"),
    registry=REGISTRY,
)
ARRIVED = Counter(
    "lienthong_deliveries_accepted",
    "Deliveries that a destination accepted, before their deadline (in_time) or after it (late).",
    ("destination", "punctual"),
    registry=REGISTRY,
)
DEADLINES = Counter(
    "lienthong_deadline_events",
    "Deliveries of which it was said that their deadline is near (warned) or past (breached).",
    ("destination", "paper", "event"),
    registry=REGISTRY,
)
TASK_DEADLINES = Counter(
    "lienthong_signing_deadline_events",
    "Signing tasks of which it was said that their deadline is near (warned) or past (breached).",
    ("role", "event"),
    registry=REGISTRY,
)
REQUEST = Histogram(
    "lienthong_delivery_request_seconds",
    "One request to a destination, from when it left to when its outcome was kept.",
    ("destination",),
    buckets=_LONG,
    registry=REGISTRY,
)
DOWN = Gauge(
    "lienthong_destination_down",
    "1 while the breaker of a destination is open: one delivery goes first to see.",
    ("destination",),
    registry=REGISTRY,
)
REDIS_AWAY = Gauge(
    "lienthong_redis_away", "1 while Redis does not answer and the ledger alone decides.", registry=REGISTRY
)
GROUP = Histogram(
    "lienthong_store_group_units",
    "Units of work that shared one commit.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
    registry=REGISTRY,
)
COMMIT = Histogram(
    "lienthong_store_commit_seconds",
    "One transaction of the writer, its fsync included.",
    buckets=_SHORT,
    registry=REGISTRY,
)
LOOKUPS = Counter(
    "lienthong_card_lookups",
    "Card look-ups, by what reception does with the answer; also fault (unanswered), stopped (quota), unusual (too many).",
    ("destination", "outcome"),
    registry=REGISTRY,
)
SPANS = Counter(
    "lienthong_trace_spans",
    "Spans of traces that were sent, and that were dropped because they could not be.",
    ("outcome",),
    registry=REGISTRY,
)
LAG = Histogram(
    "lienthong_event_loop_lag_seconds",
    "How much later than asked the event loop came back, looked at twice a second.",
    buckets=_SHORT,
    registry=REGISTRY,
)

_allowed: dict[str, frozenset[str]] = {}


def allow(label: str, values: Iterable[str]) -> None:
    """Let a label take these values too."""
    _allowed[label] = _allowed.get(label, frozenset()) | frozenset(values)


def bounded(label: str, value: str) -> str:
    """Return the value as a label may say it: itself when it is allowed, else `other`."""
    return value if value in _allowed.get(label, ()) else OTHER


def count(meter: Counter, amount: int = 1, /, **labels: str) -> None:
    """Count one, or more."""
    _series(meter, labels).inc(amount)


def observe(meter: Histogram, value: float, **labels: str) -> None:
    """Note how long something took, or how much it was."""
    _series(meter, labels).observe(value)


def show(meter: Gauge, value: float, **labels: str) -> None:
    """Say how something is now."""
    _series(meter, labels).set(value)


_known: dict[tuple[object, ...], MetricWrapperBase] = {}
"""Series that were used before, by meter and allowed values; the library takes several times as long to find one."""


def _series(meter: M, labels: dict[str, str]) -> M:
    if not labels:
        return meter
    allowed: dict[str, str] = {label: bounded(label, value) for label, value in labels.items()}
    key = (meter, *allowed.items())
    if key not in _known:
        _known[key] = meter.labels(**allowed)
    return _known[key]  # type: ignore[return-value]  # a series of a meter is of its type
