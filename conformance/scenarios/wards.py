"""Say what wards, theatre, imaging and pharmacy send about a visit, each with the paper that becomes due of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from random import Random

from conformance.scenarios import clinical
from conformance.scenarios.clinic import Doctor, departments, doctors
from conformance.scenarios.event import Paper
from conformance.scenarios.messages import Body, Order, Visit
from conformance.scenarios.services import Imaging, Operation, medicines_for

Sent = tuple[Body, tuple[Paper, ...]]
"""A message, and the papers that become due of it."""

_CLASSES = {"C": "prescription", "N": "prescription_narcotic", "H": "prescription_psychotropic"}
_SHEET, _MINUTES, _OPERATION = "36/BV2", "27/BV2", "OP"
"""Kinds of documents: forms of TT 32/2023, and the code of HL7 table 0270."""
_WEIGHT_AT_BIRTH, _PER_YEAR = 9.0, 2.0
"""Kilograms of a small child: at the first birthday, and what each further year adds."""


class Wards:
    """Number the sheets of a day and choose who writes them."""

    def __init__(self, rng: Random, day: date) -> None:
        self._rng = rng
        self._day = day
        self._sheets = 0

    def number(self, prefix: str) -> str:
        """Give the next number of a sheet."""
        self._sheets += 1
        return f"{prefix}{self._day:%y%m%d}{self._sheets:05d}"

    def nurse(self) -> Doctor:
        return self._rng.choice(doctors("DD"))

    def laboratory_order(self, visit: Visit, orders: Sequence[Order], at: datetime) -> Sent:
        """The sheet with which an outpatient goes to the laboratory."""
        number = self.number("PCD")
        return clinical.laboratory_order(visit, number, orders, at), (Paper("order_sheet", number),)

    def imaging_order(self, visit: Visit, made: Imaging, at: datetime) -> tuple[Sent, str]:
        """The sheet with which an outpatient goes to imaging, and the number of the order."""
        number = self.number("CDHA")
        return (clinical.imaging_order(visit, number, made, at), (Paper("order_sheet", number),)), number

    def imaging_report(self, visit: Visit, made: Imaging, at: datetime, order: str = "") -> Sent:
        number = self.number("HA")
        order = order or self.number("CDHA")
        reader = self._rng.choice(doctors("CDHA"))
        body = clinical.imaging_report(visit, (order, number), made, [reader], at)
        return body, (Paper("imaging_report", number),)

    def treatment(self, visit: Visit, at: datetime, course: str, ordered: str, level: str = "2") -> Sent:
        """An entry of the doctor on the sheet of the day."""
        fields = {"TO_SO": "01", "DIEN_BIEN_LS": course, "Y_LENH": ordered, "CAP_CHAM_SOC": level}
        times = (at - timedelta(minutes=10), at)
        body = clinical.note(visit, self.number("TDT"), _SHEET, times, [visit.doctor], fields)
        return body, (Paper("treatment_sheet", f"{visit.number}#{self._day}"),)

    def care(self, visit: Visit, at: datetime, judged: str, done: str, level: str = "2") -> Sent:
        """An entry of a nurse on the sheet of the day."""
        rng = self._rng
        signs = (
            ("8867-4", "Mạch", str(rng.randint(72, 98)), "/min"),
            ("8310-5", "Nhiệt độ", f"{rng.uniform(36.5, 37.8):.1f}", "Cel"),
            ("8480-6", "Huyết áp tâm thu", str(rng.randrange(105, 140, 5)), "mm[Hg]"),
            ("8462-4", "Huyết áp tâm trương", str(rng.randrange(60, 85, 5)), "mm[Hg]"),
            ("9279-1", "Nhịp thở", str(rng.randint(16, 21)), "/min"),
            ("59408-5", "SpO2", str(rng.randint(95, 99)), "%"),
        )
        fields = {"CAP_CHAM_SOC": level, "NHAN_DINH": judged, "CAN_THIEP": done}
        body = clinical.care_entry(visit, self.number("CS"), self.nurse(), at, signs, fields)
        return body, (Paper("care_sheet", f"{visit.number}#{self._day}"),)

    def consultation(self, visit: Visit, at: datetime, conclusion: str, plan: str) -> Sent:
        """What several doctors concluded; a doctor of the ward wrote it, the one of the visit chaired."""
        present = [*doctors(visit.department), *doctors("CDHA")[:1], *doctors("GMHS")[:1]]
        writer = next((one for one in present if one != visit.doctor), visit.doctor)
        where = departments()
        fields = {
            "THANH_VIEN": "\n".join(f"{one.title} {one.name.full}, {where[one.department]}" for one in present),
            "TOM_TAT_DIEN_BIEN": f"{visit.diagnosis.complaint}. {visit.diagnosis.signs}.",
            "KET_LUAN_HC": conclusion,
            "HUONG_DIEU_TRI_HC": plan,
        }
        number = self.number("HC")
        times = (at - timedelta(minutes=25), at)
        body = clinical.note(visit, number, _MINUTES, times, [writer, visit.doctor], fields)
        return body, (Paper("consultation_minutes", number),)

    def operation(self, visit: Visit, made: Operation, at: datetime) -> Sent:
        """The report of an operation that ended half an hour before."""
        anaesthetist = doctors("GMHS")[0]
        fields = {
            "CHAN_DOAN_TRUOC": made.before,
            "CHAN_DOAN_SAU": made.after,
            "PP_PTTT": made.name,
            "LOAI_PTTT": made.kind,
            "PP_VO_CAM": made.anaesthesia,
            "BS_GAY_ME": f"{anaesthetist.title} {anaesthetist.name.full}",
            "DAN_LUU": made.drain,
            "TRINH_TU": made.steps,
        }
        number = self.number("PTTT")
        times = (at - timedelta(minutes=95), at)
        body = clinical.note(visit, number, _OPERATION, times, [visit.doctor, visit.doctor], fields)
        return body, (Paper("procedure_report", number),)

    def prescription(self, visit: Visit, at: datetime) -> Sent | None:
        """What the patient takes home, one paper for each class of medicines; None when there is nothing to take."""
        age = (self._day - visit.person.born).days // 365
        medicines = medicines_for(visit.diagnosis.icd, age)
        if not medicines:
            return None
        small = age < 6
        weight = f"{_WEIGHT_AT_BIRTH + _PER_YEAR * age + self._rng.uniform(-0.6, 0.9):.1f}" if small else ""
        number = self.number("DT")
        classes = dict.fromkeys(one.drug_class for one in medicines)
        papers = tuple(Paper(_CLASSES[each], number) for each in classes)
        return clinical.prescription(visit, number, medicines, weight, at), papers

    def vaccination(
        self, visit: Visit, vaccine: tuple[str, str, str], at: datetime, next_on: date | None = None
    ) -> Sent:
        body = clinical.vaccination(visit, self.number("TC"), vaccine, self.nurse(), at, next_on)
        return body, (Paper("immunization_record", visit.person.number),)
