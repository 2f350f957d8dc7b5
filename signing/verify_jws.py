"""Verification of signed FHIR Bundles: what was signed, by whom, and whether to believe it.

Strict on purpose. One detached JWS in `Bundle.signature`, its payload encoded or, as RFC 7797 has it, not; an algorithm with a
public key that fits the certificate; the certificates in the header itself; no header that we do not know, because a header may
change what is verified or with which key (`jwk`, `jku`, `x5u`, any other `crit`); JSON that can be read in one way only. `id`
and `meta` of the Bundle itself may have been given by a server since; they are no part of `Verified.data`: callers act on that.

Not here: revocation (stated in the result), time stamps, `Provenance.signature` (`verify_provenance`), the network.

Standard: RFC 7515 §5.2; RFC 7797 §5–§7; RFC 8725 §3; FHIR R4 §2.6.2.6
Requirement: S0.6, S0.10, S3.9
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode, urlsafe_b64decode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from mappings.formats import json_canonical
from mappings.formats.faults import JsonInvalid
from signing import certificates, jws
from signing.algorithms import ALGORITHMS, algorithm_for
from signing.faults import (
    AlgorithmRefused,
    ContentChanged,
    DocumentUnreadable,
    HeaderRefused,
    KeyInfoRefused,
    KeyUnsuitable,
    NotSigned,
    SignatureMisplaced,
    SignatureValueWrong,
)
from signing.verdict import DOCUMENT, JSON_UNPROTECTED, Covered, Held, Reason
from signing.verify import Verified

_ELEMENT = frozenset({"id", "type", "when", "who", "onBehalfOf", "targetFormat", "sigFormat", "data"})
_HEADERS = frozenset(
    {"alg", "typ", "cty", "kid", "canon", "sigT", "iat", "srCms", "x5c", "x5t#S256", "b64", "crit", jws.WRITTEN}
)
"""What else a header may say, we would not understand; `kid` and `x5t#S256` are read past: `x5c` names the key."""
_TARGETS = {
    jws.TARGET_FORMAT: "",
    f"{jws.TARGET_FORMAT};canonicalization={jws.FHIR_JSON}": jws.FHIR_JSON,
}
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_MAXIMUM_CERTIFICATES = 10
ELEMENT_UNPROTECTED = "signature type, time and signer are not protected"
DIGITS_UNPROTECTED = "digits of numbers are not protected"


def read(bundle: bytes) -> Held:
    """Return what the Bundle's signature vouches for; nothing is said about its certificate yet.

    Raises NotSigned and SignatureInvalid (changed content or a form we do not accept).
    """
    value = read_json(bundle)
    if not isinstance(value, dict) or value.get("resourceType") != "Bundle":
        raise DocumentUnreadable("resourceType", "not a Bundle")
    if "signature" not in value:
        raise NotSigned()
    content, element = jws.signed_content(value), value["signature"]
    return hold(content, element, "Bundle.signature", lambda: jws.written_sha256(content, element))


def hold(
    content: Mapping[str, Any],
    signature_element: object,
    where: str,
    written_sha256: Callable[[], str],
    part: str = DOCUMENT,
) -> Held:
    """Return what a Signature element vouches for: `content`, under the name `part`.

    `written_sha256` gives the hash that our own header has of everything as it is written. Raises SignatureInvalid.
    """
    element = _signature(signature_element)
    protected, signature = _compact(element)
    header = _header(protected)
    form = _form(element, header)
    known = _certificates(header)
    payload = jws.CANONICAL_FORMS[form](content)
    bare = payload if header.get("b64", True) is False else jws.base64url(payload)
    _check_signature(header, known[0], signature, protected + b"." + bare)
    claimed_at = _check_element(element, header)
    written = _check_written(header, written_sha256)
    unprotected = [] if written else [ELEMENT_UNPROTECTED, *([DIGITS_UNPROTECTED] if form == jws.RFC8785 else [])]
    return Held(
        where=where,
        form="JWS",
        leaf=known[0],
        others=tuple(known[1:]),
        covers=(Covered(part, json_canonical.as_written(content) if written else payload),),
        claimed_at=claimed_at,
        warnings=tuple(Reason(JSON_UNPROTECTED, where.partition(".")[0], detail) for detail in unprotected),
        value=signature,
    )


def verify(bundle: bytes, roots: Sequence[x509.Certificate], at: datetime | None = None) -> Verified:
    """Return what was signed and by whom, or raise; `at` is an aware instant, now when None.

    Raises NotSigned, SignatureInvalid (changed content or a form we do not accept), CertificateUntrusted.
    """
    moment = (at or datetime.now(UTC)).astimezone(UTC)
    held = read(bundle)
    chain = certificates.require_trusted(held.leaf, held.others, roots, moment)
    claimed = "signing time claimed by the signer" if held.claimed_at else "no signing time in the signature"
    return Verified(
        data=held.covers[0].data,
        signer=certificates.signer_of(held.leaf),
        chain=chain,
        checked_for=moment,
        claimed_at=held.claimed_at,
        warnings=("revocation not checked", claimed, *(warning.detail for warning in held.warnings)),
    )


def read_json(data: bytes, where: str = "") -> Any:
    """Read JSON of which there is one reading; raise DocumentUnreadable for any other."""
    try:
        return json_canonical.loads(data)
    except JsonInvalid as problem:
        raise DocumentUnreadable(where or problem.where, problem.detail or "not JSON") from problem


def _signature(element: object) -> Mapping[str, Any]:
    if not isinstance(element, dict) or not element.keys() <= _ELEMENT:
        raise SignatureMisplaced("signature", "not a Signature that is understood")
    if element.get("sigFormat") != jws.SIG_FORMAT:
        raise SignatureMisplaced("signature.sigFormat", "not application/jose")
    return element


def _compact(element: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Return the protected header as it is encoded, and the signature."""
    parts = _base64(element.get("data"), "signature.data").split(b".")
    if len(parts) != 3 or not parts[0] or not parts[2]:
        raise SignatureMisplaced("signature.data", "not a compact JWS")
    if parts[1]:
        raise SignatureMisplaced("signature.data", "the payload is not detached")
    _base64url(parts[0])
    return parts[0], _base64url(parts[2])


def _header(protected: bytes) -> Mapping[str, Any]:
    header = read_json(_base64url(protected), "header")
    if not isinstance(header, dict):
        raise HeaderRefused("header", "not an object")
    for name in sorted(header.keys() - _HEADERS):
        raise HeaderRefused("header", f"{name[:20]} is not accepted" if name.isalnum() else "a name not accepted")
    if ("b64" in header or "crit" in header) and not (header.get("b64") is False and header.get("crit") == ["b64"]):
        raise HeaderRefused("header", "crit and b64 other than RFC 7797 has them")
    if header.get("typ", "JOSE") not in ("JOSE", "jose"):
        raise HeaderRefused("header", "typ is not JOSE")
    return header


def _form(element: Mapping[str, Any], header: Mapping[str, Any]) -> str:
    """Tell which canonical form was signed: header and element must not contradict each other."""
    target = element.get("targetFormat", jws.TARGET_FORMAT)
    named = _TARGETS.get(target) if isinstance(target, str) else None
    if named is None:
        raise HeaderRefused("signature.targetFormat", "not accepted")
    form = header.get("canon", named or jws.RFC8785)
    if not isinstance(form, str) or form not in jws.CANONICAL_FORMS or (named and named != form):
        raise HeaderRefused("header", "canon is not accepted")
    return form


def _certificates(header: Mapping[str, Any]) -> list[x509.Certificate]:
    encoded = header.get("x5c")
    if not isinstance(encoded, list) or not 0 < len(encoded) <= _MAXIMUM_CERTIFICATES:
        raise KeyInfoRefused("x5c", f"1 to {_MAXIMUM_CERTIFICATES} certificates expected")
    try:
        return [certificates.from_der(_base64(one, "x5c")) for one in encoded]
    except ValueError as problem:
        raise KeyInfoRefused("x5c", str(problem)) from problem


def _check_signature(header: Mapping[str, Any], leaf: x509.Certificate, signature: bytes, data: bytes) -> None:
    name = header.get("alg")
    if not isinstance(name, str) or name not in ALGORITHMS:
        raise AlgorithmRefused("alg", "algorithm not accepted")
    try:
        key = certificates.public_key(leaf)
        algorithm = algorithm_for(key, name)
    except KeyUnsuitable as problem:
        raise AlgorithmRefused(problem.where, problem.detail) from problem
    if not algorithm.holds(key, signature, data):
        raise SignatureValueWrong("signature", "content changed after signing, or not made by the certificate's key")


def _check_element(element: Mapping[str, Any], header: Mapping[str, Any]) -> datetime | None:
    """Return the time that the header claims; the element must say the same time and the same purpose."""
    when, claimed = element.get("when"), header.get("sigT")
    if claimed is not None and claimed != when:
        raise HeaderRefused("signature.when", "not the time in the header")
    purposes = header.get("srCms")
    if purposes is not None:
        try:
            said = {one["commId"]["id"] for one in purposes}
            shown = {f"urn:oid:{one['code']}" for one in element["type"]}
        except (TypeError, KeyError) as problem:
            raise HeaderRefused("signature.type", "not understood") from problem
        if said != shown:
            raise HeaderRefused("signature.type", "not the purpose in the header")
    if claimed is None:
        return None
    if not isinstance(claimed, str) or not _INSTANT.fullmatch(claimed):
        raise HeaderRefused("sigT", "not an instant")
    try:
        return datetime.fromisoformat(claimed).astimezone(UTC)
    except (ValueError, OverflowError) as problem:
        raise HeaderRefused("sigT", "not an instant") from problem


def _check_written(header: Mapping[str, Any], written_sha256: Callable[[], str]) -> bool:
    """Check the digits, and the parts of the element that the payload does not hold; False when nobody vouches for them."""
    expected = header.get(jws.WRITTEN)
    if expected is None:
        return False
    if written_sha256() != expected:
        raise ContentChanged("Bundle", "digits of a number, or the Signature element, changed after signing")
    return True


def _base64(text: Any, where: str) -> bytes:
    """Return the decoded content, refusing every spelling but the canonical one."""
    try:
        octets = b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError) as problem:
        raise DocumentUnreadable(where, "not base64") from problem
    if not octets or b64encode(octets).decode() != text:
        raise DocumentUnreadable(where, "not base64")
    return octets


def _base64url(text: bytes) -> bytes:
    try:
        octets = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as problem:
        raise DocumentUnreadable("signature.data", "not base64url") from problem
    if jws.base64url(octets) != text:
        raise DocumentUnreadable("signature.data", "not base64url")
    return octets
