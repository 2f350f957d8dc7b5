"""Write the answers to queries: RSP^K11, K21, K22, K23, K24, VXR^V03, VXX^V02, ADR^A19, of FHIR resources that were found.

Does not search and does not decide what may be told: what is `found` is written. Forecasts are not made: the answer to Z44 is
the history alone.

Standard: HL7 v2.5.1 §5.4, §3.3.56–§3.3.59, §4.17
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mappings.formats import er7
from mappings.formats.faults import Fault
from mappings.hl7v2.query import Query
from mappings.outcome import Resource
from mappings.systems import DEFAULT, Systems


@dataclass(frozen=True)
class Found:
    """One person that fits."""

    patient: Resource
    related: Sequence[Resource] = ()
    """RelatedPersons."""
    immunizations: Sequence[Resource] = ()
    named: Sequence[Resource] = ()
    """Practitioners, Organizations and Locations that the others refer to; what is not here is named by its display."""


def write_answer(
    query: Query,
    header: er7.Header,
    found: Sequence[Found],
    at: datetime,
    control_id: str,
    fault: Fault | None = None,
    *,
    systems: Systems = DEFAULT,
) -> bytes:
    """Write the whole answer, ending with a carriage return, in UTF-8.

    `found` is everybody who fits, best first: the limit and the continuation of the query are kept here. With a `fault` the
    answer says AE and tells nothing about anybody; `control_id` is our own (MSH-10), `at` an aware time.
    """
    raise NotImplementedError
