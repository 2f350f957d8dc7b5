"""Every reason that a mapping gives can be told in Vietnamese, and every name of a field belongs to one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli import messages
from gateway.text import fields
from gateway.text.reasons import reason, translations
from mappings.hl7v2 import segments
from mappings.hl7v2.segments import pid
from mappings.lab import fields as lab_fields
from tests.unit.gateway.reasons import Unreadable, all_reasons, reasons_of

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


def test_every_reason_has_its_vietnamese() -> None:
    assert sorted(all_reasons() - translations().keys()) == []


def test_no_translation_is_left_over() -> None:
    assert sorted(translations().keys() - all_reasons()) == []


def test_translations_are_phrases() -> None:
    for english, vietnamese in translations().items():
        assert vietnamese, english
        assert not vietnamese.endswith("."), english
        assert len(vietnamese) <= 110, vietnamese


def test_reasons_seen_in_messages_are_collected() -> None:
    """What the golden messages give, however it was made, is among what is read from the source."""
    seen: set[str] = set()
    for expected in GOLDEN.glob("*/*/expected.json"):
        coverage = json.loads(expected.read_text(encoding="utf-8"))["coverage"]
        seen |= {*coverage["ignored"].values(), *coverage["unknown"].values()}
    assert len(seen) > 100
    assert sorted(seen - all_reasons()) == []


def test_a_planted_reason_without_vietnamese_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pid, "IGNORED", {**pid.IGNORED, 90: "planted"})
    assert all_reasons() - translations().keys() == {"planted"}


@pytest.mark.parametrize(
    "call",
    [
        'segment.ignore(3, "planted")',
        'segment.withhold(3, "planted")',
        'segment.give_back(3, reason="planted")',
        'segment.leave("planted")',
        "segment.ignore(3, PLANTED)",
        "segment.ignore(3, TABLE[3])",
        'segment.give_back(3, "planted" if segment else "planted")',
        'for n, why in ((3, "planted"),):\n    segment.ignore(n, why)',
        "for n, why in TABLE.items():\n    segment.ignore(n, why)",
    ],
)
def test_a_planted_call_is_read(call: str) -> None:
    assert reasons_of(call, {"PLANTED": "planted", "TABLE": {3: "planted"}}) == {"planted"}


@pytest.mark.parametrize("made", ['f"left out {n}"', "why", "describe(n)", 'START + "out"'])
def test_a_reason_made_at_run_time_is_refused(made: str) -> None:
    with pytest.raises(Unreadable):
        reasons_of(f"segment.ignore(3, {made})", {"START": "left "})


def test_what_is_said_in_which_language() -> None:
    english = "billing; not part of the clinical record"
    assert reason(english, "en") == english
    assert reason(english, "vi") == "việc thanh toán; không thuộc hồ sơ lâm sàng"
    assert reason("a habit of this hospital", "vi") == "a habit of this hospital"


def test_an_account_is_told_to_people() -> None:
    english = "billing; not part of the clinical record"
    account = {
        "mapped": {"PID-3": "Patient.identifier"},
        "ignored": {"PV1-46": english},
        "unknown": {"ZPI-1": "?"},
        "notices": [],
    }
    told = messages._told(account)
    assert told == {**account, "ignored": {"PV1-46": "việc thanh toán; không thuộc hồ sơ lâm sàng"}}
    assert messages._told(None) is None


def test_names_of_fields() -> None:
    assert fields.field_name("PID-5") == "họ tên người bệnh"
    assert fields.field_name("OBX[2]-5", "en") == "value"
    assert fields.field_name("ZPI-1") == ""
    assert fields.field_name("PID-99") == ""


def unnamed() -> list[str]:
    """List the fields that a mapping knows and that have no name, of every segment that has names."""
    found = []
    for segment, names in fields.known().items():
        if len(segment) == 1:  # a record of an instrument
            found += [f"{segment}-{n}" for n in sorted(lab_fields.IGNORED[segment]) if not names.get(str(n))]
            continue
        tables = segments.tables(segment)
        assert tables is not None, segment
        found += [f"{segment}-{n}" for n in sorted({*tables.mapped, *tables.ignored}) if not names.get(str(n))]
    return found


def test_every_field_of_a_named_segment_has_a_name() -> None:
    assert unnamed() == []


def test_a_planted_field_without_a_name_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pid, "IGNORED", {**pid.IGNORED, 90: "planted"})
    segments._usual.cache_clear()
    assert unnamed() == ["PID-90"]
    monkeypatch.undo()
    segments._usual.cache_clear()


def test_names_are_short_and_in_both_languages() -> None:
    for names in fields.known().values():
        for vietnamese, english in names.values():
            assert vietnamese
            assert english
            assert max(len(vietnamese), len(english)) <= 40
