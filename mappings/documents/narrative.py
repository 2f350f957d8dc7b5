"""Write the sections of a paper as XHTML: one table row per label, in the order of the form.

The markup is a small fixed set (div, p, br, span, table, thead, tbody, tr, th, td with `id` and `class`), which the CDA
rendition takes over one to one. A cell carries the key of its row as `id`, so that coded entries can point to it. Classes say
where things stand on the printed form; they are the style codes of the CDA, local ones with the prefix `x`. Does not say how
anything looks.

Standard: CDA R2 §4.3.5.11
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

from mappings.documents.form import Choice, Column, Edition, Row, Section, Signer

_INDENT = "\u2003"
BLANK = "……"
"""What stands in a line of several values for one that is not known."""
_ALONE = re.compile(r"\{\w+\}")
_ONE_LINE = 40
"""Boxes whose texts are no longer than this follow each other on one line."""
_LEFT = re.compile(r"CO_QUAN_CHU_QUAN|KHOA|.*_CSKCB")
_RIGHT = re.compile(r"MS|SO|SO_.*|MA_.*|QUYEN_.*|TO_SO")
_BARE = frozenset({"CO_QUAN_CHU_QUAN", "TEN_CSKCB"})
XHTML = "http://www.w3.org/1999/xhtml"


def div(*parts: str, style: str = "") -> str:
    """Enclose markup in the element FHIR wants."""
    return f'<div xmlns="{XHTML}" lang="vi" xml:lang="vi"{_class(style)}>{"".join(parts)}</div>'


def paragraph(text: str, key: str = "", style: str = "") -> str:
    return f"<p{_id(key)}{_class(style)}>{lines(text)}</p>"


def lines(text: str) -> str:
    """Escape a text and keep its line ends."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br/>")


def section(
    part: Section,
    edition: Edition,
    values: Mapping[str, str],
    body: Sequence[Mapping[str, str]],
    stamp: str = "",
    further: Sequence[Column] = (),
) -> str:
    """Write one section; `body` and `further` are lines and columns of its table, `stamp` is what is stamped on the paper."""
    header = part.key == "header"
    markup = [paragraph(stamp, "CAP_LAI", "xStamp")] if stamp else []
    markup += [paragraph(line, style="xMotto" if header else "") for line in part.lines]
    if header and edition.subtitle:
        markup.append(paragraph(edition.subtitle, style="xSubtitle"))
    rows = [
        (lines(row.label), row.key, _row_markup(row, values), _row_style(row, part, values) if header else _same(row))
        for row in part.rows
    ]
    markup.append(_rows(rows, "xRows"))
    if part.columns and (body or not part.empty):
        markup += tables(part, body, further)
    if says_nothing(part, values, body):
        markup.append(paragraph(part.empty))
    markup += [paragraph(note, style="xNote") for note in part.notes]
    return div(*markup, style=_page(edition) if header else _section_style(part))


def says_nothing(part: Section, values: Mapping[str, str], body: Sequence[Mapping[str, str]]) -> bool:
    """Say whether a section that has words for it has nothing to say."""
    return bool(part.empty) and not body and not any(values[row.key].strip() for row in part.rows)


def _page(edition: Edition) -> str:
    size = "" if edition.paper_size == "A4" else f" xPaper{edition.paper_size}"
    return f"xHeader{size}{f' xCopies{edition.copies}' if edition.copies > 1 else ''}"


def _section_style(part: Section) -> str:
    if part.key == "extras":
        return "xExtras xHeading"
    return "xHeading" if part.heading else ""


def _same(row: Row) -> str:
    return "xSame" if row.same_line else ""


def _row_style(row: Row, part: Section, values: Mapping[str, str]) -> str:
    """Place a row of the header. A paper with the motto has its own number left, a sheet of the record right.

    Labels that the form does not print beside a value, or that the value repeats (`Khoa: Khoa Nội`), are bare.
    """
    side = row.side
    if not side and row.label == "Số:" and part.lines:
        side = "left"
    if not side:
        side = "left" if _LEFT.fullmatch(row.key) else "right" if _RIGHT.fullmatch(row.key) else "body"
    if side == "body":
        return _same(row)
    label = row.label.rstrip(": ").casefold()
    bare = row.key in _BARE or values[row.key].casefold().startswith(label)
    strong = row.key == "TEN_CSKCB"
    return f"x{side.capitalize()}{' xStrong' if strong else ''}{' xBare' if bare else ''}"


def _rows(rows: Sequence[tuple[str, str, str, str]], style: str) -> str:
    """Write label, key, markup and style of each row."""
    if not rows:
        return ""
    body = "".join(
        f"<tr{_class(place)}><th>{label}</th><td{_id(key)}>{said}</td></tr>" for label, key, said, place in rows
    )
    return f"<table{_class(style)}><tbody>{body}</tbody></table>"


def _row_markup(row: Row, values: Mapping[str, str]) -> str:
    """Give what stands behind a label: the filled template, and the boxes of the row."""
    shown = values if _ALONE.fullmatch(row.value) else {key: text or BLANK for key, text in values.items()}
    said = [_line(line) for line in row.value.format_map(shown).strip().split("\n")]
    boxes = [_box(choice, values[row.box]) for choice in row.choices]
    apart = "<br/>" if any(c.level or len(c.text) > _ONE_LINE for c in row.choices) else _INDENT
    return apart.join([*(["<br/>".join(said)] if any(said) or not boxes else []), *boxes])


def _line(line: str) -> str:
    """Escape one line of a value; one that begins with a box is a choice."""
    return _choice(line[0] == "☒", line[2:]) if line[:2] in ("☒ ", "☐ ") else lines(line)


def _box(choice: Choice, crossed: str) -> str:
    return _INDENT * choice.level + _choice(crossed in choice.codes, choice.text)


def _choice(crossed: bool, text: str) -> str:
    style, mark = ("xOn", "☒") if crossed else ("xOff", "☐")
    return f'<span class="{style}">{mark} {lines(text)}</span>'


def tables(part: Section, body: Sequence[Mapping[str, str]], further: Sequence[Column] = ()) -> list[str]:
    """Write the table of a section: the columns of the form, then `further` ones.

    Optional columns without content are left out. When there are more further columns than one table holds, the next table has
    the columns of the form again.
    """
    columns = [column for column in part.columns if not column.optional or any(line.get(column.key) for line in body)]
    parts = [further[n : n + part.across] for n in range(0, len(further), part.across)] or [()]
    return [
        _table([*columns, *more], body, frozenset(column.key for column in columns) if n else frozenset())
        for n, more in enumerate(parts)
    ]


def _table(columns: Sequence[Column], body: Sequence[Mapping[str, str]], repeated: frozenset[str]) -> str:
    """Write one table; cells of columns that stood in a table before have no id again."""
    head = "".join(f"<th>{lines(column.label)}</th>" for column in columns)
    names = [(column.key, "" if column.key in repeated else escape(column.key)) for column in columns]
    written = []
    for n, line in enumerate(body, 1):
        cells = "".join(
            f'<td id="{name}-{n}">{lines(line.get(key, ""))}</td>' if name else f"<td>{lines(line.get(key, ''))}</td>"
            for key, name in names
        )
        written.append(f"<tr>{cells}</tr>")
    if not written:
        written.append("<tr>" + "<td></td>" * len(columns) + "</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(written)}</tbody></table>"


def signatures(edition: Edition, date_line: str, names: Mapping[Signer, str], more: str = "") -> str:
    """Write the signature blocks from left to right: label, hint, and the name where it is known; `more` is markup."""
    ordered = sorted(edition.signers, key=lambda signer: ("left", "middle", "right").index(signer.side))
    rows = [
        (
            lines(f"{signer.label}\n{signer.hint}".strip()),
            f"KY-{n}",
            lines(names.get(signer, "")),
            f"x{signer.side.capitalize()} xRole-{signer.role}",
        )
        for n, signer in enumerate(ordered, 1)
    ]
    return div(paragraph(date_line, "NGAY_CT", "xDate"), _rows(rows, "xSigners"), more, style="xSigners")


def _id(key: str) -> str:
    return f' id="{escape(key)}"' if key else ""


def _class(style: str) -> str:
    return f' class="{style}"' if style else ""
