"""What bad input gets: a clear fault, the right acknowledgement, a row, and a node that goes on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conformance.scenarios.load import small_adt
from tests.servers import wait_until
from tests.site import NodeProcess, cli, cli_json, running_node, write_site

NAME = "NGUYENTHIBIMAT"
NUMBER = "001299999999"

MSH = "MSH|^~\\&|HIS|01999|GW|X|20261121080000||{type}|{id}|P|2.5.1||||||UNICODE UTF-8"
EVN = "EVN||20261121080000"
PID = f"PID|1||BN77^^^01999^PI~{NUMBER}^^^CA^NI||{NAME}^HOA||19900101|F"
PV1 = "PV1|1|I|K1^1^1|||||||||||||||||LK77^^^01999^VN|||||||||||||||||||||||||20261121080000"


def message(id_: str, *segments: str, type_: str = "ADT^A01", header: str = MSH) -> bytes:
    return "\r".join((header.format(type=type_, id=id_), *(segments or (EVN, PID, PV1)))).encode() + b"\r"


def framed(raw: bytes) -> bytes:
    return b"\x0b" + raw + b"\x1c\r"


def exchange(address: tuple[str, int], wire: bytes, *, close_early: bool = False) -> dict[str, str]:
    """Send bytes as they are and read one answer."""
    with socket.create_connection(address, 30) as connection:
        connection.sendall(wire)
        if close_early:
            connection.shutdown(socket.SHUT_WR)
        data = b""
        while not data.endswith(b"\x1c\r"):
            more = connection.recv(65536)
            if not more:
                break
            data += more
    segments = [line.split("|") for line in data.strip(b"\x0b\x1c\r").decode().split("\r")]
    answer = {"": data.decode(errors="replace")}
    for segment in segments:
        if segment[0] == "MSA":
            answer["code"] = segment[1]
        if segment[0] == "ERR":
            answer["err"] = "|".join(segment)
    return answer


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_site(tmp_path_factory.mktemp("bad"), accept=("ADT", "ORU^R01", "REF^I12"))
    channel = folder / "channels" / "his.toml"
    small = channel.read_text(encoding="utf-8").replace('tls = "none"', 'tls = "none", max_size = "2MB"')
    channel.write_text(small, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def node(site: Path) -> Iterator[NodeProcess]:
    with running_node(site) as running:
        yield running


@dataclass(frozen=True)
class Case:
    wire: bytes
    answer: str
    state: str
    fault: str
    """Code of the fault in the ledger; empty for none."""
    early: bool = False


HOSTILE = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'.replace("&", "\\T\\")
ORU = (PID, PV1, "OBR|1||F1^LIS|H^H^L|||20261121080000|||||||||||||||20261121090000||LAB|F")

CASES = {
    "empty frame": Case(framed(b""), "AR", "error", "LT2001"),
    "only blanks": Case(framed(b" \r\n "), "AR", "error", "LT2001"),
    "no MSH": Case(framed(PID.encode() + b"\r"), "AR", "error", "LT2002"),
    "rubbish": Case(framed(bytes(range(32, 128)) * 3), "AR", "error", "LT2002"),
    "wrong delimiters": Case(framed(b"MSHAAAAAHISA"), "AR", "error", "LT2003"),
    "over the limit": Case(
        framed(message("over", EVN, PID, PV1, "OBX|1|ED|X||" + "A" * 3_000_000)), "AR", "error", "LT2101"
    ),
    "truncated frame": Case(b"\x0b" + message("cut")[:120], "AE", "error", "LT2102", early=True),
    "invalid UTF-8": Case(
        framed(message("utf8", header=MSH.replace("|UNICODE UTF-8", "")) + b"NTE|1||\xc3\x28\r"),
        "AE",
        "error",
        "LT2004",
    ),
    "a declared charset that lies": Case(framed(message("lies") + b"NTE|1||Nguy\xd4n\r"), "AE", "error", "LT2004"),
    "unknown message type": Case(framed(message("type", type_="MFN^M02")), "AR", "error", "LT2203"),
    "no control id": Case(framed(message("")), "AE", "error", "LT2201"),
    "missing PID": Case(framed(message("nopid", EVN, PV1)), "AA", "error", "LT3102"),
    "two patients": Case(
        framed(message("two", EVN, PID, PV1, PID.replace("BN77", "BN78").replace(NUMBER, "001299999998"))),
        "AA",
        "error",
        "LT3103",
    ),
    "hostile XML in an OBX": Case(
        framed(message("xml", *ORU, f"OBX|1|TX|N^N^L||{HOSTILE}||||||F", type_="ORU^R01")), "AA", "mapped", ""
    ),
    "unknown segment": Case(framed(message("zzz", EVN, PID, PV1, "ZBV|1|x|y")), "AA", "mapped", ""),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name: str, site: Path, node: NodeProcess) -> None:
    case = CASES[name]
    answer = exchange(node.address(), case.wire, close_early=case.early)
    assert answer["code"] == case.answer
    if case.fault and case.answer != "AA":
        assert case.fault in answer[""]
    assert NAME not in answer[""]
    assert NUMBER not in answer[""]
    row: dict[str, Any] = {}

    def settled() -> bool:
        nonlocal row
        row = cli_json("messages", "--config", str(site), "--limit", "1")[0]
        return bool(row["state"] != "received")

    wait_until(settled)
    assert row["state"] == case.state
    assert (row["fault"] or {"code": ""})["code"] == case.fault
    if case.fault:
        assert row["fault"]["what"]
        assert row["fault"]["do"]


def test_a_control_id_reused_with_another_body_is_kept_beside_the_first(site: Path, node: NodeProcess) -> None:
    first, second = message("reused"), message("reused", EVN, PID.replace("HOA", "LAN"), PV1)
    assert exchange(node.address(), framed(first))["code"] == "AA"
    assert exchange(node.address(), framed(first))["code"] == "AA"
    answer = exchange(node.address(), framed(second))
    assert (answer["code"], "LT2202" in answer[""]) == ("AE", True)
    rows = cli_json("messages", "--config", str(site), "--limit", "3")
    assert [row["state"] for row in rows][:2] == ["error", "duplicate"]
    assert len({row["repeats"] for row in rows[:2]}) == 1
    raw = cli("messages", "--config", str(site), "raw", rows[0]["id"])
    assert raw.stdout.encode() == second


def test_what_the_wire_gave_is_what_the_ledger_gives(site: Path, node: NodeProcess) -> None:
    import hashlib

    raw = small_adt(4711)
    assert exchange(node.address(), framed(raw))["code"] == "AA"
    assert cli_json("messages", "--config", str(site), "--limit", "1")[0]["sha256"] == hashlib.sha256(raw).hexdigest()


@pytest.mark.parametrize(
    ("accept", "application", "codes"),
    [
        ("AL", "NE", ["CA"]),
        ("AL", "AL", ["CA", "AA"]),
        ("NE", "AL", ["AA"]),
        ("ER", "SU", ["AA"]),
        ("SU", "ER", ["CA"]),
        ("NE", "NE", ["CA"]),
        ("ER", "ER", ["CA"]),
    ],
)
def test_enhanced_mode(node: NodeProcess, accept: str, application: str, codes: list[str]) -> None:
    raw = message(f"e{accept}{application}").replace(b"|2.5.1||||||", f"|2.5.1|||{accept}|{application}||".encode())
    with socket.create_connection(node.address(), 10) as connection:
        connection.sendall(framed(raw))
        data = b""
        while data.count(b"\x1c\r") < len(codes):
            data += connection.recv(65536)
    assert [part.split(b"|")[1].decode() for part in data.split(b"\r") if part.startswith(b"MSA")] == codes


def test_twenty_megabytes_within_the_limit_are_taken(tmp_path: Path) -> None:
    config = write_site(tmp_path, accept=("ADT",), produce=())
    with running_node(config) as node:
        raw = message("big", EVN, PID, PV1, "ZZZ|" + "A" * (19 * 1024 * 1024))
        assert exchange(node.address(), framed(raw))["code"] == "AA"


def test_nothing_of_a_patient_is_in_the_log_and_the_node_lives(site: Path, node: NodeProcess) -> None:
    assert node.process.poll() is None
    log = (site / "node.log").read_text(encoding="utf-8")
    for secret in (NAME, NUMBER, "BN77", "LK77"):
        assert secret not in log
    assert "Traceback" not in log
    errors = cli_json("errors", "--config", str(site))
    assert len(errors) >= sum(case.state == "error" for case in CASES.values())
    assert all(error["fault"]["do"] for error in errors)
