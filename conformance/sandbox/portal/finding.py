"""Hold what the assessment finds, with its words in two languages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from conformance.sandbox.portal.shapes import read_csv

Kind = Literal["block", "structure", "content"]


@dataclass(frozen=True)
class Finding:
    """One error. Never holds a value of the file."""

    kind: Kind
    """`block`: the record is returned. `structure`, `content`: shown beside the record."""
    code: str
    """Number of the block error; otherwise the name of the check, ours."""
    table: str = ""
    row: int = 0
    field: str = ""
    about: str = ""
    """What the text says more exactly: a formula, a list, another field."""

    def text(self, language: str = "vi") -> str:
        """Say what is wrong."""
        told = _texts().get(self.code if self.kind != "block" else f"B{self.code}", {})
        return told.get(language, self.code).replace("{about}", self.about)

    def place(self) -> str:
        """Say where, such as `XML2 3 THANH_TIEN_BH`."""
        return " ".join(str(part) for part in (self.table, self.row or "", self.field) if part)

    def describe(self) -> dict[str, object]:
        """Return it as JSON-shaped facts."""
        return {
            "kind": self.kind,
            "code": self.code,
            "table": self.table,
            "row": self.row,
            "field": self.field,
            "text": self.text(),
            "text_en": self.text("en"),
        }


@cache
def _texts() -> dict[str, dict[str, str]]:
    return {row["code"]: {"vi": row["vi"], "en": row["en"]} for row in read_csv("finding_texts.csv")}


def known_block_codes() -> tuple[str, ...]:
    """Return the numbers of the block errors that have a text."""
    return tuple(code[1:] for code in _texts() if code[0] == "B" and code[1:].isdigit())
