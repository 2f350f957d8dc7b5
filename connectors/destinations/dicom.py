"""Another hospital's PACS, or any receiver of DICOM objects: sends studies by C-STORE, as they are kept.

Nothing is transcoded or changed: what the receiver does not take in the transfer syntax it is kept in is a fault that names it,
and everything else is sent. Where the receiver answers queries (C-FIND, Study Root, on the same association) it is asked first
and gets what it lacks, so that an interrupted study goes on where it broke off and a new version sends what is new. With
`commit` a study counts as delivered when the receiver says that it keeps every object for certain (storage commitment). A
receiver that answers no queries cannot be asked what became of a study that was cut short: `at_least_once` lets it be sent
again, which a receiver of DICOM bears.

Its answers stand in the error queue as `status A700`, and can be given another meaning with `answers`.

Standard: DICOM PS3.4 Annex B (Storage), Annex C.4.1 (C-FIND), Annex J (Storage Commitment); PS3.15 §B.9 (TLS)
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, fields
from functools import partial
from typing import ClassVar, Final, TypeVar

from pydicom.uid import UID

from connectors import _dicom_store as storing
from connectors._dicom_call import Call, calling
from connectors._dicom_identifier import Unreadable
from connectors._dicom_status import Says, says
from connectors.contract import Outbound, Picture, Pictures, Receipt, Seal
from connectors.dicom_client import Client, find_context, images_of
from connectors.dicom_peer import PacsSettings, PeerSettings
from connectors.faults import (
    CannotAsk,
    NoPictures,
    ObjectsNotKept,
    ObjectsNotKeptYet,
    ObjectsNotTaken,
    ObjectsRefused,
    PacsAnswerInvalid,
    PacsBrokeOff,
    PacsCannotProcess,
    PacsRefused,
    PacsSilent,
    ServiceNotOffered,
    StudyCutShort,
    StudyInterrupted,
)
from mappings.formats import json

logger = logging.getLogger(__name__)

T = TypeVar("T")

_SUCCESS: Final = 0x0000
_NEVER: Final = {0x0112: "no such object", 0x0119: "class and object do not fit", 0x0122: "class not supported"}
"""Reasons of storage commitment that do not pass by themselves. Standard: DICOM PS3.3 §C.14.1.1"""
_AT_ONCE: Final = 64
"""Threads that send; how many studies are on their way is said by `limit`."""


@dataclass(frozen=True)
class Settings(PeerSettings):
    takes: ClassVar[str] = "pictures"

    commit: bool = False
    """Whether a study counts as delivered only when the receiver says that it keeps every object for certain."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reports and not self.commit:
            raise ValueError("reports: are those of storage commitment — write commit = true, or leave it out")

    def peer(self, name: str) -> PacsSettings:
        """Give the settings of whom we call."""
        return PacsSettings(
            name=re.sub(r"[^A-Za-z0-9._-]", "-", name)[:48],
            **{one.name: getattr(self, one.name) for one in fields(PeerSettings)},
        )


class Destination:
    """Send studies to one receiver."""

    def __init__(self, name: str, settings: Settings, seal: Seal) -> None:
        self._name = name
        self._settings = settings
        self._peer = settings.peer(name)
        self._peer.client_context()  # files that cannot be used stop the start, not a study
        if settings.reports:
            self._peer.server_context()
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=f"dicom to {name}")
        self._ending = threading.Event()
        self._committing = asyncio.Lock()
        """Of questions that wait for a report at `reports`, there is one at a time."""

    async def deliver(self, document: Outbound) -> Receipt:
        """Send what the receiver lacks; accepted is every object answered with success or a warning, or there already.

        Raises ObjectsNotTaken, ObjectsRefused, StudyCutShort, ObjectsNotKept, the faults of an association (606x), and what
        reading the objects raises.
        """
        pictures = _pictures(document, self._name)
        sent = await self._in_thread(partial(self._send, pictures))
        return _receipt(pictures, sent, await self._committed(pictures))

    async def find(self, document: Outbound) -> Receipt | None:
        """Ask which objects are there: all, or it did not arrive. Raises CannotAsk where queries are not answered."""
        pictures = _pictures(document, self._name)
        there = await self._in_thread(partial(self._there, pictures))
        if any(one.sop_instance not in there for one in pictures.objects):
            return None
        found = _Sent(there=[one.sop_instance for one in pictures.objects])
        return _receipt(pictures, found, await self._committed(pictures))

    def interrupt(self) -> None:
        """Have studies under way end after the object that is being sent: StudyInterrupted."""
        self._ending.set()

    async def close(self) -> None:
        self._threads.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    # ---- what runs in a thread ----

    def _there(self, pictures: Pictures) -> set[str]:
        try:
            with calling(self._peer, [find_context()]) as call:
                return {one["SOPInstanceUID"] for one in images_of(call, pictures.study)}
        except (ServiceNotOffered, PacsRefused, PacsCannotProcess, PacsAnswerInvalid) as fault:
            raise CannotAsk(self._name, fault.detail) from fault

    def _send(self, pictures: Pictures) -> _Sent:
        sent = _Sent()
        wanted = storing.kinds(pictures.objects)
        for begin in range(0, len(wanted), storing.MOST_KINDS):
            part = wanted[begin : begin + storing.MOST_KINDS]
            objects = [one for one in pictures.objects if (one.sop_class, one.transfer_syntax) in set(part)]
            try:
                with calling(self._peer, [*storing.contexts_for(part), find_context()]) as call:
                    self._send_on(call, pictures, objects, sent)
            except (PacsBrokeOff, PacsSilent, PacsAnswerInvalid) as fault:
                if sent.begun:
                    told = f"{fault.detail}; {sent.done} of {len(pictures.objects)} confirmed"
                    raise StudyCutShort(self._name, told) from fault
                raise
            except ServiceNotOffered:
                sent.untaken += objects  # of all that was proposed nothing is accepted, not even questions
        self._judge(pictures, sent)
        return sent

    def _send_on(self, call: Call, pictures: Pictures, objects: Sequence[Picture], sent: _Sent) -> None:
        there = self._already(call, pictures)
        contexts = storing.accepted(call)
        for one in objects:
            context = contexts.get((one.sop_class, one.transfer_syntax))
            if one.sop_instance in there:
                sent.there.append(one.sop_instance)
            elif context is None:
                sent.untaken.append(one)
            elif self._ending.is_set():
                raise StudyInterrupted(self._name, f"{sent.done} of {len(pictures.objects)} confirmed")
            else:
                sent.begun = True
                try:
                    status = storing.store(call, context, one, pictures.read(one))
                except Unreadable:
                    raise NoPictures(self._name, "an object that is no DICOM file") from None
                sent.note(one, status)

    def _already(self, call: Call, pictures: Pictures) -> set[str]:
        """Give what is there, on the association on which the rest is sent; nothing where that cannot be asked."""
        try:
            return {one["SOPInstanceUID"] for one in images_of(call, pictures.study)}
        except (ServiceNotOffered, PacsRefused, PacsCannotProcess) as fault:
            logger.info("dicom to %s: sent without asking (%s)", self._name, fault.detail)
            return set()

    def _judge(self, pictures: Pictures, sent: _Sent) -> None:
        """Raise what keeps a study that was sent from being delivered."""
        of = len(pictures.objects)
        if sent.untaken:
            raise ObjectsNotTaken(self._name, _named(sent.untaken))
        if sent.refused:
            first = next(iter(sent.refused.values()))
            raise ObjectsRefused(f"{self._name} {len(sent.refused)}/{of}", f"status {first:04X}")

    # ---- storage commitment ----

    async def _committed(self, pictures: Pictures) -> int:
        """Have every object confirmed, where that is wanted; give how many."""
        if not self._settings.commit:
            return 0
        objects = [(one.sop_class, one.sop_instance) for one in pictures.objects]
        async with self._committing if self._settings.reports else nullcontext():
            told = await self._in_thread(partial(Client(self._peer).commit, objects))
        lacking = {**dict.fromkeys(told.unsaid, 0), **told.failed}
        if lacking:
            where = f"{self._name} {len(lacking)}/{len(objects)}"
            reason = next((one for one in lacking.values() if one in _NEVER), None)
            if reason is not None:
                raise ObjectsNotKept(where, f"reason {reason:04X} {_NEVER[reason]}")
            raise ObjectsNotKeptYet(where, f"reason {next(iter(lacking.values())):04X}")
        return len(told.kept)


class _Sent:
    """How far a study is."""

    def __init__(self, there: Sequence[str] = ()) -> None:
        self.there = list(there)
        self.stored: dict[str, int] = {}
        """Object → status, success or a warning."""
        self.refused: dict[str, int] = {}
        self.untaken: list[Picture] = []
        self.begun = False
        """Whether the first object was begun."""

    @property
    def done(self) -> int:
        return len(self.there) + len(self.stored)

    def note(self, one: Picture, status: int) -> None:
        if status == storing.ALREADY_THERE:
            self.there.append(one.sop_instance)
        elif says(status) in (Says.DONE, Says.PARTLY):
            self.stored[one.sop_instance] = status
        else:
            self.refused[one.sop_instance] = status


def _pictures(document: Outbound, where: str) -> Pictures:
    if document.pictures is None:
        raise NoPictures(where, document.media_type)
    return document.pictures


def _receipt(pictures: Pictures, sent: _Sent, committed: int) -> Receipt:
    """Keep what the receiver answered to each object."""
    statuses = {one: f"{status:04X}" for one, status in sent.stored.items()}
    warnings = [status for status in sent.stored.values() if status != _SUCCESS]
    facts = {"objects": len(pictures.objects), "sent": len(sent.stored), "there": len(sent.there)}
    facts |= {"warnings": len(warnings)} if warnings else {}
    facts |= {"committed": committed} if committed else {}
    evidence = json.dumps({"stored": statuses, "there": sent.there, "committed": committed})
    return Receipt(pictures.study, evidence, {name: str(count) for name, count in facts.items()})


def _named(objects: Sequence[Picture]) -> str:
    """Name the kinds of objects by the words of the standard, and count each."""

    def told() -> Iterator[str]:
        for sop_class, syntax in storing.kinds(objects):
            count = sum((one.sop_class, one.transfer_syntax) == (sop_class, syntax) for one in objects)
            yield f"{UID(sop_class).name} in {UID(syntax).name}: {count}"

    return "; ".join(told())
