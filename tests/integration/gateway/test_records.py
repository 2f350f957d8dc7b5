"""What the record says after several messages about the same thing, on both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway import repair
from gateway.records import resources
from gateway.records.resources import Said
from gateway.store import documents, schema
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, evn, message, pid, pv1

MakeDesk = Callable[..., Desk]


@pytest.fixture
def make_desk(tmp_path: Path, store_url: str, clock: HandClock) -> Iterator[MakeDesk]:
    made: list[Desk] = []

    def make(**site: object) -> Desk:
        made.append(Desk(tmp_path / "site", store_url, clock, **site))
        return made[-1]

    yield make
    for desk in made:
        desk.store.close()


@pytest.fixture
def desk(make_desk: MakeDesk) -> Desk:
    return make_desk(produce=())


def extension(desk: Desk, patient: str, name: str) -> object:
    return next((e for e in desk.get(patient).get("extension", ()) if e["url"].endswith(name)), None)


def test_an_update_that_names_one_extension_leaves_the_others(desk: Desk) -> None:
    more = "|||||||||1^Phật giáo||||||Hà Nội"
    desk.send(message("ADT^A01", "1", evn(), pid("BN1", more=more), pv1("LK1")))
    desk.send(message("ADT^A08", "2", evn(), pid("BN1", more="|||||||||2^Công giáo"), pv1("LK1")))
    patient = desk.patient("BN1")
    assert "Công giáo" in str(extension(desk, patient, "patient-religion"))
    assert "Hà Nội" in str(extension(desk, patient, "patient-birthPlace"))


def test_what_did_not_change_gets_no_version(desk: Desk) -> None:
    for number in "12":
        desk.send(message("ADT^A08", number, evn(), pid("BN1"), pv1("LK1")))
    assert desk.version(desk.patient("BN1")) == 1
    assert desk.version(desk.visit("LK1")) == 1


def test_null_takes_out_and_empty_leaves(desk: Desk) -> None:
    patient = desk.patient("BN1")
    desk.send(message("ADT^A01", "1", evn(), pid("BN1", more="|||12 Lê Lợi^^Hà Nội||0912345678"), pv1("LK1")))
    desk.send(message("ADT^A08", "2", evn(), pid("BN1"), pv1("LK1")))
    assert desk.get(patient)["telecom"]
    desk.send(message("ADT^A08", "3", evn(), pid("BN1", more='|||||""'), pv1("LK1")))
    assert "telecom" not in desk.get(patient)
    assert desk.get(patient)["address"]
    assert desk.version(patient) == 2


def test_null_of_one_extension_leaves_the_others(desk: Desk) -> None:
    patient = desk.patient("BN1")
    desk.send(message("ADT^A01", "1", evn(), pid("BN1", more="|||||||||1^Phật giáo||||||Hà Nội"), pv1("LK1")))
    desk.send(message("ADT^A08", "2", evn(), pid("BN1", more='|||||||||""'), pv1("LK1")))
    assert extension(desk, patient, "patient-religion") is None
    assert extension(desk, patient, "patient-birthPlace")


def test_what_is_only_assumed_fills_a_gap_and_no_more(desk: Desk) -> None:
    id_ = desk.send(message("ADT^A01", "1", evn(), pid("BN1"), pv1("LK1")))
    visit = desk.visit("LK1")
    known = desk.get(visit)
    told = {"resourceType": "Encounter", "class": known["class"], "subject": known["subject"], "status": "unknown"}
    said = Said(id_, "ADT", "HIS|01999", assumed={visit: ("status",), "Encounter/new": ("status",)})
    desk.write(resources.save, [told | {"id": known["id"]}, told | {"id": "new"}], said, desk.clock.now())
    assert desk.get(visit)["status"] == known["status"]
    assert desk.get("Encounter/new")["status"] == "unknown"


@pytest.mark.parametrize(("copier", "type_"), [("DICOM", "ServiceRequest"), ("ASTM", "Specimen")])
def test_who_has_an_order_at_second_hand_fills_gaps_of_it_and_corrects_only_itself(
    desk: Desk, copier: str, type_: str
) -> None:
    ordered = desk.send(message("ADT^A04", "1", evn(), pid("BN1"), pv1("LK1")))
    copied = desk.send(message(f"{copier}^X", "2", evn(), pid("BN1")))
    subject = {"reference": desk.patient("BN1")}
    name = "type" if type_ == "Specimen" else "code"

    def told(id_: str, text: str, **more: Any) -> dict[str, Any]:
        needed = {} if type_ == "Specimen" else {"status": "active", "intent": "order"}
        return {"resourceType": type_, "id": id_, "subject": subject, name: {"text": text}, **needed, **more}

    def save(message_id: str, family: str, *said: dict[str, Any]) -> None:
        desk.write(resources.save, said, Said(message_id, family, family), desk.clock.now())

    save(ordered, "OMG", told("a", "chụp sọ não không tiêm thuốc"))
    save(copied, copier, told("a", "chụp sọ não", note=[{"text": "n"}]), told("b", "cũ"))
    found = desk.get(f"{type_}/a")
    assert (found[name]["text"], found["note"]) == ("chụp sọ não không tiêm thuốc", [{"text": "n"}])
    save(copied, copier, told("b", "mới"))
    assert desk.get(f"{type_}/b")[name]["text"] == "mới", "of what only it told"
    save(copied, "OMG", told("b", "đủ chữ"))
    assert desk.get(f"{type_}/b")[name]["text"] == "đủ chữ"


def test_only_who_may_overwrite_may_take_out(desk: Desk) -> None:
    desk.send(message("ADT^A01", "1", evn(), pid("BN1", more="|||||0912345678"), pv1("LK1")))
    desk.send(message("ORU^R01", "2", pid("BN1", more='|||||""'), pv1("LK1"), *result("F", "1"), sender="LIS"))
    assert desk.get(desk.patient("BN1"))["telecom"]


def test_an_old_message_mapped_again_takes_out_nothing_newer_and_brings_nothing_back(desk: Desk) -> None:
    patient = desk.patient("BN1")
    first = desk.send(message("ADT^A01", "1", evn(), pid("BN1", more="|||||0912345678"), pv1("LK1")))
    second = desk.send(message("ADT^A08", "2", evn(), pid("BN1", more='|||||""'), pv1("LK1")))
    again(desk, first)
    assert "telecom" not in desk.get(patient), "what a newer message took out came back"
    desk.send(message("ADT^A08", "3", evn(), pid("BN1", more="|||||0987654321"), pv1("LK1")))
    again(desk, second)
    assert desk.get(patient)["telecom"][0]["value"] == "0987654321"


def test_a_gap_filled_by_an_old_message_does_not_make_the_next_old_one_newest(desk: Desk) -> None:
    patient = desk.patient("BN1")
    first = desk.send(message("ADT^A01", "1", evn(), pid("BN1", more="|||12 Lê Lợi^^Hà Nội"), pv1("LK1")))
    second = desk.send(message("ADT^A08", "2", evn(), pid("BN1", sex="M"), pv1("LK1")))
    desk.send(message("ADT^A08", "3", evn(), pid("BN1", sex="F"), pv1("LK1")))
    again(desk, first)
    again(desk, second)
    assert desk.get(patient)["gender"] == "female"


def again(desk: Desk, message_id: str) -> None:
    desk.store.write_now(lambda c: repair.reprocess(c, message_id, "lan", "lại", desk.clock))
    desk.work()


# ---- results ----


def result(status: str, value: str, flag: str = "", order: str = "XN1") -> tuple[str, ...]:
    code, at = "14749-6^Glucose^LN", "20261121080000"
    return (
        f"OBR|1|CD{order}^HIS|{order}^LIS|SH^Sinh hóa^99LIS|||{at}|||||||{at}||||||||20261121090000||CH|{status}",
        f"OBX|1|NM|{code}||{value}|mmol/L|3.9-6.4|{flag}|||{status}|||20261121080000",
    )


def lab(control_id: str, at: str, *segments: str) -> bytes:
    return message("ORU^R01", control_id, pid("BN1"), pv1("LK1"), *segments, at=at, sender="LIS")


def glucose(desk: Desk) -> dict[str, object]:
    (found,) = desk.of(desk.patient("BN1"), "Observation")
    return found


def test_preliminary_final_and_corrected_are_versions_of_one(desk: Desk) -> None:
    desk.send(lab("1", "20261121090000", *result("P", "4.50")))
    desk.send(lab("2", "20261121100000", *result("F", "4.60")))
    desk.send(lab("3", "20261121110000", *result("C", "9.60", "H")))
    observation = glucose(desk)
    assert (observation["status"], str(observation["valueQuantity"]["value"])) == ("corrected", "9.60")  # type: ignore[index]
    assert desk.version(f"Observation/{observation['id']}") == 3
    (report,) = desk.of(desk.patient("BN1"), "DiagnosticReport")
    assert (report["status"], desk.version(f"DiagnosticReport/{report['id']}")) == ("corrected", 3)


def test_a_late_older_result_does_not_overwrite_its_correction(desk: Desk) -> None:
    desk.send(lab("1", "20261121090000", *result("P", "4.50")))
    desk.send(lab("3", "20261121110000", *result("C", "9.60", "H")))
    desk.send(lab("2", "20261121100000", *result("F", "4.60")))
    observation = glucose(desk)
    assert (observation["status"], str(observation["valueQuantity"]["value"])) == ("corrected", "9.60")  # type: ignore[index]
    desk.send(lab("4", "20261121120000", *result("C", "9.70", "H")))
    assert str(glucose(desk)["valueQuantity"]["value"]) == "9.70"  # type: ignore[index]


def test_clocks_of_two_senders_are_not_compared(desk: Desk) -> None:
    desk.send(message("ADT^A01", "1", evn(), pid("BN1", sex="M"), pv1("LK1"), at="20261121100000"))
    desk.send(message("ADT^A08", "2", evn(), pid("BN1", sex="F"), pv1("LK1"), at="20261121090000", sender="HIS2"))
    assert desk.get(desk.patient("BN1"))["gender"] == "female"
    desk.send(message("ADT^A08", "3", evn(), pid("BN1", sex="M"), pv1("LK1"), at="20261121080000", sender="HIS2"))
    assert desk.get(desk.patient("BN1"))["gender"] == "female"


def test_a_corrected_value_keeps_no_old_flag_and_no_old_type(desk: Desk) -> None:
    desk.send(lab("1", "20261121090000", *result("F", "9.60", "H")))
    desk.send(lab("2", "20261121100000", *result("C", "4.60")))
    assert "interpretation" not in glucose(desk)
    wrong = result("C", "không đọc được")[1].replace("|NM|", "|ST|")
    desk.send(lab("3", "20261121110000", result("C", "")[0], wrong))
    assert [name for name in glucose(desk) if name.startswith("value")] == ["valueString"]


def test_a_report_keeps_the_results_that_its_correction_does_not_repeat(desk: Desk) -> None:
    obr, obx = result("F", "4.50")
    other = obx.replace("14749-6^Glucose", "2951-2^Natri").replace("OBX|1", "OBX|2")
    desk.send(lab("1", "20261121090000", obr, obx, other))
    desk.send(lab("2", "20261121100000", *result("C", "4.60")))
    (report,) = desk.of(desk.patient("BN1"), "DiagnosticReport")
    assert len(report["result"]) == 2


# ---- whose ----


def test_a_version_says_which_message_made_it(desk: Desk) -> None:
    id_ = desk.send(message("ADT^A01", "1", evn(), pid("BN1"), pv1("LK1")))
    assert desk.get(desk.patient("BN1"))["meta"]["source"] == f"urn:uuid:{id_}"


def test_a_paper_belongs_to_whom_its_subject_belongs_to(make_desk: MakeDesk) -> None:
    desk = make_desk(produce=("lab_report",))
    desk.send(message("ADT^A01", "1", evn(), pid("BN1"), pv1("LK1")))
    id_ = desk.send(lab("2", "20261121090000", *result("F", "4.50")))
    (paper,) = desk.store.read_now(lambda c: documents.of_message(c, id_))
    assert f"Patient/{paper.patient_id}" == desk.patient("BN1")


def test_a_late_result_that_adds_nothing_makes_no_paper(make_desk: MakeDesk) -> None:
    desk = make_desk(produce=("lab_report",))
    obr, obx = result("F", "4.60")
    other = obx.replace("14749-6^Glucose", "2951-2^Natri").replace("OBX|1", "OBX|2")
    papers = [
        len(desk.store.read_now(lambda c, id_=id_: documents.of_message(c, id_)))  # type: ignore[misc]
        for id_ in (
            desk.send(lab("3", "20261121110000", *result("C", "9.60", "H"))),
            desk.send(lab("2", "20261121100000", obr, obx)),
            desk.send(lab("1", "20261121090000", obr, obx, other)),
        )
    ]
    assert papers == [1, 0, 1], "the second says nothing that is not known better, the third has one more result"


def test_the_staff_is_in_nobodys_record(desk: Desk) -> None:
    raw = message(
        "ADT^A01", "1", evn(), pid("BN1"), pv1("LK1").replace("K1^1^1||", "K1^1^1||||000123/HNO-CCHN^Lê^Minh")
    )
    desk.send(raw)
    owners = desk.store.read_now(
        lambda c: {
            row.type: row.patient_id
            for row in c.execute(sa.select(schema.resource.c.type, schema.resource.c.patient_id))
        }
    )
    assert owners["Practitioner"] is None
    assert owners["Location"] is None
    assert f"Patient/{owners['Encounter']}" == desk.patient("BN1")


def test_what_no_mapping_knows_is_kept_with_a_reason(desk: Desk) -> None:
    id_ = desk.send(message("ZZZ^Z01", "1", pid("BN1")))
    row = desk.state(id_)
    assert (row.state, row.fault_code) == ("kept", 3101)
    assert desk.store.read_now(repair.error_queue) == []
