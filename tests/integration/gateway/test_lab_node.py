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


TOLD = CHANNEL.replace("produce", 'instrument = "AN-500"\nproduce')
TESTS = """\
source,code,target_system,target,display,equivalence,valid_from,valid_to
AN-500,HGB,,HGB,Hemoglobin,equivalent,,
"""


def test_orders_go_to_the_analyser_unasked_also_after_the_node_was_killed(tmp_path: Path) -> None:
    config = write_site(tmp_path / "site", produce=())
    (config / "channels" / "analyser.toml").write_text(TOLD, encoding="utf-8")
    (config / "site").mkdir(exist_ok=True)
    (config / "site" / "site-analyser.csv").write_text(TESTS, encoding="utf-8")

    def order(node: NodeProcess, control: str, number: str) -> None:
        path = config / "order.hl7"
        path.write_bytes(ORDER.replace("ORC|NW", f"ORC|{control}").replace("|N1|", f"|{number}|").encode())
        host, port = node.address("his")
        done = cli("send", str(path), "--to", f"{host}:{port}")
        assert done.returncode == 0, done.stdout + done.stderr

    def taken(node: NodeProcess, knobs: Knobs) -> astm.Message:
        async def call() -> list[bytes]:
            host, port = node.address("analyser")
            async with called(host, port) as wire:
                return await Analyser(wire, knobs, QUICK).receive(40)

        (told,) = asyncio.run(call())
        return astm.Message.parse(told)

    def states() -> list[str]:
        return [one["state"] for one in cli_json("lab", "orders", "-c", str(config))]

    with running_node(config) as node:
        order(node, "NW", "N1")
        wait_until(lambda: states() == ["owed"], 40)
        node.process.kill()
        node.process.wait(20)
    with running_node(config) as node:
        told = taken(node, Knobs(contention=True, naks=1))
        assert [told.value(one) for one in ("P-3", "O-3", "O-5.4", "O-12", "O-26")] == [
            "BN1", "260305001", "HGB", "N", "O"
        ]  # fmt: skip
        wait_until(lambda: states() == ["told"], 40)
        order(node, "CA", "N2")
        told = taken(node, Knobs())
        assert [told.value(one) for one in ("O-3", "O-5.4", "O-12")] == ["260305001", "HGB", "C"]
        wait_until(lambda: states() == ["told"], 40)
        (row,) = cli_json("lab", "orders", "-c", str(config))
        assert (row["specimen"], row["tests"]) == (None, [])


def test_a_channel_whose_instrument_the_site_does_not_know_is_told_by_check(tmp_path: Path) -> None:
    config = write_site(tmp_path / "site", produce=())
    (config / "channels" / "analyser.toml").write_text(TOLD, encoding="utf-8")
    done = cli("check", "-c", str(config))
    assert done.returncode != 0
    assert "AN-500" in done.stdout + done.stderr
