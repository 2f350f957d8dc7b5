"""What the golden messages become is valid FHIR for every judge."""

from __future__ import annotations

from conformance.validators import judge
from mappings.formats import er7
from mappings.hl7v2 import map_message
from tests.golden.test_golden import CASES
from tests.judges.bundles import CONTEXT, bundle_of, table


def test_every_golden_bundle_is_clean() -> None:
    bundles = []
    for case in CASES:
        outcome = map_message(er7.Message.parse((case / "input.hl7").read_bytes()), CONTEXT)
        bundles.append((f"{case.parent.name}/{case.name}", bundle_of(outcome)))
    found = judge(bundles)
    assert not found, "\n" + table(found)
