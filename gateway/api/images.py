"""Read pictures back: DICOMweb for programs that may `images`.

    POST /dicom-web/studies/_search                          which studies; the form is in `image_queries.py`
    GET  /dicom-web/studies?…                                the same, where `http.dicomweb_get` allows numbers in addresses
    GET  /dicom-web/studies/STUDY/series                     its series; …/instances: its objects
    GET  /dicom-web/studies/STUDY/series/SERIES/instances    the objects of one
    GET  /dicom-web/studies/STUDY[/series/SERIES[/instances/OBJECT]]             the objects, as they came
    GET  …/metadata                                          their headers

Whether there is nothing or it is withheld, the answer is the same 404. Nothing that was asked is logged. Not here: rendered
pictures, frames, bulk data, other transfer syntaxes, storing (`connectors/sources/dicomweb.py`).

Standard: DICOM PS3.18 §10.4 (retrieve), §10.6 (search). Requirement: S1.4
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response

from gateway.api import image_queries, media, uploads
from gateway.api.access import Access
from gateway.api.streams import Streamed, begun
from gateway.faults import FaceBusy, FormNotOffered, NoSuchPage, NoSuchPicture, QueryInAddress, RequestNotUnderstood
from gateway.image_reading import ImageReading, Parcel, Scope
from gateway.settings import ClientSettings, Plan
from mappings.dicom.query import Level
from mappings.formats import json

BASE = "/dicom-web"
_NEED = "images"
_READING = 16
"""Answers under way at the same time."""
_FORM = 16 * 1024
_NOT_OFFERED = frozenset(("rendered", "thumbnail", "frames", "bulkdata", "pixeldata"))
_KEPT = {"cache-control": "private, no-cache", "accept-ranges": "none"}
_Answer = Callable[[Request, Scope], Awaitable[Response]]
_OBJECTS = 'multipart/related; type="application/dicom"; transfer-syntax=*'


class _Room:
    """Let in a few at a time."""

    def __init__(self, places: int) -> None:
        self._free = places

    def enter(self) -> Callable[[], None]:
        """Take a place; give what gives it back, once, however often it is called."""
        if not self._free:
            raise FaceBusy("dicom-web")
        self._free -= 1
        taken = [1]

        def leave() -> None:
            while taken:
                self._free += taken.pop()

        return leave


def router(plan: Plan, access: Access, reading: ImageReading) -> APIRouter:
    """Give the addresses of DICOMweb."""
    own = APIRouter(prefix=BASE)
    room = _Room(_READING)
    scheme = "http" if plan.http.tls == "none" else "https"

    def base(request: Request) -> str:
        return f"{scheme}://{request.headers.get('host', '')}{BASE}"

    # ---- queries ----

    async def search(request: Request, client: ClientSettings, pairs: Sequence[tuple[str, str]]) -> Response:
        form = _json_form(request)
        asked = image_queries.read(("study",), pairs)
        question = image_queries.question(asked)
        leave = room.enter()
        try:
            found, more = await reading.studies(client, question, base(request))
        finally:
            leave()
        return _answers(found, form, asked.warnings, more)

    @own.get("/studies")
    async def by_address(request: Request) -> Response:
        client = access.client(request, _NEED)
        if not plan.http.dicomweb_get:
            raise QueryInAddress()
        return await search(request, client, request.query_params.multi_items())

    @own.post("/studies/_search")
    async def by_form(request: Request) -> Response:
        client = access.client(request, _NEED)
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            raise RequestNotUnderstood("content-type", "application/x-www-form-urlencoded is expected")
        data = await uploads.read(request, _FORM)
        try:
            pairs = parse_qsl(data.decode(), keep_blank_values=True, max_num_fields=image_queries.PAIRS)
        except ValueError:
            raise RequestNotUnderstood("body", "not a form") from None
        return await search(request, client, pairs)

    async def inside(request: Request, scope: Scope, level: Level) -> Response:
        client = access.client(request, _NEED)
        form = _json_form(request)
        of_study = level == "instance" and not scope.series
        levels: tuple[Level, ...] = ("series", "instance") if of_study else (level,)
        asked = image_queries.read(levels, request.query_params.multi_items())
        leave = room.enter()
        try:
            found = await reading.inside(client, _checked(scope), level, asked.values, asked.include, base(request))
        finally:
            leave()
        rest = found[asked.offset :]
        return _answers(rest[: asked.limit], form, asked.warnings, len(rest) > asked.limit)

    @own.get("/studies/{study}/series")
    async def series_of(study: str, request: Request) -> Response:
        return await inside(request, Scope(study), "series")

    @own.get("/studies/{study}/instances")
    async def objects_of(study: str, request: Request) -> Response:
        return await inside(request, Scope(study), "instance")

    @own.get("/studies/{study}/series/{series}/instances")
    async def objects_of_series(study: str, series: str, request: Request) -> Response:
        return await inside(request, Scope(study, series), "instance")

    # ---- objects ----

    async def retrieve(request: Request, scope: Scope) -> Response:
        client = access.client(request, _NEED)
        ended = room.enter()
        try:
            parcel = await reading.parcel(client, _checked(scope))
            if not media.takes_objects(request, [one.transfer_syntax for one in parcel.pictures]):
                raise FormNotOffered("accept", _OBJECTS)
            tag = parcel.tag()
            if _is_known(request, tag):
                return _unchanged(tag, ended)
            boundary = f"lienthong-{parcel.tag('boundary')[:32]}"
            kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
            heads = _heads(parcel, boundary)
            size = sum(map(len, heads)) + sum(one.size for one in parcel.pictures)
            headers = {**_KEPT, "etag": f'"{tag}"', "content-length": str(size), "vary": "accept"}
            if request.method == "HEAD":
                ended()
                return Response(None, 200, headers, kind)
            pieces = await begun(_multipart(reading, parcel, heads))
            await reading.hand_out(client, parcel, "objects")
            return Streamed(pieces, headers, kind, ended)
        except BaseException:
            ended()
            raise

    async def metadata(request: Request, scope: Scope) -> Response:
        client = access.client(request, _NEED)
        form = _json_form(request)
        ended = room.enter()
        try:
            parcel = await reading.parcel(client, _checked(scope))
            tag = parcel.tag("metadata")
            if _is_known(request, tag):
                return _unchanged(tag, ended)
            headers = {**_KEPT, "etag": f'"{tag}"', "vary": "accept"}
            if request.method == "HEAD":
                ended()
                return _without_length(headers, form)
            pieces = await begun(await reading.metadata(parcel))
            await reading.hand_out(client, parcel, "headers")
            return Streamed(pieces, headers, form, ended)
        except BaseException:
            ended()
            raise

    for path, names in (
        ("/studies/{study}", 1),
        ("/studies/{study}/series/{series}", 2),
        ("/studies/{study}/series/{series}/instances/{instance}", 3),
    ):
        _offer(own, path, retrieve, names)
        _offer(own, f"{path}/metadata", metadata, names)

    @own.get("/{rest:path}")
    async def nothing_else(rest: str, request: Request) -> Response:
        access.client(request, _NEED)
        if _NOT_OFFERED & set(rest.split("/")):
            raise FormNotOffered("accept", _OBJECTS)
        raise NoSuchPage()

    return own


def _offer(own: APIRouter, path: str, answer: _Answer, names: int) -> None:
    """Answer GET and HEAD at an address with so many UIDs in it."""

    async def endpoint(request: Request) -> Response:
        uids = [str(request.path_params[name]) for name in ("study", "series", "instance")[:names]]
        return await answer(request, Scope(*uids))

    own.add_api_route(path, endpoint, methods=["GET", "HEAD"])


# ---- reading a request ----


def _checked(scope: Scope) -> Scope:
    """Raise NoSuchPicture for what is no UID: there is nothing under it."""
    for uid in (scope.study, scope.series, scope.instance):
        if uid and not (len(uid) <= 64 and image_queries.UID.fullmatch(uid)):
            raise NoSuchPicture()
    return scope


def _json_form(request: Request) -> str:
    form = media.json_form(request)
    if not form:
        raise FormNotOffered("accept", media.JSON[0])
    return form


def _is_known(request: Request, tag: str) -> bool:
    """Tell whether a client has this already. Standard: RFC 9110 §13.1.2"""
    known = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    return "*" in known or f'"{tag}"' in known


# ---- writing an answer ----


def _answers(found: Sequence[Mapping[str, object]], form: str, warnings: Sequence[str], more: bool) -> Response:
    told = [*warnings]
    if more:
        told.append("There are additional results that can be requested")
    response = Response(json.dumps(list(found)), media_type=form)
    for one in told:
        response.headers.append("warning", f'299 lienthong "{one}"')
    return response


def _multipart(reading: ImageReading, parcel: Parcel, heads: Sequence[bytes]) -> Iterator[bytes]:
    """Give the body in pieces: every object behind its head. Standard: RFC 2046 §5.1.1"""
    for picture, head in zip(parcel.pictures, heads, strict=False):
        mark = head
        for piece in reading.read(picture):
            yield mark + piece
            mark = b""
    yield heads[-1]


def _heads(parcel: Parcel, boundary: str) -> list[bytes]:
    """Write what stands before each part, and behind the last."""
    heads = []
    for picture in parcel.pictures:
        syntax = f"; transfer-syntax={picture.transfer_syntax}" if picture.transfer_syntax else ""
        kind = f"Content-Type: application/dicom{syntax}\r\nContent-Length: {picture.size}"
        heads.append(f"\r\n--{boundary}\r\n{kind}\r\n\r\n".encode())
    heads[0] = heads[0].removeprefix(b"\r\n")
    return [*heads, f"\r\n--{boundary}--\r\n".encode()]


def _unchanged(tag: str, ended: Callable[[], None]) -> Response:
    ended()
    return Response(None, 304, {**_KEPT, "etag": f'"{tag}"', "vary": "accept"})


def _without_length(headers: Mapping[str, str], form: str) -> Response:
    response = Response(None, 200, headers, form)
    del response.headers["content-length"]
    return response
