"""Map the message of one insurance visit: pure, run in the pool beside `gateway/steps.py`.

A visit asks for the papers of the tables it brings: a rule of papers (`rules.toml`) names them as `GDBHYT^XML7`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mappings.bhyt.decisions import PORTAL_VERSION, decision_of
from mappings.bhyt.fhir import visit_to_outcome
from mappings.bhyt.visits import Visit, read_visits
from mappings.formats.faults import Fault
from mappings.hl7v2.business_keys import folded
from mappings.hl7v2.insurance_card import card_numbers
from mappings.outcome import Outcome
from mappings.systems import Systems

FAMILY = "GDBHYT"
"""How `accept` and the rules of papers call these files."""
FILE = f"{FAMILY}^FILE"
"""A file of several visits as a whole: kept, mapped through its visits."""
UNREADABLE = "XML"
"""XML that is no such file."""
_BEGINNINGS = (b"<", b"\xff\xfe<", b"\xfe\xff\x00<")


_KEYS = (
    ("patient", ("MA_BN", "SO_CCCD", "MA_BHXH")),
    ("card", ("MA_THE_BHYT", "MA_THE_TAM")),
    ("encounter", ("MA_LK", "MA_HSBA")),
    ("document", ("SO_CHUYENTUYEN", "GIAY_CHUYEN_TUYEN", "SO_GIAYHEN_KL", "SO_CT", "SO_SERI", "SO_LUU_TRU")),
)
"""Kind of number people look by → the fields that hold it."""


class MappedVisit(NamedTuple):
    """What a visit says, and what it asks of papers."""

    outcome: Outcome
    triggers: tuple[str, ...]
    keys: tuple[tuple[str, str], ...]


def is_file(raw: bytes) -> bool:
    """Tell whether bytes are XML, which no other content of a source begins like."""
    return raw[:64].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_BEGINNINGS)


def is_visit(message_type: str) -> bool:
    """Tell whether a message is of one visit."""
    return message_type.startswith(f"{FAMILY}^") and message_type != FILE


def media_type(raw: bytes) -> str:
    """Give the media type of a file of visits, which says for which decision's address it was written."""
    try:
        version = PORTAL_VERSION[decision_of(next(read_visits(raw)).tables)]
    except Fault:
        return "application/xml"
    return f"application/xml; decision={version}"


def map_visit(raw: bytes, systems: Systems, facility: str, message_id: str = "") -> MappedVisit:
    """Map a message; raises XmlRefused and EnvelopeInvalid."""
    visit = next(read_visits(raw))
    outcome = visit_to_outcome(visit, systems=systems, facility=facility)
    if message_id:
        for resource in outcome.resources:
            resource["meta"] = {**resource.get("meta", {}), "source": f"urn:uuid:{message_id}"}
    return MappedVisit(outcome, tuple(f"{FAMILY}^{name}" for name in visit.tables), tuple(keys_of(visit)))


def keys_of_message(raw: bytes) -> list[tuple[str, str]]:
    """Return the numbers by which people look for a message; raises as `map_visit`."""
    return list(keys_of(next(read_visits(raw))))


def keys_of(visit: Visit) -> Iterator[tuple[str, str]]:
    """Give kind and value of every number, each once."""
    found: dict[tuple[str, str], None] = {}
    for rows in visit.tables.values():
        for row in rows:
            for kind, fields in _KEYS:
                for field in fields:
                    values = card_numbers(row.get(field, "")) if kind == "card" else [row.get(field, "")]
                    found |= {(kind, folded(value)): None for value in values if value.strip(" 0")}
    yield from found
