"""A time-stamping authority in memory, with a knob for everything it can do wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from signing import timestamp_token
from signing.testing import Authority, new_rsa_key
from signing.timestamp_token import Token

POLICY = "1.2.3.4.1"


def tsa_certificate(
    authority: Authority,
    public_key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    *,
    usages: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.TIME_STAMPING,),
    critical: bool = True,
    end: datetime | None = None,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "TSA thử")]))
        .issuer_name(authority.certificate.subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(end or now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=critical)
    return builder.sign(authority.private_key, hashes.SHA256())


@dataclass
class Tsa:
    """Change `wrong` (and the fields beside it) between calls; empty is an honest answer."""

    private_key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: x509.Certificate
    issuers: tuple[x509.Certificate, ...] = ()
    wrong: str = ""
    at: datetime | None = None
    pss: bool = False
    asked: int = 0

    @classmethod
    def of(cls, authority: Authority) -> Tsa:
        key = new_rsa_key()
        return cls(key, tsa_certificate(authority, key.public_key()), authority.issuers)

    def token(self, data: bytes, hash_name: str = "sha256") -> Token:
        """Stamp `data` without being asked over the wire."""
        imprint = {"hash_algorithm": {"algorithm": hash_name}, "hashed_message": hashlib.new(hash_name, data).digest()}
        return timestamp_token.read(self._token(tsp.MessageImprint(imprint), None, POLICY))

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Be the server behind `httpx.MockTransport`."""
        self.asked += 1
        assert request.headers["Content-Type"] == "application/timestamp-query"
        match self.wrong:
            case "unreachable":
                raise httpx.ConnectError("nobody there")
            case "silent":
                raise httpx.ReadTimeout("nothing came")
            case "busy":
                return httpx.Response(503)
            case "page":
                return httpx.Response(200, content=b"<html>maintenance</html>")
            case "long":
                return httpx.Response(200, content=b"\x30" * 300_000)
        asked = tsp.TimeStampReq.load(request.content)
        assert asked["cert_req"].native
        if self.wrong == "refusal":
            status = tsp.PKIStatusInfo({"status": "rejection", "fail_info": {"time_not_available"}})
            return httpx.Response(200, content=core.SequenceOf([status], spec=tsp.PKIStatusInfo).dump())
        imprint, nonce = asked["message_imprint"], asked["nonce"].native
        if self.wrong == "nonce":
            nonce += 1
        elif self.wrong == "no nonce":
            nonce = None
        elif self.wrong == "imprint":
            other = hashlib.sha256(b"other").digest()
            imprint = tsp.MessageImprint({"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": other})
        policy = asked["req_policy"].native or POLICY
        token = self._token(imprint, nonce, "1.2.3.4.9" if self.wrong == "policy" else policy)
        answer = tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": cms.ContentInfo.load(token)})
        return httpx.Response(200, content=answer.dump())

    def _token(self, imprint: tsp.MessageImprint, nonce: int | None, policy: str) -> bytes:
        certificate = asn1_x509.Certificate.load(self.certificate.public_bytes(Encoding.DER))
        info: dict[str, Any] = {
            "version": "v1",
            "policy": policy,
            "message_imprint": imprint,
            "serial_number": 4711,
            "gen_time": (self.at or datetime.now(UTC)).replace(microsecond=0),
        }
        content = tsp.TSTInfo(info if nonce is None else info | {"nonce": nonce}).dump()
        named = self.certificate if self.wrong != "named" else self.issuers[0]
        ess = {"certs": [{"cert_hash": named.fingerprint(hashes.SHA256())}]}
        digest = hashlib.sha256(content + (b"x" if self.wrong == "digest" else b"")).digest()
        twice = [cms.CMSAttribute({"type": "message_digest", "values": [digest]})] if self.wrong == "twice" else []
        attributes = cms.CMSAttributes(
            [
                *twice,
                cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
                cms.CMSAttribute({"type": "message_digest", "values": [digest]}),
                cms.CMSAttribute({"type": "signing_certificate_v2", "values": [tsp.SigningCertificateV2(ess)]}),
            ]
        )
        signature, method = self._sign(attributes.dump() + (b"x" if self.wrong == "signature" else b""))
        embedded = (
            []
            if self.wrong == "no certificate"
            else [certificate, *map(_asn1, self.issuers)] * (6 if self.wrong == "many" else 1)
        )
        signer = {
            "version": "v1",
            "sid": cms.SignerIdentifier(
                "issuer_and_serial_number",
                {"issuer": certificate.issuer, "serial_number": certificate.serial_number},
            ),
            "digest_algorithm": {"algorithm": "sha256"},
            "signed_attrs": attributes,
            "signature_algorithm": method,
            "signature": signature,
        }
        signed = {
            "version": "v3",
            "digest_algorithms": [{"algorithm": "sha256"}],
            "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(content)},
            "certificates": embedded,
            "signer_infos": [signer],
        }
        return bytes(cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)}).dump())

    def _sign(self, data: bytes) -> tuple[bytes, dict[str, Any]]:
        if isinstance(self.private_key, ec.EllipticCurvePrivateKey):
            return self.private_key.sign(data, ec.ECDSA(hashes.SHA256())), {"algorithm": "sha256_ecdsa"}
        if self.pss:
            form = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            parameters = {
                "hash_algorithm": {"algorithm": "sha256"},
                "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": "sha256"}},
                "salt_length": 32,
            }
            method = {"algorithm": "rsassa_pss", "parameters": parameters}
            return self.private_key.sign(data, form, hashes.SHA256()), method
        return self.private_key.sign(data, padding.PKCS1v15(), hashes.SHA256()), {"algorithm": "sha256_rsa"}


def _asn1(certificate: x509.Certificate) -> Any:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
