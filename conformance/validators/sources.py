"""Find the Bundles in files and folders: FHIR JSON, or JSON lines with a resource or a member `bundle` on each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance.validators.finding import read, write

SUFFIXES = (".json", ".ndjson", ".jsonl")


def bundles(path: Path) -> Iterator[tuple[str, bytes]]:
    """Give every resource of a file, or of the JSON files below a folder, with a name that says where it stands.

    Lines without a `bundle`, such as `lienthong map --json` prints for a message that ends in a fault, have nothing to judge.
    Raises `OSError`, and `ValueError` naming the file for what is not JSON.
    """
    if path.is_dir():
        for inner in sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file()):
            yield from bundles(inner)
        return
    text = path.read_text(encoding="utf-8")
    try:
        yield from _named(str(path), read(text))
    except ValueError:
        for n, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield from _named(f"{path}:{n}", _line(path, n, line))


def _line(path: Path, n: int, line: str) -> Any:
    try:
        return read(line)
    except ValueError as broken:
        raise ValueError(f"{path}:{n}: no JSON: {broken}") from broken


def _named(name: str, found: Any) -> Iterator[tuple[str, bytes]]:
    if not isinstance(found, dict):
        raise ValueError(f"{name}: no JSON object")
    if "resourceType" in found:
        yield name, write(found).encode()
    elif isinstance(found.get("bundle"), dict):
        yield str(found.get("file", name)), write(found["bundle"]).encode()
