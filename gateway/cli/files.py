"""Messages in files and folders, as `send` and `map` take them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from mappings.formats import astm
from mappings.formats.er7_batch import split_batch
from mappings.formats.faults import Fault

_SUFFIXES = {".hl7", ".astm", ".txt", ".er7", ".msg", ".dat", ".mllp"}
_START, _END = b"\x0b", b"\x1c"
_COMMENT = re.compile(rb"(?:^|(?<=[\r\n]))#[^\r\n]*")

TABLES = frozenset({".csv", ".txt", ".tsv", ".xlsx"})
"""What tables of results look like."""


def files_of(paths: Sequence[Path], suffixes: Collection[str] = _SUFFIXES) -> list[Path]:
    """Give the files named, and of a folder all that look like messages, sorted; each once."""
    found: dict[Path, None] = {}
    for path in paths:
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in suffixes) if path.is_dir() else [path]
        found |= dict.fromkeys(inside)
    return list(found)


def messages_of(file: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the messages of a file, counted from 1: one, a batch, or frames as recorded on the wire.

    Samples of instruments often begin with a comment: lines with `#` are then left out. What cannot be split is given as it is,
    so that whoever reads it can say what is wrong.
    """
    data = file.read_bytes()
    records = _COMMENT.sub(b"", data) if data.lstrip().startswith(b"#") else data
    if astm.is_astm(records):
        parts = astm.split(astm.unframed(records))
    elif data.startswith(_START):
        parts = [frame.partition(_END)[0] for frame in data.split(_START)[1:]]
    else:
        try:
            parts = split_batch(data)
        except Fault:
            parts = [data]
    yield from enumerate(parts, 1)
