"""Entries about what was found: observations, laboratory and other reports, vital signs, imaging studies, specimens.

Standard: CDA R2 §4.3.6
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mappings.cda.attachments import attachment_to_media
from mappings.cda.datatypes import quantity_range, time, value
from mappings.cda.elements import beside, components
from mappings.cda.markup import Markup, el
from mappings.cda.writer import COMPLETED, Writer
from mappings.outcome import Resource
from mappings.systems import DICOM, LOINC

_IMAGING = frozenset(
    {"RAD", "RX", "CT", "NMR", "NMS", "RUS", "VUS", "OUS", "CUS", "XRC", "CTH", "EC", "EN", "AU", "imaging"}
)
_ABSENT = {
    "asked-unknown": "ASKU",
    "masked": "MSK",
    "not-applicable": "NA",
    "not-asked": "NASK",
    "temp-unknown": "NAV",
    "unknown": "UNK",
}


def observation_to_observation(observation: Resource, w: Writer, seen: frozenset[str] = frozenset()) -> Markup:
    """Make an Observation; its parts and members stand inside."""
    seen = seen | {observation["id"]}
    return el(
        "observation",
        *w.ids(observation),
        w.coded("code", observation.get("code")),
        w.text(observation),
        w.status(observation),
        w.when(observation, "effective"),
        _value(observation, w),
        *(w.coded("interpretationCode", one) for one in observation.get("interpretation", [])),
        *w.sites(observation, "method", "methodCode"),
        *w.sites(observation, "bodySite", "targetSiteCode"),
        _specimen(w.source.get(observation.get("specimen")), w),
        *w.performers(observation),
        w.people.author(None, observation.get("issued")),
        *_device(observation, w),
        *beside(observation, w),
        *(w.related("COMP", _component(part, w)) for part in observation.get("component", [])),
        *(w.related("COMP", one) for one in _members(observation, w, seen)),
        *w.notes(observation),
        *(_range(limits, w) for limits in observation.get("referenceRange", [])),
        classCode="OBS",
        moodCode="EVN",
    )


def _members(observation: Resource, w: Writer, seen: frozenset[str]) -> Iterable[Markup]:
    for reference in observation.get("hasMember", []):
        member = w.source.get(reference)
        if member and member["resourceType"] == "Observation" and member["id"] not in seen:
            yield observation_to_observation(member, w, seen)


def _value(observation: Resource, w: Writer) -> Markup | None:
    """Make the value; why it is absent is a null flavour."""
    made = value(observation, w.types)
    if made is not None or "dataAbsentReason" not in observation:
        return made
    codes = [coding.get("code", "") for coding in observation["dataAbsentReason"].get("coding", [])]
    return el("value", xsi_type="ST", nullFlavor=next((_ABSENT[code] for code in codes if code in _ABSENT), "NI"))


def _component(part: dict[str, Any], w: Writer) -> Markup:
    return el(
        "observation",
        w.coded("code", part.get("code")),
        COMPLETED,
        _value(part, w),
        *(w.coded("interpretationCode", one) for one in part.get("interpretation", [])),
        *(_range(limits, w) for limits in part.get("referenceRange", [])),
        classCode="OBS",
        moodCode="EVN",
    )


def _range(limits: dict[str, Any], w: Writer) -> Markup:
    sides = limits.get("low") or limits.get("high")
    kind = limits.get("type")
    return el(
        "referenceRange",
        el(
            "observationRange",
            w.coded("code", kind) if kind else None,
            el("text", limits["text"]) if limits.get("text") else None,
            quantity_range("value", limits, "IVL_PQ") if sides else None,
        ),
    )


def _device(observation: Resource, w: Writer) -> Iterable[Markup | None]:
    reference = observation.get("device")
    if reference:
        yield w.people.device(w.source.get(reference), reference.get("display", ""))


def _specimen(specimen: Resource | None, w: Writer) -> Markup | None:
    """Make the specimen of a result."""
    if specimen is None:
        return None
    w.source.mentioned.append(specimen)
    return w.once(_specimen_of, specimen)


def _specimen_of(specimen: Resource, w: Writer) -> Markup:
    kind = specimen.get("type")
    entity = el("specimenPlayingEntity", w.coded("code", kind)) if kind else None
    return el("specimen", el("specimenRole", *w.role_ids(specimen), entity))


def specimen_to_procedure(specimen: Resource, w: Writer) -> Markup:
    """Make the procedure of taking a specimen: when, from where, by whom; what else is known of it stands inside."""
    taken = specimen.get("collection", {})
    collector = taken.get("collector")
    return el(
        "procedure",
        *w.ids(specimen),
        w.types.code("code", "http://snomed.info/sct", "17636008", "Specimen collection"),
        COMPLETED,
        w.when(taken, "collected"),
        *w.sites(taken, "method", "methodCode"),
        *w.sites(taken, "bodySite", "targetSiteCode"),
        _specimen(specimen, w),
        w.people.performer(collector),
        *beside(specimen, w),
        *w.notes(specimen),
        classCode="PROC",
        moodCode="EVN",
    )


def vital_signs_to_organizer(signs: Sequence[Resource], w: Writer) -> Markup:
    """Make one organizer of the vital signs of one moment."""
    moment = signs[0].get("effectiveDateTime")
    return el(
        "organizer",
        w.types.code("code", LOINC, "8716-3", "Vital signs"),
        COMPLETED,
        time("effectiveTime", moment) if moment else None,
        *(el("component", observation_to_observation(sign, w)) for sign in signs),
        classCode="CLUSTER",
        moodCode="EVN",
    )


def is_vital_sign(observation: Resource) -> bool:
    """Tell whether an Observation says that it is a vital sign."""
    return any(
        coding.get("code") == "vital-signs"
        for one in observation.get("category", [])
        for coding in one.get("coding", [])
    )


def diagnostic_report_to_organizer(report: Resource, w: Writer) -> Markup:
    """Make the organizer of a report, one component per result in its order; of an imaging report it is a cluster."""
    specimens = [found for one in report.get("specimen", []) if (found := w.source.get(one))]
    studies = _nested(report.get("imagingStudy", []), w, "ImagingStudy")
    imaging = studies or any(
        coding.get("code") in _IMAGING for one in report.get("category", []) for coding in one.get("coding", [])
    )
    made = [
        *(observation_to_observation(one, w) for one in _nested(report.get("result", []), w, "Observation")),
        *(imaging_study_to_act(study, w) for study in studies),
        *(specimen_to_procedure(specimen, w) for specimen in specimens if specimen.get("collection")),
        *(w.note(note) for note in _notes(report)),
        *(attachment_to_media(form, w) for form in report.get("presentedForm", [])),
    ]
    return el(
        "organizer",
        *w.ids(report),
        w.coded("code", report.get("code")),
        w.status(report),
        w.when(report, "effective"),
        *(_specimen(specimen, w) for specimen in specimens),
        *w.performers(report),
        w.people.author(next(iter(report.get("resultsInterpreter", [])), None), report.get("issued")),
        *(el("component", one) for one in made),
        *components(report, w),
        classCode="CLUSTER" if imaging else "BATTERY",
        moodCode="EVN",
    )


def _nested(references: Iterable[dict[str, Any]], w: Writer, resource_type: str) -> list[Resource]:
    """Give the resources of one type that references point to, inside the bundle."""
    found = (w.source.get(reference) for reference in references)
    return [one for one in found if one and one["resourceType"] == resource_type]


def _notes(report: Resource) -> Iterable[dict[str, Any]]:
    for extension in report.get("extension", []):
        if "valueAnnotation" in extension:
            yield extension["valueAnnotation"]


def imaging_study_to_act(study: Resource, w: Writer) -> Markup:
    """Make the act of an imaging study, its series inside; ids are the UIDs of DICOM."""
    modalities = [{"coding": [one]} for one in study.get("modality", [])]
    return el(
        "act",
        *w.ids(study),
        w.types.code("code", DICOM, "113014", "Study"),
        el("text", study["description"]) if study.get("description") else None,
        COMPLETED,
        time("effectiveTime", study["started"]) if study.get("started") else None,
        *(w.related("REFR", w.assertion(one)) for one in modalities),
        *(w.related("REFR", w.assertion(one)) for one in study.get("procedureCode", [])),
        *(w.related("COMP", _series(one, w)) for one in study.get("series", [])),
        *beside(study, w),
        *w.notes(study),
        classCode="ACT",
        moodCode="EVN",
    )


def _series(series: dict[str, Any], w: Writer) -> Markup:
    shown = series.get("description")
    return el(
        "act",
        el("id", root=series["uid"]) if series.get("uid") else None,
        w.types.code("code", DICOM, "113015", "Series"),
        el("text", shown) if shown else None,
        COMPLETED,
        time("effectiveTime", series["started"]) if series.get("started") else None,
        w.related("REFR", w.assertion({"coding": [series["modality"]]})) if series.get("modality") else None,
        *(w.related("COMP", _object(one, w)) for one in series.get("instance", [])),
        classCode="ACT",
        moodCode="EVN",
    )


def _object(instance: dict[str, Any], w: Writer) -> Markup:
    kind = instance.get("sopClass", {}).get("code", "").removeprefix("urn:oid:")
    return el(
        "observation",
        el("id", root=instance.get("uid")),
        el("code", code=kind, codeSystem="1.2.840.10008.2.6.1", codeSystemName="DCMUID")
        if kind
        else el("code", nullFlavor="UNK"),
        classCode="DGIMG",
        moodCode="EVN",
    )
