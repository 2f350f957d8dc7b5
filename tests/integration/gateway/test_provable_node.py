"""A real node and a real sandbox; then the sandbox is gone, ten years pass, and the paper is verified offline."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from conformance.sandbox.tsa import POLICY
from gateway.clock import SystemClock
from gateway.configuration import load
from gateway.signing_run import Run
from gateway.store import documents, proofs
from gateway.store.engine import open_store
from signing.keys import open_key
from tests.integration.gateway.proofs import AUTHORITY, DOCTOR_HEAD_SEAL, PEOPLE, SIGNER
from tests.integration.gateway.test_papers import FOLDER, discharge
from tests.servers import wait_until
from tests.site import PASSWORD, NodeProcess, cli, cli_json, running_node, write_site

KEYS = {"BS1": "doctor", "TK1": "head"}
PATIENT = '[proof]\nretry = { first = "100ms", cap = "500ms" }\n'


@contextmanager
def sandbox(folder: Path) -> Iterator[dict[str, str]]:
    command = [sys.executable, "-m", "conformance.sandbox", "--folder", str(folder), "--password", PASSWORD]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def configure(folder: Path, known: dict[str, str]) -> Path:
    """Write a hospital whose keys are all of the sandbox's authority."""
    signers = "".join(
        SIGNER.format(code=code, name=name, role=role, licence=licence)
        for code, (name, role, licence) in PEOPLE.items()
    )
    proof = PATIENT + AUTHORITY.format(url=known["tsa"], policy=POLICY)
    policies = DOCTOR_HEAD_SEAL.format(level="B-LT")
    bundles = FOLDER.replace('folder = "out"', 'name = "bundles"\nfolder = "bundles"\nrendition = "fhir"')
    site = write_site(folder, signers=f"{signers}\n{proof}", policies=policies, destinations=FOLDER + bundles)
    for name in ("out", "bundles"):
        (site / name).mkdir()
    made = Path(known["keys"])
    for name in ("facility", *KEYS.values()):
        code = next((code for code, key in KEYS.items() if key == name), "facility")
        (site / "keys" / f"{code}.p12").write_bytes((made / f"{name}.p12").read_bytes())
    (site / "keys" / "ca.pem").write_bytes(Path(known["ca"]).read_bytes())
    return site


def send(node: NodeProcess, raw: bytes) -> None:
    with socket.create_connection(node.address(), 10) as connection:
        connection.sendall(b"\x0b" + raw + b"\x1c\r")
        assert b"MSA|AA" in connection.recv(4096)


def sign(site: Path, code: str) -> int:
    """Sign as `lienthong sign run` does; the register of certificates is another test's."""
    plan, store = load(site), open_store(load(site).store_url)
    try:
        key = plan.signers[code].key
        assert key is not None
        opened = open_key(key.kind, key.options)
        return Run(
            plan, store, SystemClock(), code, opened, "lan", "PC-12", may_sign=lambda *_, **__: None
        ).sign().signed  # fmt: skip
    finally:
        store.close()


class Ledger:
    """The node's store, read beside it."""

    def __init__(self, site: Path) -> None:
        self._store = open_store(load(site).store_url)

    def papers(self) -> list[str]:
        return [row.state for row in self._store.read_now(documents.listing)]

    def newest(self) -> str:
        return str(self._store.read_now(documents.listing)[0].id)

    def faults(self) -> set[int]:
        return {row.fault_code for row in self._store.read_now(proofs.wanting)}

    def close(self) -> None:
        self._store.close()


@pytest.fixture
def ledgers() -> Iterator[Callable[[Path], Ledger]]:
    opened: list[Ledger] = []

    def read(site: Path) -> Ledger:
        opened.append(Ledger(site))
        return opened[-1]

    yield read
    for one in opened:
        one.close()


@pytest.fixture
def later() -> str:
    return (datetime.now(UTC) + timedelta(days=3652)).isoformat()


def test_ten_years_later_without_anybody_to_ask(tmp_path: Path, later: str, ledgers: Callable[[Path], Ledger]) -> None:
    with sandbox(tmp_path / "sandbox") as known:
        site = configure(tmp_path / "site", known)
        with running_node(site) as node:
            ledger = ledgers(site)
            httpx.post(
                f"{known['admin']}/_sandbox/faults", json=[{"destination": "tsa", "action": "down"}], trust_env=False
            ).raise_for_status()
            send(node, discharge("1"))
            wait_until(lambda: ledger.papers() == ["signing"])
            assert (sign(site, "BS1"), sign(site, "TK1")) == (1, 1), "the authority is away; people sign all the same"
            wait_until(lambda: ledger.papers() == ["proving"] and ledger.faults() == {5050})
            shown = cli_json("errors", "--config", str(site))
            assert {(one["what"], one["fault"]["code"]) for one in shown} == {("proof", "LT5050")}
            assert not list((site / "out").iterdir())
            said = cli("sign", "list", "--config", str(site)).stdout
            assert "LT5050" in said
            httpx.delete(f"{known['admin']}/_sandbox/faults", trust_env=False).raise_for_status()
            wait_until(lambda: [len(list((site / name).iterdir())) for name in ("out", "bundles")] == [1, 1])
            assert ledger.papers() == ["signed"]
            assert ledger.faults() == set()
        evidence = tmp_path / "evidence.json"
        cli("sign", "evidence", ledger.newest(), "--out", str(evidence), "--config", str(site), check=True)

    (paper,), (bundle,) = ((site / name).iterdir() for name in ("out", "bundles"))
    asked = ("--trust", str(site / "keys" / "ca.pem"), "--offline", "--at", later)
    done = cli("verify", str(paper), *asked, "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"]) == (0, "valid"), report["reasons"]
    assert [(one["level"], one["time_is"], one["revocation"]) for one in report["signers"]] == [
        ("B-LT", "stamped", "good")
    ] * 3
    assert cli("verify", str(bundle), *asked).returncode == 2, "a JWS alone proves nothing any more"
    assert cli("verify", str(bundle), *asked, "--evidence", str(evidence)).returncode == 0
