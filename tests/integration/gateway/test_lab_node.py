"""An analyser calls a running node: it asks for the orders of a tube, sends results, corrects one; each is where it belongs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.sandbox.analyser import Analyser, Knobs, Outcome, Sent, Times, called
from gateway.configuration import load
from gateway.records import resources
from gateway.store.engine import open_store
from mappings.formats import astm
from mappings.outcome import Resource
from tests.integration.gateway.test_laboratory import records, result
from tests.servers import wait_until
from tests.site import NodeProcess, cli, cli_json, running_node, write_site

CHANNEL = """\
name = "analyser"
source = { kind = "astm", listen = "127.0.0.1:0", peers = ["127.0.0.1"], tls = "none" }
accept = ["ASTM", "ASTM^QUERY"]
produce = ["lab_report"]
"""
QUICK = Times(answer_s=20.0, frame_s=20.0, busy_s=0.2, contention_s=0.2)
ORDER = "\r".join(
    [
        "MSH|^~\\&|HIS|01999|LT|01999|20260305080000||OML^O21^OML_O21|N1|P|2.5.1",
        "PID|1||BN1^^^01999^PI||TRẦN^AN^VĂN||19900215|M",
        "ORC|NW|XN1",
        "OBR|1|XN1||HGB^Hemoglobin^L|||20260305083000|||||||||||||||||LAB",
        "SPM|1|260305001||BLD",
        "",
    ]
)


class Ward:
    def __init__(self, config: Path, node: NodeProcess) -> None:
        self.config, self.node = config, node

    def orders(self) -> None:
        path = self.config / "order.hl7"
        path.write_bytes(ORDER.encode())
        host, port = self.node.address("his")
        done = cli("send", str(path), "--to", f"{host}:{port}")
        assert done.returncode == 0, done.stdout + done.stderr
        wait_until(lambda: bool(cli_json("persons", "--number", "BN1", "--config", str(self.config))), 40)

    def analyser(self, *messages: bytes, asks: bytes = b"") -> tuple[list[Sent], list[bytes]]:
        """Send messages, then ask; give what became of them and what was answered."""

        async def call() -> tuple[list[Sent], list[bytes]]:
            host, port = self.node.address("analyser")
            async with called(host, port) as wire:
                machine = Analyser(wire, Knobs(), QUICK)
                sent = await machine.send(*messages) if messages else []
                if not asks:
                    return sent, []
                asked, answers = await machine.ask(asks, 30)
                return [*sent, asked], answers

        return asyncio.run(call())

    def record(self) -> list[Resource]:
        (patient,) = cli_json("persons", "--number", "BN1", "--config", str(self.config))
        plan = load(self.config)
        store = open_store(plan.store_url)
        try:
            return store.read_now(lambda c: resources.record(c, plan.keyring, patient["id"]))
        finally:
            store.close()

    def only(self, kind: str) -> Resource:
        found = [one for one in self.record() if one["resourceType"] == kind]
        return found[0] if len(found) == 1 else {}


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    config = write_site(tmp_path / "site", produce=())
    (config / "channels" / "analyser.toml").write_text(CHANNEL, encoding="utf-8")
    with running_node(config) as node:
        yield Ward(config, node)


def test_a_tube_from_question_to_correction(ward: Ward) -> None:
    ward.orders()
    sent, (answer,) = ward.analyser(asks=records("Q|1|^260305001||ALL||||||||O"))
    assert [one.outcome for one in sent] == [Outcome.ACKNOWLEDGED]
    told = astm.Message.parse(answer)
    assert (told.value("O-3"), told.value("O-5.4"), told.value("P-3")) == ("260305001", "HGB", "BN1")

    ward.analyser(result(value="135"))
    wait_until(lambda: ward.only("DiagnosticReport").get("status") == "final", 40)
    assert ward.only("ServiceRequest")["status"] == "completed"

    ward.analyser(result(value="131", status="C", sent="20260305100000"))
    wait_until(lambda: ward.only("DiagnosticReport").get("status") == "corrected", 40)
    assert ward.only("Observation")["valueQuantity"]["value"] == 131

    sent, _ = ward.analyser(result("999", patient="P|1|BN9"))
    assert [one.outcome for one in sent] == [Outcome.ACKNOWLEDGED]
    wait_until(lambda: any(one["fault"]["code"] == "LT3383" for one in cli_json("errors", "-c", str(ward.config))), 40)
    assert ward.only("Observation")["valueQuantity"]["value"] == 131
