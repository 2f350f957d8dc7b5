"""What the fields of common HL7 v2 segments and of instruments' records are, for people who do not know their numbers.

Data in `fields.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources

from gateway.text import Language


def field_name(position: str, language: Language = "vi") -> str:
    """Name the field at a position such as `PID-5` or `OBX[2]-5`; nothing when it is not known."""
    segment, _, n = position.rpartition("-")
    names = known().get(segment.partition("[")[0], {}).get(n)
    return names[language == "en"] if names else ""


@cache
def known() -> Mapping[str, Mapping[str, tuple[str, str]]]:
    """Give segment → field number → the Vietnamese and the English name."""
    data = tomllib.loads((resources.files(__package__) / "fields.toml").read_text(encoding="utf-8"))
    return {segment: {n: (vi, en) for n, (vi, en) in names.items()} for segment, names in data.items()}
