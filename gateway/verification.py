"""Tell people and programs what became of a signature: the same report for the command, the interface and the page.

The verdict itself is `signing.validation`'s. `Verifier` is what a node offers: files judged against its own roots, a few at a
time beside its other work, and papers found again by the hash that stands on them. Says nothing about patients.

Requirement: S0.6, S0.10, S3.9
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
from cryptography import x509
from cryptography.x509.oid import NameOID
from sqlalchemy.engine import Connection, Row

from gateway.clock import VIETNAM, Clock, iso, to_datetime
from gateway.faults import FaceBusy, NotIssuedHere
from gateway.proof import evidence
from gateway.settings import Plan
from gateway.store import documents
from gateway.store.engine import Store
from gateway.text import Language, text
from signing.certificates import load_roots
from signing.faults import FileUnreadable
from signing.policy import SEAL
from signing.revocation_client import RevocationClient
from signing.validation import Trust, validate
from signing.verdict import DOCUMENT, Reason, Report, Signed, report

T = TypeVar("T")
AT_ONCE = 2
"""Files that are judged at the same time; more would take the cores from the pipeline."""
WAITING = 30
"""Files that may wait for their turn."""
_LARGEST_POLICY = 32 * 1024**2
_OF_STEP_OR_RENEWED = re.compile("[@~]")

WORDS: dict[Language, dict[str, str]] = {
    "vi": {
        "valid": "HỢP LỆ",
        "invalid": "KHÔNG HỢP LỆ",
        "undecided": "CHƯA KẾT LUẬN ĐƯỢC",
        "signer": "người ký",
        "organisation": "tổ chức",
        "time": "thời điểm ký",
        "stamped": "theo dấu thời gian",
        "claimed": "do người ký khai",
        "unknown": "chữ ký không ghi; xét tại thời điểm này",
        "level": "mức",
        "stamps until": "dấu thời gian tới",
        "certificate": "chứng thư số",
        "issuer": "do",
        "revocation": "thu hồi",
        "good": "chưa bị thu hồi khi ký",
        "revoked": "đã bị thu hồi khi ký",
        "suspended": "đang tạm dừng khi ký",
        "revocation unknown": "không xác định được",
        "not offered": "chứng thư không nêu nơi kiểm tra",
        "covers": "phạm vi được ký",
        DOCUMENT: "toàn bộ tài liệu",
        "reason": "lý do",
        "warning": "lưu ý",
        "checking": "Đang kiểm tra",
    },
    "en": {
        "valid": "VALID",
        "invalid": "INVALID",
        "undecided": "UNDECIDED",
        "signer": "signer",
        "organisation": "organisation",
        "time": "signed",
        "stamped": "by time stamp",
        "claimed": "claimed by the signer",
        "unknown": "not in the signature; judged for this moment",
        "level": "level",
        "stamps until": "time stamps until",
        "certificate": "certificate",
        "issuer": "by",
        "revocation": "revocation",
        "good": "not revoked when it signed",
        "revoked": "revoked when it signed",
        "suspended": "on hold when it signed",
        "revocation unknown": "could not be found out",
        "not offered": "the certificate names no place to ask",
        "covers": "what is signed",
        DOCUMENT: "the whole document",
        "reason": "reason",
        "warning": "note",
        "checking": "Verifying",
    },
}


def told(judged: Report, said: Language) -> dict[str, Any]:
    """Return the report for programs, with texts for people beside each code."""
    whole = report(judged)
    for place in (whole, *whole["signers"]):
        for reason in (*place["reasons"], *place["warnings"]):
            words = text(int(reason["code"].removeprefix("LT")), said)
            reason |= {"what": words.what, "do": words.do}
    return whole


def signer_line(signed: Signed, said: Language) -> str:
    """Name who signed, and for whom."""
    words = WORDS[said]
    return f"{words['signer']}: {who(signed)}; {words['organisation']}: {signed.signer.organisation or '—'}"


def who(signed: Signed) -> str:
    """Name who signed, with the title."""
    signer = signed.signer
    return f"{signer.name}, {signer.title}" if signer.title else signer.name


def facts(signed: Signed, said: Language) -> Iterator[tuple[str, str]]:
    """Say of one signature what a person asks: label, fact."""
    words, signer = WORDS[said], signed.signer
    revocation = "revocation unknown" if signed.revocation == "unknown" else signed.revocation
    yield words["time"], f"{signed.at.astimezone(VIETNAM):%d/%m/%Y %H:%M:%S} ({words[signed.at_is]})"
    until = signed.stamps_until and f" ({words['stamps until']} {signed.stamps_until.astimezone(VIETNAM):%d/%m/%Y})"
    yield words["level"], f"{signed.level}{until or ''}"
    yield words["certificate"], f"{signer.serial}, {words['issuer']} {signer.issuer}"
    yield words["revocation"], words[revocation]
    yield words["covers"], ", ".join(words.get(one.part, one.part) for one in signed.covers)


def reason_line(reason: Reason, said: Language) -> str:
    """Tell a reason or a warning: what happened, what to do, where."""
    place = " ".join(part for part in (reason.where, reason.detail) if part)
    return f"{text(reason.code, said)}" + (f" ({place})" if place else "")


def policies(folder: Path) -> dict[str, bytes]:
    """Read the documents of signature policies in a folder, by file name; raise FileUnreadable. Hidden files are left out."""
    found: dict[str, bytes] = {}
    try:
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or not path.is_file():
                continue
            if path.stat().st_size > _LARGEST_POLICY:
                raise FileUnreadable(path.name, f"more than {_LARGEST_POLICY} bytes")
            found[path.name] = path.read_bytes()
    except OSError as problem:
        raise FileUnreadable(folder.name, type(problem).__name__) from problem
    return found


# ---- papers that were issued here ----


@dataclass(frozen=True)
class Hand:
    """Who signed a paper, as the certificate says it; a number in a certificate is not told."""

    role: str
    name: str
    title: str
    organisation: str
    at: str | None
    void: bool


@dataclass(frozen=True)
class Issued:
    """What is known here of a paper with a certain hash."""

    sha256: str
    paper: str
    version: int
    rendition: str
    state: str
    """`current`, `replaced`, `cancelled`, `unfinished` (others have still to sign), `withdrawn` (it never was completed)."""
    newest: int
    """The newest version that is issued; 0 when none is."""
    issued_at: str | None
    signers: tuple[Hand, ...]

    def told(self) -> dict[str, Any]:
        return asdict(self)


def issued(connection: Connection, sha256: str) -> Issued:
    """Find a paper by the hash of its signed bytes; raise NotIssuedHere."""
    found = documents.with_hash(connection, sha256)
    if found is None:
        raise NotIssuedHere()
    document, kind = found
    newest = documents.issued(connection, document.paper, document.subject)
    return Issued(
        sha256,
        document.paper,
        document.version,
        kind,
        _state(document, newest),
        newest.version if newest else 0,
        iso(document.signed_at),
        tuple(_hands(connection, document.id, kind, sha256)),
    )


def _state(document: Row[Any], newest: Row[Any] | None) -> str:
    if newest is not None and newest.act == "cancel" and newest.version >= document.version:
        return "cancelled"
    if newest is not None and newest.version > document.version:
        return "replaced"
    if document.state == "signed":
        return "current"
    return "unfinished" if document.state in ("signing", "composed", "proving") else "withdrawn"


def _hands(connection: Connection, document_id: str, kind: str, sha256: str) -> Iterator[Hand]:
    """Tell who signed a rendition: people sign what everybody gets, the seal each by itself."""
    own = _OF_STEP_OR_RENEWED.split(kind.removesuffix(".s"))[0]
    sealed = () if documents.is_early(kind) else (own, documents.beside(own))
    for one in sorted(documents.signatures(connection, document_id), key=lambda one: one.role == SEAL):
        if one.kind in (sealed if one.role == SEAL else (own.partition("+")[0],)):
            name, title, organisation = _subject(one.signer)
            yield Hand(one.role, name, title, organisation, iso(one.signed_at), one.voided_at is not None)
            if one.sha256 == sha256:
                return  # who signed later is not on this one


def _subject(text: str) -> tuple[str, str, str]:
    try:
        subject = x509.Name.from_rfc4514_string(text)
    except ValueError:
        return "", "", ""
    said = {one.oid: str(one.value) for one in subject}
    name, title, organisation = NameOID.COMMON_NAME, NameOID.TITLE, NameOID.ORGANIZATION_NAME
    return said.get(name, ""), said.get(title, ""), said.get(organisation, "")


class Verifier:
    """Judge files and find papers for those who ask a node."""

    def __init__(self, plan: Plan, store: Store, clock: Clock) -> None:
        self._store = store
        self._keyring = plan.keyring
        self._clock = clock
        roots = load_roots(plan.signing.trust)
        stamps = load_roots(Path(file).read_bytes() for _, file in plan.proof.files)
        self._client = httpx.Client(trust_env=False) if plan.http.online else None
        ask = RevocationClient(self._client) if self._client else None
        folder = plan.verify.policies
        self._trust = Trust(roots, (*stamps, *roots), ask=ask, policies=policies(Path(folder)) if folder else None)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="verify")
        self._waiting = 0

    async def judge(self, data: bytes) -> Report:
        """Give the verdict on a file, whatever it is; raise FaceBusy when too many wait."""
        return await self._turn(lambda: self._judge(data))

    def _judge(self, data: bytes) -> Report:
        """Judge a file, with what the ledger keeps of its signatures when it was issued here."""
        kept = self._store.read_now(lambda c: evidence.of_file(c, self._keyring, documents.digest(data)))
        return validate(data, replace(self._trust, evidence=kept), to_datetime(self._clock.now()))

    async def issued(self, sha256: str) -> Issued:
        """Find a paper by the hash of its signed bytes, in any of its renditions; raise NotIssuedHere."""
        return await self._store.read(lambda connection: issued(connection, sha256.lower()))

    async def _turn(self, work: Callable[[], T]) -> T:
        if self._waiting >= AT_ONCE + WAITING:
            raise FaceBusy(detail=f"{self._waiting} files")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Let go of threads and connections."""
        self._threads.shutdown(cancel_futures=True)
        if self._client is not None:
            self._client.close()
