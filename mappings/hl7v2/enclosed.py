"""Documents enclosed in OBX that are no part of a report, as DocumentReference.

Standard: HL7 v2-to-FHIR, OBX[DocumentReference]
"""

from __future__ import annotations

from mappings.hl7v2.actors import reference
from mappings.hl7v2.attachments import obx_to_attachment
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.obx import obx_to_performers
from mappings.ids import resource_id

_BESIDE = {
    4: "tells documents of one message apart",
    6: "unit of a document",
    7: "range of a document",
    8: "flag of a document; the results have theirs",
    10: "nature of the test; a document tells itself",
    17: "how the document was made; it tells itself",
    18: "device beside a document",
    19: "time of the analysis; the document tells itself",
    20: "site beside a document",
    21: "number of a document; what it belongs to has one",
    29: "kind of observation; a document tells itself",
    30: "kind of observation; a document tells itself",
    32: "reason for no value, beside a document",
    33: "specimen beside a document",
}


def ignore_beside(obx: Segment) -> None:
    """Leave out what OBX says of a result and not of a document."""
    for n, reason in _BESIDE.items():
        if n in obx.fields:
            obx.ignore(n, reason)


_DOC_STATUS = {
    "P": "preliminary",
    "F": "final",
    "C": "amended",
    "A": "amended",
    "D": "entered-in-error",
    "W": "entered-in-error",
}


def obx_to_document_reference(obx: Segment, draft: Draft, related: Element | None = None) -> str:
    """Take an enclosed document that is no part of a report as a DocumentReference; give the reference, `""` for none.

    Known by the visit, OBX-3, OBX-4 and the control id: a document of another message is another document. `related` is what it
    shows, such as a specimen.
    """
    attachment = obx_to_attachment(obx, draft)
    if attachment is None:
        return ""
    context = draft.context
    code = words(obx[3].c(2)) or words(obx[3].c(1))
    key = f"{draft.encounter or draft.whose}|{words(obx.peek(3).c(1))}|{words(obx.peek(4).text)}|{draft.control_id}"
    count = draft.nth(f"DocumentReference|{key}")
    state = code_of(obx[11].text).upper()
    created = attachment.get("creation", "")
    ignore_beside(obx)
    return draft.add(
        compact(
            {
                "resourceType": "DocumentReference",
                "id": resource_id(
                    "DocumentReference",
                    context.systems.local(context.facility, "document"),
                    key if count == 1 else f"{key}|{count}",
                ),
                "status": "entered-in-error" if state in ("D", "W") else "current",
                "docStatus": _DOC_STATUS.get(state, ""),
                "type": {"text": code} if code else {},
                "subject": reference(draft.patient),
                "date": created if "T" in created else "",
                "author": obx_to_performers(obx, draft),
                "content": [{"attachment": attachment}],
                "context": compact(
                    {
                        "encounter": [reference(draft.encounter)] if draft.encounter else [],
                        "related": [related] if related else [],
                    }
                ),
            }
        ),
        obx,
    )
