"""Persons are found by numbers and demographics, as their names are written in Vietnam."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
import sqlalchemy as sa

from gateway.faults import QueryTooWide
from gateway.records import search
from gateway.records.search import Wanted
from gateway.store import schema
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, evn, message, pid, pv1

PEOPLE = {
    "BN1": ("Nguyễn^Hoà^Thị Thuỷ", "19850214", "F", "|||12 Lê Lợi^^Hà Nội||+84912345678"),
    "BN2": ("Nguyễn^Hoa^Thị", "19850214", "F", "|||5 Trần Phú^^Huế||0987654321"),
    "BN3": ("Nguyễn Văn Hùng", "19900101", "M", ""),
    "BN4": ("Nguyễn^Hưng^Văn", "19900101", "M", ""),
    "BN5": ("H'Hen^Niê", "2001", "F", ""),
}


@pytest.fixture
def desk(tmp_path: Path, store_url: str, clock: HandClock) -> Iterator[Desk]:
    made = Desk(tmp_path / "site", store_url, clock, produce=())
    for number, (name, born, sex, more) in PEOPLE.items():
        numbers = f"{number}^^^01999^PI~00118500000{number[-1]}^^^CCCD^NI"
        person = pid(number, name, born, sex, more).replace(f"{number}^^^01999^PI", numbers)
        made.send(message("ADT^A28", f"n{number}", evn(), person))
    yield made
    made.store.close()


def find(desk: Desk, wanted: Wanted) -> list[str]:
    names = {desk.patient(number).partition("/")[2]: number for number in PEOPLE}
    return [names[id_] for id_ in desk.store.read_now(lambda c: search.find(c, desk.keyring, wanted))]


CCCD = "http://fhir.hl7.org.vn/core/sid/cccd"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(numbers=[(CCCD, "001185000001")]), ["BN1"]),
        (Wanted(numbers=[("", "bn2")]), ["BN2"]),
        (Wanted(numbers=[("https://elsewhere", "BN2")]), []),
        (Wanted(numbers=[("", "BN2"), ("", "BN3")], birth_date="1990-01-01"), ["BN3"]),
        (Wanted(family="Nguyễn", middle="Thị Thủy", given="Hòa"), ["BN1"]),
        (Wanted(family="nguyen", middle="thi thuy", given="hoa"), ["BN1"]),
        (Wanted(family="NGUYEN", given="HUNG", birth_date="1990-01-01"), ["BN3", "BN4"]),
        (Wanted(family="Nguyễn", given="Hùng", birth_date="1990-01-01"), ["BN3"]),
        (Wanted(family="Nguyễn", given="Hưng", birth_date="1990-01-01"), ["BN4"]),
        (Wanted(family="Nguyễn Văn Hùng"), ["BN3"]),
        (Wanted(family="Nguyễn", given="Văn Hưng"), ["BN4"]),
        (Wanted(family="H’Hen", given="Niê"), ["BN5"]),
        (Wanted(birth_date="1985-02-14"), ["BN1", "BN2"]),
        (Wanted(birth_date="1985-02-14", sex="male"), []),
        (Wanted(birth_date="1985-02-14", address=("", "Huế")), ["BN2"]),
        (Wanted(birth_date="1985-02-14", given="Hoa"), ["BN1", "BN2"]),
        (Wanted(phone="0912 345 678"), ["BN1"]),
        (Wanted(phone="84987654321"), ["BN2"]),
        (Wanted(phone="0987654321", family="Trần"), []),
    ],
)  # fmt: skip
def test_find(desk: Desk, wanted: Wanted, found: list[str]) -> None:
    assert sorted(find(desk, wanted)) == found


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(sex="female"), Wanted(family="Nguyễn"), Wanted(birth_date="1985")])
def test_what_describes_nearly_everybody_is_refused(desk: Desk, wanted: Wanted) -> None:
    with pytest.raises(QueryTooWide):
        find(desk, wanted)


def test_more_candidates_than_can_be_opened_are_refused(desk: Desk) -> None:
    with mock.patch.object(search, "CANDIDATES", 1), pytest.raises(QueryTooWide):
        find(desk, Wanted(birth_date="1985-02-14"))


def test_keys_follow_the_newest_version(desk: Desk) -> None:
    changed = pid("BN3", "Nguyễn Văn Hải", "19900101", "M")
    desk.send(message("ADT^A08", "u1", evn(), changed, pv1("LK1")))
    assert find(desk, Wanted(family="Nguyễn Văn Hùng")) == []
    assert find(desk, Wanted(family="Nguyễn Văn Hải")) == ["BN3"]
    assert find(desk, Wanted(numbers=[("", "001185000003")])) == ["BN3"], "a number that was not repeated stays"


def test_the_table_of_keys_tells_nothing(desk: Desk) -> None:
    rows = desk.store.read_now(lambda c: c.execute(sa.select(schema.person_key)).all())
    assert {len(row.key) for row in rows} == {16}
    assert all(b"BN" not in row.key for row in rows)
