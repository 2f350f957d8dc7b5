"""A laboratory that only exports tables: what it drops into a folder becomes results and laboratory reports, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers import wait_until
from tests.site import cli_json, running_node, write_site
from tests.unit.lab.tables import AN, CRP, HGB, HOA, LAYOUT, day, row, table


@dataclass
class Laboratory:
    folder: Path
    papers: Path
    config: Path

    def drop(self, name: str, data: bytes) -> None:
        """Drop a file as programs do that know how, and wait until it was put away."""
        (self.folder / f"{name}.part").write_bytes(data)
        (self.folder / f"{name}.part").rename(self.folder / name)
        wait_until(lambda: not (self.folder / name).exists(), 30)
        wait_until(lambda: all(one["state"] != "received" for one in self.messages()), 30)

    def messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = cli_json("messages", "--config", str(self.config))
        return found

    def states(self) -> dict[str, int]:
        told = [f"{one['type']} {one['state']}" for one in self.messages()]
        return {one: told.count(one) for one in sorted(set(told))}


@pytest.fixture
def laboratory(tmp_path: Path) -> Iterator[Laboratory]:
    dropped, papers = tmp_path / "drop", tmp_path / "papers"
    dropped.mkdir()
    papers.mkdir()
    config = write_site(tmp_path / "site", produce=("lab_report",), accept=("RESULT",))
    channel = config / "channels" / "his.toml"
    text = channel.read_text(encoding="utf-8").splitlines()
    text[1] = f'source = {{ kind = "folder", folder = "{dropped}", pattern = "*.csv", poll = "50ms", settle = "50ms" }}'
    own = f'\n[[destination]]\nkind = "folder"\nfolder = "{papers}"\nrendition = "fhir"\nbasis = "test"\n'
    layout = LAYOUT.replace("[columns]", "[layout.columns]").replace("[words.", "[layout.words.")
    channel.write_text("\n".join([*text, own, "[layout]", layout]), encoding="utf-8")
    with running_node(config):
        yield Laboratory(dropped, papers, config)


def test_a_table_becomes_results_and_reports_once(laboratory: Laboratory) -> None:
    laboratory.drop("day.csv", day())
    assert laboratory.states() == {"RESULT^FILE kept": 1, "RESULT^ROWS mapped": 2}
    assert len(list((laboratory.folder / "done").rglob("day.csv"))) == 1

    def arrived(count: int) -> None:
        wait_until(lambda: len(list(laboratory.papers.rglob("*.json"))) == count, 30)

    arrived(1)  # the other one is preliminary
    laboratory.drop("again.csv", day())
    assert laboratory.states() == {
        "RESULT^FILE duplicate": 1,
        "RESULT^FILE kept": 1,
        "RESULT^ROWS duplicate": 2,
        "RESULT^ROWS mapped": 2,
    }
    rows = day().decode().split("\r\n")
    laboratory.drop("more.csv", "\r\n".join([rows[0], row(AN, 9, CRP, "3,1;mg/L"), *rows[1:]]).encode())
    told = laboratory.states()
    assert (told["RESULT^ROWS duplicate"], told["RESULT^ROWS mapped"]) == (3, 3)
    laboratory.drop("corrected.csv", table(row(HOA, 1, HGB, "12,50;g/dL", status="Đã sửa")))
    arrived(2)
    newest = max(laboratory.papers.rglob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    bundle = json.loads(newest.read_bytes())
    assert bundle["entry"][0]["resource"]["relatesTo"][0]["code"] == "replaces"
    values = {
        one["resource"]["code"]["text"]: (one["resource"]["status"], one["resource"]["valueQuantity"]["value"])
        for one in bundle["entry"]
        if one["resource"]["resourceType"] == "Observation" and "valueQuantity" in one["resource"]
    }
    assert values == {"Hemoglobin": ("corrected", 12.5), "CRP": ("final", 5.0)}


def test_bad_rows_stop_nobody_else_and_an_unreadable_file_is_refused(laboratory: Laboratory) -> None:
    good, shifted = row(HOA, 1, HGB, "13,50;g/dL"), row(AN, 2, HGB, "9;8;g/dL", note="x;y")
    laboratory.drop("some.csv", table(good, shifted, row(AN, 3, HGB, "9.8;g/dL")))
    assert laboratory.states() == {"RESULT^FILE kept": 1, "RESULT^ROWS error": 2, "RESULT^ROWS mapped": 1}
    faults = {one["fault"]["code"]: one["fault"]["where"] for one in laboratory.messages() if one.get("fault")}
    assert faults == {"LT3421": "line 3", "LT3423": "row[4].Kết quả"}
    laboratory.drop("other.csv", b"MaBN;KQ\r\nBN1;5\r\n")
    refused = laboratory.folder / "refused" / "other.csv"
    assert refused.read_bytes() == b"MaBN;KQ\r\nBN1;5\r\n"
    answer = json.loads((laboratory.folder / "refused" / "other.csv.answer").read_bytes())
    assert (answer["answer"], answer["faults"][0]["code"]) == ("AE", "LT3420")
    assert laboratory.states()["RESULT^FILE error"] == 1
