"""The receiving portal of Vietnam Social Security (Cổng tiếp nhận): sends the signed XML file of one visit.

Acceptance is reception only; the assessment is read on the portal's page, for which it offers no interface. Nor does it offer
a question whether a file arrived. Not here: check-in (XML0), boards (XML12), card look-up.

Standard: CV 1245/BHXH-CNTT (2024), QĐ 3176/QĐ-BYT; codes beyond 200/401/403 from integrators' notes.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Literal
from urllib.parse import urlencode

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
from connectors.faults import CannotAsk, LoginRefused, Refused, ServerTrouble, Uncertain, WrongFacility
from mappings.formats.values import NO_FILE, FileName, Secret

_LOGIN_PATH = "/api/token/take"
_PATHS = {
    "130": "/api/qd130/guiHoSoXmlQD130",
    "4750": "/api/qd130/guiHoSoXmlQD4750",
    "3176": "/api/qd130/guiHoSoXmlQD3176",
}
_RECORD_TYPE = "130"
_DEFAULT_LIFE = timedelta(minutes=10)
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}

_ACCEPTED = "200"
_LOGIN_BAD = "401"
_SERVER_TROUBLE = "500"
_REFUSED = frozenset({"402", "403", "123", "124", "125", "202", "204", "205", "1001"})


@dataclass(frozen=True)
class Settings:
    takes: ClassVar[str] = "gdbhyt"

    url: str
    """Address of the portal's interface, like `https://host`."""
    username: str
    """The facility's account, usually `<MA_CSKCB>_BV`."""
    password: Secret
    """Its password as a person types it; it travels as MD5, which the portal demands."""
    facility: str
    """MA_CSKCB, five characters; documents of another facility are not sent."""
    province: str = ""
    """maTinh; the first two characters of `facility` unless written."""
    version: Literal["3176", "4750", "130"] = "3176"
    """Which decision's files are sent."""
    ca: FileName = NO_FILE
    """PEM file with the authority of the portal's certificate; the public authorities unless written."""
    connect_timeout: timedelta = timedelta(seconds=5)
    """How long to wait for a connection."""
    answer_timeout: timedelta = timedelta(seconds=60)
    """How long to wait for an answer; after that it is not known whether the file arrived."""

    def __post_init__(self) -> None:
        check_http_settings(self.url, self.connect_timeout, self.answer_timeout)
        if not self.username:
            raise ValueError("username: empty — write the account the portal gave the facility")
        if len(self.facility) != 5 or not self.facility.isalnum():
            raise ValueError("facility: MA_CSKCB has five letters or digits — write it like 01032")


class Destination:
    """Carry QĐ 130/4750/3176 files to the portal."""

    def __init__(self, name: str, settings: Settings, seal: Seal) -> None:
        self._name = name
        self._settings = settings
        self._password_hash = hashlib.md5(settings.password.encode(), usedforsecurity=False).hexdigest().upper()
        self._peer = HttpPeer(
            name,
            settings.url,
            ca=settings.ca,
            connect_timeout=settings.connect_timeout,
            answer_timeout=settings.answer_timeout,
            keep_connections=False,
        )
        self._login = Login(name, self._take_token)

    async def deliver(self, document: Outbound) -> Receipt:
        """Send the file; accepted is `maKetQua` 200 with a `maGiaoDich`.

        Raises `WrongFacility` before sending: the portal books a file to the account's facility without a word.
        """
        settings = self._settings
        if document.facility != settings.facility:
            raise WrongFacility(self._name)
        account = {
            "username": settings.username,
            "loaiHoSo": _RECORD_TYPE,
            "maTinh": settings.province or settings.facility[:2],
            "maCSKCB": settings.facility,
        }
        form = b"%b&fileHSBase64=%b" % (urlencode(account).encode(), _quoted_base64(document.body))

        async def send(token: Token) -> Reply | None:
            headers = {
                **_FORM,
                "accessToken": token.access,
                "tokenId": token.second,
                "passwordHash": self._password_hash,
            }
            reply = await self._peer.exchange("POST", _PATHS[settings.version], content=form, headers=headers)
            return None if _LOGIN_BAD in (str(reply.status), _code(reply)) else reply

        return self._judge(await self._login.use(send))

    async def find(self, document: Outbound) -> Receipt | None:
        """Raise `CannotAsk`: a person looks the file up on the portal's page, within 60 days."""
        raise CannotAsk(self._name)

    async def close(self) -> None:
        await self._peer.close()

    def _judge(self, reply: Reply) -> Receipt:
        code = _code(reply)
        if reply.status in (429, 503) or not code:
            refuse_by_status(self._name, reply)
            raise Uncertain(self._name, f"HTTP {reply.status} without maKetQua")
        if code == _SERVER_TROUBLE:
            raise ServerTrouble(self._name, f"maKetQua {code}")
        if code in _REFUSED:
            raise Refused(self._name, f"maKetQua {code}")
        content = reply.json_object()
        reference = plain_code(content.get("maGiaoDich"))
        if code != _ACCEPTED or not reference or not 200 <= reply.status < 300:
            raise Uncertain(
                self._name, f"HTTP {reply.status}, maKetQua {code}, maGiaoDich {'given' if reference else 'absent'}"
            )
        facts = {"maKetQua": code, "thoiGianTiepNhan": plain_code(content.get("thoiGianTiepNhan"))}
        return Receipt(reference, reply.body, facts)

    async def _take_token(self) -> Token:
        form = urlencode({"username": self._settings.username, "password": self._password_hash}).encode()
        reply = await self._peer.exchange("POST", _LOGIN_PATH, content=form, headers=_FORM, carries_document=False)
        code = _code(reply)
        if code in (_LOGIN_BAD, "402", "403") or (not code and reply.status in (400, 401, 403)):
            raise LoginRefused(self._name, f"maKetQua {code}" if code else f"HTTP {reply.status}")
        key = reply.json_object().get("APIKey")
        if code != _ACCEPTED or not isinstance(key, dict) or not key.get("access_token"):
            raise login_trouble(self._name, reply)
        return Token(str(key["access_token"]), _expiry(key.get("expires_in")), str(key.get("id_token") or ""))


def _quoted_base64(body: bytes) -> bytes:
    """Encode for a form; `urlencode` goes character by character, which is seconds for a file of 20 MB."""
    return base64.b64encode(body).replace(b"+", b"%2B").replace(b"/", b"%2F").replace(b"=", b"%3D")


def _code(reply: Reply) -> str:
    return plain_code(reply.json_object().get("maKetQua"))


def _expiry(text: object) -> datetime:
    """Read `expires_in`: an instant in UTC, whatever its name says."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return datetime.now(UTC) + _DEFAULT_LIFE
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
