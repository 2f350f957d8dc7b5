"""Judge what only the whole Bundle shows: each entry has an identity of its own, every reference inside the Bundle finds its
entry, and what a reference finds has a type that the definition allows.

A reference to another server (`https://…`) is left alone unless an entry has that fullUrl.

Standard: FHIR R4 §2.36.4 (Bundle: fullUrl, resolving references)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from conformance.validators.definitions import Node, definitions, walk
from conformance.validators.finding import Json, Problem

IDENTITY = r"([A-Za-z]+)/([A-Za-z0-9.-]{1,64})"
RELATIVE = re.compile(rf"{IDENTITY}(/_history/[A-Za-z0-9.-]{{1,64}})?")
RESTFUL = re.compile(rf"(https?://.*[^/])/{IDENTITY}")
UUID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
OID = re.compile(r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+")
WITHOUT_URL = ("transaction", "batch", "transaction-response", "batch-response")
"""Types of Bundle whose entries may have no fullUrl."""


def check(bundle: Json) -> list[Problem]:
    """Follow every reference of a Bundle; any other resource has nothing to follow."""
    if bundle.get("resourceType") != "Bundle":
        return []
    entries = [entry for entry in bundle.get("entry", ()) if isinstance(entry, dict)]
    urls = Counter(str(entry["fullUrl"]) for entry in entries if "fullUrl" in entry)
    found = [("Bundle.entry", f"fullUrl stands {times} times: {url}") for url, times in urls.items() if times > 1]
    known = {str(entry.get("fullUrl")): _kind(entry) for entry in entries if isinstance(entry.get("resource"), dict)}
    for n, entry in enumerate(entries):
        place = f"Bundle.entry[{n}]"
        resource = entry.get("resource")
        if not isinstance(resource, dict):
            continue
        found += ((f"{place}.fullUrl", said) for said in _identity(entry, str(bundle.get("type"))))
        for node in walk(resource, definitions()):
            if node.type == "Reference" and isinstance(node.value, dict):
                said = list(_reference(node, known, entries, entry.get("fullUrl")))
                found += ((f"{place}.{node.path}", one) for one in said)
    return found


def _kind(entry: Json) -> str:
    return str(entry["resource"].get("resourceType"))


def _identity(entry: Json, kind: str) -> Iterator[str]:
    url, resource = entry.get("fullUrl"), entry["resource"]
    if not isinstance(url, str):
        if kind not in WITHOUT_URL:
            yield f"an entry of a {kind} Bundle needs a fullUrl"
        return
    restful = RESTFUL.fullmatch(url)
    if restful and definitions().is_resource(restful[2]):
        if (restful[2], restful[3]) != (resource.get("resourceType"), resource.get("id")):
            yield f"{url} is not the identity of {resource.get('resourceType')}/{resource.get('id')}"
    elif url.startswith("urn:uuid:") and not UUID.fullmatch(url):
        yield f"no UUID: {url}"
    elif url.startswith("urn:oid:") and not OID.fullmatch(url):
        yield f"no OID: {url}"
    elif not re.match(r"(https?|urn):", url):
        yield f"no absolute URI: {url}"


def _relative(reference: str, entries: list[Json], url: object) -> str | None:
    """Find the type of what a relative reference means: against the base of the entry's fullUrl, or by type and id when it has
    none; from a `urn:` nothing can be relative."""
    identity = reference.partition("/_history/")[0]
    restful = RESTFUL.fullmatch(url) if isinstance(url, str) else None
    for entry in entries:
        resource = entry.get("resource")
        if not isinstance(resource, dict) or identity != f"{resource.get('resourceType')}/{resource.get('id')}":
            continue
        if url is None or (restful and entry.get("fullUrl") == f"{restful[1]}/{identity}"):
            return str(resource["resourceType"])
    return None


def _reference(node: Node, known: dict[str, str], entries: list[Json], url: object) -> Iterator[str]:
    reference = node.value.get("reference")
    said = node.value.get("type")
    if not isinstance(reference, str) or reference == "#":
        return
    if reference.startswith("#"):
        contained = {c.get("id"): c.get("resourceType") for c in node.root.get("contained", ()) if isinstance(c, dict)}
        target = contained.get(reference[1:])
        if target is None:
            yield f"nothing contained has this id: {reference}"
    elif reference in known:
        target = known[reference]
    elif RELATIVE.fullmatch(reference):
        target = _relative(reference, entries, url)
        if target is None:
            yield f"no entry for {reference}"
    elif re.match(r"(https?|urn):", reference):
        target = None
        if reference.startswith("urn:"):
            yield f"no entry for {reference}"
    else:
        target = None
        yield f"no form of a reference: {reference}"
    if target is None:
        return
    if said is not None and said != target:
        yield f"the type says {said}, the entry is a {target}"
    allowed = {kind for types in node.element.types if types.code == "Reference" for kind in types.targets}
    if allowed and target not in allowed:
        yield f"a {target} where {', '.join(sorted(allowed))} is allowed"
