"""What the demo found: figures, the reconciliation that must close to zero, and the folder of evidence."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from conformance.scenarios.event import Day
from conformance.scenarios.player import Played
from gateway.cli import demo_instruments, demo_nodes, demo_pictures, demo_signing_report
from gateway.cli.demo_assessment import AssessmentFigures
from gateway.cli.demo_instruments import InstrumentFigures
from gateway.cli.demo_lookup import LookedUp
from gateway.cli.demo_nodes import NodeFigures
from gateway.cli.demo_pictures import PictureFigures
from gateway.cli.demo_signing_report import SigningFigures
from gateway.cli.output import console, print_table
from gateway.clock import SECOND
from gateway.settings import Plan
from gateway.store import deliveries, documents, image_schema, messages, schema
from gateway.store.engine import Store
from mappings.bhyt.check_in_file import CHECK_IN
from mappings.documents import caption


@dataclass(frozen=True)
class Balance:
    """One destination's account: what we made, what we know of it, and what the destination recorded by itself."""

    destination: str
    produced: int
    accepted: int
    in_error_queue: int
    withheld: int
    not_issued: int
    """Of papers that the next version overtook before everybody had signed."""
    under_way: int
    recorded: int
    """Accepted by the sandbox's own records."""
    verified: int
    """Of these, papers that the sandbox verified again."""
    not_ours: int
    """Recorded there under a key that we do not call accepted, or the other way round."""

    @property
    def closes(self) -> bool:
        balanced = self.produced == self.accepted + self.in_error_queue + self.withheld + self.not_issued
        return balanced and not self.under_way and self.accepted == self.recorded == self.verified and not self.not_ours


@dataclass(frozen=True)
class Figures:
    """Everything the tables show."""

    answers: Mapping[str, Mapping[str, int]]
    """Message type → answer code → messages."""
    unexpected: Sequence[str]
    """Messages whose answer was not the one that the scenario expects."""
    messages: Sequence[tuple[str, str, int]]
    """(type, state, messages) in the ledger."""
    papers: Mapping[str, Mapping[str, int]]
    """Paper → state → documents."""
    expected_subjects: Mapping[str, int]
    """Paper → visits, orders and the like that deserve one."""
    expected_papers: Mapping[str, int]
    """Paper → versions that they deserve."""
    expected_gaps: Mapping[str, int]
    """Paper → documents that wait for a person, because the day's messages leave something out."""
    attempts: Mapping[str, Mapping[str, int]]
    """Destination → event of the transition table → attempts."""
    latency_ms: Mapping[str, tuple[float, float]]
    """Destination → p50 and p99 from the event's arrival to the destination's acceptance."""
    coverage: tuple[int, int, int]
    troubles: Sequence[tuple[str, str, int]]
    """(destination, action, requests it hit) of the sandbox's fault plan."""
    balances: Sequence[Balance] = field(default_factory=tuple)
    signing: SigningFigures | None = None
    """None: the node alone sealed every paper."""
    nodes: NodeFigures | None = None
    """None: there is one node."""
    looked_up: LookedUp | None = None
    """What a person decided at the portal; None: nobody looked."""
    assessment: AssessmentFigures | None = None
    """What the portal found in the visits by its own checks."""
    pictures: PictureFigures | None = None
    """What the PACS sent; None: it sent nothing."""

    instruments: InstrumentFigures | None = None
    """What analyser, LIS and monitor said after the day; None: nothing."""

    def with_instruments(self, said: InstrumentFigures) -> Figures:
        """Add what instruments said, and the papers that it deserves."""
        return replace(self._with(demo_instruments.PAPERS, demo_instruments.VERSIONS), instruments=said)

    def with_pictures(self, seen: PictureFigures) -> Figures:
        """Add what the PACS sent, and the reports that it deserves."""
        papers, versions = {demo_pictures.PAPER: seen.studies}, {demo_pictures.PAPER: seen.reports}
        return replace(self._with(papers, versions), pictures=seen)

    def _with(self, papers: Mapping[str, int], versions: Mapping[str, int]) -> Figures:
        return replace(
            self,
            expected_subjects=dict(Counter(self.expected_subjects) + Counter(papers)),
            expected_papers=dict(Counter(self.expected_papers) + Counter(versions)),
        )

    @property
    def papers_match(self) -> bool:
        """Whether every paper that the day deserves was made and signed, and those that lack something wait.

        A version that waited until the record had gone on says what the next says too; the next is then unchanged. Where people
        sign, a version may be overtaken by the next before it is signed.
        """
        ended = {"signed", "unchanged", "error", *(("superseded",) if self.signing else ())}
        return self.papers.keys() == self.expected_papers.keys() | self.expected_gaps.keys() and all(
            states.keys() <= ended
            and states.get("error", 0) == self.expected_gaps.get(name, 0)
            and _enough(name, states, self.expected_subjects.get(name, 0), self.expected_papers.get(name, 0))
            for name, states in self.papers.items()
        )

    @property
    def open(self) -> list[str]:
        """What does not close, by the names that the tables have."""
        parts = {
            "nơi nhận": bool(self.balances) and all(balance.closes for balance in self.balances),
            "câu trả lời": not self.unexpected,
            "giấy tờ": self.papers_match,
            "ký số": self.signing is None or self.signing.closes,
            "nút": self.nodes is None or self.nodes.closes,
            "giám định": self.assessment is None or self.assessment.closes,
            "PACS": self.pictures is None or self.pictures.closes,
            "máy xét nghiệm, máy theo dõi": self.instruments is None or self.instruments.closes,
        }
        return [name for name, closes in parts.items() if not closes]

    @property
    def closes(self) -> bool:
        return not self.open

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {
            "balances": [asdict(balance) | {"closes": balance.closes} for balance in self.balances],
            "closes": self.closes,
            "open": self.open,
        }


def _enough(paper: str, states: Mapping[str, int], subjects: int, versions: int) -> bool:
    """Compare what was made of a paper with what the day deserves.

    Every order asks for a check-in, and most change none: of these there may be more that are unchanged.
    """
    signed = states.get("signed", 0)
    ended = signed + states.get("superseded", 0) + states.get("unchanged", 0)
    return subjects <= signed <= versions and (versions <= ended if paper == CHECK_IN else versions == ended)


def unfinished(connection: Connection) -> int:
    """Count messages and papers that are still under way; what others come of is counted before these."""
    study, message, document = image_schema.study.c, schema.message.c, schema.document.c
    under_way = (
        study.due_at.is_not(None),
        message.state == "received",
        document.state.in_(("due", "signing", "composed", "proving")),
    )
    return sum(connection.scalar(sa.select(sa.func.count()).where(one)) or 0 for one in under_way)


def figures(
    connection: Connection,
    day: Day,
    played: Sequence[Played],
    summary: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
    faults: Sequence[Mapping[str, Any]],
) -> Figures:
    """Read the ledger and compare it with what was played and with what the sandbox recorded."""
    answers: dict[str, Counter[str]] = {}
    for each in played:
        answers.setdefault(each.event.label, Counter())[each.code or "—"] += 1
    counted = messages.counts(connection)
    papers: dict[str, dict[str, int]] = {}
    for row in documents.counts(connection):
        papers.setdefault(row.paper, {})[row.state] = row.documents
    attempts: dict[str, dict[str, int]] = {}
    for row in deliveries.attempt_counts(connection):
        attempts.setdefault(row.destination, {})[row.event] = row.attempts
    sent = deliveries.listing(connection)
    names = sorted({row.destination for row in sent})
    return Figures(
        answers={name: dict(count) for name, count in sorted(answers.items())},
        unexpected=[
            f"{each.event.label} {each.event.control_id}: {each.code or '—'}, expected {each.event.ack} {each.text}"
            for each in played
            if not each.as_expected
        ],
        messages=[(row.type, row.state, row.messages) for row in counted],
        papers=papers,
        expected_subjects=dict(day.expected_papers()),
        expected_papers=dict(day.expected_versions()),
        expected_gaps=dict(day.expected_gaps()),
        attempts=attempts,
        latency_ms={name: _latency([row for row in sent if row.destination == name]) for name in names},
        coverage=(
            sum(row.mapped for row in counted),
            sum(row.ignored for row in counted),
            sum(row.unknown for row in counted),
        ),
        troubles=[(rule["destination"], rule["action"], rule["fired"]) for rule in faults],
        balances=[
            _balance(
                name,
                [row for row in sent if row.destination == name],
                summary[name],
                [record for record in records if record["destination"] == name],
            )
            for name in names
        ],
    )


def _balance(
    name: str, sent: Sequence[Any], summary: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> Balance:
    states = Counter(row.state for row in sent)
    ours = {row.reference for row in sent if row.state == "accepted"}
    theirs = {record["reference"] for record in records if record["verdict"] == "accepted"}
    settled = states["accepted"] + states["error"] + states["withheld"] + states["closed"]
    return Balance(
        destination=name,
        produced=len(sent),
        accepted=states["accepted"],
        in_error_queue=states["error"],
        withheld=states["withheld"],
        not_issued=states["closed"],
        under_way=len(sent) - settled,
        recorded=summary["accepted"],
        verified=summary["verified"],
        not_ours=len(ours ^ theirs),
    )


def _latency(sent: Sequence[Any]) -> tuple[float, float]:
    waits = sorted((row.accepted_at - row.event_at) * 1000 / SECOND for row in sent if row.accepted_at)
    if not waits:
        return (0.0, 0.0)
    return (waits[len(waits) // 2], waits[min(len(waits) - 1, len(waits) * 99 // 100)])


_NAMES = {
    "insurance_portal": "Cổng BHYT",
    "moh_axis": "Trục Bộ Y tế",
    "national_coordination": "Điều phối",
}
_STATES = {
    "answered": "đã trả lời",
    "mapped": "đã ánh xạ",
    "kept": "giữ nguyên",
    "error": "hàng lỗi",
    "duplicate": "lặp lại",
    "received": "đang xử lý",
}


def show(found: Figures, place: Path) -> None:
    """Print the tables."""
    codes = sorted({code for count in found.answers.values() for code in count})
    print_table(
        "Thông điệp theo loại và câu trả lời",
        ("loại", *codes),
        ((name, *(count.get(code, "") for code in codes)) for name, count in found.answers.items()),
        right=range(1, len(codes) + 1),
    )
    print_table(
        "Thông điệp trong sổ cái",
        ("loại", "kết quả", "số"),
        ((type_, _STATES.get(state, state), count) for type_, state, count in found.messages),
        right=(2,),
    )
    print_table(
        "Giấy tờ",
        ("giấy tờ", "phải lập", "đã ký", "còn thiếu"),
        (
            (
                caption(name),
                expected + found.expected_gaps.get(name, 0),
                found.papers.get(name, {}).get("signed", 0),
                found.papers.get(name, {}).get("error", 0),
            )
            for name, expected in sorted(found.expected_papers.items())
        ),
        right=(1, 2, 3),
    )
    print_table(
        "Nơi nhận",
        ("nơi nhận", "nhận", "từ chối", "gửi lại", "hỏi lại", "p50 ms", "p99 ms"),
        (
            (
                _NAMES.get(balance.destination, balance.destination),
                balance.accepted,
                found.attempts.get(balance.destination, {}).get("refuse", 0),
                found.attempts.get(balance.destination, {}).get("retry", 0),
                found.attempts.get(balance.destination, {}).get("lose", 0),
                *(f"{value:.0f}" for value in found.latency_ms[balance.destination]),
            )
            for balance in found.balances
        ),
        right=range(1, 7),
    )
    mapped, ignored, unknown = found.coverage
    print_table(
        "Trường dữ liệu",
        ("đã ánh xạ", "bỏ qua có lý do", "chưa biết", "tổng"),
        [(mapped, ignored, unknown, mapped + ignored + unknown)],
        right=range(4),
    )
    if found.signing is not None:
        demo_signing_report.show(found.signing)
    if found.nodes is not None:
        demo_nodes.show(found.nodes)
    overtaken = any(balance.not_issued for balance in found.balances)
    needless = " + không cần nữa" if overtaken else ""
    print_table(
        f"Đối soát: lập = nhận + lỗi + giữ{needless}; nhận = sổ của nơi nhận = chữ ký họ kiểm lại",
        (
            "nơi nhận",
            "lập",
            "nhận",
            "lỗi",
            "giữ",
            *(("không cần",) if overtaken else ()),
            "còn",
            "sổ họ",
            "chữ ký",
            "lệch",
            "khớp",
        ),
        (
            (
                _NAMES.get(b.destination, b.destination),
                b.produced,
                b.accepted,
                b.in_error_queue,
                b.withheld,
                *((b.not_issued,) if overtaken else ()),
                b.under_way,
                b.recorded,
                b.verified,
                b.not_ours,
                "có" if b.closes else "KHÔNG",
            )
            for b in found.balances
        ),
        right=range(1, 10 if overtaken else 9),
    )
    for line in found.unexpected:
        console.print(f"[red]Trả lời khác dự kiến:[/] {line}")
    console.print(f"Giấy tờ đã ký, thông điệp gốc và biên nhận: {place}", soft_wrap=True)
    if found.assessment:
        seen, notes = found.assessment, sum(found.assessment.findings.values())
        console.print(
            f"Giám định của cổng BHYT (kiểm tra riêng): {seen.visits} hồ sơ, {seen.check_ins} lượt báo vào khám, "
            f"{seen.returned} bị trả, {notes} ghi chú."
        )
    if found.pictures:
        sent = found.pictures
        console.print(
            f"PACS ({sent.via}): {sent.studies} lần chụp, {sent.objects} đối tượng, {sent.versions} bản, "
            f"{sent.reports} phiếu kết quả."
        )
    if found.instruments:
        said = found.instruments
        console.print(
            f"Máy xét nghiệm: {said.told} kết quả đã nhận, hỏi được {said.orders} chỉ định, {said.critical} giá trị nguy kịch "
            f"chờ báo (lienthong lab critical list). Máy theo dõi: {said.measured} dấu hiệu sinh tồn vào hồ sơ."
        )
    apart = f"[bold red]Đối soát KHÔNG khớp:[/] {'; '.join(found.open)}."
    console.print("[bold green]Đối soát khớp.[/]" if found.closes else apart)


async def export(store: Store, plan: Plan, place: Path) -> None:
    """Write raw messages, signed papers and receipts as files; names are ids, never anything of a patient."""
    keyring = plan.keyring

    def read(connection: Connection) -> list[tuple[str, bytes]]:
        files = [
            (f"messages/{row.message_id}.hl7", keyring.open(row.body, row.message_id))
            for row in connection.execute(sa.select(schema.message_body))
        ]
        for row in connection.execute(sa.select(schema.rendition).where(schema.rendition.c.signed)):
            body = keyring.open(row.body, f"{row.document_id}/{row.kind}")
            suffix = "json" if row.media_type == "application/fhir+json" else "xml"
            files.append((f"papers/{row.document_id}.{row.kind.replace(':', '-')}.{suffix}", body))
        for row in connection.execute(sa.select(schema.attempt).where(schema.attempt.c.body.is_not(None))):
            body = keyring.open(row.body, f"receipt/{row.delivery_id}")
            files.append((f"receipts/{row.delivery_id}.{row.number}.json", body))
            files.append((f"receipts/{row.delivery_id}.{row.number}.facts.json", row.facts.encode()))
        return files

    def write(files: list[tuple[str, bytes]]) -> None:
        for name, body in files:
            path = place / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(body)

    await asyncio.to_thread(write, await store.read(read))
    (place / "README.txt").write_text(
        "messages/  thông điệp gốc, nguyên từng byte\npapers/    giấy tờ đã ký (cda, gdbhyt, fhir)\n"
        "receipts/  câu trả lời của nơi nhận\nsandbox/   sổ của nơi nhận\nconfig/    cấu hình của nút\n",
        encoding="utf-8",
    )
