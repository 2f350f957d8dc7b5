"""The composition root: the only place that wires leaves to rooms, and the life of one node."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connectors.contract import Destination, Fetching, LooksUpCards, Seal, Source
from connectors.kinds import load_destination, load_source
from gateway import accounts
from gateway.api.health import HealthServer
from gateway.cards.desk import CardDesk
from gateway.certificates import notices
from gateway.certificates.desk import Desk
from gateway.clock import SECOND, Clock, SystemClock, Watched
from gateway.delivery.deadlines import Watch
from gateway.delivery.observed import Observed
from gateway.delivery.redis_queue import RedisQueue
from gateway.delivery.sql_queue import SqlQueue
from gateway.delivery.worker import Worker
from gateway.device_windows import DeviceWindows
from gateway.faults import StoreFault
from gateway.image_reading import ImageReading
from gateway.instrument_intake import InstrumentIntake
from gateway.intake import ChannelIntake
from gateway.membership import Membership
from gateway.object_intake import ObjectChannelIntake, ObjectDoor, recover
from gateway.ops.metrics import Metrics, watch_loop
from gateway.ops.scheduler import DAY_S, Job, Scheduler
from gateway.pipeline import Pipeline
from gateway.pool import Pool
from gateway.proof.desk import ProofDesk
from gateway.proof.renewal import Renewal
from gateway.proof.sources import Sources
from gateway.records import message_search, search, worklist
from gateway.settings import Channel, Plan, Route
from gateway.signing_relay import Relay
from gateway.site import load_site
from gateway.store import documents
from gateway.store.engine import Store, open_store
from gateway.store.objects import Objects
from gateway.studies import Collector
from gateway.tracing import Tracer, open_tracer
from gateway.verification import Verifier
from gateway.wake import Bell
from mappings.formats.faults import Fault
from mappings.hl7v2 import Context
from signing.faults import KeyUnavailable
from signing.keys import open_key, open_unattended

log = logging.getLogger("lienthong.node")


@dataclass
class Node:
    """One running gateway. `run` returns when it is cancelled and everything under way has ended or was handed over."""

    plan: Plan
    clock: Clock = field(default_factory=lambda: Watched(SystemClock()))
    addresses: dict[str, str] = field(default_factory=dict)
    """Channel → the address its source listens on; `health` and `http` → where those answer."""

    async def run(self, ready: Callable[[dict[str, str]], None]) -> None:
        """Serve; call `ready(addresses)` once everything listens."""
        store = open_store(self.plan.store_url)
        try:
            await self._join(store, ready)
        finally:
            store.close()

    async def _join(self, store: Store, ready: Callable[[dict[str, str]], None]) -> None:
        """Be one of the ledger's nodes, and go on saying so until what was under way has ended."""
        plan, name = self.plan, self.plan.node.name
        bell = Bell(plan.node.redis)
        rules = {route: one.common.rules(plan.node.zone) for route, one in plan.routes.items()}
        lease = round(plan.node.lease.total_seconds() * SECOND)
        objects = Objects(plan.objects_folder, plan.keyring, name)
        own = (store, plan.keyring, self.clock, name, lease, plan.facility.code, rules, objects)
        queue: SqlQueue = (
            RedisQueue(plan.node.redis, str(store.engine.url), *own) if plan.node.redis else SqlQueue(*own)
        )

        async def relieved(other: str) -> None:
            await queue.relieve(other)
            bell.ring()

        membership = Membership(store, self.clock, name, plan.node.roles, lease, relieved)
        try:
            await membership.join()
            living = asyncio.create_task(membership.run())
            try:
                await self._serve(store, bell, queue, membership, living, ready)
            finally:
                await membership.leave()
                await queue.relieve(name)
                living.cancel()
                await asyncio.wait([living])
        finally:
            await queue.close()

    async def _serve(
        self,
        store: Store,
        bell: Bell,
        queue: SqlQueue,
        membership: Membership,
        living: asyncio.Task[None],
        ready: Callable[[dict[str, str]], None],
    ) -> None:
        plan, does = self.plan, self.plan.node.does
        channels = plan.channels if does("intake") else ()
        http = plan.http.listen if does("api") else ""

        async def message_of(document_id: str) -> str:
            return str(await store.read(lambda connection: documents.get(connection, document_id).message_id))

        listening = _Listening(len(channels) + bool(plan.node.health) + bool(http), self.addresses, ready)
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            tracer = open_tracer(plan.trace.endpoint, plan.trace.token, plan.trace.share, plan.node.name)
            stack.push_async_callback(tracer.close)
            group.create_task(_follow(living))
            group.create_task(self._drain(membership))
            group.create_task(bell.run())
            group.create_task(watch_loop())
            beats: list[Callable[[], Awaitable[None]]] = [queue.heartbeat]
            if channels or does("work"):
                load_site(plan.site)  # one that cannot be used stops the start, not a worker
            if does("work"):
                pipeline = await self._work(store, bell, stack, group, tracer)
                beats.append(pipeline.heartbeat)
            destinations = self._destinations(deliver=does("deliver"), look_up=bool(channels or http))
            for destination in destinations.values():
                stack.push_async_callback(destination.close)
            cards = self._card_desk(store, destinations)
            if does("deliver"):
                observed = Observed(queue, self.clock, tracer, message_of)
                for route, destination in destinations.items():
                    worker = Worker(plan.routes[route], destination, observed, self.clock)
                    group.create_task(worker.run(bell.listener()))
            group.create_task(self._heartbeat(beats, plan.node.lease.total_seconds() / 3))
            context = Context(plan.facility.code, plan.systems, plan.node.zone)
            fetching: dict[str, Fetching] = {}
            objects = Objects(plan.objects_folder, plan.keyring, plan.node.name)
            stack.callback(objects.close)
            if any(channel.takes_objects for channel in channels):
                recover(objects, store)
            for channel in channels:
                _, make = load_source(channel.source.kind)
                source = make(channel.source.settings)
                if isinstance(source, Fetching):
                    fetching[channel.settings.name] = source
                intake = self._intake(channel, source, store, bell, objects, context, tracer, cards)
                group.create_task(source.run(intake, listening.called(channel.settings.name)))
            if plan.node.health:
                health = HealthServer(
                    plan.node.health, lambda: store.write(_touch), Metrics(plan, store, self.clock, fetching).page
                )
                group.create_task(health.run(listening.called("health")))
            if http:
                group.create_task(self._faces(store, cards, listening.called("http")))
            listening.begin()

    def _intake(
        self,
        channel: Channel,
        source: Source,
        store: Store,
        bell: Bell,
        objects: Objects,
        context: Context,
        tracer: Tracer,
        cards: CardDesk | None,
    ) -> ChannelIntake:
        """Make the door of a channel; that of a source of objects leads to the folder of objects as well."""
        plan, own = self.plan, (tracer, cards)
        if channel.settings.instrument:
            told = InstrumentIntake(channel, store, plan.keyring, self.clock, bell.ring, context, *own)
            told.owner = plan.node.name
            return told
        if not getattr(source, "takes_objects", False):
            return ChannelIntake(channel, store, plan.keyring, self.clock, bell.ring, context, *own)
        intake = ObjectChannelIntake(channel, store, plan.keyring, self.clock, bell.ring, context, *own)
        intake.door = ObjectDoor(channel, store, objects, plan.keyring, self.clock)
        return intake

    async def _work(
        self, store: Store, bell: Bell, stack: AsyncExitStack, group: asyncio.TaskGroup, tracer: Tracer
    ) -> Pipeline:
        """Start what maps, composes, seals and proves, and what one node does for all."""
        plan, name = self.plan, self.plan.node.name
        workers = plan.node.workers or os.cpu_count() or 1
        _require_key(plan)  # a key that does not open stops the start, not a worker
        pool = Pool(workers, plan.signing, plan.site)
        stack.push_async_callback(asyncio.to_thread, pool.close)
        sources = Sources(plan, self.clock)
        stack.push_async_callback(sources.close)
        desk = ProofDesk(plan, store, pool, self.clock, name, sources=sources, ring=bell.ring)
        renewal = Renewal(plan, store, pool, self.clock, name, sources=sources)
        pipeline = Pipeline(
            plan, store, pool, self.clock, name, ring=bell.ring, parallel=workers * 16, proofs=desk, tracer=tracer
        )

        jobs = (
            Job("certificates", DAY_S, partial(notices.watch, store, self.clock)),
            Job("renewal", DAY_S, renewal.daily),
            Job("accounts", DAY_S, partial(accounts.remind, plan, self.clock)),
            Job("deadlines", 30, Watch(plan, store, self.clock).watch),
            Job("device windows", 5, DeviceWindows(store, plan.keyring, self.clock, plan.systems).turn),
        )
        lease = round(plan.node.lease.total_seconds() * SECOND)
        group.create_task(Scheduler(store, self.clock, name, lease, jobs).run())
        group.create_task(self._fill_search(store))
        group.create_task(self._fill_worklist(store))
        group.create_task(message_search.watch(plan, store, pool))
        group.create_task(Collector(plan, store, pool, self.clock, bell.ring).run())
        group.create_task(pipeline.run(bell.listener()))
        group.create_task(desk.run(bell.listener()))
        return pipeline

    async def _faces(self, store: Store, cards: CardDesk | None, ready: Callable[[str], None]) -> None:
        from gateway.api import web  # a node without pages need not load what makes them

        plan, clock = self.plan, self.clock
        verifier = Verifier(plan, store, clock)
        try:
            reading = ImageReading(plan, store, clock)
            app = web.build(plan, Relay(plan, store, clock), verifier, Desk(plan, store, clock), clock, cards, reading)
            await web.run(plan, app, ready)
        finally:
            verifier.close()

    def _destinations(self, *, deliver: bool, look_up: bool) -> dict[str, Destination]:
        """Build what this node calls: all that it delivers to, and those it asks about cards; one log-in serves both."""
        plan = self.plan
        names = [name for name in plan.routes_here if deliver or (look_up and plan.routes[name].looks_up_cards)]
        if not names:
            return {}
        seal = _seal(plan)
        return {name: build_destination(plan.routes[name], seal) for name in names}

    def _card_desk(self, store: Store, destinations: Mapping[str, Destination]) -> CardDesk | None:
        """Give the desk of the destinations that look up cards; None when there is none."""
        asked = {name: one for name, one in destinations.items() if self.plan.routes[name].looks_up_cards}
        cards = {name: one.cards for name, one in asked.items() if isinstance(one, LooksUpCards)}
        return CardDesk(self.plan, store, self.clock, cards) if cards else None

    async def _fill_search(self, store: Store) -> None:
        """Make the search keys of persons stored by a version that had none; nothing to do on later starts."""
        try:
            done = await search.fill(store, self.plan.keyring)
        except StoreFault as fault:
            log.error("search keys: %s", fault)
            return
        if done:
            log.info("search keys made for %d persons", done)

    async def _fill_worklist(self, store: Store) -> None:
        """Enter the imaging orders that were mapped by a version without a worklist; nothing to do on later starts."""
        try:
            done = await worklist.fill(store, self.plan, self.clock)
        except Fault as fault:
            log.error("worklist: %s", fault)
            return
        if done:
            log.info("worklist: %d orders entered that were in the record", done)

    @staticmethod
    async def _heartbeat(beats: Sequence[Callable[[], Awaitable[None]]], every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            for beat in beats:
                try:
                    await beat()
                except StoreFault as fault:
                    log.error("heartbeat: %s", fault)

    @staticmethod
    async def _drain(membership: Membership) -> None:
        """Wait for the end, and say that nothing more is taken."""
        try:
            await asyncio.Event().wait()
        finally:
            await membership.drain()


async def _follow(living: asyncio.Task[None]) -> None:
    """End the node when it may not live any more."""
    await asyncio.shield(living)


def _touch(connection: Connection) -> None:
    connection.execute(sa.text("SELECT 1"))


def _require_key(plan: Plan) -> None:
    """Try the signing key; raise SigningFault. Only a service elsewhere may be away: papers wait for it, messages do not."""
    try:
        open_unattended(plan.signing.kind, plan.signing.options)
    except KeyUnavailable as fault:
        if plan.signing.kind != "remote":
            raise
        log.error("papers wait for their seal: %s", fault)


def build_destination(route: Route, seal: Seal) -> Destination:
    """Make a destination of its kind."""
    _, make = load_destination(route.common.kind)
    return make(route.name, route.settings, seal)


def _seal(plan: Plan) -> Seal:
    key = open_key(plan.transport.kind, plan.transport.options)
    return lambda data: key.sign(data, "RS256")


@dataclass
class _Listening:
    """Collect the addresses of everything that listens; report when all do."""

    expected: int
    addresses: dict[str, str]
    ready: Callable[[dict[str, str]], None]

    def begin(self) -> None:
        """Report at once when there is nothing to listen for."""
        if not self.expected:
            self.ready({})

    def called(self, name: str) -> Callable[[str], None]:
        def note(address: str) -> None:
            self.addresses[name] = address
            if len(self.addresses) == self.expected:
                self.ready(dict(self.addresses))

        return note
