"""Withdraw a record that was sent: the same visit once more, its subject of treatment being 8.

Whether the note has all tables or XML1 alone is not known; both can be written.

Standard: QĐ 3276/QĐ-BYT annex 1 (MA_DOITUONG_KCB 8, withdrawal of a payment request), second-hand
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from mappings.bhyt.decisions import decision_of
from mappings.bhyt.faults import FieldMissing
from mappings.bhyt.files import visit_to_file
from mappings.bhyt.visits import Visit

WITHDRAWN = "8"


def visit_to_withdrawal(visit: Visit, made_on: date, *, whole: bool = True) -> bytes:
    """Write the unsigned file that withdraws a visit, in the shape of its decision; with `whole` all of its tables.

    Raises FieldMissing for a visit without XML1 or MA_LK, EnvelopeInvalid.
    """
    if len(visit.tables.get("XML1", ())) != 1 or not visit.number:
        raise FieldMissing("XML1/MA_LK", "one row")
    (summary,) = visit.tables["XML1"]
    tables = {**(visit.tables if whole else {}), "XML1": ({**summary, "MA_DOITUONG_KCB": WITHDRAWN},)}
    facility = visit.facility or summary.get("MA_CSKCB", "")
    decision = decision_of(visit.tables)
    return visit_to_file(replace(visit, tables=tables, facility=facility), decision=decision, made_on=made_on)
