"""Read the official forms and choose the edition in force on a day.

Requirement: S3.3, S3.7
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from mappings.documents.faults import FormNotInForce, PaperUnknown

_NEEDS = frozenset({"R", "P", "C"})


@dataclass(frozen=True)
class Choice:
    """One box of a row; it is crossed when the value of the row is one of `codes`."""

    text: str
    codes: tuple[str, ...]
    level: int


@dataclass(frozen=True)
class Row:
    """One label of the form and what stands behind it."""

    label: str
    key: str
    need: str
    value: str
    """Template over the keys of the paper, such as `{NGAY_SINH} (Tuổi: {TUOI})`."""
    choices: tuple[Choice, ...]
    box: str
    """Key whose value crosses a box; the row's own key unless the row has a value as well."""
    mark: str
    origin: str
    """Where the item comes from, as the sending system knows it, such as `PV1-45`: from `origins.toml`."""


@dataclass(frozen=True)
class Column:
    """One column of a table; an optional one is left out when no line has anything in it."""

    label: str
    key: str
    optional: bool


@dataclass(frozen=True)
class Section:
    """One group of rows, in the order of the form."""

    key: str
    title: str
    loinc: str
    loinc_display: str
    lines: tuple[str, ...]
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Signer:
    """One signature block."""

    label: str
    hint: str
    side: str
    role: str
    """`professional` the practitioner, `legal` the facility, `other` somebody of `key`."""
    key: str
    need: str
    origin: str


@dataclass(frozen=True)
class Edition:
    """The form as one legal text has it."""

    number: str
    legal_basis: str
    valid_from: date
    valid_to: date | None
    mark: str
    date_line: str
    sections: tuple[Section, ...]
    signers: tuple[Signer, ...]
    numbers: dict[str, str]
    """Form number by category of the report, where one paper has several forms."""

    def covers(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True)
class Form:
    """One paper with all its editions."""

    paper: str
    title: str
    loinc: str
    loinc_display: str
    editions: tuple[Edition, ...]

    def on(self, day: date) -> Edition:
        """Give the edition in force on a day; raises `FormNotInForce`."""
        for edition in self.editions:
            if edition.covers(day):
                return edition
        raise FormNotInForce(self.paper, day.isoformat())


def names() -> tuple[str, ...]:
    """List the papers there are forms for."""
    return tuple(
        sorted(entry.name[:-5] for entry in files(f"{__package__}.forms").iterdir() if entry.name.endswith(".toml"))
    )


@cache
def form(paper: str) -> Form:
    """Read a form once; raises `PaperUnknown`."""
    if paper not in names():
        raise PaperUnknown(paper if paper.isidentifier() else "")
    data = tomllib.loads(files(f"{__package__}.forms").joinpath(f"{paper}.toml").read_text(encoding="utf-8"))
    return Form(
        paper=paper,
        title=data["title"],
        loinc=data["loinc"],
        loinc_display=data["loinc_display"],
        editions=tuple(_edition(edition) for edition in data["edition"]),
    )


@cache
def _origins() -> dict[str, str]:
    return tomllib.loads(files(__package__).joinpath("origins.toml").read_text(encoding="utf-8"))


def _origin(key: str) -> str:
    return _origins().get(key, f"OBX {key}")


def _edition(data: dict[str, Any]) -> Edition:
    return Edition(
        number=data["number"],
        legal_basis=data["legal_basis"],
        valid_from=data["valid_from"],
        valid_to=data.get("valid_to"),
        mark=data["mark"],
        date_line=data["date_line"],
        sections=tuple(_section(section, data["mark"]) for section in data["section"]),
        signers=tuple(
            Signer(
                label=signer["label"],
                hint=signer.get("hint", ""),
                side=signer["side"],
                role=signer["role"],
                key=signer.get("key", ""),
                need=_need(signer),
                origin=_origin(signer.get("key") or f"role.{signer['role']}"),
            )
            for signer in data["signer"]
        ),
        numbers=dict(data.get("numbers", {})),
    )


def _section(data: dict[str, Any], mark: str) -> Section:
    return Section(
        key=data["key"],
        title=data["title"],
        loinc=data.get("loinc", ""),
        loinc_display=data.get("loinc_display", ""),
        lines=tuple(data.get("lines", ())),
        rows=tuple(
            Row(
                label=row["label"],
                key=row["key"],
                need=_need(row),
                value=row.get("value", "" if "choices" in row else "{" + row["key"] + "}"),
                choices=tuple(
                    Choice(choice["text"], tuple(choice["codes"]), choice.get("level", 0))
                    for choice in row.get("choices", ())
                ),
                box=row.get("box", row["key"]),
                mark=row.get("mark", mark),
                origin=_origin(row["key"]),
            )
            for row in data.get("row", ())
        ),
        columns=tuple(
            Column(column["label"], column["key"], column.get("optional", False)) for column in data.get("column", ())
        ),
        notes=tuple(data.get("notes", ())),
    )


def _need(data: dict[str, Any]) -> str:
    need: str = data["need"]
    assert need in _NEEDS, need
    return need
