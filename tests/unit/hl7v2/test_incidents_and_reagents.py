"""Segments that few senders use: IAR, ABS, RMI, INV, SID."""

from __future__ import annotations

from mappings.fhir import problems
from mappings.hl7v2 import reader
from mappings.hl7v2.leftovers import NOTHING
from tests.unit.hl7v2.samples import every, mapped, only

PID = "PID|1||BN1^^^01032^PI||Lê^Lan"
PV1 = "PV1|1|I|K1|||||||||||||||||||||||||||||||||||||||||20261103080000"
OBR = "OBR|1||XN1^LIS|GLU^Đường máu^L"
OBX = "OBX|1|NM|GLU^Đường máu^L||5.40|mmol/L|||||F"


# ---- IAR ----


def test_a_reaction_belongs_to_the_allergen_before_it() -> None:
    outcome = mapped(
        "ADT^A60", PID, "IAM|1||PENI^Penicillin||NMD^Mề đay", "IAR|NMD^Mề đay|SV", "IAM|2||TOM^Tôm", "IAR|NON^Nôn"
    )
    first, second = every(outcome, "AllergyIntolerance")
    assert [(one["manifestation"][0]["text"], one.get("severity")) for one in first["reaction"]] == [
        ("Mề đay", "severe")
    ]
    assert [one["manifestation"][0]["text"] for one in second["reaction"]] == ["Nôn"]


def test_one_of_several_reactions_is_told_more_of() -> None:
    outcome = mapped("ADT^A60", PID, "IAM|1||PENI^Penicillin|SV|A^A~B^B", "IAR|B^B|MI||Tự hết")
    reactions = only(outcome, "AllergyIntolerance")["reaction"]
    assert [([m["text"] for m in one["manifestation"]], one["severity"]) for one in reactions] == [
        (["A"], "severe"),
        (["B"], "mild"),
    ]
    assert problems(only(outcome, "AllergyIntolerance")) == []


def test_a_reaction_without_name_or_allergen_is_not_kept() -> None:
    outcome = mapped("ADT^A60", PID, "IAM|1||PENI^Penicillin", "IAR||SV||Thở oxy", "IAM|2", "IAR|NON^Nôn|ZZ")
    assert "reaction" not in only(outcome, "AllergyIntolerance")
    assert {"IAR-2", "IAR-4"} <= outcome.coverage.unknown.keys()
    before = mapped("ADT^A60", PID, "IAR|NON^Nôn", "IAM|1||PENI^Penicillin")
    assert before.coverage.unknown == {"IAR-1": reader.UNREAD}
    odd = mapped("ADT^A60", PID, "IAM|1||PENI^Penicillin", "IAR|NON^Nôn|ZZ")
    assert odd.coverage.unknown == {"IAR-2": reader.UNUSABLE}


# ---- ABS, RMI ----


def test_the_priority_of_the_visit_is_that_of_pv2() -> None:
    outcome = mapped("BAR^P05", PID, PV1, "PV2|" + "|" * 23 + "|2^Urgent", "ABS||||||3^Urgent^HL70422")
    assert only(outcome, "Encounter")["priority"]["coding"][0]["system"].endswith("ActPriority")
    assert "ABS-6" in outcome.coverage.ignored


def test_a_gestation_without_weeks_is_told_by_kind() -> None:
    outcome = mapped("BAR^P05", PID, "ABS|||||||||||2^Đủ tháng^HL70424|nhiều tuần")
    (found,) = every(outcome, "Observation")
    assert found["valueCodeableConcept"]["coding"][0]["code"] == "2"
    assert problems(found) == []
    assert outcome.coverage.unknown == {"ABS-12": reader.UNUSABLE}


def test_two_equal_incidents_are_two() -> None:
    outcome = mapped("BAR^P05", PID, PV1, *["RMI|F^^HL70427|20261102"] * 2, "RMI||20261101")
    assert len({one["id"] for one in every(outcome, "AdverseEvent")}) == 2
    assert outcome.coverage.unknown == {"RMI[3]-2": NOTHING}


# ---- INV, SID ----


def test_the_same_lot_is_one_substance_whoever_tells() -> None:
    outcome = mapped(
        "OUL^R22",
        *("SPM|1|QC1||BLD", "SAC|||ONG1", "INV|QC1^Mẫu chứng^L|||HC9||||||||||||L7|BIO"),
        *(OBR, OBX, "SID||L7|HC9|BIO"),
    )
    substance = only(outcome, "Substance")
    assert substance["code"]["text"] == "Mẫu chứng"
    link = {"reference": f"Substance/{substance['id']}"}
    assert only(outcome, "Observation")["extension"][0]["valueReference"] == link
    assert only(outcome, "Specimen")["subject"] == link


def test_a_substance_without_a_name_is_sound() -> None:
    outcome = mapped("OUL^R22", PID, "SPM|1|M1||BLD", "SAC|||ONG1", "INV||||HC9", OBR, OBX, "SID||L1")
    assert [problems(one) for one in every(outcome, "Substance")] == [[], []]


def test_a_specimen_of_a_person_stays_the_persons() -> None:
    outcome = mapped("OUL^R22", PID, "SPM|1|M1||BLD", "SAC|||ONG1", "INV|HC^Hóa chất^L|||||||4||mL", OBR, OBX)
    assert only(outcome, "Specimen")["subject"]["reference"].startswith("Patient/")
    assert "instance" in only(outcome, "Substance")


def test_what_names_no_substance_is_not_kept() -> None:
    outcome = mapped(
        "OUL^R22", PID, "SPM|1|M1||BLD", "SAC|||O1", "INV|||||||||4", "SID||L1", OBR, OBX, "SID|P^Phương pháp^L|||BIO"
    )
    assert every(outcome, "Substance") == []
    assert only(outcome, "Observation")["method"]["text"] == "Phương pháp"
    assert outcome.coverage.unknown.keys() == {"SID-2", "SID[2]-4"}


def test_the_method_of_the_result_goes_before_that_of_the_reagent() -> None:
    outcome = mapped("OUL^R22", PID, OBR, OBX + "||||||HEXO^Hexokinase^L", "SID|KHAC^Khác^L|L1")
    assert only(outcome, "Observation")["method"]["text"] == "Hexokinase"
    assert "SID-1" in outcome.coverage.ignored
