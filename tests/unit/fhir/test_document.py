"""FHIR documents of others: taken as they are, refused when they are no sound document about the right person."""

from __future__ import annotations

from copy import deepcopy
from random import Random
from typing import Any

import pytest

from mappings.cda.faults import DocumentTooLarge, NotClinicalDocument, OtherPatient, PatientMissing
from mappings.cda.read import Context, Reading
from mappings.fhir import ResourceInvalid, document, problems
from mappings.formats import json
from mappings.formats.faults import Fault, JsonInvalid

CCCD = "http://fhir.hl7.org.vn/core/sid/cccd"


def bundle() -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:0192f6a0-0000-7abc-8def-0123456789ab"},
        "type": "document",
        "timestamp": "2026-03-01T08:00:00+07:00",
        "entry": [
            {
                "fullUrl": "https://b.example/Composition/c",
                "resource": {
                    "resourceType": "Composition",
                    "id": "c",
                    "status": "final",
                    "type": {"text": "Tóm tắt"},
                    "subject": {"reference": "Patient/p"},
                    "encounter": {"reference": "urn:uuid:0192f6a0-0000-7abc-8def-0123456789ac"},
                    "date": "2026-03-01",
                    "author": [{"display": "BS"}],
                    "title": "Tóm tắt",
                },
            },
            {
                "fullUrl": "https://b.example/Patient/p",
                "resource": {
                    "resourceType": "Patient",
                    "id": "p",
                    "identifier": [{"system": CCCD, "value": "001170000001"}],
                },
            },
            {
                "fullUrl": "urn:uuid:0192f6a0-0000-7abc-8def-0123456789ac",
                "resource": {
                    "resourceType": "Encounter",
                    "id": "e",
                    "status": "finished",
                    "class": {"code": "IMP"},
                    "length": {"value": 1},
                },
            },
        ],
    }


def taken(content: dict[str, Any], **context: Any) -> Reading:
    return document.read(json.dumps(content), Context(**context))


def changed(*path: Any, to: Any) -> dict[str, Any]:
    content: Any = bundle()
    holder = content
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = to
    return dict(content)


def test_a_document_is_taken_as_it_is() -> None:
    reading = taken(bundle(), expect_patient=((CCCD, "001170000001"),))
    assert reading.bundle == bundle()
    assert (reading.patient_id, reading.encounter_id) == ("p", "e")
    assert not reading.coverage.unknown
    assert reading.coverage.mapped["Bundle.entry[1].resource.ofType(Patient).id"]
    assert reading.coverage.total == 22


def test_what_fhir_does_not_know_is_taken_out_and_told() -> None:
    content = changed("entry", 1, "resource", "nickname", to=[{"text": "An", "use": "x"}])
    content["entry"][2]["resource"]["modifierExtension"] = [{"url": "https://b.example/m", "valueBoolean": True}]
    reading = taken(content)
    known = deepcopy(content)
    del known["entry"][1]["resource"]["nickname"]
    assert reading.bundle == known
    assert reading.coverage.unknown == {
        "Bundle.entry[1].resource.ofType(Patient).nickname[0].text": document.NO_ELEMENT,
        "Bundle.entry[1].resource.ofType(Patient).nickname[0].use": document.NO_ELEMENT,
        "Bundle.entry[2].resource.ofType(Encounter).modifierExtension[0].url": document.MODIFIER,
        "Bundle.entry[2].resource.ofType(Encounter).modifierExtension[0].valueBoolean": document.MODIFIER,
    }
    assert reading.coverage.total == 26


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"resourceType": "Patient"}, "a FHIR resource Patient"),
        ({"hoSo": 1}, "JSON that is not FHIR R4"),
        ([], "JSON without an object"),
        ({"resourceType": "Bundle", "type": "batch"}, "a FHIR Bundle of type batch"),
        (
            {"resourceType": "Bundle", "type": "document", "entry": [7]},
            "a FHIR Bundle without a Composition at its head",
        ),
        ({"resourceType": "Bundle", "type": {"a": 1}}, "a FHIR Bundle of type ?"),
    ],
)
def test_what_is_no_document_is_called_what_it_is(content: Any, said: str) -> None:
    with pytest.raises(NotClinicalDocument) as raised:
        document.read(json.dumps(content))
    assert raised.value.detail == said


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (("entry", 0, "resource", "status"), "done"),
        (("entry", 0, "resource", "subject"), {"reference": "Patient/other"}),
        (("identifier",), {"value": "x"}),
        (("entry", 1, "fullUrl"), "https://b.example/Composition/c"),
        (("entry", 0, "resource", "text"), {"status": "generated", "div": "<div><script/></div>"}),
        (("entry", 2), None),
    ],
)
def test_what_is_not_sound_is_refused_with_its_place(path: tuple[Any, ...], to: Any) -> None:
    with pytest.raises(ResourceInvalid) as raised:
        taken(changed(*path, to=to))
    assert raised.value.where.startswith("Bundle.")


def test_without_patient_or_with_another() -> None:
    about_nobody = changed("entry", 0, "resource", "subject", to={"display": "An"})
    reading = taken(about_nobody)
    assert isinstance(reading.fault, PatientMissing)
    assert (reading.bundle, reading.patient_id) == (about_nobody, None)
    with pytest.raises(OtherPatient) as raised:
        taken(bundle(), expect_patient=((CCCD, "001170000002"),))
    assert "00117" not in str(raised.value)


def test_a_byte_order_mark_is_no_part_of_it() -> None:
    assert document.read(b"\xef\xbb\xbf" + json.dumps(bundle())).bundle == bundle()


def test_what_is_refused_is_unknown_as_a_whole() -> None:
    broken = json.dumps(changed("entry", 0, "resource", "status", to="done"))
    with pytest.raises(ResourceInvalid):
        document.read(broken)
    account = document.unread(broken)
    assert len(account.unknown) == account.total == 22
    assert list(document.unread(b'{"a": [{"b": 1}]}').unknown) == ["$.a[0].b"]
    assert document.unread(b"{").total == 0


NONSENSE: tuple[Any, ...] = (
    *(None, "", 0, -1, True, [], {}, "x", [None], [[]], {"a": None}, "\x00", 10**50),
    *({"resourceType": 7}, {"reference": 5}, {"reference": "#"}, [{"resourceType": "Bundle", "type": "document"}]),
)


@pytest.mark.parametrize("seed", range(60))
def test_spoilt(seed: int) -> None:
    """Whatever stands in place of an element: taken soundly, or refused with a fault and every fact unknown."""
    random = Random(seed)
    content = bundle()
    for _ in range(random.randint(1, 3)):
        holder: Any = content
        step = random.choice(list(holder))
        while isinstance(holder[step], (dict, list)) and holder[step] and random.random() < 0.8:
            holder = holder[step]
            step = random.randrange(len(holder)) if isinstance(holder, list) else random.choice(list(holder))
        if isinstance(holder, dict) and random.random() < 0.3:
            step = random.choice(("new", f"_{step}", "resourceType", "contained", "a.b", "modifierExtension"))
        holder[step] = deepcopy(random.choice(NONSENSE))
    data = json.dumps(content)
    try:
        assert problems(document.read(data).bundle) == []
    except Fault:
        assert document.unread(data).total


def test_a_strange_element_that_is_wrong_in_two_ways_is_taken_out_once() -> None:
    content = bundle()
    content["entry"][2]["resource"]["clinicalStatus"] = [{"x": 1}, {"x": 2}]
    assert "clinicalStatus" not in taken(content).bundle["entry"][2]["resource"]


def test_too_large_too_deep_and_no_json() -> None:
    with pytest.raises(DocumentTooLarge):
        taken(bundle(), max_size=100)
    with pytest.raises(JsonInvalid):
        document.read(b"{")
    deep: dict[str, Any] = {}
    for _ in range(document.DEEPEST + 1):
        deep = {"extension": [deep]}
    with pytest.raises(JsonInvalid):
        taken(changed("entry", 1, "resource", "extension", to=[deep]))
