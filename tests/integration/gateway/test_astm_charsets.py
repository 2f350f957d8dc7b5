"""Records in bytes that are not what the channel takes them for: a fault, or a notice; never another letter in silence."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from gateway.store import messages
from mappings.formats import json
from mappings.formats.charsets import encode
from mappings.formats.faults import CP1258_SUSPECTED, STANDARD_CHARSET_ASSUMED, TCVN3_SUSPECTED, CharsetMismatch
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, evn, message, pid
from tests.integration.gateway.test_laboratory import ANALYSER

NOTE = "C|1|I|{note}|G"
RECORDS = (
    "H|\\^&|1||AN-500|||||||P|1|20261121080000",
    "P|1||BN1||TRAN^AN",
    "O|1|M-0009||^^^HGB|R||||||||||||||||||||F",
    "R|1|^^^HGB|135|g/L||||F||||20261121075500",
    NOTE,
    "R|2|^^^K|4.5|{unit}||||F||||20261121075500",
    "L|1|N",
    "",
)


@pytest.fixture(params=["with the site's table", "without"])
def desk(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock, migrated_file: Path) -> Desk:
    shutil.copy(migrated_file, tmp_path / "ledger.db")
    own = tmp_path / "site" / "site"
    own.mkdir(parents=True)
    if request.param != "without":
        (own / "site-analyser.csv").write_text(ANALYSER, encoding="utf-8")
    made = Desk(tmp_path / "site", f"sqlite:///{tmp_path / 'ledger.db'}", clock, accept=("ADT", "ASTM"), produce=())
    made.send(message("ADT^A01^ADT_A01", "A1", evn(), pid("BN1", "Trần^An"), "PV1|1|I"))
    return made


def records(note: str, unit: str = "mmol/L") -> str:
    return "\r".join(RECORDS).format(note=note, unit=unit)


def take(desk: Desk, raw: bytes) -> Any:
    """Take bytes in and map them; give the row of the message, whose bytes are there as they came."""
    answer = desk.ask(raw)
    desk.clock.forward(1)
    desk.work()
    assert answer.message_id is not None
    sealed = desk.store.read_now(lambda c: messages.body(c, str(answer.message_id)))
    assert desk.keyring.open(sealed, answer.message_id) == raw
    return desk.state(answer.message_id)


def results(desk: Desk) -> list[dict[str, Any]]:
    return desk.of(desk.patient("BN1"), "Observation")


def notices(desk: Desk, row: Any) -> list[int]:
    (found,) = (one for one in desk.store.read_now(lambda c: messages.listing(c, limit=0)) if one.id == row.id)
    account = json.loads(desk.keyring.open(bytes(found.positions), f"coverage/{row.id}"))
    return [code for code, _, _ in account["notices"] if 2000 <= code < 3000]


@pytest.mark.parametrize(
    "raw",
    [
        records("Mẫu tán huyết nhẹ").encode().replace("ẹ".encode(), "ẹ".encode()[:-1]),
        records("x").encode().replace(b"|x|", b"|M\xe1\xba\xabu \xff|"),
        records("x").encode().replace(b"|x|", b"|\x9d\x81|"),
        records("Mẫu tán huyết", "µmol/L").encode() + b"\xc3",
    ],
    ids=["UTF-8 cut within a letter", "UTF-8 and another byte", "bytes of no charset", "UTF-8 that broke off"],
)
def test_bytes_of_no_charset_are_a_fault_and_nothing_enters_the_record(desk: Desk, raw: bytes) -> None:
    row = take(desk, raw)
    assert (row.state, row.fault_code, row.answer) == ("error", CharsetMismatch.code, "AE")
    assert row.fault_where.startswith("byte ")
    assert results(desk) == []


@pytest.mark.parametrize(
    ("charset", "code"),
    [("tcvn3", TCVN3_SUSPECTED), ("cp1258", CP1258_SUSPECTED), ("cp1252", STANDARD_CHARSET_ASSUMED)],
)
def test_letters_of_another_charset_are_told(desk: Desk, charset: str, code: int) -> None:
    note = "échantillon hémolysé" if charset == "cp1252" else "Mẫu máu bị tán huyết, đề nghị lấy lại"
    row = take(desk, encode(records(note), charset) if charset != "cp1252" else records(note).encode(charset))
    if row.state == "error":
        assert row.fault_code == CharsetMismatch.code
        assert results(desk) == []
    else:
        assert code in notices(desk, row)
        assert {str(one["valueQuantity"]["value"]) for one in results(desk)} == {"135", "4.5"}


@pytest.mark.parametrize("charset", ["utf-8", "iso8859-1"])
def test_signs_that_laboratories_write_need_no_word(desk: Desk, charset: str) -> None:
    row = take(desk, records("37 °C ± 2", "µmol/L").encode(charset))
    assert row.state == "mapped"
    assert notices(desk, row) == []
    units = {one["valueQuantity"].get("code") for one in results(desk)}
    assert units == {"g/L", "umol/L"}
