"""The visible block of a PDF signature: who, as what, when, with which certificate.

The font goes into the file, cut down to the Vietnamese alphabet; that is done once per process. Letters are drawn one by one,
composed (NFC): right for Vietnamese and its neighbours in the Latin alphabet, not for scripts whose letters join.

Not here: where the block stands (`pades_field`).

Standard: ISO 32000-1 §8.10, §9.7, §9.10.3, §12.5.5; ISO 14289-1 §7.21
Requirement: S3.9
"""

from __future__ import annotations

import io
import logging
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cryptography import x509
from fontTools import subset
from fontTools.ttLib import TTFont, TTLibError
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name

from mappings.formats.dates import VIETNAM
from signing import certificates
from signing.faults import FontMissing

FONTS = ("LiberationSans-Regular.ttf", "LiberationSerif-Regular.ttf", "DejaVuSans.ttf", "NotoSans-Regular.ttf")
"""The first one that is installed and has every letter is used (Liberation before 2.0 has not); all may be embedded."""
FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
_ALPHABET = (
    "".join(chr(code) for code in range(0x20, 0x7F))
    + "ÀÁÂÃÈÉÊÌÍÒÓÔÕÙÚÝàáâãèéêìíòóôõùúýĂăĐđĨĩŨũƠơƯư…–"
    + "".join(chr(code) for code in range(0x1EA0, 0x1EFA))
)
_PADDING = 3.0
_LARGEST = 9.0
_LEADING = 1.2
_GREEN = "0.043 0.365 0.165"
_SERIAL = 16
"""Longer serial numbers are shown by their last digits."""
_CHUNK = 100
"""Entries that one section of a ToUnicode table may have."""


def lines(certificate: x509.Certificate, at: datetime) -> tuple[str, ...]:
    """Tell who signs, when (Vietnamese time) and with what; the words are those of the printed papers."""
    signer = certificates.signer_of(certificate)
    name = f"{signer.name}, {signer.title}" if signer.title else signer.name or signer.organisation
    serial = signer.serial if len(signer.serial) <= _SERIAL else f"…{signer.serial[-_SERIAL:]}"
    moment = at.astimezone(ZoneInfo(VIETNAM))
    return (
        f"Ký bởi: {name}",
        f"Thời gian ký: {moment:%d/%m/%Y %H:%M:%S}",
        f"Số sê-ri chứng thư: {serial}",
    )


def draw(writer: Any, said: Sequence[str], width: float, height: float) -> Any:
    """Add a form XObject with these lines in a frame to `writer` and return the reference.

    Raises FontMissing.
    """
    shown = [_clean(line) for line in said]
    font = _font("".join(sorted(set("".join(shown)) - set(_ALPHABET))))
    widest = max((font.width(line) for line in shown), default=0) or 1
    size = min(_LARGEST, (height - _PADDING) / (_LEADING * len(shown)), (width - 2 * _PADDING) / widest * 1000)
    size = max(size, 1.0)
    top = height - (height - size * _LEADING * len(shown)) / 2 - size * 0.95
    content = [
        f"q {_GREEN} RG 0.5 w 0.25 0.25 {width - 0.5:.2f} {height - 0.5:.2f} re S Q",
        f"BT {_GREEN} rg /F1 {size:.2f} Tf {size * _LEADING:.2f} TL {_PADDING:.2f} {top:.2f} Td",
        *(f"<{font.encoded(line)}> Tj T*" for line in shown),
        "ET",
    ]
    resources = generic.DictionaryObject(
        {pdf_name("/Font"): generic.DictionaryObject({pdf_name("/F1"): font.add_to(writer)})}
    )
    block = generic.StreamObject(
        dict_data={
            pdf_name("/Type"): pdf_name("/XObject"),
            pdf_name("/Subtype"): pdf_name("/Form"),
            pdf_name("/BBox"): generic.ArrayObject(
                [generic.FloatObject(f"{one:.2f}") for one in (0, 0, width, height)]
            ),
            pdf_name("/Resources"): resources,
        },
        stream_data="\n".join(content).encode(),
    )
    return writer.add_object(block)


def _clean(line: str) -> str:
    """Compose letters and leave out what prints nothing or turns the direction of writing."""
    return "".join(letter for letter in unicodedata.normalize("NFC", line) if letter.isprintable())


@dataclass(frozen=True)
class _Font:
    """A font cut down to some letters, in the form in which a PDF holds it."""

    name: str
    file: bytes = field(repr=False)
    """Compressed."""
    length: int
    glyphs: Mapping[str, int] = field(repr=False)
    widths: tuple[int, ...] = field(repr=False)
    """By glyph, in thousandths of the size."""
    box: tuple[int, ...]
    ascent: int
    descent: int
    table: bytes = field(repr=False)
    """ToUnicode, compressed: what is copied out of the block is what it says."""

    def width(self, line: str) -> int:
        return sum(self.widths[self.glyphs[letter]] for letter in line)

    def encoded(self, line: str) -> str:
        return "".join(f"{self.glyphs[letter]:04x}" for letter in line)

    def add_to(self, writer: Any) -> Any:
        name = pdf_name(f"/{self.name}")
        file = writer.add_object(_compressed(self.file, {pdf_name("/Length1"): _number(self.length)}))
        descriptor = {
            "/Type": pdf_name("/FontDescriptor"),
            "/FontName": name,
            "/Flags": _number(4),
            "/FontBBox": generic.ArrayObject([_number(one) for one in self.box]),
            "/ItalicAngle": _number(0),
            "/Ascent": _number(self.ascent),
            "/Descent": _number(self.descent),
            "/CapHeight": _number(self.ascent),
            "/StemV": _number(80),
            "/FontFile2": file,
        }
        system = {
            "/Registry": generic.pdf_string("Adobe"),
            "/Ordering": generic.pdf_string("Identity"),
            "/Supplement": _number(0),
        }
        widths = generic.ArrayObject([_number(one) for one in self.widths])
        glyphs = {
            "/Type": pdf_name("/Font"),
            "/Subtype": pdf_name("/CIDFontType2"),
            "/BaseFont": name,
            "/CIDSystemInfo": _dictionary(system),
            "/FontDescriptor": writer.add_object(_dictionary(descriptor)),
            "/W": generic.ArrayObject([_number(0), widths]),
            "/CIDToGIDMap": pdf_name("/Identity"),
        }
        whole = {
            "/Type": pdf_name("/Font"),
            "/Subtype": pdf_name("/Type0"),
            "/BaseFont": name,
            "/Encoding": pdf_name("/Identity-H"),
            "/DescendantFonts": generic.ArrayObject([writer.add_object(_dictionary(glyphs))]),
            "/ToUnicode": writer.add_object(_compressed(self.table, {})),
        }
        return writer.add_object(_dictionary(whole))


def _number(value: int) -> Any:
    return generic.NumberObject(value)


def _dictionary(entries: Mapping[str, Any]) -> Any:
    return generic.DictionaryObject({pdf_name(key): value for key, value in entries.items()})


def _compressed(data: bytes, more: Mapping[Any, Any]) -> Any:
    return generic.StreamObject(dict_data={pdf_name("/Filter"): pdf_name("/FlateDecode"), **more}, encoded_data=data)


@cache
def _installed() -> tuple[Path, ...]:
    every = (path for folder in FOLDERS for path in Path(folder).expanduser().rglob("*.ttf"))
    return tuple(sorted((path for path in every if path.name in FONTS), key=lambda path: FONTS.index(path.name)))


@cache
def _font(more: str) -> _Font:
    """Cut the first font that will do down to the alphabet and what else is asked for."""
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    wanted = {ord(letter) for letter in _ALPHABET + more}
    for file in _installed():
        try:
            with TTFont(file, lazy=True) as whole:
                missing = wanted - whole.getBestCmap().keys()
                if not missing:
                    return _cut(whole, file.stem, _ALPHABET + more)
        except (OSError, TTLibError, KeyError, AttributeError):
            continue  # a file that is no such font: the next one may be
    raise FontMissing("font", ", ".join(FONTS))


def _cut(whole: TTFont, name: str, letters: str) -> _Font:
    options = subset.Options(hinting=False, layout_features=[], notdef_outline=True, name_IDs=[])
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "FFTM"]
    cutter = subset.Subsetter(options)
    cutter.populate(text=letters)
    cutter.subset(whole)
    glyphs = {chr(code): whole.getGlyphID(glyph) for code, glyph in whole.getBestCmap().items()}
    scale = 1000 / whole["head"].unitsPerEm
    widths = tuple(round(whole["hmtx"][glyph][0] * scale) for glyph in whole.getGlyphOrder())
    head, vertical = whole["head"], whole["hhea"]
    for table in ("name", "OS/2", "post", "cmap"):
        if table in whole:
            del whole[table]
    file = io.BytesIO()
    whole.save(file)
    return _Font(
        name=f"LTHONG+{name}",
        file=zlib.compress(file.getvalue(), 9),
        length=len(file.getvalue()),
        glyphs=glyphs,
        widths=widths,
        box=tuple(round(one * scale) for one in (head.xMin, head.yMin, head.xMax, head.yMax)),
        ascent=round(vertical.ascent * scale),
        descent=round(vertical.descent * scale),
        table=zlib.compress(_to_unicode(glyphs)),
    )


def _to_unicode(glyphs: Mapping[str, int]) -> bytes:
    pairs = [f"<{glyph:04x}> <{letter.encode('utf-16-be').hex()}>" for letter, glyph in glyphs.items()]
    chunks = [pairs[start : start + _CHUNK] for start in range(0, len(pairs), _CHUNK)]
    sections = [f"{len(chunk)} beginbfchar\n" + "\n".join(chunk) + "\nendbfchar" for chunk in chunks]
    return "\n".join(
        [
            "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
            "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def",
            "/CMapName /Adobe-Identity-UCS def /CMapType 2 def",
            "1 begincodespacerange\n<0000> <ffff>\nendcodespacerange",
            *sections,
            "endcmap CMapName currentdict /CMap defineresource pop end end",
        ]
    ).encode()
