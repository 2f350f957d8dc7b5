"""Promise P7: mapped + ignored + unknown are all populated fields, none twice, none lost."""

from __future__ import annotations

from mappings.formats import er7
from mappings.hl7v2 import segments
from mappings.hl7v2.reader import Reader
from mappings.outcome import Coverage
from tests.unit.hl7v2.samples import PID, PV1, mapped, raw


def positions(message: er7.Message) -> set[str]:
    return {f"{segment.position()}-{n}" for segment in message.segments for n in segment.populated()}


def told(coverage: Coverage) -> list[str]:
    return [*coverage.mapped, *coverage.ignored, *coverage.unknown]


def test_every_populated_field_has_exactly_one_fate() -> None:
    lines = (PID, PV1, "ZPI|a||b", "OBX|1|ST|A||x", "OBX|2|ST|B||y", 'PD1|||""', "DG1|1")
    message = er7.Message.parse(raw("ADT^A01", *lines))
    found = told(mapped("ADT^A01", *lines).coverage)
    assert sorted(found) == sorted(positions(message))


def test_a_segment_nobody_knows_is_unknown_field_by_field() -> None:
    assert {"ZPI-1", "ZPI-3"} <= set(mapped("ADT^A01", PID, "ZPI|a||b").coverage.unknown)


def test_the_second_segment_is_told_apart() -> None:
    coverage = mapped("ADT^A01", PID, "OBX|1|ST|A||x", "OBX|2|ST|B||y").coverage
    assert {"OBX-5", "OBX[2]-5"} <= set(coverage.mapped)


def test_what_is_left_out_has_a_reason() -> None:
    ignored = mapped("ADT^A01", PID, PV1).coverage.ignored
    assert ignored["MSH-12"]
    assert all(reason for reason in ignored.values())


def test_a_known_segment_in_a_message_that_does_not_use_it_is_unknown() -> None:
    coverage = mapped("ADT^A01", PID, "SCH|1|2|||||||||||||||||||||||Booked").coverage
    assert {"SCH-1", "SCH-2", "SCH-25"} <= set(coverage.unknown)


def test_an_unreadable_date_is_not_claimed_as_mapped() -> None:
    outcome = mapped("ADT^A01", "PID|1||BN1^^^01032^PI||Nguyễn^Hoa||hôm qua")
    assert "PID-7" in outcome.coverage.unknown
    assert [(notice.code, notice.where) for notice in outcome.notices] == [(3120, "PID-7")]


def test_null_of_a_mapped_field_is_mapped_to_absence() -> None:
    outcome = mapped("ADT^A08", 'PID|1||BN1^^^01032^PI||Nguyễn^Hoa||||||""')
    assert "PID-11" in outcome.coverage.mapped
    assert "address" not in outcome.resources[0]


def test_a_field_that_no_one_takes_ends_as_unknown() -> None:
    reader = Reader(er7.Message.parse(raw("ADT^A01", "PID|1||BN1||Tên")))
    pid = reader.first("PID")
    assert pid is not None
    assert pid[3].text == "BN1"
    assert pid.peek(5).text == "Tên"
    coverage = reader.coverage()
    assert "PID-3" in coverage.mapped
    assert "PID-5" in coverage.unknown
    assert coverage.ignored["PID-1"]


def test_given_back_and_ignored_win_over_taken() -> None:
    reader = Reader(er7.Message.parse(raw("ADT^A01", "ZAA|a|b|c")))
    segment = reader.segments[1]
    for n in (1, 2, 3):
        _ = segment[n]
    segment.give_back(1)
    segment.ignore(2, "for a reason")
    coverage = reader.coverage()
    assert "ZAA-1" in coverage.unknown
    assert coverage.ignored["ZAA-2"] == "for a reason"
    assert "ZAA-3" in coverage.mapped


def test_a_segment_without_a_module_ignores_nothing() -> None:
    assert segments.tables("ZZZ") is None
    assert segments.tables("PID")
