"""Notes as DocumentReference with their words.

Standard: C-CDA R2.1 Note Activity
"""

from __future__ import annotations

import base64

from mappings.cda.read.codings import cd_to_codeable_concept, ed_to_text
from mappings.cda.read.datatypes import ids
from mappings.cda.read.draft import Draft, Place
from mappings.cda.read.elements import compact
from mappings.cda.read.node import Node
from mappings.cda.read.participants import authors
from mappings.cda.read.relations import references, relate
from mappings.cda.read.times import chosen
from mappings.outcome import Resource

CODE = "34109-9"
TEMPLATE = "2.16.840.1.113883.10.20.22.4.202"


def is_note(node: Node) -> bool:
    """Tell whether an act is a note."""
    return node.first("code").peek("code") == CODE or any(
        one.peek("root") == TEMPLATE for one in node.all("templateId")
    )


def act_to_document_reference(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the DocumentReference of a note; nothing of one without words."""
    numbers = ids(node)
    code, text = node.first("code", "type"), node.first("text", "content")
    kind = cd_to_codeable_concept(code, draft) if code else None
    said = ed_to_text(text, draft)
    if not said:
        node.give_up("a note without words")
        return []
    when = chosen("", node.first("effectiveTime", "context.period"), draft)
    moment = when.get("DateTime", "")
    period = {"start": moment, "end": moment} if moment else when.get("Period", {})
    written = list(authors(node, draft, "author"))
    dated = next((at for _, at in written if "T" in at), "")
    status = node.first("statusCode", "docStatus")["code"]
    made: Resource = compact(
        {
            "resourceType": "DocumentReference",
            "id": draft.known("DocumentReference", numbers, node),
            "identifier": numbers,
            "status": "entered-in-error" if status == "nullified" else "current",
            "docStatus": {"completed": "final", "active": "preliminary"}.get(status, ""),
            "type": kind,
            "subject": draft.subject,
            "date": dated,
            "author": references([who for who, _ in written if who]),
            "content": [
                {
                    "attachment": {
                        "contentType": "text/plain; charset=utf-8",
                        "data": base64.b64encode(said.encode()).decode(),
                    }
                }
            ],
            "context": {"period": period} if period else None,
        }
    )
    text.take("mediaType")
    node.take("classCode", "moodCode")
    reference = draft.add(made, node, place)
    return [reference, *relate(node, made, draft, place)]
