"""A person signs on the page: real Chromium, real agent, real token, real gateway; only the person is played."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Connection

from gateway.clock import to_datetime
from gateway.store import documents, signing_tasks
from mappings.formats.values import FileName, Secret
from signing import joint, token
from signing.agent.guard import Guard
from signing.agent.listener import PORT, holder, listening
from signing.agent.service import Agent, Holder
from signing.certificates import load_roots
from signing.testing import MemoryKey
from tests.browser.chromium import Tab, chromium
from tests.integration.gateway.faces import TOKENS, House
from tests.integration.gateway.test_papers import discharge, rows
from tests.servers import wait_until
from tests.signer import Browser, Halt, Signer
from tests.softhsm import MODULE, SoftHsm

PIN = Secret("472915")


@pytest.fixture(scope="module")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsm]:
    if not Path(MODULE).exists() and os.geteuid() != 0:
        pytest.skip("SoftHSM2 is not installed")
    made = SoftHsm(tmp_path_factory.mktemp("softhsm"))
    made.start()
    yield made
    token.load(MODULE).library.finalize()


@pytest.fixture
def house(tmp_path: Path, softhsm: SoftHsm) -> House:
    """A hospital whose doctor has a token in this machine."""
    made = House(tmp_path / "config")
    identity = made.people["BS1"]
    label = tmp_path.name[-20:]
    softhsm.add(label, PIN)
    softhsm.put(label, PIN, MemoryKey(private_key=identity.key, chain=(identity.certificate, identity.issuer)))
    made.label = label
    return made


@contextmanager
def agent(house: House, origin: str, signer: Signer, place: Holder | None = None) -> Iterator[tuple[str, Guard]]:
    guard = Guard(frozenset({origin}))
    with listening(Agent(place or key_of(house), guard, signer.announce), guard, 0) as address:
        yield address, guard


def key_of(house: House) -> Holder:
    return holder(FileName(MODULE), house.label)


def sign_in(tab: Tab, address: str, code: str = "BS1") -> None:
    tab.open(f"{address}/sign")
    tab.until("location.pathname === '/sign/in' && document.readyState === 'complete'")
    tab.type("#code", code)
    tab.type("#token", TOKENS[code])
    tab.click("form button")
    tab.until("location.pathname === '/sign' && document.readyState === 'complete'")


def pair(tab: Tab, agent_address: str, guard: Guard) -> None:
    """Tell the page where the agent is, and the code that the agent shows."""
    tab.until("!document.getElementById('away').hidden")
    tab.type("#port", agent_address.rpartition(":")[2])
    tab.click("#again")
    tab.until("!document.getElementById('pair').hidden")
    code = guard.new_code()
    tab.type("#pairing", f"{code[:4]} {code[4:]}")
    tab.click("#pair button")
    tab.until("!document.getElementById('sign').disabled")


def several(house: House, count: int) -> None:
    """Let papers of `count` people wait for the doctor."""
    house.desk.send(discharge("0"))
    one = discharge("0").decode()
    for number in range(1, count):
        told = one.replace("|ADT^A03|0|", f"|ADT^A03|{number}|").replace("BN1^", f"BN{number + 1}^")
        house.desk.send(told.replace("VV1^", f"VV{number + 1}^").encode())


def tasks(house: House) -> list[Any]:
    def query(connection: Connection) -> list[Any]:
        return [task for row in documents.listing(connection) for task in signing_tasks.of_document(connection, row.id)]

    return house.desk.store.read_now(query)


def signed(house: House) -> int:
    return sum(task.state == "signed" and task.step == "doctor" for task in tasks(house))


def kept(house: House) -> list[tuple[bytes, list[Any]]]:
    """Give every paper as it is kept, with the evidence of its signatures."""

    def query(connection: Connection) -> list[tuple[str, Any, list[Any]]]:
        return [
            (row.id, documents.renditions(connection, row.id, "cda")[0], documents.signatures(connection, row.id))
            for row in documents.listing(connection)
        ]

    keyring = house.desk.keyring
    return [(keyring.open(one.body, f"{id_}/cda"), proof) for id_, one, proof in house.desk.store.read_now(query)]


def test_papers_are_signed_with_a_token_that_the_gateway_never_sees(house: House, tmp_path: Path) -> None:
    several(house, 5)
    signer = Signer([PIN], leave=["none"])
    with (
        house.open() as address,
        chromium(tmp_path / "chromium") as tab,
        agent(house, address, signer) as (place, guard),
    ):
        sign_in(tab, address)
        assert tab.text("#ready") == "Tới lượt bạn 5"
        pair(tab, place, guard)
        tab.click("#sign")
        tab.until("document.querySelectorAll('[data-state=signed]').length === 5")
        tab.until("document.getElementById('run-said').textContent.startsWith('Xong: đã ký 5')")
        assert tab.run("!document.getElementById('run-device').hidden"), "T-1 was handed over"
        assert "(T-1)" in tab.text("#run-device")
        assert tab.asked() == {address, place, f"http://127.0.0.1:{PORT}"}
        assert [said for said in tab.complaints() if "ERR_CONNECTION_REFUSED" not in said and "401" not in said] == []
    assert signed(house) == 5
    roots, at = load_roots(house.plan.signing.trust), to_datetime(house.clock.now())
    for body, (evidence,) in kept(house):
        (who,) = joint.signers(body, roots, at)
        assert who.name == "Lê Quang Minh"
        assert (evidence.holder, evidence.account, evidence.workstation) == ("BS1", "web", "127.0.0.1")


def test_a_sitting_goes_on_after_the_page_was_closed(house: House, tmp_path: Path) -> None:
    several(house, 4)
    halt, signer = Halt(at=2), Signer([PIN])
    with (
        house.open() as address,
        chromium(tmp_path / "chromium") as tab,
        agent(house, address, signer, halt.holder(key_of(house))) as (place, guard),
    ):
        sign_in(tab, address)
        pair(tab, place, guard)
        tab.click("#sign")
        assert halt.reached.wait(timeout=20)
        wait_until(lambda: signed(house) == 2)
        tab.open(f"{address}/verify")
        halt.gate.set()
        halt.at = -1
        tab.open(f"{address}/sign")
        tab.until("document.getElementById('run-said').textContent.startsWith('Xong:')")
    assert signed(house) == 4


def test_stopping_keeps_what_is_signed_and_gives_back_the_rest(house: House, tmp_path: Path) -> None:
    several(house, 4)
    halt, signer = Halt(at=1), Signer([PIN])
    with (
        house.open() as address,
        chromium(tmp_path / "chromium") as tab,
        agent(house, address, signer, halt.holder(key_of(house))) as (place, guard),
    ):
        sign_in(tab, address)
        pair(tab, place, guard)
        tab.click("#sign")
        assert halt.reached.wait(timeout=20)
        wait_until(lambda: signed(house) == 1)
        tab.click("#stop")
        tab.until("document.getElementById('run-said').textContent.startsWith('Xong:')")
        halt.gate.set()
        assert "không ký 3" in tab.text("#run-said")
        tab.open(f"{address}/sign")
        tab.until("document.querySelectorAll('input[name=task]:not(:disabled)').length === 3")
    assert signed(house) == 1


def test_what_the_signer_leaves_out_at_the_agent_waits_on(house: House, tmp_path: Path) -> None:
    several(house, 2)
    signer = Signer([])
    with (
        house.open() as address,
        chromium(tmp_path / "chromium") as tab,
        agent(house, address, signer) as (place, guard),
    ):
        sign_in(tab, address)
        pair(tab, place, guard)
        tab.click("#sign")
        Browser(signer.announced.get(timeout=20)).post(f"/batches/{tab.run(KEPT)}/leave", {})
        tab.until("document.querySelectorAll('[data-state=left]').length === 2")
    assert signed(house) == 0


def test_a_paper_is_refused_on_the_page(house: House, tmp_path: Path) -> None:
    house.desk.send(discharge("1"))
    with house.open() as address, chromium(tmp_path / "chromium") as tab:
        sign_in(tab, address)
        tab.click("[data-refuse]")
        tab.type("#reason", "chẩn đoán chưa đúng")
        tab.click("#refusal button[value=send]")
        tab.until("document.querySelector('[data-state=refused]')")
    assert [row.state for row in rows(house.desk)] == ["returned", "due"]


KEPT = "JSON.parse(localStorage.getItem('lienthong-sitting-BS1')).batch"
