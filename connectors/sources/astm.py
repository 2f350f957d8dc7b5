"""Analysers that speak ASTM (CLSI LIS1-A), over TCP or a serial line: results in, and answers to what they ask out.

One message is the records from H to L, without frames; several in one session are several. The ACK of the frame that ends a
message leaves when the message is durable, and not before: also when it is in the error queue, because NAK says only that the
frame came damaged, and an analyser that sends the same thing for ever sends nothing else. NAK is answered when the ledger did
not take it (the analyser sends it again) and to a message larger than `max_size` (the analyser shows a failed transmission; the
first 64 KB are kept). Of a message that breaks off before L, or whose frame never comes whole, what came is kept with a fault.

Answers to a question (Q record) are transmitted when the analyser has ended its session (EOT), each as a message of its own;
when both sides ask for the line the analyser goes first. An answer that is not taken is noted at the message that asked.
Orders that intake owes the analyser unasked are transmitted in the same way, on the newest connection that there is.

`framing = "none"` is for analysers that send bare records over TCP. Nothing is acknowledged then, so an analyser cannot be told
that the gateway did not keep a message: it is tried again for as long as the gateway runs.

What the records say is not looked into. No flow control on serial lines.

Standard: CLSI LIS1-A (ASTM E1381), CLSI LIS2-A2 (ASTM E1394) §5, §6, §13. Requirement: S1.5
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, Literal

from connectors._astm_bare import Bare
from connectors._astm_link import Link, Role
from connectors._astm_outputs import Times
from connectors.contract import DialogueIntake, OrderIntake
from connectors.faults import AnalyserAway, PeerNotAllowed, SerialLineUnusable, TlsFilesUnusable
from connectors.sources._astm_calls import Caller
from connectors.sources._astm_line import Line, Talk
from connectors.sources._listening import (
    address_of,
    check_listening,
    checked_address,
    is_loopback,
    is_within,
    open_server,
    server_context,
)
from connectors.sources._serial_line import Parity, SerialTransport, label_of, open_serial, speeds
from mappings.formats.values import NO_FILE, FileName, Size, parse_address

logger = logging.getLogger(__name__)

_MAX_SIZE: Final = Size(20 * 1024 * 1024)
_MAX_FRAME: Final = Size(64 * 1024)
_CONNECT_S: Final = 10.0
_STRANGERS: Final = 256
"""So many are told of, each once."""
_AGAIN_S: Final = 1.0
_AGAIN_MOST_S: Final = 60.0


@dataclass(frozen=True)
class Settings:
    listen: str = ""
    """Address and port that analysers call, like `0.0.0.0:4010`; port 0 takes a free one."""
    connect: str = ""
    """Address and port of an analyser, or of the converter before it, that waits to be called; it is called again and again."""
    serial: FileName = NO_FILE
    """Serial line, like `/dev/ttyUSB0`; better a name that stays, from `/dev/serial/by-id/`. One of these three is needed."""
    baud: int = 9600
    """Speed of the serial line."""
    parity: Parity = "none"
    """Parity of the serial line."""
    data_bits: int = 8
    """Data bits of the serial line: 7 or 8."""
    stop_bits: int = 1
    """Stop bits of the serial line: 1 or 2."""
    framing: Literal["frames", "none"] = "frames"
    """`frames` as the standard has them; `none` for bare records, over TCP only."""
    peers: tuple[str, ...] = ()
    """Who may call: addresses and networks, like `["10.0.7.21", "10.0.8.0/24"]`; needed with `listen`."""
    anyone: bool = False
    """Let everybody call; only for a network in which nobody else is."""
    tls: Literal["none", "tls", "mtls"] = "tls"
    """`tls` encrypts, `mtls` also asks for a certificate of `client_ca`, or shows ours with `connect`; `none` switches
    encryption off. A serial line has none."""
    certificate: FileName = NO_FILE
    """PEM file with our certificate and its chain; needed with `listen` unless `tls = "none"`, with `connect` for `mtls`."""
    private_key: FileName = NO_FILE
    """PEM file with the key of `certificate`, without a password."""
    client_ca: FileName = NO_FILE
    """PEM file with the authorities of the analysers' certificates; needed with `tls = "mtls"`, and with `connect` and TLS."""
    charset: str = "auto"
    """Charset of the records; framing does not depend on it."""
    max_size: Size = _MAX_SIZE
    """Largest message; a larger one is refused, its first 64 KB are kept."""
    max_frame: Size = _MAX_FRAME
    """Longest frame that is taken."""
    send_frame: int = 240
    """Characters of text in a frame that we send; the standard has 240, newer analysers take up to 64000."""
    answer_timeout: timedelta = timedelta(seconds=15)
    """How long an analyser may take to answer our ENQ or our frame."""
    frame_timeout: timedelta = timedelta(seconds=30)
    """An analyser that is silent for so long within its session has broken off."""
    max_connections: int = 64
    """Analysers at the same time; further ones are closed at once."""
    keepalive: timedelta = timedelta(seconds=60)
    """Silence after which TCP asks whether the analyser is still there."""
    grace: timedelta = timedelta(seconds=10)
    """At shutdown, how long messages under way may take to arrive and be answered."""

    def __post_init__(self) -> None:
        ways = [name for name in ("listen", "connect", "serial") if getattr(self, name)]
        if len(ways) != 1:
            raise ValueError(
                'listen: write one of listen = "0.0.0.0:4010", connect = "10.0.7.21:4010" or serial = "/dev/ttyUSB0"'
            )
        if self.listen:
            check_listening(self)
            self._check_peers()
        elif self.connect:
            self._check_calling()
        else:
            self._check_serial()
        for name, least in (("max_size", 1), ("max_frame", 16), ("send_frame", 1), ("max_connections", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: nothing would pass — write at least {least}")
        for name in ("answer_timeout", "frame_timeout"):
            if getattr(self, name) <= timedelta(0):
                raise ValueError(f'{name}: nobody is so fast — write a duration like "15s"')
        if self.keepalive < timedelta(seconds=1):
            raise ValueError('keepalive: TCP counts in seconds — write at least "1s"')
        if self.grace < timedelta(0):
            raise ValueError('grace: a time cannot be negative — write "0s" or more')

    def _check_peers(self) -> None:
        try:
            networks_of(self.peers)
        except ValueError as exc:
            raise ValueError(f"peers: {exc}") from exc
        if self.peers and self.anyone:
            raise ValueError("anyone: lets in those too who are not in peers — write one of the two")
        if not (self.peers or self.anyone or self.tls == "mtls" or is_loopback(checked_address(self.listen)[0])):
            raise ValueError('peers: nobody could call — write addresses like ["10.0.7.21"], or anyone = true')

    def _check_calling(self) -> None:
        try:
            _, port = parse_address(self.connect)
        except ValueError as exc:
            raise ValueError(f"connect: {exc}") from exc
        if not port:
            raise ValueError("connect: nobody waits at port 0 — write an address like 10.0.7.21:4010")
        if self.tls != "none" and not self.client_ca:
            raise ValueError(
                'client_ca: TLS needs the authority of the analyser — write the file, or tls = "none" in a closed network'
            )
        if self.tls == "mtls" and not (self.certificate and self.private_key):
            raise ValueError('certificate: mtls needs certificate and private_key — write both files, or tls = "tls"')

    def _check_serial(self) -> None:
        if self.framing == "none":
            raise ValueError(
                'framing: on a serial line bytes get lost unseen without frames — write framing = "frames"'
            )
        if self.baud not in speeds():
            raise ValueError(f"baud: no speed of a line — write one of {', '.join(map(str, speeds()))}")
        if self.data_bits not in (7, 8):
            raise ValueError("data_bits: write 7 or 8")
        if self.stop_bits not in (1, 2):
            raise ValueError("stop_bits: write 1 or 2")


class Source:
    """Listen for analysers, call one or hold its serial line, and hand every message to intake."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._away = False

    @staticmethod
    def check(settings: Settings) -> None:
        """Read the TLS files, look for the serial line; raises `TlsFilesUnusable`, `SerialLineUnusable`. Opens nothing."""
        if settings.serial:
            if not os.path.exists(settings.serial):
                raise SerialLineUnusable(where=label_of(settings.serial), detail="not there")
            if not os.access(settings.serial, os.R_OK | os.W_OK):
                raise SerialLineUnusable(where=label_of(settings.serial), detail="not permitted")
        elif settings.connect:
            _client_context(settings)
        else:
            server_context(settings)

    def counts(self) -> dict[str, int]:
        """Say whether the analyser that we call, or its serial line, is away."""
        return {"away": int(self._away)}

    async def run(self, intake: DialogueIntake, ready: Callable[[str], None]) -> None:
        """Serve until cancelled; then answer what is under way within `grace`, close everything and return.

        Raises `ListenFailed`, `TlsFilesUnusable` and `SerialLineUnusable`, all before `ready` is called; an analyser or a line
        that goes away later is waited for, and so is an analyser that does not answer our first call.
        """
        settings = self._settings
        house = _House(settings, intake)
        caller = Caller(intake, house.newest) if isinstance(intake, OrderIntake) else None
        try:
            if settings.listen:
                await self._listen(house, ready)
            elif settings.connect:
                await self._call(house, ready)
            else:
                await self._hold(house, ready)
        except asyncio.CancelledError:
            logger.info("astm %s: stopping", house.label)
        finally:
            await house.leave()
            if caller is not None:
                await caller.close()

    async def _listen(self, house: _House, ready: Callable[[str], None]) -> None:
        settings = self._settings
        server = await open_server(settings, lambda: Line(house))
        try:
            ready(address_of(server.sockets[0].getsockname()))
            await asyncio.Event().wait()
        finally:
            server.close()
            await house.leave()
            await server.wait_closed()

    async def _call(self, house: _House, ready: Callable[[str], None]) -> None:
        """Call the analyser, and again whenever it is gone."""
        settings = self._settings
        host, port = parse_address(settings.connect)
        context = _client_context(settings)

        async def open_line() -> Line:
            try:
                async with asyncio.timeout(_CONNECT_S):
                    _, line = await asyncio.get_running_loop().create_connection(
                        lambda: Line(house), host, port, ssl=context, server_hostname=host if context else None
                    )
            except (OSError, ValueError) as exc:
                raise AnalyserAway(where=settings.connect, detail=type(exc).__name__) from exc
            return line

        ready(settings.connect)
        await self._again(open_line)

    async def _hold(self, house: _House, ready: Callable[[str], None]) -> None:
        """Open the serial line, and again whenever it is gone."""
        first: list[int] = [self._open()]

        async def open_line() -> Line:
            try:
                descriptor = first.pop() if first else self._open()
            except SerialLineUnusable as exc:
                raise AnalyserAway(where=exc.where, detail=exc.detail) from exc
            line = Line(house)
            SerialTransport(descriptor, line, house.label)
            return line

        ready(house.label)
        await self._again(open_line)

    def _open(self) -> int:
        settings = self._settings
        return open_serial(
            settings.serial,
            baud=settings.baud,
            parity=settings.parity,
            data_bits=settings.data_bits,
            stop_bits=settings.stop_bits,
        )

    async def _again(self, open_line: Callable[[], Coroutine[None, None, Line]]) -> None:
        pause = _AGAIN_S
        while True:
            try:
                line = await open_line()
            except AnalyserAway as fault:
                if not self._away:
                    logger.warning("astm: %s", fault)
                self._away = True
            else:
                if self._away:
                    logger.warning("astm %s: there again", self._settings.connect or label_of(self._settings.serial))
                self._away = False
                await line.closed.wait()
                if line.heard:
                    pause = _AGAIN_S
            await asyncio.sleep(pause)
            pause = min(2 * pause, _AGAIN_MOST_S)


class _House:
    """All lines of one source: their number, who may call, their end."""

    def __init__(self, settings: Settings, intake: DialogueIntake) -> None:
        self.intake = intake
        self.keepalive = settings.keepalive
        self.label = settings.listen or settings.connect or label_of(settings.serial)
        self._settings = settings
        self._networks = networks_of(settings.peers)
        self._times = Times(
            answer_s=settings.answer_timeout.total_seconds(), frame_s=settings.frame_timeout.total_seconds()
        )
        self._lines: dict[Line, None] = {}
        """In the order in which they came."""
        self._workers: set[asyncio.Task[None]] = set()
        self._left = asyncio.Event()
        self._full = False
        self._strangers: set[str] = set()

    def newest(self) -> Line | None:
        """Give the line that was opened last and is open."""
        return next((line for line in reversed(self._lines) if line.open), None)

    def talk(self) -> Talk:
        settings = self._settings
        if settings.framing == "none":
            return Bare(self._times, max_size=settings.max_size)
        sizes = {"max_size": settings.max_size, "max_frame": settings.max_frame, "send_frame": settings.send_frame}
        return Link(Role.HOST, self._times, **sizes)

    def admit(self, line: Line, address: str) -> bool:
        if self._networks and address and not any(is_within(address, network) for network in self._networks):
            if address not in self._strangers and len(self._strangers) < _STRANGERS:
                self._strangers.add(address)
                logger.warning("astm %s: %s", self.label, PeerNotAllowed(where=address[:64]))
            return False
        if len(self._lines) >= self._settings.max_connections:
            if not self._full:
                logger.warning("astm %s: full with %d connections", self.label, len(self._lines))
            self._full = True
            return False
        self._full = False
        self._lines[line] = None
        return True

    def dismiss(self, line: Line) -> None:
        self._lines.pop(line, None)
        if not self._lines:
            self._left.set()

    def employ(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        worker = asyncio.get_running_loop().create_task(work)
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)
        return worker

    async def leave(self) -> None:
        """End every line, those with a message under way after its answer, all of them after `grace`."""
        for line in tuple(self._lines):
            line.stop()
        try:
            async with asyncio.timeout(self._settings.grace.total_seconds()):
                while self._lines or self._workers:
                    if self._workers:
                        await asyncio.wait(set(self._workers))
                    else:
                        self._left.clear()
                        await self._left.wait()
        except TimeoutError:
            logger.warning("astm %s: %d connections cut off", self.label, len(self._lines))
        finally:
            for line in tuple(self._lines):
                line.abort()
            workers = set(self._workers)
            for worker in workers:
                worker.cancel()
            if workers:
                await asyncio.wait(workers)


def networks_of(peers: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Read addresses and networks; raise `ValueError` for a text that is neither."""
    return tuple(ip_network(peer, strict=False) for peer in peers)


def _client_context(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls == "none":
        return None
    try:
        context = ssl.create_default_context(cafile=settings.client_ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.certificate:
            context.load_cert_chain(settings.certificate, settings.private_key or None)
    except (OSError, ValueError) as exc:
        raise TlsFilesUnusable(where=settings.connect, detail=exc.__class__.__name__) from exc
    return context
