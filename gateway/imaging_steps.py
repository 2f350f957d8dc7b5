"""What maps studies of pictures: pure, run in the pool beside `gateway/steps.py`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO

from mappings.dicom import body, header, same_person, study
from mappings.dicom.context import Context as DicomContext
from mappings.dicom.faults import WrongPatient
from mappings.dicom.request import ACCESSION
from mappings.formats import json
from mappings.hl7v2 import Context
from mappings.hl7v2.business_keys import folded
from mappings.outcome import Outcome

FAMILY = "DICOM"
STUDY = f"{FAMILY}^STUDY"
"""How `accept` and the rules of papers call a study."""
_MARK = b'{"dicom":'
_KEYS = (
    ("patient", ("00100020",)),
    ("order", ("00080050", "00402016", "00402017")),
    ("encounter", ("00380010",)),
    ("document", (header.STUDY,)),
)
"""Kind of number people look by → the attributes that hold it."""


@dataclass(frozen=True)
class Kept:
    """One object that is kept."""

    header: bytes
    """Its beginning, up to the pixels."""
    object: str
    """The ledger's id of it."""
    sha256: str
    size: int
    calling: str


@dataclass(frozen=True)
class Around:
    """What the mapping of a study has to know beside its message."""

    orders: Mapping[str, str] = field(default_factory=dict)
    """Those that the record has for its accession numbers: number → `ServiceRequest/<id>`."""
    dicomweb: str = ""
    """Base of the addresses where its objects are fetched; empty: none is named."""


def is_study(message_type: str) -> bool:
    """Tell whether a message is about a study."""
    return message_type == STUDY


def study_body(objects: Sequence[Kept], assigned: str = "") -> bytes:
    """Write the body of the message about a study; raises the faults of `mappings.dicom`.

    `assigned` is the number of the person that a person gave it to, whatever the objects say.
    """
    return body.join(_entry(one, assigned) for one in objects)


def is_body(raw: bytes) -> bool:
    """Tell whether bytes are the body of such a message, which no other content of a source begins like."""
    return raw.startswith(_MARK)


def is_object(raw: bytes) -> bool:
    """Tell whether bytes are a DICOM file."""
    return raw[128:132] == b"DICM"


def map_object(raw: bytes, context: Context) -> Outcome:
    """Map a study that consists of one object, as a channel's own test has it."""
    alone = Kept(raw, "", hashlib.sha256(raw).hexdigest(), len(raw), "")
    return map_study(study_body([alone]), context, Around())


def map_study(raw: bytes, context: Context, around: Around) -> Outcome:
    """Map a message about a study; raises the faults of `mappings.dicom`."""
    known = {name: getattr(context, name) for name in ("facility", "systems", "zone", "message_id")}
    return study.study_to_outcome(raw, DicomContext(**known, requests=around.orders, wado=around.dicomweb))


@dataclass(frozen=True)
class Asked:
    """By what a study finds its order."""

    accessions: tuple[str, ...]
    patients: tuple[str, ...]
    study: str


def asked_of(raw: bytes) -> Asked:
    """Read the numbers of its order, of its patient and of itself from a message about a study."""
    attributes = [entry.attributes for entry in body.split(raw)]

    def all_of(tag: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(found for one in attributes if (found := header.text(one, tag).strip())))

    assigned = tuple(str(one.facts["assigned"]) for one in body.split(raw)[:1] if one.facts.get("assigned"))
    return Asked(all_of(ACCESSION), assigned or all_of("00100020"), next(iter(all_of(header.STUDY)), ""))


def require_same_person(raw: bytes, patient: bytes) -> None:
    """Raise WrongPatient when the study names plainly somebody else than `patient` (JSON), whose number it has.

    Who was given the study by a person is not compared.
    """
    entries = body.split(raw)
    if not entries or entries[0].facts.get("assigned"):
        return
    found = same_person.compare(entries[0].attributes, json.loads(patient))
    if found.verdict == "other":
        raise WrongPatient("(0010,0010) PatientName", ", ".join(found.reasons))


def keys_of(raw: bytes) -> tuple[tuple[str, str], ...]:
    """Return the numbers by which people look for it: the patient's, the visit's, those of the order."""
    attributes = [entry.attributes for entry in body.split(raw)]
    found = {
        (kind, folded(value)): None
        for kind, tags in _KEYS
        for tag in tags
        for one in attributes
        if (value := header.text(one, tag)).strip(" 0")
    }
    return tuple(found)


def _entry(one: Kept, assigned: str) -> body.Entry:
    facts = {name: getattr(one, name) for name in ("object", "sha256", "size", "calling")}
    read = header.read_header(BytesIO(one.header))
    return body.Entry.of(read, facts | ({"assigned": assigned} if assigned else {}))
