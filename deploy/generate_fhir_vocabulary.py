"""Compile HL7's own code systems into `mappings/fhir/vocabulary.json.gz`.

    python deploy/generate_fhir_vocabulary.py R4-DEFINITIONS TERMINOLOGY OUT

The inputs are two folders with files `CodeSystem-*.json`: the definitions of FHIR R4 (4.0.1) and HL7 Terminology for R4
(7.0.1), which HL7 International publishes under CC0. Code systems whose copyright statement names another owner of the list
are left out. A validator may know a system from either: where both have it, a code must be in both, and a display that
differs is left out. The same input gives the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Resource = dict[str, Any]
BASES = ("http://hl7.org/fhir/", "http://terminology.hl7.org/")
CODE = re.compile(r"[^\s]+( [^\s]+)*")
"""Standard: FHIR R4 §2.24.0.1 code"""
_OTHER_OWNERS = re.compile(r"\bAHA\b|\bada\.org\b")


def compile_vocabulary(r4: list[Resource], terminology: list[Resource]) -> dict[str, str]:
    """Return one text per code system: a line `code<TAB>display` per code."""
    owned = {resource["url"] for resource in [*r4, *terminology] if _OTHER_OWNERS.search(resource.get("copyright", ""))}
    first, second = _complete(r4, owned), _complete(terminology, owned)
    systems = {}
    for url, members in sorted({**second, **first}.items()):
        if url in first and url in second:
            members = _agreed(members, second[url])
        if members:
            systems[url] = "\n".join(f"{code}\t{display}" for code, display in members.items())
    return systems


def _agreed(one: dict[str, str], other: dict[str, str]) -> dict[str, str]:
    return {code: display if other[code] == display else "" for code, display in one.items() if code in other}


def _complete(resources: list[Resource], owned: set[str]) -> dict[str, dict[str, str]]:
    return {
        resource["url"]: dict(_members(resource.get("concept", [])))
        for resource in resources
        if resource["content"] == "complete"
        and resource["url"].startswith(BASES)
        and "|" not in resource["url"]
        and resource["url"] not in owned
    }


def _members(concepts: list[Resource]) -> Iterator[tuple[str, str]]:
    """Give code and display of every concept that stands for itself; an abstract one groups others and codes nothing."""
    for concept in concepts:
        abstract = any(p["code"] == "notSelectable" and p.get("valueBoolean") for p in concept.get("property", []))
        display = concept.get("display", "").strip()
        if CODE.fullmatch(concept["code"]) and not abstract:
            yield concept["code"], "" if re.search(r"[\t\r\n]", display) else display
        yield from _members(concept.get("concept", []))


def read(folder: Path) -> tuple[list[Resource], str]:
    """Read the code systems of a folder, with a checksum of what was read."""
    checksum = hashlib.sha256()
    resources = []
    for path in sorted(folder.glob("CodeSystem-*.json")):
        content = path.read_bytes()
        checksum.update(path.name.encode() + b"\0" + content)
        resources.append(json.loads(content))
    if not resources:
        raise SystemExit(f"{folder}: no CodeSystem-*.json")
    return resources, checksum.hexdigest()


def write(vocabulary: dict[str, Any], out: Path) -> None:
    """Write the vocabulary; the time is left out of the archive, so that the same input gives the same bytes."""
    text = json.dumps(vocabulary, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    out.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def main(arguments: list[str]) -> None:
    """Read the two folders, write the vocabulary."""
    if len(arguments) != 3:
        raise SystemExit(__doc__)
    r4, r4_checksum = read(Path(arguments[0]))
    terminology, terminology_checksum = read(Path(arguments[1]))
    systems = compile_vocabulary(r4, terminology)
    write({"made_from": [r4_checksum, terminology_checksum], "systems": systems}, Path(arguments[2]))


if __name__ == "__main__":
    main(sys.argv[1:])
