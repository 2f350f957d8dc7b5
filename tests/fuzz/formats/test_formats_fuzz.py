"""Whatever arrives, the codecs raise faults of ours or nothing; what they read does not depend on how often it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from mappings.formats import charsets, dates, er7, identifiers, json, safe_xml
from mappings.formats.er7_batch import split_batch
from mappings.formats.er7_escapes import escape
from mappings.formats.er7_header import Header, read_header
from mappings.formats.faults import Fault

CORPUS = Path(__file__).resolve().parents[3] / "../shared/corpora/hl7v2"
QUICK = settings(max_examples=250, database=None)

PIECES = [
    b"MSH",
    b"|",
    b"^",
    b"~",
    b"\\",
    b"&",
    b"#",
    b"\r",
    b"\n",
    b"PID|",
    b"OBX|1|",
    b"FHS|",
    b"BTS|",
    b'""',
    b"\\F\\",
    b"\\X",
    b"41",
]
PIECES += [
    b"\\.sp3\\",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\0",
    b"\xe1\xbb\x85",
    b"\xe9",
    b"MSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.5",
]
PIECES += [b"|||||8859/1", b"|||||UNICODE", b"|||||GB 18030-2000", b"|||||ISO IR87", b"\x1b$B", b"\x1b(B", b"\\M2442\\"]
rubbish = st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(PIECES), max_size=25).map(b"".join))
messages = st.lists(st.sampled_from(PIECES), max_size=25).map(lambda parts: PIECES[23] + b"".join(parts))
codecs = st.sampled_from(
    ["auto", "utf-8", "latin-1", "tcvn3", "vni", "viqr", "cp1258", "gb18030", "utf-16", "utf-7", "idna", "x"]
)


def everything(message: er7.Message) -> list[tuple[str, int, list[list[str]]]]:
    return [
        (
            segment.position(),
            n,
            [[rep.c(c, s) for c in range(1, rep.components + 1) for s in (1, 2)] for rep in segment[n].repetitions],
        )
        for segment in message.segments
        for n in segment.populated()
    ]


@QUICK
@given(raw=st.one_of(rubbish, messages), charset=codecs)
def test_er7_raises_only_faults_and_reads_the_same_twice(raw: bytes, charset: str) -> None:
    assert isinstance(read_header(raw), Header)
    try:
        first, second = er7.Message.parse(raw, charset), er7.Message.parse(raw, charset)
    except Fault:
        return
    assert everything(first) == everything(first) == everything(second)
    assert first.notices == second.notices
    for segment in first.segments:
        for n in segment.populated():
            assert isinstance(segment[n].text + segment[n].whole, str)
            assert first.value(f"{segment.position()}-{n}") in (segment[n].text or None, er7.NULL)


@QUICK
@given(raw=rubbish)
def test_batches_raise_only_faults(raw: bytes) -> None:
    try:
        parts = split_batch(raw)
    except Fault:
        return
    assert all(isinstance(part, bytes) for part in parts)


@QUICK
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=60))
def test_escape_and_back(text: str) -> None:
    raw = b"MSH|^~\\&|A\rZZZ|" + escape(text).encode()
    assert er7.Message.parse(raw).segments[1][1].text == charsets.decode(text.encode(), "utf-8") or text == er7.NULL


@QUICK
@given(raw=st.one_of(rubbish, st.text(alphabet="aeouydnhg^(+'`?~.ÔßãùøæÞ ", max_size=60).map(str.encode)))
def test_suspicion_never_raises(raw: bytes) -> None:
    assert len(charsets.suspect(raw)) <= 1
    assert len(charsets.suspect(raw.decode("latin-1"))) <= 1


XML = [
    b"<a>",
    b"</a>",
    b"<a/>",
    b"<!DOCTYPE a>",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"&lt;",
    b"&x;",
    b"<?xml version='1.0'?>",
    b"\0",
    b"\xff",
    b"x",
]


@QUICK
@given(data=st.one_of(st.binary(max_size=80), st.lists(st.sampled_from(XML), max_size=12).map(b"".join)))
def test_xml_raises_only_faults(data: bytes) -> None:
    try:
        root = safe_xml.parse(data)
    except Fault:
        return
    written = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    assert etree.tostring(safe_xml.parse(written), encoding="UTF-8", xml_declaration=True) == written


values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.decimals(allow_nan=True, allow_infinity=True)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=12,
)


@QUICK
@given(data=st.binary(max_size=60), value=values)
def test_json_raises_only_faults(data: bytes, value: object) -> None:
    try:
        json.loads(data)
    except Fault:
        pass
    try:
        written = json.dumps(value)
    except Fault:
        return
    assert json.dumps(json.loads(written)) == written
    assert json.canonical(json.loads(written)) == json.canonical(value)


@QUICK
@given(
    text=st.one_of(st.text(max_size=25), st.from_regex(r"[0-9]{4,14}(\.[0-9]{1,4})?([+-][0-9]{4})?", fullmatch=True))
)
def test_dates_raise_only_faults_and_a_date_never_shifts(text: str) -> None:
    for read in (dates.dtm_to_fhir_datetime, dates.dtm_to_fhir_date):
        try:
            found = read(text)
        except Fault:
            continue
        assert found.replace("-", "")[: min(8, len(text.strip()))].startswith(text.strip()[:4])
        try:
            written = dates.fhir_to_yyyymmddhhmm(found)
        except Fault:
            continue
        if found and "T" not in found:
            assert written[:8] == found.replace("-", "").ljust(8, "0")


@QUICK
@given(value=st.text(max_size=20), gender=st.sampled_from(["male", "female", ""]), birth=st.text(max_size=10))
def test_identifiers_never_raise(value: str, gender: str, birth: str) -> None:
    identifiers.classify(value)
    identifiers.doubts(value, gender, birth)
    identifiers.gln_doubts(value)
    key = identifiers.match_key(value)
    assert identifiers.match_key(key) == key or not key.isascii()
    identifiers.match_key_unaccented(value)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real messages is not beside the checkout")
def test_real_messages_are_read() -> None:
    refused = 0
    files = sorted(CORPUS.glob("*/*.hl7"))
    for file in files:
        try:
            everything(er7.Message.parse(file.read_bytes()))
        except Fault:
            refused += 1
    assert refused * 50 < len(files)
