"""Countries and languages: a code is claimed only when the list of ISO has it."""

from __future__ import annotations

import pytest

from mappings.formats import er7
from mappings.hl7v2 import Context
from mappings.hl7v2.codings import cwe_to_codeable_concept, cwe_to_language
from mappings.systems import COUNTRY

CONTEXT = Context(facility="01032")


def field(text: str) -> er7.Field:
    return er7.Message.parse(f"MSH|^~\\&|A\rPID|{text}\r".encode()).segments[1][1]


@pytest.mark.parametrize(
    ("sent", "code"),
    [("VNM", "VNM"), ("VN", "VN"), ("vn", "VN"), ("704", "704"), ("XYZ", None), ("Việt Nam", None)],
)
def test_country(sent: str, code: str | None) -> None:
    found = cwe_to_codeable_concept(field(sent), CONTEXT, system=COUNTRY)
    assert found is not None
    (coding,) = found["coding"]
    assert (coding["system"] == COUNTRY) is (code is not None)
    assert coding["code"] == (code or sent)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("vi", {"coding": ["vi"]}),
        ("VIE", {"coding": ["vi"]}),
        ("vie^Tiếng Việt^ISO639", {"coding": ["vi"], "text": "Tiếng Việt"}),
        ("eng^English^HL70296", {"coding": ["en"], "text": "English"}),
        ("xx^Tiếng Tày^L^tay", {"coding": [], "text": "Tiếng Tày"}),
        ("en-us", {"coding": ["en-US"]}),
        ("en-XX", {"coding": [], "text": "en-XX"}),
        ("Kinh", {"coding": [], "text": "Kinh"}),
        ("^Tiếng Tày", {"coding": [], "text": "Tiếng Tày"}),
    ],
)
def test_language(sent: str, expected: dict[str, object]) -> None:
    found = cwe_to_language(field(sent))
    assert found is not None
    codes = [coding["code"] for coding in found.get("coding", ())]
    assert {"coding": codes, **({"text": found["text"]} if "text" in found else {})} == expected
