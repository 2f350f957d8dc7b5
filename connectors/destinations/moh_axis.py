"""The data axis of the Ministry of Health (emrhub) and provincial gateways of the same shape: a sealed JSON envelope.

Published for health check-ups; the same envelope with another `txn_type` carries other papers where the axis agrees.
HTTP 200 is not success: `header.res_code` decides, by `data/res_codes.csv`.

What the sources leave open is a setting (`receiver_id`, `data_form`, `reconcile_path`) or decided here: `msg_type` is the
text `101` as every client seen writes it, and the hash of a bare base64 `data` is that of its text without the quotes.

Standard: QĐ 1551/QĐ-BYT annex 02, replaced by QĐ 2062/QĐ-BYT. The question by `sender_id` and `msg_id` is that of the
provincial gateway of Vĩnh Long (interface V1.5, §5.8.1); the ministry's own axis has published none.
"""

from __future__ import annotations

import asyncio
import base64
import csv
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from importlib import resources
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode
from uuid import UUID

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
from connectors.faults import CannotAsk, LoginRefused, Refused, ServerTrouble, Uncertain, Unreachable
from mappings.formats.values import NO_FILE, FileName, Secret

_LOGIN_PATH = "/api/auth/login"
_PUSH_PATH = "/api/platform/data-sync/push"
_REQUEST = "101"
_VIETNAM = timezone(timedelta(hours=7))
_DEFAULT_LIFE = timedelta(minutes=10)
_STATES = ("byt_status", "hoc_status", "status", "state")
"""Where an answer to the question says how far the message came; the first three in `data.item`, the last at the root."""
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Settings:
    takes: ClassVar[str] = "cda"

    url: str
    """Address of the axis, like `https://host`."""
    username: str
    """The facility's agent account, usually `<GLN>_api`."""
    password: Secret
    """Its password."""
    sender_id: str
    """GLN of the facility, 13 digits."""
    txn_type: str
    """What is sent, in the axis's words: `sync_checkup` for health check-ups."""
    receiver_id: str = "TDLBYT"
    """Who it is for; also seen: TTYQG, emrhub, VTS."""
    version: str = "1.0.6"
    """Version of the envelope."""
    service_type: str = "100"
    """Header `service-type` of the call."""
    data_form: Literal["string", "file_content", "content"] = "string"
    """Whether `data` is the base64 text itself or an object with it in `file_content`, or in `content` (Hà Nội)."""
    reconcile_path: str = "/api/kham-suc-khoe/doi-soat-byt/trang-thai"
    """Where a message is asked for by `sender_id` and `msg_id`; empty where the axis has no such question."""
    ca: FileName = NO_FILE
    """PEM file with the authority of the axis's certificate; the public authorities unless written."""
    connect_timeout: timedelta = timedelta(seconds=5)
    """How long to wait for a connection."""
    answer_timeout: timedelta = timedelta(seconds=180)
    """How long to wait for an answer; after that it is not known whether the document arrived."""

    def __post_init__(self) -> None:
        check_http_settings(self.url, self.connect_timeout, self.answer_timeout)
        if not self.username:
            raise ValueError("username: empty — write the agent account the axis gave the facility")
        if len(self.sender_id) != 13 or not (self.sender_id.isascii() and self.sender_id.isdigit()):
            raise ValueError("sender_id: a GLN has 13 digits — write the one registered with the ministry")
        for name in ("txn_type", "receiver_id", "version", "service_type"):
            value = getattr(self, name)
            if not value or not value.isascii() or any(sign.isspace() for sign in value):
                raise ValueError(f"{name}: some axes hash it without its spaces — write plain letters without spaces")
        if self.reconcile_path and not self.reconcile_path.startswith("/"):
            raise ValueError('reconcile_path: not a path — write it with a leading / or as ""')


class Destination:
    """Carry CDA documents to the axis."""

    def __init__(self, name: str, settings: Settings, seal: Seal) -> None:
        self._name = name
        self._settings = settings
        self._seal = seal
        self._peer = HttpPeer(
            name,
            settings.url,
            ca=settings.ca,
            connect_timeout=settings.connect_timeout,
            answer_timeout=settings.answer_timeout,
        )
        self._login = Login(name, self._take_token)

    async def deliver(self, document: Outbound) -> Receipt:
        """Send the envelope; the same document gives the same bytes and `msg_id` on every attempt."""
        envelope = await self._envelope(document)

        async def send(token: Token) -> Reply | None:
            headers = {**_JSON, **_bearer(token), "service-type": self._settings.service_type}
            reply = await self._peer.exchange("POST", _PUSH_PATH, content=envelope, headers=headers)
            refused = reply.status == 401 or _class(_answer_code(reply)) == "login"
            return None if refused else reply

        return self._judge(await self._login.use(send), self._message_id(document))

    async def find(self, document: Outbound) -> Receipt | None:
        """Ask by `sender_id` and `msg_id`. Also raises `Refused` when the document arrived and was not accepted.

        Only a 404 that names NOT_FOUND proves absence: any other may come from a wrong path or a proxy.
        """
        settings = self._settings
        if not settings.reconcile_path:
            raise CannotAsk(self._name)
        message_id = self._message_id(document)
        query = urlencode({"sender_id": settings.sender_id, "msg_id": message_id})

        async def ask(token: Token) -> Reply | None:
            reply = await self._peer.exchange(
                "GET", f"{settings.reconcile_path}?{query}", headers=_bearer(token), carries_document=False
            )
            return None if reply.status == 401 else reply

        return self._found(await self._login.use(ask), message_id)

    async def close(self) -> None:
        await self._peer.close()

    def _message_id(self, document: Outbound) -> str:
        day = document.created_at.astimezone(_VIETNAM)
        return f"{self._settings.sender_id}{day:%y%m%d}{UUID(document.key).hex}"

    async def _envelope(self, document: Outbound) -> bytes:
        """Build the bytes once and hash exactly what is sent: no library writes this JSON a second time."""
        settings = self._settings
        header = _compact(
            {
                "version": settings.version,
                "sender_id": settings.sender_id,
                "receiver_id": settings.receiver_id,
                "txn_type": settings.txn_type,
                "msg_id": self._message_id(document),
                "msg_type": _REQUEST,
                "data_type": "xml/base64",
                "send_datetime": int(document.created_at.timestamp() * 1000),
                "ref_msg_id": "",
            }
        )
        text = base64.b64encode(document.body)
        if settings.data_form == "string":
            data, hashed = b'"%b"' % text, text
        else:
            data = hashed = b'{"%b":"%b"}' % (settings.data_form.encode(), text)
        hashes = f"{_upper_sha256(header)}.{_upper_sha256(hashed)}"
        signature = await asyncio.to_thread(self._seal, hashes.encode())
        return b'{"header":%b,"data":%b,"signature":"%b"}' % (header, data, base64.b64encode(signature))

    def _judge(self, reply: Reply, message_id: str) -> Receipt:
        code = _answer_code(reply)
        if reply.status in (429, 503):
            refuse_by_status(self._name, reply, code)
        match _class(code):
            case "accepted" if 200 <= reply.status < 300:
                header = reply.json_object()["header"]
                tracking = plain_code(reply.headers.get("x-hoc-tracking-id"))
                reference = _text(header, "txn_id") or tracking or message_id
                return Receipt(reference, reply.body, {"res_code": code, "msg_id": message_id})
            case "refused":
                raise Refused(self._name, f"res_code {code}")
            case "transient":
                raise ServerTrouble(self._name, f"res_code {code}")
            case "uncertain":
                raise Uncertain(self._name, f"res_code {code}")
        if not code:
            refuse_by_status(self._name, reply)
        raise Uncertain(self._name, f"HTTP {reply.status}, res_code {'unknown' if code else 'absent'}")

    def _found(self, reply: Reply, message_id: str) -> Receipt | None:
        content = reply.json_object()
        if reply.status == 404:
            if "NOT_FOUND" in (content.get("code"), _answer_code(reply)):
                return None
            raise CannotAsk(self._name, "HTTP 404 without NOT_FOUND")
        if reply.status in (429, 503):
            refuse_by_status(self._name, reply)
        data = content.get("data")
        item = data.get("item") if isinstance(data, dict) else content
        state = _text(item, *_STATES) if isinstance(item, dict) else ""
        if reply.status != 200 or not isinstance(item, dict) or not state:
            raise Unreachable(self._name, f"question not answered: HTTP {reply.status}")
        if state == "NOT_FOUND":
            return None
        code = _text(item, "byt_res_code", "res_code")
        invalid = "INVALID" in (state, _text(item, "hoc_validation_status", "validation_status"))
        if invalid or "REJECT" in state or _class(code) == "refused":
            raise Refused(self._name, f"arrived, but state {state}, res_code {code or 'absent'}")
        reference = _text(item, "tracking_id", "txn_id") or message_id
        return Receipt(reference, reply.body, {"res_code": code, "state": state, "msg_id": message_id})

    async def _take_token(self) -> Token:
        account = _compact({"username": self._settings.username, "password": str(self._settings.password)})
        reply = await self._peer.exchange("POST", _LOGIN_PATH, content=account, headers=_JSON, carries_document=False)
        data = reply.json_object().get("data")
        token = data.get("token") if isinstance(data, dict) else None
        if 200 <= reply.status < 300 and isinstance(data, dict) and isinstance(token, str) and token:
            return Token(token, datetime.now(UTC) + _life(data.get("duration") or data.get("expires_in")))
        if reply.status in (400, 401, 403) or _class(_answer_code(reply)) in ("login", "refused"):
            raise LoginRefused(self._name, f"HTTP {reply.status}")
        raise login_trouble(self._name, reply)


@cache
def _classes() -> dict[str, str]:
    table = (resources.files("connectors.destinations") / "data" / "res_codes.csv").read_text("utf-8")
    return {row["code"]: row["class"] for row in csv.DictReader(table.splitlines())}


def _class(code: str) -> str:
    return _classes().get(code, "unknown")


def _answer_code(reply: Reply) -> str:
    header = reply.json_object().get("header")
    return _text(header, "res_code") if isinstance(header, dict) else ""


def _text(content: dict[str, Any], *names: str) -> str:
    """Give the first of `names` that holds something of the shape of a code."""
    return next((code for name in names if (code := plain_code(content.get(name)))), "")


def _life(duration: object) -> timedelta:
    text = plain_code(duration)
    return timedelta(seconds=min(int(text[:9]), 7 * 86400)) if text.isdigit() else _DEFAULT_LIFE


def _bearer(token: Token) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.access}"}


def _compact(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _upper_sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest().upper()
