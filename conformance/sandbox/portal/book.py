"""Keep the visits that were received, each with its versions, its state and what the assessment found later.

TINHTRANGGUI 6 (returned) with MALOI (the first block error) and MIEUTA (all, joined by `;`) is published; the numbers 1
(received) and 2 (assessed, nothing blocks) are ours. The receipt never changes: findings only come later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from conformance.sandbox.portal.assessment import assess, identity, same_totals
from conformance.sandbox.portal.files import FileError
from conformance.sandbox.portal.finding import Finding, known_block_codes
from conformance.sandbox.portal.forms import Form, form_named
from conformance.sandbox.portal.reading import Visit, facility_of, read_visits
from conformance.sandbox.portal.switches import Board
from conformance.sandbox.records import Record, Records, Verdict

RECEIVED: Final = 1
ASSESSED: Final = 2
RETURNED: Final = 6


@dataclass
class Case:
    """One visit as one file told it."""

    record: int
    """Number of the arrival."""
    position: int
    """Of the visit in the file, from 1."""
    form: Form
    visit: Visit
    reference: str
    received_at: datetime
    version: int
    replaced_by: int | None = None
    """Number of the arrival that replaced it."""
    deleted: bool = False
    assessed: bool = False
    findings: tuple[Finding, ...] = field(default=())

    @property
    def blocks(self) -> tuple[Finding, ...]:
        """The block errors."""
        return tuple(each for each in self.findings if each.kind == "block")

    @property
    def state(self) -> int:
        """TINHTRANGGUI."""
        if not self.assessed:
            return RECEIVED
        return RETURNED if self.blocks else ASSESSED

    @property
    def stands(self) -> bool:
        """Whether no later file took its place and nobody deleted it."""
        return self.replaced_by is None and not self.deleted

    def describe(self) -> dict[str, Any]:
        """Return it as JSON-shaped facts, under the published names where there are any."""
        return {
            "record": self.record,
            "form": self.form.path,
            "MA_LK": self.visit.link,
            "MA_CSKCB": self.visit.facility,
            "maGiaoDich": self.reference,
            "version": self.version,
            "replaced_by": self.replaced_by,
            "deleted": self.deleted,
            "TINHTRANGGUI": self.state,
            "MALOI": self.blocks[0].code if self.blocks else "",
            "MIEUTA": "; ".join(dict.fromkeys(each.text() for each in self.blocks)),
            "findings": [each.describe() for each in self.findings],
        }


class Book:
    """Follows the records of the portal; reads them again at the start."""

    def __init__(self, records: Records, board: Board, clock: Callable[[], datetime]) -> None:
        self._records = records
        self._board = board
        self._clock = clock
        self._cases: list[Case] = []
        self._versions: dict[tuple[str, str, str], list[Case]] = {}
        self._same: dict[tuple[str, ...], list[Case]] = {}
        self._ordered: dict[str, tuple[str, ...]] = {}
        for record in records.all("insurance_portal", Verdict.ACCEPTED):
            self.take(record)

    def take(self, record: Record) -> None:
        """Enter an accepted file."""
        form = form_named(record.form)
        if form.name not in ("record", "check-in", "boards"):
            return
        body = self._records.body(record)
        received = datetime.fromisoformat(record.received_at)
        try:
            visits = read_visits(body, form, facility_of(body))
        except FileError:
            return
        for position, visit in enumerate(visits, 1):
            versions = self._versions.setdefault((form.name, visit.facility, visit.link), [])
            case = Case(record.n, position, form, visit, record.reference, received, len(versions) + 1)
            if form.name == "record":
                for each in versions:
                    each.replaced_by = each.replaced_by or record.n
                if (key := identity(visit)) is not None:
                    self._same.setdefault(key, []).append(case)
            versions.append(case)
            self._cases.append(case)

    def reset(self) -> None:
        """Forget every visit."""
        self._cases.clear()
        self._versions.clear()
        self._same.clear()
        self._ordered.clear()

    def order(self, link: str, codes: Iterable[str]) -> None:
        """Have the assessment find these block errors in a visit, whatever it holds. Raises ValueError."""
        wanted = tuple(codes)
        if unknown := [code for code in wanted if code not in known_block_codes()]:
            raise ValueError("no such block error: " + ", ".join(unknown))
        self._ordered[link] = wanted
        for each in self._cases:
            if each.visit.link == link:
                each.assessed = False

    def assess(self, link: str | None = None) -> int:
        """Assess now what waits, all of it or one MA_LK; return how many."""
        waiting = [each for each in self._cases if not each.assessed and link in (None, each.visit.link)]
        for each in waiting:
            self._assess(each)
        return len(waiting)

    def delete(self, link: str) -> bool:
        """Delete the visit that stands under this MA_LK, as a person does on the portal's page; False when none does."""
        found = [each for each in self._cases if each.visit.link == link and each.stands and each.form.name == "record"]
        for each in found:
            each.deleted = True
        return bool(found)

    def standing(self, facility: str, link: str) -> Case | None:
        """Return the visit that stands under a facility's MA_LK."""
        versions = self._versions.get(("record", facility, link), [])
        return self.settled(versions[-1:])[0] if versions and versions[-1].stands else None

    def all(self) -> list[Case]:
        """Return every visit in order of arrival, without assessing any."""
        return list(self._cases)

    def settled(self, cases: Iterable[Case]) -> list[Case]:
        """Return the visits with what the assessment has found by now."""
        delay = self._board.now.assessed_after_s
        found = list(cases)
        if delay is not None:
            due = self._clock() - timedelta(seconds=delay)
            for each in found:
                if not each.assessed and each.received_at <= due:
                    self._assess(each)
        return found

    def by_card(self, cards: set[str]) -> list[Case]:
        """Return the visits that stand and name one of these cards."""
        return [
            each
            for each in self._cases
            if each.stands and each.form.name == "record" and cards & set(each.visit.head["MA_THE_BHYT"].split(";"))
        ]

    def _assess(self, case: Case) -> None:
        findings = assess(case.visit, case.form, self._board.now, case.received_at)
        if case.form.name == "record" and self._is_duplicate(case):
            findings.append(Finding("block", "61", "XML1", 1))
        findings += [Finding("block", code) for code in self._ordered.get(case.visit.link, ())]
        case.findings = tuple(sorted(findings, key=_blocks_first))
        case.assessed = True

    def _is_duplicate(self, case: Case) -> bool:
        key = identity(case.visit)
        same = self._same.get(key, []) if key is not None else []
        return any(
            each.stands
            and each.state != RETURNED  # a returned record is out of the assessment
            and each.visit.link != case.visit.link
            and (each.record, each.position) < (case.record, case.position)
            and same_totals(each.visit, case.visit)
            for each in same
        )


def _blocks_first(finding: Finding) -> int:
    """The duplicate is looked for before everything else; the other numbers follow in their order."""
    if finding.kind != "block":
        return 1000
    return 0 if finding.code == "61" else int(finding.code)
