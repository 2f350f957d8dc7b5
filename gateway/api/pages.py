"""Pages: templates, their words in two languages, style and script. Nothing is built, nothing comes from elsewhere.

Everything that is put into a template is escaped, unless it is made here.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

from fastapi import APIRouter, Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway import __version__
from gateway.api.words import COOKIE, language
from gateway.faults import NoSuchPage
from gateway.text import pages as text

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
_FILES = {"style.css", "drop.js", "sign.js", "agent.js", "mark.svg"}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("gateway.api"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["version"] = __version__
    environment.filters["moment"] = _moment
    return environment


def page(request: Request, template: str, status: int = 200, rules: str = "", **values: Any) -> Response:
    """Answer with a page in the reader's language; `rules` replaces the usual policy of the browser."""
    said = language(request)
    html = _environment().get_template(template).render(t=text.words(said), lang=said, other=_other(request), **values)
    response = Response(str(html), status, media_type="text/html; charset=utf-8")
    if rules:
        response.headers["content-security-policy"] = rules
    response.headers["vary"] = "Accept-Language, Cookie"
    if request.query_params.get("lang") in ("vi", "en"):
        response.set_cookie(COOKIE, said, max_age=365 * 86400, path="/", samesite="lax")
    return response


def _moment(iso: str) -> str:
    """Show a time that programs are told to people."""
    return f"{datetime.fromisoformat(iso):%d/%m/%Y %H:%M}"


def _other(request: Request) -> str:
    """Give the address of the same page in the other language; that of an answer to a form is where the form is."""
    path = request.url.path if request.method == "GET" else request.url.path.partition("?")[0]
    return f"{path}?lang={'vi' if language(request) == 'en' else 'en'}"


router = APIRouter()


@router.get("/static/{name}")
async def static(name: str) -> Response:
    if name not in _FILES:
        raise NoSuchPage()
    body = (resources.files("gateway.api") / "static" / name).read_bytes()
    kind = _TYPES[name.rpartition(".")[2]]
    return Response(body, media_type=kind, headers={"cache-control": "max-age=86400"})
