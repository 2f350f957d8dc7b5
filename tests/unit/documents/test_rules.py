"""Which paper is due when: the table, and how its conditions are read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mappings import documents
from mappings.bhyt.tables import NAMES
from mappings.dicom.study import TRIGGER
from mappings.documents import form, rules
from mappings.documents.rules import Due
from mappings.hl7v2 import mappers
from mappings.lab.astm import RESULT
from mappings.outcome import Resource
from tests.unit.documents.reading import cells
from tests.unit.documents.samples import CONTEXT, sample
from tests.unit.documents.test_compose import find


@pytest.fixture(autouse=True)
def _own_rules() -> Iterator[None]:
    yield
    rules.forget()
    form.forget()


def visit(klass: str = "IMP", disposition: str = "", place: str = "") -> list[Resource]:
    encounter: Resource = {"resourceType": "Encounter", "id": "v1", "period": {"end": "2026-11-05T10:00:00+07:00"}}
    found = [encounter]
    if klass:
        encounter["class"] = {"code": klass}
    if disposition:
        encounter["hospitalization"] = {"dischargeDisposition": {"coding": [{"code": disposition}]}}
    if place:
        encounter["location"] = [{"location": {"reference": "Location/bed"}}]
        found += [
            {"resourceType": "Location", "id": "bed", "name": "G1", "partOf": {"reference": "Location/ward"}},
            {"resourceType": "Location", "id": "ward", "identifier": [{"value": place}]},
        ]
    return found


def asked(trigger: str, resources: list[Resource], subjects: tuple[str, ...] = ("Encounter/v1",)) -> list[Due]:
    return list(rules.asked("x", trigger, resources, subjects))


RULE = '[[rule]]\npaper = "x"\nsubject = "Encounter"\non = ["ADT^A03", "MDM"]\n'


def test_every_paper_has_a_rule_and_every_rule_a_paper() -> None:
    assert {one for one in documents.DOCUMENTS if rules.rules(one)} == set(documents.DOCUMENTS) == set(rules._usual())


@pytest.mark.parametrize("paper", documents.DOCUMENTS)
def test_rules_speak_of_messages_there_are(paper: str) -> None:
    known = (
        {name.partition("^")[0] for name in mappers()}
        | set(mappers())
        | {f"GDBHYT^{name}" for name in NAMES}
        | {TRIGGER, RESULT}
    )
    assert any(rule.on for rule in rules.rules(paper))
    for rule in rules.rules(paper):
        assert rule.source
        for event in (*rule.on, *rule.renew, *rule.cancel):
            assert event in known or event.partition("^")[0] in known, event


CONDITIONS = {"class": ("IMP", "AMB"), "disposition": ("1", "4"), "department": ("K1", "K2")}


@pytest.mark.parametrize(("name", "said"), [(n, s) for n, pair in CONDITIONS.items() for s in (*pair, "")])
def test_a_condition_holds_when_it_is_met_or_nothing_is_said(name: str, said: str) -> None:
    rules.replace(f'{RULE}{name} = ["{CONDITIONS[name][0]}"]\n')
    told = {"class": "klass", "disposition": "disposition", "department": "place"}[name]
    found = asked("ADT^A03", visit(**{"klass": "", told: said}))
    assert bool(found) == (said != CONDITIONS[name][1])


@pytest.mark.parametrize(
    ("trigger", "acts"),
    [("ADT^A03", ["make"]), ("MDM^T02", ["make"]), ("ADT^A08", ["renew"]), ("ADT^A13", ["cancel"]), ("ADT^A01", [])],
)
def test_an_event_asks_for_what_the_rule_says(trigger: str, acts: list[str]) -> None:
    rules.replace(f'{RULE}renew = ["ADT^A08"]\ncancel = ["ADT^A13"]\n')
    assert [one.act for one in asked(trigger, visit())] == acts


def test_a_state_withdraws_whatever_the_event() -> None:
    rules.replace(f'{RULE}cancel_status = ["cancelled"]\n')
    (encounter,) = visit()
    assert [one.act for one in asked("ADT^A01", [{**encounter, "status": "cancelled"}])] == ["cancel"]
    assert asked("ADT^A01", [{**encounter, "status": "finished"}]) == []


def test_the_time_to_sign_is_shorter_in_an_emergency_and_counts_from_what_the_rule_names() -> None:
    rules.replace(f'{RULE}within = "36h"\nwithin_emergency = "90m"\nsince = "period.end"\n')
    (calm,) = asked("ADT^A03", visit())
    (urgent,) = asked("ADT^A03", visit("EMER"))
    assert (calm.within, urgent.within) == (36 * 3600, 90 * 60)
    assert calm.since == "2026-11-05T10:00:00+07:00"
    (encounter,) = visit()
    del encounter["period"]
    assert asked("ADT^A03", [encounter])[0].since == ""


@pytest.mark.parametrize(
    "wrong",
    [
        '[[rule]]\npaper = "x"\n',
        f'{RULE}when = "now"\n',
        f'{RULE}within = "soon"\n',
        f'{RULE}renew = ["adt a08"]\n',
        "not = [toml",
    ],
)
def test_a_wrong_table_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        rules.replace(wrong)


def test_a_site_replaces_the_rules_of_a_paper_and_no_others() -> None:
    usual = rules.rules("referral")
    rules.replace('[[rule]]\npaper = "discharge_paper"\nsubject = "Encounter"\non = ["ADT^A08"]\n')
    assert documents.due("discharge_paper", "ADT^A03", visit()) == []
    assert documents.due("discharge_paper", "ADT^A08", visit()) == ["Encounter/v1"]
    assert rules.rules("referral") == usual


# ---- rows a site adds to a form ----

OWN = '[[row]]\npaper = "discharge_paper"\nlabel = "Điện thoại khoa:"\nkey = "DIEN_THOAI_KHOA"\n'


def test_a_site_adds_a_row_and_drops_none() -> None:
    subject, record = sample("discharge_paper")
    before = cells(documents.compose("discharge_paper", subject, record, CONTEXT))
    form.add_own_rows(OWN)
    told = find(record, "Observation/f-pp-dieutri-dt1")
    told = {**told, "id": "own", "code": {"coding": [{**told["code"]["coding"][0], "code": "DIEN_THOAI_KHOA"}]}}
    record.append({**told, "valueString": "024 1111 2222"})
    bundle = documents.compose("discharge_paper", subject, record, CONTEXT)
    assert cells(bundle) == {**before, "DIEN_THOAI_KHOA": "024 1111 2222"}
    assert "Observation/own" in {
        e["reference"] for s in bundle["entry"][0]["resource"]["section"] for e in s.get("entry", [])
    }


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ('paper = "discharge_paper"', 'paper = "no_paper"'),
        ('paper = "discharge_paper"', ""),
        ('key = "DIEN_THOAI_KHOA"', 'key = "dien thoai"'),
        ('key = "DIEN_THOAI_KHOA"', 'key = "HO_TEN"'),
    ],
)
def test_a_wrong_row_is_refused(part: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        form.add_own_rows(OWN.replace(part, wrong))


def test_a_rule_may_name_papers_after_which_it_is_not_due() -> None:
    """Whether one of them was made is not known here; what is renewed or withdrawn was made anyhow."""
    rules.replace(f'{RULE}renew = ["ADT^A08"]\ncancel = ["ADT^A13"]\nunless = ["x", "y"]\n')
    said = {
        trigger: [(one.act, one.unless) for one in asked(trigger, visit())] for trigger in ("MDM", "ADT^A08", "ADT^A13")
    }
    assert said == {"MDM": [("make", ("x", "y"))], "ADT^A08": [("renew", ())], "ADT^A13": [("cancel", ())]}


def test_papers_that_rules_name_are_there() -> None:
    named = {paper for one in documents.PAPERS for rule in rules.rules(one) for paper in rule.unless}
    assert named
    assert named <= set(documents.PAPERS)
