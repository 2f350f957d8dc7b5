"""Put times on hashes: RFC 3161 over HTTP. It stamps with its own clock and keeps nothing.

Standard: RFC 3161; RFC 5816 for the certificate's identifier
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any, ClassVar, Final

from asn1crypto import core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding

from conformance.sandbox import der
from conformance.sandbox.authority import Authority
from conformance.sandbox.codes import TSA_FAILURES
from conformance.sandbox.faults import Call, PaperNames
from conformance.sandbox.holders import Credential
from conformance.sandbox.wire import Received, Reply

PATH: Final = "/tsa"
QUERY_TYPE: Final = "application/timestamp-query"
REPLY_TYPE: Final = "application/timestamp-reply"
POLICY: Final = "2.999.3161.1"
"""The one policy, under the arc for examples."""
OTHER_POLICY: Final = "2.999.3161.9"
_V1, _V3 = b"\x02\x01\x01", b"\x02\x01\x03"
_SIGNED_DATA: Final = der.oid("1.2.840.113549.1.7.2")
_TST_INFO: Final = der.oid("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE: Final = der.oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST: Final = der.oid("1.2.840.113549.1.9.4")
_SIGNING_TIME: Final = der.oid("1.2.840.113549.1.9.5")
_SIGNING_CERTIFICATE: Final = der.oid("1.2.840.113549.1.9.16.2.47")
_SHA256: Final = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"))
_LENGTHS: Final = {"sha256": 32, "sha384": 48, "sha512": 64}


class _FailureError(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class TimeStampingAuthority:
    """Answer `POST /tsa`."""

    name: ClassVar[str] = "tsa"

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def call(self, request: Received) -> Call | None:
        """Know the one call."""
        return Call.SUBMIT if request.method == "POST" and request.path.rstrip("/") == PATH else None

    def answer(self, call: Call, request: Received) -> Reply:
        """Stamp, or say why not."""
        return self.distort(call, request, "")

    def names(self, request: Received) -> PaperNames:
        """Know a request by the hash to be stamped, in hex."""
        try:
            imprint = _read(request)["message_imprint"]["hashed_message"].native.hex()
        except _FailureError:
            imprint = ""
        return PaperNames(hashlib.sha256(request.body).hexdigest(), imprint, "")

    def refuse(self, request: Received, code: str | None) -> Reply:
        """Refuse with a PKIFailureInfo; `timeNotAvailable` unless told otherwise."""
        return _rejection(code or "timeNotAvailable")

    def distort(self, call: Call, request: Received, code: str) -> Reply:
        """Stamp wrongly in the way `code` names."""
        if request.media_type != QUERY_TYPE:
            return Reply(415, b"", "text/plain")
        try:
            asked = _read(request)
        except _FailureError as failure:
            return _rejection(failure.name)
        token = self._token(asked, code)
        status = {"status": "granted"}
        if code == "granted_with_mods":
            status = {"status": "granted_with_mods"}
        answer = der.sequence(tsp.PKIStatusInfo(status).dump(), token)
        return Reply(200, answer[: len(answer) // 2] if code == "malformed" else answer, REPLY_TYPE)

    def _token(self, asked: Any, code: str) -> bytes:
        """Make the ContentInfo. By hand: the library encodes every layer anew for each one around it.

        Standard: RFC 5652 §5
        """
        content = bytes(tsp.TSTInfo(self._info(asked, code)).dump())
        signer = self._signer(code)
        attributes = self._attributes(content, signer)
        algorithm, signature = der.sign(signer.key, der.set_of(0x31, attributes))
        if code == "bad_signature":
            signature = der.spoilt(signature)
        certificate = signer.certificate
        serial = bytes(core.Integer(certificate.serial_number).dump())
        signer_info = der.sequence(
            _V1,
            der.sequence(certificate.issuer.public_bytes(), serial),
            _SHA256,
            der.set_of(0xA0, attributes),
            algorithm.dump(),
            der.element(0x04, signature),
        )
        above = b""
        if asked["cert_req"].native and code != "no_certificate":
            above = der.set_of(0xA0, [signer.der, *(one.public_bytes(Encoding.DER) for one in signer.chain[:-1])])
        inner = der.sequence(_TST_INFO, der.element(0xA0, der.element(0x04, content)))
        signed = der.sequence(_V3, der.element(0x31, _SHA256), inner, above, der.element(0x31, signer_info))
        return der.sequence(_SIGNED_DATA, der.element(0xA0, signed))

    def _info(self, asked: Any, code: str) -> dict[str, Any]:
        moment = der.whole_second(self._authority.clock())
        imprint = asked["message_imprint"]
        if code == "wrong_imprint":
            other = der.spoilt(imprint["hashed_message"].native)
            imprint = {"hash_algorithm": imprint["hash_algorithm"], "hashed_message": other}
        info: dict[str, Any] = {
            "version": "v1",
            "policy": OTHER_POLICY if code == "wrong_policy" else POLICY,
            "message_imprint": imprint,
            "serial_number": secrets.randbits(127) + 1,
            "gen_time": moment - timedelta(days=1) if code == "yesterday" else moment,
            "accuracy": {"seconds": 1},
        }
        nonce = asked["nonce"].native
        if code == "wrong_nonce":
            nonce = (nonce or 0) + 1
        if nonce is not None and code != "no_nonce":
            info["nonce"] = nonce
        name = self._authority.time_stamper().certificate.subject.public_bytes()
        info["tsa"] = asn1_x509.GeneralName.load(der.element(0xA4, name))
        return info

    def _attributes(self, content: bytes, signer: Credential) -> list[bytes]:
        moment = core.UTCTime(der.whole_second(self._authority.clock())).dump()
        certificate = der.sequence(der.element(0x04, hashlib.sha256(signer.der).digest()))  # ESSCertIDv2, SHA-256
        return [
            der.sequence(_CONTENT_TYPE, der.element(0x31, _TST_INFO)),
            der.sequence(_SIGNING_TIME, der.element(0x31, moment)),
            der.sequence(_MESSAGE_DIGEST, der.element(0x31, der.element(0x04, hashlib.sha256(content).digest()))),
            der.sequence(_SIGNING_CERTIFICATE, der.element(0x31, der.sequence(der.sequence(certificate)))),
        ]

    def _signer(self, code: str) -> Credential:
        if code == "wrong_signer":
            return self._authority.stranger("Stranger TSA")
        if code == "wrong_purpose":
            return self._authority.nobody_in_particular()
        return self._authority.time_stamper(expired=code == "expired_certificate")


def _read(request: Received) -> Any:
    """Read a request. Raises _FailureError with the name of RFC 3161 §2.4.2."""
    try:
        asked = tsp.TimeStampReq.load(request.body, strict=True)
        content = asked.native  # reads every field
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise _FailureError("badRequest") from error
    if content["version"] != "v1":
        raise _FailureError("badRequest")
    algorithm = content["message_imprint"]["hash_algorithm"]["algorithm"]
    if algorithm not in _LENGTHS:
        raise _FailureError("badAlg")
    if len(content["message_imprint"]["hashed_message"]) != _LENGTHS[algorithm]:
        raise _FailureError("badDataFormat")
    if content["req_policy"] not in (None, POLICY):
        raise _FailureError("unacceptedPolicy")
    if content["extensions"]:
        raise _FailureError("unacceptedExtension")
    return asked


def _rejection(name: str) -> Reply:
    status = {"status": "rejection", "status_string": [name], "fail_info": {TSA_FAILURES[name]}}
    return Reply(200, der.sequence(tsp.PKIStatusInfo(status).dump()), REPLY_TYPE)
