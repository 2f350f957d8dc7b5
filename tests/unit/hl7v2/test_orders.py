"""Orders, answers, and what belongs to what in messages of orders and results."""

from __future__ import annotations

import csv
from importlib.resources import files
from typing import Any

import pytest

from mappings import codes
from mappings.fhir import problems
from mappings.hl7v2.faults import MissingSegment, TwoPatients
from mappings.outcome import Outcome
from tests.unit.hl7v2.samples import PID, PV1, every, line, mapped, only

OTHER = "PID|2||BN2^^^01032^PI||Trần^Bình"
OBR = "OBR|1|P1|F1|T^Xét nghiệm^99LIS"


def rows(table: str) -> list[dict[str, str]]:
    text = files("mappings.codes").joinpath(f"{table}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def request(*segments: str, trigger: str = "ORM^O01") -> dict[str, Any]:
    return only(mapped(trigger, PID, *segments), "ServiceRequest")


def by_code(outcome: Outcome, kind: str) -> dict[str, dict[str, Any]]:
    return {resource["code"]["coding"][0]["code"]: resource for resource in every(outcome, kind)}


def sound(outcome: Outcome) -> bool:
    return all(problems(resource) == [] for resource in outcome.resources)


# ---- status ----


@pytest.mark.parametrize("row", rows("v2-0119"), ids=lambda row: row["code"])
def test_status_of_every_order_control(row: dict[str, str]) -> None:
    assert request(f"ORC|{row['code']}|P1", "OBR|1|P1||T")["status"] == (row["target"] or "active")


@pytest.mark.parametrize("row", rows("v2-0038"), ids=lambda row: row["code"])
@pytest.mark.parametrize("control", ["NW", "SC", "OK", "CA", ""])
def test_the_order_status_goes_before_the_order_control(row: dict[str, str], control: str) -> None:
    found = request(f"ORC|{control}|P1|||{row['code']}", "OBR|1|P1||T")
    assert found["status"] == row["target"]


@pytest.mark.parametrize("row", rows("v2-0123"), ids=lambda row: row["code"])
def test_status_of_every_result_status(row: dict[str, str]) -> None:
    outcome = mapped("ORU^R01", PID, "ORC|RE|P1|F1", line("OBR", f2="P1", f3="F1", f4="T", f25=row["code"]))
    assert only(outcome, "DiagnosticReport")["status"] == row["target"]
    done = {"F": "completed", "C": "completed", "X": "revoked"}
    assert only(outcome, "ServiceRequest")["status"] == done.get(row["code"], "active")


@pytest.mark.parametrize("row", rows("v2-0085"), ids=lambda row: row["code"])
def test_status_of_every_observation_status(row: dict[str, str]) -> None:
    outcome = mapped("ORU^R01", PID, OBR, f"OBX|1|NM|X||5||||||{row['code']}")
    assert only(outcome, "Observation")["status"] == row["target"]
    assert sound(outcome)


def test_a_preliminary_result_its_final_and_its_correction_are_one() -> None:
    ids = set()
    for status, value, position, moment in (
        ("P", "5.1", 1, ""),
        ("F", "5.20", 3, "20261103"),
        ("C", "5.30", 2, "20261104"),
        ("D", "", 1, ""),
        ("W", "5.30", 9, ""),
    ):
        others = [f"OBX|{n}|NM|Y{n}|{n}|1||||||F" for n in range(1, position)]
        result = f"OBX|{position}|NM|X|{position}|{value}||||||{status}|||{moment}"
        report = line("OBR", f2="P1", f3="F1", f4="T", f7="20261103", f25=status)
        found = by_code(mapped("ORU^R01", PID, report, *others, result), "Observation")["X"]
        ids.add(found["id"])
    assert len(ids) == 1


def test_a_report_without_number_is_known_by_service_and_time() -> None:
    first, second = (
        mapped(
            "ORU^R01", PID, line("OBR", f4="T^x^99LIS", f7="202611030815", f25=status), "OBX|1|NM|X||5", control_id=id_
        )
        for status, id_ in (("P", "C1"), ("F", "C2"))
    )
    assert {r["id"] for r in first.resources} == {r["id"] for r in second.resources}
    assert not first.notices


@pytest.mark.parametrize("control", ["OK", "SC", "CM"])
def test_an_answer_meets_its_order(control: str) -> None:
    asked = request("ORC|NW|P1", "OBR|1|P1||T")
    answered = only(mapped("ORR^O02", "MSA|AA|C1", PID, f"ORC|{control}|P1|F1||CM"), "ServiceRequest")
    reported = only(mapped("ORU^R01", PID, "OBR|1|P1|F1|T"), "ServiceRequest")
    assert asked["id"] == answered["id"] == reported["id"]
    assert answered["status"] == "completed"


# ---- what an order says ----


def test_intent_of_an_order() -> None:
    assert request("ORC|NW|P1", OBR)["intent"] == "order"
    assert request("ORC|NW|P1", line("OBR", f2="P1", f4="T", f11="G"))["intent"] == "reflex-order"
    assert request("ORC|NW|P1", line("OBR", f2="P1", f4="T", f11="A"))["intent"] == "order"


def test_order_without_a_number_has_one_of_the_message() -> None:
    outcome = mapped("ORM^O01", PID, "ORC|NW", "OBR|1|||T")
    assert only(outcome, "ServiceRequest")["code"]["coding"][0]["code"] == "T"
    assert [notice.code for notice in outcome.notices] == [3123]


@pytest.mark.parametrize(
    ("requester", "facility", "kind"),
    [
        ("D1^Đỗ^An", "", "Practitioner"),
        ("D1^Đỗ^An", "Bệnh viện A", "PractitionerRole"),
        ("", "Bệnh viện A", "Organization"),
    ],
)
def test_who_ordered(requester: str, facility: str, kind: str) -> None:
    found = request(line("ORC", f1="NW", f2="P1", f12=requester, f21=facility), "OBR|1|P1||T")
    assert found["requester"]["reference"].startswith(f"{kind}/")
    same = request(line("ORC", f1="NW", f2="P1", f21=facility), line("OBR", f2="P1", f4="T", f16=requester))
    assert same["requester"]["reference"] == found["requester"]["reference"]


def test_what_an_order_is_told_for_belongs_to_it() -> None:
    outcome = mapped(
        "OML^O21",
        PID,
        PV1,
        "DG1|1||J18.9^Viêm phổi^I10|||A",
        "ORC|NW|P1",
        "OBR|1|P1||A^x^99LIS",
        "NTE|1||về A",
        "DG1|1||R50.9^Sốt^I10|||A",
        "OBX|1|ST|HOI^Hỏi^99LIS||có||||||F",
        "NTE|1||về câu hỏi",
        "SPM|1|S1||BLD",
        "OBX|1|ST|MAU^Màu^99LIS||đỏ||||||F",
        "ORC|NW|P2",
        "OBR|2|P2||B^x^99LIS",
        "NTE|1||về B",
    )
    asked = by_code(outcome, "ServiceRequest")
    told = by_code(outcome, "Observation")
    assert [note["text"] for note in asked["A"]["note"]] == ["về A"]
    assert [note["text"] for note in asked["B"]["note"]] == ["về B"]
    assert asked["A"]["supportingInfo"] == [{"reference": f"Observation/{told['HOI']['id']}"}]
    assert told["HOI"]["note"] == [{"text": "về câu hỏi"}]
    assert told["MAU"]["focus"] == asked["A"]["specimen"]
    assert "specimen" not in asked["B"]
    reasons = [one["reference"] for one in asked["A"]["reasonReference"]]
    conditions = {f"Condition/{one['id']}": one["code"]["coding"][0]["code"] for one in every(outcome, "Condition")}
    assert [conditions[reference] for reference in reasons] == ["R50.9"]
    assert not every(outcome, "DiagnosticReport")
    assert sound(outcome)


def test_who_told_the_order_is_its_provenance() -> None:
    orc = line("ORC", f1="CA", f2="P1", f9="20261103080000", f10="N1^Lê^Hà", f17="K1^Khoa Nội")
    outcome = mapped("ORM^O01", PID, orc, "OBR|1|P1||T")
    told = only(outcome, "Provenance")
    assert told["target"] == [{"reference": f"ServiceRequest/{only(outcome, 'ServiceRequest')['id']}"}]
    assert told["activity"]["coding"][0]["code"] == "CANCEL"
    assert told["agent"][0]["type"]["coding"][0]["code"] == "enterer"
    assert told["agent"][0]["onBehalfOf"]["display"] == "Khoa Nội"
    assert outcome.coverage.mapped["ORC-9"]
    assert sound(outcome)


def test_the_time_of_an_event_without_a_person_is_left_out() -> None:
    outcome = mapped("ORM^O01", PID, line("ORC", f1="CA", f2="P1", f9="20261103080000"), "OBR|1|P1||T")
    assert "authoredOn" not in only(outcome, "ServiceRequest")
    assert "ORC-9" in outcome.coverage.ignored


@pytest.mark.parametrize(
    ("field", "text", "name", "value"),
    [
        ("f43", "Đi xe lăn", "note", [{"text": "Đi xe lăn"}]),
        ("f39", "Khó lấy", "", None),
        ("f36", "20261103080000", "occurrenceDateTime", "2026-11-03T08:00:00+07:00"),
        ("f5", "S", "priority", "stat"),
    ],
)
def test_fields_of_obr(field: str, text: str, name: str, value: Any) -> None:
    outcome = mapped("ORM^O01", PID, "ORC|NW|P1", line("OBR", f2="P1", f4="T", **{field: text}))
    found = only(outcome, "ServiceRequest") if name else only(outcome, "Specimen")
    assert found[name or "note"] == (value if name else [{"text": text}])


def test_the_accession_number_of_an_imaging_order() -> None:
    imaging = request("ORC|NW|P1", line("OBR", f2="P1", f4="T", f18="ACC1", f24="CT"))
    assert imaging["identifier"][-1]["value"] == "ACC1"
    assert imaging["identifier"][-1]["type"]["coding"][0]["code"] == "ACSN"
    laboratory = mapped("ORM^O01", PID, "ORC|NW|P1", line("OBR", f2="P1", f4="T", f18="ACC1", f24="CH"))
    assert "OBR-18" in laboratory.coverage.ignored


def test_an_imaging_order_announces_its_study() -> None:
    outcome = mapped("OMI^O23", PID, "ORC|NW|P1", "OBR|1|P1||CT", "IPC|A1|R1|1.2.3.4|S1|CT")
    study, asked = only(outcome, "ImagingStudy"), only(outcome, "ServiceRequest")
    assert study["identifier"][0] == {"system": "urn:dicom:uid", "value": "urn:oid:1.2.3.4"}
    assert study["basedOn"] == [{"reference": f"ServiceRequest/{asked['id']}"}]
    assert [one["value"] for one in asked["identifier"]] == ["P1", "A1", "R1", "S1"]
    broken = mapped("OMI^O23", PID, "ORC|NW|P1", "OBR|1|P1||CT", "IPC|A1|R1|khong phai|S1|CT")
    assert not every(broken, "ImagingStudy")
    assert {"IPC-3", "IPC-5"} <= set(broken.coverage.unknown)


def test_an_orc_without_obr_is_an_order_with_what_follows() -> None:
    outcome = mapped(
        "ORM^O01", PID, "ORC|NW|P1", "DG1|1||J18.9^x^I10|||A", "OBX|1|ST|X||a||||||F", "ORC|NW|P2", "OBR|2|P2||T"
    )
    first, second = every(outcome, "ServiceRequest")
    assert {"reasonReference", "supportingInfo"} <= set(first)
    assert not {"reasonReference", "supportingInfo"} & set(second)


def test_a_medicine_in_an_order_message_is_a_medicine() -> None:
    outcome = mapped("ORM^O01", PID, "ORC|NW|P1", "RXO|PARA^Paracetamol^99DUOC|500||mg", "ORC|NW|P2", "OBR|1|P2||T")
    assert only(outcome, "ServiceRequest")["identifier"][0]["value"] == "P2"
    assert only(outcome, "MedicationRequest")["identifier"][0]["value"] == "P1"


# ---- who takes part ----


def test_participations_belong_to_what_stands_before_them() -> None:
    outcome = mapped(
        "ORU^R01",
        PID,
        "ORC|RE|P1|F1",
        "PRT||AD||OP|D1^Đỗ^An",
        OBR,
        "PRT||AD||PRI|D2^Bùi^Bảo",
        "PRT||AD||TN|D3^Vũ^Chi",
        "PRT||AD||SC|D4^Lý^Dung",
        "OBX|1|NM|X||1||||||F",
        "PRT||AD||RO|D5^Hồ^Em",
        "SPM|1|S1||BLD",
    )
    report, asked, result = (only(outcome, kind) for kind in ("DiagnosticReport", "ServiceRequest", "Observation"))
    assert asked["requester"]["display"] == "Đỗ An"
    assert [one["display"] for one in report["resultsInterpreter"]] == ["Bùi Bảo"]
    assert [one["display"] for one in report["performer"]] == ["Vũ Chi"]
    assert [one["display"] for one in result["performer"]] == ["Hồ Em"]
    assert only(outcome, "Specimen")["collection"]["collector"]["display"] == "Lý Dung"
    assert sound(outcome)


def test_a_participation_taken_back_is_none() -> None:
    outcome = mapped("ORU^R01", PID, OBR, "PRT||DE||PRI|D2^Bùi^Bảo", "PRT||D||PRI|D3^Vũ^Chi", "OBX|1|NM|X||1||||||F")
    assert [one["display"] for one in only(outcome, "DiagnosticReport")["resultsInterpreter"]] == ["Bùi Bảo"]


# ---- prior results ----

PRIOR = ("OBR|1|P0|F0|CU^x^99LIS|||20261001||||||||||||||||||F", "OBX|1|NM|X^x^99LIS||1||||||F")


@pytest.mark.parametrize(
    "opening", [("ORC|PR|P0|F0",), (PV1, "ORC|RE|P0|F0"), (PID, "ORC|RE|P0|F0"), ("AL1|1|DA|X", "ORC|RE|P0"), ()]
)
def test_prior_results_are_results_of_their_own(opening: tuple[str, ...]) -> None:
    outcome = mapped(
        "OML^O21", PID, "ORC|NW|P1", "OBR|1|P1||MOI^x^99LIS", *opening, *PRIOR, "ORC|NW|P2", "OBR|2|P2||B^x^99LIS"
    )
    asked = by_code(outcome, "ServiceRequest")
    assert set(asked) == {"MOI", "CU", "B"}
    assert "supportingInfo" not in asked["MOI"]
    report = only(outcome, "DiagnosticReport")
    assert report["result"] == [{"reference": f"Observation/{only(outcome, 'Observation')['id']}"}]
    assert [asked[name]["status"] for name in ("MOI", "CU", "B")] == ["active", "completed", "active"]


def test_prior_results_of_somebody_else_are_refused() -> None:
    with pytest.raises(TwoPatients) as caught:
        mapped("OML^O21", PID, "ORC|NW|P1", "OBR|1|P1||T", OTHER, "ORC|RE|P0", *PRIOR)
    assert caught.value.where == "PID[2]-3"


# ---- several patients ----


def test_each_result_belongs_to_its_own_patient() -> None:
    outcome = mapped(
        "ORU^R01", PID, PV1, "OBR|1||F1|A^x^99LIS", "OBX|1|NM|X||1", OTHER, "OBR|2||F2|B^x^99LIS", "OBX|1|NM|Y||2"
    )
    first, second = every(outcome, "Patient")
    reports = by_code(outcome, "DiagnosticReport")
    results = by_code(outcome, "Observation")
    assert outcome.patient_id == first["id"]
    assert outcome.encounter_id == only(outcome, "Encounter")["id"]
    for mine, code, result in ((first, "A", "X"), (second, "B", "Y")):
        assert reports[code]["subject"] == {"reference": f"Patient/{mine['id']}"}
        assert results[result]["subject"] == {"reference": f"Patient/{mine['id']}"}
    assert "encounter" not in results["Y"]


@pytest.mark.parametrize("trigger", ["ORM^O01", "OML^O21", "ORR^O02"])
def test_an_order_is_about_one_person(trigger: str) -> None:
    with pytest.raises(TwoPatients):
        mapped(trigger, PID, "ORC|NW|P1", "OBR|1|P1||T", OTHER, "ORC|NW|P2", "OBR|1|P2||T")


# ---- specimens and containers ----


def test_results_that_come_only_after_the_specimen_are_results() -> None:
    outcome = mapped("ORU^R01", PID, OBR, "SPM|1|S1||BLD", "OBX|1|NM|X||1||||||F")
    found = only(outcome, "Observation")
    assert only(outcome, "DiagnosticReport")["result"] == [{"reference": f"Observation/{found['id']}"}]
    assert found["specimen"]["reference"] == f"Specimen/{only(outcome, 'Specimen')['id']}"


def test_what_stands_after_results_and_specimen_describes_the_specimen() -> None:
    outcome = mapped("ORU^R01", PID, OBR, "OBX|1|NM|X||1||||||F", "SPM|1|S1||BLD", "OBX|1|ST|Y||vỡ hồng cầu||||||F")
    found = by_code(outcome, "Observation")
    assert found["Y"]["focus"] == [{"reference": f"Specimen/{only(outcome, 'Specimen')['id']}"}]
    assert only(outcome, "DiagnosticReport")["result"] == [{"reference": f"Observation/{found['X']['id']}"}]


def test_orders_of_a_specimen_and_of_the_next() -> None:
    outcome = mapped(
        "OML^O33", PID, "SPM|1|S1||BLD", "ORC|NW|P1", "OBR|1|P1||A", "ORC|NW|P2", "OBR|2|P2||B",
        "SPM|2|S2||UR", "ORC|NW|P3", "OBR|3|P3||C",
    )  # fmt: skip
    blood, urine = every(outcome, "Specimen")
    asked = by_code(outcome, "ServiceRequest")
    assert [asked[code]["specimen"][0]["reference"] for code in "ABC"] == [
        f"Specimen/{blood['id']}",
        f"Specimen/{blood['id']}",
        f"Specimen/{urine['id']}",
    ]


def test_each_container_of_its_own_message_is_a_specimen() -> None:
    outcome = mapped(
        "OUL^R21", PID, "SAC|||T1", "ORC|RE|P1", "OBR|1|P1||A", "OBX|1|NM|X||1", "SAC|||T2", "ORC|RE|P2", "OBR|2|P2||B",
    )  # fmt: skip
    reports = by_code(outcome, "DiagnosticReport")
    tubes = [one["container"][0]["identifier"][0]["value"] for one in every(outcome, "Specimen")]
    assert tubes == ["T1", "T2"]
    assert reports["A"]["specimen"] != reports["B"]["specimen"]


def test_in_messages_by_specimen_the_order_stands_before_its_orc() -> None:
    outcome = mapped("OUL^R22", PID, "SPM|1|S1||BLD", "OBR|1|P1|F1|A", "ORC|RE|P1|F1||CM", "OBX|1|NM|X||1||||||F")
    assert only(outcome, "ServiceRequest")["status"] == "completed"
    assert len(only(outcome, "DiagnosticReport")["result"]) == 1


def test_a_result_names_its_specimen() -> None:
    one, two = "SPM|1|S1||BLD", "SPM|2|S2||UR"
    obx = line("OBX", f2="NM", f3="X", f5="1", f11="F", f33="S2")
    outcome = mapped("ORU^R01", PID, OBR, obx, one, two)
    assert only(outcome, "Observation")["specimen"] == {"reference": f"Specimen/{every(outcome, 'Specimen')[1]['id']}"}
    elsewhere = mapped("ORU^R01", PID, OBR, obx)
    assert only(elsewhere, "Observation")["specimen"]["identifier"]["value"] == "S2"


def test_order_and_result_share_the_specimen_by_the_placers_number() -> None:
    asked = mapped("OML^O21", PID, "ORC|NW|P1", "OBR|1|P1||T", "SPM|1|S1&HIS^||BLD")
    answered = mapped("ORU^R01", PID, OBR, "OBX|1|NM|X||1", "SPM|1|S1&HIS^B9&LIS||BLD")
    assert only(asked, "Specimen")["id"] == only(answered, "Specimen")["id"]


# ---- parents and sub-ids ----


def test_a_reflex_order_names_its_parent_in_the_message_and_outside() -> None:
    child = line("OBR", f2="P2", f3="F2", f4="B^x^99LIS", f29="P1^F1", f50="A^Cấy^99LIS")
    inside = by_code(mapped("ORU^R01", PID, child, "OBX|1|NM|Y||1", "OBR|1|P1|F1|A^x^99LIS"), "ServiceRequest")
    assert inside["B"]["basedOn"] == [{"reference": f"ServiceRequest/{inside['A']['id']}", "display": "Cấy"}]
    outside = only(mapped("ORU^R01", PID, child), "ServiceRequest")["basedOn"][0]
    assert outside["identifier"]["value"] == "P1"
    assert outside["type"] == "ServiceRequest"


@pytest.mark.parametrize("number", ["P1^F1", "^F1", "P1", ""])
def test_results_derive_from_the_parent_result(number: str) -> None:
    outcome = mapped(
        "ORU^R01",
        PID,
        "OBR|1|P1|F1|CAY^x^99LIS",
        "OBX|1|CWE|600-7^Vi khuẩn^LN|1|A^Vi khuẩn A^99LIS||||||F",
        "OBX|2|CWE|600-7^Vi khuẩn^LN|2|B^Vi khuẩn B^99LIS||||||F",
        line("OBR", f2="P2", f3="F2", f4="KSD^x^99LIS", f26="600-7^2", f29=number),
        "OBX|1|ST|KS^Kháng sinh^99LIS||S||||||F",
    )
    results = every(outcome, "Observation")
    second, drug = results[1], results[2]
    assert drug["derivedFrom"] == [{"reference": f"Observation/{second['id']}"}]
    assert second["hasMember"] == [{"reference": f"Observation/{drug['id']}"}]
    assert "hasMember" not in results[0]


def test_a_parent_result_that_is_not_there_is_named() -> None:
    obr = line("OBR", f2="P2", f3="F2", f4="KSD", f26="600-7^2^E. coli", f29="P1^F1")
    outcome = mapped("ORU^R01", PID, obr, "OBX|1|ST|KS||S||||||F")
    link = only(outcome, "Observation")["derivedFrom"][0]
    assert (link["identifier"]["value"], link["display"]) == ("600-7|2", "E. coli")
    assert sound(outcome)


def observed(*obx: str) -> list[dict[str, Any]]:
    return every(
        mapped("ORU^R01", PID, OBR, *(f"OBX|{n}|{rest}||||||F" for n, rest in enumerate(obx, 1))), "Observation"
    )


def members(observation: dict[str, Any]) -> list[str]:
    return [link["reference"].removeprefix("Observation/") for link in observation.get("hasMember", [])]


def test_dotted_sub_ids_are_members() -> None:
    panel, first, second, other = observed("ST|P|1|x", "NM|A|1.1|1", "NM|B|1.2|2", "NM|C|2|3")
    assert members(panel) == [first["id"], second["id"]]
    assert not members(other)


def test_isolates_have_their_own_results() -> None:
    one, count, other, resistant = observed("CWE|O|1|A^x^L", "NM|N|1|5", "CWE|O|2|B^x^L", "NM|N|2|6")
    assert members(one) == [count["id"]]
    assert members(other) == [resistant["id"]]


def test_a_sub_id_that_all_results_share_makes_no_panel() -> None:
    assert not any(members(one) for one in observed("CWE|O|1|A^x^L", "NM|N|1|5", "NM|M|1|6"))


def test_the_same_test_with_different_sub_ids_stays_apart() -> None:
    found = observed("NM|X|1|5", "NM|X|2|6", "NM|X|3|7")
    assert len({one["id"] for one in found}) == 3


def test_a_sub_id_is_kept_unless_it_counts() -> None:
    assert "extension" not in observed("NM|X|1|5")[0]
    assert observed("NM|X|7|5")[0]["extension"][0]["valueString"] == "7"
    assert observed("NM|X|^2^1|5")[0]["extension"][0]["valueString"] == "2.1"


# ---- what is missing ----


@pytest.mark.parametrize(
    ("trigger", "segments", "where"),
    [
        ("ORM^O01", (PID,), "ORC"),
        ("OML^O21", (PV1,), "ORC"),
        ("OMS^O05", ("ORC|NW|P1",), "RQD"),
    ],
)
def test_without_what_it_is_about(trigger: str, segments: tuple[str, ...], where: str) -> None:
    with pytest.raises(MissingSegment) as caught:
        mapped(trigger, *segments)
    assert caught.value.where == where


@pytest.mark.parametrize(
    "trigger", ["ORM^O01", "OMG^O19", "OML^O21", "OML^O33", "OML^O35", "OMI^O23", "ORU^R01", "OUL^R22", "ORL^O34"]
)
@pytest.mark.parametrize("backwards", [False, True])
def test_any_order_of_segments_gives_sound_resources(trigger: str, backwards: bool) -> None:
    segments = [
        PV1, "SAC|||T1", "SPM|1|S1||BLD", "NTE|1||a", "ORC|NW|P1|F1", "TQ1|1||BID", "OBR|1|P1|F1|A", "NTE|1||b", "CTI|1",
        "OBX|1|NM|X|1|1||||||F", "NTE|1||c", "IPC|A|B|1.2.3|C", "SPM|2|||UR", "OBX|2|ED|D||^application^PDF^Base64^JVBERi0=",
        "OBR|2|||B", "OBX|1|CWE|Y|1.1|a^b^L", "DG1|1||J18^x^I10|||A", "ORC|PR|P0", "OBR|1|P0||C", "OBX|1|SN|Z||^1^:^2",
    ]  # fmt: skip
    walked = list(reversed(segments)) if backwards else segments
    outcome = mapped(trigger, PID, *walked)
    assert sound(outcome)


def test_local_codes_without_a_shared_one_are_work_to_do() -> None:
    shared = "OBX|2|NM|2823-3^Kali^LN^K2^Kali^99LIS||4"
    outcome = mapped("ORU^R01", PID, "OBR|1|P1|F1|SH^Sinh hóa^99LIS", "OBX|1|NM|K^Kali^99LIS||4", shared)
    found = [(one.where, one.code, one.display) for one in outcome.unmapped]
    assert found == [("OBR-4", "SH", "Sinh hóa"), ("OBX-3", "K", "Kali")]


def test_a_sites_table_gives_the_shared_code() -> None:
    header = "source,code,target_system,target,display,equivalence,valid_from,valid_to\n"
    codes.extend("site-observation", header + "99LIS,K,http://loinc.org,2823-3,Potassium,equivalent,,\n")
    try:
        outcome = mapped("ORU^R01", PID, "OBR|1|P1|F1|2823-3^Kali^LN", "OBX|1|NM|K^Kali^99LIS||4")
    finally:
        codes.forget()
    assert [coding["code"] for coding in only(outcome, "Observation")["code"]["coding"]] == ["K", "2823-3"]
    assert not outcome.unmapped


def test_a_sites_table_gives_a_code_in_every_system_that_it_has_rows_for() -> None:
    rows = ["http://loinc.org,2823-3,Potassium", "urn:catalogue,2301023,Kali"]
    header = "source,code,target_system,target,display,equivalence,valid_from,valid_to\n"
    codes.extend("site-observation", header + "".join(f"99LIS,K,{row},equivalent,,\n" for row in rows))
    try:
        outcome = mapped("ORU^R01", PID, "OBR|1|P1|F1|2823-3^Kali^LN", "OBX|1|NM|K^Kali^99LIS||4")
    finally:
        codes.forget()
    assert [coding["code"] for coding in only(outcome, "Observation")["code"]["coding"]] == ["K", "2823-3", "2301023"]
