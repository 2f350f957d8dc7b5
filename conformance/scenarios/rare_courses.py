"""Courses that a hospital's day has once: a birth, a death, an operation, a leave, a person registered twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from conformance.scenarios import clinical, messages
from conformance.scenarios.clinic import Diagnosis, diagnoses
from conformance.scenarios.event import Paper
from conformance.scenarios.messages import Visit
from conformance.scenarios.people import FACILITY, FACILITY_NAME, Name, Person
from conformance.scenarios.plan import Plan
from conformance.scenarios.segments import day_of, instant, pid, pid_unnamed
from conformance.scenarios.services import operation_for
from conformance.scenarios.tables import table

_EMPLOYERS = ("Công ty TNHH May Sông Hậu", "Trường Tiểu học Hoa Mai", "Công ty Cổ phần Cơ khí Bình Minh")
_HEAD = "Nguyễn Thị Bình"
_HEPATITIS_B = ("VGB", "Viêm gan B (Gene-HBvax)", "LO260917")
_INFLUENZA = ("CUM", "Cúm mùa (Ivacflu-S)", "LO261003")


def _disease(settings: str, icd: str) -> Diagnosis:
    return next(each for each in diagnoses(settings) if each.icd == icd)


class RareCourses(Plan):
    """Add the courses; each is one encounter, a birth is one with the mother's."""

    def unnamed(self) -> None:
        """Brought in without a name, tested, recognised by the family, merged, admitted and sent on."""
        person = self.people.make("M", 22, 45)
        at = self.clock(4, 20, 20)
        self.send(at, "his", messages.person_update(person, "A28", at), person, note="known person")
        at = self.clock(6, 10, 15)
        number = f"VD-{FACILITY}-{self.day:%Y%m%d}-01"
        name = Name("Vô Danh", "Nam", "01")
        visit = self.new_visit("T", "E", at, person, _disease("T", "S06.9"))
        visit.identity = pid_unnamed(number, name, "M", person.born.year // 5 * 5)
        self.send(at, "his", messages.admission(visit, "A04", at), visit, (number,), note="unnamed emergency")
        at = self.report(visit, at + self.minutes(35, 50), patients=(number,)) + self.minutes(30, 50)
        body = messages.merge(person, number, name, at)
        self.send(at, "his", body, visit, (person.number, number), note="recognised by the family")
        visit.identity = ""
        at += self.minutes(5, 12)
        visit.patient_class, visit.bed, visit.taken_in_at = "I", "H001", at
        self.send(at, "his", messages.admission(visit, "A01", at), visit, note="admitted under the real name")
        at = self.picture(visit, self.report(visit, at + self.minutes(60, 90))) + self.minutes(40, 80)
        self.send_on(visit, at)
        self.discharge(visit, at + self.minutes(6, 15), outcome="3")

    def twice_registered(self) -> None:
        """An outpatient registered anew although the hospital knew her; the new number is merged into the old."""
        known = self.people.make("F", 28, 60)
        at = self.clock(6, 30, 10)
        self.send(at, "his", messages.person_update(known, "A28", at), known, note="known person")
        at = self.clock(7, 20, 30)
        again = replace(known, number="BN900001", cccd="", cccd_issued=None)
        visit = self.new_visit("O", "O", at, again, _disease("O", "D50.9"))
        self.send(at, "his", messages.admission(visit, "A04", at), visit, note="registered a second time")
        at += self.minutes(15, 25)
        body = messages.merge(known, again.number, again.name, at)
        self.send(at, "his", body, visit, (known.number, again.number), note="second registration merged")
        visit.person = known
        self.come_again(visit, self.report(visit, at + self.minutes(40, 80)) + self.minutes(10, 25))

    def cancelled(self) -> None:
        """Admitted by mistake and cancelled."""
        at = self.clock(8, 0, 300)
        visit = self.new_visit("IB", "I", at)
        self.send(at, "his", messages.admission(visit, "A01", at), visit, note="will be cancelled")
        at += self.minutes(10, 30)
        self.send(at, "his", messages.cancel_admission(visit, at), visit, note="admission cancelled")

    def operated(self) -> None:
        """Admitted, discussed and operated on the same day; the sheets of the ward run beside it."""
        at = self.clock(6, 40, 20)
        visit = self.new_visit("I", "I", at, diagnosis=_disease("I", "K35.8"))
        self.send(at, "his", messages.admission(visit, "A01", at), visit)
        at = self.picture(visit, self.report(visit, at + self.minutes(45, 60)))
        at += self.minutes(20, 30)
        conclusion = "Viêm ruột thừa cấp, có chỉ định mổ cấp cứu."
        plan = f"Phẫu thuật nội soi cắt ruột thừa ngày {self.day:%d/%m/%Y}."
        self.put(at, visit, self.wards.consultation(visit, at, conclusion, plan))
        self.operate(visit, at + self.minutes(150, 180))
        at = self.clock(20, 30, 20)
        self.put(
            at, visit, self.wards.care(visit, at, "Tỉnh, đỡ đau, vết mổ khô", "Thay băng, tiêm kháng sinh theo y lệnh")
        )

    def operate(self, visit: Visit, at: datetime) -> None:
        """Send the report of the operation and what was seen and ordered after it; nothing for a disease without one."""
        made = operation_for(visit.diagnosis.icd)
        if made is None:
            return
        self.put(at, visit, self.wards.operation(visit, made, at))
        at += self.minutes(20, 40)
        course = "Sau mổ giờ thứ nhất. Tỉnh, mạch 84 lần/phút, huyết áp 120/70 mmHg, bụng mềm."
        self.put(at, visit, self.wards.treatment(visit, at, course, made.treatment))
        at += self.minutes(6, 15)
        done = "Theo dõi mạch, huyết áp 30 phút một lần; truyền dịch theo y lệnh"
        self.put(at, visit, self.wards.care(visit, at, "Tỉnh, vết mổ khô, đau nhẹ", done))

    def born(self) -> None:
        """A mother admitted in the night gives birth in the morning; the child is registered and vaccinated."""
        at = self.clock(5, 10, 20)
        mother = self.new_visit("I", "I", at, diagnosis=_disease("I", "O80.0"))
        self.send(at, "his", messages.admission(mother, "A01", at), mother)
        at = self.report(mother, at + self.minutes(60, 80)) + self.minutes(90, 120)
        child = self._child(mother.person)
        visit = self.new_visit("N", "I", at, child, _disease("N", "Z38.0"))
        visit.newborn, visit.doctor, visit.room = True, mother.doctor, mother.room
        midwife, register = mother.doctor.name.full, f"{self.rng.randint(300, 900)}"
        place, issued = mother.person.commune[0], mother.person.cccd_issued
        province = next(one["province_code"] for one in table("communes") if one["code"] == place)
        fields = {
            "SO": register,
            "QUYEN_SO": f"03/{self.day:%Y}",
            "MA_GCS": f"{int(register):05d}.GCS.{FACILITY}.{self.day:%y}",
            "NGAY_SINH_CON": instant(at),
            "NOI_SINH_CON": f"{FACILITY_NAME}, số 1 phố Liên Thông, Phường Ba Đình, Thành phố Hà Nội",
            "SO_CON": "1",
            "CAN_NANG_CON": str(self.rng.randrange(2700, 3700, 50)),
            "MA_BHXH_NND": self._social(mother.person),
            "NGAYCAP_CCCD_NND": day_of(issued) if issued else "",
            "NOICAP_CCCD_NND": "Bộ Công an",
            "MATINH_CU_TRU": province,
            "MAXA_CU_TRU": place,
            "HO_TEN_CON": child.name.full,
            "MA_THE_TAM": f"TE1{province}{int(register):010d}",
            "LAN_SINH": "1",
            "SO_CON_SONG": "1",
            "TINH_TRANG_CON": "Khóc ngay, hồng hào, phản xạ tốt",
            "GHI_CHU": "Đẻ thường, đủ tháng",
            "NGUOI_DO_DE": midwife,
            "NGUOI_GHI_PHIEU": midwife,
            "NGUOI_THAN": mother.person.name.full,
        }
        at += self.minutes(40, 60)
        body = clinical.birth(visit, mother.person, fields, at)
        due = (Paper("birth_certificate", child.number),)
        self.send(at, "his", body, visit, (child.number, mother.person.number), due, note="newborn")
        at += self.minutes(60, 120)
        visit.identity = body.segments[1]
        dose = self.wards.vaccination(visit, _HEPATITIS_B, at, self.day + timedelta(days=60))
        self.put(at, visit, dose)

    def _child(self, mother: Person) -> Person:
        made = self.people.make("", 0, 0)
        family = replace(made.name, family=mother.name.family or made.name.family)
        return replace(
            made,
            name=family,
            born=self.day,
            ethnic=mother.ethnic,
            cccd="",
            cccd_issued=None,
            card="",
            guardian=None,
        )

    def _social(self, person: Person) -> str:
        """Give the number of social insurance, which the card holds; ten noughts for who has none."""
        return person.card[-10:] if len(person.card) in (10, 15) else "0" * 10

    def died(self) -> None:
        """Brought in dying, and dead within hours."""
        at = self.clock(13, 0, 60)
        visit = self.new_visit("M", "E", at)
        self.send(at, "his", messages.admission(visit, "A04", at), visit)
        at = self.report(visit, at + self.minutes(30, 40)) + self.minutes(40, 60)
        visit.identity, visit.disposition = f"{pid(visit.person)}|{instant(at)}|Y", "20"
        register = f"{self.rng.randint(20, 90)}"
        fields = {
            "SO_BAOTU": register,
            "QUYEN_SO": f"01/{self.day:%Y}",
            "MA_GBT": f"{int(register):05d}.GBT.{FACILITY}.{self.day:%y}",
            "NGUYENNHAN_TV": "Suy hô hấp cấp tiến triển",
            "NGUOI_GHIGIAY": visit.doctor.name.full,
            "NGUOI_THANTHICH": f"{self.people.make('', 30, 60).name.full} (con)",
            "TTRUONG_DVI": _HEAD,
        }
        more = (Paper("death_notice", visit.number),)
        self.discharge(visit, at + self.minutes(20, 30), outcome="5", fields=fields, papers=more)

    def vaccinated(self) -> None:
        """An outpatient with high blood pressure, who is vaccinated as well."""
        at = self.clock(8, 0, 120)
        visit = self.new_visit("O", "O", at, self.people.make("", 30, 75), _disease("O", "I10"))
        self.send(at, "his", messages.admission(visit, "A04", at), visit)
        at = self.picture(visit, at) + self.minutes(20, 40)
        self.put(at, visit, self.wards.vaccination(visit, _INFLUENZA, at))

    def on_leave(self) -> None:
        """An outpatient who gets days off work."""
        visit = self.new_visit("O", "O", self.clock(8, 0, 120), self.people.make("", 22, 55), _disease("B", "J20.9"))
        days = self.rng.choice((3, 5))
        number = f"{self.rng.randint(1000, 2000)}"
        fields = {"SO_NGAY_NGHI": str(days), "SO_KCB": number, "SO_CT": number}
        self._off_work(visit, fields, days, "leave_paper")

    def pregnant(self) -> None:
        """An outpatient whose pregnancy needs rest."""
        visit = self.new_visit("P", "O", self.clock(8, 0, 120))
        fields = {"SO_NGAY": "14", "SO_CT": f"{self.rng.randint(40, 99)}", "TUOI_THAI": "11"}
        self._off_work(visit, fields, 14, "maternity_rest_paper")

    def _off_work(self, visit: Visit, fields: dict[str, str], days: int, paper: str) -> None:
        at = visit.admitted_at
        self.send(at, "his", messages.admission(visit, "A04", at), visit)
        at = self.report(visit, at + self.minutes(45, 80)) + self.minutes(10, 20)
        more = {
            **fields,
            "TU_NGAY": day_of(self.day),
            "DEN_NGAY": day_of(self.day + timedelta(days=days - 1)),
            "SO_SERI": f"BV01-{self.rng.randint(1000, 9999):07d}",
            "DON_VI": self.rng.choice(_EMPLOYERS),
            "MA_BHXH": self._social(visit.person),
        }
        visit.disposition = "1"
        self.discharge(visit, at, outcome="2", fields=more, papers=(Paper(paper, visit.number),))

    def palliative(self) -> None:
        """An outpatient with a cancer, who takes home medicines of all three classes."""
        at = self.clock(8, 0, 120)
        visit = self.new_visit("T", "O", at, diagnosis=_disease("T", "C34.9"))
        self.send(at, "his", messages.admission(visit, "A04", at), visit)
        at = self.prescribe(visit, at + self.minutes(30, 60))
        visit.disposition = "1"
        self.discharge(visit, at + self.minutes(5, 10), outcome="3")
