"""Whom the node asks, time stamp authorities and the issuers of certificates, and what is enough of an answer.

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
from signing import proving
from signing.certificates import load_roots
from signing.evidence import Evidence
from signing.faults import ProofPending
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

        self._now, self._grace = now, own.grace
        seconds = own.timeout.total_seconds()
        self._stamping = TimestampClient(services, timeout_s=seconds, in_flight=own.in_flight, now=now)
        self._async = ManyRequests(own.in_flight)
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

    async def word(
        self, signer: Sequence[x509.Certificate], stamp: Sequence[x509.Certificate], at: datetime
    ) -> Evidence:
        """Return what shows that both chains were good `at`; raise why it does not, or not yet.

        `signer` is empty for the chain of an archive time stamp, which has no signer. Raises ProofPending (transient),
        ProofNotOffered, SignatureUnprovable, TimestampInvalid.
        """
        since, now = at + self._grace, self._now()
        if now < since:
            raise ProofPending("grace", f"until {since:%Y-%m-%d %H:%M:%S} UTC")
        found = Evidence(certificates=proving.der((*signer[:-1], *stamp[:-1])))
        if signer:
            found += await self.ask(signer, since)
        found += await self.ask(stamp, since)
        if signer:
            proving.require_good(signer, found, at, since, now)
        proving.require_good_authority(stamp, found, at, since, now)
        return found

    async def close(self) -> None:
        await self._async.aclose()
        self._sync.close()


def _read(files: Sequence[FileName]) -> tuple[x509.Certificate, ...]:
    return load_roots([Path(one).read_bytes() for one in files])
