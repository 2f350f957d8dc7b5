"""Receive submissions: check-in, record, boards, catalogues and the rest, all by one procedure.

Where the published lists leave the split open, this one holds: 205 is a wrong parameter of the call, 124 a wrong content
of the file, 1001 a file above the sandbox's limit (the real limit is not published). The same bytes sent again on the same
path get the same maGiaoDich. A call without a good token is answered 401 and not recorded: nobody is known to have sent it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Final

from cryptography import x509
from lxml import etree

from conformance.sandbox.accounts import Account
from conformance.sandbox.codes import PORTAL
from conformance.sandbox.faults import PaperNames
from conformance.sandbox.portal.assessment import structure
from conformance.sandbox.portal.book import ASSESSED, Book
from conformance.sandbox.portal.certificates import CertificateBook
from conformance.sandbox.portal.files import FileError, FileProblem, file_identifier, judge_file
from conformance.sandbox.portal.forms import Form, form_named
from conformance.sandbox.portal.login import Door, fields_of
from conformance.sandbox.portal.reading import read_visits
from conformance.sandbox.portal.switches import Board
from conformance.sandbox.records import Arrival, Record, Records, Verdict
from conformance.sandbox.signatures import NotXmlError, Trust, parse
from conformance.sandbox.wire import BY_PLAN, Received, Reply, json_reply

VIETNAM: Final = timezone(timedelta(hours=7))
PEER: Final = "insurance_portal"


class _RefusalError(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Shelves:
    """What the portal keeps and knows."""

    records: Records
    book: Book
    certificates: CertificateBook
    board: Board
    trust: Trust
    clock: Callable[[], datetime]
    largest_file: int


class Counter:
    """Take files and answer with a receipt or a refusal."""

    def __init__(self, door: Door, shelves: Shelves) -> None:
        self._door = door
        self._shelves = shelves

    def submit(self, form: Form, request: Received) -> Reply:
        """Judge, keep and answer; the code is in the body, the HTTP status is 200."""
        account = self._door.by_headers(request)
        if account is None:
            return self._reply("401", "")
        file, readable = _file_of(form, request)
        try:
            self._check_parameters(form, request, account, readable)
            signers = self._judge(form, file, account.facility)
            self._check_standing(form, file, account.facility)
        except _RefusalError as refusal:
            return self._keep_refusal(form, request, file, refusal)
        except FileError as wrong:
            return self._keep_refusal(form, request, file, _RefusalError(self._code(wrong.problem), wrong.detail))
        return self._accept(form, request, file, account, tuple(signers))

    def names(self, form: Form, request: Received) -> PaperNames:
        """Know a file by the SHA-256 of its bytes and by its MA_LK with LOAIHOSO."""
        file, _ = _file_of(form, request)
        sha256 = hashlib.sha256(file).hexdigest()
        return PaperNames(sha256, sha256, _identifier(file))

    def refuse(self, form: Form, request: Received, code: str | None) -> Reply:
        """Refuse with `code`, or with 124."""
        file, _ = _file_of(form, request)
        return self._keep_refusal(form, request, file, _RefusalError(code or "124", BY_PLAN))

    def trust(self) -> Trust:
        """Tell on whose word a kept file is believed: with the certificates known now; when they signed was judged then."""
        registered = None
        if self._shelves.board.now.registered_certificates:
            registered = self._registered
        return Trust(self._shelves.trust.ca_pem_file, registered=registered)

    def verifies(self, record: Record) -> bool:
        """Judge a kept file again, with the certificates known now and whoever's facility it is."""
        form, trust = form_named(record.form), self.trust()
        try:
            judge_file(self._shelves.records.body(record), None, trust, form, self._shelves.board.now)
        except FileError:
            return False
        return True

    def _registered(self, facility: str | None = None) -> tuple[x509.Certificate, ...]:
        return tuple(each.certificate for each in self._shelves.certificates.all(facility))

    def _check_parameters(self, form: Form, request: Received, account: Account, readable: bool) -> None:
        given = fields_of(request)
        kind, facility = _first(given, form.type_names), given.get("maCSKCB", "")
        wanted = {"username": given.get("username"), form.type_names[0]: kind, "maTinh": given.get("maTinh")}
        wanted |= {"maCSKCB": facility, form.file_names[0]: _first(given, form.file_names)}
        missing = [name for name, value in wanted.items() if not value]
        if missing:
            raise _RefusalError("205", "thiếu tham số " + ", ".join(missing))
        if kind not in form.types:
            raise _RefusalError("205", f"{form.type_names[0]} phải là " + " hoặc ".join(form.types))
        if form.needs_period and not re.fullmatch(r"20\d\d(0[1-9]|1[0-2])", given.get("kyQT", "")):
            raise _RefusalError("205", "kyQT phải có dạng yyyyMM")
        if account.user in self._shelves.board.now.without_rights:
            raise _RefusalError("403", "tài khoản không có quyền gửi")
        if facility != account.facility:
            raise _RefusalError("402", "maCSKCB không phải của tài khoản")
        if given["maTinh"] != facility[:2]:
            raise _RefusalError("205", "maTinh phải là hai ký tự đầu của maCSKCB")
        if not readable:
            raise _RefusalError("205", f"{form.file_names[0]} không phải base64 (ký tự + / = phải được mã hóa URL)")

    def _judge(self, form: Form, file: bytes, facility: str) -> list[str]:
        shelves = self._shelves
        if len(file) > shelves.largest_file:
            raise _RefusalError("1001", f"tệp dài hơn {shelves.largest_file} byte")
        trust = replace(shelves.trust, registered=partial(self._registered, facility))
        signers = judge_file(file, facility, trust, form, shelves.board.now)
        if shelves.board.now.structure_at_reception:
            for visit in read_visits(file, form, facility):
                for finding in structure(visit):
                    raise _RefusalError("124", f"{finding.place()}: {finding.text()}")
        return signers

    def _check_standing(self, form: Form, file: bytes, facility: str) -> None:
        switches = self._shelves.board.now
        if form.name != "record" or switches.resent != "delete_first" or self._earlier(form, file):
            return
        for visit in read_visits(file, form, facility):
            standing = self._shelves.book.standing(facility, visit.link)
            if standing is not None and standing.state == ASSESSED:
                raise _RefusalError(switches.resent_code, "MA_LK đang được giám định; xóa trên trang rồi gửi lại")

    def _accept(self, form: Form, request: Received, file: bytes, account: Account, signers: tuple[str, ...]) -> Reply:
        shelves = self._shelves
        earlier = self._earlier(form, file)
        now = shelves.clock().astimezone(VIETNAM)
        reference = earlier.reference if earlier else f"{account.facility}{now:%Y%m%d}{len(shelves.records) + 1:08d}"
        verdict = Verdict.REPEAT if earlier else Verdict.ACCEPTED
        record = self._keep(form, request, file, Arrival("", file, verdict, "200", reference, signers))
        if verdict is Verdict.ACCEPTED:
            shelves.book.take(record)
        return self._reply("200", reference)

    def _earlier(self, form: Form, file: bytes) -> Record | None:
        found = self._shelves.records.accepted(PEER, hashlib.sha256(file).hexdigest())
        return found if found is not None and form_named(found.form) is form else None

    def _keep_refusal(self, form: Form, request: Received, file: bytes, refusal: _RefusalError) -> Reply:
        self._keep(form, request, file, Arrival("", file, Verdict.REFUSED, refusal.code, detail=refusal.detail))
        return self._reply(refusal.code, "")

    def _keep(self, form: Form, request: Received, file: bytes, arrival: Arrival) -> Record:
        return self._shelves.records.add(
            PEER,
            replace(
                arrival,
                key=hashlib.sha256(file).hexdigest(),
                document_id=_identifier(file),
                wire_sha256=hashlib.sha256(request.body).hexdigest(),
                form=form.path,
            ),
        )

    def _code(self, problem: FileProblem) -> str:
        return _CODES.get(problem) or self._shelves.board.now.unregistered_code

    def _reply(self, code: str, reference: str) -> Reply:
        content = {
            "maKetQua": code,
            "maGiaoDich": reference,
            "thoiGianTiepNhan": self._shelves.clock().astimezone(VIETNAM).strftime("%Y%m%d%H%M%S"),
            "thongDiep": PORTAL.get(code, ""),
        }
        return json_reply(200, content)


_CODES: Final = {
    FileProblem.NOT_SIGNED: "123",
    FileProblem.SIGNATURE: "125",
    FileProblem.CONTENT: "124",
    FileProblem.FACILITY: "402",
}


def _first(given: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((given[name] for name in names if given.get(name)), "")


def _file_of(form: Form, request: Received) -> tuple[bytes, bool]:
    encoded = _first(fields_of(request), form.file_names)
    try:
        return base64.b64decode(re.sub(r"[\r\n]", "", encoded), validate=True), True
    except (binascii.Error, ValueError):
        return encoded.encode(), False


def _identifier(file: bytes) -> str:
    try:
        root: etree._Element = parse(file)
    except NotXmlError:
        return ""
    return file_identifier(root)
