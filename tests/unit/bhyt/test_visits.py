"""Files of the insurance interface become visits, whatever a producer did to them, and none takes another one down."""

from __future__ import annotations

import base64
import io
import random
import tracemalloc
from datetime import date

import pytest

from mappings.bhyt.envelope import ORDER, envelope
from mappings.bhyt.faults import EnvelopeInvalid
from mappings.bhyt.rows import rows_to_xml
from mappings.bhyt.tables import table
from mappings.bhyt.visits import Visit, read_visits, split_visits
from mappings.formats.faults import XmlRefused
from tests.unit.bhyt import generated

CHANCE = random.Random(7)
ROWS = {name: generated.rows(table(name), CHANCE) for name in ORDER}
FILES = [(name, rows_to_xml(table(name), ROWS[name])) for name in ORDER]
WHOLE = envelope("01001", date(2026, 11, 5), FILES)


def full(name: str) -> tuple[dict[str, str], ...]:
    return tuple({field.name: row.get(field.name, "") for field in table(name).fields} for row in ROWS[name])


def hoso(*files: tuple[str, str]) -> str:
    inner = "".join(f"<FILEHOSO><LOAIHOSO>{n}</LOAIHOSO><NOIDUNGFILE>{c}</NOIDUNGFILE></FILEHOSO>" for n, c in files)
    return f"<HOSO>{inner}</HOSO>"


def outer(*visits: str, counted: int | str = "") -> bytes:
    return (
        "<GIAMDINHHS><THONGTINDONVI><MACSKCB>01001</MACSKCB></THONGTINDONVI><THONGTINHOSO><NGAYLAP>20261105</NGAYLAP>"
        f"<SOLUONGHOSO>{counted or len(visits)}</SOLUONGHOSO><DANHSACHHOSO>{''.join(visits)}</DANHSACHHOSO></THONGTINHOSO>"
        "<CHUKYDONVI/></GIAMDINHHS>"
    ).encode()


def base(data: bytes) -> str:
    return base64.b64encode(data).decode()


DTD = b"<!DOCTYPE x [<!ENTITY a 'b'>]><GIAMDINHHS/>"
PAPER = dict(FILES)["XML7"]


@pytest.mark.parametrize(
    "data",
    [
        WHOLE,
        b"\xef\xbb\xbf" + WHOLE,
        WHOLE.replace(b"><", b">\r\n  <"),
        WHOLE.replace(b"<GIAMDINHHS>", b'<?xml version="1.0" encoding="utf-8"?>\n<GIAMDINHHS xmlns="urn:bhxh">'),
        WHOLE.decode().encode("utf-16"),
    ],
)
def test_an_envelope_is_one_visit(data: bytes) -> None:
    (visit,) = read_visits(data)
    assert (visit.facility, visit.made_on, visit.number, visit.oddities) == ("01001", date(2026, 11, 5), "LK-001", ())
    assert dict(visit.tables) == {name: full(name) for name in ORDER}


def test_older_producers_are_read() -> None:
    name, data = FILES[3]
    plain = data.decode().partition("?>")[2].strip()
    folded = "\r\n".join(base(data)[i : i + 76] for i in range(0, len(base(data)), 76))
    escaped = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for content, kinds in ((plain, ["plain"]), (escaped, ["plain"]), (folded, [])):
        (visit,) = read_visits(outer(hoso(("xml4", content))))
        assert visit.tables == {name: full(name)}
        assert [odd.kind for odd in visit.oddities] == kinds


def test_twins_have_a_form_each() -> None:
    (visit,) = read_visits(outer(hoso(("XML7", base(PAPER)), ("XML7", base(PAPER)))))
    assert len(visit.tables["XML7"]) == 2


@pytest.mark.parametrize("name", ["XML0", "XML12", "XML1"])
def test_a_table_may_come_bare(name: str) -> None:
    known = table(name)
    rows = generated.rows(known, random.Random(3))
    (visit,) = read_visits(rows_to_xml(known, rows))
    assert visit.tables == {name: tuple({f.name: row.get(f.name, "") for f in known.fields} for row in rows)}


@pytest.mark.parametrize(
    "content", ["", "%%%", "PHg+", base(b"<HTML/>"), base(b"<TONG_HOP>"), base(b"<!DOCTYPE a><TONG_HOP/>")]
)
def test_one_unreadable_table_leaves_the_others(content: str) -> None:
    visits = list(read_visits(outer(hoso(("XML1", content), ("XML7", base(PAPER))), hoso(("XML7", base(PAPER))))))
    assert [list(visit.tables) for visit in visits] == [["XML7"], ["XML7"]]
    assert [(odd.kind, odd.where) for odd in visits[0].oddities] == [("unreadable", "HOSO[1]/FILEHOSO[1]")]


def test_a_table_without_envelope_is_odd_inside_one() -> None:
    data = rows_to_xml(table("XML12"), [{"NGUOI_CHU_TRI": "x"}])
    (visit,) = read_visits(outer(hoso(("XML12", base(data)))))
    assert [odd.kind for odd in visit.oddities] == ["foreign"]


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"   ", b"{}", b"<GIAMDINHHS/>", b"<html/>", DTD, outer(), WHOLE[:-30]),
        b"<!--" + b" " * 70_000 + b"-->" + DTD,
        outer(hoso(("XML7", base(PAPER))), counted=3),
    ],
)
def test_what_is_no_such_file_is_refused(data: bytes) -> None:
    with pytest.raises((XmlRefused, EnvelopeInvalid)):
        list(read_visits(data))


def test_a_file_that_is_cut_off_gives_the_visits_before() -> None:
    visits = read_visits(outer(hoso(("XML7", base(PAPER))), hoso(("XML7", base(PAPER))))[:-120])
    assert isinstance(next(visits), Visit)
    with pytest.raises(XmlRefused):
        list(visits)


def test_ten_thousand_visits_need_the_memory_of_one() -> None:
    one = hoso(*((name, base(data)) for name, data in FILES)).encode()
    head, tail = outer("@", counted=3000).split(b"@")

    class Endless(io.BytesIO):
        left = 3000
        rest = head

        def read(self, size: int | None = -1, /) -> bytes:
            assert size
            while len(self.rest) < size and self.left >= 0:
                self.rest += one if self.left else tail
                self.left -= 1
            part, self.rest = self.rest[:size], self.rest[size:]
            return part

    tracemalloc.start()
    assert sum(1 for _ in read_visits(Endless())) == 3000
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


def test_a_file_of_several_visits_becomes_files_of_one() -> None:
    data = outer(hoso(*((name, base(data)) for name, data in FILES)), hoso(("XML7", base(PAPER))))
    parts = [list(read_visits(part)) for part in split_visits(data)]
    assert [len(part) for part in parts] == [1, 1]
    for (one,), whole in zip(parts, read_visits(data), strict=True):
        assert (one.tables, one.facility, one.made_on) == (whole.tables, whole.facility, whole.made_on)
    assert list(split_visits(PAPER)) == [PAPER.partition(b"?>")[2].strip()]


def test_the_smallest_file_is_refused_by_its_root() -> None:
    """lxml tells of four bytes only when they end."""
    with pytest.raises(EnvelopeInvalid):
        list(read_visits(b"<A/>"))
