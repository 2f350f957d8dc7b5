"""The signer's page, and the same for programs: what waits, the papers, and signing with a key that is elsewhere.

    GET  /sign                       the page; /sign/in and /sign/out around it
    GET  /sign/papers/TASK           a paper as it is read
    POST /sign/sittings              certificate and tasks → hashes for the agent, and a ticket
    POST /sign/sittings/signatures   ticket and signatures → what became of each; without signatures it holds the tasks
    POST /sign/sittings/end          ticket → what was not signed is given back
    POST /sign/tasks/TASK/refuse     with a reason; …/skip leaves the signature out

For people behind the session's cookie and the secret of its form; under `/api/sign` for clients that may `sign`, who name the
person in `?holder=`. The page itself carries hashes to the agent on the signer's PC and signatures back (decision 0017).

Requirement: S0.5, S3.6, S3.7
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from gateway.api import uploads
from gateway.api.access import Access, Person, peer
from gateway.api.bodies import json, read, told
from gateway.api.door import AGENT, PAGE_RULES, PAPER_RULES
from gateway.api.pages import page
from gateway.api.words import language
from gateway.faults import AccessFault
from gateway.settings import Plan
from gateway.signing_relay import LARGEST, Relay, Who
from gateway.text import text
from gateway.text.pages import words
from signing.agent import protocol

_KEY_FAULTS = (5001, 5002, 5003, 5030, 5031)
"""What the agent may say held up the last try; the page has the words."""
_FORM = 64 * 1024

TaskId = Annotated[str, msgspec.Meta(max_length=36)]


class Begin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose key, and for which tasks."""

    chain: Annotated[tuple[bytes, ...], msgspec.Meta(min_length=1, max_length=10)]
    algorithms: tuple[str, ...]
    tasks: Annotated[tuple[TaskId, ...], msgspec.Meta(min_length=1, max_length=LARGEST)]
    device: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """Serial number of the token, as it states it."""


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    task: TaskId
    signature: Annotated[bytes, msgspec.Meta(max_length=2048)]


class Signatures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What comes back."""

    ticket: str
    signatures: Annotated[tuple[Signature, ...], msgspec.Meta(max_length=LARGEST)] = ()


class End(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ticket: str


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: Annotated[str, msgspec.Meta(max_length=500)]


def router(plan: Plan, access: Access, relay: Relay) -> APIRouter:
    """Give the addresses of signing."""
    own = APIRouter()
    do = asyncio.to_thread

    def who(request: Request, *, changes: bool = True) -> Who:
        """Tell in whose name a request is; one that changes something came from that person's own page."""
        if request.url.path.startswith("/api/"):
            client = access.client(request, "sign")
            return Who(request.query_params.get("holder", ""), f"{client.name} (api)", peer(request))
        person = access.person(request)
        if changes:
            access.own_form(request, person)
        return Who(person.code, "web", peer(request))

    # ---- people ----

    @own.get("/sign/in")
    async def before(request: Request) -> Response:
        return page(request, "sign_in.html", wrong=None, code="")

    @own.post("/sign/in")
    async def sign_in(request: Request) -> Response:
        form = uploads.fields(request.headers.get("content-type", ""), await uploads.read(request, _FORM))
        code, token = (_text(form, name) for name in ("code", "token"))
        response = RedirectResponse("/sign", 303)
        try:
            access.sign_in(request, response, code.strip(), token.strip())
        except AccessFault as fault:
            status = 429 if fault.fault_class.value == "throttled" else 401
            return page(request, "sign_in.html", status, wrong=text(fault.code, language(request)), code=code)
        return response

    @own.post("/sign/out")
    async def sign_out(request: Request) -> Response:
        person = access.person(request)
        form = uploads.fields(request.headers.get("content-type", ""), await uploads.read(request, _FORM))
        access.own_form(request, person, _text(form, "form"))
        response = RedirectResponse("/sign/in", 303)
        access.sign_out(response)
        return response

    @own.get("/sign")
    async def work(request: Request) -> Response:
        person = access.person(request)
        tasks = await do(relay.work, person.code)
        ready = [task for task in tasks if task["state"] != "waiting"]
        waiting = [task for task in tasks if task["state"] == "waiting"]
        shown = [*ready[:LARGEST], *waiting[:LARGEST]]
        whose = await do(relay.whose, shown)
        return _page(request, person, ready, waiting, whose)

    # ---- both ----

    @own.get("/api/sign/tasks")
    async def tasks(request: Request) -> Response:
        return json(await do(relay.work, who(request, changes=False).code))

    @own.get("/sign/papers/{task_id}")
    @own.get("/api/sign/papers/{task_id}")
    async def paper(task_id: str, request: Request) -> Response:
        html = await do(relay.paper, who(request, changes=False).code, task_id)
        headers = {"content-security-policy": PAPER_RULES}
        return Response(html, media_type="text/html; charset=utf-8", headers=headers)

    @own.post("/sign/sittings")
    @own.post("/api/sign/sittings")
    async def begin(request: Request) -> Response:
        me, body = who(request), await read(request, Begin, plan.http.max_size)
        handed = await do(relay.begin, me, body.tasks, body.chain, body.algorithms, body.device)
        papers = tuple(
            protocol.Paper(task, shown.digest, shown.title, shown.html()) for task, shown in handed.papers.items()
        )
        name = handed.ticket[-24:].replace("=", "")
        batch = papers and protocol.Batch(1, f"p{name}", handed.algorithm, handed.certificate, papers)
        other = handed.other_device
        signer = {"name": handed.signer.name, "title": handed.signer.title, "serial": handed.signer.serial}
        return json(
            {
                "ticket": handed.ticket,
                "signer": signer,
                "batch": batch or None,
                "refused": {task: told(fault, request) for task, fault in handed.refused.items()},
                "other_device": other and {"stated": other.stated, "handed_over": other.recorded},
            },
            201,
        )

    @own.post("/sign/sittings/signatures")
    @own.post("/api/sign/sittings/signatures")
    async def take(request: Request) -> Response:
        me, body = who(request), await read(request, Signatures, plan.http.max_size)
        done = await do(relay.take, me, body.ticket, {one.task: one.signature for one in body.signatures})
        return json({"tasks": {task: fault and told(fault, request) for task, fault in done.items()}})

    @own.post("/sign/sittings/end")
    @own.post("/api/sign/sittings/end")
    async def end(request: Request) -> Response:
        me, body = who(request), await read(request, End, plan.http.max_size)
        return json({"given_back": await do(relay.end, me, body.ticket)})

    @own.post("/sign/tasks/{task_id}/refuse")
    @own.post("/api/sign/tasks/{task_id}/refuse")
    async def refuse(task_id: str, request: Request) -> Response:
        me, body = who(request), await read(request, Reason, plan.http.max_size)
        return json({"document": await do(relay.refuse, me, task_id, body.reason)})

    @own.post("/sign/tasks/{task_id}/skip")
    @own.post("/api/sign/tasks/{task_id}/skip")
    async def skip(task_id: str, request: Request) -> Response:
        me, body = who(request), await read(request, Reason, plan.http.max_size)
        await do(relay.skip, me, task_id, body.reason)
        return json({})

    return own


def _page(
    request: Request, person: Person, ready: list[dict[str, Any]], waiting: list[dict[str, Any]], whose: dict[str, str]
) -> Response:
    said = language(request)
    scripted = {name: one for name, one in words(said).items() if name.startswith(("run.", "agent.", "state."))}
    return page(
        request,
        "sign.html",
        rules=PAGE_RULES.format(agent=AGENT),
        person=person,
        ready=ready[:LARGEST],
        more=max(0, len(ready) - LARGEST),
        waiting=waiting[:LARGEST],
        whose=whose,
        largest=LARGEST,
        script=scripted,
        faults={code: text(code, said).what for code in _KEY_FAULTS},
    )


def _text(form: Any, name: str) -> str:
    part = form.get(name)
    return part.body.decode("utf-8", "replace") if part else ""
