"""The base of every fault, and the tree they hang from.

    Fault
    ├─ ConfigFault      1xxx   gateway      start refused; every problem at once
    ├─ IntakeFault      2xxx   connectors   answered in the source's own protocol
    ├─ MappingFault     3xxx   mappings     error queue
    ├─ ValidationFault  4xxx   mappings     with the rule's id
    ├─ SigningFault     5xxx   signing
    ├─ DeliveryFault    6xxx   connectors   the class decides the retry
    ├─ AccessFault      7xxx   gateway
    └─ StoreFault       8xxx   gateway      intake answers "try again"; never acknowledged

A fault never carries patient data: `where` is a position (`PID-5.1`, an XPath, a tag, a file and line), `detail` holds only
what a stranger may read (a length, a code of ours, the name of a charset). What a person reads — what happened and what to
do — is in `gateway/text/vi.toml` and `en.toml` under the code; a test fails until both have it.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class FaultClass(Enum):
    """What happens next (promise P5)."""

    TRANSIENT = "transient"
    """Try again with backoff: the cause is expected to pass by itself."""
    REFUSED = "refused"
    """A person is needed: error queue."""
    UNCERTAIN = "uncertain"
    """Sent, the answer was lost: ask the destination, else a person."""
    THROTTLED = "throttled"
    """Wait as told, then try again; not counted as a failure."""


class Fault(Exception):
    """Say what went wrong without saying about whom.

    Every concrete fault has its own four-digit `code` and a `fault_class`; only concrete faults are raised.
    """

    code: ClassVar[int] = 0
    fault_class: ClassVar[FaultClass] = FaultClass.REFUSED

    def __init__(self, where: str = "", detail: str = "") -> None:
        super().__init__(where, detail)
        self.where = where
        self.detail = detail

    def __str__(self) -> str:
        parts = [f"LT{self.code:04d} {type(self).__name__}"]
        if self.where:
            parts.append(f"at {self.where}")
        if self.detail:
            parts.append(f"({self.detail})")
        return " ".join(parts)


class IntakeFault(Fault):
    """2xxx. What arrived cannot be taken as it is; the source answers in its own protocol."""


class MappingFault(Fault):
    """3xxx. The message is safe in the ledger but cannot become FHIR."""


class ValidationFault(Fault):
    """4xxx. A result of ours breaks a rule; `detail` starts with the rule's id."""


class SigningFault(Fault):
    """5xxx. No signature, or one that does not hold."""


class DeliveryFault(Fault):
    """6xxx. A document did not reach a destination; the class says what is known about that."""


# ---- 20xx: syntax of what arrived; raised by the codecs of this package, so they live beside the base ----


class EmptyMessage(IntakeFault):
    """Raised when a frame holds no byte of content."""

    code = 2001


class HeaderMissing(IntakeFault):
    """Raised when the content does not begin with MSH, FHS or BHS."""

    code = 2002


class DelimitersInvalid(IntakeFault):
    """Raised when MSH-1/MSH-2, or H-2 of an instrument, do not name usable, distinct delimiters."""

    code = 2003


class CharsetMismatch(IntakeFault):
    """Raised when the bytes are not text in the declared or configured charset; `where` is the byte offset."""

    code = 2004


class SegmentInvalid(IntakeFault):
    """Raised when a line is not a segment: its name is not three characters of A–Z and 0–9."""

    code = 2005


class RecordHeaderMissing(IntakeFault):
    """Raised when records of an instrument do not begin with a header record (H)."""

    code = 2015


class RecordInvalid(IntakeFault):
    """Raised when a line is not a record: one capital letter and the field delimiter; `where` is the line."""

    code = 2016


class TooManyParts(IntakeFault):
    """Raised when a message has more segments, or more fields and repetitions, than one may; `detail` is how many of which."""

    code = 2019


# ---- 30xx: shared by the codecs ----


class XmlRefused(MappingFault):
    """Raised when XML is not well-formed or tries what we refuse: DTD, entities, network, size, depth."""

    code = 3001


class JsonInvalid(MappingFault):
    """Raised when bytes are not JSON, or a value cannot be written as JSON; `where` is the byte when it is known."""

    code = 3002


class DateInvalid(MappingFault, ValueError):
    """Raised when a text that must be a date or a time is none: a month 13, a 31 April, letters."""

    code = 3003


class NotWritable(MappingFault):
    """Raised when a value cannot stand at its position: the charset lacks a character, or MSH-2 a delimiter."""

    code = 3004


class SheetUnreadable(MappingFault):
    """Raised when a table is neither CSV nor XLSX, or is damaged, too large or protected; `where` is the line, if known."""

    code = 3005


# ---- notices: the message goes through, a person should look; each has texts like a fault ----

CHARSET_DECLARED_WRONGLY = 2006
"""MSH-18 declares one charset, the bytes are plainly UTF-8 and were read as that."""
CHARSET_UNKNOWN = 2007
"""MSH-18 names a charset nobody knows; the bytes are valid UTF-8 and were read as that."""
LINE_BREAK_IN_FIELD = 2008
"""A bare line feed stands inside a field; it was kept as part of the text."""
CHARSET_DOUBTFUL = 2009
"""The bytes were read as the single-byte charset that was declared, but would be valid UTF-8 too."""
TCVN3_SUSPECTED = 2011
VNI_SUSPECTED = 2012
VIQR_SUSPECTED = 2013
CP1258_SUSPECTED = 2014
DELIMITER_TWICE = 2017
"""H-2 of an instrument has a delimiter twice; it was read once."""
STANDARD_CHARSET_ASSUMED = 2018
"""Letters of an instrument are no UTF-8 and were read as ISO 8859-1, because the channel names no charset."""
PERSON_NUMBER_DOUBTFUL = 3010
"""A 12-digit personal number does not agree with the sex or the birth year sent beside it; `detail` says with which."""
GLN_DOUBTFUL = 3011
"""A facility's GLN has not 13 digits or a wrong check digit."""
NOTICES = (
    CHARSET_DECLARED_WRONGLY,
    CHARSET_UNKNOWN,
    LINE_BREAK_IN_FIELD,
    CHARSET_DOUBTFUL,
    TCVN3_SUSPECTED,
    VNI_SUSPECTED,
    VIQR_SUSPECTED,
    CP1258_SUSPECTED,
    DELIMITER_TWICE,
    STANDARD_CHARSET_ASSUMED,
    PERSON_NUMBER_DOUBTFUL,
    GLN_DOUBTFUL,
)
"""Every notice code of the codecs."""
