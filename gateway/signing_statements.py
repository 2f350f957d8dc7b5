"""What a FHIR document says about those who signed the paper: Provenance beside the seal, when the form of the paper wants it.

People sign the CDA document, once. For each the FHIR document states who, in which role, when, and the hash of what was signed;
the facility signs these statements with the document in a Provenance of its own, which holds when a server has taken
`Bundle.signature` off, and again with everything in `Bundle.signature`.

Standard: FHIR R4 §6.3, §3.3.1; RFC 6920
Requirement: S0.10, S3.9
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.engine import Connection

from gateway.clock import to_datetime
from gateway.settings import Plan
from gateway.store import documents
from mappings.fhir import require_valid
from mappings.formats import json
from mappings.ids import resource_id
from mappings.outcome import Resource
from signing import joint, jws, provenance
from signing.contract import KeyProvider
from signing.policy import SEAL

_KIND = "cda"
_ROLES = {"treating_doctor": "author"}
"""Role of a policy → code of FHIR; every other who signs attests."""


@dataclass(frozen=True)
class Person:
    """Who signed the CDA document of a paper."""

    name: str
    licence: str
    role: str
    at: str
    """FHIR instant."""
    signed_sha256: str
    """Of the canonical CDA document without signatures, in base64url: what `lienthong verify` says is covered."""
    certificate_sha256: str


def people(connection: Connection, plan: Plan, document_id: str) -> tuple[Person, ...]:
    """Give everybody whose signature on a paper counts, the seal aside, in order."""
    kept = [
        one
        for one in documents.signatures(connection, document_id)
        if one.kind == _KIND and one.role != SEAL and one.voided_at is None
    ]
    if not kept:
        return ()
    (rendition,) = documents.renditions(connection, document_id, _KIND)
    digest = jws.base64url(joint.content_sha256(plan.keyring.open(rendition.body, f"{document_id}/{_KIND}"))).decode()
    found = []
    for one in kept:
        signer = plan.signers.get(one.holder)
        name, licence = (signer.settings.name, signer.settings.licence) if signer else (one.signer, "")
        at = jws.instant(to_datetime(one.signed_at))
        found.append(Person(name, licence, one.role, at, digest, one.certificate_sha256))
    return tuple(found)


def with_provenance(
    document: Resource,
    signed_by: Sequence[Person],
    facility: Mapping[str, Any],
    key: KeyProvider,
    algorithm: str,
    canonical: str,
) -> bytes:
    """Return the document with a Provenance for each person and one that the facility's key signed. Raises SigningFault."""
    target = provenance.target_of(document)
    own = document["entry"][0]["fullUrl"].rpartition("/Composition/")[0]
    said = [_statement(document, person, target) for person in signed_by]
    whole = {**document, "entry": [*document["entry"], *(_entry(own, one) for one in said)]}
    written = json.canonical(whole)
    prepared = provenance.prepare(
        written,
        key.chain,
        at=datetime.now(UTC),
        who=facility,
        role="legal",
        identifier=_id(document, "facility"),
        algorithm=algorithm or key.algorithms[0],
        canonical=canonical,
    )
    made = jws.inject(prepared, key.sign(prepared.to_be_signed, prepared.algorithm))
    whole["entry"].append(_entry(own, json.loads(made)))
    require_valid(whole)
    return json.canonical(whole)


def without_provenance(document: Resource) -> Resource:
    """Return the document without what was said when it was sealed: another version says its own."""
    entries = [one for one in document["entry"] if not _is_statement(one["resource"])]
    return {**document, "entry": entries}


def _is_statement(resource: Mapping[str, Any]) -> bool:
    roles = {one.get("role") for one in resource.get("entity", ())}
    return resource["resourceType"] == "Provenance" and ("signature" in resource or "source" in roles)


def _statement(document: Resource, person: Person, target: Mapping[str, Any]) -> Resource:
    role = _ROLES.get(person.role, "attester")
    return {
        "resourceType": "Provenance",
        "id": _id(document, f"{person.role}|{person.certificate_sha256}"),
        "target": [dict(target)],
        "recorded": person.at,
        "agent": [
            {
                "type": {"coding": [{"system": provenance.ROLES, "code": role}]},
                "role": [{"text": person.role}],
                "who": _who(document, person),
            }
        ],
        "entity": [
            {
                "role": "source",
                "what": {
                    "identifier": {"system": "urn:ietf:rfc:3986", "value": f"ni:///sha-256;{person.signed_sha256}"},
                    "display": "CDA R2, Canonical XML 1.0, không kể chữ ký",
                },
            }
        ],
    }


def _who(document: Resource, person: Person) -> dict[str, Any]:
    """Refer to the practitioner of the document with this licence, else name the person."""
    for entry in document["entry"]:
        resource = entry["resource"]
        numbers = [one.get("value") for one in resource.get("identifier", ()) if isinstance(one, dict)]
        if resource["resourceType"] == "Practitioner" and person.licence and person.licence in numbers:
            return {"reference": entry["fullUrl"], "display": person.name}
    named: dict[str, Any] = {"type": "Practitioner", "display": person.name}
    return {**named, "identifier": {"value": person.licence}} if person.licence else named


def _id(document: Resource, of: str) -> str:
    identifier = document.get("identifier", {})
    return resource_id("Provenance", identifier.get("system", ""), f"{identifier.get('value', '')}|{of}")


def _entry(own: str, resource: Resource) -> dict[str, Any]:
    return {"fullUrl": f"{own}/Provenance/{resource['id']}", "resource": resource}
