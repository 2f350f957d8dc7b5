"""What the laboratory's instruments and a bedside monitor say of people of a day who are still in hospital.

    HIS      orders a panel for one person, a test for another (OML^O21, with the numbers of the specimens)
    analyser asks for the orders of the first specimen, tells its results, one of them critical, and corrects them
    LIS      tells the results of the second (OUL^R22)
    monitor  reports a minute at the bed of the first (PCD-01), and an alarm that begins and ends (PCD-04)
    HIS      the nurse of the first writes an entry and leaves the vital signs to the monitor (ORU^R01, 38/BV2)

Deterministic: the same day gives the same bytes. Knows of whoever listens nothing.

Standard: HL7 v2.5.1 §4.4.6, §7.3.8; CLSI LIS2-A2; IHE Devices TF-2 §3.1, §3.4
Requirement: S1.5, S3.15
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from conformance.sandbox import monitor
from conformance.scenarios.clinic import doctors
from conformance.scenarios.event import Day, Event, Paper, Stream
from conformance.scenarios.messages import ndl
from conformance.scenarios.people import FACILITY
from conformance.scenarios.segments import obx_field

INSTRUMENT = "LT-400^SANDBOX^1.0"
CRITICAL = "code,sex,age_from,age_to,low,high,unit\nK,,,,2.8,6.0,mmol/L\n"
"""Critical values of the hospital (`site/lab/critical.csv`)."""
_ENDS = ("ADT^A03", "ADT^A11", "ADT^A13", "ADT^A40")
_SECONDS = 60


@dataclass(frozen=True)
class Specimen:
    """A specimen, and the order that it was taken for."""

    number: str
    order: Event
    """The OML^O21 that the HIS sends."""
    filler: str


@dataclass(frozen=True)
class Bench:
    """Everything that is said, in the order in which it is."""

    first: Specimen
    second: Specimen
    question: bytes
    results: bytes
    """ASTM: potassium is critical."""
    corrected: bytes
    """ASTM: the same specimen, glucose corrected."""
    report: Event
    """OUL^R22 of the second specimen."""
    bedside: tuple[Event, ...]
    """What the monitor sends."""
    entry: Event
    """The nurse's entry after it, which tells no vital sign itself."""


def bench(day: Day) -> Bench:
    """Make what is said of two orders of people who are not discharged on that day."""
    first, second = _staying(day)
    at = max(event.at for event in day.events) + timedelta(minutes=5)
    specimens = (
        _ordered(first, 1, at, "SH", "Sinh hóa máu cơ bản"),
        _ordered(second, 2, at, "HGB", "Huyết sắc tố"),
    )
    taken = at + timedelta(minutes=20)
    return Bench(
        *specimens,
        question=_records(taken, [f"Q|1|^{specimens[0].number}||ALL|||||||O"]),
        results=_results(specimens[0], taken + timedelta(minutes=10), "5.90", "F"),
        corrected=_results(specimens[0], taken + timedelta(minutes=30), "6.10", "C"),
        report=_oul(specimens[1], taken + timedelta(minutes=15)),
        bedside=tuple(_minute(first, at)),
        entry=_entry(first, at + timedelta(minutes=10)),
    )


def _staying(day: Day) -> tuple[Event, Event]:
    """Give an order of each of two people who are in hospital when the day ends."""
    gone = {patient for event in day.events if event.label in _ENDS for patient in event.patients}
    found: dict[str, Event] = {}
    for event in day.events:
        ordered = event.label == "OML^O21" and event.expect == "accepted" and _field(event, "PV1", 2) == "I"
        if ordered and event.patients[0] not in gone:
            found.setdefault(event.patients[0], event)
    one, other, *_ = found.values()
    return one, other


def _rows(event: Event) -> list[list[str]]:
    return [row.split("|") for row in event.raw.decode().split("\r") if row]


def _row(event: Event, name: str) -> str:
    return next("|".join(row) for row in _rows(event) if row[0] == name)


def _field(event: Event, name: str, n: int) -> str:
    return next(row[n] for row in _rows(event) if row[0] == name)


def _ordered(model: Event, number: int, at: datetime, code: str, name: str) -> Specimen:
    specimen, group = f"{at:%y%m%d}9{number:03}", f"PCD{at:%y%m%d}9{number:04}"
    control_id = f"HIS{at:%y%m%d}9{number:05}"
    doctor = _field(model, "ORC", 12)
    placer = f"CD{at:%y%m%d}9{number:04}"
    rows = [
        _head("HIS", "OML^O21^OML_O21", control_id, at),
        _row(model, "PID"),
        _row(model, "PV1"),
        f"ORC|NW|{placer}^HIS||{group}^HIS|||||{at:%Y%m%d%H%M%S}|||{doctor}",
        f"OBR|1|{placer}^HIS||{code}^{name}^99LIS||{at:%Y%m%d%H%M%S}||||||||||{doctor}",
        f"SPM|1|{specimen}&HIS||SER^Huyết thanh^HL70487|||||||||||||{at:%Y%m%d%H%M%S}",
    ]
    order = _event(model, "his", rows, "OML^O21", control_id, at, (Paper("order_sheet", group),))
    return Specimen(specimen, order, f"XN{at:%y%m%d}9{number:03}")


def _head(sender: str, kind: str, control_id: str, at: datetime) -> str:
    sent = f"{at:%Y%m%d%H%M%S%z}"
    return (
        f"MSH|^~\\&|{sender}|{FACILITY}|LIENTHONG|{FACILITY}|{sent}||{kind}|{control_id}|P|2.5.1|||||VNM|UNICODE UTF-8"
    )


def _event(
    model: Event,
    stream: Stream,
    rows: Sequence[str],
    label: str,
    control_id: str,
    at: datetime,
    papers: tuple[Paper, ...] = (),
) -> Event:
    raw = "".join(f"{row}\r" for row in rows).encode()
    return Event(at, stream, raw, label, "accepted", "AA", "", control_id, model.patients, papers)


def _records(at: datetime, records: Sequence[str]) -> bytes:
    head = rf"H|\^&|||{INSTRUMENT}|||||||P|LIS2-A2|{at:%Y%m%d%H%M%S}"
    return "".join(f"{record}\r" for record in [head, *records, "L|1|N"]).encode("ascii")


def _results(specimen: Specimen, at: datetime, glucose: str, status: str) -> bytes:
    done = f"{at:%Y%m%d%H%M%S}"
    return _records(
        at,
        [
            "P|1",
            rf"O|1|{specimen.number}||^^^GLU\^^^K|R||||||||||||||||||||F",
            f"R|1|^^^GLU|{glucose}|mmol/L|3.90 to 6.40|N||{status}||||{done}",
            f"R|2|^^^K|6.80|mmol/L|3.50 to 5.10|HH||{status}||||{done}",
        ],
    )


def _oul(specimen: Specimen, at: datetime) -> Event:
    control_id = f"LIS{at:%y%m%d}900001"
    placer = _field(specimen.order, "ORC", 2)
    done = f"{at:%Y%m%d%H%M%S%z}"
    rows = [
        _head("LIS", "OUL^R22^OUL_R22", control_id, at),
        _row(specimen.order, "PID"),
        _row(specimen.order, "PV1"),
        f"SPM|1|{specimen.number}&HIS||SER^Huyết thanh^HL70487",
        f"OBR|1|{placer}|{specimen.filler}^LIS|HGB^Huyết sắc tố^99LIS|||{done}||||||||{_field(specimen.order, 'ORC', 12)}"
        f"||||||{done}||HM|F|||||||006644/HNO-CCHN&Trịnh&Hằng&Thu&&BSCKI||0012207/HNO-GPHN&Khuất&Hưng&Duy&&KTV",
        f"OBX|1|NM|HGB^Huyết sắc tố^99LIS^718-7^Huyết sắc tố^LN||128|g/L^^UCUM|120-150|N|||F|||{done}",
    ]
    return _event(specimen.order, "lis", rows, "OUL^R22", control_id, at, (Paper("lab_report", specimen.filler),))


def _minute(model: Event, at: datetime) -> list[Event]:
    """Let a monitor report every second of a minute, and raise and end an alarm in it."""
    bed = monitor.Monitor(int(model.patients[0][-5:]), FACILITY, model.patients[0][:-5], Random(7))
    told = []
    for second in range(_SECONDS):
        bed.second()
        now = at + timedelta(seconds=second)
        control_id = f"TT{now:%y%m%d%H%M%S}"
        told.append(("ORU^R01", control_id, now, monitor.report(bed, control_id, now, pressure=second == 0)))
        if second in (20, 40):
            phase = "start" if second == 20 else "end"
            bed.saturation = 86.0 if phase == "start" else 96.0
            alarm_id = f"BD{now:%y%m%d%H%M%S}"
            told.append(("ORU^R40", alarm_id, now, monitor.alarm(bed, alarm_id, now, phase)))
            bed.alarm = alarm_id
    return [
        replace(_event(model, "monitors", _of(model, raw), label, control_id, now), ack="CA")
        for label, control_id, now, raw in told
    ]


def _entry(model: Event, at: datetime) -> Event:
    """Let a nurse judge and act, and leave what the monitor at the bed measures to it."""
    control_id, nurse = f"HIS{at:%y%m%d}900003", doctors("DD")[0]
    visit = _field(model, "PV1", 19).partition("^")[0]
    done = f"{at:%Y%m%d%H%M%S%z}"
    rows = [
        _head("HIS", "ORU^R01^ORU_R01", control_id, at),
        _row(model, "PID"),
        _row(model, "PV1"),
        f"OBR|1||CS{at:%y%m%d}900001^HIS|38/BV2^Phiếu chăm sóc^TT32|||{done}|||||||||||||||{done}||NRS|F|||||||||{ndl(nurse)}",
        obx_field(1, "NHAN_DINH", "Người bệnh tỉnh, theo dõi bằng máy tại giường", at),
        obx_field(2, "CAN_THIEP", "Kiểm tra điện cực và giới hạn báo động", at),
    ]
    sheet = Paper("care_sheet", f"{visit}#{at:%Y-%m-%d}")
    return _event(model, "his", rows, "ORU^R01", control_id, at, (sheet,))


def _of(model: Event, raw: bytes) -> list[str]:
    """Say of a simulated bed whose it is, by the number alone, and where the person lies."""
    rows = [row.split("|") for row in raw.decode().split("\r") if row]
    own = {"PID": f"PID|||{model.patients[0]}^^^{FACILITY}^PI", "PV1": _row(model, "PV1")}
    return [own.get(row[0], "|".join(row)) for row in rows]
