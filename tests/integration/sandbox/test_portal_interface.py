"""Every published path of the insurance portal answers in its published shape."""

from __future__ import annotations

import base64

import pytest

from conformance.sandbox.portal.forms import FORMS, WITHDRAWN, Form
from conformance.sandbox.portal.shapes import shape
from conformance.sandbox.server import FACILITY, USER
from tests.integration.sandbox.peer import PASSWORD_MD5
from tests.integration.sandbox.portal_peer import Bench, check_in, play, signed_for

RECORDS = [form for form in FORMS if form.name == "record"]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.path.rpartition("/")[2])
def test_every_kind_of_submission_is_received(form: Form) -> None:
    async def scene(bench: Bench) -> None:
        for kind in form.types:
            answer = await bench.submit(form, signed_for(form, bench), kind=kind)
            assert (answer["maKetQua"], answer["thongDiep"]) == ("200", "Thành công")
            assert answer["maGiaoDich"].startswith(FACILITY)
            assert len(answer["thoiGianTiepNhan"]) == 14
        wrong = await bench.submit(form, signed_for(form, bench), kind="99")
        assert wrong["maKetQua"] == "205"
        unsigned = signed_for(form, bench).partition(b"<ds:Signature")[0] + b"</CHUKYDONVI></X>"
        assert (await bench.submit(form, unsigned))["maKetQua"] == "124"
        assert {record.form for record in bench.sandbox.records.all()} == {form.path}

    play(scene)


def test_a_kind_that_wants_a_period_is_refused_without_one() -> None:
    async def scene(bench: Bench) -> None:
        form = next(form for form in FORMS if form.needs_period)
        assert (await bench.submit(form, signed_for(form, bench), kyQT="202613"))["maKetQua"] == "205"

    play(scene)


def test_the_three_versions_know_their_own_tables() -> None:
    async def scene(bench: Bench) -> None:
        appointment, paper = shape("XML14", "4750"), shape("XML7", "4750")
        assert appointment is not None
        assert paper is not None
        cases = (
            ("XML14", f"<{appointment.root}><MA_LK>LK1</MA_LK></{appointment.root}>", ["124", "200", "200"]),
            (
                "XML7",
                f"<{paper.root}><MA_LK>LK1</MA_LK><MA_TTDV>{'1' * 11}</MA_TTDV></{paper.root}>",
                ["124", "124", "200"],
            ),
        )
        for name, content, codes in cases:
            file = signed_for(RECORDS[0], bench, more=(name, content))
            assert [(await bench.submit(form, file))["maKetQua"] for form in RECORDS] == codes

    play(scene)


@pytest.mark.parametrize("path", sorted(WITHDRAWN))
def test_withdrawn_calls_are_gone(path: str) -> None:
    async def scene(bench: Bench) -> None:
        assert (await bench.http.post(bench.sandbox.portal_url + path)).status_code == 410

    play(scene)


def test_a_check_in_of_another_facility_or_without_a_visit_is_refused() -> None:
    async def scene(bench: Bench) -> None:
        form = next(form for form in FORMS if form.name == "check-in")
        for changed, code in (
            (check_in(facility="01001"), "402"),
            (check_in(link=""), "124"),
            (check_in(rows=""), "124"),
        ):
            assert (await bench.submit(form, bench.sign(changed)))["maKetQua"] == code

    play(scene)


@pytest.mark.parametrize(
    ("password", "code"),
    [
        (PASSWORD_MD5, "200"),
        (PASSWORD_MD5.lower(), "401"),
        ("mật-khẩu thử", "401"),
        (base64.b64encode(PASSWORD_MD5.encode()).decode(), "401"),
        ("A" * 64, "401"),
    ],
)
def test_the_password_is_md5_in_upper_case_and_nothing_else(password: str, code: str) -> None:
    async def scene(bench: Bench) -> None:
        url, given = bench.sandbox.portal_url + "/api/token/take", {"username": USER, "password": password}
        for response in (await bench.http.post(url, data=given), await bench.http.post(url, json=given)):
            answer = response.json()
            assert answer["maKetQua"] == code
            assert (answer["APIKey"] is None) == (code == "401")

    play(scene)
