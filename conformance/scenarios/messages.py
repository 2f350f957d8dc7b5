"""Write the messages a HIS and a LIS send: first bodies, then MSH in front when the order of the day is known.

Standard: HL7 v2.5.1 §3.3 (ADT), §7.3 (ORU), §10.4 (SIU), §11.5 (REF).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from conformance.scenarios.charges import Charge, bill, situation, told
from conformance.scenarios.clinic import Diagnosis, Doctor, Panel, Result, departments
from conformance.scenarios.people import FACILITY, FACILITY_NAME, Name, Person
from conformance.scenarios.segments import (
    components,
    day_of,
    dg1,
    escape,
    in1,
    instant,
    instant_with_offset,
    nk1,
    nte,
    obx_coded,
    obx_field,
    obx_result,
    obx_time,
    pd1,
    pid,
    segment,
    service_code,
    xcn,
    xpn,
)

OUTCOMES = {"1": "Khỏi", "2": "Đỡ", "5": "Tử vong"}
TRANSFER_REASONS = {
    "1": "Đủ điều kiện chuyển, phù hợp quy định chuyển tuyến",
    "2": "Đủ điều kiện chuyển, do vượt khả năng cơ sở",
    "3": "Theo yêu cầu người bệnh/người đại diện",
}


@dataclass(frozen=True)
class Body:
    """One message without its MSH."""

    structure: str
    """MSH-9, such as `ADT^A01^ADT_A01`."""
    segments: tuple[str, ...]

    @property
    def label(self) -> str:
        return "^".join(self.structure.split("^")[:2])


@dataclass
class Visit:
    """One encounter as the HIS knows it at a moment; the planner moves it on."""

    number: str
    person: Person
    diagnosis: Diagnosis
    doctor: Doctor
    patient_class: str
    """PV1-2: I, O or E."""
    department: str
    room: str
    bed: str
    admitted_at: datetime
    secondary: tuple[str, ...] = ()
    identity: str = ""
    """PID segment to send instead of the person's own, for one who has no name yet."""
    discharged_at: datetime | None = None
    disposition: str = ""
    """MA_LOAI_RV in PV1-36."""
    sent_to: str = ""
    findings: tuple[str, ...] = ()
    """Abnormal results so far, in words."""
    newborn: bool = False
    charges: tuple[Charge, ...] = ()
    taken_in_at: datetime | None = None
    """When somebody who came as an outpatient or emergency was taken in; None = who is in came so, or nobody was."""
    first_order_at: datetime | None = None
    checked_in: tuple[str, ...] = ()
    """Parts of the visit whose check-in at the portal is due already: `""` the whole, `#noi-tru` the ward."""

    @property
    def pid(self) -> str:
        return self.identity or pid(self.person)


@dataclass(frozen=True)
class Order:
    """One OBR with what was measured for it."""

    placer: str
    filler: str
    panel: Panel
    results: tuple[Result, ...]
    requested_at: datetime
    collected_at: datetime
    received_at: datetime
    reported_at: datetime
    status: str
    """OBR-25: P preliminary, F final, C corrected."""
    remark: str = ""


@dataclass(frozen=True)
class Appointment:
    """A re-examination."""

    number: str
    starts_at: datetime
    note: str


@dataclass(frozen=True)
class Transfer:
    """A referral to another facility."""

    number: str
    register_number: str
    facility: tuple[str, str]
    reason: str
    at: datetime
    results_summary: str
    state: str
    plan: str
    vehicle: str
    escort: Doctor


def message(stream: str, body: Body, at: datetime, control_id: str, enhanced: bool = False) -> bytes:
    """Put MSH in front and encode: UTF-8, carriage returns only. Enhanced mode asks for a commit answer alone."""
    msh = segment(
        "MSH",
        {
            1: "^~\\&",
            2: stream.upper(),
            3: FACILITY,
            4: "LIENTHONG",
            5: FACILITY,
            6: instant_with_offset(at) if stream == "lis" else instant(at),
            8: body.structure,
            9: control_id,
            10: "P",
            11: "2.5.1",
            **({14: "AL", 15: "NE"} if enhanced else {}),
            16: "VNM",
            17: "UNICODE UTF-8",
        },
    )
    return "\r".join((msh, *body.segments, "")).encode()


def pv1(visit: Visit) -> str:
    place = components(
        visit.department, visit.room, visit.bed, FACILITY, "", "", "", "", departments()[visit.department]
    )
    fields = {
        1: "1",
        2: visit.patient_class,
        3: place,
        4: "N" if visit.newborn else "E" if visit.patient_class == "E" else "R",
        7: xcn(visit.doctor),
        10: visit.department,
        19: components(visit.number, "", "", FACILITY, "VN"),
        36: visit.disposition,
        37: visit.sent_to,
        44: instant(visit.admitted_at),
        45: instant(visit.discharged_at) if visit.discharged_at else "",
    }
    return segment("PV1", {number: text for number, text in fields.items() if text})


def evn(trigger: str, at: datetime, occurred_at: datetime | None = None) -> str:
    return segment("EVN", {1: trigger, 2: instant(at), 6: instant(occurred_at or at)})


def admission(visit: Visit, trigger: str, at: datetime, extra: tuple[str, ...] = ()) -> Body:
    """A01, A04, A08 or A13: patient, next of kin, visit, working diagnosis, insurance; `extra` is added at the end."""
    person = visit.person
    named = not visit.identity
    kind = "A" if trigger in ("A01", "A04") else "W"
    occurred_at = visit.admitted_at if trigger in ("A01", "A04") else at
    return Body(
        f"ADT^{trigger}^ADT_A01",
        (
            evn(trigger, at, occurred_at),
            visit.pid,
            *([pd1()] if named and person.card else []),
            *([nk1(person.guardian)] if named and person.guardian else []),
            pv1(visit),
            segment("PV2", {3: components("", visit.diagnosis.complaint)}),
            *(_insurance(visit, at) if named and trigger in ("A01", "A04", "A08") else ()),
            *dg1(visit.diagnosis, visit.admitted_at, kind, visit.secondary),
            *([in1(person)] if named and person.card else []),
            *extra,
        ),
    )


def _insurance(visit: Visit, at: datetime) -> tuple[str, ...]:
    """What the check-in at the insurance portal needs and HL7 v2 has no field for."""
    if visit.patient_class != "I":
        return (obx_coded(1, *situation(visit), at),)
    return (
        obx_coded(1, *situation(visit), at),
        obx_time(2, "NGAY_VAO_NOI_TRU", visit.taken_in_at or visit.admitted_at, at),
        obx_field(3, "LY_DO_VNT", f"{visit.diagnosis.complaint}, cần điều trị nội trú", at),
    )


def cancel_admission(visit: Visit, at: datetime) -> Body:
    return Body("ADT^A11^ADT_A09", (evn("A11", at), visit.pid, pv1(visit)))


def discharge(visit: Visit, at: datetime, outcome: str, note: str = "", more: Mapping[str, str] | None = None) -> Body:
    """A03 with everything that the papers of the end of a visit need; `more` are further fields of theirs."""
    assert visit.discharged_at is not None
    person, end = visit.person, visit.discharged_at
    code, occupation = person.occupation
    issued = day_of(person.cccd_issued) if person.cccd and person.cccd_issued else ""
    fields = {
        "PP_DIEUTRI": visit.diagnosis.treatment,
        "LOI_DAN": visit.diagnosis.advice,
        "CHAN_DOAN_VAO": f"{visit.diagnosis.name} ({visit.diagnosis.icd})",
        "QT_BENHLY": f"{visit.diagnosis.complaint}. Khi vào viện: {visit.diagnosis.signs}.",
        "TOMTAT_KQ": "; ".join(visit.findings) + "." if visit.findings else "Trong giới hạn bình thường.",
        "HUONG_DIEU_TRI": visit.diagnosis.advice,
        "GHI_CHU": note,
        "LY_DO_VNT": f"{visit.diagnosis.complaint}, cần điều trị nội trú" if visit.patient_class == "I" else "",
        "NGAYCAP_CCCD": issued,
        "NGAY_TTOAN": instant(end),
        **(more or {}),
    }
    texts = [
        obx_field(number, field, text, end)
        for number, (field, text) in enumerate(((f, t) for f, t in fields.items() if t), start=1)
    ]
    texts.append(obx_coded(len(texts) + 1, "MA_NGHE_NGHIEP", code, occupation, end))
    texts.append(obx_coded(len(texts) + 1, "KET_QUA_DTRI", outcome, OUTCOMES.get(outcome, "Không thay đổi"), end))
    texts += [obx_coded(len(texts) + n, *one, end) for n, one in enumerate(told(visit, end.date()), start=1)]
    return Body(
        "ADT^A03^ADT_A03",
        (
            evn("A03", at, end),
            visit.pid,
            *([pd1()] if person.card else []),
            *([nk1(person.guardian)] if person.guardian else []),
            pv1(visit),
            segment("PV2", {3: components("", visit.diagnosis.complaint)}),
            *dg1(visit.diagnosis, end, "F", visit.secondary),
            *texts,
            *([in1(person)] if person.card else []),
        ),
    )


def charges(visit: Visit, at: datetime) -> Body:
    """DFT^P03 with everything that a visit which ended is charged for."""
    assert visit.discharged_at is not None
    return Body("DFT^P03^DFT_P03", (evn("P03", at), visit.pid, pv1(visit), *bill(visit, at)))


def person_update(person: Person, trigger: str, at: datetime) -> Body:
    """A28 (a person is added) or A31 (a person's data changed)."""
    return Body(
        f"ADT^{trigger}^ADT_A05",
        (
            evn(trigger, at),
            pid(person),
            *([pd1()] if person.card else []),
            *([nk1(person.guardian)] if person.guardian else []),
            segment("PV1", {1: "1", 2: "N"}),
            *([in1(person)] if person.card else []),
        ),
    )


def merge(survivor: Person, old_number: str, old_name: Name, at: datetime) -> Body:
    """A40: the old number is no longer used; everything belongs to the survivor."""
    mrg = segment("MRG", {1: components(old_number, "", "", FACILITY, "PI"), 7: xpn(old_name)})
    return Body("ADT^A40^ADT_A39", (evn("A40", at), pid(survivor), mrg))


def results_report(visit: Visit, orders: list[Order], technician: Doctor, reader: Doctor) -> Body:
    """ORU^R01: one OBR for each order, with its values, remarks and specimen."""
    segments = [visit.pid, pv1(visit)]
    for number, order in enumerate(orders, start=1):
        segments += _order(visit, number, order, technician, reader)
    return Body("ORU^R01^ORU_R01", tuple(segments))


def _order(visit: Visit, number: int, order: Order, technician: Doctor, reader: Doctor) -> list[str]:
    panel = order.panel
    placer, filler = components(order.placer, "HIS"), components(order.filler, "LIS")
    collected, received = instant_with_offset(order.collected_at), instant_with_offset(order.received_at)
    reported = instant_with_offset(order.reported_at)
    orc = segment(
        "ORC",
        {1: "RE", 2: placer, 3: filler, 5: "CM", 9: instant_with_offset(order.requested_at), 12: xcn(visit.doctor)},
    )
    obr = segment(
        "OBR",
        {
            1: str(number),
            2: placer,
            3: filler,
            4: service_code(panel, panel.code, panel.name, panel.loinc),
            6: instant_with_offset(order.requested_at),
            7: collected,
            13: escape(visit.diagnosis.complaint),
            14: received,
            16: xcn(visit.doctor),
            22: reported,
            24: panel.section,
            25: order.status,
            31: components(visit.diagnosis.icd, visit.diagnosis.name, "I10"),
            32: ndl(reader),
            34: ndl(technician),
        },
    )
    values = [
        obx_result(index, panel, result, order.status, order.reported_at)
        for index, result in enumerate(order.results, start=1)
    ]
    remark = [nte(1, order.remark)] if order.remark else []
    code, name = panel.specimen
    spm = segment(
        "SPM",
        {
            1: "1",
            2: f"^{order.filler}-{code}&LIS",
            4: components(code, name, "HL70487"),
            17: collected,
            18: received,
            24: components("GOOD", "Đạt yêu cầu", "99LIS"),
        },
    )
    return [orc, obr, *values[:1], *remark, *values[1:], spm]


def ndl(doctor: Doctor) -> str:
    """NDL: the person is a CNN of subcomponents."""
    name = doctor.name
    parts = (doctor.licence, name.family, name.given, name.middle, "", doctor.title)
    return "&".join(escape(part) for part in parts)


def referral(visit: Visit, transfer: Transfer) -> Body:
    """REF^I12 with everything annex VI of TT 01/2025 asks for."""
    person, at = visit.person, transfer.at
    code, occupation = person.occupation
    facility, facility_name = transfer.facility
    rf1 = segment(
        "RF1",
        {
            1: components("A", "Accepted", "HL70283"),
            2: components("S" if visit.patient_class == "E" else "R", "", "HL70280"),
            3: components("Hos", "Hospital", "HL70281"),
            5: visit.patient_class,
            6: components(transfer.number, FACILITY),
            7: instant(at),
            8: day_of(_working_days_after(at.date(), 10)),
            10: components(transfer.reason, TRANSFER_REASONS[transfer.reason], "MA_LYDO_CT"),
        },
    )
    fields = [
        ("DAU_HIEU_LS", visit.diagnosis.signs),
        ("QT_BENHLY", f"{visit.diagnosis.complaint}. Khi vào viện: {visit.diagnosis.signs}."),
        ("TOMTAT_KQ", transfer.results_summary),
        ("PP_DIEUTRI", visit.diagnosis.treatment),
        ("TINH_TRANG_CT", transfer.state),
        ("HUONG_DIEU_TRI", transfer.plan),
        ("PHUONGTIEN_VC", transfer.vehicle),
        ("HOTEN_NGUOI_HT", transfer.escort.name.full),
        ("CHUCDANH_NGUOI_HT", "Điều dưỡng" if transfer.escort.title == "KTV" else "Bác sĩ"),
        ("SO_CHUYENTUYEN", transfer.register_number),
    ]
    texts = [obx_field(number, field, text, at) for number, (field, text) in enumerate(fields, start=1)]
    texts.append(obx_coded(len(texts) + 1, "MA_LYDO_CT", transfer.reason, TRANSFER_REASONS[transfer.reason], at))
    texts.append(obx_coded(len(texts) + 1, "MA_NGHE_NGHIEP", code, occupation, at))
    obr = segment(
        "OBR",
        {
            1: "1",
            3: components(transfer.number, "HIS"),
            4: components("TOMTAT", "Tóm tắt bệnh án", "99HIS"),
            7: instant(at),
            25: "F",
        },
    )
    return Body(
        "REF^I12^REF_I12",
        (
            rf1,
            _provider("RP", "Referring Provider", visit.doctor, visit.department, FACILITY, FACILITY_NAME),
            _provider("RT", "Referred to Provider", None, "", facility, facility_name),
            visit.pid,
            *([nk1(person.guardian)] if person.guardian else []),
            *([in1(person)] if person.card else []),
            *dg1(visit.diagnosis, at, "F", visit.secondary),
            obr,
            *texts,
            pv1(visit),
        ),
    )


def _provider(role: str, meaning: str, doctor: Doctor | None, department: str, facility: str, name: str) -> str:
    fields = {
        1: components(role, meaning, "HL70286"),
        4: components(department, "", "", facility, "", "", "", "", name),
        7: components(doctor.licence, "LN") if doctor else components(facility, "FI"),
    }
    if doctor:
        fields[2] = xpn(doctor.name)
    return segment("PRD", fields)


def appointment(visit: Visit, booked: Appointment, at: datetime) -> Body:
    """SIU^S12 for a re-examination: the finished visit, its diagnoses, when and with whom."""
    number, begin = components(booked.number, "HIS"), instant(booked.starts_at)
    end = instant(booked.starts_at + timedelta(minutes=15))
    doctor = xcn(visit.doctor)
    sch = segment(
        "SCH",
        {
            1: number,
            2: number,
            6: components("FOLLOWUP", "Khám lại theo hẹn", "HL70276"),
            7: components("FOLLOWUP", "Khám lại theo hẹn", "HL70276"),
            8: components("KHAMLAI", "Khám lại", "99HIS"),
            9: "15",
            10: components("min", "phút", "UCUM"),
            11: f"^^^{begin}^{end}",
            16: doctor,
            20: doctor,
            25: components("Booked", "Đã hẹn", "HL70278"),
        },
    )
    service = {
        1: "1",
        3: components("KHAMLAI", "Khám lại", "99HIS"),
        4: begin,
        7: "15",
        8: components("min", "phút", "UCUM"),
    }
    location = components("K01", "P105", "", FACILITY, "", "", "", "", departments()["K01"])
    return Body(
        "SIU^S12^SIU_S12",
        (
            sch,
            segment("TQ1", {1: "1", 7: begin, 8: end}),
            nte(1, booked.note),
            visit.pid,
            pv1(visit),
            obx_field(1, "LOI_DAN", visit.diagnosis.advice, at),
            obx_coded(2, *situation(visit), at),
            *dg1(visit.diagnosis, at, "F", visit.secondary),
            segment("RGS", {1: "1", 2: "A"}),
            segment("AIS", service),
            segment("AIL", {1: "1", 3: location, 4: components("C", "Clinic", "HL70305"), 6: begin, 9: "15"}),
            segment("AIP", {1: "1", 3: doctor, 6: begin, 9: "15"}),
        ),
    )


def unaccepted(doctor: Doctor, at: datetime) -> Body:
    """MFN^M02: a staff catalogue, which no channel of the day accepts."""
    return Body(
        "MFN^M02^MFN_M02",
        (
            segment("MFI", {1: components("PRA", "Practitioner master file", "HL70175"), 3: "UPD", 6: "NE"}),
            segment("MFE", {1: "MUP", 3: instant(at), 4: doctor.licence, 5: "CE"}),
            segment("STF", {1: doctor.licence, 3: xpn(doctor.name)}),
        ),
    )


def _working_days_after(day: date, count: int) -> date:
    while count:
        day += timedelta(days=1)
        if day.weekday() < 5:
            count -= 1
    return day
