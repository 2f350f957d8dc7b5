"""What is sent of a DICOM file, and the command before it, to the byte."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from pynetdicom.dimse_messages import C_STORE_RQ, C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import decode
from pynetdicom.pdu_primitives import P_DATA

from connectors._dicom_call import store_answer
from connectors._dicom_identifier import Unreadable
from connectors._dicom_store import _request, contexts_for, kinds
from connectors._dicom_store import data_set as behind_meta
from connectors.contract import Picture
from tests.dicom_peers import command_set
from tests.outgoing import Outgoing, data_set, made


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "image_dfl.dcm", "MR_small_bigendian.dcm", "JPEG2000.dcm", "test-SR.dcm"]
)
@pytest.mark.parametrize("size", [1, 131, 132, 133, 144, 400, 4096, 1 << 20])
def test_the_data_set_is_what_stands_behind_the_meta_information(name: str, size: int) -> None:
    file = made(name, 1)
    assert b"".join(behind_meta(pieces(file, size))) == data_set(file)


def test_meta_information_without_its_length_is_read_too() -> None:
    file = made("CT_small.dcm", 1)
    without = file[:132] + file[144:]  # (0002,0000) gone
    assert b"".join(behind_meta(pieces(without, 50))) == data_set(file)


def test_meta_information_longer_than_a_piece() -> None:
    file = made("CT_small.dcm", 1)
    private = b"\x02\x00\x02\x01OB\x00\x00" + struct.pack("<L", 300_000) + bytes(300_000)
    longer = file[: len(file) - len(data_set(file))] + private + data_set(file)
    assert b"".join(behind_meta(pieces(longer, 64 * 1024))) == data_set(file)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 131, b"\x00" * 500, b"no DICOM" * 100, bytes(128) + b"DICM", bytes(128) + b"DICM\x02\x00\x01"],
)
@pytest.mark.parametrize("size", [1, 200, 4096])
def test_what_is_no_file_is_not_sent(content: bytes, size: int) -> None:
    with pytest.raises(Unreadable):
        list(behind_meta(pieces(content, size)))


def test_the_command_is_what_pynetdicom_writes() -> None:
    (one,) = Outgoing([made("CT_small.dcm", 1)]).objects
    ours = _request(77, one)
    read = decode(BytesIO(ours), True, True)
    message = C_STORE_RQ()
    primitive = C_STORE()
    primitive.MessageID, primitive.Priority = 77, 0
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = one.sop_class, one.sop_instance
    primitive.DataSet = BytesIO(b"\x00\x00")
    message.primitive_to_message(primitive)
    assert read == message.command_set
    assert len(ours) - 12 == read.CommandGroupLength
    assert len(ours) % 2 == 0


def _answer(**more: bytes) -> dict[int, bytes]:
    usual = {
        0x0002: b"1.2.840.10008.5.1.4.1.1.2\x00",
        0x0100: b"\x01\x80",
        0x0120: b"\x4d\x01",
        0x0800: b"\x01\x01",
        0x0900: b"\x00\xa7",
        0x1000: b"1.2",
    }
    return usual | {int(name[1:], 16): value for name, value in more.items()}


def test_an_answer_to_an_object_is_read_as_pynetdicom_reads_it() -> None:
    value = b"\x03" + command_set(_answer())
    ours = store_answer(value)
    assert ours is not None
    message = C_STORE_RSP()
    primitive = P_DATA()
    primitive.presentation_data_value_list.append((1, value))
    assert message.decode_msg(primitive)
    theirs: Any = message.message_to_primitive()
    assert (ours.MessageIDBeingRespondedTo, ours.Status) == (theirs.MessageIDBeingRespondedTo, theirs.Status)
    assert (ours.MessageIDBeingRespondedTo, ours.Status) == (0x014D, 0xA700)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x03",
        b"\x01" + command_set(_answer()),  # more of the command follows
        b"\x02" + command_set(_answer()),
        b"\x03" + command_set(_answer())[:-1],
        b"\x03" + command_set(_answer()) + b"\x00",
        b"\x03" + command_set(_answer(x0100=b"\x20\x80")),
        b"\x03" + command_set(_answer(x0100=b"\x01\x00")),
        b"\x03" + command_set(_answer(x0800=b"\x01\x00")),
        b"\x03" + command_set(_answer(x0900=b"")),
        b"\x03" + command_set(_answer(x0120=b"\x00\x00\x00\x00")),
        b"\x03\x08\x00" + command_set(_answer())[2:],
        b"\x03\x00\x00\x00\x01\xff\xff\xff\xff",
    ],
)
def test_what_is_no_such_answer_is_left_to_pynetdicom(value: bytes) -> None:
    assert store_answer(value) is None


def test_each_kind_has_a_context_of_its_own() -> None:
    def one(sop_class: str, syntax: str, number: int) -> Picture:
        return Picture("1", f"1.{number}", sop_class, syntax, 1, "")

    objects = [one("1.2", "1.3", 1), one("1.2", "1.4", 2), one("1.2", "1.3", 3), one("1.2", "", 4)]
    assert kinds(objects) == [("1.2", "1.3"), ("1.2", "1.4"), ("1.2", "")]
    contexts = contexts_for(kinds(objects))
    assert [(context.abstract_syntax, context.transfer_syntax) for context in contexts] == [
        ("1.2", ["1.3"]),
        ("1.2", ["1.4"]),
    ]
