"""XML13, the referral: a ServiceRequest as HL7 v2 REF^I12 gives it, and what our own referral is composed of.

QĐ 4750 and QĐ 3176 call the same things by other names: MA_NOI_DI and MA_CSKCB_DI, MA_NOI_DEN and MA_CSKCB_DEN, PP_DIEU_TRI and
TINH_TRANG_CT. Both are read to the same resources; TEN_DICH_VU and TEN_THUOC of QĐ 4750 are told fields that QĐ 3176 does not
write.

Standard: QĐ 4750/QĐ-BYT XML13, QĐ 3176/QĐ-BYT XML13; second-hand
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.bhyt.fhir import paper, person, stay
from mappings.bhyt.fhir.case import Case, TableMap
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import compact, concept, digits_to_time, is_code
from mappings.bhyt.fhir.paper import FIELD
from mappings.bhyt.rows import Row
from mappings.bhyt.tables import code_list
from mappings.outcome import Resource
from mappings.systems import SNOMED

_CATEGORY = concept("3457005", SNOMED, "Patient referral")
_SAME = {"MA_NOI_DI": "MA_CSKCB_DI", "MA_NOI_DEN": "MA_CSKCB_DEN", "PP_DIEU_TRI": "TINH_TRANG_CT"}
"""Name in QĐ 4750 → name in QĐ 3176."""
_TEXTS = (
    *("SO_HOSO", "SO_CHUYENTUYEN", "MA_CSKCB_DI", "DAU_HIEU_LS", "QT_BENHLY", "TOMTAT_KQ", "PP_DIEUTRI", "TEN_DICH_VU"),
    *(
        "TEN_THUOC",
        "TINH_TRANG_CT",
        "HUONG_DIEU_TRI",
        "PHUONGTIEN_VC",
        "HOTEN_NGUOI_HT",
        "CHUCDANH_NGUOI_HT",
        "MA_TTDV",
    ),
)
MAPPED = {
    "MA_LK": "Encounter.identifier",
    "GIAY_CHUYEN_TUYEN": "ServiceRequest.identifier",
    "MA_CSKCB": "Encounter.serviceProvider",
    "MA_CSKCB_DEN": "ServiceRequest.performer",
    "MA_NOI_DEN": "ServiceRequest.performer",
    "HO_TEN": "Patient.name",
    "NGAY_SINH": "Patient.birthDate",
    "GIOI_TINH": "Patient.gender",
    "MA_QUOCTICH": "Patient.extension(patient-nationality)",
    "MA_DANTOC": "Patient.extension(vn-ext-ethnicity)",
    "MA_NGHE_NGHIEP": "Patient.extension(vn-ext-occupation)",
    "DIA_CHI": "Patient.address.text",
    "MA_THE_BHYT": "Coverage.subscriberId",
    "GT_THE_DEN": "Coverage.period.end",
    "NGAY_VAO": "Encounter.period.start",
    "NGAY_VAO_NOI_TRU": FIELD,
    "NGAY_RA": "Encounter.period.end | ServiceRequest.occurrence",
    "CHAN_DOAN_RV": "Condition.code.text",
    "MA_BENH_CHINH": "Condition.code.coding",
    "MA_BENH_KT": "Condition.code.coding",
    "MA_BENH_YHCT": "Condition.code.coding",
    "MA_LOAI_RV": "Encounter.hospitalization.dischargeDisposition",
    "MA_LYDO_CT": "ServiceRequest.reasonCode",
    "MA_BAC_SI": "ServiceRequest.requester",
    **dict.fromkeys((*_TEXTS, "MA_NOI_DI", "PP_DIEU_TRI"), FIELD),
}


def read(case: Case, rows: Sequence[Row]) -> list[Resource]:
    paper.complete(case)
    return [case.get(case.add(_request(case, n, _as_3176(row)))) for n, row in enumerate(rows, 1)]


def _as_3176(row: Row) -> dict[str, str]:
    """Give a row under the names of QĐ 3176."""
    return {_SAME.get(name, name): text for name, text in row.items() if text or name not in _SAME}


def _request(case: Case, n: int, row: Row) -> Resource:
    paper.tell_texts(case, row, *_TEXTS)
    paper.tell_times(case, row, "NGAY_VAO_NOI_TRU")
    number, to, reason = (row.get(name, "") for name in ("GIAY_CHUYEN_TUYEN", "MA_CSKCB_DEN", "MA_LYDO_CT"))
    listed = code_list("MA_LYDO_CT")
    known = listed.find(reason) if listed else None
    moved = digits_to_time(row.get("NGAY_RA", ""))
    made = {
        "resourceType": "ServiceRequest",
        "id": case.row_id("ServiceRequest", n),
        "identifier": [
            *([{"system": case.local("referral"), "value": number}] if number else []),
            case.row_identifier(n),
        ],
        "status": "active",
        "intent": "order",
        "category": [_CATEGORY],
        **case.about(),
        "occurrenceDateTime": moved,
        "requester": paper.doctor(case, row.get("MA_BAC_SI", "")),
        "performer": [case.organization(to)] if to else [],
        "reasonCode": [concept(reason, case.code_system("MA_LYDO_CT"), known.vi)] if known else [],
    }
    if is_code(reason) and not known:
        paper.tell_codes(case, row, MA_LYDO_CT="MA_LYDO_CT")
    made.setdefault("subject", _unknown(case))
    return compact(made)


def _unknown(case: Case) -> Resource:
    """Refer to a person nobody names by the visit."""
    return {"identifier": {"system": case.systems.episode, "value": case.number or "?"}}


def write(dossier: Dossier) -> list[tuple[Resource, dict[str, str]]]:
    """Give the rows that came as XML, else those of the referrals of the visit."""
    found = []
    mains = dossier.rows("XML13", "ServiceRequest")
    for request in mains or paper.due(dossier, "referral"):
        main = request if mains else {}
        row = paper.row_of(dossier, "referral", main, request) | _repeated(dossier, main)
        if main:
            row["MA_BAC_SI"] = dossier.licence(main.get("requester"))
        if dossier.decision in ("130", "4750"):
            row = {old: row.get(new, "") for old, new in _SAME.items()} | row
        found.append((main, row))
    return found


def _repeated(dossier: Dossier, main: Resource) -> dict[str, str]:
    """Give the fields that only repeat XML1: of the person, the cards, the diagnoses."""
    names = ("HO_TEN", "NGAY_SINH", "GIOI_TINH", "MA_QUOCTICH", "MA_DANTOC", "MA_NGHE_NGHIEP", "DIA_CHI")
    whole = {
        **person.identity(dossier),
        **paper.cards(dossier),
        **{name: text for name, text in stay.diagnoses(dossier).items() if name != "CHAN_DOAN_VAO"},
    }
    kept = (*names, "MA_THE_BHYT", "GT_THE_DEN", "CHAN_DOAN_RV", "MA_BENH_CHINH", "MA_BENH_KT", "MA_BENH_YHCT")
    return {name: whole.get(name, "") for name in kept}


TABLE = TableMap("XML13", read, write, MAPPED)
