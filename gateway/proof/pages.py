"""Seal the pages of an issued paper: a PAdES signature of the facility, at B-LT with a time stamp authority, else at B-B.

The pages are made anew for whoever asks and not kept, so their proofs are not renewed; the signed CDA is what is kept.

Requirement: S0.5, S3.9
"""

from __future__ import annotations

import asyncio

from gateway.clock import Clock, to_datetime
from gateway.proof.sources import Sources
from gateway.settings import Plan
from signing import proving
from signing.evidence import Evidence
from signing.keys import open_key


def sealed(pdf: bytes, plan: Plan, clock: Clock) -> bytes:
    """Return the pages with the seal of `[signing]`, its block on page 1.

    Raises what `open_key` and `pades.sign` raise; TimestampUnavailable (transient), TimestampInvalid.
    """
    from signing import pades  # only now: the library behind it is slow to load

    key = open_key(plan.signing.kind, plan.signing.options)
    made = pades.sign(pdf, key, at=to_datetime(clock.now()))
    if plan.proof.usual_level == "B-B":
        return made
    known = Evidence(certificates=proving.der(key.chain))
    return asyncio.run(_proved(made, known, plan, clock))


async def _proved(pdf: bytes, known: Evidence, plan: Plan, clock: Clock) -> bytes:
    from signing import pades_levels

    sources = Sources(plan, clock)
    try:
        token = await sources.stamp(pades_levels.timestamp_data(pdf))
        stamped = pades_levels.with_timestamp(pdf, token)
        if plan.proof.usual_level == "B-T":
            return stamped
        signer = proving.signer_chain(known, sources.roots, token.at)
        stamp = proving.stamp_chain(token, sources.stamp_roots)
        found = Evidence(certificates=proving.der((*signer[:-1], *stamp[:-1])))
        found += await sources.ask(signer, token.at)
        found += await sources.ask(stamp, token.at)
        return pades_levels.with_values(stamped, found)
    finally:
        await sources.close()
