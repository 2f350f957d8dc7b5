"""A node that kills itself with SIGKILL at the n-th passage of a chosen place; the product knows nothing of it.

LIENTHONG_TEST_KILL=delivered:3 python -m tests.crash.killing_node serve --config …
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
from collections.abc import Callable
from typing import Any

from gateway import cli, intake, pipeline, signing_desk
from gateway.delivery import sql_queue, worker
from gateway.store import deliveries, engine, messages

PLACES: dict[str, tuple[object, str, str]] = {
    # name: (where, function, before or after it)
    "message not committed": (messages, "insert_all", "after"),
    "message committed, not answered": (intake.ChannelIntake, "_answer", "before"),
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


def plant(place: str, nth: int) -> None:
    """Kill this process at the n-th passage of `place`."""
    where, name, when = PLACES[place]
    function = getattr(where, name)
    passed = 0

    def passing() -> None:
        nonlocal passed
        passed += 1
        if passed == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(where, name, _wrapped(function, passing, before=when == "before"))


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


if __name__ == "__main__":
    plan = os.environ.get("LIENTHONG_TEST_KILL", "")
    if plan:
        place, _, nth = plan.partition(":")
        plant(place, int(nth))
    cli.main()
