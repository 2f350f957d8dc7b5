"""The command sets of C-STORE as bytes: read the request, write the response.

An object costs one of each; as data sets of pydicom they took longer than everything else between two objects. A request that
is not written as usual is nobody's fault: it gives None here, and whoever asked reads it in the general way.

Standard: DICOM PS3.7 §6.3.1, §9.3.1 (C-STORE), Annex E; PS3.8 §9.3.5 and Annex E (P-DATA-TF)
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_C_STORE_RQ: Final = 0x0001
_C_STORE_RSP: Final = 0x8001
_NO_DATA_SET: Final = 0x0101
_SOP_CLASS, _FIELD, _ID, _ANSWERED, _DATA_SET, _STATUS, _COMMENT, _SOP_INSTANCE = (
    *(0x0002, 0x0100, 0x0110, 0x0120),
    *(0x0800, 0x0900, 0x0902, 0x1000),
)
_ELEMENT: Final = struct.Struct("<HHL")
_SHORT: Final = struct.Struct("<H")
_LENGTH: Final = struct.Struct("<HHLL")
_PDU: Final = struct.Struct(">BBLLBB")
_UID: Final = re.compile(rb"([0-9.]{1,64})\0?")
_AROUND_VALUE: Final = 6
"""What stands in a PDU before the value: length, context, control header."""
_COMMAND, _LAST = 1, 2


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """What C-STORE-RQ says; a UID that it does not say is empty."""

    sop_class: str
    sop_instance: str
    message_id: int | None


def read_store_request(command: bytes) -> StoreRequest | None:
    """Read a command set; None for every other message, for one without a data set, and for what is not as usual."""
    found: dict[int, bytes] = {}
    position, last = 0, -1
    while position < len(command):
        if position + 8 > len(command):
            return None
        group, element, length = _ELEMENT.unpack_from(command, position)
        position += 8
        if group or element <= last or position + length > len(command):
            return None
        found[element] = command[position : position + length]
        position, last = position + length, element
    sop_class, sop_instance = (_UID.fullmatch(found.get(one, b"")) for one in (_SOP_CLASS, _SOP_INSTANCE))
    shorts = [found.get(one, b"") for one in (_FIELD, _ID, _DATA_SET)]
    if sop_class is None or sop_instance is None or any(len(one) != 2 for one in shorts):
        return None
    kind, number, data_set = (_SHORT.unpack(one)[0] for one in shorts)
    if kind != _C_STORE_RQ or data_set == _NO_DATA_SET:
        return None
    return StoreRequest(sop_class[1].decode("ascii"), sop_instance[1].decode("ascii"), number)


def store_response(request: StoreRequest, status: int, comment: str = "") -> bytes:
    """Write the command set that answers; `comment` in ASCII, 64 characters at most."""
    elements = [
        (_SOP_CLASS, _text(request.sop_class, b"\0")),
        (_FIELD, _SHORT.pack(_C_STORE_RSP)),
        (_ANSWERED, _SHORT.pack(request.message_id or 0)),
        (_DATA_SET, _SHORT.pack(_NO_DATA_SET)),
        (_STATUS, _SHORT.pack(status)),
        (_COMMENT, _text(comment, b" ")),
        (_SOP_INSTANCE, _text(request.sop_instance, b"\0")),
    ]
    body = b"".join(_ELEMENT.pack(0, element, len(value)) + value for element, value in elements if value)
    return _LENGTH.pack(0, 0, 4, len(body)) + body


def _text(text: str, padding: bytes) -> bytes:
    value = text.encode("ascii", "replace")
    return value + padding if len(value) % 2 else value


def fragments(command: bytes, longest: int) -> Iterator[bytes]:
    """Give a command set in values, each with its control header, that PDUs of `longest` bytes can carry; 0 is no limit."""
    size = longest - _AROUND_VALUE if longest else len(command)
    for start in range(0, len(command), size):
        last = start + size >= len(command)
        yield bytes([_COMMAND | (_LAST if last else 0)]) + command[start : start + size]


def pdu(context_id: int, value: bytes) -> bytes:
    """Write a P-DATA-TF with one value, which begins with its control header."""
    return _PDU.pack(4, 0, len(value) + 5, len(value) + 1, context_id, value[0]) + value[1:]
