"""Map stored messages with today's mapping, in memory, and say what that would change: the dry run of `reprocess`.

Each message meets the record as the messages before it would have left it. Writes nothing, and keeps nobody waiting who
writes. What a message says about identities (merges, moves) is counted, not carried out.

Requirement: S3.10
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from sqlalchemy.engine import Connection, Row

from gateway import imaging_steps, papers, pictures, steps
from gateway.clock import to_datetime
from gateway.records import identity, laboratory, persons, resources, same_report, worklist
from gateway.records.resources import Change, Said
from gateway.settings import Channel, Plan
from gateway.store import documents, messages
from gateway.store import persons as person_rows
from gateway.store import resources as rows
from gateway.store.resources import Version
from mappings.documents import Due, face, imaging_study
from mappings.documents.faults import PaperNotWanted
from mappings.formats import json
from mappings.formats.faults import Fault
from mappings.hl7v2 import Context
from mappings.outcome import Resource

_NUMBER = "00000000-0000-0000-0000-000000000000"
_LATER = "g"
"""Greater than every key."""


@dataclass(frozen=True)
class Element:
    """One place in a resource where today's mapping gives something else."""

    path: str
    how: str
    """`added`, `removed`, `changed`."""
    before: Any = None
    after: Any = None


@dataclass(frozen=True)
class Difference:
    """What would become of one resource."""

    reference: str
    how: str
    """`added`; `changed`; `unmade`: it stands in the record by this message, which today does not make it: it stays."""
    elements: Sequence[Element] = ()


@dataclass(frozen=True)
class PaperEffect:
    """What would become of one paper."""

    paper: str
    subject: str
    result: str
    """`version`: it would be made; `withdrawal`; `unchanged`; `fault`; `dropped`: its failed version is wanted no more."""
    version: int = 0
    destinations: tuple[str, ...] = ()
    fault: Fault | None = None
    printed: Sequence[Element] = ()
    """Where the new version would be printed otherwise than the one before it, by section and label of the form."""
    coded: Sequence[Element] = ()
    """Where it has other codes and references; of a version that would be printed the same only."""


@dataclass(frozen=True)
class Rehearsed:
    """What mapping one message again would do."""

    message_id: str
    type: str
    state: str
    outcome: str
    """`mapped`, `kept` (no mapping knows it) or `fault`."""
    fault: Fault | None = None
    differences: Sequence[Difference] = ()
    counts_before: tuple[int, int, int] | None = None
    """Fields mapped, ignored, unknown, when it was mapped last."""
    counts: tuple[int, int, int] | None = None
    identity: int = 0
    """Merges, moves and links that would be carried out for the first time."""
    papers: Sequence[PaperEffect] = ()


class Rehearsal:
    """Messages one after the other, as `reprocess` takes them: by key, and of each key the oldest first."""

    def __init__(self, plan: Plan, now: int) -> None:
        self._plan = plan
        self._keyring = plan.keyring
        self._now = now
        self._key = b""
        self._newer: dict[tuple[str, str], Version] = {}

    def one(self, connection: Connection, message_id: str) -> Rehearsed:
        """Say what mapping a message again would do; whatever goes wrong with it is a fault of it."""
        row = messages.get(connection, message_id)
        if bytes(row.order_key) != self._key:
            self._key, self._newer = bytes(row.order_key), {}
        before = messages.coverage_counts(connection, message_id)
        try:
            mapped, channel = self._map(connection, row)
            if mapped is None:
                return Rehearsed(row.id, row.type, row.state, "kept", counts_before=before)
            return self._weigh(connection, row, channel, mapped, before)
        except Fault as fault:
            return Rehearsed(row.id, row.type, row.state, "fault", fault, counts_before=before)

    def _map(self, connection: Connection, row: Row[Any]) -> tuple[steps.Mapped | None, Channel | None]:
        plan = self._plan
        channel = next((one for one in plan.channels if one.settings.name == row.channel), None)
        charset = channel.charset if channel else "auto"
        produce = channel.settings.produce if channel else ()
        raw = self._keyring.open(messages.body(connection, row.id), row.id)
        context = Context(plan.facility.code, plan.systems, plan.node.zone, message_id=row.id)
        around = imaging_steps.Around()
        if imaging_steps.is_study(row.type):
            asked: Any = steps.guarded(imaging_steps.asked_of, raw)
            orders = worklist.orders_of(connection, self._keyring, asked)
            around = imaging_steps.Around(orders, plan.http.dicomweb_base)
        told = self._laboratory_of(connection, row, raw, channel)
        mapped: Any = steps.guarded(steps.map_message, raw, charset, row.type, context, produce, around, told)
        return mapped, channel

    def _laboratory_of(
        self, connection: Connection, row: Row[Any], raw: bytes, channel: Channel | None
    ) -> steps.LabChannel:
        told = laboratory.channel_of(channel)
        asked: Any = steps.guarded(steps.persons_asked, raw, channel.charset if channel else "auto", row.type, told)
        known = laboratory.Finder.of(connection, self._plan, self._now).known_of(row.id, asked) if asked else {}
        return replace(told, known=known)

    def _weigh(
        self,
        connection: Connection,
        row: Row[Any],
        channel: Channel | None,
        mapped: steps.Mapped,
        before: tuple[int, int, int] | None,
    ) -> Rehearsed:
        told: list[Resource] = json.loads(mapped.resources)
        identity.turn_round(connection, told)
        keys = [(str(one["resourceType"]), str(one["id"])) for one in told]
        known = {(one.type, one.id): one for one in rows.current(connection, keys)}
        said = Said.of(row, mapped.sent_at, mapped.patient_id, mapped.cleared, mapped.assumed)
        settled = same_report.settle(connection, self._keyring, told, said, mapped.due, {**known, **self._newer})
        told, said, keys = (
            settled.told,
            settled.said,
            [(str(one["resourceType"]), str(one["id"])) for one in settled.told],
        )
        known = {(one.type, one.id): one for one in rows.current(connection, keys)}
        found = resources.weigh(connection, self._keyring, told, said, {**known, **self._newer}, self._now)
        differences = [_difference(change) for change in found.changes]
        if not mapped.samples:  # else what stands in the record is of a window, and that is not taken here
            differences += self._unmade(connection, row, mapped.patient_id, set(keys))
        self._newer |= {(change.version.type, change.version.id): change.version for change in found.changes}
        mapped = replace(mapped, due=tuple(settled.due))
        effects = [] if channel is None else list(self._papers(connection, row, channel, mapped, found.late))
        return Rehearsed(
            row.id,
            row.type,
            row.state,
            "mapped",
            None,
            sorted(differences, key=lambda one: (one.how, one.reference)),
            before,
            mapped.counts,
            self._identity(connection, row, mapped),
            effects,
        )

    def _unmade(
        self, connection: Connection, row: Row[Any], patient_id: str | None, made: set[tuple[str, str]]
    ) -> Iterator[Difference]:
        """Name what stands in a person's record by this message and by no later one, and is not made any more."""
        if patient_id is None:
            return
        for one in rows.of_patients(connection, persons.all_ids(connection, patient_id)):
            if one.message_id == row.id and (one.type, one.id) not in made:
                yield Difference(f"{one.type}/{one.id}", "unmade")

    def _identity(self, connection: Connection, row: Row[Any], mapped: steps.Mapped) -> int:
        known = {(one.kind, one.kept, one.other) for one in person_rows.changes_of(connection, row.id)}
        return sum((one.kind, one.kept, one.other) not in known for one in mapped.identity if one.kept != one.other)

    # ---- papers ----

    def _papers(
        self, connection: Connection, row: Row[Any], channel: Channel, mapped: steps.Mapped, late: set[str]
    ) -> Iterator[PaperEffect]:
        tried = set()
        for one in mapped.due:
            owner = self._owner(connection, one.subject) or mapped.patient_id
            if one.subject in late or owner is None:
                continue
            step, last = papers.reaction(connection, row, one)
            if step == "drop" and documents.given_out(connection, one.paper, one.subject) is None:
                yield PaperEffect(one.paper, one.subject, "dropped")
            elif step:
                tried.add((one.paper, one.subject))
                act = last.act if step == "again" and last is not None else one.act
                yield self._paper(connection, channel, one, act, owner)
        if mapped.patient_id is not None:
            for last in papers.incomplete(connection, mapped.patient_id):
                if (last.paper, last.subject) not in tried:
                    due = Due(last.paper, last.subject, last.act, 0, "")
                    yield self._paper(connection, channel, due, last.act, last.patient_id)

    def _owner(self, connection: Connection, subject: str) -> str | None:
        type_, _, id_ = subject.partition("#")[0].partition("/")
        newer = self._newer.get((type_, id_))
        return resources.patient_of(connection, subject) if newer is None else newer.patient_id

    def _paper(self, connection: Connection, channel: Channel, one: Due, act: str, owner: str) -> PaperEffect:
        """Compose a paper of the record as it would be, and hold it against the versions there are."""
        known = documents.given_out(connection, one.paper, one.subject)
        waiting = documents.waiting_for_people(connection, one.paper, one.subject, _LATER)
        nothing = known is None or known.act == "cancel"
        version = known.version + 1 if known else 1
        goes_to = tuple(name for name in channel.routes if self._plan.routes[name].carries(one.paper))
        if nothing and (act == "cancel" or (act == "renew" and not waiting)):
            return PaperEffect(one.paper, one.subject, "unchanged")
        if act == "cancel":
            return PaperEffect(one.paper, one.subject, "withdrawal", version, goes_to)
        record = resources.record(connection, self._keyring, owner, self._newer)
        try:
            composed = self._composed(connection, channel, one, owner, record)
        except PaperNotWanted:
            return PaperEffect(one.paper, one.subject, "unchanged")
        except Fault as fault:
            return PaperEffect(one.paper, one.subject, "fault", fault=fault)
        digest = self._keyring.search_key("document", composed.digest)
        newest = waiting[-1] if waiting else known
        if newest is not None and newest.digest is not None and bytes(newest.digest) == digest:
            return PaperEffect(one.paper, one.subject, "unchanged")
        if newest is None or not (stored := documents.renditions(connection, newest.id, "fhir")):
            return PaperEffect(one.paper, one.subject, "version", version, goes_to)
        before = json.loads(self._keyring.open(stored[0].body, f"{newest.id}/fhir"))
        after = json.loads(composed.renditions["fhir"])
        printed = list(printed_anew(before, after))
        coded = [] if printed else list(coded_anew(before, after))
        return PaperEffect(one.paper, one.subject, "version", version, goes_to, printed=printed, coded=coded)

    def _composed(
        self, connection: Connection, channel: Channel, one: Due, owner: str, record: Sequence[Resource]
    ) -> steps.Paper:
        if one.paper == imaging_study.PAPER:
            return pictures.compose(connection, self._plan, one.subject, owner, record)
        made: Any = steps.guarded(
            steps.compose,
            one.paper,
            one.subject,
            json.dumps(record),
            self._plan.paper_context(_NUMBER, to_datetime(self._now)),
            self._plan.facility.head_licence,
            papers.guides_asked(self._plan, channel.settings.name),
            self._plan.cda,
            self._plan.insurance_of(one.paper),
        )
        return cast("steps.Paper", made)


def _difference(change: Change) -> Difference:
    reference = f"{change.version.type}/{change.version.id}"
    if change.before is None:
        return Difference(reference, "added")
    return Difference(reference, "changed", list(elements(change.before, change.after)))


def printed_anew(before: Resource, after: Resource) -> Iterator[Element]:
    """Give every place of a form in which two versions of a paper are printed differently, with the lines only one has."""
    one, two = face(before), face(after)
    for place in dict.fromkeys((*one, *two)):
        gone, new = one.get(place, ()), two.get(place, ())
        if gone != new:
            how = "changed" if gone and new else "added" if new else "removed"
            yield Element(place, how, _only(gone, new), _only(new, gone))


def _only(lines: Sequence[str], others: Sequence[str]) -> Sequence[str] | None:
    """Give the lines that the others have not; all of them where only their order or number is another."""
    return [line for line in lines if line not in others] or list(lines) or None


def coded_anew(before: Resource, after: Resource) -> Iterator[Element]:
    """Give every element in which the resources of two versions of a paper differ, by `Type/id` and the path in it."""
    one, two = _resources(before), _resources(after)
    for name in dict.fromkeys((*one, *two)):
        if name not in one:
            yield Element(name, "added", None, two[name])
        elif name not in two:
            yield Element(name, "removed", one[name], None)
        else:
            for found in elements(one[name], two[name]):
                yield replace(found, path=name + found.path.removeprefix(str(one[name]["resourceType"])))


def _resources(document: Resource) -> dict[str, Resource]:
    """Give the resources of a paper, without those that every version has for itself."""
    resources = [entry["resource"] for entry in document["entry"]]
    return {
        f"{one['resourceType']}/{one['id']}": one
        for one in resources
        if one["resourceType"] not in ("Composition", "Provenance")
    }


def elements(before: Resource, after: Resource) -> Iterator[Element]:
    """Give every element in which two versions of a resource differ, by its FHIRPath; `meta` aside."""
    one, two = ({name: value for name, value in each.items() if name != "meta"} for each in (before, after))
    yield from _differing(str(after["resourceType"]), one, two)


def _differing(path: str, before: Any, after: Any) -> Iterator[Element]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys((*before, *after)):
            yield from _member(f"{path}.{name}", before, after, name)
    elif isinstance(before, list) and isinstance(after, list):
        one, two = dict(enumerate(before)), dict(enumerate(after))
        for index in range(max(len(before), len(after))):
            yield from _member(f"{path}[{index}]", one, two, index)
    elif before != after or str(before) != str(after):  # 4.5 and 4.50 are not the same result
        yield Element(path, "changed", before, after)


def _member(path: str, before: Mapping[Any, Any], after: Mapping[Any, Any], name: Any) -> Iterator[Element]:
    if name not in before:
        yield Element(path, "added", None, after[name])
    elif name not in after:
        yield Element(path, "removed", before[name], None)
    else:
        yield from _differing(path, before[name], after[name])
