"""What people read of a rule: *what is wrong — what to do*, in Vietnamese and English. Data in `texts.*.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Literal

Language = Literal["vi", "en"]


@cache
def texts(language: Language) -> dict[str, str]:
    """Give the text of every rule by its id."""
    return dict(_data(language)["rules"])


@cache
def values(language: Language) -> dict[str, str]:
    """Give the words for classes of values."""
    return dict(_data(language)["values"])


@cache
def _data(language: Language) -> dict[str, dict[str, str]]:
    return tomllib.loads((resources.files(__package__) / f"texts.{language}.toml").read_text(encoding="utf-8"))


def text(rule: str, language: Language = "vi") -> str:
    return texts(language)[rule]


def remedy(rule: str, language: Language = "vi") -> str:
    """Give what to do, without what is wrong."""
    return text(rule, language).partition(" — ")[2]


def value(name: str, language: Language = "vi") -> str:
    return values(language)[name]
