"""`lienthong pacs` with a real Orthanc and a running node, and with a PACS that breaks off in the middle."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors._dicom_identifier import write
from gateway.configuration import load
from gateway.faults import ConfigInvalid
from gateway.store.engine import open_store
from gateway.store.schema import action
from tests.dicom_peers import CT, Caller, Orthanc, Scripted, command_set, orthanc
from tests.integration.connectors.test_dicom_client import ALLOWED, STUDY, content, made, study
from tests.servers import free_port, wait_until
from tests.site import cli, cli_json, running_node, write_site

CHANNEL = """\
name = "pacs"
source = { kind = "dicom", listen = "127.0.0.1:0", ae_title = "GATEWAY", anyone = true, tls = "none", quiet = "1s" }
accept = ["DICOM"]
"""
PACS = """
[[pacs]]
name = "main"
address = "127.0.0.1:{port}"
ae_title = "ORTHANC"
calling = "ASKER"
move_to = "GATEWAY"
tls = "none"
"""
PATIENT = ("NGUYỄN", "BN0001", "CD77")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    found = write_site(tmp_path / "site", produce=())
    (found / "channels" / "pacs.toml").write_text(CHANNEL, encoding="utf-8")
    return found


def ask(config: Path, port: int, *more: str) -> None:
    """Enter a PACS at this port in the configuration."""
    text = (config / "node.toml").read_text(encoding="utf-8").partition("\n[[pacs]]")[0]
    (config / "node.toml").write_text(text + PACS.format(port=port) + "\n".join(more) + "\n", encoding="utf-8")


def log_of(config: Path) -> list[tuple[str, str, str]]:
    store = open_store(load(config).store_url)
    try:
        query = sa.select(action.c.verb, action.c.target, action.c.reason).where(action.c.verb.like("pacs-%"))
        return [tuple(row) for row in store.read_now(lambda c: list(c.execute(query.order_by(action.c.id))))]
    finally:
        store.close()


def state_of(config: Path) -> dict[str, Any]:
    found = {one["study"]: one for one in cli_json("images", "--config", str(config))}
    return dict(found.get(STUDY, {}))


@pytest.fixture
def archive(tmp_path: Path, config: Path) -> Iterator[tuple[Orthanc, Path]]:
    """A node, and an Orthanc with a study that knows the node's channel."""
    with running_node(config) as node:
        _, port = node.address("pacs")
        reports = free_port()
        peers = {"gateway": ("GATEWAY", port), "asker": ("ASKER", reports)}
        with orthanc(tmp_path / "orthanc", peers, **ALLOWED) as peer:
            for one in study():
                peer.upload(content(one))
            ask(config, peer.dicom_port, f'reports = "127.0.0.1:{reports}"')
            yield peer, config


def test_a_study_is_found_fetched_and_asked_about(archive: tuple[Orthanc, Path], tmp_path: Path) -> None:
    peer, config = archive
    at = ("--config", str(config))
    assert cli("check", *at).returncode == 0
    assert cli_json("pacs", "echo", *at)["ae_title"] == "ORTHANC"
    found = cli_json("pacs", "find", "--patient", "BN0001", "--day", "2026-11-01..2026-11-30", "--modality", "ct", *at)
    assert [one["StudyInstanceUID"] for one in found] == [STUDY]
    table = cli("pacs", "find", "--accession", "CD77", *at)
    assert table.returncode == 0
    assert "VĂN" in table.stdout
    assert cli_json("pacs", "find", "--day", "2027-01-01", *at) == []
    assert cli("pacs", "find", *at).returncode == 2
    assert cli("pacs", "find", "--day", "1/2/2026", *at).returncode == 3
    assert cli("pacs", "fetch", "NGUYỄN VĂN AN", *at).returncode == 2
    assert cli("pacs", "fetch", "1.2.3", *at).returncode == 1

    told = cli_json("pacs", "fetch", STUDY, *at)
    assert (told["by"], told["objects"], told["held_before"], told["held"]) == ("move", 4, 0, 4)
    assert (told["missing"], told["fault"]) == ([], None)
    wait_until(lambda: state_of(config).get("state") == "mapped", 40)

    again = cli("pacs", "fetch", STUDY, "--by", "move", *at)
    assert again.returncode == 0
    assert "đã có trước 4, lấy thêm 0" in again.stdout

    late = made("CT_small.dcm", "1.2.77", 9)
    name = peer.upload(content(late))
    told = cli_json("pacs", "fetch", STUDY, "--by", "get", *at)
    assert (told["by"], told["objects"], told["held_before"], told["held"]) == ("get", 5, 4, 5)
    wait_until(lambda: (state_of(config).get("version"), state_of(config).get("state")) == (2, "mapped"), 40)

    told = cli_json("pacs", "commit", STUDY, *at)
    assert (told["objects"], told["kept"], told["not_kept"], told["not_mentioned"]) == (5, 5, {}, [])
    peer.call("DELETE", f"/instances/{name}")
    lost = cli("pacs", "commit", STUDY, *at)
    assert lost.returncode == 1
    assert f"{late.SOPInstanceUID} (0112)" in lost.stderr

    log = log_of(config)
    assert ("pacs-fetch", STUDY, "main, by move") in log
    assert ("pacs-find", "main", "PatientID, StudyDate, ModalitiesInStudy") in log
    assert {verb for verb, _, _ in log} == {"pacs-find", "pacs-fetch", "pacs-commit"}
    assert not any(word in str(log) for word in PATIENT)


def test_what_is_taken_without_a_node_is_told_of_by_the_next(tmp_path: Path, config: Path) -> None:
    at = ("--config", str(config))
    with orthanc(tmp_path / "orthanc", {}, **ALLOWED) as peer:
        for one in study():
            peer.upload(content(one))
        ask(config, peer.dicom_port)
        told = cli_json("pacs", "fetch", STUDY, "--by", "get", *at)
        assert (told["held"], told["missing"], told["not_kept"]) == (4, [], {})
        nobody = cli("pacs", "fetch", made("MR_small.dcm", "1.2.9", 1, "1.2.8").StudyInstanceUID, *at)
        assert nobody.returncode == 1
        peer.upload(content(made("CT_small.dcm", "1.2.77", 9)))
        unsent = cli("pacs", "fetch", STUDY, "--by", "move", *at)
        assert unsent.returncode == 1
        assert "LT60" in unsent.stderr
        assert "Còn thiếu 1" in unsent.stderr
    down = cli("pacs", "echo", *at)
    assert down.returncode == 1
    assert "LT6060" in down.stderr
    checked = cli("check", *at)
    assert checked.returncode == 1
    assert "LT1017" in checked.stderr
    assert cli("check", "--no-probe", *at).returncode == 0
    with running_node(config):
        wait_until(lambda: state_of(config).get("state") == "mapped", 40)


FIRST, SECOND = "1.2.3.1", "1.2.3.2"


def rows(caller: Caller) -> None:
    """Answer one query for series and one for objects: one series with two."""
    caller.asked()
    caller.accept()
    for found in (
        [{"SeriesInstanceUID": "1.2.3"}],
        [{"SOPInstanceUID": one, "SOPClassUID": CT} for one in (FIRST, SECOND)],
    ):
        question, _ = caller.message()
        for row in found:
            caller.answer(question, 0xFF00, write(row, implicit=False))
        caller.answer(question, 0)
    assert caller.read()[0] == 5


def store(caller: Caller, instance: str, *, upto: int | None = None) -> None:
    """Send an object on the association that asked for it."""
    dataset = made("CT_small.dcm", "1.2.3", 1, STUDY, SOPInstanceUID=instance)
    whole = content(dataset)
    data = whole[144 + int.from_bytes(whole[140:144], "little") :]
    command = {
        0x0002: CT.encode(),
        0x0100: struct.pack("<H", 0x0001),
        0x0110: struct.pack("<H", 7),
        0x0700: struct.pack("<H", 0),
        0x0800: struct.pack("<H", 0x0001),
        0x1000: instance.encode(),
    }
    context = next(one.context_id for one in caller.contexts if one.abstract_syntax == CT)
    caller.values((context, b"\x03" + command_set(command)))
    pieces = [data[start : start + 16000] for start in range(0, len(data), 16000)]
    for piece in pieces[:upto]:
        caller.values((context, (b"\x02" if piece is pieces[-1] else b"\x00") + piece))
    if upto is None:
        answer, _ = caller.message()
        assert answer.Status == 0


def test_a_fetch_that_broke_off_goes_on_where_it_was(config: Path) -> None:
    asked: list[bytes] = []

    def breaks(caller: Caller) -> None:
        caller.asked()
        caller.accept()
        asked.append(caller.message()[1])
        store(caller, FIRST)
        store(caller, SECOND, upto=1)
        caller.abort()

    def goes_on(caller: Caller) -> None:
        caller.asked()
        caller.accept()
        question, keys = caller.message()
        asked.append(keys)
        store(caller, SECOND)
        caller.answer(question, 0, C=1)
        assert caller.read()[0] == 5

    at = ("--config", str(config))
    with Scripted(rows, breaks, rows, goes_on, rows) as peer:
        ask(config, peer.port)
        broken = cli("pacs", "fetch", STUDY, "--by", "get", *at)
        assert broken.returncode == 1
        assert "LT6067" in broken.stderr
        assert SECOND in broken.stderr
        assert SECOND.encode() not in asked[0]
        told = cli_json("pacs", "fetch", STUDY, "--by", "get", *at)
        assert (told["held_before"], told["held"], told["missing"]) == (1, 2, [])
        assert SECOND.encode() in asked[1]
        assert FIRST.encode() not in asked[1]
        assert cli("pacs", "fetch", STUDY, "--by", "get", *at).returncode == 0
    (aside,) = cli_json("images", "aside", *at)
    assert aside["fault"]["code"] == "LT2121"
    incoming = config / "data" / "objects" / "incoming"
    assert [one.name for one in incoming.rglob("*")] == ["n1+main"]  # and nothing in it


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('channel = "his"', "channel"),
        ('ca = "keys/nowhere.pem"', "nowhere.pem"),
        ('dimse_timeout = "0s"', "dimse_timeout"),
        ("any_name = true", "any_name"),
        ('reports = "nowhere"', "reports"),
        ('certificate = "keys/ca.pem"', "private_key"),
        ('calls = "X"', "calls"),
        ('[[pacs]]\nname = "main"\naddress = "127.0.0.1:104"\nae_title = "X"\ncalling = "Y"', "name"),
        (
            '[[pacs]]\nname = "two"\naddress = "127.0.0.1:104"\nae_title = "TOO LONG A TITLE FOR IT"\ncalling = "Y"',
            "ae_title",
        ),
    ],
)
def test_a_wrong_setting_is_told(config: Path, line: str, told: str) -> None:
    ask(config, 104)
    assert load(config).pacs[0].place == ("127.0.0.1", 104)
    ask(config, 104, line)
    with pytest.raises(ConfigInvalid) as raised:
        load(config)
    assert told in " ".join(str(one) for one in raised.value.problems)


def test_which_pacs_is_meant_has_to_be_clear(config: Path) -> None:
    at = ("--config", str(config))
    assert cli("pacs", "echo", *at).returncode == 3  # none
    ask(config, free_port(), '[[pacs]]\nname = "two"\naddress = "127.0.0.1:104"\nae_title = "X"\ncalling = "Y"')
    assert cli("pacs", "echo", *at).returncode == 3
    assert cli("pacs", "echo", "--pacs", "main", *at).returncode == 1
