"""Files in a document: the body that is not XML, and pictures, as DocumentReference, Media and Binary.

Standard: CDA R2 §4.3.1.1 (nonXMLBody), §4.3.6.3 (observationMedia)
"""

from __future__ import annotations

import base64
import binascii
from hashlib import sha1

from mappings.cda import faults
from mappings.cda.read.datatypes import ids
from mappings.cda.read.draft import Draft, Place
from mappings.cda.read.elements import Element, compact
from mappings.cda.read.node import TEXT, Node
from mappings.cda.read.own import kind_of
from mappings.ids import resource_id
from mappings.outcome import Resource


def ed_to_attachment(ed: Node, draft: Draft, number: str = "", inline: bool = False) -> Element | None:
    """Make an Attachment of ED: what is embedded as a Binary with size and hash, what is elsewhere by its address.

    `number` is the id of the Binary when it has one; `inline` keeps the bytes in the Attachment. Bytes that are not base64 are
    given back and noticed.
    """
    kind = ed["mediaType"].partition(";")[0].strip() or "text/plain"
    reference = ed.first("reference")["value"]
    words = ed.written.strip()
    if words:
        ed.claims.add(TEXT)
    else:
        if not reference or " " in reference or reference.startswith("#"):
            return None
        return {"contentType": kind, "url": reference}
    if ed["representation"].upper() == "B64":
        try:
            data = base64.b64decode("".join(words.split()), validate=True)
        except (binascii.Error, ValueError):
            ed.give_back(TEXT, "not base64")
            draft.notice(faults.ATTACHMENT_UNREADABLE, ed.where())
            return None
    else:
        data = words.encode()
    if not data:
        ed.give_back(TEXT)
        return None
    digest = sha1(data, usedforsecurity=False).digest()
    ed.take("integrityCheck", "integrityCheckAlgorithm")
    packed = base64.b64encode(data).decode()
    if inline:
        return {"contentType": kind, "data": packed, "size": len(data), "hash": base64.b64encode(digest).decode()}
    binary: Resource = {
        "resourceType": "Binary",
        "id": number or resource_id("Binary", "urn:ietf:rfc:3986", f"{draft.key}|{digest.hex()}"),
        "contentType": kind,
        "data": packed,
    }
    reference = draft.tell(binary)
    return {
        "contentType": kind,
        "url": reference,
        "size": len(data),
        "hash": base64.b64encode(digest).decode(),
    }


def non_xml_body_to_section(body: Node, draft: Draft) -> Element | None:
    """Make the section that stands for a document of one file, with its DocumentReference."""
    attachment = ed_to_attachment(body.first("text"), draft)
    if attachment is None:
        return None
    title = draft.root.first("title").all_said()
    reference = draft.add(
        compact(
            {
                "resourceType": "DocumentReference",
                "id": draft.placed("DocumentReference", body),
                "status": "current",
                "subject": draft.subject,
                "author": [{"reference": one} for one in draft.authors],
                "description": title,
                "content": [{"attachment": attachment}],
            }
        ),
        body,
    )
    return compact({"title": title, "entry": [{"reference": reference}]})


def observation_media_to_media(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make Media of a picture, a recording …"""
    numbers = ids(node)
    mine = kind_of(node)
    binary = draft.known("Binary", [], node) if mine == "Binary" else ""
    attachment = ed_to_attachment(node.first("value", "content"), draft, binary)
    if attachment is None:
        node.leave("a file that is not there")
        return []
    if binary and attachment.get("url") == f"Binary/{binary}":
        node.becomes(attachment["url"])
        node.take("classCode", "moodCode")
        return [attachment["url"]]
    made = {
        "resourceType": "Media",
        "id": draft.known("Media", numbers, node),
        "identifier": numbers,
        "status": "completed",
        "subject": draft.subject,
        "content": attachment,
    }
    return [draft.add(compact(made), node, place)]
