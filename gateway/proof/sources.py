"""Whom the node asks: time stamp authorities, and the issuers of certificates.

Not here: when, and what is done with the answers (`gateway/proof/desk.py`).

Requirement: S0.5, S0.9
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import httpx
from cryptography import x509

from gateway.clock import Clock, to_datetime
from gateway.settings import Plan
from mappings.formats.values import FileName
from signing.certificates import load_roots
from signing.evidence import Evidence
from signing.many_requests import ManyRequests
from signing.revocation_client import RevocationClient
from signing.timestamp import TimestampClient, TimestampService
from signing.timestamp_token import Token


class Sources:
    """Ask as `[proof]` says; `close` when nothing more is asked. Raises RootsUnreadable."""

    def __init__(self, plan: Plan, clock: Clock) -> None:
        own = plan.proof
        self.roots = load_roots(plan.signing.trust)
        usual = _read(own.trust) or self.roots
        services = [
            TimestampService(one.url, _read(one.trust) or usual, one.policy, one.user, one.password)
            for one in own.authority
        ]
        self.stamp_roots = tuple(dict.fromkeys((*usual, *(root for one in services for root in one.roots))))

        def now() -> datetime:
            return to_datetime(clock.now())

        seconds = own.timeout.total_seconds()
        self._stamping = TimestampClient(services, timeout_s=seconds, in_flight=own.in_flight, now=now)
        self._async = httpx.AsyncClient(transport=ManyRequests(own.in_flight))
        self._sync = httpx.Client(trust_env=False)
        self._asking = RevocationClient(
            self._sync, clock=now, timeout_s=seconds, sources=own.revocation, beginnings=own.ask
        )

    async def stamp(self, data: bytes) -> Token:
        """Return a checked time stamp; raise TimestampUnavailable (transient), TimestampInvalid."""
        return await self._stamping.stamp_async(data, self._async)

    async def ask(self, chain: Sequence[x509.Certificate], since: datetime) -> Evidence:
        """Return what issuers say of a chain; what is missing was not to be had."""
        return await asyncio.to_thread(self._asking.collect, chain, since)

    async def close(self) -> None:
        await self._async.aclose()
        self._sync.close()


def _read(files: Sequence[FileName]) -> tuple[x509.Certificate, ...]:
    return load_roots([Path(one).read_bytes() for one in files])
