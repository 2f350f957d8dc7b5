"""Say which paper is due after a message, until when, and what becomes of one that was issued: a table, `rules.toml`.

A rule names a paper, the kind of resource it is about, and three lists of events: `on` makes it due, `renew` makes a new
version of one that was issued (late data), `cancel` withdraws it. Conditions on the visit (`class`, `disposition`,
`department`) hold when the message says nothing of them: a paper too many is seen, one too few is not. A site may replace the
rules of a paper.

Requirement: S3.8, S3.15, S3.16
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any

from mappings.documents.record import tells
from mappings.formats.values import parse_within
from mappings.outcome import Resource

_EVENT = re.compile(r"^[A-Z][A-Z0-9]{2,9}(\^[A-Z0-9]{3,8})?$")


@dataclass(frozen=True)
class Rule:
    """One row of the table."""

    paper: str
    subject: str
    """Type of the resource the paper, or its part behind `#`, is about."""
    on: tuple[str, ...] = ()
    """Events that make it due: `ADT^A03`, a whole family `MDM`, or a table of an insurance file, `GDBHYT^XML7`."""
    renew: tuple[str, ...] = ()
    """Events after which an issued one is made again; the same content makes no new version."""
    cancel: tuple[str, ...] = ()
    """Events that withdraw an issued one."""
    cancel_status: tuple[str, ...] = ()
    """States of the subject that withdraw an issued one, whatever the event."""
    classes: tuple[str, ...] = ()
    """Encounter classes (v3 ActCode) it is for; empty = any."""
    disposition: tuple[str, ...] = ()
    """Codes of the discharge disposition it is for; empty = any."""
    department: tuple[str, ...] = ()
    """Codes or names of the department it is for; empty = any."""
    told: tuple[str, ...] = ()
    """Fields of QĐ 3176 of which the message has to tell one, for the paper to be made; empty = none."""
    unless: tuple[str, ...] = ()
    """Papers about the same visit after any of which this one is not due any more."""
    within: int = 86400
    """Seconds in which it has to be signed and to have arrived; END_OF_DAY. Written `36h`, `end of day`, `at once`."""
    within_emergency: int = 0
    """The same for emergency visits; 0 = `within`."""
    since: str = ""
    """Element of the subject the time counts from, such as `period.end`; without it, when the message came."""
    source: str = ""
    """Law or requirement."""


@dataclass(frozen=True)
class Due:
    """What a message asks for."""

    paper: str
    subject: str
    """Reference of the resource the paper is about."""
    act: str
    """`make`, `renew`, `cancel`."""
    within: int
    """Seconds; END_OF_DAY."""
    since: str
    """FHIR time the seconds count from; `""` = when the message came."""
    unless: tuple[str, ...] = ()
    """Papers about the same visit after any of which this one is not made."""


def rules(paper: str) -> tuple[Rule, ...]:
    """Give the rules of a paper: the site's where it has any."""
    return _own.get(paper) or _usual().get(paper, ())


def replace(text: str) -> None:
    """Take the rules of a site, for the papers it names; raises ValueError when the text is not a table of rules."""
    _own.update(_read(text))


def forget() -> None:
    """Forget the rules of a site."""
    _own.clear()


_own: dict[str, tuple[Rule, ...]] = {}


@cache
def _usual() -> Mapping[str, tuple[Rule, ...]]:
    return _read(files(__package__).joinpath("rules.toml").read_text(encoding="utf-8"))


def _read(text: str) -> dict[str, tuple[Rule, ...]]:
    found: dict[str, tuple[Rule, ...]] = {}
    for row in tomllib.loads(text).get("rule", ()):
        rule = _rule(row)
        found[rule.paper] = (*found.get(rule.paper, ()), rule)
    return found


def _rule(row: Mapping[str, Any]) -> Rule:
    known = {field.name for field in fields(Rule)} - {"classes"} | {"class"}
    if unknown := row.keys() - known:
        raise ValueError(f"no rule has {', '.join(sorted(unknown))}")
    if missing := {"paper", "subject"} - row.keys():
        raise ValueError(f"a rule needs {', '.join(sorted(missing))}")
    values = {"classes" if name == "class" else name: value for name, value in row.items()}
    for name, value in values.items():
        if isinstance(value, list):
            values[name] = tuple(value)
    for name in ("within", "within_emergency"):
        if name in values:
            values[name] = parse_within(str(values[name]))
    rule = Rule(**values)
    for event in (*rule.on, *rule.renew, *rule.cancel):
        if not _EVENT.match(event):
            raise ValueError(f"{rule.paper}: {event} is not written like ADT^A03 or MDM")
    return rule


def asked(
    paper: str,
    trigger: str,
    resources: Sequence[Resource],
    subjects: Sequence[str],
    changed: Sequence[str] | None = None,
) -> Iterator[Due]:
    """Give what a message asks of one paper; `subjects` are those the paper's own module finds in it.

    `changed` are those it finds to be changed, for papers about parts of a resource; None for papers about all of one.
    """
    by_reference = {f"{r['resourceType']}/{r['id']}": r for r in resources}
    for rule in rules(paper):
        if _names(trigger, rule.on) and (not rule.told or tells(resources, *rule.told)):
            for subject in subjects:
                yield from _judged(rule, "make", subject, by_reference)
        if _names(trigger, (*rule.on, *rule.renew)):
            for subject in changed or ():
                if subject not in subjects:
                    yield from _judged(rule, "renew", subject, by_reference)
        for act, events in (("renew", rule.renew), ("cancel", rule.cancel)):
            if _names(trigger, events) and (changed is None or act != "renew"):
                for reference, resource in by_reference.items():
                    if resource["resourceType"] == rule.subject:
                        yield from _judged(rule, act, reference, by_reference)
        for reference, resource in by_reference.items():
            if resource["resourceType"] == rule.subject and resource.get("status") in rule.cancel_status:
                yield Due(paper, reference, "cancel", rule.within, "")


def _names(trigger: str, events: Sequence[str]) -> bool:
    return trigger in events or trigger.partition("^")[0] in events


def _judged(rule: Rule, act: str, subject: str, known: Mapping[str, Resource]) -> Iterator[Due]:
    resource = known.get(subject.partition("#")[0], {})
    visit = _visit(resource, known)
    if act == "make" and not _fits(rule, visit, known):
        return
    emergency = visit.get("class", {}).get("code") == "EMER"
    within = rule.within_emergency or rule.within if emergency else rule.within
    yield Due(rule.paper, subject, act, within, _since(rule, resource), rule.unless if act == "make" else ())


def _visit(resource: Resource, known: Mapping[str, Resource]) -> Resource:
    if resource.get("resourceType") == "Encounter":
        return resource
    return known.get((resource.get("encounter") or {}).get("reference", ""), {})


def _fits(rule: Rule, visit: Resource, known: Mapping[str, Resource]) -> bool:
    said = {
        "classes": {code for code in [visit.get("class", {}).get("code")] if code},
        "disposition": _codes(visit.get("hospitalization", {}).get("dischargeDisposition", {})),
        "department": {name for stay in visit.get("location", []) for name in _place(stay, known)},
    }
    return all(not (wanted := getattr(rule, name)) or not codes or codes & set(wanted) for name, codes in said.items())


def _codes(concept: Mapping[str, Any]) -> set[str]:
    return {coding["code"] for coding in concept.get("coding", []) if coding.get("code")}


def _place(stay: Mapping[str, Any], known: Mapping[str, Resource]) -> Iterator[str]:
    location = known.get(stay.get("location", {}).get("reference", ""))
    for _ in range(6):
        if location is None:
            return
        yield from (i["value"] for i in location.get("identifier", []) if i.get("value"))
        yield from (location[name] for name in ("name", "description") if location.get(name))
        location = known.get(location.get("partOf", {}).get("reference", ""))


def _since(rule: Rule, resource: Resource) -> str:
    value: Any = resource
    for step in rule.since.split(".") if rule.since else ():
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, str) and "T" in value else ""
