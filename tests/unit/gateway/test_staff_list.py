"""A staff list of human resources: what is read, what is wrong, in words for those who made it."""

from __future__ import annotations

import pytest

from gateway.certificates import roles
from gateway.certificates.staff_list import Checked, check
from mappings.formats.sheet import Line, read

HEADING = (
    "STT;Mã nhân viên;Họ và tên;CCCD;Khoa/phòng;Chức vụ;Chức danh nghề nghiệp;Số CCHN;Vai trò ký;E-mail;Điện thoại"
)
GOOD = "1;NV001;Nguyễn Văn An;001085000001;Khoa Nội;;Bác sĩ;000001/HNO-GPHN;;an@benhvien.vn;0912 345 678"
DEPARTMENTS = ("Khoa Nội", "Khoa Dược")


def checked(*lines: str, heading: str = HEADING, departments: tuple[str, ...] = DEPARTMENTS) -> Checked:
    return check(read("\n".join((heading, *lines)).encode()), departments, "01999")


def test_a_good_line() -> None:
    found = checked(GOOD)
    assert found.problems == ()
    assert found.ignored == ("STT",)
    (one,) = found.staff
    assert (one.line, one.code, one.name, one.roles, one.phone) == (2, "NV001", "Nguyễn Văn An", "doctor", "0912345678")


@pytest.mark.parametrize(
    ("line", "field", "code"),
    [
        (";Lê Thị Bình;001185000002;Khoa Nội;;Điều dưỡng;1/GPHN;;;", "Mã nhân viên", "missing"),
        ("NV 2;Lê Thị Bình;001185000002;Khoa Nội;;Điều dưỡng;1/GPHN;;;", "Mã nhân viên", "form"),
        ("01999;Lê Thị Bình;001185000002;Khoa Nội;;Điều dưỡng;1/GPHN;;;", "Mã nhân viên", "taken"),
        ("nv001;Lê Thị Bình;001185000002;Khoa Nội;;Điều dưỡng;1/GPHN;;;", "Mã nhân viên", "duplicate"),
        ("NV2;;001185000002;Khoa Nội;;Điều dưỡng;1/GPHN;;;", "Họ và tên", "missing"),
        ("NV2;Bình;001185000002;Khoa Nội;;Điều dưỡng;1/GPHN;;;", "Họ và tên", "form"),
        ("NV2;Lê Thị B1nh;001185000002;Khoa Nội;;Điều dưỡng;1/GPHN;;;", "Họ và tên", "form"),
        ("NV2;Lê <b>Bình</b>;001185000002;Khoa Nội;;Điều dưỡng;1/GPHN;;;", "Họ và tên", "form"),
        ("NV2;Lê Thị Bình;;Khoa Nội;;Điều dưỡng;1/GPHN;;;", "CCCD", "missing"),
        ("NV2;Lê Thị Bình;1185000002;Khoa Nội;;Điều dưỡng;1/GPHN;;;", "CCCD", "form"),
        ("NV2;Lê Thị Bình;123456789;Khoa Nội;;Điều dưỡng;1/GPHN;;;", "CCCD", "form"),
        ("NV2;Lê Thị Bình;001085000001;Khoa Nội;;Điều dưỡng;1/GPHN;;;", "CCCD", "duplicate"),
        ("NV2;Lê Thị Bình;001185000002;;;Điều dưỡng;1/GPHN;;;", "Khoa/phòng", "missing"),
        ("NV2;Lê Thị Bình;001185000002;Khoa Ngoại;;Điều dưỡng;1/GPHN;;;", "Khoa/phòng", "unknown"),
        ("NV2;Lê Thị Bình;001185000002;Khoa Nội;;;1/GPHN;nurse;;", "Chức danh nghề nghiệp", "missing"),
        ("NV2;Lê Thị Bình;001185000002;Khoa Nội;;Điều dưỡng;;;;", "Số giấy phép hành nghề", "missing"),
        ("NV2;Lê Thị Bình;001185000002;Khoa Nội;;Điều dưỡng;chưa có;;;", "Số giấy phép hành nghề", "form"),
        ("NV2;Lê Thị Bình;001185000002;Khoa Nội;;Điều dưỡng;000001/hno-gphn;;;", "Số giấy phép hành nghề", "duplicate"),
        ("NV2;Lê Thị Bình;001185000002;Khoa Nội;;Chuyên viên;;;;", "Vai trò ký", "missing"),
        ("NV2;Lê Thị Bình;001185000002;Khoa Nội;;Chuyên viên;;phù thủy;;", "Vai trò ký", "unknown"),
        ("NV2;Lê Thị Bình;001185000002;Khoa Nội;;Chuyên viên;;Con dấu đơn vị;;", "Vai trò ký", "unknown"),
        ("NV2;Lê Thị Bình;001185000002;Khoa Nội;;Điều dưỡng;1/GPHN;;binh@benhvien;", "E-mail", "form"),
        ("NV2;Lê Thị Bình;001185000002;Khoa Nội;;Điều dưỡng;1/GPHN;;bình@x.vn;;", "E-mail", ""),
        ("NV2;Lê Thị Bình;001185000002;Khoa Nội;;Điều dưỡng;1/GPHN;;;12", "Điện thoại", "form"),
    ],
)
def test_a_wrong_line(line: str, field: str, code: str) -> None:
    found = checked(GOOD, f"2;{line}")
    assert {(one.line, one.field, one.code) for one in found.problems} == {(3, field, code or "form")}
    assert all(one.text for one in found.problems)


def test_every_problem_of_a_line_is_told() -> None:
    found = checked("1;NV1;Bình;1;Khoa X;;Bác sĩ;;;a;b")
    assert len(found.problems) == 6


def test_a_number_that_lost_its_zeros_is_told_as_that() -> None:
    (problem,) = checked("1;NV2;Lê Thị Bình;1185000002;Khoa Nội;;Điều dưỡng;1/GPHN;;;").problems
    assert "Excel" in problem.text


def test_headings_may_stand_lower_and_be_called_otherwise() -> None:
    text = (
        "SỞ Y TẾ HÀ NỘI;;;;\n\nDANH SÁCH CẤP CHỨNG THƯ\n"
        "Ho ten;Mã NV;Số CCCD (12 số);Khoa;Trình độ;GPHN\nNguyễn Văn An;NV1;001085000001;khoa  nội;Bác sĩ CKII;1/GPHN\n"
    )
    found = check(read(text.encode()), DEPARTMENTS)
    assert found.problems == ()
    assert [(one.line, one.code, one.department) for one in found.staff] == [(5, "NV1", "Khoa Nội")]


def test_a_list_without_its_columns() -> None:
    assert [one.code for one in check(read(b"a;b\n1;2\n")).problems] == ["no_heading"]
    assert [one.code for one in check([]).problems] == ["no_heading"]
    lacking = check(read("Mã NV;Họ tên\nNV1;Nguyễn Văn An".encode())).problems
    assert [(one.field, one.code) for one in lacking] == [
        ("CCCD", "no_column"),
        ("Khoa/phòng", "no_column"),
        ("Chức danh nghề nghiệp", "no_column"),
    ]
    assert [one.code for one in checked().problems] == ["empty"]


def test_departments_are_checked_when_they_are_known() -> None:
    assert checked(GOOD.replace("Khoa Nội", "Khoa Mới"), departments=()).problems == ()


def test_cells_beyond_the_end_of_a_line_are_empty() -> None:
    lines = [Line(1, ("Mã", "Họ tên", "CCCD", "Khoa", "Chức danh", "Vai trò")), Line(2, ("NV1", "Nguyễn An"))]
    assert [one.field for one in check(lines).problems] == ["CCCD", "Khoa/phòng", "Chức danh nghề nghiệp"]


@pytest.mark.parametrize(
    ("title", "post", "found"),
    [
        ("Bác sĩ chuyên khoa II", "Trưởng khoa Nội", ["doctor", "head"]),
        ("ThS. Bác sỹ", "Phó trưởng khoa", ["doctor"]),
        ("Bác sĩ", "Giám đốc", ["doctor", "director"]),
        ("Bác sĩ", "Phó Giám đốc", ["doctor"]),
        ("Cử nhân điều dưỡng", "Điều dưỡng trưởng", ["nurse"]),
        ("Hộ sinh hạng III", "", ["midwife"]),
        ("Kỹ thuật y hạng IV", "", ["technician"]),
        ("Dược sĩ đại học", "Phụ trách khoa Dược", ["pharmacist", "head"]),
        ("Kỹ sư", "", []),
    ],
)
def test_roles_of_title_and_post(title: str, post: str, found: list[str]) -> None:
    assert roles.derived(title, post) == found


def test_roles_that_are_named() -> None:
    assert roles.named("Bác sĩ; trưởng khoa + DIRECTOR, bác sỹ") == (["doctor", "head", "director"], [])
    assert roles.named("seal, vua") == ([], ["seal", "vua"])
