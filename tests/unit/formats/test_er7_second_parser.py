"""Another parser reads the real messages as we do: field by field, down to the subcomponents.

Where hl7apy alone is at fault, and nothing else is excepted: it rewrites numbers (SI, NM), so they are compared as numbers; it
drops values of nothing but spaces, so these count as empty; and it keeps no place, and no empty neighbours, for a field or
component that its tables for the version do not have, so these are compared in order.
"""

from __future__ import annotations

import multiprocessing
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal, InvalidOperation
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from mappings.formats import er7
from mappings.formats.er7_escapes import unescape
from mappings.formats.faults import Fault
from tests.unit.formats.second_parser import Parts, read

HEAD = "MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5\r"


def plain(leaf: str) -> str:
    """Undo the escapes of the delimiters by hand; the others are left to us."""
    if leaf == er7.NULL:
        return ""
    for letter, char in zip("FSTR", "|^&~", strict=True):
        leaf = leaf.replace(f"\\{letter}\\", char)
    if "\\" in leaf:
        leaf = unescape(leaf.encode(), er7.Delimiters(b"\x01", b"\x02", b"\x03", b"\\", b"\x04"))
    return unicodedata.normalize("NFC", leaf)


def same_leaf(theirs: str | Decimal, ours: str) -> bool:
    if isinstance(theirs, str):
        return plain(theirs) == ours or not (theirs.strip() or ours)
    try:
        return Decimal(ours) == theirs
    except InvalidOperation:
        return False


def subcomponents(repetition: er7.Repetition, component: int) -> dict[int, str]:
    count = repetition.subcomponents(component)
    return {s: text for s in range(1, count + 1) if (text := repetition.c(component, s)).strip()}


def same_component(theirs: Parts, ours: dict[int, str]) -> bool:
    ours = dict(ours)
    for place, leaves in theirs.placed.items():
        if not same_leaf(leaves[0], ours.pop(place, "")):
            return False
    rest = [leaf for leaf in theirs.unplaced if leaf not in ("", er7.NULL)]
    return len(rest) == len(ours) and all(map(same_leaf, rest, ours.values()))


def same_repetition(theirs: Parts, ours: er7.Repetition) -> bool:
    components = {c: found for c in range(1, ours.components + 1) if (found := subcomponents(ours, c))}
    for place, (component,) in theirs.placed.items():
        if not same_component(component, components.pop(place, {})):
            return False
    rest = [part for part in theirs.unplaced if not same_component(part, {})]
    return len(rest) == len(components) and all(map(same_component, rest, components.values()))


def repetitions(field: er7.Field) -> list[er7.Repetition]:
    found = field.repetitions
    return found if any(subcomponents(one, c) for one in found for c in range(1, one.components + 1)) else []


def same_field(theirs: list[Parts], ours: list[er7.Repetition]) -> bool:
    if not ours:
        return all(not text.strip() or text == er7.NULL for one in theirs for text in leaves(one))
    return len(theirs) == len(ours) and all(map(same_repetition, theirs, ours))


def leaves(part: Any) -> Iterator[str]:
    if not isinstance(part, Parts):
        yield str(part)
        return
    for inner in (*chain.from_iterable(part.placed.values()), *part.unplaced):
        yield from leaves(inner)


def differences(theirs: list[tuple[str, Parts]], ours: er7.Message) -> Iterator[str]:
    """Name the positions that the two read differently."""
    if [name for name, _ in theirs] != [segment.name for segment in ours.segments]:
        yield "segments"
        return
    for (name, fields), segment in zip(theirs, ours.segments, strict=True):
        numbers = [n for n in segment.populated() if name != "MSH" or n > 2]
        known = {n: found for n, found in fields.placed.items() if name != "MSH" or n > 2}
        for n in sorted({*known, *numbers} if not fields.unplaced else known):
            if not same_field(known.get(n, []), repetitions(segment[n])):
                yield f"{segment.position()}-{n}"
        if fields.unplaced:
            beyond = [one for n in numbers if n not in known for one in repetitions(segment[n])]
            if not same_field(fields.unplaced, beyond):
                yield f"{segment.position()} beyond the table"


@pytest.mark.parametrize("part", ["a fifth", pytest.param("all", marks=pytest.mark.nightly)])
def test_every_message_of_the_corpus(corpora: Path, part: str) -> None:
    texts: dict[str, str] = {}
    for file in sorted((corpora / "hl7v2").glob("*/*.hl7")):
        raw = file.read_bytes()
        try:
            message = er7.Message.parse(raw)
        except Fault:
            continue
        text = raw.decode(message.charset).replace("\r\n", "\r").replace("\n", "\r").strip("\r \ufeff")
        texts.setdefault(text, file.name)
    assert len(texts) > 500
    if part != "all":
        texts = dict(list(texts.items())[::5])
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        readings = list(pool.map(read, texts, chunksize=16))
    found = [
        f"{name} {where}"
        for (text, name), reading in zip(texts.items(), readings, strict=True)
        if not isinstance(reading, str)
        for where in differences(reading, er7.Message.parse(text.encode(), "utf-8"))
    ]
    assert found == []
    unread = [reading for reading in readings if isinstance(reading, str)]
    assert len(unread) * 20 < len(texts), unread


@pytest.mark.parametrize(
    ("theirs", "ours", "where"),
    [
        ("PID|1||7", "PID|1||8", ["PID-3"]),
        ("PID|1||7", "PID|1||7|8", ["PID-4"]),
        ("PID|1||7~8", "PID|1||7", ["PID-3"]),
        ("PID|1||7^^^A&B", "PID|1||7^^^A&C", ["PID-3"]),
        ("PID|1||7^^^A", "PID|1||7^^A", ["PID-3"]),
        ("PID|1||a\\T\\b", "PID|1||a&b", ["PID-3"]),
        ("PID|01", "PID|2", ["PID-1"]),
        ("ZZZ|a^b", "ZZZ|a^c", ["ZZZ-1"]),
        ("PID|1\rZZZ|1", "PID|1", ["segments"]),
        ("PID|01||\"\"|a\\F\\b", "PID|1||\"\"|a\\F\\b", []),
    ],
)  # fmt: skip
def test_the_comparison_sees(theirs: str, ours: str, where: list[str]) -> None:
    reading = read(HEAD + theirs)
    assert not isinstance(reading, str)
    assert list(differences(reading, er7.Message.parse((HEAD + ours).encode()))) == where


def test_the_comparison_sees_beyond_the_tables() -> None:
    reading: Any = read(HEAD + "AL1|1|" + "|" * 20 + "x^y~z")
    for ours, where in (("x^y~z", []), ("x^z~z", ["AL1 beyond the table"]), ("x^y", ["AL1 beyond the table"])):
        message = er7.Message.parse((HEAD + "AL1|1|" + "|" * 20 + ours).encode())
        assert list(differences(reading, message)) == where
