"""ICD-10 VN: dagger, asterisk and five characters are kept, and WHO's system is claimed only for codes that WHO has."""

from __future__ import annotations

import pytest

from mappings.formats import er7
from mappings.hl7v2 import Context
from mappings.hl7v2.codings import cwe_to_codeable_concept


@pytest.mark.parametrize(
    ("sent", "codes"),
    [
        ("E11", ["icd-10 E11"]),
        ("E11.9", ["icd-10 E11.9"]),
        ("E119", ["icd-10 E11.9"]),
        ("A17.0†", ["vn-icd10-cs A17.0†", "icd-10 A17.0"]),
        ("G01*", ["vn-icd10-cs G01*", "icd-10 G01"]),
        ("E11.21", ["vn-icd10-cs E11.21", "icd-10 E11.2"]),
        ("M0001", ["vn-icd10-cs M0001", "icd-10 M00.0"]),
        ("U13/9", ["code-icd-10 U13/9"]),
        ("đau bụng", ["code-icd-10 đau bụng"]),
    ],
)
def test_codes(sent: str, codes: list[str]) -> None:
    field = er7.Message.parse(f"MSH|^~\\&|A\rDG1|{sent}^Tên bệnh^I10\r".encode()).segments[1][1]
    found = cwe_to_codeable_concept(field, Context(facility="01032"))
    assert found is not None
    assert found["text"] == "Tên bệnh"
    assert [f"{coding['system'].rpartition('/')[2]} {coding['code']}" for coding in found["coding"]] == codes
