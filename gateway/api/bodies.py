"""Read what programs send: JSON of a form that is known, nothing beside it."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from fastapi import Request, Response

from gateway.api import uploads
from gateway.api.words import language
from gateway.faults import RequestNotUnderstood
from gateway.text import text
from mappings.formats.faults import Fault

B = TypeVar("B")


async def read(request: Request, cls: type[B], limit: int) -> B:
    """Return the body; raise RequestNotUnderstood with the place that is wrong and never what stands there."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise RequestNotUnderstood("content-type", "application/json is expected")
    try:
        return msgspec.json.decode(await uploads.read(request, limit), type=cls)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        where = str(problem).partition(" - at `$.")[2].rstrip("`")
        raise RequestNotUnderstood(where or "body", "not of the form that is expected") from None


def told(fault: Fault, request: Request) -> dict[str, str]:
    """Describe a fault, with its texts in the reader's language."""
    words = text(fault.code, language(request))
    code = f"LT{fault.code:04d}"
    return {"code": code, "where": fault.where, "detail": fault.detail, "what": words.what, "do": words.do}


def json(value: object, status: int = 200) -> Response:
    """Answer with JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")
