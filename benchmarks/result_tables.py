"""A table of 100,000 results dropped into a folder: until all is in the record, beside a loop that only keeps its rows.

The bare loop reads the same CSV with Python's reader and commits the rows of each report to SQLite in one transaction.
"""

from __future__ import annotations

import csv
import io
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import sqlalchemy as sa

from benchmarks.figures import Row
from gateway.configuration import load
from gateway.result_steps import ROWS
from gateway.store import schema
from gateway.store.engine import make_engine
from tests.site import NodeProcess, start_node, write_site

RESULTS, PER_REPORT = 100_000, 10
FIRST = 20
"""Reports of another table that comes before: the processes that map are started for it."""
HEADINGS = (
    *("Mã BN", "Họ tên", "Ngày sinh", "Số mẫu", "Mã XN", "Tên XN"),
    *("Kết quả", "Đơn vị", "Trị số", "Trạng thái", "Trả kết quả"),
)
LAYOUT = """
[layout]
decimal = ","
times = ["%d/%m/%Y %H:%M", "%d/%m/%Y"]
words = { status = { "Đã duyệt" = "F" } }
[layout.columns]
patient = "Mã BN"
name = "Họ tên"
birth = "Ngày sinh"
specimen = "Số mẫu"
test = "Mã XN"
test_name = "Tên XN"
value = "Kết quả"
unit = "Đơn vị"
range = "Trị số"
status = "Trạng thái"
resulted = "Trả kết quả"
"""


def measure() -> list[Row]:
    data = table(range(RESULTS // PER_REPORT))
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        bare = keep(data, Path(name) / "bare.db")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        taken, whole, grown = drop(data, Path(name))
    title = f"{RESULTS:,} results, {len(data) / 1e6:.0f} MB"
    return [
        Row(f"{title}: bare loop, rows kept", bare, "s"),
        Row(f"{title}: file taken and put away", taken, "s", "bare loop", taken / bare),
        Row(
            f"{title}: all {RESULTS // PER_REPORT:,} reports in the record (limit 60 s)", whole, "s", "60 s", whole / 60
        ),
        Row(f"largest memory of the node's processes, beyond that after {FIRST} reports", grown, "MB"),
    ]


def table(reports: range) -> bytes:
    """Write a table: people whom the record does not know, with a specimen each and ten results of it."""
    lines = [";".join(HEADINGS)]
    for report in reports:
        who = f"BN{report:06};Nguyễn Văn Bệnh Nhân;01/02/1980;M{report:07}"
        for test in range(PER_REPORT):
            value = f"{(report * 7 + test) % 200},{test}0"
            lines.append(
                f"{who};XN{test:02};Xét nghiệm {test};{value};mmol/L;3,0 - 8,0;Đã duyệt;26/11/2026 09:{test:02}"
            )
    return ("\r\n".join(lines) + "\r\n").encode()


def keep(data: bytes, path: Path) -> float:
    """Keep the rows and nothing else; give the seconds."""
    started = time.perf_counter()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE report (id INTEGER PRIMARY KEY, rows BLOB)")
    rows = csv.reader(io.StringIO(data.decode(), newline=""), delimiter=";")
    next(rows)
    for _, some in groupby(rows, lambda row: row[3]):
        connection.execute("INSERT INTO report (rows) VALUES (?)", ("\n".join(map(";".join, some)).encode(),))
    connection.close()
    return time.perf_counter() - started


def drop(data: bytes, folder: Path) -> tuple[float, float, float]:
    """Drop the file before a node; give the seconds until it was put away, until all is mapped, and the memory in MB."""
    dropped = folder / "drop"
    dropped.mkdir()
    config = write_site(folder / "site", produce=(), accept=("RESULT",))
    channel = config / "channels" / "his.toml"
    text = channel.read_text(encoding="utf-8").splitlines()
    source = f'{{ kind = "folder", folder = "{dropped}", pattern = "*.csv", poll = "100ms", settle = "100ms" }}'
    channel.write_text("\n".join([text[0], f"source = {source}", *text[2:], LAYOUT]), encoding="utf-8")
    node_file = config / "node.toml"
    node_file.write_text(node_file.read_text(encoding="utf-8").replace("workers = 1", "workers = 2"), encoding="utf-8")
    node = start_node(config)
    engine = make_engine(load(config).store_url)
    count = sa.select(sa.func.count()).select_from(schema.message).where(schema.message.c.type == ROWS)
    mapped, waiting = (count.where(schema.message.c.state == state) for state in ("mapped", "received"))

    def put(name: str, content: bytes, reports: int) -> tuple[float, float]:
        (dropped / f"{name}.part").write_bytes(content)
        started = time.perf_counter()
        (dropped / f"{name}.part").rename(dropped / f"{name}.csv")
        while (dropped / f"{name}.csv").exists():
            time.sleep(0.05)
        taken = time.perf_counter() - started
        while True:
            with engine.connect() as connection:
                left, done = connection.scalar(waiting) or 0, connection.scalar(mapped) or 0
            if done == reports:
                return taken, time.perf_counter() - started
            assert left, f"{reports - done} reports were not mapped"
            time.sleep(0.2)

    try:
        put("first", table(range(10**6 - FIRST, 10**6)), FIRST)
        at_rest = sum(resident(pid, "VmRSS") for pid in family(node))
        taken, whole = put("day", data, FIRST + RESULTS // PER_REPORT)
        largest = sum(resident(pid, "VmHWM") for pid in family(node))
        return taken, whole, (largest - at_rest) / 1024
    finally:
        engine.dispose()
        node.stop()


def family(node: NodeProcess) -> Iterator[int]:
    """Give the processes of a node."""
    children = f"/proc/{node.process.pid}/task/{node.process.pid}/children"
    yield node.process.pid
    yield from map(int, Path(children).read_text(encoding="utf-8").split())


def resident(pid: int, name: str) -> int:
    """Give a figure of a process's memory, in KB."""
    lines = (
        Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines() if os.path.exists(f"/proc/{pid}") else []
    )
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
