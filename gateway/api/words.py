"""In which language somebody reads: as chosen on the page, else as the browser says, else Vietnamese.

Standard: RFC 9110 §12.5.4
"""

from __future__ import annotations

from fastapi import Request

from gateway.text import Language

COOKIE = "lang"


def language(request: Request) -> Language:
    """Give the language of a request."""
    for said in (request.query_params.get("lang", ""), request.cookies.get(COOKIE, "")):
        if said in ("vi", "en"):
            return "en" if said == "en" else "vi"
    for tag in _preferred(request.headers.get("accept-language", "")):
        if tag in ("vi", "en"):
            return "en" if tag == "en" else "vi"
    return "vi"


def wants_html(request: Request) -> bool:
    """Tell whether a page is wanted rather than JSON: as browsers ask."""
    return "text/html" in request.headers.get("accept", "")


def _preferred(header: str) -> list[str]:
    weighed: list[tuple[float, str]] = []
    for part in header.split(",")[:20]:
        tag, _, weight = part.strip().partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            quality = 0.0
        if quality > 0:
            weighed.append((-quality, tag.lower().partition("-")[0]))
    return [tag for _, tag in sorted(weighed, key=lambda one: one[0])]
