"""A study as a document that leaves: which of its objects, and their bytes for whoever carries them.

    in the record ─ whole and settled ─ names its person ─▶ manifest ─▶ the ledger keeps it ─▶ a destination reads the objects

What leaves is what the record says of a study, as with what is handed out (`image_reading.py`). Pixels are stored once: the
manifest lists objects, and their bytes are read from the folder of objects while they are sent.

Requirement: S1.4, S2.19
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence

from sqlalchemy.engine import Connection

from connectors.contract import Picture
from connectors.faults import ObjectStoreAway
from gateway import steps
from gateway.faults import NamesAnother, NothingThere, SealBroken, StudyUnsettled
from gateway.image_reading import folded, numbers_of
from gateway.records import persons
from gateway.settings import Plan
from gateway.store import images, messages
from gateway.store.objects import Objects
from mappings.dicom import body, header, query
from mappings.documents import imaging_study
from mappings.documents.faults import SubjectMissing
from mappings.outcome import Resource


def compose(
    connection: Connection, plan: Plan, subject: str, patient_id: str, record: Sequence[Resource]
) -> steps.Paper:
    """Make the document of a study, of the record of its person.

    Raises SubjectMissing, StudyUnsettled while its newest message is not in the record or a person's moving it waits, and
    NamesAnother when it was moved and its objects name somebody else: these do not leave.
    """
    study = next((one for one in record if f"{one['resourceType']}/{one['id']}" == subject), None)
    uid = imaging_study.study_uid(study) if study else ""
    if study is None or not uid:
        raise SubjectMissing(imaging_study.PAPER)
    row = images.settled(connection, uid)
    if row is None:
        raise StudyUnsettled(subject)
    named = imaging_study.instances(study)
    kept = [one for one in images.of_scope(connection, uid) if one.sop_instance in named]
    if not kept:
        raise SubjectMissing(imaging_study.PAPER)
    owner = persons.resolve(connection, patient_id)
    if row.assigned is not None:
        sealed = messages.body(connection, row.message_id)
        entries = body.split(plan.keyring.open(sealed, row.message_id))
        own = [one for one in entries if header.text(one.attributes, header.INSTANCE) in named]
        known = {folded(str(one["value"])) for one in numbers_of(connection, owner, record)}
        if any(folded(number) not in known for number in query.said(own, query.PATIENT_ID)):
            raise NamesAnother()
    objects = [
        imaging_study.Object(
            one.id, one.series_uid, one.sop_instance, one.sop_class, one.transfer_syntax, one.size, one.sha256
        )
        for one in sorted(kept, key=lambda one: str(one.series_uid))
    ]
    manifest = imaging_study.write(imaging_study.Manifest(uid, f"Patient/{owner}", objects))
    return steps.Paper({imaging_study.RENDITION: manifest}, {}, hashlib.sha256(manifest).hexdigest(), None)


class StudyPictures:
    """Implements `connectors.contract.Pictures` for a manifest of the ledger."""

    def __init__(self, manifest: bytes, objects: Objects) -> None:
        read = imaging_study.read(manifest)
        self._objects = objects
        self._ids = {one.instance: one.id for one in read.objects}
        self.study = read.study
        self.objects = [
            Picture(one.series, one.instance, one.sop_class, one.transfer_syntax, one.size, one.sha256)
            for one in read.objects
        ]

    def read(self, one: Picture) -> Iterator[bytes]:
        """Give an object; its last piece only when all of it is what the manifest says. Raises ObjectStoreAway, SealBroken."""
        id_, digest, held = self._ids[one.sop_instance], hashlib.sha256(), b""
        try:
            for piece in self._objects.read(id_):
                if held:
                    yield held
                digest.update(piece)
                held = piece
        except NothingThere:
            raise ObjectStoreAway(where=id_, detail="no such file") from None
        except OSError as error:
            said = os.strerror(error.errno) if error.errno else type(error).__name__
            raise ObjectStoreAway(where=id_, detail=said) from error
        if digest.hexdigest() != one.sha256:
            raise SealBroken(where=id_)
        yield held
