"""Read the official forms and choose the edition in force on a day.

Requirement: S3.3, S3.7
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from mappings.documents.faults import FormNotInForce, PaperUnknown

_KEY = re.compile(r"[A-Z][A-Z0-9_]*$")
_NUMBERED = re.compile(r"(?:[IVX]+|[A-Z]|\d+)[.)] ")
_NEEDS = frozenset({"R", "P", "C"})
EXTRAS = "extras"
"""Key of the section that holds what is not on the official form."""


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
    pattern: str
    """What the whole text must look like when there is any; `""`: anything."""
    same_line: bool
    """Stands on the line of the row before it."""
    side: str
    """In the header: `left` or `right` block, `body` under the title; empty: where rows of this key usually stand."""


@dataclass(frozen=True)
class Column:
    """One column of a table; an optional one is left out when no line has anything in it."""

    label: str
    key: str
    optional: bool


@dataclass(frozen=True)
class Item:
    """One line that a table of the form always has, with its label."""

    label: str
    key: str


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
    items: tuple[Item, ...]
    across: int
    """How many columns of the content one table holds beside those of the form; further ones begin another table."""
    notes: tuple[str, ...]
    heading: bool
    """The form prints the title; unless said, that of a table and one that is numbered or in capitals."""
    empty: str = ""
    """What the section says when nothing is known, in place of an empty table; `""`: the empty table stands."""


@dataclass(frozen=True)
class Signer:
    """One signature block."""

    label: str
    hint: str
    side: str
    role: str
    """`professional` the practitioner, `legal` the facility, `other` somebody else."""
    key: str
    """Key of the name; without one a practitioner is named by the paper's own."""
    need: str
    origin: str
    unless: str
    """Role that signs in this one's place too when both are one person."""


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
    """Form number by category of the paper, where one paper has several forms."""
    max_days: dict[str, int]
    """Days of leave one paper may give, by ground; see `leave`."""
    subtitle: str
    """Printed under the title, such as the words in brackets of a leave paper."""
    paper_size: str
    """`A4` or `A5`."""
    copies: int
    """2 when the form is printed as two identical parts (`liên`) on one sheet."""
    titles: dict[str, str]
    """Title by category, where the forms of one paper have titles of their own."""
    limits: dict[str, int]
    """Key of a number that the law limits → the greatest allowed."""

    def covers(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True)
class Form:
    """One paper with all its editions."""

    paper: str
    title: str
    loinc: str
    """`""` where no code of LOINC fits."""
    loinc_display: str
    editions: tuple[Edition, ...]

    def on(self, day: date) -> Edition:
        """Give the edition in force on a day; raises `FormNotInForce`."""
        for edition in self.editions:
            if edition.covers(day):
                return _with_own_rows(edition, own_rows(self.paper))
        raise FormNotInForce(self.paper, day.isoformat())


def _with_own_rows(edition: Edition, rows: tuple[Row, ...]) -> Edition:
    if not rows:
        return edition
    if all(section.key != EXTRAS for section in edition.sections):
        last = Section(
            EXTRAS, "Nội dung bổ sung của cơ sở khám bệnh, chữa bệnh", "", "", (), rows, (), (), 6, (), False
        )
        return replace(edition, sections=(*edition.sections, last))
    return replace(
        edition,
        sections=tuple(
            replace(section, rows=(*section.rows, *rows)) if section.key == EXTRAS else section
            for section in edition.sections
        ),
    )


_own: dict[str, tuple[Row, ...]] = {}


def own_rows(paper: str) -> tuple[Row, ...]:
    """Give the rows a site added to a form; they stand after everything official, and nothing official goes."""
    return _own.get(paper, ())


def add_own_rows(text: str) -> None:
    """Take rows a site adds to its papers; raises ValueError when the text is not a table of rows."""
    for data in tomllib.loads(text).get("row", ()):
        if data.keys() != {"paper", "label", "key"}:
            raise ValueError("a row has paper, label and key")
        if data["paper"] not in names():
            raise ValueError(f"no paper is called {data['paper']}")
        if not _KEY.match(data["key"]):
            raise ValueError(f"key: {data['key']} is not written in capitals, digits and underscores")
        taken = {row.key for edition in form(data["paper"]).editions for s in edition.sections for row in s.rows}
        if data["key"] in taken | {row.key for row in own_rows(data["paper"])}:
            raise ValueError(f"key: {data['key']} is on {data['paper']} already")
        row = _section({"key": EXTRAS, "title": "", "row": [{**data, "need": "C"}]}, "L").rows[0]
        _own[data["paper"]] = (*own_rows(data["paper"]), row)


def forget() -> None:
    """Forget the rows of a site."""
    _own.clear()


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
        loinc=data.get("loinc", ""),
        loinc_display=data.get("loinc_display", ""),
        editions=tuple(_edition(_whole(edition, data["edition"])) for edition in data["edition"]),
    )


@cache
def _origins() -> dict[str, str]:
    return tomllib.loads(files(__package__).joinpath("origins.toml").read_text(encoding="utf-8"))


def origin(key: str) -> str:
    """Say where an item comes from; one without a line of its own is told under its name."""
    return _origins().get(key, f"OBX {key}")


def _whole(edition: dict[str, Any], editions: list[dict[str, Any]]) -> dict[str, Any]:
    """Complete an edition that is another one but for what it says itself: `like` is the number of the other."""
    return {**editions[edition["like"]], **edition} if "like" in edition else edition


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
                origin=origin(signer.get("key") or f"role.{signer['role']}"),
                unless=signer.get("unless", ""),
            )
            for signer in data["signer"]
        ),
        numbers=dict(data.get("numbers", {})),
        max_days=dict(data.get("max_days", {})),
        subtitle=data.get("subtitle", ""),
        paper_size=data.get("paper_size", "A4"),
        copies=data.get("copies", 1),
        titles=dict(data.get("titles", {})),
        limits=dict(data.get("limits", {})),
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
                origin=origin(row["key"]),
                pattern=row.get("pattern", ""),
                same_line=row.get("same_line", False),
                side=row.get("side", ""),
            )
            for row in data.get("row", ())
        ),
        columns=tuple(
            Column(column["label"], column["key"], column.get("optional", False)) for column in data.get("column", ())
        ),
        items=tuple(Item(item["label"], item["key"]) for item in data.get("item", ())),
        across=data.get("across", 6),
        notes=tuple(data.get("notes", ())),
        heading=data.get("heading", _heading(data)),
        empty=data.get("empty", ""),
    )


def _heading(data: dict[str, Any]) -> bool:
    title: str = data["title"]
    return "column" in data or title.isupper() or _NUMBERED.match(title) is not None


def _need(data: dict[str, Any]) -> str:
    need: str = data["need"]
    assert need in _NEEDS, need
    return need
