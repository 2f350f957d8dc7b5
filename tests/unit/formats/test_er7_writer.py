"""Writing of ER7: new messages, and changed ones whose untouched bytes stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from mappings.formats import er7
from mappings.formats.er7_writer import Revision, Segment, Value, write
from mappings.formats.faults import DelimitersInvalid, NotWritable
from tests.unit.formats.er7_values import anew, leaves

HEAD = "MSH|^~\\&|LIS|KHOA XN|HIS|BV|20260305083000||ORU^R01^ORU_R01|ID1|P|2.5.1"
PID = 'PID|1||123^^^BV&1.2.3&ISO~456^^^^MR||Nguyễn^Văn||""|'
OBX = "OBX|1|NM|a||5|mg\rOBX|2|NM|b||6|||"


def revision(*segments: str, end: str = "\r", charset: str = "utf-8") -> Revision:
    return Revision(er7.Message.parse(end.join([HEAD, *segments, ""]).encode(charset), charset))


def changed(line: str, where: str, value: Value) -> str:
    made = revision(line)
    made.set(where, value)
    return made.write().decode().removeprefix(HEAD + "\r").removesuffix("\r")


# ---- new messages ----


def test_a_message_from_nothing() -> None:
    raw = write(
        [
            Segment("MSH", {3: "LT", 9: ("ACK", "A01"), 12: "2.5"}),
            Segment(
                "PID", {8: "F", 3: [("1", "", "", ("B|V", "1.2", "ISO"), ""), "2"], 5: ("Nguyễn", "An"), 7: er7.NULL}
            ),
            Segment("NTE", {3: ["a\r\nb", "", "c^", ""], 30: ""}),
            Segment("ZZZ", {}),
        ]
    )
    assert raw.decode() == (
        "MSH|^~\\&|LT||||||ACK^A01|||2.5\r"
        'PID|||1^^^B\\F\\V&1.2&ISO~2||Nguyễn^An||""|F\r'
        "NTE|||a\\X0D\\\\X0A\\b~~c\\S\\\rZZZ\r"
    )


def test_delimiters_and_charset_of_a_message_from_nothing() -> None:
    marks = er7.Delimiters(b"#", b"*", b"!", b"$", b"@", b"%")
    raw = write([Segment("MSH", {18: "8859/1"}), Segment("ZZZ", {1: [("é*", ("#", "%")), "x"]})], marks, "iso8859-1")
    assert raw == b"MSH#*!$@%################8859/1\rZZZ#\xe9$S$*$F$@$P$!x\r"
    read = er7.Message.parse(raw)
    assert [read.value(f"ZZZ-1{where}") for where in ("", ".2", ".2.2", "[2]")] == ["é*", "#", "%", "x"]


@pytest.mark.parametrize("fields", [{0: "x"}, {-1: "x"}])
def test_fields_are_counted_from_one(fields: dict[int, Value]) -> None:
    with pytest.raises(ValueError, match="counted"):
        write([Segment("PID", fields)])


@pytest.mark.parametrize("n", [1, 2])
def test_msh_writes_its_delimiters_itself(n: int) -> None:
    with pytest.raises(ValueError, match="counted"):
        write([Segment("MSH", {n: "|"})])


@pytest.mark.parametrize("charset", ["ascii", "iso8859-1", "cp1252", "euc_kr", "big5", "tcvn3", "viqr", "vni"])
def test_what_the_charset_lacks_is_a_fault_with_its_position(charset: str) -> None:
    segments = [Segment("MSH", {}), Segment("OBX", {5: "a"}), Segment("OBX", {3: "b", 5: [("c", "ệ山\u0e01")]})]
    with pytest.raises(NotWritable) as caught:
        write(segments, charset=charset)
    assert (caught.value.where, caught.value.detail) == ("OBX[2]-5", charset)


@pytest.mark.parametrize("value", ["a|b", "a^b", ("a", ("b", "c"))])
def test_what_msh_2_lacks_is_a_fault_with_its_position(value: Value) -> None:
    with pytest.raises(NotWritable) as caught:
        write([Segment("MSH", {}), Segment("ZZZ", {1: value})], er7.Delimiters(escape=b"", subcomponent=b""))
    assert caught.value.where == "ZZZ-1"


# ---- changes ----


@pytest.mark.parametrize(
    ("where", "value", "line"),
    [
        ("PID-5.1", "Trần", PID.replace("Nguyễn", "Trần")),
        ("PID-5", "Trần", PID.replace("Nguyễn^Văn", "Trần")),
        ("PID-5", ("Trần", ("a", "b|")), PID.replace("Nguyễn^Văn", "Trần^a&b\\F\\")),
        ("PID-5.4", "x", PID.replace("^Văn", "^Văn^^x")),
        ("PID-5.1.3", "x", PID.replace("Nguyễn", "Nguyễn&&x")),
        ("PID-3[2].1", "9", PID.replace("456", "9")),
        ("PID-3[2]", ("9", "8"), PID.replace("456^^^^MR", "9^8")),
        ("PID-3[4].2", "x", PID.replace("MR|", "MR~~^x|")),
        ("PID-3.4.2", "7", PID.replace("1.2.3", "7")),
        ("PID-3.4", ("", "7"), PID.replace("BV&1.2.3&ISO", "&7")),
        ("PID-3", ["1", ("2", "3")], PID.replace("123^^^BV&1.2.3&ISO~456^^^^MR", "1~2^3")),
        ("PID-7.2", "x", PID.replace('""', "^x")),
        ("PID-7", "", PID.replace('""', "")),
        ("PID-5", er7.NULL, PID.replace("Nguyễn^Văn", '""')),
        ("PID-5.2", er7.NULL, PID.replace("Văn", '""')),
        ("PID-5.2", "", PID.replace("Văn", "")),
        ("PID-10", "x", PID + "||x"),
        ("PID-10", "", PID),
        ("PID-10.3", "", PID),
        ("PID-5.9", "", PID),
    ],
)
def test_only_what_is_named_changes(where: str, value: Value, line: str) -> None:
    assert changed(PID, where, value) == line


def test_positions_count_occurrences_and_msh_counts_its_separator() -> None:
    made = revision(OBX)
    made.set("OBX[2]-5", "7|")
    made.set("MSH-4", "X")
    assert made.write().decode() == f"{HEAD}\r{OBX}\r".replace("||6", "||7\\F\\").replace("KHOA XN", "X")


def test_segments_are_inserted_and_removed() -> None:
    made = revision(PID, OBX, end="\r")
    made.insert(Segment("NTE", {3: "lời"}), after="OBX")
    made.insert(Segment("NTE", {3: "hai"}), after="OBX[2]")
    made.remove("PID")
    assert made.write().decode().split("\r")[1:] == [*OBX.replace("\r", "\rNTE|||lời\r").split("\r"), "NTE|||hai", ""]
    made.remove("OBX")
    made.set("OBX-5", "9")
    assert "OBX|2|NM|b||9|||" in made.write().decode()


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_inserted_segments_end_as_the_others_do(end: str, last: bool) -> None:
    raw = end.join([HEAD, "PID|1", *([""] if last else [])]).encode()
    made = Revision(er7.Message.parse(raw))
    made.insert(Segment("PV1", {2: "I"}), after="PID")
    assert made.write() == raw + (b"" if last else end.encode()) + b"PV1||I" + (end.encode() if last else b"")
    made.remove("PV1")
    assert made.write() == raw + (b"" if last else end.encode())


@pytest.mark.parametrize("where", ["MSH-1", "MSH-2", "MSH-18", "PID", "nothing"])
def test_positions_that_cannot_be_set(where: str) -> None:
    with pytest.raises(ValueError, match="position"):
        revision(PID).set(where, "x")


@pytest.mark.parametrize(
    ("where", "value"), [("PID-3[2]", ["a"]), ("PID-3.1", ["a"]), ("PID-3.1", (("a",),)), ("PID-3.1.1", ("a",))]
)
def test_values_deeper_than_their_position(where: str, value: Value) -> None:
    with pytest.raises(ValueError, match=r"only a whole field|no parts"):
        revision(PID).set(where, value)


def test_msh_cannot_be_removed() -> None:
    with pytest.raises(ValueError, match="MSH"):
        revision().remove("MSH")


@pytest.mark.parametrize("where", ["PV1-3", "PID[2]-3"])
def test_a_segment_that_is_not_there(where: str) -> None:
    with pytest.raises(NotWritable) as caught:
        revision(PID).set(where, "x")
    assert caught.value.where == where


def test_a_change_that_cannot_be_written_changes_nothing() -> None:
    made = revision("PID|1", charset="iso8859-1")
    with pytest.raises(NotWritable) as caught:
        made.set("PID-5.1", "Nguyễn")
    assert (caught.value.where, caught.value.detail) == ("PID-5.1", "iso8859-1")
    with pytest.raises(NotWritable) as caught:
        made.insert(Segment("NTE", {3: "ễ"}), after="PID")
    assert caught.value.where == "NTE-3"
    assert made.write() == f"{HEAD}\rPID|1\r".encode()


@pytest.mark.parametrize(("where", "value"), [("ZZZ-1.1.2", "x"), ("ZZZ-1.2", "x"), ("ZZZ-1[2]", "x"), ("ZZZ-1", "a|")])
def test_a_change_for_which_msh_2_has_no_delimiter(where: str, value: str) -> None:
    made = Revision(er7.Message.parse(b"MSH|^|LIS\rZZZ|a\r"))
    if where == "ZZZ-1.2":
        made.set(where, value)
        assert made.write() == b"MSH|^|LIS\rZZZ|a^x\r"
        return
    with pytest.raises(NotWritable) as caught:
        made.set(where, value)
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("charset", "text", "other"),
    [
        ("big5", "功許功", "蓋"),
        ("gb18030", "張\ufe5c丂功\u4e28許|", "丂"),
        ("shift_jis", "表ソ能", "ソ"),
        ("iso2022_jp", "山田|太郎", "太"),
        ("euc_kr", "홍길동", "길"),
        ("utf-16", "Nguyễn|𠀀", "ễ"),
        ("utf-16-le", "Nguyễn\r", "ễ"),
        ("utf-16-be", "Nguyễn\n\n", "ễ"),
        ("utf-32", "Nguyễn\r\n", "ễ"),
        ("tcvn3", "NGUYỄN văn", "Ẩ"),
        ("vni", "NGUYỄN văn", "ệ"),
        ("viqr", "NGUYỄN văn~ dđ?^", "đ."),
        ("cp1258", "NGUYỄN văn", "ậ"),
    ],
)
def test_every_kind_of_charset(charset: str, text: str, other: str) -> None:
    segments = [Segment("MSH", {3: "A"}), Segment("PID", {3: other, 5: [(other, (text, text)), other], 6: text})]
    raw = write(segments, charset=charset)
    message = er7.Message.parse(raw, charset)
    assert [message.value(f"PID-{where}") for where in ("3", "5.2.2", "5[2]", "6")] == [other, text, other, text]
    made = Revision(message)
    assert made.write() == raw
    made.set("PID-5.2.2", other)
    read = er7.Message.parse(made.write(), charset)
    assert [read.value(f"PID-{where}") for where in ("3", "5.2", "5.2.2", "5[2]", "6")] == [
        other,
        text,
        other,
        other,
        text,
    ]
    made.set("PID-5.2.2", text)
    made.insert(Segment("NTE", {3: text}), after="PID")
    made.remove("NTE")
    assert made.write() == raw


# ---- the messages of others ----


def test_the_corpus_is_written_as_it_was_read(corpora: Path) -> None:
    refused = 0
    for file in sorted((corpora / "hl7v2").glob("*/*.hl7")):
        raw = file.read_bytes()
        try:
            message = er7.Message.parse(raw)
        except DelimitersInvalid:
            refused += 1
            continue
        made = Revision(message)
        assert made.write() == raw, file.name
        again = write(anew(message), message.delimiters, message.charset)
        assert leaves(er7.Message.parse(again, message.charset)) == leaves(message), file.name
        if made_with_a_change(made, message) == raw:
            pytest.fail(f"{file.name}: nothing changed")
    assert refused <= 6


def made_with_a_change(made: Revision, message: er7.Message) -> bytes:
    """Set a field that is nowhere, and see that all else is as it was."""
    last = message.segments[-1].position()
    made.set(f"{last}-99", "changed")
    raw = made.write()
    read = leaves(er7.Message.parse(raw, message.charset))
    assert read.pop(f"{last}-99[1].1.1") == "changed"
    assert read == leaves(message)
    return raw


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ZZZ|a", "ZZZ|b"),
        ("ZZZ|a", 'ZZZ|""'),
        ("ZZZ|", 'ZZZ|""'),
        ("ZZZ|a~b", "ZZZ|b~a"),
        ("ZZZ|a^b", "ZZZ|a^^b"),
        ("ZZZ|a&b", "ZZZ|a^b"),
        ("ZZZ|a\rZZZ|b", "ZZZ|b\rZZZ|a"),
        ('ZZZ|a^""', "ZZZ|a"),
    ],
)
def test_the_comparison_sees(one: str, other: str) -> None:
    assert leaves(er7.Message.parse(f"{HEAD}\r{one}".encode())) != leaves(
        er7.Message.parse(f"{HEAD}\r{other}".encode())
    )
