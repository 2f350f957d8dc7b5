"""Do the references of a document Bundle lead anywhere?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from mappings.fhir.problem import Problem

_RESTFUL = re.compile(r"(https?://.+/)([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})").fullmatch
_HISTORY = re.compile(r"/_history/[A-Za-z0-9\-.]{1,64}$")


def bundle_references(bundle: dict[str, Any]) -> list[Problem]:
    """Return what keeps a Bundle from standing alone as a document; the Bundle is already sound for `problems`.

    Asked: type, identifier and timestamp are there, a Composition comes first, no `fullUrl` twice, and every reference that is
    relative, `urn:` or `#` is answered inside. An absolute http reference may lead out. A relative reference is resolved
    against the `fullUrl` of its own entry; when that is not a REST address, against type and id of the entries, if exactly one
    has them. Standard: FHIR R4 §2.36.4 (resolving references), §3.3.1; bdl-7, bdl-9, bdl-10, bdl-11.
    """
    found: list[Problem] = []
    entries = bundle.get("entry", [])
    if bundle.get("type") != "document":
        found.append(Problem("Bundle.type", "document"))
    identifier = bundle.get("identifier", {})
    if not ("system" in identifier and "value" in identifier):
        found.append(Problem("Bundle.identifier", "required"))
    if "timestamp" not in bundle:
        found.append(Problem("Bundle.timestamp", "required"))
    if not entries or entries[0].get("resource", {}).get("resourceType") != "Composition":
        found.append(Problem("Bundle.entry[0].resource", "document"))

    full_urls: set[str] = set()
    by_id: dict[str, int] = {}
    for index, entry in enumerate(entries):
        resource = entry.get("resource", {})
        key = f"{resource.get('resourceType')}/{resource.get('id')}"
        by_id[key] = by_id.get(key, 0) + 1
        full_url = entry.get("fullUrl")
        if full_url is None:
            found.append(Problem(f"Bundle.entry[{index}].fullUrl", "required"))
        elif full_url in full_urls:
            found.append(Problem(f"Bundle.entry[{index}].fullUrl", "duplicate"))
        else:
            full_urls.add(full_url)

    for index, entry in enumerate(entries):
        resource = entry.get("resource", {})
        base = _RESTFUL(entry.get("fullUrl", ""))
        contained = {item.get("id") for item in resource.get("contained", [])}

        def resolved(literal: str, base: re.Match[str] | None = base, contained: set[str] = contained) -> bool:
            if literal.startswith("#"):
                return literal == "#" or literal[1:] in contained
            if literal.startswith("urn:"):
                return literal in full_urls
            if "://" in literal:
                return True
            plain = _HISTORY.sub("", literal)
            return base[1] + plain in full_urls if base else by_id.get(plain) == 1

        open_ends = {literal for literal in _literals(resource) if not resolved(literal)}
        if open_ends:
            top = f"Bundle.entry[{index}].resource.ofType({resource.get('resourceType')})"
            found += [Problem(path, "reference") for path, literal in _placed(resource, top) if literal in open_ends]
    return found


def _literals(resource: dict[str, Any]) -> set[str]:
    """Return every literal reference below; without paths, which are only needed for the few that lead nowhere."""
    found: set[str] = set()
    stack: list[Any] = [resource]
    while stack:
        item = stack.pop()
        if item.__class__ is dict:
            literal = item.get("reference")
            if literal.__class__ is str:
                found.add(literal)
            item = item.values()
        stack += [below for below in item if below.__class__ is dict or below.__class__ is list]
    return found


def _placed(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield path and text of every literal reference below, in document order."""
    if value.__class__ is dict:
        for name, below in value.items():
            if name == "reference" and below.__class__ is str:
                yield f"{path}.reference", below
            yield from _placed(below, f"{path}.{name}")
    elif value.__class__ is list:
        for index, below in enumerate(value):
            yield from _placed(below, f"{path}[{index}]")
