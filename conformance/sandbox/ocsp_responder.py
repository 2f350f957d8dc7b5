"""Answer whether certificates hold: OCSP over HTTP, by GET and POST, signed by a delegate of each authority.

Serials never issued, and authorities that are not ours, are answered `unknown`. Signatures of requests are not checked.

Standard: RFC 6960; RFC 9654 for the nonce
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import timedelta
from typing import Any, ClassVar, Final

from asn1crypto import core, ocsp
from cryptography import x509

from conformance.sandbox import der
from conformance.sandbox.authority import REASONS, Authority, IssuerName, Revocation
from conformance.sandbox.codes import OCSP_ERRORS
from conformance.sandbox.faults import Call, PaperNames
from conformance.sandbox.holders import Credential
from conformance.sandbox.wire import Received, Reply

PATH: Final = "/ocsp"
REQUEST_TYPE: Final = "application/ocsp-request"
RESPONSE_TYPE: Final = "application/ocsp-response"
LIFE: Final = timedelta(hours=1)
"""From thisUpdate to nextUpdate."""
_DAY: Final = timedelta(days=1)


class _BadRequestError(Exception):
    pass


class OcspResponder:
    """Answer for the register of one authority."""

    name: ClassVar[str] = "ocsp"

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def call(self, request: Received) -> Call | None:
        """Know POST to `/ocsp` and GET of `/ocsp/<base64>`."""
        if request.method == "POST":
            return Call.SUBMIT if request.path.rstrip("/") == PATH else None
        return Call.SUBMIT if request.method == "GET" and request.path.startswith(PATH + "/") else None

    def answer(self, call: Call, request: Received) -> Reply:
        """Answer as the register says."""
        return self.distort(call, request, "")

    def names(self, request: Received) -> PaperNames:
        """Know a question by the serial number asked for first: in hex as the key, in decimal as the identifier."""
        try:
            serial = _read(request)["tbs_request"]["request_list"][0]["req_cert"]["serial_number"].native
        except _BadRequestError:
            return PaperNames(hashlib.sha256(request.body).hexdigest(), "", "")
        return PaperNames(hashlib.sha256(request.body).hexdigest(), f"{serial:X}", str(serial))

    def refuse(self, request: Received, code: str | None) -> Reply:
        """Answer with an error instead of a status; `tryLater` unless told otherwise."""
        return _error(OCSP_ERRORS[code or "tryLater"])

    def distort(self, call: Call, request: Received, code: str) -> Reply:
        """Answer wrongly in the way `code` names."""
        if request.method == "POST" and request.media_type != REQUEST_TYPE:
            return Reply(415, b"", "text/plain")
        try:
            asked = _read(request)
        except _BadRequestError:
            return _error(OCSP_ERRORS["malformedRequest"])
        answer = self._respond(asked, code)
        return Reply(200, answer[: len(answer) // 2] if code == "malformed" else answer, RESPONSE_TYPE)

    def _respond(self, asked: Any, code: str) -> bytes:
        now = der.whole_second(self._authority.clock()) - (3 * _DAY if code == "stale" else timedelta())
        cert_ids = [one["req_cert"] for one in asked["tbs_request"]["request_list"]]
        issuers = [self._issuer(one) for one in cert_ids]
        issuer: IssuerName = next((one for one in issuers if one is not None), "issuing")
        responses = []
        for cert_id, its_issuer in zip(cert_ids, issuers, strict=True):
            if code == "other_certificate":
                cert_id = ocsp.CertId({**cert_id.native, "serial_number": cert_id["serial_number"].native + 1})
            status = self._status(cert_id["serial_number"].native, its_issuer, code) if its_issuer == issuer else None
            single = {"cert_id": cert_id, "cert_status": status or _unknown(), "this_update": now}
            if code != "no_next_update":
                single["next_update"] = now + (_DAY if code == "stale" else LIFE)
            responses.append(single)
        signer = self._signer(issuer, code)
        public = der.certificate(signer.certificate).public_key["public_key"]
        data = {
            "responder_id": ocsp.ResponderId("by_key", core.OctetString(hashlib.sha1(bytes(public)).digest())),  # noqa: S324 — RFC 6960 §4.2.1
            "produced_at": now,
            "responses": responses,
        }
        nonce = _nonce(asked)
        if code == "wrong_nonce":
            nonce = hashlib.sha256(nonce or b"").digest()
        if nonce is not None and code != "no_nonce":
            data["response_extensions"] = [{"extn_id": "nonce", "extn_value": core.OctetString(nonce)}]
        return _signed(ocsp.ResponseData(data), signer, spoil=code == "bad_signature")

    def _issuer(self, cert_id: Any) -> IssuerName | None:
        """Find the authority whose name and key have these hashes."""
        algorithm = cert_id["hash_algorithm"]["algorithm"].native
        if algorithm not in ("sha1", "sha256", "sha384", "sha512"):
            return None
        asked = (cert_id["issuer_name_hash"].native, cert_id["issuer_key_hash"].native)
        names: tuple[IssuerName, ...] = ("issuing", "root")
        return next((name for name in names if _hashes(self._authority.issuer(name)[1], algorithm) == asked), None)

    def _status(self, serial: int, issuer: IssuerName | None, code: str) -> Any:
        entry = self._authority.entries.get(serial)
        if entry is None or entry.issuer != issuer or code == "unknown":
            return None
        now = self._authority.clock()
        revocation = entry.revoked_at(now)
        if code == "revoked_yesterday":
            revocation = Revocation(der.whole_second(now - _DAY), "keyCompromise")
        if revocation is None:
            return ocsp.CertStatus("good", ocsp.StatusGood())
        info: dict[str, Any] = {"revocation_time": revocation.at}
        if revocation.reason != "unspecified":
            info["revocation_reason"] = REASONS[revocation.reason]
        return ocsp.CertStatus("revoked", ocsp.RevokedInfo(info))

    def _signer(self, issuer: IssuerName, code: str) -> Credential:
        if code == "wrong_signer":
            return self._authority.stranger("Stranger OCSP")
        if code == "not_delegated":
            return self._authority.nobody_in_particular()
        return self._authority.ocsp_signer(issuer)


def _unknown() -> Any:
    return ocsp.CertStatus("unknown", ocsp.StatusUnknown())


def _read(request: Received) -> Any:
    body = request.body
    try:
        if request.method == "GET":
            body = base64.b64decode(request.path.removeprefix(PATH + "/"), validate=True)
        asked = ocsp.OCSPRequest.load(body, strict=True)
        content = asked.native  # reads every field
    except (binascii.Error, ValueError, TypeError, KeyError, OverflowError) as error:
        raise _BadRequestError from error
    if not content["tbs_request"]["request_list"] or content["tbs_request"]["version"] != "v1":
        raise _BadRequestError
    extensions = content["tbs_request"]["request_extensions"] or []
    if any(one["critical"] and one["extn_id"] != "nonce" for one in extensions):
        raise _BadRequestError
    nonce = _nonce(asked)
    if nonce is not None and not 1 <= len(nonce) <= 128:
        raise _BadRequestError
    return asked


def _nonce(asked: Any) -> bytes | None:
    value = asked.nonce_value
    return None if value is None else bytes(value.native)


def _hashes(issuer: x509.Certificate, algorithm: str) -> tuple[bytes, bytes]:
    name = issuer.subject.public_bytes()
    key = bytes(der.certificate(issuer).public_key["public_key"])
    return hashlib.new(algorithm, name).digest(), hashlib.new(algorithm, key).digest()


def _signed(data: Any, signer: Credential, *, spoil: bool) -> bytes:
    algorithm, signature = der.sign(signer.key, data.dump())
    basic = ocsp.BasicOCSPResponse(
        {
            "tbs_response_data": data,
            "signature_algorithm": algorithm,
            "signature": der.spoilt(signature) if spoil else signature,
            "certs": [der.certificate(signer.certificate)],
        }
    )
    content = {"response_type": "basic_ocsp_response", "response": basic}
    return bytes(ocsp.OCSPResponse({"response_status": "successful", "response_bytes": content}).dump())


def _error(status: str) -> Reply:
    return Reply(200, bytes(ocsp.OCSPResponse({"response_status": status}).dump()), RESPONSE_TYPE)
