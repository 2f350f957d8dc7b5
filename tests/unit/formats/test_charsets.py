"""Legacy Vietnamese encodings: read when the channel names them, otherwise only warned about (S2.9)."""

from __future__ import annotations

import time
import unicodedata

import pytest

from mappings.formats import charsets
from mappings.formats.faults import CP1258_SUSPECTED, TCVN3_SUSPECTED, VIQR_SUSPECTED, VNI_SUSPECTED

LETTERS = "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY"
TONES = "\u0300\u0301\u0303\u0309\u0323"
ALPHABET = "đĐ" + LETTERS + "".join(unicodedata.normalize("NFC", letter + tone) for letter in LETTERS for tone in TONES)

# The same name as each encoding's bytes.
NAME = "Nguyễn Thị Hòa"
TCVN3 = b"Nguy\xd4n Th\xde H\xdfa"
VNI = b"Nguye\xe3n Th\xf2 Ho\xf8a"
CP1258 = b"Nguy\xea\xden Thi\xf2 Ho\xcca"
VIQR = b"Nguye^~n Thi. Ho`a"


@pytest.mark.parametrize(("raw", "name"), [(TCVN3, "tcvn3"), (VNI, "vni"), (CP1258, "cp1258"), (VIQR, "viqr")])
def test_decode(raw: bytes, name: str) -> None:
    assert charsets.decode(raw, name) == NAME
    assert charsets.decode(b"plain 123", name) == "plain 123"


@pytest.mark.parametrize("name", ["tcvn3", "vni", "cp1258", "viqr"])
def test_encode_is_undone_by_decode(name: str) -> None:
    for text in (NAME, NAME.upper(), *ALPHABET, "dđ ddd a. ê? \\"):
        assert charsets.decode(charsets.encode(unicodedata.normalize("NFD", text), name), name) == text


@pytest.mark.parametrize(
    ("text", "name"), [("ñ", "vni"), ("aï", "vni"), ("山", "tcvn3"), ("山", "viqr"), ("ễ", "iso8859-1"), ("ễ", "ascii")]
)
def test_what_a_charset_cannot_carry(text: str, name: str) -> None:
    with pytest.raises(UnicodeEncodeError):
        charsets.encode(text, name)


def test_every_letter_of_tcvn3_is_reached() -> None:
    read = {charsets.decode(bytes([byte]), "tcvn3") for byte in range(0x80, 0x100)}
    assert {letter for letter in ALPHABET if letter not in read and not letter.isascii()} <= set("ÚỤỪỬỮỨỰỲỶỸÝỴ")
    assert charsets.decode(b"A\xb3", "tcvn3") == "Á"


def test_every_letter_of_vni_is_reached() -> None:
    letters = set(charsets._VNI_LETTERS.values())
    assert {letter for letter in ALPHABET if not letter.isascii()} == letters | set("ìíÌÍ")
    assert charsets.decode("TRAÀN ÑÖÙC, Traàn Ñöùc".encode("latin-1"), "vni") == "TRẦN ĐỨC, Trần Đức"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("DDo^ng dda^'t nu+o+'c", "Đông đất nước"),
        ("Va(n u*o*ng", "Văn ương"),
        ("ba.n ba\\. e( i^", "bạn ba. e( i^"),
        ("Y' y?", "Ý ỷ"),
    ],
)
def test_viqr(written: str, text: str) -> None:
    assert charsets.viqr_to_text(written) == text


@pytest.mark.parametrize(
    ("raw", "code"),
    [(TCVN3, TCVN3_SUSPECTED), (VNI, VNI_SUSPECTED), (CP1258, CP1258_SUSPECTED), (VIQR, VIQR_SUSPECTED)],
)
def test_suspicion(raw: bytes, code: int) -> None:
    assert [notice[0] for notice in charsets.suspect(raw)] == [code]
    assert [notice[0] for notice in charsets.suspect(raw.decode("latin-1"))] == [code]


@pytest.mark.parametrize(
    "text",
    [
        "",
        NAME,
        "Hà Hà",
        "Trần Văn Hà, số 5",
        "Hélène Müller, José Núñez, Señor Çelik, Ålesund",
        "O'Brien's a+b, O+P, Na+ 3.5? Y' Y' Smith's don't (a)(b)",
        "山田太郎",
        "x" * 200_000,
    ],
)
def test_no_suspicion(text: str) -> None:
    assert charsets.suspect(text) == []
    assert charsets.suspect(text.encode()) == []


@pytest.mark.parametrize("piece", ["x", "a^", "é", "é ", "a'", "'", "a' b^ "])
def test_suspicion_costs_little_whatever_the_text(piece: str) -> None:
    started = time.thread_time()
    charsets.suspect("é " + piece * 200_000)
    charsets.suspect(piece * 200_000)
    assert time.thread_time() - started < 3


def test_codec_names() -> None:
    known = {
        name: charsets.codec_name(name)
        for name in ("TCVN3", "UTF8", "windows-1258", "latin-1", "nonsense", "hex", "a\0b")
    }
    assert known == {
        "TCVN3": "tcvn3",
        "UTF8": "utf-8",
        "windows-1258": "cp1258",
        "latin-1": "iso8859-1",
        "nonsense": None,
        "hex": None,
        "a\0b": None,
    }


def test_every_declared_charset_has_a_codec() -> None:
    for codec in charsets.TABLE_0211.values():
        assert charsets.codec_name(codec) == codec
        charsets.decoder(codec)
    with pytest.raises(LookupError):
        charsets.decoder("nonsense")
