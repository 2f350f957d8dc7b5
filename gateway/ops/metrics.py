"""What `GET /metrics` says: what this process counted, and what waits in the ledger that all nodes share.

The ledger is asked at most every few seconds, and more seldom the longer it takes; a ledger that is away says so, and what the
process counted is there all the same. Gauges of the ledger are the same on every node: take the maximum over nodes, not the
sum. Alarms are somebody else's: these are the numbers they are made of.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy.engine import Connection

from connectors.contract import Fetching
from gateway import __version__, lab_steps, meters
from gateway.cards.quota import row_name
from gateway.certificates.notices import DAY, DAYS
from gateway.clock import SECOND, Clock
from gateway.faults import StoreFault
from gateway.intake import UNSTORED
from gateway.membership import overview
from gateway.queries import TRIGGERS
from gateway.settings import Plan
from gateway.states import DELIVERY, DOCUMENT, MESSAGE, NODE, OPEN_DELIVERY, SIGNING_TASK, events, states
from gateway.store import deadlines, destinations, gauges, lab, lab_calls
from gateway.store.engine import Store
from mappings.bhyt.card import Step
from mappings.documents import DOCUMENTS
from mappings.formats.faults import FaultClass
from mappings.hl7v2 import mappers
from mappings.hl7v2.card_query import REQUEST
from signing.policy import SEAL

FRESH_S = 5.0
"""How old numbers of the ledger may be."""
SHARE = 0.02
"""Of a reader's time that counting may take, at most."""
PICKUP: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "lienthong_source_away": (
        "1 while the folder, server, analyser or serial line that this node fetches from or calls is away.", ("channel",),
    ),
    "lienthong_source_files": (
        "Files in that place: seen (not known to be whole yet), waiting (could not be taken, tried again), stuck (taken, but "
        "cannot be put away).", ("channel", "state"),
    ),
}  # fmt: skip
"""Gauge of this process → what it means, its labels."""
PICKUP_STATES = ("seen", "waiting", "stuck")
KINDS = ("message", "document", "delivery", "commitment", "lab_call")
STEPS = ("map", "compose", "sign", "complete")

LEDGER: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "lienthong_node_info": ("Always 1; who this is.", ("node", "version")),
    "lienthong_ledger_up": ("1 when the ledger answered, else 0 and nothing else of it is said.", ()),
    "lienthong_ledger_count_seconds": ("How long counting in the ledger took.", ()),
    "lienthong_nodes": ("Nodes on this ledger; silent ones should live and say nothing.", ("state",)),
    "lienthong_scheduler_led": ("1 while a node leads: it does what is done once for all nodes.", ()),
    "lienthong_messages_waiting": ("Messages that are not mapped yet.", ()),
    "lienthong_messages_oldest_seconds": ("Since the oldest message came that is not mapped yet; 0 = none.", ()),
    "lienthong_documents_waiting": ("Papers to compose (due), to seal (composed) or to complete (proving).", ("state",)),
    "lienthong_deliveries_open": ("Deliveries that have not arrived and can still go by themselves.", ("destination", "state")),
    "lienthong_deliveries_oldest_seconds": (
        "Since the oldest delivery was made that may go or is under way; 0 = none. Without those that wait for signatures.",
        ("destination",),
    ),
    "lienthong_deliveries_in_flight": ("Deliveries that a node holds: claimed, on the wire, or asked about.", ("destination",)),
    "lienthong_deliveries_by_deadline": (
        "Deliveries that have not arrived and are near their deadline (near) or past it (past).", ("destination", "deadline"),
    ),
    "lienthong_destination_paused": ("1 while a destination, or its card look-ups, waits for a person.", ("destination",)),
    "lienthong_critical_values_open": ("Critical laboratory values that nobody has acknowledged.", ()),
    "lienthong_instrument_orders_waiting": ("Orders that an instrument is to be told unasked.", ("channel",)),
    "lienthong_instrument_orders_oldest_seconds": ("Since the oldest of them changed; 0 = none.", ("channel",)),
    "lienthong_critical_values_oldest_seconds": ("Since the oldest of them was raised; 0 = none.", ()),
    "lienthong_error_queue": ("What waits for a person: faults (error) and what a person holds (held).", ("kind", "state")),
    "lienthong_signing_tasks": ("Signatures that are waited for.", ("role", "state")),
    "lienthong_certificates_ending": ("Certificates in use that end within so many days; 0 days = ended.", ("days",)),
}  # fmt: skip
"""Gauge → what it means, its labels."""
NODE_STATES = (*sorted(states(NODE)), "silent")
_MOVING = ("queued", "claimed", "sending", "uncertain")


def know(plan: Plan) -> None:
    """Allow labels what configuration and the tables of states name."""
    faults = {one.value for one in FaultClass} | {"none"}
    named: Mapping[str, Iterable[str]] = {
        "channel": (channel.settings.name for channel in plan.channels),
        "type": (*mappers(), *TRIGGERS, REQUEST, *lab_steps.TYPES),
        "state": {"answered", "duplicate", UNSTORED, *NODE_STATES, *PICKUP_STATES}.union(
            *map(states, (MESSAGE, DOCUMENT, DELIVERY, SIGNING_TASK))
        ),
        "answer": ("AA", "AE", "AR"),
        "step": STEPS,
        "fault_class": faults,
        "destination": (*plan.routes, *map(row_name, _with_cards(plan))),
        "event": events(DELIVERY) | {"postpone", "warned", "breached"},
        "punctual": ("in_time", "late"),
        "deadline": ("near", "past"),
        "outcome": ("sent", "dropped", "fault", "stopped", "unusual", *Step),
        "kind": KINDS,
        "role": {*plan.policies.roles, *(role for s in plan.signers.values() for role in s.settings.roles), SEAL},
        "days": map(str, (0, *DAYS)),
        "paper": DOCUMENTS,
        "node": (plan.node.name,),
        "version": (__version__,),
    }  # fmt: skip
    for label, values in named.items():
        meters.allow(label, values)


@dataclass
class Metrics:
    """Everything that is said of one node."""

    plan: Plan
    store: Store
    clock: Clock
    fetching: Mapping[str, Fetching] = field(default_factory=dict)
    """Channel → its source, of those that fetch."""

    def __post_init__(self) -> None:
        know(self.plan)
        self._ledger: list[Metric] = []
        self._stale_at = 0.0
        self._asking = asyncio.Lock()

    async def page(self, accept: str = "") -> tuple[bytes, str]:
        """Give the page, in the format that the caller reads, and its media type."""
        await self._count()
        encode, media_type = choose_encoder(accept)
        registry = CollectorRegistry()
        registry.register(_Given((*meters.REGISTRY.collect(), *self._of_places(), *self._ledger)))
        return encode(registry), media_type

    def _of_places(self) -> Iterator[Metric]:
        counts = {channel: source.counts() for channel, source in self.fetching.items()}
        yield _family("lienthong_source_away", {(channel,): counts[channel].get("away", 0) for channel in counts})
        yield _family(
            "lienthong_source_files",
            {(channel, state): counts[channel].get(state, 0) for channel in counts for state in PICKUP_STATES},
        )

    async def _count(self) -> None:
        async with self._asking:
            if time.monotonic() < self._stale_at:
                return
            started = time.monotonic()
            now = self.clock.now()
            try:
                found = list(await self.store.read(lambda connection: list(self._of_ledger(connection, now))))
                up = True
            except StoreFault:
                found, up = [], False
            took = time.monotonic() - started
            node = _family("lienthong_node_info", {(self.plan.node.name, __version__): 1})
            ledger = _family("lienthong_ledger_up", {(): float(up)})
            self._ledger = [node, ledger, _family("lienthong_ledger_count_seconds", {(): took}), *found]
            self._stale_at = time.monotonic() + max(FRESH_S, took / SHARE)

    def _of_ledger(self, connection: Connection, now: int) -> Iterator[Metric]:
        known = overview(connection, now)
        counted = Counter("silent" if one["silent"] else one["state"] for one in known)
        yield _family("lienthong_nodes", {(state,): counted[state] for state in NODE_STATES})
        yield _family("lienthong_scheduler_led", {(): float(any(one["leads"] for one in known))})
        waiting, since = gauges.waiting_messages(connection)
        yield _family("lienthong_messages_waiting", {(): waiting})
        yield _family("lienthong_messages_oldest_seconds", {(): _age(since, now)})
        documents = {row.state: row.n for row in gauges.waiting_documents(connection)}
        yield _family(
            "lienthong_documents_waiting",
            {(state,): documents.get(state, 0) for state in ("due", "composed", "proving")},
        )
        yield from self._of_deliveries(connection, now)
        wrong: dict[tuple[str, ...], float] = dict.fromkeys(((kind, "error") for kind in KINDS), 0)
        wrong |= {(kind, state): n for kind, state, n in gauges.wrong(connection)}
        yield _family("lienthong_error_queue", wrong)
        calls = {channel: (n, since) for channel, n, since in lab_calls.waiting(connection)}
        told = [one.settings.name for one in self.plan.channels if one.settings.instrument]
        counts = {(name,): calls.get(name, (0, 0)) for name in told}
        yield _family("lienthong_instrument_orders_waiting", {name: n for name, (n, _) in counts.items()})
        ages: dict[tuple[str, ...], float] = {name: _age(since, now) if n else 0 for name, (n, since) in counts.items()}
        yield _family("lienthong_instrument_orders_oldest_seconds", ages)
        critical, raised = lab.open_values(connection)
        yield _family("lienthong_critical_values_open", {(): critical})
        yield _family("lienthong_critical_values_oldest_seconds", {(): _age(raised, now) if raised else 0})
        tasks = gauges.open_tasks(connection)
        yield _family("lienthong_signing_tasks", _summed(((row.role, row.state), row.n) for row in tasks))
        days = (0, *sorted(DAYS))
        ending = gauges.ending_certificates(connection, [now + n * DAY for n in days])
        yield _family(
            "lienthong_certificates_ending", {(str(n),): found for n, found in zip(days, ending, strict=True)}
        )

    def _of_deliveries(self, connection: Connection, now: int) -> Iterator[Metric]:
        rows = gauges.open_deliveries(connection)
        none: dict[tuple[str, ...], float] = {(to, state): 0 for to in self.plan.routes for state in OPEN_DELIVERY}
        yield _family(
            "lienthong_deliveries_open", none | _summed(((row.destination, row.state), row.n) for row in rows)
        )
        oldest: dict[tuple[str, ...], float] = {(to,): 0.0 for to in self.plan.routes}
        for row in rows:
            if row.state in _MOVING and row.destination in self.plan.routes:
                oldest[(row.destination,)] = max(oldest[(row.destination,)], _age(row.since, now))
        yield _family("lienthong_deliveries_oldest_seconds", oldest)
        flying = {row.destination: row.n for row in gauges.in_flight(connection, now)}
        yield _family("lienthong_deliveries_in_flight", {(to,): flying.get(to, 0) for to in self.plan.routes})
        clocks = {row.destination: row for row in deadlines.counts(connection, now)}
        yield _family(
            "lienthong_deliveries_by_deadline",
            {
                (to, which): getattr(clocks[to], which) if to in clocks else 0
                for to in self.plan.routes
                for which in ("near", "past")
            },
        )
        paused = {row.name for row in destinations.listing(connection) if row.paused_at is not None}
        stoppable = (*self.plan.routes, *map(row_name, _with_cards(self.plan)))
        yield _family("lienthong_destination_paused", {(to,): float(to in paused) for to in stoppable})


def _with_cards(plan: Plan) -> list[str]:
    return [name for name, route in plan.routes.items() if route.looks_up_cards]


async def watch_loop(every_s: float = 0.5) -> None:
    """Measure until cancelled how promptly the event loop answers."""
    loop = asyncio.get_running_loop()
    while True:
        before = loop.time()
        await asyncio.sleep(every_s)
        meters.observe(meters.LAG, max(0.0, loop.time() - before - every_s))


class _Given(Collector):
    """Say what is given."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _family(name: str, values: Mapping[tuple[str, ...], float]) -> Metric:
    text, labels = LEDGER.get(name) or PICKUP[name]
    family = GaugeMetricFamily(name, text, labels=labels)
    bounded = (
        (tuple(meters.bounded(label, said) for label, said in zip(labels, key, strict=True)), value)
        for key, value in values.items()
    )
    for key, value in _summed(bounded).items():
        family.add_metric(key, value)
    return family


def _summed(found: Iterable[tuple[tuple[str, ...], float]]) -> dict[tuple[str, ...], float]:
    total: dict[tuple[str, ...], float] = {}
    for key, value in found:
        total[key] = total.get(key, 0) + value
    return total


def _age(since: int | None, now: int) -> float:
    return 0.0 if since is None else max(0.0, (now - since) / SECOND)
