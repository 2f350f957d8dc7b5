"""Series and instances of a study as ImagingStudy.series.

Standard: DICOM PS3.3 §C.7.3.1; FHIR R4 ImagingStudy
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mappings import codes
from mappings.dicom import faults
from mappings.dicom.attributes import Attributes, count, has, item, text
from mappings.dicom.body import Entry
from mappings.dicom.codings import MEANING, entry_to_coding, modality, unique
from mappings.dicom.draft import Draft, instance_uid
from mappings.dicom.equipment import device
from mappings.dicom.header import INSTANCE, SERIES, SOP_CLASS
from mappings.dicom.people import people
from mappings.hl7v2.datatypes import Element, compact
from mappings.outcome import Resource
from mappings.systems import SNOMED

_SERIES = "ImagingStudy.series"
_REGION, _PART, _SIDE, _FRAME_SIDE = "00082218", "00180015", "00200060", "00200062"
_PERFORMERS, _OPERATORS = ("00081050", "00081052"), ("00081070", "00081072")
CONCEPT_NAME = "0040A043"
_TITLES = ("00700081", "00700080", "00420010", "00204000")
MAPPED = {
    SERIES: f"{_SERIES}.uid",
    "00200011": f"{_SERIES}.number",
    "00080060": f"{_SERIES}.modality",
    "0008103E": f"{_SERIES}.description",
    "00181030": f"{_SERIES}.description",
    _PART: f"{_SERIES}.bodySite",
    _SIDE: f"{_SERIES}.laterality",
    _FRAME_SIDE: f"{_SERIES}.laterality",
    "00080021": f"{_SERIES}.started",
    "00080031": f"{_SERIES}.started",
    _PERFORMERS[0]: f"{_SERIES}.performer.actor",
    _OPERATORS[0]: f"{_SERIES}.performer.actor",
    INSTANCE: f"{_SERIES}.instance.uid",
    SOP_CLASS: f"{_SERIES}.instance.sopClass",
    "00200013": f"{_SERIES}.instance.number",
} | dict.fromkeys(_TITLES, f"{_SERIES}.instance.title")
CODED = {
    "0008103F": f"{_SERIES}.description",
    _REGION: f"{_SERIES}.bodySite",
    CONCEPT_NAME: f"{_SERIES}.instance.title",
    f"{_PERFORMERS[1]}/00401101": f"{_SERIES}.performer.actor",
    f"{_OPERATORS[1]}/00401101": f"{_SERIES}.performer.actor",
}
IGNORED = {
    "00080005": "character set of the texts; it steers the reading",
    "00080008": "kind of picture within the series",
    "00080012": "when the object was written",
    "00080013": "when the object was written",
    "00080014": "software that wrote the object",
    "00080015": "when the object was encoded again",
    "00080022": "when the single picture was taken",
    "00080023": "when the single picture was made",
    "0008002A": "when the single picture was taken",
    "00080032": "when the single picture was taken",
    "00080033": "when the single picture was made",
    "00080064": "how the picture came into the system",
    "00080068": "whether the picture is meant to be shown",
    "00080201": "offset from UTC; it steers the reading of times",
    "00082111": "how the picture was derived",
    "00082144": _SERIES + " tells the time, not the frames",
    "00082120": "stage of a stress test",
    "00082122": "stage of a stress test",
    "00082124": "stage of a stress test",
    "00082127": "view of a stress test",
    "00082128": "view of a stress test",
    "0008212A": "view of a stress test",
    "00083010": "number of a dose event of the picture",
    "00209161": "pictures that belong together in an acquisition",
    "00400252": "status of the performed step; the study is available",
    "00400250": "end of the performed step",
    "00400251": "end of the performed step",
    "00400255": "type of the performed step",
    "00400280": "comment on the performed step",
    "00400310": "comment on the dose",
    "00408302": "entrance dose as the device reckons it",
}
BELOW = {
    "00081111": "the performed step the picture belongs to",
    "00081110": "another study the object refers to",
    "00081115": "other objects this one refers to",
    "00081120": "the person as an object of the sender",
    "00081140": "other pictures this one refers to",
    "00081155": "other pictures this one refers to",
    "00081199": "other objects this one refers to",
    "00081200": "other studies this one refers to",
    "00081250": "other series this one refers to",
    "0008114A": "other objects this one refers to",
    "00082112": "pictures this one was made of",
    "00089092": "other pictures this one refers to",
    "00089121": "raw data the picture was made of",
    "00089215": "how the picture was derived",
    "0040B020": "annotations of a waveform; they are in the object",
    "0008113A": "waveforms this one refers to",
    "00080110": "names of coding schemes",
    "00082229": "region modifiers; the region itself is told",
    "00082228": "primary structure within the region",
    "00400260": "protocol of the performed step; the order tells what was asked",
    "00400320": "what is billed",
    "00400324": "films that were used",
    "00400321": "materials that were used",
    "00400440": "protocol context of the device",
    "00400441": "protocol context of the device",
    "00400555": "conditions while the picture was taken",
    "00409096": "what the pixel values stand for",
    "00400556": "conditions while the picture was taken",
    f"{_REGION}/00082220": "modifier of the region; the region itself is told",
}

NOT_ACQUIRED = frozenset(
    {
        "ANN",
        "ASMT",
        "CTPROTOCOL",
        "DOC",
        "FID",
        "KER",
        "KO",
        "M3D",
        "OPTBSV",
        "PLAN",
        "POS",
        "PR",
        "REG",
        "RTDOSE",
        "RTINTENT",
    }
    | {"RTPLAN", "RTRAD", "RTRECORD", "RTSEGANN", "RTSTRUCT", "RWV", "SEG", "SMR", "SR", "SRF", "STAIN", "TEXTUREMAP"}
    | {"XAPROTOCOL"}
)
"""Modalities that no device takes pictures with. Standard: DICOM PS3.16 CID 32"""
_SIDES = {"R": ("24028007", "Right"), "L": ("7771000", "Left"), "B": ("51440002", "Right and left")}
_FUNCTION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"


def take_series(members: Sequence[Entry], draft: Draft) -> Element:
    """Make one series of its objects."""
    first = members[0].attributes
    own = [entry.attributes for entry in members]
    described = (
        _first_text(own, "0008103E") or text(_first_item(own, "0008103F"), MEANING) or _first_text(own, "00181030")
    )
    number = _whole(first, "00200011", draft)
    started = min((one for a in own if (one := draft.moment(a, "00080021", "00080031"))), default="")
    performers = _performers(_distinct(own), draft)
    return compact(
        {
            "uid": text(first, SERIES),
            "number": number,
            "modality": _modality(own, draft),
            "description": described,
            "numberOfInstances": len(members),
            "bodySite": _body_site(own, draft),
            "laterality": _laterality(own, draft),
            "started": started,
            "performer": performers,
            "instance": [_instance(entry, draft) for entry in members],
        }
    )


def _distinct(own: Sequence[Attributes]) -> list[Attributes]:
    """Give the data sets that tell of people and devices, those alike once."""
    tags = (*_PERFORMERS, *_OPERATORS, "00181000", "00081010", "00080070", "00081090")
    return list({tuple(id(one.get(tag)) for tag in tags): one for one in own}.values())


def _performers(own: Sequence[Attributes], draft: Draft) -> list[Element]:
    found: list[Element] = []
    for attributes in own:
        for (names, numbers), code, display in (
            (_PERFORMERS, "PRF", "performer"),
            (_OPERATORS, "SPRF", "secondary performer"),
        ):
            function = {"coding": [{"system": _FUNCTION, "code": code, "display": display}]}
            found += [{"function": function, "actor": one} for one in people(attributes, names, numbers, draft)]
        machine = device(attributes, draft)
        found += [{"actor": machine}] if machine else []
    return unique(found)


def _modality(own: Sequence[Attributes], draft: Draft) -> Element:
    said = _first_text(own, "00080060")
    found = modality(said, draft.context) if said else None
    if said and not found:
        draft.give_back("00080060", "not a modality")
    return found or {"extension": [ABSENT]}


ABSENT = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}


def _body_site(own: Sequence[Attributes], draft: Draft) -> Element:
    region = _first_item(own, _REGION)
    found = entry_to_coding(region, draft.context) if region else None
    said = _first_text(own, _PART)
    if found or not said:
        return found or {}
    row = codes.table("dicom-body-part").find("".join(said.upper().split()))
    return dict(row.coding()) if row else {"display": said}


def _laterality(own: Sequence[Attributes], draft: Draft) -> Element:
    said = (_first_text(own, _SIDE) or _first_text(own, _FRAME_SIDE)).upper()
    if said and said not in _SIDES:
        for tag in (_SIDE, _FRAME_SIDE):
            if _first_text(own, tag):
                draft.given_back.setdefault(tag, "says no side")
        return {}
    code, display = _SIDES.get(said, ("", ""))
    return {"system": SNOMED, "code": code, "display": display} if code else {}


def _instance(entry: Entry, draft: Draft) -> Element:
    attributes = entry.attributes
    sop_class = text(attributes, SOP_CLASS)
    return compact(
        {
            "uid": instance_uid(entry),
            "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{sop_class}"}
            if sop_class
            else {"extension": [ABSENT]},
            "number": _whole(attributes, "00200013", draft),
            "title": _title(attributes),
        }
    )


def _title(attributes: Attributes) -> str:
    """Give what an object calls itself: a document by its concept, others by their label."""
    concept = text(item(attributes, CONCEPT_NAME), MEANING)
    return concept or next((said for tag in _TITLES if (said := text(attributes, tag))), "")


def _whole(attributes: Attributes, tag: str, draft: Draft) -> int | None:
    found = count(attributes, tag)
    if found is None and has(attributes, tag) and text(attributes, tag):
        draft.give_back(tag, "not a number that FHIR can count with")
    return found


def _first_text(own: Sequence[Attributes], tag: str) -> str:
    return next((said for attributes in own if (said := text(attributes, tag))), "")


def _first_item(own: Sequence[Attributes], tag: str) -> Attributes:
    return next((found for attributes in own if (found := item(attributes, tag))), {})


def by_series(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Part the objects by series, in their order. Raises `SeveralStudies` when one object is there twice with other content."""
    found: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        members = found.setdefault(text(entry.attributes, SERIES), {})
        present = members.setdefault(instance_uid(entry), entry)
        if present is not entry and present.attributes != entry.attributes:
            raise faults.SeveralStudies("(0008,0018)", "one object with two contents")
    return [list(members.values()) for members in found.values()]


def modalities(study: Resource) -> list[Any]:
    """Give the modalities that pictures were taken with, each once."""
    return unique(
        [one["modality"] for one in study["series"] if one["modality"].get("code", "") not in {*NOT_ACQUIRED, ""}]
    )
