"""Events about two persons or two records: who goes on as whom, and whose a visit or an account is."""

from __future__ import annotations

import pytest

from mappings.hl7v2.faults import MissingField, MissingSegment, TwoPatients
from mappings.hl7v2.messages.adt_identity import CHANGES
from mappings.ids import resource_id
from mappings.outcome import IdentityChange
from tests.unit.hl7v2.samples import PID, every, line, mapped, only

SID = "https://lienthong.vn/fhir/sid/01032"


def patient(number: str) -> str:
    return f"Patient/{resource_id('Patient', f'{SID}/patient', number)}"


def account(number: str) -> str:
    return f"Account/{resource_id('Account', f'{SID}/account', number)}"


def encounter(number: str) -> str:
    return f"Encounter/{resource_id('Encounter', f'{SID}/visit', number)}"


NEW = line("PID", f3="BN1^^^01032^PI", f5="Nguyễn^Hoa", f18="TK1")
VISIT = line("PV1", f2="I", f19="V1")
OLD = line("MRG", f1="BN9^^^01032^PI", f3="TK9", f5="V9")
PATIENTS = ("merge", patient("BN1"), patient("BN9"))
ACCOUNTS = ("merge", account("TK1"), account("TK9"))
VISITS = ("merge", encounter("V1"), encounter("V9"))
MOVED = [("move", patient("BN1"), account("TK9")), ("move", patient("BN1"), encounter("V9"))]

EXPECTED = {
    "A18": [PATIENTS, ACCOUNTS, VISITS],
    "A30": [PATIENTS, *MOVED],
    "A34": [PATIENTS, *MOVED],
    "A35": [ACCOUNTS, MOVED[1]],
    "A36": [PATIENTS, ACCOUNTS, MOVED[1]],
    "A39": [PATIENTS, *MOVED],
    "A40": [PATIENTS, *MOVED],
    "A41": [ACCOUNTS, MOVED[1]],
    "A42": [MOVED[0], VISITS],
    "A43": [("move", patient("BN1"), patient("BN9")), *MOVED],
    "A44": [("move", patient("BN1"), account("TK1")), ("merge", account("TK1"), account("TK9")), MOVED[1]],
    "A45": [MOVED[0], ("move", patient("BN1"), encounter("V1")), VISITS],
    "A46": [PATIENTS, *MOVED],
    "A47": [PATIENTS, *MOVED],
    "A48": [PATIENTS, *MOVED],
    "A49": [ACCOUNTS, MOVED[1]],
    "A50": [MOVED[0], VISITS],
    "A51": [MOVED[0]],
}


@pytest.mark.parametrize("event", sorted(CHANGES))
def test_what_each_event_says_of_all_three_subjects(event: str) -> None:
    outcome = mapped(f"ADT^{event}", NEW, OLD, VISIT)
    assert list(outcome.identity) == [IdentityChange(*change) for change in EXPECTED[event]]  # type: ignore[arg-type]
    assert f"Patient/{outcome.patient_id}" == patient("BN1")
    assert f"Encounter/{outcome.encounter_id}" == encounter("V1")


def test_the_table_is_walked_whole() -> None:
    assert EXPECTED.keys() == CHANGES.keys()


@pytest.mark.parametrize("event", ["A18", "A34", "A39", "A40", "A47"])
def test_the_replaced_person_and_the_survivor_know_each_other(event: str) -> None:
    outcome = mapped(f"ADT^{event}", PID, "MRG|BN9^^^01032^PI", VISIT)
    people = {f"Patient/{one['id']}": one for one in every(outcome, "Patient")}
    assert people[patient("BN1")]["link"] == [{"other": {"reference": patient("BN9")}, "type": "replaces"}]
    assert people[patient("BN9")]["link"] == [{"other": {"reference": patient("BN1")}, "type": "replaced-by"}]
    assert (people[patient("BN1")]["active"], people[patient("BN9")]["active"]) == (True, False)


def test_several_pairs_in_one_message() -> None:
    second = line("PID", f3="BN2^^^01032^PI", f5="Lê^An")
    outcome = mapped("ADT^A40", PID, "MRG|BN9^^^01032^PI", second, "MRG|BN8^^^01032^PI", "MRG|BN7^^^01032^PI")
    assert [(change.kept, change.other) for change in outcome.identity] == [
        (patient("BN1"), patient("BN9")),
        (patient("BN2"), patient("BN8")),
        (patient("BN2"), patient("BN7")),
    ]
    assert f"Patient/{outcome.patient_id}" == patient("BN1")
    assert len(every(outcome, "Patient")) == 5


def test_a_merged_visit_is_a_part_of_the_one_that_goes_on() -> None:
    outcome = mapped("ADT^A42", PID, line("MRG", f1="BN1^^^01032^PI", f5="V9", f6="P9"), VISIT)
    visits = {f"Encounter/{one['id']}": one for one in every(outcome, "Encounter")}
    old = visits[encounter("V9")]
    assert old["status"] == "entered-in-error"
    assert old["partOf"] == {"reference": encounter("V1")}
    assert [number["value"] for number in old["identifier"]] == ["V9", "P9"]
    assert "class" in outcome.assumed[encounter("V9")]


def test_a_moved_visit_belongs_to_the_person_of_pid() -> None:
    mrg = line("MRG", f1="BN9^^^01032^PI", f5="V1")
    outcome = mapped(
        "ADT^A45", PID, mrg, VISIT, line("MRG", f1="BN9^^^01032^PI", f5="V2"), line("PV1", f2="I", f19="V2")
    )
    assert [one["subject"]["reference"] for one in every(outcome, "Encounter")] == [patient("BN1")] * 2
    assert [(change.kind, change.kept, change.other) for change in outcome.identity] == [
        ("move", patient("BN1"), encounter("V1")),
        ("move", patient("BN1"), encounter("V2")),
    ]
    assert f"Encounter/{outcome.encounter_id}" == encounter("V1")


def test_a_moved_account_belongs_to_the_person_of_pid() -> None:
    outcome = mapped("ADT^A44", NEW, line("MRG", f1="BN9^^^01032^PI", f3="TK1"))
    assert only(outcome, "Account")["subject"] == [{"reference": patient("BN1")}]
    assert [(change.kind, change.other) for change in outcome.identity] == [("move", account("TK1"))]


def test_a_number_that_stands_in_pid_and_mrg_goes_to_the_person_of_pid_2() -> None:
    pid = line("PID", f2="BN1^^^01032^PI", f3="BN9^^^01032^PI", f5="Nguyễn^Hoa")
    outcome = mapped("ADT^A43", pid, line("MRG", f1="BN9^^^01032^PI", f4="BN5^^^01032^PI"))
    assert list(outcome.identity) == [IdentityChange("move", patient("BN1"), patient("BN9"))]
    assert f"Patient/{outcome.patient_id}" == patient("BN1")
    people = {f"Patient/{one['id']}": one for one in every(outcome, "Patient")}
    assert [number["value"] for number in people[patient("BN9")]["identifier"]] == ["BN9"]
    assert people[patient("BN1")]["name"][0]["text"] == "Nguyễn Hoa"


@pytest.mark.parametrize("event", ["A46", "A47", "A48"])
def test_a_changed_number_of_a_record_that_stays_is_no_merge(event: str) -> None:
    pid = line("PID", f3="BN1^^^01032^PI", f4="G2^^^01032^XX", f5="Nguyễn^Hoa")
    outcome = mapped(f"ADT^{event}", pid, line("MRG", f1="BN1^^^01032^PI", f2="G1^^^01032^XX"))
    assert outcome.identity == ()
    assert [number["value"] for number in only(outcome, "Patient")["identifier"]] == ["BN1", "G2"]
    assert "MRG-2" in outcome.coverage.ignored


def test_link_and_unlink() -> None:
    other = line("PID", f3="BN9^^^01032^PI", f5="Nguyễn^Hoa")
    linked = mapped("ADT^A24", PID, other)
    assert list(linked.identity) == [IdentityChange("link", patient("BN1"), patient("BN9"))]
    assert {one["link"][0]["type"] for one in every(linked, "Patient")} == {"seealso"}
    parted = mapped("ADT^A37", PID, other)
    assert list(parted.identity) == [IdentityChange("unlink", patient("BN1"), patient("BN9"))]
    assert parted.cleared == {patient("BN1"): ("link",), patient("BN9"): ("link",)}


def test_two_people_swap_their_beds() -> None:
    other = line("PID", f3="BN2^^^01032^PI", f5="Lê^An")
    outcome = mapped(
        "ADT^A17",
        PID,
        line("PV1", f2="I", f3="B", f6="A", f19="V1"),
        other,
        line("PV1", f2="I", f3="A", f6="B", f19="V2"),
    )
    beds = {r["name"]: f"Location/{r['id']}" for r in every(outcome, "Location")}
    now = {
        one["subject"]["reference"]: [entry["location"]["reference"] for entry in one["location"]]
        for one in every(outcome, "Encounter")
    }
    assert now == {patient("BN1"): [beds["B"], beds["A"]], patient("BN2"): [beds["A"], beds["B"]]}
    assert f"Patient/{outcome.patient_id}" == patient("BN1")
    assert outcome.identity == ()


@pytest.mark.parametrize(
    ("event", "segments", "fault"),
    [
        ("A40", (PID,), MissingSegment),
        ("A40", (), MissingSegment),
        ("A40", (PID, "MRG|"), MissingField),
        ("A40", (PID, "MRG|BN1^^^01032^PI"), TwoPatients),
        ("A43", (PID, "MRG|BN1^^^01032^PI"), TwoPatients),
        ("A43", (PID, "MRG||||||V1"), MissingField),
        ("A24", (PID,), MissingSegment),
        ("A24", (PID, PID), TwoPatients),
        ("A35", (NEW, "MRG|BN1^^^01032^PI"), MissingField),
        ("A35", (PID, "MRG|BN1^^^01032^PI||TK9"), MissingField),
        ("A44", (PID, "MRG|BN9^^^01032^PI"), MissingField),
        ("A42", (PID, "MRG|BN1^^^01032^PI||||V9"), MissingField),
        ("A42", (PID, "MRG|BN1^^^01032^PI", VISIT), MissingField),
        ("A45", (PID, "MRG|BN9^^^01032^PI"), MissingField),
        ("A08", (PID, line("PID", f3="BN9^^^01032^PI")), TwoPatients),
    ],
)
def test_what_cannot_be_said(event: str, segments: tuple[str, ...], fault: type[Exception]) -> None:
    with pytest.raises(fault):
        mapped(f"ADT^{event}", *segments)


def test_a_move_that_does_not_say_whose_it_was() -> None:
    assert list(mapped("ADT^A45", PID, VISIT).identity) == [IdentityChange("move", patient("BN1"), encounter("V1"))]
    assert list(mapped("ADT^A44", NEW).identity) == [IdentityChange("move", patient("BN1"), account("TK1"))]


def test_a_move_without_the_new_number_takes_the_old_one() -> None:
    assert list(mapped("ADT^A44", PID, line("MRG", f1="BN9^^^01032^PI", f3="TK9")).identity) == [
        IdentityChange("move", patient("BN1"), account("TK9"))
    ]
    assert list(mapped("ADT^A45", PID, line("MRG", f1="BN9^^^01032^PI", f5="V9")).identity) == [
        IdentityChange("move", patient("BN1"), encounter("V9"))
    ]
