"""Words of the pages, by language. Data in `pages.toml`: one entry per text, both languages side by side."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources

from gateway.text import Language


@cache
def words(language: Language) -> Mapping[str, str]:
    """Give every text of the pages by its name."""
    data = tomllib.loads((resources.files("gateway.text") / "pages.toml").read_text(encoding="utf-8"))
    return {name: entry[language] for name, entry in data.items()}
