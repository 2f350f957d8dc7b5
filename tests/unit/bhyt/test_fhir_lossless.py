"""XML → FHIR → XML: every field of every table comes back equal, whatever stands in it, and every field is accounted for."""

from __future__ import annotations

import random

import pytest

from gateway.records.content import clear, overlay
from mappings.bhyt.fhir import forms, lines, record_to_visit, visit_to_outcome
from mappings.bhyt.fhir.frame import TABLES
from mappings.bhyt.tables import DECISIONS, table
from mappings.bhyt.visits import Visit
from mappings.fhir import problems
from mappings.formats import json
from mappings.outcome import Outcome, Resource
from tests.unit.bhyt import generated

Rows = tuple[dict[str, str], ...]


def populated(tables: dict[str, Rows]) -> dict[str, Rows]:
    """Leave empty fields out: empty and absent are one."""
    return {name: tuple({f: text for f, text in row.items() if text} for row in rows) for name, rows in tables.items()}


def there_and_back(visit: Visit, decision: str) -> tuple[Outcome, dict[str, Rows]]:
    outcome = visit_to_outcome(visit, decision=decision)
    resources = json.loads(json.dumps(list(outcome.resources)))
    back = record_to_visit(
        resources,
        outcome.encounter_id,
        decision=decision,
        facility="01032",
        patient_id=outcome.patient_id,
    )
    return outcome, populated(dict(back.tables))


def check(visit: Visit, decision: str) -> Outcome:
    outcome, back = there_and_back(visit, decision)
    written = back if "XML1" in visit.tables else {name: back.get(name) for name in visit.tables}
    assert written == populated(dict(visit.tables))
    assert [(one["resourceType"], found) for one in outcome.resources if (found := problems(one))] == []
    references = [f"{one['resourceType']}/{one['id']}" for one in outcome.resources]
    assert len(set(references)) == len(references)
    accounted = [*outcome.coverage.mapped, *outcome.coverage.ignored, *outcome.coverage.unknown]
    assert (
        len(accounted)
        == len(set(accounted))
        == sum(bool(text) for rows in visit.tables.values() for row in rows for text in row.values())
    )
    return outcome


def tables_of(decision: str) -> list[str]:
    return [name for name in TABLES if not (decision == "130" and int(name[3:]) > 12)]


@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize("seed", range(8))
def test_any_visit_comes_back_equal(decision: str, seed: int) -> None:
    chance = random.Random(f"{decision}{seed}")
    filled = chance.choice((0.2, 0.7, 1.0))
    tables = {name: tuple(generated.rows(table(name, decision), chance, filled=filled)) for name in tables_of(decision)}
    check(Visit(tables, facility="01032"), decision)


@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize("name", TABLES)
def test_a_table_alone_comes_back_equal(decision: str, name: str) -> None:
    if name in tables_of(decision):
        chance = random.Random(f"{decision}{name}")
        rows = tuple(generated.rows(table(name, decision), chance))
        check(Visit({name: rows}, facility="01032"), decision)


@pytest.mark.parametrize("name", TABLES)
def test_what_is_in_no_form_comes_back_equal(name: str) -> None:
    """Words in every field, and lists, blanks and digits where they do not belong."""
    for text in (
        "không rõ",
        "0",
        "00",
        "1;2;;3",
        "2026",
        "202613450000",
        "1e5",
        "-0.50",
        "abc<def>",
        "a  b",
        "99999999",
    ):
        row = {field.name: text for field in table(name).fields}
        row |= {field: known for field, known in (("MA_LK", "LK-001"), ("STT", "7")) if field in row}
        rows = (row,) * (2 if table(name).has_list else 1)
        check(Visit({name: rows}, facility="01032"), "1931")


SLIPS = (
    *(
        "0",
        "00",
        "1",
        "12",
        "a",
        "Đ",
        " ",
        "\u00a0",
        "\u200b",
        "\u3000",
        ";",
        "; ",
        ";;",
        "+",
        ".",
        "..",
        "-",
        "/",
        "\n",
        "\r",
        "\t",
    ),
    *(
        "<",
        ">",
        "CSST<M1>",
        "CSST<M75_T37_HA120/70>",
        "20260101",
        "202601010830",
        "19800000",
        "198000000000",
        "00000000",
    ),
    *("e", "E5", "|", "^", "1.50", "0.10", "-0", "x  y", "\u0301", "\x85", "\U0001f600"),
)


@pytest.mark.parametrize("seed", range(40))
def test_slips_of_any_kind_come_back_equal(seed: int) -> None:
    """Every third field of a visit is a heap of digits, marks and odd spaces."""
    chance = random.Random(seed)
    decision = chance.choice(DECISIONS)
    tables: dict[str, Rows] = {}
    for name in tables_of(decision):
        rows = generated.rows(table(name, decision), chance, filled=chance.choice((0.1, 0.6, 1.0)))
        for row in rows:
            for field in row:
                if chance.random() < 0.3:
                    row[field] = "".join(chance.choice(SLIPS) for _ in range(chance.randint(0, 4))).strip()
        tables[name] = tuple(rows)
    check(Visit(tables, facility="01032"), decision)


@pytest.mark.parametrize("name", ["XML2", "XML3", "XML4", "XML5"])
@pytest.mark.parametrize("seed", range(5))
def test_a_row_told_again_is_what_it_is_told_to_be(name: str, seed: int) -> None:
    """A full row, then one with little in it, laid over each other as the record does it."""
    chance = random.Random(f"{name}{seed}")
    record: dict[str, Resource] = {}
    for filled in (1.0, 0.3, 0.0):
        rows = (generated.row(table(name), chance, filled=filled),)
        outcome = visit_to_outcome(Visit({name: rows}, facility="01032"))
        for one in outcome.resources:
            reference = f"{one['resourceType']}/{one['id']}"
            record[reference] = overlay(record.get(reference, one), one, overwrite=True)
            for path in outcome.cleared.get(reference, ()):
                clear(record[reference], path)
        back = record_to_visit(list(record.values()), outcome.encounter_id, decision="1931", facility="01032")
        assert back.tables[name] == populated({name: rows})[name]


def test_a_field_of_no_decision_is_kept_and_unknown() -> None:
    visit = Visit({"XML1": ({"MA_LK": "LK-001", "MA_BN": "BN-1", "MA_CSKCB": "01032", "T_NGOAIDS": "5"},)})
    outcome, back = there_and_back(visit, "3176")
    assert outcome.coverage.unknown == {"XML1/T_NGOAIDS": "a field of no decision; kept as written"}
    assert [(one.code, one.where) for one in outcome.notices] == [(3308, "XML1/T_NGOAIDS")]
    assert back == {"XML1": ({"MA_LK": "LK-001", "MA_BN": "BN-1", "MA_CSKCB": "01032"},)}


def test_every_field_of_every_decision_is_mapped_or_ignored() -> None:
    for name, known in TABLES.items():
        for decision in DECISIONS:
            if name in tables_of(decision):
                fields = {field.name for field in table(name, decision).fields} - {"DU_PHONG"}
                assert fields - {*known.mapped, *known.ignored} == set(), (name, decision)


def test_no_long_text_is_remembered() -> None:
    """What is looked up is kept for the next visit, and nobody fills the memory by sending."""
    kept = (forms._time, forms._digits, lines._amount, lines._decimal, lines._coded, lines._group, lines._cost_info)
    row = dict.fromkeys((field.name for field in table("XML3").fields), "") | {"MA_LK": "LK-LONG"}
    check(Visit({"XML3": (row,)}, facility="01032"), "3176")
    after = [one.cache_info().currsize for one in kept]
    long = dict.fromkeys(row, "1" * 5_000) | {"MA_LK": "LK-LONG"}
    check(Visit({"XML3": (long,)}, facility="01032"), "3176")
    assert [one.cache_info().currsize for one in kept] == after
