"""A report of rows as resources: every cell accounted for, nothing guessed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mappings.fhir import problems
from mappings.formats.faults import Fault
from mappings.hl7v2 import Context
from mappings.lab import report
from mappings.lab.faults import CellInvalid, CellMissing, RowsContradict
from mappings.lab.layout import FIELDS
from mappings.lab.report import report_to_outcome
from mappings.lab.rows import Row, join_rows, read_rows, split_reports
from mappings.outcome import Outcome, Resource
from tests.unit.lab.tables import CAME, CRP, HGB, HOA, day, layout, row, table

CONTEXT = Context("01999")


def outcome(data: bytes, n: int = 0, **more: Any) -> Outcome:
    made = layout(**more)
    return report_to_outcome(list(split_reports(data, made, CAME))[n].body, made, CONTEXT, {})


def of(found: Outcome, kind: str) -> list[Resource]:
    return [one for one in found.resources if one["resourceType"] == kind]


def test_a_report() -> None:
    found = outcome(day())
    (made,) = of(found, "DiagnosticReport")
    assert made["status"] == "final"
    assert made["issued"] == "2026-11-26T10:05:00+07:00"
    assert len(made["result"]) == 3
    values = {one["code"]["coding"][0]["code"]: one for one in of(found, "Observation")}
    assert values["HGB"]["valueQuantity"]["value"] == Decimal("13.50")
    assert values["HGB"]["referenceRange"][0]["low"]["value"] == Decimal("12.0")
    assert values["CRP"]["valueQuantity"]["comparator"] == "<"
    assert values["PHETMAU"]["valueString"] == "Không thấy tế bào bất thường"
    assert [one for resource in found.resources for one in problems(resource)] == []


def test_a_preliminary_row_makes_a_preliminary_report() -> None:
    assert of(outcome(day(), 1), "DiagnosticReport")[0]["status"] == "preliminary"


@pytest.mark.parametrize("n", [0, 1])
def test_every_cell_is_accounted_for(n: int) -> None:
    body = list(split_reports(day(), layout(), CAME))[n].body
    found = report_to_outcome(body, layout(), CONTEXT, {})
    cells = {report.cell(one, label) for one in read_rows(body)[0] for label in one.cells}
    account = found.coverage
    assert {*account.mapped, *account.ignored, *account.unknown} == cells
    assert account.total == len(cells)
    assert account.ignored == {report.cell(one, "STT"): report.IGNORED for one in read_rows(body)[0]}


def test_a_column_that_nobody_declared_is_unknown_and_one_that_differs_too() -> None:
    found = outcome(table(row(HOA, 1, HGB, "13,5;g/dL") + "XN-1000", row(HOA, 2, CRP, "7;mg/L", at="26/11/2026 10:00")))
    assert found.coverage.unknown == {"row[2].Máy": report.UNKNOWN, "row[2].Trả kết quả": report.ELSEWHERE}


def test_ids_are_those_of_the_message_a_lis_would_send() -> None:
    from mappings import hl7v2
    from mappings.formats import er7

    sent = (
        "MSH|^~\\&|LIS|01999|||20261126110000||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||BN000123^^^01999^PI\r"
        "OBR|1||M-0007|58410-2^Tổng phân tích tế bào máu^LN|||||||||||||||||||||F\rOBX|1|NM|HGB^Hemoglobin||14|g/dL|||||C\r"
    )
    told = hl7v2.map_message(er7.Message.parse(sent.encode(), "utf-8"), CONTEXT)
    kinds = ("Patient", "DiagnosticReport", "Observation")
    ours = {(one["resourceType"], one["id"]) for one in outcome(day()).resources if one["resourceType"] in kinds}
    assert {(one["resourceType"], one["id"]) for one in told.resources if one["resourceType"] in kinds} <= ours


def test_a_corrected_row_counts_and_the_earlier_one_does_not() -> None:
    found = outcome(table(row(HOA, 1, HGB, "3,5;g/dL"), row(HOA, 2, HGB, "13,5;g/dL", status="Đã sửa")))
    (value,) = of(found, "Observation")
    assert (value["valueQuantity"]["value"], value["status"]) == (Decimal("13.5"), "corrected")
    assert of(found, "DiagnosticReport")[0]["status"] == "corrected"
    assert found.coverage.ignored["row[2].Kết quả"] == report.CORRECTED


def test_a_row_said_twice_is_one() -> None:
    found = outcome(table(row(HOA, 1, HGB, "13,5;g/dL"), row(HOA, 2, HGB, "13,5;g/dL")))
    assert len(of(found, "Observation")) == 1
    assert found.coverage.ignored["row[2].Kết quả"] == report.TWICE


@pytest.mark.parametrize(
    ("data", "more", "fault", "where"),
    [
        (table(row(HOA, 1, HGB, "13,5;g/dL"), row(HOA, 2, HGB, "14,5;g/dL")), {}, RowsContradict, "row[3].Mã XN"),
        (
            table(row(HOA, 1, HGB, "13,5;g/dL"), row(HOA, 2, CRP, "4;mg/L").replace("Nguyễn Thị Hoa", "Lê An")),
            {}, RowsContradict, "row[3].Họ tên",
        ),
        (table(row(HOA, 1, HGB, "13.5;g/dL")), {}, CellInvalid, "row[2].Kết quả"),
        (table(row(HOA, 1, HGB, "13,5;g/dL")), {"decimal": "."}, CellInvalid, "row[2].Kết quả"),
        (table(row(HOA, 1, HGB, "1.234,5;g/dL")), {}, CellInvalid, "row[2].Kết quả"),
        (table(row(HOA, 1, HGB, "< 1.5;g/dL")), {}, CellInvalid, "row[2].Kết quả"),
        (table(row(HOA, 1, HGB, ";g/dL")), {}, CellMissing, "row[2]"),
        (table(row(HOA, 1, HGB, "13;g/dL", status="xong")), {}, CellInvalid, "row[2].Trạng thái"),
        (table(row(HOA, 1, HGB, "13;g/dL", at="26-11-2026")), {}, CellInvalid, "row[2].Trả kết quả"),
        (table(row(HOA, 1, HGB, "13;g/dL").replace("Nữ", "?")), {}, CellInvalid, "row[2].Giới"),
        (table(row(HOA, 1, HGB, "13;g/dL")), {"patterns": {"specimen": "[0-9]+"}}, CellInvalid, "row[2].Số mẫu"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_named(data: bytes, more: dict[str, Any], fault: type[Fault], where: str) -> None:
    with pytest.raises(fault) as raised:
        outcome(data, **more)
    assert raised.value.where == where
    assert not {"13.5", "Hoa", "BN000123", "xong"} & set(str(raised.value).replace("(", " ").split())


def test_a_cancelled_test_needs_no_value() -> None:
    (value,) = of(outcome(table(row(HOA, 1, HGB, ";", status="X"))), "Observation")
    assert value["status"] == "cancelled"


def test_what_rows_say_is_never_a_delimiter() -> None:
    made = layout()
    cells = {**read_rows(next(split_reports(day(), made, CAME)).body)[0][0].cells}
    cells |= {"Ghi chú": "a|b^c~d&e\\f\rPID|1||BN9", "Tên XN": "Hgb|^&", "Họ tên": "Hoa^Nguyễn|&~"}
    found = report_to_outcome(join_rows([Row(2, cells)], CAME), made, CONTEXT, {})
    assert of(found, "Patient")[0]["name"][0]["text"] == "Hoa^Nguyễn|&~"
    assert len(of(found, "Patient")) == 1
    assert of(found, "Observation")[0]["code"]["text"] == "Hgb|^&"


def test_every_field_that_a_layout_may_name_arrives() -> None:
    values = {name: f"V{number}" for number, name in enumerate(FIELDS)}
    values |= dict.fromkeys(("birth", "collected", "received", "resulted", "observed"), "26/11/2026 08:30")
    values |= {"sex": "F", "status": "F", "flag": "H", "value": "7", "unit": "g/dL", "range": "1-9"}
    values |= {"test_system": "LN", "panel_system": "LN"}
    made = layout(columns={name: name for name in FIELDS}, always={}, ignore=[], words={})
    found = report_to_outcome(join_rows([Row(2, values)], CAME), made, CONTEXT, {})
    assert found.coverage.unknown == {}
    assert found.coverage.ignored == {}
