"""Read the header of one DICOM object: every attribute before the pixels, as the DICOM JSON Model.

Takes files as they are: without preamble or meta information, in another transfer syntax than they say, cut short,
deflated, with private attributes and wrong VRs. Text is decoded; DS and IS stay as written. Left out, with their
length, are pixels, overlays, curves, waveforms, long values and long sequences; documents (SR, key objects,
presentation states, encapsulated files) are read whole. What was odd is in the notices. Does not check an object
against its SOP class.

Standard: DICOM PS3.10 §7; PS3.5 §7; PS3.18 Annex F
Requirement: S1.4
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

from mappings.dicom import faults
from mappings.dicom.charset import Charset
from mappings.dicom.elements import Dataset, Reader
from mappings.dicom.limits import DEFAULT, Limits
from mappings.dicom.stream import Inflated, Stream
from mappings.dicom.values import VRS
from mappings.outcome import Notice

IMPLICIT, DEFLATED, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
EXPLICIT = "1.2.840.10008.1.2.1"
_DEFLATED = frozenset({DEFLATED, "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
"""Deflated, and the two JPIP syntaxes with deflate. Standard: DICOM PS3.5 §A.5, §A.7, §A.11"""
_IMPLICIT = frozenset({IMPLICIT, "1.2.840.113619.5.2"})
"""Implicit, and GE's private one, whose header is implicit too."""
_DIRECTORY = "1.2.840.10008.1.3.10"
_SR = "1.2.840.10008.5.1.4.1.1.88."
DOCUMENTS = frozenset(
    {f"{_SR}{n}" for n in (11, 22, 33, 34, 35, 40, 50, 59, 65, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76)}
    | {f"1.2.840.10008.5.1.4.1.1.104.{n}" for n in (1, 2)}
    | {f"1.2.840.10008.5.1.4.1.1.11.{n}" for n in range(1, 13)}
)
"""SOP classes that are read whole: structured reports and key objects, encapsulated PDF and CDA, presentation states.

Standard: DICOM PS3.4 §B.5
"""
STUDY, SERIES, INSTANCE, SOP_CLASS = "0020000D", "0020000E", "00080018", "00080016"
_UIDS = (INSTANCE, STUDY, SERIES)
_UID = re.compile(r"^[0-9]+(\.[0-9]+)+$")
_CODES = frozenset(vr.encode() for vr in VRS)


@dataclass(frozen=True)
class Header:
    """What one object says before its pixels."""

    attributes: dict[str, Any] = field(repr=False)
    """DICOM JSON Model: `{"00100020": {"vr": "LO", "Value": ["BN1"]}}`; floats are `Decimal`. What was left out is
    `{"vr": "OW", "BulkDataURI": "", "Length": 524288}`, without `Length` where only the end of the file tells it."""
    transfer_syntax: str
    """UID, as the file says it; the one it is written in when it says none."""
    notices: tuple[Notice, ...] = ()

    @property
    def study(self) -> str:
        """StudyInstanceUID."""
        return text(self.attributes, STUDY)

    @property
    def series(self) -> str:
        """SeriesInstanceUID."""
        return text(self.attributes, SERIES)

    @property
    def instance(self) -> str:
        """SOPInstanceUID."""
        return text(self.attributes, INSTANCE)

    @property
    def sop_class(self) -> str:
        """SOPClassUID; `""` where the object does not say it."""
        return text(self.attributes, SOP_CLASS)


def text(attributes: Mapping[str, Any], tag: str) -> str:
    """Give the first value of an attribute as text; `""` when there is none."""
    values = attributes.get(tag, {}).get("Value")
    first = values[0] if values else None
    return "" if first is None or isinstance(first, dict) else str(first)


def read_header(source: BinaryIO, *, assumed_charset: str = "", limits: Limits = DEFAULT) -> Header:
    """Read a header from where the file stands; the file stays open, somewhere behind the header.

    `assumed_charset` names the character set of devices that cannot name theirs (`tcvn3`, `viscii`, `vni`); see
    `mappings.dicom.charset.can_assume`. Raises `NotDicom`, `UidMissing`, `UidInvalid`, `DirectoryFile`, `HeaderTooLarge`,
    `NestedTooDeeply`; an `OSError` of the file itself is let through.
    """
    stream = Stream.of(source)
    has_prefix = _pass_prefix(stream)
    meta = _meta(stream, limits)
    said = text(meta, "00020010")
    if text(meta, "00020002") == _DIRECTORY:
        raise faults.DirectoryFile
    if said in _DEFLATED:
        stream = Stream(Inflated(stream, limits.inflated))
    explicit, little = _written(stream, said)
    if not has_prefix and not meta and not _begins_well(stream, explicit, little):
        raise faults.NotDicom
    reader = Reader(stream, explicit=explicit, little=little, limits=limits, charset=Charset(assumed=assumed_charset))
    reader.documents = DOCUMENTS
    charset = reader.charset
    attributes = reader.read()
    _require(attributes)
    syntax, fits = _syntax(said, explicit, little)
    notices = [*reader.notices.items(), *((doubt, "(0008,0005)") for doubt in sorted(charset.doubts))]
    if not fits:
        notices.append((faults.SYNTAX_MISMATCH, "(0002,0010)"))
    return Header(attributes, syntax, tuple(Notice(code, where) for code, where in notices))


def _pass_prefix(stream: Stream) -> bool:
    """Pass over the preamble, where there is one."""
    if stream.peek(132)[128:] == b"DICM":
        stream.skip(132)
        return True
    if stream.peek(4) == b"DICM":
        stream.skip(4)
        return True
    return False


def _meta(stream: Stream, limits: Limits) -> Dataset:
    """Read group 0002, and pass over what was written before the data set by mistake (a command set).

    Always explicit and little endian; the reader sees it where some are not explicit. Standard: DICOM PS3.10 §7.1
    """
    found: Dataset = {}
    while (head := stream.peek(4))[:2] in (b"\x02\x00", b"\x00\x00") and len(head) == 4 and len(stream.peek(8)) == 8:
        if head == b"\x00\x00\x00\x00" and stream.peek(8)[4:] == b"\x00\x00\x00\x00":
            break
        element = Reader(stream, explicit=head[:2] == b"\x02\x00", little=True, limits=limits, charset=Charset()).one()
        if element is None:
            break
        if head[:2] == b"\x02\x00":
            found[element[0]] = element[1]
    return found


def _written(stream: Stream, said: str) -> tuple[bool, bool]:
    """Tell how the data set is written: explicit, little endian. The bytes decide over what the file says."""
    head = stream.peek(8)
    if len(head) < 6:
        return said not in _IMPLICIT, said != BIG
    explicit = head[4:6] in _CODES
    if not explicit:
        return False, not (head[0] == 0 and head[1] != 0)
    return True, not (head[0] == 0 and head[1] != 0)


def _begins_well(stream: Stream, explicit: bool, little: bool) -> bool:
    """Tell whether bytes without any mark of DICOM may be a data set: they begin with a low group, and a sane length."""
    head = stream.peek(8)
    if len(head) < 8:
        return False
    order: Literal["little", "big"] = "little" if little else "big"
    group = int.from_bytes(head[:2], order)
    if group not in (0x0004, 0x0008, 0x0010):
        return False
    return explicit or int.from_bytes(head[4:], order) < 64 * 1024


def _syntax(said: str, explicit: bool, little: bool) -> tuple[str, bool]:
    """Give the transfer syntax, and whether the file says the one that it is written in."""
    found = (EXPLICIT if little else BIG) if explicit else IMPLICIT
    if not said:
        return found, False
    return said, explicit == (said not in _IMPLICIT) and little == (said != BIG)


def _require(attributes: Dataset) -> None:
    if "00041220" in attributes or "00041130" in attributes:
        raise faults.DirectoryFile
    for tag in _UIDS:
        uid = text(attributes, tag)
        where = f"({tag[:4]},{tag[4:]})"
        if not uid:
            if not attributes:
                raise faults.NotDicom
            raise faults.UidMissing(where)
        if len(uid) > 64 or not _UID.match(uid):
            raise faults.UidInvalid(where)
