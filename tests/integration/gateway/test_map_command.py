"""`lienthong map`: side by side for one message, a list for several, one JSON object per message and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.site import cli

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
CASES = sorted(GOLDEN.glob("*/*/input.hl7"))
KEYS = {"file", "type", "outcome", "bundle", "coverage", "faults", "notices"}


def lines(*arguments: str) -> list[dict[str, Any]]:
    done = cli("map", *arguments, "--json")
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def sums_hold(told: dict[str, Any]) -> bool:
    coverage = told["coverage"]
    counted = {
        state: sum(f["state"] == state for f in coverage["fields"]) for state in ("mapped", "ignored", "unknown")
    }
    return (
        coverage["populated"] == len(coverage["fields"]) == sum(counted.values())
        and all(coverage[state] == count for state, count in counted.items())
        and len({f["position"] for f in coverage["fields"]}) == len(coverage["fields"])
        and all(f["target"] if f["state"] == "mapped" else f["reason"] for f in coverage["fields"])
    )


def test_every_golden_message_as_json() -> None:
    told = lines(
        *(
            str(folder)
            for folder in GOLDEN.iterdir()
            if folder.is_dir() and folder.name not in ("papers", "astm", "results")
        )
    )
    assert len(told) == len(CASES)
    for one in told:
        assert set(one) == KEYS
        assert one["outcome"] == "mapped", one["faults"]
        assert one["bundle"]["resourceType"] == "Bundle"
        assert sums_hold(one), one["file"]


def test_the_sum_check_sees_a_field_that_vanished_and_a_missing_reason() -> None:
    (told,) = lines(str(CASES[0]))
    assert sums_hold(told)
    vanished = json.loads(json.dumps(told))
    del vanished["coverage"]["fields"][3]
    assert not sums_hold(vanished)
    silent = json.loads(json.dumps(told))
    next(f for f in silent["coverage"]["fields"] if f["state"] == "ignored")["reason"] = ""
    assert not sums_hold(silent)


def test_corpus(corpora: Path) -> None:
    told = lines(str(corpora / "hl7v2"))
    assert len(told) == 615
    for one in told:
        assert sums_hold(one), one["file"]
        assert (one["outcome"] == "fault") == bool(one["faults"])
        for fault in one["faults"]:
            assert fault["code"] != "LT8005", one["file"]
            assert fault["text"]


def test_side_by_side() -> None:
    done = cli("map", str(GOLDEN / "adt_a04" / "outpatient" / "input.hl7"))
    assert done.returncode == 0
    assert "PID-3" in done.stdout
    assert ".identifier" in done.stdout
    assert "tổng: 21" in done.stdout


@pytest.mark.parametrize("columns", [80, 140])
def test_people_read_names_and_reasons(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is wider than the terminal, no path is broken within a word, no id where there is one resource of the kind."""
    monkeypatch.setenv("COLUMNS", str(columns))
    done = cli("map", str(GOLDEN / "adt_a04" / "outpatient" / "input.hl7"))
    assert max(len(line.rstrip()) for line in done.stdout.splitlines()) <= columns
    assert "ngày sinh" in done.stdout
    assert "số thứ tự của bên gửi" in done.stdout
    assert "Patient.birthDate " in done.stdout
    assert "sequence number" not in done.stdout


def test_reasons_for_people_may_be_english_and_for_programs_always_are(monkeypatch: pytest.MonkeyPatch) -> None:
    file = str(GOLDEN / "adt_a04" / "outpatient" / "input.hl7")
    english = "sequence number of the sender; order is kept by position"
    assert english in {field["reason"] for field in lines(file)[0]["coverage"]["fields"]}
    monkeypatch.setenv("LIENTHONG_LANG", "en")
    monkeypatch.setenv("COLUMNS", "200")
    assert english in cli("map", file).stdout


def test_a_list_ends_with_the_fields_that_no_mapping_knows(tmp_path: Path) -> None:
    header = b"MSH|^~\\&|A|B|||20260101||ADT^A04|%d|P|2.5\rPID|1||X\rPV1|1|O\rZZ1|x\r"
    for number in range(3):
        (tmp_path / f"{number}.hl7").write_bytes(header % number)
    done = cli("map", str(tmp_path))
    assert "ZZ1-1" in done.stdout
    assert "chưa có ánh xạ cho đoạn này" in done.stdout


def test_a_folder_without_messages_is_said(tmp_path: Path) -> None:
    done = cli("map", str(tmp_path))
    assert done.returncode == 1
    assert ".hl7" in done.stderr


def test_several_files_are_a_list() -> None:
    done = cli("map", *(str(case) for case in CASES[:3]))
    assert done.returncode == 0
    assert "3 thông điệp, 0 lỗi" in done.stdout


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "LT2001"),
        (b"hello", "LT2002"),
        (b"MSH|^~\\&|A|B|||2026||ADT^A01|1|P|2.5\rPID|1||" + b"\xc4\xff\xfe" + b"\r", "LT2004"),
        (b"MSH|^~\\&|A|B|||2026||ADT^A01|1|P|2.5\rPI", "LT2005"),
        (b"MSH|^~\\&|A|B|||2026||ZZZ^Z01|1|P|2.5\rPID|1||X\r", "LT3101"),
        (b"<?xml version='1.0'?><!DOCTYPE x SYSTEM 'file:///etc/passwd'><x/>", "LT2002"),
    ],
)
def test_wrong_input_is_a_precise_fault(tmp_path: Path, content: bytes, code: str) -> None:
    file = tmp_path / "x.hl7"
    file.write_bytes(content)
    done = cli("map", str(file), "--json")
    assert done.returncode == 1
    (told,) = (json.loads(line) for line in done.stdout.splitlines())
    assert [fault["code"] for fault in told["faults"]] == [code]
    assert told["bundle"] is None
    assert sums_hold(told)


def test_a_batch_and_recorded_frames_are_several_messages(tmp_path: Path) -> None:
    one, two = (case.read_bytes().replace(b"\n", b"\r") for case in CASES[:2])
    (tmp_path / "batch.hl7").write_bytes(b"FHS|^~\\&\rBHS|^~\\&\r" + one + b"\r" + two + b"\rBTS|2\rFTS|1\r")
    (tmp_path / "wire.mllp").write_bytes(b"\x0b" + one + b"\x1c\r\x0b" + two + b"\x1c\r")
    told = lines(str(tmp_path))
    assert [one["outcome"] for one in told] == ["mapped"] * 4
    assert [one["file"].rpartition("#")[2] for one in told] == ["1", "2", "1", "2"]


@pytest.mark.parametrize("key", ["http://fhir.hl7.org.vn/core|0.6.0", "http://fhir.ehealth.gov.vn/core|1.0.0"])
def test_a_national_guide(key: str) -> None:
    (told,) = lines(str(GOLDEN / "adt_a04" / "outpatient" / "input.hl7"), "--guide", key)
    profiles = [one for e in told["bundle"]["entry"] for one in e["resource"].get("meta", {}).get("profile", ())]
    canonical, _, version = key.partition("|")
    assert f"{canonical}/StructureDefinition/vn-core-patient|{version}" in profiles
    assert all(one.startswith(canonical) and one.endswith(f"|{version}") for one in profiles)


def test_an_unknown_guide_is_wrong_usage_and_names_the_known_ones() -> None:
    done = cli("map", str(CASES[0]), "--json", "--guide", "http://example.org/core|1.0.0")
    assert done.returncode == 2
    assert "fhir.hl7.org.vn" in done.stderr


def test_wrong_usage() -> None:
    assert cli("map").returncode == 2
    assert cli("map", "/no/such/file").returncode == 2


def test_a_table_of_results_is_mapped_by_the_layout_of_a_channel() -> None:
    example = Path(__file__).resolve().parents[3] / "channels"
    table, channel = str(example / "lab-table.blood-count.csv"), str(example / "lab-table.toml")
    done = cli("map", table, "--layout", channel, "--json")
    assert done.returncode == 0
    one, other = (json.loads(line) for line in done.stdout.splitlines())
    assert (one["type"], one["coverage"]["populated"], one["coverage"]["unknown"]) == ("RESULT^ROWS", 44, 2)
    assert one["bundle"]["identifier"] != other["bundle"]["identifier"]
    fields = {entry["position"]: entry for entry in other["coverage"]["fields"]}
    assert fields["row[3].Kết quả"]["state"] == "mapped"
    assert "2 thông điệp, 0 lỗi" in cli("map", table, "--layout", channel).stdout
    wrong = cli("map", str(example / "lis.blood-count.hl7"), "--layout", channel, "--json")
    assert (wrong.returncode, json.loads(wrong.stdout)["faults"][0]["code"]) == (1, "LT3420")
    assert cli("map", table, "--layout", str(example / "lis.toml")).returncode == 2
