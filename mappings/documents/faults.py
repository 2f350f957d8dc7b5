"""Why a paper could not be composed. 3201–3249."""

from __future__ import annotations

from mappings.formats.faults import MappingFault


class PaperIncomplete(MappingFault):
    """Raised when the record lacks what the law wants on the paper.

    `where` is the field; `detail` lists all that are missing, each with where it should have come from.
    """

    code = 3201


class FormNotInForce(MappingFault):
    """Raised when no edition of the form was in force on the day of the event; `where` is the paper, `detail` the day."""

    code = 3202


class PaperBeyondLimit(MappingFault):
    """Raised when a number on the paper is greater than the law allows; `where` is its key, `detail` the limit."""

    code = 3210


class SubjectMissing(MappingFault):
    """Raised when the record lacks what the paper is about, or its patient; `detail` is the resource type."""

    code = 3203


class PaperUnknown(MappingFault):
    """Raised when no form has this name."""

    code = 3204


class LeaveTooLong(MappingFault):
    """Raised when a paper would give more days of leave than the law allows; `where` is the item, `detail` both numbers."""

    code = 3211


class LeaveDatesWrong(MappingFault):
    """Raised when the first day, the last day and the number of days of a leave do not agree, or it begins on a wrong day."""

    code = 3212


class VisitUnfit(MappingFault):
    """Raised when the law does not allow the paper for a visit of this kind; `detail` is the class of the visit."""

    code = 3213


class ItemMalformed(MappingFault):
    """Raised when an item does not have the form the law gives it, such as a number of 18 characters."""

    code = 3214


class ItemsDisagree(MappingFault):
    """Raised when two places tell different things of one fact; `where` is the first, `detail` the other."""

    code = 3215


class PaperNotWanted(MappingFault):
    """Raised when a paper is for other cases than this one, so that none is made; `detail` says why, without patient data."""

    code = 3216
