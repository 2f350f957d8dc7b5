"""What can be set about proofs: `[proof]` of node.toml and its `[[proof.authority]]` tables. Values alone.

Requirement: S0.5, S0.10
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from gateway.delivery.retry import Retry
from mappings.formats.values import NO_SECRET, FileName, Secret

Level = Literal["", "B-B", "B-T", "B-LT", "B-LTA"]


@dataclass(frozen=True)
class AuthoritySettings:
    """One `[[proof.authority]]`: who gives time stamps (RFC 3161). The first that gives a good one is enough."""

    url: str
    """Where it answers."""
    policy: str = ""
    """Dotted OID to ask for and to insist on; empty leaves it to the authority."""
    trust: tuple[FileName, ...] = ()
    """PEM files of its roots; empty = `trust` of [proof]."""
    user: str = ""
    """For authorities that want one; with `password`."""
    password: Secret = NO_SECRET

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError("url: an address begins with http:// or https://")
        if self.policy and not re.fullmatch(r"[0-2](\.\d+)+", self.policy):
            raise ValueError("policy: a dotted object identifier such as 1.3.6.1.4.1.99999.1")


@dataclass(frozen=True)
class ProofSettings:
    """`[proof]`: how signatures stay provable."""

    level: Level = ""
    """For papers whose policy names none; empty = B-LT with a time stamp authority, else B-B."""
    trust: tuple[FileName, ...] = ()
    """PEM files of the roots of time stamp authorities; empty = `trust` of [signing]."""
    revocation: tuple[Literal["ocsp", "crl"], ...] = ("ocsp", "crl")
    """What issuers are asked, in this order for every certificate."""
    ask: tuple[str, ...] = ()
    """Beginnings of the addresses that may be asked; empty = every address in a certificate whose chain is trusted."""
    grace: timedelta = timedelta(0)
    """How long after its time stamp an issuer has to have spoken of a signature's certificate."""
    renew_before: timedelta = timedelta(days=90)
    """How long before the end of its authority's certificate an archive time stamp is renewed."""
    timeout: timedelta = timedelta(seconds=10)
    """How long one question may take."""
    in_flight: int = 32
    """How many signatures are proved at once, and questions open at a time stamp authority; far ones want more."""
    retry: Retry = field(default_factory=lambda: Retry(cap=timedelta(minutes=5)))
    """How patiently is asked again; nothing is ever given up, whatever `give_up_after` says."""
    authority: tuple[AuthoritySettings, ...] = ()
    """Time stamp authorities, in the order in which they are asked."""

    def __post_init__(self) -> None:
        if self.level not in ("", "B-B") and not self.authority:
            raise ValueError("level: above B-B needs [[proof.authority]], who gives time stamps")
        if self.usual_level in ("B-LT", "B-LTA") and not self.revocation:
            raise ValueError('revocation: B-LT needs "ocsp" or "crl"')
        if not 1 <= self.in_flight <= 500:
            raise ValueError("in_flight: write a number from 1 to 500")
        for one in self.ask:
            if not one.startswith(("http://", "https://")):
                raise ValueError("ask: an address begins with http:// or https://")
        if self.grace < timedelta(0) or self.timeout <= timedelta(0) or self.renew_before <= timedelta(0):
            raise ValueError("timeout: more than 0s")

    @property
    def usual_level(self) -> str:
        """The level of papers whose policy names none."""
        return self.level or ("B-LT" if self.authority else "B-B")

    @property
    def files(self) -> tuple[tuple[str, FileName], ...]:
        """Every file that is named, with the setting that names it."""
        own = [("authority", name) for one in self.authority for name in one.trust]
        return (*(("trust", name) for name in self.trust), *own)
