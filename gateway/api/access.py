"""Who asks: programs by a token in every request, people by a session that a token began.

A session is a sealed cookie: nothing is kept, any node knows it, and it ends with its hours or when the person's token changes.
A request in somebody's name brings the secret of the session beside the cookie, which no other page can read.

Not here: accounts, roles and passwords of people; until they come, a token of each person's own in node.toml.

Standard: RFC 6750; RFC 6265bis (SameSite, __Host-)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass

import msgspec
from fastapi import Request, Response

from gateway.clock import SECOND, Clock
from gateway.faults import FaceBusy, ForeignRequest, NotAllowed, NotSignedIn, StoreFault, TokenWrong
from gateway.settings import ClientSettings, Plan

log = logging.getLogger("lienthong.access")

HOURS = 10
FORM_HEADER = "x-form"
_ROW = "session"
_TRIES = 10
_WITHIN = 300 * SECOND
_REMEMBERED = 10_000


class _Session(msgspec.Struct, frozen=True):
    code: str
    until: int
    form: str
    token: str


@dataclass(frozen=True)
class Person:
    """Somebody who signed in."""

    code: str
    name: str
    form: str
    """What every form and request of this session brings back."""


class Access:
    """Admit programs and people of the plan."""

    def __init__(self, plan: Plan, clock: Clock) -> None:
        self._plan = plan
        self._clock = clock
        self._secure = plan.http.tls != "none"
        self._cookie = "__Host-lienthong" if self._secure else "lienthong"
        self._failed: OrderedDict[tuple[str, str], deque[int]] = OrderedDict()

    # ---- programs ----

    def client(self, request: Request, need: str) -> ClientSettings:
        """Return which client sends this request; raise TokenWrong, or NotAllowed unless it may `need`."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given, found = _hash(token.strip()), None
        for client in self._plan.clients:
            if hmac.compare_digest(given, _hash(client.token)):
                found = client
        if found is None or scheme.lower() != "bearer":
            log.warning("a request with no or a wrong token from %s", peer(request))
            raise TokenWrong("authorization")
        if need not in found.may:
            log.warning("client %s asked for %s, which it may not", found.name, need)
            raise NotAllowed(detail=need)
        return found

    # ---- people ----

    def sign_in(self, request: Request, response: Response, code: str, token: str) -> None:
        """Begin a session of a person; raise TokenWrong, or FaceBusy after ten wrong tokens in five minutes."""
        tries = self._tries(peer(request), code)
        signer = self._plan.signers.get(code)
        wanted = signer.settings.token if signer else ""
        if not hmac.compare_digest(_hash(token), _hash(wanted)) or not wanted:
            tries.append(self._clock.now())
            log.warning("a wrong token at sign-in from %s", peer(request))
            raise TokenWrong("token")
        tries.clear()
        until = self._clock.now() + HOURS * 3600 * SECOND
        session = _Session(code, until, secrets.token_urlsafe(24), _print_of(wanted))
        sealed = self._plan.keyring.seal(msgspec.json.encode(session), _ROW)
        value = base64.urlsafe_b64encode(sealed).decode().rstrip("=")
        response.set_cookie(
            self._cookie, value, max_age=HOURS * 3600, path="/", secure=self._secure, httponly=True, samesite="strict"
        )

    def sign_out(self, response: Response) -> None:
        """End the session of this browser."""
        response.delete_cookie(self._cookie, path="/", secure=self._secure, httponly=True, samesite="strict")

    def person(self, request: Request) -> Person:
        """Return who signed in on this browser; raise NotSignedIn."""
        value = request.cookies.get(self._cookie, "")
        try:
            opened = self._plan.keyring.open(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)), _ROW)
            session = msgspec.json.decode(opened, type=_Session)
        except (StoreFault, binascii.Error, ValueError, IndexError):
            raise NotSignedIn() from None
        signer = self._plan.signers.get(session.code)
        if signer is None or session.until < self._clock.now():
            raise NotSignedIn()
        if not hmac.compare_digest(session.token, _print_of(signer.settings.token)):
            raise NotSignedIn()
        return Person(session.code, signer.settings.name, session.form)

    def own_form(self, request: Request, person: Person, given: str = "") -> None:
        """Raise ForeignRequest unless a request was sent by a page of this person's session."""
        said = given or request.headers.get(FORM_HEADER, "")
        if not hmac.compare_digest(said.encode(), person.form.encode()):
            raise ForeignRequest(detail="form")

    def _tries(self, *who: str) -> deque[int]:
        address, code = who
        tries = self._failed.setdefault((address, code[:64]), deque())
        self._failed.move_to_end((address, code[:64]))
        while len(self._failed) > _REMEMBERED:
            self._failed.popitem(last=False)
        while tries and tries[0] < self._clock.now() - _WITHIN:
            tries.popleft()
        if len(tries) >= _TRIES:
            raise FaceBusy("token")
        return tries


def peer(request: Request) -> str:
    """Give the address a request came from."""
    return request.client.host if request.client else ""


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _print_of(token: str) -> str:
    return hashlib.sha256(b"session " + token.encode()).hexdigest()
