"""Verify signatures of Provenance: inside a FHIR document beside `Bundle.signature`, or as a file beside the document.

Whatever is in the document is judged: a Provenance with a signature that does not hold makes it invalid. A Provenance kept
apart has to name the version of the document that is given with it.

Not here: what `Bundle.signature` says (`verify_jws`); signatures of other formats than JOSE, which are refused.

Standard: FHIR R4 §6.3, §3.3.1
Requirement: S0.6, S0.10
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mappings.formats.faults import SigningFault
from signing import provenance, verify_jws
from signing.faults import DocumentUnreadable, NotSigned, ReferenceRefused, SignatureMisplaced
from signing.verdict import DOCUMENT, Held

COMPOSED: Final = "document as it was composed"
"""The part that Provenance vouches for where `Bundle.signature` vouches for everything."""
_MAXIMUM: Final = 100


def read(data: bytes, files: Mapping[str, bytes]) -> list[Held | SigningFault]:
    """Return what the signatures of a FHIR document, or of one Provenance about a document in `files`, vouch for.

    Raises NotSigned, DocumentUnreadable, ReferenceRefused, SignatureMisplaced.
    """
    value = verify_jws.read_json(data)
    if not isinstance(value, dict):
        raise DocumentUnreadable("resourceType", "not a Bundle")
    if value.get("resourceType") == "Provenance":
        return [_apart(value, files)]
    found = list(_inside(value)) if value.get("resourceType") == "Bundle" else []
    if found and "signature" not in value:
        return found
    return [verify_jws.read(data), *found]


def _inside(bundle: Mapping[str, Any]) -> Iterator[Held | SigningFault]:
    entries = bundle.get("entry")
    found = [one for one in entries if provenance.is_signed(one)] if isinstance(entries, list) else []
    if len(found) > _MAXIMUM:
        raise SignatureMisplaced("Provenance", f"more than {_MAXIMUM}")
    if any(not one.keys() <= {"fullUrl", "resource"} for one in found):
        raise SignatureMisplaced("Provenance", "something beside it that it does not vouch for")
    part = COMPOSED if "signature" in bundle else DOCUMENT
    for number, resource in enumerate((one["resource"] for one in found), 1):
        where = f"Provenance {number}.signature"
        try:
            if not _names(resource, bundle):
                raise ReferenceRefused(where, "its target is another document")
            yield _hold(bundle, resource, where, part)
        except SigningFault as fault:
            yield fault


def _apart(resource: Mapping[str, Any], files: Mapping[str, bytes]) -> Held:
    if "signature" not in resource:
        raise NotSigned()
    for name, data in files.items():
        if not data.lstrip().startswith(b"{"):
            continue
        bundle = verify_jws.read_json(data, name)
        if isinstance(bundle, dict) and bundle.get("resourceType") == "Bundle" and _names(resource, bundle):
            return _hold(bundle, resource, "Provenance.signature", name)
    raise ReferenceRefused("Provenance.target", "a document that was not given")


def _hold(bundle: Mapping[str, Any], resource: Mapping[str, Any], where: str, part: str) -> Held:
    elements = resource["signature"]
    if not isinstance(elements, list) or len(elements) != 1 or not isinstance(elements[0], dict):
        raise SignatureMisplaced(where, "not one signature")
    content = provenance.signed_content(bundle)
    agents = resource.get("agent")
    if not isinstance(agents, list) or elements[0].get("who") not in [_who(agent) for agent in agents]:
        raise SignatureMisplaced(where, "the signer is none of its agents")
    return verify_jws.hold(content, elements[0], where, lambda: provenance.written(content, resource), part)


def _who(agent: object) -> object:
    return agent.get("who") if isinstance(agent, dict) else None


def _names(resource: Mapping[str, Any], bundle: Mapping[str, Any]) -> bool:
    """Tell whether the one target is this version of the document: by its identifier, or by what the server calls it."""
    targets = resource.get("target")
    if not isinstance(targets, list) or len(targets) != 1 or not isinstance(targets[0], dict):
        return False
    (target,) = targets
    if "identifier" in target:
        return bool(target["identifier"] == bundle.get("identifier"))
    entries = bundle.get("entry")
    first = entries[0] if isinstance(entries, list) and entries and isinstance(entries[0], dict) else {}
    meta = bundle.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    names = [first.get("fullUrl"), f"Bundle/{bundle.get('id')}/_history/{version}"]
    return target.get("reference") in [name for name in names if isinstance(name, str)]
