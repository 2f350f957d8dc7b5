"""A remote signing service, spoken to over the CSC API: login, calls, and what its errors mean.

Which key signs what is in `keys/remote.py`. No SAD, token, PIN or one-time code is ever written or shown.

Standard: CSC API 2.0, methods info, auth/login, oauth2/token; RFC 6749 §4.4 (client credentials)
"""

from __future__ import annotations

import re
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from mappings.formats.faults import SigningFault
from mappings.formats.values import NO_SECRET, Secret
from signing.faults import (
    KeyLocked,
    KeyMisconfigured,
    KeyUnavailable,
    NotAuthorised,
    OneTimeCodeWrong,
    ServiceRefused,
)

_LOGIN_ERRORS = {"access_denied", "authentication_error", "invalid_client", "invalid_grant", "unauthorized_client"}
_WORD = re.compile(r"[A-Za-z_]{1,40}")
_MAXIMUM_ANSWER = 16 * 1024 * 1024


@dataclass(frozen=True)
class Login:
    """Who we are to the service: a client with its secret, or a user with a password."""

    client_id: str = ""
    client_secret: Secret = NO_SECRET
    user: str = ""
    password: Secret = NO_SECRET


class Service:
    """Call methods of the service; log in when needed, and again when a session is lost. The client is closed with it."""

    def __init__(self, url: str, login: Login, client: httpx.Client) -> None:
        self._url = require_secure("url", url).rstrip("/")
        self._login = login
        self._client = client
        weakref.finalize(self, client.close)
        self._turn = threading.Lock()
        self._token = ""
        self._info: dict[str, Any] = {}

    def info(self) -> dict[str, Any]:
        """Say what the service is and can; asked for once."""
        if not self._info:
            self._info = self._answer(self._post(f"{self._url}/info", json={}))
        return self._info

    def call(self, method: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Give the answer of `method`; raise a SigningFault that says what is wrong.

        Repeats once with a new session when the service does not know the session any more.
        """
        token = self._session("")
        answer = self._send(method, body, token)
        if answer.status_code == 401:
            answer = self._send(method, body, self._session(token))
        return self._answer(answer)

    def _send(self, method: str, body: Mapping[str, Any], token: str) -> httpx.Response:
        return self._post(f"{self._url}/{method}", json=body, headers={"Authorization": f"Bearer {token}"})

    def _session(self, lost: str) -> str:
        """Give the access token; a new one when there is none, or `lost` is the one there is."""
        with self._turn:
            if self._token in ("", lost):
                self._token = self._log_in()
            return self._token

    def _log_in(self) -> str:
        who = self._login
        if who.client_id:
            base = require_secure("oauth2", str(self.info().get("oauth2") or _origin(self._url))).rstrip("/")
            form = {
                "grant_type": "client_credentials",
                "client_id": who.client_id,
                "client_secret": str(who.client_secret),
            }
            answer = self._post(f"{base}/oauth2/token", data=form)
        else:
            answer = self._post(f"{self._url}/auth/login", json={}, auth=(who.user, str(who.password)))
        if answer.is_client_error:  # services name a wrong secret in many ways
            raise NotAuthorised("login", f"HTTP {answer.status_code}")
        return text_of(self._answer(answer), "access_token")

    def _post(self, url: str, **what: Any) -> httpx.Response:
        try:
            answer = self._client.post(url, **what)
        except httpx.TransportError as problem:
            raise KeyUnavailable("service", type(problem).__name__) from problem
        if answer.status_code >= 500 or answer.status_code == 429:
            raise KeyUnavailable("service", f"HTTP {answer.status_code}")
        if len(answer.content) > _MAXIMUM_ANSWER:
            raise ServiceRefused("answer", f"{len(answer.content)} bytes")
        return answer

    def _answer(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            value = answer.json() if answer.content else {}
        except ValueError:
            value = None
        if answer.status_code == 401:
            raise NotAuthorised("login", "HTTP 401")
        if answer.is_success and isinstance(value, dict):
            return value
        if not isinstance(value, dict):
            raise ServiceRefused("answer", f"HTTP {answer.status_code}, not JSON of the API")
        raise fault_of(str(value.get("error", "")), str(value.get("error_description", "")))


def fault_of(error: str, description: str) -> SigningFault:
    """Read an error of the API; only its word is kept, the description may name somebody.

    Activation data (SAD) the service does not know any more is ServiceRefused at `SAD`: authorise again.
    """
    word = error if _WORD.fullmatch(error) else "unknown"
    said = f"{error} {description}".replace("_", " ")
    if re.search(r"\bSAD\b", said):
        return ServiceRefused("SAD", word)
    if re.search(r"\b(locked|blocked)\b", said, re.IGNORECASE):
        return KeyLocked("credential", word)
    if re.search(r"\bOTP\b", said, re.IGNORECASE):
        return OneTimeCodeWrong("OTP", word)
    if error == "invalid_authentication_data":
        return NotAuthorised("authData", word)
    if re.search(r"\bPIN\b", said, re.IGNORECASE):
        return NotAuthorised("PIN", word)
    return NotAuthorised("login", word) if error in _LOGIN_ERRORS else ServiceRefused("service", word)


def text_of(answer: Mapping[str, Any], name: str) -> str:
    """Give a text that must be there; raise ServiceRefused."""
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise ServiceRefused("answer", f"{name} is missing")
    return value


def require_secure(where: str, url: str) -> str:
    """Give `url` when secrets may travel there: over TLS, or inside this machine. Raise KeyMisconfigured."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}):
        return url
    raise KeyMisconfigured(where, "https:// is needed")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
