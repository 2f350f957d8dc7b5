"""What a case of the table of attacks is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from mappings.formats.faults import SigningFault
from signing.evidence import Evidence
from signing.verdict import Verdict
from tests.unit.signing.forge import NOW, World


@dataclass(frozen=True)
class Scene:
    """A file and the circumstances in which it is judged; what is not said is as it should be."""

    data: str | bytes
    evidence: Evidence | None = None
    now: datetime = NOW
    roots: Sequence[x509.Certificate] | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    policies: Mapping[str, bytes] | None = None


Make = Callable[[World], "str | bytes | Scene"]


@dataclass(frozen=True)
class Case:
    name: str
    verdict: Verdict
    reason: type[SigningFault] | None
    make: Make
    level: str = ""


def valid(name: str, make: Make, level: str = "") -> Case:
    return Case(name, "valid", None, make, level)


def invalid(name: str, reason: type[SigningFault], make: Make) -> Case:
    return Case(name, "invalid", reason, make)


def undecided(name: str, reason: type[SigningFault], make: Make) -> Case:
    return Case(name, "undecided", reason, make)
