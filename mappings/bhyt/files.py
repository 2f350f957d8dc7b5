"""One visit as the file that is sent: GIAMDINHHS around its tables, or a table that travels bare.

Standard: guide CV 1245/BHXH-CNTT (2024), QĐ 3176/QĐ-BYT; second-hand
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from mappings.bhyt.envelope import envelope
from mappings.bhyt.faults import FieldMissing
from mappings.bhyt.rows import Row, rows_to_xml
from mappings.bhyt.tables import NAMES, table
from mappings.bhyt.visits import BARE, Visit


def visit_to_file(
    visit: Visit, *, decision: str, made_on: date, cdata: bool = False, as_in_guide: bool = False
) -> bytes:
    """Write the unsigned GIAMDINHHS of a visit: its tables in the shape of a decision, without those that travel bare.

    `cdata` and `as_in_guide` as in `rows_to_xml` and `envelope`. The same visit gives the same bytes. Raises EnvelopeInvalid.
    """
    files = [
        (name, rows_to_xml(table(name, decision), part, cdata=cdata))
        for name in NAMES
        if name not in BARE
        for part in parts(name, visit.tables.get(name, ()))
    ]
    return envelope(visit.facility, made_on, files, as_in_guide=as_in_guide)


def parts(name: str, rows: Sequence[Row]) -> list[Sequence[Row]]:
    """Share the rows of a table out to files: a list is one, of other tables each row is one, as twins have a form each."""
    if table(name).has_list:
        return [rows] if rows else []
    return [(row,) for row in rows]


def bare_file(visit: Visit, name: str, *, decision: str, cdata: bool = False) -> bytes:
    """Write one table without the envelope, as XML0 and XML12 travel, with an empty place for the signature.

    Raises FieldMissing when the visit has no row of it.
    """
    rows = visit.tables.get(name, ())
    if not rows:
        raise FieldMissing(name, "no row")
    written = rows_to_xml(table(name, decision), rows, cdata=cdata)
    end = written.rindex(b"</")
    return written[:end] + b"<CHUKYDONVI/>" + written[end:]
