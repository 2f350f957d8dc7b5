"""Faults and notices of the HL7 v2 mappings (3101–3149).

A fault stops the message: it goes to the error queue. A notice lets it through and is shown to a person.
"""

from __future__ import annotations

from mappings.formats.faults import MappingFault


class UnsupportedMessage(MappingFault):
    """Raised when no mapping declares the trigger; `detail` is the trigger."""

    code = 3101


class MissingSegment(MappingFault):
    """Raised when a segment without which nothing can be said is absent; `where` is its name."""

    code = 3102


class TwoPatients(MappingFault):
    """Raised when one message speaks of two different people; `where` is the second one's position."""

    code = 3103


class MissingField(MappingFault):
    """Raised when a field without which nothing can be said is empty; `where` is its position."""

    code = 3104


DATE_UNREADABLE = 3120
"""A field that should be a date or time is none; it is counted as unknown."""
NUMBER_UNREADABLE = 3121
"""An NM or SN value is not a number; it is kept as text."""
CODE_UNKNOWN = 3122
"""A code is not in the table of its field; the code itself is kept, its meaning is not."""
NO_BUSINESS_KEY = 3123
"""Something carries no number of its own; its id comes from the message, so a later message cannot update it."""
DATA_UNREADABLE = 3124
"""An enclosed document is not in the encoding it claims; it is counted as unknown."""
NO_PATIENT_NUMBER = 3125
"""A person has no number; what the message says goes to a record of its own, until somebody says whose it is."""
UNIT_UNKNOWN = 3127
"""The unit of a number is in no table; it is kept as told, the result has no UCUM code and is compared with no limit."""
UNIT_UNFIT = 3128
"""A vital sign has a unit that its measurement cannot have, or none; it is kept as told, and counts as no vital sign."""
NOBODY = 3126
"""Orders or results name no person at all: they belong to nobody, as those of quality control do."""
