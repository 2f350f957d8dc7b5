"""Faults of the laboratory's mappings (3400–3429)."""

from __future__ import annotations

from mappings.formats.faults import MappingFault


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
