"""The envelope GIAMDINHHS: exact bytes out, tolerant reading in."""

from __future__ import annotations

import base64
from datetime import date

import pytest
from lxml import etree

from mappings.bhyt import Envelope, envelope, read
from mappings.bhyt.faults import EnvelopeInvalid
from mappings.formats.faults import Fault, XmlRefused

DAY = date(2026, 8, 21)
INNER = '<?xml version="1.0" encoding="utf-8"?>\r\n<TONG_HOP><MA_LK>Ư1</MA_LK></TONG_HOP>'.encode()
PACKED = base64.b64encode(INNER).decode()


def test_the_bytes_are_the_ones_a_portal_accepted() -> None:
    assert envelope("01001", DAY, [("XML1", INNER)]).decode() == (
        "<GIAMDINHHS><THONGTINDONVI><MACSKCB>01001</MACSKCB></THONGTINDONVI>"
        "<THONGTINHOSO><NGAYLAP>20260821</NGAYLAP><SOLUONGHOSO>1</SOLUONGHOSO>"
        "<DANHSACHHOSO><HOSO><FILEHOSO><LOAIHOSO>XML1</LOAIHOSO>"
        f"<NOIDUNGFILE>{PACKED}</NOIDUNGFILE></FILEHOSO></HOSO></DANHSACHHOSO></THONGTINHOSO>"
        "<CHUKYDONVI/></GIAMDINHHS>"
    )


def test_the_shape_of_the_guide_differs_only_in_its_head() -> None:
    plain = envelope("01001", DAY, [("XML1", INNER)])
    guide = envelope("01001", DAY, [("XML1", INNER)], as_in_guide=True)
    assert guide.startswith(b'<?xml version="1.0" encoding="utf-8"?>\r\n<GIAMDINHHS xmlns:xsi=')
    assert guide.partition(b"<THONGTINDONVI>")[2] == plain.partition(b"<THONGTINDONVI>")[2]
    assert read(guide) == read(plain)


def test_files_stand_in_the_order_of_the_portal_and_come_back_unchanged() -> None:
    files = [("XML13", b"<c/>"), ("XML2", b"<b/>"), ("XML1", INNER)]
    written = envelope("01001", DAY, files)
    assert read(written) == Envelope("01001", DAY, (tuple(reversed(files)),), signed=False)
    last = etree.fromstring(written)[-1]
    assert (last.tag, len(last), last.text) == ("CHUKYDONVI", 0, None)


@pytest.mark.parametrize(
    ("facility", "names"),
    [("0100", ["XML1"]), ("01<01", ["XML1"]), ("01001", []), ("01001", ["XML12"]), ("01001", ["xml1"]),
     ("01001", ["XML1", "XML1"]), ("01001", ["XML0"])],
)  # fmt: skip
def test_what_the_portal_would_not_take_is_not_written(facility: str, names: list[str]) -> None:
    with pytest.raises(EnvelopeInvalid):
        envelope(facility, DAY, [(name, INNER) for name in names])


def wrapped(content: str, name: str = "XML1", count: str = "<SOLUONGHOSO>1</SOLUONGHOSO>", tail: str = "") -> bytes:
    return (
        "<GIAMDINHHS><THONGTINDONVI><MACSKCB> 01001 </MACSKCB></THONGTINDONVI><THONGTINHOSO>"
        f"<NGAYLAP>2026-08-21</NGAYLAP>{count}<DANHSACHHOSO><HOSO><FILEHOSO><LOAIHOSO>{name}</LOAIHOSO>"
        f"{content}</FILEHOSO></HOSO></DANHSACHHOSO></THONGTINHOSO>{tail}</GIAMDINHHS>"
    ).encode()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (PACKED, INNER),
        (f"\n {PACKED[:20]}\n{PACKED[20:]}\n", INNER),
        ("<TONG_HOP><MA_LK>1</MA_LK></TONG_HOP>", b"<TONG_HOP><MA_LK>1</MA_LK></TONG_HOP>"),
        ("<![CDATA[<TONG_HOP/>]]>", b"<TONG_HOP/>"),
        ("&lt;TONG_HOP/&gt;", b"<TONG_HOP/>"),
    ],
)
def test_inner_documents_are_read_however_they_were_put(content: str, expected: bytes) -> None:
    found = read(wrapped(f"<NOIDUNGFILE>{content}</NOIDUNGFILE>"))
    assert found == Envelope("01001", None, ((("XML1", expected),),), signed=False)


def test_a_signature_is_seen() -> None:
    signature = '<CHUKYDONVI><Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/></CHUKYDONVI>'
    assert read(wrapped(f"<NOIDUNGFILE>{PACKED}</NOIDUNGFILE>", tail=signature)).signed


def test_many_visits_are_read() -> None:
    one = envelope("01001", DAY, [("XML1", INNER)])
    visit = one[one.index(b"<HOSO>") : one.index(b"</DANHSACHHOSO>")]
    two = one.replace(visit, visit + visit).replace(b"<SOLUONGHOSO>1", b"<SOLUONGHOSO>2")
    assert len(read(two).visits) == 2


@pytest.mark.parametrize(
    ("data", "kind", "where"),
    [
        (b"<HSCHUNGTU/>", EnvelopeInvalid, "/"),
        (b"<GIAMDINHHS/>", EnvelopeInvalid, "THONGTINHOSO/SOLUONGHOSO"),
        (wrapped("<NOIDUNGFILE/>", count="<SOLUONGHOSO>2</SOLUONGHOSO>"), EnvelopeInvalid, "THONGTINHOSO/SOLUONGHOSO"),
        (wrapped("<NOIDUNGFILE/>", name="XML99"), EnvelopeInvalid, "HOSO[1]/FILEHOSO[1]/LOAIHOSO"),
        (wrapped(""), EnvelopeInvalid, "HOSO[1]/FILEHOSO[1]/NOIDUNGFILE"),
        (wrapped("<NOIDUNGFILE>$$$$</NOIDUNGFILE>"), EnvelopeInvalid, "HOSO[1]/FILEHOSO[1]/NOIDUNGFILE"),
        (b"<GIAMDINHHS>", XmlRefused, "line 1"),
        (b'<!DOCTYPE x [<!ENTITY y "z">]><GIAMDINHHS>&y;</GIAMDINHHS>', XmlRefused, ""),
    ],
)
def test_what_is_no_envelope_is_refused(data: bytes, kind: type[Fault], where: str) -> None:
    with pytest.raises(kind) as caught:
        read(data)
    assert caught.value.where == where
