"""What people read about a fault, in Vietnamese and English: *what happened — what to do*. Data in `vi.toml` and `en.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

Language = Literal["vi", "en"]


@dataclass(frozen=True)
class Text:
    what: str
    do: str

    def __str__(self) -> str:
        return f"{self.what} — {self.do}"


@cache
def _texts(language: Language) -> dict[int, Text]:
    data = tomllib.loads((resources.files(__package__) / f"{language}.toml").read_text(encoding="utf-8"))
    return {int(code): Text(**entry) for code, entry in data.items()}


def codes(language: Language) -> set[int]:
    return set(_texts(language))


def text(code: int, language: Language = "vi") -> Text:
    """Return the text of a fault or notice code; an unknown code is told by its number."""
    unknown = {"vi": Text(f"Lỗi LT{code:04d}", "gửi mã này cho bộ phận hỗ trợ")}
    unknown["en"] = Text(f"Fault LT{code:04d}", "give this code to support")
    return _texts(language).get(code, unknown[language])
