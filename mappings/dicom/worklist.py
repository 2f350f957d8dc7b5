"""An imaging order as a modality reads it: one item of the Modality Worklist Information Model, in the DICOM JSON Model.

Everything that table K.6-1 wants back from a server (types 1 and 2) is there, empty where nobody told it. Each order is one
requested procedure with one scheduled step. Numbers are never cut: one that is too long for its attribute is left out there.
Texts are.

Not known here, and empty: weight, state, pregnancy and special needs of the person, transport, contrast agent, premedication.

Standard: DICOM PS3.4 §K.6.1.2; PS3.3 §C.4.10 to §C.4.12; PS3.5 §6.2
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from pydicom.datadict import dictionary_VR

from mappings import codes
from mappings.dicom.attributes import items, text, texts
from mappings.dicom.codings import LONG, MEANING, SCHEME, VALUE
from mappings.dicom.context import Context
from mappings.dicom.draft import UID
from mappings.dicom.matching import is_like
from mappings.formats import dates
from mappings.hl7v2.datatypes import Element
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import DICOM

Item = dict[str, Any]
"""A data set in the DICOM JSON Model."""

STEP: Final = "00400100"
"""ScheduledProcedureStepSequence."""
TITLE: Final = "00400001"
"""ScheduledStationAETitle."""
DAY: Final = "00400002"
"""ScheduledProcedureStepStartDate."""
MODALITY: Final = "00080060"
ACCESSION: Final = "00080050"
PATIENT: Final = "00100020"
STUDY: Final = "0020000D"

_TIME = "00400003"
_PROCEDURE, _PROTOCOL = "00321064", "00400008"
_LONGEST: Mapping[str, int] = {"AE": 16, "CS": 16, "SH": 16, "LO": 64, "PN": 64, "LT": 10240, "ST": 1024, "UI": 64}
_ONLY_PLAIN = frozenset({"AE", "CS"})
_SEX = {"male": "M", "female": "F", "other": "O"}
_PRIORITY = {"routine": "ROUTINE", "urgent": "HIGH", "asap": "HIGH", "stat": "STAT"}
_OTHER = "OT"
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_MODALITIES: Final = frozenset(
    (
        *("AR", "BDUS", "BI", "BMD", "CR", "CT", "DG", "DX", "ECG", "EEG", "EMG", "EOG", "EPS", "ES", "GM", "HD", "IO"),
        *("IVOCT", "IVUS", "KER", "LEN", "LS", "MG", "MR", "NM", "OAM", "OCT", "OP", "OPM", "OPT", "OT", "PT", "PX"),
        *("RF", "RG", "RTIMAGE", "SM", "SRF", "TG", "US", "VA", "XA", "XC"),
    )
)
"""Terms of Modality that a device has. Standard: DICOM PS3.3 §C.7.3.1.1.1"""


def is_imaging(order: Resource, study: Resource | None = None) -> bool:
    """Tell whether an order makes pictures: by its section, or because it announces a study."""
    return study is not None or bool(_section_modality(order))


def order_to_worklist_item(
    order: Resource,
    patient: Resource,
    encounter: Resource | None = None,
    *,
    study: Resource | None = None,
    requester: Resource | None = None,
    allergies: Sequence[Resource] = (),
    ordered_at: str = "",
    context: Context,
) -> Item:
    """Make the item of a ServiceRequest.

    `study` is the ImagingStudy that the order announces, `ordered_at` when it was heard of: its time where it says none.
    """
    placer, filler, accession = (_typed(order, kind) for kind in ("PLAC", "FILL", "ACSN"))
    shown = _short(accession) or _short(filler) or _short(placer)
    own = order["id"][:16].upper()
    procedure = _short(_local(order, "requested-procedure")) or shown or own
    service = order.get("code", {})
    reasons = order.get("reasonCode", ())
    asked = _person(requester, order.get("requester", {}))
    found: Item = {}
    _put(found, ACCESSION, shown)
    _put(found, "00080090", asked)
    _put(found, "00100010", _name(patient))
    _put(found, PATIENT, patient_number(patient, context))
    _put(found, "00100030", _day(patient.get("birthDate", "")))
    _put(found, "00100040", _SEX.get(patient.get("gender", ""), ""))
    _put(found, "00102110", *(_said(one.get("code", {})) for one in allergies))
    _put(found, STUDY, study_uid(order, study))
    _put(found, "00321032", asked)
    _put(found, "00321060", _said(service))
    _codes(found, _PROCEDURE, [service], context)
    _put(found, "00380010", _visit(encounter))
    _put(found, "00380300", _place(encounter))
    _put(found, "00401001", procedure)
    _put(found, "00401002", next((_said(one) for one in reasons), ""))
    _codes(found, "0040100A", reasons, context)
    _put(found, "00401003", _PRIORITY.get(order.get("priority", ""), ""))
    _put(found, "00401400", "\r\n".join(one["text"] for one in order.get("note", ()) if one.get("text")))
    _put(found, "00402016", placer)
    _put(found, "00402017", filler)
    for tag in _UNKNOWN:
        _put(found, tag)
    found[STEP] = {"vr": "SQ", "Value": [_step(order, study, procedure, ordered_at, context)]}
    return dict(sorted(found.items()))


_UNKNOWN = (
    *("00081110", "00081120"),  # referenced study and patient
    *("00101030", "001021C0", "00102000", "00380050", "00380500"),  # weight, pregnancy, alerts, special needs, state
    *("00401004", "00403001"),  # transport, confidentiality
)
_UNKNOWN_OF_STEP = ("00400006", "00400012", "00321070")  # performing physician, premedication, contrast agent


def _step(order: Resource, study: Resource | None, procedure: str, ordered_at: str, context: Context) -> Item:
    day, time = _when(order, ordered_at, context.zone)
    details = order.get("orderDetail", ())
    found: Item = {}
    _put(found, MODALITY, _announced(study) or _section_modality(order) or _OTHER)
    _put(found, TITLE, _station_title(order))
    _put(found, DAY, day)
    _put(found, _TIME, time)
    _put(found, "00400007", next((_said(one) for one in details), "") or _said(order.get("code", {})))
    _codes(found, _PROTOCOL, details, context)
    _put(found, "00400009", _short(_local(order, "scheduled-step")) or procedure)
    _put(found, "00400010", next((one.get("display", "") for one in order.get("locationReference", ())), ""))
    _put(found, "00400011", next((_said(one) for one in order.get("locationCode", ())), ""))
    _put(found, "00400020", "SCHEDULED")
    for tag in _UNKNOWN_OF_STEP:
        _put(found, tag)
    return dict(sorted(found.items()))


def for_stations(item: Item, stations: Mapping[str, Sequence[str]], calling: str) -> Item:
    """Say at which stations an order can be carried out, of what each of them takes: modalities and codes of procedures.

    A station that names the procedure comes before those that only make such pictures, and tells the modality. An order that
    names its station keeps it; one that no station takes is for `calling`, whoever asks.
    """
    step = items(item, STEP)[0]
    if texts(step, TITLE):
        return item
    services = [one for tag, holder in ((_PROCEDURE, item), (_PROTOCOL, step)) for one in _values(holder, tag)]
    named = [title for title, words in stations.items() if any(_takes(words, service) for service in services)]
    kind = text(step, MODALITY)
    modality = next((word for title in named for word in stations[title] if word in _MODALITIES), kind)
    titles = named or [title for title, words in stations.items() if kind in words] or [calling]
    more = {TITLE: {"vr": "AE", "Value": titles}, MODALITY: {"vr": "CS", "Value": [modality]}}
    return {**item, STEP: {"vr": "SQ", "Value": [{**step, **more}]}}


def _takes(words: Sequence[str], service: str) -> bool:
    return any(word not in _MODALITIES and is_like(service.casefold(), word.casefold()) for word in words)


def _values(holder: Mapping[str, Any], tag: str) -> Iterator[str]:
    for entry in items(holder, tag):
        yield text(entry, VALUE) or text(entry, LONG)


# ---- what the order says ----


def study_uid(order: Resource, study: Resource | None = None) -> str:
    """Give the UID that the study of an order shall have: announced, or made of the order, the same at every time."""
    announced = announced_uid(study) if study else ""
    return announced or f"2.25.{int(resource_id('ImagingStudy', 'worklist', order['id'])[:32], 16)}"


def announced_uid(study: Resource) -> str:
    """Give the UID of an ImagingStudy; `""` when it has none."""
    found = (one["value"] for one in study.get("identifier", ()) if one.get("system") == UID)
    return next(found, "").removeprefix("urn:oid:")


def accessions(resource: Resource) -> list[str]:
    """Give the accession numbers of an order or a study."""
    return [one["value"] for one in resource.get("identifier", ()) if _is(one, "ACSN")]


def patient_number(patient: Resource, context: Context) -> str:
    """Give the number under which this hospital knows a person; else the first that is no card, `""` when there is none."""
    own = context.systems.local(context.facility, "patient")
    numbers = [one for one in patient.get("identifier", ()) if one.get("value") and len(one["value"]) <= _LONGEST["LO"]]
    ranked = sorted(numbers, key=lambda one: (one.get("system") != own, not _is(one, "PI"), not _is(one, "MR")))
    return _clean(ranked[0]["value"]) if ranked else ""


def _typed(order: Resource, kind: str) -> str:
    return next((_clean(one["value"]) for one in order.get("identifier", ()) if _is(one, kind)), "")


def _local(order: Resource, kind: str) -> str:
    found = (one for one in order.get("identifier", ()) if str(one.get("system", "")).endswith(f"/{kind}"))
    return next((_clean(one["value"]) for one in found), "")


def _is(identifier: Element, kind: str) -> bool:
    return any(coding.get("code") == kind for coding in identifier.get("type", {}).get("coding", ()))


def _short(number: str) -> str:
    return number if len(number) <= _LONGEST["SH"] else ""


def _section_modality(order: Resource) -> str:
    table = codes.table("v2-0074-modality")
    said = (coding.get("code", "") for one in order.get("category", ()) for coding in one.get("coding", ()))
    return next((found for code in said if (found := table.target(code.upper()))), "")


def _announced(study: Resource | None) -> str:
    found = (one.get("code", "") for one in (study or {}).get("modality", ()) if one.get("system") == DICOM)
    return next(found, "")


def _station_title(order: Resource) -> str:
    found = (one for one in order.get("extension", ()) if one["url"].endswith("/scheduled-station"))
    title = next((str(one.get("valueString", "")) for one in found), "")
    return title if len(title) <= _LONGEST["AE"] else ""


def _when(order: Resource, ordered_at: str, zone: str) -> tuple[str, str]:
    """Give day and time of the step: when it is to be, else when it was ordered. A day without time begins at midnight."""
    timing = order.get("occurrenceTiming", {})
    for said in (
        order.get("occurrenceDateTime", ""),
        order.get("occurrencePeriod", {}).get("start", ""),
        *timing.get("event", ()),
        timing.get("repeat", {}).get("boundsPeriod", {}).get("start", ""),
        order.get("authoredOn", ""),
        ordered_at,
    ):
        if "T" in said:
            moment = datetime.fromisoformat(said).astimezone(dates.zone_of(zone))
            return f"{moment:%Y%m%d}", f"{moment:%H%M%S}"
        if len(said) == 10:
            return said.replace("-", ""), "000000"
    return "", ""


# ---- whom it is about ----


def _name(person: Resource) -> str:
    """Write a name as PN, family, given and middle names: of several the official one."""
    names = sorted(person.get("name", ()), key=lambda one: _NAMES.get(one.get("use", ""), 1))
    return next((written for one in names if (written := _pn(one))), "")


_NAMES = {"official": 0, "usual": 0, "": 1, "nickname": 2, "anonymous": 2, "maiden": 3, "old": 3}


def _pn(name: Element) -> str:
    given = [_component(one) for one in name.get("given", ())]
    family, rest = _component(name.get("family", "")), given[:-1]
    if not family:
        return _component(name.get("text", "") or " ".join(given))
    return "^".join((family, given[-1] if given else "", " ".join(rest))).rstrip("^")


def _component(part: str) -> str:
    return " ".join(re.sub(r"[\^=\\]", " ", _clean(part)).split())


def _person(who: Resource | None, named: Element) -> str:
    return (_name(who) if who else "") or _component(named.get("display", ""))


def _day(date: str) -> str:
    return date.replace("-", "") if len(date) == 10 else ""


def _visit(encounter: Resource | None) -> str:
    numbers = (encounter or {}).get("identifier", ())
    found = sorted((one for one in numbers if one.get("value")), key=lambda one: not _is(one, "VN"))
    return next((one["value"] for one in found if len(one["value"]) <= _LONGEST["LO"]), "")


def _place(encounter: Resource | None) -> str:
    places = (encounter or {}).get("location", ())
    now = [one for one in places if one.get("status", "active") == "active"]
    return next((one["location"].get("display", "") for one in now if one.get("location")), "")


# ---- elements ----


def _said(concept: Element) -> str:
    """Give a concept in words."""
    shown = (coding.get("display", "") for coding in concept.get("coding", ()))
    return concept.get("text", "") or next((one for one in shown if one), "") or _first_code(concept)


def _first_code(concept: Element) -> str:
    return next((str(coding["code"]) for coding in concept.get("coding", ()) if coding.get("code")), "")


def _codes(found: Item, tag: str, concepts: Iterable[Element], context: Context) -> None:
    """Write a code sequence: of each concept its first code, the sender's own."""
    entries = []
    for concept in concepts:
        coding = next((one for one in concept.get("coding", ()) if one.get("code")), None)
        if coding is None:
            continue
        entry: Item = {}
        _put(entry, VALUE if len(coding["code"]) <= _LONGEST["SH"] else LONG, coding["code"])
        _put(entry, SCHEME, _designator(coding.get("system", ""), context))
        _put(entry, MEANING, coding.get("display") or _said(concept))
        entries.append(entry)
    found[tag] = {"vr": "SQ", "Value": entries} if entries else {"vr": "SQ"}


def _designator(system: str, context: Context) -> str:
    """Give the CodingSchemeDesignator of a system; one that is only known here is private."""
    known = _designators().get(system)
    own = f"{context.systems.local(context.facility, 'code')}-"
    local = system.removeprefix(own).upper() if system.startswith(own) else ""
    return known or (local if local.startswith("99") and len(local) <= _LONGEST["SH"] else "99LT")


@cache
def _designators() -> Mapping[str, str]:
    return {row.target: row.code for row in reversed(tuple(codes.table("dicom-coding-scheme"))) if row.target}


def _put(found: Item, tag: str, *values: str) -> None:
    """Write an attribute with the values that are not empty; without any it is there and empty (type 2)."""
    vr = dictionary_VR(int(tag, 16))
    longest = _LONGEST.get(vr, 0)
    clean = [_clean(value) if vr not in ("LT", "ST") else value for value in values]
    kept = [one[:longest].rstrip() if longest else one for one in clean if one]
    kept = [one for one in kept if vr not in _ONLY_PLAIN or one.isascii()]
    written = [{"Alphabetic": one} for one in kept] if vr == "PN" else kept
    found[tag] = {"vr": vr, "Value": written} if written else {"vr": vr}


def _clean(value: str) -> str:
    return " ".join(_CONTROLS.sub(" ", value).replace("\\", "/").split())
