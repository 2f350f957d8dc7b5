"""Fetch a study from a PACS: ask only for what the ledger does not hold, and say afterwards what is still missing.

    every object of the study ── asked (C-FIND, level by level)
             │ without those in the ledger
             ▼
    the fewest requests ── C-MOVE: the PACS sends to a channel of a running node
             │         └── C-GET: objects come here, through the door of that channel
             ▼
    the ledger is asked again: what it holds now is durable

So a fetch that broke off goes on where it was, and one of a complete study asks for nothing. A PACS that stops at the first
object that it cannot send is asked again for each of the others alone. The study's message is the business of a running node
(`gateway/studies.py`), as for every object.

Requirement: S1.4
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from connectors.contract import ObjectAnswer, ObjectNames
from connectors.dicom_client import Client, ImageRow, Progress, Retrieval, Tell
from connectors.dicom_peer import PacsSettings
from connectors.faults import PacsCannotProcess
from gateway.clock import Clock
from gateway.faults import KindUnknown, SettingMissing
from gateway.object_intake import ObjectDeposit, ObjectDoor, recover
from gateway.settings import Channel, Plan
from gateway.store import images
from gateway.store.engine import Store
from gateway.store.objects import Objects
from mappings.formats.faults import DeliveryFault, Fault, IntakeFault

By = Literal["move", "get"]
_UIDS_AT_ONCE = 200
"""UIDs in one request; PS3.5 has room for a thousand, not every PACS does."""


@dataclass(frozen=True)
class Fetched:
    """What became of a fetch, by SOP Instance UID."""

    there: frozenset[str]
    """Objects that the PACS says the study has."""
    before: frozenset[str]
    """Of these, held before anything was asked for."""
    now: frozenset[str]
    """Of these, held now."""
    fault: DeliveryFault | None = None
    """Why the PACS did not send all; what came stays."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """What was not kept of that which came by C-GET: fault, and how often."""
    store_away: bool = False
    """Whether the disk or the ledger did not take something."""

    @property
    def missing(self) -> frozenset[str]:
        return self.there - self.now


def requests(found: Sequence[ImageRow], held: frozenset[str], *, alone: bool = False) -> list[Retrieval]:
    """Give the fewest requests for what is not held: the study as a whole, whole series, objects; or each object `alone`."""
    if alone:
        return [
            Retrieval(one["StudyInstanceUID"], (one["SeriesInstanceUID"],), (one["SOPInstanceUID"],))
            for one in found
            if one["SOPInstanceUID"] not in held
        ]
    series: dict[str, list[str]] = {}
    for image in found:
        series.setdefault(image["SeriesInstanceUID"], []).append(image["SOPInstanceUID"])
    lacking = {uid: [one for one in objects if one not in held] for uid, objects in series.items()}
    if not any(lacking.values()):
        return []
    study = found[0]["StudyInstanceUID"]
    whole = tuple(uid for uid, objects in series.items() if len(lacking[uid]) == len(objects))
    if len(whole) == len(series):
        return [Retrieval(study)]
    asked = [Retrieval(study, part) for part in _parts(whole)]
    for uid, objects in lacking.items():
        if uid not in whole:
            asked += [Retrieval(study, (uid,), part) for part in _parts(tuple(objects))]
    return asked


def _parts(uids: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(uids), _UIDS_AT_ONCE):
        yield uids[start : start + _UIDS_AT_ONCE]


def channel_of(plan: Plan, pacs: PacsSettings) -> Channel:
    """Give the channel to which objects from a PACS belong; raises SettingMissing where that is not clear."""
    taking = [one for one in plan.channels if one.takes_objects]
    named = [one for one in taking if one.settings.name == pacs.channel]
    titled = [one for one in taking if getattr(one.source.settings, "ae_title", "") == pacs.move_to != ""]
    for found in (named, titled, taking):
        if len(found) == 1:
            return found[0]
    raise SettingMissing(f"pacs {pacs.name}", "channel: which of the channels that take objects")


def pacs_named(plan: Plan, name: str) -> PacsSettings:
    """Give the PACS of that name; the only one, when none is named. Raises KindUnknown, SettingMissing."""
    if not plan.pacs:
        raise SettingMissing("node.toml", "[[pacs]]")
    found = [one for one in plan.pacs if name in ("", one.name)]
    if len(found) != 1:
        raise KindUnknown("pacs", f"write --pacs: {', '.join(one.name for one in plan.pacs)}")
    return found[0]


@dataclass(frozen=True)
class Fetch:
    """One fetch of one study."""

    plan: Plan
    store: Store
    clock: Clock
    pacs: PacsSettings

    def run(self, study: str, by: By, tell: Tell = lambda progress: None) -> Fetched:
        """Blocks until the PACS has sent all it will. Raises DeliveryFault when it cannot be asked what the study has.

        `tell` is told how far all of it is; what was held before counts as completed.
        """
        if by == "move" and not self.pacs.move_to:
            raise SettingMissing(f"pacs {self.pacs.name}", "move_to")
        client = Client(self.pacs)
        found = client.find_images(study)
        there = frozenset(one["SOPInstanceUID"] for one in found)
        before = now = self._held(study) & there
        fault: DeliveryFault | None = None
        taken = Taken()
        for alone in (False, True):
            asked = requests(found, now, alone=alone)
            try:
                if asked and by == "move":
                    client.move(asked, _over(tell, len(there), len(now)))
                elif asked:
                    with self._door(channel_of(self.plan, self.pacs), taken):
                        classes = {one["SOPClassUID"] for one in found if one["SOPInstanceUID"] not in now} - {""}
                        client.get(asked, classes, taken, _over(tell, len(there), len(now)))
                fault = None
            except DeliveryFault as broken:
                fault = broken
            now = self._held(study) & there
            if not isinstance(fault, PacsCannotProcess) or taken.store_away:
                break
        return Fetched(there, before, now, fault, taken.refused, taken.store_away)

    def objects(self, study: str) -> dict[str, str]:
        """Give the class of each object that a study has there, or that is held of it here, by SOP Instance UID.

        A class is empty where the PACS does not tell it.
        """
        there = {one["SOPInstanceUID"]: one["SOPClassUID"] for one in Client(self.pacs).find_images(study)}
        here = self.store.read_now(lambda connection: images.classes(connection, study))
        return there | here

    def _held(self, study: str) -> frozenset[str]:
        return frozenset(self.store.read_now(lambda connection: images.classes(connection, study)))

    @contextmanager
    def _door(self, channel: Channel, taken: Taken) -> Iterator[None]:
        """Open the door of a channel, beside a node that may have it open too; raises NodeRunning when this is done already."""
        plan = self.plan
        name = (
            f"{plan.node.name}+{self.pacs.name}"  # a node has no plus in its name, so nobody else ends what lies there
        )
        self.store.claim_node(name)
        objects = Objects(plan.objects_folder, plan.keyring, name)
        recover(objects, self.store)
        taken.door = ObjectDoor(channel, self.store, objects, plan.keyring, self.clock)
        try:
            yield
        finally:
            objects.close()


def _over(tell: Tell, whole: int, before: int) -> Tell:
    """Tell of the whole study where a PACS counts what it was asked for."""

    def told(progress: Progress) -> None:
        done = before + progress.completed + progress.warning + progress.failed
        tell(Progress(max(0, whole - done), before + progress.completed, progress.failed, progress.warning))

    return told


class Taken:
    """Takes what a PACS gives, as a running node does (`connectors.contract.Deposits`), and counts what was not kept."""

    door: ObjectDoor
    """Set before anything is asked for."""

    def __init__(self) -> None:
        self._faults: Counter[str] = Counter()
        self.store_away = False

    @property
    def refused(self) -> dict[str, int]:
        return dict(self._faults)

    def deposit(self, peer: str) -> ObjectDeposit:
        return _Counted(self.door, peer, self)

    def note(self, fault: Fault) -> None:
        self._faults[f"LT{fault.code:04d} {type(fault).__name__}"] += 1
        self.store_away |= isinstance(fault, IntakeFault) and fault.fault_class.value == "transient"


class _Counted(ObjectDeposit):
    def __init__(self, door: ObjectDoor, peer: str, taken: Taken) -> None:
        super().__init__(door, peer)
        self._taken = taken

    def commit(self, names: ObjectNames) -> ObjectAnswer:
        answer = super().commit(names)
        if answer.fault is not None:
            self._taken.note(answer.fault)
        return answer

    def discard(self, fault: IntakeFault) -> None:
        super().discard(fault)
        self._taken.note(fault)
