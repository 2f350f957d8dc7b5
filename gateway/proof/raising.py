"""Ask for what the level of today wants of signatures that were made, and left, when less was wanted.

The files stay as they were sent (P6). What is gathered for their signatures is kept beside them in the ledger, as it is for
files that hold no proofs; at B-LTA an evidence record is over file and proofs. So a hospital that gets a time stamp authority
later, or has papers from before there were evidence records, has proof of these, too: from the day of the new time stamp on.

Not here: gathering it (`gateway/proof/desk.py`), making the record (`gateway/proof/renewal.py`).

Requirement: S0.10
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway.clock import to_instant
from gateway.faults import ReasonMissing
from gateway.proof import records, rules
from gateway.settings import Plan
from gateway.store import actions, documents, proofs
from signing import certificates
from signing.evidence import Evidence
from signing.forms import LEVELS


@dataclass(frozen=True)
class Raised:
    """What was asked for."""

    signatures: int = 0
    records: int = 0
    """Evidence records that can be made at once."""
    ended: int = 0
    """Signatures whose certificate has ended: a time stamp of today would prove nothing."""

    def __add__(self, other: Raised) -> Raised:
        return Raised(self.signatures + other.signatures, self.records + other.records, self.ended + other.ended)


def ask(connection: Connection, plan: Plan, row: Row[Any], actor: str, reason: str, now: int) -> Raised:
    """Ask for what the signatures on a signed document lack; what is under way, and what has enough, stays as it is.

    Raises ReasonMissing.
    """
    if not reason.strip():
        raise ReasonMissing()
    documents.lock(connection, row.id)
    known = proofs.of_document(connection, row.id)
    archived = [one.kind for one in proofs.archives(connection, row.id) if not documents.is_record(one.kind)]
    lasting = {one.id for kind in archived for one in rules.standing(known, kind)}
    raised = ended = 0
    for one in known:
        if one.id in lasting or one.state not in ("kept", "proved"):
            continue
        wanted, found = rules.level_of(connection, plan, row, one.kind, one.role), proofs.evidence(connection, one.id)
        has = _level(one, found)
        if LEVELS.index(wanted) <= LEVELS.index(has) or (has == "B-LT" and not one.inside):
            continue
        if has == "B-B" and _ended(found, now):
            ended += 1
            continue
        proofs.raise_level(connection, one.id, wanted, _EVENT[has], now)
        raised += 1
    done = Raised(raised, records.ask(connection, plan, row, now), ended)
    if done.signatures or done.records:
        actions.insert(connection, at=now, actor=actor, verb="raise", target=row.id, reason=reason)
    return done


_EVENT = {"B-B": "want", "B-T": "raise", "B-LT": ""}
"""What a signature of a level goes through to the next one; at B-LT only the record is lacking."""


def _level(one: Row[Any], found: Evidence) -> str:
    if one.state == "kept" or not found.timestamps:
        return "B-B"
    return "B-LT" if found.ocsp_responses or found.crls else "B-T"


def _ended(found: Evidence, now: int) -> bool:
    return to_instant(certificates.from_der(found.certificates[0]).not_valid_after_utc) <= now
