"""The sending end of MLLP: one connection, one message at a time.

For `lienthong send` and for players of scenarios. It does not retry and does not parse the answer.
"""

from __future__ import annotations

import asyncio
import ssl as tls
from datetime import timedelta
from types import TracebackType
from typing import Self

from connectors.faults import Uncertain, Unreachable
from connectors.mllp_framing import Framer, framed

_MAX_ANSWER = 1024 * 1024
_READ = 64 * 1024


class MllpClient:
    """Send messages over one connection; a context manager that connects on entry and closes on exit."""

    def __init__(
        self,
        host: str,
        port: int,
        ssl: tls.SSLContext | None = None,
        *,
        connect_timeout: timedelta = timedelta(seconds=5),
        answer_timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        self._where = f"{host}:{port}"
        self._host, self._port, self._ssl = host, port, ssl
        self._connect_timeout, self._answer_timeout = connect_timeout, answer_timeout
        self._framer = Framer(_MAX_ANSWER)
        self._answers: list[bytes] = []
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Open the connection; raise `Unreachable` when that fails."""
        try:
            async with asyncio.timeout(self._connect_timeout.total_seconds()):
                self._reader, self._writer = await asyncio.open_connection(self._host, self._port, ssl=self._ssl)
        except OSError as exc:
            raise Unreachable(where=self._where, detail=type(exc).__name__) from exc

    async def send(self, raw: bytes) -> bytes:
        """Send `raw` framed and give the content of the next answer frame; raise `Uncertain` when none comes.

        After a fault the connection is of no more use: a late answer would be taken for that of the next message.
        """
        await self.send_only(raw)
        return await self.read()

    async def send_only(self, raw: bytes) -> None:
        """Send `raw` framed and wait for no answer."""
        if self._writer is None:
            raise Unreachable(where=self._where, detail="not connected")
        try:
            self._writer.write(framed(raw))
            async with asyncio.timeout(self._answer_timeout.total_seconds()):
                await self._writer.drain()
        except OSError as exc:
            await self.close()
            raise Uncertain(where=self._where, detail=type(exc).__name__) from exc

    async def read(self) -> bytes:
        """Give the content of the next frame the peer sends; raise `Uncertain` when none comes in time."""
        if self._reader is None:
            raise Unreachable(where=self._where, detail="not connected")
        try:
            async with asyncio.timeout(self._answer_timeout.total_seconds()):
                while not self._answers:
                    data = await self._reader.read(_READ)
                    if not data:
                        await self.close()
                        raise Uncertain(where=self._where, detail="connection closed without an answer")
                    for frame in self._framer.feed(data):
                        if frame.fault is not None:
                            await self.close()
                            raise Uncertain(where=self._where, detail=type(frame.fault).__name__)
                        self._answers.append(frame.raw)
        except OSError as exc:
            await self.close()
            raise Uncertain(where=self._where, detail=type(exc).__name__) from exc
        return self._answers.pop(0)

    async def close(self) -> None:
        """Close the connection; may be called twice."""
        writer, self._writer, self._reader = self._writer, None, None
        if writer is None:
            return
        writer.close()
        try:
            async with asyncio.timeout(self._connect_timeout.total_seconds()):
                await writer.wait_closed()
        except OSError:
            writer.transport.abort()
