"""Insurance files: ten thousand visits of sixty lines checked by the command, and the memory it takes."""

from __future__ import annotations

import base64
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from benchmarks.figures import Row
from mappings.bhyt.envelope import read as read_envelope
from tests.unit.bhyt import clean

RECORDS = 10_000
_NUMBER = re.compile(rb"<MA_LK>[^<]*</MA_LK>")
_NAME = re.compile(rb"<HO_TEN>[^<]*</HO_TEN>")


def measure() -> list[Row]:
    data = clean.file_of(clean.inpatient(days=6))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "many.xml"
        write_many(file, data)
        floor = _parse_s(file)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent, memory = run_command(file)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size = f"{RECORDS:,} visits, {RECORDS * len(data) / 1e6:.0f} MB".replace(",", " ")
    return [
        Row(f"{size}: lxml parse of the outer file", floor, "s"),
        Row(f"{size}: lienthong bhyt check", spent, "s", "limit of 60 s", spent / 60),
        Row(f"{size}: processor time of all processes", cpu, "s"),
        Row(f"{size}: memory of all processes", memory, "MB", "limit of 300 MB", memory / 300),
    ]


def _parse_s(file: Path) -> float:
    """Parse the outer file alone, one visit at a time, and look at nothing."""
    started = time.monotonic()
    for _, element in etree.iterparse(file, tag="HOSO", huge_tree=True):
        element.clear()
    return time.monotonic() - started


def write_many(file: Path, one: bytes, records: int = RECORDS) -> None:
    """Write a file of many visits, each with its own number and name."""
    ((*tables,),) = read_envelope(one).visits
    facility = re.search(rb"<MACSKCB>[^<]*</MACSKCB>", one)
    assert facility
    with file.open("wb") as out:
        out.write(
            b"<GIAMDINHHS><THONGTINDONVI>" + facility[0] + b"</THONGTINDONVI><THONGTINHOSO><NGAYLAP>20261105</NGAYLAP>"
        )
        out.write(f"<SOLUONGHOSO>{records}</SOLUONGHOSO><DANHSACHHOSO>".encode())
        for n in range(records):
            out.write(b"<HOSO>" + b"".join(_table(name, content, n) for name, content in tables) + b"</HOSO>")
        out.write(b"</DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI/></GIAMDINHHS>")


def _table(name: str, content: bytes, n: int) -> bytes:
    content = _NUMBER.sub(f"<MA_LK>LK-{n:05}</MA_LK>".encode(), content)
    content = _NAME.sub(f"<HO_TEN>Nguyễn Thị Mẫu {n}</HO_TEN>".encode(), content)
    head = f"<FILEHOSO><LOAIHOSO>{name}</LOAIHOSO><NOIDUNGFILE>".encode()
    return head + base64.b64encode(content) + b"</NOIDUNGFILE></FILEHOSO>"


def run_command(file: Path) -> tuple[float, float]:
    """Check a file with the command; give the seconds and the most megabytes its processes held together."""
    started = time.monotonic()
    command = [sys.executable, "-m", "gateway.cli", "bhyt", "check", "--json", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = 0.0
    while True:
        try:
            process.wait(0.2)
            break
        except subprocess.TimeoutExpired:
            most = max(most, sum(_held_mb(one) for one in (process.pid, *_below(process.pid))))
    assert process.returncode in (0, 1), process.returncode
    return time.monotonic() - started, most


def _below(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in task.read_text(encoding="ascii").split()]
        except OSError:
            continue
        for child in children:
            yield child
            yield from _below(child)


def _held_mb(pid: int) -> float:
    """Give what a process holds, its part of shared pages counted in."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0.0
    found = re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
