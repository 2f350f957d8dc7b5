"""What judges say, and what they judge: the parts of Bundles, each distinct one once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

Json = dict[str, Any]
Problem = tuple[str, str]
"""Path from the resource's type, and what the judge says."""

Check = Callable[[Sequence[str]], list[list[Problem]]]
"""A judge: the problems of each resource, given as JSON text."""

INSTALLED = Path(__file__).resolve().parents[2] / ".judges"
"""Where `deploy/judges.sh` puts what is not a Python package of ours."""


class NotInstalled(Exception):
    """Say that a judge is not on this machine, and which command brings it."""

    def __init__(self) -> None:
        super().__init__(f"The judges are not installed in {INSTALLED}. Install them with: sh deploy/judges.sh")


@dataclass(frozen=True, order=True)
class Finding:
    """One thing one judge does not accept."""

    judge: str
    name: str
    """The Bundle, as the caller named it."""
    path: str
    text: str


def read(text: str | bytes) -> Any:
    """Read JSON with every digit of its decimals."""
    return json.loads(text, parse_float=Decimal)


_WRITER = msgspec.json.Encoder(decimal_format="number", order="deterministic")


def write(value: Any) -> str:
    """Write JSON with every digit of its decimals; the same value gives the same text."""
    return _WRITER.encode(value).decode()


WHOLE = ("Composition", "MessageHeader")
"""First entries that invariants of Bundle ask for by type."""


def shell(bundle: Json) -> Json:
    """Give the Bundle with a small sound resource in place of each of its own, so that its own rules can be judged alone."""
    entries = bundle.get("entry")
    if not isinstance(entries, list):
        return bundle
    return {**bundle, "entry": [_stand_in(entry) for entry in entries]}


def _stand_in(entry: Any) -> Any:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(resource, dict) or resource.get("resourceType") in WHOLE:
        return entry
    kept = {name: resource[name] for name in ("id", "meta") if name in resource}
    return {**entry, "resource": {"resourceType": "Basic", **kept, "code": {"text": "stand-in"}}}


def parts(bundle: Json) -> Iterator[tuple[str, Json]]:
    """Give the shell of a Bundle and each of its resources, with the path each stands at; any other resource as it is."""
    if bundle.get("resourceType") != "Bundle":
        yield "", bundle
        return
    yield "", shell(bundle)
    entries = bundle.get("entry")
    for n, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
            yield f"Bundle.entry[{n}].", entry["resource"]


@dataclass(frozen=True)
class Work:
    """The distinct resources of many Bundles, and where each stands."""

    texts: list[str]
    places: list[list[tuple[str, str]]]
    """For each text: (name of the Bundle, path it stands at)."""

    @classmethod
    def of(cls, bundles: Iterable[tuple[str, Json]]) -> Work:
        known: dict[str, list[tuple[str, str]]] = {}
        for name, bundle in bundles:
            for path, resource in parts(bundle):
                known.setdefault(write(resource), []).append((name, path))
        return cls(list(known), list(known.values()))

    def findings(self, judge: str, problems: Sequence[Sequence[Problem]]) -> Iterator[Finding]:
        """Spread what a judge says of each distinct resource over all places where it stands."""
        for places, said in zip(self.places, problems, strict=True):
            for path, text in said:
                for name, place in places:
                    yield Finding(judge, name, place + path, text)
