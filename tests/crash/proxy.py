"""A bad network between a node and a destination: it cuts, delays, swallows and breaks off, by a drawn plan.

Bytes are never changed. What a connection does is drawn when it is made and again for each piece of an answer.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit


class Proxy:
    """Listen on a free port and carry bytes to `target` and back, badly."""

    def __init__(self, target: tuple[str, int], chance: random.Random, weights: Mapping[str, int]) -> None:
        self._target = target
        self._chance = chance
        self._weights = dict(weights)
        self.done: Counter[str] = Counter()
        self.good = False
        """From now on everything is carried well."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            _reset(one)
        for thread in self._threads:
            thread.join(10)

    def _draw(self, *names: str) -> str:
        """Return one of these troubles, or nothing."""
        if self.good:
            return ""
        names = ("", *names)
        drawn = self._chance.choices(names, [self._weights[name] for name in names])[0]
        self.done[drawn or "well"] += 1
        return drawn

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            trouble = self._draw("cut", "half-open")
            if trouble == "cut":
                _reset(client)
            elif not trouble:
                server = socket.create_connection(self._target)
                self._open.append(server)
                for work in ((client, server, self._there), (server, client, self._back)):
                    thread = threading.Thread(target=self._carry, args=work, daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket, how: object) -> None:
        assert callable(how)
        try:
            while data := source.recv(65536):
                if not how(sink, data):
                    break
            else:
                sink.shutdown(socket.SHUT_WR)
                return
        except OSError:
            pass
        _reset(source)
        _reset(sink)

    def _there(self, sink: socket.socket, data: bytes) -> bool:
        if self._draw("slow") == "slow":
            for n in range(0, len(data), 1 + len(data) // 4):
                time.sleep(0.05)
                sink.sendall(data[n : n + 1 + len(data) // 4])
        else:
            sink.sendall(data)
        return True

    def _back(self, sink: socket.socket, data: bytes) -> bool:
        """Carry a piece of an answer; False when the connection is to break."""
        trouble = self._draw("reset", "swallow")
        if trouble == "reset":
            sink.sendall(data[: len(data) // 2])
            return False
        if not trouble:
            sink.sendall(data)
        return True


def _reset(connection: socket.socket) -> None:
    """Close so that the other side gets a reset."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
    except OSError:
        pass
    connection.close()


@contextmanager
def between(
    addresses: Mapping[str, str], names: tuple[str, ...], seed: int, weights: Mapping[str, int]
) -> Iterator[tuple[dict[str, str], list[Proxy]]]:
    """Put a bad network before these destinations; give the addresses to use and the proxies."""
    proxies: dict[str, Proxy] = {}
    changed = dict(addresses)
    try:
        for name in names:
            parts = urlsplit(addresses[name])
            assert parts.hostname is not None
            assert parts.port is not None
            proxies[name] = Proxy((parts.hostname, parts.port), random.Random(f"{seed}{name}"), weights)
            changed[name] = parts._replace(netloc=f"127.0.0.1:{proxies[name].port}").geturl()
        yield changed, list(proxies.values())
    finally:
        for proxy in proxies.values():
            proxy.close()
