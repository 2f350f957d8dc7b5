"""What is on the worklist after messages about orders, persons and studies, on both engines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway import imaging_steps
from gateway.faults import QueryTooWide
from gateway.records import identity, worklist
from gateway.store import messages
from gateway.store import worklist as rows
from gateway.store.ids import uuid7
from gateway.store.messages import NewMessage
from mappings.dicom.attributes import items, text
from mappings.dicom.body import join
from mappings.dicom.worklist import Item
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, evn, message, pid, pv1
from tests.unit.dicom.samples import picture

STEP = "00400100/"
ACCESSION, PATIENT, STUDY = "00080050", "00100020", "0020000D"


class Ward(Desk):
    def orders(
        self, number: str, *, control: str = "NW", patient: str = "BN1", at: str = "20261121090000", **more: str
    ) -> str:
        """Order a picture, or say what becomes of an order."""
        self.sent = getattr(self, "sent", 0) + 1
        section, accession = more.get("section", "CT"), more.get("accession", "")
        segments = (
            pid(patient, name=more.get("name", "Nguyễn^Hoa^Thị")),
            f"ORC|{control}|{number}^HIS||||||||||||||||",
            f"OBR|1|{number}^HIS||CTN^CT ngực^99HIS||{more.get('on', '20261122080000')}||||||||||||{accession}||||||{section}",
        )
        made = f"{at[:-2]}{self.sent:02}"
        return self.send(message("OMG^O19", f"o{self.sent}", *segments, at=made))

    def study(self, *, patient: str = "BN1", uid: str = "1.2.3", **said: Any) -> str:
        """Let a study come."""
        given = {
            "PatientID": patient,
            "StudyInstanceUID": uid,
            "SOPInstanceUID": f"{uid}.1",
            "AccessionNumber": None,
            **said,
        }
        body = join([picture(1, 1, **given)])
        id_ = uuid7()
        new = NewMessage(
            id=id_, channel="his", received_at=self.clock.now(), peer="", sender="CT1|", control_id=f"{uid}/1",
            type=imaging_steps.STUDY, version="", size=len(body), sha256=hashlib.sha256(body).hexdigest(),
            body=self.keyring.seal(body, id_), dedupe_key=None, order_key=b"0" * 16, state="received", answer="AA",
        )  # fmt: skip
        self.store.write_now(lambda c: messages.insert_all(c, [new]))
        self.clock.forward(1)
        self.work()
        assert self.state(id_).state == "mapped", self.state(id_)
        return id_

    def listed(self, query: Mapping[str, str] | None = None, since: str = "", calling: str = "CT1") -> list[Item]:
        return self.store.read_now(lambda c: worklist.answer(c, self.keyring, query or {}, calling, {}, since))

    def numbers(self, query: Mapping[str, str] | None = None, **more: str) -> list[str]:
        return sorted(text(one, ACCESSION) for one in self.listed(query, **more))


MakeWard = Callable[..., Ward]


@pytest.fixture
def ward(tmp_path: Path, store_url: str, clock: HandClock) -> Iterator[Ward]:
    made = Ward(tmp_path / "site", store_url, clock, produce=())
    yield made
    made.store.close()


# ---- the life of an order ----


@pytest.mark.parametrize("control", ["CA", "DC", "OC", "HD", "CR"])
def test_an_order_that_is_not_in_force_is_not_listed(ward: Ward, control: str) -> None:
    ward.orders("O1")
    ward.orders("O2")
    assert ward.numbers() == ["O1", "O2"]
    ward.orders("O1", control=control)
    assert ward.numbers() == ["O2"]


def test_a_cancel_that_names_the_number_alone(ward: Ward) -> None:
    ward.orders("O1")
    ward.send(message("ORM^O01", "c1", pid("BN1"), "ORC|CA|O1^HIS", at="20261121100000"))
    assert ward.numbers() == []


def test_an_order_that_is_released_is_listed_again(ward: Ward) -> None:
    for control, found in (("NW", ["O1"]), ("HD", []), ("RL", ["O1"]), ("XO", ["O1"]), ("CA", [])):
        ward.orders("O1", control=control)
        assert ward.numbers() == found, control


def test_a_report_ends_an_order(ward: Ward) -> None:
    ward.orders("O1")
    result = (pid("BN1"), "ORC|RE|O1^HIS|R1|||CM", "OBR|1|O1^HIS|R1|CTN^CT ngực^99HIS|||||||||||||||||||||F")
    ward.send(message("ORU^R01", "r1", *result, at="20261121110000"))
    assert ward.numbers() == []


def test_what_makes_no_pictures_is_not_listed(ward: Ward) -> None:
    ward.orders("O1", section="HM")
    ward.orders("O2", section="")
    assert ward.numbers() == []


def test_an_order_that_moves_to_another_day(ward: Ward) -> None:
    ward.orders("O1", on="20261122080000")
    ward.orders("O1", control="XO", on="20261125140000")
    assert ward.numbers({f"{STEP}00400002": "20261122"}) == []
    assert ward.numbers({f"{STEP}00400002": "20261125"}) == ["O1"]


def test_a_message_mapped_again_changes_nothing(ward: Ward) -> None:
    id_ = ward.orders("O1")
    ward.orders("O1", control="CA")
    ward.store.write_now(lambda c: messages.move(c, id_, "reprocess"))
    ward.work()
    assert ward.state(id_).state == "mapped"
    assert ward.numbers() == []


# ---- the person ----


def test_an_entry_follows_the_person_and_the_visit(ward: Ward) -> None:
    ward.send(message("ADT^A01", "1", evn(), pid("BN1", name="Nguyên^Hoa"), pv1("LK1")))
    ward.orders("O1", name="Nguyên^Hoa")
    ward.send(message("ADT^A08", "2", evn(), pid("BN1", name="Nguyễn^Hoà^Thị"), pv1("LK1"), at="20261121100000"))
    (entry,) = ward.listed()
    assert entry["00100010"]["Value"] == [{"Alphabetic": "Nguyễn^Hoà^Thị"}]


def test_allergies_that_come_later(ward: Ward) -> None:
    ward.orders("O1")
    allergy = "AL1|1|DA|IOD^Thuốc cản quang i-ốt^99HIS|SV"
    ward.send(message("ADT^A08", "1", evn(), pid("BN1"), pv1("LK1"), allergy, at="20261121100000"))
    (entry,) = ward.listed()
    assert text(entry, "00102110") == "Thuốc cản quang i-ốt"


def test_a_merge_and_its_undoing(ward: Ward) -> None:
    ward.send(message("ADT^A04", "1", evn(), pid("BN1", name="Lê^An"), pv1("LK1")))
    ward.orders("O2", patient="BN2")
    id_ = ward.send(message("ADT^A40", "2", evn(), pid("BN1", name="Lê^An"), "MRG|BN2^^^01999^PI", at="20261121120000"))
    (entry,) = ward.listed({PATIENT: "BN1"})
    assert entry["00100010"]["Value"] == [{"Alphabetic": "Lê^An"}]
    assert ward.numbers({PATIENT: "BN2"}) == []

    def undo(connection: Any) -> None:
        undone = identity.undo(connection, ward.keyring, id_, "a", "nhầm", ward.clock.now())
        parted = {one.partition("/")[2] for change in undone for one in (change.kept, change.other)}
        worklist.Keeper.by_hand(connection, ward.plan, ward.clock.now()).refresh(parted)

    ward.store.write_now(undo)
    assert ward.numbers({PATIENT: "BN2"}) == ["O2"]
    assert ward.numbers({PATIENT: "BN1"}) == []


# ---- the study ----


def test_a_study_of_the_uid_that_was_given(ward: Ward) -> None:
    ward.orders("O1", accession="A1")
    ward.orders("O2", accession="A1")  # two procedures of one accession number: only one was carried out
    first, second = ward.listed()
    ward.study(uid=text(first, STUDY), AccessionNumber="A1")
    (left,) = ward.listed()
    assert text(left, STUDY) == text(second, STUDY)


def test_a_study_of_the_accession_number(ward: Ward) -> None:
    ward.orders("O1")
    ward.orders("O2")
    ward.study(AccessionNumber="O1")
    assert ward.numbers() == ["O2"]
    (study,) = ward.of(ward.patient("BN1"), "ImagingStudy")
    assert study["basedOn"] == [{"reference": ward.local("ServiceRequest", "order", "O1")}]
    ward.orders("O1", control="XO")  # told again, it is still done
    assert ward.numbers() == ["O2"]


def test_a_study_of_somebody_else_with_that_accession_number(ward: Ward) -> None:
    ward.orders("O1")
    ward.study(patient="BN2", AccessionNumber="O1")
    assert ward.numbers() == ["O1"]
    (study,) = ward.of(ward.patient("BN2"), "ImagingStudy")
    assert study["basedOn"] != [{"reference": ward.local("ServiceRequest", "order", "O1")}]


def test_a_study_that_names_the_order(ward: Ward) -> None:
    ward.orders("O1")
    ward.study(PlacerOrderNumberImagingServiceRequest="O1")
    assert ward.numbers() == []


@pytest.mark.parametrize(
    "said", [{"AccessionNumber": "O1"}, {"PlacerOrderNumberImagingServiceRequest": "O1", "AccessionNumber": "X9"}]
)
def test_an_order_that_is_told_after_its_study(ward: Ward, said: dict[str, str]) -> None:
    ward.study(**said)
    ward.orders("O1")
    ward.orders("O2")
    assert ward.numbers() == ["O2"]


# ---- questions ----


def test_what_is_long_overdue_is_not_offered(ward: Ward) -> None:
    ward.orders("O1", on="20261001080000")
    ward.orders("O2")
    assert ward.numbers(since="20261101") == ["O2"]
    assert ward.numbers({f"{STEP}00400002": "20260901-"}, since="20261101") == ["O2"]


def test_what_no_station_takes_is_for_whoever_asks(ward: Ward) -> None:
    ward.orders("O1")
    for title in ("CT1", "CT2"):
        (entry,) = ward.listed({f"{STEP}00400001": title}, calling=title)
        assert text(items(entry, "00400100")[0], "00400001") == title
    assert ward.listed({f"{STEP}00400001": "CT3"}, calling="CT1") == []


def test_a_question_that_would_open_too_much_is_refused(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worklist, "CANDIDATES", 1)
    ward.orders("O1")
    assert ward.numbers() == ["O1"]
    ward.orders("O2")
    with pytest.raises(QueryTooWide):
        ward.listed()
    assert ward.numbers({ACCESSION: "O2"}) == ["O2"]


def test_nothing_of_a_patient_lies_open(ward: Ward) -> None:
    ward.orders("O-SECRET", patient="BN-SECRET")
    (row,) = ward.store.read_now(lambda c: rows.waiting(c, limit=10))
    shown = " ".join(repr(bytes(one) if isinstance(one, memoryview) else one) for one in row)
    for secret in ("SECRET", "Nguy", "CTN"):
        assert secret not in shown
