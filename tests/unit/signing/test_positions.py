"""The place that is found in the bytes is the one that a parser names, however the document is written."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from lxml import etree

from mappings.formats import safe_xml
from signing import positions

DOCUMENTS = [
    b"<r><a>x</a><b/><a>y</a></r>",
    b"<?xml version='1.0'?>\n<r><a>x</a >tail<a\n>y</a\t></r>\n",
    b'<r xmlns:p="urn:p"><p:a>1</p:a><a>2</a><q:a xmlns:q="urn:p">3</q:a></r>',
    b"<r><a/><a></a><a>x</a></r>",
    b"<r><a><a>x</a></a></r>",
    b"<r><!-- <a>x</a> --><a>y</a></r>",
    b"<r><![CDATA[<a></a>]]><a>y</a></r>",
    b"<r><a>x</a><?a <a></a> ?></r>",
    b"<?a <a></a> ?><r><a>x</a></r>",
    "<r><ab>x</ab><a-b>y</a-b><a>Chú ý! \U0001f600</a></r>".encode(),
    b'<r><b c="&lt;a>&lt;/a>">/a></b><a>x</a></r>',
    b"\xef\xbb\xbf<r><a>x</a></r>",
]


@pytest.mark.parametrize("xml", DOCUMENTS)
def test_both_ways_find_the_same_place(xml: bytes) -> None:
    for element in safe_xml.parse(xml).iter("*"):
        found = positions.split_before_end(xml, element)
        with patch.object(positions, "_only_reading", return_value=None):
            assert positions.split_before_end(xml, element) == found


@pytest.mark.parametrize("xml", DOCUMENTS)
def test_what_is_put_there_is_the_last_child(xml: bytes) -> None:
    root = safe_xml.parse(xml)
    for number, element in enumerate(root.iter("*")):
        before, after = positions.split_before_end(xml, element)
        changed = [one for one in safe_xml.parse(before + b"<new/>" + after).iter("*") if one.tag != "new"][number]
        assert etree.tostring(changed[-1], with_tail=False).startswith(b"<new")


def test_searching_is_enough_for_what_we_write() -> None:
    assert positions._only_reading(DOCUMENTS[0], safe_xml.parse(DOCUMENTS[0])[2]) == 19
