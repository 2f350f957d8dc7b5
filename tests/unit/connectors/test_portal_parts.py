"""The parts of the portal's client that need no wire."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from connectors.contract import Outbound
from connectors.destinations._portal_calls import CALLS, CATALOGUES, body_of, call_of, version_of
from connectors.destinations._portal_codes import Submission, submission
from connectors.destinations.insurance_portal import Settings
from connectors.faults import AccountRefused, Refused, VersionClosed, VersionMixed
from gateway.delivery.answers import judged, pauses
from mappings.formats.faults import FaultClass
from mappings.formats.values import Secret

SETTINGS = Settings("https://h.example", "01999_BV", Secret("x"), "01999")


def document(body: bytes = b"<GIAMDINHHS/>", media_type: str = "application/xml") -> Outbound:
    at = datetime(2026, 11, 26, tzinfo=UTC)
    return Outbound("k", "visit", body, media_type, "0" * 64, at, "01999")


@pytest.mark.parametrize(
    ("body", "media_type", "name"),
    [
        (b"<GIAMDINHHS>", "application/xml", "record"),
        (b"not XML", "application/xml", "record"),
        (b"", "application/xml", "record"),
        (
            b'\xef\xbb\xbf<?xml version="1.0"?>\r\n<!-- x > -->\n<CHI_TIEU_TRANG_THAI_KCB>',
            "application/xml",
            "check-in",
        ),
        (b"<ns:CHI_TIEU_GIAM_DINH_YKHOA a='1'>", "application/xml", "boards"),
        (b"<HSDANHMUC>", "application/xml; call=medicines", "medicines"),
        (b"<GIAMDINHHS>", "application/xml; call=nonsense", "record"),
    ],
)
def test_a_file_goes_by_its_own_call(body: bytes, media_type: str, name: str) -> None:
    assert call_of(document(body, media_type)).name == name


def test_each_decision_has_its_address() -> None:
    paths = {CALLS[name].of_version(version) for name in ("record", "check-in") for version in ("130", "4750", "3176")}
    assert len(paths) == 6
    assert "/api/qd130/checkInKcbQd4750" in paths
    assert len({CALLS[name].path for name in CATALOGUES}) == 6


def test_the_decision_follows_the_document() -> None:
    for said in ("130", "4750", "3176"):
        assert version_of("x", document(media_type=f"application/xml; decision={said}"), "auto") == said
    assert version_of("x", document(), "auto") == "3176"
    assert version_of("x", document(), "4750") == "4750"
    assert version_of("x", document(media_type='application/xml; decision="4750"'), "4750") == "4750"


def test_decisions_are_never_mixed() -> None:
    for said, wanted in (("4750", "3176"), ("3176", "130"), ("4210", "auto"), ("4210", "3176")):
        with pytest.raises(VersionMixed) as caught:
            version_of("x", document(media_type=f"application/xml; decision={said}"), wanted)
        assert caught.value.fault_class is FaultClass.REFUSED


def test_the_two_forms_of_a_catalogue() -> None:
    as_json, headers = body_of(CALLS["medicines"], SETTINGS, document(b"\xfb\xff"))
    assert headers["Content-Type"] == "application/json"
    assert as_json == (
        b'{"username": "01999_BV", "loaiHs": "10", "maTinh": "01", "maCSKCB": "01999", "fileHsBase64": "+/8="}'
    )
    as_form, headers = body_of(CALLS["medicines"], replace(SETTINGS, catalogue_body="form"), document(b"\xfb\xff"))
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert as_form == b"username=01999_BV&loaiHs=10&maTinh=01&maCSKCB=01999&fileHsBase64=%2B%2F8%3D"


def test_a_monthly_file_names_its_month() -> None:
    body, _ = body_of(CALLS["summary"], SETTINGS, document(media_type="application/xml; call=summary; period=202610"))
    assert b'"kyQT": "202610"' in body
    assert b"kyQT" not in body_of(CALLS["record"], SETTINGS, document())[0]


def test_a_code_that_is_not_in_the_table_has_no_meaning() -> None:
    assert submission("000") is None
    assert submission("003") is None
    assert {one.means for one in Submission} == {"received", "login", "account", "server", "file"}


def test_what_is_about_the_account_or_the_version_stops_the_destination() -> None:
    for fault in (AccountRefused("x", "maKetQua 403"), VersionClosed("x", "HTTP 404, record 130")):
        assert pauses(fault, {})
        assert fault.fault_class is FaultClass.TRANSIENT
        assert not pauses(fault, {fault.detail: "transient"})
    assert not pauses(Refused("x", "maKetQua 124"), {})
    assert pauses(Refused("x", "maKetQua 124"), {"maKetQua 124": "paused"})
    assert judged(AccountRefused("x", "maKetQua 403"), {}).fault_class is FaultClass.TRANSIENT  # type: ignore[union-attr]


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("owner", {"url": "https://egw.baohiemxahoi.gov.vn"}),
    ("officer", {"officer": "Lê Văn Cán"}),
    ("officer", {"officer_id": Secret("001184012345")}),
    ("ask_history", {"ask_history": True}),
    ("lookups_per_minute", {"lookups_per_minute": 0}),
    ("lookup_timeout", {"lookup_timeout": timedelta(0)}),
    ("leave_by", {"leave_by": "eth0"}),
    ("changed_on", {"changed_on": "01/11/2026"}),
    ("changed_on", {"changed_on": "20261101"}),
    ("holidays", {"holidays": ("2027-02-08", "2027-02-30")}),
]


@pytest.mark.parametrize(("field", "values"), WRONG)
def test_a_wrong_setting_says_what_to_write(field: str, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{field}: .* — .*"):
        replace(SETTINGS, **values)


def test_training_and_simulated_portals_need_no_owner() -> None:
    assert not replace(SETTINGS, url="https://daotaoegw.baohiemxahoi.gov.vn").is_production
    assert not SETTINGS.is_production
    real = replace(SETTINGS, url="https://egw.baohiemxahoi.gov.vn", owner="Phạm Thu, phòng CNTT")
    assert real.is_production


def test_the_age_of_a_password() -> None:
    assert SETTINGS.password_age(date(2026, 11, 26)) is None
    assert replace(SETTINGS, changed_on="2026-11-01").password_age(date(2026, 11, 26)) == timedelta(days=25)


def test_an_officer_is_not_shown() -> None:
    settings = replace(SETTINGS, officer="Lê Văn Cán", officer_id=Secret("001184012345"), ask_history=True)
    assert settings.looks_up_cards
    assert "001184012345" not in repr(settings)
