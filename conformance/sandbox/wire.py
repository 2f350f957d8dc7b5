"""Put a destination on HTTP: read the request, let the fault plan act, answer. Knows no interface by itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable
from urllib.parse import parse_qsl

from conformance.sandbox.faults import Action, Call, FaultPlan, PaperNames, Rule

LARGEST_BODY = 64 * 1024 * 1024
MOST_FIELDS = 200
"""Fields of a form."""
MAINTENANCE_PAGE = (
    "<!DOCTYPE html><html lang=vi><title>Bảo trì hệ thống</title>"
    "<h1>Hệ thống đang bảo trì</h1><p>Mời quay lại sau.</p></html>"
)
BY_PLAN = "từ chối theo kế hoạch lỗi"
"""Detail of a record that a rule refused."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Received:
    """One HTTP request, read completely."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    peer: str

    @property
    def media_type(self) -> str:
        """Content-Type without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def form(self) -> dict[str, str]:
        """Return the fields of an URL-encoded form; empty when the body is not one."""
        if self.media_type != "application/x-www-form-urlencoded":
            return {}
        try:
            return dict(parse_qsl(self.body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS))
        except ValueError:
            return {}

    def json(self) -> object:
        """Return the body read as JSON; None when it is none."""
        try:
            content: object = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return content

    def bearer(self) -> str:
        """Return the bearer token, or the empty string."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


@dataclass(frozen=True)
class Reply:
    """One HTTP answer."""

    status: int
    body: bytes
    media_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


def json_reply(status: int, content: object) -> Reply:
    """Make a JSON answer, Vietnamese letters as they are."""
    return Reply(status, json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())


class Destination(Protocol):
    """One simulated interface: pure answers, no sockets."""

    name: ClassVar[str]

    def call(self, request: Received) -> Call | None:
        """Tell what a method and path ask for; None: no such resource."""
        ...

    def answer(self, call: Call, request: Received) -> Reply:
        """Judge, record and answer as the published interface does."""
        ...

    def names(self, request: Received) -> PaperNames:
        """Tell by what names the submitted paper is known; empty names where it cannot be read."""
        ...

    def refuse(self, request: Received, code: str | None) -> Reply:
        """Record and refuse a submission with this code, whatever it holds."""
        ...


@runtime_checkable
class TrustService(Destination, Protocol):
    """A simulated interface that can also answer wrongly."""

    def distort(self, call: Call, request: Received, code: str) -> Reply:
        """Answer wrongly in the way `code` names; calls that carry no proof are answered as ever."""
        ...


@runtime_checkable
class Questioned(Destination, Protocol):
    """A simulated interface whose look-ups can be refused and whose tokens can be ended."""

    def refuse_question(self, request: Received, code: str | None) -> Reply:
        """Answer a look-up with this code."""
        ...

    def expire(self, request: Received) -> None:
        """End the token a call carries."""
        ...


class HttpFace:
    """An ASGI application of one destination. `drop(scope, reset)` ends the connection a request came on."""

    def __init__(self, destination: Destination, plan: FaultPlan, drop: Callable[[Scope, bool], None]) -> None:
        self._destination = destination
        self._plan = plan
        self._drop = drop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _read(receive)
        if body is None:
            await _write(send, json_reply(413, {"message": "too large"}))
            return
        request = _request(scope, body)
        call = self._destination.call(request)
        if call is None:
            await _write(send, json_reply(404, {"message": "Not Found"}))
            return
        reply = await self._act(scope, call, request)
        if reply is None:
            while (await receive())["type"] != "http.disconnect":
                pass
        else:
            await _write(send, reply)

    async def _act(self, scope: Scope, call: Call, request: Received) -> Reply | None:
        destination = self._destination
        rules = self._plan.match(destination.name, call, lambda: destination.names(request))
        for rule in rules:
            if rule.action is Action.SLOW:
                await asyncio.sleep(rule.delay_ms / 1000)
        decided = next((rule for rule in rules if rule.action is not Action.SLOW), None)
        if decided is not None and isinstance(destination, Questioned):
            if decided.action is Action.EXPIRE:
                destination.expire(request)
                return destination.answer(call, request)
            if decided.action is Action.REFUSE and call is Call.FIND:
                return destination.refuse_question(request, decided.code)
        if decided is None or (decided.action is Action.REFUSE and call not in (Call.SUBMIT, Call.AUTHORIZE)):
            return destination.answer(call, request)
        if decided.action is Action.DOWN:
            self._drop(scope, True)
            return None
        if decided.action is Action.LOSE_ANSWER:
            destination.answer(call, request)
            self._drop(scope, False)
            return None
        if decided.action is Action.REFUSE:
            return destination.refuse(request, decided.code)
        if decided.action is Action.DISTORT:
            assert isinstance(destination, TrustService)
            return destination.distort(call, request, decided.code or "")
        return _faulty(decided)


def _faulty(rule: Rule) -> Reply:
    if rule.action is Action.MAINTENANCE:
        return Reply(200, MAINTENANCE_PAGE.encode(), "text/html; charset=utf-8")
    if rule.action is Action.BAD_ANSWER:
        return Reply(200, b"<html><body>\xff\xfe Bad gateway", "text/html")
    status = {Action.UNAVAILABLE: 503, Action.THROTTLE: 429}.get(rule.action, 500)
    wait = rule.retry_after_s
    headers = {"retry-after": str(wait)} if wait is not None and status != 500 else {}
    return Reply(status, b"", "text/plain", headers)


async def _read(receive: Receive) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size <= LARGEST_BODY:
            parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if size <= LARGEST_BODY else None


def _request(scope: Scope, body: bytes) -> Received:
    return Received(
        method=scope["method"],
        path=scope["path"],
        query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
        body=body,
        peer=scope["client"][0] if scope["client"] else "",
    )


async def _write(send: Send, reply: Reply) -> None:
    headers = {"content-type": reply.media_type, "content-length": str(len(reply.body)), **reply.headers}
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": encoded})
    await send({"type": "http.response.body", "body": reply.body, "more_body": False})
