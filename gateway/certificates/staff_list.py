"""Check a staff list of human resources: who is to have a certificate, line by line, and what is wrong with it.

Reads rows and says problems in Vietnamese, because they go back to the people who made the list; writes nothing
(`gateway/certificates/enrolment.py`).

Requirement: S0.2
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.certificates import roles
from mappings.formats.identifiers import Kind, classify, match_key, match_key_unaccented
from mappings.formats.sheet import Line

COLUMNS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "code": ("Mã nhân viên", ("ma nv", "ma so", "ma so nhan vien", "ma can bo", "ma")),
    "name": ("Họ và tên", ("ho ten", "ten")),
    "citizen_id": (
        "CCCD",
        ("so cccd", "cccd ho chieu", "so dinh danh", "so dinh danh ca nhan", "can cuoc", "so can cuoc"),
    ),
    "department": ("Khoa/phòng", ("khoa", "phong", "don vi", "khoa phong ban", "bo phan")),
    "post": ("Chức vụ", ()),
    "title": ("Chức danh nghề nghiệp", ("chuc danh", "chuc danh chuyen mon", "trinh do")),
    "licence": (
        "Số giấy phép hành nghề",
        ("so gphn", "gphn", "giay phep hanh nghe", "so cchn", "cchn", "chung chi hanh nghe", "so chung chi hanh nghe"),
    ),
    "roles": ("Vai trò ký", ("vai tro",)),
    "email": ("E-mail", ("email", "mail", "thu dien tu", "dia chi email")),
    "phone": ("Điện thoại", ("so dien thoai", "sdt", "dtdd", "di dong")),
}
"""Field → what the column is called, and what else it may be called, without accents."""
REQUIRED = ("code", "name", "citizen_id", "department", "title")
UNIQUE = ("code", "citizen_id", "licence")
_HEADING_WITHIN = 15
_CODE = re.compile(r"[\w.\-/]{1,64}")
_EMAIL = re.compile(r"[\w.+\-]{1,64}@[a-z0-9\-]+(\.[a-z0-9\-]+)+", re.IGNORECASE | re.ASCII)
_PHONE = re.compile(r"(\+84|0)[0-9]{8,10}")
_PASSPORT = re.compile(r"(?=.*[A-Z])[A-Z0-9]{6,12}")
_LONGEST = 255


@dataclass(frozen=True)
class Staff:
    """One person of the list, as it will enter the register."""

    line: int
    code: str
    name: str
    citizen_id: str
    department: str
    post: str
    title: str
    licence: str
    roles: str
    email: str
    phone: str


@dataclass(frozen=True)
class Problem:
    """What is wrong, where: for those who made the list."""

    line: int
    field: str
    """What the column is called."""
    code: str
    """The kind of problem, for programs."""
    text: str


@dataclass(frozen=True)
class Checked:
    staff: tuple[Staff, ...]
    problems: tuple[Problem, ...]
    ignored: tuple[str, ...] = ()
    """Headings that mean nothing here."""


def check(lines: Sequence[Line], departments: Iterable[str] = (), facility: str = "") -> Checked:
    """Read a list: first what is above the table, then a line of headings, then one person per line.

    `departments` are the known ones (none: not checked); `facility` is a code that no person may have.
    """
    heading, columns, ignored = _heading(lines)
    if heading is None:
        text = "không thấy dòng tiêu đề có cột Mã nhân viên và cột Họ và tên"
        return Checked((), (Problem(lines[0].number if lines else 1, "", "no_heading", text),))
    problems = [
        Problem(heading.number, _label(field), "no_column", "thiếu cột này")
        for field in REQUIRED
        if field not in columns
    ]
    staff: list[Staff] = []
    known = {match_key(name): name for name in departments}
    for line in lines[lines.index(heading) + 1 :]:
        said = {
            field: line.cells[columns[field]] if columns.get(field, _LONGEST) < len(line.cells) else ""
            for field in COLUMNS
        }
        found = _person(line.number, said, known, columns)
        problems += found[1]
        staff.append(found[0])
    problems += _twice(staff)
    problems += [
        Problem(one.line, _label("code"), "taken", "trùng với mã cơ sở")
        for one in staff
        if facility and one.code == facility
    ]
    if not staff and not problems:
        problems.append(Problem(heading.number, "", "empty", "danh sách không có người nào"))
    return Checked(tuple(staff), tuple(sorted(problems, key=lambda one: one.line)), ignored)


def _heading(lines: Sequence[Line]) -> tuple[Line | None, dict[str, int], tuple[str, ...]]:
    names = {_key(label): field for field, (label, _) in COLUMNS.items()}
    names |= {other: field for field, (_, others) in COLUMNS.items() for other in others}
    for line in lines[:_HEADING_WITHIN]:
        columns: dict[str, int] = {}
        for index, cell in enumerate(line.cells):
            field = names.get(_key(cell))
            if field is not None:
                columns.setdefault(field, index)
        if "code" in columns and "name" in columns:
            used = set(columns.values())
            return line, columns, tuple(cell for index, cell in enumerate(line.cells) if cell and index not in used)
    return None, {}, ()


def _key(heading: str) -> str:
    words = re.sub(r"\(.*?\)|[^\w\s]", " ", match_key_unaccented(heading))
    return " ".join(words.split())


def _label(field: str) -> str:
    return COLUMNS[field][0]


def _person(
    number: int, said: Mapping[str, str], departments: Mapping[str, str], columns: Mapping[str, int]
) -> tuple[Staff, list[Problem]]:
    tidy = {field: " ".join(value.split()) for field, value in said.items()}
    tidy["phone"] = re.sub(r"[\s.\-()]", "", tidy["phone"])
    tidy["citizen_id"] = re.sub(r"\s", "", tidy["citizen_id"]).upper()
    tidy["department"] = departments.get(match_key(tidy["department"]), tidy["department"])
    found, unknown = roles.named(tidy["roles"]) if tidy["roles"] else (roles.derived(tidy["title"], tidy["post"]), [])
    tidy["roles"] = " ".join(found)
    problems: list[Problem] = []

    def problem(field: str, code: str, text: str) -> None:
        problems.append(Problem(number, _label(field), code, text))

    for field in REQUIRED:
        if field in columns and not tidy[field]:
            problem(field, "missing", "để trống")
    for field, wrong in _FORMS.items():
        if tidy[field] and (text := wrong(tidy[field])):
            problem(field, "form", text)
    for field, value in tidy.items():
        if len(value) > _LONGEST or not value.isprintable():
            problem(field, "form", "quá dài hoặc có ký tự lạ")
    if tidy["department"] and departments and match_key(tidy["department"]) not in departments:
        problem("department", "unknown", "không có khoa/phòng này trong departments của node.toml")
    for word in unknown:
        problem("roles", "unknown", f"không có vai trò «{word}»; dùng: {', '.join(_offered())}")
    if not found and not unknown and tidy["title"]:
        problem("roles", "missing", "không suy ra được từ chức danh và chức vụ; ghi vào cột Vai trò ký")
    if roles.LICENSED.intersection(found) and not tidy["licence"]:
        problem("licence", "missing", "để trống; vai trò này phải có giấy phép hành nghề")
    return Staff(number, **tidy), problems


def _offered() -> Iterator[str]:
    return (label for role, label in roles.ROLES.items() if role != "seal")


def _wrong_name(name: str) -> str:
    if len(name.split()) < 2:
        return "phải có cả họ và tên"
    return "" if re.fullmatch(r"[^\W\d_]+([ '’.\-]+[^\W\d_]+)*\.?", name) else "có chữ số hoặc ký hiệu lạ"


def _wrong_citizen_id(value: str) -> str:
    if classify(value) is Kind.CCCD or _PASSPORT.fullmatch(value):
        return ""
    if value.isdigit() and 9 < len(value) < 12:
        return f"có {len(value)} chữ số; Excel đã bỏ số 0 ở đầu? Định dạng cột là Văn bản rồi nhập lại"
    return "không phải số định danh 12 chữ số, cũng không phải số hộ chiếu"


_FORMS: Mapping[str, Callable[[str], str]] = {
    "code": lambda value: "" if _CODE.fullmatch(value) else "chỉ dùng chữ, số và . - / _, nhiều nhất 64 ký tự",
    "name": _wrong_name,
    "citizen_id": _wrong_citizen_id,
    "licence": lambda value: "" if re.search(r"\d", value) and len(value) <= 64 else "không phải số giấy phép",
    "email": lambda value: "" if _EMAIL.fullmatch(value) else "không phải địa chỉ e-mail",
    "phone": lambda value: "" if _PHONE.fullmatch(value) else "không phải số điện thoại",
}


def _twice(staff: Sequence[Staff]) -> Iterator[Problem]:
    for field in UNIQUE:
        first: dict[str, int] = {}
        for one in staff:
            value = str(getattr(one, field)).casefold()
            if value and first.setdefault(value, one.line) != one.line:
                yield Problem(one.line, _label(field), "duplicate", f"trùng với dòng {first[value]}")
