"""Tell people and programs what became of a signature: the same report for the command, the interface and the page.

The verdict itself is `signing.validation`'s. Roots come with the caller: files for the command, the node's own for a node.

Requirement: S0.6, S0.10, S3.9
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.clock import VIETNAM
from gateway.text import Language, text
from signing.verdict import DOCUMENT, Reason, Report, Signed, report

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
    """Name who signed."""
    words, signer = WORDS[said], signed.signer
    name = f"{signer.name}, {signer.title}" if signer.title else signer.name
    return f"{words['signer']}: {name}; {words['organisation']}: {signer.organisation or '—'}"


def facts(signed: Signed, said: Language) -> Iterator[tuple[str, str]]:
    """Say of one signature what a person asks: label, fact."""
    words, signer = WORDS[said], signed.signer
    revocation = "revocation unknown" if signed.revocation == "unknown" else signed.revocation
    yield words["time"], f"{signed.at.astimezone(VIETNAM):%d/%m/%Y %H:%M:%S} ({words[signed.at_is]})"
    yield words["level"], signed.level
    yield words["certificate"], f"{signer.serial}, {words['issuer']} {signer.issuer}"
    yield words["revocation"], words[revocation]
    yield words["covers"], ", ".join(words.get(one.part, one.part) for one in signed.covers)


def reason_line(reason: Reason, said: Language) -> str:
    """Tell a reason or a warning: what happened, what to do, where."""
    place = " ".join(part for part in (reason.where, reason.detail) if part)
    return f"{text(reason.code, said)}" + (f" ({place})" if place else "")
