"""Every code table: its form, its dates, and that it speaks of all codes it must."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import date
from importlib.resources import files

import pytest

from mappings import codes

# table → codes it must speak of (HL7 v2.5.1 chapter 2C and the users' tables of §2.15)
TOTAL = {
    "v2-0001": "F M O U A N",
    "v2-0002": "A B C D E G I M N O P R S T U W",
    "v2-0003-encounter": "A01 A03 A04 A08 A11 A13 A28 A31 A40",
    "v2-0004-class": "B C E I N O P R U",
    "v2-0004-status": "B C E I N O P R U",
    "v2-0007": "A C E L N R U",
    "v2-0038": "A CA CM DC ER HD IP RP SC",
    "v2-0052": "A F W",
    "v2-0063": "ASC BRO CGV CHD DEP DOM EMC EME EMR EXF FCH FND FTH GCH GRD GRP MGR MTH NCH NON OAD OTH OWN PAR SCH SEL SIB "
    "SIS SPO TRA UNK WRD",
    "v2-0085": "A B C D F I N O P R S U V W X",
    "v2-0078": "L H LL HH < > N A AA U D B W S R I MS VS",
    "v2-0112": "01 02 03 04 05 06 07 08 20 40 41 42",
    "v2-0123": "A C F I M N O P R S X Y Z",
    "v2-0127-category": "AA DA EA FA LA MA MC PA",
    "v2-0128-severity": "MI MO SV U",
    "v2-0128-criticality": "MI MO SV U",
    "v2-0131": "C E F I N O S U",
    "v2-0136": "Y N",
    "v2-0190-use": "B BA BDL BI BR C F H L M N O P RH S SH",
    "v2-0200": "A B C D I L M N P R S T U",
    "v2-0201": "ASN BPN EMR NET ORN PRN VHN WPN PRS",
    "v2-0202": "BP CP FX Internet MD PH SAT TDD TTY X.400",
    "v2-0203": "AN DL LN MD MR NI PI PPN PT SB SS VN PLAC FILL",
    "v2-0217": "1 2 3",
    "v2-0276": "CHECKUP EMERGENCY FOLLOWUP ROUTINE WALKIN",
    "v2-0278": "Blocked Booked Cancelled Complete Deleted Discontinued Noshow Overbook Pending Started Waitlist",
    "v2-0280": "A R S",
    "v2-0283": "A E P R",
    "v2-0485": "A C P PRN R S T",
    "gioi-tinh": "1 2 3",
    "ma-loai-rv": "1 2 3 4 5",
    "ma-dantoc": " ".join([*(f"{n:02d}" for n in range(1, 56)), "99"]),
}


def problems(name: str, lines: Sequence[Sequence[str]]) -> list[str]:
    """Say what is wrong with the lines of a table; the header is the first."""
    found = []
    if tuple(lines[0]) != codes.COLUMNS:
        return [f"{name}: the header is not {','.join(codes.COLUMNS)}"]
    seen: list[tuple[str, date, date]] = []
    for number, line in enumerate(lines[1:], 2):
        where = f"{name}:{number}"
        if len(line) != len(codes.COLUMNS) or any(cell != cell.strip() for cell in line):
            found.append(f"{where}: wrong number of cells, or white space around one")
            continue
        source, code, system, target, display, equivalence, valid_from, valid_to = line
        if not source or not code:
            found.append(f"{where}: no source or no code")
        if equivalence not in codes.EQUIVALENCES:
            found.append(f"{where}: equivalence {equivalence!r}")
        if (equivalence == "unmatched") == bool(target) or (not target and (system or display)):
            found.append(f"{where}: a target and 'unmatched', or neither")
        try:
            first = date.fromisoformat(valid_from) if valid_from else date.min
            last = date.fromisoformat(valid_to) if valid_to else date.max
        except ValueError:
            found.append(f"{where}: a date that is none")
            continue
        if last < first:
            found.append(f"{where}: ends before it begins")
        if any(code == c and first <= b and a <= last for c, a, b in seen):
            found.append(f"{where}: {code} twice at the same time")
        seen.append((code, first, last))
    return found


def lines_of(name: str) -> list[list[str]]:
    return list(csv.reader(files("mappings.codes").joinpath(f"{name}.csv").read_text(encoding="utf-8").splitlines()))


@pytest.mark.parametrize("name", codes.names())
def test_form(name: str) -> None:
    assert problems(name, lines_of(name)) == []


@pytest.mark.parametrize("name", sorted(TOTAL))
def test_totality(name: str) -> None:
    table = codes.table(name)
    assert [code for code in TOTAL[name].split() if code not in table] == []


HEADER = list(codes.COLUMNS)
GOOD = ["S", "a", "http://x", "b", "B", "equivalent", "", ""]


@pytest.mark.parametrize(
    "lines",
    [
        [["source", "code"], GOOD],
        [HEADER, GOOD, GOOD],
        [HEADER, ["S", "a", "http://x", "b", "B", "same", "", ""]],
        [HEADER, ["S", "a", "", "", "", "equivalent", "", ""]],
        [HEADER, ["S", "a", "http://x", "b", "B", "equivalent", "2025-13-01", ""]],
        [HEADER, ["S", "a", "http://x", "b", "B", "equivalent", "2025-02-01", "2025-01-01"]],
        [HEADER, [*GOOD[:6], "", "2025-06-30"], [*GOOD[:6], "2025-06-30", ""]],
        [HEADER, ["S", " a", "http://x", "b", "B", "equivalent", "", ""]],
    ],
)
def test_the_form_test_sees_a_planted_error(lines: list[list[str]]) -> None:
    assert problems("planted", lines)


def test_rows_are_chosen_by_date() -> None:
    rows = [
        codes.Row("S", "15", "x", "Yên Bái", "", "equivalent", None, date(2025, 6, 30)),
        codes.Row("S", "15", "x", "Lào Cai", "", "equivalent", date(2025, 7, 1), None),
    ]
    table = codes.Table("t", rows)
    assert table.target("15", date(2025, 6, 30)) == "Yên Bái"
    assert table.target("15", date(2025, 7, 1)) == "Lào Cai"
    assert table.target("15") == "Lào Cai"
    assert table.target("16") == ""


def test_a_code_without_target_is_known() -> None:
    table = codes.table("v2-0278")
    assert "Blocked" in table
    assert table.find("Blocked") is None


def test_no_such_table() -> None:
    with pytest.raises(KeyError):
        codes.table("v2-9999")


def test_sex_digits_are_not_those_of_the_prescription_system() -> None:
    table = codes.table("gioi-tinh")
    assert [table.target(code) for code in "123"] == ["male", "female", "unknown"]
