"""Signing in two requests, by programs: hashes out, signatures in, tickets, leases, and whoever is not entitled."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding

from conformance.sandbox.ca import Identity
from gateway.clock import SystemClock
from gateway.store import documents, signing_tasks
from signing.certificates import load_roots
from signing.validation import Trust, validate
from tests.integration.gateway.faces import House, program
from tests.integration.gateway.test_papers import discharge, rows

HOUR = 3600 * 1_000_000


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path / "config")
    made.desk.send(discharge("1"))
    return made


def chain(identity: Identity) -> list[str]:
    return [
        base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in (identity.certificate, identity.issuer)
    ]


def tasks(client: httpx.Client, holder: str, state: str = "ready") -> list[str]:
    found = client.get("/api/sign/tasks", params={"holder": holder}).json()
    return [task["id"] for task in found if task["state"] == state]


def begin(client: httpx.Client, house: House, holder: str, wanted: list[str], **more: Any) -> httpx.Response:
    body = {"chain": chain(house.people[holder]), "algorithms": ["RS256"], "tasks": wanted}
    return client.post("/api/sign/sittings", params={"holder": holder}, json={**body, **more})


def signature(identity: Identity, paper: dict[str, Any]) -> dict[str, str]:
    digest = base64.b64decode(paper["digest"])
    value = identity.key.sign(digest, padding.PKCS1v15(), Prehashed(hashes.SHA256()))
    return {"task": paper["id"], "signature": base64.b64encode(value).decode()}


def give(client: httpx.Client, holder: str, ticket: str, signatures: list[dict[str, str]]) -> httpx.Response:
    body = {"ticket": ticket, "signatures": signatures}
    return client.post("/api/sign/sittings/signatures", params={"holder": holder}, json=body)


def sign(client: httpx.Client, house: House, holder: str) -> dict[str, Any]:
    """Sign everything that waits for somebody; give what became of it."""
    handed = begin(client, house, holder, tasks(client, holder)).json()
    made = [signature(house.people[holder], paper) for paper in handed["batch"]["documents"]]
    done: dict[str, Any] = give(client, holder, handed["ticket"], made).json()["tasks"]
    return done


def test_two_people_sign_and_the_node_seals(house: House) -> None:
    with house.open() as address, program(address) as client:
        assert list(sign(client, house, "BS1").values()) == [None]
        assert list(sign(client, house, "TK1").values()) == [None]
    house.clock.at = SystemClock().now()
    house.desk.work()
    (row,) = rows(house.desk)
    assert row.state == "signed"
    (kept,) = house.desk.store.read_now(lambda c: documents.renditions(c, row.id, "cda"))
    judged = validate(house.desk.keyring.open(kept.body, f"{row.id}/cda"), Trust(load_roots(house.plan.signing.trust)))
    assert judged.verdict == "valid"
    assert [one.signer.name for one in judged.signers][:2] == ["Lê Quang Minh", "Đỗ Thị Năm"]
    first = house.desk.store.read_now(lambda c: documents.signatures(c, row.id))[0]
    assert (first.account, first.workstation) == ("his (api)", "127.0.0.1")


def test_a_lost_answer_may_be_asked_for_again(house: House) -> None:
    with house.open() as address, program(address) as client:
        handed = begin(client, house, "BS1", tasks(client, "BS1")).json()
        made = [signature(house.people["BS1"], paper) for paper in handed["batch"]["documents"]]
        for _ in range(2):
            assert list(give(client, "BS1", handed["ticket"], made).json()["tasks"].values()) == [None]
    (row,) = rows(house.desk)
    assert len(house.desk.store.read_now(lambda c: documents.signatures(c, row.id))) == 1


def test_a_sitting_outlives_its_process_and_its_lease(house: House) -> None:
    with house.open() as address, program(address) as client:
        (task,) = tasks(client, "BS1")
        handed = begin(client, house, "BS1", [task]).json()
        (paper,) = handed["batch"]["documents"]
        assert tasks(client, "BS1") == []
    house.desk.store.write_now(lambda c: signing_tasks.expire(c, SystemClock().now() + HOUR))
    with house.open() as address, program(address) as client:
        assert tasks(client, "BS1") == [task]
        made = [signature(house.people["BS1"], paper)]
        assert give(client, "BS1", handed["ticket"], made).json()["tasks"] == {task: None}


def test_holding_and_giving_back(house: House) -> None:
    with house.open() as address, program(address) as client:
        (task,) = tasks(client, "BS1")
        handed = begin(client, house, "BS1", [task]).json()
        before = house.desk.store.read_now(lambda c: signing_tasks.get(c, task)).lease_until
        assert give(client, "BS1", handed["ticket"], []).json() == {"tasks": {}}
        assert house.desk.store.read_now(lambda c: signing_tasks.get(c, task)).lease_until > before
        again = begin(client, house, "BS1", [task]).json()
        assert (again["batch"], again["refused"][task]["code"]) == (None, "LT5145")
        end = client.post("/api/sign/sittings/end?holder=BS1", json={"ticket": handed["ticket"]})
        assert end.json() == {"given_back": 1}
        assert tasks(client, "BS1") == [task]


def test_a_signature_of_another_key_or_of_other_bytes_is_refused(house: House) -> None:
    with house.open() as address, program(address) as client:
        (task,) = tasks(client, "BS1")
        handed = begin(client, house, "BS1", [task]).json()
        (paper,) = handed["batch"]["documents"]
        wrong = signature(house.people["TK1"], paper)
        said = give(client, "BS1", handed["ticket"], [wrong]).json()["tasks"][task]
        assert said["code"] == "LT5003"
        handed = begin(client, house, "BS1", [task]).json()
        other = {**paper, "digest": base64.b64encode(b"x" * 32).decode()}
        said = give(client, "BS1", handed["ticket"], [signature(house.people["BS1"], other)]).json()["tasks"][task]
        assert said["code"] == "LT5003"
        assert tasks(client, "BS1") == [task], "it waits for another sitting"
    (row,) = rows(house.desk)
    assert house.desk.store.read_now(lambda c: documents.signatures(c, row.id)) == []


def test_a_ticket_is_one_persons_and_cannot_be_made(house: House) -> None:
    with house.open() as address, program(address) as client:
        handed = begin(client, house, "BS1", tasks(client, "BS1")).json()
        ticket = handed["ticket"]
        for holder, said in (("TK1", ticket), ("BS1", ticket[:-8] + "AAAAAAAA"), ("BS1", "x"), ("BS1", "")):
            answer = give(client, holder, said, [])
            assert (answer.status_code, answer.json()["fault"]["code"]) == (409, "LT7012"), said


def test_nobody_signs_with_a_certificate_that_may_not(house: House) -> None:
    stranger = house.ca.issue("Lê Quang Minh")
    with house.open() as address, program(address) as client:
        (task,) = tasks(client, "BS1")
        unknown = begin(client, house, "BS1", [task], chain=chain(stranger)).json()
        assert unknown["refused"][task]["code"] == "LT5100"
        anothers = begin(client, house, "BS1", [task], chain=chain(house.people["TK1"])).json()
        assert anothers["refused"][task]["code"] == "LT5105"
        handed = begin(client, house, "BS1", [task]).json()
        suspended = client.post("/api/certs/steps/suspend", json={"key": "BS1", "reason": "nghỉ"}).json()
        assert suspended["stopped_tasks"] == 1
        made = [signature(house.people["BS1"], paper) for paper in handed["batch"]["documents"]]
        said = give(client, "BS1", handed["ticket"], made).json()["tasks"][task]
        assert said["code"] == "LT5102", "suspended between the hash and the signature"


def test_what_is_not_this_persons_is_not_shown_and_not_signed(house: House) -> None:
    with house.open() as address, program(address) as client:
        (task,) = tasks(client, "BS1")
        for path in (f"/api/sign/papers/{task}?holder=TK1", "/api/sign/papers/none?holder=BS1", "/api/sign/tasks"):
            assert client.get(path).status_code in (403, 404), path
        assert "NGUYỄN THỊ HOA" in client.get(f"/api/sign/papers/{task}?holder=BS1").text.upper()
        assert begin(client, house, "TK1", [task]).json()["refused"][task]["code"] == "LT5142"
        (waiting,) = tasks(client, "TK1", "waiting")
        assert begin(client, house, "TK1", [waiting]).json()["refused"][waiting]["code"] == "LT5141"


def test_sittings_that_are_wrong(house: House) -> None:
    with house.open() as address, program(address) as client:
        (task,) = tasks(client, "BS1")
        for more, wanted in (
            ({"tasks": []}, (400, "LT7004")),
            ({"tasks": [f"t{n}" for n in range(301)]}, (400, "LT7004")),
            ({"chain": []}, (400, "LT7004")),
            ({"chain": ["AAAA"]}, (422, "LT5003")),
            ({"algorithms": ["none", "ES256"]}, (422, "LT5003")),
            ({"more": 1}, (400, "LT7004")),
        ):
            answer = begin(client, house, "BS1", [task], **more)
            assert (answer.status_code, answer.json()["fault"]["code"]) == wanted, more


def test_refusing_and_leaving_out(house: House) -> None:
    with house.open() as address, program(address) as client:
        (task,) = tasks(client, "BS1")
        refuse = f"/api/sign/tasks/{task}/refuse"
        assert client.post(refuse, params={"holder": "BS1"}, json={"reason": " "}).status_code == 422
        sign(client, house, "BS1")
        (head,) = tasks(client, "TK1")
        skip = f"/api/sign/tasks/{head}/skip"
        assert client.post(skip, params={"holder": "TK1"}, json={"reason": "vắng"}).status_code == 403
        assert client.post(skip, params={"holder": "BS1"}, json={"reason": "vắng"}).status_code == 200
    house.clock.at = SystemClock().now()
    house.desk.work()
    assert [row.state for row in rows(house.desk)] == ["signed"]
