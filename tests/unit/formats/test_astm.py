"""Reading and writing of the records of instruments: positions, delimiters, charsets, line ends, frames, faults."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.formats import astm, er7
from mappings.formats.er7 import MOST_SEGMENTS
from mappings.formats.faults import (
    DELIMITER_TWICE,
    CharsetMismatch,
    DelimitersInvalid,
    EmptyMessage,
    Fault,
    NotWritable,
    RecordHeaderMissing,
    RecordInvalid,
    TooManyParts,
)

HEAD = "H|\\^&|42||AN-500^2.1"


def read(*records: str, end: str = "\r", codec: str = "utf-8") -> astm.Message:
    return astm.Message.parse((end.join([HEAD, *records, "L|1|N"]) + end).encode(codec))


@pytest.mark.parametrize(
    ("position", "value"),
    [
        ("H-3", "42"),
        ("H-5.2", "2.1"),
        ("P-3", "BN1"),
        ("O-5.4", "WBC"),
        ("O-5[2].4", "RBC"),
        ("O-5[3].4", None),
        ("R[2]-4", "a|b^c\\d&e"),
        ("R[2]-5", er7.NULL),
        ("R[3]-4", None),
        ("R-99", None),
    ],
)
def test_values_are_found_by_position(position: str, value: str | None) -> None:
    message = read("P|1|BN1", "O|1|S||^^^WBC\\^^^RBC", "R|1|^^^WBC|6.20", 'R|2|^^^RBC|a&F&b&S&c&R&d&E&e|""')
    assert message.value(position) == value


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_any_line_end_ends_a_record(end: str) -> None:
    assert [one.name for one in read("P|1", "R|1|^^^X|1", end=end).records] == ["H", "P", "R", "L"]


def test_fields_are_counted_with_the_name_and_occurrences_by_name() -> None:
    message = read("R|1|^^^A|1", "C|1|I|x", "R|2|^^^B||  |")
    assert [one.where(4) for one in message.records] == ["H-4", "R-4", "C-4", "R[2]-4", "L-4"]
    assert message.records[3].populated() == [2, 3]
    assert message.records[0].populated() == [2, 3, 5]


@pytest.mark.parametrize("wrong", ["R2-3", "R-", "R[0]-3", "r-3", "RX-3", "R-3.1.1", ""])
def test_what_is_no_position(wrong: str) -> None:
    with pytest.raises(ValueError, match="position"):
        astm.position(wrong)


def test_a_header_may_name_any_delimiters() -> None:
    message = astm.Message.parse(b"H!@~$!7\rR!1!~~~A!1$F$2@3\r")
    assert (message.value("R-3.4"), message.value("R-4"), message.value("R-4[2]")) == ("A", "1!2", "3")


def test_delimiters_of_hl7_are_read_in_their_order() -> None:
    message = astm.Message.parse(b"H|^~\\&|7\rR|1|^^^A~^^^B|x\\S\\y\r")
    assert (message.value("R-3[2].4"), message.value("R-4")) == ("B", "x^y")


def test_a_delimiter_written_twice_is_noticed() -> None:
    message = astm.Message.parse(b"H|\\\\^&|7\rR|1|^^^A|1\\2\r")
    assert [code for code, _, _ in message.notices] == [DELIMITER_TWICE]
    assert message.value("R-4[2]") == "2"


@pytest.mark.parametrize(
    ("raw", "fault", "where"),
    [
        (b"", EmptyMessage, ""),
        (b"\x05\x02\r\n\x03\x04", EmptyMessage, ""),
        (b"P|1\r", RecordHeaderMissing, "line 1"),
        (b"MSH|^~\\&|X\r", RecordHeaderMissing, "line 1"),
        (b"Hello\r", RecordHeaderMissing, "line 1"),
        (b"H||x\r", DelimitersInvalid, "H-2"),
        (b"H|\\^^|x\r", DelimitersInvalid, "H-2"),
        (b"H|\\a&|x\r", DelimitersInvalid, "H-2"),
        (b"H|\\^&|x\rRESULT|1\r", RecordInvalid, "line 2"),
        (b"H|\\^&|x\rR|1\r<xml/>\r", RecordInvalid, "line 3"),
    ],
)
def test_what_is_no_message_is_said_with_its_place(raw: bytes, fault: type[Fault], where: str) -> None:
    with pytest.raises(fault) as raised:
        astm.Message.parse(raw)
    assert raised.value.where == where


def test_more_records_than_a_message_may_have() -> None:
    most = b"H|\\^&|x\r" + b"R|1\r" * (MOST_SEGMENTS - 1) + b"L|1"
    assert len(astm.Message.parse(most).records) == MOST_SEGMENTS + 1
    with pytest.raises(TooManyParts) as raised:
        astm.Message.parse(most + b"\rL|1")
    assert raised.value.detail == f"{MOST_SEGMENTS + 1} segments"


def test_bytes_that_are_not_utf8_are_read_as_the_standard_says() -> None:
    assert read("R|1|^^^A|1|µmol/L").value("R-5") == "µmol/L"
    latin = read("R|1|^^^A|1|µmol/L", codec="latin-1")
    assert (latin.charset, latin.value("R-5")) == ("iso8859-1", "µmol/L")


def test_a_channel_may_name_the_charset() -> None:
    raw = (HEAD + "\rP|1|||||Nguyễn\rL|1\r").encode("cp1258", "ignore")
    assert astm.Message.parse(raw, "cp1258").charset == "cp1258"
    with pytest.raises(CharsetMismatch):
        astm.Message.parse(b"H|\\^&|\xff\r", "ascii")
    with pytest.raises(CharsetMismatch):
        astm.Message.parse(b"H|\\^&\r", "klingon")


FRAMES = (
    b"\x05\x021H|\\^&|7\r\x03A1\r\n\x022P|1|BN1\r\x03B2\r\n"
    b"\x023R|1|^^^A|12\x17C3\r\n\x0244|g/L\r\x03D4\r\n\x025L|1|N\r\x03E5\r\n\x04"
)


def test_frames_are_put_together() -> None:
    raw = astm.unframed(FRAMES)
    assert raw == b"H|\\^&|7\rP|1|BN1\rR|1|^^^A|124|g/L\rL|1|N\r"
    assert astm.is_astm(FRAMES)
    assert astm.unframed(raw) == raw


def test_several_messages_of_a_file_are_cut_apart() -> None:
    one = b"H|\\^&|1\rP|1\rL|1\r"
    assert astm.split(one) == [one]
    assert astm.split(one + b"\n" + one) == [one + b"\n", one]


@pytest.mark.parametrize("raw", [b"MSH|^~\\&|A", b"<xml>", b"", b"Hello", b"HL7|", b"{", b"%PDF"])
def test_what_is_not_taken_for_records(raw: bytes) -> None:
    assert not astm.is_astm(raw)


VALUES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co", "Zs", "Zl", "Zp")), max_size=12
)


@given(st.lists(VALUES, min_size=1, max_size=5), VALUES)
def test_what_is_written_is_read_back(parts: list[str], single: str) -> None:
    raw = astm.write([("H", {3: "7"}), ("R", {3: tuple(parts), 4: [single, "x"]}), ("L", {2: "1"})])
    record = astm.Message.parse(raw).all("R")[0]
    same = [unicodedata.normalize("NFC", one) for one in parts]
    if same != [er7.NULL]:
        assert [record[3].c(n + 1) for n in range(len(parts))] == ["" if one == er7.NULL else one for one in same]
    assert record[4].repetitions[1].c(1) == "x"


def test_what_cannot_be_written_is_said_with_its_place() -> None:
    with pytest.raises(NotWritable) as raised:
        astm.write([("H", {}), ("P", {6: "Nguyễn"})], charset="ascii")
    assert raised.value.where == "P-6"
    with pytest.raises(ValueError, match="counted"):
        astm.write([("H", {2: "x"})])


@given(st.binary(max_size=300))
def test_any_bytes_give_a_message_or_a_fault(noise: bytes) -> None:
    for raw in (noise, b"H|\\^&|" + noise, astm.unframed(b"\x021H|\\^&|\r" + noise)):
        try:
            message = astm.Message.parse(raw)
        except Fault:
            continue
        for record in message.records:
            for n in record.populated():
                assert record[n].raw
