"""Write HL7 acknowledgements: MSH, MSA, and ERR when something is wrong; other answers begin with the same segments.

Works with a header read out of rubbish: whatever the sender did not say is left empty, the delimiters are ours when its own
cannot be used. Decides nothing: which code to answer is the gateway's matter. Carries no patient data: faults have none.

Standard: HL7 v2.5.1 §2.9, §2.15.5, §2.15.8, §2.15.9
Requirement: S1.1
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from mappings.formats import er7
from mappings.formats.er7_header import Header
from mappings.formats.er7_writer import Segment, write
from mappings.formats.faults import Fault

Code = Literal["AA", "AE", "AR", "CA", "CE", "CR"]

# our fault code → HL7 table 0357
_CONDITIONS = {
    2001: "100",
    2002: "100",
    2003: "102",
    2004: "102",
    2005: "100",
    2207: "204",
    3101: "201",
    3102: "100",
    3103: "207",
    3104: "101",
    3120: "102",
}
_WORDS = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "207": "Application internal error",
}
_VERSION = re.compile(r"^2\.\d(\.\d)?$")


def acknowledge(
    header: Header,
    code: Code,
    control_id: str,
    at: datetime,
    fault: Fault | None = None,
    text: str = "",
) -> bytes:
    """Write the acknowledgement, ending with a carriage return, in UTF-8.

    `control_id` is our own (MSH-10), at most 20 characters before v2.7; `at` an aware time; `text` what a person at the sender
    should read.
    """
    kind = ("ACK", header.trigger, "ACK") if header.trigger else ("ACK",)
    msh = answering_msh(header, kind, control_id, at)
    if fault is None:
        segments = [msh, msa(header, code, text)]
    elif _older(header):
        words = f"LT{fault.code:04d}{' ' + text if text else ''}"
        segments = [msh, msa(header, code, words), err(header, fault, text)]
    else:
        segments = [msh, msa(header, code), err(header, fault, text)]
    return write(segments, answering_delimiters(header))


def answering_delimiters(header: Header) -> er7.Delimiters:
    """Choose the delimiters of an answer: the sender's own; the usual ones when it named too few to write everything."""
    return header.delimiters if header.delimiters.subcomponent else er7.DEFAULT


def answering_msh(header: Header, kind: tuple[str, ...], control_id: str, at: datetime) -> Segment:
    """Head an answer of the kind (MSH-9) to the message with that header, in UTF-8."""
    return Segment(
        "MSH",
        {
            3: header.receiving_application,
            4: header.receiving_facility,
            5: header.sending_application,
            6: header.sending_facility,
            7: at.strftime("%Y%m%d%H%M%S%z"),
            9: kind,
            10: control_id,
            11: header.processing_id or "P",
            12: _version(header),
            18: "UNICODE UTF-8",
        },
    )


def msa(header: Header, code: Code, text: str = "") -> Segment:
    """Say what became of the message with that header."""
    return Segment("MSA", {1: code, 2: header.control_id, 3: text})


def err(header: Header, fault: Fault, text: str = "", diagnosis: str = "") -> Segment:
    """Write ERR: location (ERL), condition (table 0357), severity, our code, what a technician and what people should read.

    Before v2.5 there is only ERR-1 (ELD: segment, sequence, field, condition).
    """
    number = _CONDITIONS.get(fault.code, "207")
    condition = (number, _WORDS[number], "HL70357")
    try:
        place = er7.position(fault.where)
    except ValueError:  # a byte, a line
        place = None
    if _older(header):
        where = (place.segment, str(place.occurrence), str(place.field or "")) if place else ("", "", "")
        return Segment("ERR", {1: (*where, condition)})
    location: tuple[str, ...] = ()
    if place:
        numbers = (place.field, place.repetition or min(place.field, 1), place.component, place.subcomponent)
        location = (place.segment, str(place.occurrence), *(str(number or "") for number in numbers))
    own = (f"LT{fault.code:04d}", type(fault).__name__, "L")
    return Segment("ERR", {2: location, 3: condition, 4: "E", 5: own, 7: diagnosis, 8: text})


def _version(header: Header) -> str:
    return header.version if _VERSION.match(header.version) else "2.5"


def _older(header: Header) -> bool:
    return tuple(int(part) for part in _version(header).split(".")) < (2, 5)
