"""The composition root: the only place that wires leaves to rooms, and the life of one node."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connectors.contract import Destination, Seal
from connectors.kinds import load_destination, load_source
from gateway.api.health import HealthServer
from gateway.certificates import notices
from gateway.certificates.desk import Desk
from gateway.clock import SECOND, Clock, SystemClock
from gateway.delivery.deadlines import Watch
from gateway.delivery.observed import Observed
from gateway.delivery.redis_queue import RedisQueue
from gateway.delivery.sql_queue import SqlQueue
from gateway.delivery.worker import Worker
from gateway.faults import StoreFault
from gateway.intake import ChannelIntake
from gateway.ops.metrics import Metrics, watch_loop
from gateway.pipeline import Pipeline
from gateway.pool import Pool
from gateway.proof.desk import ProofDesk
from gateway.proof.renewal import Renewal
from gateway.proof.sources import Sources
from gateway.records import message_search, search
from gateway.settings import Plan
from gateway.signing_relay import Relay
from gateway.site import load_site
from gateway.store import deliveries, documents, messages, proofs
from gateway.store.engine import Store, open_store
from gateway.tracing import open_tracer
from gateway.verification import Verifier
from gateway.wake import Bell
from mappings.formats.faults import Fault
from mappings.hl7v2 import Context
from signing.faults import KeyUnavailable
from signing.keys import open_key, open_unattended

log = logging.getLogger("lienthong.node")


@dataclass
class Node:
    """One running gateway. `run` returns when it is cancelled and everything under way has ended."""

    plan: Plan
    clock: Clock = field(default_factory=SystemClock)
    addresses: dict[str, str] = field(default_factory=dict)
    """Channel → the address its source listens on; `health` and `http` → where those answer."""

    async def run(self, ready: Callable[[dict[str, str]], None]) -> None:
        """Serve; call `ready(addresses)` once everything listens."""
        plan = self.plan
        store = open_store(plan.store_url)
        try:
            store.claim_node(plan.node.name)
            await store.write(lambda connection: self._recover(connection))
            await self._serve(store, ready)
        finally:
            store.close()

    def _recover(self, connection: Connection) -> None:
        """Take back what this node held when it died."""
        name = self.plan.node.name
        messages.release_leases(connection, name)
        documents.release_leases(connection, name)
        proofs.release_leases(connection, name)
        deliveries.expire(connection, self.clock.now(), node=name)

    async def _serve(self, store: Store, ready: Callable[[dict[str, str]], None]) -> None:
        plan = self.plan
        name = plan.node.name
        workers = plan.node.workers or os.cpu_count() or 1
        _require_key(plan)  # a key that does not open stops the start, not a worker
        load_site(plan.site)  # so does a site file that cannot be used
        pool = Pool(workers, plan.signing, plan.site)
        bell = Bell(plan.node.redis)
        keyring = plan.keyring
        context = Context(plan.facility.code, plan.systems, plan.node.zone)
        sources = Sources(plan, self.clock)
        desk = ProofDesk(plan, store, pool, self.clock, name, sources=sources, ring=bell.ring)
        renewal = Renewal(plan, store, pool, self.clock, name, sources=sources, desk=desk)
        tracer = open_tracer(plan.trace.endpoint, plan.trace.token, plan.trace.share, name)
        pipeline = Pipeline(
            plan, store, pool, self.clock, name, ring=bell.ring, parallel=workers * 4, proofs=desk, tracer=tracer
        )
        lease = round(plan.node.lease.total_seconds() * SECOND)
        rules = {route: one.common.rules(plan.node.zone) for route, one in plan.routes.items()}
        own = (store, keyring, self.clock, name, lease, plan.facility.code, rules)
        queue: SqlQueue = (
            RedisQueue(plan.node.redis, str(store.engine.url), *own) if plan.node.redis else SqlQueue(*own)
        )
        metrics = Metrics(plan, store, self.clock)

        async def message_of(document_id: str) -> str:
            return str(await store.read(lambda connection: documents.get(connection, document_id).message_id))

        observed = Observed(queue, self.clock, tracer, message_of)
        seal = _seal(plan)
        destinations = {route: self._destination(route, seal) for route in plan.routes}
        faces = bool(plan.node.health) + bool(plan.http.listen)
        listening = _Listening(len(plan.channels) + faces, self.addresses, ready)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(bell.run())
                group.create_task(watch_loop())
                group.create_task(self._fill_search(store))
                group.create_task(message_search.watch(plan, store, pool))
                group.create_task(self._watch_certificates(store))
                group.create_task(pipeline.run(bell.listener()))
                group.create_task(Watch(plan, store, self.clock).run())
                group.create_task(desk.run(bell.listener()))
                group.create_task(renewal.run())
                for route, destination in destinations.items():
                    worker = Worker(plan.routes[route], destination, observed, self.clock)
                    group.create_task(worker.run(bell.listener()))
                group.create_task(self._heartbeat(queue, plan.node.lease.total_seconds() / 3))
                for channel in plan.channels:
                    _, make = load_source(channel.source.kind)
                    source = make(channel.source.settings)
                    intake = ChannelIntake(channel, store, keyring, self.clock, bell.ring, context, tracer)
                    group.create_task(source.run(intake, listening.called(channel.settings.name)))
                if plan.node.health:
                    health = HealthServer(plan.node.health, lambda: store.write(_touch), metrics.page)
                    group.create_task(health.run(listening.called("health")))
                if plan.http.listen:
                    group.create_task(self._faces(store, listening.called("http")))
        finally:
            for destination in destinations.values():
                await destination.close()
            await sources.close()
            await queue.close()
            await tracer.close()
            pool.close()

    async def _faces(self, store: Store, ready: Callable[[str], None]) -> None:
        from gateway.api import web  # a node without pages need not load what makes them

        plan, clock = self.plan, self.clock
        verifier = Verifier(plan, store, clock)
        try:
            app = web.build(plan, Relay(plan, store, clock), verifier, Desk(plan, store, clock), clock)
            await web.run(plan, app, ready)
        finally:
            verifier.close()

    def _destination(self, name: str, seal: Seal) -> Destination:
        route = self.plan.routes[name]
        _, make = load_destination(route.common.kind)
        return make(name, route.settings, seal)

    async def _fill_search(self, store: Store) -> None:
        """Make the search keys of persons stored by a version that had none; nothing to do on later starts."""
        try:
            done = await search.fill(store, self.plan.keyring)
        except StoreFault as fault:
            log.error("search keys: %s", fault)
            return
        if done:
            log.info("search keys made for %d persons", done)

    async def _watch_certificates(self, store: Store) -> None:
        """Once a day, and at the start: what has expired, and who is to be told that a certificate ends."""
        while True:
            try:
                done = await store.write(lambda connection: notices.daily(connection, self.clock.now()))
            except Fault as fault:
                log.error("certificates: %s", fault)
            else:
                done.tell()
            await asyncio.sleep(notices.DAY / SECOND)

    async def _heartbeat(self, queue: SqlQueue, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            try:
                await queue.heartbeat()
            except StoreFault as fault:
                log.error("heartbeat: %s", fault)


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


def _seal(plan: Plan) -> Seal:
    key = open_key(plan.transport.kind, plan.transport.options)
    return lambda data: key.sign(data, "RS256")


@dataclass
class _Listening:
    """Collect the addresses of everything that listens; report when all do."""

    expected: int
    addresses: dict[str, str]
    ready: Callable[[dict[str, str]], None]

    def called(self, name: str) -> Callable[[str], None]:
        def note(address: str) -> None:
            self.addresses[name] = address
            if len(self.addresses) == self.expected:
                self.ready(dict(self.addresses))

        return note
