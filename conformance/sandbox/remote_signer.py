"""Be a remote signing service of the Cloud Signature Consortium: explicit authorization, hashes only, synchronous.

Log-in is HTTP Basic at `auth/login` or client credentials at `oauth2/token`, with the accounts of the sandbox. A credential
is unlocked with a PIN and, if its terms say so, a one-time code, which `credentials/getChallenge` sends; `credentials/sendOTP`,
which version 2 lists but does not describe, does what it did in version 1. Documents are not signed here, only hashes.

Standard: CSC API v2.0.0.2
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ClassVar, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from conformance.sandbox import der
from conformance.sandbox.accounts import Account, Tokens
from conformance.sandbox.authority import Authority
from conformance.sandbox.csc_requests import (
    Answer,
    Body,
    check_lengths,
    failure,
    invalid,
    read_authentication_data,
    read_basic,
    read_body,
    read_bound_digests,
    read_digests,
    read_text,
)
from conformance.sandbox.faults import Call, PaperNames
from conformance.sandbox.holders import PublicKey, make_key
from conformance.sandbox.remote_credentials import RemoteCredential, RemoteCredentials, UnlockError, sign_digest
from conformance.sandbox.signing_algorithms import ALL, AlgorithmError, describe_key, read_scheme
from conformance.sandbox.wire import Received, Reply, json_reply

BASE: Final = "/csc/v2/"
REFRESH_LIFE: Final = timedelta(days=1)
_CALLS: Final = {
    "info": Call.FIND,
    "auth/login": Call.LOGIN,
    "auth/revoke": Call.LOGIN,
    "oauth2/token": Call.LOGIN,
    "oauth2/revoke": Call.LOGIN,
    "credentials/list": Call.FIND,
    "credentials/info": Call.FIND,
    "credentials/getChallenge": Call.AUTHORIZE,
    "credentials/sendOTP": Call.AUTHORIZE,
    "credentials/authorize": Call.AUTHORIZE,
    "credentials/extendTransaction": Call.AUTHORIZE,
    "signatures/signHash": Call.SUBMIT,
}
_NOT_HERE: Final = (
    "credentials/authorizeCheck",
    "signatures/signDoc",
    "signatures/signPolling",
    "signatures/timestamp",
    "oauth2/authorize",
    "oauth2/pushed_authorize",
)
_LOGO: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


class RemoteSigner:
    """Answer below `/csc/v2/`, and `/oauth2/` of the authorization server."""

    name: ClassVar[str] = "csc"

    def __init__(self, tokens: Tokens, authority: Authority, credentials: RemoteCredentials, *, scheme: str) -> None:
        self._tokens = tokens
        self._clock = authority.clock
        self._credentials = credentials
        self._scheme = scheme
        self._refresh: dict[str, tuple[Account, str, datetime]] = {}
        self._of_a_user: set[str] = set()
        self._methods: dict[str, Callable[[Body, str], Reply]] = {
            "credentials/list": self._list,
            "credentials/info": self._info,
            "credentials/getChallenge": self._challenge,
            "credentials/sendOTP": self._send_otp,
            "credentials/authorize": self._authorize,
            "credentials/extendTransaction": self._extend,
        }

    def call(self, request: Received) -> Call | None:
        """Know the methods of the interface, and those that are not served here."""
        if request.method == "GET":
            return Call.FIND if request.path == "/logo.png" else None
        name = _method(request)
        return _CALLS.get(name) or (Call.FIND if name in _NOT_HERE else None)

    def answer(self, call: Call, request: Received) -> Reply:
        """Answer as the standard says."""
        return self.distort(call, request, "")

    def names(self, request: Received) -> PaperNames:
        """Know a call by its credentialID."""
        try:
            identifier = str(read_body(request).get("credentialID", ""))
        except Answer:
            identifier = ""
        return PaperNames(hashlib.sha256(request.body).hexdigest(), identifier, identifier)

    def refuse(self, request: Received, code: str | None) -> Reply:
        """Answer with the error; a SAD said to be expired or invalid is so from then on.

        Without a code: wrong authentication data, or at `signatures/signHash` an expired SAD.
        """
        signing = _method(request) == "signatures/signHash"
        code = code or ("sad_expired" if signing else "invalid_authentication_data")
        if code in ("sad_expired", "invalid_sad"):
            try:
                self._credentials.forget(str(read_body(request).get("SAD", "")))
            except Answer:
                pass
        return failure(code).reply

    def distort(self, call: Call, request: Received, code: str) -> Reply:
        """Sign wrongly in the way `code` names."""
        try:
            return self._dispatch(request, code)
        except Answer as answer:
            return answer.reply
        except UnlockError as error:
            return failure(error.code).reply
        except AlgorithmError as error:
            return invalid(str(error)).reply

    def _dispatch(self, request: Received, code: str) -> Reply:
        name = _method(request)
        if request.method == "GET":
            return Reply(200, _LOGO, "image/png")
        if name in _NOT_HERE:
            raise Answer(501, "invalid_request", "Not implemented")
        if name.startswith("oauth2/"):
            return self._oauth2(name, request)
        body = read_body(request)
        if name == "info":
            return self._about(request)
        if name == "auth/login":
            return self._login(request, body)
        access = request.bearer()
        if not access:
            raise failure("bad_header")
        if self._tokens.find(access) is None:
            raise failure("expired_token" if self._tokens.knew(access) else "invalid_token")
        if name == "auth/revoke":
            return self._revoke(read_text(body, "token"))
        if name == "signatures/signHash":
            return self._sign(body, code)
        return self._methods[name](body, access)

    def _about(self, request: Received) -> Reply:
        base = f"{self._scheme}://{request.headers.get('host', 'localhost')}"
        methods = [name for name in _CALLS if name != "info"]
        content = {
            "specs": "2.0.0.0",
            "name": "Liên Thông sandbox",
            "logo": f"{base}/logo.png",
            "region": "VN",
            "lang": "vi-VN",
            "description": "Dịch vụ ký số từ xa mô phỏng; khóa dùng thử, không dùng cho người bệnh thật",
            "authType": ["basic", "oauth2client"],
            "oauth2": f"{base}/",
            "asynchronousOperationMode": False,
            "methods": methods,
            "signAlgorithms": {"algos": list(ALL)},
            "signature_formats": {"formats": [], "envelope_properties": []},
            "conformance_levels": [],
        }
        return json_reply(200, content)

    def _login(self, request: Received, body: Body) -> Reply:
        """Standard: CSC API v2.0 §11.2"""
        if "refresh_token" in body:
            account, _ = self._refreshed(read_text(body, "refresh_token"), "Invalid refresh_token")
        else:
            found = self._tokens.account(*read_basic(request))
            if found is None:
                raise Answer(400, "authentication_error", "An error occurred during authentication process")
            account = found
        token = self._tokens.issue(account, request.peer)
        self._of_a_user.add(token.access)
        content: Body = {"access_token": token.access, "expires_in": self._tokens.life_s}
        if body.get("rememberMe") is True:
            self._refresh[token.second] = (account, token.access, self._clock() + REFRESH_LIFE)
            content["refresh_token"] = token.second
        return json_reply(200, content)

    def _refreshed(self, token: str, wrong: str) -> tuple[Account, str]:
        account, access, until = self._refresh.get(token, (None, "", self._clock()))
        if account is None or self._clock() >= until:
            raise invalid(wrong)
        return account, access

    def _revoke(self, token: str) -> Reply:
        """Revoke an access token, or a refresh token and the access token that came with it.

        Standard: RFC 7009 §2.1, §2.2: what is unknown is as good as revoked
        """
        _, access, _ = self._refresh.pop(token, (None, token, None))
        self._tokens.revoke(access)
        return Reply(204, b"")

    def _oauth2(self, name: str, request: Received) -> Reply:
        """Standard: CSC API v2.0 §8.4.4, §8.4.5"""
        form = request.form()
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
        if "authorization" in request.headers:
            client, secret = read_basic(request)
        for parameter, value in (("client_id", client), ("grant_type", form.get("grant_type"))):
            if not value and (parameter == "client_id" or name == "oauth2/token"):
                raise invalid(f"Missing parameter {parameter}")
        if not secret:
            raise invalid("Client authorization required")
        account = self._tokens.account(client, secret)
        if account is None:
            raise invalid("Invalid parameter client_secret")
        if name == "oauth2/revoke":
            return self._revoke(form.get("token", ""))
        if form["grant_type"] != "client_credentials":
            raise invalid("Invalid parameter grant_type")
        if form.get("scope", "service") != "service":
            raise Answer(400, "invalid_scope", "Only the scope service")
        token = self._tokens.issue(account, request.peer)
        content = {"access_token": token.access, "token_type": "Bearer", "expires_in": self._tokens.life_s}
        return json_reply(200, content)

    def _list(self, body: Body, access: str) -> Reply:
        """Standard: CSC API v2.0 §11.4"""
        user = body.get("userID")
        if user is not None and access in self._of_a_user:
            raise invalid("userID parameter MUST be null")
        if user is not None and not isinstance(user, str):
            raise invalid("Invalid parameter userID")
        only_valid = body.get("onlyValid") is True
        found = [
            one
            for one in self._credentials.all.values()
            if (user is None or one.terms.user == user)
            and not (only_valid and (one.locked or self._credentials.state(one) != "valid"))
        ]
        content: Body = {"credentialIDs": [one.identifier for one in found]}
        if body.get("credentialInfo") is True:
            content["credentialInfos"] = [
                {"credentialID": one.identifier, **self._describe(one, body)} for one in found
            ]
        if only_valid:
            content["onlyValid"] = True
        return json_reply(200, content)

    def _info(self, body: Body, access: str) -> Reply:
        """Standard: CSC API v2.0 §11.5"""
        return json_reply(200, self._describe(self._credential(body), body))

    def _describe(self, credential: RemoteCredential, asked: Body) -> Body:
        terms, held, state = credential.terms, credential.held, self._credentials.state(credential)
        wanted = asked.get("certificates", "single")
        if wanted not in ("none", "single", "chain"):
            raise invalid("Invalid parameter certificates")
        certificates = {"none": (), "single": (held.certificate,), "chain": (held.certificate, *held.chain)}[wanted]
        cert: Body = {"status": state}
        if certificates:
            cert["certificates"] = [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in certificates]
        if asked.get("certInfo") is True:
            cert |= {
                "issuerDN": held.certificate.issuer.rfc4514_string(),
                "serialNumber": f"{held.certificate.serial_number:X}",
                "subjectDN": held.certificate.subject.rfc4514_string(),
                "validFrom": f"{held.certificate.not_valid_before_utc:%Y%m%d%H%M%SZ}",
                "validTo": f"{held.certificate.not_valid_after_utc:%Y%m%d%H%M%SZ}",
            }
        auth: Body = {"mode": "explicit"}
        if asked.get("authInfo") is True:
            auth |= _authentication(credential)
        status = "enabled" if state == "valid" and not credential.locked else "disabled"
        return {
            "description": held.certificate.subject.rfc4514_string()[:255],
            "key": {"status": status, **describe_key(_public(credential))},
            "cert": cert,
            "auth": auth,
            "SCAL": terms.scal,
            "multisign": terms.multisign,
            "lang": "vi-VN",
        }

    def _challenge(self, body: Body, access: str) -> Reply:
        """Standard: CSC API v2.0 §11.8"""
        credential = self._credential(body)
        if body.get("authObjectID") != "OTP" or not credential.terms.one_time_code:
            raise invalid("Invalid parameter authObjectID")
        self._credentials.send_code(credential)
        return Reply(204, b"")

    def _send_otp(self, body: Body, access: str) -> Reply:
        """Standard: CSC API v1.0.4 §11.5"""
        return self._challenge({**body, "authObjectID": "OTP"}, access)

    def _authorize(self, body: Body, access: str) -> Reply:
        """Standard: CSC API v2.0 §11.6"""
        credential = self._credential(body)
        count = body.get("numSignatures")
        if not isinstance(count, int) or isinstance(count, bool):
            raise invalid("Missing (or invalid type) integer parameter numSignatures")
        digests = read_bound_digests(credential, body)
        if count < 1 or (digests is not None and len(digests) > count):
            raise invalid("Invalid value for parameter numSignatures")
        sad = self._credentials.authorize(credential, read_authentication_data(body), count, digests)
        return json_reply(200, {"SAD": sad, "expiresIn": self._credentials.activation_life_s})

    def _extend(self, body: Body, access: str) -> Reply:
        """Standard: CSC API v2.0 §11.9"""
        credential = self._credential(body)
        sad = self._credentials.extend(read_text(body, "SAD"), credential, read_bound_digests(credential, body))
        return json_reply(200, {"SAD": sad, "expiresIn": self._credentials.activation_life_s})

    def _sign(self, body: Body, code: str) -> Reply:
        """Standard: CSC API v2.0 §11.10"""
        sad = read_text(body, "SAD")
        credential = self._credential(body)
        digests = read_digests(body)
        scheme = read_scheme(_public(credential), body)
        if body.get("operationMode", "S") != "S":
            raise invalid("Invalid parameter operationMode")
        check_lengths(digests, scheme.hash.digest_size)
        if code == "partial_batch":
            digests = digests[: len(digests) // 2]
        signatures = self._credentials.sign(sad, credential, digests, scheme)
        if code == "wrong_key":
            other = make_key("rsa2048" if isinstance(credential.held.key, rsa.RSAPrivateKey) else "ec256")
            signatures = [sign_digest(other, digest, scheme) for digest in digests]
        if code == "bad_signature":
            signatures = [der.spoilt(one) for one in signatures]
        if code == "swapped":
            signatures.reverse()
        return json_reply(200, {"signatures": [base64.b64encode(one).decode() for one in signatures]})

    def _credential(self, body: Body) -> RemoteCredential:
        found = self._credentials.all.get(read_text(body, "credentialID"))
        if found is None:
            raise invalid("Invalid parameter credentialID")
        return found


def _method(request: Received) -> str:
    return request.path.removeprefix(BASE) if request.path.startswith(BASE) else _of_server(request.path)


def _of_server(path: str) -> str:
    return path[1:] if path.startswith("/oauth2/") else ""


def _authentication(credential: RemoteCredential) -> Body:
    pin = {"type": "Password", "id": "PIN", "format": "N", "label": "PIN", "description": "Mã PIN của chứng thư"}
    if not credential.terms.one_time_code:
        return {"expression": "PIN", "objects": [pin]}
    code = {
        "type": "ChallengeResponse",
        "id": "OTP",
        "format": "N",
        "label": "OTP",
        "description": "Mã 6 chữ số vừa được gửi",
    }
    return {"expression": "PIN AND OTP", "objects": [pin, code]}


def _public(credential: RemoteCredential) -> PublicKey:
    key = credential.held.certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)
    return key
