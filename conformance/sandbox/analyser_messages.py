"""What the simulated analyser says: results of an invented instrument, a question, and record files read from disk.

Records as CLSI LIS2-A2 has them, `|`, `\\`, `^`, `&` as delimiters, in ASCII; the same seed gives the same messages.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

INSTRUMENT: Final = "LT-400^SANDBOX^1.0"
_TESTS: Final = (
    # code, unit, decimals, low, high
    ("GLU", "mmol/L", 2, 3.90, 6.40),
    ("UREA", "mmol/L", 1, 2.5, 7.5),
    ("CREA", "umol/L", 0, 53, 115),
    ("AST", "U/L", 0, 0, 37),
    ("ALT", "U/L", 0, 0, 41),
    ("K", "mmol/L", 2, 3.50, 5.10),
)
_NAMES: Final = ("NGUYEN^AN", "TRAN^BINH", "LE^CHI", "PHAM^DUNG", "HOANG^EM", "VO^GIANG")


def results(count: int, seed: int, at: datetime) -> Iterator[bytes]:
    """Make results of `count` samples, a minute apart."""
    chance = random.Random(seed)
    for number in range(1, count + 1):
        done = at + timedelta(minutes=number)
        sample = f"S{seed % 1000:03d}{number:05d}"
        tests = chance.sample(_TESTS, chance.randint(2, len(_TESTS)))
        sex, born = chance.choice("MF"), f"{chance.randint(1940, 2020)}0{chance.randint(1, 9)}15"
        records = [
            _header(done),
            f"P|1||BN{number:06d}||{chance.choice(_NAMES)}||{born}|{sex}",
            "O|1|{}||{}|R|{:%Y%m%d%H%M%S}||||||||||||||||||F".format(
                sample, "\\".join(f"^^^{code}" for code, *_ in tests), done - timedelta(minutes=30)
            ),
        ]
        for index, (code, unit, decimals, low, high) in enumerate(tests, 1):
            value = chance.uniform(low * 0.8, high * 1.2)
            flag = "L" if value < low else "H" if value > high else "N"
            limits = f"{low:.{decimals}f} to {high:.{decimals}f}"
            records.append(f"R|{index}|^^^{code}|{value:.{decimals}f}|{unit}|{limits}|{flag}||F||||{done:%Y%m%d%H%M%S}")
        yield _message(records)


def question(sample: str, at: datetime) -> bytes:
    """Ask for the orders of a sample; `ALL` asks for those of all."""
    wanted = "ALL" if sample == "ALL" else f"^{sample}"
    return _message([_header(at), f"Q|1|{wanted}||ALL|||||||O"])


def read_messages(content: bytes) -> list[bytes]:
    """Read a file of records: any line ends, several messages; lines with `#` and control characters of frames are left out.

    Raises ValueError when there is no record in it, or the first is no header.
    """
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    records = [line.strip() for line in lines if line.strip() and not line.startswith(b"#")]
    if not records or not records[0].startswith(b"H"):
        raise ValueError("không bắt đầu bằng bản ghi H")
    if any(byte in record for record in records for byte in (b"\x02", b"\x03", b"\x05")):
        raise ValueError("có ký tự điều khiển của khung; tệp chỉ gồm bản ghi, không gồm khung")
    messages: list[list[bytes]] = []
    for record in records:
        if record.startswith(b"H"):
            messages.append([])
        messages[-1].append(record)
    return [b"".join(record + b"\r" for record in message) for message in messages]


def _header(at: datetime) -> str:
    return rf"H|\^&|||{INSTRUMENT}|||||||P|LIS2-A2|{at:%Y%m%d%H%M%S}"


def _message(records: list[str]) -> bytes:
    return "".join(f"{record}\r" for record in [*records, "L|1|N"]).encode("ascii")
