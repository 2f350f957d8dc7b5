"""`lienthong send`: play a file or a folder of HL7 v2 messages to a node, and show every answer."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from connectors.faults import Uncertain, Unreachable
from connectors.mllp_client import MllpClient
from gateway.cli.files import files_of, messages_of
from gateway.cli.output import Json, console, print_json, print_table
from mappings.formats import er7
from mappings.formats.er7_header import Header, read_header
from mappings.formats.faults import Fault
from mappings.formats.values import parse_address


@dataclass
class Sent:
    """One message and the answer to it."""

    file: str
    number: int
    """Position in the file, 1-based: a batch file holds several messages."""
    type: str
    control_id: str
    answer: str
    """MSA-1; both codes where the sender asked for two answers (`CA AA`); else `no answer` or `unreadable`."""
    text: str
    milliseconds: float


def send(
    path: Annotated[Path, typer.Argument(help="Tệp hoặc thư mục.", exists=True)],
    to: Annotated[str, typer.Option("--to", help="Địa chỉ MLLP, ví dụ 127.0.0.1:2575.")] = "127.0.0.1:2575",
    timeout: Annotated[float, typer.Option(help="Chờ trả lời nhiều nhất bao nhiêu giây.")] = 30.0,
    json: Json = False,
) -> None:
    """Gửi tệp hoặc cả thư mục qua MLLP và cho xem từng câu trả lời. Mã thoát 1 nếu có thông điệp không được nhận.

    Ví dụ: lienthong send thong-diep.hl7 --to 127.0.0.1:2575
    """
    host, port = parse_address(to)
    files = files_of([path])
    results: list[Sent] = []
    with Progress(console=console, transient=True, disable=json or not sys.stdout.isatty()) as progress:
        task = progress.add_task("gửi", total=len(files))

        async def play() -> None:
            async with MllpClient(host, port, answer_timeout=timedelta(seconds=timeout)) as client:
                for file in files:
                    for number, raw in messages_of(file):
                        results.append(await _one(client, str(file), number, raw))
                    progress.advance(task)

        asyncio.run(play())
    counts = Counter(result.answer for result in results)
    if json:
        print_json({"messages": [asdict(result) for result in results], "answers": dict(counts)})
    else:
        print_table(
            "Trả lời",
            ("tệp", "thứ", "loại", "mã điều khiển", "trả lời", "nội dung", "ms"),
            (
                (Path(r.file).name, r.number, r.type, r.control_id, r.answer, r.text, f"{r.milliseconds:.1f}")
                for r in results
            ),
            right=(1, 6),
        )
        console.print(", ".join(f"{answer}: {count}" for answer, count in sorted(counts.items())) or "không có tệp nào")
    if any(set(result.answer.split()) - {"AA", "CA"} for result in results):
        raise typer.Exit(1)


async def _one(client: MllpClient, file: str, number: int, raw: bytes) -> Sent:
    header = read_header(raw)
    kind = f"{header.type}^{header.trigger}" if header.trigger else header.type
    sent = Sent(file, number, kind, header.control_id, "", "", 0.0)
    started = time.perf_counter()
    try:
        answers = [er7.Message.parse(await client.send(raw), "auto")]
        if _application_follows(header, answers[0].value("MSA-1") or ""):
            answers.append(er7.Message.parse(await client.read(), "auto"))
        sent.answer = " ".join(answer.value("MSA-1") or "?" for answer in answers)
        sent.text = answers[-1].value("ERR-8") or answers[-1].value("MSA-3") or ""
    except Uncertain:
        sent.answer = "no answer"
        await client.close()
        await client.connect()
    except Unreachable:
        raise
    except Fault as fault:
        sent.answer = "unreadable"
        sent.text = str(fault)
    sent.milliseconds = (time.perf_counter() - started) * 1000
    return sent


def _application_follows(header: Header, code: str) -> bool:
    """Whether an application acknowledgement follows this accept acknowledgement. Standard: HL7 v2.5.1 §2.9.3, table 0155."""
    wanted = ("AL", "SU") if code == "CA" else ("AL", "ER")
    return code.startswith("C") and header.accept_ack not in ("", "NE") and header.application_ack in wanted
