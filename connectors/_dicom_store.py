"""Send objects (C-STORE): each as its bytes are kept, in the transfer syntax it is kept in, one after the other.

Nothing is transcoded, and no object is in memory as a whole. The association is a `Call`; what the peer answers to one object
is given back, what ends the association is raised.

Standard: DICOM PS3.4 §B.2 (Storage), PS3.7 §9.1.1 and §9.3.1 (C-STORE), PS3.8 §9.3.5 and Annex E (P-DATA-TF)
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from pydicom.uid import UID
from pynetdicom import build_context
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.presentation import PresentationContext

from connectors._dicom_call import Call
from connectors._dicom_identifier import Unreadable, head
from connectors.contract import Picture
from connectors.faults import PacsCannotProcess, PacsRefused, ServiceNotOffered

Kind = tuple[str, str]
"""SOP Class UID and Transfer Syntax UID."""

MOST_KINDS: Final = 127
"""Of one association, beside one context for questions (PS3.8 §9.3.2.2 numbers them with odd bytes)."""
ALREADY_THERE: Final = 0x0111
"""Duplicate SOP Instance: no status of C-STORE, and some say it (PS3.7 §C.5.7)."""
_COMMAND_LAST, _DATA, _DATA_LAST = b"\x03", b"\x00", b"\x02"
_PDV_HEAD: Final = 6
_LARGEST: Final = 128 * 1024
"""Of a PDU, where a peer takes larger ones; a larger one brings nothing more."""
_AHEAD: Final = 8
"""PDUs that wait to be written."""
_LOOK_S: Final = 0.25
_META: Final = 0x0002
_PREAMBLE: Final = 132


def kinds(objects: Collection[Picture]) -> list[Kind]:
    """Give the kinds of objects there are, each once, in their order."""
    return list(dict.fromkeys((one.sop_class, one.transfer_syntax) for one in objects))


def contexts_for(wanted: Sequence[Kind]) -> list[PresentationContext]:
    """Give a context for each kind: whoever accepts it takes the objects as they are kept."""
    return [build_context(sop_class, [syntax]) for sop_class, syntax in wanted if sop_class and syntax]


def accepted(call: Call) -> Mapping[Kind, PresentationContext]:
    """Give the contexts that a peer accepted, by kind."""
    return {
        (str(one.abstract_syntax), str(one.transfer_syntax[0])): one for one in call.accepted_contexts if one.as_scu
    }


def store(call: Call, context: PresentationContext, one: Picture, pieces: Iterator[bytes]) -> int:
    """Send one object and give the status that answers it: 0000, a warning (Bxxx), or a no to this object.

    Raises PacsBusy (A7xx: to nobody of the study now), PacsBrokeOff, PacsSilent, PacsAnswerInvalid, what `pieces` raises, and
    Unreadable for what is no DICOM file.
    """
    number = call.next_number()
    context_id = cast(int, context.context_id)
    call.idle = False
    _put(call, context_id, _COMMAND_LAST + _request(number, one))
    room = _room(call)
    held = bytearray()
    for piece in data_set(pieces):
        held += piece
        while len(held) > room:
            _put(call, context_id, _DATA + held[:room])
            del held[:room]
    _put(call, context_id, _DATA_LAST + held)
    status = 0
    try:
        for answer in call.answers(C_STORE, number, call.settings.dimse_timeout):
            status = answer.Status or 0
    except (PacsRefused, PacsCannotProcess, ServiceNotOffered):
        pass
    return status


def data_set(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Give what stands behind the file meta information of a DICOM file, in pieces; raises Unreadable.

    Standard: DICOM PS3.10 §7.1
    """
    held = b""
    for piece in pieces:
        held += piece
        start = _after_meta(held)
        if start < len(held):
            yield held[start:]
            yield from pieces
            return
    raise Unreadable


def _after_meta(data: bytes) -> int:
    """Give where the data set starts, or the end where that is not yet to be seen."""
    if len(data) >= _PREAMBLE and data[128:_PREAMBLE] != b"DICM":
        raise Unreadable
    position = _PREAMBLE
    while position + 12 <= len(data):
        if data[position : position + 2] != b"\x02\x00":
            return position
        _, length, start = head(data, position, implicit=False)
        position = start + length
    return len(data)


def _request(number: int, one: Picture) -> bytes:
    """Encode C-STORE-RQ, in implicit VR little endian (PS3.7 §6.3.1)."""
    elements = (
        (0x0002, _uid(one.sop_class)),
        (0x0100, b"\x01\x00"),
        (0x0110, struct.pack("<H", number)),
        (0x0700, b"\x00\x00"),  # priority: medium
        (0x0800, b"\x01\x00"),  # a data set follows
        (0x1000, _uid(one.sop_instance)),
    )
    body = b"".join(struct.pack("<HHL", 0, element, len(value)) + value for element, value in elements)
    return struct.pack("<HHLL", 0, 0, 4, len(body)) + body


def _uid(text: str) -> bytes:
    value = UID(text).encode("ascii")
    return value + b"\x00" * (len(value) % 2)


def _room(call: Call) -> int:
    """Give how many bytes of a data set go into one PDU; even, as each piece has to be."""
    longest = min(call.acceptor.maximum_length or _LARGEST, _LARGEST)
    return (longest - _PDV_HEAD) // 2 * 2


def _put(call: Call, context_id: int, value: bytes | bytearray) -> None:
    """Hand over one PDU as soon as few enough wait to be written; raises what ended the association."""
    while not call.wait_for_room(_AHEAD, _LOOK_S):
        call.look()
    primitive: Any = P_DATA()
    primitive.presentation_data_value_list.append((context_id, bytes(value)))
    call.dul.send_pdu(primitive)
