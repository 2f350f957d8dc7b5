"""A FHIR server: carries signed document Bundles to `[base]/Bundle`.

A create on condition that no Bundle with the document's identifier is there: the same document twice makes one. With
`token_url` an access token is taken by the client's own credentials (OAuth 2.0); without it nothing is said about who we are.

Standard: FHIR R4 §3.1.0.8 (create, If-None-Exist), §3.1.1 (search), §2.1.0.6; RFC 6749 §4.4
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import quote, urljoin

from connectors.contract import Outbound, Receipt, Seal
from connectors.destinations._client_credentials import check_token_address, take_token
from connectors.destinations._http import (
    HttpPeer,
    Reply,
    check_http_settings,
    refuse_by_status,
)
from connectors.destinations._login import Login, Token
from connectors.faults import CannotAsk, LoginRefused, Refused, ServerTrouble, Uncertain, Unreachable
from mappings.formats import json
from mappings.formats.faults import JsonInvalid
from mappings.formats.values import NO_FILE, NO_SECRET, FileName, Secret

_FHIR_JSON = "application/fhir+json"
_LOCATION = re.compile(r"(?:^|/)(Bundle/[A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?$")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_PLACE = re.compile(r"Bundle(\.[a-z][A-Za-z]{0,40}(\[\d{1,5}\])?){1,12}")
_ISSUE_TYPE = re.compile(
    r"invalid|structure|required|value|invariant|security|login|unknown|expired|forbidden|"
    r"suppressed|processing|not-supported|duplicate|multiple-matches|not-found|deleted|too-long|"
    r"code-invalid|extension|too-costly|business-rule|conflict|transient|lock-error|no-store|"
    r"exception|timeout|incomplete|throttled|informational"
)
"""Standard: FHIR R4 value set issue-type; whatever else stands there may be about a patient."""


@dataclass(frozen=True)
class Settings:
    takes: ClassVar[str] = "fhir"

    url: str
    """Address of the server's FHIR R4 base, like `https://host/fhir`."""
    token_url: str = ""
    """Where tokens are given: an address, or a path on the same host; empty when the server asks for none."""
    client_id: str = ""
    """Our account there."""
    client_secret: Secret = NO_SECRET
    """Its secret."""
    scope: str = ""
    """What the token is asked for, such as `system/Bundle.write system/Bundle.read`."""
    ca: FileName = NO_FILE
    """PEM file with the authority of the server's certificate; the public authorities unless written."""
    connect_timeout: timedelta = timedelta(seconds=5)
    """How long to wait for a connection."""
    answer_timeout: timedelta = timedelta(seconds=60)
    """How long to wait for an answer; after that it is not known whether the document arrived."""

    def __post_init__(self) -> None:
        check_http_settings(self.url, self.connect_timeout, self.answer_timeout)
        if self.token_url:
            check_token_address(self.token_address, self.connect_timeout, self.answer_timeout)
        for name in ("client_id", "client_secret"):
            if bool(getattr(self, name)) != bool(self.token_url):
                raise ValueError(f"{name}: goes with token_url — write token_url, client_id and client_secret, or none")

    @property
    def token_address(self) -> str:
        return urljoin(self.url, self.token_url)


class Destination:
    """Create document Bundles on a FHIR server."""

    def __init__(self, name: str, settings: Settings, seal: Seal) -> None:
        self._name = name
        self._settings = settings
        self._peer = self._connect(settings.url)
        self._tokens = self._connect(settings.token_address) if settings.token_url else None
        self._login = Login(name, self._take_token)

    async def deliver(self, document: Outbound) -> Receipt:
        """Create the Bundle; accepted is 201, or 200 for one that is there already, with a Location.

        Raises `Refused` before sending when the document has no identifier to be known by.
        """
        headers = {
            "Content-Type": _FHIR_JSON,
            "Accept": _FHIR_JSON,
            "Prefer": "return=minimal",
            "If-None-Exist": self._question(document),
        }

        async def send(authorisation: Mapping[str, str]) -> Reply:
            return await self._peer.exchange(
                "POST", "/Bundle", content=document.body, headers={**headers, **authorisation}
            )

        reply = await self._authorised(send)
        issue = _issue(reply)
        refuse_by_status(self._name, reply, issue)
        place = reply.headers.get("location") or reply.headers.get("content-location", "")
        found = _LOCATION.search(place)
        if reply.status in (200, 201) and found:
            return Receipt(found[1], reply.body or place.encode(), _facts(reply))
        if reply.status >= 500 and issue:
            raise ServerTrouble(self._name, f"HTTP {reply.status} {issue}")
        raise Uncertain(self._name, f"HTTP {reply.status} without a Location that can be read")

    async def find(self, document: Outbound) -> Receipt | None:
        """Search by the document's identifier; only an empty searchset proves absence."""
        query = f"/Bundle?{self._question(document)}&_elements=identifier"

        async def ask(authorisation: Mapping[str, str]) -> Reply:
            return await self._peer.exchange(
                "GET", query, headers={"Accept": _FHIR_JSON, **authorisation}, carries_document=False
            )

        reply = await self._authorised(ask)
        if reply.status in (429, 503):
            refuse_by_status(self._name, reply)
        if reply.status in (400, 403, 404, 405, 410, 501):
            raise CannotAsk(self._name, f"HTTP {reply.status}")
        answer = reply.json_object()
        if reply.status != 200 or not _is_searchset(answer):
            raise Unreachable(self._name, f"question not answered: HTTP {reply.status}")
        matches = _matches(answer)
        wanted = self._identifier(document)
        for resource in matches:
            if _identifier_of(resource) == wanted and _ID.fullmatch(str(resource.get("id"))):
                return Receipt(f"Bundle/{resource['id']}", reply.body, _facts(reply))
        if matches or _has_more(answer):
            raise CannotAsk(self._name, "the search gave other documents")
        return None

    async def close(self) -> None:
        await self._peer.close()
        if self._tokens is not None:
            await self._tokens.close()

    def _connect(self, url: str) -> HttpPeer:
        settings = self._settings
        return HttpPeer(
            self._name,
            url,
            ca=settings.ca,
            connect_timeout=settings.connect_timeout,
            answer_timeout=settings.answer_timeout,
        )

    async def _authorised(self, call: Callable[[Mapping[str, str]], Awaitable[Reply]]) -> Reply:
        if self._tokens is None:
            reply = await call({})
            if reply.status == 401:
                raise LoginRefused(self._name, "HTTP 401, and no token_url is written")
            return reply

        async def with_token(token: Token) -> Reply | None:
            reply = await call({"Authorization": f"Bearer {token.access}"})
            return None if reply.status == 401 else reply

        return await self._login.use(with_token)

    async def _take_token(self) -> Token:
        assert self._tokens is not None, "only called when there is a token_url"
        settings = self._settings
        return await take_token(self._tokens, settings.client_id, settings.client_secret, settings.scope)

    def _question(self, document: Outbound) -> str:
        system, value = (re.sub(r"([\\|,$])", r"\\\1", part) for part in self._identifier(document))
        return f"identifier={quote(f'{system}|{value}', safe='')}"

    def _identifier(self, document: Outbound) -> tuple[str, str]:
        try:
            bundle = json.loads(document.body)
        except JsonInvalid:
            bundle = None
        found = _identifier_of(bundle) if isinstance(bundle, dict) else None
        if found is None:
            raise Refused(self._name, "not a FHIR Bundle with an identifier; nothing was sent")
        return found


def _identifier_of(resource: Mapping[str, Any]) -> tuple[str, str] | None:
    identifier = resource.get("identifier")
    if resource.get("resourceType") != "Bundle" or not isinstance(identifier, dict):
        return None
    system, value = identifier.get("system"), identifier.get("value")
    return (system, value) if isinstance(system, str) and isinstance(value, str) and system and value else None


def _is_searchset(answer: Mapping[str, Any]) -> bool:
    lists = all(isinstance(answer.get(name, []), list) for name in ("entry", "link"))
    return (answer.get("resourceType"), answer.get("type")) == ("Bundle", "searchset") and lists


def _matches(searchset: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give the resources found, an empty one for each that cannot be read; what is said about the search itself is left out."""
    entries = searchset.get("entry")
    found: list[Any] = [entry.get("resource") if isinstance(entry, dict) else {} for entry in entries or ()]
    resources = [one if isinstance(one, dict) else {} for one in found]
    return [one for one in resources if one.get("resourceType") != "OperationOutcome"]


def _has_more(searchset: Mapping[str, Any]) -> bool:
    links = searchset.get("link")
    following = [link for link in links or () if isinstance(link, dict) and link.get("relation") == "next"]
    return bool(following) or searchset.get("total", 0) != 0


def _issue(reply: Reply) -> str:
    """Say which code and which element an OperationOutcome names; its texts may be about a patient."""
    outcome = reply.json_object()
    issues = outcome.get("issue")
    if outcome.get("resourceType") != "OperationOutcome" or not isinstance(issues, list):
        return ""
    for issue in issues:
        if isinstance(issue, dict) and issue.get("severity") in ("fatal", "error") and _is_type(issue.get("code")):
            places = issue.get("expression")
            first = places[0] if isinstance(places, list) and places else None
            place = first if isinstance(first, str) and _PLACE.fullmatch(first) else ""
            return f"{issue['code']} {place}".strip()
    return ""


def _is_type(code: object) -> bool:
    return isinstance(code, str) and _ISSUE_TYPE.fullmatch(code) is not None


def _facts(reply: Reply) -> dict[str, str]:
    told = {name: reply.headers.get(header, "") for name, header in (("etag", "etag"), ("at", "last-modified"))}
    return {"status": str(reply.status), **{name: text[:60] for name, text in told.items() if text}}
