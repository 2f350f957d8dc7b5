"""Storage commitment as its user: ask what a PACS keeps for certain, and wait for its report, wherever it comes.

The report may come on the association on which we asked, or on one that the PACS asks us for (`_dicom_reports.py`). A report of
another question is refused and changes nothing.

Standard: DICOM PS3.4 §J.3 (Storage Commitment Push Model), PS3.3 §C.14 (failure reasons), PS3.7 §10.1.1 and §10.1.4
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from typing import Final, cast

from pydicom.dataset import Dataset
from pydicom.uid import UID, generate_uid
from pynetdicom import evt
from pynetdicom.dimse_primitives import N_ACTION, N_EVENT_REPORT
from pynetdicom.dsutils import decode, encode
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import StorageCommitmentPushModelInstance

from connectors._dicom_call import Call
from connectors.faults import CommitmentUnreported, PacsBrokeOff, PacsSilent
from connectors.sources._dicom_contexts import COMMITMENT

_REQUEST: Final = 1
_SUCCESS: Final = 0x0000
_PROCESSING_FAILURE: Final = 0x0110
_INVALID_ARGUMENT: Final = 0x0115


@dataclass(frozen=True)
class Committed:
    """What a PACS said of objects, by SOP Instance UID."""

    kept: frozenset[str]
    failed: Mapping[str, int] = field(default_factory=dict)
    """Those it does not keep for certain, and its reason; 0 where it gave none."""
    unsaid: frozenset[str] = frozenset()
    """Those it did not mention."""


class Question:
    """One question about objects, each named as class and instance."""

    def __init__(self, call: Call, objects: Sequence[tuple[str, str]]) -> None:
        self._call = call
        call.on_report = self._answered
        self._objects = objects
        self._transaction = generate_uid(prefix=None)

    def ask(self, context: PresentationContext) -> None:
        """Send N-ACTION, and wait until the PACS has taken the question."""
        call, syntax = self._call, context.transfer_syntax[0]
        asked = Dataset()
        asked.TransactionUID = self._transaction
        asked.ReferencedSOPSequence = [_reference(*one) for one in self._objects]
        request = N_ACTION()
        request.MessageID = number = call.next_number()
        request.RequestedSOPClassUID = UID(COMMITMENT)
        request.RequestedSOPInstanceUID = StorageCommitmentPushModelInstance
        request.ActionTypeID = _REQUEST
        request.ActionInformation = BytesIO(encode(asked, syntax.is_implicit_VR, syntax.is_little_endian) or b"")
        call.ask(request, context)
        for _ in call.answers(N_ACTION, number, call.settings.dimse_timeout):
            pass

    def wait(self) -> Committed:
        """Wait for the report; raises CommitmentUnreported, PacsAnswerInvalid."""
        call, patience_s = self._call, self._call.settings.commit_timeout.total_seconds()
        until = time.monotonic() + patience_s
        told = call.aside
        while True:
            for found in told:
                if isinstance(found, Committed):
                    return found
            try:
                context_id, message = call.receive(timedelta(seconds=max(0.0, until - time.monotonic())))
            except PacsSilent:
                raise CommitmentUnreported(call.where, f"no report in {patience_s:g}s") from None
            except PacsBrokeOff:
                if not call.settings.reports:
                    raise CommitmentUnreported(call.where, "left before its report") from None
                continue
            told = call.told_by(message, context_id)

    def take(self, event: evt.Event) -> int:
        """Take a report from another association, in its thread; give the status that answers it."""
        request = cast("N_EVENT_REPORT", event.request)
        status, found = self._read(request, UID(event.context.transfer_syntax))
        if found is not None:
            self._call.tell(found)
        return status

    def _answered(self, message: N_EVENT_REPORT, context_id: int) -> Committed | None:
        """Answer what came on our own association; give what it says, if it is the report."""
        context = self._call._accepted_cx.get(context_id)
        if message.MessageID is None or context is None:
            return None
        status, found = self._read(message, context.transfer_syntax[0])
        answer = N_EVENT_REPORT()
        answer.MessageIDBeingRespondedTo = message.MessageID
        answer.AffectedSOPClassUID = message.AffectedSOPClassUID
        answer.AffectedSOPInstanceUID = message.AffectedSOPInstanceUID
        answer.EventTypeID = message.EventTypeID
        answer.Status = status
        self._call.ask(answer, context)
        return found

    def _read(self, message: N_EVENT_REPORT, syntax: UID) -> tuple[int, Committed | None]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they quote what they are about
                content = message.EventInformation or BytesIO()
                told = decode(content, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
                transaction = str(told.get("TransactionUID", ""))
                kept = {str(one.ReferencedSOPInstanceUID) for one in told.get("ReferencedSOPSequence") or ()}
                failed = {
                    str(one.ReferencedSOPInstanceUID): int(one.get("FailureReason") or 0)
                    for one in told.get("FailedSOPSequence") or ()
                }
        except Exception:  # noqa: BLE001 — pydicom raises many; whichever, the report cannot be read
            return _INVALID_ARGUMENT, None
        if transaction != self._transaction:
            return _PROCESSING_FAILURE, None
        wanted = {instance for _, instance in self._objects}
        failed = {one: reason for one, reason in failed.items() if one in wanted}
        kept = (kept & wanted) - failed.keys()
        return _SUCCESS, Committed(frozenset(kept), failed, frozenset(wanted - kept - failed.keys()))


def _reference(sop_class: str, instance: str) -> Dataset:
    one = Dataset()
    one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = sop_class, instance
    return one
