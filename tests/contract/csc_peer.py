"""A remote signing service for the contract of keys: the JSON of CSC API v2.0.0.2, explicit authorisation, one credential."""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding

from signing.testing import AnyMemoryKey

RSA, PSS = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10"
HASHES: dict[str, hashes.HashAlgorithm] = {
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}


class No(Exception):
    def __init__(self, status: int, error: str, description: str = "") -> None:
        self.status, self.error, self.description = status, error, description


@dataclass
class CscPeer:
    key: AnyMemoryKey
    pin: str
    with_code: bool = False
    multisign: int = 3
    key_status: str = "enabled"
    address: str = ""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    code: str = ""
    tokens: set[str] = field(default_factory=set)
    activations: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    """Methods that answer 503."""
    tampered: bool = False

    def lose_sessions(self) -> None:
        self.tokens.clear()
        self.activations.clear()

    def answer(self, method: str, body: dict[str, Any], authorization: str) -> dict[str, Any]:
        self.calls.append((method, body))
        if method in self.down:
            raise No(503, "temporarily_unavailable")
        match method:
            case "info":
                methods = ["auth/login", "credentials/info", "credentials/getChallenge", "signatures/signHash"]
                return {"specs": "2.0.0.2", "methods": methods, "oauth2": self.address}
            case "auth/login":
                expected = "Basic " + b64encode("bs.lan:mật khẩu 3".encode()).decode()
                return self._token(authorization == expected)
            case "oauth2/token":
                return self._token(body.get("client_secret") == "bí mật 4")
        if authorization.removeprefix("Bearer ") not in self.tokens:
            raise No(401, "invalid_token")
        if body["credentialID"] != "cred-1":
            raise No(400, "invalid_request", "Invalid parameter credentialID")
        return {
            "credentials/info": self._info,
            "credentials/getChallenge": self._challenge,
            "credentials/authorize": self._authorize,
            "signatures/signHash": self._sign,
        }[method](body)

    def _token(self, good: bool) -> dict[str, Any]:
        if not good:
            raise No(401, "authentication_error")
        self.tokens.add(token := secrets.token_hex(8))
        return {"access_token": token, "expires_in": 3600}

    def _info(self, _: dict[str, Any]) -> dict[str, Any]:
        public = self.key.private_key.public_key()
        elliptic = {256: ["1.2.840.10045.4.3.2"], 384: ["1.2.840.10045.4.3.3"]}
        objects = [{"type": "Password", "id": "PIN"}]
        if self.with_code:
            objects.append({"type": "ChallengeResponse", "id": "OTP"})
        return {
            "key": {
                "status": self.key_status,
                "algo": [RSA, PSS] if isinstance(public, rsa.RSAPublicKey) else elliptic[public.key_size],
                "len": public.key_size,
            },
            "cert": {
                "status": "valid",
                "certificates": [b64encode(one.public_bytes(Encoding.DER)).decode() for one in self.key.chain],
            },
            "auth": {"mode": "explicit", "objects": objects},
            "multisign": self.multisign,
        }

    def _challenge(self, _: dict[str, Any]) -> dict[str, Any]:
        self.code = f"{secrets.randbelow(10**6):06d}"
        return {}

    def _authorize(self, body: dict[str, Any]) -> dict[str, Any]:
        given = {one["id"]: one["value"] for one in body["authData"]}
        if given.get("PIN") != self.pin:
            raise No(400, "invalid_pin", "The PIN is invalid")
        if self.with_code and given.get("OTP") != self.code:
            raise No(400, "invalid_otp", "The OTP is invalid")
        if body["numSignatures"] > self.multisign:
            raise No(400, "invalid_request", "Numbers of signatures is too high")
        self.code = ""
        self.activations[sad := secrets.token_hex(8)] = (body["numSignatures"], frozenset(body["hashes"]))
        return {"SAD": sad, "expiresIn": 60}

    def _sign(self, body: dict[str, Any]) -> dict[str, Any]:
        count, allowed = self.activations.pop(body["SAD"], (0, frozenset()))
        if not count or not allowed.issuperset(body["hashes"]) or len(body["hashes"]) > count:
            raise No(400, "invalid_request", "Invalid parameter SAD")
        hash_ = HASHES[body["hashAlgorithmOID"]]
        signatures = []
        for text in reversed(body["hashes"]) if self.tampered else body["hashes"]:
            digest, key = b64decode(text), self.key.private_key
            if isinstance(key, ec.EllipticCurvePrivateKey):
                signature = key.sign(digest, ec.ECDSA(Prehashed(hash_)))
            elif body["signAlgo"] == PSS:
                assert body["signAlgoParams"]
                signature = key.sign(digest, padding.PSS(padding.MGF1(hash_), hash_.digest_size), Prehashed(hash_))
            else:
                signature = key.sign(digest, padding.PKCS1v15(), Prehashed(hash_))
            signatures.append(b64encode(signature).decode())
        return {"signatures": signatures}


@contextmanager
def serve(peer: CscPeer, port: int = 0) -> Iterator[CscPeer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            form = self.headers["Content-Type"].startswith("application/x-www-form")
            body = {name: values[0] for name, values in parse_qs(raw.decode()).items()} if form else json.loads(raw)
            method = self.path.removeprefix("/csc/v2").removeprefix("/")
            try:
                status, answer = 200, peer.answer(method, body, self.headers.get("Authorization", ""))
            except No as no:
                status, answer = no.status, {"error": no.error, "error_description": no.description}
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        peer.address = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield peer
        finally:
            server.shutdown()
            thread.join()
