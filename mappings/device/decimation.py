"""Which of the many values of a monitor go into the record: by rules, one of each window of time; the message keeps them all.

What is kept is always a value that was measured, with its time and its digits: of a window the median (of an even number the
lower one), the first, the last, the least or the greatest; nothing is averaged. A window of one value keeps that one as it is.
Waveforms stay in the message alone unless a rule takes them; alarms, blood pressures, codes and texts are always taken.

Without rules of the site numbers are kept as one median a minute. `site/devices.toml`:

    [[rule]]
    metric = ["147842"]             # codes of MDC; without it: every other number
    every  = "5m"                   # "0s": every value
    keep   = ["median", "min", "max"]

    [[rule]]
    kind = "waveform"
    keep = ["first"]                # of each window one strip; []: none
    every = "1h"

Requirement: S1.5
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from mappings.formats.values import parse_duration
from mappings.ids import resource_id
from mappings.outcome import Coverage, Outcome, Resource
from mappings.systems import MDC

Kind = Literal["number", "waveform"]
KEEPS = ("median", "first", "last", "min", "max")
RAW = "kept in the message alone, by the rule for devices"
"""Reason of the fields of a value that no rule takes into the record."""
_LONGEST = timedelta(days=1)


@dataclass(frozen=True)
class Rule:
    """What is kept of the values of some metrics."""

    kind: Kind = "number"
    metrics: frozenset[str] = frozenset()
    """Codes of MDC; empty = every other of the kind."""
    every_s: int = 60
    """Length of a window, in seconds; 0 = every value."""
    keep: tuple[str, ...] = ("median",)
    """Which of the values of a window; none = they stay in the message."""


_USUAL = (Rule(), Rule("waveform", keep=()))
_own: list[Rule] = []


def forget() -> None:
    """Forget the rules of a site."""
    _own.clear()


def replace(text: str) -> None:
    """Take the rules of a site; raises ValueError when the text is no table of rules."""
    table = tomllib.loads(text)
    if unknown := table.keys() - {"rule"}:
        raise ValueError(f"only [[rule]] is known here, not {', '.join(sorted(unknown))}")
    rules = [_rule(row) for row in table.get("rule", ())]
    seen: set[tuple[str, str]] = set()
    for rule in rules:
        for metric in rule.metrics or {""}:
            if (rule.kind, metric) in seen:
                raise ValueError(f"two rules for {metric or f'every other {rule.kind}'}")
            seen.add((rule.kind, metric))
    _own[:] = rules


def _rule(row: Mapping[str, Any]) -> Rule:
    if unknown := row.keys() - {"kind", "metric", "every", "keep"}:
        raise ValueError(f"no rule has {', '.join(sorted(unknown))}; it has kind, metric, every, keep")
    kind = row.get("kind", "number")
    if kind not in ("number", "waveform"):
        raise ValueError(f"kind: number or waveform, not {kind!r}")
    keep = tuple(row.get("keep", ("median",) if kind == "number" else ()))
    allowed = KEEPS if kind == "number" else ("first", "last")
    if wrong := [one for one in keep if one not in allowed]:
        raise ValueError(f"keep: {', '.join(allowed)}, not {wrong[0]!r}")
    metrics = row.get("metric", [])
    if isinstance(metrics, str) or not all(isinstance(one, str) and one.isdigit() for one in metrics):
        raise ValueError('metric: codes of MDC, such as ["147842"]')
    every = parse_duration(str(row.get("every", "1m")))
    if not timedelta(0) <= every <= _LONGEST or every % timedelta(seconds=1):
        raise ValueError("every: whole seconds, a day at most, such as 30s, 1m, 1h")
    return Rule(kind, frozenset(metrics), int(every.total_seconds()), keep)


def rule_for(observation: Resource) -> Rule | None:
    """Give the rule for a measurement; None for one that is always taken."""
    if not _is_measured(observation):
        return None
    codes = {one["code"] for one in observation["code"].get("coding", ()) if one["system"] == MDC}
    if "valueSampledData" in observation:
        kind: Kind = "waveform"
    elif "valueQuantity" in observation or (
        "dataAbsentReason" in observation and not any(name.startswith(("value", "component")) for name in observation)
    ):
        kind = "number"
    else:
        return None
    of_kind = [rule for rule in (*_own, *_USUAL) if rule.kind == kind]
    named = next((rule for rule in of_kind if rule.metrics & codes), None)
    rule = named or next(rule for rule in of_kind if not rule.metrics)
    return None if not rule.every_s and rule.keep else rule


def _is_measured(observation: Resource) -> bool:
    """Tell whether a device measured it."""
    return str(observation.get("device", {}).get("reference", "")).startswith("DeviceMetric/")


@dataclass(frozen=True)
class Sample:
    """One value that waits for the others of its window."""

    every_s: int
    window_at: int
    """Begin of the window, seconds since 1970."""
    metric: str
    """Reference of the DeviceMetric."""
    keep: tuple[str, ...]
    observation: Resource


@dataclass(frozen=True)
class Sifted:
    """An outcome, and the values that wait."""

    outcome: Outcome
    samples: Sequence[Sample] = ()
    frame: Sequence[Resource] = ()
    """Everything that the values refer to, and the rest of a message of which nothing else is taken."""
    fates: Mapping[str, int] = field(default_factory=dict)
    """How many values of devices are taken one by one (`record`), wait (`waiting`), stay in the message (`raw`)."""


def sift(outcome: Outcome) -> Sifted:
    """Part what goes into the record now from what waits for its window and what stays in the message."""
    samples: list[Sample] = []
    dropped: set[str] = set()
    now: list[Resource] = []
    frame: list[Resource] = []
    for resource in outcome.resources:
        rule = rule_for(resource) if resource["resourceType"] == "Observation" else None
        if rule is None:
            (now if resource["resourceType"] == "Observation" else frame).append(resource)
            continue
        at = _instant(resource)
        if not rule.keep:
            dropped.add(f"Observation/{resource['id']}")
        elif at is None:
            now.append(resource)
        else:
            window = at - at % rule.every_s
            samples.append(Sample(rule.every_s, window, resource["device"]["reference"], rule.keep, resource))
    if not samples and not dropped:
        measured = sum(_is_measured(one) for one in now)
        return Sifted(outcome, fates={"record": measured} if measured else {})
    taken = [*frame, *now] if now or not samples else []
    if dropped and not samples and not now:
        taken = [one for one in frame if one["resourceType"] not in ("Device", "DeviceMetric")]
    coverage = _without(outcome, dropped) if dropped else outcome.coverage
    kept = {f"{one['resourceType']}/{one['id']}" for one in taken}
    return Sifted(
        Outcome(
            **{
                **vars(outcome),
                "resources": taken,
                "coverage": coverage,
                "cleared": {ref: paths for ref, paths in outcome.cleared.items() if ref in kept},
                "assumed": {ref: paths for ref, paths in outcome.assumed.items() if ref in kept},
            }
        ),
        samples,
        frame,
        {"waiting": len(samples), "raw": len(dropped), "record": len(now)},
    )


def _instant(observation: Resource) -> int | None:
    moment = observation.get("effectiveDateTime") or observation.get("effectivePeriod", {}).get("start", "")
    return int(datetime.fromisoformat(moment).timestamp()) if "T" in moment else None


def _without(outcome: Outcome, dropped: set[str]) -> Coverage:
    """Account for the fields of which nothing but dropped values came."""
    mapped, ignored = dict(outcome.coverage.mapped), dict(outcome.coverage.ignored)
    rows = {
        position
        for position, made in outcome.origins.items()
        if (values := [one for one in made if one.startswith("Observation/")]) and dropped.issuperset(values)
    }
    for position in [one for one in mapped if one.rpartition("-")[0] in rows]:
        del mapped[position]
        ignored[position] = RAW
    return Coverage(mapped, ignored, outcome.coverage.unknown)


def choose(samples: Iterable[Sample], own: str) -> list[Resource]:
    """Choose of the values of one window, of each metric, those that the rule keeps; the same whatever their order.

    Each is an Observation known by metric, window and kind, so that a late value changes which one it is and adds none.
    `own` is the base of our systems.
    """
    by_metric: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        subject = str(sample.observation.get("subject", {}).get("reference", ""))
        by_metric.setdefault((subject, sample.metric), []).append(sample)
    found: list[Resource] = []
    for (subject, metric), all_of in sorted(by_metric.items()):
        values = [one for one in all_of if _number(one) is not None or "valueSampledData" in one.observation]
        in_time = sorted(values or all_of, key=_moment)
        by_value = sorted(values, key=lambda one: (_number(one) or Decimal(0), *_moment(one)))
        taken: list[int] = []
        for kind in KEEPS:
            if kind not in in_time[-1].keep:
                continue
            one = in_time[-1] if kind == "last" else in_time[0]
            if by_value and kind in ("median", "min", "max"):
                one = by_value[{"median": (len(by_value) - 1) // 2, "min": 0, "max": -1}[kind]]
            if id(one) not in taken:
                taken.append(id(one))
                found.append(_kept(one, kind, len(in_time), f"{subject}|{metric}", own))
    return found


def _kept(sample: Sample, kind: str, count: int, key: str, own: str) -> Resource:
    number = f"{key}|{sample.every_s}|{sample.window_at}|{kind}"
    observation = {**sample.observation, "id": resource_id("Observation", f"{own}/sid/device-window", number)}
    if count > 1:
        said = [{"url": "kept", "valueCode": kind}, {"url": "of", "valueInteger": count}]
        said.append({"url": "seconds", "valueInteger": sample.every_s})
        window = {"url": f"{own}/StructureDefinition/device-window", "extension": said}
        observation["extension"] = [*observation.get("extension", ()), window]
    return observation


def _number(sample: Sample) -> Decimal | None:
    value = sample.observation.get("valueQuantity", {}).get("value")
    return None if value is None else Decimal(value)


def _moment(sample: Sample) -> tuple[int, str, str]:
    moment = sample.observation.get("effectiveDateTime") or sample.observation.get("effectivePeriod", {}).get(
        "start", ""
    )
    return int(datetime.fromisoformat(moment).timestamp() * 1_000_000), moment, str(sample.observation["id"])
