"""PPR, PGL, PPP, PPG: problems, goals, pathways, and what belongs to which."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.fhir import problems
from mappings.hl7v2.actions import ACTIONS
from mappings.hl7v2.faults import MissingSegment
from mappings.outcome import Outcome
from tests.unit.hl7v2.samples import PID, PV1, every, line, mapped, only

PRB = line("PRB", f1="AD", f2="20261101", f3="I10^Tăng huyết áp^I10", f4="VD1")
GOL = line("GOL", f1="AD", f3="HA^Huyết áp dưới 140/90", f4="MT1")
PTH = line("PTH", f1="AD", f2="THA^Phác đồ tăng huyết áp", f3="PD1")
ORDER = ("ORC|NW|P1", "OBR|1|P1||HA24^Holter huyết áp")

# action code → states of the problem (verification, clinical), of the goal, of the pathway
STATES = {
    "AD": ("", "active", "active", "active"),
    "CO": ("", "active", "active", "active"),
    "UP": ("", "active", "active", "active"),
    "UC": ("", "active", "active", "active"),
    "SP": ("", "active", "active", "active"),
    "LI": ("", "active", "active", "active"),
    "UN": ("", "active", "active", "active"),
    "DE": ("entered-in-error", "", "entered-in-error", "entered-in-error"),
    "ST": ("", "inactive", "cancelled", "revoked"),
}


def sound(outcome: Outcome) -> Outcome:
    assert [problems(resource) for resource in outcome.resources] == [[]] * len(outcome.resources)
    return outcome


def problem(**prb: str) -> dict[str, Any]:
    fields = {"f1": "AD", "f3": "I10^Tăng huyết áp^I10", "f4": "VD1", **prb}
    return only(sound(mapped("PPR^PC1", PID, line("PRB", **fields))), "Condition")


def code(concept: dict[str, Any] | None) -> str:
    return str(concept["coding"][0]["code"]) if concept else ""


def refers(resource: dict[str, Any]) -> dict[str, str]:
    return {"reference": f"{resource['resourceType']}/{resource['id']}"}


def test_the_table_of_actions_is_walked_whole() -> None:
    assert set(STATES) == set(ACTIONS)


@pytest.mark.parametrize("action", STATES)
def test_states_after_every_action(action: str) -> None:
    segments = [f"{line[:4]}{action}{line[6:]}" for line in (PRB, PTH, GOL)]
    outcome = sound(mapped("PPR^PC2", PID, *segments))
    condition = only(outcome, "Condition")
    verification, clinical, goal, pathway = STATES[action]
    assert code(condition.get("verificationStatus")) == verification
    assert code(condition.get("clinicalStatus")) == clinical
    assert only(outcome, "Goal")["lifecycleStatus"] == goal
    assert only(outcome, "CarePlan")["status"] == pathway


@pytest.mark.parametrize("event", ["PC1", "PC2", "PC3"])
def test_without_an_action_the_event_decides(event: str) -> None:
    condition = only(mapped(f"PPR^{event}", PID, line("PRB", f3="I10^THA^I10", f4="VD1")), "Condition")
    assert code(condition.get("verificationStatus")) == ("entered-in-error" if event == "PC3" else "")


@pytest.mark.parametrize(
    ("said", "resolved_on", "expected"),
    [
        ("", "", "active"),
        ("ACTIVE", "", "active"),
        ("remission^Remission", "", "remission"),
        ("Recurrence", "", "recurrence"),
        ("R^Resolved", "", "resolved"),
        ("", "20261103", "resolved"),
        ("ACTIVE", "20261103", "resolved"),
        ("Inactive", "20261103", "inactive"),
        ("INVALID", "", "active"),
    ],
)
def test_clinical_status(said: str, resolved_on: str, expected: str) -> None:
    found = problem(f14=said, f9=resolved_on)
    assert code(found["clinicalStatus"]) == expected
    assert found.get("abatementDateTime", "") == ("2026-11-03" if resolved_on else "")


@pytest.mark.parametrize(
    ("confirmed", "certain", "expected"),
    [
        ("confirmed", "", "confirmed"),
        ("P^Provisional", "", "provisional"),
        ("", "differential", "differential"),
        ("refuted", "confirmed", "refuted"),
        ("chắc", "", ""),
        ("entered in error", "", "entered-in-error"),
    ],
)
def test_verification_status(confirmed: str, certain: str, expected: str) -> None:
    found = problem(f13=confirmed, f19=certain)
    assert code(found.get("verificationStatus")) == expected
    assert ("clinicalStatus" in found) == (expected != "entered-in-error")


def test_a_word_for_a_state_that_nobody_knows_is_unknown() -> None:
    outcome = mapped("PPR^PC1", PID, line("PRB", f1="AD", f3="I10", f4="VD1", f14="INVALID"))
    assert "PRB-14" in outcome.coverage.unknown
    assert [notice.where for notice in outcome.notices] == ["PRB-14"]


def test_onset_is_a_date_or_words() -> None:
    assert problem(f17="từ năm ngoái")["onsetString"] == "từ năm ngoái"
    found = problem(f16="20251101", f17="từ năm ngoái")
    assert (found["onsetDateTime"], found["note"]) == ("2025-11-01", [{"text": "từ năm ngoái"}])


def test_what_else_a_problem_says() -> None:
    found = problem(f2="20261101", f7="20261030", f12="C^Mạn tính", f25="R^Hạn chế", f26="SE^Nặng")
    assert found["recordedDate"] == "2026-11-01"
    assert found["extension"][0]["valueDateTime"] == "2026-10-30"
    assert [kind.get("text") for kind in found["category"]] == [None, "Mạn tính"]
    assert found["meta"]["security"][0]["code"] == "R"
    assert found["severity"]["text"] == "Nặng"


def test_the_same_problem_and_goal_in_every_message() -> None:
    first, second = mapped("PPR^PC1", PID, PRB, GOL), mapped("PGL^PC7", PID, GOL, PRB, control_id="C2")
    for kind in ("Condition", "Goal"):
        assert only(first, kind)["id"] == only(second, kind)["id"]


def test_prognosis_is_a_clinical_impression() -> None:
    outcome = sound(mapped("PPR^PC1", PID, line("PRB", f1="AD", f3="I10", f4="VD1", f22="G^Tốt")))
    found = only(outcome, "ClinicalImpression")
    assert found["prognosisCodeableConcept"][0]["text"] == "Tốt"
    assert found["problem"] == [refers(only(outcome, "Condition"))]


@pytest.mark.parametrize(
    ("trigger", "segments"),
    [
        ("PPR^PC1", (PRB, PTH, GOL)),
        ("PGL^PC6", (GOL, PTH, PRB)),
        ("PPP^PCB", (PTH, PRB, GOL)),
        ("PTR^PCF", (PTH, PRB, GOL)),
        ("PPG^PCG", (PTH, GOL, PRB)),
    ],
)
def test_a_goal_addresses_its_problem_in_whatever_they_stand(trigger: str, segments: tuple[str, ...]) -> None:
    outcome = sound(mapped(trigger, PID, *segments))
    condition, goal, plan = (only(outcome, kind) for kind in ("Condition", "Goal", "CarePlan"))
    if trigger[:3] in ("PPR", "PPP", "PTR", "PPG"):
        assert goal["addresses"] == [refers(condition)]
    if trigger[:3] != "PGL":
        assert plan["addresses"] == [refers(condition)]
    assert plan["goal"] == [refers(goal)]


def test_each_goal_belongs_to_the_problem_before_it() -> None:
    other = (PRB.replace("VD1", "VD2").replace("I10^Tăng", "E11^Tăng"), GOL.replace("MT1", "MT2"))
    outcome = mapped("PPR^PC1", PID, PRB, GOL, *other)
    first, second = every(outcome, "Condition")
    assert [goal["addresses"] for goal in every(outcome, "Goal")] == [[refers(first)], [refers(second)]]


def test_a_goal_that_is_unlinked_stays_without_its_problem() -> None:
    assert "addresses" not in only(mapped("PPR^PC2", PID, PRB, GOL.replace("|AD|", "|UN|")), "Goal")


def test_results_comments_and_variances_belong_to_what_they_follow() -> None:
    outcome = sound(
        mapped(
            "PPR^PC1",
            PID,
            PV1,
            PRB,
            "NTE|1||theo dõi tại nhà",
            "VAR|V1|20261103|20261102|X1^Lê^Minh|TT^Tuân thủ|bỏ thuốc hai ngày",
            "OBX|1|NM|HATT^Huyết áp tâm thu||160|mmHg|||||F",
            "NTE|1||đo tay trái",
            GOL,
            "NTE|1||trong ba tháng",
            "OBX|1|NM|HATT^Huyết áp tâm thu||150|mmHg|||||F",
            "VAR|V2|20261103",
        )
    )
    condition, goal = only(outcome, "Condition"), only(outcome, "Goal")
    first, second = every(outcome, "Observation")
    assert condition["note"] == [{"text": "theo dõi tại nhà"}]
    assert condition["evidence"] == [{"detail": [refers(first)]}]
    assert first["note"] == [{"text": "đo tay trái"}]
    assert goal["note"] == [{"text": "trong ba tháng"}]
    assert goal["outcomeReference"] == [refers(second)]
    variances = every(outcome, "ClinicalImpression")
    assert variances[0]["problem"] == [refers(condition)]
    assert (variances[0]["summary"], variances[0]["effectiveDateTime"]) == ("bỏ thuốc hai ngày", "2026-11-02")
    assert variances[0]["assessor"]["display"] == "Lê Minh"
    assert variances[1]["supportingInfo"] == [refers(goal)]


def test_a_result_after_a_pathway_is_still_about_the_problem() -> None:
    outcome = sound(mapped("PPR^PC1", PID, PRB, PTH, "OBX|1|NM|HATT^Huyết áp tâm thu||160|mmHg|||||F"))
    assert only(outcome, "Condition")["evidence"] == [{"detail": [refers(only(outcome, "Observation"))]}]
    assert "supportingInfo" not in only(outcome, "CarePlan")


def test_roles_are_the_care_team_of_what_they_follow() -> None:
    roles = [f"ROL|{n}|AD|AT^Bác sĩ điều trị|X{n}^Lê^Minh" for n in (1, 2)]
    outcome = sound(mapped("PPR^PC1", PID, PRB, roles[0], PTH, roles[1], "ROL|3|DE|AT|X3^Vũ^An"))
    first, second = every(outcome, "CareTeam")
    assert first["reasonReference"] == [refers(only(outcome, "Condition"))]
    assert len(first["participant"]) == len(second["participant"]) == 1
    assert only(outcome, "CarePlan")["careTeam"] == [refers(second)]
    assert "ROL[3]-4" in outcome.coverage.ignored


def test_an_order_is_for_the_problem_and_an_activity_of_the_pathway() -> None:
    outcome = sound(mapped("PPR^PC1", PID, PRB, PTH, GOL, *ORDER, "OBX|1|NM|HA||1||||||F"))
    request = only(outcome, "ServiceRequest")
    assert request["reasonReference"] == [refers(only(outcome, "Condition"))]
    assert "evidence" not in only(outcome, "Condition")
    goal = sound(mapped("PGL^PC6", PID, GOL, PRB, *ORDER))
    assert only(goal, "ServiceRequest")["supportingInfo"] == [refers(only(goal, "Goal"))]
    plan = sound(mapped("PPP^PCB", PID, PTH, PRB, *ORDER))
    assert only(plan, "CarePlan")["activity"] == [{"reference": refers(only(plan, "ServiceRequest"))}]


def test_orders_of_two_problems_do_not_mix() -> None:
    second = ("ORC|NW|P2", "OBR|1|P2||DH^Đường huyết", "OBX|1|NM|DH||7.0||||||F")
    outcome = mapped("PPR^PC1", PID, PRB, *ORDER, PRB.replace("VD1", "VD2"), *second)
    first, other = every(outcome, "Condition")
    reasons = {r["identifier"][0]["value"]: r["reasonReference"] for r in every(outcome, "ServiceRequest")}
    assert reasons == {"P1": [refers(first)], "P2": [refers(other)]}


def test_the_time_of_a_state_ends_a_pathway_only_when_it_is_over() -> None:
    over = line("PTH", f1="UP", f3="PD1", f4="20261001", f5="Completed", f6="20261101")
    assert only(mapped("PPP^PCC", PID, over), "CarePlan")["period"] == {"start": "2026-10-01", "end": "2026-11-01"}
    going = over.replace("Completed", "Active")
    assert only(mapped("PPP^PCC", PID, going), "CarePlan")["period"] == {"start": "2026-10-01"}


def test_no_problem_message_without_a_problem() -> None:
    with pytest.raises(MissingSegment):
        mapped("PPR^PC1", PID)
    assert mapped("PRR^PC5", "MSA|AA|C1").resources == []
