"""Detached JWS of RFC 7515 and RFC 7797 between us and other people's software: joserfc, and Node's own cryptography."""

from __future__ import annotations

import json
import shutil
import subprocess
from base64 import b64decode, b64encode, urlsafe_b64decode
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws as joserfc
from joserfc.errors import BadSignatureError
from joserfc.jwk import RSAKey

from signing import jws, provenance
from signing.algorithms import ALGORITHMS
from signing.faults import SignatureInvalid
from signing.testing import Authority, MemoryKey
from signing.validation import Trust, validate
from signing.verify_jws import verify
from tests.unit.signing.test_jws import ANYTHING_GOES, AT, BUNDLE, WHO, parts, signed, unsigned

NODE = shutil.which("node")
PEER = """
const c = require("crypto"), fs = require("fs");
const v = JSON.parse(fs.readFileSync(0));
const [head, body, value] = v.compact.split(".");
const header = JSON.parse(Buffer.from(head, "base64url"));
const key = new c.X509Certificate(Buffer.from(header.x5c[0], "base64")).publicKey;
const bare = Buffer.from(v.payload, "base64");
const payload = header.b64 === false ? bare : bare.toString("base64url");
const data = Buffer.concat([Buffer.from(head + "."), Buffer.from(payload)]);
const pss = { padding: c.constants.RSA_PKCS1_PSS_PADDING, saltLength: c.constants.RSA_PSS_SALTLEN_DIGEST };
const curve = { dsaEncoding: "ieee-p1363" };
const how = { key, ...({ PS: pss, ES: curve }[header.alg.slice(0, 2)] ?? {}) };
const good = body === "" && c.verify("sha" + header.alg.slice(2), data, how, Buffer.from(value, "base64url"));
process.stdout.write(String(good));
"""


def node_says(compact: bytes, payload: bytes) -> bool:
    assert NODE is not None
    asked = json.dumps({"compact": compact.decode(), "payload": b64encode(payload).decode()})
    done = subprocess.run([NODE, "-e", PEER], input=asked.encode(), capture_output=True, timeout=60, check=True)
    return done.stdout == b"true"


def test_the_example_of_the_standard() -> None:
    """RFC 7515 appendix A.3."""
    x, y = (
        int.from_bytes(urlsafe_b64decode(f"{one}="))
        for one in ("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")
    )
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    head = b"eyJhbGciOiJFUzI1NiJ9"
    payload = b'{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'
    value = b"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    octets = urlsafe_b64decode(value + b"==")
    assert ALGORITHMS["ES256"].holds(key, octets, head + b"." + jws.base64url(payload))
    assert not ALGORITHMS["ES256"].holds(key, octets, head + b"." + jws.base64url(payload + b" "))


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if not name.startswith("ES")])
@pytest.mark.parametrize("canonical", jws.CANONICAL_FORMS)
def test_node_agrees_about_what_we_sign(algorithm: str, canonical: str, key: MemoryKey) -> None:
    prepared = jws.prepare(BUNDLE, key.chain, at=AT, who=WHO, algorithm=algorithm, canonical=canonical)
    final = jws.inject(prepared, key.sign(prepared.to_be_signed, algorithm))
    payload = urlsafe_b64decode(prepared.to_be_signed.partition(b".")[2] + b"==")
    compact = b64decode(json.loads(final)["signature"]["data"])
    assert node_says(compact, payload)
    assert not node_says(compact, payload.replace(b"document", b"documenu"))


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()], ids=["ES256", "ES384"])
def test_node_agrees_about_curves(curve: ec.EllipticCurve, issuing: Authority) -> None:
    key = issuing.issue_elliptic("Nguyễn Thị Ánh", curve)
    final = signed(key)
    compact = b64decode(json.loads(final)["signature"]["data"])
    assert node_says(compact, rfc8785.dumps(unsigned(final)))


def by_joserfc(key: MemoryKey, *, bare: bool, bundle: bytes = BUNDLE) -> bytes:
    """Let joserfc sign the Bundle, detached, its payload as it is or encoded."""
    value: dict[str, Any] = json.loads(bundle)
    header, _, _, _ = parts(signed(key, bundle))
    said: dict[str, Any] = {"alg": "RS256", "x5c": header["x5c"]}
    if bare:
        said |= {"b64": False, "crit": ["b64"]}
    content = rfc8785.dumps(value)
    whole = joserfc.serialize_compact(said, content, RSAKey.import_key(key.private_key), registry=ANYTHING_GOES)
    text = whole.encode() if isinstance(whole, str) else whole
    head, value_of = text.split(b".", 1)[0], text.rpartition(b".")[2]
    value["signature"] = {
        "type": [{"system": jws.PURPOSE_SYSTEM, "code": jws.AUTHOR.code}],
        "when": "2026-11-25T08:30:00.000Z",
        "who": WHO,
        "sigFormat": "application/jose",
        "data": b64encode(head + b".." + value_of).decode(),
    }
    return json.dumps(value).encode()


@pytest.mark.parametrize("bare", [False, True])
def test_we_believe_what_joserfc_signs(bare: bool, key: MemoryKey, root: Authority) -> None:
    final = by_joserfc(key, bare=bare)
    assert json.loads(verify(final, [root.certificate]).data) == json.loads(BUNDLE)
    told = validate(final, Trust([root.certificate]))
    assert told.verdict == "valid"
    if NODE:
        assert node_says(b64decode(json.loads(final)["signature"]["data"]), rfc8785.dumps(json.loads(BUNDLE)))
    with pytest.raises(SignatureInvalid):
        verify(final.replace(b'"document"', b'"collection"'), [root.certificate])


def test_one_reading_of_a_payload_is_not_the_other(key: MemoryKey, root: Authority) -> None:
    """A payload whose encoding is itself a document cannot be passed off: the header that says which is signed."""
    value = json.loads(by_joserfc(key, bare=True))
    head, _, signature = b64decode(value["signature"]["data"]).split(b".")
    said = json.loads(urlsafe_b64decode(head + b"=="))
    del said["b64"], said["crit"]
    other = jws.base64url(json.dumps(said).encode())
    value["signature"]["data"] = b64encode(other + b".." + signature).decode()
    with pytest.raises(SignatureInvalid):
        verify(json.dumps(value).encode(), [root.certificate])


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_joserfc_agrees_about_provenance(algorithm: str, key: MemoryKey) -> None:
    prepared = provenance.prepare(BUNDLE, key.chain, at=AT, who=WHO, algorithm=algorithm)
    made = json.loads(jws.inject(prepared, key.sign(prepared.to_be_signed, algorithm)))
    compact = b64decode(made["signature"][0]["data"])
    public = RSAKey.import_key(key.private_key)
    registry = type(ANYTHING_GOES)(algorithms=[algorithm], strict_check_header=False)
    joserfc.deserialize_compact(compact, public, registry=registry, payload=rfc8785.dumps(json.loads(BUNDLE)))
    with pytest.raises(BadSignatureError):
        joserfc.deserialize_compact(compact, public, registry=registry, payload=b"{}")
