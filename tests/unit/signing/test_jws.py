"""Signed FHIR Bundles: other people's code agrees with what is signed, and nothing else than that is believed."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from joserfc import jws as joserfc
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey, RSAKey

from mappings.formats.faults import SigningFault
from signing import jws
from signing.faults import (
    CertificateOutOfDate,
    CertificateUntrusted,
    DocumentUnsignable,
    KeyUnsuitable,
    NotSigned,
    SignatureInvalid,
)
from signing.testing import Authority, EllipticMemoryKey, MemoryKey, new_rsa_key
from signing.verify_jws import verify

AT = datetime(2026, 11, 25, 8, 30, tzinfo=UTC)
WHO = {"reference": "https://lienthong.vn/fhir/Organization/o1", "display": "Bệnh viện Thử"}
BUNDLE = (
    '{"resourceType":"Bundle","type":"document", "identifier":{"value":"1","system":"urn:s"},"entry":[{"resource":'
    '{"resourceType":"Observation","id":"a","meta":{"profile":["p"]},"note":[{"text":"Đỗ \\"Thị\\" \\u20ac\\n"}],'
    '"valueQuantity":{"value":4.50}}},{"resource":{"resourceType":"Observation","valueQuantity":{"value":1e2}}}]}\n'
).encode()


class Registry(joserfc.JWSRegistry):
    """joserfc with room for a chain of certificates in the header."""

    max_header_length = 16_000


ANYTHING_GOES = Registry(algorithms=["RS256", "ES256", "ES384"], strict_check_header=False)
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)


def elliptic(authority: Authority, curve: ec.EllipticCurve) -> EllipticMemoryKey:
    return authority.issue_elliptic("Nguyễn Thị Ánh", curve)


def signed(key: MemoryKey | EllipticMemoryKey, bundle: bytes = BUNDLE, **more: Any) -> bytes:
    prepared = jws.prepare(bundle, key.chain, at=AT, who=WHO, **more)
    if prepared.algorithm == "PS256":
        assert isinstance(key.private_key, rsa.RSAPrivateKey)
        return jws.inject(prepared, key.private_key.sign(prepared.to_be_signed, PSS, hashes.SHA256()))
    return jws.inject(prepared, key.sign(prepared.to_be_signed))


def parts(final: bytes) -> tuple[dict[str, Any], bytes, bytes, bytes]:
    """Give header, protected header as encoded, payload and signature, read without our code."""
    value = json.loads(final)
    protected, payload, signature = b64decode(value["signature"]["data"]).split(b".")
    return json.loads(decoded(protected)), protected, payload, decoded(signature)


def decoded(text: bytes) -> bytes:
    return urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def encoded(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def unsigned(final: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(final)
    del value["signature"]
    return value


def forged(
    key: MemoryKey,
    edit: Callable[[dict[str, Any]], object] = lambda header: None,
    *,
    head: Callable[[bytes], bytes] = lambda head: head,
    payload: bytes | None = None,
    shown: bytes = b"",
    element: Callable[[dict[str, Any]], object] = lambda element: None,
) -> bytes:
    """Let the rightful signer sign another header or payload than ours."""
    value = json.loads(signed(key))
    header, _, _, _ = parts(json.dumps(value).encode())
    edit(header)
    protected = encoded(head(json.dumps(header).encode()))
    content = payload if payload is not None else rfc8785.dumps(unsigned(json.dumps(value).encode()))
    signature = key.sign(protected + b"." + encoded(content))
    value["signature"]["data"] = b64encode(b".".join((protected, shown, encoded(signature)))).decode()
    element(value["signature"])
    return json.dumps(value).encode().replace(b'"value": 4.5}', b'"value": 4.50}').replace(b"100.0", b"1e2")


# ---- what is made ----


def test_every_byte_outside_the_signature_stays(key: MemoryKey) -> None:
    final = signed(key)
    start = final.index(b',"signature":')
    assert final[:start] + b"}\n" == BUNDLE
    assert list(json.loads(final))[-1] == "signature"


def test_the_element_says_who_when_and_why(key: MemoryKey) -> None:
    element = json.loads(jws.sign(BUNDLE, key, who=WHO))["signature"]
    assert element["who"] == WHO
    assert element["sigFormat"] == "application/jose"
    assert element["targetFormat"] == "application/fhir+json"
    assert [coding["code"] for coding in element["type"]] == ["1.2.840.10065.1.12.1.5"]
    assert datetime.now(UTC) - datetime.fromisoformat(element["when"]) < timedelta(minutes=1)


def test_the_header_holds_time_purpose_and_chain(key: MemoryKey) -> None:
    header, _, payload, _ = parts(signed(key, purpose=jws.AUTHOR))
    assert (header["alg"], header["sigT"], payload) == ("RS256", "2026-11-25T08:30:00.000Z", b"")
    assert header["srCms"][0]["commId"]["id"] == "urn:oid:1.2.840.10065.1.12.1.1"
    chain = [x509.load_der_x509_certificate(b64decode(one)) for one in header["x5c"]]
    assert chain == list(key.chain)
    assert not {"jku", "jwk", "x5u", "kid", "crit", "b64"} & header.keys()


def test_joserfc_and_a_bare_key_agree(key: MemoryKey) -> None:
    final = signed(key)
    payload = rfc8785.dumps(unsigned(final))
    _, protected, _, signature = parts(final)
    public = key.chain[0].public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(signature, protected + b"." + encoded(payload), padding.PKCS1v15(), hashes.SHA256())
    jose = RSAKey.import_key(public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1))
    compact = b64decode(json.loads(final)["signature"]["data"])
    assert joserfc.deserialize_compact(compact, jose, registry=ANYTHING_GOES, payload=payload).payload == payload
    with pytest.raises(BadSignatureError):
        joserfc.deserialize_compact(compact, jose, registry=ANYTHING_GOES, payload=payload + b" ")


@pytest.mark.parametrize(("curve", "name"), [(ec.SECP256R1(), "ES256"), (ec.SECP384R1(), "ES384")])
def test_curves(issuing: Authority, root: Authority, curve: ec.EllipticCurve, name: str) -> None:
    key = elliptic(issuing, curve)
    final = jws.sign(BUNDLE, key, at=datetime.now(UTC), who=WHO)
    assert parts(final)[0]["alg"] == name
    assert verify(final, [root.certificate]).signer.name == "Nguyễn Thị Ánh"
    jose = ECKey.import_key(
        key.chain[0]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    compact = b64decode(json.loads(final)["signature"]["data"])
    joserfc.deserialize_compact(compact, jose, registry=ANYTHING_GOES, payload=rfc8785.dumps(unsigned(final)))


def test_pss_when_asked_for(key: MemoryKey, root: Authority) -> None:
    final = signed(key, algorithm="PS256")
    assert parts(final)[0]["alg"] == "PS256"
    assert verify(final, [root.certificate]).chain[0] == key.chain[0]


def test_an_algorithm_must_fit_the_key(key: MemoryKey, issuing: Authority) -> None:
    for name in ("ES256", "HS256", "none", "RS1"):
        with pytest.raises(KeyUnsuitable):
            jws.prepare(BUNDLE, key.chain, at=AT, who=WHO, algorithm=name)
    with pytest.raises(KeyUnsuitable):
        jws.prepare(BUNDLE, elliptic(issuing, ec.SECP521R1()).chain, at=AT, who=WHO)
    with pytest.raises(KeyUnsuitable):
        jws.prepare(BUNDLE, issuing.issue("x", private_key=new_rsa_key(1024)).chain, at=AT, who=WHO)
    with pytest.raises(KeyUnsuitable):
        jws.prepare(BUNDLE, (), at=AT, who=WHO)


def test_no_document_leaves_with_a_wrong_pair(key: MemoryKey, issuing: Authority) -> None:
    prepared = jws.prepare(BUNDLE, key.chain, at=AT, who=WHO)
    with pytest.raises(KeyUnsuitable):
        jws.inject(prepared, issuing.issue("khác").sign(prepared.to_be_signed))


def test_what_is_not_signed(key: MemoryKey) -> None:
    for bundle in (
        b"",
        b"[]",
        b'{"resourceType":"Patient"}',
        signed(key),
        b"\xef\xbb\xbf" + BUNDLE,
        BUNDLE.replace(b'"type"', b'"type":"x","type"'),
        BUNDLE.replace(b"4.50", b"NaN"),
        BUNDLE.replace(b"4.50", b"1e999"),
        BUNDLE.replace(b"\\u20ac", b"\\ud800"),
        BUNDLE + b"{",
    ):
        with pytest.raises(DocumentUnsignable):
            jws.prepare(bundle, key.chain, at=AT, who=WHO)
    with pytest.raises(CertificateOutOfDate):
        jws.sign(BUNDLE, key, at=AT - timedelta(days=900), who=WHO)


# ---- what is believed ----


def test_result_is_what_was_signed_and_by_whom(key: MemoryKey, root: Authority) -> None:
    verified = verify(signed(key), [root.certificate])
    assert b'"value":4.50' in verified.data
    assert b'"value":1e2' in verified.data
    assert json.loads(verified.data) == json.loads(BUNDLE)
    assert verified.signer.name == "Nguyễn Thị Ánh"
    assert verified.chain == (*key.chain, root.certificate)
    assert verified.claimed_at == AT
    assert verified.warnings == ("revocation not checked", "signing time claimed by the signer")


def test_a_server_may_give_id_and_meta_and_another_order(key: MemoryKey, root: Authority) -> None:
    value = json.loads(signed(key), parse_float=lambda text: f"#{text}#", parse_int=str)
    moved = json.dumps(
        {"id": "77", "meta": {"versionId": "1"}, **dict(reversed(value.items()))}, indent=2, ensure_ascii=False
    )
    stored = moved.replace('"#', "").replace('#"', "").encode()
    assert verify(stored, [root.certificate]).data == verify(signed(key), [root.certificate]).data


def test_a_digit_is_protected(key: MemoryKey, root: Authority) -> None:
    final = signed(key)
    for other in (b"4.5", b"4.500", b"45e-1"):
        changed = final.replace(b"4.50", other)
        assert rfc8785.dumps(unsigned(changed)) == rfc8785.dumps(unsigned(final))
        with pytest.raises(SignatureInvalid, match="digits"):
            verify(changed, [root.certificate])


def test_hl7s_own_canonical_form_holds_the_digits_itself(key: MemoryKey, root: Authority) -> None:
    final = signed(key, canonical=jws.FHIR_JSON)
    target = json.loads(final)["signature"]["targetFormat"]
    assert target == "application/fhir+json;canonicalization=http://hl7.org/fhir/canonicalization/json#document"
    verified = verify(final, [root.certificate])
    _, protected, _, signature = parts(final)
    public = key.chain[0].public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(signature, protected + b"." + encoded(verified.data), padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(SignatureInvalid):
        verify(final.replace(b"4.50", b"4.5"), [root.certificate])


def test_a_signature_of_somebody_elses_software(key: MemoryKey, root: Authority) -> None:
    """No word of ours in the header: believed, with what nobody vouches for said."""

    def bare(header: dict[str, Any]) -> None:
        for name in (jws.WRITTEN, "sigT", "canon", "srCms", "typ"):
            del header[name]

    verified = verify(forged(key, bare), [root.certificate])
    assert json.loads(verified.data) == json.loads(BUNDLE)
    assert verified.claimed_at is None
    assert "digits of numbers are not protected" in verified.warnings
    assert "signature type, time and signer are not protected" in verified.warnings


def test_the_forger_of_these_tests_makes_good_ones_too(key: MemoryKey, root: Authority) -> None:
    assert verify(forged(key), [root.certificate]).claimed_at == AT


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"id":"a"', b'"id":"b"'),
        (b'"profile":["p"]', b'"profile":["q"]'),
        ("Đỗ".encode(), "Đồ".encode()),
        (b'"value":"1"', b'"value":"2"'),
        (b'"type":"document"', b'"type":"collection"'),
        (b"1e2", b"100"),
        (b"1.12.1.5", b"1.12.1.1"),
        (b'"display":"Verification', b'"display":"Author'),
        (b"08:30:00", b"08:31:00"),
        ("Bệnh viện Thử".encode(), "Bệnh viện Khác".encode()),
        (b'"sigFormat":"application/jose"', b'"sigFormat":"application/xml"'),
        (b'"targetFormat":"application/fhir+json"', b'"targetFormat":"text/plain"'),
        (b'"resourceType":"Bundle"', b'"resourceType":"Bundel"'),
        (b'"resourceType":"Bundle"', b'"resourceType":"Bundle","resourceType":"Bundle"'),
        (b'"resourceType":"Bundle"', b'"resourceType":"Bundle","total":1'),
        (b'"signature":{', b'"signature":{},"signature":{'),
        (b'"signature":{', b'"signature":{"extension":[],'),
        (b'"data":"', b'"data":" '),
        (b'"data":"', b'"data":"A'),
        (b"4.50", b"Infinity"),
        (b"\n", b"\xff"),
    ],
)
def test_any_change_is_found(key: MemoryKey, root: Authority, old: bytes, new: bytes) -> None:
    final = signed(key)
    assert old in final
    with pytest.raises(SignatureInvalid):
        verify(final.replace(old, new, 1), [root.certificate])


def test_every_byte_counts(key: MemoryKey, root: Authority) -> None:
    """Whatever single byte is changed: refused, or the same content in the same words."""
    final = signed(key)
    expected = verify(final, [root.certificate]).data
    believed = 0
    for position in range(0, len(final), 7):
        changed = bytearray(final)
        changed[position] ^= 0x01
        try:
            assert verify(bytes(changed), [root.certificate]).data == expected, position
            believed += 1
        except SigningFault:
            continue
    assert believed < 3


def test_unsigned_and_not_a_bundle(root: Authority) -> None:
    with pytest.raises(NotSigned):
        verify(BUNDLE, [root.certificate])
    for other in (b"", b"{}", b"[]", b"null", b"<a/>", b'{"resourceType":["Bundle"]}', b"[" * 100_000):
        with pytest.raises(SignatureInvalid):
            verify(other, [root.certificate])


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "HS256"},
        {"alg": "ES256"},
        {"alg": "PS256"},
        {"alg": "RS1"},
        {"alg": 256},
        {"alg": ["RS256"]},
        {"alg": None},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"b64": True},
        {"crit": []},
        {"crit": ["sigT"]},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/chain"},
        {"jwk": {"kty": "oct", "k": "AA"}},
        {"zip": "DEF"},
        {"enc": "A128GCM"},
        {"typ": "JWT"},
        {"canon": "http://hl7.org/fhir/canonicalization/json"},
        {"canon": "http://hl7.org/fhir/canonicalization/json#narrative"},
        {"canon": ["urn:ietf:rfc:8785#document"]},
        {"x5c": []},
        {"x5c": None},
        {"x5c": "AAAA"},
        {"x5c": [1]},
        {"x5c": ["AAAA"]},
        {"sigT": "2026-11-25T08:31:00.000Z"},
        {"sigT": 1795594200},
        {"srCms": []},
        {"srCms": [{"commId": {"id": "urn:oid:1.2.840.10065.1.12.1.1"}}]},
        {"srCms": "x"},
        {jws.WRITTEN: ""},
        {jws.WRITTEN: None, "Văn": 1},
    ],
    ids=str,
)
def test_headers_that_would_turn_a_verifier_round(key: MemoryKey, root: Authority, header: dict[str, Any]) -> None:
    """The rightful signer signed them, so only the rule about headers can refuse."""
    with pytest.raises(SignatureInvalid):
        verify(forged(key, lambda made: made.update(header)), [root.certificate])


def test_a_missing_chain_and_a_header_said_twice(key: MemoryKey, root: Authority) -> None:
    with pytest.raises(SignatureInvalid, match="x5c"):
        verify(forged(key, lambda header: header.pop("x5c")), [root.certificate])
    for head in (
        lambda text: text[:-1] + b',"alg":"RS256"}',
        lambda text: text[:-1] + b',"\\u0061lg":"none"}',
        lambda text: b"[" + text + b"]",
        lambda text: text + b" x",
        lambda text: b"\xff" + text,
    ):
        with pytest.raises(SignatureInvalid):
            verify(forged(key, head=head), [root.certificate])


def test_a_payload_is_never_taken_from_the_signature(key: MemoryKey, root: Authority) -> None:
    other = rfc8785.dumps({"resourceType": "Bundle", "type": "document"})
    for shown in (encoded(other), b"AA"):
        with pytest.raises(SignatureInvalid, match="detached"):
            verify(forged(key, payload=other, shown=shown), [root.certificate])
    with pytest.raises(SignatureInvalid):
        verify(forged(key, payload=other), [root.certificate])


def test_the_public_key_is_no_shared_secret(key: MemoryKey, root: Authority) -> None:
    """HS256 with the public key as secret, for a library that takes the algorithm from the header."""
    pem = (
        key.chain[0]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    value = json.loads(signed(key))
    header, _, _, _ = parts(json.dumps(value).encode())
    payload = rfc8785.dumps(unsigned(signed(key)))
    head = encoded(json.dumps({**header, "alg": "HS256"}).encode())
    seal = hmac.digest(pem, head + b"." + encoded(payload), "sha256")
    value["signature"]["data"] = b64encode(head + b".." + encoded(seal)).decode()
    with pytest.raises(SignatureInvalid, match="alg"):
        verify(json.dumps(value).encode(), [root.certificate])


def test_weak_keys_and_strangers(issuing: Authority, root: Authority, key: MemoryKey) -> None:
    weak = issuing.issue("yếu", private_key=new_rsa_key(1024))

    def with_chain(signer: MemoryKey, chain: tuple[x509.Certificate, ...]) -> bytes:
        encoded_chain = [b64encode(one.public_bytes(serialization.Encoding.DER)).decode() for one in chain]
        return forged(signer, lambda header: header.update(x5c=encoded_chain))

    prepared = jws.prepare(BUNDLE, key.chain, at=AT, who=WHO)
    value = json.loads(jws.inject(prepared, key.sign(prepared.to_be_signed)))
    header, _, _, _ = parts(json.dumps(value).encode())
    header["x5c"] = [b64encode(one.public_bytes(serialization.Encoding.DER)).decode() for one in weak.chain]
    protected = encoded(json.dumps(header).encode())
    seal = weak.sign(protected + b"." + encoded(rfc8785.dumps(unsigned(json.dumps(value).encode()))))
    value["signature"]["data"] = b64encode(protected + b".." + encoded(seal)).decode()
    with pytest.raises(SignatureInvalid, match="1024"):
        verify(json.dumps(value).encode(), [root.certificate])

    with pytest.raises(CertificateUntrusted):
        verify(signed(Authority.root("lạ").issue("Lạ")), [root.certificate])
    with pytest.raises(CertificateUntrusted):
        verify(signed(key), [])
    with pytest.raises(CertificateUntrusted):
        verify(signed(key), [root.certificate], datetime.now(UTC) + timedelta(days=900))
    with pytest.raises(CertificateUntrusted):
        verify(with_chain(key, key.chain[:1]), [root.certificate])  # nobody fetches what is missing
    with pytest.raises(SignatureInvalid):
        verify(with_chain(key, tuple(reversed(key.chain))), [root.certificate])  # the first certificate signs


def test_the_hash_of_what_is_written_can_be_made_by_hand(key: MemoryKey) -> None:
    """As the decision says it: sorted names, numbers as they stand, signature without its data."""
    final = signed(key)
    numbers = {"4.50": "#4.50#", "1e2": "#1e2#"}
    value = json.loads(final, parse_float=lambda text: numbers[text])
    del value["signature"]["data"]
    text = rfc8785.dumps(value).replace(b'"#', b"").replace(b'#"', b"")
    assert parts(final)[0][jws.WRITTEN].encode() == encoded(hashlib.sha256(text).digest())
