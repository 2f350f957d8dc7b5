"""Phiếu chăm sóc: what nurses measured, judged and did, one column for each time, of one day of a visit.

Form: 37/BV2 (care level 1) and 38/BV2 (levels 2 and 3) of TT 32/2023/TT-BYT, annex XXIX. Trigger: an entry, which is a
document (MDM) or a report (ORU^R01) whose code the table `paper-kind` takes here, final or corrected. One paper is one day of
a visit; each further or corrected entry of that day makes a new version. The lines that the form always has are told by vital
signs (LOINC) or fields (MACH, NHIET_DO, HUYET_AP, NHIP_THO, SPO2, NHAN_DINH, CAN_THIEP …); other results are lines of their
own. A vital sign that an entry does not tell is that of the patient's monitor in the hour before it, marked with `máy` and its
time: the nurse signs it with the column. The nurse of each entry stands at the foot of its column. Required: the person and at
least one entry; without one the paper waits for a person.

Requirement: S3.15
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mappings.documents import content, form, monitored, told, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.faults import PaperIncomplete
from mappings.documents.form import Column
from mappings.documents.record import Record, is_field, value_text
from mappings.documents.told import Told
from mappings.outcome import Resource

_LOINC = {
    "8867-4": "MACH",
    "8310-5": "NHIET_DO",
    "85354-9": "HUYET_AP",
    "8480-6": "HUYET_AP",
    "8462-4": "HUYET_AP",
    "9279-1": "NHIP_THO",
    "59408-5": "SPO2",
    "2708-6": "SPO2",
    "29463-7": "CAN_NANG",
    "3141-9": "CAN_NANG",
}
_PRESSURE = frozenset({"8480-6", "8462-4"})
_UNITS = {
    "MACH": ("/min", "lần/phút", "nhịp/phút"),
    "NHIET_DO": ("Cel", "°C"),
    "HUYET_AP": ("mm[Hg]", "mmHg"),
    "NHIP_THO": ("/min", "lần/phút", "nhịp/phút"),
    "SPO2": ("%",),
    "CAN_NANG": ("kg",),
}
"""What the form's own lines are in (UCUM, and as it is spelled); a value in anything else says so."""
_UNUSED = frozenset({"entered-in-error", "cancelled", "registered"})
_ANNOTATION = re.compile(r"\{[^}]*\}")
"""What UCUM lets somebody add to a unit: `{beats}/min` is `/min`."""
_NURSE = "DIEU_DUONG"
_LEVEL = "CAP_CHAM_SOC"


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the days that a message has entries of."""
    return told.days(resources, "care_sheet")


def changed(resources: Sequence[Resource]) -> list[str]:
    """Give the days of entries a message speaks of, be it to take one back."""
    return told.changed_days(resources, "care_sheet")


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect the entries of a day; raises `PaperIncomplete` when there is none left, `FormNotInForce`."""
    entries = told.of_day(record, subject, record.part, "care_sheet")
    if not entries:
        raise PaperIncomplete("Chăm sóc (CHAM_SOC)", "CHAM_SOC ← OBX NHAN_DINH · OBX CAN_THIEP · OBX-5")
    at = entries[0].at
    encounter = subject if subject["resourceType"] == "Encounter" else None
    patient = record.patient("care_sheet", subject) if encounter else subject
    cards = record.cards(at, at)
    nurses = [person for one in entries for person in one.written_by[:1]]
    level = next((text for one in reversed(entries) if (text := one.field(_LEVEL))), "")
    monitors = [_monitored(record, encounter, one) for one in entries]
    columns = [
        Column(wording.short_time(one.at).replace(" ", "\n"), f"C{n}", False) for n, one in enumerate(entries, 1)
    ]
    return Content(
        event_at=at,
        patient=patient,
        encounter=encounter,
        professional=nurses[-1] if nurses else None,
        values={
            **content.furniture(record, encounter, context),
            **content.place(record, encounter),
            **content.person(record, patient, encounter, at),
            **content.card(record, patient, cards),
            "TO_SO": ", ".join(dict.fromkeys(number for one in entries if (number := one.field("TO_SO")))),
            "CHAN_DOAN": content.diagnoses(record.diagnoses(encounter))["CHAN_DOAN"],
            _LEVEL: level,
            "DI_UNG": next((text for one in reversed(entries) if (text := one.field("DI_UNG"))), ""),
            "NGAY_CHAM_SOC": wording.long_date(at).capitalize(),
        },
        entries={
            "person": [patient, *content.guardians(record, patient, at), *cards],
            "chart": [
                resource
                for one, measured in zip(entries, monitors, strict=True)
                for resource in (*one.entries, *measured.values())
            ],
        },
        lines={"chart": _lines(entries, monitors, at)},
        columns={"chart": columns},
        category=level.strip()[:1] or _level_of_form(entries),
    )


def _level_of_form(entries: Sequence[Told]) -> str:
    """Give the care level that the code of an entry names, as the number of its form."""
    codes = {c.get("code", "") for one in entries for c in _code(one.resource).get("coding", [])}
    return "1" if "37/BV2" in codes else "2" if "38/BV2" in codes else ""


def _code(resource: Resource) -> Resource:
    code: Resource = resource.get("type") or resource.get("code", {})
    return code


def _monitored(record: Record, encounter: Resource | None, entry: Told) -> dict[str, Resource]:
    """Give the vital signs of the visit's monitor that an entry does not tell itself, by the line they belong to."""
    visit = f"Encounter/{encounter['id']}" if encounter else ""
    measured = [
        one
        for one in record.all("Observation")
        if one.get("encounter", {}).get("reference") == visit and one.get("status") not in _UNUSED
    ]
    own = {key for key, _, _ in _told(entry)}
    found = {_key(one): one for one in monitored.before(measured, entry.at)}
    return {key: one for key, one in found.items() if key in _LOINC.values() and key not in own}


def _lines(entries: Sequence[Told], monitors: Sequence[Mapping[str, Resource]], at: str) -> list[dict[str, str]]:
    """Write one line for each item: those of the form, then what else was observed, by its name."""
    on = wording.day(at)
    items = [item for section in form.form("care_sheet").on(on).sections for item in section.items] if on else []
    table: dict[str, dict[str, str]] = {item.key: {"MUC": item.label} for item in items}
    foot = table.pop(_NURSE, None)
    for n, (entry, measured) in enumerate(zip(entries, monitors, strict=True), 1):
        for key, one in measured.items():
            cell = table.setdefault(key, {"MUC": monitored.name(one)})
            cell[f"C{n}"] = f"{_in_line(key, one)} (máy {monitored.moment(one)})"
        for key, label, text in _told(entry):
            cell = table.setdefault(key, {"MUC": label})
            cell[f"C{n}"] = "\n".join(part for part in (cell.get(f"C{n}", ""), text) if part)
        if foot is not None:
            foot[f"C{n}"] = told.names(entry.written_by[:1])
    pressure = table.get("HUYET_AP", {})
    for key in pressure.keys() - {"MUC"}:
        pressure[key] = pressure[key].replace("\n", "/")
    return [*table.values(), *([foot] if foot else [])]


def _is_diastolic(observation: Resource) -> bool:
    """Tell what is written second."""
    return "8462-4" in told.loinc(observation)


def _key(observation: Resource) -> str:
    """Give the line of the chart that an observation belongs to."""
    code = next((c.get("code", "") for c in observation.get("code", {}).get("coding", [])), "")
    return next((_LOINC[c] for c in sorted(told.loinc(observation)) if c in _LOINC), code)


def _value(observation: Resource) -> str:
    parts = [value_text(part) for part in sorted(_measured(observation), key=_is_diastolic)]
    return "/".join(part for part in parts if part)


def _measured(observation: Resource) -> list[Resource]:
    """Give what carries its values; of a blood pressure what the line is for, and not the mean that monitors add."""
    parts: list[Resource] = observation.get("component", [observation])
    return [part for part in parts if told.loinc(part) & _PRESSURE] or parts


def _in_line(key: str, observation: Resource) -> str:
    """Write a value as its line has it: with its unit, unless the line names that itself."""
    quantity: Resource = next((one["valueQuantity"] for one in _measured(observation) if "valueQuantity" in one), {})
    said = {_ANNOTATION.sub("", quantity.get(name, "")) for name in ("code", "unit")}
    text = _value(observation)
    return text if said & {*_UNITS.get(key, ())} else f"{text} {wording.unit(quantity)}".strip()


def _told(entry: Told) -> list[tuple[str, str, str]]:
    """Give key, label and text of everything an entry tells for the chart."""
    found = []
    for one in sorted(entry.observations, key=_is_diastolic):
        key = _key(one)
        if is_field(one) and key in (_LEVEL, "DI_UNG", "TO_SO", "THOI_DIEM_DBLS"):
            continue
        if _value(one):
            found.append((key, wording.concept(one.get("code")), _in_line(key, one)))
    if entry.text:
        found.append(("NHAN_DINH", "Nhận định", entry.text))
    return found
