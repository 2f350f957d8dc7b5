"""Whatever stands in the fields: only faults are raised, the account adds up, and what comes out is sound FHIR."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.fhir import problems
from mappings.formats import er7
from mappings.formats.faults import Fault
from mappings.hl7v2 import Context, map_message
from tests.unit.hl7v2.samples import PID, PV1, line, mapped, only

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
MESSAGES = [path.read_bytes() for path in sorted(GOLDEN.glob("*/*/input.hl7"))]
VALUES = [
    b"", b'""', b"^", b"^^^", b"&", b"~~x", b"a^b^c^d^e^f^g^h^i", b"9" * 30, b"20261332", b"99991231235959", b"0" * 12, b"-1",
    b"NaN", b"1e5", b".5", b"5.", b"<5", b"http://x y", b"^^&urn:uuid:x&URI", b"20260101^20250101", b"\\.br\\", b"\x01\x02",
    "\u2003".encode(), b"1^2^3^4^5^6^20260101^20250101", b"a&b&c&d^e&f", b"^application^PDF^Base64^@", b"9" * 400,
]  # fmt: skip
EDITS = st.lists(
    st.tuples(
        st.integers(1, 40),
        st.integers(1, 50),
        st.sampled_from(VALUES),
        st.sampled_from(["set", "cut", "twice", "move"]),
    ),
    min_size=1,
    max_size=8,
)


def edited(data: bytes, edits: list[tuple[int, int, bytes, str]]) -> bytes:
    lines = data.rstrip().split(b"\n")
    for at, n, value, what in edits:
        place = 1 + at % (len(lines) - 1) if len(lines) > 1 else 0
        if place == 0:
            break
        if what == "cut":
            del lines[place]
        elif what == "twice":
            lines.insert(place, lines[place])
        elif what == "move":
            lines.append(lines.pop(place))
        else:
            fields = lines[place].split(b"|")
            fields += [b""] * (n + 1 - len(fields))
            fields[n] = value
            lines[place] = b"|".join(fields)
    return b"\r".join(lines)


@settings(max_examples=150, derandomize=True)
@given(st.sampled_from(MESSAGES), EDITS)
def test_edited_messages(data: bytes, edits: list[tuple[int, int, bytes, str]]) -> None:
    try:
        message = er7.Message.parse(edited(data, edits))
        outcome = map_message(message, Context("01032"))
    except Fault:
        return
    assert outcome.coverage.total == sum(len(list(segment.populated())) for segment in message.segments)
    assert len({(r["resourceType"], r["id"]) for r in outcome.resources}) == len(outcome.resources)
    for resource in outcome.resources:
        assert problems(resource) == []


def test_two_segments_about_one_person_do_not_fill_both_sides_of_a_choice() -> None:
    dead = line("PID", f3="BN1^^^01032^PI", f30="Y")
    died = line("PID", f3="BN1^^^01032^PI", f29="20261130")
    patient = only(mapped("ORU^R01", dead, "OBR|1||F1|A", died), "Patient")
    assert patient["deceasedBoolean"] is True
    assert "deceasedDateTime" not in patient


@pytest.mark.parametrize("minutes", ["99999999999", "5000000000", "525600000"])
def test_a_duration_beyond_the_calendar(minutes: str) -> None:
    outcome = mapped("ADT^A01", PID, PV1, f"PR1|1||X^Mổ|  |99981231235900||{minutes}")
    assert "PR1-7" in outcome.coverage.unknown
