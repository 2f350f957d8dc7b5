"""Dates keep their precision and never shift."""

from __future__ import annotations

import zoneinfo
from datetime import timedelta

import pytest

from mappings.formats import dates
from mappings.formats.faults import DateInvalid


@pytest.mark.parametrize(
    ("dtm", "datetime", "date"),
    [
        ("", "", ""),
        ("2026", "2026", "2026"),
        ("202603", "2026-03", "2026-03"),
        ("20260305", "2026-03-05", "2026-03-05"),
        (" 20240229 ", "2024-02-29", "2024-02-29"),
        ("2026030508", "2026-03-05T08:00:00+07:00", "2026-03-05"),
        ("202603050830", "2026-03-05T08:30:00+07:00", "2026-03-05"),
        ("20260305083015", "2026-03-05T08:30:15+07:00", "2026-03-05"),
        ("20260305003015.1200-0330", "2026-03-05T00:30:15.1200-03:30", "2026-03-05"),
        ("20260305235959.5+1400", "2026-03-05T23:59:59.5+14:00", "2026-03-05"),
        ("20260305+0700", "2026-03-05", "2026-03-05"),
        ("19800000", "1980", "1980"),
        ("19800300", "1980-03", "1980-03"),
        ("198000000000", "1980", "1980"),
        ("10000101000000+0700", "1000-01-01T00:00:00+07:00", "1000-01-01"),
    ],
)
def test_dtm(dtm: str, datetime: str, date: str) -> None:
    assert dates.dtm_to_fhir_datetime(dtm) == datetime
    assert dates.dtm_to_fhir_date(dtm) == date


def test_the_zone_fills_the_absent_offset_only() -> None:
    assert dates.dtm_to_fhir_datetime("202607010000", "Europe/Berlin") == "2026-07-01T00:00:00+02:00"
    assert dates.dtm_to_fhir_datetime("202601010000", "Europe/Berlin") == "2026-01-01T00:00:00+01:00"
    assert dates.dtm_to_fhir_datetime("202601010000+0700", "Europe/Berlin") == "2026-01-01T00:00:00+07:00"
    assert dates.dtm_to_fhir_date("202601010000+0700") == "2026-01-01"


@pytest.mark.parametrize(
    "dtm",
    [
        "20261301",
        "20260431",
        "20250229",
        "2026030524",
        "202603050860",
        "20260305083060",
        "0000",
        "00000000",
        "19800005",
        "19800000083000",
        "2026030",
        "2026-03-05",
        "05/03/2026",
        "unknown",
        "20260305083015.",
        "20260305083015+1401",
        "20260305083015+0760",
        "20260305083015+07",
        "٢٠٢٦",
    ],
)
def test_no_date(dtm: str) -> None:
    for function in (dates.dtm_to_fhir_datetime, dates.dtm_to_fhir_date):
        with pytest.raises(DateInvalid) as caught:
            function(dtm)
        assert dtm not in str(caught.value)


@pytest.mark.parametrize(
    ("fhir", "digits", "numbers", "words"),
    [
        ("", "", "", ""),
        ("1980", "198000000000", "1980", "năm 1980"),
        ("1980-03", "198003000000", "03/1980", "tháng 03 năm 1980"),
        ("2026-03-05", "202603050000", "05/03/2026", "ngày 05 tháng 03 năm 2026"),
        ("2026-03-05T08:30:59+07:00", "202603050830", "05/03/2026", "08 giờ 30 phút, ngày 05 tháng 03 năm 2026"),
        ("2026-03-05T23:30:00.25Z", "202603060630", "06/03/2026", "06 giờ 30 phút, ngày 06 tháng 03 năm 2026"),
        ("1970-01-01T00:30:00+08:00", "197001010030", "01/01/1970", "00 giờ 30 phút, ngày 01 tháng 01 năm 1970"),
    ],
)
def test_vietnamese(fhir: str, digits: str, numbers: str, words: str) -> None:
    assert dates.fhir_to_yyyymmddhhmm(fhir) == digits
    assert dates.fhir_to_yyyymmdd(fhir) == digits[:8]
    assert dates.fhir_to_ddmmyyyy(fhir) == numbers
    assert dates.fhir_to_vietnamese(fhir) == words


@pytest.mark.parametrize(
    "fhir", ["26", "2026-13", "2026-02-30", "2026-03-05T08", "0001-01-01T00:00:00+14:00", "20260305", "x"]
)
def test_no_fhir_date(fhir: str) -> None:
    for function in (
        dates.fhir_to_yyyymmdd,
        dates.fhir_to_yyyymmddhhmm,
        dates.fhir_to_ddmmyyyy,
        dates.fhir_to_vietnamese,
    ):
        with pytest.raises(DateInvalid):
            function(fhir)


def test_a_machine_without_zone_data_still_knows_vietnam(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> zoneinfo.ZoneInfo:
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(dates, "ZoneInfo", absent)
    dates.zone_of.cache_clear()
    try:
        assert dates.zone_of("Asia/Ho_Chi_Minh").utcoffset(None) == timedelta(hours=7)
        assert dates.dtm_to_fhir_datetime("202603050830") == "2026-03-05T08:30:00+07:00"
        with pytest.raises(ValueError, match="time zone"):
            dates.zone_of("Europe/Berlin")
    finally:
        dates.zone_of.cache_clear()


@pytest.mark.parametrize("name", ["", "Nowhere/City", "../etc/passwd", "a\0b"])
def test_no_zone(name: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        dates.zone_of(name)
