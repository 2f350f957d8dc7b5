"""ED and RP: documents that a message encloses or points to.

Bytes are checked to be the base64 or hexadecimal they claim to be; nothing is rendered, opened or fetched.

Standard: HL7 v2.5.1 §2.A.24, §2.A.65
"""

from __future__ import annotations

import binascii
from base64 import b64encode
from hashlib import sha1, sha256

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import reference
from mappings.hl7v2.datatypes import Components, Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.ids import resource_id

LARGEST_INSIDE = 1_048_576
"""Bytes that an Attachment carries itself; more become a Binary of their own."""

_MAGIC = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"{\\rtf", "text/rtf"),
)
_UNKNOWN = "application/octet-stream"


def obx_to_attachment(obx: Segment, draft: Draft) -> Element | None:
    """Make an Attachment of OBX-5; `None`, a notice and an unknown field when it cannot be read.

    What is larger than `LARGEST_INSIDE` stands in a Binary that the Attachment names.
    """
    value = obx[5]
    title = words(obx[3].c(2)) or words(obx[3].c(1))
    pointer = code_of(obx.peek(2).text).upper() == "RP"
    attachment = rp_to_attachment(value, title) if pointer else ed_to_attachment(value, draft, title)
    if attachment is None:
        obx.give_back(5)
        draft.notice(faults.DATA_UNREADABLE, obx.where(5))
        return None
    if obx.peek(14):
        created = draft.moment(obx, 14)
        if created:
            attachment["creation"] = created
    return attachment


def rp_to_attachment(rp: Components, title: str = "") -> Element | None:
    """Make an Attachment of RP; `None` when it is no address."""
    url = rp.c(1).strip()
    if ":" not in url or any(character.isspace() for character in url):
        return None
    return compact({"contentType": content_type(rp.c(3), rp.c(4)), "url": url, "title": title})


def ed_to_attachment(ed: Components, draft: Draft, title: str = "") -> Element | None:
    """Make an Attachment of ED with size and hash of the decoded bytes; `None` when they cannot be decoded."""
    content = decoded(ed.c(4), ed.c(5))
    if not content and ed.c(1) and not any(ed.c(n) for n in (2, 3, 4, 5)):
        content = decoded("A", ed.c(1))
    if not content:
        return None
    kind = content_type(ed.c(2), ed.c(3))
    if kind in ("", _UNKNOWN):
        kind = next((known for start, known in _MAGIC if content.startswith(start)), _UNKNOWN)
    data = b64encode(content).decode("ascii")
    inside = len(content) <= LARGEST_INSIDE
    return compact(
        {
            "contentType": kind,
            "data": data if inside else "",
            "url": "" if inside else _binary(kind, content, data, draft),
            "size": len(content),
            "hash": b64encode(sha1(content, usedforsecurity=False).digest()).decode("ascii"),
            "title": title,
        }
    )


def _binary(kind: str, content: bytes, data: str, draft: Draft) -> str:
    system = draft.context.systems.local(draft.context.facility, "binary")
    return draft.add(
        compact(
            {
                "resourceType": "Binary",
                "id": resource_id("Binary", system, f"{draft.whose}|{sha256(content).hexdigest()}"),
                "contentType": kind,
                "securityContext": reference(draft.patient) if draft.patient else {},
                "data": data,
            }
        )
    )


def content_type(kind: str, subtype: str) -> str:
    """Give the MIME type of the type of data and its subtype (ED.2 and ED.3, RP.3 and RP.4); `""` when unknown."""
    table = codes.table("v2-0291")
    return table.target(subtype.strip().upper()) or table.target(kind.strip().upper())


def decoded(encoding: str, data: str) -> bytes:
    """Decode ED.5; empty when it is not in the encoding ED.4 names."""
    encoding = encoding.strip().upper()
    try:
        if encoding == "BASE64":
            return binascii.a2b_base64("".join(data.split()), strict_mode=True)
        if encoding == "HEX":
            return bytes.fromhex(data)
    except (binascii.Error, ValueError):
        return b""
    return data.encode()
