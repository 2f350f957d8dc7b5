"""Read the body of a request in memory, within a limit, and find the file of a form in it.

The usual reader of forms puts larger files into a temporary folder: there a patient's paper would lie unencrypted.

Standard: RFC 7578; RFC 2046 §5.1
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import parse_qsl

from fastapi import Request

from gateway.faults import RequestNotUnderstood, RequestTooLarge

_SECONDS = 60.0
_PARTS = 20
_DISPOSITION = re.compile(rb"^content-disposition:\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Part:
    """One field of a form."""

    body: bytes = field(repr=False)
    file_name: str = field(default="", repr=False)


async def read(request: Request, limit: int) -> bytes:
    """Return the body; raise RequestTooLarge, or RequestNotUnderstood for one that does not come within a minute."""
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise RequestTooLarge("body", f"{limit} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise RequestTooLarge("body", f"{limit} bytes")
    except TimeoutError:
        raise RequestNotUnderstood("body", "too slow") from None
    return bytes(body)


def fields(content_type: str, body: bytes) -> Mapping[str, Part]:
    """Read a form, sent either way; the first of several fields of a name counts. Raises RequestNotUnderstood."""
    said = Message()
    said["content-type"] = content_type
    if said.get_content_type() == "application/x-www-form-urlencoded":
        try:
            pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_PARTS)
        except ValueError:
            raise RequestNotUnderstood("body", "not a form") from None
        return {name: Part(value.encode()) for name, value in reversed(pairs)}
    boundary = said.get_param("boundary")
    if said.get_content_type() != "multipart/form-data" or not isinstance(boundary, str) or not boundary:
        raise RequestNotUnderstood("content-type", "a form is expected")
    mark = b"\r\n--" + boundary.encode("ascii", "replace")
    pieces = (b"\r\n" + body).split(mark, _PARTS + 2)
    if len(pieces) < 3 or len(pieces) > _PARTS + 2 or not pieces[-1].startswith(b"--"):
        raise RequestNotUnderstood("body", "not a whole form")
    found: dict[str, Part] = {}
    for piece in pieces[1:-1]:
        head, blank, content = piece.partition(b"\r\n\r\n")
        disposition = _DISPOSITION.search(head)
        if not blank or disposition is None:
            raise RequestNotUnderstood("body", "a field without a name")
        line = Message()
        line["content-disposition"] = disposition[1].decode("utf-8", "replace")
        name, file_name = line.get_param("name", "", "content-disposition"), line.get_filename("")
        found.setdefault(str(name), Part(content, str(file_name)))
    return found
