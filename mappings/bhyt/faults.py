"""Why a paper or file of the insurance portal cannot be made or read. 3301–3319, and of the rules: 3320–3339."""

from __future__ import annotations

from mappings.formats.faults import MappingFault


class FieldTooLong(MappingFault):
    """Raised when a value is longer than the decision allows; `where` is table and field, nothing is cut."""

    code = 3301


class FieldMissing(MappingFault):
    """Raised when required fields are empty; `where` is the first, `detail` lists all."""

    code = 3302


class FieldInvalid(MappingFault):
    """Raised when a value is not in the form of its field: no date, no number, more than one code."""

    code = 3303


class PaperNotInsured(MappingFault):
    """Raised when the insurance portal knows no table for a document, or the document is none of ours."""

    code = 3304


class EnvelopeInvalid(MappingFault):
    """Raised when a file is not a GIAMDINHHS envelope, or cannot become one; `where` is the element."""

    code = 3305


class WithdrawalNotCarried(MappingFault):
    """Raised when a paper was withdrawn: the insurance portal's published interface has no way to say so."""

    code = 3306


FORM_ODD = 3307
"""Notice: the file departs from the published form; it was read all the same."""
NOT_UNDERSTOOD = 3308
"""Notice: a field is in no form that can be understood, or of no decision; it is kept as written."""


TABLE_UNREADABLE = 3311
"""Notice: a table of the file could not be read; it is in the file as it came, and not in the record."""


class VisitUnknown(MappingFault):
    """Raised when tables are wanted of a visit that the record does not have."""

    code = 3309


class CreditUnmatched(MappingFault):
    """Raised when a credit gives back no charge of the visit: the sums would be wrong either way."""

    code = 3310


class ListInvalid(MappingFault):
    """Raised when a list that a site brings is not one of the lists rules use, or not a table of codes; `where` is its line."""

    code = 3320


class VisitBlocked(MappingFault):
    """Raised before a visit leaves when rules find what the portal would send back; `where` is the first place, `detail` how
    many findings and their rules."""

    code = 3330
