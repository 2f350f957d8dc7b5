"""FHIR resources as HL7 v2 segments: Patient → PID, RelatedPerson → NK1, Immunization → ORC, RXA, RXR, OBX.

Reads back, by our own mappings, as the same facts. Vaccinations that were entered in error are not told.

Standard: HL7 v2.5.1 §3.4.2, §3.4.5, §4.14.7, §4.17; CDC implementation guide for immunisation messaging 1.5
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from mappings.formats.er7_writer import Segment, Value
from mappings.hl7v2.fields import (
    Parts,
    address_to_xad,
    codeable_concept_to_cwe,
    contact_point_to_xtn,
    datetime_to_dtm,
    human_name_to_xpn,
    identifier_to_cx,
    identifier_to_ei,
    parts,
    practitioner_to_xcn,
    quantity_to_unit,
    system_to_authority,
)
from mappings.hl7v2.medicines import MVX
from mappings.hl7v2.vaccination import (
    COMMENT,
    DOCUMENT_TYPE,
    DOSE_NUMBER,
    ELIGIBILITY,
    FUNDING,
    SERIES,
    SERIES_DOSES,
)
from mappings.outcome import Resource
from mappings.systems import Systems

_SEXES = {"male": "M", "female": "F", "other": "O", "unknown": "U"}
_MAIDEN = "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName"
_NEW = parts("00", "New immunization record", "NIP001")
_TOLD = parts("01", "Historical information - source unspecified", "NIP001")
_SHEET = re.compile(r"^(.*) \(([^()]+)\)$")


def patient_to_pid(patient: Resource, systems: Systems, modern: bool = False) -> Segment:
    """Write PID; `modern` from v2.7 on."""
    born = patient.get("multipleBirthInteger")
    several = "Y" if born else _yes_no(patient.get("multipleBirthBoolean"))
    died = patient.get("deceasedDateTime", "")
    dead = "Y" if died else _yes_no(patient.get("deceasedBoolean"))
    mother = next((e.get("valueString", "") for e in patient.get("extension", []) if e.get("url") == _MAIDEN), "")
    points: Sequence[Any] = patient.get("telecom", [])
    return _segment(
        "PID",
        {
            1: "1",
            3: [identifier_to_cx(one, systems) for one in patient.get("identifier", [])],
            5: [human_name_to_xpn(one) for one in patient.get("name", [])],
            6: parts(mother, "", "", "", "", "", "M") if mother else "",
            7: datetime_to_dtm(patient.get("birthDate", "")),
            8: _SEXES.get(patient.get("gender", ""), ""),
            11: [address_to_xad(one) for one in patient.get("address", [])],
            13: [contact_point_to_xtn(one, modern) for one in points if one.get("use") != "work"],
            14: [contact_point_to_xtn(one, modern) for one in points if one.get("use") == "work"],
            24: several,
            25: str(born or ""),
            29: datetime_to_dtm(died),
            30: dead,
        },
    )


def _yes_no(value: bool | None) -> str:
    return "" if value is None else "Y" if value else "N"


def patient_to_identifiers(patient: Resource, systems: Systems) -> Segment:
    """Write PID with numbers only; the name is withheld. Standard: IHE ITI TF-2 §3.9.4.2.2.6"""
    return _segment(
        "PID",
        {
            3: [identifier_to_cx(one, systems) for one in patient.get("identifier", [])],
            5: ["", parts("", "", "", "", "", "", "S")],
        },
    )


def patient_to_pd1(patient: Resource, named: Mapping[str, Resource], systems: Systems) -> Segment | None:
    """Write PD1 with who keeps caring for the person; nothing when that is not known."""
    keepers: Sequence[Any] = patient.get("generalPractitioner", [])
    places = [one for one in keepers if str(one.get("reference", "")).startswith("Organization/")]
    people = [one for one in keepers if one not in places]
    written = _segment(
        "PD1",
        {
            3: [_organization(one, named, systems) for one in places],
            4: [practitioner_to_xcn(one, named, systems) for one in people],
        },
    )
    return written if written.fields else None


def _organization(reference: Mapping[str, Any], named: Mapping[str, Resource], systems: Systems) -> Parts:
    resource = named.get(reference.get("reference", ""), {})
    number: Mapping[str, Any] = next(iter(resource.get("identifier", [])), {})
    name = resource.get("name", "") or reference.get("display", "")
    system = number.get("system", "")
    authority = "" if system == systems.facility else system_to_authority(system, systems)
    return parts(name, *[""] * 4, authority, *[""] * 3, number.get("value", ""))


def related_person_to_nk1(person: Resource, n: int, modern: bool = False) -> Segment:
    """Write the nth NK1."""
    relationship = next(iter(person.get("relationship", [])), None)
    return _segment(
        "NK1",
        {
            1: str(n),
            2: [human_name_to_xpn(one) for one in person.get("name", [])],
            3: codeable_concept_to_cwe(relationship, "v2-0063"),
            4: [address_to_xad(one) for one in person.get("address", [])],
            5: [contact_point_to_xtn(one, modern) for one in person.get("telecom", [])],
            15: _SEXES.get(person.get("gender", ""), ""),
            16: datetime_to_dtm(person.get("birthDate", "")),
        },
    )


def immunization_to_orders(
    immunization: Resource, named: Mapping[str, Resource], systems: Systems
) -> Iterator[Segment]:
    """Write ORC, RXA, RXR and OBX of one vaccination; nothing of one that was entered in error."""
    if immunization.get("status") == "entered-in-error":
        return
    yield immunization_to_orc(immunization, named, systems)
    yield immunization_to_rxa(immunization, named, systems)
    route = codeable_concept_to_cwe(immunization.get("route"), "v2-0162")
    if route:
        site = codeable_concept_to_cwe(immunization.get("site"), "v2-0163")
        yield _segment("RXR", {1: route, 2: site})
    yield from immunization_to_obx(immunization)


def immunization_to_orc(immunization: Resource, named: Mapping[str, Resource], systems: Systems) -> Segment:
    """Write ORC; a vaccination without a number of its own has the id of the resource as filler's number."""
    numbers = {
        next((c.get("code", "") for c in one.get("type", {}).get("coding", [])), "FILL"): identifier_to_ei(one, systems)
        for one in reversed(immunization.get("identifier", []))
    }
    return _segment(
        "ORC",
        {
            1: "RE",
            2: numbers.get("PLAC", ""),
            3: numbers.get("FILL") or parts(immunization.get("id", "")),
            10: _people(immunization, "EP", named, systems),
            12: _people(immunization, "OP", named, systems),
        },
    )


def immunization_to_rxa(immunization: Resource, named: Mapping[str, Resource], systems: Systems) -> Segment:
    """Write RXA; an amount that is not known is 999."""
    at = datetime_to_dtm(immunization.get("occurrenceDateTime", ""))
    dose = immunization.get("doseQuantity", {})
    value = dose.get("value")
    reason = codeable_concept_to_cwe(immunization.get("statusReason"))
    done = "CP" if immunization.get("status") == "completed" else "RE" if reason else "NA"
    recorded = datetime_to_dtm(immunization.get("recorded", ""))
    return _segment(
        "RXA",
        {
            1: "0",
            2: "1",
            3: at,
            4: at,
            5: codeable_concept_to_cwe(immunization.get("vaccineCode")),
            6: "999" if value is None else str(value),
            7: quantity_to_unit(dose) if value is not None else "",
            9: _source(immunization),
            10: _people(immunization, "AP", named, systems),
            11: _place(immunization.get("location", {}), named),
            15: immunization.get("lotNumber", ""),
            16: datetime_to_dtm(immunization.get("expirationDate", "")),
            17: _manufacturer(immunization.get("manufacturer", {}), named),
            18: reason,
            19: [codeable_concept_to_cwe(one) for one in immunization.get("reasonCode", [])],
            20: done,
            21: "A",
            22: recorded,
        },
    )


def _source(immunization: Resource) -> Value:
    """Write NIP001: seen here, or told by whom."""
    primary = immunization.get("primarySource")
    if primary is None:
        return ""
    if primary:
        return _NEW
    for coding in immunization.get("reportOrigin", {}).get("coding", []):
        if coding.get("system", "").endswith("/code-nip001"):
            return parts(coding.get("code", ""), coding.get("display", ""), "NIP001")
    return _TOLD


def _people(immunization: Resource, role: str, named: Mapping[str, Resource], systems: Systems) -> Value:
    return [
        practitioner_to_xcn(one.get("actor", {}), named, systems)
        for one in immunization.get("performer", [])
        if any(c.get("code") == role for c in one.get("function", {}).get("coding", []))
    ]


def _place(reference: Mapping[str, Any], named: Mapping[str, Resource]) -> Value:
    if not reference:
        return ""
    resource = named.get(reference.get("reference", ""), {})
    return parts("", "", "", resource.get("name", "") or reference.get("display", ""))


def _manufacturer(reference: Mapping[str, Any], named: Mapping[str, Resource]) -> Value:
    if not reference:
        return ""
    resource = named.get(reference.get("reference", ""), {})
    name = resource.get("name", "") or reference.get("display", "")
    number: Mapping[str, Any] = next(iter(resource.get("identifier", [])), {})
    if number.get("system") == MVX:
        return parts(number.get("value", ""), name, "MVX")
    return parts(number.get("value", ""), name)


# ---- OBX ----


def immunization_to_obx(immunization: Resource) -> Iterator[Segment]:
    """Write what RXA has no field for: eligibility, funding, information sheets, dose and series, comments."""
    numbers, groups = count(1), count(1)
    at = datetime_to_dtm(immunization.get("occurrenceDateTime", ""))

    def obx(kind: str, code: str, name: str, group: int, value: Value) -> Segment:
        return _segment(
            "OBX",
            {1: str(next(numbers)), 2: kind, 3: parts(code, name, "LN"), 4: str(group), 5: value, 11: "F", 14: at},
        )

    for eligible in immunization.get("programEligibility", []):
        written = codeable_concept_to_cwe(eligible)
        yield obx("CE", ELIGIBILITY, "Vaccine funding program eligibility category", next(groups), written)
    funding = codeable_concept_to_cwe(immunization.get("fundingSource"))
    if funding:
        yield obx("CE", FUNDING, "Vaccine funding source", next(groups), funding)
    for sheet in immunization.get("education", []):
        group = next(groups)
        title = _SHEET.match(sheet.get("documentType", ""))
        kind = parts(title[2], title[1]) if title else parts("", sheet.get("documentType", ""))
        yield obx("CE", DOCUMENT_TYPE, "Document type", group, kind)
        for name, code, words in (
            ("publicationDate", "29768-9", "Date vaccine information statement published"),
            ("presentationDate", "29769-7", "Date vaccine information statement presented"),
        ):
            if sheet.get(name):
                yield obx("TS", code, words, group, datetime_to_dtm(sheet[name]))
    for protocol in immunization.get("protocolApplied", []):
        group = next(groups)
        if protocol.get("series"):
            yield obx("ST", SERIES, "Immunization series name", group, protocol["series"])
        for name, code, words in (
            ("doseNumber", DOSE_NUMBER, "Dose number in series"),
            ("seriesDoses", SERIES_DOSES, "Number of doses in primary immunization series"),
        ):
            if f"{name}PositiveInt" in protocol:
                yield obx("NM", code, words, group, str(protocol[f"{name}PositiveInt"]))
            elif protocol.get(f"{name}String", "không rõ") != "không rõ":
                yield obx("ST", code, words, group, protocol[f"{name}String"])
    for note in immunization.get("note", []):
        yield obx("ST", COMMENT, "Annotation comment", next(groups), note.get("text", ""))


def _segment(name: str, fields: Mapping[int, Value]) -> Segment:
    return Segment(name, {n: value for n, value in fields.items() if value})
