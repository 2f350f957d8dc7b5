"""Write HL7 acknowledgements: MSH, MSA, and ERR when something is wrong.

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
from mappings.formats.faults import Fault

Code = Literal["AA", "AE", "AR", "CA", "CE", "CR"]

# our fault code → HL7 table 0357
_CONDITIONS = {
    2001: "100",
    2002: "100",
    2003: "102",
    2004: "102",
    2005: "100",
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
    "207": "Application internal error",
}
_POSITION = re.compile(r"^([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?(?:-(\d+)(?:\[(\d+)\])?(?:\.(\d+)(?:\.(\d+))?)?)?$")
_VERSION = re.compile(r"^2\.\d(\.\d)?$")


def acknowledge(
    header: er7.Header,
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
    delimiters = header.delimiters
    version = header.version if _VERSION.match(header.version) else "2.5"

    def safe(value: str) -> str:
        return er7.escape(value, delimiters)

    trigger = safe(header.trigger)
    kind = _join(["ACK", trigger, "ACK"] if trigger else ["ACK"], delimiters.component.decode())
    separator = delimiters.field.decode("ascii")
    encoding = (delimiters.component + delimiters.repetition + delimiters.escape + delimiters.subcomponent).decode(
        "ascii"
    )
    stamp = at.strftime("%Y%m%d%H%M%S%z")
    msh = [
        "MSH" + separator + encoding,
        safe(header.receiving_application),
        safe(header.receiving_facility),
        safe(header.sending_application),
        safe(header.sending_facility),
        stamp,
        "",
        kind,
        safe(control_id),
        safe(header.processing_id) or "P",
        version,
        *[""] * 5,
        "UNICODE UTF-8",
    ]
    msa = ["MSA", code, safe(header.control_id)]
    lines = [msh, msa]
    if fault is not None:
        if _older(version):
            msa.append(safe(f"LT{fault.code:04d}{' ' + text if text else ''}"))
        lines.append(_error(fault, text, version, delimiters))
    elif text:
        msa.append(safe(text))
    return "".join(f"{separator.join(line).rstrip(separator)}\r" for line in lines).encode()


def _older(version: str) -> bool:
    return tuple(int(part) for part in version.split(".")) < (2, 5)


def _error(fault: Fault, text: str, version: str, delimiters: er7.Delimiters) -> list[str]:
    """Write ERR: location (ERL), condition (table 0357), severity, our code, words for people.

    Before v2.5 there is only ERR-1 (ELD: segment, sequence, field, condition).
    """
    component = delimiters.component.decode("ascii")
    number = _CONDITIONS.get(fault.code, "207")
    condition = [number, _WORDS[number], "HL70357"]
    location = _POSITION.match(fault.where)
    if _older(version):
        place = [location[1], location[2] or "1", location[3] or ""] if location else ["", "", ""]
        subcomponent = delimiters.subcomponent.decode("ascii") or " "
        return ["ERR", _join([*place, _join(condition, subcomponent)], component)]
    parts = [location[1], location[2] or "1", *(location[n] or "" for n in (3, 4, 5, 6))] if location else []
    if location and location[3] and not location[4]:
        parts[3] = "1"
    own = _join([f"LT{fault.code:04d}", type(fault).__name__, "L"], component)
    return [
        "ERR",
        "",
        _join(parts, component),
        _join(condition, component),
        "E",
        own,
        "",
        "",
        er7.escape(text, delimiters),
    ]


def _join(parts: list[str], separator: str) -> str:
    return separator.join(parts).rstrip(separator)
