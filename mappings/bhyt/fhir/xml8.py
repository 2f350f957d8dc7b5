"""XML8, the summary of the record: a Composition, and what our own summary is composed of.

The summary of a visit that did not come as XML is written where the doctor summed up (QT_BENHLY, TOMTAT_KQ). One for every
other visit, as the health book wants it, is made by `mappings.bhyt.health_book`.

Standard: QĐ 3176/QĐ-BYT XML8
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
    "MA_LOAI_KCB": "Encounter.type",
    "NGAY_VAO": "Encounter.period.start",
    "NGAY_RA": "Encounter.period.end",
    "CHAN_DOAN_VAO": "Condition.code.text",
    "CHAN_DOAN_RV": "Condition.code.text",
    "NGAY_CT": "Composition.date",
    **dict.fromkeys(
        (
            *("HO_TEN_CHA", "HO_TEN_ME", "NGUOI_GIAM_HO", "DON_VI", "QT_BENHLY", "TOMTAT_KQ", "PP_DIEUTRI"),
            *("NGAY_SINHCON", "NGAY_CONCHET", "SO_CONCHET", "KET_QUA_DTRI", "GHI_CHU", "MA_TTDV", "MA_THE_TAM"),
        ),
        FIELD,
    ),
}
_TEXTS = (
    *("HO_TEN_CHA", "HO_TEN_ME", "NGUOI_GIAM_HO", "DON_VI", "QT_BENHLY", "TOMTAT_KQ", "PP_DIEUTRI"),
    *("SO_CONCHET", "GHI_CHU", "MA_TTDV", "MA_THE_TAM"),
)


def read(case: Case, rows: Sequence[Row]) -> list[Resource]:
    paper.complete(case)
    found = []
    for n, row in enumerate(rows, 1):
        told = [
            *paper.tell_texts(case, row, *_TEXTS),
            *paper.tell_codes(case, row, KET_QUA_DTRI="KET_QUA_DTRI"),
            *paper.tell_times(case, row, "NGAY_SINHCON", "NGAY_CONCHET"),
        ]
        found.append(case.get(case.add(paper.composition(case, n, "record_summary", row, {}, told))))
    return found


def write(dossier: Dossier) -> list[tuple[Resource, dict[str, str]]]:
    """Give the rows that came as XML, else that of a visit that was summed up."""
    rows = paper.one_paper(dossier, "record_summary")
    return [(main, row) for main, row in rows if main or row.get("QT_BENHLY") or row.get("TOMTAT_KQ")]


TABLE = TableMap("XML8", read, write, MAPPED)
