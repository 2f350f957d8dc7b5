"""The page of what expires: which certificates end when, who was told, and whether a new one is on its way.

    GET /certs           ?days=60: for who signed in, the own certificates; for who may `certs`, those of everybody, and
                         how many archive time stamps of papers are renewed by then
    GET /certs/export    ?days=60: the same as CSV, with e-mail addresses; for who may `certs`

That personal data of staff was shown is noted in the audit log.

Requirement: S0.8, S0.10
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from gateway.api.access import Access, Person
from gateway.api.certs import number
from gateway.api.pages import page
from gateway.certificates import lists, notices
from gateway.certificates.desk import Desk
from gateway.faults import NotAllowed
from gateway.settings import Plan

_EVER = 36_500
"""Days: no certificate lasts longer."""


def router(plan: Plan, access: Access, desk: Desk) -> APIRouter:
    """Give the addresses of the page."""
    own = APIRouter()

    def of_everybody(person: Person) -> bool:
        return "certs" in plan.signers[person.code].settings.may

    async def ending(person: Person, days: int) -> list[Any]:
        return await desk.disclose(
            f"{person.code} (web)", "certs expiring", lambda c, p, now: lists.expiring(c, p, now, days)
        )

    @own.get("/certs")
    async def certs(request: Request) -> Response:
        person, days = access.person(request), number(request, "days", notices.DAYS[0], 3650)
        everybody = of_everybody(person)
        if everybody:
            found = await ending(person, days)
        else:
            found = await desk.look(lambda c, p, now: lists.expiring(c, p, now, _EVER, holder=person.code))
        lines = [line for _, line in found]
        stamps = await desk.look(lambda c, p, now: lists.stamps_ending(c, p, now, days)) if everybody else None
        marks = notices.DAYS
        return page(request, "certs.html", everybody=everybody, days=days, marks=marks, lines=lines, stamps=stamps)

    @own.get("/certs/export")
    async def export(request: Request) -> Response:
        person, days = access.person(request), number(request, "days", notices.DAYS[0], 3650)
        if not of_everybody(person):
            raise NotAllowed(detail="certs")
        headers = {"content-disposition": 'attachment; filename="het-han.csv"'}
        body = lists.expiring_csv(await ending(person, days))
        return Response(body, media_type="text/csv; charset=utf-8", headers=headers)

    return own
