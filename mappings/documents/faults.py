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


class SubjectMissing(MappingFault):
    """Raised when the record lacks what the paper is about, or its patient; `detail` is the resource type."""

    code = 3203


class PaperUnknown(MappingFault):
    """Raised when no form has this name."""

    code = 3204
