"""Verification over HTTP: of a file, and of a paper by the hash that stands on it.

    POST /verify            the file as the body, or a form with the field `file` → the report of `lienthong verify --json`
    GET  /verify            a page to drop a file on
    GET  /verify/SHA256     whether this facility issued a paper with this hash, which version, and what became of it

Every verdict is a 200; an error status means that nothing was judged. What is sent is not kept.

Requirement: S0.6, S3.9
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from fastapi import APIRouter, Request, Response

from gateway.api import uploads
from gateway.api.access import Access
from gateway.api.bodies import json
from gateway.api.pages import page
from gateway.api.words import language, wants_html
from gateway.faults import AccessFault, FaceBusy, NotIssuedHere, RequestNotUnderstood
from gateway.settings import Plan
from gateway.text import text
from gateway.verification import Issued, Verifier, facts, reason_line, told, who
from mappings import documents as forms
from signing.verdict import Report

_HASH = re.compile(r"[0-9a-fA-F]{64}")
_READING = 8
"""Files that are taken in at the same time: each is in memory."""


class _Room:
    """Let in a few at a time."""

    def __init__(self, places: int) -> None:
        self._free = places

    def __enter__(self) -> None:
        if not self._free:
            raise FaceBusy("body")
        self._free -= 1

    def __exit__(self, *_: object) -> None:
        self._free += 1


def router(plan: Plan, access: Access, verifier: Verifier) -> APIRouter:
    """Give the addresses of verification."""
    own = APIRouter()
    room = _Room(_READING)

    def admit(request: Request) -> None:
        if "authorization" in request.headers:
            access.client(request, "verify")
        elif plan.http.verify != "open":
            access.person(request)

    @own.get("/verify")
    async def form(request: Request) -> Response:
        admit(request)
        return page(request, "verify.html", largest=plan.http.max_size // 1024**2, facility=plan.facility.name)

    @own.post("/verify")
    async def verify(request: Request) -> Response:
        admit(request)
        with room:
            data, name = await _file(request, plan.http.max_size)
            judged = await verifier.judge(data)
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            here: Issued | None = await verifier.issued(sha256)
        except NotIssuedHere:
            here = None
        if wants_html(request):
            return _page(request, judged, name, sha256, here, plan)
        report = {"file": name, **told(judged, language(request)), "sha256": sha256}
        return json(report | {"issued_here": here and _here(here)})

    @own.get("/verify/{sha256}")
    async def issued(sha256: str, request: Request) -> Response:
        if not _HASH.fullmatch(sha256):
            raise RequestNotUnderstood("sha256", "64 characters of 0-9 and a-f")
        fault: AccessFault | None = None
        here: Issued | None = None
        try:
            here = await verifier.issued(sha256)
        except NotIssuedHere as unknown:
            fault = unknown
        status = 404 if fault else 200
        if wants_html(request):
            shown = here and _here(here)
            return page(request, "issued.html", status, here=shown, facility=plan.facility.name, sha256=sha256.lower())
        if fault is not None:
            raise fault
        return json({"issued": True, "facility": plan.facility.code, **_here(here)} if here else {}, status)

    return own


async def _file(request: Request, limit: int) -> tuple[bytes, str]:
    body = await uploads.read(request, limit)
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        if not body:
            raise RequestNotUnderstood("body", "a file is expected")
        return body, ""
    part = uploads.fields(kind, body).get("file")
    if part is None or not part.body:
        raise RequestNotUnderstood("file", "a file is expected")
    return part.body, part.file_name


def _here(here: Issued) -> dict[str, Any]:
    return here.told() | {"title": forms.title(here.paper)}


def _page(request: Request, judged: Report, name: str, sha256: str, here: Issued | None, plan: Plan) -> Response:
    said = language(request)
    signers = [
        {
            "who": who(one),
            "organisation": one.signer.organisation if one.signer.organisation != one.signer.name else "",
            "verdict": one.verdict,
            "facts": list(facts(one, said)),
            "reasons": [reason_line(reason, said) for reason in one.reasons],
        }
        for one in judged.signers
    ]
    return page(
        request,
        "report.html",
        verdict=judged.verdict,
        name=name,
        sha256=sha256,
        signers=signers,
        reasons=[(f"LT{one.code:04d}", text(one.code, said), one.where, one.detail) for one in judged.reasons],
        warnings=[(f"LT{one.code:04d}", text(one.code, said), one.where, one.detail) for one in judged.warnings],
        here=here and _here(here),
        facility=plan.facility.name,
    )
