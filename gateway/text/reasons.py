"""Why a field is ignored or unknown, in the reader's language. Data in `reasons.vi.toml`, by the English of the mapping."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources

from gateway.text import Language


def reason(english: str, language: Language = "vi") -> str:
    """Tell a reason of a mapping; one that has no translation, such as a site's own, as it is."""
    return english if language == "en" else translations().get(english, english)


@cache
def translations() -> Mapping[str, str]:
    """Give every English phrase with its Vietnamese."""
    return tomllib.loads((resources.files(__package__) / "reasons.vi.toml").read_text(encoding="utf-8"))
