"""The national system for coordinating health data (Hệ thống điều phối dữ liệu y tế): carries signed CDA documents.

Its interface has not been published. Transport and envelope here are ours, to be replaced by this one module when it is:
the document is the body, what is said about it stands in headers, and the delivery's key makes a repeat harmless.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from urllib.parse import quote, urlencode

from connectors.contract import Outbound, Receipt, Seal
from connectors.destinations._http import (
    HttpPeer,
    Reply,
    check_http_settings,
    login_trouble,
    plain_code,
    refuse_by_status,
)
from connectors.destinations._login import Login, Token
from connectors.faults import CannotAsk, LoginRefused, ServerTrouble, Uncertain, Unreachable
from mappings.formats.values import NO_FILE, FileName, Secret

_TOKEN_PATH = "/v1/token"  # noqa: S105 — a path
_DOCUMENTS_PATH = "/v1/documents"
_DEFAULT_LIFE = timedelta(minutes=5)


@dataclass(frozen=True)
class Settings:
    takes: ClassVar[str] = "cda"

    url: str
    """Address of the system, like `https://host`."""
    client_id: str
    """The facility's account."""
    client_secret: Secret
    """Its secret."""
    sender: str
    """Code of the sending facility (MA_CSKCB)."""
    ca: FileName = NO_FILE
    """PEM file with the authority of the system's certificate; the public authorities unless written."""
    connect_timeout: timedelta = timedelta(seconds=5)
    """How long to wait for a connection."""
    answer_timeout: timedelta = timedelta(seconds=60)
    """How long to wait for an answer; after that it is not known whether the document arrived."""

    def __post_init__(self) -> None:
        check_http_settings(self.url, self.connect_timeout, self.answer_timeout)
        for name in ("client_id", "sender"):
            value = getattr(self, name)
            if not value or not value.isascii() or any(sign.isspace() for sign in value):
                raise ValueError(f"{name}: travels in a header — write plain letters and digits")


class Destination:
    """Carry CDA documents to the coordination system."""

    def __init__(self, name: str, settings: Settings, seal: Seal) -> None:
        self._name = name
        self._settings = settings
        self._peer = HttpPeer(
            name,
            settings.url,
            ca=settings.ca,
            connect_timeout=settings.connect_timeout,
            answer_timeout=settings.answer_timeout,
        )
        self._login = Login(name, self._take_token)

    async def deliver(self, document: Outbound) -> Receipt:
        """Send the document; accepted is 200 or 201 with an `id`."""
        digest = base64.b64encode(hashlib.sha256(document.body).digest()).decode()
        about = {
            "Content-Type": "application/xml",
            "Idempotency-Key": document.key,
            "X-Document-Type": document.kind,
            "X-Sender": self._settings.sender,
            "Digest": f"sha-256={digest}",
        }

        async def send(token: Token) -> Reply | None:
            headers = {**about, **_bearer(token)}
            reply = await self._peer.exchange("POST", _DOCUMENTS_PATH, content=document.body, headers=headers)
            return None if reply.status == 401 else reply

        reply = await self._login.use(send)
        code = _plain(reply, "code")
        refuse_by_status(self._name, reply, code)
        if reply.status in (200, 201) and _plain(reply, "id"):
            return _receipt(reply)
        if reply.status >= 500 and reply.status not in (502, 504):
            raise ServerTrouble(self._name, f"HTTP {reply.status} {code}".strip())
        raise Uncertain(self._name, f"HTTP {reply.status} without a receipt")

    async def find(self, document: Outbound) -> Receipt | None:
        """Ask by the delivery's key; only a 404 that names NOT_FOUND proves absence."""

        async def ask(token: Token) -> Reply | None:
            path = f"{_DOCUMENTS_PATH}/{quote(document.key, safe='')}"
            reply = await self._peer.exchange("GET", path, headers=_bearer(token), carries_document=False)
            return None if reply.status == 401 else reply

        reply = await self._login.use(ask)
        if reply.status == 404:
            if _plain(reply, "code") == "NOT_FOUND":
                return None
            raise CannotAsk(self._name, "HTTP 404 without NOT_FOUND")
        if reply.status in (429, 503):
            refuse_by_status(self._name, reply)
        if reply.status != 200 or not _plain(reply, "id"):
            raise Unreachable(self._name, f"question not answered: HTTP {reply.status}")
        return _receipt(reply)

    async def close(self) -> None:
        await self._peer.close()

    async def _take_token(self) -> Token:
        settings = self._settings
        form = urlencode(
            {
                "grant_type": "client_credentials",
                "client_id": settings.client_id,
                "client_secret": str(settings.client_secret),
            }
        ).encode()
        reply = await self._peer.exchange(
            "POST",
            _TOKEN_PATH,
            content=form,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            carries_document=False,
        )
        token = _text(reply, "access_token")
        if reply.status == 200 and token:
            life = plain_code(reply.json_object().get("expires_in"))
            seconds = timedelta(seconds=min(int(life[:9]), 86400)) if life.isdigit() else _DEFAULT_LIFE
            return Token(token, datetime.now(UTC) + seconds)
        if reply.status in (400, 401, 403):
            raise LoginRefused(self._name, f"HTTP {reply.status}")
        raise login_trouble(self._name, reply)


def _text(reply: Reply, name: str) -> str:
    value = reply.json_object().get(name)
    return value if isinstance(value, str) else ""


def _plain(reply: Reply, name: str) -> str:
    return plain_code(reply.json_object().get(name))


def _receipt(reply: Reply) -> Receipt:
    return Receipt(_plain(reply, "id"), reply.body, {"received_at": _text(reply, "received_at")[:40]})


def _bearer(token: Token) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.access}"}
