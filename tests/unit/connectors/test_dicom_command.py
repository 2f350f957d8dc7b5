"""C-STORE as bytes, judged by pynetdicom: what it writes is read, and what we write is what it would."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from pydicom.uid import UID
from pynetdicom.dimse_messages import C_STORE_RQ, C_STORE_RSP, DIMSEMessage
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import P_DATA_TF

from connectors.sources._dicom_command import StoreRequest, fragments, pdu, read_store_request, store_response
from tests.dicom_peers import command_set

CLASS, INSTANCE = "1.2.840.10008.5.1.4.1.1.2", "1.2.826.0.1.3680043.8.498.1"
USUAL = {
    0x0002: CLASS.encode(),
    0x0100: b"\x01\x00",
    0x0110: b"\x07\x00",
    0x0700: b"\x00\x00",
    0x0800: b"\x01\x00",
    0x1000: INSTANCE.encode(),
}


def written(message: DIMSEMessage, primitive: C_STORE) -> bytes:
    message.primitive_to_message(primitive)
    values = [value for part in message.encode_msg(1, 0) for _, value in part.presentation_data_value_list]
    return b"".join(value[1:] for value in values if value[0] & 1)


def test_what_pynetdicom_asks_is_read() -> None:
    asked = C_STORE()
    asked.MessageID, asked.Priority = 65535, 1
    asked.AffectedSOPClassUID, asked.AffectedSOPInstanceUID = UID(CLASS), UID(INSTANCE)
    asked.MoveOriginatorApplicationEntityTitle, asked.MoveOriginatorMessageID = "WORKSTATION", 3
    asked.DataSet = BytesIO(b"x")
    assert read_store_request(written(C_STORE_RQ(), asked)) == StoreRequest(CLASS, INSTANCE, 65535)


@pytest.mark.parametrize("uid", ["1.2", "1." + "2" * 62])
def test_uids_of_even_and_odd_length_are_read(uid: str) -> None:
    request = read_store_request(command_set(USUAL | {0x1000: uid.encode()}))
    assert request == StoreRequest(CLASS, uid, 7)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"NGUYEN VAN AN", id="no command set"),
        pytest.param(command_set(USUAL)[:-1], id="cut in a value"),
        pytest.param(command_set(USUAL)[:-30], id="cut in an element"),
        pytest.param(command_set(USUAL) + struct.pack("<HHL", 8, 0x18, 0), id="another group"),
        pytest.param(command_set(USUAL) + struct.pack("<HHL", 0, 0x1000, 0), id="an element twice"),
        pytest.param(command_set(USUAL | {0x0100: b"\x20\x00"}), id="another request"),
        pytest.param(command_set(USUAL | {0x0800: b"\x01\x01"}), id="no data set"),
        pytest.param(command_set(USUAL | {0x0110: b"\x01\x00\x00\x00"}), id="a message id of four bytes"),
        *(pytest.param(command_set({k: v for k, v in USUAL.items() if k != one}), id=f"without {one:04x}")
          for one in (0x0002, 0x0100, 0x0110, 0x0800, 0x1000)),
        *(pytest.param(command_set(USUAL | {0x1000: uid}), id=f"UID {uid!r}")
          for uid in (b"", b" 1.2.3", b"1.2.x", b"1." + b"2" * 63, b"1.2\\1.3")),
    ],
)  # fmt: skip
def test_what_is_not_as_usual_is_left_to_others(command: bytes) -> None:
    assert read_store_request(command) is None


@pytest.mark.parametrize(("status", "comment"), [(0, ""), (0xA700, "LT2040 ObjectStoreAway"), (0xC122, "odd")])
@pytest.mark.parametrize("uid", [INSTANCE, INSTANCE + "1"])
def test_an_answer_is_what_pynetdicom_would_write(status: int, comment: str, uid: str) -> None:
    answer = C_STORE()
    answer.MessageIDBeingRespondedTo = 7
    answer.AffectedSOPClassUID, answer.AffectedSOPInstanceUID = UID(CLASS), UID(uid)
    answer.Status = status
    if comment:
        answer.ErrorComment = comment  # type: ignore[assignment]  # pynetdicom declares nothing
    assert store_response(StoreRequest(CLASS, uid, 7), status, comment) == written(C_STORE_RSP(), answer)


def test_what_a_request_does_not_say_its_answer_does_not_say_either() -> None:
    answer = C_STORE()
    answer.MessageIDBeingRespondedTo, answer.Status = 7, 0xC122
    assert store_response(StoreRequest("", "", 7), 0xC122) == written(C_STORE_RSP(), answer)


@pytest.mark.parametrize("longest", [0, 16, 100, 148, 149, 150, 16384])
def test_an_answer_goes_in_parts_that_the_peer_can_take(longest: int) -> None:
    command = store_response(StoreRequest(CLASS, INSTANCE, 7), 0)
    parts = list(fragments(command, longest))
    assert b"".join(part[1:] for part in parts) == command
    assert [part[0] for part in parts] == [1] * (len(parts) - 1) + [3]
    for part in parts:
        whole = pdu(5, part)
        assert not longest or len(whole) - 6 <= longest
        read = P_DATA_TF()
        read.decode(whole)
        assert read.to_primitive().presentation_data_value_list == [(5, part)]
