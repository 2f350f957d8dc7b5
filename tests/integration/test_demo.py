"""The main job, as a newcomer runs it: the day closes, every paper verifies elsewhere, a changed byte does not."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conformance.sandbox.portal.book import RETURNED, Book
from conformance.sandbox.portal.switches import Board, Switches
from conformance.sandbox.records import Records, Verdict
from mappings.bhyt.papers import TABLE_OF_PAPER
from mappings.bhyt.visits import Visit, read_visits
from mappings.documents import PAPERS
from tests.servers import need
from tests.site import cli, cli_json
from tests.unit.bhyt.agreement import Cda, differences, visit

AGREE = {"XML7": 20, "XML8": 20, "XML13": 3, "XML14": 12}
"""Tables of papers, and at least how many of them a day has."""


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    done = cli("demo", "--folder", str(tmp_path_factory.mktemp("demo")), "--json")
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if found["closes"] else 1)
    return found


def test_the_day_closes(day: dict[str, Any]) -> None:
    assert day["unexpected"] == []
    assert {name: states["signed"] for name, states in day["papers"].items()} == day["expected_papers"]
    assert set(day["papers"]) == set(PAPERS)
    assert {name: states["error"] for name, states in day["papers"].items() if "error" in states} == day[
        "expected_gaps"
    ]
    assert [balance for balance in day["balances"] if not balance["closes"]] == []
    assert day["closes"]


def test_the_portal_finds_nothing_to_send_back_by_its_own_checks(day: dict[str, Any]) -> None:
    seen = day["assessment"]
    config = str(Path(day["folder"]) / "config")
    wrong = cli_json("deliveries", "list", "--config", config, "--destination", "insurance_portal", "--state", "error")
    refused = Counter(one["paper"] for one in wrong)
    assert refused.total() == 1
    made = {name: day["expected_papers"][name] - refused[name] for name in ("insurance_record", "insurance_check_in")}
    assert (
        seen["visits"] == made["insurance_record"] - 4
    )  # two visits were withdrawn and sent again: three versions each
    assert seen["check_ins"] == made["insurance_check_in"]
    assert seen["returned"] == 0
    assert {kind for kind in seen["findings"] if kind.startswith(("block", "structure"))} == set()


def test_the_tables_of_papers_say_what_the_cda_of_the_same_papers_says(day: dict[str, Any]) -> None:
    """Of every visit, field by field, beside the newest version of each paper."""
    papers = Path(day["folder"]) / "papers"
    config = str(Path(day["folder"]) / "config")
    made = cli_json("deliveries", "list", "--config", config, "--destination", "moh_axis", "--limit", "10000")
    visits: dict[str, Visit] = {}
    issued: dict[tuple[str, str], Cda] = {}
    for one in sorted((one for one in made if one["state"] == "accepted"), key=lambda one: one["version"]):
        if one["paper"] == "insurance_record":
            (found,) = read_visits((papers / f"{one['document']}.gdbhyt.xml").read_bytes())
            visits[found.number] = found
        elif TABLE_OF_PAPER.get(one["paper"]) in AGREE:
            document = Cda((papers / f"{one['document']}.cda.xml").read_bytes())
            issued[TABLE_OF_PAPER[one["paper"]], visit(document)] = document
    compared = {
        (name, number): differences(name, visits[number].tables[name][0], document)
        for (name, number), document in issued.items()
        if number in visits
    }
    assert {key: found for key, found in compared.items() if found} == {}
    assert {name: sum(key[0] == name for key in compared) >= least for name, least in AGREE.items()} == dict.fromkeys(
        AGREE, True
    )


def test_the_pictures_of_the_pacs_join_and_the_late_one_makes_a_second_version(day: dict[str, Any]) -> None:
    seen = day["pictures"]
    assert (seen["studies"], seen["versions"]) == (3, 4)
    assert seen["statuses"] == {"0000": seen["objects"]}
    config = str(Path(day["folder"]) / "config")
    studies = cli_json("images", "--config", config)
    assert sorted(one["version"] for one in studies) == [1, 1, 2]
    assert {(one["state"], one["fault"]) for one in studies} == {("mapped", None)}
    assert sum(one["objects"] for one in studies) == seen["objects"]
    assert cli_json("images", "aside", "--config", config) == []


def test_instruments_join_the_record_and_a_critical_value_waits(day: dict[str, Any]) -> None:
    said = day["instruments"]
    assert (said["told"], said["orders"], said["unexpected"], said["critical"]) == (2, 1, 0, 1)
    assert said["measured"] >= 6
    config = str(Path(day["folder"]) / "config")
    critical = json.loads(cli("lab", "critical", "list", "--json", "--config", config).stdout)
    assert ("K", "open", "6.80", "high") in {(one["test"], one["state"], one["value"], one["side"]) for one in critical}
    told = cli_json("messages", "--config", config, "--limit", "0")
    assert {row["state"] for row in told if row["type"] in ("ASTM^RESULT", "OUL^R22", "ORU^R40")} == {"mapped"}
    assert [row["state"] for row in told if row["type"] == "ASTM^QUERY"] == ["answered"]


def test_vital_signs_of_the_monitor_are_on_the_care_sheet_of_the_nurse_who_told_none(day: dict[str, Any]) -> None:
    papers = [file.read_text(encoding="utf-8") for file in (Path(day["folder"]) / "papers").glob("*.cda.xml")]
    (sheet,) = [paper for paper in papers if "theo dõi bằng máy tại giường" in paper]
    cells = re.findall(r"<td[^>]*>([\d./]+) \(máy \d\d:\d\d\)</td>", sheet)
    assert len(cells) == 5
    assert [one.count("/") for one in cells] == [0, 0, 1, 0, 0], "pulse, temperature, pressure, breathing, saturation"


def test_every_trouble_of_the_day_happened_and_was_overcome(day: dict[str, Any]) -> None:
    portal, axis, coordination = (
        day["attempts"][name] for name in ("insurance_portal", "moh_axis", "national_coordination")
    )
    assert portal["refuse"] == 1  # refused for good
    assert portal["retry"] >= 3  # 503 with Retry-After
    assert axis["lose"] == 2  # answer lost, then asked for
    made = next(b["produced"] for b in day["balances"] if b["destination"] == "moh_axis")
    assert axis["accept"] == made - sum(day["expected_gaps"].values())
    assert coordination["retry"] >= 1  # down for a while


def test_the_folder_holds_messages_papers_and_receipts(day: dict[str, Any]) -> None:
    folder = Path(day["folder"])
    papers = sum(day["expected_papers"].values())
    written = list((folder / "papers").glob("*.cda.xml"))
    withdrawn = [file for file in written if b"HUY_GIAY" in file.read_bytes()]
    assert (len(written), len(withdrawn)) == (
        papers,
        8,
    )  # discharge paper, both summaries and the file of the visit, twice
    insured = sum(day["expected_papers"][name] for name in ("insurance_record", "insurance_check_in"))
    assert len(list((folder / "papers").glob("*.gdbhyt.xml"))) == insured
    assert len(list((folder / "papers").glob("*.fhir.json"))) == papers
    assert len(list((folder / "messages").glob("*.hl7"))) == sum(count for _, _, count in day["messages"])
    accepted = sum(balance["accepted"] for balance in day["balances"])
    assert len(list((folder / "receipts").glob("*.facts.json"))) == accepted
    log = (folder / "node.log").read_text(encoding="utf-8")
    assert "Traceback" not in log
    assert " ERROR " not in log


def test_papers_verify_with_xmlsec1_and_a_changed_byte_does_not(day: dict[str, Any], tmp_path: Path) -> None:
    program = shutil.which("xmlsec1")
    need(program, "xmlsec1")
    folder = Path(day["folder"])
    trust = str(folder / "config" / "keys" / "ca.pem")
    papers = sorted((folder / "papers").glob("*.xml"))

    def both(path: Path) -> tuple[bool, str, set[str]]:
        theirs = subprocess.run(
            [str(program), "--verify", "--trusted-pem", trust, str(path)], capture_output=True, check=False
        )
        ours = json.loads(cli("verify", str(path), "--trust", trust, "--offline", "--json").stdout)
        return theirs.returncode == 0, ours["verdict"], {reason["code"] for reason in ours["reasons"]}

    for paper in [*papers[:3], *papers[-3:]]:
        # the issuer, who is to say that its certificate is not revoked, is gone
        assert both(paper) == (True, "undecided", {"LT5072"})
        data = bytearray(paper.read_bytes())
        position = data.index(b"</") - 1
        data[position] = ord("x") if data[position] != ord("x") else ord("y")
        changed = tmp_path / paper.name
        changed.write_bytes(data)
        assert both(changed)[:2] == (False, "invalid")


def test_commands_tell_what_is_there(day: dict[str, Any]) -> None:
    config = str(Path(day["folder"]) / "config")
    wrong = cli_json("deliveries", "list", "--config", config, "--state", "error")
    (refused,) = [one for one in wrong if one["fault"]["code"] != "LT3201"]
    others = [(one["fault"]["code"], one["paper"]) for one in wrong if one is not refused]
    assert others == [("LT3201", "record_summary")] * 2
    shown = cli_json("deliveries", "--config", config, "show", refused["id"])
    assert [each["event"] for each in shown["tries"]][-1] == "refuse"
    assert shown["fault"]["do"]
    waiting = cli_json("errors", "--config", config)
    assert refused["id"] in {item["id"] for item in waiting}
    assert cli("errors", "--config", config, "confirm", refused["id"], "--reference", "1", "-r", "seen").returncode == 0
    again = cli("errors", "--config", config, "resend", refused["id"])
    assert again.returncode == 1
    assert "LT8103" in again.stderr
    assert cli("errors", "--config", config, "show", "nothing").returncode == 1
    message = cli_json("messages", "--config", config, "--limit", "1")[0]
    assert cli_json("messages", "show", message["id"], "--config", config)["sha256"] == message["sha256"]


def test_the_portal_assesses_every_visit_by_its_own_checks_and_returns_none(day: dict[str, Any]) -> None:
    def now() -> datetime:
        return datetime.now(UTC)

    records = Records(Path(day["folder"]) / "sandbox" / "records", now)
    book = Book(records, Board(Switches()), now)
    assert book.assess() == len(records.all("insurance_portal", Verdict.ACCEPTED)) > 30
    assert [(each.visit.link, each.describe()["MIEUTA"]) for each in book.all() if each.state == RETURNED] == []
