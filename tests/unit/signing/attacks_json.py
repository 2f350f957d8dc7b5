"""Attacks on signed FHIR Bundles."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from signing import faults, jws, provenance
from tests.unit.signing.attacks import Case, invalid, valid
from tests.unit.signing.forge import SIGNED, World, b64, der

CASES: list[Case] = []
WHEN = SIGNED.isoformat().replace("+00:00", "Z")
BUNDLE: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "document",
    "entry": [{"resource": {"id": "a", "value": 45}}],
}


def _url(data: bytes) -> str:
    return jws.base64url(data).decode()


def _bundle(
    w: World,
    change: Callable[[dict[str, Any]], object] = lambda _: None,
    *,
    seal: Callable[[bytes], bytes] | None = None,
    element: Callable[[dict[str, Any]], object] = lambda _: None,
    header: str = "",
    payload: bool = False,
) -> str:
    """A Bundle whose signer wrote a header as `change` makes it, or the text `header`."""
    said: dict[str, Any] = {"alg": "RS256", "sigT": WHEN, "x5c": [b64(der(one)) for one in w.person.memory.chain]}
    change(said)
    protected = _url((header or json.dumps(said)).encode())
    content = json.dumps(BUNDLE, sort_keys=True, separators=(",", ":")).encode()
    data = f"{protected}.{_url(content)}".encode()
    value = (seal or (lambda d: w.person.key.sign(d, padding.PKCS1v15(), hashes.SHA256())))(data)
    compact = f"{protected}.{_url(content) if payload else ''}.{_url(value)}"
    signature: dict[str, Any] = {
        "type": [{"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.1"}],
        "when": WHEN,
        "who": {"display": "BS"},
        "targetFormat": "application/fhir+json",
        "sigFormat": "application/jose",
        "data": b64encode(compact.encode()).decode(),
    }
    element(signature)
    return json.dumps({**BUNDLE, "signature": signature})


def _set(**more: Any) -> Callable[[dict[str, Any]], object]:
    return lambda said: said.update(more)


def _public(w: World) -> bytes:
    return w.person.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _twice(w: World) -> str:
    chain = json.dumps([b64(der(one)) for one in w.person.memory.chain])
    return _bundle(w, header=f'{{"alg":"none","alg":"RS256","x5c":{chain}}}')


CASES += [
    valid("JWS", _bundle),
    invalid("JWS alg none", faults.SignatureMisplaced, lambda w: _bundle(w, _set(alg="none"), seal=lambda _: b"")),
    invalid(
        "JWS alg none with a value",
        faults.AlgorithmRefused,
        lambda w: _bundle(w, _set(alg="none"), seal=lambda _: b"x"),
    ),
    invalid(
        "JWS HS256 with the public key",
        faults.AlgorithmRefused,
        lambda w: _bundle(w, _set(alg="HS256"), seal=lambda d: hmac.digest(_public(w), d, hashlib.sha256)),
    ),
    invalid("JWS ES256 over an RSA key", faults.AlgorithmRefused, lambda w: _bundle(w, _set(alg="ES256"))),
    invalid("JWS another RSA padding named", faults.SignatureValueWrong, lambda w: _bundle(w, _set(alg="PS256"))),
    invalid("JWS alg unknown", faults.AlgorithmRefused, lambda w: _bundle(w, _set(alg="rs256"))),
    invalid("JWS jku", faults.HeaderRefused, lambda w: _bundle(w, _set(jku="https://a.example/keys"))),
    invalid("JWS jwk", faults.HeaderRefused, lambda w: _bundle(w, _set(jwk={"kty": "RSA"}))),
    invalid("JWS x5u", faults.HeaderRefused, lambda w: _bundle(w, _set(x5u="https://a.example/c.pem"))),
    invalid("JWS crit", faults.HeaderRefused, lambda w: _bundle(w, _set(crit=["sigT"]))),
    invalid(
        "JWS b64 false over an encoded payload",
        faults.SignatureValueWrong,
        lambda w: _bundle(w, _set(b64=False, crit=["b64"])),
    ),
    invalid("JWS b64 false without crit", faults.HeaderRefused, lambda w: _bundle(w, _set(b64=False))),
    invalid("JWS b64 true with crit", faults.HeaderRefused, lambda w: _bundle(w, _set(b64=True, crit=["b64"]))),
    invalid("JWS b64 as a word", faults.HeaderRefused, lambda w: _bundle(w, _set(b64=0, crit=["b64"]))),
    invalid("JWS crit of more", faults.HeaderRefused, lambda w: _bundle(w, _set(b64=False, crit=["b64", "sigT"]))),
    invalid("JWS zip", faults.HeaderRefused, lambda w: _bundle(w, _set(zip="DEF"))),
    invalid("JWS header with a name twice", faults.DocumentUnreadable, _twice),
    invalid("JWS without certificates", faults.KeyInfoRefused, lambda w: _bundle(w, lambda said: said.pop("x5c"))),
    invalid(
        "JWS certificate of somebody else",
        faults.SignatureValueWrong,
        lambda w: _bundle(w, _set(x5c=[b64(der(w.other.certificate))])),
    ),
    invalid("JWS payload inside", faults.SignatureMisplaced, lambda w: _bundle(w, payload=True)),
    invalid(
        "JWS truncated", faults.SignatureMisplaced, lambda w: _bundle(w, element=lambda e: e.update(data=b64(b"e30.")))
    ),
    invalid(
        "JWS time in the element changed",
        faults.HeaderRefused,
        lambda w: _bundle(w, element=_set(when="2026-04-01T08:00:00Z")),
    ),
    invalid(
        "JWS another signature format",
        faults.SignatureMisplaced,
        lambda w: _bundle(w, element=_set(sigFormat="application/signature+xml")),
    ),
    invalid("JWS another canonical form named", faults.HeaderRefused, lambda w: _bundle(w, _set(canon="urn:none"))),
    invalid(
        "JWS content changed", faults.SignatureValueWrong, lambda w: _bundle(w).replace('"value": 45', '"value": 450')
    ),
    invalid(
        "JWS a name twice in the Bundle",
        faults.DocumentUnreadable,
        lambda w: _bundle(w).replace('"value": 45', '"value": 450, "value": 45'),
    ),
    invalid(
        "JWS time in the future",
        faults.SignatureInvalid,
        lambda w: _bundle(w, _set(sigT="2026-09-01T08:00:00Z"), element=_set(when="2026-09-01T08:00:00Z")),
    ),
    invalid("JSON that is no Bundle", faults.DocumentUnreadable, lambda _: '{"resourceType": "Patient"}'),
    invalid("Bundle not signed", faults.NotSigned, lambda _: json.dumps(BUNDLE)),
]

PAPER: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "document",
    "identifier": {"system": "urn:s", "value": "7"},
    "entry": [{"fullUrl": "urn:c", "resource": {"resourceType": "Composition"}}, *BUNDLE["entry"]],
}


def _stated(
    w: World,
    change: Callable[[dict[str, Any]], object] = lambda _: None,
    *,
    entry: Callable[[dict[str, Any]], object] = lambda _: None,
    paper: Callable[[dict[str, Any]], object] = lambda _: None,
) -> str:
    """A document with a signed Provenance in it, changed afterwards."""
    key = w.person.memory
    prepared = provenance.prepare(json.dumps(PAPER).encode(), key.chain, at=SIGNED, who={"display": "BS"})
    stated = json.loads(jws.inject(prepared, key.sign(prepared.to_be_signed, prepared.algorithm)))
    change(stated)
    held = {"resource": stated}
    entry(held)
    whole = json.loads(json.dumps({**PAPER, "entry": [*PAPER["entry"], held]}))
    paper(whole)
    return json.dumps(whole)


def _in_agent(**said: Any) -> Callable[[dict[str, Any]], object]:
    return lambda one: one["agent"][0].update(said)


def _sealed_before(w: World) -> str:
    """A document whose Bundle was signed before somebody put a Provenance into it."""
    key = w.other.memory
    sealed = json.loads(jws.sign(json.dumps(PAPER).encode(), key, who={"display": "BV"}, at=SIGNED))
    return json.dumps({**json.loads(_stated(w)), "signature": sealed["signature"]})


CASES += [
    valid("Provenance with a signature", _stated),
    invalid(
        "Provenance, the document changed",
        faults.SignatureValueWrong,
        lambda w: _stated(w, paper=lambda one: one["entry"][1]["resource"].update(value=450)),
    ),
    invalid("Provenance, another role", faults.ContentChanged, lambda w: _stated(w, _in_agent(role=[{"text": "x"}]))),
    invalid(
        "Provenance, another person named",
        faults.SignatureMisplaced,
        lambda w: _stated(w, _in_agent(who={"display": "GĐ"})),
    ),
    invalid("Provenance, another day", faults.ContentChanged, lambda w: _stated(w, _set(recorded="2026-01-01"))),
    invalid(
        "Provenance of another version of the document",
        faults.ReferenceRefused,
        lambda w: _stated(w, paper=lambda one: one["identifier"].update(value="8")),
    ),
    invalid(
        "Provenance with two targets",
        faults.ReferenceRefused,
        lambda w: _stated(w, lambda one: one["target"].append({"reference": "Patient/1"})),
    ),
    invalid(
        "Provenance with two signatures",
        faults.SignatureMisplaced,
        lambda w: _stated(w, lambda one: one["signature"].append(dict(one["signature"][0]))),
    ),
    invalid(
        "Provenance with something beside it that nobody signed",
        faults.SignatureMisplaced,
        lambda w: _stated(w, entry=_set(search={"mode": "match"})),
    ),
    invalid("Provenance put in after the Bundle was signed", faults.SignatureValueWrong, _sealed_before),
]
