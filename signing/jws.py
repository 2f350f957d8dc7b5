"""JSON signatures of FHIR Bundles: a detached JWS in `Bundle.signature`.

What is signed is the Bundle without `signature`, and without `id` and `meta` of the Bundle itself, which a FHIR server gives
anew to a document that moves to it; everything else is covered. The payload is the RFC 8785 form of that, or FHIR's own
canonical JSON, which differs only in numbers: RFC 8785 makes 4.5 of 4.50. A result is evidence, so a header of ours holds the
hash of the Bundle as it is written, and with it of the rest of the Signature element: type, time and signer.

The input is never serialised again: `signature` is put before the last brace of its bytes (promise P6). The certificates
travel in the header; no header points anywhere else, and none changes how the payload is read.

Not here: JAdES levels with time stamps, several signatures on one Bundle (`signing/provenance.py`), XML.

Standard: RFC 7515 §3.1, §4.1, appendix F; FHIR R4 §2.6.2.6, §2.24.0.22; ETSI TS 119 182-1 §5.2.1, §5.2.3 (sigT, srCms)
Requirement: S0.5, S0.10
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from mappings.formats import json_canonical
from mappings.formats.faults import JsonInvalid
from signing import certificates
from signing.algorithms import ALGORITHMS, algorithm_for
from signing.contract import KeyProvider
from signing.faults import DocumentUnsignable, KeyUnsuitable

RFC8785: Final = "urn:ietf:rfc:8785#document"
"""Name of the form in the header `canon`; the fragment says as in FHIR's own name that `id` and `meta` stay outside."""
FHIR_JSON: Final = "http://hl7.org/fhir/canonicalization/json#document"
CANONICAL_FORMS: Final = {RFC8785: json_canonical.rfc8785, FHIR_JSON: json_canonical.as_written}

WRITTEN: Final = "https://lienthong.vn/fhir/jws#written-sha256"
"""Header with the SHA-256, in base64url, of the written form of the Bundle with its signature but for `data`."""
SIG_FORMAT: Final = "application/jose"
TARGET_FORMAT: Final = "application/fhir+json"
NOT_SIGNED: Final = frozenset({"id", "meta", "signature"})
"""Of the Bundle itself; of the resources in it everything is signed."""


@dataclass(frozen=True)
class Purpose:
    """Why somebody signs. Standard: ASTM E1762; FHIR R4 value set signature-type."""

    code: str
    display: str


PURPOSE_SYSTEM: Final = "urn:iso-astm:E1762-95:2013"
AUTHOR: Final = Purpose("1.2.840.10065.1.12.1.1", "Author's Signature")
VERIFICATION: Final = Purpose("1.2.840.10065.1.12.1.5", "Verification Signature")
"""Who did not write the document answers for it: a head of department, the seal of the facility."""


@dataclass(frozen=True)
class Prepared:
    """A Bundle waiting for its signature; plain data, so that it may wait in a store or travel to who signs."""

    to_be_signed: bytes
    """Header and payload. Sign these bytes with `algorithm`."""
    algorithm: str
    """Name in RFC 7518. An ECDSA signature is r and s, one after the other."""
    certificate: bytes = field(repr=False)
    """The signer's, in DER: the header names it, so the signature must be its key's."""
    before: bytes = field(repr=False)
    after: bytes = field(repr=False)


def prepare(
    bundle: bytes,
    chain: Sequence[x509.Certificate],
    *,
    at: datetime,
    who: Mapping[str, Any],
    purpose: Purpose = VERIFICATION,
    algorithm: str = "",
    canonical: str = RFC8785,
) -> Prepared:
    """Hash `bundle` and make everything of its Signature but the signature itself.

    `chain` is the signer's certificate first; `at` an aware instant; `who` a FHIR Reference to the signer; `algorithm` the
    certificate's usual one unless named. Raises DocumentUnsignable, KeyUnsuitable.
    """
    content = _content(bundle)
    element, sealed = seal(
        content,
        chain,
        at=at,
        who=who,
        purpose=purpose,
        algorithm=algorithm,
        canonical=canonical,
        written=lambda said: written_sha256(content, said),
    )
    end = bundle.rindex(b"}")
    before = bundle[:end] + b',"signature":' + dumps(element)[:-1] + b',"data":"'
    return replace(sealed, before=before, after=b'"}' + bundle[end:])


def seal(
    content: Mapping[str, Any],
    chain: Sequence[x509.Certificate],
    *,
    at: datetime,
    who: Mapping[str, Any],
    purpose: Purpose,
    algorithm: str,
    canonical: str,
    written: Callable[[Mapping[str, Any]], str],
) -> tuple[dict[str, Any], Prepared]:
    """Make a Signature element without its `data`, and what is to be signed for it; nothing stands around it yet.

    `written` gives the hash of everything as it is written for the element. Raises DocumentUnsignable, KeyUnsuitable.
    """
    if not chain:
        raise KeyUnsuitable("chain", "no certificate")
    chosen = algorithm_for(certificates.public_key(chain[0]), algorithm)
    when = instant(at)
    element = {
        "type": [{"system": PURPOSE_SYSTEM, "code": purpose.code, "display": purpose.display}],
        "when": when,
        "who": dict(who),
        "targetFormat": f"{TARGET_FORMAT};canonicalization={canonical}" if canonical == FHIR_JSON else TARGET_FORMAT,
        "sigFormat": SIG_FORMAT,
    }
    der = [certificate.public_bytes(serialization.Encoding.DER) for certificate in chain]
    try:
        header = {
            "alg": chosen.name,
            "typ": "JOSE",
            "canon": canonical,
            "sigT": when,
            "srCms": [{"commId": {"id": f"urn:oid:{purpose.code}", "desc": purpose.display}}],
            "x5c": [b64encode(one).decode() for one in der],
            WRITTEN: written(element),
        }
        payload = CANONICAL_FORMS[canonical](content)
    except JsonInvalid as problem:
        raise DocumentUnsignable(problem.where, problem.detail) from problem
    to_be_signed = base64url(dumps(header)) + b"." + base64url(payload)
    return element, Prepared(to_be_signed, chosen.name, der[0], b"", b"")


def instant(at: datetime) -> str:
    """Write a moment as FHIR does, in UTC to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def inject(prepared: Prepared, signature: bytes) -> bytes:
    """Return the final bytes: the Bundle with its signature.

    Raises KeyUnsuitable when `signature` was not made by the key of the certificate: no document leaves with a wrong pair.
    """
    key = certificates.public_key(certificates.from_der(prepared.certificate))
    if not ALGORITHMS[prepared.algorithm].holds(key, signature, prepared.to_be_signed):
        raise KeyUnsuitable("chain", "signature and certificate do not belong together")
    protected = prepared.to_be_signed.partition(b".")[0]
    return prepared.before + b64encode(protected + b".." + base64url(signature)) + prepared.after


def sign(
    bundle: bytes,
    key: KeyProvider,
    *,
    who: Mapping[str, Any],
    purpose: Purpose = VERIFICATION,
    at: datetime | None = None,
    algorithm: str = "",
    canonical: str = RFC8785,
) -> bytes:
    """Return `bundle` with a signature by `key`, made `at` an aware instant, now when None; no byte of `bundle` changes.

    `algorithm` is the key's own first unless named. Raises DocumentUnsignable, KeyUnsuitable, CertificateOutOfDate and what
    `key.sign` raises.
    """
    moment = at or datetime.now(UTC)
    certificates.require_current(key.chain[0], moment)
    chosen = algorithm or key.algorithms[0]
    prepared = prepare(bundle, key.chain, at=moment, who=who, purpose=purpose, algorithm=chosen, canonical=canonical)
    return inject(prepared, key.sign(prepared.to_be_signed, prepared.algorithm))


def value_of(signed: bytes) -> bytes:
    """Return the octets of the signature in a Bundle that `inject` made."""
    start = signed.rindex(b',"data":"') + len(b',"data":"')
    return octets_of(signed[start : signed.index(b'"', start)])


def octets_of(data: str | bytes) -> bytes:
    """Return the octets of the signature in the `data` of a Signature element, as they are written."""
    return from_base64url(b64decode(data).rpartition(b".")[2])


def signed_content(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """Give what the signature of a Bundle covers."""
    return {name: value for name, value in bundle.items() if name not in NOT_SIGNED}


def written_sha256(content: Mapping[str, Any], element: Mapping[str, Any]) -> str:
    """Hash what is signed as it is written, together with the Signature element but for its `data`."""
    about = {name: value for name, value in element.items() if name != "data"}
    written = json_canonical.as_written({**content, "signature": about})
    return sha256_of(written)


def sha256_of(octets: bytes) -> str:
    """Hash, in base64url."""
    return base64url(hashlib.sha256(octets).digest()).decode()


def base64url(data: bytes) -> bytes:
    """Encode without padding. Standard: RFC 7515 §2"""
    return urlsafe_b64encode(data).rstrip(b"=")


def from_base64url(text: bytes) -> bytes:
    """Decode what `base64url` wrote."""
    return urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def _content(bundle: bytes) -> dict[str, Any]:
    try:
        value = json_canonical.loads(bundle)
    except JsonInvalid as problem:
        raise DocumentUnsignable(problem.where, problem.detail) from problem
    if not isinstance(value, dict) or value.get("resourceType") != "Bundle":
        raise DocumentUnsignable("resourceType", "not a Bundle")
    if "signature" in value:
        raise DocumentUnsignable("signature", "signed already")
    return signed_content(value)


def dumps(value: Any) -> bytes:
    """Write JSON of our own."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
