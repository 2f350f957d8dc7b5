"""The message being mapped: what it holds, what has been made of it so far."""

from __future__ import annotations

from mappings.formats import dates, er7
from mappings.formats.faults import DateInvalid
from mappings.hl7v2 import faults
from mappings.hl7v2.context import Context
from mappings.hl7v2.reader import Reader, Segment
from mappings.outcome import Notice, Outcome, Resource


class Draft:
    """Collect the resources of one message, each once."""

    def __init__(self, message: er7.Message, context: Context, trigger: str) -> None:
        self.reader = Reader(message)
        self.context = context
        self.trigger = trigger
        self.event = trigger.partition("^")[2]
        self.control_id = message.value("MSH-10") or ""
        self.sending_facility = message.value("MSH-4.1") or ""
        self.patient = ""
        """Reference to the Patient once known: `Patient/<id>`."""
        self.encounter = ""
        self.merged: tuple[str, str] | None = None
        self.notices: list[Notice] = [Notice(code, where, detail) for code, where, detail in message.notices]
        self.people: dict[bytes, Resource | None] = {}
        """References to Practitioners by the bytes that named them."""
        self._resources: dict[str, Resource] = {}
        self._occurrences: dict[str, int] = {}

    def add(self, resource: Resource) -> str:
        """Keep a resource and give its reference; one that is there already only gains the elements it lacked."""
        reference = f"{resource['resourceType']}/{resource['id']}"
        present = self._resources.setdefault(reference, resource)
        if present is not resource:
            for name, value in resource.items():
                if name not in present and not _chosen(name, present):
                    present[name] = value
        return reference

    def get(self, reference: str) -> Resource:
        """Give a resource kept before."""
        return self._resources[reference]

    def nth(self, key: str) -> int:
        """Count how often this key came up, from 1: tells equal things in one message apart."""
        count = self._occurrences.get(key, 0) + 1
        self._occurrences[key] = count
        return count

    def notice(self, code: int, where: str, detail: str = "") -> None:
        self.notices.append(Notice(code, where, detail))

    def own_key(self, segment: Segment) -> str:
        """Make a key for something without a number of its own, from the message's control id and the position."""
        self.notice(faults.NO_BUSINESS_KEY, segment.position)
        return f"{self.sending_facility}|{self.control_id}|{segment.position}"

    def moment(self, segment: Segment, n: int) -> str:
        """Take field `n` as FHIR dateTime; `""` when empty, or unreadable (then noticed and given back)."""
        return self._read(segment, n, "datetime")

    def day(self, segment: Segment, n: int) -> str:
        """Take field `n` as FHIR date, time of day dropped."""
        return self._read(segment, n, "date")

    def _read(self, segment: Segment, n: int, kind: str) -> str:
        text = segment[n].text
        if not text:
            return ""
        found = datetime_of(text, self.context) if kind == "datetime" else date_of(text)
        if not found:
            segment.give_back(n)
            self.notice(faults.DATE_UNREADABLE, segment.where(n))
        return found

    def outcome(self) -> Outcome:
        """Close the draft."""
        resources = list(self._resources.values())
        if self.context.message_id:
            for resource in resources:
                resource["meta"] = {**resource.get("meta", {}), "source": f"urn:uuid:{self.context.message_id}"}
        return Outcome(
            resources=resources,
            coverage=self.reader.coverage(),
            notices=tuple(self.notices),
            patient_id=self.patient.partition("/")[2] or None,
            encounter_id=self.encounter.partition("/")[2] or None,
            merged=self.merged,
        )


_CHOICES = ("deceased", "multipleBirth", "effective", "value", "onset", "occurrence", "performed")


def _chosen(name: str, resource: Resource) -> bool:
    """Tell whether another type of the same choice element (`deceased[x]`) is there already."""
    choice = next((choice for choice in _CHOICES if name.startswith(choice)), None)
    return choice is not None and any(present.startswith(choice) for present in resource)


def datetime_of(text: str, context: Context) -> str:
    """Read a DTM, TS or DT as FHIR dateTime; `""` when it is none."""
    try:
        return dates.dtm_to_fhir_datetime(text, context.zone)
    except DateInvalid:
        return ""


def date_of(text: str) -> str:
    """Read a DTM, TS or DT as FHIR date; `""` when it is none."""
    try:
        return dates.dtm_to_fhir_date(text)
    except DateInvalid:
        return ""
