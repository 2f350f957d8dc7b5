"""The admin interface shows what arrived; a sandbox in a folder goes on after a stop; the command line starts and stops."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from conformance.sandbox.faults import Action, Rule
from conformance.sandbox.records import Arrival, Records, Verdict
from conformance.sandbox.server import GLN, Sandbox, main
from tests.integration.sandbox.peer import (
    PASSWORD,
    SETTINGS,
    AxisClient,
    PortalClient,
    cda,
    insurance_file,
    sign,
)

ROOT = Path(__file__).resolve().parents[3]


def test_admin_shows_records_bodies_and_a_summary_that_verifies_again(tmp_path: Path) -> None:
    async def run() -> None:
        settings = replace(SETTINGS, folder=tmp_path)
        async with Sandbox(settings) as sandbox, httpx.AsyncClient(trust_env=False) as http:
            signer = sandbox.ca.issue("Bệnh viện A")
            registered = await http.post(
                sandbox.admin_url + "/_sandbox/certificates", json={"gln": GLN, "pem": signer.pem.decode()}
            )
            assert registered.status_code == 204
            portal, axis = PortalClient(sandbox, http), AxisClient(sandbox, http, signer)
            await portal.login()
            await axis.login()
            file = sign(insurance_file(), signer, "CHUKYDONVI")
            for body in (file, file, b"<x/>"):
                await portal.send(body)
            await axis.push(axis.envelope(sign(cda(), signer)))

            async def get(path: str) -> Any:
                return (await http.get(sandbox.admin_url + "/_sandbox/" + path)).json()

            records = await get("records?destination=insurance_portal")
            assert [record["verdict"] for record in records] == ["accepted", "repeat", "refused"]
            assert records[0]["repeats"] == 1
            assert len(await get("records?verdict=accepted")) == 2
            paper = await http.get(sandbox.admin_url + "/_sandbox/records/1/body")
            assert paper.content == file
            assert (await http.get(sandbox.admin_url + "/_sandbox/records/99/body")).status_code == 404
            summary = await get("summary")
            assert summary["insurance_portal"] == {
                "accepted": 1,
                "repeats": 1,
                "refused": 1,
                "verified": 1,
                "changed": [],
            }
            assert summary["moh_axis"]["verified"] == 1
            kept = tmp_path / "records" / "papers" / records[0]["sha256"]
            kept.write_bytes(file.replace(b"20261121", b"20261122"))
            assert (await get("summary"))["insurance_portal"]["changed"] == [1]
            assert (await get("health"))["addresses"]["moh_axis"] == sandbox.axis_url

    asyncio.run(run())


def test_admin_sets_and_clears_a_fault_plan() -> None:
    async def run() -> None:
        async with Sandbox(SETTINGS) as sandbox, httpx.AsyncClient(trust_env=False) as http:
            faults = sandbox.admin_url + "/_sandbox/faults"
            plan = [{"destination": "moh_axis", "action": "down"}]
            assert (await http.post(faults, json=plan)).json()[0]["action"] == "down"
            with pytest.raises(httpx.ConnectError):
                await http.get(sandbox.axis_url)
            assert (await http.delete(faults)).status_code == 204
            assert (await http.get(sandbox.axis_url)).status_code == 404
            for wrong in (
                {"destination": "x", "action": "down"},
                {"destination": "moh_axis", "action": "down", "tme": 1},
            ):
                assert (await http.post(faults, json=[wrong])).status_code == 422
            assert (await http.get(faults)).json() == []
            pem = sandbox.ca.issue("x").pem.decode()
            for bad in ({"gln": GLN, "pem": "x"}, {"gln": GLN[:-1] + "0", "pem": pem}):
                assert (await http.post(sandbox.admin_url + "/_sandbox/certificates", json=bad)).status_code == 422

    asyncio.run(run())


def test_reset_forgets_records_and_faults(tmp_path: Path) -> None:
    async def run() -> None:
        settings = replace(SETTINGS, folder=tmp_path)
        async with Sandbox(settings) as sandbox, httpx.AsyncClient(trust_env=False) as http:
            portal = PortalClient(sandbox, http)
            await portal.login()
            await portal.send(b"<x/>")
            sandbox.faults.add(Rule("insurance_portal", Action.DOWN))
            assert (await http.post(sandbox.admin_url + "/_sandbox/reset")).status_code == 204
            assert (len(sandbox.records), sandbox.faults.state()) == (0, [])
            assert (await portal.send(b"<x/>"))["maKetQua"] == "124"
            assert len(list((tmp_path / "records" / "papers").iterdir())) == 1

    asyncio.run(run())


def test_a_later_start_from_the_folder_knows_ca_keys_and_papers(tmp_path: Path) -> None:
    async def run() -> None:
        settings = replace(SETTINGS, folder=tmp_path)
        references = []
        file = b""
        async with httpx.AsyncClient(trust_env=False) as http:
            for _ in range(2):
                async with Sandbox(settings) as sandbox:
                    keys = sandbox.write_keys("mở khóa")
                    file = file or sign(insurance_file(), sandbox.ca.issue("Bệnh viện A"), "CHUKYDONVI")
                    portal = PortalClient(sandbox, http)
                    await portal.login()
                    references.append((await portal.send(file))["maGiaoDich"])
                    assert sandbox.axis.certificates.keys() == {GLN}
                    stored = pkcs12.load_pkcs12((keys / "doctor.p12").read_bytes(), "mở khóa".encode())
                    assert stored.cert is not None
                    references.append(str(stored.cert.certificate.serial_number))
                    counts = sandbox.records.counts("insurance_portal")
                    with pytest.raises(ValueError, match="mật khẩu"):
                        sandbox.write_keys("khác")
        assert references[:2] == references[2:]
        assert counts == {"accepted": 1, "repeats": 1, "refused": 0}

    asyncio.run(run())
    private = list((tmp_path / "ca").iterdir())
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    assert {"ca.pem", "facility.p12", "director.p12", "doctor.p12", "transport.p12"} <= {path.name for path in private}


def test_a_line_cut_off_in_the_index_is_dropped_and_the_rest_kept(tmp_path: Path) -> None:
    def arrival(key: str) -> Arrival:
        return Arrival(key, b"<x/>", Verdict.ACCEPTED, "200")

    records = Records(tmp_path, lambda: datetime.now(UTC))
    records.add("moh_axis", arrival("1"))
    with (tmp_path / "index.jsonl").open("a", encoding="utf-8") as index:
        index.write('{"n": 2, "desti')
    again = Records(tmp_path, lambda: datetime.now(UTC))
    again.add("moh_axis", arrival("2"))
    last = Records(tmp_path, lambda: datetime.now(UTC))
    assert [(record.n, record.key) for record in last.all()] == [(1, "1"), (2, "2")]


def test_tls_is_served_with_a_certificate_of_the_demo_ca() -> None:
    async def run() -> None:
        async with Sandbox(replace(SETTINGS, tls=True)) as sandbox:
            trust = ssl.create_default_context(cafile=str(sandbox.ca.pem_file))
            async with httpx.AsyncClient(trust_env=False, verify=trust) as http:
                for url in (sandbox.portal_url, sandbox.axis_url, sandbox.coordination_url):
                    assert url.startswith("https://")
                    assert (await http.get(url)).status_code == 404
            assert sandbox.admin_url.startswith("http://")
            async with httpx.AsyncClient(trust_env=False) as http:
                with pytest.raises(httpx.ConnectError):
                    await http.get(sandbox.portal_url)

    asyncio.run(run())


def test_a_port_somebody_listens_on_is_not_shared() -> None:
    async def run() -> None:
        async with Sandbox(SETTINGS) as sandbox:
            taken = int(sandbox.portal_url.rpartition(":")[2])
            with pytest.raises(OSError, match="in use"):
                async with Sandbox(replace(SETTINGS, axis_port=taken)):
                    raise AssertionError("two sandboxes on one port")

    asyncio.run(run())


@contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    command = [sys.executable, "-m", "conformance.sandbox", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            ready, _, _ = select.select([running.stdout], [], [], 30)
            assert ready, "nothing printed in 30 s"
            yield running, json.loads(running.stdout.readline())
        finally:
            running.kill()


def test_the_command_prints_addresses_serves_and_stops_on_sigterm(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    with process("--folder", str(folder), "--password", PASSWORD, "--tls") as (running, line):
        assert {
            "insurance_portal",
            "moh_axis",
            "national_coordination",
            "fhir_rest",
            "ocsp",
            "crl",
            "tsa",
            "csc",
            "admin",
            "ca",
            "keys",
        } == line.keys()
        trust = ssl.create_default_context(cafile=line["ca"])
        with httpx.Client(trust_env=False, verify=trust) as http:
            login = http.post(line["moh_axis"] + "/api/auth/login", json={"username": "01999_BV", "password": PASSWORD})
            assert login.status_code == 200
            running.send_signal(signal.SIGTERM)
            assert running.wait(10) == 0
    assert os.path.exists(folder / "ca" / "facility.p12")


def test_a_bad_accounts_file_is_told_and_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accounts = tmp_path / "accounts.json"
    accounts.write_text('[{"user": "u", "password": "p", "facility": "01999", "gln": "8930000000018"}]', "utf-8")
    assert main(["--accounts", str(accounts)]) == 1
    assert "GLN" in capsys.readouterr().err
    assert main(["--accounts", str(tmp_path / "missing.json")]) == 1
