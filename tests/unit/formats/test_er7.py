"""Reading of ER7: positions, escapes, null, line ends, delimiters, charsets, batches, headers."""

from __future__ import annotations

import gc
import time
from itertools import pairwise

import pytest

from mappings.formats import er7
from mappings.formats.er7_batch import split_batch
from mappings.formats.er7_escapes import escape, unescape
from mappings.formats.er7_header import Header, read_header
from mappings.formats.faults import (
    CHARSET_DECLARED_WRONGLY,
    CHARSET_DOUBTFUL,
    CHARSET_UNKNOWN,
    LINE_BREAK_IN_FIELD,
    TCVN3_SUSPECTED,
    VIQR_SUSPECTED,
    CharsetMismatch,
    DelimitersInvalid,
    EmptyMessage,
    HeaderMissing,
    SegmentInvalid,
    TooManyParts,
)

HEAD = "MSH|^~\\&|LIS|KHOA XN|HIS|BV|20260305083000||ORU^R01^ORU_R01|ID1|P|2.5.1"


def message(*segments: str, charset: str = "", codec: str = "utf-8") -> bytes:
    head = HEAD + "|||AL|NE||" + charset if charset else HEAD
    return "\r".join([head, *segments, ""]).encode(codec)


def read(field: str) -> er7.Field:
    return er7.Message.parse(f"{HEAD}\rZZZ|{field}\r".encode()).segments[1][1]


# ---- positions ----


def test_msh_counts_its_separator_as_field_one() -> None:
    msh = er7.Message.parse(message()).segments[0]
    assert [msh[n].text for n in (1, 2, 3, 9, 10, 12)] == ["|", "^~\\&", "LIS", "ORU", "ID1", "2.5.1"]
    assert [msh[9].c(n) for n in (1, 2, 3, 4)] == ["ORU", "R01", "ORU_R01", ""]
    assert list(msh.populated())[:4] == [1, 2, 3, 4]
    assert msh[2].repetitions[0].text == "^~\\&"


@pytest.mark.parametrize(
    ("position", "value"),
    [
        ("PID-3", "123"),
        ("PID-3.4.2", "1.2.3"),
        ("PID-3.4.3", "ISO"),
        ("PID-3[2].1", "456"),
        ("PID-3[2].5", "MR"),
        ("PID-3[3]", None),
        ("PID-5", er7.NULL),
        ("PID-6.1", None),
        ("PID-6.2", er7.NULL),
        ("PID-6.3", "x"),
        ("PID-99", None),
        ("OBX[2]-5.1", "7"),
        ("OBX[2]-5.1.2", None),
        ("OBX[3]-5", None),
        ("ZZ9-1", None),
    ],
)
def test_value_at(position: str, value: str | None) -> None:
    pid = 'PID|1||123^^^BV&1.2.3&ISO~456^^^^MR||""|^""^x'
    parsed = er7.Message.parse(message(pid, "OBX|1|NM|a||6", "OBX|2|NM|a||7"))
    assert parsed.value(position) == value


@pytest.mark.parametrize("position", ["", "PID", "PID-0", "pid-3", "PID-3.0", "PID[0]-3", "PID-3.1.1.1", "PID-3[x]"])
def test_value_refuses_a_position_that_is_none(position: str) -> None:
    with pytest.raises(ValueError, match="position"):
        er7.Message.parse(message()).value(position)


def test_segments_know_line_and_occurrence() -> None:
    parsed = er7.Message.parse(message("OBX|1", "", "OBX|2", "NTE|1"))
    assert [(s.name, s.number, s.occurrence, s.position()) for s in parsed.segments[1:]] == [
        ("OBX", 2, 1, "OBX"),
        ("OBX", 4, 2, "OBX[2]"),
        ("NTE", 5, 1, "NTE"),
    ]
    assert parsed.first("OBX") is parsed.all("OBX")[0]
    assert parsed.first("AL1") is None
    assert parsed.all("AL1") == []


def test_populated_counts_null_but_no_lone_separators() -> None:
    segment = er7.Message.parse(message('PID|1||""|^^~&|x||')).segments[1]
    assert list(segment.populated()) == [1, 3, 5]
    assert len(segment) == 5
    assert len(er7.Message.parse(message("PID")).segments[1]) == 0


def test_null_is_not_empty() -> None:
    null, empty, full = read('""'), read(""), read("x")
    assert (null.is_null, empty.is_null, full.is_null) == (True, False, False)
    assert (bool(null), bool(empty), bool(full)) == (False, False, True)
    assert (null.text, null.c(1), null.repetitions, empty.repetitions) == ("", "", [], [])
    assert read('""^b').c(1) == ""
    assert read('""^b').c(2) == "b"
    assert read('a~""').repetitions[1].is_null


def test_repetitions_keep_their_place() -> None:
    field = read("a^b~~c")
    assert [r.c(1) for r in field.repetitions] == ["a", "", "c"]
    assert [r.components for r in field.repetitions] == [2, 0, 1]
    assert [bool(r) for r in field.repetitions] == [True, False, True]
    assert (field.c(2), field.c(0), field.c(3), field.components, field.raw) == ("b", "", "", 2, b"a^b~~c")


def test_whole_keeps_unescaped_separators_of_prose() -> None:
    assert read("Smith & Co ^ x \\T\\ y").whole == "Smith & Co ^ x & y"
    assert read('""').whole == ""


# ---- escapes ----


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("\\F\\\\S\\\\T\\\\R\\\\E\\", "|^&~\\"),
        ("\\E\\F\\E\\", "\\F\\"),
        ("\\E\\E\\E\\", "\\E\\"),
        ("a\\.br\\b", "a\nb"),
        ("a\\.BR\\b\\.sp\\c\\.sp3\\d\\.sp +2\\e", "a\nb\nc\n\n\nd\n\ne"),
        ("a\\.sk2\\b\\.in+4\\c\\.ti-2\\d\\.fi\\e\\.nf\\f\\.ce\\g", "a  bcdef\ng"),
        ("\\H\\nguy\\N\\ k", "nguy k"),
        ("\\X41\\\\X0D0A\\\\x41\\", "A\r\n\\x41\\"),
        ("\\X4\\\\X\\\\XZZ\\", "\\X4\\\\X\\\\XZZ\\"),
        ("Nguy\\XE1BB85\\n", "Nguyễn"),
        ("Nguy\\XE1\\\\XBB85\\n", "Nguyễn"),
        ("\\XFF\\x", "\\XFF\\x"),
        ("a\\X00\\b\\X01\\c", "abc"),
        ("a\x01b\x7fc\\X7F\\", "abc"),
        ("\\C2842\\\\M2442\\\\M244200\\\\Z01\\", "\\C2842\\\\M2442\\\\M244200\\\\Z01\\"),
        ("\\foo\\", "\\foo\\"),
        ("10\\ mg \\T\\ x", "10\\ mg & x"),
        ("\\foo\\T\\", "\\foo&"),
        ("cut\\", "cut\\"),
        ("cut\\X4", "cut\\X4"),
        ("\\\\\\", "\\\\\\"),
        ("\\P\\", "#"),
        ("\\.zz\\", "\\.zz\\"),
        ("e\u0302\u0303", "ễ"),
    ],
)
def test_unescape(written: str, text: str) -> None:
    assert read(written).text == text
    assert unescape(written.encode()) == text


def test_other_delimiters() -> None:
    parsed = er7.Message.parse(b"MSH$%?!*$LIS\rZZZ$!F!!S!!T!!R!!E!%b*c?d|")
    assert parsed.segments[1][1].text == "$%*?!"
    assert parsed.value("ZZZ-1.2.2") == "c"
    assert parsed.value("ZZZ-1[2]") == "d|"
    assert escape("$|\\", parsed.delimiters) == "!F!|\\"


def test_the_truncation_character_of_version_2_7() -> None:
    parsed = er7.Message.parse(b"MSH|^~\\&@|LIS\rZZZ|\\P\\")
    assert parsed.delimiters.truncation == b"@"
    assert parsed.value("ZZZ-1") == "@"


def test_fewer_delimiters() -> None:
    parsed = er7.Message.parse(b"MSH|^~|LIS\rZZZ|a\\F\\&b^c~d")
    assert parsed.segments[1][1].text == "a\\F\\&b"
    assert parsed.segments[1][1].repetitions[1].text == "d"
    assert escape("a|b\\c^", parsed.delimiters) == "a b\\c "


@pytest.mark.parametrize("text", ["|^~\\&", "\\F\\", "a\r\nb", "Đặng # x", "\\E\\", ""])
def test_escape_is_undone_by_unescape(text: str) -> None:
    for delimiters in (er7.DEFAULT, er7.Delimiters(truncation=b"#")):
        written = escape(text, delimiters)
        assert not set(written) & set("|^~&\r\n")
        assert unescape(written.encode(), delimiters) == text


# ---- framing ----


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r", "\n\n"])
@pytest.mark.parametrize("before", ["", " \r\n\t", "\ufeff", "\r\n\ufeff\n"])
def test_line_ends_and_what_stands_before_msh(end: str, before: str) -> None:
    raw = (before + end.join([HEAD, "PID|1||7", "OBX|1", ""])).encode()
    parsed = er7.Message.parse(raw)
    assert [s.name for s in parsed.segments] == ["MSH", "PID", "OBX"]
    assert parsed.value("PID-3") == "7"
    assert parsed.raw is raw
    assert parsed.notices == []


def test_mixed_line_ends_and_a_line_feed_inside_a_field() -> None:
    parsed = er7.Message.parse(f"{HEAD}\rNTE|1||one\ntwo\nOBX|1\rZZZ|1\n".encode())
    assert [s.name for s in parsed.segments] == ["MSH", "NTE", "OBX", "ZZZ"]
    assert parsed.value("NTE-3") == "one\ntwo"
    assert parsed.notices == [(LINE_BREAK_IN_FIELD, "line 2", "")]


@pytest.mark.parametrize("raw", [b"", b" \r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r", b"\xff\xfe", b"\xff\xfe\r\0"])
def test_nothing_is_a_fault_of_its_own(raw: bytes) -> None:
    with pytest.raises(EmptyMessage):
        er7.Message.parse(raw)


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        (b"PID|1", "byte 0"),
        (b"\r\n hello", "byte 3"),
        (b"\xef\xbb\xbfmsh|", "byte 3"),
        (b"FHS|^~\\&|A\rMSH|^~\\&|", "byte 0"),
    ],
)
def test_what_does_not_begin_with_msh(raw: bytes, where: str) -> None:
    with pytest.raises(HeaderMissing) as caught:
        er7.Message.parse(raw)
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        (b"MSH", "MSH-1"),
        (b"MSHA^~\\&A", "MSH-1"),
        (b"MSH\r", "MSH-1"),
        (b"MSH ^~\\& LIS", "MSH-1"),
        (b"MSH||LIS", "MSH-2"),
        (b"MSH|^~\\&", ""),
        (b"MSH|^^\\&|LIS", "MSH-2"),
        (b"MSH|^~\\\\&|LIS", "MSH-2"),
        (b"MSH|^~\\&#!|LIS", "MSH-2"),
        (b"MSH|^~A&|LIS", "MSH-2"),
        (b'MSH|^~"&|LIS', "MSH-2"),
        ("MSH|^~\ufffd\\|LIS".encode(), "MSH-2"),
    ],
)
def test_delimiters_that_cannot_be_used(raw: bytes, where: str) -> None:
    if not where:
        assert er7.Message.parse(raw).delimiters == er7.DEFAULT
        return
    with pytest.raises(DelimitersInvalid) as caught:
        er7.Message.parse(raw)
    assert caught.value.where == where


@pytest.mark.parametrize("line", ["pid|1", "PI|1", "PIDX|1", "1ID|1", "hello world", "PID^1", "Đ11|1"])
def test_a_line_that_is_no_segment(line: str) -> None:
    with pytest.raises(SegmentInvalid) as caught:
        er7.Message.parse(message("PID|1", line))
    assert caught.value.where == "line 3"


@pytest.mark.parametrize("line", ["OBX|1", ""])
@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_more_segments_than_a_message_may_have(line: str, end: str) -> None:
    most = (HEAD + end + (line + end) * (er7.MOST_SEGMENTS - 2) + "OBX|1" + end).encode()
    assert er7.Message.parse(most).segments[-1].name == "OBX"
    with pytest.raises(TooManyParts) as caught:
        er7.Message.parse(most + f"OBX|1{end}OBX|1".encode())
    assert caught.value.detail == f"{er7.MOST_SEGMENTS + 1} segments"


@pytest.mark.parametrize("mark", ["|", "~"])
def test_more_fields_than_a_message_may_have(mark: str) -> None:
    before = HEAD.count("|") + HEAD.count("~") + 1
    most = f"{HEAD}\rPID|" + mark * (er7.MOST_FIELDS - before)
    assert er7.Message.parse(most.encode()).segments[-1].name == "PID"
    with pytest.raises(TooManyParts) as caught:
        er7.Message.parse((most + mark).encode())
    assert caught.value.detail == f"{er7.MOST_FIELDS + 1} fields"


# ---- charsets ----


@pytest.mark.parametrize(
    ("declared", "codec", "text"),
    [
        ("", "utf-8", "Nguyễn"),
        ("UNICODE UTF-8", "utf-8", "Nguyễn"),
        ("8859/1", "iso8859-1", "Müller"),
        ("8859/15", "iso8859-15", "5 €"),
        ("GB 18030-2000", "gb18030", "張\ufe5c丂|"),
        ("BIG-5", "big5", "許功蓋"),
        ("KS X 1001", "euc_kr", "홍길동"),
        ("ISO IR87", "iso2022_jp", "山田太郎"),
        ("cp1258", "cp1258", "Hoà"),
    ],
)
def test_declared_charsets(declared: str, codec: str, text: str) -> None:
    raw = message("PID|1||7||" + escape(text) + "^b", charset=declared, codec=codec)
    parsed = er7.Message.parse(raw)
    assert parsed.charset == codec
    assert parsed.value("PID-5") == text
    assert parsed.value("PID-5.2") == "b"


def test_second_bytes_that_look_like_delimiters_do_not_split() -> None:
    text = "功\u4e28許"  # Big5 second bytes 0x5C; GB18030 has 0x7C and 0x5E
    for codec, sample in (("big5", "功許"), ("gb18030", text)):
        raw = message(f"PID|1||7||{sample}^b", codec=codec)
        assert er7.Message.parse(raw, codec).value("PID-5") == sample


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_charsets_show_themselves(codec: str) -> None:
    parsed = er7.Message.parse(message("PID|1||7||Nguyễn", charset="UNICODE UTF-16", codec=codec))
    assert (parsed.charset, parsed.value("PID-5")) == (codec, "Nguyễn")


def test_values_are_composed() -> None:
    assert er7.Message.parse(message("PID|Nguye\u0302\u0303n")).value("PID-1") == "Nguyễn"
    assert er7.Message.parse(message("PID|Hoa\u0300", codec="cp1258"), "cp1258").value("PID-1") == "Hoà"


def test_declared_ascii_that_is_utf8_goes_through_with_a_notice() -> None:
    parsed = er7.Message.parse(message("PID|Nguyễn", charset="ASCII"))
    assert parsed.value("PID-1") == "Nguyễn"
    assert parsed.notices == [(CHARSET_DECLARED_WRONGLY, "MSH-18", "ascii")]
    assert er7.Message.parse(message("PID|plain", charset="ASCII")).notices == []


def test_declared_latin_that_would_be_utf8_too_is_doubted() -> None:
    parsed = er7.Message.parse(message("PID|Nguyễn", charset="8859/1"))
    assert (CHARSET_DOUBTFUL, "MSH-18", "iso8859-1") in parsed.notices


def test_an_unknown_charset_is_read_as_utf8_with_a_notice() -> None:
    parsed = er7.Message.parse(message("PID|Nguyễn", charset="KLINGON"))
    assert (parsed.charset, parsed.value("PID-1")) == ("utf-8", "Nguyễn")
    assert parsed.notices == [(CHARSET_UNKNOWN, "MSH-18", "")]


@pytest.mark.parametrize(
    ("declared", "channel"),
    [("", "auto"), ("UNICODE UTF-8", "auto"), ("ASCII", "auto"), ("KLINGON", "auto"), ("", "ascii")],
)
def test_bytes_that_are_not_the_charset(declared: str, channel: str) -> None:
    raw = b"\r\n" + message("PID|caf\xe9", charset=declared, codec="latin-1")
    with pytest.raises(CharsetMismatch) as caught:
        er7.Message.parse(raw, channel)
    assert caught.value.where == f"byte {raw.index(0xE9)}"


def test_a_mismatch_says_what_it_looks_like() -> None:
    with pytest.raises(CharsetMismatch) as caught:
        er7.Message.parse(message("PID|1|").replace(b"PID|1|", b"PID|Nguy\xd4n V\xa8n H\xdfa"))
    assert caught.value.detail == "utf-8, looks like tcvn3"


def test_the_channel_overrides_msh_18() -> None:
    raw = message("PID|x", charset="UNICODE UTF-8").replace(b"PID|x", b"PID|Nguy\xd4n V\xa8n H\xdfa")
    assert er7.Message.parse(raw, "tcvn3").value("PID-1") == "Nguyễn Văn Hòa"
    with pytest.raises(CharsetMismatch) as caught:
        er7.Message.parse(raw, "no-such-charset")
    assert caught.value.where == "MSH-18"


def test_viqr_is_read_after_its_marks_were_unescaped() -> None:
    raw = message("PID|Nguye\\S\\\\R\\n^Va(n")
    assert er7.Message.parse(raw, "viqr").value("PID-1") == "Nguyễn"
    assert er7.Message.parse(raw, "viqr").value("PID-1.2") == "Văn"
    with pytest.raises(CharsetMismatch):
        er7.Message.parse(message("PID|Nguyễn"), "viqr")


def test_legacy_text_is_only_warned_about() -> None:
    parsed = er7.Message.parse(message("PID|1||7||NguyÔn^Hßa^V¨n"))
    assert parsed.value("PID-5") == "NguyÔn"
    assert parsed.notices == [(TCVN3_SUSPECTED, "", "tcvn3")]
    viqr = er7.Message.parse(message("PID|1||7||Nguye\\S\\\\R\\n^Tha\\S\\n^Va(n"))
    assert viqr.notices == [(VIQR_SUSPECTED, "", "viqr")]
    assert viqr.notices == [(VIQR_SUSPECTED, "", "viqr")]


# ---- batches ----


def test_a_single_message_is_its_own_batch() -> None:
    for raw in (message("PID|1"), b"", b"rubbish", b"PID|1\rMSH|^~\\&|\rMSH|^~\\&|"):
        assert split_batch(raw) == [raw]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_batch_gives_its_messages(end: str) -> None:
    one, two = f"{HEAD}{end}PID|1||Đ{end}", f"{HEAD}{end}OBX|1{end}"
    raw = f"FHS|^~\\&|A{end}BHS|^~\\&|A{end}{one}{two}BTS|2{end}BHS|^~\\&{end}{one}BTS|1{end}FTS|2{end}".encode()
    assert split_batch(raw) == [one.encode(), two.encode(), one.encode()]
    assert [m.decode("utf-16").lstrip("\ufeff") for m in split_batch(raw.decode().encode("utf-16"))] == [
        one,
        two,
        one,
    ]


def test_messages_without_batch_header_are_split_too() -> None:
    one = message("PID|1")
    assert split_batch(b"\xef\xbb\xbf" + one + b"\r\n" + one) == [one + b"\r\n", one]


def test_an_empty_batch_has_no_messages() -> None:
    assert split_batch(b"FHS|^~\\&\rBHS|^~\\&\rBTS|0\rFTS|1\r") == []


def test_a_batch_that_begins_with_something_else_is_refused() -> None:
    with pytest.raises(HeaderMissing):
        split_batch(b"BHS|^~\\&|\rPID|1\rMSH|^~\\&|\r")


# ---- header ----


def test_header_reads_msh() -> None:
    found = read_header(message("PID|1", charset="UNICODE UTF-8~x"))
    assert found == Header(
        er7.DEFAULT,
        "LIS",
        "KHOA XN",
        "HIS",
        "BV",
        "ORU",
        "R01",
        "ORU_R01",
        "ID1",
        "P",
        "2.5.1",
        "AL",
        "NE",
        "UNICODE UTF-8",
    )


@pytest.mark.parametrize(
    ("raw", "control_id"),
    [
        (b"", ""),
        (b"rubbish", ""),
        (b"MSH", ""),
        (b"MSH|", ""),
        (b"MSHMSHMSH", ""),
        (b"MSH\xff\xff", ""),
        (b"\x0b\x0bMSH|^~\\&|||||||ACK|7\x00\x01|P", "7"),
        (b"MSH|^^^^|||||||ACK|7|P", "7"),
        (b"MSH||||||||ACK|7|P", "7"),
        (b"MSH^^~\\&^^^^^^^ACK^7^P", ""),
        (b'MSH|^~\\&|""|||||\xff|ACK|\\T\\7|P', "&7"),
        ("MSH|^~\\&|||||||ACK|7|P\r".encode("utf-16"), "7"),
        ("MSH|^~\\&|||||||ACK|7|P\r".encode("utf-32-be"), "7"),
    ],
)
def test_header_never_raises(raw: bytes, control_id: str) -> None:
    assert read_header(raw).control_id == control_id


# ---- size ----


def _seconds(raw: bytes, position: str) -> float:
    """Return the CPU time of reading a value; without the collector, whose time depends on what else is in memory."""
    gc.disable()
    try:
        started = time.thread_time()
        er7.Message.parse(raw).value(position)
        return time.thread_time() - started
    finally:
        gc.enable()


@pytest.mark.parametrize("piece", [b"\\", b"\\X41", b"\\T\\", b"a&", b"~", b"\\.sp9", b"\\Z"])
def test_reading_is_linear_in_the_size_of_a_field(piece: bytes) -> None:
    times = [
        min(_seconds(message("OBX|1||").rstrip() + piece * n, "OBX-3") for _ in range(3)) for n in (20_000, 320_000)
    ]
    assert all(after < 100 * before + 0.05 for before, after in pairwise(times))


def test_many_segments_and_one_huge_field() -> None:
    parsed = er7.Message.parse(message(*["OBX|1|NM|x||5"] * 100_000))
    assert parsed.value("OBX[100000]-5") == "5"
    parsed = er7.Message.parse(message("OBX|1||" + "A" * 20_000_000))
    assert len(parsed.value("OBX-3") or "") == 20_000_000
