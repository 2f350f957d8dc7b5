"""The demo closes when every paper that the day deserves was made, in whatever moment it was made, and not otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from gateway.cli.demo_report import Balance, Figures
from gateway.cli.demo_signing import Incident
from gateway.cli.demo_signing_report import SigningFigures
from gateway.cli.demo_verify import Verified

STATES: Mapping[str, Mapping[str, int]] = {
    "insurance_check_in": {"signed": 3, "unchanged": 7},
    "lab_report": {"signed": 5, "unchanged": 1},
    "record_summary": {"signed": 2, "error": 1},
}
DAY = Figures(
    answers={},
    unexpected=(),
    messages=(),
    papers=STATES,
    expected_subjects={"insurance_check_in": 2, "lab_report": 4, "record_summary": 2},
    expected_papers={"insurance_check_in": 4, "lab_report": 6, "record_summary": 2},
    expected_gaps={"record_summary": 1},
    attempts={},
    latency_ms={},
    coverage=(0, 0, 0),
    troubles=(),
)


def test_a_version_that_waited_until_the_next_made_that_one_needless() -> None:
    assert DAY.papers_match


@pytest.mark.parametrize(
    ("paper", "states"),
    [
        pytest.param("lab_report", {"signed": 5}, id="a version is not there"),
        pytest.param("lab_report", {"signed": 3, "unchanged": 3}, id="a subject has none"),
        pytest.param("lab_report", {"signed": 7}, id="one too many"),
        pytest.param("lab_report", {"signed": 6, "unchanged": 1}, id="one too many that is unchanged"),
        pytest.param("lab_report", {"signed": 5, "due": 1}, id="one is under way"),
        pytest.param("lab_report", {"signed": 5, "superseded": 1}, id="overtaken where nobody signs"),
        pytest.param("lab_report", {"signed": 6, "error": 1}, id="one waits that should not"),
        pytest.param("record_summary", {"signed": 2}, id="none waits that should"),
        pytest.param("record_summary", {"signed": 3}, id="one was made without what it needs"),
        pytest.param("insurance_check_in", {"signed": 5, "unchanged": 7}, id="a check-in too many"),
        pytest.param("insurance_check_in", {"signed": 3}, id="a check-in is not there"),
        pytest.param("insurance_check_in", {"signed": 1, "unchanged": 9}, id="a visit has no check-in"),
        pytest.param("vaccination", {"signed": 1}, id="a paper that nobody deserves"),
    ],
)
def test_what_is_wrong_with_the_papers_is_seen(paper: str, states: Mapping[str, int]) -> None:
    assert not replace(DAY, papers={**STATES, paper: states}).papers_match


def test_a_paper_that_was_never_made_is_seen() -> None:
    assert not replace(DAY, papers={name: n for name, n in STATES.items() if name != "lab_report"}).papers_match


def test_where_people_sign_a_version_may_be_overtaken() -> None:
    incident = Incident("12:00", "1f", signed_before=0, waiting=0, refused={}, signed_after=0, outside="")
    verified = Verified({}, (), None, before=0, after=0, outside="")
    signed = replace(DAY, signing=SigningFigures((), incident, verified))
    overtaken = {**STATES, "lab_report": {"signed": 4, "superseded": 2}}
    assert replace(signed, papers=overtaken).papers_match
    assert not replace(signed, papers={**STATES, "lab_report": {"signed": 4, "superseded": 1}}).papers_match


BALANCE = Balance("insurance_portal", 9, 5, 1, 1, 2, 0, 5, 5, 0)


def test_a_destination_closes() -> None:
    assert BALANCE.closes


@pytest.mark.parametrize(
    "wrong",
    [{"produced": 10}, {"under_way": 1}, {"recorded": 6}, {"verified": 4}, {"not_ours": 1}, {"accepted": 4}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_does_not_balance_is_seen(wrong: dict[str, Any]) -> None:
    assert not replace(BALANCE, **wrong).closes
