"""HL7's code systems: what is held, what is not, that our tables target only what is, and that the generator is repeatable."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mappings import codes
from mappings.fhir import vocabulary
from mappings.fhir.tables import load

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "mappings/fhir/vocabulary.json.gz"
V2 = "http://terminology.hl7.org/CodeSystem/v2-"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_vocabulary", ROOT / "deploy/generate_fhir_vocabulary.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def members(system: str) -> dict[str, str]:
    found = vocabulary.members(system)
    assert found is not None
    return dict(found)


@pytest.mark.parametrize(
    ("system", "code", "display"),
    [
        (f"{V2}0203", "MR", "Medical record number"),
        (f"{V2}0074", "EC", "Electrocardiac (e.g., EKG,  EEC, Holter)"),
        (f"{V2}0078", "HH", "Critically high"),
        (f"{V2}0360", "MD", "Doctor of Medicine"),
        ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "EMER", "emergency"),
        ("http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "UNK", "unknown"),
        ("http://hl7.org/fhir/administrative-gender", "male", "Male"),
    ],
)
def test_a_member_has_its_official_display(system: str, code: str, display: str) -> None:
    assert members(system)[code] == display


@pytest.mark.parametrize(
    "system",
    [
        "http://loinc.org",
        "http://snomed.info/sct",
        "http://unitsofmeasure.org",
        f"{V2}9999",
        f"{V2}0005",
        "http://terminology.hl7.org/CodeSystem/insurance-plan-type",
        "http://terminology.hl7.org/CodeSystem/ex-revenue-center",
        "",
    ],
)
def test_a_system_that_is_not_held_whole_is_not_known(system: str) -> None:
    assert vocabulary.members(system) is None


def test_editions_must_agree() -> None:
    identifiers = members(f"{V2}0203")
    assert "PGN" not in identifiers
    assert identifiers["JHN"] == ""
    assert "BLOCKED" not in members(f"{V2}0278")


def test_an_abstract_code_is_no_member() -> None:
    known = members("http://terminology.hl7.org/CodeSystem/v3-ActCode")
    assert "_ActEncounterCode" not in known
    assert "AMB" in known


def test_every_code_of_a_required_binding_in_a_known_system_is_a_member() -> None:
    bound = json.loads(gzip.decompress((ROOT / "mappings/fhir/tables.json.gz").read_bytes()))["codes"]
    pairs = [member.split("|", 1) for name in bound for member in load().members(name)]
    missing = {
        (system, code)
        for system, code in pairs
        if (known := vocabulary.members(system)) is not None and code not in known
    }
    assert missing == {("http://hl7.org/fhir/item-type", "question")}, "the only abstract one"


def wrong(rows: list[codes.Row]) -> list[str]:
    found = []
    for row in rows:
        known = vocabulary.members(row.target_system)
        if known is None or not row.target:
            continue
        if row.target not in known:
            found.append(f"{row.code}: {row.target} is not in {row.target_system}")
        elif row.display != known[row.target]:
            found.append(f"{row.code}: {row.target} is called {known[row.target]!r}, not {row.display!r}")
    return found


@pytest.mark.parametrize("name", codes.names())
def test_a_table_targets_members_by_their_official_display(name: str) -> None:
    assert wrong(list(codes.table(name))) == []


@pytest.mark.parametrize(("target", "display"), [("MALE", "Male"), ("male", "Man"), ("male", "")])
def test_a_planted_target_is_seen(target: str, display: str) -> None:
    system = "http://hl7.org/fhir/administrative-gender"
    assert wrong([codes.Row("S", "1", system, target, display, "equivalent", None, None)])


def test_a_system_is_decoded_once() -> None:
    assert vocabulary.members(f"{V2}0001") is vocabulary.members(f"{V2}0001")


def test_what_is_shipped_stays_small() -> None:
    assert len(SHIPPED.read_bytes()) < 250_000


def system(url: str, *concepts: dict[str, Any], content: str = "complete", **more: str) -> dict[str, Any]:
    return {"resourceType": "CodeSystem", "url": url, "content": content, "concept": list(concepts), **more}


LAMP = "http://hl7.org/fhir/lamp"
HIDDEN = {"property": [{"code": "notSelectable", "valueBoolean": True}]}


def test_what_the_generator_keeps(generator: ModuleType) -> None:
    made = generator.compile_vocabulary(
        [
            system(
                LAMP,
                {"code": "_any", "display": "Any", **HIDDEN, "concept": [{"code": "on", "display": "On "}]},
                {"code": "off", "display": "Off"},
                {"code": "dim", "display": "Dim"},
                {"code": "\xa0", "display": "Nothing"},
            ),
            system("http://hl7.org/fhir/empty"),
            system("http://hl7.org/fhir/part", {"code": "a"}, content="fragment"),
            system("http://hl7.org/fhir/theirs", {"code": "a"}, copyright="owned by the AHA"),
            system("http://x.example/other", {"code": "a"}),
            system("http://hl7.org/fhir/old|2.1", {"code": "a"}),
        ],
        [
            system(LAMP, {"code": "on", "display": "On"}, {"code": "off", "display": "Out"}, {"code": "new"}),
            system("http://terminology.hl7.org/CodeSystem/tea", {"code": "a", "display": "A\nB"}),
        ],
    )
    assert made == {LAMP: "on\tOn\noff\t", "http://terminology.hl7.org/CodeSystem/tea": "a\t"}


def test_the_same_definitions_give_the_same_bytes(generator: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "r4"
    folder.mkdir()
    (folder / "CodeSystem-lamp.json").write_text(json.dumps(system(LAMP, {"code": "on", "display": "On"})))
    for name in ("a", "b"):
        generator.main([str(folder), str(folder), str(tmp_path / name)])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_folder_without_definitions_stops_the_generator(generator: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no CodeSystem"):
        generator.read(tmp_path)


def test_the_shipped_vocabulary_is_made_from_the_definitions(generator: ModuleType, tmp_path: Path) -> None:
    folders = os.environ.get("HL7_VOCABULARY_DEFINITIONS", "")
    if not folders:
        pytest.skip("HL7_VOCABULARY_DEFINITIONS names no two folders with the definitions")
    generator.main([*folders.split(os.pathsep), str(tmp_path / "made")])
    assert gzip.decompress((tmp_path / "made").read_bytes()) == gzip.decompress(SHIPPED.read_bytes())


def test_a_system_that_is_not_held_is_not_remembered() -> None:
    """Messages name systems without end; what was asked must not pile up."""
    before = vocabulary._members.cache_info().currsize
    assert [vocabulary.members(f"urn:oid:1.2.{n}") for n in range(100)] == [None] * 100
    assert vocabulary._members.cache_info().currsize == before
