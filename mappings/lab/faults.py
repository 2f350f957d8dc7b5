"""Faults and notices of the mapping of instruments (3381–3399) and of tables of results (3420–3429).

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


class HeadingsDiffer(MappingFault):
    """Raised when the line of headings is not the one that the layout declares; `detail` names what is missing."""

    code = 3420


class RowShifted(MappingFault):
    """Raised when a row has not as many cells as the table has columns: its values would stand under other headings."""

    code = 3421


class CellMissing(MappingFault):
    """Raised when a row lacks what no result can be without: whose it is, what was measured."""

    code = 3422


class CellInvalid(MappingFault):
    """Raised when a cell holds what its column cannot mean; `detail` says what was expected, never what stands there."""

    code = 3423


class TableEmpty(MappingFault):
    """Raised when a table holds no row of results."""

    code = 3424


class RowsInvalid(MappingFault):
    """Raised when the body of a message is not what `join_rows` writes."""

    code = 3425


class RowsContradict(MappingFault):
    """Raised when rows of one report name several patients, or say the same test twice with different values."""

    code = 3426


class LayoutMissing(MappingFault):
    """Raised when a channel takes tables of results and declares no layout."""

    code = 3427
