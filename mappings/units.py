"""Units as hospitals and analysers write them → UCUM, by the table `codes/units.csv` and a site's own `site-unit`.

Never replaces what the sender wrote: callers keep it beside the UCUM code. Guesses no UCUM from the look of a text: `G/L` is a
unit term of UCUM too (gauss per litre), and no laboratory means that.
"""

from __future__ import annotations

import unicodedata

from mappings import codes


def to_ucum(text: str) -> str:
    """Give the UCUM code of a sender's unit, or `""`.

    The exact spelling decides. Where no table has it, letters are compared without case and white space, unless that would
    leave a choice (`MIU`: million units, or the thousandth of one) or only one letter to go by.
    """
    spelled = " ".join(unicodedata.normalize("NFC", text).translate(_SAME).split())
    own = codes.site_table("site-unit")
    if own is not None and spelled in own:
        return own.target(spelled)
    usual = codes.table("units")
    if spelled in usual:
        return usual.target(spelled)
    if len(spelled) < 2:
        return ""
    return usual.loose_target(spelled) or usual.loose_target(spelled.replace("µ", "u"))


_SAME = str.maketrans({"μ": "µ", "×": "x"})
"""Greek mu, as the sign for micro that the table has."""
