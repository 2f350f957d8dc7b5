"""MFN: master files: staff (M02), charges (M04), places (M05), tests and batteries (M08–M12). No patient is spoken of.

Staff becomes Practitioners and their posts, charges ChargeItemDefinitions, places Locations and the departments that work
there, tests ObservationDefinitions and the SpecimenDefinitions they need. A record is what stands between its MFE and the next;
one that only names its key is known by it, which is enough to end it.

Standard: HL7 v2.5.1 §8.4–§8.10, §15.3
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mappings.hl7v2 import faults
from mappings.hl7v2.actors import pl_to_location
from mappings.hl7v2.datatypes import Element, compact
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.leftovers import give_back_leftovers
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.aff import aff_to_role
from mappings.hl7v2.segments.cdm import cdm_to_charge_item_definition, charge_item_definition
from mappings.hl7v2.segments.cer import cer_to_qualification
from mappings.hl7v2.segments.edu import edu_to_qualification
from mappings.hl7v2.segments.lan import lan_to_communication
from mappings.hl7v2.segments.lcc import lcc_to_location
from mappings.hl7v2.segments.lch import lch_to_characteristic
from mappings.hl7v2.segments.ldp import ldp_to_healthcare_service
from mappings.hl7v2.segments.loc import STATUS, loc_to_location
from mappings.hl7v2.segments.lrl import lrl_to_location
from mappings.hl7v2.segments.mfe import in_force, mfe_to_active
from mappings.hl7v2.segments.om1 import observation_definition, om1_to_observation_definition
from mappings.hl7v2.segments.om2 import om2_to_observation_definition
from mappings.hl7v2.segments.om3 import om3_to_observation_definition
from mappings.hl7v2.segments.om4 import om4_to_specimen_definition
from mappings.hl7v2.segments.om5 import om5_to_members
from mappings.hl7v2.segments.om6 import om6_to_method
from mappings.hl7v2.segments.om7 import om7_to_category
from mappings.hl7v2.segments.org import org_to_role
from mappings.hl7v2.segments.pra import pra_to_practitioner, pra_to_role
from mappings.hl7v2.segments.prc import prc_to_property_group
from mappings.hl7v2.segments.stf import stf_to_practitioner, stf_to_role
from mappings.hl7v2.staff import add_qualification, post, practitioner_id, staff_number
from mappings.outcome import Resource

Record = Sequence[Segment]


def map_message(draft: Draft) -> None:
    """Map every record of a master file.

    Raises `MissingSegment` without MFE.
    """
    records = list(_records(draft))
    if not records:
        raise faults.MissingSegment("MFE")
    take = _RECORDS[draft.event]
    for mfe, record in records:
        active = mfe_to_active(mfe, draft)
        made = take(mfe, record, draft, active)
        if made is not None:
            _ = mfe[4]
            draft.add(made, mfe)
        for segment in (mfe, *record):
            if segment.name in _OWN:
                give_back_leftovers(segment, draft)


_SEGMENTS = "MFE STF PRA ORG CER EDU AFF LAN CDM PRC LOC LCH LRL LDP LCC OM1 OM2 OM3 OM4 OM5 OM6 OM7"
_OWN = frozenset(_SEGMENTS.split())


def _records(draft: Draft) -> Iterator[tuple[Segment, Record]]:
    mfe: Segment | None = None
    record: list[Segment] = []
    for segment in draft.reader.segments:
        if segment.name == "MFE":
            if mfe is not None:
                yield mfe, record
            mfe, record = segment, []
        else:
            record.append(segment)
    if mfe is not None:
        yield mfe, record


def _all(record: Record, name: str) -> list[Segment]:
    return [segment for segment in record if segment.name == name]


def _first(record: Record, name: str) -> Segment | None:
    return next((segment for segment in record if segment.name == name), None)


# ---- staff ----


def _staff(mfe: Segment, record: Record, draft: Draft, active: bool | None) -> Resource | None:
    stf = _first(record, "STF")
    if stf is None:
        number = staff_number(mfe.peek(4), draft)
        if number is None or active is None:
            return None
        named = practitioner_id(number, "", draft)
        return {"resourceType": "Practitioner", "id": named, "identifier": [number], "active": active}
    person = stf_to_practitioner(stf, draft, in_force(stf, 7, active))
    if person is None:
        return None
    role: Element = stf_to_role(stf, draft)
    for pra in _all(record, "PRA"):
        pra_to_practitioner(pra, person, draft)
        pra_to_role(pra, role, draft)
    for segment in record:
        if segment.name in ("CER", "EDU"):
            make = cer_to_qualification if segment.name == "CER" else edu_to_qualification
            qualification = make(segment, draft)
            if qualification:
                add_qualification(person, qualification)
        elif segment.name == "LAN":
            languages = person.setdefault("communication", [])
            languages += [one for one in lan_to_communication(segment, draft) if one not in languages]
    person = compact(person)
    draft.add(person, stf, *(s for s in record if s.name in ("PRA", "CER", "EDU", "LAN")))
    for name in ("code", "specialty"):
        role[name] = [one for n, one in enumerate(role.get(name, [])) if one not in role[name][:n]]
    role = compact(role)
    if role:
        draft.add(draft.get(post(person, role, draft)), stf, *_all(record, "PRA"))
    for segment in record:
        said = org_to_role(segment, draft) if segment.name == "ORG" else None
        said = aff_to_role(segment, draft) if segment.name == "AFF" else said
        if said:
            draft.add(draft.get(post(person, said, draft)), segment)
    return person


# ---- charges ----


def _charge(mfe: Segment, record: Record, draft: Draft, active: bool | None) -> Resource | None:
    cdm = _first(record, "CDM")
    if cdm is None:
        definition = charge_item_definition(mfe.peek(4), draft, active)
    else:
        definition = cdm_to_charge_item_definition(cdm, draft, active)
    if definition is None:
        return None
    since = draft.moment(mfe, 3)
    if since:
        definition["date"] = since
    for prc in _all(record, "PRC"):
        prc_to_property_group(prc, definition, draft)
    draft.add(definition, *(segment for segment in record if segment.name in ("CDM", "PRC")))
    return definition


# ---- places ----


def _place(mfe: Segment, record: Record, draft: Draft, active: bool | None) -> Resource | None:
    loc = _first(record, "LOC")
    if loc is None:
        found = pl_to_location(mfe.peek(4), draft)
        if found is None:
            return None
        place = draft.get(found["reference"])
        if active is not None:
            place["status"] = STATUS[active]
    else:
        told = loc_to_location(loc, draft, active)
        if told is None:
            return None
        place = told
    for segment in record:
        if segment.name == "LCH":
            lch_to_characteristic(segment, place, draft)
        elif segment.name == "LRL":
            lrl_to_location(segment, place, draft)
        elif segment.name == "LCC":
            lcc_to_location(segment, place, draft)
        elif segment.name == "LDP":
            service = ldp_to_healthcare_service(segment, place, draft, active)
            if service:
                draft.add(service, segment)
    draft.add(place, *(segment for segment in record if segment.name in ("LCH", "LRL", "LCC")))
    return place


# ---- tests ----


def _test(mfe: Segment, record: Record, draft: Draft, active: bool | None) -> Resource | None:
    om1 = _first(record, "OM1")
    if om1 is None:
        definition = observation_definition(mfe.peek(4), draft, active)
    else:
        definition = om1_to_observation_definition(om1, draft, active)
    if definition is None:
        return None
    count = 0
    for segment in record:
        if segment.name == "OM4":
            specimen = om4_to_specimen_definition(segment, om1, definition, draft, count + 1)
            if specimen:
                count += 1
                draft.add(specimen, segment, *([om1] if om1 is not None else []))
        elif segment.name in _ADDED:
            _ADDED[segment.name](segment, definition, draft)
    made = compact(definition)
    draft.add(made, *(segment for segment in record if segment.name == "OM1" or segment.name in _ADDED))
    return made


_ADDED: dict[str, Callable[[Segment, Resource, Draft], None]] = {
    "OM2": om2_to_observation_definition,
    "OM3": om3_to_observation_definition,
    "OM5": om5_to_members,
    "OM6": om6_to_method,
    "OM7": om7_to_category,
}

_RECORDS: dict[str, Callable[[Segment, Record, Draft, bool | None], Resource | None]] = {
    "M02": _staff,
    "M04": _charge,
    "M05": _place,
    "M08": _test,
    "M09": _test,
    "M10": _test,
    "M11": _test,
    "M12": _test,
}

TRIGGERS = tuple(f"MFN^{event}" for event in _RECORDS)
