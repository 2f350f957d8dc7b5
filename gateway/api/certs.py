"""The register of certificates over HTTP, for clients that may `certs`: what `lienthong certs` does, as JSON.

    GET  /api/certs                  ?state=…&department=…&proposed=1&limit=N
    GET  /api/certs/holder           ?key=…: everything about one holder, with personal numbers; noted in the audit log
    GET  /api/certs/events           ?key=…&limit=N
    GET  /api/certs/expiring         ?days=60&format=csv: what ends, and which notices went out
    GET  /api/certs/form             ?kind=handover|commitment&key=…&format=pdf|html
    POST /api/certs/import           a staff list, CSV or XLSX, as the body; ?check=1&full=1&request=0&provider=…&reason=…
    POST /api/certs/steps/STEP       one step, with `key` (or `keys`) and `reason` in the body

A `key` is an id in the register, a serial number, or the code of a holder. The client's name is the actor in every event.

Requirement: S0.1–S0.4, S0.7–S0.9
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request, Response
from sqlalchemy.engine import Connection

from gateway.api import bodies, uploads
from gateway.api.access import Access
from gateway.certificates import forms, lists, notices, procedure, register
from gateway.certificates.desk import Desk
from gateway.certificates.register import Act
from gateway.faults import NoSuchPage, RequestNotUnderstood
from gateway.settings import Plan
from mappings.formats.sheet import read
from signing.keys import kinds

__all__ = ["Desk", "number", "router"]

_KEYS = 1000
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Text = Annotated[str, msgspec.Meta(max_length=1000)]


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What every step says: why."""

    reason: Text = ""

    def run(self, connection: Connection, plan: Plan, act: Act) -> Any:
        """Do it; the faults are `procedure`'s."""
        raise NotImplementedError


class RequestStep(Step, frozen=True):
    holder: Annotated[str, msgspec.Meta(max_length=64)] = ""
    seal: bool = False
    device: register.Device = "usb_token"
    provider: Text = ""

    def run(self, connection: Connection, plan: Plan, act: Act) -> Any:
        if bool(self.holder) == self.seal:
            raise RequestNotUnderstood("holder", "either holder or seal")
        return procedure.request(
            connection, plan, act, holder=self.holder, seal=self.seal, device=self.device, provider=self.provider
        )


class Several(Step, frozen=True, kw_only=True):
    keys: Annotated[tuple[Key, ...], msgspec.Meta(min_length=1, max_length=_KEYS)]


class Issue(Step, frozen=True, kw_only=True):
    key: Key
    certificate: Annotated[str, msgspec.Meta(max_length=400_000)]
    """PEM, or DER in base64."""
    device: register.Device | None = None
    device_serial: Text = ""
    provider: Text = ""
    key_kind: str = ""
    key_name: Annotated[str, msgspec.Meta(max_length=64)] = ""

    def run(self, connection: Connection, plan: Plan, act: Act) -> Any:
        if self.key_kind and self.key_kind not in kinds():
            raise RequestNotUnderstood("key_kind", ", ".join(kinds()))
        return procedure.issue(
            connection,
            plan,
            act,
            self.key,
            _certificate(self.certificate),
            device=self.device or "",
            device_serial=self.device_serial,
            provider=self.provider,
            key_kind=self.key_kind,
            key_name=self.key_name,
        )


class HandOver(Step, frozen=True, kw_only=True):
    key: Key
    handed_by: Text
    device_serial: Text = ""
    received_by: Text = ""
    on: str = ""

    def run(self, connection: Connection, plan: Plan, act: Act) -> Any:
        return procedure.hand_over(
            connection,
            act,
            self.key,
            on=_day(self.on, act),
            handed_by=self.handed_by,
            device_serial=self.device_serial,
            received_by=self.received_by,
        )


class Device(Step, frozen=True, kw_only=True):
    key: Key
    serial: Text

    def run(self, connection: Connection, plan: Plan, act: Act) -> Any:
        return procedure.device(connection, act, self.key, self.serial)


class Commit(Step, frozen=True, kw_only=True):
    holder: Key
    sha256: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")] = ""
    """Of the signed commitment's file, which stays where it is."""
    reference: Text = ""
    on: str = ""

    def run(self, connection: Connection, plan: Plan, act: Act) -> Any:
        on = _day(self.on, act)
        return procedure.commit(connection, act, self.holder, on=on, sha256=self.sha256, reference=self.reference)


class Suspend(Step, frozen=True, kw_only=True):
    key: Key

    def run(self, connection: Connection, plan: Plan, act: Act) -> Any:
        return procedure.suspend(connection, act, self.key)


class Revoke(Step, frozen=True, kw_only=True):
    key: Key
    effective: str = ""
    device_returned: bool | None = None

    def run(self, connection: Connection, plan: Plan, act: Act) -> Any:
        try:
            at = register.day_or_instant(self.effective) if self.effective else 0
        except (ValueError, OverflowError):
            raise RequestNotUnderstood("effective", "2026-11-05, 2026-11-05T14:30") from None
        return procedure.revoke(connection, act, self.key, effective_at=at, device_returned=self.device_returned)


class Renew(Step, frozen=True, kw_only=True):
    key: Key

    def run(self, connection: Connection, plan: Plan, act: Act) -> Any:
        return procedure.renew(connection, act, self.key)


class Incident(Step, frozen=True, kw_only=True):
    key: Key
    kind: register.Incident

    def run(self, connection: Connection, plan: Plan, act: Act) -> Any:
        return procedure.incident(connection, act, self.key, self.kind)


class Settle(Step, frozen=True, kw_only=True):
    incident: Key

    def run(self, connection: Connection, plan: Plan, act: Act) -> Any:
        return procedure.settle(connection, act, self.incident)


STEPS: dict[str, type[Step]] = {
    "request": RequestStep,
    "issue": Issue,
    "handover": HandOver,
    "device": Device,
    "commit": Commit,
    "suspend": Suspend,
    "revoke": Revoke,
    "renew": Renew,
    "incident": Incident,
    "settle": Settle,
    **dict.fromkeys(procedure.STEPS, Several),
}


def router(plan: Plan, access: Access, desk: Desk) -> APIRouter:
    """Give the addresses of the register."""
    own = APIRouter(prefix="/api/certs")

    def actor(request: Request) -> str:
        return f"{access.client(request, 'certs').name} (api)"

    @own.get("")
    async def listing(request: Request) -> Response:
        actor(request)
        asked = request.query_params
        states = asked.getlist("state")
        for state in states:
            if state not in lists.KNOWN_STATES:
                raise RequestNotUnderstood("state", ", ".join(lists.KNOWN_STATES))
        limit, proposed = number(request, "limit", 0, 100_000), _flag(request, "proposed")
        department = asked.get("department", "")
        return bodies.json(
            await desk.look(
                lambda c, _p, _n: lists.listing(c, states=states, department=department, proposed=proposed, limit=limit)
            )
        )

    @own.get("/holder")
    async def holder(request: Request) -> Response:
        who, key = actor(request), _key(request)
        return bodies.json(await desk.disclose(who, key, lambda c, p, _: lists.holder(c, p.keyring, key)))

    @own.get("/events")
    async def events(request: Request) -> Response:
        actor(request)
        key, limit = request.query_params.get("key", ""), number(request, "limit", 50, 100_000)
        return bodies.json(await desk.look(lambda c, _p, _n: lists.events(c, key, limit)))

    @own.get("/expiring")
    async def expiring(request: Request) -> Response:
        who, days = actor(request), number(request, "days", notices.DAYS[0], 3650)
        found = await desk.disclose(who, "certs expiring", lambda c, p, now: lists.expiring(c, p, now, days))
        if request.query_params.get("format") == "csv":
            headers = {"content-disposition": 'attachment; filename="het-han.csv"'}
            return Response(lists.expiring_csv(found), media_type="text/csv; charset=utf-8", headers=headers)
        return bodies.json(lists.expiring_told(found))

    @own.get("/form")
    async def form(request: Request) -> Response:
        who, key = actor(request), _key(request)
        kind, form = request.query_params.get("kind", ""), request.query_params.get("format", "pdf")
        if kind not in forms.KINDS:
            raise RequestNotUnderstood("kind", ", ".join(forms.KINDS))
        make = {"pdf": forms.pdf, "html": forms.page}.get(form)
        if make is None:
            raise RequestNotUnderstood("format", "pdf, html")
        subject = await desk.disclose(who, key, lambda c, p, _: lists.subject(c, p, key))
        types = {"pdf": "application/pdf", "html": "text/html; charset=utf-8"}
        headers = {"content-disposition": f'attachment; filename="{kind}.{form}"'}
        return Response(await asyncio.to_thread(make, kind, subject), media_type=types[form], headers=headers)

    @own.post("/import")
    async def staff(request: Request) -> Response:
        who, asked = actor(request), request.query_params
        body = await uploads.read(request, plan.http.max_size)
        if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            part = uploads.fields(request.headers["content-type"], body).get("file")
            body = part.body if part else b""
        if not body:
            raise RequestNotUnderstood("body", "a file is expected")
        lines = await asyncio.to_thread(read, body)
        check, full = _flag(request, "check"), _flag(request, "full")
        ask = asked.get("request", "1") not in ("0", "false")

        def step(connection: Connection, plan: Plan, act: Act) -> procedure.Brought:
            return procedure.bring_in(
                connection,
                plan,
                act,
                lines,
                full=full,
                request=ask,
                provider=asked.get("provider", ""),
                only_check=check,
            )

        brought = await desk.do(who, asked.get("reason", ""), step)
        return bodies.json(brought.told(), 422 if brought.problems else 200)

    @own.post("/steps/{name}")
    async def step(name: str, request: Request) -> Response:
        who = actor(request)
        if name not in STEPS:
            raise NoSuchPage(detail=", ".join(STEPS))
        body = await bodies.read(request, STEPS[name], plan.http.max_size)
        if isinstance(body, Several):
            several: Callable[[Connection, Plan, Act], Any] = lambda c, _, act: procedure.each(c, act, body.keys, name)  # noqa: E731
            return bodies.json(await desk.do(who, body.reason, several))
        return bodies.json(await desk.do(who, body.reason, body.run), 201 if name in ("request", "renew") else 200)

    return own


def _certificate(text: str) -> bytes:
    if "-----BEGIN" in text:
        return text.encode()
    try:
        return msgspec.json.decode(msgspec.json.encode(text), type=bytes)
    except msgspec.DecodeError:
        raise RequestNotUnderstood("certificate", "PEM, or DER in base64") from None


def _day(text: str, act: Act) -> Any:
    try:
        return procedure.day(text, act)
    except ValueError as form:
        raise RequestNotUnderstood("on", str(form)) from None


def _key(request: Request) -> str:
    key = request.query_params.get("key", "")
    if not key:
        raise RequestNotUnderstood("key", "an id, a serial number or the code of a holder")
    return key


def number(request: Request, name: str, usual: int, most: int) -> int:
    """Read a whole number of the query; raise RequestNotUnderstood for anything else."""
    text = request.query_params.get(name, str(usual))
    if not text.isdecimal() or len(text) > 6 or int(text) > most:
        raise RequestNotUnderstood(name, f"a whole number, {most} at most")
    return int(text)


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "") in ("1", "true")
