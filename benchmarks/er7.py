"""ER7: reading messages, against splitting bytes and against hl7apy."""

from __future__ import annotations

from collections.abc import Callable

from hl7apy.parser import parse_message

from benchmarks.figures import Row, per_call_us
from conformance.scenarios.load import oru, small_adt
from mappings.formats import er7
from mappings.formats.er7_header import read_header

OBX_FIELDS = (2, 3, 5, 6, 7, 8)


def read_results(raw: bytes) -> Callable[[], object]:
    """Parse and read six fields of every OBX."""

    def read() -> int:
        message = er7.Message.parse(raw)
        count = 0
        for segment in message.all("OBX"):
            for n in OBX_FIELDS:
                segment[n].c(1)
                count += 1
        return count

    return read


def read_everything(raw: bytes) -> Callable[[], object]:
    """Parse and read the first component of every populated field of every segment."""

    def read() -> int:
        message = er7.Message.parse(raw)
        return sum(len(segment[n].c(1)) for segment in message.segments for n in segment.populated())

    return read


def judge(raw: bytes) -> Callable[[], object]:
    text = raw.decode()
    return lambda: parse_message(text, find_groups=False)


def measure() -> list[Row]:
    rows: list[Row] = []
    for name, raw in (("small ADT", small_adt()), ("30 OBX", oru(30)), ("200 OBX", oru(200))):
        split = per_call_us(lambda raw=raw: raw.split(b"\r"))  # type: ignore[misc]
        header = per_call_us(lambda raw=raw: read_header(raw))  # type: ignore[misc]  # mypy infers no lambda defaults
        results = per_call_us(read_results(raw))
        whole = per_call_us(read_everything(raw))
        other = per_call_us(judge(raw), seconds=0.3)
        rows += [
            Row(f"{name}: bytes.split", split, "us"),
            Row(f"{name}: header", header, "us", "bytes.split", header / split),
            Row(f"{name}: parse, six fields of each OBX", results, "us", "bytes.split", results / split),
            Row(f"{name}: parse, every field", whole, "us", "bytes.split", whole / split),
            Row(f"{name}: hl7apy parse", other, "us", "our every field", other / whole),
        ]
    return rows
