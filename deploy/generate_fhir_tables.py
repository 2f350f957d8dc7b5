"""Compile the FHIR R4 definitions into `mappings/fhir/tables.json.gz`.

    python deploy/generate_fhir_tables.py profiles-resources.json profiles-types.json valuesets.json v3-codesystems.json OUT

The four inputs are the files of the same name in the "definitions" download of FHIR R4 (4.0.1), which HL7 publishes under
CC0. Repackaged copies circulate to which their packagers added elements (`Meta.project`, `Binary.url`, parts of R5):
`tests/unit/fhir/test_tables.py` names some of them, and fails when a table was made from such a copy.

The table keeps what `mappings/fhir/check.py` asks and nothing else: no texts, no profiles, no invariants, and of the
terminologies only the codes of required bindings. The same input gives the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

VERSION = "4.0.1"
FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
UNBOUND = frozenset(
    {
        "http://hl7.org/fhir/ValueSet/mimetypes",
        "http://hl7.org/fhir/ValueSet/ucum-units",
        "http://hl7.org/fhir/ValueSet/currencies",
        "http://loinc.org/vs/LL379-9",
    }
)
"""Required bindings to code systems that are grammars, or that the definitions do not enumerate."""

Table = dict[str, Any]


def compile_tables(profiles: list[Table], terminologies: list[Table]) -> Table:
    """Return the table of all types in `profiles`, with the codes their required bindings need."""
    structures = [entry["resource"] for bundle in profiles for entry in bundle["entry"]]
    types: dict[str, str] = {}
    resources: list[str] = []
    bound: set[str] = set()
    for structure in structures:
        if structure["resourceType"] != "StructureDefinition" or structure.get("fhirVersion") != VERSION:
            continue
        if structure["kind"] not in ("resource", "complex-type") or structure["name"] == "MoneyQuantity":
            continue
        name = structure["name"]
        shapes = _shapes(name, structure["snapshot"]["element"], bound)
        types[name] = json.dumps(shapes, separators=(",", ":")).replace(f'{{"{structure["type"]}":', f'{{"{name}":', 1)
        if structure["kind"] == "resource" and not structure["abstract"]:
            resources.append(name)
    values = [entry["resource"] for bundle in terminologies for entry in bundle["entry"]]
    systems = {value["url"]: value for value in values if value["resourceType"] == "CodeSystem"}
    sets = {value["url"]: value for value in values if value["resourceType"] == "ValueSet"}
    return {
        "version": VERSION,
        "resources": sorted(resources),
        "types": dict(sorted(types.items())),
        "codes": {_short(url): _expand(sets[url], systems) for url in sorted(bound)},
    }


def _shapes(name: str, elements: list[Table], bound: set[str]) -> dict[str, list[list[Any]]]:
    """Return one shape per object of the type: path → [name, minimum, maximum, types, reference targets, binding]."""
    shapes: dict[str, list[list[Any]]] = {}
    for element in elements:
        path = element["path"]
        parent, _, leaf = path.rpartition(".")
        if not parent or element["max"] == "0":
            continue
        types, targets = _types(path, element)
        binding = element.get("binding", {})
        value_set = binding.get("valueSet", "").partition("|")[0] if binding.get("strength") == "required" else ""
        if value_set in UNBOUND or not value_set:
            code_set = ""
        else:
            bound.add(value_set)
            code_set = _short(value_set)
        maximum = 0 if element["max"] == "*" else int(element["max"])
        shapes.setdefault(parent, []).append([leaf, element["min"], maximum, types, targets, code_set])
    return shapes


def _types(path: str, element: Table) -> tuple[list[str], list[str]]:
    if "contentReference" in element:
        return [element["contentReference"]], []
    types: list[str] = []
    targets: list[str] = []
    for entry in element["type"]:
        code = entry["code"]
        if code.startswith("http://hl7.org/fhirpath/"):
            spelled = [item["valueUrl"] for item in entry.get("extension", []) if item["url"] == FHIR_TYPE]
            code = spelled[0] if spelled else "string"
        elif code in ("BackboneElement", "Element") and path.count("."):
            code = f"#{path}"
        elif any(profile.endswith("/SimpleQuantity") for profile in entry.get("profile", [])):
            code = "SimpleQuantity"
        if code == "Reference":
            targets = sorted(profile.rpartition("/")[2] for profile in entry.get("targetProfile", []))
        types.append(code)
    if path.endswith(".id") and element["base"]["path"] == "Resource.id":
        types = ["id"]
    return types, [] if "Resource" in targets else targets


def _expand(value_set: Table, systems: dict[str, Table]) -> list[str]:
    """Return `system|code` of every member; a `code` element is compared with the part after the bar."""
    compose = value_set["compose"]
    if "exclude" in compose:
        raise SystemExit(f"{value_set['url']}: exclusions are not supported")
    members: set[str] = set()
    for include in compose["include"]:
        if "filter" in include or "valueSet" in include:
            raise SystemExit(f"{value_set['url']}: filters and imports are not supported")
        listed = include.get("concept")
        codes = [item["code"] for item in listed] if listed else _codes(systems[include["system"]]["concept"])
        members.update(f"{include['system']}|{code}" for code in codes)
    return sorted(members)


def _codes(concepts: list[Table]) -> list[str]:
    return [code for item in concepts for code in (item["code"], *_codes(item.get("concept", [])))]


def _short(url: str) -> str:
    return url.rpartition("/")[2]


def write(table: Table, out: Path) -> None:
    """Write the table; the time is left out of the archive, so that the same table gives the same bytes."""
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    out.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def main(arguments: list[str]) -> None:
    """Read the four files, write the table."""
    if len(arguments) != 5:
        raise SystemExit(__doc__)
    contents = [Path(name).read_bytes() for name in arguments[:4]]
    resources, types, value_sets, code_systems = (json.loads(content) for content in contents)
    table = compile_tables([resources, types], [value_sets, code_systems])
    table["made_from"] = [hashlib.sha256(content).hexdigest() for content in contents]
    write(table, Path(arguments[4]))


if __name__ == "__main__":
    main(sys.argv[1:])
