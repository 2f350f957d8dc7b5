"""Results of quality control: Observations of a control lot, on no person and in no report.

What is control material is said by the order (O-12 = Q), by the message (H-12 = Q), by the number of the specimen or by records
of their own, as the dialect has it. Does not judge the results (Westgard rules are the laboratory system's).

Standard: CLSI LIS2-A2 §6.12 (processing ID), §8.4.12 (action code)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from mappings import hl7v2
from mappings.fhir.shared import Shared
from mappings.formats import astm, er7
from mappings.hl7v2.context import Context as Hl7Context
from mappings.hl7v2.datatypes import compact
from mappings.ids import resource_id
from mappings.lab import reasons, translation
from mappings.lab.fields import Account, Part, Row
from mappings.lab.groups import Tested
from mappings.lab.profiles import Profile
from mappings.outcome import Outcome, Resource

MATERIAL = "vật liệu kiểm tra chất lượng"
KIND = "quality-control"
_KEPT = frozenset({"Observation", "Device", "Practitioner"})
_NOBODY = 3126


class Lot(NamedTuple):
    """A control material as an instrument names it."""

    number: str
    level: str


class Controls(NamedTuple):
    """What a message says of quality control."""

    resources: Sequence[Resource] = ()
    outcome: Outcome | None = None
    where: str = ""
    """The first record of it."""


def is_control(tested: Tested, head: Row, profile: Profile) -> bool:
    """Tell whether what was tested is control material."""
    form = profile.control
    return (
        head[12].c(1).upper() == "Q"
        or tested.order[12].c(1).upper() in form.actions
        or any(fnmatchcase(tested.specimen, pattern) for pattern in form.specimens)
    )


def controls_to_resources(rows: Sequence[Row], controls: Sequence[Tested], made: translation.Translation) -> Controls:
    """Make Observations of results of quality control, and the Devices that they are about."""
    account, profile = made.account, made.profile
    own = translation.Translation(account, replace(made.context, known={}, approver=""), profile, made.instrument)
    translation.header(rows[0], own)
    lots: list[tuple[Lot, Row]] = []
    for tested in controls:
        _order(tested, own, lots)
    if profile.control.records:
        for row in rows:
            if row.name == "Q":
                lots.append((Lot(row[3].c(2) or "?", row[3].c(3)), row))
                _open(own, lots[-1][0])
                _record(row, own)
    if not lots:
        return Controls()
    plain = Hl7Context(made.context.facility, made.context.systems, made.context.zone, made.context.on)
    outcome = hl7v2.map_message(er7.Message.parse(own.write(), "utf-8"), plain)
    origins = own.origins()
    back = translation.Back(origins, outcome)
    for where, reason in outcome.coverage.unknown.items():
        account.put(origins.get(where, ()), "unknown", reason)
    for where, reason in outcome.coverage.ignored.items():
        account.put(origins.get(where, ()), "ignored", reason)
    for where, target in outcome.coverage.mapped.items():
        if where.startswith(("OBX", "NTE", "MSH")):
            account.put(origins.get(where, ()), "mapped", back.target(target))
    notices = tuple(replace(one, where=back.place(one.where)) for one in outcome.notices if one.code != _NOBODY)
    resources = list(_of_lots(outcome, [lot for lot, _ in lots], own))
    return Controls(resources, replace(outcome, notices=notices), lots[0][1].record.position())


def _open(own: translation.Translation, lot: Lot) -> None:
    obr = own.open("OBR")
    obr.put(3, lot.number)
    obr.put(4, ("", MATERIAL))
    obr.put(24, "LAB")


def _order(tested: Tested, own: translation.Translation, lots: list[tuple[Lot, Row]]) -> None:
    row, form = tested.order, own.profile.control
    lot = Lot(_at(row, form.lot) or "?", _at(row, form.level))
    lots.append((lot, row))
    _open(own, lot)
    for place in (form.lot, form.level):
        if place:
            own.account.put(
                [row.record.where(astm.position(place).field)], "mapped", "Device.lotNumber | Device.deviceName"
            )
    for n in row.record.populated():
        own.account.put([row.record.where(n)], "ignored", reasons.CONTROL_ORDER)
    for result, comments in tested.results:
        if translation.take_result(result, tested, own):
            for comment in comments:
                translation.take_comment(comment, own)


def _at(row: Row, place: str) -> str:
    return Part.of(row.record, astm.position(place) if place else None).c(1)


def _record(row: Row, own: translation.Translation) -> None:
    """Write OBX of a record of quality control: test, lot and level; value; unit; time; flag."""
    obx = own.open("OBX")
    obx.put(3, translation.test_of(row[3].parts[:1], own), row.where(3))
    translation.put_value(obx, row, 4, "F", own)
    obx.put(6, ("", row[5].c(1)), row.where(5))
    obx.put(11, obx.fields.pop(11, "F"))
    obx.put(14, row[6].c(1), row.where(6))
    obx.put(8, [one[:1] for one in row[7].repetitions if one and one[0]], row.where(7))
    translation.put_device(obx, row, own)


def _of_lots(outcome: Outcome, lots: Sequence[Lot], own: translation.Translation) -> list[Resource]:
    """Put the lots in the place of the person, and give every run an id of its own."""
    context = own.context
    system = context.systems.local(context.facility, "control")
    by_result = _lots_of_results(own, lots)
    found: list[Resource] = []
    seen: dict[str, int] = {}
    results = {
        reference: by_result[where]
        for where, references in outcome.origins.items()
        if where in by_result
        for reference in references
        if reference.startswith("Observation/")
    }
    for one in outcome.resources:
        if one["resourceType"] not in _KEPT:
            continue
        lot = results.get(f"{one['resourceType']}/{one['id']}")
        if lot is None:
            found.append(one)
            continue
        material = _material(lot, own)
        if material not in found:
            found.append(material)
        code = next((c["code"] for c in one["code"].get("coding", ())), one["code"].get("text", ""))
        at = one.get("effectiveDateTime") or outcome.sent_at or own.account.message.raw.hex()[:64]
        key = f"{own.instrument}|{lot.number}|{lot.level}|{code}|{at}"
        seen[key] = seen.get(key, 0) + 1
        kind: dict[str, Any] = {"system": f"{context.systems.own}/CodeSystem/result-kind", "code": KIND}
        found.append(
            {
                **{name: value for name, value in one.items() if name != "specimen"},
                "id": resource_id("Observation", system, f"{key}|{seen[key]}"),
                "category": [*one.get("category", ()), {"coding": [kind]}],
                "subject": {"reference": f"Device/{material['id']}", "display": lot.number},
            }
        )
    return found


def _lots_of_results(own: translation.Translation, lots: Sequence[Lot]) -> dict[str, Lot]:
    """Give segment of a result → its lot."""
    found: dict[str, Lot] = {}
    order = results = 0
    for one in own.segments:
        if one.name == "OBR":
            order += 1
        elif one.name == "OBX":
            results += 1
            found["OBX" if results == 1 else f"OBX[{results}]"] = lots[order - 1]
    return found


def _material(lot: Lot, own: translation.Translation) -> Resource:
    """Make the Device of a control lot."""
    system = own.context.systems.local(own.context.facility, "control-lot")
    key = f"{lot.number}|{lot.level}" if lot.level else lot.number
    name = " ".join(filter(None, lot))
    return compact(
        {
            "resourceType": "Device",
            "id": resource_id("Device", system, key),
            "identifier": [{"system": system, "value": key}],
            "lotNumber": lot.number,
            "deviceName": [{"name": name, "type": "other"}],
            "type": Shared({"text": MATERIAL}),
        }
    )


def no_person(account: Account, row: Row) -> None:
    """Say that the P record of control material is about nobody."""
    for n in row.record.populated():
        account.put([row.record.where(n)], "ignored", reasons.NO_PERSON)
