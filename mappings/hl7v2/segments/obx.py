"""OBX: one observation, or one text of a Vietnamese paper.

Standard: HL7 v2.5.1 §7.4.2
"""

from __future__ import annotations

import binascii
from base64 import b64encode
from typing import Any

from mappings import codes
from mappings.formats import er7
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import (
    cwe_to_organization,
    ei_to_device,
    practitioners,
    reference,
    role_reference,
    xcn_to_practitioner,
    xon_to_organization,
)
from mappings.hl7v2.context import Context
from mappings.hl7v2.datatypes import (
    Element,
    code_of,
    compact,
    comparable,
    concept,
    cwe_to_codeable_concept,
    cwe_to_unit,
    ei_to_identifier,
    joined,
    nm_to_decimal,
    period,
    quantity,
    reference_range,
    slug,
    sn_to_value,
    words,
)
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

IGNORED = {
    1: SEQUENCE,
    9: "probability; no FHIR element",
    12: "date of the reference range; OBX-7 is the one in force",
    13: "access checks of the sender",
    22: "mood; results are events",
    26: "release category; handled by access rights",
    27: "root cause of a correction; OBX-11 tells that it is one",
    28: "process control of the laboratory",
    31: "action on the segment; the message is stored whole",
    33: "specimen of a single result; the order's specimen is used",
}

TEXT_TYPES = frozenset({"", "ST", "TX", "FT", "VR"})
_CODED_TYPES = frozenset({"CE", "CWE", "CNE", "CF", "IS", "ID"})
_TIME_TYPES = frozenset({"DT", "TS", "DTM"})
DOCUMENT_TYPES = frozenset({"ED", "RP"})
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_ANALYSED = "http://hl7.org/fhir/StructureDefinition/observation-analysis-date-time"
_NATURE = "http://hl7.org/fhir/StructureDefinition/observation-nature-of-abnormal-test"


def is_paper_field(obx: Segment) -> bool:
    """Tell whether the segment carries the text of a field of QĐ 3176 (`OBX-3 = PP_DIEUTRI^…^QD3176`)."""
    return obx.peek(3).c(3).strip().upper() == "QD3176"


def is_coded(obx: Segment) -> bool:
    """Tell whether OBX-2 says that the value is a code."""
    return code_of(obx.peek(2).text).upper() in _CODED_TYPES


def paper_list(field: str, context: Context) -> str:
    """Give the URI of the code list of a field of QĐ 3176: every coded field has a list of its own."""
    return f"{context.systems.own}/CodeSystem/qd3176-{slug(field)}"


def is_document(obx: Segment) -> bool:
    """Tell whether the segment encloses or points to a document instead of a value."""
    return code_of(obx.peek(2).text).upper() in DOCUMENT_TYPES and bool(obx.peek(5))


def obx_to_observation(obx: Segment, draft: Draft, order: str = "", effective: str = "") -> Resource | None:
    """Make the Observation; nothing when it is not said what was observed.

    `order` is what the id hangs on: the filler number, else the placer number; without an order the visit, else the patient.
    `effective` stands in for OBX-14.
    """
    context = draft.context
    code = cwe_to_codeable_concept(obx[3], context)
    if code is None:
        return None
    paper = is_paper_field(obx)
    sub_id = words(obx[4].text)
    kind = code_of(obx[2].text).upper()
    status = code_of(obx[11].text).upper()
    observed_at = draft.moment(obx, 14)
    unit = {} if paper else cwe_to_unit(obx[6], context)
    value = _value(obx, kind, unit, draft, paper)
    if status and status not in codes.table("v2-0085"):
        draft.notice(faults.CODE_UNKNOWN, obx.where(11))
    limits = None if paper else reference_range(obx[7].text, unit)
    if unit and "valueString" in value and (limits is None or len(limits) == 1):
        obx.ignore(6, "unit beside a text value")
    observation: dict[str, Any] = {
        "resourceType": "Observation",
        "id": _id(draft, code, sub_id, order, "" if paper or order else observed_at),
        "extension": [],
        "identifier": [],
        "status": codes.table("v2-0085").target(status) or ("final" if paper else "unknown"),
        "category": [],
        "code": code,
        "subject": reference(draft.patient),
        "encounter": reference(draft.encounter) if draft.encounter else {},
        "effectiveDateTime": observed_at or effective,
        **value,
        "interpretation": _interpretation(obx, draft),
        "referenceRange": [limits] if limits else [],
    }
    if not value and status in ("N", "X"):
        reason = ("not-asked", "Not Asked") if status == "N" else ("error", "Error")
        observation["dataAbsentReason"] = concept(reason[0], _ABSENT, reason[1])
    _rare(obx, observation, draft)
    if paper:
        return compact({**observation, "effectiveDateTime": observed_at})
    return compact(observation)


def _id(draft: Draft, code: Element, sub_id: str, order: str, observed_at: str) -> str:
    coding = code["coding"][0] if code.get("coding") else {"code": code["text"]}
    anchor = order or draft.encounter or draft.patient
    key = f"{anchor}|{coding.get('system', '')}|{coding['code']}|{sub_id}|{observed_at}"
    system = draft.context.systems.local(draft.context.facility, "observation")
    return resource_id("Observation", system, f"{key}|{draft.nth(f'Observation|{key}')}")


_RARE = frozenset({10, *range(15, 33)})


def _rare(obx: Segment, observation: dict[str, Any], draft: Draft) -> None:
    """Take what most results lack."""
    if obx.fields.isdisjoint(_RARE):
        return
    context = draft.context
    nature = cwe_to_codeable_concept(obx[10], context, system=f"{V2_TABLE}0080")
    if nature:
        observation["extension"].append({"url": _NATURE, "valueCodeableConcept": nature})
    analysed_at = draft.moment(obx, 19)
    if analysed_at:
        observation["extension"].append({"url": _ANALYSED, "valueDateTime": analysed_at})
    method = cwe_to_codeable_concept(obx[17], context)
    if method:
        observation["method"] = method
    device = ei_to_device(obx[18], draft) if obx[18] else None
    if device:
        observation["device"] = device
    site = cwe_to_codeable_concept(obx[20], context)
    if site:
        observation["bodySite"] = site
    instance = ei_to_identifier(obx[21], context, "observation", "FILL")
    if instance:
        observation["identifier"].append(instance)
    category = code_of(obx[29].text)
    if category:
        observation["category"].append(concept(category, f"{V2_TABLE}0936"))
    absent = cwe_to_codeable_concept(obx[32], context)
    if absent and not any(name.startswith("value") for name in observation):
        observation["dataAbsentReason"] = absent
    elif absent:
        obx.give_back(32)
    subtype = code_of(obx.peek(30).text)
    if subtype:
        obx.ignore(30, "sub-type of the observation; the code tells")
    performers = _performers(obx, draft)
    if performers:
        observation["performer"] = performers


def _performers(obx: Segment, draft: Draft) -> list[Element]:
    found = practitioners(obx[16].repetitions, draft)
    place = xon_to_organization(obx[23], draft, address=obx[24]) if obx[23] else None
    director = xcn_to_practitioner(obx[25], draft) if obx[25] else None
    if place and director:
        found.append(role_reference(draft, director, place, concept("MDIR", f"{V2_TABLE}0912", "Medical Director")))
    elif place or director:
        found.append(place or director or {})
    elif obx.peek(24):
        obx.give_back(24)
    producer = cwe_to_organization(obx[15], draft) if obx[15] else None
    if producer:
        found.append(producer)
    return [performer for n, performer in enumerate(found) if performer not in found[:n]]


def _interpretation(obx: Segment, draft: Draft) -> list[Element]:
    return [found for cwe in obx[8].repetitions if (found := cwe_to_codeable_concept(cwe, draft.context, "v2-0078"))]


# ---- value[x] ----


def _value(obx: Segment, kind: str, unit: Element, draft: Draft, paper: bool) -> Element:
    """Give `value[x]`, or `component` when a value that is not text repeats.

    A number sent as text is a Quantity when a unit stands beside it: many LIS send every result as ST. A field of a paper is a
    text or a code, whatever else OBX-2 says.
    """
    repetitions = obx[5].repetitions
    if not repetitions:
        return {}
    if kind in TEXT_TYPES or (paper and kind not in _CODED_TYPES):
        if kind == "VR":
            text = " - ".join(part for part in (words(repetitions[0].c(1)), words(repetitions[0].c(2))) if part)
        else:
            text = joined(repetitions)
        if unit and not paper:
            number = nm_to_decimal(text)
            amount = quantity(number, unit) if number is not None else comparable(text, unit)
            if amount:
                return {"valueQuantity": amount}
        return {"valueString": text} if text else {}
    values = [found for one in repetitions if (found := _one(obx, kind, one, unit, draft))]
    if not values:
        if obx.peek(5):
            obx.give_back(5)
        return {}
    if len(values) == 1:
        return dict(values)
    code = cwe_to_codeable_concept(obx[3], draft.context)
    return {"component": [{"code": code, name: value} for name, value in values]}


def _one(obx: Segment, kind: str, one: er7.Repetition, unit: Element, draft: Draft) -> tuple[str, Any] | None:
    if kind == "NM":
        number = nm_to_decimal(one.c(1))
        if number is not None:
            return "valueQuantity", quantity(number, unit)
        limited = comparable(one.c(1), unit)
        if limited:
            return "valueQuantity", limited
        draft.notice(faults.NUMBER_UNREADABLE, obx.where(5))
        return _as_text(one)
    if kind in _CODED_TYPES:
        found = _code(obx, one, draft.context)
        return ("valueCodeableConcept", found) if found else None
    if kind == "SN":
        value = sn_to_value(one, unit)
        return (f"value{value[0]}", value[1]) if value else None
    if kind in _TIME_TYPES:
        moment = datetime_of(one.c(1), draft.context)
        if moment:
            return "valueDateTime", moment
        draft.notice(faults.DATE_UNREADABLE, obx.where(5))
        return _as_text(one)
    if kind == "TM":
        clock = time_of_day(one.c(1))
        return ("valueTime", clock) if clock else _as_text(one)
    if kind == "DR":
        span = period(datetime_of(one.c(1), draft.context), datetime_of(one.c(2), draft.context))
        return ("valuePeriod", span) if span else _as_text(one)
    if kind == "NR":
        low, high = nm_to_decimal(one.c(1)), nm_to_decimal(one.c(2))
        limits = compact(
            {
                "low": quantity(low, unit) if low is not None else {},
                "high": quantity(high, unit) if high is not None else {},
            }
        )
        return ("valueRange", limits) if limits else _as_text(one)
    return _as_text(one)


def _code(obx: Segment, one: er7.Repetition, context: Context) -> Element | None:
    """Read a coded value; of a field of a paper by the field's own list, unless another is named."""
    if not is_paper_field(obx):
        return cwe_to_codeable_concept(one, context)
    field = code_of(obx[3].c(1))
    called = frozenset({field.upper(), "QD3176", "L"})
    return cwe_to_codeable_concept(one, context, system=paper_list(field, context), called=called)


def _as_text(one: er7.Repetition) -> tuple[str, Any] | None:
    parts = (words(one.c(n)) for n in range(1, one.components + 1))
    text = " ".join(part for part in parts if part)
    return ("valueString", text) if text else None


def time_of_day(text: str) -> str:
    """Read TM as FHIR time, seconds filled with zero; `""` when it is none."""
    digits = text.strip().partition("+")[0].partition("-")[0].partition(".")[0]
    if not digits.isascii() or not digits.isdigit() or len(digits) not in (2, 4, 6):
        return ""
    clock = (digits + "0000")[:6]
    hours, minutes, seconds = clock[:2], clock[2:4], clock[4:]
    if hours > "23" or minutes > "59" or seconds > "59":
        return ""
    return f"{hours}:{minutes}:{seconds}"


# ---- enclosed documents ----


def obx_to_attachment(obx: Segment, draft: Draft) -> Element | None:
    """Make an Attachment of ED or RP; `None`, a notice and an unknown field when it cannot be read.

    Bytes are checked to be the base64 or hexadecimal they claim to be; nothing is rendered or opened.
    """
    value = obx[5]
    kind = code_of(obx[2].text).upper()
    title = words(obx[3].c(2)) or words(obx[3].c(1))
    subtype = codes.table("v2-0291").target(value.c(3).strip().upper())
    content_type = subtype or codes.table("v2-0291").target(value.c(2).strip().upper())
    if kind == "RP":
        url = value.c(1).strip()
        if ":" in url and not any(character.isspace() for character in url):
            content_type = codes.table("v2-0291").target(value.c(4).strip().upper()) or content_type
            return compact({"contentType": content_type, "url": url, "title": title})
        data = ""
    else:
        data = _base64(value.c(4), value.c(5))
        if not data and not value.c(5) and value.c(1):
            data = _base64("A", value.c(1))
    if not data:
        obx.give_back(5)
        draft.notice(faults.DATA_UNREADABLE, obx.where(5))
        return None
    return compact({"contentType": content_type or "application/octet-stream", "data": data, "title": title})


def _base64(encoding: str, data: str) -> str:
    encoding = encoding.strip().upper()
    if encoding == "BASE64":
        data = "".join(data.split())
        try:
            binascii.a2b_base64(data, strict_mode=True)
        except (binascii.Error, ValueError):
            return ""
        return data
    if encoding == "HEX":
        try:
            return b64encode(bytes.fromhex(data)).decode()
        except ValueError:
            return ""
    return b64encode(data.encode()).decode() if data else ""
