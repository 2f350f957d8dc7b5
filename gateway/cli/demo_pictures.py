"""The PACS of the demo: a few studies of the day's orders with their reports, and one picture that comes late.

A real Orthanc sends them where it is installed, the sandbox's own sender otherwise. Who signs is not asked: the reports are
sealed by the node alone, as its policy has it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from conformance.sandbox.orthanc import installed, orthanc
from conformance.sandbox.pacs import SUCCESS, Sender, send_study
from conformance.scenarios.event import Day
from conformance.scenarios.pictures import Study, pictures
from gateway.faults import InternalFault
from gateway.store import images
from gateway.store.engine import Store

AE_TITLE = "LIENTHONG"
CALLER = "PACS"
PAPER = "imaging_report"
_MOST = 3
_WAIT_S = 300.0
_LOOK_S = 0.2


@dataclass(frozen=True)
class PictureFigures:
    """What the PACS sent, and what the ledger knows of it."""

    via: str
    """`Orthanc`, or `sandbox`."""
    studies: int
    objects: int
    statuses: Mapping[str, int]
    """DIMSE status → how many objects; Orthanc tells no status of what was taken."""
    versions: int
    """Messages about the studies: one for each, and one more for what came late."""

    @property
    def reports(self) -> int:
        """Versions of imaging reports that come of it: each study has one, and the late picture makes it anew."""
        return self.studies + 1

    @property
    def closes(self) -> bool:
        return set(self.statuses) == {SUCCESS} and self.versions == self.studies + 1


async def play(day: Day, address: tuple[str, int], store: Store) -> PictureFigures:
    """Send the studies, wait until the node told of them, and send the late picture of the first."""
    studies = pictures(day, _MOST)
    statuses: Counter[str] = Counter()
    async with _sender() as sender:
        for study in studies:
            sent = await asyncio.to_thread(send_study, address, AE_TITLE, study.instances, sender)
            statuses.update(sent.statuses)
        await _told(store, {str(one.study_uid): 1 for one in studies})
        sent = await asyncio.to_thread(send_study, address, AE_TITLE, [studies[0].late], sender)
        statuses.update(sent.statuses)
        await _told(store, {str(studies[0].study_uid): 2})
    known = await store.read(lambda connection: images.studies(connection))
    return PictureFigures(
        "Orthanc" if installed() else "sandbox",
        len(studies),
        sum(_objects(one) for one in studies) + 1,
        dict(statuses),
        sum(row.version for row in known),
    )


def _objects(study: Study) -> int:
    return len(study.instances)


@asynccontextmanager
async def _sender() -> AsyncIterator[Sender]:
    running = orthanc(CALLER)
    sender = await asyncio.to_thread(running.__enter__)
    try:
        yield sender
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


async def _told(store: Store, versions: Mapping[str, int]) -> None:
    """Wait until these versions of studies were told."""
    end = time.monotonic() + _WAIT_S
    while time.monotonic() < end:
        rows = await store.read(lambda connection: images.studies(connection))
        found = {row.uid: row.version for row in rows}
        if all(found.get(uid, 0) >= version for uid, version in versions.items()):
            return
        await asyncio.sleep(_LOOK_S)
    raise InternalFault(where="demo", detail="a study was sent and not told of")
