"""XML10, the rest a pregnancy needs: a Composition, and what our own paper is composed of.

The table does not tell the gestational age that the paper of TT 25/2025/TT-BYT asks for.

Standard: QĐ 3176/QĐ-BYT XML10
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.bhyt.fhir import paper
from mappings.bhyt.fhir.case import Case, TableMap
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.paper import FIELD
from mappings.bhyt.rows import Row
from mappings.outcome import Resource

MAPPED = {
    "MA_LK": "Encounter.identifier",
    "CHAN_DOAN_RV": "Condition.code.text",
    "TEN_BS": "Practitioner.name",
    "MA_BS": "Practitioner.identifier",
    "NGAY_CT": "Composition.date",
    **dict.fromkeys(("SO_SERI", "SO_CT", "SO_NGAY", "DON_VI", "TU_NGAY", "DEN_NGAY", "MA_TTDV"), FIELD),
}


def read(case: Case, rows: Sequence[Row]) -> list[Resource]:
    paper.complete(case)
    found = []
    for n, row in enumerate(rows, 1):
        told = [
            *paper.tell_texts(case, row, "SO_SERI", "SO_CT", "SO_NGAY", "DON_VI", "MA_TTDV"),
            *paper.tell_times(case, row, "TU_NGAY", "DEN_NGAY"),
        ]
        author = paper.doctor(case, row.get("MA_BS", ""), row.get("TEN_BS", ""))
        found.append(case.get(case.add(paper.composition(case, n, "maternity_rest_paper", row, author, told))))
    return found


def write(dossier: Dossier) -> list[tuple[Resource, dict[str, str]]]:
    """Give the rows that came as XML, else that of a visit that told days of rest."""
    rows = paper.one_paper(dossier, "maternity_rest_paper")
    return [(main, row | ({"MA_BS": paper.signed_by(dossier, main)} if main else {})) for main, row in rows]


TABLE = TableMap("XML10", read, write, MAPPED)
