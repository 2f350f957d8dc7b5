"""Work that many share: each gets its own result, nobody waits more than two rounds, a failure stays in its round."""

from __future__ import annotations

import asyncio

import pytest

from gateway.tasks import Together


class Rounds:
    """Notes what was done together; a round ends when the test lets it."""

    def __init__(self) -> None:
        self.done: list[list[int]] = []
        self.go_on = asyncio.Semaphore(0)

    async def work(self, items: list[int]) -> list[int]:
        self.done.append(items)
        await self.go_on.acquire()
        if 0 in items:
            raise ZeroDivisionError
        return [item * 10 for item in items]


async def begun(together: Together[int, int], *items: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(together.one(item)) for item in items]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


def test_what_comes_meanwhile_is_done_in_the_next_round_each_with_its_own_result() -> None:
    async def main() -> None:
        rounds = Rounds()
        together = Together(rounds.work)
        first = await begun(together, 1)
        later = await begun(together, 2, 3)
        for _ in range(2):
            rounds.go_on.release()
        assert await asyncio.gather(*first, *later) == [10, 20, 30]
        assert rounds.done == [[1], [2, 3]]
        again = await begun(together, 4)
        rounds.go_on.release()
        assert await asyncio.gather(*again) == [40], "after a time of quiet"

    asyncio.run(main())


def test_a_failure_is_everybodys_of_its_round_and_nobody_elses() -> None:
    async def main() -> None:
        rounds = Rounds()
        together = Together(rounds.work)
        failing = await begun(together, 0, 1)
        later = await begun(together, 2)
        for _ in range(2):
            rounds.go_on.release()
        for task in failing:
            with pytest.raises(ZeroDivisionError):
                await task
        assert await asyncio.gather(*later) == [20]

    asyncio.run(main())


def test_who_is_cancelled_harms_nobody() -> None:
    async def main() -> None:
        rounds = Rounds()
        together = Together(rounds.work)
        gone, stays = await begun(together, 1, 2)
        gone.cancel()
        rounds.go_on.release()
        assert await stays == 20
        assert gone.cancelled()

    asyncio.run(main())
