"""A node that kills itself with SIGKILL at the n-th passage of a chosen place; the product knows nothing of it.

LIENTHONG_TEST_KILL=delivered:3 python -m tests.crash.killing_node serve --config …

A place is one of `ALL_PLACES`; or a transition such as `delivery send`, killed inside its transaction, or
`delivery send committed`, killed before anybody heard that it is; or `worker map_message`, where a process of the pool kills
itself, once.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway import cli, intake, pipeline, signing_desk, states, steps
from gateway.delivery import redis_queue, sql_queue, worker
from gateway.proof import desk
from gateway.store import deliveries, dispatch, documents, engine, messages, proofs

PLACES: dict[str, tuple[object, str, str]] = {
    # name: (where, function, before or after it)
    "message not committed": (messages, "insert_all", "after"),
    "message committed, not answered": (intake.ChannelIntake, "_receive", "after"),
    "answered": (intake.ChannelIntake, "answered", "before"),
    "message mapped, not committed": (pipeline.Pipeline, "_commit_mapped", "after"),
    "message mapped": (pipeline.Pipeline, "_map", "after"),
    "paper composed, not committed": (pipeline.Pipeline, "_commit_composed", "after"),
    "paper composed": (pipeline.Pipeline, "_compose", "after"),
    "paper signed, not committed": (signing_desk.SigningDesk, "_commit", "after"),
    "paper signed": (signing_desk.SigningDesk, "sign", "after"),
    "delivery claimed, not committed": (deliveries, "take_queued", "after"),
    "delivery claimed": (sql_queue.SqlQueue, "load", "before"),
    "delivery about to be sent": (sql_queue.SqlQueue, "send", "before"),
    "delivery said to be sent, not sent": (sql_queue.SqlQueue, "send", "after"),
    "delivered, not noted": (sql_queue.SqlQueue, "accept", "before"),
    "delivery accepted": (sql_queue.SqlQueue, "accept", "after"),
    "asking about a lost answer": (worker.Worker, "_ask", "before"),
    "in the middle of a group commit": (engine.Store, "_commit", "before"),
}
"""Of a node on the ledger alone."""

REDIS_PLACES: dict[str, tuple[object, str, str]] = {
    "named by Redis, not leased": (redis_queue.RedisQueue, "_lease_named", "before"),
    "leased, as Redis named it": (redis_queue.RedisQueue, "_lease_named", "after"),
    "ended in the ledger, not in Redis": (redis_queue.RedisQueue, "_settled", "before"),
    "ended in Redis too": (redis_queue.RedisQueue, "_settled", "after"),
    "in a heartbeat": (redis_queue.RedisQueue, "heartbeat", "before"),
}
"""More, of a node with Redis."""

PROOF_PLACES: dict[str, tuple[object, str, str]] = {
    "stamp received, not noted": (proofs, "add", "before"),
    "signature proved": (desk.ProofDesk, "_proved", "after"),
    "paper completed": (desk.ProofDesk, "complete", "after"),
}
"""More, of a node that gathers proofs."""

ALL_PLACES = PLACES | REDIS_PLACES | PROOF_PLACES
TABLES: dict[str, tuple[Any, states.Table]] = {
    "message": (messages, states.MESSAGE),
    "document": (documents, states.DOCUMENT),
    "delivery": (deliveries, states.DELIVERY),
    "proof": (proofs, states.PROOF),
}
IN_BULK: dict[tuple[str, str], tuple[Any, str]] = {
    ("delivery", "claim"): (deliveries, "take_queued"),
    ("delivery", "send"): (dispatch, "send_all"),
    ("delivery", "accept"): (dispatch, "accept_all"),
}
"""Transitions that many rows make in one statement."""
WORKER_STEPS = ("map_message", "compose", "sign")


def plant(place: str, nth: int) -> None:
    """Kill this process at the n-th passage of `place`."""
    passed = 0

    def passing() -> None:
        nonlocal passed
        passed += 1
        if passed == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    if place in ALL_PLACES:
        where, name, when = ALL_PLACES[place]
        setattr(where, name, _wrapped(getattr(where, name), passing, before=when == "before"))
        return
    table, event, *committed = place.split()
    if committed:
        _plant_committed(table, event, nth)
    else:
        _at_transition(table, event, passing)


def _at_transition(table: str, event: str, passing: Callable[[], None]) -> None:
    module, rows = TABLES[table]
    if (table, event) in IN_BULK:
        where, name = IN_BULK[table, event]
        function = getattr(where, name)

        def moving(*arguments: Any, **named: Any) -> Any:
            moved = function(*arguments, **named)
            if any(moved):
                passing()
            return moved

        setattr(where, name, moving)
        return
    advance = module.advance

    def advancing(found: states.Table, state: str, what: str) -> str:
        if found is rows and what == event:
            passing()
        return str(advance(found, state, what))

    module.advance = advancing


def _plant_committed(table: str, event: str, nth: int) -> None:
    armed = 0

    def arm() -> None:
        nonlocal armed
        armed += 1

    def fire() -> None:
        if armed >= nth:
            os.kill(os.getpid(), signal.SIGKILL)

    _at_transition(table, event, arm)
    commit = engine.Store._commit
    engine.Store._commit = _wrapped(commit, fire, before=False)  # type: ignore[method-assign]


def plant_in_worker(step: str, mark: Path) -> None:
    """Kill the pool process that does `step` first; the mark is left so that it happens once."""
    function = getattr(steps, step)

    def passing() -> None:
        try:
            mark.touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(steps, step, _wrapped(function, passing, before=True))


def _wrapped(function: Callable[..., Any], passing: Callable[[], None], *, before: bool) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def waiting(*arguments: Any, **named: Any) -> Any:
            if before:
                passing()
            result = await function(*arguments, **named)
            if not before:
                passing()
            return result

        return waiting

    @functools.wraps(function)
    def direct(*arguments: Any, **named: Any) -> Any:
        if before:
            passing()
        result = function(*arguments, **named)
        if not before:
            passing()
        return result

    return direct


def record(file: Path) -> None:
    """Write down once each transition that this process comes to; how the list of what a day reaches was made."""
    seen: set[str] = set()

    def note(what: str) -> None:
        if what not in seen:
            seen.add(what)
            with file.open("a") as log:
                log.write(what + "\n")

    for table, (_, rows) in TABLES.items():
        for event in sorted(states.events(rows)):
            _at_transition(table, event, functools.partial(note, f"{table} {event}"))


def follow_clock(file: Path) -> None:
    """Let this process's clock be off by as many seconds as `file` says."""
    right = time.time_ns

    def wrong() -> int:
        return right() + int(float(file.read_text()) * 1_000_000_000)

    time.time_ns = wrong


if __name__ == "__mp_main__" and "LIENTHONG_TEST_KILL_WORKER" in os.environ:
    step, _, mark = os.environ["LIENTHONG_TEST_KILL_WORKER"].partition(":")
    plant_in_worker(step, Path(mark))

if __name__ == "__main__":
    plan = os.environ.get("LIENTHONG_TEST_KILL", "")
    if plan:
        place, _, nth = plan.rpartition(":")
        plant(place, int(nth))
    if "LIENTHONG_TEST_RECORD" in os.environ:
        record(Path(os.environ["LIENTHONG_TEST_RECORD"]))
    if "LIENTHONG_TEST_CLOCK" in os.environ:
        follow_clock(Path(os.environ["LIENTHONG_TEST_CLOCK"]))
    cli.main()
