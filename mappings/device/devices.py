"""The rows of a device's tree as Device, and its metrics as DeviceMetric.

Standard: IHE Devices TF-2 Appendix B.8; FHIR R4 §8.13, §8.14; HL7 Point-of-Care Device Implementation Guide
"""

from __future__ import annotations

from typing import Any

from mappings.device.containment import Containment, Path, Row, stripped
from mappings.hl7v2 import segments
from mappings.hl7v2.actors import ei_to_device, eui64, reference
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.obx import obx_to_observation
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import EUI64

PLACE = "place in the tree of the device"
_OF_ROW = {
    11: "status of a row of a device, which has no result",
    14: "time of a row of a device; each measurement has its own",
}
_UNUSED = "a report of a device has no use for it"
_CLOCK = ("MDC_ATTR_TIME_ABS", "MDC_ATTR_TIME_REL", "MDC_ATTR_TIME_BO")
_SETTINGS = frozenset({"ASET", "MSET", "RSET"})
"""Methods (OBX-17) of what is set, not measured."""


class Devices:
    """Make the devices of one part of a message, each once."""

    def __init__(self, draft: Draft, tree: Containment) -> None:
        self._draft = draft
        self._tree = tree
        self._made: dict[Path, str] = {}
        self._metrics: dict[tuple[Path, str], str] = {}

    def take(self, row: Row) -> Resource | None:
        """Take a row that names a device; give the Device."""
        place, obx, draft = stripped(row.path), row.obx, self._draft
        target = self.of(place)
        if not target:
            obx.leave("the message does not say which device it is")
            return None
        device = draft.get(target)
        kind = cwe_to_codeable_concept(obx[3], draft.context)
        if kind:
            device.setdefault("type", kind)
        if "parent" in device:
            _ = obx[4]
        else:
            obx.ignore(4, PLACE)
        model = words(obx[5].c(2)) or words(obx[5].c(1)) if obx.peek(5) else ""
        if model:
            device.setdefault("deviceName", []).append({"name": model, "type": "model-name"})
        elif obx.peek(5):
            obx.give_back(5)
        if obx.peek(18):
            _ = obx[18]
        for n, reason in _OF_ROW.items():
            if obx.peek(n):
                obx.ignore(n, reason)
        leave_rest(obx, frozenset({3, 4, 5, 18}))
        draft.add(device, obx)
        return device

    def describe(self, row: Row) -> None:
        """Take an attribute of a device as a property of it; what its clock shows is none."""
        obx = row.obx
        if row.name.startswith(_CLOCK):
            for n in obx.fields:
                obx.ignore(n, "clock of the device; each measurement has its own time")
            return
        target = self.of(self._tree.of(row.path))
        observation = obx_to_observation(obx, self._draft)
        told = property_of(observation) if observation else {}
        if observation is None or not target:
            obx.leave("the message does not say which device it is")
            return
        for n in obx.fields - {3, 5, 6}:
            obx.ignore(n, PLACE if n == 4 else "beside a property of a device")
        if not told:
            obx.leave("a property of a device without value")
            return
        device = self._draft.get(target)
        device.setdefault("property", []).append({"type": observation["code"], **told})
        self._draft.add(device, obx)

    def above(self, path: Path) -> Path:
        """Give the place of the nearest device above a row."""
        return self._tree.device_above(path)

    def of(self, place: Path) -> str:
        """Give the reference of the device at a place, with those above it; `""` when nothing names the system."""
        known = self._made.get(place)
        if known is None:
            known = self._made[place] = self._system(place) if len(place) < 2 else self._part(place)
        return known

    def _system(self, place: Path) -> str:
        """Give the device at the root of a tree: named by its own row, else by any below it, else the sender."""
        own = self._tree.devices.get(place)
        rows = [own] if own else []
        rows += [row for row in self._tree.rows if row is not own and row.path[:1] == place[:1]] if place else []
        for row in rows:
            target = self._named(row)
            if target:
                return target
        return self._sender()

    def _named(self, row: Row) -> str:
        """Give the device that OBX-18, or PRT-10 after the row, names."""
        for field in (row.obx.peek(18), row.prt.peek(10) if row.prt else None):
            found = ei_to_device(field, self._draft) if field else None
            if found:
                return str(found["reference"])
        return ""

    def _sender(self) -> str:
        """Give the device that MSH-3 names."""
        draft, hd = self._draft, self._draft.whole.segments[0].peek(3)
        name, number = words(hd.c(1)), words(hd.c(2))
        is_eui = hd.c(3).strip().upper() == "EUI-64" and bool(number)
        system = EUI64 if is_eui else draft.context.systems.local(draft.context.facility, "device")
        value = eui64(number) if is_eui else name or number
        if not value:
            return ""
        return draft.add(
            compact(
                {
                    "resourceType": "Device",
                    "id": resource_id("Device", system, value),
                    "identifier": [{"system": system, "value": value}],
                    "deviceName": [{"name": name, "type": "other"}] if name else [],
                }
            )
        )

    def _part(self, place: Path) -> str:
        """Give a VMD or channel: by the number of its own, else by its place in the system."""
        above = self.of(self._tree.device_above(place))
        if not above:
            return ""
        row = self._tree.devices.get(place)
        target = self._named(row) if row else ""
        if target and target != above:
            self._draft.get(target).setdefault("parent", reference(above))
            return target
        draft, system = self._draft, self.of(place[:1])
        own = f"{draft.context.systems.own}/sid/device-part"
        number = f"{system.partition('/')[2]}/{'.'.join(map(str, place))}"
        return draft.add(
            {
                "resourceType": "Device",
                "id": resource_id("Device", own, number),
                "identifier": [{"system": own, "value": number}],
                "parent": reference(above),
            }
        )

    def metric(self, row: Row, observation: Resource) -> str:
        """Give the DeviceMetric of a measurement; `""` when nothing names the device."""
        place = self._tree.device_above(row.path)
        parent = self.of(place)
        if not parent:
            return ""
        key = (row.path, row.code or str(observation["code"]))
        if key not in self._metrics:
            source = self.of(place[:1])
            number = f"{source.partition('/')[2]}/{'.'.join(map(str, row.path))}/{row.code or row.name}"
            own = f"{self._draft.context.systems.own}/sid/device-metric"
            self._metrics[key] = self._draft.add(
                compact(
                    {
                        "resourceType": "DeviceMetric",
                        "id": resource_id("DeviceMetric", own, number),
                        "identifier": [{"system": own, "value": number}],
                        "type": observation["code"],
                        "unit": self._unit(row),
                        "source": reference(source),
                        "parent": reference(parent),
                        "category": "setting" if method_of(row.obx) in _SETTINGS else "measurement",
                    }
                )
            )
        return self._metrics[key]

    def _unit(self, row: Row) -> Element | None:
        """Give the unit of a metric in the words of the device, which the value of the Observation says in UCUM."""
        field = row.obx.peek(6)
        return cwe_to_codeable_concept(field, self._draft.context) if field else None


def method_of(obx: Segment) -> str:
    """Give the code of OBX-17 that tells measurements from settings."""
    return obx.peek(17).text.strip().upper()


def property_of(observation: dict[str, Any]) -> Element:
    """Give the value of a property: a Quantity, else a code or words."""
    if "valueQuantity" in observation:
        return {"valueQuantity": [observation["valueQuantity"]]}
    if "valueCodeableConcept" in observation:
        return {"valueCode": [observation["valueCodeableConcept"]]}
    text = next((str(value) for name, value in observation.items() if name.startswith("value")), "")
    return {"valueCode": [{"text": text}]} if text and "valueSampledData" not in observation else {}


def leave_rest(segment: Segment, used: frozenset[int]) -> None:
    """Say of the populated fields that are neither used nor left out on purpose that nothing came of them."""
    known = segments.tables(segment.name)
    for n in segment.fields - used:
        if (known is None or n not in known.ignored) and not segment.is_refused(n):
            segment.give_back(n, _UNUSED)
