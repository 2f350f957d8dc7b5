"""Show what the portal received: a list with states, one arrival with its findings, its tables, the test cards, the settings.

Plain HTML that works without a script and on a telephone; Vietnamese, English with `?lang=en`. Served on the admin port: it
shows what was sent, which is the operator's own test data.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache
from importlib import resources
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from conformance.sandbox.portal.admin import Portal
from conformance.sandbox.portal.book import ASSESSED, RECEIVED, RETURNED, Case
from conformance.sandbox.portal.files import signature_of
from conformance.sandbox.portal.finding import Finding
from conformance.sandbox.portal.forms import FORMS, form_named
from conformance.sandbox.portal.shapes import read_csv, shape
from conformance.sandbox.records import Record, Records, Verdict

PEER: Final = "insurance_portal"
PER_PAGE: Final = 50
MOST_LINKS: Final = 5
SHOWS: Final = ("all", "waiting", "returned", "assessed", "refused", "other")
_VIETNAM: Final = timezone(timedelta(hours=7))
_SAFETY: Final = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_STATES: Final = {RECEIVED: ("received", "wait"), ASSESSED: ("assessed", "good"), RETURNED: ("returned", "bad")}


@dataclass(frozen=True)
class Language:
    """One language of the pages."""

    code: str

    def say(self, key: str) -> str:
        """Return a text."""
        return _texts()[key][self.code]

    def link(self, path: str, **query: object) -> str:
        """Return an address of these pages in this language."""
        given = {name: str(value) for name, value in query.items()} | ({"lang": "en"} if self.code == "en" else {})
        return f"{path}?{urlencode(given)}" if given else path


def portal_pages(portal: Portal, records: Records) -> APIRouter:
    """Build the routes below `/portal`."""
    routes = APIRouter(include_in_schema=False)
    show = _Pages(portal, records)

    @routes.get("/")
    async def front() -> Response:
        return RedirectResponse("/portal", 303)

    @routes.get("/portal/style.css")
    async def style() -> Response:
        text = resources.files("conformance.sandbox.portal").joinpath("templates/style.css").read_text("utf-8")
        return Response(text, media_type="text/css", headers=_SAFETY)

    @routes.get("/portal")
    async def received(request: Request, page: int = 1) -> Response:
        wanted = request.query_params.get("show", "all")
        return await _answer(
            request, lambda lang: show.received(lang, wanted if wanted in SHOWS else "all", max(page, 1))
        )

    @routes.get("/portal/records/{n}")
    async def one(request: Request, n: int) -> Response:
        return await _answer(request, lambda lang: show.record(lang, n))

    @routes.get("/portal/records/{n}/{position}/{table}")
    async def table(request: Request, n: int, position: int, table: str) -> Response:
        every = request.query_params.get("every") == "1"
        return await _answer(request, lambda lang: show.table(lang, n, position, table, every=every))

    @routes.get("/portal/cards")
    async def cards(request: Request) -> Response:
        return await _answer(request, show.cards)

    @routes.get("/portal/settings")
    async def settings(request: Request) -> Response:
        return await _answer(request, show.settings)

    @routes.post("/portal/assess")
    async def assess(request: Request, record: int | None = None) -> Response:
        links = {each.visit.link for each in portal.book.all() if each.record == record}
        for link in links if record is not None else {None}:
            await asyncio.to_thread(portal.book.assess, link)
        back = "/portal" if record is None else f"/portal/records/{record}"
        return RedirectResponse(_language(request).link(back), 303)

    return routes


async def _answer(request: Request, make: Callable[[Language], tuple[str, Mapping[str, Any]]]) -> Response:
    language = _language(request)
    other = Language("vi" if language.code == "en" else "en")
    query = {name: value for name, value in request.query_params.items() if name != "lang"}
    template, values = await asyncio.to_thread(make, language)
    page = _environment().get_template(template)
    around = {"lang": language.code, "t": language.say, "link": language.link}
    text = page.render(**around, other_language=other.link(request.url.path, **query), **values)
    return HTMLResponse(text, headers=_SAFETY)


def _language(request: Request) -> Language:
    return Language("en" if request.query_params.get("lang") == "en" else "vi")


class _Pages:
    """Gather what each page shows."""

    def __init__(self, portal: Portal, records: Records) -> None:
        self._portal = portal
        self._records = records

    def received(self, lang: Language, wanted: str, page: int) -> tuple[str, dict[str, Any]]:
        cases: dict[int, list[Case]] = {}
        for case in self._portal.book.settled(self._portal.book.all()):
            cases.setdefault(case.record, []).append(case)
        found: dict[str, list[Record]] = {name: [] for name in SHOWS}
        for record in reversed(self._records.all(PEER)):
            found["all"].append(record)
            for name in _groups(record, cases.get(record.n, [])):
                found[name].append(record)
        start = (page - 1) * PER_PAGE
        shown = found[wanted][start : start + PER_PAGE]
        more = len(found[wanted]) > start + PER_PAGE
        return "list.html", {
            "title": lang.say("received"),
            "here": "received",
            "show": wanted,
            "filters": [(name, len(found[name])) for name in SHOWS],
            "waiting": sum(not each.assessed for row in cases.values() for each in row),
            "rows": [_line(lang, record, cases.get(record.n, [])) for record in shown],
            "newer": lang.link("/portal", show=wanted, page=page - 1) if page > 1 else "",
            "older": lang.link("/portal", show=wanted, page=page + 1) if more else "",
        }

    def record(self, lang: Language, n: int) -> tuple[str, dict[str, Any]]:
        record = self._record(n)
        cases = self._portal.book.settled(each for each in self._portal.book.all() if each.record == n)
        return "record.html", {
            "title": f"{lang.say('record')} {n}",
            "here": "received",
            "n": n,
            "facts": self._facts(lang, record),
            "visits": [self._visit(lang, case) for case in cases],
        }

    def table(self, lang: Language, n: int, position: int, name: str, *, every: bool) -> tuple[str, dict[str, Any]]:
        found = [each for each in self._portal.book.all() if (each.record, each.position) == (n, position)]
        if not found or name not in found[0].visit.tables:
            raise HTTPException(404)
        (case,) = self._portal.book.settled(found)
        known = shape(name, case.visit.decision)
        assert known is not None
        rows = case.visit.tables[name]
        extra = dict.fromkeys(tag for row in rows for tag in row.order if known.field(tag) is None)
        marks: dict[tuple[int, str], list[Finding]] = {}
        for finding in case.findings:
            if finding.table == name:
                marks.setdefault((finding.row, finding.field), []).append(finding)
        names = [*(field.name for field in known.fields), *extra]
        marked = {field for _, field in marks}
        full = [tag for tag in names if tag in marked or any(row[tag] for row in rows)]
        return "table.html", {
            "title": f"{name} · {case.visit.link}",
            "here": "received",
            "n": n,
            "single": len(rows) == 1,
            "names": names if every or len(rows) == 1 else full,
            "hidden": 0 if every or len(rows) == 1 else len(names) - len(full),
            "every": lang.link(f"/portal/records/{n}/{position}/{name}", every=1),
            "rows": rows,
            "marks": marks,
        }

    def cards(self, lang: Language) -> tuple[str, dict[str, Any]]:
        return "cards.html", {
            "title": lang.say("cards"),
            "here": "cards",
            "cards": self._portal.cards.cards,
            "codes": {row["code"]: row[lang.code] for row in read_csv("card_codes.csv")},
            "officers": self._portal.cards.officers,
        }

    def settings(self, lang: Language) -> tuple[str, dict[str, Any]]:
        return "settings.html", {
            "title": lang.say("settings"),
            "here": "settings",
            "switches": self._portal.board.state(),
            "certificates": [each.describe() for each in self._portal.certificates.all()],
            "forms": FORMS,
        }

    def _record(self, n: int) -> Record:
        found = self._records.all()
        if not 1 <= n <= len(found) or found[n - 1].destination != PEER:
            raise HTTPException(404)
        return found[n - 1]

    def _facts(self, lang: Language, record: Record) -> list[tuple[str, str, str]]:
        facts = [
            ("time", _time(record), ""),
            ("kind", _kind(lang, record), ""),
            ("path", form_named(record.form).path, ""),
            ("visit", record.document_id, ""),
            ("answer", record.code, "good" if record.code == "200" else "bad"),
            ("reference", record.reference, ""),
            ("reason", record.detail, "bad"),
            ("signature", *self._signature(lang, record)),
            ("size", f"{record.size:,}".replace(",", "." if lang.code == "vi" else ",") + " byte", ""),
            ("sha256", record.sha256, ""),
        ]
        return [each for each in facts if each[1]]

    def _signature(self, lang: Language, record: Record) -> tuple[str, str]:
        problem, signatures = signature_of(self._records.body(record), self._portal.trust_of())
        if problem == "none":
            return lang.say("signature_none"), "bad"
        if problem:
            return lang.say("signature_bad"), "bad"
        told = ", ".join(
            f"{each.signer} ({lang.say('signature_whole' if '' in each.covers else 'signature_parts')})"
            for each in signatures
        )
        return f"{lang.say('signature_good')}: {told}", "good"

    def _visit(self, lang: Language, case: Case) -> dict[str, Any]:
        state, mood = _state(lang, case)
        told = case.describe()
        versions = [
            each.record
            for each in self._portal.book.all()
            if (each.visit.link, each.visit.facility, each.form.name)
            == (case.visit.link, case.visit.facility, case.form.name)
            and each is not case
        ]
        return {
            "link": case.visit.link,
            "position": case.position,
            "number": case.state,
            "state": state,
            "mood": mood,
            "maloi": told["MALOI"],
            "mieuta": told["MIEUTA"],
            "version": case.version,
            "versions": versions,
            "tables": [(name, len(rows)) for name, rows in case.visit.tables.items()],
            "findings": case.findings,
            "assessed": case.assessed,
        }


def _groups(record: Record, cases: list[Case]) -> set[str]:
    if record.verdict is Verdict.REFUSED:
        return {"refused"}
    states = {RECEIVED: "waiting", RETURNED: "returned", ASSESSED: "assessed"}
    return {states[each.state] for each in cases if each.stands} or {"other"}


def _line(lang: Language, record: Record, cases: list[Case]) -> dict[str, Any]:
    if record.verdict is Verdict.REFUSED:
        state, mood = lang.say("state_refused"), "bad"
    elif record.verdict is Verdict.REPEAT:
        state, mood = lang.say("state_repeat"), ""
    elif not cases:
        state, mood = lang.say("state_kept"), "good"
    else:
        worst = max(cases, key=lambda each: (each.stands, each.state == RETURNED, not each.assessed))
        state, mood = _state(lang, worst)
        if worst.blocks and worst.stands:
            state += f" ({worst.blocks[0].code})"
    return {
        "n": record.n,
        "time": _time(record),
        "kind": _kind(lang, record),
        "document": _links(record),
        "code": record.code,
        "state": state,
        "mood": mood,
        "findings": sum(len(each.findings) for each in cases) or "",
    }


def _links(record: Record) -> str:
    links = [part.partition(":")[0] for part in record.document_id.split(";")]
    return ", ".join(links[:MOST_LINKS]) + (" …" if len(links) > MOST_LINKS else "")


def _state(lang: Language, case: Case) -> tuple[str, str]:
    if case.deleted:
        return lang.say("state_deleted"), ""
    if case.replaced_by is not None:
        return lang.say("state_replaced"), ""
    name, mood = _STATES[case.state]
    return lang.say(f"state_{name}"), mood


def _kind(lang: Language, record: Record) -> str:
    form = form_named(record.form)
    decided = f" QĐ {form.decision}" if form.name in ("record", "check-in") else f" {'/'.join(form.types)}"
    return lang.say(f"kind_{form.name}") + decided


def _time(record: Record) -> str:
    return f"{datetime.fromisoformat(record.received_at).astimezone(_VIETNAM):%d/%m/%Y %H:%M:%S}"


@cache
def _texts() -> dict[str, dict[str, str]]:
    return {row["key"]: {"vi": row["vi"], "en": row["en"]} for row in read_csv("page_texts.csv")}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("conformance.sandbox.portal"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["tojson_plain"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment
