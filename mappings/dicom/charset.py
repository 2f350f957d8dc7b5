"""Turn the bytes of DICOM text into text: by SpecificCharacterSet, and by what a site knows where DICOM has no name.

Never fails: what cannot be read stands as U+FFFD, and the `doubts` of a `Charset` say so. Vietnamese single-byte sets
(TCVN 5712, VISCII, VNI) have no name in DICOM; a site names the one of a device as `assumed`, which then holds for
objects that name none, or only the Latin-1 that devices write without looking.

Standard: DICOM PS3.3 §C.12.1.1.2; PS3.5 §6.1
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable, Sequence

from pydicom.charset import CODES_TO_ENCODINGS, STAND_ALONE_ENCODINGS, python_encoding

from mappings.dicom import faults
from mappings.formats import charsets

_ESC = b"\x1b"
_PARTS = re.compile(b"(^[^\x1b]+|\x1b[^\x1b]*)")
_RESETS = re.compile(rb"[\r\n\f\t\\^=]")
_KEEP_ESCAPES = frozenset({"iso2022_jp", "iso2022_jp_2"})
"""Codecs of Python that read the escape sequences themselves."""
_DEFAULT_SETS = frozenset({"", "ISO_IR 6", "ISO 2022 IR 6", "ISO_IR 100", "ISO 2022 IR 100"})
"""What devices name that know nothing of the text."""
_THREE_BYTES = re.compile(b"[\xe1-\xef][\x80-\xbf]{2}")
_SPELLED = re.compile(r"^ISO[ _-]?(2022)?[ _-]*IR[ _-]*(\d+)$")

_VISCII_LOW = {0x02: "Ẳ", 0x05: "Ẵ", 0x06: "Ẫ", 0x14: "Ỷ", 0x19: "Ỹ", 0x1E: "Ỵ"}
_VISCII_HIGH = (
    "ẠẮẰẶẤẦẨẬẼẸẾỀỂỄỆỐỒỔỖỘỢỚỜỞỊỎỌỈỦŨỤỲÕắằặấầẩậẽẹếềểễệốồổỗỠƠộờởịỰỨỪỬơớƯÀÁÂÃẢĂẳẵÈÉÊẺÌÍĨỳĐứÒÓÔạỷừửÙÚỹỵÝỡư"
    "àáâãảăữẫèéêẻìíĩỉđựòóôõỏọụùúũủýợỮ"
)
"""RFC 1456, 0x80 to 0xFF."""


def _viscii(raw: bytes) -> str:
    return "".join(_VISCII_HIGH[byte - 0x80] if byte > 0x7F else _VISCII_LOW.get(byte, chr(byte)) for byte in raw)


def can_assume(name: str) -> bool:
    """Tell whether a setting names a character set that we can read: `tcvn3`, `viscii`, `vni`, `cp1258`, `utf-8` …"""
    return _assumed(name) is not None


def _assumed(name: str) -> Callable[[bytes], str] | None:
    folded = name.strip().lower()
    if folded == "viscii":
        return _viscii
    folded = "tcvn3" if folded in ("tcvn", "tcvn-5712", "tcvn5712", "tcvn5712-1") else folded
    if charsets.codec_name(folded) is None:
        return None
    return charsets.decoder(folded)


class Charset:
    """The character set of one data set, and what was odd about its text."""

    def __init__(self, names: Sequence[str] = (), assumed: str = "", doubts: set[int] | None = None) -> None:
        self.doubts: set[int] = set() if doubts is None else doubts
        """Codes of notices; shared by all data sets of an object."""
        self._assumed_name = assumed
        self.named = tuple(name.strip() for name in names)
        self._encodings = self._known()
        plain = all(name in _DEFAULT_SETS for name in self.named)
        self._assumed = _assumed(assumed) if assumed and plain else None
        self._stated = any(self.named)

    def within(self, names: Sequence[str]) -> Charset:
        """Give that of an item which names its own."""
        return Charset(names, self._assumed_name, self.doubts)

    def decode(self, raw: bytes) -> str:
        """Give the text, padding and all."""
        if raw.isascii() and _ESC not in raw:
            return raw.decode("ascii")
        if self._assumed is not None:
            try:
                return unicodedata.normalize("NFC", self._assumed(raw))
            except (UnicodeError, ValueError):
                self.doubts.add(faults.TEXT_UNDECODABLE)
                return raw.decode("ascii", "replace")
        if not self._stated:
            return self._unstated(raw)
        first = self._encodings[0]
        if first != "utf-8" and first in _SINGLE_BYTE and _ESC not in raw and _is_utf8(raw):
            self.doubts.add(faults.CHARSET_WRONG)
            return raw.decode("utf-8")
        try:
            return self._by_parts(raw) if _ESC in raw else raw.decode(first)
        except UnicodeError:
            self.doubts.add(faults.TEXT_UNDECODABLE)
            return raw.decode(first, "replace")

    def _unstated(self, raw: bytes) -> str:
        try:
            text = raw.decode("utf-8")
        except UnicodeError:
            self.doubts.add(faults.TEXT_UNDECODABLE)
            return raw.decode("ascii", "replace")
        if not raw.isascii():
            self.doubts.add(faults.CHARSET_ABSENT)
        return text

    def _known(self) -> list[str]:
        found = []
        for name in self.named or ("",):
            encoding = python_encoding.get(name) or python_encoding.get(_respelled(name))
            if encoding is None:
                self.doubts.add(faults.CHARSET_UNKNOWN)
                encoding = "utf-8"
            found.append("ascii" if name in ("", "ISO_IR 6") else codecs.lookup(encoding).name)
        if self.named and self.named[0] in STAND_ALONE_ENCODINGS:
            return found[:1]
        if found[0] == "ascii" and len(found) > 1:
            found[0] = "iso8859-1"
        return found

    def _by_parts(self, raw: bytes) -> str:
        """Follow the escape sequences; a delimiter goes back to the first set. Standard: DICOM PS3.5 §6.1.2.5.3"""
        first = self._encodings[0]
        text = []
        for part in _PARTS.findall(raw):
            if not part.startswith(_ESC):
                text.append(part.decode(first))
                continue
            length = 4 if part[1:3] in (b"$(", b"$)") else 3
            encoding = CODES_TO_ENCODINGS.get(part[:length])
            if encoding is None:
                raise UnicodeError
            if encoding in _KEEP_ESCAPES:
                text.append(part.decode(encoding))
                continue
            content = part[length:]
            reset = _RESETS.search(content)
            cut = reset.start() if reset else len(content)
            text.append(content[:cut].decode(encoding) + content[cut:].decode(first))
        return "".join(text)


_SINGLE_BYTE = frozenset({"ascii", "iso8859-1", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-9", "cp1252"})
"""Sets in which every Vietnamese letter in UTF-8 would read as rubbish."""


def _is_utf8(raw: bytes) -> bool:
    """Tell whether bytes are plainly UTF-8: valid, with a letter of three bytes as Vietnamese has, or nothing else possible."""
    try:
        raw.decode("utf-8")
    except UnicodeError:
        return False
    return bool(_THREE_BYTES.search(raw))


def _respelled(name: str) -> str:
    """Give the defined term for what some write in its place: `ISO IR 100`, `ISO-IR 192`, `UTF-8`."""
    upper = name.upper()
    if upper in ("UTF-8", "UTF8"):
        return "ISO_IR 192"
    form = _SPELLED.match(upper)
    if form is None:
        return upper
    return f"ISO 2022 IR {form[2]}" if form[1] else f"ISO_IR {form[2]}"
