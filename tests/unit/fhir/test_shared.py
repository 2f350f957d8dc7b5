"""A shared element is read like any dict, checked once, and cannot be changed."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from mappings.fhir import problems
from mappings.fhir.check import shape_of
from mappings.fhir.shared import Shared
from mappings.formats import json


def concept() -> Shared:
    return Shared({"coding": [{"system": "http://loinc.org", "code": "718-7"}], "text": "Hb"})


@pytest.mark.parametrize(
    "change",
    [
        lambda shared: shared.__setitem__("text", "x"),
        lambda shared: shared.__delitem__("text"),
        lambda shared: shared.update(text="x"),
        lambda shared: shared.setdefault("id", "x"),
        lambda shared: shared.pop("text"),
        lambda shared: shared.popitem(),
        lambda shared: shared.clear(),
        lambda shared: shared.__ior__({"text": "x"}),
    ],
)
def test_it_cannot_be_changed(change: Callable[[Shared], object]) -> None:
    shared = concept()
    with pytest.raises(TypeError):
        change(shared)
    assert shared == concept()


def test_copies_can() -> None:
    shared = concept()
    for copied in (dict(shared), {**shared}, copy.copy(shared), shared | {}, pickle.loads(pickle.dumps(shared))):
        assert type(copied) is dict
        assert copied == shared


def test_json_and_check_take_it_for_a_dict() -> None:
    shared = concept()
    observation: dict[str, Any] = {"resourceType": "Observation", "id": "1", "status": "final", "code": shared}
    assert json.loads(json.dumps(observation))["code"] == dict(shared)
    assert problems(observation) == []
    assert shared.sound is shape_of("CodeableConcept")
    assert problems(observation) == []


def test_a_wrong_one_is_told_every_time_and_by_every_shape() -> None:
    wrong = Shared({"coding": [{"colour": "red"}]})
    observation: dict[str, Any] = {"resourceType": "Observation", "id": "1", "status": "final", "code": wrong}
    for _ in range(2):
        assert [problem.path for problem in problems(observation)] == ["Observation.code.coding[0].colour"]
    sound_as_concept = concept()
    observation["code"] = sound_as_concept
    assert problems(observation) == []
    observation["subject"] = sound_as_concept
    assert problems(observation)
