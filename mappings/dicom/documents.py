"""Encapsulated documents (PDF, CDA) as DocumentReference, known by the object that holds them.

The document itself goes along when the header holds it; its place is the DICOMweb service, when there is one. Says of
no document that it is a report that a paper is made of: a file has no text to make it from.

Standard: DICOM PS3.3 §C.24
Requirement: S3.2
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha1

from mappings import codes
from mappings.dicom.attributes import Attributes, count, has, item, text
from mappings.dicom.body import Entry
from mappings.dicom.codings import entry_to_concept
from mappings.dicom.draft import UID, Draft, instance_uid, reference, uid_identifier
from mappings.dicom.header import SERIES, SOP_CLASS
from mappings.hl7v2.datatypes import Element, compact
from mappings.ids import resource_id
from mappings.outcome import Resource

_ENCAPSULATED = "1.2.840.10008.5.1.4.1.1.104."
KINDS = {
    f"{_ENCAPSULATED}1": "application/pdf",
    f"{_ENCAPSULATED}2": "text/xml",
    f"{_ENCAPSULATED}3": "model/stl",
    f"{_ENCAPSULATED}4": "model/obj",
    f"{_ENCAPSULATED}5": "model/mtl",
}
"""SOP classes, and the type of the file where the object does not say it."""
_DATA, _TYPE, _TITLE, _LENGTH = "00420011", "00420012", "00420010", "00420015"
MAPPED: dict[str, str] = {}
CODED: dict[str, str] = {}
IGNORED = {
    "00280301": "whether something is written into the pixels; a file has none",
    "00420013": "objects the document was made from",
    "00420014": "types of the files within the file",
    _LENGTH: "length of the file; the file has it",
    "0040E001": "number of the document at its maker",
}
BELOW = {"00420013": "objects the document was made from"}


def take_documents(draft: Draft) -> None:
    """Map every encapsulated document of the study."""
    for entry in draft.entries:
        if text(entry.attributes, SOP_CLASS) in KINDS:
            _document(entry, draft)


def _document(entry: Entry, draft: Draft) -> None:
    attributes, uid = entry.attributes, instance_uid(entry)
    written = draft.moment(attributes, "00080023", "00080033")
    if "T" in written:
        draft.used |= dict.fromkeys(("00080023", "00080033"), "DocumentReference.date")
    state = text(attributes, "0040A493")
    if state:
        draft.used["0040A493"] = "DocumentReference.docStatus"
    draft.used |= {
        _TYPE: "DocumentReference.content.attachment.contentType",
        _DATA: "DocumentReference.content.attachment",
        _TITLE: "DocumentReference.content.attachment.title",
    }
    related = [reference(draft.study), *([reference(draft.request)] if draft.request else [])]
    draft.add(
        compact(
            {
                "resourceType": "DocumentReference",
                "id": resource_id("DocumentReference", UID, uid),
                "masterIdentifier": uid_identifier(uid),
                "status": "current",
                "docStatus": {"VERIFIED": "final", "UNVERIFIED": "preliminary"}.get(state, ""),
                **_type(item(attributes, "0040A043"), draft),
                "subject": draft.subject,
                "date": written if "T" in written else "",
                "content": [{"attachment": _attachment(entry, draft)}],
                "context": compact(
                    {"encounter": [reference(draft.encounter)] if draft.encounter else [], "related": related}
                ),
            }
        )
    )


def _type(concept: Attributes, draft: Draft) -> Resource:
    """Give what kind of document it is; a kind that papers are made of only as category, for a file has no text to make one."""
    found = entry_to_concept(concept, draft.context) or {}
    if any(coding["code"] in codes.table("paper-kind") for coding in found.get("coding", [])):
        return compact({"type": compact({"text": found.get("text", "")}), "category": [found]})
    return {"type": found} if found else {}


def _attachment(entry: Entry, draft: Draft) -> Element:
    """Make the Attachment: the file when it is there, and where the object is."""
    attributes = entry.attributes
    data = _data(entry)
    said = text(attributes, _TYPE)
    object_id = str(entry.facts.get("object", ""))
    held = {"url": f"{draft.context.systems.own}/StructureDefinition/stored-object", "valueString": object_id}
    size = count(attributes, _LENGTH) or attributes.get(_DATA, {}).get("Length")
    return compact(
        {
            "extension": [held] if object_id else [],
            "contentType": said if "/" in said else KINDS[text(attributes, SOP_CLASS)],
            "data": b64encode(data).decode("ascii") if data else "",
            "url": _url(entry, draft),
            "size": len(data) if data else size,
            "hash": b64encode(sha1(data, usedforsecurity=False).digest()).decode("ascii") if data else "",
            "title": text(attributes, _TITLE) or text(item(attributes, "0040A043"), "00080104"),
        }
    )


def _data(entry: Entry) -> bytes:
    """Give the file without the byte that makes it even, when the object tells its length."""
    packed = entry.attributes.get(_DATA, {}).get("InlineBinary", "")
    try:
        data = b64decode(packed, validate=True)
    except ValueError:
        return b""
    length = count(entry.attributes, _LENGTH) if has(entry.attributes, _LENGTH) else None
    return data[:length] if length and len(data) - 1 <= length <= len(data) else data


def _url(entry: Entry, draft: Draft) -> str:
    """Give where the object is fetched. Standard: DICOM PS3.18 §10.4"""
    base = draft.context.wado.rstrip("/")
    if not base:
        return f"urn:oid:{instance_uid(entry)}"
    series = text(entry.attributes, SERIES)
    return f"{base}/studies/{draft.uid}/series/{series}/instances/{instance_uid(entry)}"
