"""The insurance portal's XML: tables of QĐ 130, QĐ 4750, QĐ 3176 and QĐ 1931, and the envelope they travel in.

`visit_file.py` writes the whole file of a visit, `fhir/` turns tables into a record and a record into tables, `rules/` checks
them. From a paper alone (`write.py`): its own table, and XML1 as far as the paper knows it, because the portal takes no visit
without; such a file has no money: it is received, and comes back from assessment (block error 11). Does not sign.
"""

from mappings.bhyt.envelope import Envelope, envelope, read
from mappings.bhyt.papers import TABLE_OF_PAPER
from mappings.bhyt.write import paper_name, paper_to_envelope, paper_to_gdbhyt, paper_to_rows

__all__ = [
    "TABLE_OF_PAPER",
    "Envelope",
    "envelope",
    "paper_name",
    "paper_to_envelope",
    "paper_to_gdbhyt",
    "paper_to_rows",
    "read",
]
