"""The client towards a PACS that rejects, aborts, falls silent, or answers what nobody asked: a fault, and nothing left."""

from __future__ import annotations

import logging
import struct
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connectors._dicom_identifier import write
from connectors._dicom_status import REJECTIONS
from connectors.dicom_client import Client, Progress, Retrieval, StudyRow
from connectors.dicom_peer import PacsSettings
from connectors.faults import (
    CommitmentUnreported,
    MoveDestinationUnknown,
    ObjectIncomplete,
    PacsAnswerInvalid,
    PacsBrokeOff,
    PacsBusy,
    PacsCannotProcess,
    PacsRefused,
    PacsSilent,
    PacsUnreachable,
    ReportsUnheard,
    ServiceNotOffered,
)
from mappings.formats.faults import DeliveryFault
from tests.contract.objects import FilingIntake
from tests.dicom_peers import CT, Caller, Scripted, command_set
from tests.servers import wait_until

PATIENT = "NGUYEN^VAN^AN"
SHORT = timedelta(seconds=0.4)
Script = Callable[[Caller], None]


def pacs(port: int, **more: object) -> PacsSettings:
    given = {"acse_timeout": SHORT, "dimse_timeout": SHORT, "retrieve_timeout": SHORT, "commit_timeout": SHORT, **more}
    return PacsSettings(f"127.0.0.1:{port}", "PACS", "ASKER", name="pacs", move_to="GATEWAY", tls="none", **given)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def nothing_is_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No thread outlives a call, and no patient is in our log."""
    caplog.set_level(logging.DEBUG, "connectors")
    before = set(threading.enumerate())
    yield
    wait_until(lambda: set(threading.enumerate()) <= before, 5)
    assert PATIENT not in "".join(one.getMessage() for one in caplog.records if one.name.startswith("connectors"))


def in_(script: Script) -> Script:
    """Let it in before."""

    def whole(caller: Caller) -> None:
        caller.asked()
        caller.accept()
        script(caller)

    return whole


def answers(*statuses: int | None, **more: int) -> Script:
    """Answer one request with these statuses."""

    def script(caller: Caller) -> None:
        asked, _ = caller.message()
        for status in statuses:
            data = (
                write({"StudyInstanceUID": "1.2", "PatientName": PATIENT}, implicit=False) if status == 0xFF00 else None
            )
            caller.answer(asked, status, data, **more)
        caller.read()

    return in_(script)


def find(port: int) -> object:
    return Client(pacs(port)).find(StudyRow, {"PatientID": "BN1"})


def raised(script: Script, call: Callable[[int], object], fault: type[DeliveryFault], match: str | None = None) -> None:
    with Scripted(script) as peer, pytest.raises(fault, match=match) as told:
        call(peer.port)
    assert type(told.value) is fault
    assert PATIENT not in str(told.value)


# ---- before an association stands ----


@pytest.mark.parametrize(("source", "reason"), REJECTIONS)
@pytest.mark.parametrize("result", [1, 2])
def test_every_rejection_has_its_fault(result: int, source: int, reason: int) -> None:
    def script(caller: Caller) -> None:
        caller.asked()
        caller.reject(result, source, reason)

    kind, text = REJECTIONS[source, reason]
    raised(script, find, PacsBusy if result == 2 else kind, text)


def closes(caller: Caller) -> None:
    caller.asked()


def aborts(caller: Caller) -> None:
    caller.asked()
    caller.abort()


def is_a_web_server(caller: Caller) -> None:
    caller.asked()
    caller.socket.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    caller.read()


def announces_too_much(caller: Caller) -> None:
    caller.asked()
    caller.socket.sendall(struct.pack(">BBL", 2, 0, 0xFFFFFFF0) + bytes(100))
    caller.read()


def accepts_nonsense(caller: Caller) -> None:
    caller.asked()
    caller.socket.sendall(struct.pack(">BBL", 2, 0, 70) + bytes(range(70)))
    caller.read()


def releases(caller: Caller) -> None:
    caller.asked()
    caller.socket.sendall(struct.pack(">BBL4x", 6, 0, 4))
    caller.read()


def says_nothing(caller: Caller) -> None:
    caller.asked()
    assert caller.read()[0] in (7, 0)


def refuses_everything(caller: Caller) -> None:
    caller.asked()
    caller.accept(*{str(one.abstract_syntax) for one in caller.contexts})
    caller.read()


def takes_one_byte_at_a_time(caller: Caller) -> None:
    caller.asked()
    caller.accept(length=8)
    caller.read()


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        (closes, PacsUnreachable),
        (aborts, PacsUnreachable),
        (is_a_web_server, PacsAnswerInvalid),
        (announces_too_much, PacsUnreachable),
        (accepts_nonsense, PacsAnswerInvalid),
        (releases, PacsAnswerInvalid),
        (says_nothing, PacsSilent),
        (refuses_everything, ServiceNotOffered),
        (takes_one_byte_at_a_time, PacsAnswerInvalid),
    ],
)
def test_no_association(script: Script, fault: type[DeliveryFault]) -> None:
    raised(script, find, fault)


def test_a_peer_that_does_not_speak_tls_is_not_reached() -> None:
    def script(caller: Caller) -> None:
        caller.socket.sendall(b"\x02\x00\x00\x00\x00\x00")
        caller.read()

    with Scripted(script) as peer, pytest.raises(PacsUnreachable, match="TLS"):
        Client(PacsSettings(f"127.0.0.1:{peer.port}", "PACS", "ASKER", name="pacs", connect_timeout=SHORT)).echo()


# ---- answers ----


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (0x0110, PacsCannotProcess),
        (0x0122, ServiceNotOffered),
        (0x0124, PacsRefused),
        (0x0213, PacsBusy),
        (0xA700, PacsBusy),
        (0xA702, PacsBusy),
        (0xA801, MoveDestinationUnknown),
        (0xA900, PacsRefused),
        (0xC001, PacsCannotProcess),
        (0x1234, PacsCannotProcess),
    ],
)
def test_a_status_has_its_fault_and_rows_before_it_are_no_answer(status: int, fault: type[DeliveryFault]) -> None:
    raised(answers(0xFF00, status), find, fault, f"{status:04X}")


def leaves_after_a_row(caller: Caller) -> None:
    asked, _ = caller.message()
    caller.answer(asked, 0xFF00, write({"StudyInstanceUID": "1.2", "PatientName": PATIENT}, implicit=False))


def aborts_after_a_row(caller: Caller) -> None:
    leaves_after_a_row(caller)
    caller.abort()


def releases_after_a_row(caller: Caller) -> None:
    leaves_after_a_row(caller)
    caller.socket.sendall(struct.pack(">BBL4x", 5, 0, 4))
    caller.read()


def falls_silent_after_a_row(caller: Caller) -> None:
    leaves_after_a_row(caller)
    assert caller.read()[0] == 7  # we abort, and do not just go


def falls_silent_in_a_pdu(caller: Caller) -> None:
    caller.message()
    caller.socket.sendall(struct.pack(">BBL", 4, 0, 100) + bytes(10))
    caller.read()


def answers_another_number(caller: Caller) -> None:
    asked, _ = caller.message()
    asked.MessageID += 1
    caller.answer(asked, 0)
    caller.read()


def answers_with_c_move(caller: Caller) -> None:
    asked, _ = caller.message()
    caller.answer(asked, 0, field=0x8021)
    caller.read()


def answers_without_status(caller: Caller) -> None:
    asked, _ = caller.message()
    caller.answer(asked, None)
    caller.read()


def gives_a_row_of_noise(caller: Caller) -> None:
    asked, _ = caller.message()
    caller.answer(asked, 0xFF00, b"\x08\x00\x05\x00LO\xff\xff" + PATIENT.encode())
    caller.read()


def stores_unasked(caller: Caller) -> None:
    caller.message()
    command = {
        0x0002: CT.encode(),
        0x0100: struct.pack("<H", 1),
        0x0110: struct.pack("<H", 7),
        0x0700: struct.pack("<H", 0),
        0x0800: struct.pack("<H", 1),
        0x1000: b"1.2.3",
    }
    caller.values((1, b"\x03" + command_set(command)))
    caller.values((1, b"\x02" + PATIENT.encode()))
    caller.read()


def speaks_in_another_context(caller: Caller) -> None:
    caller.message()
    caller.values((99, b"\x03" + command_set({0x0100: struct.pack("<H", 1), 0x0800: struct.pack("<H", 1)})))
    caller.values((99, b"\x02" + PATIENT.encode()))
    caller.read()


def sends_noise_as_a_command(caller: Caller) -> None:
    caller.message()
    caller.values((1, b"\x03" + PATIENT.encode()))
    caller.read()


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        (leaves_after_a_row, PacsBrokeOff),
        (aborts_after_a_row, PacsBrokeOff),
        (releases_after_a_row, PacsBrokeOff),
        (falls_silent_after_a_row, PacsSilent),
        (falls_silent_in_a_pdu, PacsSilent),
        (answers_another_number, PacsAnswerInvalid),
        (answers_with_c_move, PacsAnswerInvalid),
        (answers_without_status, PacsAnswerInvalid),
        (gives_a_row_of_noise, PacsAnswerInvalid),
        (stores_unasked, PacsAnswerInvalid),
        (speaks_in_another_context, PacsAnswerInvalid),
        (sends_noise_as_a_command, PacsAnswerInvalid),
    ],
)
def test_answers_that_are_none(script: Script, fault: type[DeliveryFault]) -> None:
    raised(in_(script), find, fault)


def test_rows_beyond_the_limit_are_cancelled() -> None:
    def script(caller: Caller) -> None:
        asked, _ = caller.message()
        row = write({"StudyInstanceUID": "1.2"}, implicit=False)
        for _ in range(3):
            caller.answer(asked, 0xFF00, row)
        cancel, _ = caller.message()
        assert cancel.CommandField == 0x0FFF
        assert cancel.MessageIDBeingRespondedTo == asked.MessageID
        caller.answer(asked, 0xFE00)
        assert caller.read()[0] == 5

    with Scripted(in_(script)) as peer:
        assert len(Client(pacs(peer.port)).find(StudyRow, {}, 2)) == 2


def test_a_row_without_its_uid_is_none_and_a_goodbye_need_not_be_answered() -> None:
    def script(caller: Caller) -> None:
        asked, _ = caller.message()
        caller.answer(asked, 0xFF00, write({"PatientID": "BN1"}, implicit=False))
        caller.answer(asked, 0)
        assert caller.read()[0] == 5

    with Scripted(in_(script)) as peer:
        assert Client(pacs(peer.port)).find(StudyRow, {}) == []


SERIES = {"SeriesInstanceUID": "1.2.3"}
OBJECT = {"SOPInstanceUID": "1.2.3.1"}


@pytest.mark.parametrize(
    ("series", "objects", "last", "match"),
    [
        ([SERIES], [OBJECT, {"SOPClassUID": CT}], 0, "without SOPInstanceUID"),
        ([SERIES, {"Modality": "CT"}], [], 0, "without SeriesInstanceUID"),
        ([SERIES], [OBJECT], 0xFE00, "FE00"),
        ([SERIES], [OBJECT], 0xB000, "B000"),
        ([SERIES], [OBJECT] * 3, 0, "more than 2"),
    ],
)
def test_the_objects_of_a_study_are_all_of_them_or_a_fault(
    series: list[dict[str, str]], objects: list[dict[str, str]], last: int, match: str
) -> None:
    """What a study has is compared with what is held: a list cut short would make it look complete."""

    def script(caller: Caller) -> None:
        for rows, status in ((series, 0), (objects, last)):
            asked, _ = caller.message()
            for row in rows:
                caller.answer(asked, 0xFF00, write(row, implicit=False))
            if rows is objects or "SeriesInstanceUID" in rows[-1]:
                caller.answer(asked, status)
            else:
                break
        caller.read()

    raised(in_(script), lambda port: Client(pacs(port)).find_images("1.2", 2), PacsAnswerInvalid, match)


# ---- retrievals ----


def test_c_move_counts_what_the_pacs_counts_and_one_failing_part_keeps_none_of_the_others() -> None:
    def script(caller: Caller) -> None:
        asked, _ = caller.message()
        assert asked.MoveDestination == "GATEWAY"
        caller.answer(asked, 0xFF00, R=2, C=1, F=0, W=0)
        caller.answer(asked, 0xC000, C=1, F=2, W=0)
        asked, _ = caller.message()
        caller.answer(asked, 0xFF00, R=1, C=1, F=0, W=0)
        caller.answer(asked, 0xB000, C=1, F=1, W=0)
        assert caller.read()[0] == 5

    told: list[Progress] = []
    with Scripted(in_(script)) as peer, pytest.raises(PacsCannotProcess):
        Client(pacs(peer.port)).move([Retrieval("1.2"), Retrieval("1.3")], told.append)
    assert told == [Progress(2, 1), Progress(0, 1, 2), Progress(1, 2, 2), Progress(0, 2, 3)]


def test_c_move_that_falls_silent_is_left() -> None:
    def script(caller: Caller) -> None:
        asked, _ = caller.message()
        caller.answer(asked, 0xFF00, R=2, C=1, F=0, W=0)
        assert caller.read()[0] == 7

    raised(in_(script), lambda port: Client(pacs(port)).move([Retrieval("1.2")]), PacsSilent)


@pytest.mark.parametrize("how", ["abort", "leave", "silence", "answer"])
def test_an_object_that_does_not_come_whole_is_put_aside(how: str, tmp_path: Path) -> None:
    def script(caller: Caller) -> None:
        asked, _ = caller.message()
        context = next(one.context_id for one in caller.contexts if one.abstract_syntax == CT)
        command = {
            0x0002: CT.encode(),
            0x0100: struct.pack("<H", 1),
            0x0110: struct.pack("<H", 7),
            0x0700: struct.pack("<H", 0),
            0x0800: struct.pack("<H", 1),
            0x1000: b"1.2.3",
        }
        caller.values((context, b"\x03" + command_set(command)))
        caller.values((context, b"\x00" + PATIENT.encode()))
        if how == "abort":
            caller.abort()
        elif how == "silence":
            caller.read()
        elif how == "answer":
            caller.answer(asked, 0)
            caller.read()

    intake = FilingIntake(tmp_path)
    faults = {"silence": PacsSilent, "answer": PacsAnswerInvalid}
    fault: type[DeliveryFault] = faults.get(how, PacsBrokeOff)
    raised(in_(script), lambda port: Client(pacs(port)).get([Retrieval("1.2")], {CT}, intake), fault)
    (filed,) = intake.deposits
    assert isinstance(filed.discarded, ObjectIncomplete)


def test_a_slow_object_is_waited_for_as_long_as_it_moves(tmp_path: Path) -> None:
    pieces = 6

    def script(caller: Caller) -> None:
        asked, _ = caller.message()
        context = next(one.context_id for one in caller.contexts if one.abstract_syntax == CT)
        command = {
            0x0002: CT.encode(),
            0x0100: struct.pack("<H", 1),
            0x0110: struct.pack("<H", 7),
            0x0700: struct.pack("<H", 0),
            0x0800: struct.pack("<H", 1),
            0x1000: b"1.2.3",
        }
        caller.values((context, b"\x03" + command_set(command)))
        for number in range(pieces):
            peer.done.wait(SHORT.total_seconds() / 2)  # slower in all than one wait, never silent for one
            caller.values((context, (b"\x02" if number == pieces - 1 else b"\x00") + b"ab"))
        assert caller.message()[0].Status == 0
        caller.answer(asked, 0, C=1)
        caller.read()

    intake = FilingIntake(tmp_path)
    with Scripted(in_(script)) as peer:
        assert Client(pacs(peer.port)).get([Retrieval("1.2")], {CT}, intake).completed == 1
    assert intake.taken[0].data_set == b"ab" * pieces


def test_who_stops_in_the_middle_leaves_with_an_abort() -> None:
    def script(caller: Caller) -> None:
        asked, _ = caller.message()
        caller.answer(asked, 0xFF00, R=2, C=1)
        assert caller.read()[0] == 7

    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with Scripted(in_(script)) as peer, pytest.raises(KeyboardInterrupt):
        Client(pacs(peer.port)).move([Retrieval("1.2")], stop)


# ---- storage commitment ----


def commit(port: int) -> object:
    return Client(pacs(port)).commit([(CT, "1.2.3")])


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        (answers(0), CommitmentUnreported),
        (answers(0x0213), PacsBusy),
        (answers(0x0112), ServiceNotOffered),
        (in_(lambda caller: caller.message() and None), PacsBrokeOff),
        (in_(lambda caller: caller.answer(caller.message()[0], 0)), CommitmentUnreported),
    ],
)
def test_no_report(script: Script, fault: type[DeliveryFault]) -> None:
    raised(script, commit, fault)


def test_an_address_for_reports_that_is_taken_is_told_before_anything_is_asked() -> None:
    def script(caller: Caller) -> None:
        assert caller.read()[0] in (5, 7)

    with Scripted(in_(script)) as peer, Scripted() as other:
        client = Client(pacs(peer.port, reports=f"127.0.0.1:{other.port}"))
        with pytest.raises(ReportsUnheard):
            client.commit([(CT, "1.2.3")])
