"""OIDs, UUIDs and names of CDA as the URIs of FHIR, and back to the URI of a root that was made of one.

The table `data/oids.csv` has HL7's own v3 systems and those that documents use most; any other OID stays `urn:oid:`.

Standard: FHIR R4 §4.3 (code systems), §2.24.0.12 (identifiers); RFC 4122 §4.3
"""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files
from uuid import NAMESPACE_URL, UUID, uuid5

from mappings.fhir.tables import load
from mappings.systems import V2_TABLE

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+")
_V2 = re.compile(r"2\.16\.840\.1\.113883\.12\.([1-9][0-9]{0,3})")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_RESOURCE = re.compile(r"(https?://\S+)/([A-Z][A-Za-z]+)")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_NAMES = {
    "LOINC": "http://loinc.org",
    "SNOMED CT": "http://snomed.info/sct",
    "SNOMED-CT": "http://snomed.info/sct",
    "RXNORM": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "ICD-10": "http://hl7.org/fhir/sid/icd-10",
    "CVX": "http://hl7.org/fhir/sid/cvx",
}


def uri_of(root: str, name: str = "") -> str:
    """Give the system of a root, with the name beside it (`assigningAuthorityName`, `codeSystemName`).

    A root that is the UUID of the URI in the name gives that URI; `""` when the root is neither OID nor UUID.
    """
    if not root:
        return _NAMES.get(name.upper(), "")
    if _UUID.fullmatch(root):
        if _URI.fullmatch(name) and str(uuid5(NAMESPACE_URL, name)) == root.lower():
            return name
        return f"urn:uuid:{root.lower()}"
    if not _OID.fullmatch(root):
        return ""
    known = _known().get(root)
    if known:
        return known
    table = _V2.fullmatch(root)
    return f"{V2_TABLE}{int(table[1]):04d}" if table else f"urn:oid:{root}"


def resource_of(root: str, extension: str, name: str) -> tuple[str, str, str] | None:
    """Give base, type and id when an II says which FHIR resource it is: its root is the UUID of `<base>/<type>`."""
    found = _RESOURCE.fullmatch(name)
    if found is None or not _ID.fullmatch(extension) or found[2] not in load().resources:
        return None
    return (found[1], found[2], extension) if uri_of(root, name) == name else None


def number_of(root: str) -> str:
    """Give the URI of a root that is a number by itself (II without extension); `""` when it is neither OID nor UUID."""
    if _UUID.fullmatch(root):
        return f"urn:uuid:{UUID(root)}"
    return f"urn:oid:{root}" if _OID.fullmatch(root) else ""


@cache
def _known() -> dict[str, str]:
    lines = files("mappings.cda").joinpath("data/oids.csv").read_text(encoding="ascii").splitlines()
    return {row["oid"]: row["uri"] for row in csv.DictReader(lines, strict=True)}
