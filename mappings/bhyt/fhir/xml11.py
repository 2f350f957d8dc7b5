"""XML11, the certificate of days off work: a Composition, and what our own paper is composed of.

Standard: QĐ 3176/QĐ-BYT XML11
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.bhyt.fhir import paper
from mappings.bhyt.fhir.case import Case, TableMap
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.paper import FIELD
from mappings.bhyt.rows import Row
from mappings.outcome import Resource

_TEXTS = (
    *("SO_CT", "SO_SERI", "SO_KCB", "DON_VI", "MA_BHXH", "PP_DIEUTRI", "NGUYENNHAN_DINHCHI", "TUOI_THAI"),
    *("SO_NGAY_NGHI", "HO_TEN_CHA", "HO_TEN_ME", "MA_TTDV", "MA_THE_TAM", "MAU_SO"),
)
MAPPED = {
    "MA_LK": "Encounter.identifier",
    "MA_THE_BHYT": "Coverage.subscriberId",
    "CHAN_DOAN_RV": "Condition.code.text",
    "MA_BS": "Practitioner.identifier",
    "NGAY_CT": "Composition.date",
    **dict.fromkeys((*_TEXTS, "MA_DINH_CHI_THAI", "TU_NGAY", "DEN_NGAY"), FIELD),
}


def read(case: Case, rows: Sequence[Row]) -> list[Resource]:
    paper.complete(case)
    found = []
    for n, row in enumerate(rows, 1):
        told = [
            *paper.tell_texts(case, row, *_TEXTS),
            *paper.tell_codes(case, row, MA_DINH_CHI_THAI="YES_NO"),
            *paper.tell_times(case, row, "TU_NGAY", "DEN_NGAY"),
        ]
        author = paper.doctor(case, row.get("MA_BS", ""))
        found.append(case.get(case.add(paper.composition(case, n, "leave_paper", row, author, told))))
    return found


def write(dossier: Dossier) -> list[tuple[Resource, dict[str, str]]]:
    """Give the rows that came as XML, else that of an outpatient's visit that told a leave."""
    found = []
    for main, row in paper.one_paper(dossier, "leave_paper"):
        row["MA_THE_BHYT"] = paper.cards(dossier).get("MA_THE_BHYT", "")
        found.append((main, row | ({"MA_BS": paper.signed_by(dossier, main)} if main else {})))
    return found


TABLE = TableMap("XML11", read, write, MAPPED)
