"""Simulate the insurance portal (Cổng tiếp nhận): log-in and submission of a QĐ 3176 file.

As published: the answer's `maKetQua` decides, also under HTTP 200; passwords travel as upper-case MD5; a token is bound
to the address that took it; there is no question about the state of a file. Not simulated: check-in, card look-up,
assessment.

Where the published lists leave the split open, this one holds: 205 is a wrong parameter of the call, 124 a wrong content
of the file, 1001 a file above the sandbox's limit (the real limit is not published). The same file bytes sent again get
the same maGiaoDich. A call without a good token is answered 401 and not recorded: nobody is known to have sent it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import ClassVar, Final

from lxml import etree

from conformance.sandbox.accounts import Account, Tokens
from conformance.sandbox.codes import PORTAL
from conformance.sandbox.faults import Call, PaperNames
from conformance.sandbox.insurance_file import FileError, FileProblem, file_identifier, judge_file
from conformance.sandbox.records import Arrival, Records, Verdict
from conformance.sandbox.signatures import NotXmlError, Trust, parse
from conformance.sandbox.wire import BY_PLAN, Received, Reply, json_reply

VIETNAM: Final = timezone(timedelta(hours=7))
LOGIN: Final = ("POST", "/api/token/take")
SUBMIT: Final = ("POST", "/api/qd130/guiHoSoXmlQD3176")
PARAMETERS: Final = ("username", "loaiHoSo", "maTinh", "maCSKCB", "fileHSBase64")


class _RefusalError(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


class InsurancePortal:
    """Answer the two calls; keep every submission."""

    name: ClassVar[str] = "insurance_portal"

    def __init__(
        self,
        tokens: Tokens,
        records: Records,
        trust: Trust,
        clock: Callable[[], datetime],
        *,
        largest_file: int,
    ) -> None:
        self._tokens = tokens
        self._records = records
        self._trust = trust
        self._clock = clock
        self._largest_file = largest_file

    def call(self, request: Received) -> Call | None:
        """Know the log-in and the submission, nothing else."""
        return {LOGIN: Call.LOGIN, SUBMIT: Call.SUBMIT}.get((request.method, request.path))

    def answer(self, call: Call, request: Received) -> Reply:
        """Log in or take a file."""
        return self._login(request) if call is Call.LOGIN else self._submit(request)

    def names(self, request: Received) -> PaperNames:
        """Know a file by the SHA-256 of its bytes and by its MA_LK with LOAIHOSO."""
        file, _ = _file_of(request)
        sha256 = hashlib.sha256(file).hexdigest()
        return PaperNames(sha256, sha256, _identifier(file))

    def refuse(self, request: Received, code: str | None) -> Reply:
        """Refuse with `code`, or with 124."""
        file, _ = _file_of(request)
        return self._keep_refusal(request, file, _RefusalError(code or "124", BY_PLAN))

    def _login(self, request: Received) -> Reply:
        form = request.form()
        account = self._tokens.account(form.get("username", ""), form.get("password", ""), hashed=True)
        if account is None:
            return json_reply(200, {"maKetQua": "401", "APIKey": None})
        token = self._tokens.issue(account, request.peer)
        key = {
            "access_token": token.access,
            "id_token": token.second,
            "token_type": "Bearer",
            "username": account.user,
            "expires_in": token.expires_at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        }
        return json_reply(200, {"maKetQua": "200", "APIKey": key})

    def _submit(self, request: Received) -> Reply:
        account = self._account(request)
        if account is None:
            return self._reply("401", "")
        file, readable = _file_of(request)
        sha256 = hashlib.sha256(file).hexdigest()
        try:
            self._check_parameters(request, account, readable)
            if len(file) > self._largest_file:
                raise _RefusalError("1001", f"tệp dài hơn {self._largest_file} byte")
            earlier = self._records.accepted(self.name, sha256)
            signers = judge_file(file, account.facility, self._trust)
        except _RefusalError as refusal:
            return self._keep_refusal(request, file, refusal)
        except FileError as wrong:
            return self._keep_refusal(request, file, _RefusalError(_CODES[wrong.problem], wrong.detail))
        now = self._clock().astimezone(VIETNAM)
        reference = earlier.reference if earlier else f"{account.facility}{now:%Y%m%d}{len(self._records) + 1:08d}"
        verdict = Verdict.REPEAT if earlier else Verdict.ACCEPTED
        self._keep(request, file, verdict, "200", reference=reference, signers=tuple(signers))
        return self._reply("200", reference)

    def _account(self, request: Received) -> Account | None:
        token = self._tokens.find(request.headers.get("accesstoken", ""))
        if token is None or token.peer != request.peer:
            return None
        expected = (token.second, token.account.password_md5, token.account.user)
        given = (
            request.headers.get("tokenid", ""),
            request.headers.get("passwordhash", ""),
            request.form().get("username", token.account.user),
        )
        return token.account if expected == given else None

    def _check_parameters(self, request: Received, account: Account, readable: bool) -> None:
        form = request.form()
        missing = [name for name in PARAMETERS if not form.get(name)]
        if missing:
            raise _RefusalError("205", "thiếu tham số " + ", ".join(missing))
        if form["loaiHoSo"] != "130":
            raise _RefusalError("205", "loaiHoSo phải là 130")
        if form["maCSKCB"] != account.facility:
            raise _RefusalError("402", "maCSKCB không phải của tài khoản")
        if form["maTinh"] != form["maCSKCB"][:2]:
            raise _RefusalError("205", "maTinh phải là hai ký tự đầu của maCSKCB")
        if not readable:
            raise _RefusalError("205", "fileHSBase64 không phải base64 (ký tự + / = phải được mã hóa URL)")

    def _keep_refusal(self, request: Received, file: bytes, refusal: _RefusalError) -> Reply:
        self._keep(request, file, Verdict.REFUSED, refusal.code, detail=refusal.detail)
        return self._reply(refusal.code, "")

    def _keep(
        self,
        request: Received,
        file: bytes,
        verdict: Verdict,
        code: str,
        *,
        reference: str = "",
        signers: tuple[str, ...] = (),
        detail: str = "",
    ) -> None:
        arrival = Arrival(
            key=hashlib.sha256(file).hexdigest(),
            body=file,
            verdict=verdict,
            code=code,
            reference=reference,
            signers=signers,
            document_id=_identifier(file),
            wire_sha256=hashlib.sha256(request.body).hexdigest(),
            detail=detail,
        )
        self._records.add(self.name, arrival)

    def _reply(self, code: str, reference: str) -> Reply:
        content = {
            "maKetQua": code,
            "maGiaoDich": reference,
            "thoiGianTiepNhan": self._clock().astimezone(VIETNAM).strftime("%Y%m%d%H%M%S"),
            "thongDiep": PORTAL.get(code, ""),
        }
        return json_reply(200, content)


_CODES: Final = {
    FileProblem.NOT_SIGNED: "123",
    FileProblem.SIGNATURE: "125",
    FileProblem.CONTENT: "124",
    FileProblem.FACILITY: "402",
}


def _file_of(request: Received) -> tuple[bytes, bool]:
    text = request.form().get("fileHSBase64", "")
    try:
        return base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True), True
    except (binascii.Error, ValueError):
        return text.encode(), False


def _identifier(file: bytes) -> str:
    try:
        root: etree._Element = parse(file)
    except NotXmlError:
        return ""
    return file_identifier(root)
