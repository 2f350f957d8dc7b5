"""The worklist, for devices that ask what is to be done (C-FIND): one answer for each order that fits.

A device is told what it asked for and nothing else; which orders fit is the gateway's business. Where it asks for attributes
that are not supported, every answer says so (`FF01`). More than a channel gives at once ends in `A700`, after what it does
give: a list that is not whole is never called one.

Standard: DICOM PS3.4 Annex K and §C.2.2, PS3.7 §9.1.2 and §9.3.2
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from typing import Any, Final

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom.dimse_primitives import C_FIND
from pynetdicom.dsutils import decode, encode

from connectors.contract import ObjectIntake
from connectors.faults import LedgerAway, WorklistQueryInvalid, WorklistTooWide
from connectors.sources._dicom_object import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, SUCCESS, comment_of
from mappings.formats.faults import FaultClass, IntakeFault

logger = logging.getLogger(__name__)

PENDING: Final = 0xFF00
PENDING_WITHOUT_SOME: Final = 0xFF01
"""Some keys that were asked for are not supported."""
CANCELLED: Final = 0xFE00
_NOT_OF_THIS_CLASS: Final = 0xA900
_STATUSES: Final[Mapping[type[IntakeFault], int]] = {
    WorklistQueryInvalid: _NOT_OF_THIS_CLASS,
    WorklistTooWide: OUT_OF_RESOURCES,
}
_ABOUT_THE_ANSWER: Final = frozenset({"00080005", "00080201"})
"""SpecificCharacterSet and TimezoneOffsetFromUTC: no keys."""
_DEEPEST: Final = 4
_UNDEFINED: Final = 0xFFFFFFFF

Asked = Mapping[str, "Asked | None"]
"""Tag → what is asked of a sequence's items; None: all of it."""


class Worklist:
    """Answers the questions of all associations of a source."""

    def __init__(self, intake: ObjectIntake, most: int) -> None:
        self._intake = intake
        self._most = most

    def answers(self, request: C_FIND, syntax: UID, calling: str, is_cancelled: Callable[[], bool]) -> Iterator[C_FIND]:
        """Give every response to a request, the last one final. Raises nothing."""
        try:
            yield from self._answers(request, syntax, calling, is_cancelled)
        except IntakeFault as fault:
            logger.warning("dicom %s: worklist not given: %s", ascii(calling), fault)
            yield _refusal(request, fault)
        except Exception as exc:  # noqa: BLE001 — whatever breaks behind us, the device must not wait for ever
            logger.error("dicom %s: worklist broke (%s)", ascii(calling), type(exc).__name__)
            yield _refusal(request, LedgerAway(detail=type(exc).__name__))

    def _answers(
        self, request: C_FIND, syntax: UID, calling: str, is_cancelled: Callable[[], bool]
    ) -> Iterator[C_FIND]:
        asked, query = _read(request, syntax)
        found = self._intake.worklist(query, calling)
        for number, item in enumerate(found):
            if is_cancelled():
                yield _response(request, CANCELLED)
                return
            if number >= self._most:
                raise WorklistTooWide(detail=f"{self._most} of {len(found)} given")
            status = PENDING if _supports(item, asked) else PENDING_WITHOUT_SOME
            response = _response(request, status)
            response.Identifier = BytesIO(_written(_restricted(item, asked), syntax))
            yield response
        yield _response(request, CANCELLED if is_cancelled() else SUCCESS)


def _read(request: C_FIND, syntax: UID) -> tuple[Asked, dict[str, str]]:
    """Read what is asked back and what has to fit; raises `WorklistQueryInvalid`."""
    query: dict[str, str] = {}
    try:
        content = request.Identifier or BytesIO()
        identifier = decode(content, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
        if any(map(_is_cut, identifier.values())):
            raise WorklistQueryInvalid(detail="cut off")
        asked = _asked(identifier, query, "", 0)
        if not identifier.get("SpecificCharacterSet"):
            query = {path: _undeclared(value) for path, value in query.items()}
    except WorklistQueryInvalid:
        raise
    except Exception as exc:  # noqa: BLE001 — pydicom raises many; whichever, the device's data set cannot be read
        raise WorklistQueryInvalid(detail=type(exc).__name__) from None
    if not asked:
        raise WorklistQueryInvalid(detail="no keys")
    return asked, query


def _asked(identifier: Dataset, query: dict[str, str], path: str, depth: int) -> dict[str, Asked | None]:
    if depth > _DEEPEST:
        raise WorklistQueryInvalid(detail="sequences too deep")
    asked: dict[str, Asked | None] = {}
    for element in identifier:
        tag = f"{int(element.tag):08X}"
        if tag in _ABOUT_THE_ANSWER or element.tag.element == 0:
            continue
        asked[tag] = None
        if element.VR != "SQ":
            query[path + tag] = _text(element.value)
            continue
        if len(element.value or ()) > 1:
            raise WorklistQueryInvalid(f"({tag[:4]},{tag[4:]})", "more than one item")
        if element.value and len(element.value[0]):
            asked[tag] = _asked(element.value[0], query, f"{path}{tag}/", depth + 1)
    return asked


def _text(value: Any) -> str:
    if value is None or isinstance(value, bytes):
        return ""
    return "\\".join(map(str, value)) if isinstance(value, list) or hasattr(value, "append") else str(value)


def _is_cut(element: object) -> bool:
    return (
        isinstance(element, RawDataElement)
        and element.length != _UNDEFINED
        and len(element.value or b"") < element.length
    )


def _undeclared(value: str) -> str:
    """Read text whose character set was not named as UTF-8 where it is that; pydicom read it byte by byte."""
    with suppress(UnicodeError):
        return value.encode("iso8859-1").decode()
    return value


def _supports(item: Mapping[str, Any], asked: Asked) -> bool:
    for tag, below in asked.items():
        if tag not in item:
            return False
        if below and not all(_supports(one, below) for one in item[tag].get("Value", ())):
            return False
    return True


def _restricted(item: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """Leave only what was asked for."""
    found = {}
    for tag, below in asked.items():
        if tag not in item:
            continue
        element = item[tag]
        if below and element.get("Value"):
            element = {**element, "Value": [_restricted(one, below) for one in element["Value"]]}
        found[tag] = element
    return found


def _written(item: Mapping[str, Any], syntax: UID) -> bytes:
    answer = Dataset.from_json(dict(item))
    answer.SpecificCharacterSet = "ISO_IR 192"
    content = encode(answer, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
    if not content:
        raise ValueError("not encoded")
    return content


def _response(request: C_FIND, status: int) -> C_FIND:
    response = C_FIND()
    response.MessageIDBeingRespondedTo = request.MessageID
    response.AffectedSOPClassUID = request.AffectedSOPClassUID
    response.Status = status
    return response


def _refusal(request: C_FIND, fault: IntakeFault) -> C_FIND:
    usual = OUT_OF_RESOURCES if fault.fault_class is FaultClass.TRANSIENT else CANNOT_UNDERSTAND
    response = _response(request, _STATUSES.get(type(fault), usual))
    response.ErrorComment = comment_of(fault)  # type: ignore[assignment]  # pynetdicom declares nothing
    return response
