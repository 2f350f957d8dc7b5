"""`lienthong certs`: from the staff list to revocation, as people and programs call it."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conformance.sandbox.ca import DemoCA
from gateway import cli
from gateway.certificates import notices
from gateway.cli.output import console
from gateway.clock import SystemClock
from gateway.configuration import load
from gateway.store.engine import open_store
from tests.site import write_site
from tests.unit.formats.sheets import xlsx

ROWS = [
    ["Mã nhân viên", "Họ và tên", "CCCD", "Khoa/phòng", "Chức danh", "Số GPHN", "E-mail"],
    ["NV001", "Nguyễn Văn An", "001085000001", "Khoa Nội", "Bác sĩ", "000001/HNO-GPHN", "an@benhvien.vn"],
    ["NV002", "Lê Thị Bình", "001185000002", "Khoa Nội", "Điều dưỡng", "000002/HNO-GPHN", ""],
]


@dataclass
class Site:
    folder: Path
    ca: DemoCA
    run: Callable[..., tuple[int, str, str]]

    def json(self, *arguments: str, code: int = 0) -> Any:
        exit_code, out, err = self.run(*arguments, "--json")
        assert exit_code == code, err + out
        return json.loads(out)

    def staff(self, table: list[list[str]] = ROWS, name: str = "nhan-su.xlsx") -> str:
        (self.folder / name).write_bytes(xlsx(table))
        return str(self.folder / name)

    def file(self, name: str, **options: Any) -> str:
        path = self.folder / "cert.pem"
        path.write_bytes(self.ca.issue(name, **options).pem)
        return str(path)

    def active(self, code: str = "NV001", name: str = "Nguyễn Văn An") -> str:
        self.json("approve", code)
        self.json("issue", code, self.file(name), "--device-serial", "VT-1")
        self.json("handover", code, "--handed-by", "Lê Thị Lan")
        self.json("commit", code, "--reference", "Tủ 3")
        (made,) = self.json("activate", code)
        return str(made["id"])


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Site:
    ca = DemoCA(tmp_path / "ca")
    write_site(tmp_path, ca=ca)
    monkeypatch.setenv("LIENTHONG_CONFIG", str(tmp_path))
    monkeypatch.setattr(console, "_width", 200)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lienthong", "certs", *arguments])
        capsys.readouterr()
        try:
            cli.main()
        except SystemExit as end:
            said = capsys.readouterr()
            return int(end.code or 0), said.out, said.err
        raise AssertionError("a command ends with an exit code")

    return Site(tmp_path, ca, run)


def test_a_certificate_from_the_list_to_its_end(site: Site) -> None:
    said = site.json("import", site.staff(), "-r", "Công văn 12")
    assert (said["written"], said["people"], said["new"], len(said["requested"])) == (True, 2, ["NV001", "NV002"], 2)
    assert [one["state"] for one in site.json("list")] == ["requested", "requested"]
    certificate_id = site.active()
    (row,) = site.json("list", "--state", "active")
    assert (row["id"], row["device"], row["holder"]["roles"]) == (
        certificate_id,
        {"kind": "usb_token", "serial": "VT-1"},
        ["doctor"],
    )
    shown = site.json("show", "NV001")
    assert shown["holder"]["citizen_id"] == "001085000001"
    assert shown["commitment"]["reference"] == "Tủ 3"
    stopped = site.json("suspend", "NV001", "-r", "nghỉ ốm")
    assert (stopped["state"], stopped["stopped_tasks"]) == ("suspended", 0)
    site.json("resume", "NV001", "-r", "đi làm lại")
    lost = site.json("incident", "NV001", "--kind", "lost", "-r", "mất túi")
    assert lost["state"] == "suspended"
    code, _, err = site.run("resume", "NV001", "-r", "cần ký gấp")
    assert (code, "LT5115" in err) == (1, True)
    site.json("incident", lost["incident"], "--close", "-r", "tìm thấy")
    site.json("resume", "NV001", "-r", "tìm thấy")
    renewal = site.json("renew", "NV001")
    assert renewal["replaces"] == certificate_id
    site.json("reject", renewal["id"], "-r", "chưa cần")
    revoked = site.json("revoke", certificate_id, "-r", "nghỉ việc", "--device-returned")
    assert (revoked["state"], revoked["signed_since"]) == ("revoked", [])
    events = [one["event"] for one in reversed(site.json("events", certificate_id))]
    assert events == [
        "request", "approve", "issue", "hand_over", "activate", "suspend", "resume", "incident", "suspend", "settle",
        "resume", "revoke",
    ]  # fmt: skip
    assert len(site.json("events", "--limit", "3")) == 3


def test_a_list_with_errors_writes_nothing(site: Site) -> None:
    wrong = [*ROWS[:2], ["NV001", "Bình", "1185000002", "", "Bác sĩ", "", "x"]]
    code, out, _ = site.run("import", site.staff(wrong))
    assert code == 1
    assert "Excel đã bỏ số 0" in out
    assert "trùng với dòng 2" in out
    said = site.json("import", site.staff(wrong), code=1)
    assert not said["written"]
    assert {one["line"] for one in said["problems"]} == {3}
    assert {one["code"] for one in said["problems"]} == {"missing", "form", "duplicate"}
    assert site.json("list") == []


def test_check_writes_nothing(site: Site) -> None:
    said = site.json("import", site.staff(), "--check")
    assert (said["written"], said["new"], said["requested"]) == (False, ["NV001", "NV002"], [])
    assert site.json("list") == []
    assert site.json("events") == []
    code, out, _ = site.run("import", site.staff(), "--check")
    assert (code, "chưa ghi gì" in out) == (0, True)


def test_departments_of_the_configuration_are_checked(site: Site) -> None:
    node = site.folder / "node.toml"
    node.write_text(node.read_text().replace("[facility]", '[facility]\ndepartments = ["Khoa Ngoại"]'))
    said = site.json("import", site.staff(), code=1)
    assert [(one["line"], one["field"]) for one in said["problems"]] == [(2, "Khoa/phòng"), (3, "Khoa/phòng")]


def test_who_left_is_proposed(site: Site) -> None:
    site.json("import", site.staff())
    site.active()
    said = site.json("import", site.staff([ROWS[0], ROWS[2]]), "--full")
    assert [(one["holder"], one["state"]) for one in said["proposed"]] == [("NV001", "active")]
    (row,) = site.json("list", "--proposed")
    assert row["holder"]["code"] == "NV001"
    assert "NV001" in site.run("list", "--proposed")[1]


@pytest.mark.parametrize(
    ("arguments", "code", "fault"),
    [
        (("show", "NV9"), 1, "LT5114"),
        (("approve", "NV9"), 1, "LT5114"),
        (("request", "--holder", "NV9"), 1, "LT5113"),
        (("activate", "NV001"), 1, "LT8103"),
        (("reject", "NV001"), 2, ""),
        (("reject", "NV001", "-r", " "), 1, "LT5109"),
        (("request",), 2, ""),
        (("request", "--holder", "NV001", "--seal"), 2, ""),
        (("request", "--holder", "NV001", "--device", "radio"), 2, ""),
        (("list", "--state", "dead"), 2, ""),
        (("incident", "NV001", "-r", "x"), 2, ""),
        (("incident", "NV001", "-r", "x", "--kind", "stolen"), 2, ""),
        (("incident", "NV001", "-r", "x", "--kind", "lost"), 1, "LT8103"),
        (("revoke", "NV001", "-r", "x", "--effective", "hôm qua"), 2, ""),
        (("handover", "NV001", "--handed-by", "x", "--on", "31/02/2026"), 2, ""),
        (("form", "letter", "--holder", "NV001", "-o", "a.pdf"), 2, ""),
        (("form", "handover", "--holder", "NV001", "-o", "a.docx"), 2, ""),
        (("import", __file__), 1, ""),
    ],
)
def test_what_cannot_be_done(site: Site, arguments: tuple[str, ...], code: int, fault: str) -> None:
    site.json("import", site.staff())
    before = site.json("events")
    found, _, err = site.run(*arguments)
    assert (found, fault in err) == (code, True)
    assert site.json("events") == before


def test_one_that_fails_stops_all_of_one_command(site: Site) -> None:
    site.json("import", site.staff())
    assert site.run("approve", "NV001", "NV9")[0] == 1
    assert {one["state"] for one in site.json("list")} == {"requested"}


def test_the_seal_of_the_organisation(site: Site) -> None:
    first = site.json("request", "--seal", "--device", "hsm", "--provider", "CA Thử")
    assert (first["holder"]["kind"], first["holder"]["roles"]) == ("organisation", ["seal"])
    site.json("approve", first["id"])
    name = "Bệnh viện Đa khoa Thử Nghiệm"
    issued = site.json(
        "issue", first["id"], site.file(name, organisation=name), "--key-kind", "pkcs11", "--key-name", "seal"
    )
    assert issued["key"] == {"kind": "pkcs11", "name": "seal"}
    assert site.run("issue", first["id"], site.file(name), "--key-kind", "paper")[0] == 2


def test_a_certificate_of_somebody_else_is_refused(site: Site) -> None:
    site.json("import", site.staff())
    site.json("approve", "NV001")
    code, _, err = site.run("issue", "NV001", site.file("Lê Thị Bình"))
    assert (code, "LT5111" in err) == (1, True)
    stranger = DemoCA(site.folder / "other")
    path = site.folder / "stranger.pem"
    path.write_bytes(stranger.issue("Nguyễn Văn An").pem)
    code, _, err = site.run("issue", "NV001", str(path))
    assert (code, "LT5006" in err) == (1, True)
    assert site.json("show", "NV001")["certificates"][0]["state"] == "approved"


def test_what_ends_and_who_was_told(site: Site) -> None:
    site.json("import", site.staff())
    certificate_id = site.active()
    (row,) = site.json("expiring", "--days", "3650")
    left = row["days_left"]
    assert site.json("expiring", "--days", str(left - 1)) == []
    store = open_store(load(site.folder).store_url)
    now = SystemClock().now() + (left - 20) * notices.DAY
    done = store.write_now(lambda c: notices.daily(c, now))
    assert [(one.certificate_id, one.days, one.recipient) for one in done.notices] == [
        (certificate_id, 30, "holder"),
        (certificate_id, 30, "it"),
    ]
    assert store.write_now(lambda c: notices.daily(c, now)).notices == ()
    store.close()
    file = site.folder / "het-han.csv"
    code, out, _ = site.run("expiring", "--days", "3650", "--csv", str(file))
    assert (code, "30 ngày → người giữ" in out) == (0, True)
    (line,) = csv.DictReader(io.StringIO(file.read_text("utf-8-sig")), delimiter=";")
    assert (line["Mã nhân viên"], line["E-mail"], line["Gia hạn"]) == ("NV001", "an@benhvien.vn", "chưa")
    assert file.stat().st_mode & 0o077 == 0


def test_forms_are_filled_in(site: Site) -> None:
    site.json("import", site.staff())
    site.active()
    for kind in ("handover", "commitment"):
        file = site.folder / f"{kind}.html"
        assert site.run("form", kind, "--holder", "NV001", "-o", str(file))[0] == 0
        text = re.sub(r"<[^>]+>", "", file.read_text("utf-8"))
        for said in ("Nguyễn Văn An", "001085000001", "Bác sĩ", "VT-1"):
            assert said in text
        assert file.stat().st_mode & 0o077 == 0
    blank = site.folder / "blank.pdf"
    assert site.run("form", "handover", "--holder", "NV002", "-o", str(blank))[0] == 0
    assert blank.read_bytes().startswith(b"%PDF")


def test_tables_for_people(site: Site) -> None:
    site.json("import", site.staff())
    site.active()
    site.json("incident", "NV001", "--kind", "locked", "-r", "sai PIN 5 lần")
    out = site.run("show", "NV001")[1]
    for said in ("Nguyễn Văn An", "đang dùng", "thiết bị bị khóa", "kích hoạt", "Tủ 3"):
        assert said in out
    assert "đã đề nghị" in site.run("list")[1]
    assert "tạm ngừng" in site.run("suspend", "NV001", "-r", "x")[1]


def test_a_revocation_does_not_lie_in_the_future(site: Site) -> None:
    site.json("import", site.staff())
    site.active()
    code, _, err = site.run("revoke", "NV001", "-r", "x", "--effective", "2999-01-01")
    assert (code, "LT5118" in err) == (1, True)
    assert [one["state"] for one in site.json("list", "--state", "active")] == ["active"]
