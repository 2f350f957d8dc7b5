"""`sandbox portal` starts without configuration; the lines it prints work as they stand; Ctrl-C ends it quietly."""

from __future__ import annotations

import json
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from conformance.sandbox.ca import DemoCA
from conformance.sandbox.portal import command
from tests.integration.sandbox.peer import insurance_file, sign

ROOT = Path(__file__).resolve().parents[3]
ANY_PORT = ("--port", "0", "--page-port", "0")


@contextmanager
def portal(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command and give what it prints when it is ready."""
    line = [sys.executable, "-m", "conformance.sandbox", "portal", *ANY_PORT, *arguments]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        told = ""
        try:
            ready, _, _ = select.select([running.stdout], [], [], 30)
            assert ready, "nothing printed in 30 s"
            while not told.endswith(("Dừng bằng Ctrl-C.\n", "}\n")):  # printed in one piece
                part = running.stdout.readline()
                assert part, "ended"
                told += part
            yield running, told
        finally:
            running.kill()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_printed_lines_send_a_record_and_look_up_a_card() -> None:
    with portal() as (running, told):
        script = told.partition("Thử bằng curl:\n")[2].partition("\n\n")[0]
        said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True).stdout
        receipt, card = (json.loads(part) for part in re.split(r"(?<=})(?={)", said))
        assert (receipt["maKetQua"], card["maKetQua"]) == ("200", "000")
        page = re.search(r"http\S+/portal", told)
        assert page is not None
        shown = httpx.get(page[0], trust_env=False)
        assert receipt["maGiaoDich"].startswith("01999")
        assert "LK1" in shown.text
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=20)
        assert (running.returncode, out, err) == (0, "", "")
        folder = re.search(r"(\S+)/vi-du-3176.xml", told)
        assert folder is not None
        assert not Path(folder[1]).exists()


def test_accounts_certificates_and_switches_are_options(tmp_path: Path) -> None:
    own = DemoCA(tmp_path / "own").issue("Bệnh viện Riêng")
    pem = tmp_path / "own.pem"
    pem.write_bytes(own.pem)
    options = (
        "--json",
        "--folder",
        str(tmp_path / "box"),
        "--account",
        "01998_BV:mật khẩu: có hai chấm",
        "--account",
        "01001_BV:y",
    )
    keys = []
    for more in (("--certificate", str(pem), "--strict"), ()):
        with portal(*options, *more) as (running, told):
            line: dict[str, Any] = json.loads(told)
            assert (line["user"], line["password"], line["facility"]) == ("01998_BV", "mật khẩu: có hai chấm", "01998")
            keys.append(Path(line["key"]).read_bytes())
            admin = line["admin"] + "/_sandbox/portal/"
            registered = httpx.get(admin + "certificates", trust_env=False).json()
            assert {each["facility"] for each in registered} == {"01998", "01001"}
            assert len(registered) == 4
            switches = httpx.get(admin + "switches", trust_env=False).json()
            assert (switches["registered_certificates"], switches["structure_at_reception"]) == (True, bool(more))
            assert set(httpx.get(line["admin"] + "/_sandbox/health", trust_env=False).json()["addresses"]) == {
                "insurance_portal",
                "admin",
            }
            assert b"01998" in sign(insurance_file(facility="01998"), own, "CHUKYDONVI")
            running.send_signal(signal.SIGTERM)
            assert running.wait(20) == 0
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--account", "01999_BV"], "MACSKCB"),
        (["--account", "1_BV:x"], "MACSKCB"),
        (["--account", "../.._BV:x"], "MACSKCB"),
        (["--certificate", "/không/có"], "No such file"),
    ],
)
def test_a_wrong_option_is_told_and_ends_with_1(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([*ANY_PORT, *options]) == 1
    assert said in capsys.readouterr().err


def test_what_is_no_certificate_and_a_port_in_use_are_told(tmp_path: Path) -> None:
    bad = tmp_path / "x.pem"
    bad.write_text("x")

    def run(*options: str) -> str:
        line = [sys.executable, "-m", "conformance.sandbox", "portal", *options]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, "Traceback" in done.stderr) == (1, False)
        return done.stderr

    assert "--certificate" in run(*ANY_PORT, "--certificate", str(bad))
    with portal("--json") as (_, told):
        port = json.loads(told)["insurance_portal"].rpartition(":")[2]
        assert "--port" in run("--port", port, "--page-port", "0")
