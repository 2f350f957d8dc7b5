"""One account's talk with the portal: one log-in for all who call, and what each call proves with it.

A token is bound to the address that took it, so every node has its own; whether the portal ends the former one when another
node logs in is not known. If it does, each node finds out by a 401 and logs in again: right, and one log-in per change of turn.
Where that is too many, `node` of the destination names the one node that calls.

Standard: CV 1245/BHXH-CNTT (2024); the life of a token and its address from integrators' notes
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from connectors.destinations._http import HttpPeer, Reply, login_trouble, plain_code
from connectors.destinations._login import Login, Token
from connectors.destinations._portal_calls import FORM
from connectors.destinations._portal_settings import Settings
from connectors.faults import AccountRefused

_LOGIN_PATH = "/api/token/take"
_DEFAULT_LIFE = timedelta(minutes=10)
_OK, _LOGIN_BAD = "200", "401"
_ACCOUNT_BAD = (_LOGIN_BAD, "402", "403")


class Session:
    """Hold the token of one account and make calls with it."""

    def __init__(self, name: str, settings: Settings) -> None:
        self._name = name
        self._username = settings.username
        self._hash = hashlib.md5(settings.password.encode(), usedforsecurity=False).hexdigest().upper()
        self._login = Login(name, self._take_token)
        self._peer = self._connect(settings, settings.answer_timeout)
        self._quick = self._connect(settings, settings.lookup_timeout)

    async def submit(self, path: str, content: bytes, headers: Mapping[str, str]) -> Reply:
        """Send a file with the proofs in the headers; a refused token is renewed and the file sent once more."""
        return await self._call(self._peer, path, content, headers, in_query=False)

    async def ask(
        self, path: str, content: bytes, headers: Mapping[str, str], query: Mapping[str, str] | None = None
    ) -> Reply:
        """Ask with `lookup_timeout`; with a `query` the proofs stand beside it in the address, else in the headers."""
        return await self._call(self._quick, path, content, headers, in_query=query is not None, query=query or {})

    async def close(self) -> None:
        await self._peer.close()
        await self._quick.close()

    async def _call(
        self,
        peer: HttpPeer,
        path: str,
        content: bytes,
        headers: Mapping[str, str],
        *,
        in_query: bool,
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        async def call(token: Token) -> Reply | None:
            proof = {
                "token": token.access,
                "id_token": token.second,
                "username": self._username,
                "password": self._hash,
            }
            if in_query:
                where, more = f"{path}?{urlencode(proof | dict(query or {}))}", {}
            else:
                where = path
                more = {"accessToken": token.access, "tokenId": token.second, "passwordHash": self._hash}
            reply = await peer.exchange("POST", where, content=content, headers={**headers, **more})
            return None if _LOGIN_BAD in (str(reply.status), code_of(reply)) else reply

        return await self._login.use(call)

    async def _take_token(self) -> Token:
        form = urlencode({"username": self._username, "password": self._hash}).encode()
        reply = await self._peer.exchange("POST", _LOGIN_PATH, content=form, headers=FORM, carries_document=False)
        code = code_of(reply)
        if code in _ACCOUNT_BAD or (not code and reply.status in (400, 401, 403)):
            raise AccountRefused(self._name, f"maKetQua {code}" if code else f"HTTP {reply.status}")
        key = reply.json_object().get("APIKey")
        if code != _OK or not isinstance(key, dict) or not key.get("access_token"):
            raise login_trouble(self._name, reply)
        return Token(str(key["access_token"]), _expiry(key.get("expires_in")), str(key.get("id_token") or ""))

    def _connect(self, settings: Settings, answer_timeout: timedelta) -> HttpPeer:
        return HttpPeer(
            self._name,
            settings.url,
            ca=settings.ca,
            connect_timeout=settings.connect_timeout,
            answer_timeout=answer_timeout,
            keep_connections=False,
            leave_by=settings.leave_by,
        )


def code_of(reply: Reply) -> str:
    """Give `maKetQua`; one call spells it MaKetQua."""
    content = reply.json_object()
    return plain_code(content.get("maKetQua", content.get("MaKetQua")))


def _expiry(text: object) -> datetime:
    """Read `expires_in`: an instant in UTC, whatever its name says."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return datetime.now(UTC) + _DEFAULT_LIFE
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
