"""Look up insurance cards for kiosks and reception.

    GET  /coverage?encounter=ID&moment=reception     by ids of the record; also ?patient=ID
    POST /coverage                                   the same, and what stands on a card: number, name, born
    GET  /coverage/moments?encounter=ID              which of the three look-ups of a visit are done

For clients that may `coverage`. An address carries ids alone, never what is on a card: whoever has no id yet sends a body.
Every look-up asks the insurer, once, unless the same was asked a moment ago; so neither call is for prefetching.

Requirement: S2.11, S4.1
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Request, Response

from gateway.api.access import Access
from gateway.api.bodies import json, read
from gateway.api.words import language
from gateway.cards.desk import MOMENTS, CardDesk, Wanted
from gateway.cards.told import as_dict
from gateway.faults import CardsNotServed, RequestNotUnderstood
from gateway.settings import Plan

_BODY = 16 * 1024
_IN_ADDRESS = frozenset(("patient", "encounter", "moment", "destination", "lang"))

Id = Annotated[str, msgspec.Meta(max_length=64)]
Words = Annotated[str, msgspec.Meta(max_length=255)]


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose card."""

    patient: Id = ""
    encounter: Id = ""
    number: Words = ""
    name: Words = ""
    born: Words = ""
    moment: Literal["", "reception", "treatment", "discharge"] = ""
    destination: Id = ""


def router(plan: Plan, access: Access, desk: CardDesk | None) -> APIRouter:
    """Give the addresses of card look-ups; without a desk each says that this node looks up none."""
    own = APIRouter()

    async def look_up(request: Request, actor: str, ask: Ask) -> Response:
        if desk is None:
            raise CardsNotServed()
        wanted = Wanted(actor, ask.patient, ask.encounter, ask.number, ask.name, ask.born, ask.moment)
        return json(as_dict(await desk.ask(wanted, ask.destination), language(request), plan.systems))

    @own.get("/coverage")
    async def by_id(request: Request) -> Response:
        client = access.client(request, "coverage")
        given = dict(request.query_params)
        if not given.keys() <= _IN_ADDRESS:
            raise RequestNotUnderstood("query", "an address carries ids alone; what is on a card goes in a body")
        if not given.get("patient") and not given.get("encounter"):
            raise RequestNotUnderstood("query", "patient or encounter")
        if given.get("moment", "") not in ("", *MOMENTS):
            raise RequestNotUnderstood("moment", ", ".join(MOMENTS))
        return await look_up(
            request, client.name, msgspec.convert({name: said for name, said in given.items() if name != "lang"}, Ask)
        )

    @own.post("/coverage")
    async def by_card(request: Request) -> Response:
        client = access.client(request, "coverage")
        return await look_up(request, client.name, await read(request, Ask, _BODY))

    @own.get("/coverage/moments")
    async def moments(request: Request) -> Response:
        access.client(request, "coverage")
        encounter = request.query_params.get("encounter", "")
        if not encounter:
            raise RequestNotUnderstood("query", "encounter")
        if desk is None:
            raise CardsNotServed()
        return json(await desk.moments(encounter))

    return own
