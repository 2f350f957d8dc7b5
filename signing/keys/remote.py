"""A key that a remote signing service keeps, used over the CSC API; only hashes leave.

A batch is signed in slices of what the credential allows under one authorisation (`multisign`); each authorisation may want
the PIN and a one-time code (OTP), which `ask` is asked for. A session the service has lost is opened again and the batch goes
on with the hashes that are not signed yet. A wrong PIN is sent once and then never again by this object. Credentials that want
the signer in a browser (`oauth2code`) are not supported.

Standard: CSC API 2.0, methods credentials/info, credentials/getChallenge, credentials/authorize, signatures/signHash; CSC API
1.0, method credentials/sendOTP
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from mappings.formats.values import NO_SECRET, Secret
from signing import certificates
from signing.algorithms import Algorithm, joined, names_for, one_of
from signing.contract import ToSign
from signing.csc import Login, Service, text_of
from signing.faults import KeyMisconfigured, KeyUnsuitable, NotAuthorised, OneTimeCodeWrong, ServiceRefused

Ask = Callable[[str], str]
"""Given the name of what the service wants ("OTP", "PIN"), give what the signer says; an empty text is no answer."""

_HASHES = {
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}
_RSA, _PSS, _EC = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.2.840.10045.2.1"
_OWN = {
    "RS256": "1.2.840.113549.1.1.11",
    "RS384": "1.2.840.113549.1.1.12",
    "RS512": "1.2.840.113549.1.1.13",
    "PS256": _PSS,
    "PS384": _PSS,
    "PS512": _PSS,
    "ES256": "1.2.840.10045.4.3.2",
    "ES384": "1.2.840.10045.4.3.3",
}


@dataclass(frozen=True)
class Settings:
    url: str
    """Of the API, with its version: `https://…/csc/v2`."""
    credential: str
    """The credentialID."""
    client_id: str = ""
    """For services that give tokens to clients (OAuth 2.0 client credentials)."""
    client_secret: Secret = NO_SECRET
    """Of the client."""
    user: str = ""
    """For services that log a user in with a password."""
    password: Secret = NO_SECRET
    """Of the user."""
    pin: Secret = NO_SECRET
    """Of the credential; the signer is asked when it is empty."""
    timeout: timedelta = timedelta(seconds=30)
    """For one answer of the service."""


def nobody(_: str) -> str:
    """Answer nothing: no person is there."""
    return ""


class Key:
    """Sign at the service; safe to share between threads."""

    chain: tuple[x509.Certificate, ...]
    algorithms: tuple[str, ...]

    def __init__(self, settings: Settings, ask: Ask = nobody, client: httpx.Client | None = None) -> None:
        if not settings.client_id and not settings.user:
            raise KeyMisconfigured("client_id", "neither client_id nor user")
        self._credential = settings.credential
        self._pin = settings.pin
        self._pin_refused = False
        self._ask = ask
        login = Login(settings.client_id, settings.client_secret, settings.user, settings.password)
        self._service = Service(
            settings.url,
            login,
            client or httpx.Client(timeout=settings.timeout.total_seconds(), trust_env=False),
        )
        about = self._service.call(
            "credentials/info",
            {"credentialID": self._credential, "certificates": "chain", "certInfo": False, "authInfo": True},
        )
        self._read(about)

    def sign(self, data: bytes, algorithm: str = "") -> bytes:
        """Return the signature over `data`; one authorisation."""
        chosen = one_of(self.algorithms, algorithm)
        return next(self._sign(chosen, [chosen.digest(data)]))

    def sign_hashes(self, documents: Sequence[ToSign], algorithm: str = "") -> Iterator[bytes]:
        """Sign hashes, an authorisation for as many as the credential allows."""
        digests = [document.digest for document in documents]
        return self._sign(one_of(self.algorithms, algorithm, digests), digests)

    def require_unattended(self) -> None:
        """Authorise one signature and use it not; raise KeyMisconfigured when a one-time code or a PIN has to be asked for."""
        if any(entry.get("type") != "Password" for entry in self._wanted):
            raise KeyMisconfigured("credential", "wants a one-time code at every signature")
        if self._wanted and not self._pin:
            raise KeyMisconfigured("pin", "missing")
        algorithm = one_of(self.algorithms, "")
        hashes = [b64encode(algorithm.digest(b"")).decode()]
        self._authorise(
            {"credentialID": self._credential, "hashes": hashes, "hashAlgorithmOID": _HASHES[algorithm.hash.name]}
        )

    def __repr__(self) -> str:
        return f"<remote key, certificate {self.chain[0].serial_number:x}>"

    def _read(self, about: Mapping[str, Any]) -> None:
        key, cert, auth = (_table(about, name) for name in ("key", "cert", "auth"))
        if key.get("status") != "enabled":
            raise KeyUnsuitable("credential", "key not enabled")
        if auth.get("mode") == "oauth2code":
            raise KeyUnsuitable("credential", "wants its signer in a browser")
        found = []
        for text in cert.get("certificates") or ():
            try:
                found.append(x509.load_der_x509_certificate(b64decode(str(text))))
            except certificates.UNREADABLE as problem:
                raise KeyUnsuitable("credential", "certificate cannot be read") from problem
        if not found:
            raise KeyUnsuitable("credential", "no certificate")
        self._public_key = certificates.public_key(found[0])
        self.chain = certificates.order_chain(found[0], found[1:])
        listed = {str(oid) for oid in key.get("algo") or ()}
        self._listed = listed
        self.algorithms = tuple(
            name for name in names_for(self._public_key) if _OWN[name] in listed or _plain(name) in listed
        )
        if not self.algorithms:
            raise KeyUnsuitable("credential", "none of its algorithms is one of ours")
        limit = about.get("multisign", 1)
        self._limit = limit if isinstance(limit, int) and limit > 0 else 1
        self._wanted = [entry for entry in auth.get("objects") or () if isinstance(entry, dict)]

    def _sign(self, algorithm: Algorithm, digests: list[bytes]) -> Iterator[bytes]:
        for start in range(0, len(digests), self._limit):
            yield from self._sign_slice(algorithm, digests[start : start + self._limit])

    def _sign_slice(self, algorithm: Algorithm, digests: list[bytes]) -> list[bytes]:
        try:
            return self._activate(algorithm, digests)
        except ServiceRefused as fault:
            if fault.where != "SAD":
                raise
            return self._activate(algorithm, digests)

    def _activate(self, algorithm: Algorithm, digests: list[bytes]) -> list[bytes]:
        common = {
            "credentialID": self._credential,
            "hashes": [b64encode(digest).decode() for digest in digests],
            "hashAlgorithmOID": _HASHES[algorithm.hash.name],
        }
        own = _OWN[algorithm.name]
        body = {
            **common,
            "SAD": self._authorise(common),
            "signAlgo": own if own in self._listed else _plain(algorithm.name),
        }
        if algorithm.scheme == "pss":
            body["signAlgoParams"] = b64encode(_pss_parameters(algorithm)).decode()
        given = self._service.call("signatures/signHash", {**body, "operationMode": "S"}).get("signatures")
        if not isinstance(given, list) or len(given) != len(digests):
            raise ServiceRefused("answer", "not one signature for each hash")
        return [self._checked(algorithm, digest, str(text)) for digest, text in zip(digests, given, strict=True)]

    def _authorise(self, common: Mapping[str, Any]) -> str:
        if self._pin_refused:
            raise NotAuthorised("PIN", "refused before; not sent again")
        said = [
            {"id": name, "value": self._say(name, entry)} for entry in self._wanted if (name := str(entry.get("id")))
        ]
        body = {**common, "numSignatures": len(common["hashes"])}
        try:
            return text_of(
                self._service.call("credentials/authorize", {**body, "authData": said} if said else body), "SAD"
            )
        except NotAuthorised as fault:
            if fault.where == "authData" and any(entry.get("type") != "Password" for entry in self._wanted):
                raise OneTimeCodeWrong("OTP", "or the PIN") from fault
            self._pin_refused = fault.where in {"PIN", "authData"}
            raise

    def _say(self, name: str, entry: Mapping[str, Any]) -> str:
        if entry.get("type") == "Password":
            if not (value := self._pin or self._ask(name)):
                raise NotAuthorised("PIN", "none given")
            return str(value)
        methods = self._service.info().get("methods") or ()
        for method in ("credentials/getChallenge", "credentials/sendOTP"):
            if method in methods:
                self._service.call(method, {"credentialID": self._credential, "authObjectID": name})
                break
        if not (value := self._ask(name)):
            raise OneTimeCodeWrong("OTP", "none given")
        return value

    def _checked(self, algorithm: Algorithm, digest: bytes, text: str) -> bytes:
        """Read a signature; an ECDSA one comes as DER or as r and s. No wrong pair goes on from here."""
        try:
            signature = b64decode(text, validate=True)
            if algorithm.holds_digest(self._public_key, signature, digest):
                return signature
            if isinstance(self._public_key, ec.EllipticCurvePublicKey):
                signature = joined(signature, self._public_key)
                if algorithm.holds_digest(self._public_key, signature, digest):
                    return signature
        except (ValueError, OverflowError):
            pass
        raise KeyUnsuitable("credential", "signature and certificate do not belong together")


def _table(about: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = about.get(name)
    if not isinstance(value, dict):
        raise ServiceRefused("answer", f"{name} is missing")
    return value


def _plain(name: str) -> str:
    """Name the kind of key, with which a service says that it takes every hash; PSS must be said by itself."""
    return {"R": _RSA, "P": _PSS, "E": _EC}[name[0]]


def _pss_parameters(algorithm: Algorithm) -> bytes:
    """Write RSASSA-PSS-params in DER. Standard: RFC 4055 §3.1"""
    digest = (
        b"\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02"
        + {"256": b"\1", "384": b"\2", "512": b"\3"}[algorithm.name[2:]]
    )
    digest += b"\x05\x00"
    mask = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08" + digest
    parts = (
        b"\xa0\x0f" + digest + b"\xa1\x1c\x30\x1a" + mask + b"\xa2\x03\x02\x01" + bytes([algorithm.hash.digest_size])
    )
    return b"\x30" + bytes([len(parts)]) + parts
