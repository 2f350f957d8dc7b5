"""The gateway's faces on one address: verification, the register of certificates, the signer's page, card look-ups, pictures.

Faults are answered as JSON to programs and as a page to people, with the status of their kind. No patient data in an address,
no log of requests.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from connectors.faults import LookupRestricted, LookupUnanswered
from gateway import __version__, faults
from gateway.api import certs, certs_page, coverage, images, pages, sign, verify
from gateway.api.access import Access
from gateway.api.bodies import json, told
from gateway.api.door import App, Door, Scope
from gateway.api.server import Protocol, serve
from gateway.api.words import wants_html
from gateway.cards.desk import CardDesk
from gateway.clock import Clock
from gateway.image_reading import ImageReading
from gateway.settings import Plan
from gateway.signing_relay import Relay
from gateway.verification import Verifier
from mappings.formats.faults import Fault, FaultClass

_AT_ONCE = 200
"""Connections; further ones are told to come later."""
_STATUS: dict[type[Fault], int] = {
    faults.TokenWrong: 401,
    faults.NotSignedIn: 401,
    faults.NotAllowed: 403,
    faults.ForeignRequest: 403,
    faults.SignerNotEntitled: 403,
    faults.SkipNotAllowed: 403,
    faults.RequestNotUnderstood: 400,
    faults.RequestTooLarge: 413,
    faults.HostUnknown: 421,
    faults.FaceBusy: 429,
    faults.NoSuchPage: 404,
    faults.NotIssuedHere: 404,
    faults.NothingThere: 404,
    faults.QueryInAddress: 403,
    faults.FormNotOffered: 406,
    faults.NoSuchPicture: 404,
    faults.NamesAnother: 409,
    faults.SearchTooBroad: 413,
    faults.KeyUnknown: 500,
    faults.SealBroken: 500,
    faults.CardsNotServed: 404,
    faults.LookupsStopped: 503,
    LookupUnanswered: 504,
    LookupRestricted: 503,
    faults.CertificateUnknown: 404,
    faults.HolderUnknown: 404,
    faults.SignerUnknown: 404,
    faults.SittingUnknown: 409,
    faults.NotPossibleNow: 409,
    faults.NotYourTurn: 409,
    faults.TaskGone: 409,
    faults.CertificateTaken: 409,
    faults.RenewalOpen: 409,
    faults.IncidentOpen: 409,
    faults.InternalFault: 500,
}


def status(fault: Fault) -> int:
    """Give the HTTP status that tells a fault; 422 for what was understood and cannot be done."""
    found = next((_STATUS[kind] for kind in type(fault).__mro__ if kind in _STATUS), 0)
    return found or (503 if fault.fault_class is FaultClass.TRANSIENT else 422)


def answer(request: Request, fault: Fault) -> Response:
    """Answer with a fault: a page for people, JSON for programs."""
    code = status(fault)
    response: Response
    if isinstance(fault, faults.NotSignedIn) and request.method == "GET" and wants_html(request):
        response = RedirectResponse("/sign/in", 303)
    elif wants_html(request):
        response = pages.page(request, "fault.html", code, fault=told(fault, request))
    else:
        response = json({"fault": told(fault, request)}, code)
    if code == 401:
        response.headers["www-authenticate"] = "Bearer"
    if code in (429, 503):
        response.headers["retry-after"] = "30"
    return response


def build(
    plan: Plan,
    relay: Relay,
    verifier: Verifier,
    register: certs.Desk,
    clock: Clock,
    cards: CardDesk | None = None,
    reading: ImageReading | None = None,
) -> App:
    """Put the faces together."""
    app = FastAPI(title="Liên Thông", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    access = Access(plan, clock)
    app.include_router(pages.router)
    app.include_router(verify.router(plan, access, verifier))
    app.include_router(certs.router(plan, access, register))
    app.include_router(certs_page.router(plan, access, register))
    app.include_router(sign.router(plan, access, relay))
    app.include_router(coverage.router(plan, access, cards))
    if reading is not None:
        app.include_router(images.router(plan, access, reading))

    @app.get("/")
    async def home() -> Response:
        return RedirectResponse("/verify", 303)

    @app.exception_handler(Fault)
    async def fault(request: Request, error: Fault) -> Response:
        return answer(request, error)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        response = answer(request, faults.NoSuchPage())
        response.status_code = error.status_code
        return response

    @app.exception_handler(Exception)
    async def broken(request: Request, _: Exception) -> Response:
        return answer(request, faults.InternalFault())

    def refuse(scope: Scope, fault: faults.AccessFault) -> App:
        return answer(Request(scope), fault)

    return Door(app, plan.http, refuse)


async def run(plan: Plan, app: App, ready: Callable[[str], None]) -> None:
    """Serve until cancelled."""
    http = plan.http
    tls = {"ssl_certfile": http.certificate, "ssl_keyfile": http.private_key} if http.tls == "tls" else {}
    # h11 and not httptools: strangers reach this, and only h11 ends a head that never ends
    await serve(app, http.listen, ready, http=Protocol, limit_concurrency=_AT_ONCE, timeout_keep_alive=15, **tls)
