"""Signing puts a Signature between the input's bytes and leaves every one of them alone."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mappings.formats import safe_xml
from signing import verify, xml_parts, xmldsig
from signing.faults import CertificateOutOfDate, DocumentUnsignable, KeyUnsuitable
from signing.testing import Authority, MemoryKey, new_rsa_key

ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?>\r\n<GIAMDINHHS>\r\n\t<THONGTINDONVI><MACSKCB>01001</MACSKCB></THONGTINDONVI>\r\n'
    "  <!-- <CHUKYDONVI/> --><X><![CDATA[<CHUKYDONVI/>]]></X><?x <CHUKYDONVI/>?>%s\n</GIAMDINHHS>\n"
)


def outside(signed: bytes) -> tuple[bytes, bytes]:
    start = signed.index(b'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#">')
    end = signed.index(b"</Signature>") + len(b"</Signature>")
    return signed[:start], signed[end:]


@pytest.mark.parametrize(
    ("xml", "before"),
    [
        ("<r/>", "<r>"),
        ("<r></r>", "<r>"),
        ("<r>\r\n <a>Đặng</a>\r\n</r >\r\n", "<r>\r\n <a>Đặng</a>\r\n"),
        ("\ufeff<?xml version='1.0'  encoding='UTF-8'?>\r<r  a = '>'\n/>\n\n", None),
        ("<n:r xmlns:n='urn:n'><n:r/></n:r><!-- </n:r> <n:r> --><?p <? </n:r>?>", "<n:r xmlns:n='urn:n'><n:r/>"),
        ("<?xml-stylesheet href='a'?><r><!-- c --><?p?></r>\n<?p?>\n<!---->\n", None),
    ],
)
def test_bytes_around_the_signature_are_the_input(
    xml: str, before: str | None, root: Authority, key: MemoryKey
) -> None:
    data = xml.encode()
    head, tail = outside(xmldsig.sign(data, key))
    assert head + tail in (
        data,
        data.replace(b"/>", b"></r>"),
        data.replace(b"/>", b">", 1).replace(b"\n\n", b"</r>\n\n"),
    )
    if before is not None:
        assert head == before.encode()
    assert verify.verify(xmldsig.sign(data, key), [root.certificate]).signer.name == "Nguyễn Thị Ánh"


@pytest.mark.parametrize(
    ("place", "opened", "closed"),
    [
        ("<CHUKYDONVI/>", "<CHUKYDONVI>", "</CHUKYDONVI>"),
        ("<CHUKYDONVI></CHUKYDONVI>", "<CHUKYDONVI>", "</CHUKYDONVI>"),
        ("<CHUKYDONVI  a='/>' b=\">\" />", "<CHUKYDONVI  a='/>' b=\">\" >", "</CHUKYDONVI>"),
        ("<v:CHUKYDONVI xmlns:v='urn:v'\n/>", "<v:CHUKYDONVI xmlns:v='urn:v'\n>", "</v:CHUKYDONVI>"),
    ],
)
def test_place_of_the_unit_signature(place: str, opened: str, closed: str, root: Authority, key: MemoryKey) -> None:
    start, end = ENVELOPE.split("%s")
    signed = xmldsig.sign((ENVELOPE % place).encode(), key, "CHUKYDONVI")
    assert outside(signed) == ((start + opened).encode(), (closed + end).encode())
    verify.verify(signed, [root.certificate])


@pytest.mark.parametrize(
    "place", ["", "<CHUKYDONVI/><CHUKYDONVI/>", "<a><CHUKYDONVI/></a>", "<CHUKYDONVI>x</CHUKYDONVI>"]
)
def test_place_missing_twice_nested_or_full_is_refused(place: str) -> None:
    with pytest.raises(DocumentUnsignable) as caught:
        xmldsig.prepare((ENVELOPE % place).encode(), "CHUKYDONVI")
    assert caught.value.where == "CHUKYDONVI"


def test_place_must_be_one_that_verification_accepts() -> None:
    with pytest.raises(DocumentUnsignable):
        xmldsig.prepare(b"<r><a/></r>", "a")


@pytest.mark.parametrize(
    "xml",
    [
        b"",
        b"text",
        b"<r>",
        b'<!DOCTYPE r [<!ENTITY e "x">]><r>&e;</r>',
        b'<!DOCTYPE r SYSTEM "file:///etc/hostname"><r/>',
        "<?xml version='1.0' encoding='UTF-16'?><r/>".encode("utf-16"),
        b"<?xml version='1.0' encoding='windows-1258'?><r/>",
        b'<r xmlns="relative"/>',
    ],
)
def test_what_cannot_be_signed_is_refused(xml: bytes) -> None:
    with pytest.raises(DocumentUnsignable):
        xmldsig.prepare(xml)


def test_signed_document_is_not_signed_again(key: MemoryKey) -> None:
    signed = xmldsig.sign(b"<r/>", key)
    with pytest.raises(DocumentUnsignable, match="signed already"):
        xmldsig.sign(signed, key)
    elsewhere = b'<r><a><d:Signature xmlns:d="http://www.w3.org/2000/09/xmldsig#"/></a></r>'
    with pytest.raises(DocumentUnsignable, match="signed already"):
        xmldsig.prepare(elsewhere)


def test_two_phases_may_be_apart(root: Authority, key: MemoryKey) -> None:
    prepared = pickle.loads(pickle.dumps(xmldsig.prepare("<r>Huỳnh</r>".encode())))
    signed = xmldsig.inject(prepared, key.sign(prepared.to_be_signed), key.chain)
    assert verify.verify(signed, [root.certificate]).data == "<r>Huỳnh</r>".encode()


def test_prepared_shows_no_content() -> None:
    assert "4.50" not in repr(xmldsig.prepare(b"<r>4.50</r>"))


def test_wrong_pair_of_signature_and_certificate_is_refused(key: MemoryKey, issuing: Authority) -> None:
    prepared = xmldsig.prepare(b"<r/>")
    stranger = issuing.issue("Khác")
    with pytest.raises(KeyUnsuitable):
        xmldsig.inject(prepared, stranger.sign(prepared.to_be_signed), key.chain)
    with pytest.raises(KeyUnsuitable):
        xmldsig.inject(prepared, key.sign(prepared.to_be_signed), ())


def test_weak_key_is_refused(issuing: Authority) -> None:
    weak = issuing.issue("Yếu", private_key=new_rsa_key(1024))
    with pytest.raises(KeyUnsuitable, match="1024"):
        xmldsig.sign(b"<r/>", weak)


@pytest.mark.parametrize("days", [(-20, -10), (10, 20)])
def test_certificate_out_of_date_is_refused(days: tuple[int, int], issuing: Authority, key: MemoryKey) -> None:
    first, last = (datetime.now(UTC) + timedelta(days=offset) for offset in days)
    late = issuing.issue("Trễ", private_key=key.private_key, not_before=first, not_after=last)
    with pytest.raises(CertificateOutOfDate):
        xmldsig.sign(b"<r/>", late)


TEXT = st.text(st.sampled_from("aĐ \t\n\r]>'\"/-?"), max_size=6).map(lambda text: text.replace("]]>", ""))
COMMENT = TEXT.map(lambda text: "<!--" + text.replace("-", "") + "</r><r/>-->")
INSTRUCTION = TEXT.map(lambda text: "<?p <? " + text.replace("?>", "") + " ?>")
BLANK = st.text(st.sampled_from(" \t\r\n"), max_size=3)
BESIDE = st.lists(st.one_of(COMMENT, INSTRUCTION, BLANK), max_size=4).map("".join)
INSIDE = st.recursive(
    st.one_of(TEXT, COMMENT, INSTRUCTION, TEXT.map(lambda text: f"<![CDATA[</r>{text}]]>")),
    lambda inner: st.lists(inner, max_size=4).map(lambda parts: f"<r b='>'>{''.join(parts)}</r>"),
    max_leaves=8,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=BESIDE, inside=st.one_of(st.none(), INSIDE), after=BESIDE)
def test_any_document_keeps_its_bytes_and_verifies(
    before: str, inside: str | None, after: str, root: Authority, key: MemoryKey
) -> None:
    before = before.lstrip()
    whole = f"{before}<r/>{after}" if inside is None else f"{before}<r>{inside}</r>{after}"
    if xml_parts.comment_in_text(safe_xml.parse(whole.encode())):
        with pytest.raises(DocumentUnsignable, match="comment"):
            xmldsig.sign(whole.encode(), key)
        return
    head, tail = outside(signed := xmldsig.sign(whole.encode(), key))
    content = inside or ""
    assert head.decode() == f"{before}<r>{content}"
    assert tail.decode() == f"</r>{after}"
    verify.verify(signed, [root.certificate])
