"""The message being mapped: what it holds, what has been made of it so far. Does not map anything itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from typing import Literal

from mappings.fhir.shared import Shared
from mappings.formats import dates, er7
from mappings.formats.faults import DateInvalid
from mappings.hl7v2 import faults, segments, targets
from mappings.hl7v2.context import Context
from mappings.hl7v2.reader import Reader, Segment
from mappings.outcome import Coverage, IdentityChange, Notice, Outcome, Resource, UnmappedCode


class Draft:
    """Collect the resources of one message, each once."""

    def __init__(self, message: er7.Message, context: Context, trigger: str) -> None:
        self._raw = message.raw
        self.whole = self.reader = Reader(message)
        """The message; `reader` may see only a part of it: see `within`, `about_person`."""
        self.context = context
        self.trigger = trigger
        self.event = trigger.partition("^")[2]
        self.control_id = message.value("MSH-10") or ""
        self.sending_facility = message.value("MSH-4.1") or ""
        self.message_key = f"{message.value('MSH-3.1') or ''}|{self.sending_facility}|{self.control_id}"
        """What the message is known by; with no control id, by its content."""
        if not self.control_id:
            self.message_key += self.fingerprint
        self.patient = ""
        """Reference to the Patient once known: `Patient/<id>`."""
        self.encounter = ""
        self.account = ""
        """Reference to the Account of the person that the message is about (PID-18)."""
        self.known_by: tuple[str, str] | None = None
        """Person and visit that the outcome is known by when the message is about several persons: the first; or none, `""`."""
        self.sent_at = ""
        self.about: list[Resource] = []
        """MessageHeader, Provenance and who they name."""
        self.identity: list[IdentityChange] = []
        self.unmapped: dict[tuple[str, str], UnmappedCode] = {}
        self.notices: list[Notice] = [Notice(code, where, detail) for code, where, detail in message.notices]
        self.people: dict[bytes, Resource | None] = {}
        """References to Practitioners by the bytes that named them."""
        self.known_units: dict[bytes, Resource] = {}
        """Units of measure by the bytes that said them: most results of a message share them."""
        self.delimiters = message.delimiters
        self._resources: dict[str, Resource] = {}
        self._clears: dict[str, list[str]] = {}
        self._assumed: dict[str, list[str]] = {}
        self._occurrences: dict[str, int] = {}
        self._references: dict[str, Shared] = {}
        self._times: dict[str, str] = {}
        self._has_nulls = er7.NULL.encode() in message.raw

    @cached_property
    def fingerprint(self) -> str:
        """What only this message, and the same message sent again, has."""
        return sha256(self._raw).hexdigest()

    @property
    def whose(self) -> str:
        """The Patient, else the message: keeps what is known within a person's record apart from that of anybody else."""
        return self.patient or f"message|{self.fingerprint}"

    @property
    def subject(self) -> Resource:
        """The Reference to the person where FHIR demands one: said to be unknown when the message names nobody."""
        return {"reference": self.patient} if self.patient else {"extension": [_UNKNOWN]}

    def add(self, resource: Resource, *origins: Segment) -> str:
        """Keep a resource made of the `origins` and give its reference.

        One that is there already only gains the elements it lacked.
        """
        reference = f"{resource['resourceType']}/{resource['id']}"
        for origin in origins:
            if reference not in origin.made:
                origin.made.append(reference)
        present = self._resources.setdefault(reference, resource)
        if present is not resource:
            for name, value in resource.items():
                if name not in present and not _chosen(name, present):
                    present[name] = value
        return reference

    def tell(self, resource: Resource) -> str:
        """Keep a resource that describes the message and give its reference; once."""
        reference = f"{resource['resourceType']}/{resource['id']}"
        if all(reference != f"{one['resourceType']}/{one['id']}" for one in self.about):
            self.about.append(resource)
        return reference

    def get(self, reference: str) -> Resource:
        """Give a resource kept before."""
        return self._resources[reference]

    def refer(self, target: str) -> Shared:
        """Give the Reference to what many resources of this message refer to: the person, the visit."""
        known = self._references.get(target)
        if known is None:
            known = self._references[target] = Shared({"reference": target} if target else {})
        return known

    def has(self, reference: str) -> bool:
        """Tell whether a resource of that reference is kept."""
        return reference in self._resources

    @contextmanager
    def within(self, segments: Sequence[Segment]) -> Iterator[None]:
        """Let `reader` see only these segments: one group of a message, the person stays who it is."""
        whole = self.reader
        self.reader = Reader.of(segments)
        try:
            yield
        finally:
            self.reader = whole

    @contextmanager
    def about_person(self, segments: Sequence[Segment]) -> Iterator[None]:
        """Let `reader` see only these segments, which are about one of several persons; nothing is known of that one yet."""
        self.patient = self.encounter = self.account = ""
        with self.within(segments):
            yield
        if self.known_by is None and self.patient:
            self.known_by = (self.patient, self.encounter)

    def change_identity(self, kind: Literal["merge", "link", "unlink", "move"], kept: str, other: str) -> None:
        """Note what the message says about two records; once."""
        change = IdentityChange(kind, kept, other)
        if change not in self.identity:
            self.identity.append(change)

    def clear(self, reference: str, *paths: str) -> None:
        """Say that elements of a resource no longer hold; one that it gets all the same stays."""
        self._clears.setdefault(reference, []).extend(paths)

    def assume(self, reference: str, *paths: str) -> None:
        """Say that elements of a resource are there because FHIR demands them, not because the message says so."""
        self._assumed.setdefault(reference, []).extend(paths)

    def settle(self, reference: str, *paths: str) -> None:
        """Say that elements that were assumed are said by the message after all."""
        assumed = [path for path in self._assumed.pop(reference, []) if path not in paths]
        if assumed:
            self._assumed[reference] = assumed

    def nth(self, key: str) -> int:
        """Count how often this key came up, from 1: tells equal things in one message apart."""
        count = self._occurrences.get(key, 0) + 1
        self._occurrences[key] = count
        return count

    def notice(self, code: int, where: str, detail: str = "") -> None:
        self.notices.append(Notice(code, where, detail))

    def own_key(self, segment: Segment) -> str:
        """Make a key for something without a number of its own, from the control id (else the content) and the position."""
        self.notice(faults.NO_BUSINESS_KEY, segment.position)
        return f"{self.sending_facility}|{self.control_id or self.fingerprint}|{segment.position}"

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
        if kind == "date":
            found = date_of(text)
        else:
            known = self._times.get(text)
            found = self._times[text] = datetime_of(text, self.context) if known is None else known
        if not found:
            segment.give_back(n)
            self.notice(faults.DATE_UNREADABLE, segment.where(n))
        return found

    def outcome(self) -> Outcome:
        """Close the draft."""
        about = [told for told in self.about if not self._known(told)]
        resources = list(self._resources.values())
        if self.context.message_id:
            source = f"urn:uuid:{self.context.message_id}"
            for resource in resources:
                resource["meta"] = {**resource.get("meta", {}), "source": source}
        coverage = self.whole.coverage()
        patient, encounter = self.known_by or (self.patient, self.encounter)
        return Outcome(
            resources=resources,
            coverage=coverage,
            about=about,
            sent_at=self.sent_at,
            notices=tuple(self.notices),
            patient_id=patient.partition("/")[2] or None,
            encounter_id=encounter.partition("/")[2] or None,
            identity=tuple(self.identity),
            cleared=self._cleared(coverage) if self._has_nulls or self._clears else {},
            assumed={reference: tuple(dict.fromkeys(paths)) for reference, paths in self._assumed.items()},
            origins={segment.position: tuple(segment.made) for segment in self.whole.segments if segment.made},
            unmapped=tuple(self.unmapped.values()),
        )

    def _known(self, told: Resource) -> bool:
        """Tell whether the record has a resource that also stands with the header; give it what it lacks."""
        kept = self._resources.get(f"{told['resourceType']}/{told['id']}")
        if kept is None:
            return False
        for name, value in told.items():
            kept.setdefault(name, value)
        for address in told.get("address", ()):
            if not any("country" in one for one in kept["address"]):
                kept["address"] = [{**kept["address"][0], **address}, *kept["address"][1:]]
        return True

    def _cleared(self, coverage: Coverage) -> dict[str, tuple[str, ...]]:
        """Find what the sender deletes: null fields that are mapped, by the resources of their segment; and what is undone.

        Standard: HL7 v2.5.1 §2.5.3
        """
        found: dict[str, list[str]] = {}
        for reference, paths in self._clears.items():
            gone = [path for path in paths if not targets.present(self._resources.get(reference, {}), path)]
            if gone:
                found[reference] = gone
        for segment in self.whole.segments if self._has_nulls else ():
            for reference, path in self._nulled(segment, coverage):
                if not targets.present(self._resources[reference], path):
                    found.setdefault(reference, []).append(path)
        return {reference: tuple(dict.fromkeys(paths)) for reference, paths in found.items()}

    def _nulled(self, segment: Segment, coverage: Coverage) -> Iterator[tuple[str, str]]:
        known = segments.tables(segment.name)
        if known is None:
            return
        for n in segment.nulls():
            if segment.where(n) not in coverage.mapped:
                continue
            for kind, path in targets.alternatives(known.mapped.get(n, "")):
                yield from (
                    (reference, path)
                    for reference in segment.made
                    if reference.startswith(f"{kind}/") and reference in self._resources
                )


_UNKNOWN = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}

_CHOICES = (
    "deceased",
    "multipleBirth",
    "effective",
    "value",
    "onset",
    "occurrence",
    "performed",
    "medication",
    "reported",
    "serviced",
)


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
