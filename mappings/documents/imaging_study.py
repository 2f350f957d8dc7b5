"""The pictures of one study, as a document that leaves: a list of its objects, which say where their bytes are.

It is nothing that anybody reads or signs: no form, no CDA, no FHIR document, one rendition, `pictures`. The list is what the
ledger keeps as the version; the same objects of the same person give the same bytes. Trigger: the message about a study that is
whole, also when late objects came or the study went to another person.

Standard: DICOM PS3.3 §C.12.1 (SOP Common). Requirement: S1.4
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mappings.documents.faults import SubjectMissing
from mappings.formats import json
from mappings.formats.faults import JsonInvalid
from mappings.outcome import Resource

PAPER = "imaging_study"
TITLE = "HÌNH ẢNH CỦA LẦN CHỤP"
RENDITION = "pictures"
MEDIA_TYPE = "application/json"
_UID_SYSTEM, _OID = "urn:dicom:uid", "urn:oid:"


@dataclass(frozen=True)
class Object:
    """One object of a study."""

    id: str
    """The ledger's id of it."""
    series: str
    instance: str
    sop_class: str
    transfer_syntax: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The objects of a study of somebody."""

    study: str
    """Study Instance UID."""
    patient: str = field(repr=False)
    """Reference of the Patient: a study that goes to somebody else is another version."""
    objects: Sequence[Object]


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the studies whose objects are kept."""
    return [
        f"ImagingStudy/{one['id']}" for one in resources if one["resourceType"] == "ImagingStudy" and one.get("series")
    ]


def study_uid(study: Resource) -> str:
    """Give the Study Instance UID of an ImagingStudy; empty where it has none."""
    said = (one.get("value", "") for one in study.get("identifier", ()) if one.get("system") == _UID_SYSTEM)
    return next((str(value).removeprefix(_OID) for value in said), "")


def instances(study: Resource) -> frozenset[str]:
    """Give the SOP Instance UIDs of the objects that the record has of a study."""
    return frozenset(str(one["uid"]) for series in study.get("series", ()) for one in series.get("instance", ()))


def write(manifest: Manifest) -> bytes:
    """Write a manifest; the same content gives the same bytes."""
    names = ("id", "series", "instance", "sop_class", "transfer_syntax", "size", "sha256")
    objects = [{name: getattr(one, name) for name in names} for one in manifest.objects]
    return json.canonical({"study": manifest.study, "patient": manifest.patient, "objects": objects})


def read(body: bytes) -> Manifest:
    """Read what `write` wrote; raises SubjectMissing for anything else."""
    try:
        said: dict[str, Any] = json.loads(body)
        return Manifest(said["study"], said["patient"], [Object(**one) for one in said["objects"]])
    except (JsonInvalid, KeyError, TypeError):
        raise SubjectMissing(PAPER) from None
