"""Another hospital's archive over the web: sends studies by STOW-RS, as they are kept.

It is asked first which objects of a study it has (QIDO-RS), and gets what it lacks, so that an interrupted study goes on where
it broke off and a new version sends what is new. Objects go as DICOM files in requests of at most `batch`, written to the wire
while they are read from the disk. A study is delivered when the archive's own answer names every object as stored; an object
that an answer does not name is asked about. Where no question is answered everything is sent.

Its answers stand in the error queue as `reason A700` or `HTTP 413`, and can be given another meaning with `answers`. With
`token_url` an access token is taken by our own credentials (OAuth 2.0); `token` is one that was given once and for all.

Standard: DICOM PS3.18 §10.5 (STOW-RS), §10.6 (QIDO-RS), Annex I (answers to a store), §F.2 (JSON)
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final
from urllib.parse import urljoin

from connectors.contract import Outbound, Picture, Pictures, Receipt, Seal
from connectors.destinations._client_credentials import check_token_address, take_token
from connectors.destinations._http import HttpPeer, Reply, check_http_settings, refuse_by_status
from connectors.destinations._login import Login, Token
from connectors.faults import (
    CannotAsk,
    LoginRefused,
    NoPictures,
    ObjectsRefused,
    PacsBusy,
    StudyInterrupted,
    Uncertain,
    Unreachable,
)
from mappings.formats import json
from mappings.formats.faults import Fault, JsonInvalid
from mappings.formats.values import NO_FILE, NO_SECRET, FileName, Secret, Size

_JSON: Final = "application/dicom+json"
_BATCH: Final = Size(64 * 1024 * 1024)
_PAGE: Final = 500
_MOST_PAGES: Final = 1000
_MOST_ANSWER: Final = 32 * 1024 * 1024
_AT_ONCE: Final = 1 << 20
"""Bytes that are read from the disk at a time."""
_UID: Final = re.compile(r"[0-9.]{1,64}")
_SOP_INSTANCE, _STORED, _FAILED = "00080018", "00081199", "00081198"
_NAMED, _REASON, _WARNING = "00081155", "00081197", "00081196"
_ALREADY_THERE: Final = 0x0111
_NO_RESOURCES: Final = range(0xA700, 0xA800)


@dataclass(frozen=True)
class Settings:
    takes: ClassVar[str] = "pictures"

    url: str
    """Address of the archive's DICOMweb service, like `https://host/dicom-web`: what stands before `/studies`."""
    token: Secret = NO_SECRET
    """Sent as `Authorization: Bearer …`, where the archive gave us one for good."""
    username: str = ""
    """Our account, where the archive asks for one by Basic."""
    password: Secret = NO_SECRET
    """Its password."""
    token_url: str = ""
    """Where tokens are given: an address, or a path on the same host; empty when none are."""
    client_id: str = ""
    """Our account there."""
    client_secret: Secret = NO_SECRET
    """Its secret."""
    scope: str = ""
    """What the token is asked for."""
    batch: Size = _BATCH
    """Largest request; an object that is larger goes alone."""
    ca: FileName = NO_FILE
    """PEM file with the authority of the archive's certificate; the public authorities unless written."""
    connect_timeout: timedelta = timedelta(seconds=5)
    """How long to wait for a connection."""
    answer_timeout: timedelta = timedelta(minutes=2)
    """How long to wait for an answer, and for the archive to read on; after that it is asked what arrived."""

    def __post_init__(self) -> None:
        check_http_settings(self.url, self.connect_timeout, self.answer_timeout)
        if self.token_url:
            check_token_address(self.token_address, self.connect_timeout, self.answer_timeout)
        for name, other in (("client_id", "token_url"), ("client_secret", "token_url"), ("password", "username")):
            if bool(getattr(self, name)) != bool(getattr(self, other)):
                raise ValueError(f"{name}: goes with {other} — write both, or none")
        if sum(map(bool, (self.token, self.username, self.token_url))) > 1:
            raise ValueError("token: one way to log in — write token, or username, or token_url")
        if self.batch <= 0:
            raise ValueError('batch: nothing would be sent — write a size like "64MB"')

    @property
    def token_address(self) -> str:
        return urljoin(self.url, self.token_url)


class Destination:
    """Store studies in one archive."""

    def __init__(self, name: str, settings: Settings, seal: Seal) -> None:
        self._name = name
        self._settings = settings
        self._peer = self._connect(settings.url)
        self._tokens = self._connect(settings.token_address) if settings.token_url else None
        self._login = Login(name, self._take_token)
        self._ending = False

    async def deliver(self, document: Outbound) -> Receipt:
        """Send what the archive lacks; accepted is every object that its answers name as stored, or that was there already.

        Raises ObjectsRefused, PacsBusy, the faults of HTTP, and what reading the objects raises.
        """
        pictures = self._pictures(document)
        try:
            there = await self._there(pictures.study)
        except CannotAsk:
            there = set()
        sent = _Sent([one.sop_instance for one in pictures.objects if one.sop_instance in there])
        lacking = [one for one in pictures.objects if one.sop_instance not in there]
        for batch in _batches(lacking, self._settings.batch):
            if self._ending:
                done = len(sent.there) + len(sent.stored)
                raise StudyInterrupted(self._name, f"{done} of {len(pictures.objects)} confirmed")
            await self._store(pictures, batch, document.key, sent)
        sent.judge(self._name, len(pictures.objects))
        return sent.receipt(pictures)

    async def find(self, document: Outbound) -> Receipt | None:
        """Ask which objects are there: all, or it did not arrive."""
        pictures = self._pictures(document)
        there = await self._there(pictures.study)
        if any(one.sop_instance not in there for one in pictures.objects):
            return None
        return _Sent([one.sop_instance for one in pictures.objects]).receipt(pictures)

    def interrupt(self) -> None:
        """Have studies under way end after the request that is being sent: StudyInterrupted."""
        self._ending = True

    async def close(self) -> None:
        await self._peer.close()
        if self._tokens is not None:
            await self._tokens.close()

    def _pictures(self, document: Outbound) -> Pictures:
        if document.pictures is None:
            raise NoPictures(self._name, document.media_type)
        return document.pictures

    # ---- what is there ----

    async def _there(self, study: str) -> set[str]:
        """Give the objects of a study, page by page; raises CannotAsk, Unreachable, Throttled, LoginRefused."""
        found: set[str] = set()
        for page in range(_MOST_PAGES):
            path = f"/studies/{study}/instances?limit={_PAGE}&offset={page * _PAGE}"

            async def ask(authorisation: Mapping[str, str], path: str = path) -> Reply:
                headers = {"Accept": _JSON, **authorisation}
                return await self._peer.exchange(
                    "GET", path, headers=headers, carries_document=False, most=_MOST_ANSWER
                )

            named = self._named(await self._authorised(ask))
            if not named - found:
                return found
            found |= named
            if len(named) < _PAGE:
                return found
        raise CannotAsk(self._name, "the search does not end")

    def _named(self, reply: Reply) -> set[str]:
        """Read one page of objects."""
        if reply.status in (204, 404):
            return set()
        if reply.status in (429, 503):
            refuse_by_status(self._name, reply)
        if reply.status in (400, 403, 405, 410, 413, 501):
            raise CannotAsk(self._name, f"HTTP {reply.status}")
        listed = _read(reply)
        if reply.status != 200 or not isinstance(listed, list):
            raise Unreachable(self._name, f"question not answered: HTTP {reply.status}")
        return {uid for one in listed if isinstance(one, dict) and (uid := str(_value(one, _SOP_INSTANCE)))}

    # ---- what is sent ----

    async def _store(self, pictures: Pictures, batch: Sequence[Picture], key: str, sent: _Sent) -> None:
        """Send one request and note what became of its objects; raises what keeps the rest from being sent."""
        body = _Body(pictures, batch, f"lienthong-{key}")

        async def send(authorisation: Mapping[str, str]) -> Reply:
            headers = {
                "Content-Type": f'multipart/related; type="application/dicom"; boundary={body.boundary}',
                "Content-Length": str(body.length),
                "Accept": _JSON,
            }
            path = f"/studies/{pictures.study}"
            return await self._peer.exchange("POST", path, content=body.pieces(), headers={**headers, **authorisation})

        try:
            reply = await self._authorised(send)
        except (Uncertain, Unreachable):
            if body.fault is not None:
                raise body.fault from None
            raise
        self._note(reply, batch, sent)

    def _note(self, reply: Reply, batch: Sequence[Picture], sent: _Sent) -> None:
        answer = _read(reply)
        if reply.status not in (200, 202, 400, 409) or not isinstance(answer, dict):
            answer = {}
        stored = {str(_value(one, _NAMED)): one for one in _items(answer, _STORED)}
        failed = {str(_value(one, _NAMED)): _number(_value(one, _REASON)) for one in _items(answer, _FAILED)}
        unsaid = 0
        for one in batch:
            uid = one.sop_instance
            if uid in failed and failed[uid] != _ALREADY_THERE:
                sent.refused[uid] = failed[uid]
            elif uid in failed:
                sent.there.append(uid)
            elif uid in stored and reply.status in (200, 202):
                sent.stored[uid] = _number(_value(stored[uid], _WARNING))
            else:
                unsaid += 1
        full = next((reason for reason in failed.values() if reason in _NO_RESOURCES), None)
        if full is not None:
            raise PacsBusy(self._name, f"reason {full:04X}")
        if unsaid:
            refuse_by_status(self._name, reply)
            raise Uncertain(self._name, f"HTTP {reply.status}: {unsaid} objects not named")

    # ---- who we are ----

    def _connect(self, url: str) -> HttpPeer:
        settings = self._settings
        return HttpPeer(
            self._name,
            url,
            ca=settings.ca,
            connect_timeout=settings.connect_timeout,
            answer_timeout=settings.answer_timeout,
        )

    async def _authorised(self, call: Callable[[Mapping[str, str]], Awaitable[Reply]]) -> Reply:
        if self._tokens is None:
            reply = await call(self._shown())
            if reply.status == 401:
                raise LoginRefused(self._name, "HTTP 401")
            return reply

        async def with_token(token: Token) -> Reply | None:
            reply = await call({"Authorization": f"Bearer {token.access}"})
            return None if reply.status == 401 else reply

        return await self._login.use(with_token)

    def _shown(self) -> dict[str, str]:
        settings = self._settings
        if settings.token:
            return {"Authorization": f"Bearer {settings.token}"}
        if settings.username:
            account = base64.b64encode(f"{settings.username}:{settings.password}".encode()).decode()
            return {"Authorization": f"Basic {account}"}
        return {}

    async def _take_token(self) -> Token:
        assert self._tokens is not None, "only called when there is a token_url"
        settings = self._settings
        return await take_token(self._tokens, settings.client_id, settings.client_secret, settings.scope)


class _Body:
    """The body of one request: DICOM files as parts, read while they are sent.

    Standard: RFC 2046 §5.1; RFC 2387
    """

    def __init__(self, pictures: Pictures, batch: Sequence[Picture], boundary: str) -> None:
        self._pictures = pictures
        self._batch = batch
        self.boundary = boundary
        self._head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        self._end = f"--{boundary}--\r\n".encode()
        self.length = sum(len(self._head) + one.size + 2 for one in batch) + len(self._end)
        self.fault: Fault | None = None
        """Why it could not be read to its end."""

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give it from the beginning; where reading fails the request is cut off and `fault` says why."""
        whole = self._whole()
        try:
            while piece := await asyncio.to_thread(_gather, whole):
                yield piece
        except Fault as fault:
            self.fault = fault
            raise

    def _whole(self) -> Iterator[bytes]:
        for one in self._batch:
            yield self._head
            yield from self._pictures.read(one)
            yield b"\r\n"
        yield self._end


def _gather(pieces: Iterator[bytes]) -> bytes:
    """Take pieces until there is enough for one go."""
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= _AT_ONCE:
            break
    return bytes(held)


class _Sent:
    """How far a study is."""

    def __init__(self, there: Sequence[str]) -> None:
        self.there = list(there)
        self.stored: dict[str, int] = {}
        """Object → WarningReason, 0 without one."""
        self.refused: dict[str, int] = {}
        """Object → FailureReason."""

    def judge(self, where: str, of: int) -> None:
        """Raise what keeps a study that was sent from being delivered."""
        if self.refused:
            first = next(iter(self.refused.values()))
            raise ObjectsRefused(f"{where} {len(self.refused)}/{of}", f"reason {first:04X}")

    def receipt(self, pictures: Pictures) -> Receipt:
        """Keep what the archive answered to each object."""
        warnings = sum(bool(reason) for reason in self.stored.values())
        facts = {"objects": len(pictures.objects), "sent": len(self.stored), "there": len(self.there)}
        facts |= {"warnings": warnings} if warnings else {}
        stored = {uid: f"{reason:04X}" for uid, reason in self.stored.items()}
        evidence = json.dumps({"stored": stored, "there": self.there})
        return Receipt(pictures.study, evidence, {name: str(count) for name, count in facts.items()})


def _batches(objects: Sequence[Picture], largest: int) -> Iterator[list[Picture]]:
    """Cut a study into requests, in order."""
    batch: list[Picture] = []
    size = 0
    for one in objects:
        if batch and size + one.size > largest:
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += one.size
    if batch:
        yield batch


# ---- DICOM JSON ----


def _read(reply: Reply) -> Any:
    try:
        return json.loads(reply.body) if reply.body else None
    except JsonInvalid:
        return None


def _items(dataset: Mapping[str, Any], tag: str) -> list[Mapping[str, Any]]:
    element = dataset.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []


def _value(dataset: Mapping[str, Any], tag: str) -> object:
    element = dataset.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return next(iter(values), "") if isinstance(values, list) else ""


def _number(value: object) -> int:
    return int(value) & 0xFFFF if isinstance(value, int) else 0
