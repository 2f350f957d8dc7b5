"""Two sets of tables and checks, made apart, agree: what the gateway's rules call clean, the sandbox's assessment does too."""

from __future__ import annotations

import pytest

from conformance.sandbox.portal.assessment import assess
from conformance.sandbox.portal.forms import BY_PATH
from conformance.sandbox.portal.reading import read_visits
from conformance.sandbox.portal.shapes import DECISIONS, shape
from conformance.sandbox.portal.switches import Switches
from mappings.bhyt.tables import NAMES, table
from tests.unit.bhyt.clean_parts import FACILITY
from tests.unit.bhyt.clean_visits import BARE, DAYS, KINDS, NOW, clean, file_of

YEARS = tuple(day.year for day in DAYS.values())


@pytest.mark.parametrize("decision", DECISIONS)
def test_tables_have_the_same_fields_in_the_same_order_and_the_portal_is_never_narrower(decision: str) -> None:
    compared = 0
    for name in NAMES:
        ours = shape(name, decision)
        if ours is None:
            continue
        theirs = table(name, decision)
        assert [field.name for field in ours.fields] == [field.name for field in theirs.fields], name
        assert ours.root == theirs.elements[0]
        for one, other in zip(ours.fields, theirs.fields, strict=True):
            assert not other.size or one.size >= other.size, (name, one.name)
        compared += 1
    assert compared == (13 if decision == "130" else 16)


@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in BARE])
def test_a_clean_visit_is_clean_here_too(kind: str, decision: str) -> None:
    form = BY_PATH[f"/api/qd130/guihosoxmlqd{decision}"]
    (visit,) = read_visits(file_of([clean(kind, decision)], decision), form, FACILITY)
    assert assess(visit, form, Switches(open_years=YEARS), NOW) == []
