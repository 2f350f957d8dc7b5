"""What maps messages of laboratory instruments: pure, run in the pool beside `gateway/steps.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.faults import MessageUnended
from mappings.formats import astm
from mappings.formats.er7_encoding import SPACE_BYTES
from mappings.hl7v2 import Context
from mappings.lab.asked import Person, keys_of, persons_of
from mappings.lab.astm import CONTROL, FAMILY, OTHER, QUERY, RESULT, kind_of, map_message, read
from mappings.lab.context import Context as LabContext
from mappings.lab.context import Known
from mappings.lab.groups import Read
from mappings.outcome import Outcome

__all__ = [
    "FAMILY",
    "QUERY",
    "RESULT",
    "TYPES",
    "Known",
    "Person",
    "is_lab",
    "is_records",
    "keys_of",
    "kind_of",
    "persons_of",
]

TYPES = (RESULT, CONTROL, QUERY, OTHER)
"""Every type that a message of an instrument can have."""


def is_lab(message_type: str) -> bool:
    """Tell whether a message is of an instrument."""
    return message_type.partition("^")[0] == FAMILY


def is_records(raw: bytes) -> bool:
    """Tell whether bytes are records of an instrument, which no other content of a source begins like."""
    return astm.is_astm(raw)


def parse(raw: bytes, charset: str) -> astm.Message:
    """Read records, framed or not; raises the faults of `mappings.formats.astm`, and MessageUnended where there is no L.

    What broke off may end in the middle of a value, so none of it is used, wherever it came from.
    """
    message = astm.Message.parse(astm.unframed(raw.lstrip(SPACE_BYTES)), charset)
    if message.records[-1].name != "L":
        raise MessageUnended("L", f"{len(message.records)} records")
    return message


def read_records(raw: bytes, charset: str, profile: str = "") -> Read:
    """Read a message in its dialect; raises as `parse`, and ProfileUnknown."""
    return read(parse(raw, charset), profile)


def map_records(told: Read, context: Context, approver: str = "", known: Mapping[str, Known] | None = None) -> Outcome:
    """Map a message; raises the faults of `mappings.lab`."""
    said = {name: getattr(context, name) for name in ("facility", "systems", "zone", "on", "message_id")}
    return map_message(told, LabContext(**said, approver=approver, known=known or {}))


def populated(raw: bytes, charset: str) -> Sequence[str]:
    """Return the positions of all populated fields."""
    return [record.where(n) for record in parse(raw, charset).records for n in record.populated()]
