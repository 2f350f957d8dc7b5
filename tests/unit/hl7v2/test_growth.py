"""Twice the message takes about twice the time, in whatever way it is twice as long."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from statistics import median

import pytest

from mappings.formats import er7
from mappings.hl7v2 import Context, map_message

MOST = 3.0
"""Quadratic work takes four times as long for twice the message; what is linear stays near two."""
LEAST_S = 0.05
HEAD = "MSH|^~\\&|LIS|01032|HIS|01032|20261103081501||{}|C1|P|2.5.1||||||UNICODE UTF-8\r"
ADT = HEAD.format("ADT^A08^ADT_A01")
ORU = HEAD.format("ORU^R01^ORU_R01")
PID = "PID|1||BN1^^^01032^PI||Nguyễn^An||19800101|F\r"
OBR = "OBR|1||F1|SH^Sinh hóa^L|||20261103\r"
OBX = "OBX|{}|NM|14749-6^Glucose^LN||5.{}|mmol/L^^UCUM|3.9-6.4|N|||F|||20261103\r"

LONGER: dict[str, Callable[[int], str]] = {
    "results": lambda n: ORU + PID + OBR + "".join(OBX.format(i, i) for i in range(n)),
    "orders": lambda n: (
        ORU + PID + "".join(f"OBR|{i}||F{i}|S{i}^x^L|||20261103\r" + OBX.format(1, i) for i in range(n))
    ),
    "segments of one kind": lambda n: ADT + PID + "".join(f"AL1|{i}|DA|{i}^Thuốc {i}^L||mẩn đỏ\r" for i in range(n)),
    "relatives": lambda n: ADT + PID + "".join(f"NK1|{i}|Trần^Bình {i}|MTH|Hà Nội\r" for i in range(n)),
    "results outside an order": lambda n: ORU + PID + "".join(f"OBX|{i}|ST|T{i % 7}|{i}|x||||||F\r" for i in range(n)),
    "sub-ids": lambda n: ORU + PID + OBR + "".join(f"OBX|{i}|CWE|T^x^L|{i % 99}.{i}|A^x^L||||||F\r" for i in range(n)),
    "specimens": lambda n: ORU + PID + OBR + "".join(f"SPM|{i}|S{i}||BLD\r" for i in range(n)),
    "specimens first": lambda n: ORU + PID + "".join(f"SPM|{i}|||BLD\rOBR|1||F{i}|T\r" for i in range(n)),
    "notes of one order": lambda n: ORU + PID + OBR + "".join(f"NTE|{i}||Ghi chú {i}\r" for i in range(n)),
    "patients": lambda n: ORU + "".join(f"PID|{i}||B{i}^^^01032^PI||Nguyễn^An\rOBR|1||F{i}|T\r" for i in range(n)),
    "parent results": lambda n: (
        ORU
        + PID
        + "".join(f"OBR|1||F{i}|T\r" + OBX.format(1, i) for i in range(n))
        + "".join(f"OBR|1||G{i}|T||||||||||||||||||||||14749-6|||^F{i}\r" + OBX.format(1, i) for i in range(n))
    ),
    "notes": lambda n: ORU + PID + OBR + OBX.format(1, 1) + "".join(f"NTE|{i}||Ghi chú {i}\r" for i in range(n)),
    "segments nobody knows": lambda n: ADT + PID + "".join(f"ZZ1|{i}|x^y|z\r" for i in range(n)),
    "repetitions": lambda n: ADT + PID.replace("BN1", "~".join(f"BN{i}^^^01032^PI" for i in range(n))),
    "names": lambda n: ADT + PID.replace("Nguyễn^An", "~".join(f"Nguyễn^An {i}" for i in range(n))),
    "texts of one result": lambda n: (
        ORU + PID + OBR + "OBX|1|TX|1^x^L||" + "~".join(f"dòng {i}" for i in range(n)) + "||||||F\r"
    ),
    "escapes": lambda n: ORU + PID + OBR + "OBX|1|TX|1^x^L||" + "a\\T\\b\\.br\\" * n + "||||||F\r",
    "escapes left open": lambda n: ORU + PID + OBR + "OBX|1|FT|1^x^L||" + "\\X41" * n + "||||||F\r",
    "components": lambda n: ADT + PID.replace("An", "^".join(f"An{i}" for i in range(n))),
    "subcomponents": lambda n: ADT + PID.replace("An", "&".join(f"An{i}" for i in range(n))),
    "fields": lambda n: ADT + PID + "ZZ1" + "".join(f"|x{i}" for i in range(n)) + "\r",
    "text of one value": lambda n: ORU + PID + OBR + "OBX|1|TX|1^x^L||" + "chữ ^ & chữ " * n + "||||||F\r",
}


def reading_and_mapping(text: str) -> Callable[[], object]:
    raw = text.encode()
    return lambda: map_message(er7.Message.parse(raw), Context("01032"))


def seconds(work: Callable[[], object]) -> float:
    """Give the CPU time of doing it once, without the collector."""
    gc.disable()
    try:
        started = time.process_time()
        work()
        return time.process_time() - started
    finally:
        gc.enable()


def growth(longer: Callable[[int], Callable[[], object]]) -> float:
    """Give how much longer twice the size takes, at a size where the work can be measured.

    A size that takes long by itself is not made longer: there, work that grows too fast shows at once.
    """
    size = 64
    while seconds(longer(size)) < LEAST_S and size < 200_000:
        size *= 2
    ratios = []
    for _ in range(5):
        once = seconds(longer(size))
        ratios.append(seconds(longer(size * 2)) / max(once, 1e-9))
    return median(ratios)


@pytest.mark.parametrize("name", LONGER)
def test_twice_as_long(name: str) -> None:
    assert growth(lambda size: reading_and_mapping(LONGER[name](size))) < MOST


def test_quadratic_work_is_seen() -> None:
    def pairs(size: int) -> Callable[[], object]:
        return lambda: sum(a == b for a in range(size) for b in range(size))

    assert growth(pairs) > MOST


def test_linear_work_is_not_suspected() -> None:
    assert growth(lambda size: lambda: sum(len(str(n)) for n in range(size * 100))) < MOST
