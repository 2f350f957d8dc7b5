"""Hold the token of one account: taken once for all who wait, renewed before it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from connectors.faults import LoginRefused

_Answer = TypeVar("_Answer")
_EARLY = timedelta(minutes=1)
_SHORTEST = timedelta(seconds=20)
_AFTER_REFUSAL = timedelta(minutes=1)


@dataclass(frozen=True, eq=False)
class Token:
    """What a log-in gave; equal only to itself, so that two of the same text are still two log-ins."""

    access: str = field(repr=False)
    expires_at: datetime
    second: str = field(default="", repr=False)
    """The portal's id_token; empty elsewhere."""


class Login:
    """Give a valid token; `take` does the log-in and raises when it fails."""

    def __init__(
        self, where: str, take: Callable[[], Awaitable[Token]], now: Callable[[], datetime] | None = None
    ) -> None:
        self._where = where
        self._take = take
        self._now = now or (lambda: datetime.now(UTC))
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._renew_at = self._closed_until = datetime.min.replace(tzinfo=UTC)

    async def token(self, refused: Token | None = None) -> Token:
        """Give the token, taking a new one when there is none, it ends within a minute, or it is the one `refused`.

        After a refused log-in none is tried for a minute: many waiting documents would lock the account. A token whose end
        is already past (a wrong clock, here or there) is still used for 20 seconds, for the same reason.
        """
        async with self._lock:
            if self._token is None or self._token is refused or self._now() >= self._renew_at:
                self._token = None
                self._token = token = await self._take_unless_refused()
                self._renew_at = max(token.expires_at - _EARLY, self._now() + _SHORTEST)
            return self._token

    async def use(self, call: Callable[[Token], Awaitable[_Answer | None]]) -> _Answer:
        """Make `call`; when it gives None (token refused) log in again and make it once more.

        Raises `LoginRefused` when the fresh token is refused too.
        """
        token = await self.token()
        answer = await call(token)
        if answer is None:
            token = await self.token(refused=token)
            answer = await call(token)
        if answer is None:
            self._closed_until = self._now() + _AFTER_REFUSAL
            raise LoginRefused(self._where, "a fresh token is refused")
        return answer

    async def _take_unless_refused(self) -> Token:
        if self._now() < self._closed_until:
            raise LoginRefused(self._where, "refused less than a minute ago")
        try:
            return await self._take()
        except LoginRefused:
            self._closed_until = self._now() + _AFTER_REFUSAL
            raise
