"""An analyser made of nothing but a socket: it says a thing and reads what it is told."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import NamedTuple, Self

ENQ, ACK, NAK, EOT = b"\x05", b"\x06", b"\x15", b"\x04"


class Told(NamedTuple):
    """What the sender learnt."""

    positive: bool
    content: bytes | None
    """The answer itself; None where the kind has no way to say more than yes."""


def framed(number: int, text: bytes, *, last: bool = True) -> bytes:
    """Write one frame."""
    content = str(number % 8).encode() + text + (b"\x03" if last else b"\x17")
    return b"\x02" + content + f"{sum(content) % 256:02X}".encode() + b"\r\n"


def frames_of(message: bytes, size: int = 60_000) -> list[bytes]:
    """Write a message in frames that are filled up, as many analysers do."""
    texts = [message[at : at + size] for at in range(0, len(message), size)]
    return [framed(number, text, last=number == len(texts)) for number, text in enumerate(texts, 1)]


class Analyser:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def call(cls, address: str) -> Self:
        host, _, port = address.rpartition(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def say(self, data: bytes) -> bytes:
        """Send bytes and give the one byte that answers; nothing when the other side left."""
        self.writer.write(data)
        await self.writer.drain()
        return await self.reader.read(1)

    async def send(self, message: bytes, size: int = 60_000) -> bytes:
        """Send a message in a session of its own, and give the answer to its last frame."""
        reply = await self.say(ENQ)
        for frame in frames_of(message, size):
            if reply != ACK:
                break
            reply = await self.say(frame)
        self.writer.write(EOT)
        return reply

    async def receive(self) -> bytes:
        """Take the session of the other side and give the text of its frames; nothing when it left."""
        texts: list[bytes] = []
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            assert await self.reader.readexactly(1) == ENQ
            self.writer.write(ACK)
            while await self.reader.readexactly(1) == b"\x02":
                content = await self.reader.readuntil(b"\r\n")
                assert f"{sum(content[:-4]) % 256:02X}".encode() == content[-4:-2]
                texts.append(content[1:-5])
                self.writer.write(ACK)
        return b"".join(texts)

    async def answered(self) -> Told:
        """Wait for the word on the last frame, end the session, and take what the other side then sends."""
        try:
            reply = await self.reader.read(1)
            if reply != ACK:
                return Told(False, None)
            self.writer.write(EOT)
            content = await self.receive()
            return Told(True, content.rstrip(b"\r") or None)
        finally:
            await self.leave()

    async def refused(self, reply: bytes) -> Told:
        self.writer.write(EOT)
        await self.leave()
        return Told(False, None)

    async def drain(self) -> None:
        """Read what is there."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                while await self.reader.read(100):
                    pass

    async def at_end(self) -> bool:
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True

    async def leave(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()
