"""The printed page: tagged, titled, dated, the same bytes again, no network; a clear fault without Pango."""

from __future__ import annotations

import builtins
import ctypes.util
import importlib.util
import re
import subprocess
import sys
import urllib.request
import zlib
from contextlib import suppress
from typing import Any

import pytest

from mappings import cda
from mappings.cda.faults import PdfUnavailable
from mappings.cda.html import Options, html
from mappings.cda.pdf import pdf
from tests.unit.cda.test_html import DOCTOR, section
from tests.unit.cda.test_render import composed

needs_pango = pytest.mark.skipif(not ctypes.util.find_library("pango-1.0"), reason="Pango is not on this machine")


def objects(made: bytes) -> bytes:
    """Give the file with every stream unpacked."""
    parts = [made]
    for packed in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", made, re.DOTALL):
        with suppress(zlib.error):
            parts.append(zlib.decompress(packed))
    return b"\n".join(parts)


@needs_pango
def test_a_paper_is_printed() -> None:
    data = cda.render(composed("discharge_paper"))
    made = pdf(data, Options((DOCTOR,), verify_at="https://tra-cuu.example/"))
    assert made.startswith(b"%PDF-1.7")
    known = objects(made)
    assert b"/MarkInfo" in known
    assert b"/StructTreeRoot" in known
    assert b"/Lang (vi)" in known
    assert "GIẤY RA VIỆN".encode("utf-16-be").hex().encode() in known.lower()
    assert b"/CreationDate (D:20261105" in known
    assert pdf(data, Options((DOCTOR,), verify_at="https://tra-cuu.example/")) == made
    assert pdf(data) != made


@needs_pango
def test_a_line_to_write_on_is_one_stroke() -> None:
    data = cda.render(composed("health_summary"))
    blanks = html(data).count(b'class="blank"')
    assert blanks > 0
    assert objects(pdf(data)).count(b"[0 2] 0 d\n") == blanks


@needs_pango
def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was opened")

    monkeypatch.setattr(urllib.request.OpenerDirector, "open", refuse)
    assert pdf(section("<paragraph><linkHtml href='https://x.example/'>t</linkHtml></paragraph>")).startswith(b"%PDF")


def test_without_pango_there_is_a_clear_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    known = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")
        return known(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(PdfUnavailable):
        pdf(cda.render(composed("discharge_paper")))


def test_the_library_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys, mappings.cda.pdf; sys.exit('weasyprint' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert importlib.util.find_spec("weasyprint")
