"""Policies: who signs in which case, and what a wrong file is told."""

from __future__ import annotations

from datetime import date

import pytest

from signing.policy import DEFAULT, SEAL, Case, Part, Policies, Policy
from signing.policy_toml import read

HOSPITAL = """
high_legal_value = ["birth_certificate"]

[[policy]]
within = "36h"
within_emergency = "24h"
warn = 0.5

[[policy.step]]
role = "treating_doctor"

[[policy.step]]
name = "ward"
parallel = [{ role = "nurse" }, { role = "technician", optional = true, class = ["IMP"] }]

[[policy.step]]
name = "head"
role = "head_of_department"
within = "4d"
may_be_skipped_by = ["director"]
countersigns = true

[[policy.step]]
name = "director"
role = "director"
when = ["death", "high_legal_value", "patient_request"]
in_person = ["death", "high_legal_value"]

[[policy.step]]
role = "seal"

[[policy]]
papers = ["lab_report"]

[[policy.step]]
role = "technician"

[[policy.step]]
role = "seal"

[[delegation]]
of = "GD1"
to = "PGD1"
role = "director"
since = 2026-11-01
until = 2026-11-30
papers = ["discharge_paper"]
basis = "QĐ 12/QĐ-BV"
"""
HOUR = 3600


def names(policies: Policies, paper: str, *conditions: str, visit_class: str = "") -> list[tuple[int, str, str]]:
    wanted = policies.wanted(paper, Case(frozenset(conditions), visit_class))
    return [(one.number, one.step, one.part.role) for one in wanted]


def test_without_a_word_from_the_hospital_the_seal_is_the_only_signature() -> None:
    assert Policies().of("referral") is DEFAULT
    assert names(Policies(), "referral", "death") == [(1, "seal", SEAL)]
    assert read("") == Policies()


def test_steps_come_in_order_and_parallel_ones_share_a_number() -> None:
    assert names(read(HOSPITAL), "discharge_paper", visit_class="IMP") == [
        (1, "treating-doc", "treating_doctor"),
        (2, "ward", "nurse"),
        (2, "ward", "technician"),
        (3, "head", "head_of_department"),
        (5, "seal", SEAL),
    ]


def test_a_class_leaves_a_signature_out() -> None:
    assert (2, "ward", "technician") not in names(read(HOSPITAL), "discharge_paper", visit_class="AMB")


@pytest.mark.parametrize("condition", ["death", "high_legal_value", "patient_request"])
def test_the_director_signs_on_condition(condition: str) -> None:
    assert (4, "director", "director") in names(read(HOSPITAL), "discharge_paper", condition)


def test_papers_of_high_legal_value_are_named_by_the_hospital() -> None:
    (director,) = [one for one in read(HOSPITAL).wanted("birth_certificate", Case()) if one.step == "director"]
    assert director.in_person
    (asked,) = [
        one
        for one in read(HOSPITAL).wanted("record_summary", Case(frozenset({"patient_request"})))
        if one.step == "director"
    ]
    assert not asked.in_person


def test_a_paper_with_a_policy_of_its_own_follows_that() -> None:
    assert names(read(HOSPITAL), "lab_report", "death") == [(1, "technician", "technician"), (2, "seal", SEAL)]


def test_a_level_is_for_the_papers_of_its_policy() -> None:
    seal = '[[policy.step]]\nrole = "seal"\n'
    found = read(f'[[policy]]\nlevel = "B-LTA"\n{seal}[[policy]]\npapers = ["lab_report"]\n{seal}')
    assert (found.level("discharge_paper"), found.level("lab_report")) == ("B-LTA", "")
    assert Policies().level("lab_report") == ""


def test_times_follow_the_step_then_the_case() -> None:
    policies = read(HOSPITAL)
    usual = {one.step: one.within for one in policies.wanted("referral", Case())}
    assert usual == {"treating-doc": 36 * HOUR, "ward": 36 * HOUR, "head": 96 * HOUR, "seal": 36 * HOUR}
    urgent = {one.step: one.within for one in policies.wanted("referral", Case(frozenset({"emergency"})))}
    assert urgent == {"treating-doc": 24 * HOUR, "ward": 24 * HOUR, "head": 96 * HOUR, "seal": 24 * HOUR}
    assert {one.within for one in policies.wanted("lab_report", Case())} == {0}
    assert {one.warn for one in policies.wanted("referral", Case())} == {0.5}


def test_a_step_says_what_it_may() -> None:
    wanted = {one.step: one for one in read(HOSPITAL).wanted("referral", Case())}
    assert wanted["head"].part.may_be_skipped_by == ("director",)
    assert wanted["head"].countersigns
    assert not wanted["seal"].countersigns


@pytest.mark.parametrize(
    ("code", "role", "paper", "on", "for_whom"),
    [
        ("PGD1", "director", "discharge_paper", date(2026, 11, 1), ("GD1",)),
        ("PGD1", "director", "discharge_paper", date(2026, 11, 30), ("GD1",)),
        ("PGD1", "director", "discharge_paper", date(2026, 12, 1), ()),
        ("PGD1", "director", "discharge_paper", date(2026, 10, 31), ()),
        ("PGD1", "director", "referral", date(2026, 11, 2), ()),
        ("PGD1", "head_of_department", "discharge_paper", date(2026, 11, 2), ()),
        ("GD1", "director", "discharge_paper", date(2026, 11, 2), ()),
    ],
)
def test_a_delegate_signs_in_scope_only(code: str, role: str, paper: str, on: date, for_whom: tuple[str, ...]) -> None:
    assert read(HOSPITAL).delegated_to(code, role, paper, on) == for_whom


def test_what_is_named_can_be_checked_elsewhere() -> None:
    policies = read(HOSPITAL)
    assert policies.papers == ("lab_report", "discharge_paper", "birth_certificate")
    assert policies.roles == ("treating_doctor", "nurse", "technician", "head_of_department", "director")
    assert policies.steps == ("treating-doc", "ward", "head", "director", "seal", "technician")


STEP = '[[policy]]\n[[policy.step]]\nrole = "nurse"\n{}\n[[policy.step]]\nrole = "seal"\n'
DELEGATION = '[[delegation]]\nof = "a"\nto = "b"\nrole = "director"\nsince = 2026-01-01\nuntil = 2026-02-01\n'


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[[policy]\n", 1, "correct the TOML"),
        ("\npolice = 1\n", 2, "police: unknown; known here: delegation, form, high_legal_value, policy"),
        ("policy = 3\n", 1, "write [[policy]]"),
        ("policy = [3]\n", 1, "a table is expected"),
        ("[[policy]]\n", 1, "does not end with the seal"),
        ('[[policy]]\n\n[[policy.step]]\nrole = "nurse"\n', 1, "does not end with the seal"),
        (STEP.format('rolle = "x"'), 4, "rolle: unknown"),
        (STEP.format('parallel = ["a"]'), 2, "one of role and parallel"),
        (STEP.format('name = "Điều dưỡng"'), 4, "small letters"),
        (STEP.format('name = "seal"'), 5, "seal stands twice"),
        (STEP.format('when = ["flood"]'), 4, "flood is no condition; known: death"),
        (STEP.format('within = "soon"'), 4, "not a time"),
        (STEP.format("within = 4"), 4, "not a time"),
        (STEP.format('within = "0s"'), 4, "not a time"),
        (STEP.format("optional = 1"), 4, "write true"),
        (STEP.format('class = "IMP"'), 4, "a list of names"),
        (STEP.format('may_be_skipped_by = ["Giám đốc"]'), 4, "not a role"),
        ('[[policy]]\n[[policy.step]]\nrole = "Bác sĩ"\n', 3, "not a role"),
        ('[[policy]]\n[[policy.step]]\nrole = "seal"\noptional = true\n', 2, "neither left out nor conditional"),
        ('[[policy]]\n[[policy.step]]\nrole = "seal"\nname = "a"\n' + STEP[11:].format(""), 3, "not last"),
        ('[[policy]]\n[[policy.step]]\nparallel = [{ role = "nurse" }]\n', 3, "two roles or more"),
        ('[[policy]]\n[[policy.step]]\nparallel = [{ role = "a" }, { role = "a" }]\n', 3, "two roles or more"),
        ('[[policy]]\n[[policy.step]]\nparallel = ["a", "b"]\n', 3, "a table is expected"),
        ("[[policy]]\n[[policy.step]]\nparallel = []\noptional = true\n", 4, "write it inside"),
        ('[[policy]]\nwarn = 1.5\n[[policy.step]]\nrole = "seal"\n', 2, "not a share"),
        ('[[policy]]\nlevel = "B-C"\n[[policy.step]]\nrole = "seal"\n', 2, "B-B, B-T, B-LT, B-LTA"),
        ('[[policy]]\nlevel = ["B-T"]\n[[policy.step]]\nrole = "seal"\n', 2, "not a level"),
        ('[[policy]]\nwarn = true\n[[policy.step]]\nrole = "seal"\n', 2, "not a share"),
        ('[[policy]]\n[[policy.step]]\nrole = "seal"\n[[policy]]\n[[policy.step]]\nrole = "seal"\n', 4, "all others"),
        (DELEGATION.replace("2026-02-01", "2025-02-01"), 6, "before since"),
        (DELEGATION.replace("2026-02-01", '"2026-02-01"'), 6, "without quotes"),
        (DELEGATION.replace("2026-02-01", "2026-02-01T10:00:00"), 6, "without quotes"),
        (DELEGATION.replace('"b"', '"a"'), 3, "the same person"),
        (DELEGATION.replace('of = "a"', ""), 1, "a code of the staff"),
        (DELEGATION.replace("director", "seal"), 4, "nobody stands in for the seal"),
        (DELEGATION + "basis = 3\n", 7, "text is expected"),
    ],
)
def test_a_wrong_file_is_told_line_and_remedy(text: str, line: int, said: str) -> None:
    with pytest.raises(ValueError, match=r"^\d+: .*; ") as problem:
        read(text)
    assert str(problem.value).startswith(f"{line}: ")
    assert said in str(problem.value)


def test_a_part_without_conditions_is_for_every_case() -> None:
    assert Part("nurse").is_for(Case())
    assert Policy((), ()).warn == 0.75
