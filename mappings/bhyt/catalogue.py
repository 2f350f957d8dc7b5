"""A facility's catalogues for the portal: HSDANHMUC around the rows of one list, from a table whose head names the fields.

The names of root, lists and rows follow one integrator's description of TT 12/2026/TT-BTC; the fields of the lists were not
found and are taken as the table has them. Does not sign, does not check a field.

Standard: TT 12/2026/TT-BTC, forms 01 to 06, second-hand
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape

from mappings.bhyt.faults import EnvelopeInvalid

LISTS = {
    "departments": ("DANHSACH_DMBOPHANCHUYENMON", "DMBOPHANCHUYENMON"),
    "staff": ("DANHSACH_DMNHANLUCKBCB", "DMNHANLUCKBCB"),
    "medicines": ("DANHSACH_DMTHUOCMAUCHEPHAMMAU", "DMTHUOCMAUCHEPHAMMAU"),
    "supplies": ("DSACH_TBYT", "DM_TBYT"),
    "services": ("DANHSACH_DMDICHVUKBCB", "DMDICHVUKBCB"),
    "devices": ("DSACH_TBYTTHDV", "DM_TBYTTHDV"),
}
"""Catalogue → the element of its list, the element of a row."""
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def rows_to_catalogue(kind: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """Write the unsigned file of a catalogue; empty fields stay as empty elements, the same rows give the same bytes.

    Raises EnvelopeInvalid for a catalogue that is not one of `LISTS`, no row, and a head that is no name of a field or twice.
    """
    if kind not in LISTS:
        raise EnvelopeInvalid("/", f"one of {', '.join(LISTS)}")
    if not rows:
        raise EnvelopeInvalid(LISTS[kind][0], "no row")
    for n, name in enumerate(head, 1):
        if not _FIELD.fullmatch(name):
            raise EnvelopeInvalid(f"column {n}", "no name of a field")
        if name in head[: n - 1]:
            raise EnvelopeInvalid(f"column {n}", "twice")
    around, row = LISTS[kind]
    body = "".join(
        f"<{row}>{''.join(_element(name, cell) for name, cell in zip(head, _filled(one, len(head)), strict=True))}</{row}>"
        for one in rows
    )
    return f'<HSDANHMUC><{around} Id="{around}">{body}</{around}><CHUKYDONVI/></HSDANHMUC>'.encode()


def _filled(row: Sequence[str], width: int) -> list[str]:
    return [*row[:width], *[""] * (width - len(row))]


def _element(name: str, value: str) -> str:
    return f"<{name}>{escape(value)}</{name}>" if value else f"<{name}/>"
