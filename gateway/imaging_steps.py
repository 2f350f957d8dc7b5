"""What maps studies of pictures: pure, run in the pool beside `gateway/steps.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from mappings.dicom import body, header, study
from mappings.hl7v2 import Context
from mappings.outcome import Outcome

FAMILY = "DICOM"
STUDY = f"{FAMILY}^STUDY"
"""How `accept` and the rules of papers call a study."""
_MARK = b'{"dicom":'


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


def map_study(raw: bytes, context: Context) -> Outcome:
    """Map a message about a study; raises the faults of `mappings.dicom`."""
    return study.study_to_outcome(raw, context)


def keys_of(raw: bytes) -> tuple[tuple[str, str], ...]:
    """Return the numbers by which people look for it: the patient's, the visit's, those of the order."""
    return tuple(dict.fromkeys(study.business_keys(raw)))


def _entry(one: Kept, assigned: str) -> body.Entry:
    facts = {name: getattr(one, name) for name in ("object", "sha256", "size", "calling")}
    read = header.read_header(BytesIO(one.header))
    return body.Entry.of(read, facts | ({"assigned": assigned} if assigned else {}))
