"""One module per segment, named by it: `pid.py`, `obx.py`.

A module has mapping functions `<segment>_to_<resource>(segment, draft)` and two tables that speak of every field of the segment
the mappings know: `MAPPED`, field number → the element it goes to, and `IGNORED`, field number → why it is left out on purpose.
Element paths are written as in FHIR without indexes and types of a choice (`Observation.value`), an extension by the last word
of its URL (`Patient.extension(patient-birthPlace)`); what depends on the message or on a condition has alternatives, parted by
` | `. Modules are found by name; adding a segment is adding a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import NamedTuple

from mappings.hl7v2 import site

SEQUENCE = "sequence number of the sender; order is kept by position"
LEDGER = "about the transport; kept in the ledger with the message"
BILLING = "billing; not part of the clinical record"


class Tables(NamedTuple):
    """What is known of one segment's fields."""

    mapped: Mapping[int, str]
    ignored: Mapping[int, str]


def preload() -> None:
    """Import the module of every segment now."""
    for entry in iter_modules(__path__):
        _usual(entry.name.upper())


def tables(name: str) -> Tables | None:
    """Give the tables of segment `name`, what the site says of it included; None when neither speaks of it."""
    usual = _usual(name)
    own = site.readers.get(name)
    if own is None:
        return usual
    mapped, ignored = usual or _NOTHING
    return Tables({**mapped, **own.mapped}, {**ignored, **own.ignored})


_NOTHING = Tables({}, {})


@lru_cache(maxsize=1024)
def _usual(name: str) -> Tables | None:
    module = f"{__name__}.{name.lower()}"
    if find_spec(module) is None:
        return None
    loaded = import_module(module)
    return Tables(loaded.MAPPED, loaded.IGNORED)
