"""Write a workbook row by row: texts stay texts, whatever they begin with, and memory does not grow with the rows.

Knows texts, whole numbers, bold heads and widths; nothing else of the format. Standard: ECMA-376 Part 1
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from xml.sax.saxutils import escape, quoteattr

MOST_ROWS = 1_000_000
"""Excel shows 1,048,576 rows of a sheet."""
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_STYLES = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}"><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/>'
    '</fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="3"><xf xfId="0"/>'
    '<xf xfId="0" quotePrefix="1" applyAlignment="1"><alignment vertical="top" wrapText="1"/></xf>'
    '<xf xfId="0" fontId="1" applyFont="1"/></cellXfs></styleSheet>'
)


class Workbook:
    """A workbook under way; its sheets are written one after another."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        self._names: list[str] = []

    def __enter__(self) -> Workbook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
        self._zip.close()

    def sheet(
        self, name: str, columns: Sequence[tuple[str, int]], rows: Iterable[Sequence[str | int]], limit: int = MOST_ROWS
    ) -> None:
        """Write a sheet: columns are heading and width; rows after `limit` are left out."""
        self._names.append(name)
        with self._zip.open(f"xl/worksheets/sheet{len(self._names)}.xml", "w", force_zip64=True) as out:
            widths = "".join(
                f'<col min="{n}" max="{n}" width="{w}" customWidth="1"/>' for n, (_, w) in enumerate(columns, 1)
            )
            out.write(
                f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" '
                f'topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
                f"</sheetView></sheetViews><cols>{widths}</cols><sheetData>".encode()
            )
            out.write(_row([title for title, _ in columns], 2).encode())
            for n, row in enumerate(rows):
                if n >= limit:
                    break
                out.write(_row(row, 1).encode())
            out.write(b"</sheetData></worksheet>")

    def _finish(self) -> None:
        sheets = "".join(
            f'<sheet name={quoteattr(name[:31])} sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(self._names, 1)
        )
        parts = "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" '
            'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
            for n in range(1, len(self._names) + 1)
        )
        links = "".join(
            f'<Relationship Id="rId{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            for n in range(1, len(self._names) + 1)
        )
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
        for path, text in (
            (
                "[Content_Types].xml",
                f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
                'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
                f'<Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" '
                f'ContentType="{kind}.sheet.main+xml"/><Override PartName="/xl/styles.xml" '
                f'ContentType="{kind}.styles+xml"/>{parts}</Types>',
            ),
            (
                "_rels/.rels",
                f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
                f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            ),
            ("xl/workbook.xml", f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{sheets}</sheets></workbook>'),
            (
                "xl/_rels/workbook.xml.rels",
                f'<Relationships xmlns="{_PACKAGE}/relationships">{links}<Relationship Id="rId{len(self._names) + 1}" '
                f'Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
            ),
        ):
            self._zip.writestr(path, _HEAD + text)
        self._zip.writestr("xl/styles.xml", _STYLES)


def _row(cells: Sequence[str | int], style: int) -> str:
    return f"<row>{''.join(_cell(cell, style) for cell in cells)}</row>"


def _cell(value: str | int, style: int) -> str:
    if isinstance(value, int):
        return f"<c><v>{value}</v></c>"
    text = escape(_UNWRITABLE.sub(" ", value[:32000]))
    return f'<c t="inlineStr" s="{style}"><is><t xml:space="preserve">{text}</t></is></c>'
