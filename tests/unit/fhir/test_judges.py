"""Second opinions: what we call sound is sound for checkers other people wrote."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from mappings.fhir import problems
from tests.unit.fhir import samples
from tests.unit.fhir.test_check import MUTATIONS, mutated

PASSED_BY_FHIR_RESOURCES = {
    "bad status",
    "bad gender",
    "bad Bundle.type",
    "bad intent",
    "empty object",
    "script in narrative",
    "string for decimal",
}
"""Of the first seventeen mutations: what makes fhir.resources a second opinion and not the check."""


@pytest.mark.parametrize("sample", samples.SOUND)
def test_fhir_resources_agrees_on_sound_resources(sample: Callable[[], dict[str, Any]]) -> None:
    resource = sample()
    module = importlib.import_module(f"fhir.resources.R4B.{resource['resourceType'].lower()}")
    getattr(module, resource["resourceType"]).model_validate(resource)


def test_we_refuse_what_fhir_resources_refuses_and_more() -> None:
    passed = set()
    for name, sample, path, value, *_ in MUTATIONS[:17]:
        resource = mutated(sample(), path, value)
        assert problems(resource)
        model = importlib.import_module(f"fhir.resources.R4B.{resource['resourceType'].lower()}")
        try:
            getattr(model, resource["resourceType"]).model_validate(resource)
        except ValueError:
            continue
        passed.add(name)
    assert passed == PASSED_BY_FHIR_RESOURCES


@pytest.mark.parametrize("sample", samples.SOUND)
def test_the_json_schema_agrees_on_sound_resources(sample: Callable[[], dict[str, Any]]) -> None:
    schema = os.environ.get("FHIR_R4_SCHEMA")
    if not schema:
        pytest.skip("FHIR_R4_SCHEMA names no fhir.schema.json")
    judge = jsonschema_rs.validator_for(json.loads(Path(schema).read_bytes()))
    written = msgspec.json.Encoder(decimal_format="number").encode(sample())
    assert judge.is_valid(json.loads(written))
    assert not judge.is_valid({"resourceType": "Patient", "colour": 1})


def test_resources_read_with_decimals_pass_and_with_floats_do_not() -> None:
    written = msgspec.json.Encoder(decimal_format="number").encode(samples.document())
    assert b'"value":4.50' in written
    assert problems(msgspec.json.Decoder(float_hook=Decimal).decode(written)) == []
    assert {problem.rule for problem in problems(msgspec.json.decode(written))} == {"type"}
