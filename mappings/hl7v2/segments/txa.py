"""TXA: the document: its number, type, people, dates and states.

Standard: HL7 v2.5.1 §9.6.1
"""

from __future__ import annotations

from typing import Any

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import organization, practitioners, reference, this_facility
from mappings.hl7v2.codings import concept, cwe_to_codeable_concept, v2_coding
from mappings.hl7v2.datatypes import Element, code_of, compact, joined, words
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.identifiers import ei_to_identifier, hd_to_uri
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.segments.msh import ABSENT, participant
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

MAPPED = {
    2: "DocumentReference.type",
    3: "DocumentReference.content.attachment.contentType",
    4: "DocumentReference.context.period.start",
    5: "Provenance.agent.who",
    6: "DocumentReference.date | Provenance.occurred",
    8: "Provenance.recorded",
    9: "DocumentReference.author",
    10: "DocumentReference.authenticator",
    11: "Provenance.agent.who",
    12: "DocumentReference.masterIdentifier",
    13: "DocumentReference.relatesTo.target",
    14: "DocumentReference.context.related",
    15: "DocumentReference.context.related",
    16: "DocumentReference.identifier",
    17: "DocumentReference.docStatus",
    18: "DocumentReference.securityLabel",
    19: "DocumentReference.status",
    21: "Provenance.reason",
    22: "Provenance.agent.who | DocumentReference.authenticator",
    23: "Provenance.agent.who",
    24: "DocumentReference.category",
    25: "DocumentReference.description",
    27: "DocumentReference.author",
    28: "DocumentReference.context.practiceSetting",
}
IGNORED = {
    1: SEQUENCE,
    7: "time of transcription; TXA-6 and TXA-8 tell when the document was made and changed",
    20: "storage of the document at its keeper; a matter of the archive",
    26: "when the document is due; a matter between its authors",
}

RELATIONS = {
    "T05": "appends",
    "T06": "appends",
    "T07": "replaces",
    "T08": "replaces",
    "T09": "replaces",
    "T10": "replaces",
}
"""Event → what the document is to its parent TXA-13; in other events it is an addendum, for which the field was made."""
_EDITED = frozenset({"T07", "T08"})
_CANCELLED = "T11"
_CONTENT_TYPES = {
    "TX": "text/plain",
    "TEXT": "text/plain",
    "FT": "text/plain",
    "MULTIPART": "multipart/mixed",
}
_ALTERNATE = "http://hl7.org/fhir/StructureDefinition/alternate-codes"
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_SIGNATURE: Element = {
    "system": "urn:iso-astm:E1762-95:2013",
    "code": "1.2.840.10065.1.12.1.5",
    "display": "Verification Signature",
}


def document_status(event: str, availability: str) -> str:
    """Give the DocumentReference.status after an event; `availability` is the code of TXA-19."""
    if event == _CANCELLED:
        return "entered-in-error"
    return codes.table("v2-0273").target(availability) or "current"


def completion_status(event: str, completion: str) -> str:
    """Give the DocumentReference.docStatus after an event; `completion` is the code of TXA-17. `""` when nothing tells."""
    if event == _CANCELLED:
        return "entered-in-error"
    found = codes.table("v2-0271").target(completion)
    return "amended" if found == "final" and event in _EDITED else found


@replaceable
def txa_to_document_reference(txa: Segment, draft: Draft) -> dict[str, Any]:
    """Make the DocumentReference, still without content and orders.

    Known by TXA-12, so every message about a document makes a version of one resource; without it by the message itself.
    """
    context = draft.context
    number = ei_to_identifier(txa[12], context, "document")
    system = number["system"] if number else context.systems.local(context.facility, "document")
    key = number["value"] if number else draft.own_key(txa)
    made_at, acted_at = draft.moment(txa, 6), draft.moment(txa, 4)
    file = words(txa[16].whole)
    facility = _facility(txa, draft)
    checked = practitioners(txa[10].repetitions, draft) or practitioners(txa[22].repetitions, draft)
    for n in (10, 22):
        if txa.peek(n) and not practitioners(txa.peek(n).repetitions, draft):
            txa.give_back(n)
    category = cwe_to_codeable_concept(txa[24], context)
    return compact(
        {
            "resourceType": "DocumentReference",
            "id": resource_id("DocumentReference", system, key),
            "masterIdentifier": number,
            "identifier": [{"system": f"{system}-file", "value": file}] if file else [],
            **_status(txa, draft),
            "docStatus": _completion(txa, draft),
            "type": cwe_to_codeable_concept(txa[2], context, system=f"{V2_TABLE}0270"),
            "category": [category] if category else [],
            "subject": reference(draft.patient),
            "date": made_at if "T" in made_at else "",
            "author": [*practitioners(txa[9].repetitions, draft), *([facility] if facility else [])],
            "authenticator": checked[0] if checked else {},
            "relatesTo": _relations(txa, draft),
            "description": joined(txa[25].repetitions),
            "securityLabel": _label(txa, draft),
            "context": compact(
                {
                    "encounter": [reference(draft.encounter)] if draft.encounter else [],
                    "period": {"start": acted_at} if acted_at else {},
                    "practiceSetting": cwe_to_codeable_concept(txa[28], context),
                }
            ),
        }
    )


def _status(txa: Segment, draft: Draft) -> Element:
    """Give `status`, with the code of the sender beside it where FHIR says less."""
    said = code_of(txa[19].text).upper()
    if said and said not in codes.table("v2-0273"):
        draft.notice(faults.CODE_UNKNOWN, txa.where(19))
        txa.give_back(19)
    coding = v2_coding("0273", said) if said in ("CA", "OB", "UN") else None
    extension = {"url": _ALTERNATE, "valueCodeableConcept": {"coding": [coding]}}
    return {
        "status": document_status(draft.event, said),
        "_status": {"extension": [extension]} if coding else {},
    }


def _completion(txa: Segment, draft: Draft) -> str:
    said = code_of(txa[17].text).upper()
    if said and said not in codes.table("v2-0271"):
        draft.notice(faults.CODE_UNKNOWN, txa.where(17))
        txa.give_back(17)
    return completion_status(draft.event, said)


def _label(txa: Segment, draft: Draft) -> list[Element]:
    said = code_of(txa[18].text)
    if not said:
        return []
    row = codes.table("v2-0272").find(said.upper())
    if row is None:
        draft.notice(faults.CODE_UNKNOWN, txa.where(18))
        return [{"text": said}]
    return [{"coding": [row.coding()]}]


def _facility(txa: Segment, draft: Draft) -> Element | None:
    hd = txa[27]
    name = words(hd.c(1)) or words(hd.c(2))
    return organization(draft, name, hd.c(2), hd_to_uri(hd.c(2), hd.c(3))) if name else None


def _relations(txa: Segment, draft: Draft) -> list[Element]:
    parent = ei_to_identifier(txa[13], draft.context, "document")
    if parent is None:
        return []
    if parent["value"] == words(txa.peek(12).c(1)):
        txa.ignore(13, "the document names itself as its parent")
        return []
    target = {"type": "DocumentReference", "identifier": parent}
    return [{"code": RELATIONS.get(draft.event, "appends"), "target": target}]


@replaceable
def txa_to_replaced(txa: Segment, draft: Draft, document: dict[str, Any]) -> Resource | None:
    """Make the DocumentReference of the parent that T09 and T10 replace: superseded. Its content is not told."""
    relation = next((one for one in document.get("relatesTo", []) if one["code"] == "replaces"), None)
    if relation is None or draft.event not in ("T09", "T10"):
        return None
    parent = relation["target"]["identifier"]
    found = {
        "resourceType": "DocumentReference",
        "id": resource_id("DocumentReference", parent["system"], parent["value"]),
        "masterIdentifier": parent,
        "status": "superseded",
        "subject": reference(draft.patient),
        "content": [{"attachment": dict(ABSENT)}],
    }
    relation["target"] = reference(f"DocumentReference/{found['id']}")
    return found


@replaceable
def txa_to_related(txa: Segment, draft: Draft) -> list[Element]:
    """Refer to the orders of TXA-14 and TXA-15, by number: what they are about other messages tell."""
    found = []
    for n, of in ((14, "order"), (15, "filler")):
        for ei in txa[n].repetitions:
            number = ei_to_identifier(ei, draft.context, of)
            if number:
                target = f"ServiceRequest/{resource_id('ServiceRequest', number['system'], number['value'])}"
                found.append(
                    reference(target) if draft.has(target) else {"type": "ServiceRequest", "identifier": number}
                )
    return found


@replaceable
def txa_to_content_type(txa: Segment) -> str:
    """Give the MIME type TXA-3 stands for; `""` when the kind of data says none."""
    found = _CONTENT_TYPES.get(code_of(txa.peek(3).text).upper(), "")
    if found:
        _ = txa[3]
    elif txa.peek(3):
        txa.ignore(3, "kind of data without a MIME type of its own; the content tells")
    return found


@replaceable
def txa_to_provenance(txa: Segment, draft: Draft, target: str) -> Resource | None:
    """Make the Provenance of what was done to the document: who performed, transcribed, authenticated, who has copies.

    Nothing when the segment names none of them, no edit and no reason. The authentication time of TXA-22 is a signature.
    """
    agents: list[Element] = []
    signatures: list[Element] = []
    legal = code_of(txa.peek(17).text).upper() == "LA"
    for n, kind in (
        (5, participant("performer", "Performer")),
        (11, concept("TRANS", _PARTICIPATION, "Transcriber")),
        (22, participant("legal", "Legal Authenticator") if legal else participant("verifier", "Verifier")),
        (23, concept("IRCP", _PARTICIPATION, "information recipient")),
    ):
        for ppn in txa[n].repetitions:
            for person in practitioners([ppn], draft):
                agents.append({"type": kind, "who": person})
                signed_at = datetime_of(ppn.c(15), draft.context) if n == 22 and ppn.c(15) else ""
                if "T" in signed_at:
                    signatures.append({"type": [_SIGNATURE], "when": signed_at, "who": person})
    edits = [found for dtm in txa[8].repetitions if (found := datetime_of(dtm.c(1), draft.context))]
    reason = joined(txa[21].repetitions)
    made_at = draft.moment(txa, 6)
    day = made_at if made_at and "T" not in made_at else ""
    recorded = next((edit for edit in reversed(edits) if "T" in edit), "")
    if txa.peek(8) and not recorded:
        txa.give_back(8)
    if not (agents or recorded or reason or day):
        return None
    for person in practitioners(txa[9].repetitions, draft):
        agents.append({"type": participant("author", "Author"), "who": person})
    if not agents:
        agents.append({"type": participant("author", "Author"), "who": this_facility(draft) or {"display": "unknown"}})
    recorded = recorded or (draft.sent_at if "T" in draft.sent_at else "")
    activity = v2_coding("0003", draft.event)
    system = f"{draft.context.systems.own}/sid/message"
    return compact(
        {
            "resourceType": "Provenance",
            "id": resource_id("Provenance", system, f"{draft.message_key}|{target}"),
            "target": [reference(target)],
            "occurredDateTime": day,
            "recorded": recorded,
            "_recorded": {} if recorded else ABSENT,
            "activity": compact({"coding": [activity] if activity else [], "text": "" if activity else draft.trigger}),
            "reason": [{"text": reason}] if reason else [],
            "agent": agents,
            "signature": signatures,
        }
    )
