"""Write the messages of wards, theatres, imaging and pharmacy: bodies without MSH, as a HIS sends them.

Standard: HL7 v2.5.1 §4.4 (OMG, OML), §4.13 (RDE), §4.17 (VXU), §7.3 (ORU), §9.6 (MDM).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from conformance.scenarios.clinic import Doctor
from conformance.scenarios.messages import Body, Order, Visit, evn, ndl, pv1
from conformance.scenarios.people import FACILITY, Person
from conformance.scenarios.segments import (
    address,
    components,
    day_of,
    dg1,
    escape,
    identifiers,
    instant,
    obx_coded,
    obx_field,
    segment,
    service_code,
    xcn,
    xpn,
)
from conformance.scenarios.services import Imaging, Medicine

Fields = Mapping[str, str]
"""Field of a sheet → what it says."""


def texts(fields: Fields, at: datetime, first: int = 1) -> list[str]:
    """One OBX for each field that says something."""
    said = [(name, text) for name, text in fields.items() if text]
    return [obx_field(number, name, text, at) for number, (name, text) in enumerate(said, start=first)]


def note(
    visit: Visit,
    number: str,
    kind: str,
    times: tuple[datetime, datetime],
    who: Sequence[Doctor],
    fields: Fields,
) -> Body:
    """MDM^T02: a document of the ward. `times` are of what it tells and of the writing, `who` wrote and who answers for it."""
    told_at, written_at = times
    txa = segment(
        "TXA",
        {
            1: "1",
            2: kind,
            3: "TX",
            4: instant(told_at),
            6: instant(written_at),
            9: xcn(who[0]),
            10: xcn(who[-1]) if len(who) > 1 else "",
            12: components(number, "HIS"),
            17: "AU",
            19: "AV",
        },
    )
    return Body("MDM^T02^MDM_T02", (evn("T02", written_at), visit.pid, pv1(visit), txa, *texts(fields, written_at)))


def care_entry(
    visit: Visit, number: str, nurse: Doctor, at: datetime, signs: Sequence[tuple[str, str, str, str]], fields: Fields
) -> Body:
    """ORU^R01: what a nurse measured, judged and did; a sign is LOINC code, name, value and unit."""
    obr = segment(
        "OBR",
        {
            1: "1",
            3: components(number, "HIS"),
            4: components("38/BV2", "Phiếu chăm sóc", "TT32"),
            7: instant(at),
            22: instant(at + timedelta(minutes=5)),
            24: "NRS",
            25: "F",
            34: ndl(nurse),
        },
    )
    measured = [
        segment(
            "OBX",
            {1: str(row), 2: "NM", 3: components(code, name, "LN"), 5: value, 6: components(unit, "", "UCUM"), 11: "F"},
        )
        for row, (code, name, value, unit) in enumerate(signs, start=1)
    ]
    return Body("ORU^R01^ORU_R01", (visit.pid, pv1(visit), obr, *measured, *texts(fields, at, first=len(measured) + 1)))


def imaging_report(visit: Visit, numbers: tuple[str, str], made: Imaging, who: Sequence[Doctor], at: datetime) -> Body:
    """ORU^R01 of a picture or a function test; `numbers` are of the order and of the report, `who` read it."""
    placer, filler = components(numbers[0], "HIS"), components(numbers[1], "RIS")
    began = at - timedelta(minutes=20)
    orc = segment("ORC", {1: "RE", 2: placer, 3: filler, 5: "CM", 9: instant(began), 12: xcn(visit.doctor)})
    obr = segment(
        "OBR",
        {
            1: "1",
            2: placer,
            3: filler,
            4: components(made.code, made.name, "99HIS"),
            6: instant(began),
            7: instant(began + timedelta(minutes=8)),
            13: escape(visit.diagnosis.complaint),
            16: xcn(visit.doctor),
            18: f"ACC{numbers[1]}",
            22: instant(at),
            24: made.section,
            25: "F",
            31: components(visit.diagnosis.icd, visit.diagnosis.name, "I10"),
            32: ndl(who[0]),
        },
    )
    fields = {
        "KY_THUAT": made.technique,
        "MO_TA": made.description,
        "KET_LUAN": made.conclusion,
        "DE_NGHI": made.advice,
    }
    return Body("ORU^R01^ORU_R01", (visit.pid, pv1(visit), orc, obr, *texts(fields, at)))


def imaging_order(visit: Visit, number: str, made: Imaging, at: datetime) -> Body:
    """OMG^O19: the order of a picture or a function test."""
    placer = components(number, "HIS")
    orc = segment(
        "ORC", {1: "NW", 2: placer, 4: components(f"P{number}", "HIS"), 9: instant(at), 12: xcn(visit.doctor)}
    )
    obr = segment(
        "OBR",
        {
            1: "1",
            2: placer,
            4: components(made.code, made.name, "99HIS"),
            6: instant(at),
            13: escape(visit.diagnosis.complaint),
            16: xcn(visit.doctor),
            24: made.section,
            31: components(visit.diagnosis.icd, visit.diagnosis.name, "I10"),
        },
    )
    return Body("OMG^O19^OMG_O19", (visit.pid, pv1(visit), orc, obr))


def laboratory_order(visit: Visit, number: str, orders: Sequence[Order], at: datetime) -> Body:
    """OML^O21: what a doctor ordered of the laboratory at one time, on one sheet."""
    rows = []
    for row, order in enumerate(orders, start=1):
        placer = components(order.placer, "HIS")
        rows += [
            segment("ORC", {1: "NW", 2: placer, 4: components(number, "HIS"), 9: instant(at), 12: xcn(visit.doctor)}),
            segment("TQ1", {1: "1", 9: "S" if visit.patient_class == "E" else "R"}),
            segment(
                "OBR",
                {
                    1: str(row),
                    2: placer,
                    4: service_code(order.panel, order.panel.code, order.panel.name, order.panel.loinc),
                    6: instant(at),
                    13: escape(visit.diagnosis.complaint),
                    16: xcn(visit.doctor),
                    31: components(visit.diagnosis.icd, visit.diagnosis.name, "I10"),
                },
            ),
        ]
    return Body("OML^O21^OML_O21", (visit.pid, pv1(visit), *rows))


def prescription(visit: Visit, number: str, medicines: Sequence[Medicine], weight: str, at: datetime) -> Body:
    """RDE^O11: what an outpatient takes home; every class of medicines has a code of its own."""
    rows = []
    for row, medicine in enumerate(medicines, start=1):
        code = f"01999{number[-7:].lower()}-{medicine.drug_class.lower()}"
        until = at.date() + timedelta(days=medicine.days - 1)
        rows += [
            segment(
                "ORC",
                {
                    1: "NW",
                    2: components(f"{number}-{row}", "HIS"),
                    4: components(number, "HIS"),
                    9: instant(at),
                    12: xcn(visit.doctor),
                    29: components("O", "Outpatient Order", "HL70482"),
                },
            ),
            segment(
                "RXE",
                {
                    2: components(medicine.code, medicine.name, "99HIS"),
                    3: "1",
                    5: escape(medicine.unit),
                    6: components(medicine.form_code, medicine.form, "99HIS"),
                    7: f"^{escape(medicine.usage)}",
                    10: str(medicine.each_day * medicine.days),
                    11: escape(medicine.unit),
                    15: code,
                },
            ),
            segment(
                "TQ1", {1: "1", 3: medicine.timing, 6: f"{medicine.days}^d", 7: day_of(at.date()), 8: day_of(until)}
            ),
            segment("RXR", {1: components(medicine.route_code, medicine.route, "HL70162")}),
            *texts({"HOAT_CHAT": medicine.ingredient, "LOAI_DON_THUOC": medicine.drug_class}, at),
        ]
        if weight:
            rows.append(
                segment(
                    "OBX",
                    {
                        1: "3",
                        2: "NM",
                        3: components("29463-7", "Cân nặng", "LN"),
                        5: weight,
                        6: components("kg", "", "UCUM"),
                        11: "F",
                        14: instant(at),
                    },
                )
            )
    return Body("RDE^O11^RDE_O11", (visit.pid, pv1(visit), *rows))


def vaccination(
    visit: Visit, number: str, vaccine: tuple[str, str, str], nurse: Doctor, at: datetime, next_on: date | None
) -> Body:
    """VXU^V04: one dose; `vaccine` is code, name and lot."""
    code, name, lot = vaccine
    rxa = segment(
        "RXA",
        {
            1: "0",
            2: "1",
            3: instant(at),
            4: instant(at),
            5: components(code, name, "99HIS"),
            6: "0.5",
            7: components("mL", "", "UCUM"),
            9: components("00", "Tiêm mới", "NIP001"),
            10: xcn(nurse),
            15: lot,
            20: "CP",
            21: "A",
        },
    )
    dose = segment(
        "OBX", {1: "1", 2: "NM", 3: components("30973-2", "Mũi số", "LN"), 4: "1", 5: "1", 11: "F", 14: instant(at)}
    )
    due = segment(
        "OBX",
        {
            1: "2",
            2: "DT",
            3: components("30980-7", "Ngày đến hạn tiêm", "LN"),
            4: "1",
            5: day_of(next_on) if next_on else "",
            11: "F",
            14: instant(at),
        },
    )
    return Body(
        "VXU^V04^VXU_V04",
        (
            visit.pid,
            pv1(visit),
            segment("ORC", {1: "RE", 3: components(number, "HIS")}),
            rxa,
            segment("RXR", {1: components("IM", "Tiêm bắp", "HL70162"), 2: components("RT", "Đùi phải", "HL70163")}),
            dose,
            *([due] if next_on else []),
        ),
    )


def birth(visit: Visit, mother: Person, fields: Fields, at: datetime) -> Body:
    """A01 of a newborn, with what the certificate of birth prints; the mother is named by her number."""
    child = visit.person
    own = segment(
        "PID",
        {
            1: "1",
            3: identifiers(child),
            5: xpn(child.name),
            7: instant(visit.admitted_at),
            8: child.sex,
            11: address(mother),
            21: components(mother.number, "", "", FACILITY, "PI"),
            22: mother.ethnic,
            26: "VNM",
            28: "VNM",
        },
    )
    numbers = [components(mother.cccd, "", "", "CA", "NI")]
    if mother.card:
        numbers.append(components(mother.card, "", "", "BHXH", "HC"))
    kin = segment(
        "NK1",
        {
            1: "1",
            2: xpn(mother.name),
            3: components("MTH", "Mẹ", "HL70063"),
            4: address(mother),
            16: day_of(mother.born),
            33: "~".join(numbers),
        },
    )
    coded = (
        ("GIOI_TINH_CON", "1" if child.sex == "M" else "2", "Nam" if child.sex == "M" else "Nữ"),
        ("MA_DANTOC_NND", mother.ethnic, ""),
        ("SINHCON_PHAUTHUAT", "0", "Không"),
        ("SINHCON_DUOI32TUAN", "0", "Không"),
    )
    said = texts(fields, at)
    said += [obx_coded(len(said) + row, *each, at) for row, each in enumerate(coded, start=1)]
    return Body(
        "ADT^A01^ADT_A01",
        (
            evn("A01", at, visit.admitted_at),
            own,
            kin,
            pv1(visit),
            segment("PV2", {3: components("", visit.diagnosis.complaint)}),
            *said,
            *dg1(visit.diagnosis, visit.admitted_at, "A"),
        ),
    )
