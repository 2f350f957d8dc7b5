"""The portal's client against the simulated portal over HTTP. All people, cards and facilities are invented."""

from __future__ import annotations

import asyncio
import base64
import csv
import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import pytest

from conformance.sandbox.server import FACILITY, USER, Sandbox, default_accounts
from conformance.sandbox.server import Settings as SandboxSettings
from connectors.contract import CardQuestion, Outbound
from connectors.destinations.insurance_portal import Destination, Settings
from connectors.faults import AccountRefused, CannotAsk, LoginRefused, LookupRestricted, Refused
from mappings.bhyt.card import Step, read_answer, read_shared_costs
from mappings.formats.values import Secret
from tests.integration.sandbox.peer import insurance_file, sign

PASSWORD = Secret("mật-khẩu thử")
OFFICER = ("Nguyễn Thị Tra Cứu", Secret("001180999901"))
GOOD = CardQuestion("DN4019999000001", "Nguyễn Thị Thử Nghiệm", "15/03/1985")


class Bench:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.signer = sandbox.ca.issue("Bệnh viện")
        self.open: list[Destination] = []

    def portal(self, **more: Any) -> Destination:
        """Build a client as one node has it."""
        settings: dict[str, Any] = {
            "ca": str(self.sandbox.ca.pem_file),
            "answer_timeout": timedelta(seconds=5),
            "officer": OFFICER[0],
            "officer_id": OFFICER[1],
            **more,
        }
        made = Destination(
            "portal", Settings(self.sandbox.portal_url, USER, PASSWORD, FACILITY, **settings), lambda d: d
        )
        self.open.append(made)
        return made

    def document(self, xml: str, media_type: str = "application/xml") -> Outbound:
        body = sign(xml, self.signer, "CHUKYDONVI")
        at = datetime(2026, 11, 26, tzinfo=UTC)
        return Outbound("k", "visit", body, media_type, hashlib.sha256(body).hexdigest(), at, FACILITY)


def play(scene: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        settings = SandboxSettings(accounts=default_accounts(str(PASSWORD)), tls=True)
        async with asyncio.timeout(60), Sandbox(settings) as sandbox:
            bench = Bench(sandbox)
            try:
                await scene(bench)
            finally:
                for portal in bench.open:
                    await portal.close()

    asyncio.run(run())


def visit(link: str = "LK1", ended: str = "202611250930") -> str:
    summary = (
        f"<TONG_HOP><MA_LK>{link}</MA_LK><HO_TEN>{GOOD.name}</HO_TEN><NGAY_SINH>198503150000</NGAY_SINH>"
        f"<GIOI_TINH>2</GIOI_TINH><MA_THE_BHYT>{GOOD.number}</MA_THE_BHYT><NGAY_VAO>202611200800</NGAY_VAO>"
        f"<NGAY_RA>{ended}</NGAY_RA></TONG_HOP>"
    )
    return insurance_file(link=link, content=base64.b64encode(summary.encode()).decode())


def test_every_decision_and_the_check_in_are_taken_at_their_addresses() -> None:
    async def scene(at: Bench) -> None:
        portal = at.portal()
        for n, version in enumerate(("130", "4750", "3176")):
            receipt = await portal.deliver(at.document(visit(f"LK{n}"), f"application/xml; decision={version}"))
            assert receipt.facts["decision"] == version
        row = "<TRANG_THAI_KCB><MA_LK>LK9</MA_LK><STT>1</STT><MA_CSKCB>01999</MA_CSKCB></TRANG_THAI_KCB>"
        inside = f"<DSACH_TRANG_THAI_KCB>{row}</DSACH_TRANG_THAI_KCB><CHUKYDONVI/>"
        checked_in = at.document(f"<CHI_TIEU_TRANG_THAI_KCB>{inside}</CHI_TIEU_TRANG_THAI_KCB>")
        assert (await portal.deliver(checked_in)).facts["call"] == "check-in"
        with pytest.raises(Refused):
            await portal.deliver(at.document(visit(), "application/xml; call=check-in"))

    play(scene)


def test_every_card_of_the_portal_means_what_our_table_says() -> None:
    async def scene(at: Bench) -> None:
        cards = at.portal().cards
        text = files("conformance.sandbox.portal").joinpath("cards.csv").read_text("utf-8")
        for row in csv.DictReader(text.splitlines()):
            reply = await cards.look_up(CardQuestion(row["card"], row["name"], row["birth"]))
            answer = read_answer(reply.body)
            assert (reply.code, answer.code) == (row["code"], row["code"])
            if answer.step is Step.NEW_CARD:
                assert answer.usable is not None
                assert answer.usable.number == row["new_card"]
            elif row["code"] == "000":
                assert answer.usable is not None
                assert answer.usable.number == row["card"]
                assert answer.usable.facility == row["facility"]
                assert answer.usable.end is not None
        wrong = await cards.look_up(CardQuestion(GOOD.number, "Nguyễn Thị Khác", GOOD.born))
        assert read_answer(wrong.body).step is Step.DEMOGRAPHICS
        stranger = at.portal(officer_id=Secret("001180000000"))
        assert read_answer((await stranger.cards.look_up(GOOD)).body).step is Step.OFFICER

    play(scene)


def test_shared_costs_and_an_account_that_is_restricted() -> None:
    async def scene(at: Bench) -> None:
        cards = at.portal().cards
        told = read_shared_costs((await cards.shared_costs(GOOD)).body)
        assert (told.code, told.paid, told.visits) == ("200", 1914000, 2)
        nobody = CardQuestion("DN4019999000999", GOOD.name, GOOD.born)
        assert (await cards.shared_costs(nobody)).code == "204"
        at.sandbox.portal.board.change(restricted=(USER,))
        with pytest.raises(LookupRestricted):
            await cards.shared_costs(GOOD)

    play(scene)


def test_two_nodes_with_one_account_that_bears_one_log_in() -> None:
    """Each node finds the other's log-in by a 401, logs in again and goes on; nothing is refused, nothing arrives twice."""

    async def scene(at: Bench) -> None:
        at.sandbox.portal.board.change(one_login=True)
        one, two = at.portal(), at.portal()
        for n in range(3):
            for node in (one, two):
                assert (await node.deliver(at.document(visit(f"LK{n}{node is one}")))).reference
        assert at.sandbox.records.counts("insurance_portal") == {"accepted": 6, "repeats": 0, "refused": 0}

    play(scene)


def test_the_history_confirms_what_arrived_and_nothing_else() -> None:
    async def scene(at: Bench) -> None:
        portal = at.portal(ask_history=True)
        sent, other = at.document(visit("LK7")), at.document(visit("LK8", "202611250931"))
        with pytest.raises(CannotAsk):
            await portal.find(sent)
        await portal.deliver(sent)
        found = await portal.find(sent)
        assert found is not None
        assert found.facts["answer"] == "history"
        with pytest.raises(CannotAsk):
            await portal.find(other)

    play(scene)


def test_an_account_without_rights_and_one_that_is_not_let_in() -> None:
    async def scene(at: Bench) -> None:
        portal = at.portal()
        at.sandbox.portal.board.change(without_rights=(USER,))
        with pytest.raises(AccountRefused):
            await portal.deliver(at.document(visit()))
        at.sandbox.portal.board.change(without_rights=(), registered_addresses={USER: ("192.0.2.1",)})
        with pytest.raises(LoginRefused):
            await at.portal().deliver(at.document(visit()))

    play(scene)


def test_a_catalogue_and_a_monthly_summary_are_taken_in_both_forms() -> None:
    async def scene(at: Bench) -> None:
        rows = "<DANHSACH_DMTHUOCMAUCHEPHAMMAU Id='x1'><DMTHUOCMAUCHEPHAMMAU/></DANHSACH_DMTHUOCMAUCHEPHAMMAU>"
        catalogue = f"<HSDANHMUC>{rows}<CHUKYDONVI/></HSDANHMUC>"
        summary = "<HSTH01BH><CHUKYDONVI/></HSTH01BH>"
        for body in ("json", "form"):
            portal = at.portal(catalogue_body=body)
            assert (await portal.deliver(at.document(catalogue, "application/xml; call=medicines"))).reference
            of_month = "application/xml; call=summary; period=202610"
            assert (await portal.deliver(at.document(summary, of_month))).reference
            with pytest.raises(Refused):
                await portal.deliver(at.document(summary, "application/xml; call=summary"))

    play(scene)
