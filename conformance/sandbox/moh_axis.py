"""Simulate the MoH axis (emrhub): log-in, push of a signed envelope, and the provincial form of the question after it.

As published: `res_code` in the body decides, HTTP 200 is not success; the same record under a new msg_id is a new
version; after a lost answer ask, or send the same bytes again. The question `doi-soat-byt/trang-thai` and its answer
(`data.item`, or HTTP 404 with the code NOT_FOUND) are those of a provincial axis, Vĩnh Long V1.5 §5.8.1; the ministry's
own has published none.

Not published and held so here: one msg_id with other bytes is CM_INVALID_REQUEST; a sender without a registered transport
certificate is PS_DS_RSA_SIGNATURE_INVALID; the life of a token in seconds stands under both names that were seen.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, Literal

from cryptography import x509
from lxml import etree

from conformance.sandbox.accounts import Account, Tokens, gln_is_valid
from conformance.sandbox.axis_envelope import Envelope, EnvelopeError, read_envelope, signature_holds, write_envelope
from conformance.sandbox.ca import Identity
from conformance.sandbox.codes import AXIS
from conformance.sandbox.faults import Call, PaperNames
from conformance.sandbox.records import Arrival, Record, Records, Verdict
from conformance.sandbox.signatures import (
    NotSignedError,
    NotXmlError,
    SignatureError,
    Trust,
    cda_identifier,
    check_whole,
    parse,
)
from conformance.sandbox.wire import BY_PLAN, Received, Reply, json_reply

DataForm = Literal["any", "string", "file_content", "content"]
CALLS: Final = {
    ("POST", "/api/auth/login"): Call.LOGIN,
    ("POST", "/api/platform/data-sync/push"): Call.SUBMIT,
    ("GET", "/api/kham-suc-khoe/doi-soat-byt/trang-thai"): Call.FIND,
}
VERSION: Final = "1.0.6"
REQUIRED: Final = (
    "version",
    "sender_id",
    "receiver_id",
    "txn_type",
    "msg_id",
    "msg_type",
    "data_type",
    "send_datetime",
)


class _RefusalError(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class _Opened:
    """A push as far as it could be read."""

    envelope: Envelope | None
    problem: str
    """Why there is no envelope."""
    msg_id: str
    body: bytes
    document_id: str


class MohAxis:
    """Answer the three calls; keep every push."""

    name: ClassVar[str] = "moh_axis"

    def __init__(
        self,
        tokens: Tokens,
        records: Records,
        trust: Trust,
        clock: Callable[[], datetime],
        *,
        seal: Identity,
        data_form: DataForm,
    ) -> None:
        self._tokens = tokens
        self._records = records
        self._trust = trust
        self._clock = clock
        self.seal = seal
        self._data_form = data_form
        self.certificates: dict[str, x509.Certificate] = {}
        """Transport certificates by sender's GLN."""

    def call(self, request: Received) -> Call | None:
        """Know log-in, push and question."""
        return CALLS.get((request.method, request.path))

    def answer(self, call: Call, request: Received) -> Reply:
        """Log in, take a push, or tell the state of one."""
        if call is Call.LOGIN:
            return self._login(request)
        return self._push(request) if call is Call.SUBMIT else self._state(request)

    def names(self, request: Received) -> PaperNames:
        """Know a paper by its SHA-256, its msg_id and `ClinicalDocument/id`."""
        opened = _open(request.body)
        return PaperNames(hashlib.sha256(opened.body).hexdigest(), opened.msg_id, opened.document_id)

    def refuse(self, request: Received, code: str | None) -> Reply:
        """Refuse with `code`, or with PS_DS_VERIFY_FAIL."""
        return self._refused(request, _open(request.body), _RefusalError(code or "PS_DS_VERIFY_FAIL", BY_PLAN), 200)

    def _login(self, request: Received) -> Reply:
        try:
            given = json.loads(request.body)
            account = self._tokens.account(str(given["username"]), str(given["password"]))
        except (ValueError, KeyError, TypeError):
            return _failure(400, "CM_INVALID_REQUEST")
        if account is None:
            return _failure(401, "CM_AUTH_ACCOUNT_FAIL")
        token = self._tokens.issue(account, request.peer)
        life = self._tokens.life_s
        data = {"token": token.access, "refresh_token": token.second, "expires_in": life, "duration": life}
        return json_reply(200, {"data": data})

    def _push(self, request: Received) -> Reply:
        account = self._account(request)
        if account is None:
            return _failure(401, "CM_AUTH_ACCOUNT_FAIL")
        opened = _open(request.body)
        try:
            envelope = self._check_envelope(request, opened, account)
            if (earlier := self._repeat_of(request, opened)) is not None:
                self._keep(request, opened, Verdict.REPEAT, "CM_SUCCESS", reference=earlier.reference)
                return self._reply(envelope.header, "CM_SUCCESS", earlier.reference, "ACCEPTED_DUPLICATE")
            signers = self._check_paper(opened.body)
        except _RefusalError as refusal:
            return self._refused(request, opened, refusal, 400 if opened.envelope is None else 200)
        reference = str(uuid.uuid5(uuid.NAMESPACE_URL, opened.msg_id))
        self._keep(request, opened, Verdict.ACCEPTED, "CM_SUCCESS", reference=reference, signers=signers)
        return self._reply(envelope.header, "CM_SUCCESS", reference, "ACCEPTED")

    def _state(self, request: Received) -> Reply:
        account = self._account(request)
        if account is None:
            return _failure(401, "CM_AUTH_ACCOUNT_FAIL")
        sender, msg_id = request.query.get("sender_id", ""), request.query.get("msg_id", "")
        if sender != account.gln:
            return json_reply(
                403, {"success": False, "code": "MACSKCB_MISMATCH", "message": "sender_id khác tài khoản"}
            )
        record = self._records.accepted(self.name, msg_id) or self._records.latest(self.name, msg_id)
        if record is None:
            return json_reply(404, {"success": False, "code": "NOT_FOUND", "message": "Chưa có bản tin"})
        good = record.verdict is not Verdict.REFUSED
        repeated = self._records.repeats(self.name, msg_id) > 0
        item = {
            "msg_id": msg_id,
            "tracking_id": record.reference,
            "hoc_status": "ACCEPTED_DUPLICATE" if repeated else "ACCEPTED",
            "hoc_validation_status": "VALID" if good else "INVALID",
            "byt_status": "BYT_ACCEPTED" if good else "BYT_REJECTED",
            "byt_res_code": record.code,
            "byt_res_msg": AXIS.get(record.code, ""),
        }
        return json_reply(200, {"success": True, "data": {"item": item}})

    def _account(self, request: Received) -> Account | None:
        token = self._tokens.find(request.bearer())
        return token.account if token else None

    def _check_envelope(self, request: Received, opened: _Opened, account: Account) -> Envelope:
        envelope = opened.envelope
        if envelope is None:
            raise _RefusalError("CM_INVALID_REQUEST", opened.problem)
        if request.headers.get("service-type") != "100":
            raise _RefusalError("CM_INVALID_REQUEST", "thiếu header service-type: 100")
        _check_header(envelope.header, account)
        if self._data_form not in ("any", _form(envelope)):
            raise _RefusalError("CM_INVALID_REQUEST", f"data phải có dạng {self._data_form}")
        if not envelope.signature:
            raise _RefusalError("PS_DS_RSA_SIGNATURE_MISSING", "signature trống")
        certificate = self.certificates.get(account.gln)
        if certificate is None:
            raise _RefusalError("PS_DS_RSA_SIGNATURE_INVALID", "chưa đăng ký chứng thư của sender_id")
        if not signature_holds(envelope, certificate):
            raise _RefusalError("PS_DS_RSA_SIGNATURE_INVALID", "chữ ký không khớp với A.B của gói tin đã gửi")
        return envelope

    def _repeat_of(self, request: Received, opened: _Opened) -> Record | None:
        earlier = self._records.accepted(self.name, opened.msg_id)
        if earlier is not None and earlier.wire_sha256 != hashlib.sha256(request.body).hexdigest():
            raise _RefusalError("CM_INVALID_REQUEST", "msg_id đã dùng cho một gói tin khác")
        return earlier

    def _check_paper(self, body: bytes) -> tuple[str, ...]:
        try:
            return tuple(check_whole(parse(body), self._trust))
        except NotXmlError as error:
            raise _RefusalError("CM_INVALID_REQUEST", "data không chứa XML đúng cú pháp ở dạng base64") from error
        except NotSignedError as error:
            raise _RefusalError("PS_DS_CA_SIGNATURE_MISSING", "văn bản không có chữ ký số") from error
        except SignatureError as error:
            detail = "chữ ký của văn bản sai, không bao phủ toàn bộ, hoặc chứng thư không thuộc CA thử nghiệm"
            raise _RefusalError("PS_DS_CA_SIGNATURE_INVALID", detail) from error

    def _refused(self, request: Received, opened: _Opened, refusal: _RefusalError, status: int) -> Reply:
        self._keep(request, opened, Verdict.REFUSED, refusal.code, detail=refusal.detail)
        header = opened.envelope.header if opened.envelope else {}
        return self._reply(header, refusal.code, "", "INVALID", status=status)

    def _keep(
        self,
        request: Received,
        opened: _Opened,
        verdict: Verdict,
        code: str,
        *,
        reference: str = "",
        signers: tuple[str, ...] = (),
        detail: str = "",
    ) -> None:
        arrival = Arrival(
            key=opened.msg_id,
            body=opened.body,
            verdict=verdict,
            code=code,
            reference=reference,
            signers=signers,
            document_id=opened.document_id,
            wire_sha256=hashlib.sha256(request.body).hexdigest(),
            detail=detail,
        )
        self._records.add(self.name, arrival)

    def _reply(self, asked: dict[str, Any], code: str, reference: str, state: str, *, status: int = 200) -> Reply:
        now = self._clock()
        own = str(asked.get("receiver_id", ""))
        header = {
            "version": VERSION,
            "sender_id": own,
            "receiver_id": asked.get("sender_id", ""),
            "txn_type": asked.get("txn_type", ""),
            "msg_id": f"{own}{now:%y%m%d}{uuid.uuid4().hex}",
            "msg_type": 102,
            "send_datetime": int(now.timestamp() * 1000),
            "ref_msg_id": asked.get("msg_id", ""),
            "txn_id": reference,
            "res_code": code,
            "res_msg": AXIS.get(code, ""),
        }
        by_paper = code if code.startswith("PS_DS_CA") else ""
        data = {"data_state": state, "message_check_ca": AXIS.get(by_paper, ""), "message_notify": ""}
        return Reply(status, write_envelope(header, data, self.seal.key))


def _check_header(header: dict[str, Any], account: Account) -> None:
    missing = [name for name in REQUIRED if header.get(name) in (None, "")]
    if missing:
        raise _RefusalError("CM_INVALID_REQUEST", "header thiếu " + ", ".join(missing))
    sender = str(header["sender_id"])
    if not gln_is_valid(sender) or sender != account.gln:
        raise _RefusalError("CM_INVALID_REQUEST", "sender_id phải là GLN của tài khoản")
    if header["version"] != VERSION:
        raise _RefusalError("CM_INVALID_REQUEST", f"version phải là {VERSION}")
    if str(header["msg_type"]) != "101" or header["data_type"] != "xml/base64":
        raise _RefusalError("CM_INVALID_REQUEST", "msg_type phải là 101, data_type phải là xml/base64")
    if not re.fullmatch(r"\d{13}", str(header["send_datetime"])):
        raise _RefusalError("CM_INVALID_REQUEST", "send_datetime phải là mili giây Unix")
    match = re.fullmatch(re.escape(sender) + r"(\d{6})[0-9a-fA-F]{32}", str(header["msg_id"]))
    if match is None or not _is_day(match.group(1)):
        raise _RefusalError("CM_INVALID_REQUEST", "msg_id phải là sender_id + YYMMDD + 32 ký tự hex")


def _is_day(text: str) -> bool:
    try:
        datetime.strptime(text + "+0000", "%y%m%d%z")
    except ValueError:
        return False
    return True


def _open(body: bytes) -> _Opened:
    try:
        envelope = read_envelope(body)
    except EnvelopeError as error:
        return _Opened(None, str(error), "", body, "")
    text = envelope.data if isinstance(envelope.data, str) else envelope.data.get(_form(envelope), "")
    try:
        paper = base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError):
        paper = b""
    try:
        root: etree._Element | None = parse(paper)
    except NotXmlError:
        root = None
    document_id = cda_identifier(root) if root is not None else ""
    return _Opened(envelope, "", str(envelope.header.get("msg_id", "")), paper, document_id)


def _form(envelope: Envelope) -> str:
    """Tell which of the forms that were seen `data` has."""
    if isinstance(envelope.data, str):
        return "string"
    return "content" if "content" in envelope.data else "file_content"


def _failure(status: int, code: str) -> Reply:
    return json_reply(status, {"header": {"res_code": code, "res_msg": AXIS[code]}, "data": None})
