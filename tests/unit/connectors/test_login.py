from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from connectors.destinations._login import Login, Token
from connectors.faults import LoginRefused

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Desk:
    """Hands out tokens that live ten minutes, and counts them; `now` is what its clock shows."""

    def __init__(self) -> None:
        self.now = NOON
        self.taken = 0
        self.refuses = False
        self.life = timedelta(minutes=10)
        self.login = Login("desk", self._take, lambda: self.now)

    async def _take(self) -> Token:
        self.taken += 1
        await asyncio.sleep(0)
        if self.refuses:
            raise LoginRefused("desk")
        return Token(f"token {self.taken}", self.now + self.life)


def test_a_token_is_renewed_a_minute_early() -> None:
    async def scene() -> None:
        desk = Desk()
        assert (await desk.login.token()).access == "token 1"
        desk.now += timedelta(minutes=8, seconds=59)
        assert (await desk.login.token()).access == "token 1"
        desk.now += timedelta(seconds=1)
        assert (await desk.login.token()).access == "token 2"

    asyncio.run(scene())


def test_those_refused_with_the_same_token_log_in_once() -> None:
    async def scene() -> None:
        desk = Desk()
        old = await desk.login.token()
        tokens = await asyncio.gather(*(desk.login.token(refused=old) for _ in range(5)))
        assert {token.access for token in tokens} == {"token 2"}
        assert desk.taken == 2

    asyncio.run(scene())


def test_a_token_already_past_its_end_is_not_taken_anew_for_each_document() -> None:
    async def scene() -> None:
        desk = Desk()
        desk.life = timedelta(hours=-7)
        for _ in range(3):
            await desk.login.token()
        assert desk.taken == 1

    asyncio.run(scene())


def test_a_refused_log_in_rests_for_a_minute() -> None:
    async def scene() -> None:
        desk = Desk()
        desk.refuses = True
        for _ in range(3):
            with pytest.raises(LoginRefused):
                await desk.login.token()
        assert desk.taken == 1
        desk.refuses = False
        desk.now += timedelta(minutes=1)
        assert (await desk.login.token()).access == "token 2"

    asyncio.run(scene())


def test_a_token_does_not_show_itself() -> None:
    assert "secret" not in repr(Token("secret", NOON, "secret"))
