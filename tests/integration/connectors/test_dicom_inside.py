"""What the DICOM source holds on to inside pynetdicom: each test fails when an update moves it, and says what."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import _config, acse, association, dimse, dimse_messages, dul, fsm, transport
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dsutils import decode
from pynetdicom.dul import DULServiceProvider

from connectors._dicom_call import Call, _Outgoing
from connectors.sources._dicom_association import Messages, PeerAssociation
from connectors.sources._dicom_object import Arriving
from connectors.sources._dicom_upper import Entity, UpperLayer, Wire
from connectors.sources.dicom import Settings
from tests.contract.objects import FilingIntake, Running
from tests.dicom_peers import Sender, command_set

CONTENT = bytes(100_000)

HELD = {
    dimse_messages.DIMSEMessage.decode_msg: (
        "if self._data_set_file:",
        "self._data_set_file.write(data[1:])",
        "self._data_set_file.file.flush()",
    ),
    dimse_messages.DIMSEMessage.message_to_primitive: ("primitive._dataset_file = self._data_set_file",),
    dimse.DIMSEServiceProvider.receive_primitive: (
        "self.message.decode_msg(primitive, self.assoc)",
        "self.msg_queue.put(",
        "self.message = None",
        "target=make_target(self.assoc._serve_request)",
    ),
    fsm.DT_2: ("dul.assoc.dimse.receive_primitive(",),
    association.Association._run_reactor: (
        "self.dimse.get_msg(block=False)",
        "self._serve_request(msg,",
        "self.dul.idle_timer_expired()",
    ),
    association.Association.run_reactor: ("self.dul.receive_pdu(wait=True", "evt.EVT_REQUESTED", "self.is_rejected"),
    acse.ACSE._negotiate_as_acceptor: (
        "self.acceptor.supported_contexts",
        "self.assoc._accepted_cx = {",
        "require_called_aet",
    ),
    dul.DULServiceProvider.run_reactor: (
        "time.sleep(self._run_loop_delay)",
        "self._process_recv_primitive()",
        "self._is_transport_event()",
        "self._kill_thread",
    ),
    dul.DULServiceProvider._is_transport_event: ("self.socket.ready", "self._read_pdu_data()"),
    dul.DULServiceProvider._read_pdu_data: ("self.socket.recv(6)", "self.socket.recv(pdu_length)"),
    acse.ACSE._negotiate_as_requestor: (
        "socket._ready.wait()",
        "if not socket._is_connected:",
        "self.dul.receive_pdu(wait=True, timeout=self.acse_timeout)",
        "self.assoc._accepted_cx = {",
        "self.assoc.is_established = True",
        "self.assoc.abort()",
    ),
    fsm.AE_1: ("sock.connect(T_CONNECT(request))",),
    fsm.AA_8: ("primitive.provider_reason = 0x05",),
    association.Association.request: ("self.dul.start()", "self._dul_ready.wait()"),
    dul.DULServiceProvider.receive_pdu: ("evt.EVT_ACSE_RECV",),
    transport.AssociationSocket.close: ("self.socket is None or self._is_connected is False",),
    transport.AssociationSocket.__init__: ("client_socket", 'self.event_queue.put("Evt5")'),
}


@pytest.mark.parametrize("place", HELD, ids=lambda place: place.__qualname__)
def test_pynetdicom_still_says_there_what_we_build_on(place: object) -> None:
    text = inspect.getsource(place)  # type: ignore[arg-type]
    assert [line for line in HELD[place] if line not in text] == []  # type: ignore[index]


@pytest.mark.parametrize(
    ("ours", "theirs", "names"),
    [
        (Messages, DIMSEServiceProvider, ("receive_primitive", "get_msg", "send_msg")),
        (UpperLayer, DULServiceProvider, ("run", "stop_dul", "idle_timer_expired", "_read_pdu_data")),
        (Wire, transport.AssociationSocket, ("ready", "recv")),
        (Entity, ApplicationEntity, ("_create_socket",)),
        (PeerAssociation, Association, ("run", "_serve_request")),
        (Call, Association, ("kill", "abort", "_serve_request")),
        (_Outgoing, transport.AssociationSocket, ("ready", "connect")),
    ],
)
def test_what_we_replace_is_still_there(ours: type, theirs: type, names: tuple[str, ...]) -> None:
    for name in names:
        assert hasattr(theirs, name)
        assert name in vars(ours)
        there = getattr(theirs, name)
        if inspect.isfunction(there):
            assert list(inspect.signature(there).parameters) == list(inspect.signature(vars(ours)[name]).parameters)


@pytest.mark.parametrize("usual", [True, False], ids=["as usual", "its command set in two parts"])
def test_an_object_goes_through_our_file_chunk_by_chunk_and_nothing_goes_to_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, usual: bool
) -> None:
    """Whether its command set is read by us, or by pynetdicom, which is then given our file."""

    def no_file(*args: object, **more: object) -> None:
        raise AssertionError("pynetdicom opens a temporary file")

    written: list[int] = []
    write = Arriving.write

    def watched(self: Arriving, chunk: bytes) -> None:
        written.append(len(chunk))
        write(self, chunk)

    monkeypatch.setattr(dimse_messages, "NamedTemporaryFile", no_file)
    monkeypatch.setattr(Arriving, "write", watched)
    decoded: list[object] = []

    def watched_decode(*given: Any) -> Any:
        decoded.append(given)
        return decode(*given)

    monkeypatch.setattr(dimse_messages, "decode", watched_decode)
    settings = Settings("127.0.0.1:0", "GATEWAY", anyone=True, tls="none")
    running = Running("dicom", settings, FilingIntake(tmp_path))
    try:
        with Sender(running.port) as sender:
            assert sender.associate() == 2
            if not usual:
                monkeypatch.setattr(sender, "command", lambda elements, context: in_parts(sender, elements, context))
            sender.store(CONTENT, "1.2.3", chunk=10_000)
            answer = sender.response()
            assert (answer.Status, answer.AffectedSOPInstanceUID, answer.MessageIDBeingRespondedTo) == (0, "1.2.3", 1)
            assert bool(decoded) is not usual
            (filed,) = running.intake.taken
            assert filed.data_set == CONTENT
            assert len(written) == 11  # the head, and ten chunks as they came
            assert filed.threads != {threading.current_thread().name}
    finally:
        running.close()


def in_parts(sender: Sender, elements: Mapping[int, bytes], context: int) -> None:
    whole = command_set(elements)
    sender.values((context, b"\x01" + whole[:20]))
    sender.values((context, b"\x03" + whole[20:]))


def test_no_switch_of_the_whole_process_is_touched() -> None:
    assert _config.STORE_RECV_CHUNKED_DATASET is False
    assert _config.UNRESTRICTED_STORAGE_SERVICE is False
