"""Which of the forms that an address has is wanted: the header Accept, as DICOMweb writes it.

Standard: RFC 9110 §12.5.1; DICOM PS3.18 §8.7.4 (the query parameter `accept`, `transfer-syntax`)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message

from fastapi import Request

JSON = ("application/dicom+json", "application/json")
"""Forms of queries' answers and of metadata."""
_PARTS = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_MOST = 50


@dataclass(frozen=True)
class Range:
    """One form that is acceptable."""

    media_type: str
    related: str
    """`type` of multipart/related."""
    transfer_syntax: str
    """`""`: none is named."""


def accepted(request: Request) -> Iterator[Range]:
    """Give the forms that a request accepts, in the order they are written; nothing said is everything accepted."""
    asked = request.query_params.get("accept") or request.headers.get("accept") or "*/*"
    for part in _PARTS.findall(asked)[:_MOST]:
        said = Message()
        said["content-type"] = " ".join(part.split())
        values = {name: str(said.get_param(name, "")) for name in ("type", "transfer-syntax", "q")}
        if values["q"] and re.fullmatch(r"0(\.0*)?", values["q"]):
            continue
        kind = part.partition(";")[0].strip().lower()
        yield Range(kind, values["type"].lower(), values["transfer-syntax"])


def json_form(request: Request) -> str:
    """Give the JSON type that a request accepts; `""` when it wants none."""
    for one in accepted(request):
        if one.media_type in JSON:
            return one.media_type
        if one.media_type in ("*/*", "application/*"):
            return JSON[0]
    return ""


def takes_objects(request: Request, syntaxes: Sequence[str]) -> bool:
    """Tell whether a request accepts objects in these transfer syntaxes, as multipart/related; `*` and none are any."""
    return any(
        one.media_type in ("*/*", "multipart/*", "multipart/related")
        and one.related in ("", "*/*", "application/*", "application/dicom")
        and (one.transfer_syntax in ("", "*") or set(syntaxes) == {one.transfer_syntax})
        for one in accepted(request)
    )
