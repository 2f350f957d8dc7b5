"""Entries that are files: pictures and PDFs inside the document, documents elsewhere.

Standard: CDA R2 §4.3.6.5, §4.3.8
"""

from __future__ import annotations

from typing import Any

from mappings.cda.datatypes import time
from mappings.cda.elements import beside
from mappings.cda.markup import Markup, el
from mappings.cda.writer import Writer
from mappings.outcome import Resource


def attachment_to_media(attachment: dict[str, Any], w: Writer, *ids: Markup) -> Markup:
    """Make an ObservationMedia of an Attachment: its bytes, else where they are."""
    return el("observationMedia", *ids, _encapsulated("value", attachment, "ED"), classCode="OBS", moodCode="EVN")


def _encapsulated(tag: str, attachment: dict[str, Any], xsi_type: str | None = None) -> Markup:
    """Make ED of an Attachment; the SHA-1 FHIR gives is the integrity check."""
    url, data = attachment.get("url"), attachment.get("data")
    return el(
        tag,
        el("reference", value=url) if url else None,
        data,
        xsi_type=xsi_type,
        mediaType="".join(attachment.get("contentType", "").split()) or None,
        representation="B64" if data else None,
        language=attachment.get("language"),
        integrityCheck=attachment.get("hash"),
        integrityCheckAlgorithm="SHA-1" if attachment.get("hash") else None,
    )


def binary_to_media(binary: Resource, w: Writer) -> Markup:
    """Make an ObservationMedia of a Binary."""
    return attachment_to_media(binary, w, *w.ids(binary))


def media_to_media(media: Resource, w: Writer) -> Markup:
    """Make an ObservationMedia of a Media."""
    return attachment_to_media(media.get("content", {}), w, *w.ids(media))


def document_reference_to_act(document: Resource, w: Writer) -> Markup:
    """Make an act that refers to a document elsewhere; what came with it stands inside."""
    contents = [content.get("attachment", {}) for content in document.get("content", [])]
    identity = document.get("masterIdentifier")
    outside = el(
        "externalDocument",
        w.types.instance(identity) if identity else w.reference_id(document),
        w.coded("code", document.get("type")),
        *(_encapsulated("text", one) for one in contents[:1] if one.get("url")),
    )
    shown = document.get("description")
    return el(
        "act",
        *w.ids(document),
        w.coded("code", document.get("type")),
        w.text(document, shown or ""),
        w.status(document),
        time("effectiveTime", document["date"]) if document.get("date") else None,
        *(w.people.author(author, document.get("date")) for author in document.get("author", [])),
        *(w.related("COMP", attachment_to_media(one, w)) for one in contents if one.get("data")),
        *beside(document, w),
        el("reference", outside, typeCode="REFR"),
        classCode="ACT",
        moodCode="EVN",
    )
