"""The delivery worker on a real ledger: every way an attempt can end, order, limits, lost answers, dead workers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import redis.asyncio as redis
from sqlalchemy.engine import Connection

from connectors.contract import Outbound, Receipt
from connectors.faults import AccountRefused, CannotAsk, Refused, Throttled, Uncertain, Unreachable, VersionClosed
from gateway import relief, repair
from gateway.clock import SECOND, to_datetime
from gateway.delivery.limits import Breaker, Limit
from gateway.delivery.queue import Queue
from gateway.delivery.redis_queue import RedisQueue
from gateway.delivery.retry import Retry
from gateway.delivery.sql_queue import SqlQueue
from gateway.delivery.worker import Worker
from gateway.settings import Route, RouteSettings
from gateway.store import actions, deliveries, destinations, documents, messages
from gateway.store.documents import NewDocument
from gateway.store.engine import Store, open_store
from gateway.store.ids import uuid7
from gateway.store.leases import BACK
from gateway.store.sealed import Keyring, new_key_line
from mappings.formats.dates import zone_of
from mappings.formats.faults import Fault
from tests import servers
from tests.conftest import HandClock
from tests.integration.gateway.test_store import new_message

KEYRING = Keyring.parse(new_key_line("k"))
Script = Callable[[Outbound], Awaitable[Receipt]]
YES = Receipt("R1", b'{"maKetQua":"200"}', {"status": "200"})


async def yes(document: Outbound) -> Receipt:
    return Receipt(f"R-{document.key}", b"{}", {})


def no(fault: Exception) -> Script:
    async def answer(document: Outbound) -> Receipt:
        raise fault

    return answer


@dataclass
class Peer:
    """A destination that follows a script, one line per attempt; then it accepts."""

    script: list[Script] = field(default_factory=list)
    answers: list[Receipt | Exception | None] = field(default_factory=list)
    """What `find` says, one after the other."""
    seen: list[Outbound] = field(default_factory=list)
    together: int = 0
    most_together: int = 0

    def __init__(self, *script: Script, answers: tuple[Receipt | Exception | None, ...] = (), meeting: int = 0) -> None:
        """With `meeting`, nobody goes on before that many were under way at once."""
        self.script = list(script)
        self.answers = list(answers)
        self.seen = []
        self.meeting = meeting
        self.met = asyncio.Event()

    async def deliver(self, document: Outbound) -> Receipt:
        self.seen.append(document)
        self.together += 1
        self.most_together = max(self.most_together, self.together)
        try:
            if self.together >= self.meeting:
                self.met.set()
            async with asyncio.timeout(20):
                await self.met.wait()
            await asyncio.sleep(0)  # whoever else may start does it now
            return await (self.script.pop(0) if self.script else yes)(document)
        finally:
            self.together -= 1

    async def find(self, document: Outbound) -> Receipt | None:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        return None


REDIS: dict[Store, str] = {}
"""Where the queue of a store is, when it is not the store itself."""
OPENED: list[Queue] = []


@pytest.fixture(params=["sql", "redis"])
def store(store_url: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    opened = open_store(store_url)
    if request.param == "redis":
        REDIS[opened] = request.getfixturevalue("redis_url")
    yield opened
    REDIS.pop(opened, None)
    opened.close()


def new_queue(store: Store, clock: HandClock, owner: str = "n1", route: RouteSettings | None = None) -> Queue:
    rules = {"portal": (route or ROUTE).rules("Asia/Ho_Chi_Minh")}
    queue: Queue
    if store in REDIS:
        url = str(store.engine.url)
        queue = RedisQueue(REDIS[store], url, store, KEYRING, clock, owner, 30 * SECOND, "01999", rules)
    else:
        queue = SqlQueue(store, KEYRING, clock, owner, 30 * SECOND, "01999", rules)
    OPENED.append(queue)
    return queue


def run(work: Coroutine[Any, Any, Any]) -> None:
    """Run to the end, and close what was opened meanwhile."""

    async def main() -> None:
        try:
            await work
        finally:
            while OPENED:
                await OPENED.pop().close()

    asyncio.run(main())


def queue_paper(store: Store, clock: HandClock, key: bytes = b"p", body: bytes = b"<signed/>") -> str:
    """Store a signed document with one queued delivery; return the delivery's id."""
    message = new_message()

    def unit(connection: Connection) -> str:
        messages.insert_all(connection, [message])
        document = documents.insert(
            connection, NewDocument("discharge_paper", uuid7(), "his", message.id, "p1", key, clock.now(), 2)
        )
        sealed = KEYRING.seal(body, f"{document}/cda")
        documents.put_rendition(connection, document, "cda", "application/xml", body, sealed, signed=True)
        return deliveries.insert(connection, document, "portal", key, "law", clock.now(), "queued")

    return store.write_now(unit)


ROUTE = RouteSettings(
    "portal",
    basis="law",
    retry=Retry(first=timedelta(seconds=10), factor=2, cap=timedelta(minutes=1), give_up_after=timedelta(hours=1)),
    limit=Limit(in_flight=3),
    breaker=Breaker(failures=4, open_for=timedelta(seconds=30)),
)


async def work(store: Store, clock: HandClock, peer: Peer, route: RouteSettings = ROUTE, owner: str = "n1") -> Worker:
    """Run a worker until it has nothing more to do at this instant."""
    worker = make_worker(store, clock, peer, owner, route)
    await go_on(worker)
    return worker


async def go_on(worker: Worker) -> None:
    await worker._tasks.drain()
    while await worker._step() or worker._busy:
        await worker._tasks.drain()


def rows(store: Store) -> dict[str, Any]:
    return {row.id: row for row in store.read_now(deliveries.listing)}


def resend(store: Store, clock: HandClock, delivery: str) -> None:
    """Do as a person does whose delivery is in the error queue."""
    document = rows(store)[delivery].document_id
    store.write_now(lambda c: documents.note_given_out(c, document, clock.now()))
    store.write_now(lambda c: repair.resend(c, delivery, "lan", "cổng chạy lại", clock))


def events(store: Store, delivery: str) -> list[str]:
    return [row.event for row in store.read_now(lambda c: deliveries.attempts(c, delivery))]


def test_accepted_with_receipt(store: Store, clock: HandClock) -> None:
    delivery = queue_paper(store, clock)
    peer = Peer()
    run(work(store, clock, peer))
    row = rows(store)[delivery]
    assert (row.state, row.reference, row.accepted_at) == ("accepted", f"R-{delivery}", clock.now())
    assert events(store, delivery) == ["accept"]
    assert (peer.seen[0].key, peer.seen[0].body) == (delivery, b"<signed/>")


def test_transient_failures_are_retried_with_the_same_key_and_bytes(store: Store, clock: HandClock) -> None:
    delivery = queue_paper(store, clock)
    peer = Peer(no(Unreachable()), no(Unreachable()))

    async def main() -> None:
        worker = await work(store, clock, peer)
        for _ in range(3):
            clock.forward(61)
            await go_on(worker)

    run(main())
    assert rows(store)[delivery].state == "accepted"
    assert events(store, delivery) == ["retry", "retry", "accept"]
    assert peer.seen[0] == peer.seen[1] == peer.seen[2]


def test_nothing_is_retried_before_its_time(store: Store, clock: HandClock) -> None:
    delivery = queue_paper(store, clock)
    peer = Peer(no(Unreachable()))

    async def main() -> None:
        worker = await work(store, clock, peer)
        clock.forward(4)
        await go_on(worker)

    run(main())
    assert rows(store)[delivery].state == "queued"
    assert len(peer.seen) == 1


def test_a_clear_no_goes_to_the_error_queue_and_the_next_goes_on(store: Store, clock: HandClock) -> None:
    first, second = queue_paper(store, clock), queue_paper(store, clock)
    run(work(store, clock, Peer(no(Refused(detail="205")))))
    found = rows(store)
    assert (found[first].state, found[first].fault_code, found[first].fault_detail) == ("error", 6002, "205")
    assert found[second].state == "accepted"


def test_giving_up_means_the_error_queue(store: Store, clock: HandClock) -> None:
    delivery = queue_paper(store, clock)
    clock.forward(3601)
    run(work(store, clock, Peer(no(Unreachable()))))
    assert rows(store)[delivery].state == "error"


def test_patience_begins_anew_when_a_person_resends(store: Store, clock: HandClock) -> None:
    delivery = queue_paper(store, clock)
    clock.forward(3601)

    async def main() -> None:
        worker = await work(store, clock, Peer(no(Unreachable()), no(Unreachable())))
        assert rows(store)[delivery].state == "error"
        resend(store, clock, delivery)
        await go_on(worker)
        assert rows(store)[delivery].state == "queued", "it does not give up at the first failure"
        clock.forward(61)
        await go_on(worker)

    run(main())
    assert rows(store)[delivery].state == "accepted"


@pytest.mark.parametrize(
    ("answer", "sent", "trail"),
    [(YES, 1, ["lose", "refuse", "accept"]), (None, 2, ["lose", "refuse", "retry", "accept"])],
)
def test_what_ended_in_error_is_asked_about_before_it_is_sent_again(
    store: Store, clock: HandClock, answer: Receipt | None, sent: int, trail: list[str]
) -> None:
    """It may have arrived: its answer was lost, and then nobody could be asked."""
    delivery = queue_paper(store, clock)
    peer = Peer(no(Uncertain()), answers=(Unreachable(), answer))

    async def main() -> None:
        worker = await work(store, clock, peer)
        clock.forward(3601)
        peer.answers.insert(0, Unreachable())
        await go_on(worker)
        assert rows(store)[delivery].state == "error"
        resend(store, clock, delivery)
        await go_on(worker)

    run(main())
    assert rows(store)[delivery].state == "accepted"
    assert [document.key for document in peer.seen] == [delivery] * sent
    assert events(store, delivery) == trail


def test_where_nobody_can_be_asked_a_person_decides_once(store: Store, clock: HandClock) -> None:
    """Each resend by a person is one request; when its answer is lost too, the person is asked again."""
    delivery = queue_paper(store, clock)
    peer = Peer(no(Uncertain()), no(Uncertain()), answers=(CannotAsk(),) * 3)

    async def main() -> None:
        worker = await work(store, clock, peer)
        assert (rows(store)[delivery].state, len(peer.seen)) == ("error", 1)
        for sent, state in ((2, "error"), (3, "accepted")):
            peer.answers = [CannotAsk(), CannotAsk()]
            resend(store, clock, delivery)
            await go_on(worker)
            assert (rows(store)[delivery].state, len(peer.seen)) == (state, sent)

    run(main())
    assert events(store, delivery) == ["lose", "refuse", "retry", "lose", "refuse", "retry", "accept"]


def test_a_destination_that_knows_nothing_of_a_paper_works(store: Store, clock: HandClock) -> None:
    """Asked and told "not here": that counts as an answer, not as a failure of the destination."""
    queue_paper(store, clock)
    peer = Peer(*[no(Uncertain())] * (ROUTE.breaker.failures + 1))

    async def main() -> None:
        worker = await work(store, clock, peer)
        for _ in range(ROUTE.breaker.failures):
            clock.forward(61)
            await go_on(worker)

    run(main())
    assert [row.state for row in rows(store).values()] == ["accepted"]


def test_what_is_lost_every_time_is_sent_again_once_at_once_and_then_ever_more_slowly(
    store: Store, clock: HandClock
) -> None:
    """A peer that takes the association and breaks off must not be sent to without rest; what is behind it waits."""
    first, second = queue_paper(store, clock), queue_paper(store, clock)
    peer = Peer(*[no(Uncertain())] * 4)

    async def main() -> None:
        worker = await work(store, clock, peer)
        for seconds, sent in ((4, 2), (6, 3), (9, 3), (11, 4), (19, 4), (21, 6)):
            clock.forward(seconds)
            await go_on(worker)
            assert len(peer.seen) == sent

    run(main())
    assert [one.key for one in peer.seen] == [first] * 5 + [second]
    assert events(store, first) == ["lose", "retry"] * 4 + ["accept"]
    assert rows(store)[first].attempts == 4


def test_what_is_lost_every_time_ends_in_the_error_queue(store: Store, clock: HandClock) -> None:
    delivery = queue_paper(store, clock)
    peer = Peer(*[no(Uncertain())] * 3)

    async def main() -> None:
        worker = await work(store, clock, peer)
        clock.forward(3601)
        await go_on(worker)

    run(main())
    assert (rows(store)[delivery].state, len(peer.seen)) == ("error", 3)


def test_what_was_accepted_is_sent_once_more_with_the_same_key_and_bytes(store: Store, clock: HandClock) -> None:
    first, second = queue_paper(store, clock), queue_paper(store, clock)
    peer = Peer()

    async def main() -> None:
        worker = await work(store, clock, peer)
        clock.forward(100)
        later = queue_paper(store, clock)
        store.write_now(lambda c: repair.send_again(c, first, "lan", "nơi nhận mất dữ liệu", clock))
        await go_on(worker)
        assert [one.key for one in peer.seen] == [first, second, first, later], "and before what is newer of its key"

    run(main())
    assert peer.seen[0] == peer.seen[2]
    assert events(store, first) == ["accept", "accept"]
    row = rows(store)[first]
    assert (row.state, row.accepted_at) == ("accepted", clock.now() - 100 * SECOND), "the first time counts"


def test_throttling_holds_the_destination_as_long_as_it_asks(store: Store, clock: HandClock) -> None:
    queue_paper(store, clock, b"a")
    route = RouteSettings("portal", retry=ROUTE.retry, limit=Limit(in_flight=1), breaker=ROUTE.breaker)
    peer = Peer(no(Throttled(retry_after=timedelta(seconds=20))))

    async def main() -> None:
        worker = await work(store, clock, peer, route)
        queue_paper(store, clock, b"b")
        clock.forward(19)
        await go_on(worker)
        assert len(peer.seen) == 1
        clock.forward(1)
        await go_on(worker)

    run(main())
    found = rows(store).values()
    assert [row.state for row in found] == ["accepted", "accepted"]
    assert [row.attempts for row in found] == [0, 0]


@pytest.mark.parametrize(
    ("answer", "state", "trail"),
    [
        (YES, "accepted", ["lose", "accept"]),
        (None, "accepted", ["lose", "retry", "accept"]),
        (CannotAsk(), "error", ["lose", "refuse"]),
    ],
)
def test_a_lost_answer_is_asked_about(
    store: Store, clock: HandClock, answer: Receipt | Exception | None, state: str, trail: list[str]
) -> None:
    delivery = queue_paper(store, clock)
    run(work(store, clock, Peer(no(Uncertain()), answers=(answer,))))
    assert rows(store)[delivery].state == state
    assert events(store, delivery) == trail


def test_while_nobody_can_answer_the_key_waits(store: Store, clock: HandClock) -> None:
    first, second = queue_paper(store, clock), queue_paper(store, clock)
    peer = Peer(no(Uncertain()), answers=(Unreachable(), YES))

    async def main() -> None:
        worker = await work(store, clock, peer)
        assert {key: row.state for key, row in rows(store).items()} == {first: "uncertain", second: "queued"}
        clock.forward(61)
        await go_on(worker)

    run(main())
    assert [row.state for row in rows(store).values()] == ["accepted", "accepted"]


def test_a_bug_of_ours_while_sending_is_a_lost_answer(store: Store, clock: HandClock) -> None:
    delivery = queue_paper(store, clock)
    run(work(store, clock, Peer(no(ZeroDivisionError("Nguyễn Văn A")), answers=(YES,))))
    assert rows(store)[delivery].state == "accepted"
    assert events(store, delivery) == ["lose", "accept"]


def test_order_within_a_key_and_parallel_across_keys(store: Store, clock: HandClock) -> None:
    made = [queue_paper(store, clock, key) for key in (b"a", b"a", b"b", b"c", b"d", b"a")]
    peer = Peer(meeting=ROUTE.limit.in_flight)
    run(work(store, clock, peer))
    order = [document.key for document in peer.seen]
    assert [key for key in order if key in (made[0], made[1], made[5])] == [made[0], made[1], made[5]]
    assert peer.most_together == ROUTE.limit.in_flight


def test_the_breaker_leaves_a_dead_destination_alone(store: Store, clock: HandClock) -> None:
    for n in range(8):
        queue_paper(store, clock, b"%d" % n)
    peer = Peer(*[no(Unreachable())] * 20)

    async def main() -> None:
        worker = await work(store, clock, peer)
        tried = len(peer.seen)
        assert 4 <= tried <= 6
        clock.forward(29)
        await go_on(worker)
        assert len(peer.seen) == tried
        clock.forward(1)
        await go_on(worker)
        assert len(peer.seen) == tried + 1

    run(main())


def test_a_worker_that_lost_its_lease_changes_nothing_but_keeps_the_receipt(store: Store, clock: HandClock) -> None:
    delivery = queue_paper(store, clock)

    async def late(document: Outbound) -> Receipt:
        clock.forward(31)
        await store.write(lambda c: deliveries.expire(c, clock.now()))
        return YES

    run(work(store, clock, Peer(late, answers=(Unreachable(),))))
    assert rows(store)[delivery].state == "uncertain"
    assert events(store, delivery) == ["late_accept"]


def test_two_workers_never_hold_the_same_delivery(store: Store, clock: HandClock) -> None:
    made = {queue_paper(store, clock, b"%d" % n) for n in range(30)}
    first, second = Peer(), Peer()

    async def main() -> None:
        await asyncio.gather(work(store, clock, first, owner="n1"), work(store, clock, second, owner="n2"))

    run(main())
    keys = [document.key for document in first.seen + second.seen]
    assert sorted(keys) == sorted(made)


def test_heartbeats_keep_a_slow_delivery(store: Store, clock: HandClock) -> None:
    delivery = queue_paper(store, clock)

    async def main() -> None:
        queue = new_queue(store, clock)
        (row,) = (await queue.take("portal", 1)).to_send
        await queue.send(row)
        for _ in range(5):
            clock.forward(20)
            await queue.heartbeat()
        assert rows(store)[delivery].state == "sending"
        await queue.accept(row, YES)

    run(main())
    assert rows(store)[delivery].state == "accepted"


@dataclass
class Crowd:
    """A destination that keeps everybody waiting, and counts who is there over all nodes."""

    full: int
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    there: asyncio.Event = field(default_factory=asyncio.Event)
    together: int = 0

    async def deliver(self, document: Outbound) -> Receipt:
        self.together += 1
        if self.together >= self.full:
            self.there.set()
        await self.gate.wait()
        self.together -= 1
        return YES

    async def find(self, document: Outbound) -> Receipt | None:
        return None

    async def close(self) -> None:
        return None


def make_worker(store: Store, clock: HandClock, peer: Any, owner: str, route: RouteSettings = ROUTE) -> Worker:
    queue = new_queue(store, clock, owner, route)
    return Worker(Route("portal", route, SimpleNamespace(takes="cda")), peer, queue, clock)


def test_nodes_share_what_a_destination_bears_at_once(store: Store, clock: HandClock) -> None:
    for n in range(12):
        queue_paper(store, clock, b"%d" % n)

    async def main() -> None:
        crowd = Crowd(ROUTE.limit.in_flight)
        workers = [make_worker(store, clock, crowd, f"n{n}") for n in range(3)]
        taken = 0
        while taken < len(workers):
            taken = 0
            for worker in workers:
                taken += not await worker._step() and not worker._busy
        async with asyncio.timeout(10):
            await crowd.there.wait()
        assert crowd.together == ROUTE.limit.in_flight
        crowd.gate.set()
        for worker in workers:
            await worker._tasks.drain()
        for worker in workers:
            await go_on(worker)

    run(main())
    assert {row.state for row in rows(store).values()} == {"accepted"}


def test_nodes_share_the_limit_per_minute(store: Store, clock: HandClock) -> None:
    for n in range(9):
        queue_paper(store, clock, b"%d" % n)
    route = RouteSettings("portal", limit=Limit(in_flight=2, per_minute=4))
    first, second = Peer(), Peer()

    async def main() -> None:
        workers = [make_worker(store, clock, peer, name, route) for name, peer in (("n1", first), ("n2", second))]
        for minute in range(3):
            for worker in workers:
                await go_on(worker)
            assert len(first.seen) + len(second.seen) == min(4 * (minute + 1), 9)
            clock.forward(61)

    run(main())


def test_nodes_share_the_breaker_and_one_goes_first_to_see(store: Store, clock: HandClock) -> None:
    for n in range(12):
        queue_paper(store, clock, b"%d" % n)
    first, second = (Peer(*[no(Unreachable())] * 20) for _ in range(2))

    async def main() -> None:
        workers = [make_worker(store, clock, peer, name) for name, peer in (("n1", first), ("n2", second))]
        for worker in workers:
            await go_on(worker)
        tried = len(first.seen) + len(second.seen)
        assert tried == 6, "two rounds of three in flight; the fourth failure opened it"
        clock.forward(30)
        for worker in workers:
            await worker._step()
        assert len(first.seen) + len(second.seen) <= tried + 1
        for worker in workers:
            await go_on(worker)
        assert len(first.seen) + len(second.seen) == tried + 1

    run(main())


def test_a_paused_destination_gets_nothing_until_it_goes_on(store: Store, clock: HandClock) -> None:
    delivery = queue_paper(store, clock)
    store.write_now(lambda c: repair.pause(c, "portal", "lan.nt", "3176 closed", clock))
    peer = Peer()

    async def main() -> None:
        worker = await work(store, clock, peer)
        clock.forward(10**6)
        await go_on(worker)
        assert peer.seen == []
        assert await worker._queue.next_due("portal") is None
        await store.write(lambda c: repair.resume(c, "portal", "lan.nt", "open again", clock))
        await go_on(worker)

    run(main())
    assert rows(store)[delivery].state == "accepted"


def with_answers(**more: Any) -> RouteSettings:
    return RouteSettings("portal", basis="law", retry=ROUTE.retry, limit=Limit(in_flight=1), **more)


@pytest.mark.parametrize(
    ("meaning", "state", "trail"),
    [
        ("accepted", "accepted", ["accept"]),
        ("refused", "error", ["refuse"]),
        ("transient", "queued", ["retry"]),
        ("throttled", "queued", ["retry"]),
        ("uncertain", "accepted", ["lose", "accept"]),
        ("paused", "queued", ["retry"]),
    ],
)
def test_a_hospital_says_what_an_answer_means(
    store: Store, clock: HandClock, meaning: Any, state: str, trail: list[str]
) -> None:
    delivery = queue_paper(store, clock)
    peer = Peer(no(Refused(detail="maKetQua 205")), answers=(YES,))
    run(work(store, clock, peer, with_answers(answers={"maKetQua 205": meaning})))
    assert (rows(store)[delivery].state, events(store, delivery)) == (state, trail)
    row = store.read_now(lambda c: destinations.get(c, "portal"))
    assert bool(row is not None and row.paused_at) == (meaning == "paused")
    noted = store.read_now(lambda c: actions.of_target(c, "portal"))
    assert [act.verb for act in noted] == (["pause"] if meaning == "paused" else [])


@pytest.mark.parametrize(
    "fault", [AccountRefused("portal", "maKetQua 403"), VersionClosed("portal", "HTTP 404, record 130")]
)
def test_what_is_about_the_destination_pauses_it_and_loses_nothing(
    store: Store, clock: HandClock, fault: Fault
) -> None:
    first, second = queue_paper(store, clock), queue_paper(store, clock)
    peer = Peer(no(fault))
    run(work(store, clock, peer, with_answers()))
    assert {rows(store)[one].state for one in (first, second)} == {"queued"}
    assert len(peer.seen) == 1
    row = store.read_now(lambda c: destinations.get(c, "portal"))
    assert row is not None
    assert (row.paused_at is not None, row.paused_reason) == (True, str(fault))


def test_an_answer_that_nobody_named_means_what_the_connector_says(store: Store, clock: HandClock) -> None:
    delivery = queue_paper(store, clock)
    peer = Peer(no(Refused(detail="maKetQua 204")))
    run(work(store, clock, peer, with_answers(answers={"maKetQua 205": "accepted"})))
    assert rows(store)[delivery].state == "error"


@pytest.mark.parametrize(("at_least_once", "state", "sent"), [(False, "error", 1), (True, "accepted", 2)])
def test_what_cannot_be_asked_about_is_sent_again_only_where_the_channel_says_so(
    store: Store, clock: HandClock, at_least_once: bool, state: str, sent: int
) -> None:
    delivery = queue_paper(store, clock)
    peer = Peer(no(Uncertain()), answers=(CannotAsk(),))
    run(work(store, clock, peer, with_answers(at_least_once=at_least_once)))
    assert rows(store)[delivery].state == state
    assert [document.key for document in peer.seen] == [delivery] * sent


def test_outside_its_hours_a_destination_gets_nothing(store: Store, clock: HandClock) -> None:
    queue_paper(store, clock)
    local = to_datetime(clock.now()).astimezone(zone_of("Asia/Ho_Chi_Minh"))
    later = local + timedelta(hours=1)
    peer = Peer()

    async def main() -> None:
        worker = await work(
            store, clock, peer, with_answers(hours=(f"{later:%H:%M}-{later + timedelta(hours=1):%H:%M}",))
        )
        assert peer.seen == []
        due = await worker._queue.next_due("portal")
        assert due is not None
        assert timedelta(0) < to_datetime(due) - local <= timedelta(hours=1)
        clock.forward((due - clock.now()) / SECOND)
        await go_on(worker)

    run(main())
    assert len(peer.seen) == 1


def test_what_a_person_skips_lets_the_next_of_its_key_go_on(store: Store, clock: HandClock) -> None:
    first, second = queue_paper(store, clock), queue_paper(store, clock)
    peer = Peer(no(Unreachable()))

    async def main() -> None:
        worker = await work(store, clock, peer)
        assert rows(store)[second].state == "queued"
        await store.write(lambda c: repair.skip(c, first, "lan.nt", "khóa đến hết tháng", clock))
        await go_on(worker)

    run(main())
    assert {key: row.state for key, row in rows(store).items()} == {first: "error", second: "accepted"}


@pytest.fixture
def redis_store(store: Store) -> Store:
    if store not in REDIS:
        pytest.skip("of the Redis queue alone")
    return store


def test_a_redis_that_lost_its_memory_costs_time_only(redis_store: Store, clock: HandClock) -> None:
    """Emptied while some are delivered, one is due later, one is on the wire: each arrives once, in order."""
    made = [queue_paper(redis_store, clock, key) for key in (b"a", b"a", b"b", b"c", b"a")]

    async def main() -> None:
        admin = redis.Redis.from_url(REDIS[redis_store])

        async def forget(document: Outbound) -> Receipt:
            await admin.flushall()
            return YES

        peer = Peer(no(Unreachable()), forget)
        worker = await work(redis_store, clock, peer)
        await admin.flushall()
        for _ in range(4):
            clock.forward(61)
            await go_on(worker)
        await admin.aclose()
        seen = [document.key for document in peer.seen]
        assert set(seen) == set(made)
        assert len(seen) == len(made) + 1, "the one that failed"
        ofkey = [key for key in seen if key in (made[0], made[1], made[4])]
        assert list(dict.fromkeys(ofkey)) == [made[0], made[1], made[4]]

    run(main())
    assert {row.state for row in rows(redis_store).values()} == {"accepted"}


def test_without_redis_the_ledger_alone_decides(redis_store: Store, clock: HandClock) -> None:
    made = {queue_paper(redis_store, clock, b"%d" % n) for n in range(5)}

    async def main() -> None:
        with servers.redis() as url:
            REDIS[redis_store] = url
            peer = Peer()
            worker = await work(redis_store, clock, peer, with_answers())
            made.update(queue_paper(redis_store, clock, b"%d" % n) for n in range(5, 9))
        await go_on(worker)
        assert sorted(document.key for document in peer.seen) == sorted(made)

    run(main())


def test_what_redis_names_wrongly_does_no_harm(redis_store: Store, clock: HandClock) -> None:
    """Entries that are done, unknown, or not the oldest of their key."""
    done, first, second = (queue_paper(redis_store, clock) for _ in range(3))

    async def main() -> None:
        queue = new_queue(redis_store, clock)
        assert isinstance(queue, RedisQueue)
        peer = Peer()
        worker = Worker(Route("portal", ROUTE, SimpleNamespace(takes="cda")), peer, queue, clock)
        (row,) = (await queue.take("portal", 1)).to_send
        assert row.id == done
        await queue.send(row)
        await queue.accept(row, YES)
        for wrong in (done, second, uuid7()):
            await queue._client.xadd(queue._keys("portal")[0], {"id": wrong})
        await go_on(worker)
        assert [document.key for document in peer.seen] == [first, second]

    run(main())


def test_what_a_dead_node_held_is_taken_at_once_and_one_by_one(store: Store, clock: HandClock) -> None:
    """Each outlived a death, so each is under way alone; what nothing is held against goes its way beside them."""
    held = [queue_paper(store, clock, key) for key in (b"a", b"b", b"c")]

    async def main() -> None:
        dead = new_queue(store, clock, "dead")
        assert len((await dead.take("portal", 3)).to_send) == 3
        other = new_queue(store, clock, "n2")
        await store.write(lambda c: relief.take_back(c, "dead", clock.now()))
        await other.relieve("dead")
        innocent = queue_paper(store, clock, b"d")
        done: list[str] = []
        while len(done) < 3:
            taken = list((await other.take("portal", 3)).to_send)
            suspects = [row for row in taken if row.deaths]
            assert [row.deaths for row in suspects] == [1]
            beside = [row for row in taken if not row.deaths]  # taken with it, or after it
            beside += (await other.take("portal", 3)).to_send
            assert [row.id for row in beside] == ([innocent] if not done else [])
            clock.at += BACK
            assert not await other.take("portal", 1)
            clock.at += BACK
            for row in (*suspects, *beside):
                assert await other.send(row)
                await other.accept(row, YES)
                other.forget(row)
            done += [row.id for row in suspects]
        assert sorted(done) == held

    run(main())


def test_a_delivery_that_killed_twice_is_not_sent_a_third_time(store: Store, clock: HandClock) -> None:
    """It may have arrived, so it is asked about; that it did not is no reason to send it again."""
    delivery = queue_paper(store, clock)
    peer = Peer(answers=(None,))

    async def main() -> None:
        for _ in range(2):
            dead = new_queue(store, clock, "dead")
            (row,) = (await dead.take("portal", 1)).to_send
            assert await dead.send(row)
            store.write_now(lambda c: relief.take_back(c, "dead", clock.now()))
            await dead.relieve("dead")
            if rows(store)[delivery].deaths == 1:
                store.write_now(lambda c: deliveries.move(c, delivery, "retry", None))
        await work(store, clock, peer, owner="n2")

    run(main())
    assert peer.seen == []
    assert (rows(store)[delivery].state, rows(store)[delivery].fault_code) == ("error", 8109)


def test_what_a_dead_node_held_is_taken_over(store: Store, clock: HandClock) -> None:
    delivery = queue_paper(store, clock)
    peer = Peer()

    async def main() -> None:
        dead = new_queue(store, clock, "dead")
        assert (await dead.take("portal", 1)).to_send
        worker = await work(store, clock, peer, owner="n2")
        assert peer.seen == []
        clock.forward(31)
        await worker._queue.heartbeat()
        await go_on(worker)
        clock.forward(300)
        await go_on(worker)

    run(main())
    assert [document.key for document in peer.seen] == [delivery]
