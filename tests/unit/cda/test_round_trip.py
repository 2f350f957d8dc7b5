"""FHIR → CDA → FHIR keeps every clinical statement, resource by resource and field by field.

What CDA cannot carry stands in a table with the reason; everything else must come back as it went.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mappings import cda
from mappings.cda.entries import HEADER
from mappings.outcome import Resource
from tests.unit.cda import rich
from tests.unit.cda.test_entries import PAPERS, bundles, document

read = pytest.importorskip("mappings.cda.read").read
CANNOT = {
    r"[A-Z]\w+(\.\w+)*\.(extension|modifierExtension)\b.*": "extensions of FHIR have no place in CDA",
    r"[A-Z]\w+\.(meta|text|contained|language|implicitRules)\b.*": "about the resource, not what it states",
    r"[A-Z]\w+\._\w+\b.*": "extensions of primitives",
    r"[A-Z]\w+(\.\w+)*\.(\w+I|i)dentifier\.(type|use|period|assigner)\b.*": "II has root and extension only",
    r"ServiceRequest\.requisition\.type\b.*": "II has root and extension only",
    r"\w+\.clinicalStatus\.coding\.display": "the words of HL7 for its own code",
    r"[A-Z]\w+\.(encounter|context)\b.*": "the visit of the header holds for every entry",
    r"[A-Z]\w+\.(subject|patient)\b.*": "the person of the header is the subject of every entry",
    r"(\w+\.)*\w*(Quantity|quantity|dose|low|high|numerator|denominator|origin)\.unit": "PQ has the code of UCUM alone",
    r"Observation\.(component\.)?valueSampledData\..*": "SLIST_PQ has no period, factor or limits; read as text",
    r"Observation\.(component\.)?valueTime": "v3 has no time of day; read as text",
    r"Observation\.component\.dataAbsentReason\.text": "why a part has no value is a null flavour, without words",
    r"ImagingStudy\.identifier\.system": "a UID of DICOM is a root by itself",
    r"(DiagnosticReport\.presentedForm|DocumentReference\.content|Media\.content)\b.*": "a file is a Media beside",
}
"""Path of what CDA cannot carry → why."""
_PARTIES = frozenset(HEADER) | {"Device"}
_NESTED = ("result", "hasMember", "specimen", "imagingStudy", "medicationReference", "basedOn")


class Side:
    """The resources of a document, and what references between them mean."""

    def __init__(self, bundle: Resource) -> None:
        self.resources = {
            f"{e['resource']['resourceType']}/{e['resource']['id']}": e["resource"] for e in bundle["entry"]
        }

    def meaning(self, reference: dict[str, Any]) -> str:
        """Say whom or what a reference means: a statement by its type and id, a party by its number or name."""
        found = self.resources.get(reference.get("reference", ""))
        if found is None:
            number = reference.get("identifier", {}).get("value", "")
            return number or str(reference.get("display", ""))
        if found["resourceType"] == "PractitionerRole":
            return self.meaning(found.get("practitioner", {}))
        if found["resourceType"] not in _PARTIES:
            return f"{found['resourceType']}/{found['id']}"
        numbers = sorted(i["value"] for i in found.get("identifier", []) if i.get("value"))
        return numbers[0] if numbers else _called(found)

    def facts(self, resource: Resource) -> Counter[tuple[str, str]]:
        """Give every fact of a resource as its path and what it says."""
        return Counter(self._leaves(resource["resourceType"], resource))

    def _leaves(self, path: str, value: Any) -> Iterator[tuple[str, str]]:
        if isinstance(value, list):
            for one in value:
                yield from self._leaves(path, one)
        elif isinstance(value, dict):
            if _is_reference(value):
                if said := self.meaning(value):
                    yield path, said
                return
            for name, part in _written(value).items():
                if name not in ("resourceType", "id"):
                    yield from self._leaves(f"{path}.{name}", part)
        else:
            yield path, _plain(value)


def _is_reference(value: dict[str, Any]) -> bool:
    names = {"reference", "type", "identifier", "display", "extension"}
    known = isinstance(value.get("identifier"), dict) or any(
        isinstance(value.get(name), str) for name in ("reference", "display")
    )
    return value.keys() <= names and known


def _called(party: Resource) -> str:
    names = party.get("name") or party.get("deviceName") or party.get("modelNumber") or ""
    if isinstance(names, list):
        one = names[0]
        return one.get("text") or one.get("name") or " ".join([one.get("family", ""), *one.get("given", [])]).strip()
    return str(names)


def _plain(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _written(value: dict[str, Any]) -> dict[str, Any]:
    """Write what CDA says in another way: three times a day as every 8 hours, a code with white space as words alone."""
    hours = {"wk": 168, "d": 24, "h": 1}.get(value.get("periodUnit", ""))
    if hours:
        every = Decimal(value["period"]) * hours / value.get("frequency", 1)
        rest = {name: part for name, part in value.items() if name not in ("frequency", "period", "periodUnit")}
        return {**rest, "every": format(every.normalize(), "f")}
    if isinstance(value.get("code"), str) and " " in value["code"]:
        return {name: part for name, part in value.items() if name not in ("system", "code")}
    return value


def statements(side: Side, bundle: Resource) -> Iterator[Resource]:
    """Give the statements of a paper: what its sections are made of, and what stands inside these."""
    sections = bundle["entry"][0]["resource"]["section"]
    visit = bundle["entry"][0]["resource"].get("encounter", {}).get("reference")
    waiting = [one["reference"] for section in sections for one in section.get("entry", [])]
    seen: set[str] = {visit} if visit else set()
    for reference in waiting:
        found = side.resources.get(reference)
        if found is None or reference in seen or found["resourceType"] in HEADER:
            continue
        seen.add(reference)
        yield found
        for element in _NESTED:
            said = found.get(element, [])
            waiting += [one["reference"] for one in (said if isinstance(said, list) else [said]) if "reference" in one]


def missing(bundle: Resource) -> list[str]:
    """Name every fact of a document that did not come back."""
    before, after = Side(bundle), Side(read(cda.render(bundle)).bundle)
    lost: list[str] = []
    for resource in statements(before, bundle):
        key = f"{resource['resourceType']}/{resource['id']}"
        again = after.resources.get(key)
        if again is None:
            lost.append(f"{key} as a whole")
            continue
        for (path, said), _ in (before.facts(resource) - after.facts(again)).items():
            sensor = said.startswith("DeviceMetric/")  # stands in the record, not in the document
            if not sensor and not any(re.fullmatch(pattern, path) for pattern in CANNOT):
                lost.append(f"{key} {path} = {said}")
    return lost


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: f"{path.parent.parent.name}/{path.parent.name}")
def test_a_paper_comes_back(path: Path) -> None:
    for bundle in bundles(path):
        assert missing(bundle) == []


def test_everything_that_can_be_said_comes_back() -> None:
    resources = rich.everything()
    inner = next(one for one in resources if one["id"] == "khang-sinh")
    inner.pop("hasMember")  # back to what it stands in: of the two CDA shows one inside the other
    assert missing(document(resources)) == []


def test_a_fact_that_does_not_come_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    (bundle,) = bundles(Path(__file__).parents[2] / "golden/papers/discharge_paper/inpatient/expected.fhir.json")
    written = cda.render
    monkeypatch.setattr(cda, "render", lambda one: written(one).replace(b'code="E78.5"', b'code="E78.6"'))
    (lost,) = missing(bundle)
    assert lost.endswith("Condition.code.coding.code = E78.5")
