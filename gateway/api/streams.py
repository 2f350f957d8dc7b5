"""Send what is too large for memory, piece by piece: no thread waits for the reader, and no reader is waited for without end.

A piece is made in a thread, and sent when the thread is free again. Who takes none of it for a minute, or what breaks half way,
ends with the connection: the reader sees that it has not got all. Does not know what it sends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import chain

from fastapi import Response

from gateway.api.door import Receive, Scope, Send
from gateway.api.server import ABORT
from gateway.safe_log import describe

log = logging.getLogger("lienthong.access")

PATIENCE_S = 60.0
"""How long a reader may take none of `_PART`."""
_PART = 64 * 1024


async def begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Make the first piece, so that what cannot begin is answered as a fault; raises whatever making it raised."""
    first = await asyncio.to_thread(next, pieces, b"")
    return chain((first,), pieces)


class Streamed(Response):
    """An answer whose body is made while it leaves; `ended` is called once, whatever came of it."""

    def __init__(
        self, pieces: Iterator[bytes], headers: Mapping[str, str], media_type: str, ended: Callable[[], None]
    ) -> None:
        super().__init__(None, 200, headers, media_type)
        if "content-length" not in headers:
            del self.headers["content-length"]
        self._pieces = pieces
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        left = asyncio.create_task(_left(receive))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._send(send, left)
        except TimeoutError:
            log.warning("an answer was given up: its reader takes nothing")
            await _abort(scope, left)
        except Exception as error:  # noqa: BLE001 - the reader must see that it has not got all
            log.error("an answer broke off: %s", describe(error))
            await _abort(scope, left)
        finally:
            left.cancel()
            self._ended()

    async def _send(self, send: Send, left: asyncio.Task[None]) -> None:
        while not left.done():
            piece = await asyncio.to_thread(next, self._pieces, None)
            for n in range(0, len(piece or b"") or 1, _PART):
                part = piece[n : n + _PART] if piece is not None else b""
                async with asyncio.timeout(PATIENCE_S):
                    await send({"type": "http.response.body", "body": part, "more_body": piece is not None})
            if piece is None:
                return


async def _left(receive: Receive) -> None:
    """Return when the reader has gone, or has got everything."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _abort(scope: Scope, left: asyncio.Task[None]) -> None:
    end = scope.get(ABORT)
    if end is not None:
        end()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.shield(left)
