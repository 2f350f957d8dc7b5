"""Find and hand out the pictures that are kept, to programs that may have them (QIDO-RS, WADO-RS).

    which study? ─ in the record ─ whose? ─ closed lists ─┬─ handed out: in the log of actions before the first byte leaves
                                                          └─ withheld: in the log of actions, and told as if it were not there

What is handed out is what the record says of a study: a study that is still arriving, stands in the error queue or is being
moved belongs to nobody yet, and objects that came since its newest message are not of it yet. Objects leave as they came, byte
for byte; those that name somebody else than the person to whom somebody gave the study do not leave. Does not know HTTP.

Standard: DICOM PS3.18 §10.4, §10.6. Requirement: S1.4, S1.10, S2.19
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO

from sqlalchemy.engine import Connection

from connectors.faults import ObjectStoreAway
from gateway import __version__, imaging_steps
from gateway.clock import Clock, to_instant
from gateway.delivery import disclosure
from gateway.faults import NamesAnother, NoSuchPicture, NothingThere, QueryTooWide, RequestNotUnderstood, SearchTooBroad
from gateway.records import message_search, persons, resources, search
from gateway.records.versions import opened
from gateway.settings import ClientSettings, Plan
from gateway.store import actions, images, message_keys, messages
from gateway.store import resources as rows
from gateway.store.engine import Store
from gateway.store.objects import Objects
from mappings.dicom import body, header, matching, query
from mappings.dicom.query import Include, Whose
from mappings.documents import imaging_study
from mappings.formats import dates, json
from mappings.ids import resource_id
from mappings.outcome import Resource

log = logging.getLogger("lienthong.images")

MOST = 200
"""Studies in one answer."""
_CANDIDATES = 500
"""Studies that are looked at for one question; of more, the newest."""
_MESSAGES = 2000
_SLACK = timedelta(days=1)
"""How much the clock of a device may be ahead."""
_UID_SYSTEM = "urn:dicom:uid"


@dataclass(frozen=True)
class Question:
    """Which studies are asked for."""

    wanted: matching.Query = field(repr=False)
    """Path → value, as `mappings.dicom.matching` compares them."""
    limit: int = MOST
    offset: int = 0
    include: Include = field(default_factory=Include)


@dataclass(frozen=True)
class Scope:
    """What is asked for: a study, one of its series, or one object."""

    study: str
    series: str = ""
    instance: str = ""


@dataclass(frozen=True)
class Picture:
    """One object that may be handed out."""

    id: str
    sop_instance: str
    transfer_syntax: str
    """`""` where nothing says it."""
    size: int
    sha256: str


@dataclass(frozen=True)
class Study:
    """A study that may be handed out."""

    uid: str
    message_id: str
    patient: Resource = field(repr=False)
    numbers: tuple[str, ...] = field(repr=False)
    """That this hospital gave its person, the present one first."""
    known_by: frozenset[str] = field(repr=False)
    """All numbers of the person."""
    named: frozenset[str]
    """The objects that the record has of it, by SOPInstanceUID."""
    away: bool
    """Whether the files of some of them were removed."""
    withheld: str | None
    """Why a client that may not see closed lists does not see it."""
    assigned: bool
    """Whether a person gave it to somebody, whatever its objects say."""


@dataclass(frozen=True)
class Parcel:
    """What is about to be handed out."""

    study: Study
    scope: Scope
    pictures: tuple[Picture, ...]

    def tag(self, of: str = "") -> str:
        """Give what tells it from every other content: the hash of an object alone, else one over all of them."""
        if self.scope.instance and not of:
            return self.pictures[0].sha256
        told = [of and f"{of} {__version__}", *(f"{one.sop_instance} {one.sha256}" for one in self.pictures)]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()


class ImageReading:
    """Read from the folder of objects and the ledger on behalf of programs. Raises StoreFault where these are away."""

    def __init__(self, plan: Plan, store: Store, clock: Clock) -> None:
        self._plan = plan
        self._keyring = plan.keyring
        self._store = store
        self._clock = clock
        self._objects = Objects(plan.objects_folder, plan.keyring, plan.node.name)

    # ---- queries ----

    async def studies(self, client: ClientSettings, asked: Question, base: str) -> tuple[list[dict[str, object]], bool]:
        """Answer which studies there are, the newest first, and whether there are more.

        Raises RequestNotUnderstood, and SearchTooBroad where more than `_CANDIDATES` studies would have to be looked at.
        """
        uids = await self._store.read(lambda connection: self._candidates(connection, asked.wanted))
        found, seen, known = [], 0, dict[str, _Person]()
        for uid in uids[:_CANDIDATES]:
            study = await self._store.read(lambda c, uid=uid: self._look(c, uid, known, asked.wanted))  # type: ignore[misc]
            answer = await self._answer(study, asked, f"{base}/studies/{uid}") if study else None
            if study is None or answer is None or await self._withholds(client, study):
                continue
            seen += 1
            if seen > asked.offset + asked.limit:
                break
            if seen > asked.offset:
                found.append((uid, answer))
        await self._tell(client, [(uid, "study listed") for uid, _ in found])
        more = seen > asked.offset + asked.limit or len(uids) > _CANDIDATES
        return [answer for _, answer in found], more

    async def inside(
        self,
        client: ClientSettings,
        scope: Scope,
        level: query.Level,
        wanted: matching.Query,
        include: Include,
        base: str,
    ) -> list[dict[str, object]]:
        """Answer which series or objects a study has. Raises NoSuchPicture."""
        parcel = await self._parcel(client, scope)
        url = f"{base}/studies/{scope.study}"

        def answers(entries: Sequence[body.Entry]) -> list[dict[str, object]]:
            whose = self._whose(parcel.study, entries)
            if level == "series":
                made = query.series_to_answers(entries, whose, url, include)
            else:
                made = query.instances_to_answers(entries, whose, url, include, of_study=not scope.series)
            return [one for one in made if query.fits(one, wanted)]

        entries = await self._entries(parcel)
        found = await asyncio.to_thread(answers, entries)
        if found:
            await self._tell(client, [(scope.study, f"{len(found)} {level} listed")])
        return found

    async def _answer(self, study: Study, asked: Question, url: str) -> dict[str, object] | None:
        """Tell of a study that fits a question."""
        sealed = await self._store.read(lambda connection: messages.body(connection, study.message_id))

        def answer() -> dict[str, object] | None:
            entries = self._split(study, sealed)
            if not entries:
                return None
            whose = self._whose(study, entries)
            headers = [] if whose.moved else query.said(entries, query.PATIENT_ID)
            answer = query.study_to_answer(entries, whose, url, asked.include)
            fits = query.study_fits(answer, entries, (*study.numbers, *headers), asked.wanted)
            return answer if fits else None

        return await asyncio.to_thread(answer)

    def _candidates(self, connection: Connection, wanted: matching.Query) -> list[str]:
        """Name the studies that may fit, newest first; one more than are looked at tells that there are more."""
        accession, number = (matching.asked_exactly(wanted, path) for path in (query.ACCESSION, query.PATIENT_ID))
        if studies := wanted.get(header.STUDY, ""):
            uids: Collection[str] = studies.split("\\")
        elif accession:
            with_it = sorted(message_search.messages_with(connection, self._keyring, "order", accession))
            told = message_keys.messages_of(connection, with_it[-_MESSAGES:])
            uids = {row.control_id.rpartition("/")[0] for row in told if row.type == imaging_steps.STUDY}
        elif number:
            uids = self._studies_of(connection, number)
        else:
            return self._since(connection, wanted)
        return images.newest_of(connection, uids, _CANDIDATES + 1)

    def _since(self, connection: Connection, wanted: matching.Query) -> list[str]:
        """Name the studies that may be of the days asked for: one that came before its day there is none."""
        first, _ = matching.days_asked(wanted, query.STUDY_DATE)
        since = 0
        if first:
            day = datetime.strptime(first, "%Y%m%d").replace(tzinfo=dates.zone_of(self._plan.node.zone))
            since = to_instant(day - _SLACK)
        found = images.newest_since(connection, since, _CANDIDATES + 1)
        if len(found) > _CANDIDATES:
            raise SearchTooBroad(detail=f"more than {_CANDIDATES} studies came since then")
        return found

    def _studies_of(self, connection: Connection, number: str) -> set[str]:
        try:
            found = search.find(connection, self._keyring, search.Wanted(numbers=[("", number)]))
        except QueryTooWide:
            raise RequestNotUnderstood("PatientID", "a number of too many persons") from None
        ids = {id_ for one in found for id_ in persons.all_ids(connection, one)}
        return {
            imaging_study.study_uid(opened(self._keyring, row))
            for row in rows.of_patients(connection, ids, "ImagingStudy")
        }

    # ---- objects ----

    async def parcel(self, client: ClientSettings, scope: Scope) -> Parcel:
        """Give what may be handed out of a scope. Raises NoSuchPicture, and NamesAnother for what names somebody else."""
        parcel = await self._parcel(client, scope)
        if parcel.study.assigned and self._whose(parcel.study, await self._entries(parcel)).moved:
            raise NamesAnother()
        return parcel

    async def metadata(self, parcel: Parcel) -> Iterator[bytes]:
        """Give the headers of a parcel as JSON, in pieces, without bulk data."""
        return _as_json(await self._entries(parcel))

    def read(self, picture: Picture) -> Iterator[bytes]:
        """Give an object in pieces, in the calling thread; raises SealBroken, KeyUnknown, ObjectStoreAway."""
        try:
            yield from self._objects.read(picture.id)
        except NothingThere:
            raise ObjectStoreAway(where=picture.id, detail="no such file") from None
        except OSError as error:
            said = os.strerror(error.errno) if error.errno else type(error).__name__
            raise ObjectStoreAway(where=picture.id, detail=said) from error

    async def hand_out(self, client: ClientSettings, parcel: Parcel, what: str) -> None:
        """Note that a client gets a parcel; durable when this returns, and only then may it leave (promise P10)."""
        await self._tell(client, [(parcel.study.uid, f"{len(parcel.pictures)} {what}")])

    async def _parcel(self, client: ClientSettings, scope: Scope) -> Parcel:
        study = await self._store.read(lambda connection: self._look(connection, scope.study, {}))
        if study is None or await self._withholds(client, study):
            raise NoSuchPicture()
        found = await self._store.read(lambda c: images.of_scope(c, scope.study, scope.series, scope.instance))
        pictures = tuple(
            Picture(row.id, row.sop_instance, row.transfer_syntax, row.size, row.sha256)
            for row in found
            if row.sop_instance in study.named
        )
        if not pictures:
            raise NoSuchPicture()
        return Parcel(study, scope, pictures)

    async def _entries(self, parcel: Parcel) -> list[body.Entry]:
        """Read the headers of a parcel: of one object from its own, of more from the message of the study."""
        names = {one.sop_instance for one in parcel.pictures}
        if parcel.scope.instance:
            (one,) = parcel.pictures
            sealed = await self._store.read(lambda connection: images.header(connection, one.id))
            plain = self._keyring.open(sealed, f"header/{one.id}")
            read = await asyncio.to_thread(header.read_header, BytesIO(plain))
            return [body.Entry.of(read, {})]
        message_id = parcel.study.message_id
        sealed = await self._store.read(lambda connection: messages.body(connection, message_id))
        entries = await asyncio.to_thread(self._split, parcel.study, sealed)
        return [one for one in entries if header.text(one.attributes, header.INSTANCE) in names]

    def _split(self, study: Study, sealed: bytes) -> list[body.Entry]:
        entries = body.split(self._keyring.open(sealed, study.message_id))
        return [one for one in entries if header.text(one.attributes, header.INSTANCE) in study.named]

    # ---- who may have what ----

    async def _withholds(self, client: ClientSettings, study: Study) -> bool:
        """Tell whether a client may not see a study, and note that it was withheld."""
        withheld = study.withheld
        if withheld is None or client.closed_lists:
            return False
        log.warning("study withheld from %s", client.name)
        now, who = self._clock.now(), _actor(client)
        await self._store.write(
            lambda c: actions.insert(c, at=now, actor=who, verb="withhold", target=study.uid, reason=withheld)
        )
        return True

    def _look(
        self, connection: Connection, uid: str, known: dict[str, _Person], wanted: matching.Query | None = None
    ) -> Study | None:
        """Find a study of the record that may have what is wanted; `known` keeps what is learned of persons."""
        row = images.settled(connection, uid)
        found = rows.current(connection, [("ImagingStudy", resource_id("ImagingStudy", _UID_SYSTEM, uid))])
        if row is None or not found or found[0].patient_id is None:
            return None
        study = opened(self._keyring, found[0])
        if wanted and not query.day_fits(str(study.get("started", "")), wanted):
            return None
        owner = persons.resolve(connection, found[0].patient_id)
        person = known.get(owner) or known.setdefault(owner, self._person(connection, owner))
        named = imaging_study.instances(study)
        return Study(
            uid,
            row.message_id,
            person.patient,
            person.numbers,
            person.known_by,
            named,
            row.pruned_at is not None and not named <= images.classes(connection, uid).keys(),
            person.withheld,
            row.assigned is not None,
        )

    def _person(self, connection: Connection, owner: str) -> _Person:
        record = resources.record(connection, self._keyring, owner)
        by_id = {one["id"]: one for one in record if one["resourceType"] == "Patient"}
        patients = [by_id[id_] for id_ in persons.all_ids(connection, owner) if id_ in by_id]
        numbers = numbers_of(connection, owner, record)
        home = self._plan.systems.local(self._plan.facility.code, "patient")
        own = tuple(dict.fromkeys(str(one["value"]) for one in numbers if one.get("system") == home))
        withheld = disclosure.closed_list(record, self._plan.facility.closed_lists)
        known_by = frozenset(folded(str(one["value"])) for one in numbers)
        return _Person(patients[0] if patients else {}, own, known_by, withheld)

    @staticmethod
    def _whose(study: Study, entries: Sequence[body.Entry]) -> Whose:
        """Say whose a study is, and whether its objects name somebody else."""
        said = query.said(entries, query.PATIENT_ID)
        moved = study.assigned and any(folded(number) not in study.known_by for number in said)
        number = next(iter((*study.numbers, *(() if moved else said))), "")
        return Whose(query.patient_to_attributes(study.patient, number), moved, study.away)

    async def _tell(self, client: ClientSettings, told: Sequence[tuple[str, str]]) -> None:
        """Note disclosures: of which study, and what."""
        if told:
            await self._store.write(
                partial(_note, at=self._clock.now(), actor=_actor(client), told=told, client=client)
            )


@dataclass(frozen=True)
class _Person:
    patient: Resource = field(repr=False)
    numbers: tuple[str, ...] = field(repr=False)
    known_by: frozenset[str] = field(repr=False)
    withheld: str | None


def _note(
    connection: Connection, *, at: int, actor: str, told: Sequence[tuple[str, str]], client: ClientSettings
) -> None:
    for uid, what in told:
        reason = f"{what} ({client.basis.strip()})"
        actions.insert(connection, at=at, actor=actor, verb="disclose", target=uid, reason=reason)


def _actor(client: ClientSettings) -> str:
    return f"{client.name} (api)"


def _as_json(entries: Sequence[body.Entry]) -> Iterator[bytes]:
    mark = b"["
    for entry in entries:
        yield mark + json.dumps(query.without_bulk(entry.attributes))
        mark = b","
    yield b"]"


def numbers_of(connection: Connection, owner: str, record: Sequence[Resource]) -> list[Resource]:
    """Give the identifiers of a person, those of the Patients that were merged into it included."""
    by_id = {one["id"]: one for one in record if one["resourceType"] == "Patient"}
    patients = [by_id[id_] for id_ in persons.all_ids(connection, owner) if id_ in by_id]
    return [one for patient in patients for one in patient.get("identifier", ()) if "value" in one]


def folded(number: str) -> str:
    """Give a number as numbers are compared."""
    return number.strip().casefold()
