"""Units as senders write them, and the UCUM code of each."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from mappings import codes
from mappings.formats.ucum import is_ucum
from mappings.units import to_ucum


@pytest.mark.parametrize(
    ("text", "ucum"),
    [
        ("K/uL", "10*3/uL"),
        ("10*3/uL", "10*3/uL"),
        ("x10^9/L", "10*9/L"),
        ("X 10^9/L", "10*9/L"),
        ("×10^9/L", "10*9/L"),
        ("G/L", "10*9/L"),
        ("g/L", "g/L"),
        ("g/l", "g/L"),
        ("T/L", "10*12/L"),
        ("mmol/l", "mmol/L"),
        ("MMOL/L", "mmol/L"),
        ("µmol/L", "umol/L"),
        ("μmol/L", "umol/L"),
        ("umol/l", "umol/L"),
        ("10^3/µl", "10*3/uL"),
        ("µeq/l", "ueq/L"),
        ("mg/dl", "mg/dL"),
        ("MG/DL", "mg/dL"),
        ("UI/L", "[IU]/L"),
        ("IU/L", "[IU]/L"),
        ("U/l", "U/L"),
        ("mUI/mL", "m[IU]/mL"),
        ("MIU/ML", "m[IU]/mL"),
        ("MIU/mL", ""),
        ("MIU", "10*6.[IU]"),
        ("Miu", ""),
        ("giây", "s"),
        ("phút", "min"),
        (unicodedata.normalize("NFD", "lần/phút"), "/min"),
        ("ml/phút/1.73m2", "mL/min/{1.73_m2}"),
        ("ml/phút/1,73 m2", "mL/min/{1.73_m2}"),
        ("mmHg", "mm[Hg]"),
        ("độ C", "Cel"),
        ("°C", "Cel"),
        ("%", "%"),
        ("fl", "fL"),
        ("pg", "pg"),
        ("pg/ml", "pg/mL"),
        ("S/CO", "{S_CO_ratio}"),
        ("COI", "{cutoff_index}"),
        ("mm/1h", "mm/h"),
        ("/vi trường", "/[HPF]"),
        ("266016", "mm[Hg]"),
        ("G", ""),
        ("M", ""),
        ("", ""),
        ("con", ""),
    ],
)
def test_a_unit_becomes_ucum(text: str, ucum: str) -> None:
    assert to_ucum(text) == ucum


def test_a_sites_own_units_come_first() -> None:
    header = ",".join(codes.COLUMNS)
    try:
        codes.extend(
            "site-unit", f"{header}\nsite,G/L,http://unitsofmeasure.org,g/L,,equivalent,,\nsite,U,,,,unmatched,,\n"
        )
        codes.extend("units", f"{header}\nunits,que thử,http://unitsofmeasure.org,{{strip}},,equivalent,,\n")
        assert [to_ucum("G/L"), to_ucum("U"), to_ucum("QUE THỬ"), to_ucum("mmol/l")] == ["g/L", "", "{strip}", "mmol/L"]
    finally:
        codes.forget()
    assert [to_ucum("G/L"), to_ucum("U"), to_ucum("que thử")] == ["10*9/L", "U", ""]


def test_every_target_is_ucum() -> None:
    assert [row.target for row in codes.table("units") if row.target and not is_ucum(row.target)] == []


UNKNOWN = {"1234-5", "ERU"}
"""What the messages have in OBX-6 that no unit can be made of: a code of LOINC, and a unit nobody explains."""


def test_units_of_other_peoples_messages(corpora: Path) -> None:
    left = set()
    for path in sorted(corpora.joinpath("hl7v2").rglob("*")):
        if not path.is_file() or path.suffix in (".csv", ".md"):
            continue
        for line in path.read_bytes().decode("utf-8", "replace").splitlines():
            if line.startswith("OBX|") and line.count("|") > 5:
                left.update(_unread(line.split("|")[6]))
    assert left <= UNKNOWN


def _unread(text: str) -> list[str]:
    code, shown, name = ([part.strip() for part in text.split("^")] + ["", "", ""])[:3]
    if (
        not code
        or (name in ("UCUM", "2.16.840.1.113883.6.8") and is_ucum(code))
        or to_ucum(code)
        or to_ucum(shown or code)
    ):
        return []
    return [code]
