"""A serial line as a transport of asyncio: opened raw, for us alone, with its speed, parity, data and stop bits.

No flow control: the handshake of the low level of ASTM makes it needless, and many cables lack the wires. POSIX only.

Standard: CLSI LIS1-A (ASTM E1381) §5 (physical layer)
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import termios
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal

from connectors.faults import SerialLineUnusable

Parity = Literal["none", "even", "odd"]

_READ: Final = 64 * 1024
_SPEEDS: Final = {
    int(name[1:]): value for name, value in vars(termios).items() if name[:1] == "B" and name[1:].isdigit() and value
}


def speeds() -> tuple[int, ...]:
    """Name the speeds that this system knows."""
    return tuple(sorted(_SPEEDS))


def label_of(path: str) -> str:
    """Say what logs and the ledger call the line."""
    return f"serial {Path(path).name}"[:64]


def open_serial(path: str, *, baud: int, parity: Parity, data_bits: int, stop_bits: int) -> int:
    """Open the line and give its descriptor; raise `SerialLineUnusable`."""
    descriptor = -1
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        cc = termios.tcgetattr(descriptor)[6]
        cflag = termios.CREAD | termios.CLOCAL | (termios.CS7 if data_bits == 7 else termios.CS8)
        if parity != "none":
            cflag |= termios.PARENB | (termios.PARODD if parity == "odd" else 0)
        if stop_bits == 2:
            cflag |= termios.CSTOPB
        iflag = termios.IGNBRK | (termios.INPCK if parity != "none" else 0)
        cc[termios.VMIN], cc[termios.VTIME] = 1, 0
        speed = _SPEEDS[baud]
        termios.tcsetattr(descriptor, termios.TCSANOW, [iflag, 0, cflag, 0, speed, speed, cc])
    except (OSError, termios.error) as exc:
        if descriptor >= 0:
            os.close(descriptor)
        number = exc.args[0] if exc.args and isinstance(exc.args[0], int) else 0
        reason = "taken" if number == errno.EAGAIN else os.strerror(number) if number else type(exc).__name__
        raise SerialLineUnusable(where=label_of(path), detail=reason) from exc
    return descriptor


class SerialTransport(asyncio.Transport):
    """Carry a protocol's bytes over an open line; owns the descriptor."""

    def __init__(self, descriptor: int, protocol: asyncio.Protocol, label: str) -> None:
        super().__init__({"serial": label})
        self._loop = asyncio.get_running_loop()
        self._descriptor, self._protocol = descriptor, protocol
        self._buffer = bytearray()
        self._closing = False
        protocol.connection_made(self)
        if not self._closing:
            self._loop.add_reader(descriptor, self._readable)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self._closing:
            return
        if not self._buffer:
            self._loop.add_writer(self._descriptor, self._writable)
        self._buffer += data

    def pause_reading(self) -> None:
        self._loop.remove_reader(self._descriptor)

    def resume_reading(self) -> None:
        if not self._closing:
            self._loop.add_reader(self._descriptor, self._readable)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Write what waits, as far as the line takes it at once, and close."""
        if not self._closing and self._buffer:
            with suppress(OSError):
                os.write(self._descriptor, self._buffer)
        self._end(None)

    def abort(self) -> None:
        self._end(None)

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, _READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._end(exc)
            return
        if data:
            self._protocol.data_received(data)
        else:
            self._end(None)

    def _writable(self) -> None:
        try:
            done = os.write(self._descriptor, self._buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._end(exc)
            return
        del self._buffer[:done]
        if not self._buffer:
            self._loop.remove_writer(self._descriptor)

    def _end(self, exc: Exception | None) -> None:
        if self._closing:
            return
        self._closing = True
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_writer(self._descriptor)
        os.close(self._descriptor)
        self._loop.call_soon(self._protocol.connection_lost, exc)
