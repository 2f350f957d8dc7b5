"""Ask the portal about a card: its state and past visits, and what the person has paid of shared costs.

One question is sent once: after a time-out it is not repeated, because accounts that ask too much are restricted. The proofs
stand in the address, as the portal demands; addresses are logged nowhere. What an answer means is not read here.

Standard: letters of the portal second-hand (KQNhanLichSuKCB2024; CV 1839/CNTT-PM of 2026-08-18 for shared costs)
Requirement: S2.11, S4.1
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from connectors.contract import CardQuestion, CardReply
from connectors.destinations._http import Reply, refuse_by_status
from connectors.destinations._portal_calls import JSON
from connectors.destinations._portal_session import Session, code_of
from connectors.destinations._portal_settings import Settings
from connectors.faults import LookupRestricted, LookupServerTrouble, LookupUnanswered, Uncertain

_STATE: Final = "/api/egw/KQNhanLichSuKCB2024"
_DETAIL: Final = "/api/egw/nhanHoSoKCBChiTiet"
_SHARED: Final = "/api/TraCuuCCT/TraCuuTienMCCT"
_RESTRICTED: Final = "Có lỗi xảy ra trong quá trình tra cứu"
"""With 500: what an account on the restricted list is told. Standard: CV 1839/CNTT-PM, second-hand"""


Permit = Callable[[], Awaitable[None]]


async def _always() -> None:
    return None


class PortalCards:
    """The look-ups of one account."""

    def __init__(self, name: str, settings: Settings, session: Session) -> None:
        self._name = name
        self._settings = settings
        self._session = session
        self.permit: Permit = _always

    async def look_up(self, question: CardQuestion, permit: Permit | None = None) -> CardReply:
        """Ask for a card's state and the person's past visits."""
        return await self._ask(_STATE, self._words(question), {}, permit)

    async def detail(self, record: str) -> CardReply:
        """Ask for one past visit by the number that a look-up gave it (maHoSo)."""
        return await self._ask(_DETAIL, {}, {"maHoSo": record}, None)

    async def shared_costs(self, question: CardQuestion, permit: Permit | None = None) -> CardReply:
        """Ask what the person has paid of shared costs this year."""
        words = self._words(question) | {"username": self._settings.username}
        asked = {name: words[name] for name in ("username", "maThe", "hoTen", "ngaySinh")}
        return await self._ask(_SHARED, asked, None, permit)

    def _words(self, question: CardQuestion) -> dict[str, str]:
        return {
            "maThe": question.number,
            "hoTen": question.name,
            "ngaySinh": question.born,
            "hoTenCb": self._settings.officer,
            "cccdCb": str(self._settings.officer_id),
        }

    async def _ask(
        self, path: str, words: Mapping[str, str], query: Mapping[str, str] | None, permit: Permit | None
    ) -> CardReply:
        await (permit or self.permit)()
        try:
            reply = await self._session.ask(path, json.dumps(words, ensure_ascii=False).encode(), JSON, query)
        except Uncertain as lost:
            raise LookupUnanswered(self._name, lost.detail) from lost
        code = code_of(reply)
        if reply.status in (429, 503) or not code:
            refuse_by_status(self._name, reply)
            raise LookupUnanswered(self._name, f"HTTP {reply.status} without maKetQua")
        if code == "500":
            raise self._trouble(reply)
        return CardReply(code, reply.body)

    def _trouble(self, reply: Reply) -> LookupRestricted | LookupServerTrouble:
        said = " ".join(str(one) for one in reply.json_object().values() if isinstance(one, str))
        return (LookupRestricted if _RESTRICTED in said else LookupServerTrouble)(self._name, "maKetQua 500")
