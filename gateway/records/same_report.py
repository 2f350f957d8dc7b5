"""Know that a report of HL7 v2 and a structured report of DICOM are one, because the former names the latter.

Either may come first, and the report keeps the id that it got then. They are one only for certain: of the same person, one
report of each kind alone names the number, and no other order's. Two that are both in the record already stay two.

The words of such a report are those of one teller, never of both: whoever tells another state of it last. What is not finished
takes nothing from what is; a structured report that the other told of already, as every late picture tells it again, adds what
the report lacks; so does a message about an older structured report. A study that goes to another person leaves
the report with the words of HL7 v2.

Requirement: S3.14, S3.10
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from gateway.imaging_steps import FAMILY as DICOM
from gateway.records import persons
from gateway.records import resources as record
from gateway.records.content import redirect
from gateway.records.resources import Known, Said
from gateway.records.versions import opened, rewrite
from gateway.store import messages
from gateway.store import resources as rows
from gateway.store.sealed import Keyring
from mappings.documents import Due
from mappings.ids import resource_id
from mappings.outcome import Resource

_HL7 = "ORU"
_UID = "urn:dicom:uid"
_WORDS = ("result", "conclusion", "conclusionCode", "presentedForm")
_FINISHED = frozenset({"final", "amended", "corrected", "appended", "cancelled", "entered-in-error"})


@dataclass(frozen=True)
class Settled:
    """What a message tells once each of its reports is the one of the record that it is."""

    told: list[Resource]
    said: Said
    due: Sequence[Due]
    taken_back: Sequence[tuple[rows.Version, Resource]] = ()
    """Reports of a person who lost a study, as they are without what it brought."""


def settle(
    connection: Connection,
    keyring: Keyring,
    told: list[Resource],
    said: Said,
    due: Sequence[Due],
    known: Known | None,
) -> Settled:
    """Say which reports of the record a message tells of, and what it may change of them; `known` learns of these.

    Turns the resources round in place; stores nothing.
    """
    reports = [one for one in told if one["resourceType"] == "DiagnosticReport"]
    if said.family not in (_HL7, DICOM) or not reports:
        return Settled(told, said, due)
    if known is None:
        known = record.look_up(connection, told)
    return _Settling(connection, keyring, said, known).settle(told, reports, due)


def put(connection: Connection, keyring: Keyring, settled: Settled, known: Known | None, now: int) -> None:
    """Store what is taken back from the person who lost a study."""
    if settled.taken_back:
        rewrite(connection, keyring, settled.taken_back, now)
        if known is not None:
            known |= record.look_up(connection, [resource for _, resource in settled.taken_back])


class _Settling:
    """One message whose reports are compared with the record."""

    def __init__(self, connection: Connection, keyring: Keyring, said: Said, known: Known) -> None:
        self._connection = connection
        self._keyring = keyring
        self._said = said
        self._known = known
        self._yielding: set[str] = set()
        self._replacing: dict[str, Sequence[str]] = {}

    def settle(self, told: list[Resource], reports: list[Resource], due: Sequence[Due]) -> Settled:
        turned = self._turn(told, reports)
        due = [replace(one, subject=turned.get(one.subject, one.subject)) for one in due]
        back = self._take_back(told, reports) if self._said.family == DICOM else []
        again = next((one for one in due if one.subject.startswith("DiagnosticReport/")), None)
        due += [replace(again, subject=f"DiagnosticReport/{row.id}") for row, _ in back if again]
        left: set[str] = set()
        for report in reports:
            row = self._known.get(("DiagnosticReport", report["id"]))
            if row is not None and not self._weigh(report, row):
                left |= {_reference(report), *(one["reference"] for one in report.get("result", ()))}
        said = replace(
            self._said,
            cleared={turned.get(name, name): paths for name, paths in self._said.cleared.items()},
            assumed={turned.get(name, name): paths for name, paths in self._said.assumed.items()},
            yielding=self._yielding,
            replacing=self._replacing,
        )
        kept = [one for one in told if _reference(one) not in left]
        return Settled(kept, said, [one for one in due if one.subject not in left], back)

    # ---- which report it is ----

    def _turn(self, told: list[Resource], reports: list[Resource]) -> dict[str, str]:
        """Give reports the id that the record has for them; return the references that changed."""
        often = Counter(uid for report in reports for uid in _uids(report))
        turned = {}
        for report in reports:
            before, uids = _reference(report), _uids(report)
            if not uids or any(often[uid] > 1 for uid in uids):
                continue
            row = self._known.get(("DiagnosticReport", report["id"]))
            if row is not None and self._is_of_another(report, row):
                report["id"] = resource_id("DiagnosticReport", _UID, f"{uids[-1]}|{_patient(report)}")
                row = next(iter(rows.current(self._connection, [("DiagnosticReport", report["id"])])), None)
            if row is None:
                row = self._named(report)
            if row is not None:
                report["id"] = row.id
                self._known["DiagnosticReport", row.id] = row
            if _reference(report) != before:
                turned[before] = _reference(report)
        for resource in told if turned else ():
            redirect(resource, turned)
        return turned

    def _is_of_another(self, report: Resource, row: Any) -> bool:
        """Tell whether the report is an order's of somebody else, whom the study was taken from."""
        if row.patient_id in persons.all_ids(self._connection, _patient(report)):
            return False
        return bool(_fillers(opened(self._keyring, row)))

    def _named(self, report: Resource) -> rows.Version | None:
        """Find the one report of the person that has a number in common, and no other order's."""
        uids, fillers = set(_uids(report)), _fillers(report)
        found = []
        for row in self._reports_of(_patient(report)):
            other = opened(self._keyring, row)
            others = _fillers(other)
            if uids & set(_uids(other)) and not (fillers and others and not fillers & others):
                found.append(row)
        return found[0] if len(found) == 1 else None

    def _reports_of(self, patient_id: str) -> list[rows.Version]:
        return rows.of_patients(self._connection, persons.all_ids(self._connection, patient_id), "DiagnosticReport")

    # ---- whose words it has ----

    def _weigh(self, report: Resource, row: Any) -> bool:
        """Say what a report may change of the one that is known; False when it is to change nothing at all."""
        old = opened(self._keyring, row)
        known = _uids(old)
        if not known:
            return True
        teller = messages.family(self._connection, row.message_id)
        other = teller != self._said.family and teller in (_HL7, DICOM)
        uids = _uids(report)
        is_draft = old.get("status") in _FINISHED and report.get("status") not in _FINISHED
        if self._said.family == DICOM and is_draft and _fillers(old) and uids[0] not in known:
            return False
        speaks = not other or (self._said.message_id >= row.message_id and not is_draft and self._is_news(report, old))
        if not other and not (is_draft and _fillers(old) and self._said.family == DICOM):
            _name(report, [*uids, *(one for one in known if one not in uids)] if uids else known)
            return True
        if speaks and not is_draft:
            _name(report, [*uids, *(one for one in known if one not in uids)])
            if _says(report):
                self._replacing[_reference(report)] = _WORDS
            return True
        _name(report, known)
        if _says(old):
            for name in _WORDS:
                report.pop(name, None)
        self._yielding.add(_reference(report))
        return True

    def _is_news(self, report: Resource, old: Resource) -> bool:
        """Tell whether one teller says of a report what the other did not know, or nobody finished it yet."""
        uids, known = _uids(report), _uids(old)
        if old.get("status") not in _FINISHED:
            return True
        if self._said.family == DICOM:
            return uids[0] not in known
        return not uids or uids[0] == known[0] or _issued(report) > _issued(old)

    # ---- a study that goes to another person ----

    def _take_back(self, told: list[Resource], reports: list[Resource]) -> list[tuple[rows.Version, Resource]]:
        """Take what a study brought out of reports of a person who lost it."""
        study = next((one for one in told if one["resourceType"] == "ImagingStudy"), None)
        row = self._known.get(("ImagingStudy", study["id"])) if study else None
        if study is None or row is None or row.patient_id is None:
            return []
        owner = str(study.get("subject", {}).get("reference", "")).partition("/")[2]
        if not owner or row.patient_id in persons.all_ids(self._connection, owner):
            return []
        uids = {uid for report in reports for uid in _uids(report)}
        changed = []
        for one in self._reports_of(row.patient_id):
            report = opened(self._keyring, one)
            if uids & set(_uids(report)) and _fillers(report):
                changed.append((one, self._as_hl7_told(one, report)))
        return changed

    def _as_hl7_told(self, row: rows.Version, report: Resource) -> Resource:
        """Give a report with the words that HL7 v2 had for it last, and without its study."""
        versions = [*rows.earlier(self._connection, row.type, row.id), row]
        own = [one for one in versions if messages.family(self._connection, one.message_id) == _HL7]
        words = opened(self._keyring, own[-1]) if own else {}
        kept = {name: value for name, value in report.items() if name not in (*_WORDS, "imagingStudy")}
        return kept | {name: words[name] for name in (*_WORDS, "status", "issued", "code") if name in words}


def _reference(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def _patient(report: Resource) -> str:
    return str(report.get("subject", {}).get("reference", "")).partition("/")[2]


def _uids(report: Resource) -> list[str]:
    """Give the numbers of the structured reports that a report is, the newest first."""
    return [str(one.get("value", "")) for one in report.get("identifier", ()) if one.get("system") == _UID]


def _name(report: Resource, uids: Sequence[str]) -> None:
    others = [one for one in report.get("identifier", ()) if one.get("system") != _UID]
    report["identifier"] = [*others, *({"system": _UID, "value": uid} for uid in uids)]


def _fillers(report: Resource) -> set[tuple[str, str]]:
    """Give the numbers of the filler's order: a structured report has none of its own."""
    return {
        (str(one.get("system", "")), str(one.get("value", "")))
        for one in report.get("identifier", ())
        if any(coding.get("code") == "FILL" for coding in one.get("type", {}).get("coding", ()))
    }


def _says(report: Resource) -> bool:
    return any(report.get(name) for name in _WORDS)


def _issued(report: Resource) -> float:
    said = str(report.get("issued", ""))
    return datetime.fromisoformat(said).timestamp() if said else 0.0
