"""Who may talk to the agent: pages it was told about and paired with, and the signer before the screen.

Every web page of the world can send requests to 127.0.0.1. So the Host must be ours (a rebound name is not), the Origin must be
on the list, and nothing works without a token that only a paired page has, or a cookie that only the signer's browser got.

Standard: Fetch (Origin, Sec-Fetch-Site); RFC 6265bis (SameSite); RFC 6750 (Bearer)
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

CODE_GOOD_FOR_S = 300.0
_TRIES = 5
COOKIE = "lienthong_agent"


def origin_of(url: str) -> str:
    """Give scheme, host and port of a page's address; raise ValueError when it is none or not safe to pair with.

    Safe is https, or a page of this machine itself.
    """
    parts = urlsplit(url)
    local = parts.hostname in {"127.0.0.1", "localhost"}
    if not parts.hostname or parts.scheme not in ({"https", "http"} if local else {"https"}):
        raise ValueError("an origin is written like https://cong.benhvien.vn")
    return f"{parts.scheme}://{parts.netloc}".lower()


class Guard:
    """Hold the list of origins, the pairing code, the tokens and the signer's browser sessions; all in memory."""

    def __init__(self, origins: frozenset[str], clock: Callable[[], float] = time.monotonic) -> None:
        self.origins = origins
        self.port = 0
        self._clock = clock
        self._turn = threading.Lock()
        self._code, self._code_until, self._tries = "", 0.0, 0
        self._tokens: dict[bytes, str] = {}
        self._entries: set[bytes] = set()
        self._sessions: dict[bytes, str] = {}

    @property
    def own_origin(self) -> str:
        """The agent's own page."""
        return f"http://127.0.0.1:{self.port}"

    def own_host(self, host: str) -> bool:
        """Tell whether a Host names this agent and not a name that was rebound to this machine."""
        return host == f"127.0.0.1:{self.port}"

    def knows(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a request to the API comes from a page on the list, or from no browser at all."""
        if "origin" in headers:
            return headers["origin"] in self.origins
        return not any(name.startswith("sec-fetch-") for name in headers)

    # ---- pairing ----

    def new_code(self) -> str:
        """Make the pairing code to show; the one before is void."""
        with self._turn:
            self._code = f"{secrets.randbelow(10**8):08d}"
            self._code_until, self._tries = self._clock() + CODE_GOOD_FOR_S, _TRIES
            return self._code

    def code(self) -> str:
        """Give the code that is good now, or an empty text."""
        with self._turn:
            return self._code if self._clock() < self._code_until else ""

    def pair(self, code: str, origin: str) -> str:
        """Give a token for `origin` when the code is right, and an empty text otherwise; five wrong ones void the code."""
        with self._turn:
            if not self._code or self._clock() >= self._code_until:
                return ""
            if not _same(code.replace(" ", ""), self._code):
                self._tries -= 1
                if not self._tries:
                    self._code = ""
                return ""
            self._code = ""
            token = secrets.token_urlsafe(32)
            self._tokens[_hash(token)] = origin
            return token

    def paired(self) -> frozenset[str]:
        """Name the origins that hold a token."""
        with self._turn:
            return frozenset(self._tokens.values())

    def unpair(self) -> None:
        """Void every token."""
        with self._turn:
            self._tokens.clear()

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Tell whether the token of a request was given to the page that sends it."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        with self._turn:
            owner = self._tokens.get(_hash(token))
        return scheme.lower() == "bearer" and owner is not None and owner == headers.get("origin", "")

    # ---- the signer's browser ----

    def entry(self) -> str:
        """Make the secret part of an address that lets a browser of this machine in, once."""
        with self._turn:
            made = secrets.token_urlsafe(32)
            self._entries.add(_hash(made))
            return made

    def enter(self, key: str) -> str:
        """Give the cookie for a good entry, and an empty text otherwise."""
        with self._turn:
            if _hash(key) not in self._entries:
                return ""
            self._entries.discard(_hash(key))
            cookie = secrets.token_urlsafe(32)
            self._sessions[_hash(cookie)] = secrets.token_urlsafe(32)
            return cookie

    def form_secret(self, headers: Mapping[str, str]) -> str:
        """Give what every form of this browser session must bring back; an empty text for a stranger."""
        for part in headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE:
                with self._turn:
                    return self._sessions.get(_hash(value), "")
        return ""

    def form_is_ours(self, headers: Mapping[str, str], given: str) -> bool:
        """Tell whether a form was sent from our own page in the signer's browser."""
        secret = self.form_secret(headers)
        site = headers.get("sec-fetch-site", "same-origin")
        return (
            bool(secret) and _same(given, secret) and headers.get("origin") == self.own_origin and site == "same-origin"
        )


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
