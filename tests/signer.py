"""A signer before the agent's page, as a browser would act for them: opens addresses, sends forms."""

from __future__ import annotations

import re
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Event, Thread
from urllib.parse import urlsplit

import httpx
from cryptography import x509

from mappings.formats.faults import SigningFault
from mappings.formats.values import Secret
from signing.agent.batches import OpenKey
from signing.agent.service import Holder
from signing.contract import ToSign
from tests.servers import wait_until


class Browser:
    """One browser session of the signer."""

    def __init__(self, entry: str) -> None:
        parts = urlsplit(entry)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.client = httpx.Client(base_url=self.origin, follow_redirects=True, trust_env=False)
        weakref.finalize(self, self.client.close)
        self.first = self.client.get(entry)

    def get(self, path: str) -> str:
        return self.client.get(path).raise_for_status().text

    def post(self, path: str, fields: Mapping[str, str | list[str]], secret: str | None = None) -> httpx.Response:
        """Send a form as it stands on the page."""
        found = re.search(r'name="form" value="([^"]+)"', self.get("/")) or re.search(
            r'name="form" value="([^"]+)"', self.first.text
        )
        own = found[1] if found else ""
        form = {"form": own if secret is None else secret, **fields}
        return self.client.post(path, data=form, headers={"Origin": self.origin, "Sec-Fetch-Site": "same-origin"})


class Signer:
    """Sign every batch the agent announces, without looking; `leave` names papers that are left out."""

    def __init__(self, pins: Collection[Secret], leave: Collection[str] = ()) -> None:
        self.pins = list(pins)
        self.leave = list(leave)
        self.announced: SimpleQueue[str] = SimpleQueue()
        """Addresses for a test that acts itself; filled when there is no PIN to give."""

    def announce(self, address: str) -> None:
        if self.pins:
            Thread(target=self._sign, args=(address,)).start()
        else:
            self.announced.put(address)

    def _sign(self, address: str) -> None:
        with suppress(httpx.TransportError):  # the agent may be taken away meanwhile; a browser would say so
            browser = Browser(address)
            path = urlsplit(str(browser.first.url)).path
            for pin in self.pins:
                wait_until(lambda: 'name="pin"' in browser.get(path))  # while one is tried, nobody is asked
                browser.post(f"{path}/sign", {"pin": str(pin), "leave": self.leave})


@dataclass
class Halt:
    """Make the keys of a workstation wait before signature number `at` of a batch until the test opens the gate."""

    at: int
    reached: Event = field(default_factory=Event)
    gate: Event = field(default_factory=Event)

    def holder(self, real: Holder) -> Holder:
        return Holder(real.look, lambda pin, last_try: Halting(real.open(pin, last_try), self))


@dataclass
class Halting:
    key: OpenKey
    halt: Halt

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        return self.key.chain

    @property
    def algorithms(self) -> tuple[str, ...]:
        return self.key.algorithms

    def sign(self, data: bytes, algorithm: str = "") -> bytes:
        return self.key.sign(data, algorithm)

    def close(self) -> None:
        self.key.close()

    def sign_hashes(self, documents: Sequence[ToSign], algorithm: str = "") -> Iterator[bytes | SigningFault]:
        signatures = self.key.sign_hashes(documents, algorithm)
        for number in range(len(documents)):
            if number == self.halt.at:
                self.halt.reached.set()
                assert self.halt.gate.wait(timeout=20)
            yield next(signatures)
