"""Many distinct valid messages, cheaply, for load and crash runs; and messages of known size for benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from random import Random

from conformance.scenarios.clinic import Doctor, diagnoses, doctors
from conformance.scenarios.event import LOCAL
from conformance.scenarios.messages import Visit, pv1
from conformance.scenarios.people import FACILITY, People
from conformance.scenarios.segments import in1, pid

_POOL = 400
_START = datetime(2026, 11, 20, tzinfo=LOCAL)
_KINDS = ("ADT^A04^ADT_A01", "ADT^A08^ADT_A01", "ADT^A01^ADT_A01", "ADT^A08^ADT_A01", "ADT^A31^ADT_A05")


def load(messages: int, seed: int) -> Iterator[bytes]:
    """Yield that many valid ADT messages of a bounded pool of patients; control ids differ also between seeds."""
    pool = _pool(seed % 8)
    rng = Random(seed)
    for number in range(1, messages + 1):
        kind = _KINDS[number % len(_KINDS)]
        at = f"{_START + timedelta(seconds=number):%Y%m%d%H%M%S}"
        head = f"{_msh('HIS', at, kind, f'LD{seed % 10**8:08d}{number:08d}')}\rEVN|{kind[4:7]}|{at}\r"
        yield head.encode() + pool[rng.randrange(_POOL)]


def small_adt(number: int = 1) -> bytes:
    """One ADT^A08 of about 0.75 KB; the number makes it distinct."""
    at = f"{_START + timedelta(seconds=number):%Y%m%d%H%M%S}"
    head = f"{_msh('HIS', at, 'ADT^A08^ADT_A01', f'SM{number:016d}')}\rEVN|A08|{at}\r"
    return head.encode() + _pool(0)[number % _POOL]


def oru(obx: int, number: int = 1) -> bytes:
    """One ORU^R01 with one OBR and that many OBX: 30 are about 4.4 KB; the number makes it distinct."""
    at = f"{_START + timedelta(seconds=number):%Y%m%d%H%M%S}"
    msh = _msh("LIS", f"{at}+0700", "ORU^R01^ORU_R01", f"OR{number:016d}")
    patient = _pool(0)[number % _POOL].decode().split("\r")[:2]
    service, doctor = "SH^Sinh hóa máu^99LIS", "000123/HNO-CCHN^Nguyễn^Châu^Thị Minh^^BSCKII"
    numbers = f"CD{number:010d}^HIS|XN{number:010d}^LIS"
    obr = f"OBR|1|{numbers}|{service}|||{at}|||||||{at}||{doctor}||||||{at}||CH|F"
    rows = (_obx(index, number, at) for index in range(1, obx + 1))
    return "\r".join((msh, *patient, obr, *rows, "")).encode()


_MEASURED = (
    ("14749-6", "Glucose máu", "mmol/L", "3.90-6.40", 2, 4.5),
    ("14682-9", "Creatinin máu", "umol/L", "62-106", 0, 84.0),
    ("2951-2", "Natri máu", "mmol/L", "135-145", 0, 138.0),
    ("2823-3", "Kali máu", "mmol/L", "3.50-5.00", 2, 4.1),
    ("1742-6", "Đo hoạt độ ALT (GPT)", "U/L", "5-41", 0, 24.0),
    ("718-7", "Huyết sắc tố (HGB)", "g/L", "130-170", 0, 141.0),
    ("6690-2", "Số lượng bạch cầu (WBC)", "10*9/L", "4.0-10.0", 2, 7.2),
    ("1988-5", "Định lượng CRP", "mg/L", "0.0-5.0", 1, 1.2),
)


def _obx(index: int, number: int, at: str) -> str:
    loinc, name, unit, reference, decimals, middle = _MEASURED[index % len(_MEASURED)]
    value = middle * (0.96 + (index * 7 + number) % 9 / 100)
    code = f"{loinc}^{name}^LN^XN{index:03d}^{name}^99LIS"
    return f"OBX|{index}|NM|{code}|{index}|{value:.{decimals}f}|{unit}^^UCUM|{reference}|N|||F|||{at}"


def _msh(sender: str, at: str, kind: str, control_id: str) -> str:
    return f"MSH|^~\\&|{sender}|{FACILITY}|LIENTHONG|{FACILITY}|{at}||{kind}|{control_id}|P|2.5.1||||||UNICODE UTF-8"


@cache
def _pool(variant: int) -> tuple[bytes, ...]:
    """PID, PV1 and IN1 of each patient of a pool."""
    rng = Random(variant)
    people = People(rng, date(2026, 11, 20), first_number=100001 + variant * 100000)
    return tuple(_segments(rng, people, index) for index in range(_POOL))


def _segments(rng: Random, people: People, index: int) -> bytes:
    diagnosis = rng.choice(diagnoses("OB"))
    person = people.make(diagnosis.sex, diagnosis.age_min, diagnosis.age_max)
    doctor: Doctor = rng.choice(doctors("K01"))
    number = f"LT-2026-{index:06d}"
    visit = Visit(number, person, diagnosis, doctor, "O", "K01", "P105", "", _START)
    return "\r".join((pid(person), pv1(visit), *([in1(person)] if person.card else []), "")).encode()
