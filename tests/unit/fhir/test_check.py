"""The table check: what is sound passes, and every rule is seen to fire."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, get_args

import pytest

from mappings.fhir import Problem, ResourceInvalid, problems, require_valid
from mappings.fhir.problem import Rule
from mappings.fhir.tables import load
from tests.unit.fhir import samples

Path = tuple[str | int, ...]
DROP = object()


def mutated(resource: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """Return a copy with one value replaced, added or (DROP) removed."""
    changed = copy.deepcopy(resource)
    *way, last = path
    at: Any = changed
    for step in way:
        at = at[step]
    if value is DROP:
        del at[last]
    else:
        at[last] = value
    return changed


@pytest.mark.parametrize("sample", samples.SOUND)
def test_sound_resources_pass(sample: Callable[[], dict[str, Any]]) -> None:
    assert problems(sample()) == []
    require_valid(sample())


OBSERVATION = samples.observation
PATIENT = samples.patient
MUTATIONS: list[tuple[str, Callable[[], dict[str, Any]], Path, Any, str, str]] = [
    # what the libraries measured for the design let through, and what they caught
    ("no status", OBSERVATION, ("status",), DROP, "Observation.status", "required"),
    ("bad status", OBSERVATION, ("status",), "done", "Observation.status", "code"),
    ("bad gender", PATIENT, ("gender",), "F", "Patient.gender", "code"),
    ("bad Bundle.type", samples.document, ("type",), "documents", "Bundle.type", "code"),
    ("bad intent", samples.medication_request, ("intent",), "wish", "MedicationRequest.intent", "code"),
    ("no code", OBSERVATION, ("code",), DROP, "Observation.code", "required"),
    ("unknown element", OBSERVATION, ("colour",), "red", "Observation.colour", "unknown-element"),
    ("two values", OBSERVATION, ("valueString",), "4.5", "Observation.value[x]", "choice"),
    (
        "no medication",
        samples.medication_request,
        ("medicationCodeableConcept",),
        DROP,
        "MedicationRequest.medication[x]",
        "required",
    ),
    ("bad date", PATIENT, ("birthDate",), "29/02/1980", "Patient.birthDate", "pattern"),
    ("array for scalar", OBSERVATION, ("status",), ["final"], "Observation.status", "cardinality"),
    ("scalar for array", PATIENT, ("name",), {"text": "Mẫu"}, "Patient.name", "cardinality"),
    ("bad id", PATIENT, ("id",), "p 1", "Patient.id", "pattern"),
    ("string for decimal", OBSERVATION, ("valueQuantity", "value"), "4.50", "Observation.valueQuantity.value", "type"),
    ("empty object", OBSERVATION, ("subject",), {}, "Observation.subject", "empty"),
    ("empty string", PATIENT, ("name", 0, "family"), "", "Patient.name[0].family", "empty"),
    (
        "script in narrative",
        PATIENT,
        ("text", "div"),
        samples.DIV.replace("<p>", "<script>x()</script><p>"),
        "Patient.text.div",
        "narrative",
    ),
    # beyond that table
    ("float for decimal", OBSERVATION, ("valueQuantity", "value"), 4.5, "Observation.valueQuantity.value", "type"),
    ("NaN", OBSERVATION, ("valueQuantity", "value"), Decimal("NaN"), "Observation.valueQuantity.value", "pattern"),
    ("bool for integer", PATIENT, ("telecom", 0, "rank"), True, "Patient.telecom[0].rank", "type"),
    ("zero as positiveInt", PATIENT, ("telecom", 0, "rank"), 0, "Patient.telecom[0].rank", "pattern"),
    ("text for boolean", PATIENT, ("active",), "true", "Patient.active", "type"),
    ("30 February", PATIENT, ("birthDate",), "1980-02-30", "Patient.birthDate", "pattern"),
    ("29 February, no leap year", PATIENT, ("birthDate",), "1981-02-29", "Patient.birthDate", "pattern"),
    ("dateTime, no zone", OBSERVATION, ("effectiveDateTime",), "2026-11-01T07:30:00",
     "Observation.effectiveDateTime", "pattern"),
    ("dateTime, no seconds", OBSERVATION, ("effectiveDateTime",), "2026-11-01T07:30+07:00",
     "Observation.effectiveDateTime", "pattern"),
    ("instant as date", OBSERVATION, ("issued",), "2026-11-01", "Observation.issued", "pattern"),
    ("space in uri", PATIENT, ("identifier", 0, "system"), "a b", "Patient.identifier[0].system", "pattern"),
    ("control character in uri", PATIENT, ("identifier", 0, "system"), "a\x00b", "Patient.identifier[0].system", "pattern"),
    ("control character", PATIENT, ("name", 0, "text"), "a\x00b", "Patient.name[0].text", "pattern"),
    ("blank text", PATIENT, ("name", 0, "text"), "  ", "Patient.name[0].text", "empty"),
    ("empty array", PATIENT, ("name",), [], "Patient.name", "empty"),
    ("only an id", PATIENT, ("name", 0), {"id": "x"}, "Patient.name[0]", "empty"),
    ("null", PATIENT, ("name", 0, "given", 0), None, "Patient.name[0].given[0]", "null"),
    ("null scalar", PATIENT, ("gender",), None, "Patient.gender", "null"),
    ("object for text", PATIENT, ("gender",), {"code": "female"}, "Patient.gender", "type"),
    ("text for object", PATIENT, ("name", 0), "Mẫu", "Patient.name[0]", "type"),
    ("choice of no type", OBSERVATION, ("valueDecimal",), 4, "Observation.valueDecimal", "unknown-element"),
    ("nested code", samples.medication_request, ("dosageInstruction", 0, "timing", "repeat", "periodUnit"), "day",
     "MedicationRequest.dosageInstruction[0].timing.repeat.periodUnit", "code"),
    ("comparator in SimpleQuantity", OBSERVATION, ("referenceRange", 0, "low", "comparator"), "<",
     "Observation.referenceRange[0].low.comparator", "unknown-element"),
    ("unbound status", samples.condition, ("clinicalStatus", "coding", 0, "code"), "ill", "Condition.clinicalStatus", "code"),
    ("wrong target", OBSERVATION, ("subject", "reference"), "Practitioner/d1", "Observation.subject", "reference"),
    ("unknown target", OBSERVATION, ("subject", "reference"), "Person2/d1", "Observation.subject", "reference"),
    ("absolute wrong target", OBSERVATION, ("subject", "reference"), "https://x.example/fhir/Practitioner/d1/_history/2",
     "Observation.subject", "reference"),
    ("not a reference", OBSERVATION, ("subject", "reference"), "p1", "Observation.subject", "reference"),
    ("declared wrong target", OBSERVATION, ("subject",), {"reference": "urn:uuid:0", "type": "Practitioner"},
     "Observation.subject", "reference"),
    ("extension without url", PATIENT, ("extension", 0, "url"), DROP, "Patient.extension[0].url", "required"),
    ("extension without value", PATIENT, ("extension", 0, "valueCodeableConcept"), DROP, "Patient.extension[0]", "extension"),
    ("extension with both", PATIENT, ("extension", 0, "extension"), [{"url": "a", "valueString": "b"}],
     "Patient.extension[0]", "extension"),
    ("primitive extension", PATIENT, ("_birthDate",), {"value": "x"}, "Patient._birthDate.value", "unknown-element"),
    ("extension beside an object", PATIENT, ("_name",), [{"id": "a"}], "Patient._name", "unknown-element"),
    ("contained", PATIENT, ("contained",), [{"resourceType": "Organization", "named": "x"}],
     "Patient.contained[0].ofType(Organization).named", "unknown-element"),
    ("no such resource", PATIENT, ("contained",), [{"resourceType": "Patiënt"}], "Patient.contained[0]", "unknown-resource"),
    ("in a Bundle", samples.document, ("entry", 6, "resource", "status"), "x",
     "Bundle.entry[6].resource.ofType(Observation).status", "code"),
    # additions of repackaged definitions that are not R4
    ("Meta.project", PATIENT, ("meta",), {"project": "x"}, "Patient.meta.project", "unknown-element"),
    ("R4B resource", samples.document, ("entry", 6, "resource"), {"resourceType": "SubscriptionStatus", "status": "active"},
     "Bundle.entry[6].resource", "unknown-resource"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sample", "path", "value", "place", "rule"), [m[1:] for m in MUTATIONS], ids=[m[0] for m in MUTATIONS]
)
def test_one_mutation_is_found_where_it_is(
    sample: Callable[[], dict[str, Any]], path: Path, value: Any, place: str, rule: str
) -> None:
    found = problems(mutated(sample(), path, value))
    assert [(problem.path, problem.rule) for problem in found] == [(place, rule)]


def test_every_rule_of_the_check_is_planted_once() -> None:
    planted = {mutation[5] for mutation in MUTATIONS}
    of_bundles_or_depth = {"duplicate", "document", "depth"}
    assert planted == set(get_args(Rule)) - of_bundles_or_depth


def test_a_primitive_extension_may_stand_for_its_value() -> None:
    absent = [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
    resource = mutated(samples.observation(), ("status",), DROP)
    resource["_status"] = {"extension": absent}
    assert problems(resource) == []
    resource = samples.patient()
    resource["name"][0]["given"] = ["Mẫu", None]
    resource["name"][0]["_given"] = [None, {"extension": absent}]
    assert problems(resource) == []
    resource["name"][0]["_given"] = [{"extension": absent}, None]
    assert {problem.rule for problem in problems(resource)} == {"null"}


@pytest.mark.parametrize("value", [Decimal("4.50"), Decimal("1E-7"), Decimal("-0.00"), 12345678901234567890, 0])
def test_decimals_keep_their_digits(value: Decimal | int) -> None:
    assert problems(mutated(samples.observation(), ("valueQuantity", "value"), value)) == []


@pytest.mark.parametrize("value", ["2026", "2026-11", "2026-11-01", "2024-02-29", "2026-11-01T23:59:60.5Z"])
def test_dates_of_every_precision_pass(value: str) -> None:
    assert problems(mutated(samples.observation(), ("effectiveDateTime",), value)) == []


def test_references_that_say_no_type_pass() -> None:
    for reference in ("urn:uuid:9d7c2f4e-0000-4000-8000-000000000000", "#p", "https://x.example/people/7"):
        assert problems(mutated(samples.observation(), ("subject", "reference"), reference)) == []


def test_every_resource_of_r4_is_known() -> None:
    assert len(load().resources) == 146
    for kind in load().resources:
        found = problems({"resourceType": kind, "implicitRules": "x", "nothing": 1})
        assert Problem(f"{kind}.nothing", "unknown-element") in found


def test_nesting_without_end_is_a_problem_and_no_crash() -> None:
    resource = samples.patient()
    extension: dict[str, Any] = {"url": "x", "valueString": "y"}
    for _ in range(5000):
        extension = {"url": "x", "extension": [extension]}
    resource["extension"] = [extension]
    assert problems(resource) == [Problem("Patient", "depth")]


def test_the_fault_says_rule_and_path_and_no_value() -> None:
    resource = mutated(samples.patient(), ("gender",), "Nguyễn Văn A")
    resource["Nguyễn Văn A"] = 1
    with pytest.raises(ResourceInvalid) as caught:
        require_valid(resource)
    fault = caught.value
    assert str(fault) == ("LT4001 ResourceInvalid at Patient.gender (code Patient.gender; unknown-element Patient)")
    again = pickle.loads(pickle.dumps(fault))
    assert str(again) == str(fault)
    assert again.problems == fault.problems


def test_many_problems_are_counted() -> None:
    names = [{"use": "x"} for _ in range(8)]
    with pytest.raises(ResourceInvalid) as caught:
        require_valid(mutated(samples.patient(), ("name",), names))
    assert caught.value.detail.endswith("; 3 more")
    assert len(caught.value.problems) == 8


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of everything inside a resource."""
    for key, below in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(below, (*path, key))


JUNK: list[Any] = [
    None, True, -1, 1.5, "", "\x00", "\ud800", [], {}, [None], [[]], [{}], [["a"]], {"a": 1}, {"": ""}, {1: 2},
    {"reference": 5}, {"coding": "x"}, {"extension": [{1: 2}]},
]  # fmt: skip


@pytest.mark.parametrize("sample", samples.SOUND[:-1])
def test_junk_anywhere_is_a_problem_and_no_crash(sample: Callable[[], dict[str, Any]]) -> None:
    resource = sample()
    for path in places(resource):
        for junk in JUNK:
            if (junk is True and path[-1] == "active") or (junk == -1 and path[-1] in ("value", "period")):
                continue
            assert problems(mutated(resource, path, junk)), (path, junk)


@pytest.mark.parametrize("value", [None, [], {}, {"resourceType": 1}, {"resourceType": "Resource"}, "Patient"])
def test_what_is_no_resource_is_refused(value: Any) -> None:
    assert [problem.path for problem in problems(value)] == ["Resource"]
