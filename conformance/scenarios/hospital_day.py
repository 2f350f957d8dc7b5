"""Play a hospital's day: at least sixty encounters from the morning census to the evening's transfers, faults included.

The same seed gives the same bytes. Patients discharged today come in with the census of the early morning (A01 whose
EVN-6 and PV1-44 lie days back), as when a hospital connects for the first time. Outpatient visits end without A03.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from random import Random

from conformance.scenarios import messages
from conformance.scenarios.clinic import (
    CENTRAL_HOSPITALS,
    Diagnosis,
    diagnoses,
    doctors,
    panel,
    results,
)
from conformance.scenarios.event import LOCAL, Day, Event, Paper, Stream
from conformance.scenarios.faults import spoil
from conformance.scenarios.messages import Appointment, Body, Order, Transfer, Visit
from conformance.scenarios.people import FACILITY, Name, People, Person
from conformance.scenarios.segments import pid_unnamed

_PATTERN = (
    *("stay", "visit", "stay", "admit", "visit", "stay", "transfer", "visit", "stay", "visit"),
    *("stay", "visit", "admit", "stay", "visit", "sent_on", "stay", "visit", "stay", "visit"),
)
_ONCE = {0: "unnamed", 1: "twice_registered", 5: "cancelled", 24: "cancelled"}
"""Encounter index → the special course it takes; everything else follows the pattern."""

_CORRECTED = "Kết quả hiệu chỉnh sau khi chạy lại mẫu.\nKết quả trả trước đó không còn giá trị."
_VITAL_SIGNS = ", mạch 96 lần/phút, huyết áp 115/70 mmHg, nhịp thở 22 lần/phút, SpO2 96% (thở oxy)"


def hospital_day(seed: int = 20261121, encounters: int = 60, day: date = date(2026, 11, 20)) -> Day:
    """Make the day; fewer than 25 encounters leave some kind of message out and are refused with `ValueError`."""
    if encounters < 25:
        raise ValueError("a day needs at least 25 encounters to contain every kind of message")
    plan = _Plan(Random(seed), day)
    for index in range(encounters):
        plan.encounter(_ONCE.get(index, _PATTERN[index % len(_PATTERN)]))
    return Day(tuple(spoil(plan.events(), Random(seed + 1))), encounters)


@dataclass
class _Draft:
    """A message before its control id is known."""

    at: datetime
    stream: Stream
    body: Body
    patients: tuple[str, ...]
    papers: tuple[Paper, ...]
    note: str


class _Plan:
    """Lay out encounters one after the other; `events` puts them into the order of the clock."""

    def __init__(self, rng: Random, day: date) -> None:
        self._rng = rng
        self._day = day
        self._people = People(rng, day)
        self._drafts: list[_Draft] = []
        self._piles: dict[str, list[Diagnosis]] = {}
        self._visits = 0
        self._orders = 0
        self._stays = 0
        self._appointments = 0
        self._transfers = 0
        self._reports = 0
        courses: dict[str, Callable[[], None]] = {
            "stay": self._stay,
            "visit": self._visit,
            "admit": self._admit,
            "transfer": self._inpatient_transfer,
            "sent_on": self._emergency_transfer,
            "unnamed": self._unnamed,
            "twice_registered": self._twice_registered,
            "cancelled": self._cancelled,
        }
        self._courses = courses

    def encounter(self, course: str) -> None:
        self._courses[course]()

    def events(self) -> list[Event]:
        """Sort by time and give every message its MSH; drafts of one patient never share a moment."""
        drafts = sorted(self._drafts, key=lambda draft: draft.at)
        return [self._event(number, draft) for number, draft in enumerate(drafts, start=1)]

    # courses --------------------------------------------------------------------------------------------------------

    def _stay(self) -> None:
        """An inpatient of the census who goes home today."""
        self._stays += 1
        visit = self._new_visit("IB", "I", self._clock(5, 0, 75) - timedelta(days=self._rng.randint(2, 9)))
        visit.admitted_at = visit.admitted_at.replace(hour=self._rng.randint(7, 21))
        at = self._clock(5, 0, 75)
        self._send(at, "his", messages.admission(visit, "A01", at), visit, note="census of the morning")
        at = self._report(visit, at + self._minutes(90, 200), corrected=self._stays == 4)
        if self._stays % 3 == 0:
            at += self._minutes(10, 40)
            visit.room, visit.bed = f"P{self._rng.randint(201, 420)}", f"G{self._rng.randint(1, 30):02d}"
            self._send(at, "his", messages.admission(visit, "A08", at), visit, note="moved to another bed")
        at = max(at + self._minutes(20, 60), self._clock(10, 0, 240))
        self._go_home(visit, at, cancelled=self._stays in (2, 6))

    def _visit(self) -> None:
        """An outpatient: registered, perhaps tested, perhaps asked to come again."""
        at = self._clock(7, 0, 300)
        visit = self._new_visit("OB", "O", at)
        if self._rng.random() < 0.4:
            before = at - self._minutes(2, 6)
            self._send(before, "his", messages.person_update(visit.person, "A28", before), visit, note="new person")
        self._send(at, "his", messages.admission(visit, "A04", at), visit)
        tested = self._rng.random() < 0.75
        at = self._report(visit, at + self._minutes(40, 100)) if tested else at + self._minutes(15, 40)
        if self._rng.random() < 0.5:
            at += self._minutes(8, 30)
            self._send(at, "his", messages.admission(visit, "A08", at), visit, note="diagnosis confirmed")
        if self._rng.random() < 0.5:
            self._come_again(visit, at + self._minutes(5, 20))

    def _admit(self) -> None:
        """Someone admitted today who stays."""
        at = self._clock(8, 0, 480)
        visit = self._new_visit("IB", "I", at)
        self._send(at, "his", messages.admission(visit, "A01", at), visit)
        at = self._report(visit, at + self._minutes(60, 120), preliminary=True)
        at += self._minutes(5, 30)
        visit.person = replace(visit.person, phone=f"0910{self._rng.randint(0, 999999):06d}")
        self._send(at, "his", messages.person_update(visit.person, "A31", at), visit, note="new telephone number")

    def _inpatient_transfer(self) -> None:
        """An inpatient who is sent on to a central hospital and discharged with that disposition."""
        at = self._clock(7, 30, 120)
        visit = self._new_visit("T", "I", at)
        self._send(at, "his", messages.admission(visit, "A01", at), visit)
        at = self._report(visit, at + self._minutes(45, 90)) + self._minutes(60, 150)
        self._send_on(visit, at)
        visit.disposition = "2"
        self._discharge(visit, at + self._minutes(6, 15), outcome="3")

    def _emergency_transfer(self) -> None:
        """An emergency that is sent on without having been admitted."""
        at = self._clock(9, 0, 600)
        visit = self._new_visit("T", "E", at)
        self._send(at, "his", messages.admission(visit, "A04", at), visit)
        self._send_on(visit, self._report(visit, at + self._minutes(30, 50)) + self._minutes(20, 60))

    def _unnamed(self) -> None:
        """Brought in without a name, tested, recognised by the family, merged, admitted and sent on."""
        head_injury = next(d for d in diagnoses("T") if d.icd == "S06.9")
        person = self._people.make("M", 22, 45)
        at = self._clock(4, 20, 20)
        self._send(at, "his", messages.person_update(person, "A28", at), person, note="known person")
        at = self._clock(6, 10, 15)
        number = f"VD-{FACILITY}-{self._day:%Y%m%d}-01"
        name = Name("Vô Danh", "Nam", "01")
        visit = self._new_visit("T", "E", at, person, head_injury)
        visit.identity = pid_unnamed(number, name, "M", person.born.year // 5 * 5)
        self._send(at, "his", messages.admission(visit, "A04", at), visit, (number,), note="unnamed emergency")
        at = self._report(visit, at + self._minutes(35, 50), patients=(number,)) + self._minutes(30, 50)
        body = messages.merge(person, number, name, at)
        self._send(at, "his", body, visit, (person.number, number), note="recognised by the family")
        visit.identity = ""
        at += self._minutes(5, 12)
        visit.patient_class = "I"
        self._send(at, "his", messages.admission(visit, "A01", at), visit, note="admitted under the real name")
        at = self._report(visit, at + self._minutes(60, 90)) + self._minutes(40, 80)
        self._send_on(visit, at)
        visit.disposition = "2"
        self._discharge(visit, at + self._minutes(6, 15), outcome="3")

    def _twice_registered(self) -> None:
        """An outpatient registered anew although the hospital knew her; the new number is merged into the old."""
        known = self._people.make("F", 28, 60)
        at = self._clock(6, 30, 10)
        self._send(at, "his", messages.person_update(known, "A28", at), known, note="known person")
        at = self._clock(7, 20, 30)
        again = replace(known, number="BN900001", cccd="", cccd_issued=None)
        visit = self._new_visit("O", "O", at, again, next(d for d in diagnoses("O") if d.icd == "D50.9"))
        self._send(at, "his", messages.admission(visit, "A04", at), visit, note="registered a second time")
        at += self._minutes(15, 25)
        body = messages.merge(known, again.number, again.name, at)
        self._send(at, "his", body, visit, (known.number, again.number), note="second registration merged")
        visit.person = known
        self._come_again(visit, self._report(visit, at + self._minutes(40, 80)) + self._minutes(10, 25))

    def _cancelled(self) -> None:
        """Admitted by mistake and cancelled."""
        at = self._clock(8, 0, 300)
        visit = self._new_visit("IB", "I", at)
        self._send(at, "his", messages.admission(visit, "A01", at), visit, note="will be cancelled")
        at += self._minutes(10, 30)
        self._send(at, "his", messages.cancel_admission(visit, at), visit, note="admission cancelled")

    # steps ----------------------------------------------------------------------------------------------------------

    def _go_home(self, visit: Visit, at: datetime, cancelled: bool) -> None:
        visit.disposition = "1"
        self._discharge(visit, at, outcome=self._rng.choice("12"))
        if cancelled:
            visit.discharged_at, visit.disposition = None, ""
            at += self._minutes(15, 30)
            body = messages.admission(visit, "A13", at)
            withdrawn = (Paper("discharge_paper", visit.number, "cancel"),)
            self._send(at, "his", body, visit, papers=withdrawn, note="discharge cancelled: fever again")
            visit.disposition = "1"
            at += self._minutes(120, 180)
            self._discharge(visit, at, outcome="2", note="discharged again: third version of the paper")
        if self._rng.random() < 0.45:
            self._come_again(visit, at + self._minutes(3, 12))

    def _discharge(self, visit: Visit, at: datetime, outcome: str, note: str = "") -> None:
        visit.discharged_at = at - timedelta(minutes=self._rng.randint(1, 4))
        leave = "" if visit.disposition == "2" or self._rng.random() < 0.5 else self._leave(visit)
        body = messages.discharge(visit, at, outcome, leave)
        self._send(at, "his", body, visit, papers=(Paper("discharge_paper", visit.number),), note=note)

    def _leave(self, visit: Visit) -> str:
        assert visit.discharged_at is not None
        days = self._rng.choice((3, 5, 7))
        first = visit.discharged_at.date() + timedelta(days=1)
        last = first + timedelta(days=days - 1)
        return f"Nghỉ ngoại trú {days} ngày, từ ngày {first:%d/%m/%Y} đến hết ngày {last:%d/%m/%Y}."

    def _come_again(self, visit: Visit, at: datetime) -> None:
        self._appointments += 1
        on = self._day + timedelta(days=self._rng.choice((7, 10, 14, 28)))
        while on.weekday() > 4:
            on += timedelta(days=1)
        if visit.discharged_at is None:
            visit.discharged_at = at
        booked = Appointment(
            number=f"HK-{self._day:%Y}-{self._appointments:06d}",
            starts_at=datetime.combine(
                on, time(self._rng.randint(7, 10), self._rng.choice((0, 15, 30, 45)), tzinfo=LOCAL)
            ),
            note="Mang theo phiếu hẹn, thẻ BHYT & kết quả xét nghiệm; khám lại sớm hơn nếu có dấu hiệu bất thường.",
        )
        papers = (Paper("reexamination", booked.number),)
        self._send(at, "his", messages.appointment(visit, booked, at), visit, papers=papers)

    def _send_on(self, visit: Visit, at: datetime) -> None:
        self._transfers += 1
        facility = CENTRAL_HOSPITALS[{"C": 1, "I": 2}.get(visit.diagnosis.icd[0], 0)]
        visit.discharged_at = at
        visit.sent_to = facility[0]
        transfer = Transfer(
            number=f"CT-{self._day:%Y}-{self._transfers:06d}",
            register_number=f"{400 + self._transfers}/{self._day:%Y}",
            facility=facility,
            reason="2" if self._transfers % 3 else "1",
            at=at,
            results_summary="; ".join(visit.findings) + "."
            if visit.findings
            else "Xét nghiệm trong giới hạn bình thường.",
            state=("Lơ mơ, Glasgow 11 điểm" if visit.diagnosis.icd == "S06.9" else "Tỉnh") + _VITAL_SIGNS,
            plan=visit.diagnosis.advice,
            vehicle="Xe cứu thương của bệnh viện",
            escort=self._rng.choice(doctors("K02")),
        )
        papers = (Paper("referral", transfer.number),)
        self._send(at, "his", messages.referral(visit, transfer), visit, papers=papers)

    def _report(
        self,
        visit: Visit,
        at: datetime,
        preliminary: bool = False,
        corrected: bool = False,
        patients: tuple[str, ...] = (),
    ) -> datetime:
        """Send the laboratory's results and return when the last of them left."""
        technician, reader = self._rng.choice(doctors("XN")[1:]), doctors("XN")[0]
        orders = [self._order(visit, code, at, number) for number, code in enumerate(visit.diagnosis.panels[:4])]
        if preliminary:
            early = [replace(orders[0], status="P", reported_at=orders[0].reported_at - timedelta(minutes=10))]
            body = messages.results_report(visit, early, technician, reader)
            self._send(at - timedelta(minutes=9), "lis", body, visit, patients, note="preliminary: no paper")
        body = messages.results_report(visit, orders, technician, reader)
        self._send(at, "lis", body, visit, patients, tuple(Paper("lab_report", order.filler) for order in orders))
        if corrected:
            at += self._minutes(12, 18)
            fixed = replace(orders[0], status="C", reported_at=at, remark=_CORRECTED)
            body = messages.results_report(visit, [fixed], technician, reader)
            papers = (Paper("lab_report", fixed.filler),)
            self._send(at, "lis", body, visit, patients, papers, note="corrected: second version of the report")
        return at

    def _order(self, visit: Visit, code: str, at: datetime, number: int) -> Order:
        self._orders += 1
        wanted = panel(code)
        measured = tuple(results(self._rng, wanted, visit.person.sex, visit.diagnosis.abnormal))
        visit.findings += tuple(
            f"{result.name} {result.value.replace('^', '')} {result.unit}".strip()
            for result in measured
            if result.flag in ("H", "HH", "L", "LL", "A")
        )
        far_off = any(result.flag in ("HH", "LL") for result in measured)
        return Order(
            placer=f"CD{self._day:%y%m%d}{self._orders:05d}",
            filler=f"XN{self._day:%y%m%d}{self._orders:05d}",
            panel=wanted,
            results=measured,
            requested_at=at - timedelta(minutes=38 - number),
            collected_at=at - timedelta(minutes=30),
            received_at=at - timedelta(minutes=22),
            reported_at=at - timedelta(minutes=1),
            status="F",
            remark="Đã kiểm tra lại & báo bác sĩ điều trị qua điện thoại." if far_off else "",
        )

    # helpers --------------------------------------------------------------------------------------------------------

    def _new_visit(
        self,
        settings: str,
        patient_class: str,
        at: datetime,
        person: Person | None = None,
        diagnosis: Diagnosis | None = None,
    ) -> Visit:
        self._visits += 1
        diagnosis = diagnosis or self._draw(settings)
        person = person or self._people.make(diagnosis.sex, diagnosis.age_min, diagnosis.age_max)
        department = diagnosis.department
        if patient_class != "I":
            department = "K02" if patient_class == "E" else "K01"
        inpatient = patient_class == "I"
        return Visit(
            number=f"LK-{self._day:%Y}-{self._visits:06d}",
            person=person,
            diagnosis=diagnosis,
            doctor=self._rng.choice(doctors(department)),
            patient_class=patient_class,
            department=department,
            room=f"P{self._rng.randint(201, 420)}" if inpatient else f"P{self._rng.randint(101, 115)}",
            bed=f"G{self._rng.randint(1, 30):02d}" if inpatient else "",
            admitted_at=at,
            secondary=diagnosis.secondary if self._rng.random() < 0.6 else (),
        )

    def _draw(self, settings: str) -> Diagnosis:
        """Take the next disease of a shuffled pile, so that none comes again before all have come."""
        pile = self._piles.setdefault(settings, [])
        if not pile:
            pile += self._rng.sample(diagnoses(settings), len(diagnoses(settings)))
        return pile.pop()

    def _send(
        self,
        at: datetime,
        stream: Stream,
        body: Body,
        about: Visit | Person,
        patients: tuple[str, ...] = (),
        papers: tuple[Paper, ...] = (),
        note: str = "",
    ) -> None:
        number = about.person.number if isinstance(about, Visit) else about.number
        self._drafts.append(_Draft(at, stream, body, patients or (number,), papers, note))

    def _event(self, number: int, draft: _Draft) -> Event:
        enhanced = number % 10 == 7
        control_id = f"{draft.stream.upper()}{self._day:%y%m%d}{number:06d}"
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

    def _clock(self, hour: int, minute: int, spread: int = 0) -> datetime:
        start = datetime.combine(self._day, time(hour, minute, tzinfo=LOCAL))
        return start + timedelta(minutes=self._rng.randint(0, spread), seconds=self._rng.randint(0, 59))

    def _minutes(self, low: int, high: int) -> timedelta:
        return timedelta(minutes=self._rng.randint(low, high), seconds=self._rng.randint(0, 59))
