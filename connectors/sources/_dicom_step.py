"""Procedure steps, for devices that tell how their work goes (MPPS): success is answered when what they said is durable.

Not ours: N-GET and notifications of steps, which are SOP classes of their own.

Standard: DICOM PS3.4 §F.7, PS3.7 §10.1.5 and §10.1.3
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final

from pydicom.uid import UID
from pynetdicom.dimse_primitives import N_CREATE, N_SET
from pynetdicom.dsutils import decode

from connectors.contract import ObjectIntake, StepReport
from connectors.faults import LedgerAway, StepEnded, StepExists, StepIncomplete, StepInvalid, StepUnknown
from connectors.sources._dicom_object import SUCCESS, comment_of
from mappings.formats import json
from mappings.formats.faults import FaultClass, IntakeFault

logger = logging.getLogger(__name__)

PROCESSING_FAILURE: Final = 0x0110
RESOURCE_LIMITATION: Final = 0x0213
STATUSES: Final[Mapping[type[IntakeFault], int]] = {
    StepInvalid: 0x0106,
    StepExists: 0x0111,
    StepUnknown: 0x0112,
    StepEnded: PROCESSING_FAILURE,
    StepIncomplete: 0x0120,
    LedgerAway: RESOURCE_LIMITATION,
}


class Steps:
    """Takes what the devices of a source say of their steps."""

    def __init__(self, intake: ObjectIntake) -> None:
        self._intake = intake

    def answer(self, request: N_CREATE | N_SET, syntax: UID, calling: str) -> N_CREATE | N_SET:
        """Have it kept, then give the response. Blocks; raises nothing."""
        response = N_CREATE() if isinstance(request, N_CREATE) else N_SET()
        response.MessageIDBeingRespondedTo = request.MessageID
        response.AffectedSOPClassUID = _sop_class(request)
        response.AffectedSOPInstanceUID = _instance(request)
        response.Status = SUCCESS
        fault = self._keep(request, syntax, calling)
        if fault is not None:
            logger.warning("dicom %s: procedure step not taken: %s", ascii(calling), fault)
            usual = RESOURCE_LIMITATION if fault.fault_class is FaultClass.TRANSIENT else PROCESSING_FAILURE
            response.Status = STATUSES.get(type(fault), usual)
            response.ErrorComment = comment_of(fault)  # type: ignore[assignment]  # pynetdicom declares nothing
        return response

    def _keep(self, request: N_CREATE | N_SET, syntax: UID, calling: str) -> IntakeFault | None:
        try:
            begins = isinstance(request, N_CREATE)
            instance = str(_instance(request) or "")
            self._intake.note_step(StepReport(instance, begins, _attributes(request, syntax), calling))
        except IntakeFault as fault:
            return fault
        except Exception as exc:  # noqa: BLE001 — whatever breaks behind us, the device must not wait for ever
            logger.error("dicom %s: procedure step broke (%s)", ascii(calling), type(exc).__name__)
            return LedgerAway(detail=type(exc).__name__)
        return None


def _attributes(request: N_CREATE | N_SET, syntax: UID) -> dict[str, Any]:
    """Read the data set; raises `StepInvalid`."""
    content = request.AttributeList if isinstance(request, N_CREATE) else request.ModificationList
    try:
        given = content or BytesIO()
        read = decode(given, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
        attributes: dict[str, Any] = json.loads(read.to_json())
        return attributes
    except Exception as exc:  # noqa: BLE001 — pydicom raises many; whichever, the device's data set cannot be read
        raise StepInvalid(detail=type(exc).__name__) from None


def _sop_class(request: N_CREATE | N_SET) -> UID | None:
    return request.AffectedSOPClassUID if isinstance(request, N_CREATE) else request.RequestedSOPClassUID


def _instance(request: N_CREATE | N_SET) -> UID | None:
    return request.AffectedSOPInstanceUID if isinstance(request, N_CREATE) else request.RequestedSOPInstanceUID
