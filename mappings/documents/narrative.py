"""Write the sections of a paper as XHTML: one table row per label, in the order of the form.

The markup is a small fixed set (div, p, br, table, thead, tbody, tr, th, td with `id`), which the CDA rendition takes over one
to one. A cell carries the key of its row as `id`, so that coded entries can point to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from mappings.documents.form import Column, Edition, Row, Section, Signer

_INDENT = "\u2003"
XHTML = "http://www.w3.org/1999/xhtml"


def div(*parts: str) -> str:
    """Enclose markup in the element FHIR wants."""
    return f'<div xmlns="{XHTML}" lang="vi" xml:lang="vi">{"".join(parts)}</div>'


def paragraph(text: str, key: str = "") -> str:
    return f"<p{_id(key)}>{lines(text)}</p>"


def lines(text: str) -> str:
    """Escape a text and keep its line ends."""
    return "<br/>".join(escape(line, quote=False) for line in text.split("\n"))


def rows(pairs: Sequence[tuple[str, str, str]]) -> str:
    """Write label, key and text of each row."""
    if not pairs:
        return ""
    body = "".join(f"<tr><th>{lines(label)}</th><td{_id(key)}>{lines(text)}</td></tr>" for label, key, text in pairs)
    return f"<table><tbody>{body}</tbody></table>"


def row_text(row: Row, values: Mapping[str, str]) -> str:
    """Give what stands behind a label: the filled template, and the boxes of the row."""
    said = row.value.format_map(values).strip()
    crossed = values[row.box] if row.choices else ""
    boxes = [
        f"{_INDENT * choice.level}{'☒' if crossed in choice.codes else '☐'} {choice.text}" for choice in row.choices
    ]
    return "\n".join([*([said] if said or not boxes else []), *boxes])


def tables(section: Section, body: Sequence[Mapping[str, str]], further: Sequence[Column] = ()) -> list[str]:
    """Write the table of a section: the columns of the form, then `further` ones.

    Optional columns without content are left out. When there are more further columns than one table holds, the next table has
    the columns of the form again.
    """
    columns = [
        column for column in section.columns if not column.optional or any(line.get(column.key) for line in body)
    ]
    parts = [further[n : n + section.across] for n in range(0, len(further), section.across)] or [()]
    return [
        _table([*columns, *part], body, frozenset(column.key for column in columns) if n else frozenset())
        for n, part in enumerate(parts)
    ]


def _table(columns: Sequence[Column], body: Sequence[Mapping[str, str]], repeated: frozenset[str]) -> str:
    """Write one table; cells of columns that stood in a table before have no id again."""
    head = "".join(f"<th>{lines(column.label)}</th>" for column in columns)
    written = []
    for n, line in enumerate(body, 1):
        cells = "".join(
            f"<td{_id('' if column.key in repeated else f'{column.key}-{n}')}>{lines(line.get(column.key, ''))}</td>"
            for column in columns
        )
        written.append(f"<tr>{cells}</tr>")
    if not written:
        written.append("<tr>" + "<td></td>" * len(columns) + "</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(written)}</tbody></table>"


def signatures(edition: Edition, date_line: str, names: Mapping[Signer, str]) -> str:
    """Write the signature blocks from left to right: label, hint, and the name where it is known."""
    ordered = sorted(edition.signers, key=lambda signer: ("left", "middle", "right").index(signer.side))
    pairs = [
        (f"{signer.label}\n{signer.hint}".strip(), f"KY-{n}", names.get(signer, ""))
        for n, signer in enumerate(ordered, 1)
    ]
    return paragraph(date_line, "NGAY_CT") + rows(pairs)


def _id(key: str) -> str:
    return f' id="{escape(key)}"' if key else ""
