"""A node that gathers proofs for the signatures of people and its own, killed at each of its steps: each paper leaves once."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.crash import matrix
from tests.crash.killing_node import PROOF_PLACES
from tests.crash.matrix import places
from tests.crash.test_kill import exchange
from tests.integration.gateway.test_papers import discharge
from tests.integration.gateway.test_provable_node import Ledger, configure, sandbox, sign
from tests.site import DiedAtStart, NodeProcess, start_node


def visit(number: int) -> bytes:
    return discharge(str(number)).replace(b"VV1", b"VV%d" % number)


@dataclass
class Hospital:
    """One whose node is killed once at work on each paper, and started again: what outlives two deaths is not tried on."""

    site: Path
    plan: str = ""
    fired: list[str] = field(default_factory=list)
    node: NodeProcess | None = None

    def start(self, plan: str = "") -> None:
        """Start a node that dies at the first passage of a place."""
        self.close()
        self.plan = plan
        told = {"LIENTHONG_TEST_KILL": f"{plan}:1"} if plan else {}
        try:
            self.node = start_node(self.site, "tests.crash.killing_node", **told)
        except DiedAtStart as died:
            if died.args[0] != -9:
                raise
            self.died()

    def died(self) -> None:
        self.fired.append(self.plan)
        self.start()

    def revive(self) -> None:
        assert self.node is not None
        if self.node.process.poll() is not None:
            assert self.node.process.returncode == -9, (self.site / "node.log").read_text()[-2000:]
            self.died()

    def close(self) -> None:
        if self.node is not None:
            if self.node.process.poll() is None:
                self.node.stop()
            assert self.node.process.stdout is not None
            self.node.process.stdout.close()
            self.node = None

    def paper(self, ledger: Ledger, number: int) -> None:
        """Have a paper made, signed by two people, sealed, proved and delivered."""
        while self.node is None or exchange(self.node.address(), visit(number)) is None:
            self.revive()
        end = time.monotonic() + 60
        while ledger.papers().count("signed") < number or len(self.fired) < number:
            assert time.monotonic() < end, f"a paper is stuck: {ledger.papers()} after {self.fired}"
            self.revive()
            if "signing" in ledger.papers():
                for code in ("BS1", "TK1"):
                    sign(self.site, code)
            time.sleep(0.05)


def play(folder: Path, kills: list[str]) -> None:
    with sandbox(folder / "sandbox") as known:
        hospital = Hospital(configure(folder / "site", known))
        hospital.start()
        ledger = Ledger(hospital.site)
        try:
            for number, kill in enumerate(kills, 1):
                hospital.start(kill)
                hospital.paper(ledger, number)
                assert hospital.fired == kills[:number]
            end = time.monotonic() + 60
            while [len(list((hospital.site / name).iterdir())) for name in ("out", "bundles")] != [len(kills)] * 2:
                assert time.monotonic() < end, "not each paper once"
                time.sleep(0.05)
        finally:
            ledger.close()
            hospital.close()


@pytest.mark.nightly
def test_proofs_are_gathered_under_kills(tmp_path: Path) -> None:
    play(tmp_path, [*places(matrix.WITH_PROOFS), *PROOF_PLACES])
