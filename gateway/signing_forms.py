"""Which form the signatures on a paper have for whom, and what is wrong with what a hospital wrote about that.

The table is `signing/forms.py`, from `[[form]]` in `signing.toml`; here it meets papers, destinations and keys. A destination
that a rule names may get a rendition of its own: the same unsigned bytes, and the same signatures of people, sealed otherwise.

Requirement: S0.5, S0.10
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from gateway.faults import ConfigFault, KindUnknown, SettingInvalid
from gateway.settings import Plan, Route
from mappings.documents import PAPERS, imaging_study
from mappings.formats import safe_xml
from signing.forms import Form, Forms, Rule

FILE = "signing.toml"
PLACES = {"cda": None, "gdbhyt": "CHUKYDONVI"}
"""Where each XML rendition carries its signature; None = last child of the root."""
_WITH_PARTS = ("gdbhyt",)
"""Kinds of rendition whose parts can be signed by themselves."""


@dataclass(frozen=True)
class Wanted:
    """One rendition to be sealed."""

    kind: str
    form: Form
    destination: str = ""
    """Whom it is for alone; empty = for everybody."""


def base_kind(kind: str) -> str:
    """Give `cda`, `gdbhyt` or `fhir` for a rendition of any guide, step or form."""
    return re.split("[:@+]", kind, maxsplit=1)[0]


def routes_with_forms(routes: Mapping[str, Route], forms: Forms) -> dict[str, Route]:
    """Mark the destinations that a rule names."""
    return {name: replace(route, own_form=forms.name(*route.called)) for name, route in routes.items()}


def parts_of(kind: str, xml: bytes, form: Form) -> tuple[str, ...]:
    """Name what a signature in `form` over parts covers: the children of the root that are not the place of the signature."""
    if form.reference != "parts" or kind not in _WITH_PARTS:
        return ()
    children = (str(child.tag) for child in safe_xml.parse(xml) if isinstance(child.tag, str))
    return tuple(name for name in children if name != PLACES[kind])


def wanted(plan: Plan, paper: str, kind: str, destinations: Iterable[str]) -> list[Wanted]:
    """Give every rendition that is made of the unsigned one of `kind`, for the destinations that get the paper."""
    usual = plan.form_of(paper)
    found = [Wanted(kind, usual)]
    for name in dict.fromkeys(destinations):
        route = plan.routes.get(name)
        if route is None or not route.own_form or route.rendition != kind:
            continue
        form = plan.form_of(paper, *route.called)
        if form != usual:
            found.append(Wanted(route.own_kind, form, name))
    return found


def problems(forms: Forms, routes: Mapping[str, Route]) -> Iterator[ConfigFault]:
    """Yield what is wrong with the rules: papers and destinations that are not there, settings that mean nothing to them."""
    known = {word for route in routes.values() for word in route.called}
    for rule in forms.rules:
        where = f"{FILE}:{rule.line}"
        for paper in rule.papers:
            if paper not in PAPERS:
                yield KindUnknown(where, f"papers: {paper}; known: {', '.join(PAPERS)}")
        for name in rule.destinations:
            if name not in known:
                told = f"destinations: {name}; write the name or kind of one: {', '.join(sorted(known)) or 'none yet'}"
                yield SettingInvalid(where, told)
        for told in _misfits(rule, [route for route in routes.values() if set(rule.destinations) & set(route.called)]):
            yield SettingInvalid(where, told)


def _misfits(rule: Rule, named: list[Route]) -> Iterator[str]:
    form = rule.form
    if form.reference == "detached" and not rule.destinations:
        yield "reference: a file beside the paper is for destinations that take two; name them in destinations"
    for route in named:
        if route.rendition == imaging_study.RENDITION:
            yield f"{route.name} takes pictures, which nobody signs: take it away"
            continue
        of_xml = base_kind(route.rendition) != "fhir"
        if of_xml and (form.canonical or form.provenance):
            yield f"{route.name} takes {route.rendition}: canonical and provenance are for FHIR; take them away"
        if not of_xml and (form.signature or form.reference):
            yield f"{route.name} takes {route.rendition}, signed with JWS: take signature and reference away"
        if of_xml and form.reference == "parts" and route.rendition not in _WITH_PARTS:
            yield f'{route.name} takes {route.rendition}, which has no parts that are signed: write reference = "whole"'
        if of_xml and form.reference == "detached" and not getattr(route.settings, "takes_signature_beside", False):
            yield f'{route.name} takes one file only: write reference = "whole"'


def key_problems(plan: Plan, algorithms: Iterable[str]) -> Iterator[ConfigFault]:
    """Yield the rules that the node's own key, which does `algorithms`, cannot follow."""
    done = tuple(algorithms)
    for rule in plan.policies.forms.rules:
        if rule.form.algorithms and set(done).isdisjoint(rule.form.algorithms):
            told = f"algorithm: {', '.join(rule.form.algorithms)}; the key of [signing] does {', '.join(done)}"
            yield SettingInvalid(f"{FILE}:{rule.line}", f"{told}: write one of these, or sign with another key")
