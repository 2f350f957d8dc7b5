"""Simulate the insurance portal (Cổng tiếp nhận): the whole interface that is published, each call with its own module.

As published: the answer's `maKetQua` decides, also under HTTP 200; passwords travel as upper-case MD5; a token is bound
to the address that took it; there is no question about the state of a file: what the assessment finds is seen on the page
and in the admin interface only.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Final

from conformance.sandbox.accounts import Tokens
from conformance.sandbox.faults import Call, PaperNames
from conformance.sandbox.portal.book import Book
from conformance.sandbox.portal.cards import CardBook
from conformance.sandbox.portal.certificates import CertificateBook
from conformance.sandbox.portal.copayment import COPAYMENT, Copayments
from conformance.sandbox.portal.forms import BY_PATH, WITHDRAWN
from conformance.sandbox.portal.login import Door
from conformance.sandbox.portal.lookup import CARD_LOOKUP, FACILITY_DATA, VISIT_DETAIL, Lookups
from conformance.sandbox.portal.submit import Counter, Shelves
from conformance.sandbox.portal.switches import Board, Switches
from conformance.sandbox.records import Records
from conformance.sandbox.signatures import Trust
from conformance.sandbox.wire import Received, Reply, json_reply

LOGIN: Final = "/api/token/take"
_LOOKUPS: Final = frozenset({CARD_LOOKUP, VISIT_DETAIL, FACILITY_DATA, COPAYMENT})


class InsurancePortal:
    """Answer every published call; keep every submission, its certificates, cards and switches."""

    name: ClassVar[str] = "insurance_portal"

    def __init__(
        self,
        tokens: Tokens,
        records: Records,
        trust: Trust,
        clock: Callable[[], datetime],
        *,
        largest_file: int,
        switches: Switches | None = None,
        folder: Path | None = None,
    ) -> None:
        self.accounts = tokens.facilities()
        self.board = Board(switches or Switches())
        self.certificates = CertificateBook(folder / "certificates" if folder else None)
        self.cards = CardBook(folder)
        self.book = Book(records, self.board, clock)
        self._door = Door(tokens, self.board)
        shelves = Shelves(records, self.book, self.certificates, self.board, trust, clock, largest_file)
        self.counter = Counter(self._door, shelves)
        self._lookups = Lookups(self._door, self.cards, self.book, self.board, clock)
        self._copayments = Copayments(self._door, self.cards, self.board, clock)

    def call(self, request: Received) -> Call | None:
        """Know the log-in, the submissions, the look-ups and what was withdrawn."""
        path = request.path.lower()
        if request.method != "POST":
            return None
        if path == LOGIN:
            return Call.LOGIN
        if path in BY_PATH:
            return Call.SUBMIT
        return Call.FIND if path in _LOOKUPS or path in WITHDRAWN else None

    def answer(self, call: Call, request: Received) -> Reply:
        """Log in, take a file, look up."""
        path = request.path.lower()
        if call is Call.LOGIN:
            return self._door.login(request)
        if call is Call.SUBMIT:
            return self.counter.submit(BY_PATH[path], request)
        if path in WITHDRAWN:
            return json_reply(410, {"Message": "Hàm này đã ngừng cung cấp từ 0 giờ ngày 01/08/2024"})
        if path == COPAYMENT:
            return self._copayments.answer(request)
        lookups = {CARD_LOOKUP: self._lookups.card, VISIT_DETAIL: self._lookups.detail}
        return lookups.get(path, self._lookups.facility)(request)

    def names(self, request: Received) -> PaperNames:
        """Know a file by the SHA-256 of its bytes and by its MA_LK with LOAIHOSO."""
        return self.counter.names(BY_PATH[request.path.lower()], request)

    def refuse(self, request: Received, code: str | None) -> Reply:
        """Refuse a file with `code`, or with 124."""
        return self.counter.refuse(BY_PATH[request.path.lower()], request, code)

    def refuse_question(self, request: Received, code: str | None) -> Reply:
        """Answer a look-up with `code`, or with the code of a server in trouble."""
        if request.path.lower() == COPAYMENT:
            return self._copayments.refuse(code or "500")
        return self._lookups.refuse(code or "101")

    def expire(self, request: Received) -> None:
        """End the token a call carries."""
        self._door.expire(request)

    def trust_of(self) -> Trust:
        """Tell on whose word the signature of a kept file is believed now."""
        return self.counter.trust()

    def reset(self) -> None:
        """Forget the visits and who asked; accounts, cards, certificates and switches stay."""
        self.book.reset()
        self._lookups.reset()
