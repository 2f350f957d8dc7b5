"""The pool of real processes: a suspect is alone in it, what had not begun is not blamed, a hung step ends with the pool."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import pool as pools
from gateway.configuration import load
from gateway.faults import InternalFault, WorkerLost
from gateway.pool import Pool, alone
from gateway.tasks import Gate
from tests.site import write_site


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    plan = load(write_site(tmp_path))
    made = Pool(1, plan.signing, plan.site)
    yield made
    made.close()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang(started: str) -> None:
    Path(started).touch()
    signal.pause()


def test_only_what_had_begun_is_blamed_for_a_death(pool: Pool) -> None:
    async def main() -> list[object]:
        steps = (pool.run(os.getpid), pool.run(die), *(pool.run(os.getpid) for _ in range(6)))
        return list(await asyncio.gather(*steps, return_exceptions=True))

    first, deadly, *others = asyncio.run(main())
    assert isinstance(first, int)
    assert isinstance(deadly, WorkerLost)
    assert len(set(others)) == 1
    assert others[0] != first


def test_small_steps_share_a_turn_and_only_the_one_that_had_begun_is_blamed_for_a_death(pool: Pool) -> None:
    async def main() -> list[object]:
        before = [pool.run_small(os.getpid) for _ in range(4)]
        steps = (*before, pool.run_small(die), *(pool.run_small(os.getpid) for _ in range(12)))
        return list(await asyncio.gather(*steps, return_exceptions=True))

    outcomes = asyncio.run(main())
    (deadly,) = (one for one in outcomes if not isinstance(one, int))
    assert isinstance(deadly, WorkerLost)
    assert outcomes.index(deadly) == 4


def test_what_is_to_come_last_lets_others_go_first(pool: Pool) -> None:
    async def main() -> list[str]:
        ended: list[str] = []

        async def step(name: str, *, last: bool) -> None:
            await pool.run_small(len, name, last=last)
            ended.append(name)

        await asyncio.gather(*(step(f"last {n}", last=True) for n in range(40)), step("first", last=False))
        return ended

    ended = asyncio.run(main())
    assert ended[0] == "first"
    assert len(ended) == 41


def test_a_small_step_that_fails_does_not_spoil_its_turn(pool: Pool) -> None:
    async def main() -> list[object]:
        steps = (pool.run_small(abs, -1), pool.run_small(int, "no number"), pool.run_small(abs, -2))
        return list(await asyncio.gather(*steps, return_exceptions=True))

    first, failed, last = asyncio.run(main())
    assert (first, last) == (1, 2)
    assert isinstance(failed, InternalFault)


def test_a_step_that_hangs_ends_with_the_pool(pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "CLOSE_S", 0.2)
    started = tmp_path / "started"

    async def main() -> None:
        step = asyncio.create_task(pool.run(hang, str(started)))
        while not started.exists():  # noqa: ASYNC110 - the step is in another process
            await asyncio.sleep(0.02)
        (process,) = (pool._executor._processes or {}).values()
        await asyncio.to_thread(pool.close)
        await asyncio.to_thread(process.join, 10)
        assert process.exitcode == -signal.SIGKILL
        step.cancel()
        await asyncio.wait([step])

    asyncio.run(main())


def test_a_suspect_waits_for_an_empty_pool_and_others_wait_for_it() -> None:
    async def main() -> list[str]:
        gate, said, go_on = Gate(), list[str](), asyncio.Event()

        async def step(name: str, suspected: bool, until: asyncio.Event | None = None) -> None:
            await gate.enter(suspected)
            said.append(f"{name} in")
            if until is not None:
                await until.wait()
            said.append(f"{name} out")
            gate.leave(suspected)

        first = asyncio.create_task(step("first", False, go_on))
        second = asyncio.create_task(step("second", False))
        await second
        left = asyncio.create_task(step("left", True))
        suspect = asyncio.create_task(step("suspect", True))
        later = asyncio.create_task(step("later", False))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.sleep(0)
        assert said == ["first in", "second in", "second out"]
        go_on.set()
        await asyncio.gather(first, suspect, later)
        return said

    assert asyncio.run(main())[3:] == ["first out", "suspect in", "suspect out", "later in", "later out"]


def test_the_mark_of_a_suspect_holds_for_its_own_steps_only() -> None:
    async def main() -> None:
        with alone(True):
            inside = asyncio.create_task(asyncio.sleep(0))
            assert pools._alone.get()
            await inside
        assert not pools._alone.get()

    asyncio.run(main())
