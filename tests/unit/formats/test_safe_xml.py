"""The XML door: hostile documents stay outside, honest ones come through unchanged."""

from __future__ import annotations

import pytest
from lxml import etree

from mappings.formats import safe_xml
from mappings.formats.faults import XmlRefused


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"text",
        b"<a>",
        b"<a></b>",
        b"<a>&undeclared;</a>",
        b'<?xml version="1.0" encoding="nope"?><a/>',
        b"<a>\xff</a>",
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>',
        b"<!-- <a/> --><?pi ?>\n<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><a>&x;</a>",
        b"<!DOCTYPE a [<!ENTITY b 'bb'><!ENTITY c '&b;&b;&b;&b;&b;&b;'>]><a y='&c;'/>",
        b"\xef\xbb\xbf <!DOCTYPE a><a/>",
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a><a/>'.encode("utf-16"),
        b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a+AD4-<a/>',
        b"<a>" * 100_000,
        b"<!--" * 100_000,
        b"<?a?>" * 100_000,
    ],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(XmlRefused):
        safe_xml.parse(data)


def test_the_line_is_named_and_the_content_is_not() -> None:
    with pytest.raises(XmlRefused) as caught:
        safe_xml.parse(b"<a>\n<b>Nguyen Van A</c>\n</a>")
    assert caught.value.where == "line 2"
    assert "Nguyen" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b" \n", "not XML: no element"),
        (b"<a><b>cut", "cut off"),
        (b'<?xml version="1.0" encoding="utf-8"?><a>\xea\x20</a>', "bytes that are not of its charset"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "a charset nobody knows"),
        (b"<a>" * 5000 + b"</a>" * 5000, "too large or too deep"),
        (b"<!DOCTYPE a><a/>", "a DTD is not accepted"),
    ],
)
def test_why_is_said_in_words_that_tell_what_to_do(data: bytes, said: str) -> None:
    """The remedy of LT3001 goes by these words."""
    with pytest.raises(XmlRefused) as caught:
        safe_xml.parse(data)
    assert caught.value.detail == said


def test_limits() -> None:
    data = b"<a>" * 30 + b"</a>" * 30
    assert safe_xml.parse(data, max_depth=30).tag == "a"
    with pytest.raises(XmlRefused, match="deeper"):
        safe_xml.parse(data, max_depth=29)
    with pytest.raises(XmlRefused, match="bytes"):
        safe_xml.parse(data, max_size=len(data) - 1)
    assert safe_xml.parse(b"<a>" * 256 + b"</a>" * 256).tag == "a"
    with pytest.raises(XmlRefused):
        safe_xml.parse(b"<a>" * 257 + b"</a>" * 257)


def test_one_long_text_is_read() -> None:
    assert len(safe_xml.parse(b"<a>" + b"A" * 12_000_000 + b"</a>").text or "") == 12_000_000


@pytest.mark.parametrize(
    "inner",
    ["<b>Đặng</b>", "<![CDATA[<!DOCTYPE a>]]>", "<!--c--><?pi d?>", " \n <b/> \n ", '<b xmlns="urn:x" y="&lt;&amp;"/>'],
)
def test_nothing_is_lost_in_reading(inner: str) -> None:
    def written(read: bytes) -> bytes:
        return etree.tostring(safe_xml.parse(read), encoding="UTF-8", xml_declaration=True)

    data = f"<?xml version='1.0' encoding='UTF-8'?>\n<a>{inner}</a>".encode()
    assert written(data) == data
    wide = data.decode().replace("UTF-8", "UTF-16").encode("utf-16")
    assert written(wide) == data


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a>&undeclared;</a>",
        "<a>\x00</a>",
        "<a>\ud800</a>",
        "<!DOCTYPE a><a/>",
        '<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>',
        "<!DOCTYPE a [<!ENTITY b 'bb'><!ENTITY c '&b;&b;&b;&b;&b;&b;'>]><a y='&c;'>&c;</a>",
    ],
)
def test_what_is_told_of_is_refused_like_what_is_parsed(text: str) -> None:
    told: list[object] = []
    with pytest.raises(XmlRefused):
        safe_xml.tell(text, lambda *one: told.append(one), told.append, told.append, told.append)
    assert not any("bb" in str(one) for one in told)


def test_one_after_the_other_is_told() -> None:
    told: list[object] = []
    text = "<a xmlns='urn:x' b='1&lt;'>one<!--no--><c/><![CDATA[<two>]]>&amp;</a>"
    safe_xml.tell(text, lambda *one: told.append(one), told.append, told.append, lambda *_: told.append("other"))
    assert told == [("urn:x}a", {"b": "1<"}), "one", "other", ("urn:x}c", {}), "urn:x}c", "<two>&", "urn:x}a"]
