"""The compiled tables are R4 and nothing else, and their generator is repeatable."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mappings.fhir.tables import Tables, load

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "mappings/fhir/tables.json.gz"
FILES = ("profiles-resources.json", "profiles-types.json", "valuesets.json", "v3-codesystems.json")


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_fhir_tables", ROOT / "deploy/generate_fhir_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def element(path: str, *types: str, **more: Any) -> dict[str, Any]:
    return {
        "path": path,
        "min": 0,
        "max": "1",
        "type": [{"code": t} for t in types],
        "base": {"path": path},
        **more,
    }


def profiles() -> list[dict[str, Any]]:
    snapshot = [
        {"path": "Lamp", "min": 0, "max": "*"},
        element("Lamp.id", "http://hl7.org/fhirpath/System.String", base={"path": "Resource.id"}),
        element(
            "Lamp.state",
            "code",
            min=1,
            binding={"strength": "required", "valueSet": "http://x.example/ValueSet/states|4.0.1"},
        ),
        element("Lamp.part", "BackboneElement", max="*"),
        element("Lamp.part.size[x]", "Quantity", "string"),
        element("Lamp.part.part", contentReference="#Lamp.part", max="*"),
        element("Lamp.never", "string", max="0"),
        {
            **element("Lamp.room"),
            "type": [{"code": "Reference", "targetProfile": ["http://hl7.org/fhir/StructureDefinition/Location"]}],
        },
    ]
    lamp = {
        "resourceType": "StructureDefinition",
        "fhirVersion": "4.0.1",
        "kind": "resource",
        "abstract": False,
        "name": "Lamp",
        "type": "Lamp",
        "snapshot": {"element": snapshot},
    }
    newer = {**lamp, "name": "Torch", "fhirVersion": "4.3.0"}
    return [{"entry": [{"resource": lamp}, {"resource": newer}]}]


def terminologies() -> list[dict[str, Any]]:
    system = {
        "resourceType": "CodeSystem",
        "url": "http://x.example/states",
        "concept": [{"code": "on", "concept": [{"code": "dim"}]}, {"code": "off"}],
    }
    values = {
        "resourceType": "ValueSet",
        "url": "http://x.example/ValueSet/states",
        "compose": {"include": [{"system": "http://x.example/states"}]},
    }
    return [{"entry": [{"resource": system}, {"resource": values}]}]


def test_a_definition_becomes_rows(generator: ModuleType) -> None:
    made = generator.compile_tables(profiles(), terminologies())
    assert made["resources"] == ["Lamp"]
    tables = Tables(made["resources"], made["types"], made["codes"])
    rows = {row.name: row for row in tables.rows("Lamp")}
    assert list(rows) == ["id", "state", "part", "room"]
    assert rows["id"].types == ("id",)
    assert (rows["state"].minimum, rows["state"].maximum, rows["state"].binding) == (1, 1, "states")
    assert (rows["part"].maximum, rows["part"].types) == (0, ("#Lamp.part",))
    assert rows["room"].targets == {"Location"}
    inner = {row.name: row for row in tables.rows("Lamp.part")}
    assert inner["size[x]"].types == ("Quantity", "string")
    assert inner["part"].types == ("#Lamp.part",)
    assert tables.members("states") == {f"http://x.example/states|{code}" for code in ("on", "dim", "off")}


def test_the_same_definitions_give_the_same_bytes(generator: ModuleType, tmp_path: Path) -> None:
    for name in ("a", "b"):
        generator.write(generator.compile_tables(profiles(), terminologies()), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_cannot_be_enumerated_stops_the_generator(generator: ModuleType) -> None:
    bad = terminologies()
    bad[0]["entry"][1]["resource"]["compose"]["exclude"] = [{}]
    with pytest.raises(SystemExit, match="exclusions"):
        generator.compile_tables(profiles(), bad)


def test_the_shipped_table_is_made_from_the_definitions(generator: ModuleType, tmp_path: Path) -> None:
    folder = os.environ.get("FHIR_R4_DEFINITIONS")
    if not folder:
        pytest.skip("FHIR_R4_DEFINITIONS names no folder with the definitions")
    generator.main([*(str(Path(folder) / name) for name in FILES), str(tmp_path / "made")])
    assert gzip.decompress((tmp_path / "made").read_bytes()) == gzip.decompress(SHIPPED.read_bytes())


@pytest.mark.parametrize(
    "path",
    ["Binary.url", "Meta.project", "Meta.account", "ResearchStudy.label", "EvidenceVariable.characteristic.linkId"],
)
def test_additions_of_repackaged_definitions_are_not_in_the_table(path: str) -> None:
    shape, _, name = path.rpartition(".")
    assert name not in {row.name for row in load().rows(shape)}


def test_the_shipped_table_is_whole() -> None:
    content = json.loads(gzip.decompress(SHIPPED.read_bytes()))
    assert content["version"] == "4.0.1"
    tables = load()
    paths = [path for name in content["types"] for path in json.loads(content["types"][name])]
    assert len(paths) > 600
    bound = {row.binding for path in paths for row in tables.rows(path) if row.binding}
    assert bound == set(content["codes"])
    assert tables.members("administrative-gender") == {
        f"http://hl7.org/fhir/administrative-gender|{code}" for code in ("male", "female", "other", "unknown")
    }
    assert len(SHIPPED.read_bytes()) < 100_000
