"""Which acknowledgements leave, in every mode a sender may ask for: each cell of MSH-15 × MSH-16 × outcome.

Standard: HL7 v2.5.1 §2.9.2, §2.9.3, table 0155
"""

from __future__ import annotations

import pytest

from gateway.intake import _codes
from mappings.formats.er7_header import read_header

CONDITIONS = ("", "AL", "NE", "ER", "SU")

# MSH-15 downwards, MSH-16 to the right; `-` in both is original mode
WHEN_TAKEN = """
        -      AL      NE      ER      SU
-       AA     AA      CA      CA      AA
AL      CA     CA,AA   CA      CA      CA,AA
NE      CA     AA      CA      CA      AA
ER      CA     AA      CA      CA      AA
SU      CA     CA,AA   CA      CA      CA,AA
"""
WHEN_WRONG = """
        -      AL      NE      ER      SU
-       AE     AE      CE      AE      CE
AL      CE     CE,AE   CE      CE,AE   CE
NE      CE     AE      CE      AE      CE
ER      CE     CE,AE   CE      CE,AE   CE
SU      CE     AE      CE      AE      CE
"""


def cells(table: str) -> dict[tuple[str, str], tuple[str, ...]]:
    head, *rows = [line.split() for line in table.strip().splitlines()]
    named = ["" if name == "-" else name for name in head]
    return {
        ("" if name == "-" else name, column): tuple(cell.split(","))
        for name, *row in rows
        for column, cell in zip(named, row, strict=True)
    }


@pytest.mark.parametrize("accept", CONDITIONS)
@pytest.mark.parametrize("application", CONDITIONS)
def test_every_cell(accept: str, application: str) -> None:
    header = read_header(f"MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5|||{accept}|{application}\r".encode())
    assert _codes(header, "AA") == cells(WHEN_TAKEN)[accept, application]
    wrong = cells(WHEN_WRONG)[accept, application]
    assert _codes(header, "AE") == wrong
    assert _codes(header, "AR") == tuple({"AE": "AR", "CE": "CR"}[code] for code in wrong)


@pytest.mark.parametrize("table", [WHEN_TAKEN, WHEN_WRONG])
def test_the_table_is_whole_and_nobody_is_left_without_an_answer(table: str) -> None:
    whole = cells(table)
    assert set(whole) == {(one, two) for one in CONDITIONS for two in CONDITIONS}
    assert all(whole.values())


def test_a_word_that_is_no_condition_asks_for_nothing() -> None:
    header = read_header(b"MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5|||XX|AL\r")
    assert _codes(header, "AA") == ("AA",)
