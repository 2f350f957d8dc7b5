"""`lienthong bhyt read` and `write`: visits as tables or as one JSON object per line, and a Bundle back to the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mappings.bhyt.visits import Visit
from mappings.fhir import problems
from mappings.formats import json as exact
from tests.golden.test_papers import HERE as PAPERS
from tests.golden.test_papers import play
from tests.integration.gateway.test_map_command import sums_hold
from tests.site import cli
from tests.unit.bhyt import clean

KEYS = {"file", "record", "outcome", "bundle", "coverage", "faults", "notices"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    visit = clean.outpatient()
    odd = Visit({**visit.tables, "XML1": (visit.one("XML1") | {"NGAY_RA": "sáng nay"},)}, facility=clean.FACILITY)
    (tmp_path / "a.xml").write_bytes(clean.file_of(visit))
    (tmp_path / "b.xml").write_bytes(clean.file_of(odd))
    (tmp_path / "c.xml").write_bytes(b"<A/>")
    two = clean.file_of(clean.newborn()).replace(b"<SOLUONGHOSO>1<", b"<SOLUONGHOSO>2<")
    begin, end = two.index(b"<HOSO>"), two.index(b"</DANHSACHHOSO>")
    (tmp_path / "d.XML").write_bytes(two[:end] + two[begin:end] + two[end:])
    (tmp_path / "e.txt").write_bytes(b"no")
    return tmp_path


def lines(*arguments: str) -> list[dict[str, Any]]:
    done = cli("bhyt", "read", *arguments, "--json")
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_one_object_per_visit_and_a_bad_file_does_not_stop_the_others(folder: Path) -> None:
    told = lines(str(folder))
    assert [one["record"] for one in told] == ["LK-26-000107", "LK-26-000107", "", "LK-26-000309", "LK-26-000309"]
    assert [one["outcome"] for one in told] == ["read", "read", "fault", "read", "read"]
    for one in told:
        assert set(one) == KEYS
        assert sums_hold(one)
    clean_one, odd, bad = told[:3]
    assert clean_one["bundle"]["type"] == "collection"
    assert clean_one["bundle"]["identifier"]["value"] == "LK-26-000107"
    assert clean_one["bundle"]["timestamp"] == "2026-03-09T00:00:00+07:00"
    assert (clean_one["coverage"]["unknown"], odd["coverage"]["unknown"]) == (0, 1)
    assert [notice["where"] for notice in odd["notices"]] == ["XML1/NGAY_RA"]
    assert bad["bundle"] is None
    assert bad["faults"][0]["code"] == "LT3305"
    assert "Nguyễn" not in json.dumps([one["faults"] + one["notices"] for one in told], ensure_ascii=False)


def test_the_bundle_is_sound_and_becomes_the_same_file(folder: Path, tmp_path: Path) -> None:
    done = cli("bhyt", "read", str(folder / "a.xml"), "--json")
    bundle = exact.loads(done.stdout)["bundle"]
    assert problems(bundle) == []
    (tmp_path / "bundle.json").write_bytes(exact.dumps(bundle))
    out = tmp_path / "out.xml"
    assert cli("bhyt", "write", str(tmp_path / "bundle.json"), "--out", str(out)).returncode == 0
    assert out.read_bytes() == (folder / "a.xml").read_bytes()
    (tmp_path / "line.json").write_text(done.stdout, encoding="utf-8")
    assert cli("bhyt", "write", str(tmp_path / "line.json")).stdout.encode() == (folder / "a.xml").read_bytes()


def test_other_ways_to_write(folder: Path, tmp_path: Path) -> None:
    line = tmp_path / "line.json"
    line.write_text(cli("bhyt", "read", str(folder / "a.xml"), "--json").stdout, encoding="utf-8")
    assert cli("bhyt", "write", str(line), "--as-guide").stdout.startswith("<?xml")
    assert cli("bhyt", "write", str(line), "--decision", "4210").returncode == 2
    again = tmp_path / "cdata.xml"
    assert cli("bhyt", "write", str(line), "--cdata", "--out", str(again)).returncode == 0
    assert again.read_bytes() != (folder / "a.xml").read_bytes()
    assert lines(str(again))[0]["bundle"] == lines(str(folder / "a.xml"))[0]["bundle"]


def test_a_check_in_is_written_of_a_record_that_came_by_hl7_v2(tmp_path: Path) -> None:
    record, _ = play(PAPERS / "insurance_check_in" / "service")
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in record]}
    (tmp_path / "visit.json").write_bytes(exact.dumps(bundle))
    out = tmp_path / "xml0.xml"
    write = ("bhyt", "write", str(tmp_path / "visit.json"), "--table", "XML0", "--facility", "01032", "--out", str(out))
    assert cli(*write).returncode == 0
    assert b"<CHUKYDONVI/></CHI_TIEU_TRANG_THAI_KCB>" in out.read_bytes()  # where `lienthong portal check-in` signs
    told = json.loads(cli("bhyt", "check", str(out), "--json").stdout)
    assert (told["record"], [one for one in told["findings"] if one["severity"] == "blocks"]) == ("LT-26-0231", [])


def test_what_is_no_bundle_is_refused(folder: Path, tmp_path: Path) -> None:
    for content in (b"{}", b"[]", b"<A/>", b'{"resourceType":"Bundle"}'):
        (tmp_path / "no.json").write_bytes(content)
        done = cli("bhyt", "write", str(tmp_path / "no.json"))
        assert (done.returncode, done.stdout) == (1, ""), content
        assert "LT" in done.stderr


def test_people_read_tables_or_a_list(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    one = cli("bhyt", "read", str(folder / "a.xml"))
    assert one.returncode == 0
    for word in ("LK-26-000107", "XML3", "ChargeItem", "chưa biết: 0"):
        assert word in one.stdout, word
    many = cli("bhyt", "read", str(folder))
    assert many.returncode == 1
    for word in ("5 hồ sơ, 1 lỗi", "LT3305", "LT3308", "Thời điểm kết thúc đợt KCB", "giữ nguyên văn"):
        assert word in many.stdout, word
    assert "Nguyễn" not in many.stdout
