"""OBX that tells no result but the number of a DICOM object: of the structured report that says the same, of its pictures.

Standard: IHE RAD TF-2 §4.28 (Structured Report Export)
"""

from __future__ import annotations

from mappings.hl7v2.datatypes import Element, words
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import Tables, obx
from mappings.hl7v2.segments.ipc import UID, is_uid

_REPORT = "sr instance uid"
_NAMES = frozenset({_REPORT, "study instance uid", "series instance uid", "sop instance uid", "sop class uid"})
MAPPED = {5: "DiagnosticReport.identifier"}
IGNORED = obx.IGNORED | {
    3: "says of which object the value is the number",
    4: "tells the objects of a report apart",
    11: "the report tells the status",
    14: "the report tells the time",
    16: "the report tells its people",
}
_ROW = Tables(MAPPED, IGNORED)


def names_object(obx: Segment) -> bool:
    """Tell whether the value is the number of a DICOM object; senders write what it is as code or as text of OBX-3."""
    return _named(obx) in _NAMES


def obx_to_report_identifier(obx: Segment) -> Element | None:
    """Give the number of the structured report that a report is; None for another object, or what is no UID."""
    obx.tables = _ROW
    if _named(obx) != _REPORT:
        obx.ignore(5, "the pictures the report speaks of; the study names them")
        return None
    said = obx[5]
    uid = words(said.c(1)) or words(said.c(2))
    if not is_uid(uid):
        obx.give_back(5, "not a DICOM UID")
        return None
    return {"system": UID, "value": f"urn:oid:{uid}"}


def _named(obx: Segment) -> str:
    field = obx.peek(3)
    return next((name for n in (1, 2) if (name := words(field.c(n)).casefold()) in _NAMES), "")
