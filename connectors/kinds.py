"""Find a source or destination by the word a channel file writes after `kind =`.

A kind is the name of a module of `connectors.sources` or `connectors.destinations` (without a leading underscore) that
has a `Settings` dataclass and a class `Source` or `Destination`. Others add kinds with an entry point
`lienthong.sources` or `lienthong.destinations` whose value is such a module; a kind of ours cannot be replaced that way.
"""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, cast

from connectors import destinations, sources
from connectors.contract import Destination, Source

_SOURCES = "lienthong.sources"
_DESTINATIONS = "lienthong.destinations"


def source_kinds() -> tuple[str, ...]:
    """Name every source kind that can be configured here, sorted."""
    return tuple(sorted({*_own(sources), *_foreign(_SOURCES)}))


def destination_kinds() -> tuple[str, ...]:
    """Name every destination kind that can be configured here, sorted."""
    return tuple(sorted({*_own(destinations), *_foreign(_DESTINATIONS)}))


def load_source(kind: str) -> tuple[type[Any], type[Source]]:
    """Give the `Settings` dataclass and the source class of `kind`.

    Raises `ValueError`, worded as one line of `lienthong check`, when there is no such kind.
    """
    module = _module(kind, sources, _SOURCES)
    return module.Settings, cast("type[Source]", module.Source)


def load_destination(kind: str) -> tuple[type[Any], type[Destination]]:
    """Give the `Settings` dataclass and the destination class of `kind`; raises as `load_source` does."""
    module = _module(kind, destinations, _DESTINATIONS)
    return module.Settings, cast("type[Destination]", module.Destination)


def _own(package: ModuleType) -> set[str]:
    return {found.name for found in pkgutil.iter_modules(package.__path__) if not found.name.startswith("_")}


def _foreign(group: str) -> set[str]:
    return {point.name for point in entry_points(group=group)}


def _module(kind: str, package: ModuleType, group: str) -> ModuleType:
    if kind in _own(package):
        return importlib.import_module(f"{package.__name__}.{kind}")
    foreign = {point.name: point for point in entry_points(group=group)}  # reads every installed package: 20 ms
    if kind in foreign:
        return cast("ModuleType", foreign[kind].load())
    known = ", ".join(sorted({*_own(package), *foreign}))
    raise ValueError(f"kind: {kind!r} is not known — write one of {known}")
