"""IPC: the numbers and the modality of an imaging procedure.

Standard: HL7 v2.5.1 §4.5.6
"""

from __future__ import annotations

import re
from typing import Any

from mappings.hl7v2.actors import reference
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource

MAPPED = {
    1: "ServiceRequest.identifier | ImagingStudy.identifier",
    2: "ServiceRequest.identifier",
    3: "ImagingStudy.identifier",
    4: "ServiceRequest.identifier",
    5: "ImagingStudy.modality",
    6: "ServiceRequest.orderDetail",
    7: "ServiceRequest.locationReference",
    8: "ServiceRequest.locationCode",
    9: "ServiceRequest.extension(scheduled-station)",
}
IGNORED: dict[int, str] = {}

DICOM = "http://dicom.nema.org/resources/ontology/DCM"
UID = "urn:dicom:uid"
_UID = re.compile(r"[0-2](\.(0|[1-9]\d*))+")
_MODALITY = re.compile(r"^[A-Z]{2,6}$")


def is_uid(said: str) -> bool:
    """Tell whether a text is a DICOM UID. Standard: DICOM PS3.5 §9.1"""
    return len(said) <= 64 and _UID.fullmatch(said) is not None


@replaceable
def ipc_to_service_request(ipc: Segment, draft: Draft) -> dict[str, Any]:
    """Give what IPC knows of the ServiceRequest: accession, procedure and step numbers, protocol, station."""
    context = draft.context
    numbers = [_accession(ipc, draft)]
    for n, of in ((2, "requested-procedure"), (4, "scheduled-step")):
        numbers.append(ei_to_identifier(ipc[n], context, of))
    protocols = [one for cwe in ipc[6].repetitions if (one := cwe_to_codeable_concept(cwe, context))]
    places = [one for cwe in ipc[8].repetitions if (one := cwe_to_codeable_concept(cwe, context))]
    title = words(ipc[9].whole)
    url = f"{context.systems.own}/StructureDefinition/scheduled-station"
    return compact(
        {
            "identifier": [number for number in numbers if number],
            "orderDetail": protocols,
            "locationCode": places,
            "locationReference": [_station(ipc, draft)] if ipc.peek(7) else [],
            "extension": [{"url": url, "valueString": title}] if title else [],
        }
    )


@replaceable
def ipc_to_imaging_study(ipc: Segment, draft: Draft, request: str) -> Resource | None:
    """Make the ImagingStudy the order announces; nothing without a study instance UID."""
    uid = words(ipc[3].text)
    if not is_uid(uid):
        if uid:
            ipc.give_back(3, "not a DICOM UID")
        if ipc.peek(5):
            ipc.give_back(5, "the modality of no study")
        return None
    modality = code_of(ipc[5].c(1)).upper()
    accession = _accession(ipc, draft)
    if modality and not _MODALITY.match(modality):
        ipc.give_back(5, "not a DICOM modality")
        modality = ""
    return compact(
        {
            "resourceType": "ImagingStudy",
            "id": resource_id("ImagingStudy", UID, uid),
            "identifier": [{"system": UID, "value": f"urn:oid:{uid}"}, *([accession] if accession else [])],
            "status": "registered",
            "modality": [{"system": DICOM, "code": modality}] if modality else [],
            "subject": draft.subject,
            "encounter": reference(draft.encounter) if draft.encounter else {},
            "basedOn": [reference(request)],
        }
    )


def _accession(ipc: Segment, draft: Draft) -> Element | None:
    return ei_to_identifier(ipc[1], draft.context, "accession", "ACSN")


def _station(ipc: Segment, draft: Draft) -> Element:
    """Make a Location of the station."""
    code, name = words(ipc[7].c(1)), words(ipc[7].c(2))
    system = draft.context.systems.local(draft.context.facility, "location")
    target = draft.add(
        compact(
            {
                "resourceType": "Location",
                "id": resource_id("Location", system, f"station:{code or name}"),
                "identifier": [{"system": system, "value": f"station:{code or name}"}],
                "name": name or code,
                "mode": "instance",
            }
        )
    )
    return reference(target, name or code)
