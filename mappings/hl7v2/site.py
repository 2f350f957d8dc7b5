"""A hospital's own habits: one function, one segment or one code table replaced, without a fork.

A site file is a plain Python file in the folder `site/` beside the channels:

    from mappings.hl7v2 import site

    @site.replace
    def pid_to_patient(pid, draft, usual):
        patient = usual(pid, draft)
        ...
        return patient

    @site.segment("ZPI", mapped={3: "Patient.extension(vn-ext-occupation)"}, ignored={1: "sequence"})
    def zpi(zpi, draft):
        ...

`usual` is the function that is replaced. A segment function is called for each such segment once its message is mapped; it also
serves for segments of the standard that the message type does not read. Code tables are CSV files named like those of
`mappings/codes`; their rows are read before the usual ones. Replacements hold for the whole process. Loading files is the
gateway's matter: this module only keeps what they register.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

if TYPE_CHECKING:
    from mappings.hl7v2.draft import Draft
    from mappings.hl7v2.reader import Segment

P = ParamSpec("P")
R = TypeVar("R")


class SegmentReader(NamedTuple):
    """A site's own reading of a segment."""

    read: Callable[[Segment, Draft], None]
    mapped: Mapping[int, str]
    ignored: Mapping[int, str]


class NotReplaceable(Exception):
    """Raised by `replace` when no mapping function has that name; the text names those that come close."""


_known: dict[str, Callable[..., Any]] = {}
_replaced: dict[str, Callable[..., Any]] = {}
readers: dict[str, SegmentReader] = {}
"""Segment name → the site's reading of it."""


def replaceable(function: Callable[P, R]) -> Callable[P, R]:
    """Let a site replace this mapping function; names are unique over all mappings."""
    name = function.__name__
    if name in _known:
        raise RuntimeError(f"two mapping functions are called {name}")
    _known[name] = function

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        own = _replaced.get(name)
        if own is None:
            return function(*args, **kwargs)
        result: R = own(*args, usual=function, **kwargs)
        return result

    return call


def replace(function: Callable[..., Any]) -> Callable[..., Any]:
    """Put this function in the place of the mapping function of the same name."""
    if function.__name__ not in _known:
        raise NotReplaceable(function.__name__)
    _replaced[function.__name__] = function
    return function


def segment(
    name: str, *, mapped: Mapping[int, str], ignored: Mapping[int, str] | None = None
) -> Callable[[Callable[[Segment, Draft], None]], Callable[[Segment, Draft], None]]:
    """Read a segment of this name with the function below."""

    def register(function: Callable[[Segment, Draft], None]) -> Callable[[Segment, Draft], None]:
        readers[name] = SegmentReader(function, mapped, ignored or {})
        return function

    return register


def replacements() -> dict[str, tuple[Callable[..., Any], Callable[..., Any]]]:
    """Give every replacement in force: name → (the site's function, the usual one)."""
    return {name: (own, _known[name]) for name, own in _replaced.items()}


def replaceable_names() -> list[str]:
    """List the names of all mapping functions that can be replaced."""
    return sorted(_known)


def forget() -> None:
    """Forget every replacement: what was there before a site was loaded."""
    _replaced.clear()
    readers.clear()
