"""What every request passes before a face sees it, and every answer before it leaves: names, origins, sizes, browser rules.

A name that was rebound to this machine is not ours (421); a form or request that another page sends is refused (403), whoever's
cookie comes with it. Answers let a browser load nothing from elsewhere, frame nothing, guess nothing and keep nothing.

Standard: Fetch §3.2 (Origin), Fetch Metadata (Sec-Fetch-Site); Content Security Policy 3; RFC 6797 (HSTS)
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from gateway.faults import AccessFault, ForeignRequest, HostUnknown
from gateway.settings import HttpSettings

log = logging.getLogger("lienthong.access")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PAGE_RULES = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'{agent}; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
AGENT = " http://127.0.0.1:*"
"""Where the signer's page, and no other, may also speak to: the agent on the signer's own machine."""
PAPER_RULES = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'"
)
"""A paper is a stranger's HTML: it runs, loads and sends nothing."""
_ALWAYS = {
    "cache-control": "no-store",
    "content-security-policy": PAGE_RULES.format(agent=""),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
_SAFE = ("GET", "HEAD", "OPTIONS")


class Door:
    """Stand before an application; `refuse` makes the answer to a request that does not get through."""

    def __init__(self, app: App, settings: HttpSettings, refuse: Callable[[Scope, AccessFault], App]) -> None:
        self._app = app
        self._hosts = frozenset(settings.hosts)
        self._scheme = "http" if settings.tls == "none" else "https"
        self._always = _ALWAYS | ({"strict-transport-security": "max-age=31536000"} if self._scheme == "https" else {})
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no WebSockets here

        async def out(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                named = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.encode(), value.encode())
                        for name, value in self._always.items()
                        if name.encode() not in named
                    ),
                ]
            await send(message)

        try:
            self._admit(scope)
        except AccessFault as fault:
            log.warning("refused: %s", fault)
            await self._refuse(scope, fault)(scope, receive, out)
            return
        await self._app(scope, receive, out)

    def _admit(self, scope: Scope) -> None:
        headers = _headers(scope)
        host = headers.get("host", "")
        if not self._known(host):
            raise HostUnknown("host")
        if scope["method"] in _SAFE:
            return
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if origin is not None and origin.lower() != f"{self._scheme}://{host}".lower():
            raise ForeignRequest("origin")
        if site not in ("same-origin", "none"):
            raise ForeignRequest("sec-fetch-site")

    def _known(self, host: str) -> bool:
        name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
        if name.lower() in self._hosts:
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return name.lower() == "localhost"
        return True


def _headers(scope: Scope) -> Mapping[str, str]:
    """Give the headers by name; of several of one name the last, but for Host, where several are none."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        found[key] = "" if key == "host" and key in found else value.decode("latin-1")
    return found
