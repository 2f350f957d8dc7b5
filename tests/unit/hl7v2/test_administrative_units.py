"""Province and ward codes depend on the day: the reform of 1-7-2025 gave the same digits to other provinces."""

from __future__ import annotations

import pytest

from mappings import codes
from mappings.formats import er7
from mappings.hl7v2 import Context
from mappings.hl7v2.administrative_units import two_levels, units_to_extensions
from mappings.vietnam_units import plain_name


def units(xad: str, on: str) -> dict[str, str]:
    message = er7.Message.parse(f"MSH|^~\\&|A\rPID|{xad}\r".encode())
    found = units_to_extensions(message.segments[1][1].c, Context(facility="01032", on=on))
    return {
        extension["url"].rpartition("-")[2]: f"{extension['valueCoding']['code']} {extension['valueCoding']['display']}"
        for extension in found
    }


BEFORE, AFTER = "2025-06-30", "2025-07-01"


@pytest.mark.parametrize(
    ("xad", "on", "expected"),
    [
        ("^^^15", BEFORE, {"province": "15 Yên Bái"}),
        ("^^^15", AFTER, {"province": "15 Lào Cai"}),
        ("^^^Lào Cai", BEFORE, {"province": "10 Lào Cai"}),
        ("^^^Lào Cai", AFTER, {"province": "15 Lào Cai"}),
        ("^^^Tỉnh Hoà Bình", BEFORE, {"province": "17 Hoà Bình"}),
        ("^^^Hòa Bình", BEFORE, {"province": "17 Hoà Bình"}),
        ("^^^Hòa Bình", AFTER, {}),
        ("^^^Thành phố Hà Nội", AFTER, {"province": "01 Hà Nội"}),
        ("^^Hà Nội", AFTER, {"province": "01 Hà Nội"}),
        ("^^^01^^VN^^^00004", AFTER, {"province": "01 Hà Nội", "ward": "00004 Phường Ba Đình"}),
        ("^^^^^VNM^^00004", AFTER, {"province": "01 Hà Nội", "ward": "00004 Phường Ba Đình"}),
        ("^^^79^^VN^^^00004", AFTER, {"province": "79 Hồ Chí Minh"}),
        ("^^^01^^VN^^^00004", BEFORE, {"province": "01 Hà Nội"}),
        ("^^^01^^VN^^^^^^^20200101^20240101", AFTER, {"province": "01 Hà Nội"}),
        ("^^^15^^VN^^^^^^^20200101^20240101", AFTER, {"province": "15 Yên Bái"}),
        ("^^^15^^VN^^^^^^^20259999", AFTER, {"province": "15 Lào Cai"}),
        ("^^^15^^US", AFTER, {}),
        ("^^^15", "", {}),
        ("^^^99", AFTER, {}),
        ("^^^CA", AFTER, {}),
    ],
)
def test_units_by_day(xad: str, on: str, expected: dict[str, str]) -> None:
    found = units(xad, on)
    assert {kind: text.replace("Thành phố Hồ Chí Minh", "Hồ Chí Minh") for kind, text in found.items()} == expected


def test_the_version_of_the_code_says_which_list() -> None:
    message = er7.Message.parse(b"MSH|^~\\&|A\rPID|^^^15\r")
    for on, version in ((BEFORE, "before-2025-07-01"), (AFTER, "2025-07-01")):
        (extension,) = units_to_extensions(message.segments[1][1].c, Context(facility="01032", on=on))
        assert extension["valueCoding"]["version"] == version


def test_districts_end() -> None:
    field = er7.Message.parse(b"MSH|^~\\&|A\rPID|x\r").segments[1][1].c
    assert two_levels(field, Context(facility="01032", on=AFTER))
    assert not two_levels(field, Context(facility="01032", on=BEFORE))


def test_the_lists_are_whole() -> None:
    provinces = list(codes.table("vn-province"))
    assert [sum(row.valid_to is None for row in provinces), sum(row.valid_to is not None for row in provinces)] == [
        34,
        63,
    ]
    wards = {row.code for row in codes.table("vn-ward")}
    assert len(wards) == 3321
    assert {row.code for row in codes.table("vn-ward-province")} == wards
    now = {row.code for row in provinces if row.valid_to is None}
    assert {row.target for row in codes.table("vn-ward-province")} == now
    assert {row.target for row in codes.table("vn-province-merged")} == now


def test_plain_names() -> None:
    assert plain_name("Thành phố Hồ Chí Minh") == plain_name("TP. Hồ Chí Minh") == plain_name("hồ chí minh")
