"""Units as hospitals and analysers write them → UCUM, by the table `codes/units.csv`.

Never replaces what the sender wrote: callers keep it beside the UCUM code. Guesses no UCUM from the look of a text: `G/L` is a
unit term of UCUM too (gauss per litre), and no laboratory means that.
"""

from __future__ import annotations

import unicodedata
from functools import cache

from mappings import codes


def to_ucum(text: str) -> str:
    """Give the UCUM code of a sender's unit, or `""`.

    The exact spelling decides. Where the table does not have it, letters are compared without case and white space, unless
    that would leave a choice (`MIU`: million units, or the thousandth of one) or only one letter to go by.
    """
    table = codes.table("units")
    spelled = " ".join(unicodedata.normalize("NFC", text).replace("μ", "µ").split())
    if spelled in table:
        return table.target(spelled)
    return _folded().get(_fold(spelled), "") if len(spelled) > 1 else ""


def _fold(text: str) -> str:
    return "".join(text.casefold().split()).translate(_SAME)


_SAME = str.maketrans({"μ": "u", "×": "x"})
"""`casefold` makes both signs for micro the Greek letter."""


@cache
def _folded() -> dict[str, str]:
    """Give the targets of folded spellings that leave no choice."""
    found: dict[str, str] = {}
    for row in codes.table("units"):
        if row.target:
            key = _fold(row.code)
            found[key] = row.target if found.get(key, row.target) == row.target else ""
    return found
