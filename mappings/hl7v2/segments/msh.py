"""MSH: who sent the message to whom, when, about what.

Becomes the MessageHeader and the Provenance of the message, which stand in its Bundle and not in the clinical record: the
ledger keeps the message itself.

Standard: HL7 v2.5.1 §2.15.9
Requirement: S2.10
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from mappings.hl7v2.actors import hd_to_reference, reference, xon_to_reference
from mappings.hl7v2.codings import cwe_to_coding, language_code, v2_coding
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import hd_to_uri
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import LEDGER
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

MAPPED = {
    3: "MessageHeader.source",
    4: "MessageHeader.sender",
    5: "MessageHeader.destination",
    6: "MessageHeader.destination.receiver",
    7: "Provenance.recorded | Provenance.occurred",
    8: "MessageHeader.meta.security",
    9: "MessageHeader.event",
    10: "Provenance.entity.what.identifier",
    11: "MessageHeader.meta.tag",
    17: "Organization.address.country",
    19: "MessageHeader.language",
    22: "MessageHeader.responsible",
    23: "MessageHeader.destination.receiver",
    24: "MessageHeader.source.endpoint | MessageHeader.source.name",
    25: "MessageHeader.destination.endpoint | MessageHeader.destination.name",
    26: "MessageHeader.meta.security",
    27: "MessageHeader.meta.security",
}
IGNORED = {
    1: "field separator",
    2: "encoding characters",
    12: "version of the message; it steers the reading",
    13: LEDGER,
    14: "continuation; messages are taken whole",
    15: "mode of acknowledgement; answered by intake",
    16: "mode of acknowledgement; answered by intake",
    18: "character set; it steers the reading",
    20: "character set; it steers the reading",
    21: "profile the sender claims; no element of MessageHeader in R4",
    28: "special access restrictions in words; FHIR R4 has no element for it",
}

ABSENT: Element = {
    "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
}


@replaceable
def msh_to_message_header(msh: Segment, draft: Draft) -> Resource:
    """Make the MessageHeader, still without focus.

    An endpoint that is not known is said to be unknown; FHIR demands the element.
    """
    context = draft.context
    code = draft.event or code_of(msh.peek(9).c(1))
    _ = msh[9]
    sender = hd_to_reference(msh[4], draft, country=code_of(msh[17].text))
    if msh.peek(17) and sender is None:
        msh.give_back(17)
    receiver = hd_to_reference(msh[6], draft)
    for n, found in ((4, sender), (6, receiver)):
        if msh.peek(n) and found is None:
            msh.give_back(n)
    responsible = xon_to_reference(msh[23], draft) if msh.peek(23) else None
    security = [
        coding
        for coding in (
            compact({"display": words(msh[8].whole)}),
            cwe_to_coding(msh[26], context, system=f"{V2_TABLE}0952"),
            *(cwe_to_coding(cwe, context, system=f"{V2_TABLE}0953") for cwe in msh[27].repetitions),
        )
        if coding
    ]
    tag = v2_coding("0103", code_of(msh[11].c(1)).upper())
    if msh.peek(11) and tag is None:
        msh.give_back(11)
    language = language_code(msh[19].c(1))
    if msh.peek(19) and not language:
        msh.give_back(19)
    if responsible and receiver:
        msh.ignore(6, "MSH-23 names the receiver")
    destination = _destination(msh, receiver, responsible)
    return compact(
        {
            "resourceType": "MessageHeader",
            "id": resource_id("MessageHeader", f"{context.systems.own}/sid/message", draft.message_key),
            "meta": compact({"security": security, "tag": [tag] if tag else []}),
            "language": language,
            "eventCoding": v2_coding("0003", code)
            or {"system": f"{context.systems.own}/CodeSystem/message", "code": code or "unknown"},
            "destination": [destination] if destination else [],
            "sender": sender,
            "source": _source(msh),
            "responsible": xon_to_reference(msh[22], draft),
        }
    )


def _source(msh: Segment) -> Element:
    name = words(msh[3].text) or words(msh[3].c(2))
    endpoint = hd_to_url(msh, 24) or hd_to_url(msh, 3)
    name = name or words(msh.peek(24).text) or words(msh.peek(24).c(2))
    return compact({"name": name, "endpoint": endpoint, "_endpoint": {} if endpoint else ABSENT})


def _destination(msh: Segment, receiver: Element | None, responsible: Element | None) -> Element:
    name = words(msh[5].text) or words(msh[5].c(2)) or words(msh.peek(25).text)
    endpoint = hd_to_url(msh, 25) or hd_to_url(msh, 5)
    if not name and not endpoint and not receiver and not responsible:
        return {}
    return compact(
        {
            "name": name,
            "endpoint": endpoint,
            "_endpoint": {} if endpoint else ABSENT,
            "receiver": responsible or receiver,
        }
    )


def hd_to_url(segment: Segment, n: int) -> str:
    """Give the URL that HD names by an OID, UUID, host name or URI; `""` when it is a local name."""
    hd = segment[n]
    universal, kind = hd.c(2), hd.c(3).strip().upper()
    if kind == "DNS" and universal.strip() and not re.search(r"[\s/]", universal.strip()):
        return f"urn:dns:{universal.strip()}"
    return hd_to_uri(universal, kind)


@replaceable
def msh_to_provenance(msh: Segment, header: Resource, draft: Draft) -> dict[str, Any]:
    """Make the Provenance of what the message says: from whom, when, out of which message. EVN may add to it."""
    context = draft.context
    draft.sent_at = sent = draft.moment(msh, 7)
    if not context.on:
        draft.context = replace(context, on=sent[:10])
    said = draft.trigger
    coding = v2_coding("0003", draft.event)
    system = f"{context.systems.own}/sid/message"
    control_id = words(msh[10].text)
    sender = header.get("responsible") or header.get("sender")
    who = sender or {"display": header["source"].get("name") or "unknown"}
    provenance = compact(
        {
            "resourceType": "Provenance",
            "id": resource_id("Provenance", system, draft.message_key),
            "target": [reference(f"MessageHeader/{header['id']}")],
            "occurredDateTime": sent,
            "recorded": sent if "T" in sent else "",
            "activity": compact({"coding": [coding] if coding else [], "text": said}),
            "agent": [{"type": participant("author", "Author"), "who": who}],
            "entity": [
                {"role": "source", "what": {"identifier": {"system": system, "value": control_id or draft.message_key}}}
            ],
        }
    )
    if "recorded" not in provenance:
        provenance["_recorded"] = ABSENT
    return provenance


def participant(code: str, display: str) -> Element:
    """Write the type of a Provenance agent."""
    system = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
    return {"coding": [{"system": system, "code": code, "display": display}]}
