"""Ask a PACS: is it there, what studies has it, have one sent to our channel or given here, does it keep these objects?

    Client(settings).echo()
    Client(settings).find(StudyRow, {"PatientID": "BN000123", "StudyDate": "20261101-20261130"})
    Client(settings).move(retrievals, progress)            the PACS sends to `move_to`, whose channel takes the objects
    Client(settings).get(retrievals, classes, intake, progress)    objects come here, to deposits, as they arrive
    Client(settings).commit(objects)

Blocking; call it in a thread. Each call has an association of its own. What goes wrong is a `DeliveryFault` of the 606x range
(`_dicom_status.py` has the table of statuses), never an exception of pynetdicom, and says nothing of a patient.

Patient Root, relational queries and extended negotiation are not here; nor is a worklist.

Standard: DICOM PS3.4 Annex A.4 (Verification), Annex C (Query/Retrieve, Study Root), Annex J (Storage Commitment as user)
Requirement: S1.4
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom._globals import ALL_TRANSFER_SYNTAXES
from pynetdicom.dimse_primitives import C_CANCEL, C_ECHO, C_FIND, C_GET, C_MOVE
from pynetdicom.presentation import PresentationContext, StoragePresentationContexts

from connectors import _dicom_identifier as identifier
from connectors._dicom_call import Call, Taking, calling
from connectors._dicom_commit import Committed, Question
from connectors._dicom_identifier import ImageRow, Row, SeriesRow, StudyRow
from connectors._dicom_reports import listening
from connectors._dicom_status import Says, says
from connectors.contract import Deposits
from connectors.dicom_peer import PacsSettings
from connectors.faults import PacsAnswerInvalid, PacsCannotProcess
from connectors.sources._dicom_contexts import COMMITMENT, VERIFICATION

__all__ = ["Client", "Committed", "ImageRow", "PacsSettings", "Progress", "Retrieval", "SeriesRow", "StudyRow"]

FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE: Final = "1.2.840.10008.5.1.4.1.2.2.2"
GET: Final = "1.2.840.10008.5.1.4.1.2.2.3"
"""Study Root Query/Retrieve Information Model."""
MOST_ROWS: Final = 10_000
MOST_OBJECTS: Final = 100_000
"""Of one series; a study of more is not fetched."""
_PLAIN: Final = [str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian)]
_MEDIUM: Final = 0
_REQUEST: Final = 1
_CONTEXTS: Final = 127
"""Presentation contexts of an association beside the one of C-GET."""


@dataclass(frozen=True)
class Progress:
    """How far a retrieval is, in objects; of all of its requests together."""

    remaining: int = 0
    completed: int = 0
    failed: int = 0
    warning: int = 0


Tell = Callable[[Progress], None]


@dataclass(frozen=True)
class Retrieval:
    """One request: a whole study, some of its series, or some objects of one series."""

    study: str
    series: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    """Of the one series in `series`; empty = all."""

    @property
    def identifier(self) -> dict[str, str]:
        level = "IMAGE" if self.objects else "SERIES" if self.series else "STUDY"
        keys = {"QueryRetrieveLevel": level, "StudyInstanceUID": self.study}
        if self.series:
            keys["SeriesInstanceUID"] = "\\".join(self.series)
        if self.objects:
            keys["SOPInstanceUID"] = "\\".join(self.objects)
        return keys


class Client:
    """Asks one PACS."""

    def __init__(self, settings: PacsSettings) -> None:
        self.settings = settings

    def echo(self) -> None:
        """Ask whether it is there and lets us in (C-ECHO)."""
        with calling(self.settings, [build_context(VERIFICATION, _PLAIN)]) as call:
            context = call.context_of(VERIFICATION, "C-ECHO")
            request = C_ECHO()
            request.MessageID = call.next_number()
            request.AffectedSOPClassUID = UID(VERIFICATION)
            call.ask(request, context)
            for _ in call.answers(C_ECHO, request.MessageID, self.settings.dimse_timeout):
                pass

    def find(self, row: type[Row], keys: Mapping[str, str], most: int = MOST_ROWS) -> list[Row]:
        """Ask for rows (C-FIND): studies, series of a study, objects of a series; `most` are taken, the rest is cancelled.

        `keys` are attributes of the row and of the levels above, with the wildcards of DICOM. Raises QuestionInvalid.
        """
        with calling(self.settings, [find_context()]) as call:
            return _find(call, row, keys, most)

    def find_images(self, study: str, most: int = MOST_OBJECTS) -> list[ImageRow]:
        """Ask for all objects of a study, series by series, on one association: all of them, or PacsAnswerInvalid."""
        with calling(self.settings, [find_context()]) as call:
            return images_of(call, study, most)

    def move(self, retrievals: Sequence[Retrieval], tell: Tell = lambda progress: None) -> Progress:
        """Have it send to `move_to` (C-MOVE); give what it counted."""
        with calling(self.settings, [build_context(MOVE, _PLAIN)]) as call:
            context = call.context_of(MOVE, "C-MOVE")
            return self._retrieve_all(call, C_MOVE, context, retrievals, tell)

    def get(
        self,
        retrievals: Sequence[Retrieval],
        classes: Iterable[str],
        deposits: Deposits,
        tell: Tell = lambda progress: None,
    ) -> Progress:
        """Have objects sent here (C-GET): each goes to a deposit while it arrives, and is answered when it is kept.

        `classes` are those of the objects, in whatever transfer syntax they lie there; empty = the usual ones. Objects of
        another class do not come. What the deposits refuse counts as failed.
        """
        storage = _storage_contexts(sorted(set(classes)))
        taking = Taking(deposits, sorted({str(one.abstract_syntax) for one in storage}))
        with calling(self.settings, [build_context(GET, _PLAIN), *storage], taking) as call:
            context = call.context_of(GET, "C-GET")
            return self._retrieve_all(call, C_GET, context, retrievals, tell)

    def commit(self, objects: Sequence[tuple[str, str]]) -> Committed:
        """Ask whether it keeps these objects for certain, each as class and instance; wait for its report.

        Raises CommitmentUnreported besides.
        """
        with ExitStack() as stack:
            call = stack.enter_context(calling(self.settings, [build_context(COMMITMENT, _PLAIN)]))
            question = Question(call, objects)
            if self.settings.reports:
                stack.enter_context(listening(self.settings, question.take))
            question.ask(call.context_of(COMMITMENT, "storage commitment"))
            return question.wait()

    def _retrieve_all(
        self,
        call: Call,
        kind: type[Any],
        context: PresentationContext,
        retrievals: Sequence[Retrieval],
        tell: Tell,
    ) -> Progress:
        """Make one request after the other; what it cannot do of one keeps none of the others, and is raised at the end."""
        total, first = _Total(tell), None
        for retrieval in retrievals:
            try:
                self._retrieve(call, kind(), context, retrieval, total)
            except PacsCannotProcess as fault:
                first = first or fault
        if first is not None:
            raise first
        return total.progress

    def _retrieve(
        self, call: Call, request: Any, context: PresentationContext, retrieval: Retrieval, total: _Total
    ) -> None:
        implicit = context.transfer_syntax[0] == ImplicitVRLittleEndian
        if isinstance(request, C_MOVE):
            request.MoveDestination = self.settings.move_to
        request.MessageID = call.next_number()
        request.AffectedSOPClassUID = context.abstract_syntax
        request.Priority = _MEDIUM
        request.Identifier = BytesIO(identifier.write(retrieval.identifier, implicit=implicit))
        call.ask(request, context)
        within = self.settings.retrieve_timeout
        total.next()
        for answer in call.answers(type(request), request.MessageID, within, objects=isinstance(request, C_GET)):
            total.count(answer)


def find_context() -> PresentationContext:
    """Give the context in which rows are asked for."""
    return build_context(FIND, _PLAIN)


def images_of(call: Call, study: str, most: int = MOST_OBJECTS) -> list[ImageRow]:
    """Ask for all objects of a study on an association that has `find_context`; raises as `Client.find_images`."""
    found: list[ImageRow] = []
    for series in _find(call, SeriesRow, {"StudyInstanceUID": study}, most, whole=True):
        above = {"StudyInstanceUID": study, "SeriesInstanceUID": series["SeriesInstanceUID"]}
        for image in _find(call, ImageRow, above, most, whole=True):
            # a PACS need not repeat the keys above
            found.append({**image, **above})  # type: ignore[typeddict-item]
    return found


class _Total:
    """Adds up what the answers to several requests count."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._before = self.progress = Progress()

    def next(self) -> None:
        self._before = self.progress

    def count(self, answer: Any) -> None:
        before = self._before
        self.progress = Progress(
            answer.NumberOfRemainingSuboperations or 0,
            before.completed + (answer.NumberOfCompletedSuboperations or 0),
            before.failed + (answer.NumberOfFailedSuboperations or 0),
            before.warning + (answer.NumberOfWarningSuboperations or 0),
        )
        self._tell(self.progress)


def _find(call: Call, row: type[Row], keys: Mapping[str, str], most: int, *, whole: bool = False) -> list[Row]:
    """Give the rows; `whole`: every one there is, else a fault."""
    context = call.context_of(FIND, "C-FIND")
    implicit = context.transfer_syntax[0] == ImplicitVRLittleEndian
    request = C_FIND()
    request.MessageID = number = call.next_number()
    request.AffectedSOPClassUID = UID(FIND)
    request.Priority = _MEDIUM
    request.Identifier = BytesIO(identifier.write(identifier.question(row, keys), implicit=implicit))
    call.ask(request, context)
    found: list[Row] = []
    beyond = 0
    for answer in call.answers(C_FIND, number, call.settings.dimse_timeout):
        status = answer.Status or 0
        if says(status) is not Says.PENDING:
            if whole and says(status) in (Says.PARTLY, Says.CANCELLED):
                raise PacsAnswerInvalid(call.where, f"status {status:04X}: not every match")
            continue
        if whole and len(found) >= most:
            raise PacsAnswerInvalid(call.where, f"more than {most} matches")
        if len(found) >= most:
            beyond += 1
            if beyond == 1:
                _cancel(call, number, context)
            if beyond > MOST_ROWS:
                raise PacsAnswerInvalid(call.where, "more answers than it may give after it was told to stop")
            continue
        try:
            one = identifier.read(answer.Identifier.getvalue() if answer.Identifier else b"", row, implicit=implicit)
        except identifier.Unreadable:
            raise PacsAnswerInvalid(call.where, "a match that is no data set") from None
        if one is not None:
            found.append(one)
        elif whole:
            raise PacsAnswerInvalid(call.where, f"a match without {identifier.UNIQUE[row]}")
    return found


def _cancel(call: Call, number: int, context: PresentationContext) -> None:
    request = C_CANCEL()
    request.MessageIDBeingRespondedTo = number
    call.ask(request, context)


def _storage_contexts(classes: Sequence[str]) -> list[PresentationContext]:
    """Give contexts in which objects of these classes can come as they lie there: each compressed syntax has its own.

    Where there are too many, the syntaxes share contexts, and the PACS chooses.
    """
    known = [one for one in classes if one] or [str(one.abstract_syntax) for one in StoragePresentationContexts]
    packed = [str(one) for one in ALL_TRANSFER_SYNTAXES if str(one) not in _PLAIN]
    room = _CONTEXTS // len(known) - 1 if known else 0
    contexts: list[PresentationContext] = []
    for sop_class in known[:_CONTEXTS]:
        alone, shared = packed[: max(0, room - 1)], packed[max(0, room - 1) :]
        if room < 1:
            contexts.append(build_context(sop_class, [*_PLAIN, *packed]))
            continue
        contexts.append(build_context(sop_class, _PLAIN))
        contexts += [build_context(sop_class, [one]) for one in alone]
        if shared:
            contexts.append(build_context(sop_class, shared))
    return contexts
