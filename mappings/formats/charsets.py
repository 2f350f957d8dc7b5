"""Decode and encode the charsets that Vietnamese hospitals still send, and warn when a text looks like one of them.

HL7 table 0211 names, Python's own codecs, and three legacy encodings Python does not have: TCVN3 (ABC), VNI and VIQR. Detection
only warns: which encoding a sender uses is said once per channel, never guessed per message.

Requirement: S2.9
"""

from __future__ import annotations

import codecs
import csv
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from importlib import resources

from mappings.formats.faults import CP1258_SUSPECTED, TCVN3_SUSPECTED, VIQR_SUSPECTED, VNI_SUSPECTED

LEGACY = ("tcvn3", "vni", "viqr")
"""Encodings a channel may name that Python's codec registry does not know."""

TABLE_0211 = {
    "ASCII": "ascii",
    "ISO IR6": "ascii",
    "ISO_IR 6": "ascii",
    "8859/1": "iso8859-1",
    "8859/2": "iso8859-2",
    "8859/3": "iso8859-3",
    "8859/4": "iso8859-4",
    "8859/5": "iso8859-5",
    "8859/6": "iso8859-6",
    "8859/7": "iso8859-7",
    "8859/8": "iso8859-8",
    "8859/9": "iso8859-9",
    "8859/15": "iso8859-15",
    "ISO IR14": "shift_jis",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_1",
    "JAS2020": "iso2022_jp",
    "JIS X 0202": "iso2022_jp",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "UNICODE": "utf-16",
    "UNICODE UTF-8": "utf-8",
    "UNICODE UTF-16": "utf-16",
    "UNICODE UTF-32": "utf-32",
    # Not in the table, but what senders write.
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "UNICODE UTF8": "utf-8",
    "ISO-8859-1": "iso8859-1",
    "ISO_IR 192": "utf-8",
    "WINDOWS-1252": "cp1252",
    "WINDOWS-1258": "cp1258",
    "CP1258": "cp1258",
    "TCVN3": "tcvn3",
    "VNI": "vni",
    "VIQR": "viqr",
}
"""What MSH-18 may say → the codec's name. Standard: HL7 v2.5.1 table 0211."""


def codec_name(name: str) -> str | None:
    """Give the one name of a codec, or None when neither we nor Python know it."""
    lower = name.strip().lower()
    if lower in LEGACY:
        return lower
    try:
        info = codecs.lookup(lower)
    except (LookupError, ValueError):
        return None
    return info.name if info._is_text_encoding else None


def decode(raw: bytes, name: str) -> str:
    """Decode and compose (NFC); raise `UnicodeDecodeError` where the bytes are none of that encoding."""
    text = decoder(name)(raw)
    return text if text.isascii() else unicodedata.normalize("NFC", text)


@cache
def decoder(name: str) -> Callable[[bytes], str]:
    """Give the function that decodes one value, without composing it; raise `LookupError` for an unknown name."""
    if name == "tcvn3":
        table = _tcvn3_table()
        return lambda raw: codecs.charmap_decode(raw, "strict", table)[0]
    if name == "vni":
        return lambda raw: _VNI.sub(lambda match: _VNI_LETTERS[match[0]], raw.decode("latin-1"))
    if name == "viqr":
        return lambda raw: viqr_to_text(raw.decode("ascii"))
    codecs.lookup(name)
    return lambda raw: raw.decode(name)


def encode(text: str, name: str) -> bytes:
    """Encode so that `decode` gives the same text back, composed; raise `UnicodeEncodeError` where the charset cannot carry it.

    Wide charsets without a byte order in their name begin with a byte order mark.
    """
    raw = _encoder(name)(text)
    if name in _WHOLE:
        return raw
    try:
        same = decode(raw, name) == unicodedata.normalize("NFC", text)
    except UnicodeDecodeError:
        same = False
    if not same:
        raise UnicodeEncodeError(name, text, 0, len(text), "reads as something else")
    return raw


_WHOLE = frozenset({"utf-8", "utf-16", "utf-32", "ascii"})
"""Charsets whose codec gives back what it was given."""


@cache
def _encoder(name: str) -> Callable[[str], bytes]:
    if name == "vni":
        return lambda text: _VNI_CODED.sub(_vni_written, unicodedata.normalize("NFC", text)).encode("latin-1")
    if name == "viqr":
        return lambda text: text_to_viqr(text).encode("ascii")
    if name in ("tcvn3", "cp1258"):
        return lambda text: b"".join(_marked(char, name) for char in unicodedata.normalize("NFC", text))
    codecs.lookup(name)
    return lambda text: text.encode(name)


def _marked(char: str, name: str) -> bytes:
    """Encode one letter, as letter and tone mark where the charset does not have it in one piece."""
    table = _tcvn3_bytes() if name == "tcvn3" else None
    try:
        return codecs.charmap_encode(char, "strict", table)[0] if table else char.encode(name)
    except UnicodeEncodeError:
        plain, tones = _TONES.subn("", unicodedata.normalize("NFD", char))
        if tones != 1:
            raise
        tone = _TONES.findall(unicodedata.normalize("NFD", char))[0]
        return _marked(unicodedata.normalize("NFC", plain), name) + _marked(tone, name)


@cache
def _tcvn3_bytes() -> dict[int, int]:
    return {ord(char): byte for byte, char in reversed([*enumerate(_tcvn3_table())])}


@cache
def _tcvn3_table() -> str:
    lines = (resources.files("mappings.formats") / "data" / "tcvn3.csv").read_text(encoding="utf-8").splitlines()
    high = {int(row["byte"], 16): row["char"] for row in csv.DictReader(lines)}
    return "".join(high.get(byte, chr(byte)) for byte in range(256))


# ---- VNI: a letter and a mark, each one byte of Latin-1 ----

_VNI_MARKS = {
    "a": dict(zip("ùøûõïêéèúüëâáàåãä", "áàảãạăắằẳẵặâấầẩẫậ", strict=True)),
    "e": dict(zip("ùøûõïâáàåãä", "éèẻẽẹêếềểễệ", strict=True)),
    "o": dict(zip("ùøûõïâáàåãä", "óòỏõọôốồổỗộ", strict=True)),
    "ô": dict(zip("ùøûõï", "ớờởỡợ", strict=True)),
    "u": dict(zip("ùøûõï", "úùủũụ", strict=True)),
    "ö": dict(zip("ùøûõï", "ứừửữự", strict=True)),
    "y": dict(zip("ùøûõ", "ýỳỷỹ", strict=True)),
}
_VNI_SINGLES = dict(zip("ñæóòôöî", "đỉĩịơưỵ", strict=True))


def _vni_letters() -> dict[str, str]:
    letters: dict[str, str] = {}
    for coded, letter in _VNI_SINGLES.items():
        letters |= {coded: letter, coded.upper(): letter.upper()}
    for base, marks in _VNI_MARKS.items():
        for mark, letter in marks.items():
            for tail in (mark, mark.upper()):
                letters |= {base + tail: letter, base.upper() + tail: letter.upper()}
    return letters


_VNI_LETTERS = _vni_letters()
_VNI = re.compile("|".join(sorted(_VNI_LETTERS, key=len, reverse=True)))
_VNI_WRITTEN = {
    letter: coded
    for coded, letter in _VNI_LETTERS.items()
    if coded == (coded.upper() if letter.isupper() else coded.lower())
}
_VNI_CODED = re.compile("|".join(_VNI_WRITTEN))


def _vni_written(match: re.Match[str]) -> str:
    return _VNI_WRITTEN[match[0]]


# ---- VIQR: marks as ASCII punctuation ----

_VIQR = re.compile(r"\\(.)|([Dd][Dd])|([AaEeIiOoUuYy])(\^|\(|\+|\*)?(['`?~.])?", re.DOTALL)
_VIQR_SHAPES = {"^": ("AaEeOo", "\u0302"), "(": ("Aa", "\u0306"), "+": ("OoUu", "\u031b"), "*": ("OoUu", "\u031b")}
_VIQR_TONES = {"'": "\u0301", "`": "\u0300", "?": "\u0309", "~": "\u0303", ".": "\u0323"}


def viqr_to_text(text: str) -> str:
    """Read VIQR. Standard: RFC 1456 §2; `*` is accepted for the horn too."""
    return unicodedata.normalize("NFC", _VIQR.sub(_viqr_letter, text))


def _viqr_letter(match: re.Match[str]) -> str:
    literal, stroke, vowel, shape, tone = match.groups()
    if literal is not None:
        return literal
    if stroke is not None:
        return "Đ" if stroke[0] == "D" else "đ"
    marks = ""
    if shape is not None:
        fits, mark = _VIQR_SHAPES[shape]
        if vowel not in fits:
            return match[0]
        marks = mark
    return vowel + marks + _VIQR_TONES.get(tone or "", "")


_VIQR_MARKS = {mark: sign for sign, (_, mark) in _VIQR_SHAPES.items() if sign != "*"} | {
    mark: sign for sign, mark in _VIQR_TONES.items()
}
_VIQR_MEANT = re.compile(r"\\|(?<=[Dd])[Dd]|[Dd](?=[đĐ])|(?<=[AaEeIiOoUuYy\x80-\U0010ffff])[\^(+*'`?~.]|[^\x00-\x7f]")


def text_to_viqr(text: str) -> str:
    """Write VIQR; what it cannot say stays as it is. Standard: RFC 1456 §2"""
    return _VIQR_MEANT.sub(_viqr_written, unicodedata.normalize("NFC", text))


def _viqr_written(match: re.Match[str]) -> str:
    char = match[0]
    if char.isascii():
        return "\\" + char
    if char in "đĐ":
        return "dd" if char == "đ" else "DD"
    letter, *marks = list(unicodedata.normalize("NFD", char))
    signs = [_VIQR_MARKS.get(mark, "") for mark in marks]
    if letter not in "AaEeIiOoUuYy" or not all(signs):
        return char
    return letter + "".join(sorted(signs, key=lambda sign: sign in _VIQR_TONES))


# ---- suspicion ----

EXAMINED = 65_536
"""How much of a message `suspect` looks at; in bytes or characters."""
_WORD = re.compile(r"[A-Za-z\x80-\xff]+")
_VIQR_WORD = re.compile(r"(?<![A-Za-z])(?=[A-Za-z]*(?:[AaEeOoUu][\^(+*]|[AaEeIiOoUuYy]['`?~]))[A-Za-z^(+*'`?~]{2,12}")
_NUCLEI = (
    "a|ă|â|e|ê|i|o|ô|ơ|u|ư|y|ai|ao|au|ay|âu|ây|eo|êu|ia|iê|iêu|iu|oa|oai|oao|oay|oă|oe|oeo|oi|oo|ôi|ơi|ua|uâ|uây|uê|ui|uô|uôi|"
    "uơ|uy|uya|uyê|uyu|ưa|ưi|ươ|ươi|ươu|ưu|yê|yêu|uă|uao|uai|uay|ue|ueo"
)
_SYLLABLE = re.compile(
    rf"^(?:ngh|ng|nh|gh|gi|kh|ph|qu|ch|tr|th|[bcdđghklmnprstvx])?(?:{_NUCLEI})(?:ng|nh|ch|[cmnpt])?$"
)
_TONES = re.compile("[\u0300\u0301\u0303\u0309\u0323]")


def suspect(content: str | bytes) -> list[tuple[int, str, str]]:
    """Warn when content looks like TCVN3, VNI, VIQR or cp1258 read as something else; at most one notice.

    Looks at the first 64 KB. Two Vietnamese syllables are the least evidence, and text that is Vietnamese as it stands is
    never suspected. The tuple is (code, where, detail) as in `er7.Message.notices`.

    Requirement: S2.9
    """
    view = _single_byte_view(content)
    if view is None:
        return []
    if view.isascii() and not any(mark in view for mark in "^(+*'`?~"):
        return []
    words = [word for word in _WORD.findall(view) if not word.isascii()]
    if not words:
        found = {word for word in _VIQR_WORD.findall(view) if len(word) > 2 and _is_syllable(viqr_to_text(word))}
        return [(VIQR_SUSPECTED, "", "viqr")] if len(found) >= 2 else []
    best, code, name = sum(map(_is_syllable, words)), 0, ""
    for candidate, its_code in (("tcvn3", TCVN3_SUSPECTED), ("vni", VNI_SUSPECTED), ("cp1258", CP1258_SUSPECTED)):
        score = sum(_is_syllable(_reread(word, candidate)) for word in words)
        if score > best:
            best, code, name = score, its_code, candidate
    return [(code, "", name)] if code and best >= 2 and best * 5 >= len(words) * 3 else []


def _single_byte_view(content: str | bytes) -> str | None:
    """Give the content with one character per byte of the supposed legacy encoding; None when it cannot be one."""
    if isinstance(content, bytes):
        content = content[:EXAMINED]
        try:
            text = codecs.getincrementaldecoder("utf-8")().decode(content)
        except UnicodeDecodeError:
            return content.decode("latin-1")
    else:
        text = content[:EXAMINED]
    for encoding in ("latin-1", "cp1252"):
        try:
            return text.encode(encoding).decode("latin-1")
        except UnicodeEncodeError:
            continue
    return None


def _reread(word: str, name: str) -> str:
    try:
        return decode(word.encode("latin-1"), name)
    except UnicodeDecodeError:
        return ""


def _is_syllable(word: str) -> bool:
    if not (word.islower() or word.isupper() or word.istitle()):
        return False
    plain, tones = _TONES.subn("", unicodedata.normalize("NFD", word.lower()))
    return tones <= 1 and _SYLLABLE.match(unicodedata.normalize("NFC", plain)) is not None
