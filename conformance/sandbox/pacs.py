"""A PACS that sends: objects by C-STORE as they are, and asks afterwards whether they are kept for certain; it answers C-ECHO.

Calls block: give them a thread of their own in an event loop. One attempt for each object; what became of it is told, never
raised. `orthanc.py` has the same face in front of a real PACS.

Standard: DICOM PS3.4 §B (storage), §J (storage commitment push model), §A (verification).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from types import TracebackType
from typing import Final, Protocol, Self
from uuid import uuid4

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import build_context, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.sop_class import StorageCommitmentPushModelInstance
from pynetdicom.transport import ThreadedAssociationServer

from conformance.sandbox.dicom_calls import QUICK, Entity

_VERIFICATION: Final = UID("1.2.840.10008.1.1")
_COMMITMENT: Final = UID("1.2.840.10008.1.20.1")

SUCCESS: Final = "0000"
NO_ANSWER: Final = "no answer"
NO_ASSOCIATION: Final = "no association"
NO_CONTEXT: Final = "no context"
"""What stands in place of a DIMSE status when there is none."""

_TIMEOUT_S: Final = 30.0
_LARGEST_PDU: Final = 128 * 1024
_REQUEST: Final = 1
"""Action Type ID of a request for storage commitment."""
_UNKNOWN: Final = 0x0110
"""Processing failure."""

Address = tuple[str, int]


@dataclass(frozen=True)
class Sent:
    """What became of the objects."""

    statuses: Mapping[str, int]
    """DIMSE status in four hexadecimal digits, or NO_ANSWER, NO_ASSOCIATION, NO_CONTEXT → how many objects."""

    @property
    def complete(self) -> bool:
        """Whether the peer took every object."""
        return not set(self.statuses) - {SUCCESS}


@dataclass(frozen=True)
class Committed:
    """What a peer says it keeps for certain, as SOP Instance UIDs."""

    kept: frozenset[str]
    failed: frozenset[str]


class Sender(Protocol):
    """What sends objects: `Pacs`, or Orthanc behind `orthanc.Orthanc`."""

    ae_title: str

    @property
    def address(self) -> Address:
        """Where it listens: for reports of storage commitment."""
        ...

    def send(self, address: Address, ae_title: str, datasets: Sequence[Dataset]) -> Sent:
        """Send on one association."""
        ...

    def commit(
        self, address: Address, ae_title: str, datasets: Sequence[Dataset], timeout_s: float = _TIMEOUT_S
    ) -> Committed | None:
        """Ask whether the peer keeps these objects; None when no report came in time."""
        ...


def send_study(address: Address, ae_title: str, datasets: Sequence[Dataset], via: Sender) -> Sent:
    """Send objects to whoever is called `ae_title` at an address; all on one association."""
    return via.send(address, ae_title, datasets)


def part10(dataset: Dataset) -> bytes:
    """Give an object as a file."""
    out = BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


class Pacs:
    """Sends, and listens for the length of a `with` on a port of its own: for C-ECHO and reports of storage commitment."""

    def __init__(self, ae_title: str = "PACS", host: str = "127.0.0.1", port: int = 0) -> None:
        self.ae_title = ae_title
        self._host = host
        self._port = port
        self._entity = Entity(ae_title)
        self._entity.maximum_pdu_size = _LARGEST_PDU
        self._entity.acse_timeout = self._entity.dimse_timeout = _TIMEOUT_S
        self._entity.connection_timeout = _TIMEOUT_S
        self._entity.add_supported_context(_VERIFICATION)
        self._entity.add_supported_context(_COMMITMENT, scu_role=True, scp_role=True)
        self._server: ThreadedAssociationServer | None = None
        self._waits: dict[str, _Report] = {}

    def __enter__(self) -> Self:
        self._server = self._entity.start_server(
            (self._host, self._port), block=False, evt_handlers=[QUICK, (evt.EVT_N_EVENT_REPORT, self._take_report)]
        )
        assert self._server is not None
        self._port = self._server.server_address[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    @property
    def address(self) -> Address:
        """Where it listens."""
        return self._host, self._port

    def echo(self, address: Address, ae_title: str) -> bool:
        """Tell whether the peer answers C-ECHO with success."""
        association = self._associate(address, ae_title, [(_VERIFICATION, "")])
        if association is None:
            return False
        status = association.send_c_echo()
        association.release()
        return "Status" in status and int(status.Status) == 0

    def send(self, address: Address, ae_title: str, datasets: Sequence[Dataset]) -> Sent:
        """Send on one association, each object in the transfer syntax it is in; at most 128 pairs of class and syntax."""
        wanted = dict.fromkeys((one.SOPClassUID, one.file_meta.TransferSyntaxUID) for one in datasets)
        association = self._associate(address, ae_title, wanted)
        if association is None:
            return Sent(Counter({NO_ASSOCIATION: len(datasets)}))
        offered = {(one.abstract_syntax, one.transfer_syntax[0]) for one in association.accepted_contexts}
        statuses = Counter(_store(association, offered, one, number) for number, one in enumerate(datasets, start=1))
        if association.is_established:
            association.release()
        return Sent(statuses)

    def commit(
        self, address: Address, ae_title: str, datasets: Sequence[Dataset], timeout_s: float = _TIMEOUT_S
    ) -> Committed | None:
        """Ask whether the peer keeps these objects; the report may come on this association or to our own port."""
        transaction = f"2.25.{uuid4().int}"
        report = self._waits[transaction] = _Report()
        try:
            return self._ask(address, ae_title, transaction, datasets, report, timeout_s)
        finally:
            del self._waits[transaction]

    def _ask(
        self,
        address: Address,
        ae_title: str,
        transaction: str,
        datasets: Iterable[Dataset],
        report: _Report,
        timeout_s: float,
    ) -> Committed | None:
        association = self._associate(address, ae_title, [(_COMMITMENT, "")])
        if association is None:
            return None
        wanted = Dataset()
        wanted.TransactionUID = transaction
        wanted.ReferencedSOPSequence = [_reference(one) for one in datasets]
        try:
            status, _ = association.send_n_action(wanted, _REQUEST, _COMMITMENT, StorageCommitmentPushModelInstance)
            if "Status" not in status or status.Status != 0 or not report.come.wait(timeout_s):
                return None
            return report.told
        except ValueError:  # the context was refused
            return None
        finally:
            if association.is_established:
                association.release()

    def _associate(self, address: Address, ae_title: str, wanted: Iterable[tuple[UID, str]]) -> Association | None:
        contexts = [build_context(abstract, syntax or None) for abstract, syntax in wanted]
        return self._entity.call(address, ae_title, contexts, [(evt.EVT_N_EVENT_REPORT, self._take_report)])

    def _take_report(self, event: Event) -> tuple[int, None]:
        told = event.event_information
        report = self._waits.get(str(told.get("TransactionUID", "")))
        if report is None:
            return _UNKNOWN, None
        report.told = Committed(_instances(told, "ReferencedSOPSequence"), _instances(told, "FailedSOPSequence"))
        report.come.set()
        return 0, None


class _Report:
    """A report of storage commitment that is waited for."""

    def __init__(self) -> None:
        self.come = threading.Event()
        self.told: Committed | None = None


def _store(association: Association, offered: set[tuple[UID | None, UID]], dataset: Dataset, number: int) -> str:
    if (dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID) not in offered:
        return NO_CONTEXT
    try:
        status = association.send_c_store(dataset, msg_id=number % 0xFFFF + 1)
    except RuntimeError:  # the association has ended
        return NO_ANSWER
    return f"{int(status.Status):04X}" if "Status" in status else NO_ANSWER


def _reference(dataset: Dataset) -> Dataset:
    one = Dataset()
    one.ReferencedSOPClassUID = dataset.SOPClassUID
    one.ReferencedSOPInstanceUID = dataset.SOPInstanceUID
    return one


def _instances(told: Dataset, sequence: str) -> frozenset[str]:
    return frozenset(str(one.ReferencedSOPInstanceUID) for one in told.get(sequence) or ())
