"""A staff list and the register: new people, changes, those who left, and what is sealed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.certificates import register
from gateway.certificates.enrolment import Changes, compare, enrol, private
from gateway.certificates.staff_list import Staff
from gateway.store import certificates as rows
from gateway.store.sealed import Keyring, new_key_line
from tests.conftest import HandClock
from tests.integration.gateway.certificates import Register, a_register

KEYRING = Keyring.parse(new_key_line("k1"))
AN = Staff(
    2, "NV001", "Nguyễn Văn An", "001085000001", "Khoa Nội", "", "Bác sĩ", "1/GPHN", "doctor", "an@bv.vn", "0912345678"
)
BINH = replace(
    AN, line=3, code="NV002", name="Lê Thị Bình", citizen_id="001185000002", licence="2/GPHN", roles="nurse", email=""
)


@pytest.fixture
def desk(store_url: str, clock: HandClock) -> Iterator[Register]:
    with a_register(store_url, clock) as made:
        yield made


def bring(desk: Register, *staff: Staff, whole: bool = True, **options: Any) -> tuple[Changes, list[str]]:
    desk.clock.forward(60)
    changes = desk.store.read_now(lambda c: compare(c, KEYRING, staff, whole=whole))
    return changes, desk.do(enrol, KEYRING, changes, desk.act("danh sách tháng 11"), **options)


def holder(desk: Register, code: str) -> Any:
    return desk.store.read_now(lambda c: register.holder(c, code))


def certificates(desk: Register, code: str) -> list[Any]:
    return desk.store.read_now(lambda c: rows.of_holder(c, holder(desk, code).id))


def test_people_are_enrolled_once(desk: Register) -> None:
    changes, requested = bring(desk, AN, BINH, provider="CA Thử")
    assert (len(changes.new), len(changes.without), len(requested)) == (2, 2, 2)
    (row,) = certificates(desk, "NV001")
    assert (row.state, row.provider, row.holder_name) == ("requested", "CA Thử", "Nguyễn Văn An")
    changes, requested = bring(desk, AN, BINH)
    assert (changes.new, changes.changed, changes.same, requested) == ((), (), 2, [])
    events = desk.store.read_now(lambda c: rows.events(c, holder_id=holder(desk, "NV001").id))
    assert [one.event for one in events] == ["request", "enrol"]


def test_personal_numbers_are_sealed(desk: Register) -> None:
    bring(desk, AN)
    row = holder(desk, "NV001")
    assert private(KEYRING, row) == {"citizen_id": "001085000001", "email": "an@bv.vn", "phone": "0912345678"}
    stored = "".join(str(value) for value in row) + row.private.decode("latin-1")
    events = desk.store.read_now(lambda c: rows.events(c))
    stored += "".join(str(value) for event in events for value in event)
    for secret in ("001085000001", "an@bv.vn", "0912345678"):
        assert secret not in stored


def test_changes_are_told_by_field(desk: Register) -> None:
    bring(desk, AN)
    moved = replace(AN, department="Khoa Ngoại", phone="0999999999")
    changes, _ = bring(desk, moved)
    assert [fields for _, _, fields in changes.changed] == [("department", "phone")]
    assert holder(desk, "NV001").department == "Khoa Ngoại"
    assert private(KEYRING, holder(desk, "NV001"))["phone"] == "0999999999"
    (event, *_) = desk.store.read_now(lambda c: rows.events(c))
    assert (event.event, "Khoa Nội" in event.facts, "0912345678" in event.facts) == ("change", True, False)


def test_who_left_is_proposed_and_nothing_more(desk: Register) -> None:
    bring(desk, AN, BINH)
    active = desk.active("NV002")
    changes, _ = bring(desk, AN, whole=False)
    assert (changes.left, changes.proposed) == ((), ())
    changes, _ = bring(desk, AN)
    assert [row.code for row in changes.left] == ["NV002"]
    assert {row.state for row in changes.proposed} == {"requested", "active"}
    assert desk.get(active).state == "active"
    assert "danh sách nhân sự" in desk.get(active).proposal
    proposed = desk.store.read_now(lambda c: rows.listing(c, proposed=True))
    assert {row.holder_code for row in proposed} == {"NV002"}
    assert bring(desk, AN)[0].left == ()
    desk.step("revoke", active)
    assert desk.get(active).proposal == ""


def test_who_comes_back_is_not_proposed_any_more(desk: Register) -> None:
    bring(desk, AN, BINH)
    bring(desk, AN)
    changes, requested = bring(desk, AN, BINH)
    assert [row.code for row in changes.back] == ["NV002"]
    assert requested == []
    assert desk.store.read_now(lambda c: rows.listing(c, proposed=True)) == []


def test_the_seal_is_not_on_the_list_and_has_not_left(desk: Register) -> None:
    desk.holder("01999", "Bệnh viện", "organisation", "seal")
    changes, _ = bring(desk, AN)
    assert changes.left == ()


def test_one_person_has_no_two_codes(desk: Register) -> None:
    bring(desk, AN)
    twin = replace(BINH, citizen_id=AN.citizen_id, licence=AN.licence.lower())
    changes = desk.store.read_now(lambda c: compare(c, KEYRING, [twin], whole=False))
    assert [(one.field, one.code) for one in changes.problems] == [
        ("CCCD", "taken"),
        ("Số giấy phép hành nghề", "taken"),
    ]
    assert desk.store.read_now(lambda c: compare(c, KEYRING, [AN], whole=False)).problems == ()


def test_a_certificate_that_ended_is_asked_for_again(desk: Register) -> None:
    bring(desk, AN)
    (row,) = certificates(desk, "NV001")
    desk.step("reject", row.id)
    changes, _ = bring(desk, AN, request=False)
    assert len(changes.without) == 1
    assert len(certificates(desk, "NV001")) == 1
    assert len(bring(desk, AN)[1]) == 1
