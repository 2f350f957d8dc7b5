"""Bedside monitors that send what they measure over MLLP, as a central station does for a ward: IHE PCD-01 and PCD-04.

Every second of a monitor is one report: heart rate, pulse, saturation, breathing, temperature, now and then a blood pressure
or a strip of ECG; alarms begin and end in messages of their own. The same seed gives the same ward. Knows of whoever listens
only the port, and judges nothing but the answers.

Standard: IHE Devices TF-2 §3.1 (PCD-01), §3.4 (PCD-04); HL7 v2 Transport Specification: MLLP, Release 1
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import ssl
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random

_START, _END = b"\x0b", b"\x1c\r"
_LARGEST_ANSWER = 1 << 20
_ZONE = timezone(timedelta(hours=7))
_PCD_01 = "IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO"
_PCD_04 = "IHE_PCD_ACM_001^IHE PCD^1.3.6.1.4.1.19376.1.6.4.4^ISO"
_STATION = "TRAMTT^00A0370000AA0000^EUI-64"
_MMHG, _RATE, _PERCENT = "266016^MDC_DIM_MMHG^MDC", "264864^MDC_DIM_BEAT_PER_MIN^MDC", "262688^MDC_DIM_PERCENT^MDC"
_BREATHS = "264928^MDC_DIM_RESP_PER_MIN^MDC"
_LOW = 90
"""Saturation below which the alarm is raised."""


@dataclass
class Monitor:
    """One monitor and the person at it."""

    number: int
    facility: str
    prefix: str
    rng: Random
    pulse: float = 0.0
    saturation: float = 97.0
    alarm: str = ""
    """Control id of the report with which the alarm that is on began."""

    def __post_init__(self) -> None:
        self.pulse = self.rng.uniform(64, 96)

    @property
    def patient(self) -> str:
        return f"{self.prefix}{self.number:05}"

    @property
    def eui(self) -> str:
        return f"00A03700{0xBB0000 + self.number:08X}"

    def second(self) -> None:
        """Let a second pass: the values drift, and seldom the saturation falls."""
        self.pulse += (80 - self.pulse) * 0.02 + self.rng.gauss(0, 0.8)
        self.saturation += (97 - self.saturation) * 0.05 + self.rng.gauss(0, 0.3)
        if self.rng.random() < 0.001:
            self.saturation = 86.0
        self.saturation = min(self.saturation, 100.0)


def _head(trigger: str, control_id: str, at: datetime, profile: str, monitor: Monitor) -> str:
    made = f"{at:%Y%m%d%H%M%S}+0700"
    msh = f"MSH|^~\\&|{_STATION}|{monitor.facility}|LIENTHONG|{monitor.facility}|{made}||{trigger}|{control_id}|P|2.6"
    pid = f"PID|||{monitor.patient}^^^{monitor.facility}^PI||Người bệnh^{monitor.number}"
    bed = f"PV1||I|HSCC^P{monitor.number // 10 + 1:02}^G{monitor.number:03}"
    return f"{msh}|||AL|NE||UNICODE UTF-8|||{profile}\r{pid}\r{bed}"


def _tree(monitor: Monitor) -> str:
    mds = "69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC"
    return f"OBX|1||{mds}|1.0.0.0|||||||X|||||||G{monitor.number:03}^^{monitor.eui}^EUI-64"


def report(monitor: Monitor, control_id: str, at: datetime, *, pressure: bool = False, waveform: bool = False) -> bytes:
    """Write what a monitor measured in one second."""
    rows = [
        ("NM", "147842^MDC_ECG_HEART_RATE^MDC", "1.1.1.1", f"{monitor.pulse:.0f}", _RATE, "50-120"),
        ("NM", "151578^MDC_TTHOR_RESP_RATE^MDC", "1.1.1.2", f"{monitor.pulse / 4.5:.0f}", _BREATHS, "8-30"),
        ("NM", "150456^MDC_PULS_OXIM_SAT_O2^MDC", "1.2.1.1", f"{monitor.saturation:.0f}", _PERCENT, f">{_LOW}"),
        ("NM", "149530^MDC_PULS_OXIM_PULS_RATE^MDC", "1.2.1.2", f"{monitor.pulse:.0f}", _RATE, "50-120"),
        ("NM", "150364^MDC_TEMP_BODY^MDC", "1.3.1.1", f"{36.6 + monitor.number % 9 / 10:.1f}", "268192^MDC_DIM_DEGC^MDC", ""),
    ]  # fmt: skip
    if pressure:
        systolic = 105 + monitor.number * 7 % 40
        rows += [
            ("NM", "150021^MDC_PRESS_BLD_NONINV_SYS^MDC", "1.4.1.1", f"{systolic}", _MMHG, "90-160"),
            ("NM", "150022^MDC_PRESS_BLD_NONINV_DIA^MDC", "1.4.1.2", f"{systolic * 0.62:.0f}", _MMHG, "50-90"),
            ("NM", "150023^MDC_PRESS_BLD_NONINV_MEAN^MDC", "1.4.1.3", f"{systolic * 0.75:.0f}", _MMHG, ""),
        ]
    if waveform:
        rows += [
            ("NA", "131330^MDC_ECG_ELEC_POTL_II^MDC", "1.1.2.1", _strip(monitor.pulse), "266418^MDC_DIM_MILLI_VOLT^MDC", ""),
            ("NM", "0^MDC_ATTR_SAMP_RATE^MDC", "1.1.2.1.1", "250", "264608^MDC_DIM_PER_SEC^MDC", ""),
        ]  # fmt: skip
    made = f"{at:%Y%m%d%H%M%S}+0700"
    order = f"OBR|1||{control_id}^{_STATION}|182777000^monitoring of patient^SCT|||{made}"
    if waveform:
        order += f"|{at + timedelta(seconds=1):%Y%m%d%H%M%S}+0700"
    told = [
        f"OBX|{n}|{kind}|{code}|{place}|{value}|{unit}|{limits}||||R"
        for n, (kind, code, place, value, unit, limits) in enumerate(rows, 2)
    ]
    head = _head("ORU^R01^ORU_R01", control_id, at, _PCD_01, monitor)
    return "\r".join([head, order, _tree(monitor), *told, ""]).encode()


def _strip(pulse: float) -> str:
    """Draw a second of ECG: a spike for each beat on a line that breathes a little."""
    beat = max(1, round(250 * 60 / max(pulse, 20)))
    return "^".join(
        f"{(1.1 if n % beat == 40 else 0.12 * math.exp(-(((n % beat) - 90) ** 2) / 200)) + 0.01 * math.sin(n / 40):.3f}"
        for n in range(250)
    )


def alarm(monitor: Monitor, control_id: str, at: datetime, phase: str) -> bytes:
    """Write that the alarm of a low saturation begins (`start`) or ends (`end`)."""
    made = f"{at:%Y%m%d%H%M%S}+0700"
    parent = "" if phase == "start" else "|" * 22 + f"^{monitor.alarm}"
    order = f"OBR|1||{control_id}|196616^MDC_EVT_ALARM^MDC|||{made}{parent}"
    place, state = "1.2.1.1", "active" if phase == "start" else "inactive"
    rows = (
        f"OBX|2|ST|196674^MDC_EVT_LO_VAL_LT_LIM^MDC|{place}.1|SpO2 thấp|||L~PH~SP|||R|||{made}",
        f"OBX|3|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|{place}.2|{monitor.saturation:.0f}|{_PERCENT}|>{_LOW}||||R",
        f"OBX|4|ST|68481^MDC_ATTR_EVENT_PHASE^MDC|{place}.3|{phase}||||||R",
        f"OBX|5|ST|68482^MDC_ATTR_ALARM_STATE^MDC|{place}.4|{state}||||||R",
        f"OBX|6|ST|68483^MDC_ATTR_ALARM_INACTIVATION_STATE^MDC|{place}.5|enabled||||||R",
    )
    head = _head("ORU^R40^ORU_R40", control_id, at, _PCD_04, monitor)
    return "\r".join([head, order, _tree(monitor), *rows, ""]).encode()


@dataclass(frozen=True)
class Ward:
    """What a ward of monitors is like."""

    monitors: int = 200
    facility: str = "01999"
    prefix: str = "BNM"
    alarms: bool = True
    waveforms: bool = False
    pressure_every: int = 300
    """Seconds between two blood pressures of a monitor."""
    seed: int = 1
    begun: datetime = field(default_factory=lambda: datetime.now(_ZONE).replace(microsecond=0))

    def messages(self, total: int) -> Iterator[tuple[int, bytes]]:
        """Give so many messages, each with the number of its monitor; second after second, monitor after monitor."""
        ward = [Monitor(n, self.facility, self.prefix, Random(self.seed * 100_003 + n)) for n in range(self.monitors)]
        sent = second = 0
        run = f"{self.begun:%y%m%d%H%M%S}{self.seed}"
        while True:
            at = self.begun + timedelta(seconds=second)
            for monitor in ward:
                for body in self._of_second(monitor, f"{run}-{monitor.number}-{second}", at, second):
                    if sent == total:
                        return
                    yield monitor.number, body
                    sent += 1
            second += 1

    def _of_second(self, monitor: Monitor, control_id: str, at: datetime, second: int) -> Iterator[bytes]:
        monitor.second()
        is_time = (second + monitor.number) % self.pressure_every == 0
        yield report(monitor, control_id, at, pressure=is_time, waveform=self.waveforms)
        if not self.alarms:
            return
        if not monitor.alarm and monitor.saturation < _LOW:
            yield alarm(monitor, f"{control_id}a", at, "start")
            monitor.alarm = f"{control_id}a"
        elif monitor.alarm and monitor.saturation > _LOW + 2:
            yield alarm(monitor, f"{control_id}e", at, "end")
            monitor.alarm = ""


@dataclass
class Told:
    """What came of a run."""

    answers: Counter[str] = field(default_factory=Counter)
    """MSA-1 → how often; `none`: no answer that can be read."""
    latencies_s: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def sent(self) -> int:
        return self.answers.total()

    @property
    def is_good(self) -> bool:
        return bool(self.sent) and set(self.answers) <= {"AA", "CA"}

    def quantile(self, share: float) -> float:
        """Give the time to the answer that this share of the messages did not exceed, in milliseconds."""
        if not self.latencies_s:
            return 0.0
        ordered = sorted(self.latencies_s)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def summary(self) -> dict[str, object]:
        return {
            "sent": self.sent,
            "answers": dict(self.answers),
            "seconds": round(self.seconds, 3),
            "per_second": round(self.sent / self.seconds, 1) if self.seconds else 0.0,
            "p50_ms": round(self.quantile(0.5), 2),
            "p99_ms": round(self.quantile(0.99), 2),
        }


async def send(
    ward: Ward,
    host: str,
    port: int,
    total: int,
    *,
    rate: float = 0.0,
    connections: int = 8,
    tls: ssl.SSLContext | None = None,
) -> Told:
    """Send so many messages and wait for every answer; `rate` messages a second in all, 0 = as fast as answers come.

    A monitor always speaks through the same connection. Raises OSError when nobody listens.
    """
    told = Told()
    lanes: list[list[bytes]] = [[] for _ in range(connections)]
    for number, body in ward.messages(total):
        lanes[number % connections].append(body)
    began = time.perf_counter()
    await asyncio.gather(
        *(_lane(lane, host, port, told, rate * len(lane) / total if rate else 0.0, tls) for lane in lanes if lane)
    )
    told.seconds = time.perf_counter() - began
    return told


async def _lane(
    bodies: Sequence[bytes], host: str, port: int, told: Told, rate: float, tls: ssl.SSLContext | None
) -> None:
    reader, writer = await asyncio.open_connection(host, port, ssl=tls, limit=_LARGEST_ANSWER)
    try:
        began = time.perf_counter()
        for n, body in enumerate(bodies):
            if rate:
                await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
            at = time.perf_counter()
            writer.write(_START + body + _END)
            await writer.drain()
            try:
                answer = await reader.readuntil(_END)
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
                told.answers["none"] += 1
                return
            told.latencies_s.append(time.perf_counter() - at)
            told.answers[_code_of(answer)] += 1
    finally:
        writer.close()


def _code_of(answer: bytes) -> str:
    for segment in answer.strip(_START + _END).split(b"\r"):
        if segment.startswith(b"MSA|"):
            return segment.split(b"|")[1].decode("ascii", "replace") or "none"
    return "none"


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="lienthong sandbox monitor",
        description="Mô phỏng máy theo dõi tại giường (IHE PCD-01, PCD-04) gửi qua MLLP.",
        epilog="Ví dụ: lienthong sandbox monitor --to 127.0.0.1:2577 --monitors 200 --rate 1000 --messages 60000 --json",
    )
    parser.add_argument("--to", required=True, metavar="HOST:PORT", help="kênh nhận, như 127.0.0.1:2577")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="dùng TLS, tin chứng thư gốc này (PEM)")
    parser.add_argument("--monitors", type=int, default=200, help="số máy (mặc định 200)")
    parser.add_argument("--messages", type=int, default=1000, help="tổng số bản tin (mặc định 1000)")
    parser.add_argument("--rate", type=float, default=0.0, help="bản tin mỗi giây của cả khoa; 0 = nhanh hết mức")
    parser.add_argument("--connections", type=int, default=8, help="số kết nối của trạm trung tâm (mặc định 8)")
    parser.add_argument("--facility", default="01999", help="mã cơ sở trong PID-3 và MSH-4 (mặc định 01999)")
    parser.add_argument("--patient-prefix", default="BNM", help="đầu mã người bệnh (mặc định BNM)")
    parser.add_argument("--waveforms", action="store_true", help="kèm một giây điện tim trong mỗi bản tin")
    parser.add_argument("--no-alarms", action="store_true", help="không gửi báo động")
    parser.add_argument("--seed", type=int, default=1, help="cùng số thì cùng giá trị")
    parser.add_argument("--json", action="store_true", help="kết quả là một đối tượng JSON")
    found = parser.parse_args(argv)
    host, sep, port = found.to.rpartition(":")
    if not sep or not host or not port.isdigit() or not 0 < int(port) < 65536:
        parser.error("--to: địa chỉ viết như 127.0.0.1:2577")
    if min(found.monitors, found.messages, found.connections) < 1 or found.rate < 0:
        parser.error("--monitors, --messages, --connections từ 1; --rate từ 0")
    found.host, found.port = host.strip("[]"), int(port)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run a ward; 0 when every answer was positive, 1 when one was not, 2 when nobody listens or the call is wrong."""
    found = _arguments(sys.argv[1:] if argv is None else argv)
    ward = Ward(
        monitors=found.monitors,
        facility=found.facility,
        prefix=found.patient_prefix,
        alarms=not found.no_alarms,
        waveforms=found.waveforms,
        seed=found.seed,
    )
    try:
        tls = ssl.create_default_context(cafile=found.ca) if found.ca else None
        run = send(
            ward, found.host, found.port, found.messages, rate=found.rate, connections=found.connections, tls=tls
        )
        told = asyncio.run(run)
    except OSError as error:
        sys.stderr.write(f"Không gửi được tới {found.to}: {error.strerror or type(error).__name__}\n")
        return 2
    sys.stdout.write((json.dumps(told.summary(), ensure_ascii=False) if found.json else _shown(told)) + "\n")
    return 0 if told.is_good else 1


def _shown(told: Told) -> str:
    answers = ", ".join(f"{code}: {count}" for code, count in sorted(told.answers.items()))
    rate = told.sent / told.seconds if told.seconds else 0
    return (
        f"Đã gửi {told.sent} bản tin trong {told.seconds:.1f} s ({rate:.0f}/s) · trả lời {answers}\n"
        f"Chờ trả lời: một nửa trong {told.quantile(0.5):.1f} ms, 99 % trong {told.quantile(0.99):.1f} ms"
    )


if __name__ == "__main__":
    sys.exit(main())
