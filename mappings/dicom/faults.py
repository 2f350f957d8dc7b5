"""Faults and notices of the DICOM mappings (3350–3379).

A fault stops the object or the study: it goes to the error queue. A notice lets it through and is shown to a person.
"""

from __future__ import annotations

from mappings.formats.faults import MappingFault


class NotDicom(MappingFault):
    """Raised when bytes are no DICOM object: neither the prefix DICM nor a data set that can be read."""

    code = 3350


class UidMissing(MappingFault):
    """Raised when an object does not say which study, series and instance it is; `where` is the first such attribute."""

    code = 3351


class UidInvalid(MappingFault):
    """Raised when one of these three is no UID: other characters than digits and dots, or more than 64."""

    code = 3352


class DirectoryFile(MappingFault):
    """Raised for a DICOMDIR: it lists objects and is none."""

    code = 3353


class HeaderTooLarge(MappingFault):
    """Raised when a document (SR, KO, PR …) is larger than what is read whole: half of a report would be none."""

    code = 3354


class NestedTooDeeply(MappingFault):
    """Raised when sequences are nested deeper than any standard object needs; `detail` is the limit."""

    code = 3355


class BodyInvalid(MappingFault):
    """Raised when a body is not what `join` writes, or holds no object."""

    code = 3356


class SeveralStudies(MappingFault):
    """Raised when the objects of one body belong to several studies, or one object is there twice with other content."""

    code = 3357


class SeveralPatients(MappingFault):
    """Raised when the objects of one study name several patients."""

    code = 3358


class WrongPatient(MappingFault):
    """Raised when a study has the number of a person of the record and names somebody else; `detail` says what differs."""

    code = 3370


class QueryUnreadable(MappingFault):
    """Raised when a device asks for a day or a time that is none; `where` is the attribute."""

    code = 3371


class StepAttributeMissing(MappingFault):
    """Raised when what a device says of a procedure step lacks an attribute that is needed; `where` is the attribute."""

    code = 3372


class StepAttributeInvalid(MappingFault):
    """Raised when an attribute of a procedure step has a value that it cannot have; `where` is the attribute."""

    code = 3373


class DocumentEncapsulated(MappingFault):
    """Raised when an object to be de-identified encloses a file (PDF, CDA, 3D model): nobody can look into it."""

    code = 3376


class NotWritable(MappingFault):
    """Raised when an object cannot be written again: its values do not fit its transfer syntax."""

    code = 3377


class MayBeBurnedIn(MappingFault):
    """Raised when something that names the patient may be written into the pixels; `detail` is `yes` or `unknown`."""

    code = 3378


REJECTED = 3359
"""A key object note says that objects of the study are not to be used: of poor quality, unsafe, of a wrong worklist entry."""
CHARSET_ABSENT = 3360
"""No SpecificCharacterSet, but other letters than ASCII; they are valid UTF-8 and were read as that."""
CHARSET_UNKNOWN = 3361
"""SpecificCharacterSet names one that DICOM does not have; text was read as UTF-8 where it is that."""
TEXT_UNDECODABLE = 3362
"""Bytes that are no text in the character set named; each stands as U+FFFD."""
TRUNCATED = 3363
"""The header ends before it is complete, or an element in it has no sound end; what was read before is kept."""
SYNTAX_MISMATCH = 3364
"""The file says one transfer syntax and is written in another, or says none; it was read as it is written."""
NO_PATIENT_NUMBER = 3365
"""The study has no PatientID; it goes to a record of its own, until somebody says whose it is."""
VALUE_UNREADABLE = 3366
"""A date, a time, a code or a number is none; it is counted as unknown."""
CHARSET_WRONG = 3367
"""SpecificCharacterSet names a single-byte set, the bytes are plainly UTF-8 and were read as that."""
HEADER_CUT = 3368
"""More attributes than are kept of one object; the rest is in the object alone."""
CONTRADICTION = 3369
"""The objects of a study say different things about it; the first, by series and number, was taken."""
