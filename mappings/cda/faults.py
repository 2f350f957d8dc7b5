"""Why a document could not be rendered as CDA, 3250–3259, not be read, 3260–3269 and 3272, or not be shown, 3270 and 3271."""

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


class NotClinicalDocument(MappingFault):
    """Raised when what was to be read is neither a CDA document nor a FHIR document Bundle; `detail` says what it is."""

    code = 3260


class DocumentTooLarge(MappingFault):
    """Raised when a document has more bytes or elements than is read; `detail` holds the limit."""

    code = 3261


class EncodingWrong(MappingFault):
    """Raised when the bytes are not text in the encoding that the document declares, or that one is not known."""

    code = 3262


class PatientMissing(MappingFault):
    """Raised when a document does not say whose it is."""

    code = 3263


class OtherPatient(MappingFault):
    """Raised when a document has none of the numbers of the person it should be about; `where` is where they stand."""

    code = 3264


ACTIVE_CONTENT = 3265
"""Something in a narrative that could run, or that no narrative knows, was left out."""
ATTACHMENT_UNREADABLE = 3266
"""An embedded file is not base64: it is not part of the result."""
NUMBER_REPEATED = 3267
"""Two statements of a document share a number but say different things: both are kept, the second under a number of ours."""
ABOUT_ANOTHER = 3268
"""A statement is about somebody else (a relative, an unborn child) and no element can say so: it is left out."""
SEVERAL_PATIENTS = 3269
"""A document names several patients: it is read as one about the first."""
NAMESPACE_MISSING = 3272
"""A document was written without the name space of HL7: it is read as if it had it."""
NOTICES = (
    *(ACTIVE_CONTENT, ATTACHMENT_UNREADABLE, NUMBER_REPEATED, ABOUT_ANOTHER, SEVERAL_PATIENTS),
    NAMESPACE_MISSING,
)
