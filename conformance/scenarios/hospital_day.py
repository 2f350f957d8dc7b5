"""Play a hospital's day: at least sixty encounters from the morning census to the evening's transfers, faults included.

The same seed gives the same bytes. Patients discharged today come in with the census of the early morning (A01 whose
EVN-6 and PV1-44 lie days back), as when a hospital connects for the first time. Many outpatient visits end without A03.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from random import Random

from conformance.scenarios import messages
from conformance.scenarios.event import Day
from conformance.scenarios.faults import spoil
from conformance.scenarios.rare_courses import RareCourses

_PATTERN = (
    *("stay", "visit", "stay", "admit", "visit", "stay", "transfer", "visit", "stay", "visit"),
    *("stay", "visit", "admit", "stay", "visit", "sent_on", "stay", "visit", "stay", "visit"),
)
_ONCE = {
    0: "unnamed",
    1: "twice_registered",
    5: "cancelled",
    7: "pregnant",
    9: "on_leave",
    11: "born",
    12: "operated",
    14: "died",
    17: "palliative",
    19: "vaccinated",
    24: "cancelled",
}
"""Encounter index → the special course it takes; everything else follows the pattern."""


def hospital_day(seed: int = 20261121, encounters: int = 60, day: date = date(2026, 11, 20)) -> Day:
    """Make the day; fewer than 25 encounters leave some kind of message out and are refused with `ValueError`."""
    if encounters < 25:
        raise ValueError("a day needs at least 25 encounters to contain every kind of message")
    plan = _Plan(Random(seed), day)
    for index in range(encounters):
        course = _ONCE.get(index, _PATTERN[index % len(_PATTERN)])
        getattr(plan, course)()
    return Day(tuple(spoil(plan.events(), Random(seed + 1))), encounters)


class _Plan(RareCourses):
    """The usual courses."""

    def __init__(self, rng: Random, day: date) -> None:
        super().__init__(rng, day)
        self._stays = 0

    def stay(self) -> None:
        """An inpatient of the census who goes home today."""
        self._stays += 1
        visit = self.new_visit("IB", "I", self.clock(5, 0, 75) - timedelta(days=self.rng.randint(2, 9)))
        visit.admitted_at = visit.admitted_at.replace(hour=self.rng.randint(7, 21))
        at = self.clock(5, 0, 75)
        self.send(at, "his", messages.admission(visit, "A01", at), visit, note="census of the morning")
        at = self.report(visit, at + self.minutes(90, 200), corrected=self._stays == 4)
        if self._stays % 3 == 0:
            at += self.minutes(10, 40)
            visit.room, visit.bed = f"P{self.rng.randint(201, 420)}", f"H{self.rng.randint(1, 30):03d}"
            self.send(at, "his", messages.admission(visit, "A08", at), visit, note="moved to another bed")
        if self._stays % 2 == 0:
            at = self.picture(visit, at)
        at += self.minutes(10, 20)
        self.put(at, visit, self.wards.treatment(visit, at, "Đỡ nhiều, ăn ngủ được, không sốt.", "Thuốc như hôm trước"))
        if self._stays % 6 == 1:
            at += self.minutes(10, 20)
            self.put(
                at, visit, self.wards.care(visit, at, "Tỉnh, tự đi lại", "Phát thuốc, hướng dẫn trước khi ra viện", "3")
            )
        at = max(at + self.minutes(20, 60), self.clock(10, 0, 240))
        self.go_home(visit, at, cancelled=self._stays in (2, 6), unwritten=self._stays == 3)

    def visit(self) -> None:
        """An outpatient: registered, perhaps tested, perhaps asked to come again."""
        at = self.clock(7, 0, 300)
        visit = self.new_visit("OB", "O", at)
        if self.rng.random() < 0.4:
            before = at - self.minutes(2, 6)
            self.send(before, "his", messages.person_update(visit.person, "A28", before), visit, note="new person")
        self.send(at, "his", messages.admission(visit, "A04", at), visit)
        tested = self.rng.random() < 0.75
        at = self.report(visit, at + self.minutes(40, 100)) if tested else at + self.minutes(15, 40)
        at = self.picture(visit, at)
        if self.rng.random() < 0.5:
            at += self.minutes(8, 30)
            self.send(at, "his", messages.admission(visit, "A08", at), visit, note="diagnosis confirmed")
        at = self.prescribe(visit, at + self.minutes(4, 9))
        if self.rng.random() < 0.4:
            at += self.minutes(3, 8)
            visit.disposition = "1"
            self.discharge(visit, at, outcome="2")
        if self.rng.random() < 0.5:
            self.come_again(visit, at + self.minutes(5, 20))

    def admit(self) -> None:
        """Someone admitted today who stays."""
        at = self.clock(8, 0, 480)
        visit = self.new_visit("IB", "I", at)
        self.send(at, "his", messages.admission(visit, "A01", at), visit)
        at = self.report(visit, at + self.minutes(60, 120), preliminary=True)
        at += self.minutes(5, 30)
        visit.person = replace(visit.person, phone=f"0910{self.rng.randint(0, 999999):06d}")
        self.send(at, "his", messages.person_update(visit.person, "A31", at), visit, note="new telephone number")
        at = self.picture(visit, at) + self.minutes(10, 20)
        self.put(at, visit, self.wards.treatment(visit, at, f"{visit.diagnosis.signs}.", visit.diagnosis.treatment))
        at += self.minutes(15, 30)
        self.put(
            at, visit, self.wards.care(visit, at, "Tỉnh, tiếp xúc tốt", "Lấy máu xét nghiệm, tiêm thuốc theo y lệnh")
        )

    def transfer(self) -> None:
        """An inpatient who is sent on to a central hospital and discharged with that disposition."""
        at = self.clock(7, 30, 120)
        visit = self.new_visit("T", "I", at)
        self.send(at, "his", messages.admission(visit, "A01", at), visit)
        at = self.picture(visit, self.report(visit, at + self.minutes(45, 90))) + self.minutes(30, 60)
        conclusion = f"{visit.diagnosis.name}; vượt khả năng điều trị của bệnh viện."
        self.put(at, visit, self.wards.consultation(visit, at, conclusion, "Chuyển bệnh viện tuyến cuối trong ngày."))
        at += self.minutes(30, 90)
        self.send_on(visit, at)
        self.discharge(visit, at + self.minutes(6, 15), outcome="3")

    def sent_on(self) -> None:
        """An emergency that is sent on without having been admitted."""
        at = self.clock(9, 0, 600)
        visit = self.new_visit("T", "E", at)
        self.send(at, "his", messages.admission(visit, "A04", at), visit)
        self.send_on(visit, self.report(visit, at + self.minutes(30, 50)) + self.minutes(20, 60))
