"""Keep everything that reached a destination, in order of arrival, with the verdict given: the sandbox's evidence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any


class Verdict(StrEnum):
    """What a destination made of an arrival."""

    ACCEPTED = "accepted"
    REPEAT = "repeat"
    """The same bytes under the same key as an accepted arrival: answered like it, counted apart."""
    REFUSED = "refused"


@dataclass(frozen=True)
class Arrival:
    """What a destination found in one submission."""

    key: str
    """insurance_portal: SHA-256 of the file; moh_axis: msg_id; national_coordination: Idempotency-Key;
    fhir_rest: `system|value` of `Bundle.identifier`."""
    body: bytes
    """The paper as it came, taken out of its envelope."""
    verdict: Verdict
    code: str
    """The published code answered."""
    reference: str = ""
    """What the answer calls the paper: maGiaoDich, txn_id, id, `Bundle/<id>`."""
    signers: tuple[str, ...] = ()
    document_id: str = ""
    """`ClinicalDocument/id`, MA_LK and the LOAIHOSO of an insurance file, or the value of `Bundle.identifier`."""
    wire_sha256: str = ""
    """Hash of the whole request body."""
    detail: str = ""
    """Why it was refused, for the integrator; not part of the answer."""
    form: str = ""
    """Which kind of submission, where a destination has several: at the insurance portal the path."""


@dataclass(frozen=True)
class Record:
    """One arrival as kept."""

    n: int
    """Order of arrival over all destinations, from 1."""
    destination: str
    key: str
    sha256: str
    """Of the paper."""
    size: int
    verdict: Verdict
    code: str
    reference: str
    signers: tuple[str, ...]
    document_id: str
    wire_sha256: str
    detail: str
    received_at: str
    form: str = ""


class Records:
    """Keep records in memory, or in a folder that a later start reads again."""

    def __init__(self, folder: Path | None, clock: Callable[[], datetime]) -> None:
        self._folder = folder
        self._clock = clock
        self._all: list[Record] = []
        self._bodies: dict[str, bytes] = {}
        self._accepted: dict[tuple[str, str], Record] = {}
        self._repeats: dict[tuple[str, str], int] = {}
        if folder is not None:
            (folder / "papers").mkdir(parents=True, exist_ok=True)
            self._load(folder / "index.jsonl")

    def __len__(self) -> int:
        return len(self._all)

    def add(self, destination: str, arrival: Arrival) -> Record:
        """Keep one arrival."""
        facts = asdict(arrival)
        del facts["body"]
        record = Record(
            n=len(self._all) + 1,
            destination=destination,
            sha256=hashlib.sha256(arrival.body).hexdigest(),
            size=len(arrival.body),
            received_at=self._clock().isoformat(),
            **facts,
        )
        self._keep_body(record.sha256, arrival.body)
        self._note(record)
        if self._folder is not None:
            with (self._folder / "index.jsonl").open("a", encoding="utf-8") as index:
                index.write(json.dumps(asdict(record), ensure_ascii=False) + "\n")
        return record

    def accepted(self, destination: str, key: str) -> Record | None:
        """Return the accepted arrival of this key."""
        return self._accepted.get((destination, key))

    def latest(self, destination: str, key: str) -> Record | None:
        """Return the last arrival of this key, whatever its verdict."""
        return next((each for each in reversed(self._all) if (each.destination, each.key) == (destination, key)), None)

    def repeats(self, destination: str, key: str) -> int:
        """Return how often an accepted paper came again."""
        return self._repeats.get((destination, key), 0)

    def all(self, destination: str | None = None, verdict: Verdict | None = None) -> list[Record]:
        """Return records in order of arrival."""
        return [
            each for each in self._all if destination in (None, each.destination) and verdict in (None, each.verdict)
        ]

    def body(self, record: Record) -> bytes:
        """Return the paper as it came."""
        if self._folder is None:
            return self._bodies[record.sha256]
        return (self._folder / "papers" / record.sha256).read_bytes()

    def counts(self, destination: str) -> dict[str, int]:
        """Return how many arrivals got which verdict."""
        names = {Verdict.ACCEPTED: "accepted", Verdict.REPEAT: "repeats", Verdict.REFUSED: "refused"}
        return {name: len(self.all(destination, verdict)) for verdict, name in names.items()}

    def describe(self, record: Record) -> dict[str, Any]:
        """Return a record as JSON-shaped facts, with the number of repeats."""
        return asdict(record) | {"repeats": self.repeats(record.destination, record.key)}

    def reset(self) -> None:
        """Forget everything, on disk as well."""
        self._all.clear()
        self._bodies.clear()
        self._accepted.clear()
        self._repeats.clear()
        if self._folder is not None:
            (self._folder / "index.jsonl").unlink(missing_ok=True)
            for path in (self._folder / "papers").iterdir():
                path.unlink()

    def _keep_body(self, sha256: str, body: bytes) -> None:
        if self._folder is None:
            self._bodies[sha256] = body
            return
        path = self._folder / "papers" / sha256
        if not path.exists():
            path.write_bytes(body)

    def _note(self, record: Record) -> None:
        self._all.append(record)
        name = (record.destination, record.key)
        if record.verdict is Verdict.ACCEPTED:
            self._accepted[name] = record
        elif record.verdict is Verdict.REPEAT:
            self._repeats[name] = self._repeats.get(name, 0) + 1

    def _load(self, index: Path) -> None:
        if not index.exists():
            return
        *lines, torn = index.read_text("utf-8").split("\n")
        if torn:  # the process ended while it wrote
            index.write_text("".join(line + "\n" for line in lines), "utf-8")
        for line in lines:
            facts = json.loads(line)
            facts["signers"] = tuple(facts["signers"])
            facts["verdict"] = Verdict(facts["verdict"])
            self._note(Record(**facts))
