"""Simulate the national coordination system of health data. **No interface is published: this one is ours.**

It has in full what the published ones have in part, so that an adapter tested against it is ready for whatever comes:

- `POST /v1/token`: form `grant_type=client_credentials`, `client_id`, `client_secret`
  → 200 `{"access_token", "token_type", "expires_in"}` (seconds), or 401.
- `POST /v1/documents`: the body is the signed CDA, byte for byte, `Content-Type: application/xml`. Headers:
  `Authorization: Bearer`, `Idempotency-Key` (a UUID, the same on every attempt), `X-Document-Type` (name of the paper),
  `X-Sender` (facility code), `Digest: sha-256=<base64 of the SHA-256 of the body>` (RFC 3230; hex is taken as well).
  → 201 `{"id", "received_at", "sha256"}`; the same key and body again → 200 with the same id; the same key with another
  body → 409; a paper that cannot be taken → 422 `{"code", "message"}`; a bad call → 400, 401, 403 or 415 in the same
  form; 429 and 503 come with `Retry-After` in seconds.
- `GET /v1/documents/{key}` → 200 with the receipt, or 404.
"""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from typing import ClassVar, Final

from lxml import etree

from conformance.sandbox.accounts import Account, Tokens
from conformance.sandbox.codes import COORDINATION
from conformance.sandbox.faults import Call, PaperNames
from conformance.sandbox.records import Arrival, Record, Records, Verdict
from conformance.sandbox.signatures import (
    CDA,
    NotSignedError,
    NotXmlError,
    SignatureError,
    Trust,
    cda_identifier,
    check_whole,
    parse,
)
from conformance.sandbox.wire import BY_PLAN, Received, Reply, json_reply

DOCUMENTS: Final = "/v1/documents"


class _RefusalError(Exception):
    def __init__(self, status: int, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail


class NationalCoordination:
    """Answer the three calls; keep every document."""

    name: ClassVar[str] = "national_coordination"

    def __init__(self, tokens: Tokens, records: Records, trust: Trust) -> None:
        self._tokens = tokens
        self._records = records
        self._trust = trust

    def call(self, request: Received) -> Call | None:
        """Know token, submission and question."""
        if request.method == "GET" and request.path.startswith(DOCUMENTS + "/"):
            return Call.FIND
        return {"/v1/token": Call.LOGIN, DOCUMENTS: Call.SUBMIT}.get(request.path) if request.method == "POST" else None

    def answer(self, call: Call, request: Received) -> Reply:
        """Log in, take a document, or give the receipt of one."""
        if call is Call.LOGIN:
            return self._token(request)
        account = self._account(request)
        if account is None:
            return _failure(401, "UNAUTHENTICATED")
        return self._take(request, account) if call is Call.SUBMIT else self._find(request)

    def names(self, request: Received) -> PaperNames:
        """Know a document by its SHA-256, its Idempotency-Key and `ClinicalDocument/id`."""
        return PaperNames(hashlib.sha256(request.body).hexdigest(), _key(request), _identifier(request.body))

    def refuse(self, request: Received, code: str | None) -> Reply:
        """Refuse with `code`, or with DOCUMENT_REFUSED."""
        return self._refused(request, _RefusalError(422, code or "DOCUMENT_REFUSED", BY_PLAN))

    def _token(self, request: Received) -> Reply:
        form = request.form()
        account = self._tokens.account(form.get("client_id", ""), form.get("client_secret", ""))
        if account is None or form.get("grant_type") != "client_credentials":
            return _failure(401, "UNAUTHENTICATED")
        token = self._tokens.issue(account, request.peer)
        content = {"access_token": token.access, "token_type": "Bearer", "expires_in": self._tokens.life_s}
        return json_reply(200, content)

    def _take(self, request: Received, account: Account) -> Reply:
        try:
            self._check_call(request, account)
            earlier = self._records.accepted(self.name, _key(request))
            if earlier is not None:
                if earlier.sha256 != hashlib.sha256(request.body).hexdigest():
                    raise _RefusalError(409, "KEY_REUSED")
                self._keep(request, Verdict.REPEAT, "200", reference=earlier.reference)
                return json_reply(200, _receipt(earlier))
            signers = self._check_document(request.body)
        except _RefusalError as refusal:
            return self._refused(request, refusal)
        record = self._keep(request, Verdict.ACCEPTED, "201", reference=str(uuid.uuid4()), signers=signers)
        return json_reply(201, _receipt(record))

    def _find(self, request: Received) -> Reply:
        key = request.path.removeprefix(DOCUMENTS + "/").lower()
        record = self._records.accepted(self.name, key)
        return json_reply(200, _receipt(record)) if record is not None else _failure(404, "NOT_FOUND")

    def _account(self, request: Received) -> Account | None:
        token = self._tokens.find(request.bearer())
        return token.account if token else None

    def _check_call(self, request: Received, account: Account) -> None:
        if request.media_type != "application/xml":
            raise _RefusalError(415, "UNSUPPORTED_MEDIA_TYPE")
        try:
            uuid.UUID(_key(request))
        except ValueError as error:
            raise _RefusalError(400, "BAD_REQUEST", "Idempotency-Key phải là UUID") from error
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", request.headers.get("x-document-type", "")):
            raise _RefusalError(400, "BAD_REQUEST", "thiếu X-Document-Type")
        if request.headers.get("x-sender") != account.facility:
            raise _RefusalError(403, "SENDER_MISMATCH")
        digest = hashlib.sha256(request.body)
        algorithm, _, value = request.headers.get("digest", "").partition("=")
        good = (base64.b64encode(digest.digest()).decode(), digest.hexdigest())
        if algorithm.lower() != "sha-256" or value not in good:
            raise _RefusalError(400, "DIGEST_MISMATCH")

    def _check_document(self, body: bytes) -> tuple[str, ...]:
        try:
            root = parse(body)
            if root.tag != f"{{{CDA}}}ClinicalDocument":
                raise _RefusalError(422, "NOT_A_DOCUMENT", "phần tử gốc phải là ClinicalDocument")
            return tuple(check_whole(root, self._trust))
        except NotXmlError as error:
            raise _RefusalError(422, "NOT_A_DOCUMENT", "không phải XML đúng cú pháp") from error
        except NotSignedError as error:
            raise _RefusalError(422, "SIGNATURE_MISSING") from error
        except SignatureError as error:
            raise _RefusalError(422, "SIGNATURE_INVALID") from error

    def _refused(self, request: Received, refusal: _RefusalError) -> Reply:
        self._keep(request, Verdict.REFUSED, refusal.code, detail=refusal.detail)
        return _failure(refusal.status, refusal.code)

    def _keep(
        self,
        request: Received,
        verdict: Verdict,
        code: str,
        *,
        reference: str = "",
        signers: tuple[str, ...] = (),
        detail: str = "",
    ) -> Record:
        arrival = Arrival(
            key=_key(request),
            body=request.body,
            verdict=verdict,
            code=code,
            reference=reference,
            signers=signers,
            document_id=_identifier(request.body),
            wire_sha256=hashlib.sha256(request.body).hexdigest(),
            detail=detail,
        )
        return self._records.add(self.name, arrival)


def _key(request: Received) -> str:
    return request.headers.get("idempotency-key", "").lower()


def _receipt(record: Record) -> dict[str, str]:
    return {"id": record.reference, "received_at": record.received_at, "sha256": record.sha256}


def _identifier(body: bytes) -> str:
    try:
        root: etree._Element = parse(body)
    except NotXmlError:
        return ""
    return cda_identifier(root)


def _failure(status: int, code: str) -> Reply:
    return json_reply(status, {"code": code, "message": COORDINATION.get(code, "")})
