"""What a device measured, as Observation: numbers, codes and texts, compounds such as blood pressure, waveforms.

Every measurement is a fact of its own: the id holds when it was made, so a later one is no version of it, and the same
message again is the same Observation.

Standard: IHE Devices TF-2 §3.1, Appendix B.8; FHIR R4 §10.1, §10.1.7 (vital signs)
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mappings import codes
from mappings.device.containment import Row, mdc_code
from mappings.device.devices import PLACE, Devices
from mappings.hl7v2.actors import reference
from mappings.hl7v2.codings import concept, cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.segments.obx import obx_to_observation
from mappings.hl7v2.shared_codes import RESULTS, shared_codings
from mappings.hl7v2.vital_signs import as_vital_sign
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import MDC

_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_NOT_OF_A_PERSON = frozenset({"TEST", "DEMO"})
"""Measurement states of data that nobody's body made."""
SIMULATED = "test or demonstration data of the device; not about the person"
INVALID = "the device says that the value does not hold"
IMPOSSIBLE = "a value that cannot be; devices write it for none"
_NO_NUMBER = frozenset(str(2**23 + n) for n in (-2, -1, 0, 1, 2))
"""What devices write for NaN, not at this resolution and infinity: the special values of FLOAT. ISO/IEEE 11073-20601 §F"""
_COUNTED = frozenset({"/min", "%"})
"""Units whose amounts are never negative: some devices write -100 or -999 for no value."""
_PANEL = {"150021": "150020", "150022": "150020", "150023": "150020"}
"""Non-invasive pressures of one moment, and the compound they are parts of: FHIR knows them as one blood pressure."""
_PANEL_NAME = {"150020": "MDC_PRESS_BLD_NONINV"}
_VALUES = ("value", "_value", "dataAbsentReason", "interpretation", "referenceRange")


def is_simulated(row: Row) -> bool:
    """Tell whether OBX-8 says that the value is for a test or a show."""
    return any(code_of(one.text).upper() in _NOT_OF_A_PERSON for one in row.obx.peek(8).repetitions)


class Measurements:
    """Make the Observations of one part of a message."""

    def __init__(self, draft: Draft, devices: Devices) -> None:
        self._draft = draft
        self._devices = devices

    def take(self, row: Row, started: str, ended: str) -> Resource | None:
        """Make the Observation of a row with its facets and parts; `started` and `ended` stand in for OBX-14."""
        if is_simulated(row):
            _withhold(row)
            return None
        observation = self._observe(row, started)
        if observation is None:
            return None
        if row.parts:
            parts = [part for part in row.parts if not is_simulated(part)]
            for part in row.parts:
                if part not in parts:
                    _withhold(part)
            self._compound(observation, parts, row, observation.get("effectiveDateTime", started))
        if ended and "valueSampledData" in observation and observation.get("effectiveDateTime") == started:
            del observation["effectiveDateTime"]
            observation["effectivePeriod"] = {"start": started, "end": ended}
        for facet in row.facets:
            self._facet(facet, observation)
        return self._keep(row, observation, [row, *row.parts, *row.facets])

    def panel(self, rows: list[Row], started: str) -> Resource | None:
        """Make one blood pressure of the pressures of a channel at one moment."""
        code = _PANEL[rows[0].code]
        observations = [(row, one) for row in rows if (one := self._observe(row, started))]
        if not observations:
            return None
        _, first = observations[0]
        panel: dict[str, Any] = {
            "resourceType": "Observation",
            "id": "",
            "status": first["status"],
            "code": {"coding": _panel_codings(code), "text": _PANEL_NAME[code]},
        }
        for _, one in observations:
            _add_part(panel, one)
        as_vital_sign(panel, self._draft.context)
        head = Row(rows[0].obx, rows[0].path[:-1], "metric")
        return self._keep(head, panel, rows, code)

    def _observe(self, row: Row, started: str) -> Resource | None:
        observation = self._read(row, started)
        if observation is None:
            return None
        _doubt(row, observation)
        as_vital_sign(observation, self._draft.context)
        return observation

    def _read(self, row: Row, started: str = "") -> Resource | None:
        """Read a row as any result, without what its place in the tree says better."""
        observation = obx_to_observation(row.obx, self._draft, "", started)
        if observation is None:
            return None
        observation.pop("device", None)
        kept = [one for one in observation.pop("extension", ()) if not one["url"].endswith("/observation-v2-subid")]
        return {**observation, "extension": kept} if kept else observation

    def _compound(self, observation: Resource, parts: list[Row], row: Row, started: str) -> None:
        """Put parts into a compound, and judge it anew: before it had them it could be no blood pressure."""
        statuses = []
        for part in parts:
            one = self._observe(part, started)
            if one is not None:
                _add_part(observation, one)
                statuses.append(one["status"])
        if statuses:
            observation.pop("dataAbsentReason", None)
            observation["status"] = statuses[0] if len(set(statuses)) == 1 else "preliminary"
            row.obx.ignore(11, "status of a compound; its parts have theirs")
        named = cwe_to_codeable_concept(row.obx[3], self._draft.context)
        if named:
            observation["code"] = shared_codings(named, self._draft, row.obx.where(3), RESULTS)
        as_vital_sign(observation, self._draft.context)

    def _facet(self, row: Row, observation: Resource) -> None:
        """Take what tells more of a measurement: how a curve was sampled, anything else as a component."""
        told = self._read(row)
        if told is None:
            return
        curve = observation.get("valueSampledData")
        number = told.get("valueQuantity", {}).get("value")
        name = mdc_code(row.obx)[1]
        if curve is not None and name in ("MDC_ATTR_SAMP_RATE", "MDC_ATTR_TIME_PD_SAMP") and number and number > 0:
            period = 1000 / Decimal(number) if name == "MDC_ATTR_SAMP_RATE" else Decimal(number)
            curve.pop("_period", None)
            curve["period"] = _plain(period)
        elif curve is not None and name == "MDC_ATTR_DATA_RANGE" and "valueRange" in told:
            for limit, end in (("lowerLimit", "low"), ("upperLimit", "high")):
                if end in told["valueRange"]:
                    curve[limit] = told["valueRange"][end]["value"]
        elif any(one.startswith("value") for one in told):
            _add_part(observation, told)
        else:
            row.obx.give_back(5, "an attribute without value")
        for n in (4, 11):
            row.obx.ignore(n, PLACE if n == 4 else "status of an attribute; the measurement has its own")

    def _keep(self, row: Row, observation: Resource, rows: list[Row], code: str = "") -> Resource:
        draft = self._draft
        metric = self._devices.metric(row, observation)
        if metric:
            observation["device"] = reference(metric)
        moment = observation.get("effectiveDateTime") or observation.get("effectivePeriod", {}).get("start", "")
        place = ".".join(map(str, row.path))
        key = f"{draft.whose}|{metric}|{place}|{code or row.code or row.name}|{moment or draft.message_key}"
        count = draft.nth(f"Observation|{key}")
        system = f"{draft.context.systems.own}/sid/device-observation"
        observation["id"] = resource_id("Observation", system, key if count == 1 else f"{key}|{count}")
        for one in rows:
            draft.add(observation, one.obx)
            if metric:
                draft.add(draft.get(metric), one.obx)
                if one.obx.peek(18):
                    _ = one.obx[18]
            if not one.obx.is_refused(4):
                _ = one.obx[4] if metric else None
                if not metric:
                    one.obx.ignore(4, PLACE)
        return observation


def panels_of(rows: list[Row]) -> list[list[Row]]:
    """Find the pressures that are one blood pressure: systolic and diastolic, of one channel and one moment (OBX-14)."""
    found: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        if row.kind == "metric" and row.code in _PANEL and not row.facets and not is_simulated(row):
            found.setdefault((row.path[:-1], _PANEL[row.code], row.obx.peek(14).text), []).append(row)
    return [
        members
        for members in found.values()
        if {"150021", "150022"} <= {row.code for row in members} and len({row.code for row in members}) == len(members)
    ]


def _panel_codings(code: str) -> list[Element]:
    row = codes.table("mdc-loinc").find(code)
    codings: list[Element] = [{"system": MDC, "code": code, "display": _PANEL_NAME[code]}]
    return [*codings, dict(row.coding())] if row else codings


def _add_part(whole: dict[str, Any], part: Resource) -> None:
    """Put one Observation into another as a component; what is said of the whole goes there."""
    component = {"code": part["code"]}
    for name, value in part.items():
        if name.startswith(_VALUES):
            component[name] = value
        elif name not in ("resourceType", "id", "code", "status", "category"):
            whole.setdefault(name, value)
    whole.setdefault("component", []).append(component)
    if "component" in part:
        whole["component"] += part["component"]
        component.pop("component", None)


def _doubt(row: Row, observation: Resource) -> None:
    """Take away what the device itself does not call a value, and say why there is none."""
    obx = row.obx
    table = codes.table("pcd-measurement-status")
    told = [found for one in obx.peek(8).repetitions if (found := table.find(code_of(one.text).upper()))]
    amount = observation.get("valueQuantity", {})
    impossible = amount and (
        str(amount["value"]) in _NO_NUMBER or (amount.get("code") in _COUNTED and amount["value"] < 0)
    )
    if told or impossible:
        had = [name for name in observation if name.startswith(("value", "_value"))]
        for name in had:
            del observation[name]
        if had:
            obx.ignore(5, INVALID if told else IMPOSSIBLE)
        if obx.peek(6) and "referenceRange" not in observation:
            obx.ignore(6, "unit of no value")
        why = told[0].coding() if told else {"code": "not-a-number", "display": "Not a Number (NaN)"}
        observation["dataAbsentReason"] = concept(why["code"], _ABSENT, why["display"])
    if told:
        codings = {row.code for row in told}
        kept = [one for one in observation.get("interpretation", ()) if not _is_one_of(one, codings)]
        observation.pop("interpretation", None)
        if kept:
            observation["interpretation"] = kept
        else:
            obx.ignore(8, "says why there is no value")


def _is_one_of(interpretation: Element, known: set[str]) -> bool:
    return any(coding["code"].upper() in known for coding in interpretation.get("coding", ()))


def _withhold(row: Row) -> None:
    """Leave a row and all that tells more of it out on purpose."""
    for one in (row, *row.facets):
        for n in one.obx.fields:
            one.obx.ignore(n, SIMULATED)


def _plain(number: Decimal) -> Decimal:
    """Write milliseconds without needless digits, to the millionth."""
    rounded = number.quantize(Decimal("0.000001"))
    whole = rounded.to_integral_value()
    return whole if whole == rounded else rounded.normalize()
