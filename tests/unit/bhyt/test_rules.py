"""Every rule finds its error and nothing else, nothing is found where all is right, and no finding tells a value."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest

from mappings.bhyt.lists import NONE, Lists
from mappings.bhyt.money import line_amounts, visit_sums, written
from mappings.bhyt.rules import DEFAULT, RULES, Checker, Earlier, Finding, Settings, check_visit, key_of, not_run
from mappings.bhyt.rules.block_errors import BLOCK_ERRORS, NOT_FORESEEN, rules_of
from mappings.bhyt.rules.form import formal, wrong
from mappings.bhyt.rules.texts import text, texts, value, values
from mappings.bhyt.tables import DECISIONS, NAMES, table
from mappings.bhyt.visits import Visit, read_visits
from tests.unit.bhyt import generated
from tests.unit.bhyt.clean_visits import BARE, DAYS, KINDS, LISTS, NOW, clean, copied, file_of, resum
from tests.unit.bhyt.planted import PLANTED
from tests.unit.bhyt.planting import Planted


def found(planted: Planted, lists: Lists = LISTS) -> list[Finding]:
    earlier = Earlier()
    findings: list[Finding] = []
    for file in planted.files:
        earlier.another_file()
        for visit in read_visits(file):
            findings += check_visit(
                visit,
                decision=planted.decision,
                lists=lists,
                now=NOW,
                settings=planted.settings,
                earlier=earlier,
            )
    return findings


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.rule)
def test_the_planted_error_is_found_and_nothing_else(planted: Planted) -> None:
    assert {finding.rule for finding in found(planted)} == {planted.rule, *planted.also}


OTHERWISE = {
    "4750": {
        *("BF-023", "B1-080", "B1-082", "B6-009", "B15-002"),  # planted days that are right for a visit of 2025
        *("B1-038", "B1-043", "B1-085", "B1-096"),  # more follows from planted days of another year
        *("B13-008", "B14-003", "B14-005"),  # fields have another name or size
    },
    "1931": {
        *("B1-009", "B1-103"),  # codes that are in the lists by then
        "B1-085",  # more follows from a planted day
        "B2-026",  # in force until the day before
    },
}
"""Errors that are not the same under another decision, and why."""


@pytest.mark.parametrize("decision", OTHERWISE)
def test_the_same_errors_are_found_under_other_decisions(decision: str) -> None:
    chosen = [
        one.under(decision)
        for one in PLANTED
        if one.decision == "3176" and not one.written and decision in RULES[one.rule].decisions
    ]
    same = [one for one in chosen if one.rule not in OTHERWISE[decision]]
    assert len(same) > 300
    for planted in same:
        assert {finding.rule for finding in found(planted)} == {planted.rule, *planted.also}, planted.rule


def test_every_rule_has_a_planted_error() -> None:
    assert {planted.rule for planted in PLANTED} == set(RULES)
    assert len(PLANTED) >= 150
    assert len(RULES) >= 180


def test_every_rule_runs_on_a_clean_visit() -> None:
    """A rule whose tables no clean visit of one of its decisions has would have no good case."""
    visits = [(decision, clean(kind, decision)) for decision in DAYS for kind in KINDS]
    without = [
        rule.id
        for rule in RULES.values()
        if not any(d in rule.decisions and (not rule.tables or set(rule.tables) & set(v.tables)) for d, v in visits)
    ]
    assert without == []


@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_found_in_a_clean_visit(kind: str, decision: str) -> None:
    visit = clean(kind, decision)
    (read,) = read_visits(file_of([visit], decision))
    for lists in (LISTS, NONE):
        assert check_visit(read, decision=decision, lists=lists, now=NOW) == []
    if decision != "130" or kind not in BARE:
        assert check_visit(read, lists=LISTS, now=NOW) == []


def test_a_file_of_many_is_checked_one_by_one() -> None:
    visits = [clean(kind, number=f"LK-{n}") for n, kind in enumerate(KINDS) if kind not in BARE]
    earlier = Earlier()
    read = list(read_visits(file_of(visits, "3176")))
    assert len(read) == len(visits)
    assert [finding for visit in read for finding in check_visit(visit, lists=LISTS, now=NOW, earlier=earlier)] == []


def test_both_languages_have_every_rule_and_say_what_to_do() -> None:
    for language in ("vi", "en"):
        assert list(texts(language)) == list(RULES)
        for rule in RULES:
            what, _, do = text(rule, language).partition(" — ")
            assert what, rule
            assert do, rule
    assert set(values("vi")) == set(values("en"))
    used = {finding.value for planted in PLANTED for finding in found(planted)}
    assert used <= set(values("vi"))
    assert value("empty", "en") == "empty"
    assert all(texts("vi")[rule] != texts("en")[rule] for rule in RULES)


def test_a_missing_text_would_be_seen() -> None:
    """The planted gap: a rule without a text makes the two lists differ."""
    fewer = dict(list(texts("vi").items())[1:])
    assert list(fewer) != list(RULES)


def test_every_block_error_is_foreseen_or_said_to_be_out_of_sight() -> None:
    foreseen = {error for error in BLOCK_ERRORS if rules_of(error)}
    assert foreseen | set(NOT_FORESEEN) == set(BLOCK_ERRORS)
    assert not foreseen & set(NOT_FORESEEN)
    assert all(error in BLOCK_ERRORS for rule in RULES.values() for error in rule.errors)


def test_a_finding_tells_no_value() -> None:
    """Every planted value, put beside everything that is said of it."""
    for planted in PLANTED:
        for finding in found(planted):
            said = " ".join((finding.table, finding.field, finding.value))
            for planted_value in planted.change.values():
                assert len(planted_value) < 4 or planted_value not in said


def test_rules_of_absent_lists_do_not_run_and_are_named() -> None:
    absent = not_run(NONE)
    assert set(absent) == {name for rule in RULES.values() for name in rule.needs}
    only = Lists({"ICD10": LISTS["ICD10"]})
    assert "ICD10" not in not_run(only)
    unknown = next(one for one in PLANTED if one.rule == "B2-060")
    assert found(unknown, NONE) == []
    assert [finding.rule for finding in found(unknown)] == ["B2-060"]


def test_rules_of_a_period_run_in_it_only() -> None:
    tables = copied(clean("outpatient", "1931"))
    tables["XML2"][0]["SO_DANG_KY"] = ""
    rules = {finding.rule: finding.severity for finding in check_visit(as_visit(tables), now=NOW)}
    assert rules == {"B2-027": "warns"}
    tables = copied(clean("outpatient", "4750"))
    tables["XML2"][0]["SO_DANG_KY"] = ""
    assert [finding.severity for finding in check_visit(as_visit(tables), now=NOW)] == ["blocks"]


def as_visit(tables: dict[str, list[dict[str, str]]]) -> Visit:
    return Visit({name: tuple(rows) for name, rows in tables.items()}, (), "01001", NOW.date())


def changed(kind: str, decision: str = "3176", **one: str) -> Visit:
    tables = copied(clean(kind, decision))
    tables["XML1"][0].update(one)
    return as_visit(tables)


def rules(visit: Visit, settings: Settings = DEFAULT, now: datetime = NOW, decision: str = "") -> set[str]:
    return {one.rule for one in check_visit(visit, decision=decision, lists=LISTS, now=now, settings=settings)}


def test_doubtful_readings_are_settings() -> None:
    inpatient = clean("inpatient")
    other = replace(DEFAULT, summary_kinds=frozenset({"02", "03", "09"}))
    assert rules(clean("miscarriage"), other) == set()
    assert rules(inpatient, replace(DEFAULT, summary_kinds=frozenset({"02", "09"}))) == {"BT-007"}
    assert rules(changed("emergency", MA_TAI_NAN="8")) == {"B1-010"}
    assert rules(changed("emergency", MA_TAI_NAN="8"), replace(DEFAULT, accident_0_to_8=True)) == set()
    assert rules(clean("outpatient"), replace(DEFAULT, district_after_2025=True)) == {"BF-010"}
    assert rules(changed("outpatient", MA_NGHE_NGHIEP="22110")) == {"B1-004"}
    assert rules(changed("outpatient", MA_NGHE_NGHIEP="22110"), replace(DEFAULT, occupation_level_2=False)) == set()
    short = changed("outpatient", MA_THE_BHYT="001180001234")
    assert rules(short) == {"B1-027"}
    assert rules(short, replace(DEFAULT, short_cards=False)) == {"B1-031"}
    old = clean("outpatient", "4750")
    assert rules(old, replace(DEFAULT, financial_year_is_now=True)) == {"B1-082"}
    assert rules(clean("outpatient"), replace(DEFAULT, financial_year_is_now=True)) == set()
    assert rules(clean("tb", "4750"), replace(DEFAULT, course_kinds=frozenset())) == set()
    assert rules(inpatient, replace(DEFAULT, summary_required=True)) == set()
    assert rules(inpatient, replace(DEFAULT, discharge_paper_kinds=frozenset({"01"}))) == set()


def test_a_reexam_on_the_day_of_leaving() -> None:
    tables = copied(clean("reexam"))
    today = tables["XML1"][0]["NGAY_RA"][:8]
    tables["XML1"][0]["NGAY_TAI_KHAM"] = tables["XML14"][0]["NGAY_HEN_KL"] = today
    assert rules(as_visit(tables)) == set()
    assert rules(as_visit(tables), replace(DEFAULT, reexam_strictly_after=True)) == {"B14-003"}


def test_tb_dates_of_a_patient_without_hiv() -> None:
    tables = copied(clean("tb"))
    tables["XML15"][0] |= {"PHANLOAI_LAO_HIV": "2", "BDDT_ARV": "", "NGAY_BAT_DAU_DT_CTX": "", "NGAYKD_HIV": ""}
    assert rules(as_visit(tables)) == set()
    assert rules(as_visit(tables), replace(DEFAULT, tb_dates_without_hiv=True)) == {"BF-010"}


def test_fee_for_service_of_the_forces() -> None:
    tables = copied(clean("outpatient"))
    tables["XML1"][0]["MA_THE_BHYT"] = "QN5970123456789"
    settings = replace(DEFAULT, fee_for_service_without_forces=True)
    lists = Lists({})
    assert {one.rule for one in check_visit(as_visit(tables), lists=lists, now=NOW)} == set()
    assert {one.rule for one in check_visit(as_visit(tables), lists=lists, now=NOW, settings=settings)} == {"B1-128"}
    tables["XML1"][0]["T_BHTT_GDV"] = "0"
    assert {one.rule for one in check_visit(as_visit(tables), lists=lists, now=NOW, settings=settings)} == set()


def test_the_three_ways_to_charge_a_shared_bed() -> None:
    """By TYLE_TT_DV, without the difference to the patient, and as QĐ 130 had it."""
    for decision, charged, right in (
        ("3176", "150000.00", True),
        ("3176", "300000.00", False),
        ("130", "300000.00", True),
        ("3176", "200000.00", True),
    ):
        tables = copied(clean("inpatient", decision))
        bed = tables["XML3"][4]
        assert (bed["SO_LUONG"], bed["TYLE_TT_DV"]) == ("1.5", "50")
        bed |= {"DON_GIA_BV": "200000", "DON_GIA_BH": "200000", "THANH_TIEN_BV": charged}
        if charged == "200000.00":
            bed |= {"DON_GIA_BV": "300000", "DON_GIA_BH": "200000", "THANH_TIEN_BV": "300000.00"}
        bed["T_BNTT"] = str(Decimal(bed["THANH_TIEN_BV"]) - Decimal(bed["THANH_TIEN_BH"]))
        resum(tables)
        assert ("B3-001" not in rules(as_visit(tables), decision=decision)) is right


def test_tolerances() -> None:
    for difference, expected in (("0.5", {"B1-134"}), ("1", {"B1-134"}), ("1.01", {"B1-120"})):
        tables = copied(clean("outpatient"))
        one = tables["XML1"][0]
        one["T_THUOC"] = str(Decimal(one["T_THUOC"]) + Decimal(difference))
        assert rules(as_visit(tables)) == expected
        strict = replace(DEFAULT, total_tolerance=Decimal(0))
        assert rules(as_visit(tables), strict) == {"B1-120"}


def test_now_may_have_a_zone() -> None:
    late = changed("outpatient", NGAY_RA="202603091100")
    before = datetime.fromisoformat("2026-03-09T03:59:00+00:00")
    after = datetime.fromisoformat("2026-03-09T04:10:00+00:00")
    assert "B1-075" in rules(late, now=before)
    assert "B1-075" not in rules(late, now=after)


def test_duplicates_across_processes_are_those_of_one() -> None:
    visits = [clean("outpatient", number=number) for number in ("LK-1", "LK-2", "LK-2", "LK-3")]
    visits.append(changed("outpatient", HO_TEN="Nguyễn Thị Khác"))
    here, there = Earlier(), Earlier()
    for n, visit in enumerate(visits):
        key = key_of(visit)
        assert key
        if n % 2:
            here.another_file()
            there.another_file()
        alone = check_visit(visit, lists=LISTS, now=NOW, earlier=here)
        assert alone == there.findings(key)
    assert key_of(clean("check_in")) is None


def test_totals_two_dong_apart_are_a_duplicate() -> None:
    for difference, again in ((2, True), (3, False)):
        earlier = Earlier()
        first, second = clean("outpatient"), copied(clean("outpatient", number="LK-0002"))
        one = second["XML1"][0]
        one["T_BHTT"] = str(Decimal(one["T_BHTT"]) + difference)
        assert check_visit(first, lists=LISTS, now=NOW, earlier=earlier) == []
        found_ = {one.rule for one in check_visit(as_visit(second), lists=LISTS, now=NOW, earlier=earlier)}
        assert ("BR-001" in found_) is again


@pytest.mark.parametrize("decision", DECISIONS)
def test_the_pattern_of_a_row_never_hides_an_error(decision: str) -> None:
    """What the quick pattern lets pass has no error field by field."""
    chance = random.Random(decision)
    passed = Counter[str]()
    for name in NAMES:
        try:
            known = table(name, decision)
        except KeyError:
            continue
        for _ in range(60):
            row = generated.row(known, chance, filled=chance.choice((0.7, 1.0)))
            if chance.random() < 0.5:
                row[chance.choice(known.fields).name] = chance.choice(
                    ["", "x" * 5000, "-1", "1,5", "20260230", "2.001", "\ufffd"]
                )
            quick = {(one.field, one.kind) for one in formal(name, decision, [row], DEFAULT)}
            slow = {(field.name, kind) for field in known.fields if (kind := wrong(name, field, row, DEFAULT))}
            assert quick == slow
            passed["wrong" if slow else "right"] += 1
    assert passed["wrong"] > 100


@pytest.mark.parametrize("seed", range(5))
def test_no_visit_stops_the_rules(seed: int) -> None:
    """Whatever stands in the fields, a check ends with findings, not with an exception."""
    chance = random.Random(seed)
    odd = [
        "",
        "0",
        "-1",
        "²",
        "٣",
        "99999999999999999999",
        "1e9",
        "NaN",
        ";",
        ";;",
        "20260230",
        "000000000000",
        "999999999999",
    ]
    odd += [
        "CSST<",
        "1.2.3",
        "A" * 300,
        "10.5",
        "202613019999",
        "00000000",
        "\ufffd",
        "2026",
        "0.33",
        "100",
        "15",
        "10",
    ]
    checker = Checker(LISTS, DEFAULT)
    for kind in KINDS:
        for decision in DECISIONS:
            tables = copied(clean(kind, decision))
            for rows in tables.values():
                for row in rows:
                    for field in row:
                        if chance.random() < 0.3:
                            row[field] = chance.choice(odd)
                        elif chance.random() < 0.02:
                            row[field] = ""
            if chance.random() < 0.2:
                tables.pop(chance.choice(list(tables)))
            checker.check(as_visit(tables), decision=decision, now=NOW)
    made = {name: tuple(generated.rows(table(name), chance)) for name in NAMES}
    checker.check(Visit(made), now=NOW)
    checker.check(Visit({}), now=NOW)


def test_rules_know_when_and_where_they_came_from() -> None:
    for rule in RULES.values():
        assert rule.source
        assert rule.decisions
        assert rule.covers(None)
        assert set(rule.tables) <= set(NAMES)
    assert RULES["B2-026"].covers(date(2026, 6, 30))
    assert not RULES["B2-026"].covers(date(2026, 7, 1))


def test_amounts_that_are_worked_out_are_right() -> None:
    """What `mappings/bhyt/money.py` computes breaks no rule of money, in any decision."""
    chance = random.Random(3)
    money = {f"B{table_}-{n:03}" for table_ in (2, 3) for n in range(1, 10)} | {f"B1-{n}" for n in range(120, 136)}
    for decision in DECISIONS:
        for _ in range(40):
            tables = copied(clean("surgery", decision))
            for name in ("XML2", "XML3"):
                for row in tables[name]:
                    price = f"{chance.randint(1, 900_000)}.{chance.randint(0, 999):03}"
                    row["SO_LUONG"] = f"{chance.randint(1, 40)}.{chance.randint(0, 999):03}"
                    row |= dict.fromkeys({"DON_GIA", "DON_GIA_BV", "DON_GIA_BH"} & set(row), price)
                    row |= {
                        "TYLE_TT_BH": chance.choice(["100", "50", "80"]),
                        "MUC_HUONG": chance.choice(["80", "95", "100"]),
                    }
                    if "TYLE_TT_DV" in row:
                        row["TYLE_TT_DV"] = chance.choice(["100", "50", "33"])
                    other = chance.choice(["0", "0", "1500.5"])
                    row |= {"T_NGUONKHAC_CL": other, "T_NGUONKHAC": other}
                    amounts = line_amounts(name, row, decision)
                    if amounts["THANH_TIEN_BV"] >= 1501:
                        row |= {field: written(amount) for field, amount in amounts.items()}
                    else:
                        row |= {"T_NGUONKHAC_CL": "0", "T_NGUONKHAC": "0"}
                        row |= {field: written(amount) for field, amount in line_amounts(name, row, decision).items()}
            tables["XML1"][0] |= {k: written(v) for k, v in visit_sums(tables["XML2"], tables["XML3"]).items()}
            assert rules(as_visit(tables), decision=decision) & money == set()
