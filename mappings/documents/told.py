"""What one report (ORU) or one document (MDM) of the record tells: its kind, fields, results, text, people and time.

Which paper a report or a document makes follows from its code: OBR-4 of a report, TXA-2 of a document, by the table
`paper-kind`, over which a site lays its own rows. Does not decide anything about orders; `requested` tells of them.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Sequence

from mappings import codes
from mappings.documents import wording
from mappings.documents.record import Record, is_field, owner, value_text
from mappings.formats import safe_xml
from mappings.outcome import Resource
from mappings.systems import DEFAULT, LOINC, V2_TABLE

_REPORT_STATES = frozenset({"final", "corrected", "amended"})
_DOCUMENT_STATES = frozenset({"", "final", "amended"})
_HL7_TYPES = "HL70270"
_WRONG = frozenset({"entered-in-error", "cancelled"})


def kind(resource: Resource) -> str:
    """Give the paper that a report or a document makes by its code; `""` when the table does not speak of it."""
    code = resource.get("type" if resource["resourceType"] == "DocumentReference" else "code", {})
    for coding in code.get("coding", []):
        row = codes.table("paper-kind").find(coding.get("code", ""))
        if row and (row.source != _HL7_TYPES or coding.get("system") == f"{V2_TABLE}0270"):
            return row.target
    return ""


def is_finished(resource: Resource) -> bool:
    """Tell whether a report or a document is one, and final or corrected."""
    if resource["resourceType"] == "DiagnosticReport":
        return resource.get("status") in _REPORT_STATES
    return (
        resource["resourceType"] == "DocumentReference"
        and resource.get("status") == "current"
        and resource.get("docStatus", "") in _DOCUMENT_STATES
    )


def of_kind(resources: Sequence[Resource], paper: str) -> list[Resource]:
    """Give the finished documents of a kind; where there are none, the finished reports."""
    found = [one for one in resources if is_finished(one) and kind(one) == paper]
    return [one for one in found if one["resourceType"] == "DocumentReference"] or found


def subjects(resources: Sequence[Resource], paper: str) -> list[str]:
    """Refer to the finished documents or reports of a kind."""
    return [f"{one['resourceType']}/{one['id']}" for one in of_kind(resources, paper)]


class Told:
    """What one report or document tells."""

    def __init__(self, record: Record, resource: Resource) -> None:
        self.resource = resource
        self._record = record
        self.is_document = resource["resourceType"] == "DocumentReference"
        about = resource.get("context", {}).get("related", []) if self.is_document else resource.get("result", [])
        self.reports = list(record.of_type(about, "DiagnosticReport")) if self.is_document else [resource]
        listed = [*about, *(one for report in self.reports for one in report.get("result", []))]
        self.observations = list(self._members(listed))
        requests = [*about, *(one for report in self.reports for one in report.get("basedOn", []))]
        self.request: Resource | None = next(record.of_type(requests, "ServiceRequest"), None)
        visits = resource.get("context", {}).get("encounter", []) if self.is_document else [resource.get("encounter")]
        self.encounter: Resource | None = next(record.of_type(visits, "Encounter"), None)

    def _members(self, listed: Sequence[Resource]) -> Iterator[Resource]:
        waiting, seen = list(self._record.of_type(listed, "Observation")), set()
        while waiting:
            one = waiting.pop(0)
            if one["id"] not in seen and one.get("status") not in _WRONG:
                seen.add(one["id"])
                yield one
                waiting = [*self._record.of_type(one.get("hasMember", []), "Observation"), *waiting]

    @property
    def at(self) -> str:
        """When it was written or observed: a field that says so, else the document's time, else that of the report."""
        said = self.moment("THOI_DIEM_DBLS")
        if said or self.is_document:
            period = self.resource.get("context", {}).get("period", {})
            own: str = said or period.get("start", "") or self.resource.get("date", "")
            return own or next((self._of_report(report) for report in self.reports), "")
        return self._of_report(self.resource)

    @staticmethod
    def _of_report(report: Resource) -> str:
        at: str = report.get("effectiveDateTime") or report.get("effectivePeriod", {}).get("start", "")
        return at or report.get("issued", "")

    @property
    def issued(self) -> str:
        """When it was finished."""
        times = [self.resource.get("date", ""), *(report.get("issued", "") for report in self.reports)]
        return next((time for time in times if time), self.at)

    def field(self, *names: str) -> str:
        """Give the text of the first of these fields that is told inside."""
        for name in names:
            found = [one for one in self.observations if is_field(one, name)]
            parts = [part for one in found for part in one.get("component", [one])]
            texts = [text for part in parts if (text := value_text(part))]
            if texts:
                return "\n".join(texts)
        return ""

    def moment(self, name: str) -> str:
        """Give a field that is a time as FHIR dateTime; texts of another form as they are."""
        return wording.told_moment(self.field(name))

    @property
    def results(self) -> list[Resource]:
        """Give what was observed, fields of papers apart."""
        return [one for one in self.observations if not is_field(one)]

    @property
    def text(self) -> str:
        """Give the free text: of a document its content, of a report its comments."""
        attachments = [one.get("attachment", {}) for one in self.resource.get("content", [])]
        return "\n".join(text for one in attachments if (text := _readable(one)))

    @property
    def conclusion(self) -> str:
        return "\n".join(text for report in self.reports if (text := report.get("conclusion", "")))

    @property
    def readers(self) -> list[Resource]:
        """Give who answers for it, the first first: who authenticated, who wrote, who interpreted."""
        one = self.resource
        listed = [one.get("authenticator"), *one.get("author", [])]
        listed += [person for report in self.reports for person in report.get("resultsInterpreter", [])]
        return self._people(listed)

    @property
    def authors(self) -> list[Resource]:
        """Give who answers for it; where nobody is said to, who performed it."""
        performers = [person for report in self.reports for person in report.get("performer", [])]
        return self.readers or self._people(performers)

    @property
    def performers(self) -> list[Resource]:
        """Give who did what the reports tell of, and did not read it."""
        listed = self._people([person for report in self.reports for person in report.get("performer", [])])
        return [person for person in listed if person not in self.readers]

    def _people(self, listed: Sequence[Resource | None]) -> list[Resource]:
        found = self._record.of_type([one for one in listed if one], "Practitioner")
        return list({person["id"]: person for person in found}.values())

    @property
    def written_by(self) -> list[Resource]:
        """Give the authors of a document, the performers of a report."""
        listed = self.resource.get("author", []) if self.is_document else self.resource.get("performer", [])
        return list(self._record.of_type(listed, "Practitioner")) or self.authors

    @property
    def entries(self) -> list[Resource]:
        """Give it with what it is made of."""
        whole = [self.resource, *self.reports, *self.observations]
        return list({f"{one['resourceType']}/{one['id']}": one for one in whole}.values())


def loinc(observation: Resource) -> set[str]:
    """Give the LOINC codes of an Observation, also of one that does not conform to the profile of its code."""
    codings = observation.get("code", {}).get("coding", [])
    return {c["code"] for c in codings if c.get("system", "") == LOINC or c.get("system", "").endswith("/code-ln")}


def day(at: str) -> str:
    """Give the day of a time in Vietnam, as ISO date; `""` when there is none."""
    on = wording.day(at)
    return on.isoformat() if on else ""


def days(resources: Sequence[Resource], paper: str) -> list[str]:
    """Give the days of visits, without one of persons, that entries of a kind were written on: `Encounter/…#2026-11-05`."""
    return _days(resources, of_kind(resources, paper))


def changed_days(resources: Sequence[Resource], paper: str) -> list[str]:
    """Give the days that documents of a kind speak of, also those taken back."""
    written = [one for one in resources if one["resourceType"] in ("DocumentReference", "DiagnosticReport")]
    return _days(resources, [one for one in written if kind(one) == paper])


def _days(resources: Sequence[Resource], entries: Sequence[Resource]) -> list[str]:
    if not entries:
        return []
    record = Record(resources, DEFAULT)
    found = [f"{owner(one)}#{on}" for one in entries if owner(one) and (on := day(Told(record, one).at))]
    return list(dict.fromkeys(found))


def of_day(record: Record, subject: Resource, on: str, paper: str) -> list[Told]:
    """Give the entries of a kind of a visit or person on a day, in the order of their times."""
    written = of_kind([*record.all("DocumentReference"), *record.all("DiagnosticReport")], paper)
    about = f"{subject['resourceType']}/{subject['id']}"
    found = [Told(record, one) for one in written if owner(one) == about]
    return sorted((one for one in found if day(one.at) == on), key=lambda one: (one.at, one.resource["id"]))


def _readable(attachment: Resource) -> str:
    """Give the words of a text; nothing for pictures and other files."""
    kind, data = attachment.get("contentType", ""), attachment.get("data")
    if not data or not kind.startswith(("text/plain", "text/html")):
        return ""
    text = b64decode(data).decode("utf-8", errors="replace")
    if kind.startswith("text/plain"):
        return text.strip()
    lines = (str(part).strip() for part in safe_xml.parse(text.encode()).itertext())
    return "\n".join(line for line in lines if line)


def names(people: Sequence[Resource]) -> str:
    """Write people one after the other."""
    return "; ".join(dict.fromkeys(name for person in people if (name := wording.title_and_name(person))))
