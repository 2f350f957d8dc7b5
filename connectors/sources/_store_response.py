"""What a STOW-RS sender is told of each of its objects, and the one status over all of them.

Standard: DICOM PS3.18 §10.5.3 (status), Annex I (the response, its failure reasons), §F.2 (JSON); PS3.19 §A.1 (XML)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from connectors.contract import ObjectAnswer
from connectors.faults import (
    MultipartInvalid,
    ObjectClash,
    ObjectIncomplete,
    ObjectMisnamed,
    ObjectStoreAway,
    ObjectTooLarge,
    ObjectUnreadable,
    PartNotDicom,
    TooManyParts,
)
from mappings.formats.faults import FaultClass, IntakeFault

JSON: Final = "application/dicom+json"
XML: Final = "application/dicom+xml"
_KINDS: Final = {JSON: JSON, "application/json": "application/json", XML: XML, "application/xml": "application/xml"}

_OUT_OF_RESOURCES, _MISMATCH, _DUPLICATE, _CANNOT_UNDERSTAND, _PROCESSING_FAILURE = (
    *(0xA700, 0xA900, 0x0111, 0xC000, 0x0110),
)


@dataclass(frozen=True)
class Refusal:
    """How a fault is told."""

    reason: int
    """FailureReason (0008,1197)."""
    status: int
    """Of the whole answer, where nothing was taken."""


_REFUSALS: Final[dict[type[IntakeFault], Refusal]] = {
    ObjectStoreAway: Refusal(_OUT_OF_RESOURCES, 503),
    ObjectTooLarge: Refusal(_OUT_OF_RESOURCES, 413),
    TooManyParts: Refusal(_OUT_OF_RESOURCES, 413),
    MultipartInvalid: Refusal(_CANNOT_UNDERSTAND, 400),
    ObjectIncomplete: Refusal(_CANNOT_UNDERSTAND, 408),
    PartNotDicom: Refusal(_CANNOT_UNDERSTAND, 415),
    ObjectMisnamed: Refusal(_MISMATCH, 409),
    ObjectUnreadable: Refusal(_CANNOT_UNDERSTAND, 409),
    ObjectClash: Refusal(_DUPLICATE, 409),
}
_OTHER: Final = Refusal(_PROCESSING_FAILURE, 409)
_FIRST: Final = (503, 413, 400, 408, 409, 415)
"""Which status stands where nothing was taken for several reasons; 415 only where it is the only one."""


def refusal_of(fault: IntakeFault | None) -> Refusal:
    if fault is not None and fault.fault_class is FaultClass.TRANSIENT:
        return _REFUSALS[ObjectStoreAway]
    return _REFUSALS.get(type(fault), _OTHER) if fault is not None else _OTHER


def status_of(results: Sequence[ObjectAnswer]) -> int:
    """Give 200 when all was taken, 202 when some, else why nothing was."""
    refused = {refusal_of(one.fault).status for one in results if not one.taken}
    if not refused:
        return 200
    if any(one.taken for one in results):
        return 202
    return next(status for status in _FIRST if status in refused)


def response(results: Sequence[ObjectAnswer], kind: str) -> bytes:
    """Write the Store Instances Response Module; RetrieveURL is left out, for nothing is retrieved here."""
    taken = [one for one in results if one.taken]
    failed = [one for one in results if not one.taken and one.sop_instance]
    other = [one for one in results if not one.taken and not one.sop_instance]
    sequences: list[_Sequence] = [
        (*_FAILED, [[*_reference(one), _reason(one)] for one in failed]),
        (*_REFERENCED, [_reference(one) for one in taken]),
        (*_OTHERS, [[_reason(one)] for one in other]),
    ]
    told = [sequence for sequence in sequences if sequence[2]]
    return "".join(_xml(told)).encode() if kind.endswith("xml") else json.dumps(_json(told)).encode()


def wanted_kind(accept: str) -> str:
    """Choose the form of the response from `Accept`: DICOM JSON where it names none that we have."""
    best, best_quality = JSON, 0.0
    for entry in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in entry.split(";"))
        quality = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
        try:
            weight = float(quality)
        except ValueError:
            continue
        if name in _KINDS and weight > best_quality:
            best, best_quality = _KINDS[name], weight
    return best


_Element = tuple[str, str, str, str | int]
"""Tag, keyword, value representation, value."""
_Sequence = tuple[str, str, list[list[_Element]]]
_FAILED: Final = ("00081198", "FailedSOPSequence")
_REFERENCED: Final = ("00081199", "ReferencedSOPSequence")
_OTHERS: Final = ("0008119A", "OtherFailuresSequence")


def _reference(one: ObjectAnswer) -> list[_Element]:
    return [
        ("00081150", "ReferencedSOPClassUID", "UI", one.sop_class),
        ("00081155", "ReferencedSOPInstanceUID", "UI", one.sop_instance),
    ]


def _reason(one: ObjectAnswer) -> _Element:
    return ("00081197", "FailureReason", "US", refusal_of(one.fault).reason)


def _json(sequences: Sequence[_Sequence]) -> dict[str, object]:
    def element(vr: str, value: str | int) -> dict[str, object]:
        return {"vr": vr} if value == "" else {"vr": vr, "Value": [value]}

    return {
        tag: {"vr": "SQ", "Value": [{one: element(vr, value) for one, _, vr, value in item} for item in items]}
        for tag, _, items in sequences
    }


def _xml(sequences: Sequence[_Sequence]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="utf-8"?>\n'
    yield '<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve">'
    for tag, keyword, items in sequences:
        yield f'<DicomAttribute tag="{tag}" vr="SQ" keyword="{keyword}">'
        for number, item in enumerate(items, 1):
            yield f'<Item number="{number}">'
            for one, name, vr, value in item:
                text = escape("".join(sign for sign in str(value) if sign.isprintable()))
                yield f"<DicomAttribute tag={quoteattr(one)} vr={quoteattr(vr)} keyword={quoteattr(name)}>"
                yield f'<Value number="1">{text}</Value></DicomAttribute>' if text else "</DicomAttribute>"
            yield "</Item>"
        yield "</DicomAttribute>"
    yield "</NativeDicomModel>"
