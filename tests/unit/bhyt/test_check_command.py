"""`lienthong bhyt check` tells every record of every file, in all its forms, and its exit code tells the worst."""

from __future__ import annotations

import json
import re
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from typer.testing import CliRunner

from gateway.cli import app, bhyt_check_run
from gateway.cli.bhyt_check_options import lists_of, settings_of
from gateway.cli.bhyt_check_run import Options, Part, check_part, parts_of, run
from gateway.cli.xlsx_file import Workbook
from gateway.faults import InternalFault
from mappings.bhyt.faults import ListInvalid
from mappings.bhyt.lists import NONE
from mappings.bhyt.rules import DEFAULT, RULES, Checker
from mappings.bhyt.rules.texts import text
from mappings.formats.sheet import read as read_sheet
from tests.unit.bhyt.clean_visits import BARE, KINDS, LIST_TEXTS, NOW, clean, file_of
from tests.unit.bhyt.planted import PLANTED

AT = ("--now", f"{NOW:%Y-%m-%dT%H:%M}")
OTHERS = [kind for kind in KINDS if kind not in (*BARE, "outpatient")]
"""The planted errors are in copies of the visit that is left out: beside it they would be duplicates."""
OPTIONS = Options(NOW, NONE, DEFAULT)


def planted(rule: str) -> bytes:
    return next(one for one in PLANTED if one.rule == rule).file


def checked(*arguments: str | Path) -> tuple[int, list[dict[str, Any]], str]:
    done = CliRunner().invoke(app, ["bhyt", "check", "--json", *AT, *map(str, arguments)])
    return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.xml").write_bytes(file_of([clean(kind, number=f"LK-{n}") for n, kind in enumerate(OTHERS)], "3176"))
    (tmp_path / "b.xml").write_bytes(planted("B1-001"))
    (tmp_path / "c.xml").write_bytes(file_of([clean("check_in")], "3176"))
    return tmp_path


def test_every_record_is_a_line(folder: Path) -> None:
    code, lines, said = checked(folder)
    assert code == 1
    assert len(lines) == len(OTHERS) + 2
    (wrong,) = [line for line in lines if line["findings"]]
    assert wrong == {
        "file": str(folder / "b.xml"),
        "record": "LK-0001",
        "findings": [
            {
                "rule": "B1-001",
                "severity": "blocks",
                "table": "XML1",
                "row": 1,
                "field": "GIOI_TINH",
                "value": "unknown code",
                "text": text("B1-001", "vi"),
            }
        ],
        "faults": [],
    }
    assert "ICD10" in said


def test_exit_codes(folder: Path) -> None:
    assert checked(folder / "a.xml")[0] == 0
    (folder / "w.xml").write_bytes(planted("B1-003"))
    code, (line,), _ = checked(folder / "w.xml")
    assert (code, line["findings"][0]["severity"]) == (0, "warns")
    (folder / "x.xml").write_bytes(b"<r/>")
    code, lines, _ = checked(folder)
    assert code == 2
    (broken,) = [line for line in lines if line["faults"]]
    assert (broken["file"], broken["record"]) == (str(folder / "x.xml"), "")
    assert broken["faults"][0]["code"] == "LT3305"
    assert len(lines) == len(OTHERS) + 4
    assert checked(folder, "--decision", "9999")[0] == 2
    (folder / "empty").mkdir()
    assert checked(folder / "empty")[0] == 2


def test_english_when_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIENTHONG_LANG", "en")
    _, lines, _ = checked(folder / "b.xml")
    assert lines[0]["findings"][0]["text"] == text("B1-001", "en")


def test_lists_and_readings(folder: Path) -> None:
    lists = folder / "lists"
    lists.mkdir()
    (lists / "staff.csv").write_text("code\n1\n", encoding="utf-8")
    _, lines, said = checked(folder / "a.xml", "--lists", lists)
    rules = {finding["rule"] for line in lines for finding in line["findings"]}
    assert rules >= {"B2-060", "B3-070", "B3-071", "B4-020", "B5-020"}
    assert "STAFF" not in said
    (lists / "friends.csv").write_text("code\n1\n", encoding="utf-8")
    assert checked(folder / "a.xml", "--lists", lists)[0] == 2
    _, lines, _ = checked(folder / "a.xml", "--set", "summary_kinds=02,09")
    assert {finding["rule"] for line in lines for finding in line["findings"]} == {"BT-007"}
    assert checked(folder / "a.xml", "--set", "nothing=1")[0] == 2


def test_settings_are_read_by_their_kind() -> None:
    read = settings_of(
        ["reexam_strictly_after=yes", "pending_result_days=3", "total_tolerance=0.5", "qd3176=2025-01-01"]
    )
    assert (read.reexam_strictly_after, read.pending_result_days, str(read.total_tolerance)) == (True, 3, "0.5")
    assert read.calendar.qd3176.isoformat() == "2025-01-01"
    assert settings_of(["occupation_level_2=no"]).occupation_level_2 is False
    for wrong in (
        "x=1",
        "pending_result_days=few",
        "reexam_strictly_after=maybe",
        "qd3176=soon",
        "total_tolerance=x",
        "base_salary=1",
    ):
        with pytest.raises(ValueError, match=wrong.partition("=")[0]):
            settings_of([wrong])


def test_a_list_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "ICD10.csv").write_bytes("code\nĐ".encode("utf-16"))
    with pytest.raises(ListInvalid):
        lists_of(tmp_path)


def test_people_see_a_table_and_how_often(folder: Path) -> None:
    (folder / "d.xml").write_bytes(planted("B1-126"))
    done = CliRunner().invoke(app, ["bhyt", "check", *AT, str(folder)])
    assert done.exit_code == 1
    told = " ".join(done.stdout.split())
    for word in ("B1-001", "GIOI_TINH", "B1-126", "17 hồ sơ: 15 sạch, 2 bị chặn"):
        assert word in told


def test_reports_in_files(folder: Path) -> None:
    page, book = folder / "r.html", folder / "r.xlsx"
    done = CliRunner().invoke(app, ["bhyt", "check", *AT, str(folder), "--html", str(page), "--xlsx", str(book)])
    assert done.exit_code == 1
    root = etree.fromstring(page.read_bytes(), etree.HTMLParser())
    cells = [cell.text for cell in root.iter("td")]
    assert "GIOI_TINH" in cells
    assert text("B1-001", "vi") in cells
    assert not list(root.iter("script"))
    assert root.xpath("//meta[@name='viewport']")
    assert b"@media print" in page.read_bytes()
    rows = sheet(book)
    assert rows[0][:3] == ["tệp", "hồ sơ", "bảng"]
    assert ["LK-0001", "XML1", "1", "GIOI_TINH", "B1-001"] in [row[1:6] for row in rows]
    told = page.read_text(encoding="utf-8") + str(rows)
    assert "Nguyễn Thị Mẫu" not in told
    assert "DN4010123456789" not in told


def test_a_report_of_nothing(folder: Path) -> None:
    page, book = folder / "r.html", folder / "r.xlsx"
    CliRunner().invoke(app, ["bhyt", "check", *AT, str(folder / "a.xml"), "--html", str(page), "--xlsx", str(book)])
    assert "<table>" not in page.read_text(encoding="utf-8")
    assert len(sheet(book)) == 1


def test_the_project_reads_its_own_workbook(folder: Path) -> None:
    book = folder / "r.xlsx"
    CliRunner().invoke(app, ["bhyt", "check", *AT, str(folder), "--xlsx", str(book)])
    first, *found = read_sheet(book.read_bytes())
    assert first.cells[1] == "hồ sơ"
    assert [line.cells[5] for line in found] == ["B1-001"]


def sheet(book: Path, number: int = 1) -> list[list[str]]:
    with zipfile.ZipFile(book) as opened:
        assert opened.testzip() is None
        for name in opened.namelist():
            etree.fromstring(opened.read(name))
        root = etree.fromstring(opened.read(f"xl/worksheets/sheet{number}.xml"))
    return [["".join(map(str, cell.itertext())) for cell in row] for row in root.iterfind(".//{*}row")]


def test_cells_are_texts_whatever_they_say(tmp_path: Path) -> None:
    book = tmp_path / "x.xlsx"
    odd = ['=HYPERLINK("http://x")', "+1", "@SUM(A1)", "-2", "a\x01b", "<&>", "\ud800"]
    with Workbook(book) as made:
        made.sheet("one", [("a", 10)], [[value] for value in odd] + [[7]])
        made.sheet("two", [("b", 10)], ([n] for n in range(10)), limit=3)
        made.sheet("long", [("c", 10)], [["&" * 40_000]])
    rows = sheet(book)
    assert [row[0] for row in rows] == ["a", *odd[:4], "a b", "<&>", " ", "7"]
    with zipfile.ZipFile(book) as opened:
        root = etree.fromstring(opened.read("xl/worksheets/sheet1.xml"))
    assert not list(root.iter("{*}f"))
    assert [cell.get("t") for cell in root.iter("{*}c")].count("inlineStr") == len(odd) + 1
    assert len(sheet(book, 2)) == 4
    assert sheet(book, 3)[1] == ["&" * 32_000]


def test_all_rules_are_listed() -> None:
    done = CliRunner().invoke(app, ["bhyt", "rules", "--json"])
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["id"] for line in lines] == list(RULES)
    assert all(line["source"] and line["text"] for line in lines)
    assert {line["id"] for line in lines if not line["runs"]} == {rule.id for rule in RULES.values() if rule.needs}
    assert CliRunner().invoke(app, ["bhyt", "rules"]).exit_code == 0


# ---- many ----

MANY = [clean("outpatient", number=f"LK-{n:03}") for n in range(40)]


def many(tmp_path: Path) -> Path:
    file = tmp_path / "many.xml"
    file.write_bytes(file_of(MANY, "3176"))
    return file


def test_a_big_file_is_split_by_visits_and_nothing_is_lost(tmp_path: Path) -> None:
    file = many(tmp_path)
    parts = list(parts_of([file], size=20_000))
    assert len(parts) > 5
    assert [part.before for part in parts] == sorted({part.before for part in parts})
    assert sum(part.size for part in parts) <= file.stat().st_size
    alone = [one.record for one in check_part(Part((file,), 0), OPTIONS)]
    assert [one.record for part in parts for one in check_part(part, OPTIONS)] == alone
    assert alone == [visit.number for visit in MANY]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"<CHUKYDONVI/>", b"<!-- --><CHUKYDONVI/>"),
        lambda data: data.replace(b"<SOLUONGHOSO>40<", b"<SOLUONGHOSO>41<"),
        lambda data: data[:-20],
        lambda data: data.replace(b"<GIAMDINHHS>", b"<x:GIAMDINHHS xmlns:x='u'>").replace(
            b"</GIAMDINHHS>", b"</x:GIAMDINHHS>"
        ),
        lambda data: (
            b"<?xml version='1.0' encoding='utf-16'?>".decode().encode("utf-16") + data.decode().encode("utf-16")[2:]
        ),
    ],
)
def test_what_is_not_plainly_written_stays_whole(change: Any, tmp_path: Path) -> None:
    file = many(tmp_path)
    file.write_bytes(change(file.read_bytes()))
    (part,) = parts_of([file], size=20_000)
    assert (part.files, part.end) == ((file,), 0)


def test_small_files_go_together(tmp_path: Path) -> None:
    for n in range(10):
        (tmp_path / f"{n}.xml").write_bytes(file_of([MANY[n]], "3176"))
    files = sorted(tmp_path.iterdir())
    parts = list(parts_of(files, size=files[0].stat().st_size * 3))
    assert [file for part in parts for file in part.files] == files
    assert 1 < len(parts) < 10


def test_two_processes_tell_what_one_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bhyt_check_run, "PART", 30_000)
    monkeypatch.setattr(parts_of, "__defaults__", (30_000,))
    files = [many(tmp_path)]
    (tmp_path / "broken.xml").write_bytes(b"<r>")
    files.append(tmp_path / "broken.xml")
    late = Options(NOW + timedelta(days=1), NONE, DEFAULT)
    one, two = (list(run(files, late, workers)) for workers in (1, 2))
    assert one == two
    assert len(one) == 41
    assert [{finding.rule for finding in checked.findings} for checked, _ in one[1:3]] == [{"BR-001"}, {"BR-001"}]
    assert sum(weight for _, weight in one) == sum(part.size for part in parts_of(files))


def test_a_record_that_stops_a_rule_does_not_stop_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Checker.check

    def check(self: Checker, visit: Any, **more: Any) -> Any:
        if visit.number == "LK-007":
            raise ZeroDivisionError
        return usual(self, visit, **more)

    monkeypatch.setattr(Checker, "check", check)
    told = [checked for checked, _ in run([many(tmp_path)], OPTIONS, 1)]
    assert len(told) == 40
    (broken,) = [one for one in told if one.fault]
    assert (broken.record, broken.fault and broken.fault[0]) == ("LK-007", InternalFault.code)


def test_the_faulty_set(tmp_path: Path) -> None:
    """Every planted error is found in its file and its rule named, and nothing of a patient is printed."""
    (tmp_path / "lists").mkdir()
    for name, said in LIST_TEXTS.items():
        (tmp_path / "lists" / f"{name}.csv").write_text(said, encoding="utf-8")
    for decision in ("130", "4750", "3176", "1931"):
        chosen = [one for one in PLANTED if (one.decision, one.settings, one.apart) == (decision, DEFAULT, False)]
        (tmp_path / decision).mkdir()
        for one in chosen:
            (tmp_path / decision / f"{one.rule}.xml").write_bytes(one.file)
        given = ("--lists", tmp_path / "lists", "--decision", decision)
        code, lines, said = checked(tmp_path / decision, *given)
        found: dict[str, set[str]] = {}
        for line in lines:
            found.setdefault(Path(line["file"]).stem, set()).update(each["rule"] for each in line["findings"])
        assert {rule: rule in rules for rule, rules in found.items()} == {one.rule: True for one in chosen}
        assert code == 1
        assert len(chosen) >= (150 if decision == "3176" else 1)
        assert not re.search(
            "Nguyễn|phố Mẫu|DN401|001180001234|198005170000", json.dumps(lines, ensure_ascii=False) + said
        )
