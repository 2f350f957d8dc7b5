"""The walk over the rows of devices in one part of a message: one OBR and its OBX after the other, one tree for all of them.

What comes of it are devices, metrics, measurements and alarms; a report of a device is no DiagnosticReport, and its numbers
(OBR-2, OBR-3) count transmissions, not orders.

Standard: IHE Devices TF-2 §3.1, §3.4
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.device.accounts import REPORT, ROW
from mappings.device.alarms import alarm_to_observation, alarms_of
from mappings.device.containment import Containment, Row, rows_of, with_facets
from mappings.device.devices import Devices, leave_rest
from mappings.device.measurements import Measurements, panels_of
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.leftovers import give_back_leftovers
from mappings.hl7v2.reader import Segment
from mappings.outcome import Resource

_OF_REPORT = {
    2: "numbers the transmission of a device, not an order",
    3: "numbers the transmission of a device, not an order",
    4: "kind of transmission; each measurement has its own code",
    25: "status of a transmission; each measurement has its own",
    29: "names the transmission before this one",
}


class DeviceReport:
    """The rows of devices in some segments, and what was made of each."""

    def __init__(self, draft: Draft, segments: Sequence[Segment], rows: dict[int, Row]) -> None:
        self._draft = draft
        self._segments = segments
        self._rows = rows
        self._devices = Devices(draft, Containment(list(rows.values())))
        self._measurements = Measurements(draft, self._devices)
        self._done: set[int] = set()
        self._made: dict[int, Resource | None] = {}

    @classmethod
    def of(cls, draft: Draft, segments: Sequence[Segment]) -> DeviceReport | None:
        """Give the report when a device speaks in the segments; None otherwise."""
        rows = rows_of(segments)
        return cls(draft, segments, rows) if rows else None

    def opens(self, n: int) -> bool:
        """Tell whether the OBR at `n` heads rows of a device; then they are taken."""
        group = self._group(n + 1)
        if not any(at in self._rows for at in group):
            return False
        self._take(self._segments[n], group)
        return True

    def holds(self, n: int) -> bool:
        """Tell whether the OBX at `n` is of a device; one that no OBR heads is taken with those after it."""
        if n not in self._rows:
            return False
        if n not in self._done:
            self._take(None, self._group(n))
        return True

    def names(self, n: int) -> bool:
        """Tell whether the PRT at `n` names the equipment of the row before it."""
        row = self._rows.get(n - 1)
        return row is not None and row.prt is not None

    def made(self, n: int) -> Resource | None:
        """Give the Observation made of the OBX at `n`, for what stands beside it; None for a device."""
        made = self._made.get(n)
        return made if made and made["resourceType"] == "Observation" else None

    def _group(self, n: int) -> range:
        end = n
        while end < len(self._segments) and self._segments[end].name not in ("OBR", "ORC", "PID"):
            end += 1
        return range(n, end)

    def _take(self, obr: Segment | None, group: range) -> None:
        rows = {at: self._rows[at] for at in group if at in self._rows}
        for row in rows.values():
            row.obx.tables = ROW
        self._done |= rows.keys()
        index = {id(row): at for at, row in rows.items()}
        started, ended = (self._draft.moment(obr, 7), self._draft.moment(obr, 8)) if obr else ("", "")
        alarms, others = alarms_of(list(rows.values()))
        alone = with_facets(others)
        panels = {id(row): panel for panel in panels_of(alone) for row in panel}
        for row in alone:
            if row.kind == "device":
                self._made[index[id(row)]] = self._devices.take(row)
        for row in alone:
            if row.kind == "device":
                continue
            if row.kind == "attribute":
                self._devices.describe(row)
            elif id(row) in panels:
                if panels[id(row)][0] is row:
                    panel = self._measurements.panel(panels[id(row)], started)
                    self._made.update({index[id(part)]: panel for part in panels[id(row)]})
            else:
                one = self._measurements.take(row, started, ended)
                self._made.update({index[id(part)]: one for part in (row, *row.parts, *row.facets)})
        for alarm in alarms:
            one = alarm_to_observation(alarm, obr, self._draft, self._devices, started)
            self._made[index[id(alarm.event)]] = one
        for row in rows.values():
            if row.prt is not None:
                self._named_by(row.prt, row)
        for row in rows.values():
            give_back_leftovers(row.obx, self._draft)
        if obr is not None:
            obr.made += dict.fromkeys(one for row in rows.values() for one in row.obx.made if one not in obr.made)
            self._account(obr, [row for row in rows.values() if row.kind in ("metric", "event")])

    def _named_by(self, prt: Segment, row: Row) -> None:
        """Account for the PRT that names the equipment of a row."""
        _ = prt[10]
        if not row.obx.peek(18):
            for made in row.obx.made:
                if made not in prt.made:
                    prt.made.append(made)
        leave_rest(prt, frozenset({10}))

    def _account(self, obr: Segment, told: Sequence[Row]) -> None:
        """Say what became of the OBR: its times stand in for those of rows that have none."""
        obr.tables = REPORT
        for n, reason in _OF_REPORT.items():
            if obr.peek(n):
                obr.ignore(n, reason)
        used = {
            7: any(not row.obx.peek(14) for row in told),
            8: any(not row.obx.peek(14) and row.obx.peek(2).text.strip().upper() in ("NA", "MA") for row in told),
        }
        for n, needed in used.items():
            if obr.peek(n) and not obr.is_refused(n) and not needed:
                obr.ignore(n, "each measurement tells its own time")
        leave_rest(obr, frozenset({7, 8}))
        give_back_leftovers(obr, self._draft)
