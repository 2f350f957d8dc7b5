"""The receiving portal of Vietnam Social Security (Cổng tiếp nhận): signed XML files of visits, check-ins, boards, catalogues
and monthly files, each under the address of the decision it was written for; and the look-up of cards.

Acceptance is reception only; the assessment is read on the portal's page, for which it offers no interface. Nor does it offer
a question whether a file arrived: with `ask_history` the card's history is asked, which can say yes and never no. A correction
is the same MA_LK sent again. The password may stand in no log: its MD5, which travels, is as good as itself.

Two nodes with one account have a token each, because a token is bound to the address that took it; where the portal ends one
when the other logs in, both go on, with a log-in at every change of turn. `node` of the destination lets one node alone call.

Standard: CV 1245/BHXH-CNTT (2024), QĐ 3176/QĐ-BYT; codes beyond 200/401/403 from integrators' notes
Requirement: S2.11, S4.1–S4.3
"""

from __future__ import annotations

from connectors.contract import Outbound, Receipt, Seal
from connectors.destinations import _portal_history
from connectors.destinations._http import Reply, plain_code, refuse_by_status
from connectors.destinations._portal_calls import CALLS, CATALOGUES, Call, body_of, call_of, version_of
from connectors.destinations._portal_cards import PortalCards
from connectors.destinations._portal_codes import submission
from connectors.destinations._portal_session import Session, code_of
from connectors.destinations._portal_settings import Settings
from connectors.faults import (
    AccountRefused,
    CannotAsk,
    InterfaceClosed,
    Refused,
    ServerTrouble,
    Uncertain,
    VersionClosed,
    WrongFacility,
)

__all__ = ["CALLS", "CATALOGUES", "Destination", "Settings"]


class Destination:
    """Carry files to the portal, and ask it about cards."""

    def __init__(self, name: str, settings: Settings, seal: Seal) -> None:
        self._name = name
        self._settings = settings
        self._session = Session(name, settings)
        self.cards = PortalCards(name, settings, self._session)

    async def deliver(self, document: Outbound) -> Receipt:
        """Send the file; accepted is `maKetQua` 200 with a `maGiaoDich`.

        Raises `WrongFacility` and `VersionMixed` before sending: the portal books a file to the account's facility, and reads
        it by the decision of the address, without a word. `AccountRefused` and `VersionClosed` are about more than this file.
        """
        if document.facility != self._settings.facility:
            raise WrongFacility(self._name)
        call = call_of(document)
        version = version_of(self._name, document, self._settings.version)
        content, headers = body_of(call, self._settings, document)
        reply = await self._session.submit(call.of_version(version), content, headers)
        return self._judge(reply, call, version if call.has_versions else "")

    async def find(self, document: Outbound) -> Receipt | None:
        """Ask the card's history when `ask_history` allows it; raise `CannotAsk` for whatever that does not confirm.

        A person then looks the file up on the portal's page, within 60 days.
        """
        if not self._settings.ask_history:
            raise CannotAsk(self._name)
        return await _portal_history.find(self._name, self.cards, self._settings.facility, document)

    async def close(self) -> None:
        await self._session.close()

    def _judge(self, reply: Reply, call: Call, version: str) -> Receipt:
        code = code_of(reply)
        if reply.status in (429, 503) or not code:
            try:
                refuse_by_status(self._name, reply)
            except InterfaceClosed as closed:
                if not version:
                    raise
                raise VersionClosed(self._name, f"HTTP {reply.status}, {call.name} {version}") from closed
            raise Uncertain(self._name, f"HTTP {reply.status} without maKetQua")
        known = submission(code)
        means = known.means if known else ""
        if means == "server":
            raise ServerTrouble(self._name, f"maKetQua {code}")
        if means == "account":
            raise AccountRefused(self._name, f"maKetQua {code}")
        if means == "file":
            raise Refused(self._name, f"maKetQua {code}")
        content = reply.json_object()
        reference = plain_code(content.get("maGiaoDich"))
        if means != "received" or not reference or not 200 <= reply.status < 300:
            raise Uncertain(
                self._name, f"HTTP {reply.status}, maKetQua {code}, maGiaoDich {'given' if reference else 'absent'}"
            )
        facts = {"maKetQua": code, "thoiGianTiepNhan": plain_code(content.get("thoiGianTiepNhan")), "call": call.name}
        return Receipt(reference, reply.body, facts | ({"decision": version} if version else {}))
