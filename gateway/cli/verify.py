"""`lienthong verify`: is this paper what was signed, and by whom?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.progress import track

from gateway.cli.output import Json, console, errors, language, now_local, print_json
from gateway.text import Language
from gateway.verification import WORDS, facts, reason_line, signer_line, told
from gateway.verification import policies as policies_in
from signing.certificates import load_roots
from signing.evidence import Evidence
from signing.faults import FileUnreadable
from signing.kept import read_evidence
from signing.revocation_client import RevocationClient
from signing.validation import Trust, validate
from signing.verdict import Reason, Report, Signed

_SUFFIXES = {".xml", ".json", ".pdf"}
"""What is looked for in folders."""
_MAXIMUM = 256 * 1024**2
"""Nothing that anybody signs here is longer; a disk image named by mistake is not read into memory."""
_EXIT = {"valid": 0, "undecided": 2, "invalid": 1}
_COLOURS = {"valid": "green", "invalid": "red", "undecided": "yellow"}


class _Lang(StrEnum):
    vi = "vi"
    en = "en"


def verify(
    files: Annotated[
        list[Path],
        typer.Argument(help="Tệp đã ký (XML, GIAMDINHHS, FHIR JSON, PDF, gói tin của trục) hoặc thư mục.", exists=True),
    ],
    trust: Annotated[
        list[Path], typer.Option("--trust", help="Tệp PEM của chứng thư gốc được tin.", exists=True, dir_okay=False)
    ],
    at: Annotated[
        str, typer.Option("--at", help="Xét như tại thời điểm này (ISO 8601; không ghi múi giờ là giờ Việt Nam).")
    ] = "",
    online: Annotated[
        bool,
        typer.Option(
            "--online/--offline", help="Hỏi OCSP/CRL ở địa chỉ chứng thư nêu, hay chỉ dùng dữ liệu trong tệp."
        ),
    ] = True,
    content: Annotated[
        list[Path] | None,
        typer.Option("--content", help="Tệp mà chữ ký tách rời trỏ tới (theo tên tệp).", exists=True, dir_okay=False),
    ] = None,
    certificate: Annotated[
        list[Path] | None,
        typer.Option(
            "--certificate",
            help="Chứng thư PEM của nơi đóng gói: gói tin của trục dữ liệu Bộ Y tế không kèm chứng thư.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    evidence: Annotated[
        list[Path] | None,
        typer.Option(
            "--evidence",
            help="Tệp bằng chứng của lienthong sign evidence: dùng khi tệp đã ký không mang theo.",
            exists=True,
        ),
    ] = None,
    policies: Annotated[
        Path | None,
        typer.Option(
            "--policies",
            help="Thư mục văn bản của các chính sách chữ ký được chấp nhận; chính sách khác thì chưa kết luận.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    lang: Annotated[_Lang | None, typer.Option("--lang", help="Ngôn ngữ của kết quả.")] = None,
    json: Json = False,
) -> None:
    """Kiểm tra chữ ký số: nội dung, chứng thư, thu hồi tại thời điểm ký, dấu thời gian, người ký.

    Mã thoát 0 hợp lệ, 1 không hợp lệ, 2 chưa kết luận được (cả khi không có tệp nào để xét); nhiều tệp thì lấy kết quả xấu
    nhất. Với --json, một tệp cho một đối tượng, nhiều tệp hoặc thư mục cho một danh sách.

    Ví dụ: lienthong verify giay-ra-vien.xml --trust ca.pem
    Ví dụ: lienthong verify giay-cua-noi-khac.xml --trust ca.pem --policies chinh-sach/
    """
    said = language() if lang is None else lang.value
    now = _moment(at)
    given = {path.name: path.read_bytes() for path in content or []}
    papers = _papers(files)
    results: list[tuple[Path, Report]] = []
    with httpx.Client() as client:
        roots = load_roots([path.read_bytes() for path in trust])
        sealers = load_roots([path.read_bytes() for path in certificate or []])
        kept = sum((read_evidence(path.read_bytes()) for path in evidence or []), Evidence())
        asked = Trust(
            roots,
            evidence=kept,
            ask=RevocationClient(client) if online else None,
            sealers=sealers,
            policies=policies_in(policies) if policies else None,
        )
        silent = json or len(papers) < 2 or not errors.is_terminal
        for path in track(papers, WORDS[said]["checking"], console=errors, disable=silent, transient=True):
            try:
                judged = validate(_read(path), asked, now, given)
            except FileUnreadable as fault:
                judged = Report("undecided", (Reason.of(fault),))
            results.append((path, judged))
            if not json:
                _print(path, judged, said)
    if json:
        said_of = [{"file": str(path), **told(judged, said)} for path, judged in results]
        print_json(said_of[0] if len(files) == 1 and not files[0].is_dir() else said_of)
    verdicts = {judged.verdict for _, judged in results} or {"undecided"}  # nothing was judged, so nothing is valid
    raise typer.Exit(next(_EXIT[one] for one in ("invalid", "undecided", "valid") if one in verdicts))


def _moment(at: str) -> datetime | None:
    if not at:
        return None
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise typer.BadParameter(at, param_hint="--at") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=now_local().tzinfo)).astimezone(UTC)


def _papers(paths: Sequence[Path]) -> list[Path]:
    """Return the files named, and of a folder all that may be signed papers, sorted; each once."""
    found: dict[Path, None] = {}
    for path in paths:
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES and p.is_file())
        found |= dict.fromkeys(inside if path.is_dir() else [path])
    return list(found)


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise FileUnreadable("file", "not a file")
        if path.stat().st_size > _MAXIMUM:
            raise FileUnreadable("file", f"more than {_MAXIMUM} bytes")
        return path.read_bytes()
    except OSError as problem:
        raise FileUnreadable("file", type(problem).__name__) from problem


def _print(path: Path, judged: Report, said: Language) -> None:
    words = WORDS[said]
    console.print(f"[bold {_COLOURS[judged.verdict]}]{words[judged.verdict]}[/]", end=" ")
    console.print(str(path), markup=False, soft_wrap=True)
    for signed in judged.signers:
        _print_signer(signed, said)
    for reason in judged.reasons:
        _print_reason(words["reason"], "red", reason, said)
    for warning in judged.warnings:
        _print_reason(words["warning"], "yellow", warning, said)


def _print_signer(signed: Signed, said: Language) -> None:
    (time, at), (level, form), *others = facts(signed, said)
    (certificate, serial), (revocation, standing), (covers, parts) = others
    lines = [
        f"  {signer_line(signed, said)}",
        f"    {time}: {at}; {level} {form}",
        f"    {certificate}: {serial}; {revocation}: {standing}",
        f"    {covers}: {parts}",
    ]
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def _print_reason(label: str, colour: str, reason: Reason, said: Language) -> None:
    console.print(f"  [{colour}]{label}:[/] LT{reason.code:04d}", end=" ")
    console.print(reason_line(reason, said), markup=False, soft_wrap=True)
