"""Which form is wanted, from headers as clients write them, and as nobody should."""

from __future__ import annotations

import pytest
from fastapi import Request

from gateway.api import media


def asked(accept: str | None, query: str = "") -> Request:
    headers = [] if accept is None else [(b"accept", accept.encode("latin-1"))]
    return Request({"type": "http", "method": "GET", "headers": headers, "query_string": query.encode()})


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "application/dicom+json"),
        ("", "application/dicom+json"),
        ("application/json", "application/json"),
        ("APPLICATION/DICOM+JSON; charset=utf-8", "application/dicom+json"),
        ("application/json;q=0, application/dicom+json", "application/dicom+json"),
        ('multipart/related; type="application/dicom+xml", */*;q=0.1', "application/dicom+json"),
        ("text/html", ""),
        ('multipart/related; type="application/dicom+xml"', ""),
        (';;;,,,=,"', ""),
    ],
)
def test_json(accept: str | None, form: str) -> None:
    assert media.json_form(asked(accept)) == form


@pytest.mark.parametrize(
    ("accept", "stored", "taken"),
    [
        (None, ["1.2"], True),
        ("multipart/related; type=application/dicom; transfer-syntax=*", ["1.2", "1.3"], True),
        ("multipart/related; type=application/dicom; transfer-syntax=1.2", ["1.2", "1.2"], True),
        ("multipart/related; type=application/dicom; transfer-syntax=1.2", ["1.2", "1.3"], False),
        ("multipart/related; type=application/dicom; transfer-syntax=1.2", [""], False),
        ('multipart/related; type="a,b", multipart/related; type="application/dicom"', ["1.2"], True),
        ("application/dicom; transfer-syntax=*", ["1.2"], False),
        ("," * 5000, ["1.2"], False),
    ],
)
def test_objects(accept: str | None, stored: list[str], taken: bool) -> None:
    assert media.takes_objects(asked(accept), stored) is taken


def test_the_address_counts_before_the_header() -> None:
    assert media.json_form(asked("application/dicom", "accept=application/json")) == "application/json"
