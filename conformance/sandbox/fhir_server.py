"""A FHIR R4 server that takes signed document Bundles: what a sender needs of the RESTful API, to the letter.

- `POST /token`: OAuth 2.0 client credentials, the account by HTTP Basic or in the form → `access_token`.
- `POST /Bundle`: create. The server gives `id` and `meta` anew → 201 with Location, ETag, Last-Modified. With
  `If-None-Exist: identifier=…`: nothing there → 201; one there → 200 and its Location; several → 412. `Prefer` decides what the
  body of the answer is. Only documents whose signature holds are taken (our rule; FHIR leaves that to the server) → 422.
- `GET /Bundle?identifier=[system]|[value]` with `_elements`, `_summary=count` → searchset; other parameters are left out of
  account, and of the self link, unless `Prefer: handling=strict`.
- `GET /Bundle/[id]` and `/Bundle/[id]/_history/[vid]`, `GET /metadata`.

Every refusal is an OperationOutcome.

Standard: FHIR R4 §3.1.0 (RESTful API), §3.1.1 (search), §2.36.3 (Bundle); RFC 6749 §4.4
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl, unquote, urlencode

import msgspec

from conformance.sandbox.accounts import Account, Tokens
from conformance.sandbox.bundle_signatures import check_bundle
from conformance.sandbox.faults import Call, PaperNames
from conformance.sandbox.records import Arrival, Record, Records, Verdict
from conformance.sandbox.signatures import NotSignedError, SignatureError, Trust
from conformance.sandbox.wire import BY_PLAN, Received, Reply, json_reply

FHIR_JSON: Final = "application/fhir+json"
_MEDIA_TYPES: Final = frozenset({FHIR_JSON, "application/json"})
_ID: Final = re.compile(r"/Bundle/([A-Za-z0-9.-]{1,64})(/_history/([A-Za-z0-9.-]{1,64}))?")
_SUBSETTED: Final = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


class _RefusalError(Exception):
    def __init__(self, status: int, code: str, detail: str, expression: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.expression = expression


class FhirServer:
    """Answer create, search and read; keep every document."""

    name: ClassVar[str] = "fhir_rest"

    def __init__(
        self,
        tokens: Tokens,
        records: Records,
        trust: Trust,
        clock: Callable[[], datetime],
        *,
        scheme: str = "http",
    ) -> None:
        self._tokens = tokens
        self._records = records
        self._trust = trust
        self._clock = clock
        self._scheme = scheme

    def call(self, request: Received) -> Call | None:
        """Know token, create, search, read and the capability statement."""
        if request.method == "POST":
            return {"/token": Call.LOGIN, "/Bundle": Call.SUBMIT}.get(request.path)
        known = request.path in ("/Bundle", "/metadata") or _ID.fullmatch(request.path)
        return Call.FIND if request.method == "GET" and known else None

    def answer(self, call: Call, request: Received) -> Reply:
        """Log in, take a document, or look for one."""
        if call is Call.LOGIN:
            return self._token(request)
        if request.path == "/metadata":
            return _reply(200, self._capabilities())
        if self._tokens.find(request.bearer()) is None:
            outcome = _outcome("login", "Chưa xác thực hoặc token hết hạn")
            return _reply(401, outcome, {"www-authenticate": 'Bearer realm="sandbox"'})
        try:
            if call is Call.SUBMIT:
                return self._create(request)
            return self._search(request) if request.path == "/Bundle" else self._read(request)
        except _RefusalError as refusal:
            return _refusal(refusal)

    def names(self, request: Received) -> PaperNames:
        """Know a document by its SHA-256 and its identifier."""
        system, value = _identifier(_bundle_or_none(request.body))
        return PaperNames(hashlib.sha256(request.body).hexdigest(), f"{system}|{value}", value)

    def refuse(self, request: Received, code: str | None) -> Reply:
        """Refuse with this issue type, or with business-rule."""
        refusal = _RefusalError(422, code or "business-rule", BY_PLAN)
        self._keep(request, Verdict.REFUSED, refusal.code, detail=BY_PLAN)
        return _refusal(refusal)

    def _token(self, request: Received) -> Reply:
        form = request.form()
        user, password = _basic(request) or (form.get("client_id", ""), form.get("client_secret", ""))
        account: Account | None = self._tokens.account(user, password)
        if form.get("grant_type") != "client_credentials":
            return json_reply(400, {"error": "unsupported_grant_type"})
        if account is None:
            return json_reply(401, {"error": "invalid_client"})
        token = self._tokens.issue(account, request.peer)
        content = {"access_token": token.access, "token_type": "Bearer", "expires_in": self._tokens.life_s}
        return json_reply(200, content)

    # ---- create ----

    def _create(self, request: Received) -> Reply:
        try:
            _check_document(request)
            there = self._on_condition(request)
            if there is not None:
                self._keep(request, Verdict.REPEAT, "200", reference=there.reference)
                return self._made(request, 200, there)
            signers = self._signers(request.body)
        except _RefusalError as refusal:
            self._keep(request, Verdict.REFUSED, refusal.code, detail=refusal.detail)
            raise
        reference = f"Bundle/{uuid.uuid4()}"
        record = self._keep(request, Verdict.ACCEPTED, "201", reference=reference, signers=signers)
        return self._made(request, 201, record)

    def _on_condition(self, request: Received) -> Record | None:
        """Give the one that If-None-Exist finds. Standard: FHIR R4 §3.1.0.8.1"""
        condition = request.headers.get("if-none-exist")
        if condition is None:
            return None
        query = parse_qsl(condition.removeprefix("?"), keep_blank_values=True)
        if [name for name, _ in query] != ["identifier"]:
            raise _RefusalError(400, "not-supported", "If-None-Exist: chỉ hỗ trợ identifier")
        found = self._with(query[0][1])
        if len(found) > 1:
            raise _RefusalError(412, "multiple-matches", "If-None-Exist khớp nhiều văn bản")
        return found[0] if found else None

    def _signers(self, body: bytes) -> tuple[str, ...]:
        try:
            return tuple(check_bundle(body, self._trust))
        except NotSignedError as error:
            raise _RefusalError(422, "business-rule", "văn bản chưa được ký số", "Bundle.signature") from error
        except SignatureError as error:
            raise _RefusalError(422, "business-rule", "chữ ký số không hợp lệ", "Bundle.signature") from error

    def _made(self, request: Received, status: int, record: Record) -> Reply:
        """Answer as `Prefer: return=` asks. Standard: FHIR R4 §3.1.0.1.8"""
        base = self._base(request)
        headers = {"location": f"{base}/{record.reference}/_history/1", **_stamps(record)}
        prefer = request.headers.get("prefer", "")
        if "return=minimal" in prefer:
            return Reply(status, b"", FHIR_JSON, headers)
        if "return=OperationOutcome" in prefer:
            return _reply(status, _outcome("informational", "đã có văn bản", severity="information"), headers)
        return Reply(status, self._resource(record), _UTF8, headers)

    # ---- search and read ----

    def _search(self, request: Received) -> Reply:
        known = {"identifier", "_elements", "_summary", "_count", "_format"}
        unknown = sorted(request.query.keys() - known)
        if unknown and "handling=strict" in request.headers.get("prefer", ""):
            raise _RefusalError(400, "not-supported", "tham số tìm kiếm không được hỗ trợ")
        kept = {name: value for name, value in request.query.items() if name in known}
        found = self._with(kept["identifier"]) if "identifier" in kept else self._all()
        base = self._base(request)
        entries = [
            {
                "fullUrl": f"{base}/{record.reference}",
                "resource": self._elements(record, kept.get("_elements", "")),
                "search": {"mode": "match"},
            }
            for record in found
        ]
        searchset: dict[str, Any] = {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(found),
            "link": [{"relation": "self", "url": f"{base}/Bundle?{urlencode(kept)}"}],
        }
        if entries and kept.get("_summary") != "count":
            searchset["entry"] = entries
        return _reply(200, searchset)

    def _elements(self, record: Record, wanted: str) -> Any:
        """Give a resource, or the elements asked for with what is mandatory. Standard: FHIR R4 §3.1.1.5.9"""
        resource = _DECODER.decode(self._resource(record))
        if not wanted:
            return resource
        names = {"resourceType", "id", "type", *wanted.split(",")}
        meta = {**resource["meta"], "tag": [_SUBSETTED]}
        return {name: value for name, value in resource.items() if name in names} | {"meta": meta}

    def _read(self, request: Received) -> Reply:
        found = _ID.fullmatch(request.path)
        wanted = f"Bundle/{found[1]}" if found else ""
        record = next((one for one in self._all() if one.reference == wanted), None)
        if record is None or (found and found[3] not in (None, "1")):
            raise _RefusalError(404, "not-found", "không có văn bản này")
        return Reply(200, self._resource(record), _UTF8, _stamps(record))

    def _resource(self, record: Record) -> bytes:
        """Give the document with the server's own id and meta; every digit as it came."""
        bundle = _DECODER.decode(self._records.body(record))
        given = {"id": record.reference.removeprefix("Bundle/")}
        meta = {**bundle.get("meta", {}), "versionId": "1", "lastUpdated": record.received_at}
        rest = {name: value for name, value in bundle.items() if name not in ("resourceType", "id", "meta")}
        return _ENCODER.encode({"resourceType": "Bundle", **given, "meta": meta, **rest})

    def _all(self) -> list[Record]:
        return self._records.all(self.name, Verdict.ACCEPTED)

    def _with(self, token: str) -> list[Record]:
        """Find by a token: `value`, `system|value`, `|value` or `system|`. Standard: FHIR R4 §3.1.1.4.10"""
        parts = [re.sub(r"\\([\\|,$])", r"\1", part) for part in re.split(r"(?<!\\)\|", token)]
        if len(parts) > 2 or not any(parts):
            raise _RefusalError(400, "invalid", "identifier không đúng dạng system|value")
        system = parts[0] if len(parts) == 2 else None
        value = parts[-1]
        found = []
        for record in self._all():
            theirs, _, its = record.key.partition("|")
            if value in ("", its) and system in (None, theirs):
                found.append(record)
        return found

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
        names = self.names(request)
        arrival = Arrival(
            key=names.key,
            body=request.body,
            verdict=verdict,
            code=code,
            reference=reference,
            signers=signers,
            document_id=names.document_id,
            wire_sha256=names.sha256,
            detail=detail,
        )
        return self._records.add(self.name, arrival)

    def _base(self, request: Received) -> str:
        return f"{self._scheme}://{request.headers.get('host', 'localhost')}"

    def _capabilities(self) -> dict[str, Any]:
        interactions = [{"code": code} for code in ("create", "read", "vread", "search-type")]
        bundle = {
            "type": "Bundle",
            "interaction": interactions,
            "versioning": "versioned",
            "conditionalCreate": True,
            "searchParam": [{"name": "identifier", "type": "token"}],
        }
        return {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": self._clock().date().isoformat(),
            "kind": "instance",
            "implementation": {"description": "máy chủ FHIR mô phỏng"},
            "fhirVersion": "4.0.1",
            "format": ["json"],
            "rest": [{"mode": "server", "resource": [bundle]}],
        }


_UTF8: Final = f"{FHIR_JSON}; charset=utf-8"


def _check_document(request: Received) -> None:
    if request.media_type not in _MEDIA_TYPES:
        raise _RefusalError(415, "not-supported", "Content-Type phải là application/fhir+json")
    bundle = _bundle_or_none(request.body)
    if bundle is None:
        raise _RefusalError(400, "structure", "không phải JSON của một tài nguyên Bundle")
    if bundle.get("type") != "document":
        raise _RefusalError(422, "business-rule", "chỉ nhận Bundle loại document", "Bundle.type")
    if not all(_identifier(bundle)):
        raise _RefusalError(422, "invariant", "bdl-9: văn bản phải có identifier với system và value", "Bundle")
    if not isinstance(bundle.get("timestamp"), str):
        raise _RefusalError(422, "invariant", "bdl-10: văn bản phải có timestamp", "Bundle")
    if _first(bundle) != "Composition":
        raise _RefusalError(422, "invariant", "bdl-11: tài nguyên đầu tiên phải là Composition", "Bundle")


def _bundle_or_none(body: bytes) -> Mapping[str, Any] | None:
    try:
        found = _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
    return found if isinstance(found, dict) and found.get("resourceType") == "Bundle" else None


def _identifier(bundle: Mapping[str, Any] | None) -> tuple[str, str]:
    identifier = (bundle or {}).get("identifier")
    if not isinstance(identifier, dict):
        return "", ""
    system, value = identifier.get("system"), identifier.get("value")
    return (system, value) if isinstance(system, str) and isinstance(value, str) else ("", "")


def _first(bundle: Mapping[str, Any]) -> str:
    entries = bundle.get("entry")
    first = entries[0] if isinstance(entries, list) and entries else None
    resource = first.get("resource") if isinstance(first, dict) else None
    return str(resource.get("resourceType")) if isinstance(resource, dict) else ""


def _stamps(record: Record) -> dict[str, str]:
    changed = datetime.fromisoformat(record.received_at)
    return {"etag": 'W/"1"', "last-modified": format_datetime(changed, usegmt=True)}


def _basic(request: Received) -> tuple[str, str] | None:
    """Read the account of HTTP Basic, form-encoded as OAuth wants. Standard: RFC 6749 §2.3.1"""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return unquote(user), unquote(password)


def _outcome(code: str, text: str, expression: str = "", severity: str = "error") -> dict[str, Any]:
    issue: dict[str, Any] = {"severity": severity, "code": code, "diagnostics": text}
    if expression:
        issue["expression"] = [expression]
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _refusal(refusal: _RefusalError) -> Reply:
    return _reply(refusal.status, _outcome(refusal.code, refusal.detail, refusal.expression))


def _reply(status: int, content: object, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, _ENCODER.encode(content), _UTF8, headers or {})
