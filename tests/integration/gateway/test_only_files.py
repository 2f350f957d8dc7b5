"""A HIS that only exports insurance files: what it drops into a folder becomes a record, papers, and one delivery per visit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mappings.bhyt.decisions import decision_of
from mappings.bhyt.envelope import envelope
from mappings.bhyt.files import bare_file
from mappings.bhyt.rows import rows_to_xml
from mappings.bhyt.tables import table
from mappings.bhyt.visits import Visit, read_visits
from tests.integration.gateway.test_provable_node import sandbox
from tests.servers import wait_until
from tests.site import cli, cli_json, destinations, running_node, write_site
from tests.unit.bhyt import clean_visits

FACILITY = "01999"
PRODUCE = (
    *(
        "insurance_check_in",
        "insurance_record",
        "health_summary",
        "discharge_paper",
        "record_summary",
        "referral",
        "reexamination",
        "lab_report",
    ),
    "leave_paper",
)
KINDS = (
    "outpatient",
    "inpatient",
    "emergency",
    "surgery",
    "uninsured",
    "referral",
    "reexam",
    "sick_leave",
)


def ours(kind: str, number: int) -> Visit:
    """A visit that is right in every way, of a person of its own, at the facility of the test."""
    visit = clean_visits.clean(kind, "1931", f"LK-26-{number:04}")
    changed = {"MA_BN": f"BN-26-{number:04}", "MA_CSKCB": FACILITY, "SO_CCCD": f"0011850{number:05}"}

    def row_of(row: Mapping[str, str]) -> dict[str, str]:
        told = {field: text.replace(clean_visits.FACILITY, FACILITY) for field, text in row.items()}
        return told | {field: text for field, text in changed.items() if told.get(field)}

    tables = {name: tuple(row_of(row) for row in rows) for name, rows in visit.tables.items()}
    return replace(visit, tables=tables, facility=FACILITY)


VISITS = {kind: ours(kind, number) for number, kind in enumerate(KINDS, 1)}
CHECK_IN = ours("check_in", 90)


def file_of(visit: Visit) -> bytes:
    decision = decision_of(visit.tables)
    files = [(name, rows_to_xml(table(name, decision), rows)) for name, rows in visit.tables.items()]
    return envelope(FACILITY, date(2026, 11, 9), files)


@dataclass
class Hospital:
    folder: Path
    config: Path
    sandbox: Mapping[str, str]

    def received(self) -> dict[str, Visit]:
        """The files that the portal took, by their number."""
        found = {}
        for row in cli_json("deliveries", "list", "--config", str(self.config), "--destination", "insurance_portal"):
            assert row["state"] == "accepted", row["fault"]
            body = cli("deliveries", "paper", row["id"], "--config", str(self.config))
            (visit,) = read_visits(body.stdout.encode())
            found[visit.number] = visit
        return found


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    folder = tmp_path_factory.mktemp("only-files")
    dropped, papers = folder / "drop", folder / "papers"
    dropped.mkdir()
    papers.mkdir()
    with sandbox(folder / "sandbox") as addresses:
        config = write_site(folder / "site", produce=PRODUCE, accept=("GDBHYT",))
        keys = Path(addresses["keys"])
        shutil.copyfile(keys / "facility.p12", config / "keys" / "facility.p12")
        shutil.copyfile(keys / "ca.pem", config / "keys" / "ca.pem")
        channel = config / "channels" / "his.toml"
        text = channel.read_text(encoding="utf-8").splitlines()
        text[1] = f'source = {{ kind = "folder", folder = "{dropped}", poll = "100ms", settle = "100ms" }}'
        own = f'\n[[destination]]\nkind = "folder"\nname = "papers"\nfolder = "{papers}"\nbasis = "test"\n'
        channel.write_text(
            "\n".join(text) + "\n" + destinations(addresses, ("insurance_portal",)) + own, encoding="utf-8"
        )
        with running_node(config):
            for name, visit in VISITS.items():
                (dropped / f"{name}.part").write_bytes(file_of(visit))
                (dropped / f"{name}.part").rename(dropped / f"{name}.xml")
            (dropped / "check-in.part").write_bytes(bare_file(CHECK_IN, "XML0", decision="1931"))
            (dropped / "check-in.part").rename(dropped / "check-in.xml")
            wait_until(lambda: not list(dropped.glob("*.xml")), 30)

            def settled() -> bool:
                rows = cli_json("deliveries", "list", "--config", str(config))
                return bool(rows) and {row["state"] for row in rows} <= {"accepted", "error"}

            wait_until(settled, 90)
            yield Hospital(dropped, config, addresses)


def test_every_file_is_taken_and_mapped(hospital: Hospital) -> None:
    assert len(list((hospital.folder / "done").rglob("*.xml"))) == len(VISITS) + 1
    rows = cli_json("messages", "--config", str(hospital.config))
    assert [row["state"] for row in rows] == ["mapped"] * (len(VISITS) + 1)
    assert [row["coverage"]["unknown"] for row in rows if row["coverage"]["unknown"]] == []


def test_what_the_portal_gets_is_what_the_his_wrote(hospital: Hospital) -> None:
    received = hospital.received()
    for visit in (*VISITS.values(), CHECK_IN):
        got = received[visit.number]
        differing = [
            (name, n, field, row.get(field, ""), back.get(field, ""))
            for name, rows in visit.tables.items()
            for n, (row, back) in enumerate(zip(rows, got.tables[name], strict=True), 1)
            for field in {**row, **back}
            if row.get(field, "") != back.get(field, "")
        ]
        assert differing == []


def test_papers_come_of_it(hospital: Hospital) -> None:
    rows: list[dict[str, Any]] = cli_json(
        "deliveries", "list", "--config", str(hospital.config), "--destination", "papers"
    )
    made = {row["paper"] for row in rows if row["state"] == "accepted"}
    assert {"insurance_record", "health_summary"} <= made, json.dumps(rows, ensure_ascii=False)[:2000]
