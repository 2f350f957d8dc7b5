"""What an ADT event does to visit and person: every cell of the table, and undoing what another event did."""

from __future__ import annotations

from typing import Any

import pytest

from mappings import codes
from mappings.hl7v2 import events
from mappings.hl7v2.events import ASSIGNED, EFFECTS, PENDING, PLACES, PRIOR, PRIOR_TEMPORARY, TEMPORARY
from mappings.hl7v2.messages.adt_identity import CHANGES
from mappings.outcome import Outcome
from tests.unit.hl7v2.samples import PID, line, mapped, only

WHERE = {ASSIGNED: "A", PRIOR: "B", TEMPORARY: "C", PENDING: "D", PRIOR_TEMPORARY: "E"}
EVN = "EVN||20261105101500||||20261105100000"
AT = "2026-11-05T10:00:00+07:00"


def visit(event: str, *more: str, **fields: str) -> tuple[dict[str, Any], Outcome]:
    pv1 = line("PV1", **{"f2": "I", "f19": "V1", **fields})
    outcome = mapped(f"ADT^{event}", EVN, PID, pv1, *more)
    return only(outcome, "Encounter"), outcome


def stays(outcome: Outcome) -> dict[str, dict[str, Any]]:
    """Give the entries of Encounter.location by the name of the place."""
    places = {f"Location/{r['id']}": r["name"] for r in outcome.resources if r["resourceType"] == "Location"}
    listed = only(outcome, "Encounter").get("location", [])
    return {places[entry["location"]["reference"]]: entry for entry in listed}


STATUS = {
    "A01": "in-progress",
    "A02": "in-progress",
    "A03": "finished",
    "A04": "planned",
    "A05": "planned",
    "A06": "in-progress",
    "A07": "in-progress",
    "A09": "in-progress",
    "A10": "in-progress",
    "A11": "cancelled",
    "A12": "in-progress",
    "A13": "in-progress",
    "A14": "planned",
    "A15": "in-progress",
    "A16": "in-progress",
    "A17": "in-progress",
    "A21": "onleave",
    "A22": "in-progress",
    "A23": "entered-in-error",
    "A25": "in-progress",
    "A26": "in-progress",
    "A27": "cancelled",
    "A38": "cancelled",
    "A52": "in-progress",
    "A53": "onleave",
    "A54": "in-progress",
    "A55": "in-progress",
}


@pytest.mark.parametrize("event", sorted(EFFECTS))
def test_status(event: str) -> None:
    encounter, outcome = visit(event)
    told = STATUS.get(event)
    assert encounter["status"] == (told or "in-progress")
    assumed = outcome.assumed.get(f"Encounter/{encounter['id']}", ())
    assert ("status" in assumed) == (told is None)


@pytest.mark.parametrize(
    ("event", "fields", "status"),
    [
        ("A04", {"f44": "20261103080000"}, "in-progress"),
        ("A04", {"f44": "20261104080000"}, "planned"),
        ("A01", {"f2": "P"}, "planned"),
        ("A08", {"f2": "P"}, "planned"),
        ("A08", {"f45": "20261103"}, "finished"),
        ("A01", {"f45": "20261103"}, "finished"),
        ("A05", {"f45": "20261103"}, "finished"),
        ("A11", {"f45": "20261103"}, "cancelled"),
        ("A13", {"f45": "20261103"}, "in-progress"),
        ("A23", {"f45": "20261103"}, "entered-in-error"),
    ],
)
def test_status_with_class_and_dates(event: str, fields: dict[str, str], status: str) -> None:
    assert visit(event, **fields)[0]["status"] == status


def test_an_update_only_guesses_the_status_and_a_result_knows_nothing() -> None:
    encounter, outcome = visit("A08")
    assert outcome.assumed == {f"Encounter/{encounter['id']}": ("status",)}
    told = mapped("ORU^R01", PID, line("PV1", f2="I", f19="V1"), "OBR|1||F1|T", "OBX|1|ST|A||x")
    assert only(told, "Encounter")["status"] == "unknown"
    assert told.assumed == {f"Encounter/{encounter['id']}": ("status",)}


@pytest.mark.parametrize("event", sorted(EFFECTS))
@pytest.mark.parametrize("field", sorted(PLACES))
def test_places(event: str, field: int) -> None:
    _, outcome = visit(event, **{f"f{field}": WHERE[field]})
    expected = EFFECTS[event].places.get(field, PLACES[field])
    if expected == "active" and STATUS.get(event) == "planned":
        expected = "planned"
    found = stays(outcome).get(WHERE[field], {})
    assert found.get("status", "") == expected
    where = outcome.coverage.mapped if expected else outcome.coverage.ignored
    assert f"PV1-{field}" in where


@pytest.mark.parametrize("event", sorted(EFFECTS))
def test_times_of_a_move(event: str) -> None:
    _, outcome = visit(event, f3="A", f6="B")
    found = stays(outcome)
    moved = EFFECTS[event].moved
    assert found.get("A", {}).get("period") == ({"start": AT} if moved else None)
    assert found.get("B", {}).get("period") == ({"end": AT} if moved else None)


def test_who_arrives_at_a_temporary_place_keeps_the_bed() -> None:
    found = stays(visit("A10", f3="A", f11="C")[1])
    assert "period" not in found["A"]
    assert found["C"]["period"] == {"start": AT}


@pytest.mark.parametrize("event", sorted(EFFECTS))
def test_what_is_cleared(event: str) -> None:
    encounter, outcome = visit(event)
    assert outcome.cleared.get(f"Encounter/{encounter['id']}", ()) == EFFECTS[event].clears


@pytest.mark.parametrize("event", sorted(EFFECTS))
def test_fields_that_only_repeat_what_is_undone(event: str) -> None:
    times = {8: "20261110", 9: "20261115"}
    for name, n in EFFECTS[event].undone:
        value = times.get(n, "20261108") if name == "PV2" or n == 45 else "X"
        if name == "PV1":
            _, outcome = visit(event, **{f"f{n}": value})
        else:
            _, outcome = visit(event, line("PV2", **{f"f{n}": value}))
        assert f"{name}-{n}" in outcome.coverage.ignored, (name, n)


@pytest.mark.parametrize("event", sorted(EFFECTS))
def test_class_history(event: str) -> None:
    before = EFFECTS[event].was
    history = visit(event, f2="I")[0].get("classHistory", [])
    assert [entry["class"]["code"] for entry in history] == ([before, "IMP"] if before else [])
    assert [entry["period"] for entry in history] == ([{"end": AT}, {"start": AT}] if before else [])


@pytest.mark.parametrize("event", sorted(EFFECTS))
def test_active(event: str) -> None:
    assert only(visit(event)[1], "Patient").get("active") is EFFECTS[event].active


def test_every_event_has_a_row_and_every_row_a_status_or_none() -> None:
    table = codes.table("v2-0003-encounter")
    assert all(event in table for event in (*EFFECTS, *CHANGES, "A24", "A37"))
    assert {event for event in EFFECTS if table.target(event)} == set(STATUS)
    assert not EFFECTS.keys() & CHANGES.keys()
    assert events.effect_of("ORU^R01") == events.Effect()


# ---- undoing: what the first event built, the second makes right ----


def overlaid(*outcomes: Outcome) -> dict[str, Any]:
    """Lay the Encounter of each message over the one before, as the record does."""
    record: dict[str, Any] = {}
    for outcome in outcomes:
        encounter = only(outcome, "Encounter")
        for name, value in encounter.items():
            before = record.get(name)
            record[name] = before | value if isinstance(before, dict) and isinstance(value, dict) else value
        for path in outcome.cleared.get(f"Encounter/{encounter['id']}", ()):
            _remove(record, path)
    return record


def _remove(record: dict[str, Any], path: str) -> None:
    name, _, rest = path.partition(".")
    if name.startswith("extension("):
        url = path[len("extension(") : -1]
        record["extension"] = [one for one in record.get("extension", []) if not one["url"].endswith(url)]
    elif rest:
        record.get(name, {}).pop(rest, None)
    else:
        record.pop(name, None)


def test_a_cancelled_discharge_leaves_no_trace_of_the_discharge() -> None:
    _, admitted = visit("A01", f3="A", f44="20261103080000")
    _, left = visit("A03", f3="A", f36="1", f37="01249", f44="20261103080000", f45="20261108100000")
    _, back = visit("A13", f3="A", f36="1", f37="01249", f44="20261103080000", f45="20261108100000")
    gone = overlaid(admitted, left)
    assert gone["status"] == "finished"
    assert gone["period"]["end"]
    assert gone["hospitalization"].keys() == {"dischargeDisposition", "destination"}
    record = overlaid(admitted, left, back)
    assert record["status"] == "in-progress"
    assert record["period"] == {"start": "2026-11-03T08:00:00+07:00"}
    assert record["hospitalization"] == {}
    assert [entry["status"] for entry in record["location"]] == ["active"]


def test_a_cancelled_transfer_is_back_in_the_old_bed() -> None:
    _, admitted = visit("A01", f3="A")
    _, moved = visit("A02", f3="B", f6="A")
    _, back = visit("A12", f3="A", f6="B")
    assert len(overlaid(admitted, moved)["location"]) == 2
    assert overlaid(admitted, moved, back)["location"] == overlaid(admitted)["location"]


@pytest.mark.parametrize(("plan", "undone", "n"), [("A16", "A25", 9), ("A14", "A27", 8), ("A05", "A38", 8)])
def test_a_cancelled_plan(plan: str, undone: str, n: int) -> None:
    pv2 = line("PV2", **{f"f{n}": "20261110080000"})
    _, planned = visit(plan, pv2, f3="A")
    _, cancelled = visit(undone, pv2, f3="A")
    assert overlaid(planned)["extension"]
    assert overlaid(planned, cancelled)["extension"] == []


def test_a_leave_and_back_and_its_undoing() -> None:
    steps = [visit(event)[1] for event in ("A21", "A22", "A53", "A52")]
    assert [only(step, "Encounter")["status"] for step in steps] == ["onleave", "in-progress", "onleave", "in-progress"]


def test_a_deleted_person_is_active_again_when_added_again() -> None:
    assert only(mapped("ADT^A29", PID), "Patient")["active"] is False
    assert only(mapped("ADT^A28", PID), "Patient")["active"] is True


# ---- null and empty ----


@pytest.mark.parametrize(
    ("segment", "n", "kind", "path"),
    [
        ("PID", 5, "Patient", "name"),
        ("PID", 7, "Patient", "birthDate"),
        ("PID", 11, "Patient", "address"),
        ("PID", 26, "Patient", "extension(patient-citizenship)"),
        ("PD1", 4, "Patient", "generalPractitioner"),
        ("PV1", 3, "Encounter", "location.location"),
        ("PV1", 10, "Encounter", "serviceType"),
        ("PV1", 36, "Encounter", "hospitalization.dischargeDisposition"),
        ("PV2", 3, "Encounter", "reasonCode"),
        ("NK1", 5, "RelatedPerson", "telecom"),
        ("IN1", 13, "Coverage", "period.end"),
    ],
)
def test_null_deletes_and_empty_leaves(segment: str, n: int, kind: str, path: str) -> None:
    said = {
        "PID": {"f3": "BN1^^^01032^PI"},
        "PD1": {"f1": "S"},
        "PV1": {"f2": "I", "f19": "V1"},
        "PV2": {"f25": "1"},
        "NK1": {"f2": "Trần^Bình", "f3": "MTH"},
        "IN1": {"f2": "BHYT", "f36": "DN4010123456789"},
    }
    for value, cleared in (('""', True), ("", False)):
        lines = [
            line(name, **(fields | ({f"f{n}": value} if name == segment else {}))) for name, fields in said.items()
        ]
        outcome = mapped("ADT^A08", *lines)
        reference = f"{kind}/{only(outcome, kind)['id']}"
        assert (path in outcome.cleared.get(reference, ())) == cleared
