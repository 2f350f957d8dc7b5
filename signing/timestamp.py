"""RFC 3161 client: get a time stamp from the first authority that gives a good one.

Every token is checked before it is given out: hash, nonce, policy, signature, the authority's certificate and chain, and
its time against our clock. The HTTP client is the caller's; one `TimestampClient` may be used from
many threads, or many tasks of one event loop. Not here: retrying after a pause (the fault is transient), revocation.

Standard: RFC 3161 §2.4, §3.4
Requirement: S0.5
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Protocol

import httpx
from cryptography import x509

from mappings.formats.values import Secret
from signing import timestamp_token
from signing.faults import TimestampInvalid, TimestampUnavailable
from signing.timestamp_token import Token

_MAXIMUM_RESPONSE = 256 * 1024
_CLOSED = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
_HEADERS: Final = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}


@dataclass(frozen=True)
class TimestampService:
    """One authority."""

    url: str = field(repr=False)
    roots: tuple[x509.Certificate, ...] = field(repr=False)
    """Where its certificate's chain must end."""
    policy: str = ""
    """Dotted OID to ask for and to insist on; empty leaves it to the authority."""
    user: str = ""
    password: Secret = field(default=Secret(""), repr=False)


class Post(Protocol):
    """Asks for `stamp_async`: `many_requests.ManyRequests`, or one of a test."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> tuple[int, bytes]:
        """Return status and body of the answer; raise what httpx raises."""


class TimestampClient:
    """Ask `services` in their order.

    One that does not answer is passed over for `rest_s` while another one works, so that not every stamp waits for its
    time-out; one that closed a connection between two questions is asked once more. At most `in_flight` questions are open
    at a time, further ones wait their turn. A token's time may differ from ours by
    `tolerance_s` at most. `now` and `monotonic` are clocks for tests to turn.
    """

    def __init__(
        self,
        services: Sequence[TimestampService],
        *,
        hash_name: str = "sha256",
        timeout_s: float = 10.0,
        tolerance_s: float = 300.0,
        rest_s: float = 60.0,
        in_flight: int = 32,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.services = tuple(services)
        self.hash_name = hash_name
        self.timeout_s = timeout_s
        self.tolerance = timedelta(seconds=tolerance_s)
        self.now = now
        self.monotonic = monotonic
        self._rest_s = rest_s
        self._resting: dict[int, float] = {}
        self._threads = threading.BoundedSemaphore(in_flight)
        self._tasks = asyncio.Semaphore(in_flight)

    def order(self) -> list[int]:
        """Number the services as they are to be asked now: those that rest come last."""
        moment = self.monotonic()
        return sorted(range(len(self.services)), key=lambda number: self._resting.get(number, moment) > moment)

    def rest(self, number: int) -> None:
        """Remember that a service did not answer."""
        self._resting[number] = self.monotonic() + self._rest_s

    def wake(self, number: int) -> None:
        """Remember that a service answers."""
        self._resting.pop(number, None)

    def stamp(self, data: bytes, client: httpx.Client) -> Token:
        """Return a checked token over `data`.

        Raises TimestampUnavailable (transient) when some authority may yet give one, TimestampInvalid when all answered and
        none of the answers is good.
        """
        attempt = _Attempt(self, data)
        with self._threads:
            for service in attempt.services():
                try:
                    question, headers = self._question(attempt, service), _headers(service)
                    with client.stream(
                        "POST", service.url, headers=headers, content=question, timeout=self.timeout_s
                    ) as response:
                        attempt.begin(response.status_code)
                        for part in response.iter_bytes():
                            attempt.take(part)
                except httpx.HTTPError as problem:
                    attempt.failed(problem)
                else:
                    attempt.judge(service)
        return attempt.result()

    async def stamp_async(self, data: bytes, http: Post) -> Token:
        """Do as `stamp` does, on an event loop."""
        attempt = _Attempt(self, data)
        async with self._tasks:
            for service in attempt.services():
                try:
                    question, headers = self._question(attempt, service), _headers(service)
                    status, body = await http.post(service.url, headers, question, self.timeout_s)
                    attempt.begin(status)
                    attempt.take(body)
                except httpx.HTTPError as problem:
                    attempt.failed(problem)
                else:
                    attempt.judge(service)
        return attempt.result()

    def _question(self, attempt: _Attempt, service: TimestampService) -> bytes:
        return timestamp_token.request(attempt.imprint, self.hash_name, attempt.nonce, service.policy)


@lru_cache(maxsize=32)
def _headers(service: TimestampService) -> Mapping[str, str]:
    if not service.user:
        return _HEADERS
    named = b64encode(f"{service.user}:{service.password}".encode()).decode()
    return {**_HEADERS, "Authorization": f"Basic {named}"}


class _Attempt:
    """One stamp: which service is next, what came, what was wrong with it. Does no I/O."""

    def __init__(self, client: TimestampClient, data: bytes) -> None:
        self._client = client
        self._data = data
        self.imprint = hashlib.new(client.hash_name, data).digest()
        self.nonce = 0
        self._token: Token | None = None
        self._unavailable: list[str] = []
        self._invalid: TimestampInvalid | None = None
        self._number = 0
        self._body = bytearray()
        self._status = 0
        self._again = False
        self._deadline = 0.0

    def services(self) -> Iterator[TimestampService]:
        """Give the services in turn until one has given a token; those that rest come last."""
        for number in self._client.order():
            self._number = number
            self._again = False
            yield self._ask(number)
            if self._again:
                yield self._ask(number)
            if self._token is not None:
                return

    def _ask(self, number: int) -> TimestampService:
        self.nonce = timestamp_token.new_nonce()
        self._body.clear()
        self._status = 0
        self._deadline = self._client.monotonic() + self._client.timeout_s
        return self._client.services[number]

    def begin(self, status: int) -> None:
        self._status = status

    def take(self, part: bytes) -> None:
        self._body += part
        if len(self._body) > _MAXIMUM_RESPONSE:
            raise httpx.ReadError("too long")
        if self._client.monotonic() > self._deadline:
            raise httpx.ReadTimeout("too slow")

    def failed(self, problem: httpx.HTTPError) -> None:
        """Ask once more when the connection broke before anything came: it may have been closed while it was idle."""
        if not self._status and not self._again and isinstance(problem, _CLOSED):
            self._again = True
        else:
            self.lost(type(problem).__name__)

    def lost(self, reason: str) -> None:
        self._unavailable.append(reason)
        self._client.rest(self._number)

    def judge(self, service: TimestampService) -> None:
        if self._status != 200:
            self.lost(f"HTTP {self._status}")
            return
        try:
            response = timestamp_token.read_response(bytes(self._body))
            if not response.granted:
                if response.permanent:
                    raise TimestampInvalid("response", response.status)
                self.lost(response.status)
                return
            self._token = self._checked(timestamp_token.read(response.token), service)
        except TimestampInvalid as problem:
            self._invalid = problem
        else:
            self._client.wake(self._number)

    def _checked(self, token: Token, service: TimestampService) -> Token:
        if token.nonce != self.nonce:
            raise TimestampInvalid("nonce", "an answer to another question")
        if token.hash_name != self._client.hash_name:
            raise TimestampInvalid("messageImprint", f"hash {token.hash_name}")
        timestamp_token.require_imprint(token, self._data)
        if service.policy and token.policy != service.policy:
            raise TimestampInvalid("policy", f"{token.policy}, asked for {service.policy}")
        if abs(token.at - self._client.now()) > self._client.tolerance:
            raise TimestampInvalid("genTime", "too far from our clock")
        timestamp_token.require_authority(token, service.roots)
        return token

    def result(self) -> Token:
        if self._token is not None:
            return self._token
        if self._invalid is not None and not self._unavailable:
            raise self._invalid
        raise TimestampUnavailable("TSA", "; ".join(self._unavailable) or "none configured")
