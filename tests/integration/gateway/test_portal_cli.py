"""`lienthong portal`, `card` and what `check` says of accounts, before the simulated portal. All data is invented."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.configuration import load
from gateway.store import actions
from gateway.store.engine import open_store
from mappings.bhyt.files import visit_to_file
from mappings.bhyt.visits import read_visits
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk
from tests.integration.gateway.test_papers import discharge
from tests.integration.gateway.test_provable_node import sandbox
from tests.site import cli, write_site
from tests.unit.bhyt.test_portal_files import DAY, VISIT

PORTAL = """
[[destination]]
kind = "insurance_portal"
url = "{url}"
username = "01999_BV"
password = "secret:destinations"
facility = "01999"
basis = "law"
owner = "Phạm Thu, phòng CNTT"
changed_on = "2026-01-05"
officer = "Nguyễn Thị Tra Cứu"
officer_id = "secret:officer"
lookups_per_minute = 3
"""


class Site:
    def __init__(self, folder: Path, known: dict[str, str]) -> None:
        self.known, self.folder = known, folder
        (folder / "secrets").mkdir(parents=True)
        (folder / "secrets" / "officer").write_text("001180999901")
        write_site(folder, destinations=PORTAL.format(url=known["insurance_portal"]), produce=())
        for kept, made in (("facility.p12", Path(known["keys"]) / "facility.p12"), ("ca.pem", Path(known["ca"]))):
            (folder / "keys" / kept).write_bytes(made.read_bytes())
        self.plan = load(folder)
        store = open_store(self.plan.store_url)
        store.close()

    def run(self, *words: str, code: int = 0) -> str:
        done = cli(*words, "--config", str(self.folder))
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def json(self, *words: str, code: int = 0) -> Any:
        done = cli(*words, "--json", "--config", str(self.folder))
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def file(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("portal")
    with sandbox(folder / "sandbox") as known:
        yield Site(folder / "site", known)


def visit(link: str) -> bytes:
    tables = {name: tuple({**row, "MA_LK": link} for row in rows) for name, rows in VISIT.tables.items()}
    return visit_to_file(replace(VISIT, tables=tables), decision="3176", made_on=DAY)


def test_check_says_who_answers_for_an_account(site: Site) -> None:
    said = site.json("check", "--no-probe")
    (account,) = said["accounts"]
    assert (account["owner"], account["username"], account["due"]) == ("Phạm Thu, phòng CNTT", "01999_BV", True)
    assert account["change_by"] == "2026-04-05"
    shown = site.run("check", "--no-probe")
    assert "Phạm Thu" in shown
    assert "QUÁ HẠN" in shown


def test_a_catalogue_is_made_of_a_table_signed_sent_and_kept(site: Site) -> None:
    table = site.file("thuoc.csv", "MA_THUOC;TEN_THUOC\n40.1;Thuốc thử\n".encode())
    sent = site.json("portal", "send-catalogue", "medicines", table, "-r", "đợt tháng 11")
    assert sent["facts"]["call"] == "medicines"
    kept = site.run("messages", "raw", sent["message"])
    assert "<TEN_THUOC>Thuốc thử</TEN_THUOC>" in kept
    assert "SignatureValue" in kept
    assert sent["reference"] in site.run("messages", "raw", sent["message"], "--answer")
    store = open_store(site.plan.store_url)
    acts = store.read_now(lambda c: actions.of_target(c, sent["message"]))
    store.close()
    assert [one.reason for one in acts] == [
        "medicines begun: đợt tháng 11",
        f"medicines accepted {sent['reference']}: đợt tháng 11",
    ]


def test_what_was_sent_is_not_sent_again_unless_a_person_says_so(site: Site) -> None:
    file = site.file("th.xml", b"<HSTH01BH><CHUKYDONVI/></HSTH01BH>")
    words = ("portal", "send-summary", file, "--period", "202610")
    first = site.json(*words)
    assert "LT8103" in site.run(*words, code=1)
    assert site.json(*words, "--again")["message"] != first["message"]
    assert site.json("portal", "send-summary", file, "--period", "202611")["reference"]
    assert "LT1004" in site.run("portal", "send-summary", file, "--period", "202613", code=3)


def test_a_refused_file_may_be_sent_again_at_once(site: Site) -> None:
    file = site.file("x.xml", b"<HSTH01BH><CHUKYDONVI/></HSTH01BH><!-- 1 -->")
    for _ in range(2):
        assert "LT6002" in site.run("portal", "send-catalogue", "staff", file, code=1)


def test_a_correction_and_a_withdrawal_keep_their_reason(site: Site) -> None:
    file = site.file("lk.xml", visit("LK55"))
    assert site.run("portal", "correct", file, code=2)
    assert "LT5109" in site.run("portal", "correct", file, "-r", " ", code=1)
    corrected = site.json("portal", "correct", file, "-r", "sửa mã bệnh")
    assert corrected["facts"] == corrected["facts"] | {"call": "record", "decision": "3176"}
    withdrawn = site.json("portal", "withdraw", file, "-r", "gửi nhầm")
    kept = cli("messages", "raw", withdrawn["message"], "--config", str(site.folder)).stdout
    (note,) = read_visits(kept.encode())
    assert (note.number, note.one("XML1")["MA_DOITUONG_KCB"]) == ("LK55", "8")
    assert "LT" in site.run("portal", "correct", site.file("no.xml", b"<x/>"), "-r", "x", code=1)


def test_unknown_words(site: Site) -> None:
    file = site.file("y.xml", b"<HSDANHMUC><CHUKYDONVI/></HSDANHMUC>")
    assert "LT1005" in site.run("portal", "send-catalogue", "pills", file, code=3)
    assert "LT1005" in site.run("portal", "send-certificate", "wedding", file, code=3)
    assert "LT1005" in site.run("portal", "send-adjustment", file, "--destination", "elsewhere", code=3)
    assert len(json.loads(cli("portal", "calls", "--json").stdout)) == 14


def test_nothing_waits(site: Site) -> None:
    assert site.json("portal", "due") == []


def test_what_has_not_arrived_says_until_when_it_can_be_corrected(tmp_path: Path, clock: HandClock) -> None:
    destination = PORTAL.format(url="http://127.0.0.1:1").replace(
        'officer_id = "secret:officer"', 'officer_id = "secret:keys"'
    )
    folder = tmp_path / "site"
    desk = Desk(folder, f"sqlite:///{tmp_path}/ledger.db", clock, destinations=destination)
    desk.send(discharge("1"))
    desk.store.close()
    (one,) = json.loads(cli("portal", "due", "--json", "--config", str(folder)).stdout)
    assert (one["paper"], one["state"], one["day"]) == ("discharge_paper", "queued", "2026-09-21")
    assert (one["correct_until"], one["closes_on"]) == ("2026-09-30", "2026-10-05")
    assert "QUÁ HẠN" in cli("portal", "due", "--config", str(folder)).stdout


def test_a_card_is_looked_up_from_the_command_line(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def given(number: str, name: str, born: str) -> None:
        said = json.dumps({"number": number, "name": name, "born": born}).encode()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(said), "utf-8"))

    given("DN4019999000001", "Nguyễn Thị Thử Nghiệm", "15/03/1985")
    said = site.json("card", "lookup", "--stdin")
    assert (said["code"], said["usable"], len(said["history"])) == ("000", True, 2)
    given("GD4019999000017", "Châu Văn Tạm Dừng", "17/05/1968")
    assert "Thẻ dừng" in site.run("card", "lookup", "--stdin", code=1)
    listed = site.json("card", "list")
    assert (listed["today"], listed["stopped"], [one["code"] for one in listed["lookups"]]) == (2, None, ["124", "000"])
    site.run("card", "stop", "-r", "thử")
    given("DN4019999000001", "Nguyễn Thị Thử Nghiệm", "15/03/1985")
    assert "LT7015" in site.run("card", "lookup", "--stdin", "--moment", "discharge", code=1)
    assert "thử" in site.run("card", "list")
    site.run("card", "resume", "-r", "thử xong")
    given("DN4019999000001", "Nguyễn Thị Thử Nghiệm", "15/03/1985")
    assert site.json("card", "lookup", "--stdin", "--moment", "discharge")["moment"] == "discharge"
    assert "LT7014" in site.run("card", "lookup", code=1)
    assert len(json.loads(cli("card", "codes", "--json").stdout)) == 26
