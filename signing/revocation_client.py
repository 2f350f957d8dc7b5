"""Fetch OCSP answers and CRLs from the addresses that certificates name, and keep them while they are fresh.

Give only certificates whose chain ends at a trusted root: their addresses are then the issuer's, not a stranger's. What is
returned is checked by `revocation`, here only as far as it must not be kept when it is useless.

Not here: the judgement, LDAP addresses, following redirects.

Standard: RFC 6960 Appendix A; RFC 5280 §4.2.1.13, §4.2.1.15, §4.2.2.1, §5.2.6
Requirement: S0.6, S0.9
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from signing import revocation, revocation_crl
from signing.evidence import Evidence
from signing.faults import RevocationStale, RevocationUnknown
from signing.revocation import SKEW
from signing.revocation_answer import Answer

_MAXIMUM_OCSP = 256 * 1024
_MAXIMUM_CRL = 32 * 1024**2
_WITHOUT_END = timedelta(minutes=5)
"""How long an answer is kept that does not say when the next one is due."""
_FAILED = timedelta(minutes=1)
"""How long an address is left alone that did not answer."""
_NONCE_OCTETS = 16


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class _Kept:
    der: bytes = field(repr=False)
    until: datetime
    said_at: datetime


@dataclass
class RevocationClient:
    """Ask issuers through `client`; one instance serves many verifications and remembers what it was told.

    A failure of one address is not raised: the next one is tried, and what stays unknown shows in the verdict.
    """

    client: httpx.Client = field(repr=False)
    clock: Callable[[], datetime] = _now
    timeout_s: float = 10.0
    sources: Sequence[str] = ("ocsp", "crl")
    """What is asked, in this order: the first that answers is enough."""
    beginnings: Sequence[str] = ()
    """Beginnings of the addresses that may be asked; empty = all."""
    asked: int = 0
    """How many requests went out."""
    _refused: dict[tuple[str, str], RevocationUnknown] = field(default_factory=dict, repr=False)
    """What an address said last about a certificate, when it was no use."""
    _silent: dict[str, tuple[RevocationUnknown, datetime]] = field(default_factory=dict, repr=False)
    """Addresses that are left alone, until when and why."""
    _kept: dict[tuple[str, str], _Kept] = field(default_factory=dict, repr=False)

    def collect(self, chain: Sequence[x509.Certificate], since: datetime | None = None) -> Evidence:
        """Return what issuers say now about every certificate of `chain` but its last, the root.

        What was remembered does not do when it is older than `since`; what comes may be, when issuers speak at intervals.
        """
        ways = {"ocsp": self._ocsp, "crl": self._crl}
        found = Evidence()
        for certificate, issuer in itertools.pairwise(chain):
            answers = (ways[source](certificate, issuer, since) for source in self.sources)
            found += next((answer for answer in answers if answer is not None), Evidence())
        return found

    def failure(self, certificate: x509.Certificate) -> RevocationUnknown | None:
        """Return why the addresses that `certificate` names gave nothing the last time, if they did not."""
        name = certificate.fingerprint(hashes.SHA256()).hex()
        asked = [(one, name) for one in revocation.ocsp_addresses(certificate)]
        asked += [(one, "") for one in revocation.crl_addresses(certificate)]
        refused = [self._refused[one] for one in asked if one in self._refused]
        silent = [self._silent[one][0] for one, _ in asked if one in self._silent]
        return next(iter((*refused, *silent)), None)

    def _ocsp(self, certificate: x509.Certificate, issuer: x509.Certificate, since: datetime | None) -> Evidence | None:
        name = certificate.fingerprint(hashes.SHA256()).hex()
        for address in revocation.ocsp_addresses(certificate):
            der = self._remembered(address, name, since)
            if der is None:
                nonce = os.urandom(_NONCE_OCTETS)
                read = partial(revocation.read_ocsp, certificate=certificate, issuer=issuer, nonce=nonce)
                fetched = self._fetch(address, revocation.request(certificate, issuer, nonce), _MAXIMUM_OCSP)
                der = self._keep(address, name, fetched, read)
            if der is not None:
                return Evidence(ocsp_responses=(der,))
        return None

    def _crl(self, certificate: x509.Certificate, issuer: x509.Certificate, since: datetime | None) -> Evidence | None:
        for address in revocation.crl_addresses(certificate):
            der = self._remembered(address, "", None)
            changes = () if der is None else self._changes(certificate, issuer, der, since)
            if not changes and self._remembered(address, "", since) is None:
                read = partial(revocation.read_crl, certificate=certificate, issuer=issuer)
                der = self._keep(address, "", self._fetch(address, None, _MAXIMUM_CRL), read)
                changes = () if der is None else self._changes(certificate, issuer, der, since)
            if der is not None:
                return Evidence(crls=(der, *changes))
        return None

    def _changes(
        self, certificate: x509.Certificate, issuer: x509.Certificate, complete: bytes, since: datetime | None
    ) -> tuple[bytes, ...]:
        """Return the list of what has changed since a complete list, when the issuer keeps one."""
        read = partial(revocation_crl.read_changes, complete=complete, certificate=certificate, issuer=issuer)
        for address in revocation_crl.addresses_of_changes(certificate, complete):
            der = self._remembered(address, "", since)
            if der is None or not _continues(der, read):
                der = self._keep(address, "", self._fetch(address, None, _MAXIMUM_CRL), read)
            if der is not None:
                return (der,)
        return ()

    def _remembered(self, address: str, name: str, since: datetime | None) -> bytes | None:
        kept = self._kept.get((address, name))
        if kept is None or self.clock() >= kept.until or (since is not None and kept.said_at < since):
            return None
        return kept.der

    def _keep(self, address: str, name: str, der: bytes | None, read: Callable[[bytes], Answer]) -> bytes | None:
        """Remember `der` when it is an answer that is fresh now, and return it; else None."""
        if der is None:
            return None
        now = self.clock()
        try:
            answer = read(der)
            if answer.this_update > now + SKEW:
                raise RevocationStale(answer.source, "from the future")
            if answer.next_update is not None and answer.next_update + SKEW < now:
                raise RevocationStale(answer.source, f"out of date since {answer.next_update:%Y-%m-%d %H:%M} UTC")
            if answer.status == "unknown":
                raise RevocationUnknown(answer.source, "the issuer does not know the certificate")
        except RevocationUnknown as problem:
            self._refused[address, name] = problem
            return None
        self._kept[address, name] = _Kept(der, answer.next_update or now + _WITHOUT_END, answer.this_update)
        self._refused.pop((address, name), None)
        return der

    def _fetch(self, address: str, body: bytes | None, limit: int) -> bytes | None:
        if not address.startswith(("http://", "https://")) or not self._may_ask(address):
            return None
        if address in self._silent and self.clock() < self._silent[address][1]:
            return None
        self.asked += 1
        self._silent.pop(address, None)
        try:
            return self._exchange(address, body, limit)
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            why = str(problem) if type(problem) is _Refused else type(problem).__name__
            self._silent[address] = (RevocationUnknown(address, why), self.clock() + _FAILED)
            return None

    def _may_ask(self, address: str) -> bool:
        """Tell whether an address is one of the beginnings, or goes on behind a slash."""
        return not self.beginnings or any(
            address == one or address.startswith(f"{one.rstrip('/')}/") for one in self.beginnings
        )

    def _exchange(self, address: str, body: bytes | None, limit: int) -> bytes:
        method, headers = ("GET", {}) if body is None else ("POST", {"Content-Type": "application/ocsp-request"})
        received = bytearray()
        with self.client.stream(
            method, address, content=body, headers=headers, timeout=self.timeout_s, follow_redirects=False
        ) as answer:
            if answer.status_code != httpx.codes.OK:
                raise _Refused(f"HTTP {answer.status_code}")
            for part in answer.iter_bytes():
                received += part
                if len(received) > limit:
                    raise _Refused(f"more than {limit} bytes")
        return bytes(received)


def _continues(der: bytes, read: Callable[[bytes], Answer]) -> bool:
    try:
        read(der)
    except RevocationUnknown:
        return False
    return True


class _Refused(httpx.HTTPError):
    """Raised for an answer that is no use; its text says why."""
