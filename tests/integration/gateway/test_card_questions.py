"""Card look-ups as kiosks and connected systems ask for them: HTTP and HL7 v2, and a whole node before the simulated portal.

All people, cards and facilities are invented.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.contract import Answer
from connectors.faults import LookupRestricted, LookupUnanswered, Unreachable
from gateway.api import web
from gateway.cards.desk import CardDesk
from gateway.intake import ChannelIntake
from gateway.store import actions, messages
from mappings.formats import er7
from mappings.hl7v2 import Context
from tests.integration.gateway.desk import FACILITY, Desk, message, pid, pv1
from tests.integration.gateway.test_bad_input import framed
from tests.integration.gateway.test_cards import BORN, IN1, NAME, PORTAL, ROUTE, WOMAN, Reception
from tests.integration.gateway.test_provable_node import sandbox
from tests.servers import wait_until
from tests.site import cli_json, running_node, write_site
from tests.unit.bhyt.test_card import CARD, NEW
from tests.unit.bhyt.test_card import answer as answered

TOKEN = "token-of-the-kiosk-00001"
SETTINGS = """
[http]
listen = "127.0.0.1:0"
tls = "none"

[[api.client]]
name = "kiosk-1"
token = "secret:kiosk"
may = ["coverage"]

[[api.client]]
name = "checker"
token = "secret:checker"
may = ["verify"]
"""
QPD = "QPD|BHYT^Tra cứu thẻ BHYT^LT|T7|{numbers}|{name}|{born}|{visit}|{moment}"
PERSON = "Trần^Ngọc^Thị Bích"


def query(control_id: str, *, numbers: str = CARD, visit: str = "", moment: str = "", born: str = "19840902") -> bytes:
    qpd = QPD.format(numbers=numbers, name=PERSON, born=born, visit=visit, moment=moment)
    return message("QBP^Q11", control_id, qpd, "RCP|I")


class Channel(Reception):
    """A reception whose channel answers questions about cards, and whose interface has two clients."""

    accept: tuple[str, ...] = ("ADT", "QBP^Q11", "RQI^I01")

    def __init__(self, folder: Path, url: str) -> None:
        (folder / "secrets").mkdir(parents=True)
        (folder / "secrets" / "kiosk").write_text(TOKEN)
        (folder / "secrets" / "checker").write_text("token-of-the-checker-01")
        super().__init__(folder, url)
        self.desk.store.close()
        self.desk = Desk(folder, url, self.clock, destinations=PORTAL, produce=(), signers=SETTINGS, accept=self.accept)
        self.cards = CardDesk(self.desk.plan, self.desk.store, self.clock, {ROUTE: self.insurer})
        self.desk.intake = self.door(self.cards)
        self.app = web.build(self.desk.plan, None, None, None, self.clock, self.cards)  # type: ignore[arg-type]  # nobody asks the other faces

    def door(self, cards: CardDesk | None) -> ChannelIntake:
        (channel,) = self.desk.plan.channels
        context = Context(FACILITY, self.desk.plan.systems)
        return ChannelIntake(
            channel, self.desk.store, self.desk.keyring, self.clock, lambda: None, context, cards=cards
        )

    def http(self, method: str, path: str, token: str = TOKEN, **more: Any) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.request(method, path, headers={"authorization": f"Bearer {token}"}, **more)

        return asyncio.run(call())

    def v2(self, raw: bytes) -> er7.Message:
        return er7.Message.parse(self.desk.ask(raw).frames[-1])


@pytest.fixture
def at(tmp_path: Path, store_url: str) -> Iterator[Channel]:
    made = Channel(tmp_path / "site", store_url)
    yield made
    made.desk.store.close()


# ---- HTTP ----


def test_a_kiosk_asks_by_the_ids_of_the_record(at: Channel) -> None:
    at.admit(IN1)
    reply = at.http("GET", f"/coverage?encounter={at.visit}&moment=reception")
    assert reply.status_code == 200, reply.text
    said = reply.json()
    assert (said["usable"], said["step"], said["code"], said["moment"]) == (True, "use", "000", "reception")
    assert said["use"]["number"] == CARD
    assert said["what"] == "Thẻ đúng"
    assert said["coverage"][0]["resourceType"] == "Coverage"
    assert said["outcome"]["resourceType"] == "OperationOutcome"
    assert reply.headers["cache-control"] == "no-store"
    moments = at.http("GET", f"/coverage/moments?encounter={at.visit}").json()
    assert [one["done"] for one in moments] == [True, False, False]


def test_reception_asks_with_what_stands_on_the_card(at: Channel) -> None:
    at.insurer.answers = [answered("003", maTheMoi=NEW, gtTheTuMoi="01/11/2026")]
    reply = at.http("POST", "/coverage", json={"number": CARD, "name": NAME, "born": BORN}, params={"lang": "en"})
    said = reply.json()
    assert (said["step"], said["use"]["number"], said["card"]["number"]) == ("new_card", NEW, CARD)


def test_addresses_carry_no_data_of_a_person(at: Channel) -> None:
    for path in (
        f"/coverage?number={CARD}",
        f"/coverage?patient=x&name={NAME}",
        "/coverage",
        "/coverage?moment=reception",
    ):
        reply = at.http("GET", path)
        assert (reply.status_code, reply.json()["fault"]["code"]) == (400, "LT7004"), path
        assert CARD not in reply.text
    assert at.http("GET", "/coverage?patient=x&moment=never").status_code == 400
    assert not at.insurer.asked


def test_only_clients_that_may(at: Channel) -> None:
    assert at.http("GET", "/coverage?patient=x", token="wrong").status_code == 401
    for method, path in (
        ("GET", "/coverage?patient=x"),
        ("POST", "/coverage"),
        ("GET", "/coverage/moments?encounter=x"),
    ):
        assert at.http(method, path, token="token-of-the-checker-01").status_code == 403


def test_each_trouble_has_its_status(at: Channel) -> None:
    body = {"number": CARD, "name": NAME, "born": BORN}
    for fault, status in ((LookupUnanswered(ROUTE), 504), (LookupRestricted(ROUTE), 503), (Unreachable(ROUTE), 503)):
        at.insurer.answers = [fault]
        reply = at.http("POST", "/coverage", json=body)
        assert (reply.status_code, reply.json()["fault"]["code"]) == (status, f"LT{fault.code}")
    assert at.http("GET", "/coverage?patient=nobody").status_code == 404
    assert at.http("POST", "/coverage", json={"number": "1"}).status_code == 422
    assert at.http("POST", "/coverage", json={**body, "x": 1}).status_code == 400
    at.insurer.answers = [answered()]
    at.http("POST", "/coverage", json={**body, "number": NEW})
    reply = at.http("POST", "/coverage", json={**body, "number": "0123456789"})
    assert (reply.status_code, reply.json()["fault"]["code"]) == (503, "LT7015")


def test_a_node_that_looks_up_no_cards_says_so(at: Channel) -> None:
    at.app = web.build(at.desk.plan, None, None, None, at.clock)  # type: ignore[arg-type]  # nobody asks the other faces
    for path in ("/coverage?patient=x", "/coverage/moments?encounter=x"):
        assert at.http("GET", path).json()["fault"]["code"] == "LT7013"


# ---- HL7 v2 ----


def test_a_request_for_insurance_information(at: Channel) -> None:
    at.admit()
    raw = message("RQI^I01", "q1", "PRD|RP", WOMAN, IN1, pv1("V1"))
    reply = at.v2(raw)
    assert (reply.value("MSH-9.1"), reply.value("MSH-9.2"), reply.value("MSH-9.3")) == ("RPI", "I01", "RPI_I01")
    assert (reply.value("MSA-1"), reply.value("MSA-2")) == ("AA", "q1")
    assert reply.value("PID-3.1") == "BN1"
    assert (reply.value("IN1-36"), reply.value("IN1-12"), reply.value("IN1-13")) == (CARD, "20260101", "20261231")
    assert reply.value("PRD-7.1") == "01999"
    assert reply.value("NTE-4.1") == "000"
    assert at.coverage()["period"]["end"] == "2026-12-31"
    assert [one["done"] for one in asyncio.run(at.cards.moments(at.visit))] == [True, False, False]


def test_a_query_that_names_the_moment(at: Channel) -> None:
    at.admit()
    at.insurer.answers = [answered("003", maTheMoi=NEW, gtTheTuMoi="01/11/2026", maDKBDMoi="01998")]
    reply = at.v2(query("q1", numbers=f"BN1^^^01999^PI~{CARD}^^^BHYT^SB", visit="V1", moment="discharge"))
    assert (reply.value("MSH-9.1"), reply.value("QAK-1"), reply.value("QAK-2")) == ("RSP", "T7", "OK")
    assert reply.value("QPD-1.1") == "BHYT"
    assert [one[36].text for one in reply.all("IN1")] == [NEW, CARD], "the card to use comes first"
    assert reply.value("PD1-3.10") == "01998"
    first, second = reply.all("NTE")
    assert first[3].text.startswith("003 Thẻ cũ hết giá trị")
    assert second[4].c(1) == "new_card"
    assert at.rows()[0].moment == "discharge"
    assert at.rows()[0].encounter_id == at.visit


def test_a_card_that_is_not_found(at: Channel) -> None:
    at.insurer.answers = [answered("050", maThe=None)]
    reply = at.v2(query("q1"))
    assert (reply.value("MSA-1"), reply.value("QAK-2"), reply.value("NTE-4.1")) == ("AA", "NF", "050")
    assert not reply.all("IN1")


def test_faults_are_told_and_tell_nothing(at: Channel) -> None:
    at.insurer.answers = [LookupUnanswered(ROUTE)]
    reply = at.v2(query("q1"))
    assert (reply.value("MSA-1"), reply.value("QAK-2"), reply.value("ERR-5.1")) == ("AE", "AE", "LT6043")
    assert not reply.all("PID")
    reply = at.v2(message("RQI^I01", "q2", pid("BN9", "Ai^Đó"), "PV1|1|O"))
    assert (reply.value("MSH-9.1"), reply.value("MSA-1"), reply.value("ERR-5.1")) == ("ACK", "AE", "LT7014")
    at.desk.intake = at.door(None)
    assert at.v2(query("q3")).value("ERR-5.1") == "LT7013"


def test_the_same_question_again_gets_the_same_answer_and_nobody_is_asked(at: Channel) -> None:
    first, second = at.desk.ask(query("q1")), at.desk.ask(query("q1"))
    assert first.frames == second.frames
    assert len(at.insurer.asked) == 1
    other = at.v2(query("q1", born="19840903"))
    assert (other.value("MSA-1"), other.value("ERR-5.1")) == ("AE", "LT2202")
    assert len(at.insurer.asked) == 1


def test_question_and_answer_are_in_the_ledger(at: Channel) -> None:
    answer: Answer = at.desk.ask(query("q1"))
    id_ = str(answer.message_id)
    row = at.desk.state(id_)
    assert (row.state, row.answer, row.type) == ("answered", "AA", "QBP^Q11")
    kept = at.desk.store.read_now(lambda c: messages.answer(c, id_))
    assert at.desk.keyring.open(kept, f"answer/{id_}") == answer.frames[-1]
    (act,) = at.desk.store.read_now(lambda c: actions.of_target(c, id_))
    assert act.verb == "disclose"
    assert CARD not in act.reason
    assert NAME not in act.reason


def test_a_channel_that_does_not_name_it_answers_none(tmp_path: Path, store_url: str) -> None:
    class Quiet(Channel):
        accept = ("ADT", "RQI")

    made = Quiet(tmp_path / "site", store_url)
    try:
        answer = made.desk.ask(message("RQI^I01", "q1", WOMAN))
        assert answer.positive, "it is kept like any message for which there is no mapping"
        assert er7.Message.parse(answer.frames[0]).value("MSH-9.1") == "ACK"
        assert made.v2(query("q2")).value("MSA-1") in ("AE", "AR")
        assert not made.insurer.asked
    finally:
        made.desk.store.close()


# ---- a whole node ----


def test_a_node_before_the_simulated_portal(tmp_path: Path) -> None:
    with sandbox(tmp_path / "sandbox") as addresses:
        settings = PORTAL.replace("https://portal.example", addresses["insurance_portal"])
        settings = settings.replace("Lê Văn Cán", "Nguyễn Thị Tra Cứu").replace(
            'officer_id = "secret:destinations"', 'officer_id = "secret:officer"'
        )
        site = tmp_path / "site"
        (site / "secrets").mkdir(parents=True)
        (site / "secrets" / "officer").write_text("001180999901")
        (site / "secrets" / "kiosk").write_text(TOKEN)
        (site / "secrets" / "checker").write_text("token-of-the-checker-01")
        write_site(site, destinations=settings, accept=Channel.accept, produce=(), signers=SETTINGS)
        with running_node(site) as node:
            body = {"number": "DN4019999000007", "name": "Đỗ Văn Thẻ Mới", "born": "12/12/1979"}
            url = f"http://{node.listening['http']}/coverage"
            reply = httpx.post(url, json=body, headers={"authorization": f"Bearer {TOKEN}"}, trust_env=False)
            assert reply.status_code == 200, reply.text
            assert (reply.json()["code"], reply.json()["use"]["number"]) == ("003", "DN4019999000107")
            qpd = "QPD|BHYT^x^LT|T1|DN4019999000001^^^BHYT^SB|Nguyễn^Nghiệm^Thị Thử|19850315"
            with socket.create_connection(node.address(), 30) as connection:
                connection.sendall(framed(message("QBP^Q11", "q9", qpd, "RCP|I")))
                data = b""
                while b"\x1c\r" not in data:
                    data += connection.recv(65536)
            answer = er7.Message.parse(data.removeprefix(b"\x0b").partition(b"\x1c")[0])
            assert (answer.value("NTE-4.1"), answer.value("IN1-36")) == ("000", "DN4019999000001")
            wait_until(lambda: len(cli_json("messages", "--config", str(site))) == 3)
            log = (site / "node.log").read_text()
            for secret in ("DN4019999000007", "Thẻ Mới", "001180999901", "token=", "password="):
                assert secret not in log
