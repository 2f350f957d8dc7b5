"""What may stand in a narrative."""

from __future__ import annotations

import pytest

from mappings.fhir.narrative import is_safe_div

OPEN = '<div xmlns="http://www.w3.org/1999/xhtml">'


@pytest.mark.parametrize(
    "inside",
    [
        "chữ",
        "<p class='x'>a<br/>b</p>",
        '<a href="#x">y</a><a href="https://facility.example/a?b=c:d">z</a>',
        '<img src="data:image/png;base64,AAAA" alt="ảnh"/>',
        "a &lt; b &amp; c &nbsp; &#8217; &#x1F600;",
        "<!-- note --><b>x</b>",
        '<td style="background: url(stripe.png); color: red">x</td>',
        'a "quoted" word, it\'s fine',
    ],
)
def test_plain_content_is_safe(inside: str) -> None:
    assert is_safe_div(f"{OPEN}{inside}</div>")
    assert is_safe_div(f"\n{OPEN}{inside}</div> ")


@pytest.mark.parametrize(
    "inside",
    [
        "<script>x()</script>",
        "<SCRIPT>x()</SCRIPT>",
        "<p onclick='x()'>a</p>",
        '<a href="javascript:x()">a</a>',
        '<a href=" JavaScript:x()">a</a>',
        '<a href="java&#115;cript:x()">a</a>',
        '<a href="data:text/html,x">a</a>',
        '<img src="data:image/svg+xml;base64,AAAA"/>',
        '<p style="width: expression(x())">a</p>',
        '<p style="background: url(https://tracker.example/x)">a</p>',
        '<p style="background: url(//tracker.example/x)">a</p>',
        "<iframe src='x'/>",
        "<form>a</form>",
        "<object>a</object>",
        "<svg>a</svg>",
        "<input/>",
        "<![CDATA[<script>]]>",
        "<?php x ?>",
        "<!DOCTYPE html>",
        "<!ENTITY x 'y'>",
        "&unknown; x",
        "a & b",
        "&#0;x",
        "a < b",
        "a > b",
        "<b>x",
        "x</b>",
        "<b>x</i>",
        "<b x='1' x='2'>a</b>",
        "<b class='1' class='2'>a</b>",
        "<b class=1>a</b>",
        "x</div><div>y",
        "  ",
        "",
        "\x01",
    ],
)
def test_what_could_run_or_is_broken_is_refused(inside: str) -> None:
    assert not is_safe_div(f"{OPEN}{inside}</div>")


@pytest.mark.parametrize(
    "text",
    ["", "x", "<div>x</div>", "<p>x</p>", OPEN, f"{OPEN}x</div>y", f"y{OPEN}x</div>", f"{OPEN}x</div>{OPEN}x</div>"],
)
def test_it_is_one_div_in_its_namespace(text: str) -> None:
    assert not is_safe_div(text)


def test_a_hostile_megabyte_is_scanned_in_one_pass() -> None:
    for piece in ("<b ", "&", "<!--", '"', "<div><p "):
        assert not is_safe_div(OPEN + piece * 50_000)
