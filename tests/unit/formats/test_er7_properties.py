"""What holds for every text, delimiter set, charset, order and position: drawn by hypothesis, the same draws every time."""

from __future__ import annotations

import unicodedata
from functools import cache

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mappings.formats import charsets, er7, er7_escapes
from mappings.formats.er7_writer import Component, Repetition, Revision, Segment, Value, write
from mappings.formats.faults import Fault, NotWritable
from tests.unit.formats.er7_values import anew, leaves

STEADY = settings(max_examples=150, derandomize=True, database=None)
CHARSETS = sorted({*charsets.TABLE_0211.values(), *charsets.LEGACY})
INEXACT = ("tcvn3", "vni", "cp1258", "viqr", "iso2022_jp", "iso2022_jp_1")
"""Charsets with texts that read as something else, such as two marks that make one letter: these are refused."""
VIETNAMESE = "aăâbcdđeêghiklmnoôơpqrstuưvxyÁẤẮÉẾÍÓỐỚÚỨÝỹựễộĐ Nguyễn"

MARKS = "!#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
texts = st.text(
    alphabet=st.one_of(
        st.sampled_from(MARKS + '\r\n\t"EFSRTPX01'), st.characters(exclude_categories=["Cs", "Cc", "Cn"])
    ),
    max_size=20,
)
marks = st.lists(st.sampled_from(MARKS), min_size=6, max_size=6, unique=True)


@st.composite
def delimiter_sets(draw: st.DrawFn, complete: bool = True) -> er7.Delimiters:
    chosen = [mark.encode() for mark in draw(marks)]
    count = draw(st.integers(5, 6) if complete else st.integers(2, 6))
    return er7.Delimiters(*[mark if n < count else b"" for n, mark in enumerate(chosen)])


def values_of(inner: st.SearchStrategy[str]) -> st.SearchStrategy[Value]:
    component: st.SearchStrategy[Component] = st.one_of(inner, st.lists(inner, max_size=3).map(tuple))
    repetition: st.SearchStrategy[Repetition] = st.one_of(inner, st.lists(component, max_size=4).map(tuple))
    return st.one_of(inner, st.lists(component, max_size=4).map(tuple), st.lists(repetition, max_size=3))


def segments_of(inner: st.SearchStrategy[str]) -> st.SearchStrategy[list[Segment]]:
    one = st.builds(
        Segment,
        st.sampled_from(["PID", "OBX", "NTE", "ZX1"]),
        st.dictionaries(st.integers(1, 40), values_of(inner), max_size=5),
    )
    return st.lists(one, max_size=5).map(lambda found: [Segment("MSH", {3: "A", 10: "1"}), *found])


@cache
def repertoire(charset: str) -> str:
    """A sample of the characters a charset has: all of ASCII, Vietnamese, and every seventh of the plane."""
    found = []
    for char in sorted(
        {*map(chr, range(32, 127)), *VIETNAMESE, *map(chr, [*range(128, 0xD800, 7), *range(0xE000, 0xFFF0, 7)])}
    ):
        if unicodedata.category(char) in ("Cc", "Cn", "Cs", "Co"):
            continue
        try:
            charsets.encode(char, charset)
        except UnicodeEncodeError:
            continue
        found.append(char)
    return "".join(found)


def composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


@STEADY
@given(text=texts, delimiters=delimiter_sets())
def test_any_text_survives(text: str, delimiters: er7.Delimiters) -> None:
    written = er7_escapes.escape(text, delimiters)
    in_use = "".join(mark.decode() for mark in delimiters)
    assert not set(written) & set(in_use.replace(delimiters.escape.decode(), "") + "\r\n")
    assert er7_escapes.unescape(written.encode(), delimiters) == composed(text)


@STEADY
@given(segments=segments_of(texts), delimiters=delimiter_sets(complete=False))
def test_any_delimiter_set(segments: list[Segment], delimiters: er7.Delimiters) -> None:
    try:
        raw = write(segments, delimiters)
    except NotWritable:
        assert not all(delimiters[:5])
        return
    message = er7.Message.parse(raw)
    assert message.delimiters == delimiters
    assert [segment.name for segment in message.segments] == [segment.name for segment in segments]
    assert said(message) == expected(segments)


def said(message: er7.Message) -> dict[str, str]:
    return {where: text for where, text in leaves(message).items() if where[:6] not in ("MSH-1[", "MSH-2[")}


def expected(segments: list[Segment]) -> dict[str, str]:
    """Say what must be read, without the reader and the writer."""
    found: dict[str, str] = {}
    seen: dict[str, int] = {}
    for name, fields in segments:
        seen[name] = seen.get(name, 0) + 1
        place = name if seen[name] == 1 else f"{name}[{seen[name]}]"
        for n, value in fields.items():
            for r, one in enumerate(value if isinstance(value, list) else [value], 1):
                for c, component in enumerate([one] if isinstance(one, str) else one, 1):
                    for s, text in enumerate([component] if isinstance(component, str) else component, 1):
                        if text:
                            found[f"{place}-{n}[{r}].{c}.{s}"] = composed(text)
    return found


@pytest.mark.parametrize("charset", CHARSETS)
def test_any_charset_of_the_table(charset: str) -> None:
    known = repertoire(charset)
    assert set(map(chr, range(32, 127))) <= set(known)

    @settings(STEADY, max_examples=40)
    @given(segments=segments_of(st.text(alphabet=known, max_size=12)), delimiters=delimiter_sets())
    def survives(segments: list[Segment], delimiters: er7.Delimiters) -> None:
        try:
            raw = write(segments, delimiters, charset)
        except NotWritable:
            assert charset in INEXACT
            return
        message = er7.Message.parse(raw, charset)
        assert said(message) == expected(segments)
        assert Revision(message).write() == raw

    survives()


@pytest.mark.parametrize("charset", ["tcvn3", "vni", "viqr", "cp1258", "utf-8", "utf-16"])
@STEADY
@given(
    words=st.lists(st.sampled_from(["Nguyễn", "TRẦN", "Đặng", "ỷ", "ưỡn", "hoà", "10%", "a.", "dđ", "ỨNG"]), max_size=6)
)
def test_vietnamese_is_never_refused(charset: str, words: list[str]) -> None:
    text = " ".join(words)
    raw = write([Segment("MSH", {}), Segment("PID", {5: text})], charset=charset)
    assert (er7.Message.parse(raw, charset).value("PID-5") or "") == text


FRAMES = st.sampled_from(["\r", "\n", "\r\n", "\r\r", "\n\n"])


@STEADY
@given(
    segments=segments_of(texts),
    delimiters=delimiter_sets(),
    end=FRAMES,
    before=st.sampled_from(["", "\ufeff", " \r\n", "\r\n\ufeff\n"]),
    blank=st.sampled_from(["", " ", "\t "]),
    after=st.integers(0, 3),
    trailing=st.integers(0, 4),
)
def test_what_was_read_is_written(
    segments: list[Segment], delimiters: er7.Delimiters, end: str, before: str, blank: str, after: int, trailing: int
) -> None:
    lines = write(segments, delimiters).decode().removesuffix("\r").split("\r")
    tail = (delimiters.field + delimiters.component).decode() * trailing
    raw = (
        before + end.join([lines[0], *(line + tail for line in lines[1:])]) + end * after + blank * bool(after)
    ).encode()
    message = er7.Message.parse(raw)
    made = Revision(message)
    assert made.write() == raw
    assert leaves(er7.Message.parse(write(anew(message), delimiters))) == leaves(message)
    made.insert(Segment("ZZZ", {1: "x"}), after="MSH")
    assert er7.Message.parse(made.write()).value("ZZZ-1") == "x"
    if len(lines) > 1:
        made.remove("ZZZ")
        assert made.write() == raw


@STEADY
@given(order=st.permutations(range(1, 12)), names=st.permutations(["PID", "PV1", "OBX", "ZZZ"]))
def test_any_order_of_fields_and_segments(order: list[int], names: list[str]) -> None:
    fields: dict[int, Value] = {n: (f"a{n}", f"b{n}") for n in order}
    message = er7.Message.parse(write([Segment("MSH", {}), *(Segment(name, fields) for name in names)]))
    assert [segment.name for segment in message.segments] == ["MSH", *names]
    for name in names:
        assert [message.value(f"{name}-{n}.2") for n in order] == [f"b{n}" for n in order]


@STEADY
@given(
    segments=segments_of(texts),
    delimiters=delimiter_sets(),
    text=texts.filter(bool),
    place=st.tuples(st.integers(0, 9), st.integers(1, 40), st.integers(1, 3), st.integers(1, 5), st.integers(1, 3)),
)
def test_what_is_set_at_a_position_is_read_there_and_nothing_else_moves(
    segments: list[Segment], delimiters: er7.Delimiters, text: str, place: tuple[int, int, int, int, int]
) -> None:
    message = er7.Message.parse(write(segments, delimiters))
    which, n, r, c, s = place
    assume(len(message.segments) > 1)
    segment = message.segments[1 + which % (len(message.segments) - 1)]
    where = f"{segment.position()}-{n}[{r}].{c}.{s}"
    made = Revision(message)
    made.set(where, text)
    read = er7.Message.parse(made.write())
    assert read.value(where) == composed(text)
    kept = {key: value for key, value in leaves(message).items() if key != where}
    if text != er7.NULL:
        assert {key: value for key, value in leaves(read).items() if key != where} == kept
    assert [one.raw for one in read.segments if one.number != segment.number] == [
        one.raw for one in message.segments if one.number != segment.number
    ]


@STEADY
@given(text=st.text(max_size=8))
def test_a_position_is_one_or_a_value_error(text: str) -> None:
    try:
        place = er7.position(text)
    except ValueError:
        return
    assert place.segment == text[:3]


def test_an_escape_that_forgets_a_delimiter_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = er7_escapes.escape

    def forgetful(text: str, delimiters: er7.Delimiters = er7.DEFAULT, charset: str = "utf-8") -> str:
        return genuine(text, delimiters._replace(repetition=b""), charset)

    monkeypatch.setattr(er7_escapes, "escape", forgetful)
    for promise in (test_any_text_survives, test_any_delimiter_set):
        with pytest.raises((AssertionError, Fault, ExceptionGroup)):
            promise()


def test_a_writer_that_drops_what_trails_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = Revision.write
    monkeypatch.setattr(Revision, "write", lambda made: genuine(made).rstrip(b"|\r\n"))
    with pytest.raises((AssertionError, ExceptionGroup)):
        test_what_was_read_is_written()
