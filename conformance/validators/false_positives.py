"""Errors of the judges themselves: what a judge refuses although FHIR R4 4.0.1 allows it, and how we know.

Each line is as narrow as its judge's wording lets it be, and `tests/judges` shows a resource that it is about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from conformance.validators.finding import Finding


@dataclass(frozen=True)
class FalsePositive:
    """A judge's finding that is not believed."""

    judge: str
    path: str
    """Matches the whole path, without the entry of the Bundle."""
    text: str
    """Matches somewhere in the text."""
    reason: str


KNOWN = (
    FalsePositive(
        "google-fhir",
        r"[A-Za-z]+",
        r"^OverflowError: date value out of range$",
        "the date 9999-12-31, which FHIR allows: the library adds a day to find where it ends, and Python has no later one",
    ),
    FalsePositive(
        "fhir.resources",
        r"MedicationAdministration",
        r"Expect any of field value from this list \['effectiveDateTime', 'effectivePeriod'\]",
        "an effective time that is said to be unknown (`_effectiveDateTime` with data-absent-reason) satisfies the cardinality",
    ),
    FalsePositive(
        "schema",
        r"MedicationStatement\.status",
        r"'(completed|intended|not-taken|on-hold|stopped|unknown)' is not an element of the set \{'active', 'inactive'",
        "the schema has one list for two value sets of one name and puts the status of Medication in place of the one meant",
    ),
    FalsePositive(
        "schema",
        r"(CapabilityStatement|ImplementationGuide|StructureDefinition)\.fhirVersion",
        r"'4\.0\.1' is not an element of the set",
        "the list of FHIR versions in the schema of 4.0.1 ends before 4.0.1; HL7's own examples are refused for it",
    ),
    FalsePositive(
        "medplum",
        r"Observation\.component",
        r"^bp: Incorrect number of values provided for slice '(Dia|Sy)stolicBP': expected 1\.\.1, but found 0$",
        "the slices are told apart by values of a coding that is a slice itself, which this judge does not follow: a panel"
        " with both components as HL7's own example has them is refused",
    ),
)


def is_false(finding: Finding) -> bool:
    """Tell whether a finding is a known error of its judge."""
    path = re.sub(r"^Bundle\.entry\[\d+\]\.", "", finding.path)
    return any(
        one.judge == finding.judge and re.fullmatch(one.path, path) and re.search(one.text, finding.text)
        for one in KNOWN
    )
