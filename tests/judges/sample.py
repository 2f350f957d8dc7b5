"""A Bundle that every judge accepts, and one error at a time in it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

BASE = "https://example.org/fhir"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
V3 = "http://terminology.hl7.org/CodeSystem/v3-"
XHTML = "http://www.w3.org/1999/xhtml"

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "text": {"status": "generated", "div": f'<div xmlns="{XHTML}"><p>Nguyễn Văn An</p></div>'},
    "extension": [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/patient-nationality",
            "extension": [{"url": "code", "valueCodeableConcept": {"text": "Việt Nam"}}],
        },
        {"url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", "valueString": "Trần"},
    ],
    "identifier": [{"system": "https://example.org/sid/patient", "value": "0001"}],
    "name": [{"text": "Nguyễn Văn An", "family": "Nguyễn", "given": ["Văn", "An"]}],
    "telecom": [{"system": "phone", "value": "0900000000"}],
    "gender": "male",
    "birthDate": "1980-02-03",
    "_birthDate": {
        "extension": [
            {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime",
                "valueDateTime": "1980-02-03T04:05:06+07:00",
            }
        ]
    },
    "maritalStatus": {
        "coding": [{"system": V3 + "MaritalStatus", "code": "M", "display": "Married"}],
    },
}
ORGANIZATION: dict[str, Any] = {"resourceType": "Organization", "id": "o1", "name": "Bệnh viện"}
ENCOUNTER: dict[str, Any] = {
    "resourceType": "Encounter",
    "id": "e1",
    "status": "finished",
    "class": {"system": V3 + "ActCode", "code": "IMP", "display": "inpatient encounter"},
    "subject": {"reference": "Patient/p1"},
    "period": {"start": "2026-01-02T08:00:00+07:00", "end": "2026-01-05T09:30:00+07:00"},
    "serviceProvider": {"reference": "Organization/o1"},
}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "b1",
    "contained": [
        {"resourceType": "Specimen", "id": "s1", "type": {"text": "Máu"}, "subject": {"reference": "Patient/p1"}}
    ],
    "status": "final",
    "category": [
        {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}
    ],
    "code": {"coding": [{"system": LOINC, "code": "29463-7"}], "text": "Cân nặng"},
    "subject": {"reference": "Patient/p1"},
    "encounter": {"reference": "Encounter/e1"},
    "effectiveDateTime": "2026-01-02T09:00:00+07:00",
    "valueQuantity": {"value": Decimal("54.50"), "unit": "kg", "system": UCUM, "code": "kg"},
    "specimen": {"reference": "#s1"},
    "referenceRange": [{"low": {"value": 40, "unit": "kg", "system": UCUM, "code": "kg"}}],
}


def sound() -> dict[str, Any]:
    """Give a fresh Bundle with nothing wrong in it."""
    resources = (PATIENT, ORGANIZATION, ENCOUNTER, OBSERVATION)
    entries = [{"fullUrl": f"{BASE}/{r['resourceType']}/{r['id']}", "resource": copy.deepcopy(r)} for r in resources]
    return {"resourceType": "Bundle", "type": "collection", "timestamp": "2026-01-05T10:00:00+07:00", "entry": entries}


P, O, E, B = 0, 1, 2, 3  # noqa: E741
"""Entries of the Bundle."""

GONE = object()


@dataclass(frozen=True)
class Planted:
    """One error, and the judges that see it."""

    name: str
    entry: int | None
    """Entry it is planted in; None: the Bundle itself."""
    path: tuple[str | int, ...]
    value: Any
    seen_by: frozenset[str]

    def bundle(self) -> dict[str, Any]:
        """Give the Bundle with the error in it."""
        bundle = sound()
        place: Any = bundle if self.entry is None else bundle["entry"][self.entry]["resource"]
        for step in self.path[:-1]:
            place = place[step]
        if self.value is GONE:
            del place[self.path[-1]]
        elif isinstance(place, list) and self.path[-1] == len(place):
            place.append(self.value)
        else:
            place[self.path[-1]] = self.value
        return bundle


F, S, I, T, G, M, U, R = (  # noqa: E741
    "fhir.resources",
    "schema",
    "invariants",
    "terminology",
    "google-fhir",
    "medplum",
    "ucum",
    "references",
)


def planted(name: str, entry: int | None, path: str, value: Any, *seen_by: str) -> Planted:
    steps = tuple(int(step) if step.isdigit() else step for step in path.split("."))
    return Planted(name, entry, steps, value, frozenset(seen_by))


PLANTED: tuple[Planted, ...] = (
    planted("required element missing", E, "status", GONE, F, S, G, M),
    planted("unknown element", P, "colour", "red", F, S, G, M),
    planted("unknown resource type", P, "resourceType", "Patent", F, S, G, M, R),
    planted("one value where a list belongs", P, "identifier", {"value": "1"}, F, S, G, M),
    planted("a list where one value belongs", P, "gender", ["male"], F, S, G, M),
    planted("text for a number", B, "valueQuantity.value", "54.50", G, M),
    planted("a date with a time", P, "birthDate", "1980-02-03T00:00:00+07:00", F, S, G, M),
    planted("a day that is not", P, "birthDate", "1980-02-31", F, S, G),
    planted("a time without an offset", E, "period.start", "2026-01-02T08:00:00", F, S, G),
    planted("an id with an underscore", P, "id", "p_1", F, S, G, R),
    planted("an empty text", P, "name.0.family", "", F, S, I, G),
    planted("an empty object", P, "maritalStatus", {}, I),
    planted("a control character", P, "name.0.text", "An\u0001", S, M),
    planted("code of a required binding", P, "gender", "man", S, T, G),
    planted("code of a required binding in a list", P, "telecom.0.system", "telephone", S, T, G),
    planted("class of another code system", E, "class.code", "WARD", T),
    planted("wrong display", P, "maritalStatus.coding.0.display", "Đã kết hôn", T),
    planted(
        "code system that HL7 has not",
        P,
        "maritalStatus.coding.0.system",
        "http://terminology.hl7.org/CodeSystem/none",
        T,
    ),
    planted("relative code system", P, "maritalStatus.coding.0.system", "marital", T),
    planted(
        "extension that HL7 has not", P, "extension.1.url", "http://hl7.org/fhir/StructureDefinition/patient-hat", T
    ),
    planted(
        "extension with another type", P, "extension.1", {"url": PATIENT["extension"][1]["url"], "valueInteger": 1}, T
    ),
    planted("extension in another place", E, "extension", [PATIENT["extension"][1]], T),
    planted("part of an extension that it has not", P, "extension.0.extension.0.url", "colour", T),
    planted("extension with value and extensions", P, "extension.0.valueString", "x", I, T, M),
    planted("phone without a system", P, "telecom.0.system", GONE, I),
    planted("end before start", E, "period.end", "2026-01-01T08:00:00+07:00", I, G),
    planted("value and reason for none", B, "dataAbsentReason", {"text": "unknown"}, I, M),
    planted("organization without a name", O, "name", GONE, I),
    planted("organization at home", O, "address", [{"use": "home", "text": "x"}], I, M),
    planted("unit code without a system", B, "valueQuantity.system", GONE, I),
    planted("no UCUM unit", B, "referenceRange.0.low.code", "kilos", U),
    planted("range that goes down", B, "referenceRange.0.age", {"low": {"value": 9}, "high": {"value": 3}}, I),
    planted("reference to what is not contained", B, "specimen.reference", "#s2", I, R),
    planted("contained and never used", B, "specimen", GONE, I),
    planted("script in narrative", P, "text.div", f'<div xmlns="{XHTML}"><script>x()</script></div>', S, I),
    planted("narrative that is not XML", P, "text.div", f'<div xmlns="{XHTML}"><p>x</div>', S, I),
    planted("narrative with nothing in it", P, "text.div", f'<div xmlns="{XHTML}"> </div>', I),
    planted("vital sign without a time", B, "effectiveDateTime", GONE, M),
    planted("reference to no entry", E, "subject.reference", "Patient/p2", R),
    planted("reference to a type not allowed", E, "subject.reference", "Organization/o1", G, R),
    planted("two entries of one identity", None, "entry.1.fullUrl", f"{BASE}/Patient/p1", I, M, R),
    planted("entry without an identity", None, "entry.0.fullUrl", GONE, R),
    planted("a total in a collection", None, "total", 4, I, M),
    planted("unknown type of Bundle", None, "type", "heap", S, T, G),
)
