"""Why a document could not be rendered as CDA. 3250–3269, or not be shown, 3270–3279."""

from __future__ import annotations

from mappings.formats.faults import MappingFault


class NotADocument(MappingFault):
    """Raised when the Bundle is no document with a Composition of ours; `where` is the element that is missing."""

    code = 3250


class NarrativeUnsupported(MappingFault):
    """Raised when a section's narrative has markup that CDA has no place for; `where` is the element."""

    code = 3251


class NotRendered(MappingFault):
    """Raised when bytes are no CDA document or cannot be shown; `where` is what stands in the way."""

    code = 3270


class PdfUnavailable(MappingFault):
    """Raised when PDF is asked for on a machine without Pango."""

    code = 3271
