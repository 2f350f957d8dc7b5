"""Questions about persons over a real MLLP connection, answered in it from the record."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.faults import StoreUnavailable
from gateway.records.numbers import written
from gateway.store import actions, messages
from mappings.formats import er7
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, evn, message, pid, pv1
from tests.integration.gateway.test_bad_input import framed
from tests.servers import wait_until
from tests.site import NodeProcess, cli, cli_json, running_node, write_site

ASKED = ("QBP^Q11", "QBP^Q21", "QBP^Q22", "QBP^Q23", "QBP^Q24", "VXQ^V01")
VACCINE = (
    "ORC|RE||T1^HIS",
    "RXA|0|1|20260301||03^MMR^CVX|0.5|mL^^UCUM||00^^NIP001|||||||LOT1|||||CP|A",
)


def query(trigger: str, control_id: str, *segments: str, accept: str = "", application: str = "") -> bytes:
    raw = message(trigger, control_id, *segments)
    return raw.replace(b"|2.5.1||||||", f"|2.5.1|||{accept}|{application}||".encode())


def talk(node: NodeProcess, raw: bytes, answers: int = 1) -> list[er7.Message]:
    with socket.create_connection(node.address(), 30) as connection:
        connection.sendall(framed(raw))
        data = b""
        while data.count(b"\x1c\r") < answers:
            more = connection.recv(65536)
            assert more, data
            data += more
    return [er7.Message.parse(frame.removeprefix(b"\x0b")) for frame in data.split(b"\x1c\r") if frame]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("queries")
    url = f"sqlite:///{folder / 'ledger.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_server")
    return write_site(folder / "site", store=url, accept=("ADT", "VXU", "QRY", *ASKED), produce=())


@pytest.fixture(scope="module")
def node(site: Path) -> Iterator[NodeProcess]:
    with running_node(site) as running:
        numbers = "BN1^^^01999^PI~001185000001^^^CCCD^NI"
        for raw in (
            message("ADT^A28", "1", evn(), pid("BN1", more="|||||0912345678").replace("BN1^^^01999^PI", numbers)),
            message("ADT^A28", "2", evn(), pid("BN2", "Nguyễn^Hùng^Văn", "19900101", "M")),
            message("ADT^A28", "3", evn(), pid("BN3", "Nguyễn^Hưng^Văn", "19900101", "M")),
            message("ADT^A28", "4", evn(), pid("BN4", "Trần^Lan", "19700101")),
            message("ADT^A40", "5", evn(), pid("BN1"), "MRG|BN4^^^01999^PI", at="20261121090000"),
            message("VXU^V04", "6", pid("BN1"), *VACCINE),
        ):
            (answer,) = talk(running, raw)
            assert answer.value("MSA-1") == "AA"
        wait_until(lambda: not cli_json("messages", "--config", str(site), "--state", "received"))
        assert not cli_json("messages", "--config", str(site), "--state", "error")
        yield running


def numbers(answer: er7.Message) -> list[str]:
    return [segment[3].c(1) for segment in answer.all("PID")]


def test_a_person_by_number(node: NodeProcess, site: Path) -> None:
    (answer,) = talk(node, query("QBP^Q21", "q1", "QPD|Q21^Get^HL7|T1|BN2^^^01999^PI", "RCP|I"))
    assert (answer.value("MSH-9.1"), answer.value("MSH-9.2")) == ("RSP", "K21")
    assert (answer.value("MSA-1"), answer.value("MSA-2")) == ("AA", "q1")
    assert (answer.value("QAK-1"), answer.value("QAK-2")) == ("T1", "OK")
    assert numbers(answer) == ["BN2"]
    row = cli_json("messages", "--config", str(site), "--limit", "1")[0]
    assert (row["state"], row["answer"], row["type"]) == ("answered", "AA", "QBP^Q21")
    kept = cli("messages", "raw", row["id"], "--answer", "--config", str(site)).stdout
    assert "QAK|T1|OK" in kept


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        ("@PID.5.1^Nguyễn~@PID.5.2^Hùng~@PID.7^19900101", ["BN2"]),
        ("@PID.5.1^NGUYEN~@PID.5.2^HUNG~@PID.7^19900101", ["BN2", "BN3"]),
        ("@PID.7^19900101~@PID.8^F", []),
        ("@PID.13.1^+84 912 345 678", ["BN1"]),
        ("@PID.3.1^001185000001~@PID.3.4^CCCD~@PID.3.5^NI", ["BN1"]),
    ],
)
def test_candidates(node: NodeProcess, criteria: str, found: list[str]) -> None:
    (answer,) = talk(
        node,
        query("QBP^Q22", "c" + sha256(criteria.encode()).hexdigest()[:12], f"QPD|Q22^Find^HL7|T|{criteria}", "RCP|I"),
    )
    assert answer.value("QAK-2") == ("OK" if found else "NF")
    assert sorted(numbers(answer)) == found


def test_the_limit_of_the_question(node: NodeProcess) -> None:
    criteria = "@PID.5.1^NGUYEN~@PID.5.2^HUNG~@PID.7^19900101"
    (answer,) = talk(node, query("QBP^Q22", "l1", f"QPD|Q22^Find^HL7|T|{criteria}", "RCP|I|1^RD"))
    assert (len(answer.all("PID")), answer.value("QAK-4"), answer.value("QAK-6")) == (1, "2", "1")


def test_a_merged_person_is_answered_as_the_survivor(node: NodeProcess) -> None:
    (answer,) = talk(node, query("QBP^Q21", "s1", "QPD|Q21^Get^HL7|T|BN4^^^01999^PI", "RCP|I"))
    assert numbers(answer) == ["BN1"]


def test_the_other_numbers_of_a_person(node: NodeProcess) -> None:
    (answer,) = talk(node, query("QBP^Q23", "n1", "QPD|Q23^Ids^HL7|T|BN1^^^01999^PI", "RCP|I"))
    assert "001185000001" in answer.raw.decode()
    other = query("QBP^Q23", "n2", "QPD|Q23^Ids^HL7|T|BN1^^^01999^PI|^^^BHYT", "RCP|I")
    assert talk(node, other)[0].value("QAK-2") == "NF"


def test_the_vaccinations_of_a_person(node: NodeProcess) -> None:
    asked = "QPD|Z34^Request^CDCPHINVS|T|BN1^^^01999^PI|Nguyễn^Hoa^Thị||19850214|F"
    (answer,) = talk(node, query("QBP^Q11", "v1", asked, "RCP|I|5^RD"))
    assert answer.value("MSH-9.2") == "K11"
    assert [segment[5].c(1) for segment in answer.all("RXA")] == ["03"]
    qrd = "QRD|20261121|R|I|T|||1^RD|BN1^Nguyễn^Hoa^Thị^^^^^01999^^^^PI|VXI"
    (answer,) = talk(node, query("VXQ^V01", "v2", qrd))
    assert answer.value("MSH-9.1") == "VXR"


@pytest.mark.parametrize(
    ("trigger", "segment", "fault"),
    [
        ("QBP^Q22", "QPD|Q22^Find^HL7|T|@PID.5.1^Nguyễn", "LT2205"),
        ("QBP^Q22", "QPD|Q22^Find^HL7|T|@PID.7^19900101~@PID.18.1^1", "LT2206"),
        ("QBP^Q24", "QPD|Q24^Allocate^HL7|T|^^^01999", "LT2207"),
        ("QBP^Q24", "QRD|20261121|R|I|T|||1^RD|BN1|DEM", "LT2206"),
        ("QBP^Q11", "QPD|Z99^Else^HL7|T|BN1", "LT2206"),
    ],
)
def test_what_cannot_be_answered_says_why_and_tells_nothing(
    node: NodeProcess, trigger: str, segment: str, fault: str
) -> None:
    (answer,) = talk(node, query(trigger, f"f{fault}{trigger}", segment, "RCP|I"))
    assert answer.value("MSA-1") == "AE"
    assert fault in answer.raw.decode()
    assert not answer.all("PID")


def allocated(answer: er7.Message) -> str:
    assert (answer.value("MSH-9.2"), answer.value("MSA-1"), answer.value("QAK-2")) == ("K24", "AA", "OK")
    (segment,) = answer.all("PID")
    assert (segment[3].c(4), segment[3].c(5)) == ("LIENTHONG", "PN")
    return segment[3].c(1)


def test_new_numbers(node: NodeProcess, site: Path) -> None:
    domains = {"a1": "", "a2": "^^^LIENTHONG", "a3": "^^^LIENTHONG~^^^lienthong"}
    raw = {id_: query("QBP^Q24", id_, f"QPD|Q24^Allocate^HL7|T|{domain}", "RCP|I") for id_, domain in domains.items()}
    answers = {id_: talk(node, one)[0] for id_, one in raw.items()}
    given = [allocated(answer) for answer in answers.values()]
    assert len(set(given)) == 3
    for id_, one in raw.items():
        assert talk(node, one)[0].raw == answers[id_].raw
    rows = cli_json("messages", "--config", str(site), "--limit", "1")
    assert (rows[0]["state"], rows[0]["answer"]) == ("duplicate", "AA")
    kept = cli("messages", "raw", rows[0]["id"], "--answer", "--config", str(site)).stdout
    assert given[2] in kept
    other = query("QBP^Q24", "a1", "QPD|Q24^Allocate^HL7|T2|", "RCP|I")
    (answer,) = talk(node, other)
    assert (answer.value("MSA-1"), answer.all("PID"), "LT2202" in answer.raw.decode()) == ("AE", [], True)


def test_a_new_number_is_the_persons_who_comes_with_it(node: NodeProcess, site: Path) -> None:
    number = allocated(talk(node, query("QBP^Q24", "p1", "QPD|Q24^Allocate^HL7|T|^^^LIENTHONG", "RCP|I"))[0])
    both = f"{number}^^^LIENTHONG^PN~BN9^^^01999^PI"
    talk(node, message("ADT^A28", "p2", evn(), pid("BN9", "Đỗ^Mai", "19600101").replace("BN9^^^01999^PI", both)))
    wait_until(lambda: not cli_json("messages", "--config", str(site), "--state", "received"))
    (answer,) = talk(node, query("QBP^Q21", "p3", f"QPD|Q21^Get^HL7|T|{number}^^^LIENTHONG", "RCP|I"))
    assert "BN9" in answer.raw.decode()
    (answer,) = talk(node, query("QBP^Q23", "p4", "QPD|Q23^Ids^HL7|T|BN9^^^01999^PI|^^^LIENTHONG", "RCP|I"))
    assert numbers(answer) == [number]


def test_a_domain_of_others_is_named_and_no_number_is_taken(node: NodeProcess) -> None:
    before = allocated(talk(node, query("QBP^Q24", "d1", "QPD|Q24^Allocate^HL7|T|", "RCP|I"))[0])
    (answer,) = talk(node, query("QBP^Q24", "d2", "QPD|Q24^Allocate^HL7|T|^^^LIENTHONG~^^^HIS&1.2.3&ISO", "RCP|I"))
    assert (answer.value("MSA-1"), answer.value("QAK-2"), answer.all("PID")) == ("AE", "AE", [])
    assert [answer.value(f"ERR-2.{n}") for n in range(1, 5)] == ["QPD", "1", "3", "2"]
    assert (answer.value("ERR-3.1"), answer.value("ERR-7")) == ("204", "HIS")
    after = allocated(talk(node, query("QBP^Q24", "d3", "QPD|Q24^Allocate^HL7|T|", "RCP|I"))[0])
    assert int(after[2:-2]) == int(before[2:-2]) + 1


def test_a_channel_that_names_only_the_type_does_not_answer(node: NodeProcess) -> None:
    (answer,) = talk(node, query("QRY^A19", "t1", "QRD|20261121|R|I|T|||1^RD|BN1|DEM"))
    assert answer.value("MSA-1") == "AR"
    assert "LT2204" in answer.raw.decode()
    assert not answer.all("PID")


@pytest.mark.parametrize(
    ("accept", "application", "codes"),
    [("AL", "AL", ["CA", "AA"]), ("NE", "AL", ["AA"]), ("ER", "AL", ["AA"]), ("AL", "NE", ["CA", "AA"])],
)
def test_enhanced_mode(node: NodeProcess, accept: str, application: str, codes: list[str]) -> None:
    raw = query(
        "QBP^Q21",
        f"e{accept}{application}",
        "QPD|Q21^Get^HL7|T|BN2^^^01999^PI",
        "RCP|I",
        accept=accept,
        application=application,
    )
    answers = talk(node, raw, len(codes))
    assert [answer.value("MSA-1") for answer in answers] == codes
    assert numbers(answers[-1]) == ["BN2"]


def test_the_same_question_again_is_answered_again(node: NodeProcess, site: Path) -> None:
    raw = query("QBP^Q21", "again", "QPD|Q21^Get^HL7|T|BN2^^^01999^PI", "RCP|I")
    for _ in range(2):
        assert numbers(talk(node, raw)[0]) == ["BN2"]
    states = [row["state"] for row in cli_json("messages", "--config", str(site), "--limit", "2")]
    assert states == ["duplicate", "answered"]
    other = query("QBP^Q21", "again", "QPD|Q21^Get^HL7|T|BN3^^^01999^PI", "RCP|I")
    (answer,) = talk(node, other)
    assert (answer.value("MSA-1"), answer.all("PID"), "LT2202" in answer.raw.decode()) == ("AE", [], True)


def test_nothing_of_a_person_is_in_the_log(node: NodeProcess, site: Path) -> None:
    assert node.process.poll() is None
    log = (site / "node.log").read_text(encoding="utf-8")
    assert "Traceback" not in log
    for secret in ("Hùng", "BN2", "001185000001", "912345678"):
        assert secret not in log


def test_what_was_told_is_in_the_log_of_actions(tmp_path: Path, clock: HandClock) -> None:
    desk = Desk(tmp_path / "site", f"sqlite:///{tmp_path / 'l.db'}", clock, accept=("ADT", *ASKED), produce=())
    try:
        for number in ("BN1", "BN2"):
            desk.send(message("ADT^A01", number, evn(), pid(number), pv1(f"LK{number}")))
        answer = desk.ask(query("QBP^Q22", "q1", "QPD|Q22^Find^HL7|T|@PID.7^19850214", "RCP|I"))
        id_ = str(answer.message_id)
        (act,) = desk.store.read_now(lambda c: actions.of_target(c, id_))
        assert (act.actor, act.verb, act.reason) == ("his", "disclose", "2 persons to HIS|01999 (QBP^Q22)")
        assert desk.state(id_).answered_at is None
        kept = desk.store.read_now(lambda c: messages.answer(c, id_))
        assert desk.keyring.open(kept, f"answer/{id_}") == answer.frames[-1]
    finally:
        desk.store.close()


def test_a_number_that_a_record_has_already_is_passed_over(tmp_path: Path, clock: HandClock) -> None:
    desk = Desk(tmp_path / "site", f"sqlite:///{tmp_path / 'l.db'}", clock, accept=("ADT", *ASKED), produce=())
    try:
        both = f"BN1^^^01999^PI~{written(1)}^^^LIENTHONG^PN"
        desk.send(message("ADT^A28", "1", evn(), pid("BN1").replace("BN1^^^01999^PI", both)))
        answer = desk.ask(query("QBP^Q24", "q1", "QPD|Q24^Allocate^HL7|T|", "RCP|I"))
        assert written(2).encode() in answer.frames[-1]
        (act,) = desk.store.read_now(lambda c: actions.of_target(c, str(answer.message_id)))
        assert (act.verb, act.reason) == ("allocate", "1 number to HIS|01999 (QBP^Q24)")
    finally:
        desk.store.close()


def test_a_number_that_was_not_committed_is_not_given(tmp_path: Path, clock: HandClock) -> None:
    desk = Desk(tmp_path / "site", f"sqlite:///{tmp_path / 'l.db'}", clock, accept=ASKED, produce=())
    asked = query("QBP^Q24", "q1", "QPD|Q24^Allocate^HL7|T|", "RCP|I")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(messages, "put_answer", lambda *_: 1 / 0)
            failed = desk.ask(asked)
        assert (failed.positive, b"PID" in failed.frames[-1]) == (False, False)
        assert not desk.store.read_now(lambda c: messages.listing(c))
        assert written(1).encode() in desk.ask(asked).frames[-1]
    finally:
        desk.store.close()


def test_a_store_that_fails_answers_that_it_failed(tmp_path: Path, clock: HandClock) -> None:
    desk = Desk(tmp_path / "site", f"sqlite:///{tmp_path / 'l.db'}", clock, accept=ASKED, produce=())
    asked = query("QBP^Q21", "q1", "QPD|Q21^Get^HL7|T|BN2^^^01999^PI", "RCP|I")

    async def away(_unit: object) -> None:
        raise StoreUnavailable()

    try:
        for way in ("read", "write"):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(desk.store, way, away)
                answer = asyncio.run(desk.intake.receive(asked, ""))
            (frame,) = answer.frames
            assert (answer.positive, b"MSA|AR|q1" in frame, b"PID" in frame) == (False, True, False), way
        assert desk.ask(asked).positive
    finally:
        desk.store.close()
