"""Faults and notices of the mapping of instruments (3381–3399).

A fault stops the message: it goes to the error queue. A notice lets it through and is shown to a person.
"""

from __future__ import annotations

from mappings.formats.faults import MappingFault


class ProfileUnknown(MappingFault):
    """Raised when a channel names a dialect that there is not; `detail` names those that there are."""

    code = 3381


class NothingSaid(MappingFault):
    """Raised when a message has neither results nor questions."""

    code = 3382


class PersonUnknown(MappingFault):
    """Raised when neither the specimen nor the number of a person leads to somebody of the record; `where` is the record."""

    code = 3383


class PersonContradicted(MappingFault):
    """Raised when specimen, number and name do not name one person; `detail` says what differs, without data."""

    code = 3384


class PersonMerged(MappingFault):
    """Raised when an instrument has a number of a person that was merged into another."""

    code = 3385


ORDER_UNKNOWN = 3390
"""The record knows no order for the specimen; the results are a report of their own under its number."""
CONTROL = 3391
"""Results of quality control: kept apart, of the control lot, of no person."""
STATUS_UNKNOWN = 3392
"""The letter of R-9 is none of the standard's or the dialect's; the result counts as preliminary."""
ABORTED = 3393
"""The instrument says in L-3 that it broke off; what came was taken."""
