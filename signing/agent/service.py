"""Answer requests: the API for the gateway's page, and the signer's own pages. Knows no socket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import parse_qs

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from mappings.formats.faults import SigningFault
from mappings.formats.values import Secret
from signing import certificates, token
from signing.agent import pages, protocol
from signing.agent.batches import Batch, Batches, Event, OpenKey
from signing.agent.guard import COOKIE, Guard
from signing.faults import AgentRefused, KeyUnavailable, NotAuthorised

T = TypeVar("T", bound=msgspec.Struct)
_PAGE_RULES = (
    "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_PAPER_RULES = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'"
)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case, none twice."""
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Response:
    status: HTTPStatus
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Holder:
    """The token of this workstation."""

    look: Callable[[], token.View]
    """Read what needs no PIN."""
    open: Callable[[Secret, bool], OpenKey]
    """Log in with a PIN; the flag allows the last try before the token locks."""


class Agent:
    """Everything the agent does; one run at a time, because a token has one PIN."""

    def __init__(self, holder: Holder, guard: Guard, announce: Callable[[str], None] = lambda _: None) -> None:
        """`announce` gets the address of a page that waits for the signer."""
        self._holder = holder
        self._guard = guard
        self._announce = announce
        self._batches = Batches()
        self._signing = threading.Lock()

    def entry(self, path: str = "/") -> str:
        """Give an address that lets the signer's browser in, once."""
        return f"{self._guard.own_origin}/enter?key={self._guard.entry()}&to={path}"

    def answer(self, request: Request) -> Response:
        """Answer one request; never raises."""
        if not self._guard.own_host(request.headers.get("host", "")):
            return Response(HTTPStatus.MISDIRECTED_REQUEST)
        try:
            if request.path.startswith("/v1/"):
                return self._api(request)
            return self._page(request)
        except SigningFault as fault:
            return _problem(HTTPStatus.BAD_REQUEST, fault)

    # ---- the gateway's page ----

    def _api(self, request: Request) -> Response:
        if not self._guard.knows(request.headers):
            return _problem(HTTPStatus.FORBIDDEN, AgentRefused("origin", "not on the list"))
        if request.method == "OPTIONS":
            answer = Response(HTTPStatus.NO_CONTENT)
        else:
            answer = self._called(request)
        return Response(answer.status, answer.body, {**answer.headers, **_shared(request)})

    def _called(self, request: Request) -> Response:
        if request.method == "POST" and not request.headers.get("content-type", "").startswith("application/json"):
            return _problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, AgentRefused("content-type", "not JSON"))
        origin = request.headers.get("origin", "")
        try:
            if (request.method, request.path) == ("POST", "/v1/pairings"):
                return self._pair(_read(protocol.Pairing, request.body), origin)
            if not self._guard.admits(request.headers):
                return _problem(HTTPStatus.UNAUTHORIZED, NotAuthorised("token", "not paired"))
            match (request.method, request.path.split("/")[2:]):
                case ("GET", ["signer"]):
                    return _json(HTTPStatus.OK, self._signer())
                case ("POST", ["batches"]):
                    return self._take(_read(protocol.Batch, request.body), origin)
                case (method, ["batches", name, *rest]) if batch := self._batches.find(name, origin):
                    return self._about(method, batch, rest, request)
        except KeyUnavailable as fault:
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, fault)
        except SigningFault as fault:
            return _problem(HTTPStatus.CONFLICT if fault.where == "id" else HTTPStatus.BAD_REQUEST, fault)
        return _problem(HTTPStatus.NOT_FOUND, AgentRefused("path", "no such thing"))

    def _pair(self, request: protocol.Pairing, origin: str) -> Response:
        if paired := self._guard.pair(request.code, origin):
            return _json(HTTPStatus.CREATED, protocol.Paired(protocol.VERSION, paired))
        return _problem(HTTPStatus.UNAUTHORIZED, NotAuthorised("code", "wrong or old"))

    def _signer(self) -> protocol.Signer:
        view = self._holder.look()
        chain = token.signer_chain(view.certificates)
        names = token.algorithms(certificates.public_key(chain[0]), view.mechanisms)
        return protocol.Signer(
            protocol.VERSION, tuple(one.public_bytes(Encoding.DER) for one in chain), names, view.serial
        )

    def _take(self, request: protocol.Batch, origin: str) -> Response:
        known = self._batches.find(request.id, origin)
        batch = self._batches.add(request, origin)
        if known is None:
            self._announce(self.entry(f"/batches/{request.id}"))
        return _json(HTTPStatus.CREATED if known is None else HTTPStatus.OK, batch.state())

    def _about(self, method: str, batch: Batch, rest: list[str], request: Request) -> Response:
        match (method, rest):
            case ("GET", []):
                after, wait = _number(request.query.get("after")), _number(request.query.get("wait"))
                return _json(HTTPStatus.OK, batch.state(int(after), min(wait, protocol.MAXIMUM_WAIT_S)))
            case ("POST", ["stop"]):
                batch.happen(Event.STOP)
                return _json(HTTPStatus.OK, batch.state())
            case ("DELETE", []):
                batch.happen(Event.STOP)
                self._batches.forget(batch.request.id)
                return Response(HTTPStatus.NO_CONTENT)
        return _problem(HTTPStatus.NOT_FOUND, AgentRefused("path", "no such thing"))

    # ---- the signer ----

    def _page(self, request: Request) -> Response:
        if request.method == "GET" and request.path == "/style.css":
            return Response(HTTPStatus.OK, pages.STYLE.encode(), {"Content-Type": "text/css; charset=utf-8"})
        if request.method == "GET" and request.path == "/enter":
            return self._enter(request.query)
        secret = self._guard.form_secret(request.headers)
        if not secret:
            return _html(pages.stranger(), HTTPStatus.FORBIDDEN)
        if request.method == "POST":
            form = parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
            if not self._guard.form_is_ours(request.headers, form.get("form", [""])[0]):
                return _html(pages.stranger(), HTTPStatus.FORBIDDEN)
            return self._done(request.path.split("/")[1:], form, secret)
        match request.path.split("/")[1:]:
            case [""]:
                guard = self._guard
                return _html(pages.home(self._batches.all(), guard.code(), guard.paired(), guard.origins, secret))
            case ["batches", name] if batch := self._batches.find(name):
                return self._show(batch, secret)
            case ["batches", name, "papers", number] if batch := self._batches.find(name):
                return _paper(batch, number)
        return _html(pages.page("Không có trang này", '<p><a href="/">Về danh sách</a></p>'), HTTPStatus.NOT_FOUND)

    def _enter(self, query: Mapping[str, str]) -> Response:
        cookie = self._guard.enter(query.get("key", ""))
        if not cookie:
            return _html(pages.stranger(), HTTPStatus.FORBIDDEN)
        to = query.get("to", "/")
        to = to if to.startswith("/batches/") and to.isascii() and to.isprintable() else "/"
        headers = {"Set-Cookie": f"{COOKIE}={cookie}; HttpOnly; SameSite=Strict; Path=/"}
        return Response(HTTPStatus.SEE_OTHER, b"", {**headers, "Location": to})

    def _done(self, path: list[str], form: Mapping[str, list[str]], secret: str) -> Response:
        match path:
            case ["code"]:
                self._guard.new_code()
                return _see("/")
            case ["unpair"]:
                self._guard.unpair()
                return _see("/")
            case ["batches", name, "sign"] if batch := self._batches.find(name):
                return self._sign(batch, form, secret)
            case ["batches", name, "pause"] if batch := self._batches.find(name):
                batch.pause()
                return _see(f"/batches/{name}")
            case ["batches", name, "leave"] if batch := self._batches.find(name):
                batch.happen(Event.LEAVE)
                return _see(f"/batches/{name}")
        return _see("/")

    def _sign(self, batch: Batch, form: Mapping[str, list[str]], secret: str) -> Response:
        pin, last_try = Secret(form.get("pin", [""])[0]), form.get("last_try") == ["yes"]
        if not self._signing.acquire(blocking=False):
            return self._show(batch, secret, "Đang ký một lô khác; đợi lô đó xong hoặc tạm dừng nó.")
        if not batch.choose(form.get("leave", [])):
            self._signing.release()
            return _see(f"/batches/{batch.request.id}")

        def run() -> None:
            try:
                batch.run(lambda: self._holder.open(pin, last_try))
            finally:
                self._signing.release()

        threading.Thread(target=run, name="signing", daemon=True).start()
        return _see(f"/batches/{batch.request.id}")

    def _show(self, batch: Batch, secret: str, note: str = "") -> Response:
        try:
            view = self._holder.look() if batch.state().state == "waiting" else None
        except SigningFault:
            view = None
        return _html(pages.batch_page(batch, batch.state(), view, secret, note))


def _paper(batch: Batch, number: str) -> Response:
    papers = batch.request.documents
    if not number.isdigit() or int(number) >= len(papers):
        return Response(HTTPStatus.NOT_FOUND)
    return Response(
        HTTPStatus.OK,
        papers[int(number)].html.encode(),
        {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": _PAPER_RULES},
    )


def _read(cls: type[T], body: bytes) -> T:
    try:
        return msgspec.json.decode(body, type=cls)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise AgentRefused("body", "not what version 1 of the protocol says") from problem


def _number(text: str | None) -> float:
    return float(text) if text and text.isdecimal() and len(text) < 10 else 0.0


def _shared(request: Request) -> dict[str, str]:
    """Let the page on the list, and no other, read the answer. Standard: Fetch §3.2 (CORS)"""
    if "origin" not in request.headers:
        return {}
    headers = {"Access-Control-Allow-Origin": request.headers["origin"], "Vary": "Origin"}
    if request.method == "OPTIONS":
        headers |= {
            "Access-Control-Allow-Methods": "GET, POST, DELETE",
            "Access-Control-Allow-Headers": "authorization, content-type",
            "Access-Control-Max-Age": "600",
        }
        if request.headers.get("access-control-request-private-network") == "true":
            headers["Access-Control-Allow-Private-Network"] = "true"
    return headers


def _json(status: HTTPStatus, value: msgspec.Struct) -> Response:
    return Response(status, msgspec.json.encode(value), {"Content-Type": "application/json"})


def _problem(status: HTTPStatus, fault: SigningFault) -> Response:
    return _json(status, protocol.Problem(protocol.VERSION, fault.code, fault.where, fault.detail))


def _html(body: bytes, status: HTTPStatus = HTTPStatus.OK) -> Response:
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": _PAGE_RULES}
    return Response(status, body, headers)


def _see(path: str) -> Response:
    return Response(HTTPStatus.SEE_OTHER, b"", {"Location": path})
