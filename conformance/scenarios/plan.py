"""Steps that the courses of a hospital's day are made of: admit, order, measure, report, discharge, send on.

Which course a patient takes stand in `hospital_day` and `rare_courses`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random

from conformance.scenarios import messages
from conformance.scenarios.charges import Charge, price
from conformance.scenarios.clinic import CENTRAL_HOSPITALS, Diagnosis, Doctor, diagnoses, doctors, panel, results
from conformance.scenarios.event import LOCAL, Event, Paper, Stream
from conformance.scenarios.messages import Appointment, Body, Order, Transfer, Visit
from conformance.scenarios.people import People, Person
from conformance.scenarios.services import imaging_for, medicines_for
from conformance.scenarios.wards import Sent, Wards

_CORRECTED = "Kết quả hiệu chỉnh sau khi chạy lại mẫu.\nKết quả trả trước đó không còn giá trị."
_VITAL_SIGNS = ", mạch 96 lần/phút, huyết áp 115/70 mmHg, nhịp thở 22 lần/phút, SpO2 96% (thở oxy)"
_AT_THE_END = {"I": ("discharge_paper", "record_summary"), "E": ("discharge_paper",), "O": ()}
"""Class of the visit → papers of its end, beside the summary for the health book."""
_ORDERS = ("OML^O21", "OMG^O19", "RDE^O11")


@dataclass
class Draft:
    """A message before its control id is known."""

    at: datetime
    stream: Stream
    body: Body
    patients: tuple[str, ...]
    papers: tuple[Paper, ...]
    note: str


def _papers_of_the_end(visit: Visit) -> tuple[str, ...]:
    return (*_AT_THE_END[visit.patient_class], "health_summary", "insurance_record")


def _check_ins(visit: Visit, at: datetime) -> tuple[Paper, ...]:
    """The check-ins at the insurance portal that an order makes due: at the first, and at the first of the ward."""
    visit.first_order_at = visit.first_order_at or at
    if not visit.person.card or visit.patient_class == "E":
        return ()
    taken_in = visit.taken_in_at and visit.first_order_at < visit.taken_in_at <= at
    parts = [part for part in ("", *(["#noi-tru"] if taken_in else [])) if part not in visit.checked_in]
    visit.checked_in += tuple(parts)
    return tuple(Paper("insurance_check_in", visit.number) for _ in parts)


def _test(order: Order, technician: Doctor) -> Charge:
    taken = order.collected_at
    return Charge(price(order.panel.code), Decimal(1), taken, order.reported_at, technician, order.filler)


class Plan:
    """Lay out encounters one after the other; `events` puts them into the order of the clock."""

    def __init__(self, rng: Random, day: date) -> None:
        self.rng = rng
        self.day = day
        self.people = People(rng, day)
        self.wards = Wards(rng, day)
        self._drafts: list[Draft] = []
        self._piles: dict[str, list[Diagnosis]] = {}
        self._visits = 0
        self._orders = 0
        self._appointments = 0
        self._transfers = 0

    def events(self) -> list[Event]:
        """Sort by time and give every message its MSH; drafts of one patient never share a moment."""
        drafts = sorted(self._drafts, key=lambda draft: draft.at)
        return [self.event(number, draft) for number, draft in enumerate(drafts, start=1)]

    # steps ----------------------------------------------------------------------------------------------------------

    def go_home(self, visit: Visit, at: datetime, cancelled: bool, unwritten: bool) -> None:
        visit.disposition = "1"
        told = {"QT_BENHLY": ""} if unwritten else None
        note = "the doctor has not written the course yet" if unwritten else ""
        lacking = "record_summary" if unwritten else ""
        self.discharge(visit, at, self.rng.choice("12"), note, told, lacking=lacking)
        if cancelled:
            visit.discharged_at, visit.disposition = None, ""
            at += self.minutes(15, 30)
            body = messages.admission(visit, "A13", at)
            withdrawn = tuple(Paper(name, visit.number, "cancel") for name in _papers_of_the_end(visit))
            self.send(at, "his", body, visit, papers=withdrawn, note="discharge cancelled: fever again")
            visit.disposition = "1"
            at += self.minutes(120, 180)
            self.discharge(visit, at, outcome="2", note="discharged again: third version of the paper")
        if self.rng.random() < 0.45:
            self.come_again(visit, at + self.minutes(3, 12))

    def discharge(
        self,
        visit: Visit,
        at: datetime,
        outcome: str,
        note: str = "",
        fields: Mapping[str, str] | None = None,
        papers: tuple[Paper, ...] = (),
        lacking: str = "",
    ) -> None:
        """End the visit. `fields` and `papers` are of this case alone; the paper `lacking` misses what they leave out."""
        left = at - timedelta(minutes=self.rng.randint(1, 4))
        visit.discharged_at = visit.discharged_at if visit.disposition == "2" and visit.discharged_at else left
        stays = visit.patient_class == "I" and visit.disposition != "2"
        leave = self.leave(visit) if stays and self.rng.random() < 0.5 else ""
        before = at - timedelta(seconds=30)
        self.send(before, "his", messages.charges(visit, before), visit, note="what the visit is charged for")
        body = messages.discharge(visit, at, outcome, leave, fields)
        due = tuple(
            Paper(name, visit.number, "lack" if name == lacking else "make") for name in _papers_of_the_end(visit)
        )
        self.send(at, "his", body, visit, papers=(*due, *papers), note=note)

    def leave(self, visit: Visit) -> str:
        assert visit.discharged_at is not None
        days = self.rng.choice((3, 5, 7))
        first = visit.discharged_at.date() + timedelta(days=1)
        last = first + timedelta(days=days - 1)
        return f"Nghỉ ngoại trú {days} ngày, từ ngày {first:%d/%m/%Y} đến hết ngày {last:%d/%m/%Y}."

    def come_again(self, visit: Visit, at: datetime) -> None:
        """Book the next visit; the doctor does it when this one ends, before the HIS sends the bill and the discharge."""
        self._appointments += 1
        if visit.disposition and visit.discharged_at:
            at = visit.discharged_at + timedelta(seconds=10)
        on = self.day + timedelta(days=self.rng.choice((7, 10, 14, 28)))
        while on.weekday() > 4:
            on += timedelta(days=1)
        if visit.discharged_at is None:
            visit.discharged_at = at
        booked = Appointment(
            number=f"HK-{self.day:%Y}-{self._appointments:06d}",
            starts_at=datetime.combine(
                on, time(self.rng.randint(7, 10), self.rng.choice((0, 15, 30, 45)), tzinfo=LOCAL)
            ),
            note="Mang theo phiếu hẹn, thẻ BHYT & kết quả xét nghiệm; khám lại sớm hơn nếu có dấu hiệu bất thường.",
        )
        papers = (Paper("reexamination", booked.number),)
        self.send(at, "his", messages.appointment(visit, booked, at), visit, papers=papers)

    def send_on(self, visit: Visit, at: datetime) -> None:
        self._transfers += 1
        facility = CENTRAL_HOSPITALS[{"C": 1, "I": 2}.get(visit.diagnosis.icd[0], 0)]
        visit.discharged_at, visit.disposition = at, "2"
        visit.sent_to = facility[0]
        transfer = Transfer(
            number=f"CT-{self.day:%Y}-{self._transfers:06d}",
            register_number=f"{400 + self._transfers}/{self.day:%Y}",
            facility=facility,
            reason="2" if self._transfers % 3 else "1",
            at=at,
            results_summary="; ".join(visit.findings) + "."
            if visit.findings
            else "Xét nghiệm trong giới hạn bình thường.",
            state=("Lơ mơ, Glasgow 11 điểm" if visit.diagnosis.icd == "S06.9" else "Tỉnh") + _VITAL_SIGNS,
            plan=visit.diagnosis.advice,
            vehicle="Xe cứu thương của bệnh viện",
            escort=self.rng.choice(doctors("K02")),
        )
        papers = (Paper("referral", transfer.number),)
        self.send(at, "his", messages.referral(visit, transfer), visit, papers=papers)

    def report(
        self,
        visit: Visit,
        at: datetime,
        preliminary: bool = False,
        corrected: bool = False,
        patients: tuple[str, ...] = (),
    ) -> datetime:
        """Send the laboratory's results and return when the last of them left."""
        technician, reader = self.rng.choice(doctors("XN")[1:]), doctors("XN")[0]
        since = max(at - timedelta(minutes=38), visit.admitted_at + timedelta(seconds=20))
        orders = [self.order(visit, code, at, since) for code in visit.diagnosis.panels[:2]]
        if preliminary:
            early = [replace(orders[0], status="P", reported_at=orders[0].reported_at - timedelta(minutes=10))]
            body = messages.results_report(visit, early, technician, reader)
            self.send(at - timedelta(minutes=9), "lis", body, visit, patients, note="preliminary: no paper")
        body, papers = self.wards.laboratory_order(visit, orders, orders[0].requested_at)
        self.send(orders[0].requested_at, "his", body, visit, patients, papers)
        visit.charges += tuple(_test(order, technician) for order in orders)
        body = messages.results_report(visit, orders, technician, reader)
        self.send(at, "lis", body, visit, patients, tuple(Paper("lab_report", order.filler) for order in orders))
        if corrected:
            at += self.minutes(12, 18)
            fixed = replace(orders[0], status="C", reported_at=at, remark=_CORRECTED)
            body = messages.results_report(visit, [fixed], technician, reader)
            papers = (Paper("lab_report", fixed.filler),)
            self.send(at, "lis", body, visit, patients, papers, note="corrected: second version of the report")
        return at

    def order(self, visit: Visit, code: str, at: datetime, since: datetime) -> Order:
        self._orders += 1
        wanted = panel(code)
        measured = tuple(results(self.rng, wanted, visit.person.sex, visit.diagnosis.abnormal))
        visit.findings += tuple(
            f"{result.name} {result.value.replace('^', '')} {result.unit}".strip()
            for result in measured
            if result.flag in ("H", "HH", "L", "LL", "A")
        )
        far_off = any(result.flag in ("HH", "LL") for result in measured)
        return Order(
            placer=f"CD{self.day:%y%m%d}{self._orders:05d}",
            filler=f"XN{self.day:%y%m%d}{self._orders:05d}",
            panel=wanted,
            results=measured,
            requested_at=since,
            collected_at=max(at - timedelta(minutes=30), since + timedelta(minutes=1)),
            received_at=at - timedelta(minutes=22),
            reported_at=at - timedelta(minutes=1),
            status="F",
            remark="Đã kiểm tra lại & báo bác sĩ điều trị qua điện thoại." if far_off else "",
        )

    def picture(self, visit: Visit, at: datetime) -> datetime:
        """Send the picture that the disease needs, its order first, and return when it left."""
        made = imaging_for(visit.diagnosis.icd)
        if made is None:
            return at
        at += self.minutes(4, 9)
        order, number = self.wards.imaging_order(visit, made, at)
        self.put(at, visit, order)
        at += self.minutes(22, 45)
        report = self.wards.imaging_report(visit, made, at, number)
        done, doer = at - timedelta(minutes=12), doctors("CDHA")[0]
        visit.charges += (Charge(price(made.code), Decimal(1), done, at, doer, number),)
        self.put(at, visit, report)
        return at

    def prescribe(self, visit: Visit, at: datetime) -> datetime:
        """Send what the patient takes home and return when it left."""
        sent = self.wards.prescription(visit, at)
        if sent:
            age = (self.day - visit.person.born).days // 365
            visit.charges += tuple(
                Charge(price(one.code), Decimal(one.each_day * one.days), at + timedelta(minutes=2))
                for one in medicines_for(visit.diagnosis.icd, age)
            )
            self.put(at, visit, sent)
        return at

    # helpers --------------------------------------------------------------------------------------------------------

    def new_visit(
        self,
        settings: str,
        patient_class: str,
        at: datetime,
        person: Person | None = None,
        diagnosis: Diagnosis | None = None,
    ) -> Visit:
        self._visits += 1
        diagnosis = diagnosis or self.draw(settings)
        person = person or self.people.make(diagnosis.sex, diagnosis.age_min, diagnosis.age_max)
        department = diagnosis.department
        if patient_class != "I":
            department = "K02" if patient_class == "E" else "K01"
        inpatient = patient_class == "I"
        return Visit(
            number=f"LK-{self.day:%Y}-{self._visits:06d}",
            person=person,
            diagnosis=diagnosis,
            doctor=self.rng.choice(doctors(department)),
            patient_class=patient_class,
            department=department,
            room=f"P{self.rng.randint(201, 420)}" if inpatient else f"P{self.rng.randint(101, 115)}",
            bed=f"H{self.rng.randint(1, 30):03d}" if inpatient else "",
            admitted_at=at,
            secondary=diagnosis.secondary if self.rng.random() < 0.6 else (),
        )

    def draw(self, settings: str) -> Diagnosis:
        """Take the next disease of a shuffled pile, so that none comes again before all have come."""
        pile = self._piles.setdefault(settings, [])
        if not pile:
            pile += self.rng.sample(diagnoses(settings), len(diagnoses(settings)))
        return pile.pop()

    def put(self, at: datetime, visit: Visit, sent: Sent) -> None:
        """Let the HIS send what a ward wrote."""
        body, papers = sent
        self.send(at, "his", body, visit, papers=papers)

    def send(
        self,
        at: datetime,
        stream: Stream,
        body: Body,
        about: Visit | Person,
        patients: tuple[str, ...] = (),
        papers: tuple[Paper, ...] = (),
        note: str = "",
    ) -> None:
        if isinstance(about, Visit) and body.label in _ORDERS:
            papers = (*papers, *_check_ins(about, at))
        number = about.person.number if isinstance(about, Visit) else about.number
        self._drafts.append(Draft(at, stream, body, patients or (number,), papers, note))

    def event(self, number: int, draft: Draft) -> Event:
        enhanced = number % 10 == 7
        control_id = f"{draft.stream.upper()}{self.day:%y%m%d}{number:06d}"
        return Event(
            at=draft.at,
            stream=draft.stream,
            raw=messages.message(draft.stream, draft.body, draft.at, control_id, enhanced),
            label=draft.body.label,
            expect="accepted",
            ack="CA" if enhanced else "AA",
            note=draft.note,
            control_id=control_id,
            patients=draft.patients,
            papers=draft.papers,
        )

    def clock(self, hour: int, minute: int, spread: int = 0) -> datetime:
        start = datetime.combine(self.day, time(hour, minute, tzinfo=LOCAL))
        return start + timedelta(minutes=self.rng.randint(0, spread), seconds=self.rng.randint(0, 59))

    def minutes(self, low: int, high: int) -> timedelta:
        return timedelta(minutes=self.rng.randint(low, high), seconds=self.rng.randint(0, 59))
