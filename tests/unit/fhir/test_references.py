"""A document Bundle stands alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mappings.fhir import Problem, bundle_references
from tests.unit.fhir import samples


def test_a_whole_document_has_no_open_ends() -> None:
    assert bundle_references(samples.document()) == []


def with_urn(bundle: dict[str, Any]) -> None:
    bundle["entry"][1]["fullUrl"] = "urn:uuid:11111111-1111-4111-8111-111111111111"


def with_dangling_urn(bundle: dict[str, Any]) -> None:
    bundle["entry"][3]["resource"]["subject"]["reference"] = "urn:uuid:22222222-2222-4222-8222-222222222222"


def with_dangling_relative(bundle: dict[str, Any]) -> None:
    bundle["entry"][3]["resource"]["subject"]["reference"] = "Patient/other"


def with_dangling_contained(bundle: dict[str, Any]) -> None:
    bundle["entry"][3]["resource"]["subject"]["reference"] = "#p1"


def with_other_base(bundle: dict[str, Any]) -> None:
    bundle["entry"][3]["fullUrl"] = "https://elsewhere.example/fhir/Condition/c1"


def without_composition(bundle: dict[str, Any]) -> None:
    bundle["entry"].append(bundle["entry"].pop(0))


def without_identifier(bundle: dict[str, Any]) -> None:
    del bundle["identifier"]["value"]


def without_timestamp(bundle: dict[str, Any]) -> None:
    del bundle["timestamp"]


def of_another_type(bundle: dict[str, Any]) -> None:
    bundle["type"] = "collection"


def with_a_twin(bundle: dict[str, Any]) -> None:
    bundle["entry"].append(bundle["entry"][4])


def without_full_url(bundle: dict[str, Any]) -> None:
    del bundle["entry"][5]["fullUrl"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (with_dangling_urn, Problem("Bundle.entry[3].resource.ofType(Condition).subject.reference", "reference")),
        (with_dangling_relative, Problem("Bundle.entry[3].resource.ofType(Condition).subject.reference", "reference")),
        (with_dangling_contained, Problem("Bundle.entry[3].resource.ofType(Condition).subject.reference", "reference")),
        (with_other_base, Problem("Bundle.entry[3].resource.ofType(Condition).subject.reference", "reference")),
        (with_urn, Problem("Bundle.entry[0].resource.ofType(Composition).subject.reference", "reference")),
        (without_composition, Problem("Bundle.entry[0].resource", "document")),
        (without_identifier, Problem("Bundle.identifier", "required")),
        (without_timestamp, Problem("Bundle.timestamp", "required")),
        (of_another_type, Problem("Bundle.type", "document")),
        (with_a_twin, Problem("Bundle.entry[39].fullUrl", "duplicate")),
        (without_full_url, Problem("Bundle.entry[5].fullUrl", "required")),
    ],
)
def test_what_is_open_is_named(change: Callable[[dict[str, Any]], None], expected: Problem) -> None:
    bundle = samples.document()
    change(bundle)
    assert expected in bundle_references(bundle)


def test_urn_and_contained_references_resolve() -> None:
    bundle = samples.document()
    address = "urn:uuid:11111111-1111-4111-8111-111111111111"
    bundle["entry"] = bundle["entry"][:2]
    bundle["entry"][1]["fullUrl"] = address
    bundle["entry"][0]["resource"] |= {
        "subject": {"reference": address},
        "author": [{"reference": "#me"}, {"reference": "https://elsewhere.example/fhir/Practitioner/1"}],
        "contained": [{"resourceType": "Practitioner", "id": "me"}],
        "section": [],
    }
    del bundle["entry"][0]["resource"]["encounter"]
    assert bundle_references(bundle) == []


def test_type_and_id_decide_where_an_entry_has_no_rest_address() -> None:
    bundle = samples.document()
    for number, entry in enumerate(bundle["entry"]):
        entry["fullUrl"] = f"urn:uuid:00000000-0000-4000-8000-{number:012}"
    assert bundle_references(bundle) == []
    bundle["entry"].append({"fullUrl": "urn:uuid:x", "resource": samples.patient()})
    assert {problem.rule for problem in bundle_references(bundle)} == {"reference"}
