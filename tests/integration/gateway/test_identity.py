"""Merge, link, unlink, move, and the way back from each, by what the record says afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.faults import IdentityInUse, NothingThere, NotPossibleNow
from gateway.records import identity, persons, resources
from gateway.records.content import owner
from gateway.records.resources import Said
from gateway.store import actions
from gateway.store import persons as rows
from gateway.store import resources as resource_rows
from mappings.outcome import IdentityChange, Resource
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, evn, message, pid, pv1
from tests.integration.gateway.test_records import again, result

WHO, WHY = "lan.nt", "hai thẻ của một người"


@pytest.fixture
def desk(tmp_path: Path, store_url: str, clock: HandClock) -> Iterator[Desk]:
    made = Desk(tmp_path / "site", store_url, clock, produce=())
    yield made
    made.store.close()


class Ward:
    """Three patients, each with a visit and a result, and hands to change who is who."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.messages = 0
        for n in "123":
            at = f"2026112108{n}000"
            desk.send(message("ADT^A01", f"a{n}", evn(), pid(f"BN{n}"), pv1(f"LK{n}"), at=at))
            order = result("F", f"{n}.50", order=f"XN{n}")
            desk.send(message("ORU^R01", f"o{n}", pid(f"BN{n}"), pv1(f"LK{n}"), *order, at=at, sender="LIS"))
        self.p1, self.p2, self.p3 = (desk.patient(f"BN{n}") for n in "123")
        self.v1, self.v2, self.v3 = (desk.visit(f"LK{n}") for n in "123")

    def change(self, *changes: tuple[str, str, str], again: str = "") -> str:
        """Let a message say these (kind, kept, other); return its id."""
        self.messages += 1
        id_ = again or self.desk.send(message("ZZZ^Z01", f"z{self.messages}", pid("BN9")))
        wanted = [IdentityChange(kind, kept, other) for kind, kept, other in changes]  # type: ignore[arg-type]

        def act(connection: Any, keyring: Any) -> None:
            _, pairs = identity.apply(connection, keyring, wanted, self.desk.clock.now(), message_id=id_)
            identity.settle(connection, keyring, pairs, self.desk.clock.now())

        self.desk.write(act)
        return id_

    def undo(self, what: str) -> None:
        self.desk.write(identity.undo, what, WHO, WHY, self.desk.clock.now())

    def save(self, *said: Resource, of: str = "") -> None:
        self.messages += 1
        id_ = of or self.desk.send(message("ZZZ^Z01", f"z{self.messages}", pid("BN9")))
        self.desk.write(resources.save, said, Said(id_, "ADT", "HIS", 0, None), self.desk.clock.now())

    def whose(self) -> dict[str, str]:
        """Say of every result (by its value's first digit) and visit whose record it is in: its number."""
        found = {}
        numbers = {self.p1: "1", self.p2: "2", self.p3: "3"}
        for patient, number in numbers.items():
            id_ = patient.partition("/")[2]
            for row in self.desk.store.read_now(lambda c, i=id_: resource_rows.of_patients(c, [i])):  # type: ignore[misc]
                resource = self.desk.get(f"{row.type}/{row.id}")
                assert owner(resource, row.patient_id) == id_, resource
                if row.type == "Observation":
                    found[str(resource["valueQuantity"]["value"])[0]] = number
                if row.type == "Encounter":
                    found[{self.v1: "v1", self.v2: "v2", self.v3: "v3"}[f"Encounter/{row.id}"]] = number
        return found

    def survivor(self, patient: str) -> str:
        id_ = patient.partition("/")[2]
        return "Patient/" + self.desk.store.read_now(lambda c: persons.resolve(c, id_))

    def links(self, patient: str) -> set[tuple[str, str]]:
        return {(link["type"], link["other"]["reference"]) for link in self.desk.get(patient).get("link", ())}


OWN = {"1": "1", "2": "2", "3": "3", "v1": "1", "v2": "2", "v3": "3"}


@pytest.fixture
def ward(desk: Desk) -> Ward:
    made = Ward(desk)
    assert made.whose() == OWN
    return made


def test_a_merge_and_its_undoing(ward: Ward) -> None:
    id_ = ward.change(("merge", ward.p1, ward.p2))
    assert ward.survivor(ward.p2) == ward.p1
    assert len(ward.desk.of(ward.p2, "Observation")) == 2
    assert ward.links(ward.p1) == {("replaces", ward.p2)}
    assert ward.links(ward.p2) == {("replaced-by", ward.p1)}
    assert ward.desk.get(ward.p2)["active"] is False
    ward.undo(id_)
    assert ward.survivor(ward.p2) == ward.p2
    assert len(ward.desk.of(ward.p2, "Observation")) == 1
    assert ward.links(ward.p1) == ward.links(ward.p2) == set()
    assert ward.desk.get(ward.p2)["active"] is True
    assert [c.ended_by for c in ward.desk.store.read_now(lambda c: rows.changes_of(c, id_))] != [None]
    (act,) = ward.desk.store.read_now(lambda c: actions.of_target(c, id_))
    assert (act.actor, act.verb, act.reason) == (WHO, "undo", WHY)
    with pytest.raises(NotPossibleNow):
        ward.undo(id_)


def test_a_real_a40_is_undone_and_stays_undone_when_it_is_mapped_again(ward: Ward) -> None:
    id_ = ward.desk.send(message("ADT^A40", "m1", evn(), pid("BN1"), "MRG|BN2^^^01999^PI", at="20261121120000"))
    assert ward.survivor(ward.p2) == ward.p1
    ward.undo(id_)
    again(ward.desk, id_)
    assert ward.survivor(ward.p2) == ward.p2
    assert ward.links(ward.p2) == set()
    assert ward.desk.get(ward.p2)["active"] is True


def test_the_second_merge_keeps_the_first_in_mind(ward: Ward) -> None:
    ward.desk.send(message("ADT^A40", "m1", evn(), pid("BN1"), "MRG|BN2^^^01999^PI", at="20261121120000"))
    ward.desk.send(message("ADT^A40", "m2", evn(), pid("BN1"), "MRG|BN3^^^01999^PI", at="20261121120100"))
    assert ward.links(ward.p1) == {("replaces", ward.p2), ("replaces", ward.p3)}
    assert len(ward.desk.of(ward.p3, "Observation")) == 3


def test_what_a_later_merge_builds_on_is_not_undone(ward: Ward) -> None:
    first = ward.change(("merge", ward.p1, ward.p2))
    second = ward.change(("merge", ward.p3, ward.p1))
    with pytest.raises(IdentityInUse) as refused:
        ward.undo(first)
    assert second in refused.value.detail
    assert ward.survivor(ward.p2) == ward.p3
    ward.undo(second)
    ward.undo(first)
    assert [ward.survivor(p) for p in (ward.p1, ward.p2, ward.p3)] == [ward.p1, ward.p2, ward.p3]


def test_a_merge_that_closes_a_circle_turns_the_older_one_round_and_back(ward: Ward) -> None:
    ward.change(("merge", ward.p1, ward.p2))
    back = ward.change(("merge", ward.p2, ward.p1))
    assert [ward.survivor(p) for p in (ward.p1, ward.p2)] == [ward.p2, ward.p2]
    assert ward.links(ward.p2) == {("replaces", ward.p1)}
    assert ward.desk.get(ward.p2)["active"] is True
    ward.undo(back)
    assert [ward.survivor(p) for p in (ward.p1, ward.p2)] == [ward.p1, ward.p1]
    assert ward.links(ward.p2) == {("replaced-by", ward.p1)}


def test_a_link_leaves_both_records_alone(ward: Ward) -> None:
    ward.change(("link", ward.p1, ward.p2))
    assert ward.links(ward.p1) == {("seealso", ward.p2)}
    assert ward.links(ward.p2) == {("seealso", ward.p1)}
    assert ward.survivor(ward.p2) == ward.p2
    assert ward.whose() == OWN
    unlinked = ward.change(("unlink", ward.p2, ward.p1))
    assert ward.links(ward.p1) == ward.links(ward.p2) == set()
    ward.undo(unlinked)
    assert ward.links(ward.p2) == {("seealso", ward.p1)}


def test_an_unlink_that_names_merged_ones_ends_the_merge(ward: Ward) -> None:
    ward.change(("merge", ward.p1, ward.p2))
    unlinked = ward.change(("unlink", ward.p1, ward.p2))
    assert ward.survivor(ward.p2) == ward.p2
    assert ward.links(ward.p1) == set()
    ward.undo(unlinked)
    assert ward.survivor(ward.p2) == ward.p1
    assert ward.links(ward.p2) == {("replaced-by", ward.p1)}


def test_a_visit_moves_with_all_that_hangs_on_it_and_back(ward: Ward) -> None:
    id_ = ward.change(("move", ward.p1, ward.v2))
    assert ward.whose() == OWN | {"2": "1", "v2": "1"}
    versions = ward.desk.version(ward.v2)
    ward.undo(id_)
    assert ward.whose() == OWN
    assert ward.desk.version(ward.v2) == versions + 1, "the way back is a version too"


def test_a_sender_that_does_not_know_of_a_move_is_understood(ward: Ward) -> None:
    id_ = ward.change(("move", ward.p1, ward.v2))
    order = result("C", "2.90", order="XN2")
    late = message("ORU^R01", "o9", pid("BN2"), pv1("LK2"), *order, at="20261121130000", sender="LIS")
    ward.desk.send(late)
    assert ward.whose() == OWN | {"2": "1", "v2": "1"}
    ward.undo(id_)
    assert ward.whose() == OWN


def test_a_move_is_not_undone_under_a_later_one(ward: Ward) -> None:
    first = ward.change(("move", ward.p1, ward.v2))
    second = ward.change(("move", ward.p3, ward.v2))
    assert ward.whose() == OWN | {"2": "3", "v2": "3"}
    with pytest.raises(IdentityInUse):
        ward.undo(first)
    ward.undo(second)
    ward.undo(first)
    assert ward.whose() == OWN


def test_an_account_moves_with_its_visit(ward: Ward) -> None:
    account = "Account/" + "a" * 32
    visit = ward.desk.get(ward.v2) | {"account": [{"reference": account}]}
    told = {"resourceType": "Account", "id": "a" * 32, "status": "active", "subject": [{"reference": ward.p2}]}
    ward.save(told, visit)
    id_ = ward.change(("move", ward.p1, account))
    assert ward.desk.get(account)["subject"] == [{"reference": ward.p1}]
    assert ward.whose() == OWN | {"2": "1", "v2": "1"}
    ward.undo(id_)
    assert ward.desk.get(account)["subject"] == [{"reference": ward.p2}]
    assert ward.whose() == OWN


def test_a_moved_number_leads_to_the_kept_person(ward: Ward) -> None:
    id_ = ward.change(("move", ward.p1, ward.p2))
    assert ward.survivor(ward.p2) == ward.p1
    ward.undo(id_)
    assert ward.survivor(ward.p2) == ward.p2


def visits(ward: Ward, patient: str) -> dict[str, str]:
    found = ward.desk.of(patient, "Observation")
    return {str(one["valueQuantity"]["value"])[0]: one["encounter"]["reference"] for one in found}


def test_merged_visits_are_one_and_part_again(ward: Ward) -> None:
    ward.change(("move", ward.p1, ward.v2))
    id_ = ward.change(("merge", ward.v1, ward.v2))
    assert visits(ward, ward.p1) == {"1": ward.v1, "2": ward.v1}
    order = result("F", "9.10", order="XN9")
    late = message("ORU^R01", "o9", pid("BN1"), pv1("LK2"), *order, at="20261121130000", sender="LIS")
    ward.desk.send(late)
    assert visits(ward, ward.p1) == {"1": ward.v1, "2": ward.v1, "9": ward.v1}
    ward.undo(id_)
    assert visits(ward, ward.p1) == {"1": ward.v1, "2": ward.v2, "9": ward.v2}


def test_merged_visits_of_two_patients(ward: Ward) -> None:
    id_ = ward.change(("merge", ward.v1, ward.v2))
    assert visits(ward, ward.p1) == {"1": ward.v1, "2": ward.v1}
    ward.undo(id_)
    assert ward.whose() == OWN
    assert visits(ward, ward.p2) == {"2": ward.v2}


def test_what_the_merge_said_of_the_replaced_visit_is_taken_back(ward: Ward) -> None:
    before = ward.desk.get(ward.v2)
    id_ = ward.change(("merge", ward.v1, ward.v2))
    replaced = {
        "resourceType": "Encounter",
        "id": before["id"],
        "status": "entered-in-error",
        "class": before["class"],
        "subject": {"reference": ward.p1},
        "partOf": {"reference": ward.v1},
        "meta": {"source": f"urn:uuid:{id_}"},
    }
    ward.save(replaced, of=id_)
    assert ward.whose()["v2"] == "1"
    ward.undo(id_)
    after = ward.desk.get(ward.v2)
    assert {name: after.get(name) for name in before} == before | {"meta": after["meta"]}
    assert "partOf" not in after
    assert ward.whose() == OWN
    assert visits(ward, ward.p2) == {"2": ward.v2}


def test_a_message_that_said_several_things_is_undone_as_a_whole(ward: Ward) -> None:
    id_ = ward.change(("merge", ward.p1, ward.p2), ("move", ward.p1, ward.v3), ("link", ward.p1, ward.p3))
    assert ward.whose()["v3"] == "1"
    ward.undo(id_)
    assert ward.whose() == OWN
    assert [ward.links(p) for p in (ward.p1, ward.p2, ward.p3)] == [set(), set(), set()]


ACCOUNT = {"more": "||||||||||TK2^^^01999^AN"}
MESSAGES: dict[str, tuple[tuple[str, ...], list[tuple[str, str, str]], dict[str, str]]] = {
    "A24": ((pid("BN1"), pid("BN2")), [("link", "P1", "P2")], {}),
    "A37": ((pid("BN1"), pid("BN2")), [("unlink", "P1", "P2")], {}),
    "A40": ((pid("BN1"), "MRG|BN2^^^01999^PI"), [("merge", "P1", "P2")], {}),
    "A42": ((pid("BN1"), "MRG|BN1^^^01999^PI||||LK2^^^01999^VN", pv1("LK1")), [("merge", "V1", "V2")], {"2": "1"}),
    "A43": ((pid("BN1"), "MRG|BN2^^^01999^PI"), [("move", "P1", "P2")], {}),
    "A44": ((pid("BN1", **ACCOUNT), "MRG|BN2^^^01999^PI||TK2^^^01999^AN"), [("move", "P1", "Account")], {}),
    "A45": (
        (pid("BN1"), "MRG|BN2^^^01999^PI||||LK2^^^01999^VN", pv1("LK2")),
        [("move", "P1", "V2")],
        {"2": "1", "v2": "1"},
    ),
}
"""Event → what is sent, the changes it brings, and what is in another record afterwards."""


@pytest.mark.parametrize("event", MESSAGES)
def test_a_message_and_its_undoing(ward: Ward, event: str) -> None:
    segments, changes, moved = MESSAGES[event]
    names = {ward.p1: "P1", ward.p2: "P2", ward.v1: "V1", ward.v2: "V2"}
    before = {reference: ward.desk.get(reference) for reference in names}
    id_ = ward.desk.send(message(f"ADT^{event}", "x1", evn(), *segments, at="20261121120000"))
    made = ward.desk.store.read_now(lambda c: rows.changes_of(c, id_))
    assert [(c.kind, names[c.kept], names.get(c.other, c.other.partition("/")[0])) for c in made] == changes
    whose = ward.whose()
    assert {name: whose[name] for name in moved} == moved
    ward.undo(id_)
    assert ward.whose() == OWN
    for reference, was in before.items():
        now = ward.desk.get(reference)
        assert {n: v for n, v in now.items() if n not in ("meta", "active")} == {
            n: v for n, v in was.items() if n != "meta"
        }
        assert now.get("active", True)


def test_an_unlink_leaves_the_links_to_others(ward: Ward) -> None:
    ward.change(("link", ward.p1, ward.p2), ("link", ward.p1, ward.p3))
    id_ = ward.change(("unlink", ward.p1, ward.p2))
    patient = {"resourceType": "Patient", "id": ward.p1.partition("/")[2], "gender": "female"}
    said = Said(id_, "ADT", "HIS", cleared={ward.p1: ("link", "birthDate")})
    ward.desk.write(resources.save, [patient], said, ward.desk.clock.now())
    assert ward.links(ward.p1) == {("seealso", ward.p3)}
    assert "birthDate" not in ward.desk.get(ward.p1)


def test_a_message_mapped_again_changes_nothing_twice(ward: Ward) -> None:
    changes = (("merge", ward.p1, ward.p2), ("move", ward.p1, ward.v3))
    id_ = ward.change(*changes)
    ward.change(*changes, again=id_)
    assert len(ward.desk.store.read_now(lambda c: rows.changes_of(c, id_))) == 2


def test_a_person_merges_and_undoes(ward: Ward) -> None:
    kept, other = (reference.partition("/")[2] for reference in (ward.p1, ward.p2))
    now = ward.desk.clock.now()
    id_ = ward.desk.write(identity.merge, kept, other, WHO, WHY, now)
    assert ward.survivor(ward.p2) == ward.p1
    assert ward.links(ward.p2) == {("replaced-by", ward.p1)}
    (act,) = ward.desk.store.read_now(lambda c: actions.of_target(c, id_))
    assert (act.actor, act.verb, act.reason, act.at) == (WHO, "merge", WHY, now)
    with pytest.raises(NotPossibleNow):
        ward.desk.write(identity.merge, other, kept, WHO, WHY, now)
    with pytest.raises(NothingThere):
        ward.desk.write(identity.merge, kept, "nobody", WHO, WHY, now)
    ward.undo(id_)
    assert ward.survivor(ward.p2) == ward.p2
    with pytest.raises(NothingThere):
        ward.undo("nothing")
