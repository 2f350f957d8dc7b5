"""Provenance that bears a signature: a detached JWS over a FHIR document, for those whose signature is not `Bundle.signature`.

What is signed is the document as it was composed: without `Bundle.signature`, `id` and `meta` as in `signing/jws.py`, and
without the entries that are Provenance with a signature, so that several may stand in one document, made in any order, and the
Bundle's own signature, the last, covers them. The same Provenance may be kept apart from its document. Its target names the
document by `Bundle.identifier`, which each version has for itself.

Not here: Provenance of single resources, who signs; time stamps, which are kept beside the document.

Standard: FHIR R4 §6.3 (Provenance.signature, target), §3.3.1 (Provenance in documents); RFC 7515 appendix F
Requirement: S0.5, S0.10
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from cryptography import x509

from mappings.formats import json_canonical
from mappings.formats.faults import JsonInvalid
from signing import jws
from signing.faults import DocumentUnsignable
from signing.jws import RFC8785, VERIFICATION, Prepared, Purpose

ROLES: Final = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


def prepare(
    document: bytes,
    chain: Sequence[x509.Certificate],
    *,
    at: datetime,
    who: Mapping[str, Any],
    role: str = "attester",
    identifier: str = "",
    purpose: Purpose = VERIFICATION,
    algorithm: str = "",
    canonical: str = RFC8785,
) -> Prepared:
    """Hash `document` and make everything of a Provenance but its signature value.

    `who` is a FHIR Reference to the signer, `role` a code of ROLES, `identifier` the id of the Provenance; other arguments and
    faults as for `jws.prepare`.
    """
    bundle = _document(document)
    provenance = {
        "resourceType": "Provenance",
        **({"id": identifier} if identifier else {}),
        "target": [target_of(bundle)],
        "recorded": jws.instant(at),
        "agent": [{"type": {"coding": [{"system": ROLES, "code": role}]}, "who": dict(who)}],
    }
    element, sealed = jws.seal(
        signed_content(bundle),
        chain,
        at=at,
        who=who,
        purpose=purpose,
        algorithm=algorithm,
        canonical=canonical,
        written=lambda said: written(signed_content(bundle), {**provenance, "signature": [said]}),
    )
    before = jws.dumps(provenance)[:-1] + b',"signature":[' + jws.dumps(element)[:-1] + b',"data":"'
    return Prepared(sealed.to_be_signed, sealed.algorithm, sealed.certificate, before, b'"}]}')


def target_of(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """Refer to a version of a document: by its first entry, the Composition, and the identifier of the version."""
    target: dict[str, Any] = {"type": "Composition"}
    entries = bundle.get("entry") or [{}]
    if "fullUrl" in entries[0]:
        target["reference"] = entries[0]["fullUrl"]
    if "identifier" in bundle:
        target["identifier"] = bundle["identifier"]
    return target


def is_signed(entry: object) -> bool:
    """Tell whether an entry of a document is a Provenance that bears a signature."""
    resource = entry.get("resource") if isinstance(entry, dict) else None
    return isinstance(resource, dict) and resource.get("resourceType") == "Provenance" and "signature" in resource


def values(document: bytes) -> list[tuple[str, bytes]]:
    """Give the id of each Provenance with a signature in a document that was made here, and the octets of that signature."""
    if b'"signature":[' not in document:
        return []
    entries = json_canonical.loads(document)["entry"]
    found = [one["resource"] for one in entries if is_signed(one)]
    return [(one.get("id", ""), jws.octets_of(one["signature"][0]["data"])) for one in found]


def signed_content(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """Give what such a signature covers."""
    content = jws.signed_content(bundle)
    entries = content.get("entry")
    if isinstance(entries, list):
        content["entry"] = [entry for entry in entries if not is_signed(entry)]
    return content


def written(content: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    """Hash the document as it is written, together with the Provenance but for `id`, `meta` and the signature's `data`."""
    (element,) = provenance["signature"]
    about = {name: value for name, value in provenance.items() if name not in ("id", "meta", "text")}
    about["signature"] = [{name: value for name, value in element.items() if name != "data"}]
    return jws.sha256_of(json_canonical.as_written({"document": dict(content), "provenance": about}))


def _document(document: bytes) -> dict[str, Any]:
    try:
        value = json_canonical.loads(document)
    except JsonInvalid as problem:
        raise DocumentUnsignable(problem.where, problem.detail) from problem
    entries = value.get("entry") if isinstance(value, dict) and value.get("resourceType") == "Bundle" else None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise DocumentUnsignable("resourceType", "not a document")
    assert isinstance(value, dict)
    return value
