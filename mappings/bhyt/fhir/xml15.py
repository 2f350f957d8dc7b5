"""XML15, tuberculosis: an EpisodeOfCare with condition and treatment, labelled TB; what tells of HIV is labelled so as well.

Standard: QĐ 4750/QĐ-BYT XML15; second-hand
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.bhyt.fhir import paper, person, programme
from mappings.bhyt.fhir.case import Case, TableMap
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import compact
from mappings.bhyt.fhir.programme import code_of, coded, component, component_of, find
from mappings.bhyt.rows import Row
from mappings.outcome import Resource

_TREATMENT = {"start": "NGAYBD_DTRI_LAO", "end": "NGAYKT_DTRI_LAO", "regimen": "PHACDO_DTRI_LAO"}
_ARV, _CTX = {"start": "BDDT_ARV"}, {"start": "NGAY_BAT_DAU_DT_CTX"}
_CLASSES = {
    "PHANLOAI_LAO_VITRI": "PHANLOAI_LAO_VITRI",
    "PHANLOAI_LAO_TS": "PHANLOAI_LAO_TS",
    "PHANLOAI_LAO_HIV": "PHANLOAI_LAO_HIV",
    "PHANLOAI_LAO_VK": "PHANLOAI_LAO_VK",
    "PHANLOAI_LAO_KT": "PHANLOAI_LAO_KT",
    "LOAI_DTRI_LAO": "LOAI_DTRI_LAO_XML15",
    "KET_QUA_DTRI_LAO": "KET_QUA_DTRI_LAO",
}
MAPPED = {
    "MA_LK": "Encounter.identifier",
    "STT": "EpisodeOfCare.identifier",
    "MA_BN": "Patient.identifier",
    "HO_TEN": "Patient.name",
    "SO_CCCD": "Patient.identifier",
    "NGAYBD_DTRI_LAO": "MedicationStatement.effective",
    "PHACDO_DTRI_LAO": "MedicationStatement.medication",
    "NGAYKT_DTRI_LAO": "MedicationStatement.effective",
    "MA_CSKCB": "EpisodeOfCare.managingOrganization",
    "NGAYKD_HIV": "Observation.value",
    "BDDT_ARV": "MedicationStatement.effective",
    "NGAY_BAT_DAU_DT_CTX": "MedicationStatement.effective",
    **dict.fromkeys(_CLASSES, "Observation.component.value"),
}


def read(case: Case, rows: Sequence[Row]) -> list[Resource]:
    paper.complete(case)
    found = []
    for n, row in enumerate(rows, 1):
        with_hiv = row.get("PHANLOAI_LAO_HIV") == "1" or any(row.get(name) for name in ("NGAYKD_HIV", "BDDT_ARV"))
        labels = [programme.tuberculosis(case), *([programme.HIV] if with_hiv else [])]
        with programme.labelled(case, *labels):
            found.append(_episode(case, n, row))
    return found


def _episode(case: Case, n: int, row: Row) -> Resource:
    made = programme.episode(case, n, "tuberculosis", "Điều trị bệnh lao", row.get("MA_CSKCB", ""))
    classes = [
        one
        for name, listed in _CLASSES.items()
        for one in component(case, name, valueCodeableConcept=coded(case, name, row.get(name, ""), listed))
    ]
    if classes:
        elements = {"status": "final", "code": {"text": "Phân loại bệnh lao"}, "component": classes}
        programme.part(case, n, "Observation", "classes", elements)
    programme.treatment(case, n, "tb", "Điều trị lao", row, **_TREATMENT)
    programme.treatment(case, n, "arv", "Điều trị ARV", row, **_ARV)
    programme.treatment(case, n, "ctx", "Cotrimoxazol", row, **_CTX)
    if n == 1:
        programme.tell_days(case, row, "NGAYKD_HIV")
    return case.get(case.add(made))


def write(dossier: Dossier) -> list[tuple[Resource, dict[str, str]]]:
    """Give the rows that came as XML; HL7 v2 tells no such record."""
    return [(main, _row(dossier, n, main)) for n, main in enumerate(dossier.rows("XML15", "EpisodeOfCare"), 1)]


def _row(dossier: Dossier, n: int, main: Resource) -> dict[str, str]:
    whole = person.identity(dossier)
    classes = find(dossier, main, "Observation", "classes")
    return compact(
        {
            "MA_LK": dossier.number,
            "STT": str(n),
            **{name: whole.get(name, "") for name in ("MA_BN", "HO_TEN", "SO_CCCD")},
            **{name: code_of(component_of(classes, name).get("valueCodeableConcept")) for name in _CLASSES},
            **programme.told_treatment(dossier, main, "tb", **_TREATMENT),
            **programme.told_treatment(dossier, main, "arv", **_ARV),
            **programme.told_treatment(dossier, main, "ctx", **_CTX),
            **programme.fields(dossier, "XML15", (), ("NGAYKD_HIV",)),
            "MA_CSKCB": dossier.facility_of(main.get("managingOrganization")),
        }
    )


TABLE = TableMap("XML15", read, write, MAPPED)
