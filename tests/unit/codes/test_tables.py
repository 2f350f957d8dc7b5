"""Every code table: its form, its dates, and that it speaks of all codes it must."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.resources import files

import pytest

from mappings import codes
from mappings.fhir import vocabulary
from mappings.fhir.tables import load

V2 = "http://terminology.hl7.org/CodeSystem/v2-"

# codes that a table must speak of beyond those of the HL7 table as HL7 publishes it (see `must_speak_of`)
TOTAL = {
    "v2-0005": "1002-5 2028-9 2054-5 2076-8 2106-3 2131-1",
    "v2-0093": "Y N",
    "v2-0112": "01 02 03 04 05 06 07 08 20 40 41 42",
    "v2-0123": "A C F I M N O P R S X Y Z",
    "v2-0125": "AD CE CF CK CN CNE CP CWE CX DR DT DTM ED FT MO NM PN RP SN ST TM TN TS TX XAD XCN XON XPN XTN",
    "v2-0203": "AN DL LN MD MR NI PI PPN PT SB SS VN PLAC FILL PGN FGN",
    "v2-0278": "Blocked Booked Cancelled Complete Deleted Discontinued Noshow Overbook Pending Started Waitlist BOOKED DC",
    "v2-0353": "U UASK NAV NA NASK",
    "v2-0360": "MD PHD RN NP PA",
    "v2-0396": "LN SCT SNM I9 I9C I10 I10C I10P CVX MVX NDC RXNORM UCUM C4 HCPCS ISO+ MDC DCM UMD FDAUNII WC L HL7nnnn",
    "gioi-tinh": "1 2 3",
    "ma-loai-rv": "1 2 3 4 5",
    "ma-nhom": " ".join(str(n) for n in range(1, 20)),
    "ma-dantoc": " ".join([*(f"{n:02d}" for n in range(1, 56)), "99"]),
}

# table → value set of a required binding: the element takes no other code
REQUIRED = {
    "gioi-tinh": "administrative-gender",
    "v2-0001": "administrative-gender",
    "v2-0003-encounter": "encounter-status",
    "v2-0004-status": "encounter-status",
    "v2-0008": "response-code",
    "v2-0017-status": "chargeitem-status",
    "v2-0038": "request-status",
    "v2-0038-medication": "medicationrequest-status",
    "v2-0038-task": "task-status",
    "v2-0085": "observation-status",
    "v2-0119": "request-status",
    "v2-0119-intent": "request-intent",
    "v2-0119-medication": "medicationrequest-status",
    "v2-0123": "diagnostic-report-status",
    "v2-0127-category": "allergy-intolerance-category",
    "v2-0127-type": "allergy-intolerance-type",
    "v2-0128-criticality": "allergy-intolerance-criticality",
    "v2-0128-severity": "reaction-event-severity",
    "v2-0136-specimen": "specimen-status",
    "v2-0180-status": "publication-status",
    "v2-0190-type": "address-type",
    "v2-0190-use": "address-use",
    "v2-0200": "name-use",
    "v2-0201": "contact-point-use",
    "v2-0202": "contact-point-system",
    "v2-0202-use": "contact-point-use",
    "v2-0206": "http-verb",
    "v2-0271": "composition-status",
    "v2-0273": "document-reference-status",
    "v2-0278": "appointmentstatus",
    "v2-0278-slot": "slotstatus",
    "v2-0280": "request-priority",
    "v2-0283": "request-status",
    "v2-0287-verification": "condition-ver-status",
    "v2-0322": "immunization-status",
    "v2-0322-administration": "medication-admin-status",
    "v2-0322-dispense": "medicationdispense-status",
    "v2-0323-status": "immunization-status",
    "v2-0335-event": "event-timing",
    "v2-0357-issue": "issue-type",
    "v2-0406-use": "address-use",
    "v2-0485": "request-priority",
    "v2-0516-severity": "issue-severity",
    "v2-0528": "event-timing",
}

BOOLEAN = [
    "v2-0093",
    "v2-0136",
    "v2-0161-allowed",
    "v2-0167-substituted",
    "v2-0183",
    "v2-0180-active",
    "v2-0441-active",
]


def must_speak_of(name: str) -> list[str]:
    """Give every code of the HL7 table that the name says, and those listed here."""
    published = vocabulary.members(f"{V2}{name[3:7]}") if name.startswith("v2-") else None
    return [*(published or ()), *TOTAL.get(name, "").split()]


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


@pytest.mark.parametrize("name", [name for name in codes.names() if must_speak_of(name)])
def test_totality(name: str) -> None:
    table = codes.table(name)
    assert [code for code in must_speak_of(name) if code not in table] == []


def test_totality_is_asked_of_every_table_of_hl7() -> None:
    free = {"v2-0064", "v2-0099", "v2-0114"}
    """Users' tables: HL7 publishes no codes."""
    assert {name for name in codes.names() if name.startswith("v2-") and not must_speak_of(name)} == free
    assert set(TOTAL) | set(REQUIRED) | set(BOOLEAN) <= set(codes.names())


def test_a_table_that_forgets_a_code_is_seen() -> None:
    assert "IMG" in must_speak_of("v2-0074-observation")
    assert "IMG" not in codes.Table("t", [row for row in codes.table("v2-0074-observation") if row.code != "IMG"])


def outside(rows: Iterable[codes.Row], value_set: str) -> list[str]:
    allowed = {member.split("|", 1)[1]: member.split("|", 1)[0] for member in load().members(value_set)}
    return [row.code for row in rows if row.target and allowed.get(row.target) != row.target_system]


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_a_required_binding_is_kept(name: str) -> None:
    assert outside(codes.table(name), REQUIRED[name]) == []


def test_the_binding_test_sees_a_planted_error() -> None:
    row = codes.Row("S", "1", "http://hl7.org/fhir/request-status", "stopped", "", "equivalent", None, None)
    assert outside([row], "request-status") == ["1"]


def test_intents_fit_both_kinds_of_request() -> None:
    targets = {row.target for row in codes.table("v2-0119-intent")}
    for value_set in ("request-intent", "medicationrequest-intent"):
        assert targets <= {member.split("|", 1)[1] for member in load().members(value_set)}


@pytest.mark.parametrize("name", BOOLEAN)
def test_a_table_of_yes_and_no(name: str) -> None:
    assert {(row.target_system, row.target) for row in codes.table(name)} <= {("", "true"), ("", "false"), ("", "")}


def test_a_coding_system_is_named_by_a_uri_that_is_published() -> None:
    uris = {row.target for row in codes.table("v2-0396") if row.target}
    own = {uri for uri in uris if uri.startswith(("http://terminology.hl7.org/", "http://hl7.org/fhir/"))}
    sid = {uri for uri in own if uri.startswith("http://hl7.org/fhir/sid/")}
    assert [uri for uri in own - sid - {"http://hl7.org/fhir/ndfrt"} if vocabulary.members(uri) is None] == []
    assert [uri for uri in uris if not re.match(r"(https?://|urn:(oid|iso|ietf):)\S+$", uri)] == []


def test_a_coding_system_is_found_in_capitals() -> None:
    table = codes.table("v2-0396")
    assert [row.code for row in table if row.target and table.target(row.code.upper()) != row.target] == []


def test_letters_are_compared_without_case_where_that_leaves_no_choice() -> None:
    def row(code: str, target: str) -> codes.Row:
        return codes.Row("S", code, "", target, "", "equivalent" if target else "unmatched", None, None)

    table = codes.Table(
        "t", [row("a B", "1"), row("AB", "1"), row("c", "2"), row("C", "3"), row("c ", "2"), row("D", "")]
    )
    assert [table.loose_target(code) for code in ("ab", "A  b", "C", "d", "x")] == ["1", "1", "", "", ""]


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
