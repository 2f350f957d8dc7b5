"""The tree of a device in a message: which row says what, and where it stands.

Does not make resources.

Standard: IHE Devices TF-2 Appendix B.8 (OBX-3, OBX-4); ISO/IEEE 11073-10101 §4 (partitions)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.obx import sub_id_of

MDC = "MDC"
"""Name of the nomenclature in CWE.3."""
Path = tuple[int, ...]
Kind = Literal["device", "attribute", "event", "metric"]

_PATH = re.compile(r"^\d{1,10}(\.\d{1,10}){0,7}$")
_OBJECTS, _EVENTS, _INFRASTRUCTURE = 1, 3, 8
"""Partitions: objects and their attributes, events, communication (the specialisations of personal devices)."""
_FIRST_DEVICE = 4096
"""Term from which on the codes of the first and the eighth partition name devices."""
_ATTRIBUTES = ("MDC_ATTR_", "MDC_TIME_SYNC_", "MDC_TIME_CAP_", "MDC_REG_CERT_")
_LEVELS = 4
"""MDS, VMD, channel, metric; what stands deeper tells more of a metric."""


@dataclass
class Row:
    """One OBX of a device, and the PRT that tells of its equipment as versions after 2.6 do."""

    obx: Segment
    path: Path
    kind: Kind
    prt: Segment | None = None
    facets: list[Row] = field(default_factory=list)
    """Attributes and deeper rows that tell more of this metric."""
    parts: list[Row] = field(default_factory=list)
    """Metrics below a metric that has no value of its own."""

    @property
    def code(self) -> str:
        return mdc_code(self.obx)[0]

    @property
    def name(self) -> str:
        return mdc_code(self.obx)[1]


def mdc_code(obx: Segment) -> tuple[str, str]:
    """Give code and reference identifier of OBX-3 in MDC; `("", "")` when it has none."""
    what = obx.peek(3)
    for n in (1, 4):
        if what.c(n + 2).strip().upper() == MDC:
            return what.c(n).strip(), what.c(n + 1).strip().upper()
    return "", ""


def is_mdc(obx: Segment) -> bool:
    """Tell whether OBX-3 is in the nomenclature of devices."""
    what = obx.peek(3)
    return MDC in (what.c(3).strip().upper(), what.c(6).strip().upper())


def path_of(obx: Segment) -> Path:
    """Read OBX-4 as a path in the tree; `()` when it is none."""
    sub_id = sub_id_of(obx)
    return tuple(int(part) for part in sub_id.split(".")) if _PATH.match(sub_id) else ()


def kind_of(obx: Segment) -> Kind:
    """Tell what a row is: by its reference identifier, else by the partition of its code."""
    code, name = mdc_code(obx)
    if name.startswith("MDC_DEV_"):
        return "device"
    if name.startswith(_ATTRIBUTES):
        return "attribute"
    if name.startswith("MDC_EVT_"):
        return "event"
    partition, term = divmod(int(code), 65536) if code.isascii() and code.isdigit() and len(code) < 10 else (0, 0)
    if partition in (_OBJECTS, _INFRASTRUCTURE):
        return "device" if term >= _FIRST_DEVICE else "attribute"
    return "event" if partition == _EVENTS else "metric"


def stripped(path: Path) -> Path:
    """Give the place of a device, whose path ends in zeros."""
    while path and path[-1] == 0:
        path = path[:-1]
    return path


def above(path: Path) -> Iterator[Path]:
    """Give the places above one, the nearest first, the root `()` last."""
    while path:
        path = stripped(path[:-1])
        yield path


class Containment:
    """The rows of devices in one part of a message."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.devices: dict[Path, Row] = {}
        for row in rows:
            if row.kind == "device":
                self.devices.setdefault(stripped(row.path), row)

    def device_above(self, path: Path) -> Path:
        """Give the place of the nearest device above a row, the MDS when only its number is known, else the root."""
        for place in above(path):
            if place in self.devices:
                return place
        return path[:1] if path and path[0] and len(path) > 1 else ()

    def of(self, path: Path) -> Path:
        """Give the place of the device that an attribute tells of."""
        place = stripped(path)
        return place if place in self.devices else self.device_above(path)


def rows_of(segments: Sequence[Segment]) -> dict[int, Row]:
    """Find the rows of devices, by their index; none when no OBX is in MDC.

    Beside rows in MDC a row in another code is one of the device when its path has three levels or more.
    """
    found: dict[int, Row] = {}
    others: list[int] = []
    for n, segment in enumerate(segments):
        if segment.name != "OBX":
            continue
        if is_mdc(segment):
            found[n] = Row(segment, path_of(segment), kind_of(segment))
        else:
            others.append(n)
    if not found:
        return {}
    for n in others:
        path = path_of(segments[n])
        if len(path) > 2:
            found[n] = Row(segments[n], path, "metric")
    for n, row in found.items():
        if row.kind != "device":
            continue
        following = segments[n + 1] if n + 1 < len(segments) else None
        if following is not None and following.name == "PRT" and (following.peek(10) or following.peek(16)):
            row.prt = following
    return dict(sorted(found.items()))


def with_facets(rows: Sequence[Row]) -> list[Row]:
    """Hang facets and parts below their metrics; give the rows that stand by themselves, in their order.

    A part of a metric is a metric one level below one that has no value, as systolic and diastolic pressure are of a blood
    pressure. A facet is an attribute at the place of a metric or below it, or any metric below one that has a value.
    """
    metrics: dict[Path, Row] = {}
    for row in rows:
        if row.kind == "metric" and len(row.path) <= _LEVELS and row.path:
            metrics[row.path] = row
    alone: list[Row] = []
    for row in rows:
        head = metrics.get(row.path) if row.kind == "attribute" else None
        if head is None and row.kind in ("attribute", "metric") and len(row.path) > 1:
            head = next(
                (metrics[row.path[:n]] for n in range(len(row.path) - 1, 1, -1) if row.path[:n] in metrics), None
            )
        if head is None or head is row:
            alone.append(row)
        elif row.kind == "metric" and not head.obx.peek(5):
            head.parts.append(row)
        else:
            head.facets.append(row)
    return alone
