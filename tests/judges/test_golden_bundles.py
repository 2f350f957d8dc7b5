"""What the golden messages become is valid FHIR for every judge."""

from __future__ import annotations

from conformance.validators import judge
from mappings.bhyt.fhir import visit_to_outcome
from mappings.bhyt.fhir.bundle import outcome_to_bundle as visit_bundle
from mappings.bhyt.visits import read_visits
from mappings.formats import er7
from mappings.hl7v2 import map_message
from tests.golden.test_golden import CASES
from tests.golden.test_golden_bhyt import HERE as INSURANCE_VISITS
from tests.judges.bundles import CONTEXT, WRITER, bundle_of, table


def test_every_golden_bundle_is_clean() -> None:
    bundles = []
    for case in CASES:
        outcome = map_message(er7.Message.parse((case / "input.hl7").read_bytes()), CONTEXT)
        bundles.append((f"{case.parent.name}/{case.name}", bundle_of(outcome)))
    found = judge(bundles)
    assert not found, "\n" + table(found)


def test_every_insurance_visit_is_clean() -> None:
    bundles = []
    for source in sorted(INSURANCE_VISITS.glob("*/input.xml")):
        (visit,) = read_visits(source.read_bytes())
        bundle = visit_bundle(visit_to_outcome(visit), visit.number)
        bundles.append((f"insurance_visit/{source.parent.name}", WRITER.encode(bundle)))
    found = judge(bundles)
    assert not found, "\n" + table(found)
