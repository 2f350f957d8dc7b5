"""Let the operator set the portal's switches, register certificates, officers and cards, and have visits assessed."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol

from fastapi import APIRouter, HTTPException, Request

from conformance.sandbox.portal.book import Book
from conformance.sandbox.portal.cards import CardBook, Officer
from conformance.sandbox.portal.certificates import CertificateBook
from conformance.sandbox.portal.switches import Board
from conformance.sandbox.signatures import Trust

LARGEST_CSV = 4 * 1024 * 1024


class Portal(Protocol):
    """What of the portal the operator acts on."""

    board: Board
    book: Book
    cards: CardBook
    certificates: CertificateBook

    def trust_of(self) -> Trust:
        """Tell on whose word the signature of a kept file is believed now."""
        ...


@dataclass(frozen=True)
class NewCertificate:
    """A certificate to register for a facility."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    facility: str
    pem: str


@dataclass(frozen=True)
class Ordered:
    """Block errors that the assessment is to find in a visit."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    ma_lk: str
    codes: list[str]


@dataclass(frozen=True)
class Which:
    """One MA_LK, or all that wait."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    ma_lk: str | None = None


def portal_routes(portal: Portal) -> APIRouter:
    """Build the routes below `/_sandbox/portal`."""
    routes = APIRouter(prefix="/_sandbox/portal")

    @routes.get("/switches")
    async def switches() -> dict[str, Any]:
        return portal.board.state()

    @routes.patch("/switches")
    async def change_switches(values: dict[str, Any]) -> dict[str, Any]:
        try:
            portal.board.change(**values)
        except ValueError as error:
            raise HTTPException(422, "no such switch, or no such value") from error
        return portal.board.state()

    @routes.get("/visits")
    async def visits(ma_lk: str | None = None, record: int | None = None) -> list[dict[str, Any]]:
        wanted = [
            each for each in portal.book.all() if ma_lk in (None, each.visit.link) and record in (None, each.record)
        ]
        return [each.describe() for each in await asyncio.to_thread(portal.book.settled, wanted)]

    @routes.post("/assess")
    async def assess(which: Which) -> dict[str, int]:
        return {"assessed": await asyncio.to_thread(portal.book.assess, which.ma_lk)}

    @routes.post("/block", status_code=204)
    async def block(ordered: Ordered) -> None:
        try:
            portal.book.order(ordered.ma_lk, ordered.codes)
        except ValueError as error:
            raise HTTPException(422, "no such block error") from error

    @routes.delete("/visits/{ma_lk:path}", status_code=204)
    async def delete(ma_lk: str) -> None:
        if not portal.book.delete(ma_lk):
            raise HTTPException(404)

    @routes.get("/certificates")
    async def certificates() -> list[dict[str, str]]:
        return [each.describe() for each in portal.certificates.all()]

    @routes.post("/certificates", status_code=201)
    async def add_certificate(new: NewCertificate) -> dict[str, str]:
        try:
            return portal.certificates.add(new.facility, new.pem.encode()).describe()
        except ValueError as error:
            raise HTTPException(422, "not a PEM certificate, or no MACSKCB of five characters") from error

    @routes.delete("/certificates/{sha256}", status_code=204)
    async def remove_certificate(sha256: str) -> None:
        if not portal.certificates.remove(sha256):
            raise HTTPException(404)

    @routes.get("/cards")
    async def cards() -> list[dict[str, str]]:
        return [dict(each) for each in portal.cards.cards]

    @routes.post("/cards", status_code=201)
    async def add_cards(request: Request) -> dict[str, int]:
        """Take JSON, a list of rows, or a CSV."""
        body = await request.body()
        if len(body) > LARGEST_CSV:
            raise HTTPException(413)
        try:
            if request.headers.get("content-type", "").startswith("application/json"):
                rows = await request.json()
                if not isinstance(rows, list) or not all(_is_row(row) for row in rows):
                    raise ValueError("a list of rows")
                return {"cards": portal.cards.add(rows)}
            return {"cards": portal.cards.add_csv(body.decode("utf-8-sig"))}
        except ValueError as error:
            raise HTTPException(422, f"no cards: {error}") from error

    @routes.get("/officers")
    async def officers() -> list[dict[str, str]]:
        return [asdict(each) for each in portal.cards.officers]

    @routes.post("/officers", status_code=204)
    async def register_officer(officer: Officer) -> None:
        portal.cards.register(officer)

    return routes


def _is_row(row: object) -> bool:
    return isinstance(row, dict) and all(
        isinstance(name, str) and isinstance(value, str) for name, value in row.items()
    )
