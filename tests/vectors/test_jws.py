"""JSON Web Signatures: RFC 7515, RFC 7520 (cookbook) and RFC 7797, as joserfc carries them.

The vectors name keys, not certificates, and sign other things than Bundles, so their arithmetic goes through
`signing.algorithms`, and as signatures of a Bundle each is refused for what it lacks.
"""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.jwk import ECKey, RSAKey

from mappings.formats.faults import SigningFault
from signing import verify_jws
from signing.algorithms import ALGORITHMS
from tests.vectors.conftest import package, table

CASES = [
    (file, case)
    for file in ("jws_examples", "jws_rfc7520", "jws_rfc7797", "jwt_use_jws")
    for case in table("joserfc", f"tests/fixtures/{file}.json")
    if case.keys() & {"compact", "token"}
]
REFUSED = {"HS256", "HS384", "HS512", "ES512"}
"""Secrets that both sides know prove nothing to a third; P-521 is no curve of the certificates here."""


RFC7515_A3 = (
    "eyJhbGciOiJFUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
RFC7515_A3_KEY: dict[str, str | list[str]] = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}


def _id(case: tuple[str, dict[str, Any]]) -> str:
    return f"{case[0]}: {case[1]['name']}"


def _algorithm(case: dict[str, Any]) -> str:
    return str(json.loads(_decoded(_parts(case)[0]))["alg"])


def _parts(case: dict[str, Any]) -> list[str]:
    return str(case.get("compact") or case["token"]).split(".")


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _key(name: str) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    folder = package("joserfc")
    assert folder is not None
    file: Path = folder / "tests" / "keys" / name
    if file.suffix == ".pem":
        found = serialization.load_pem_public_key(file.read_bytes())
    else:
        members = json.loads(file.read_text(encoding="utf-8"))
        found = (RSAKey if members["kty"] == "RSA" else ECKey).import_key(members).public_key
    assert isinstance(found, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)
    return found


KNOWN = [case for case in CASES if _algorithm(case[1]) in ALGORITHMS and "public_key" in case[1]]


@pytest.mark.parametrize("case", KNOWN, ids=_id)
def test_signature_holds_over_its_payload_and_over_nothing_else(case: tuple[str, dict[str, Any]]) -> None:
    protected, payload, signature = _parts(case[1])
    algorithm, key = ALGORITHMS[_algorithm(case[1])], _key(case[1]["public_key"])
    data = f"{protected}.{payload}".encode()
    value = _decoded(signature)
    assert algorithm.fits(key)
    assert algorithm.holds(key, value, data)
    assert not algorithm.holds(key, value, data + b"x")
    assert not algorithm.holds(key, bytes([value[0] ^ 1]) + value[1:], data)


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_it_is_no_signature_of_a_bundle(case: tuple[str, dict[str, Any]]) -> None:
    protected, _, signature = _parts(case[1])
    data = b64encode(f"{protected}..{signature}".encode()).decode()
    element = {"sigFormat": "application/jose", "data": data}
    with pytest.raises(SigningFault) as raised:
        verify_jws.read(json.dumps({"resourceType": "Bundle", "signature": element}).encode())
    assert raised.value.code in (5085, 5087, 5091)


def test_rfc7515_appendix_a3() -> None:
    protected, payload, signature = RFC7515_A3.split(".")
    key = ECKey.import_key(RFC7515_A3_KEY).public_key
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert ALGORITHMS["ES256"].holds(key, _decoded(signature), f"{protected}.{payload}".encode())
    assert not ALGORITHMS["ES256"].holds(key, _decoded(signature), f"{protected}.{payload}A".encode())


def test_what_is_named_and_what_is_run() -> None:
    named = {_algorithm(case) for _, case in CASES}
    assert named - REFUSED == {"RS256", "RS384", "RS512", "PS384"}
    assert named & REFUSED == REFUSED
    assert not REFUSED & ALGORITHMS.keys()
    assert len(KNOWN) == 8
