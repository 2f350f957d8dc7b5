"""MSH read out of anything, for an answer that must be given even when the message cannot be parsed. Never raises.

Standard: HL7 v2.5.1 §2.14.9
"""

from __future__ import annotations

from typing import NamedTuple

from mappings.formats.er7_encoding import DEFAULT, NULL, Delimiters, delimiters_of, first_line, usable
from mappings.formats.er7_escapes import Reading
from mappings.formats.faults import DelimitersInvalid


class Header(NamedTuple):
    """What could be read of MSH; every text is `""` when it is absent or unreadable."""

    delimiters: Delimiters = DEFAULT
    sending_application: str = ""
    sending_facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    type: str = ""
    trigger: str = ""
    structure: str = ""
    control_id: str = ""
    processing_id: str = ""
    version: str = ""
    accept_ack: str = ""
    """MSH-15."""
    application_ack: str = ""
    """MSH-16."""
    charset: str = ""
    """MSH-18, as written."""


def read_header(raw: bytes) -> Header:
    """Read what can be read of MSH, even out of rubbish; never raises. Only the first MSH line is looked at."""
    at = raw.find(b"MSH")
    if at < 0:
        if b"\0" not in raw[:64]:
            return Header()
        raw = raw[:8192].replace(b"\0", b"")  # UTF-16 or -32: in a header only ASCII matters
        at = raw.find(b"MSH")
        if at < 0:
            return Header()
    line = first_line(raw, at).decode("utf-8", "replace")
    try:
        delimiters = delimiters_of(line)
    except DelimitersInvalid:
        mark = line[3:4]
        delimiters = DEFAULT._replace(field=mark.encode("ascii")) if usable(mark) and mark not in "^~\\&" else DEFAULT
    component = delimiters.component.decode("ascii")
    fields = line.split(delimiters.field.decode("ascii"), 18)
    if len(fields) < 18:
        fields += [""] * (18 - len(fields))

    def word(text: str) -> str:
        if text == NULL:
            return ""
        if not text.isascii() or not text.isprintable() or delimiters.escape.decode("ascii") in text:
            text = Reading(delimiters, "utf-8").value(text)
        return text.strip()

    def first(text: str) -> str:
        return word(text.partition(component)[0]) if text else ""

    kind = [*fields[8].split(component, 3), "", ""]
    return Header(
        delimiters,
        first(fields[2]),
        first(fields[3]),
        first(fields[4]),
        first(fields[5]),
        word(kind[0]),
        word(kind[1]),
        word(kind[2]),
        first(fields[9]),
        first(fields[10]),
        first(fields[11]),
        first(fields[14]),
        first(fields[15]),
        word(fields[17].partition((delimiters.repetition or b"~").decode("ascii"))[0]),
    )
