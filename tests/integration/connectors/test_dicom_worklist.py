"""The worklist before real devices: DCMTK's findscu, pynetdicom, and one that breaks the rules or changes its mind."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.dsutils import decode, encode

from connectors.faults import LedgerAway, WorklistQueryInvalid, WorklistTooWide
from connectors.sources import _dicom_association
from connectors.sources._dicom_contexts import WORKLIST
from tests.contract.objects import WAIT_S, Running
from tests.dicom_peers import EXPLICIT, Sender, tool
from tests.integration.connectors.test_dicom_source import source
from tests.unit.dicom.samples import attributes, code

STEP = "ScheduledProcedureStepSequence[0]"
IMPLICIT = "1.2.840.10008.1.2"


def entry(number: int) -> dict[str, Any]:
    step = attributes(Modality="CT", ScheduledStationAETitle=["CT1", "CT2"], ScheduledProcedureStepStartDate="20261120")
    whole = attributes(
        PatientName="Trần^Lan^Thị Ngọc",
        PatientID=f"BN{number}",
        AccessionNumber=f"A{number}",
        StudyInstanceUID=f"1.2.3.{number}",
        RequestedProcedureCodeSequence=[code("CTSN", "99HIS", "Cắt lớp vi tính")],
        ScheduledProcedureStepSequence=[step],
    )
    return {**whole, "00081110": {"vr": "SQ"}, "00101030": {"vr": "DS"}}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Running]:
    with source(tmp_path / "kept", worklist=True, worklist_most=5, callers=("CT1", "TEST")) as running:
        yield running


def asked(house: Running, folder: Path, *keys: str, options: Sequence[str] = ()) -> tuple[list[Dataset], str]:
    """Ask as DCMTK does; give the answers and what it said."""
    folder.mkdir()
    named = [argument for key in keys for argument in ("-k", key)]
    told = tool(
        "findscu", "-d", "-W", "-X", "-od", str(folder), "-aet", "CT1", "-aec", "GATEWAY", *options, *named,
        "127.0.0.1", str(house.port),
    )  # fmt: skip
    return [pydicom.dcmread(path, force=True) for path in sorted(folder.iterdir())], told.stderr


def scu(house: Running, identifier: Dataset, syntax: str = EXPLICIT) -> list[tuple[int, str, Dataset | None]]:
    """Ask as pynetdicom does."""
    entity = AE("CT1")
    entity.add_requested_context(WORKLIST, syntax)
    association = entity.associate("127.0.0.1", house.port, ae_title="GATEWAY")
    assert association.is_established
    try:
        return [
            (status.Status, status.get("ErrorComment", ""), answer)
            for status, answer in association.send_c_find(identifier, WORKLIST)
        ]
    finally:
        association.release()


def wanted(**keys: Any) -> Dataset:
    found = Dataset()
    for keyword, value in {"PatientName": "", "PatientID": "", **keys}.items():
        setattr(found, keyword, value)
    return found


# ---- what is given ----


@pytest.mark.parametrize("syntax", ["-xe", "-xb", "-xi", "-xd"])
def test_findscu_gets_what_it_asked_for_and_nothing_else(tmp_path: Path, house: Running, syntax: str) -> None:
    house.intake.listed = lambda: [entry(1), entry(2)]
    keys = (
        "PatientName=TRAN*", "AccessionNumber", "PatientWeight", f"{STEP}.Modality=CT", f"{STEP}.ScheduledStationAETitle",
    )  # fmt: skip
    found, said = asked(house, tmp_path / "answers", *keys, options=[syntax])
    assert "0x0000: Success: Matching is complete" in said
    assert house.intake.asked == [
        (
            {
                "00100010": "TRAN*",
                "00080050": "",
                "00101030": "",
                "00400100/00080060": "CT",
                "00400100/00400001": "",
            },
            "CT1",
        )
    ]
    assert [one.AccessionNumber for one in found] == ["A1", "A2"]
    (first, _) = found
    names = (
        "SpecificCharacterSet",
        "AccessionNumber",
        "PatientName",
        "PatientWeight",
        "ScheduledProcedureStepSequence",
    )
    assert {one.keyword for one in first} == set(names)
    assert first.SpecificCharacterSet == "ISO_IR 192"
    assert first.PatientName == "Trần^Lan^Thị Ngọc"
    (step,) = first.ScheduledProcedureStepSequence
    assert {one.keyword for one in step} == {"Modality", "ScheduledStationAETitle"}
    assert list(step.ScheduledStationAETitle) == ["CT1", "CT2"]
    assert "0xff00" in said.lower()
    assert "0xff01" not in said.lower()


def test_an_empty_sequence_asks_for_all_of_it(tmp_path: Path, house: Running) -> None:
    house.intake.listed = lambda: [entry(1)]
    for n, key in enumerate(("ScheduledProcedureStepSequence", f"{STEP}.Modality")):
        found, _ = asked(house, tmp_path / str(n), "PatientID", "RequestedProcedureCodeSequence", key)
        (step,) = found[0].ScheduledProcedureStepSequence
        assert ("ScheduledStationAETitle" in step) == (n == 0)
        assert found[0].RequestedProcedureCodeSequence[0].CodeMeaning == "Cắt lớp vi tính"


def test_nothing_fits(tmp_path: Path, house: Running) -> None:
    found, said = asked(house, tmp_path / "answers", "PatientID=BN9")
    assert found == []
    assert "0x0000: Success: Matching is complete" in said


def test_what_is_not_supported_is_said_and_left_out(house: Running) -> None:
    house.intake.listed = lambda: [entry(1)]
    (status, _, answer), (last, _, _) = scu(house, wanted(PatientReligiousPreference="", AccessionNumber=""))
    assert (status, last) == (0xFF01, 0x0000)
    assert answer is not None
    assert "PatientReligiousPreference" not in answer
    assert answer.AccessionNumber == "A1"


@pytest.mark.parametrize("charset", ["ISO_IR 192", "", "ISO_IR 100"])
def test_letters_of_a_question(house: Running, charset: str) -> None:
    identifier = wanted()
    if charset:
        identifier.SpecificCharacterSet = charset
    name = "ÂU*" if charset == "ISO_IR 100" else "Trần*"
    encoding = "latin-1" if charset == "ISO_IR 100" else "utf-8"
    text = name.encode(encoding)
    content = encode(identifier, True, True) or b""
    content = content.replace(struct.pack("<HHL", 0x10, 0x10, 0), struct.pack("<HHL", 0x10, 0x10, len(text)) + text)
    with Sender(house.port, {WORKLIST: [IMPLICIT]}) as sender:
        assert sender.associate() == 2
        ask(sender, 1, content)
        assert sender.status() == 0
    assert house.intake.asked[0][0]["00100010"] == name


# ---- refusals ----


@pytest.mark.parametrize(
    ("fault", "status"),
    [(WorklistQueryInvalid("(0040,0002)"), 0xA900), (WorklistTooWide(), 0xA700), (LedgerAway(), 0xA700)],
)
def test_a_fault_becomes_a_status(house: Running, fault: Exception, status: int) -> None:
    def refuse() -> Any:
        raise fault

    house.intake.listed = refuse
    ((found, comment, answer),) = scu(house, wanted())
    assert (found, answer) == (status, None)
    assert type(fault).__name__ in comment


def test_an_error_of_ours_is_told_and_not_shown(house: Running, caplog: pytest.LogCaptureFixture) -> None:
    house.intake.broken = "worklist"
    ((status, comment, _),) = scu(house, wanted())
    assert status == 0xA700
    assert "NGUYEN" not in comment + caplog.text
    house.intake.broken = ""
    assert [one[0] for one in scu(house, wanted())] == [0]


def test_more_than_is_given_at_once_is_no_success(house: Running) -> None:
    house.intake.listed = lambda: [entry(n) for n in range(6)]
    found = scu(house, wanted())
    assert [status for status, _, _ in found] == [0xFF00] * 5 + [0xA700]
    house.intake.listed = lambda: [entry(n) for n in range(5)]
    assert [status for status, _, _ in scu(house, wanted())] == [0xFF00] * 5 + [0]


@pytest.mark.parametrize(
    "content", [b"", b"\x10\x00\x10\x00\xff\xff\xff\x00TRAN", bytes(3)], ids=["none", "cut", "short"]
)
def test_a_question_that_cannot_be_read(house: Running, content: bytes) -> None:
    with Sender(house.port, {WORKLIST: [IMPLICIT]}) as sender:
        assert sender.associate() == 2
        ask(sender, 1, content)
        assert sender.status() == 0xA900
        ask(sender, 2, encode(wanted(), True, True) or b"")
        assert sender.status() == 0


def test_several_items_ask_for_too_much(house: Running) -> None:
    one = Dataset()
    one.Modality = "CT"
    two = Dataset()
    two.Modality = "MR"
    ((status, _, _),) = scu(house, wanted(ScheduledProcedureStepSequence=[one, two]))
    assert status == 0xA900


def test_without_the_setting_there_is_no_worklist(tmp_path: Path) -> None:
    with source(tmp_path / "kept") as plain:
        entity = AE("CT1")
        entity.add_requested_context(WORKLIST)
        assert not entity.associate("127.0.0.1", plain.port, ae_title="GATEWAY").is_established


# ---- a device that changes its mind ----


def test_a_cancel_ends_the_list(house: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled = threading.Event()
    receive = _dicom_association.Messages.receive_primitive

    def noticed(self: Any, primitive: Any) -> None:
        receive(self, primitive)
        if self.cancel_req:
            cancelled.set()

    monkeypatch.setattr(_dicom_association.Messages, "receive_primitive", noticed)
    house.intake.listed = lambda: Slowly([entry(n) for n in range(5)], lambda: cancelled.wait(WAIT_S))
    with Sender(house.port, {WORKLIST: [EXPLICIT]}) as sender:
        assert sender.associate() == 2
        ask(sender, 7, encode(wanted(), False, True) or b"")
        first = sender.response()
        assert (first.Status, first.MessageIDBeingRespondedTo) == (0xFF00, 7)
        assert decode_pdv(sender.read()[1]).PatientID == "BN0"
        sender.command(
            {0x0100: struct.pack("<H", 0x0FFF), 0x0120: struct.pack("<H", 7), 0x0800: struct.pack("<H", 0x0101)}
        )
        assert sender.status() == 0xFE00
        house.intake.listed = lambda: [entry(1)]
        ask(sender, 7, encode(wanted(), False, True) or b"")  # the cancel was of the question before
        assert sender.status() == 0xFF00
        sender.read()
        assert sender.status() == 0
        sender.release()


class Slowly(Sequence[Any]):
    """A list of which everything but the first waits."""

    def __init__(self, found: list[Any], wait: Callable[[], object]) -> None:
        self._found, self._wait = found, wait

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, index: Any) -> Any:
        if index:
            self._wait()
        return self._found[index]


def ask(sender: Sender, number: int, content: bytes) -> None:
    """Send C-FIND."""
    command = {
        0x0002: WORKLIST.encode(),
        0x0100: struct.pack("<H", 0x0020),
        0x0110: struct.pack("<H", number),
        0x0700: struct.pack("<H", 0),
        0x0800: struct.pack("<H", 0x0001),
    }
    sender.command(command)
    sender.values((1, b"\x02" + content))


def decode_pdv(content: bytes) -> Dataset:
    return decode(BytesIO(content[6:]), False, True)
