"""`lienthong persons` and `lienthong codes`, as a person at the hospital uses them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mappings import hl7v2
from mappings.formats import er7
from mappings.hl7v2 import Context
from mappings.outcome import Outcome, UnmappedCode
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, evn, message, pid, pv1
from tests.integration.gateway.test_records import again, lab, result
from tests.site import cli, cli_json


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock) -> Iterator[Desk]:
    made = Desk(tmp_path / "site", f"sqlite:///{tmp_path / 'ledger.db'}", clock, produce=())
    yield made
    made.store.close()


def test_find_merge_look_and_undo(desk: Desk, tmp_path: Path) -> None:
    at = ("--config", str(tmp_path / "site"))
    for number in ("BN1", "BN2"):
        desk.send(message("ADT^A01", number, evn(), pid(number), pv1(f"LK{number}")))
    assert {person["numbers"][0] for person in cli_json("persons", *at)} == {"BN1", "BN2"}
    (kept,), (other,) = (cli_json("persons", *at, "--number", number) for number in ("BN1", "BN2"))
    assert cli("persons", "merge", kept["id"], other["id"], *at).returncode == 2, "no reason was given"
    done = cli("persons", "merge", kept["id"], other["id"], "--reason", "hai thẻ", *at, check=True)
    shown = cli_json("persons", "show", other["id"], *at)
    assert (shown["survivor"], set(shown["ids"])) == (kept["id"], {kept["id"], other["id"]})
    (change,) = cli_json("persons", "links", *at)
    assert change["id"] in done.stdout
    assert (change["kind"], change["holds"], change["message"]) == ("merge", True, None)
    assert [(act["verb"], act["reason"]) for act in change["actions"]] == [("merge", "hai thẻ")]
    cli("persons", "undo", change["id"], "--reason", "nhầm", *at, check=True)
    refused = cli("persons", "undo", change["id"], "--reason", "nhầm", *at)
    assert (refused.returncode, "LT8103" in refused.stderr) == (1, True)
    assert cli_json("persons", "show", other["id"], *at)["survivor"] == other["id"]
    assert [act["verb"] for act in cli_json("persons", "links", *at)[0]["actions"]] == ["merge", "undo"]


def test_a_refused_undo_says_what_to_undo_first(desk: Desk, tmp_path: Path) -> None:
    at = ("--config", str(tmp_path / "site"))
    first = desk.send(message("ADT^A40", "1", evn(), pid("BN1"), "MRG|BN2^^^01999^PI"))
    second = desk.send(message("ADT^A40", "2", evn(), pid("BN3"), "MRG|BN1^^^01999^PI"))
    refused = cli("persons", "undo", first, "--reason", "nhầm", *at)
    assert refused.returncode == 1
    assert "LT8105" in refused.stderr
    assert second in refused.stderr
    for id_ in (second, first):
        cli("persons", "undo", id_, "--reason", "nhầm", *at, check=True)


def test_codes_without_a_row_are_counted_once_per_message(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = ("--config", str(tmp_path / "site"))
    mapped = hl7v2.map_message
    lacking = UnmappedCode("OBX[2]-3", "urn:site", "GLU01", "Đường huyết")
    rare = UnmappedCode("OBX-3", "urn:site", "X9", "Hiếm")

    def with_unmapped(raw: er7.Message, context: Context) -> Outcome:
        more = (rare,) if raw.value("MSH-10") == "2" else ()
        return replace(mapped(raw, context), unmapped=(lacking, lacking, *more))

    monkeypatch.setattr(hl7v2, "map_message", with_unmapped)
    first = desk.send(lab("1", "20261121090000", *result("F", "4.50")))
    desk.send(lab("2", "20261121100000", *result("F", "4.50")))
    again(desk, first)
    listed = cli_json("codes", "unmapped", *at)
    assert [(row["code"], row["messages"]) for row in listed] == [("GLU01", 2), ("X9", 1)]
    assert (listed[0]["display"], listed[0]["field"], listed[0]["system"]) == ("Đường huyết", "OBX-3", "urn:site")
    assert listed[0]["first_at"] < listed[0]["last_at"]
    assert len(cli_json("codes", "unmapped", *at, "--limit", "1")) == 1
    assert "GLU01" in cli("codes", "unmapped", *at).stdout
