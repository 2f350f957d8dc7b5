"""The grammar of UCUM units, case-sensitive form: is a text a unit term at all?

Does not convert, compare or give dimensions: `m.s` and `K/[IU]` are as good as `mg/dL`. Stricter than some readers: no white
space, only ASCII, an annotation only behind a unit or alone.

Atoms in `data/ucum.csv` after the UCUM tables, © Regenstrief Institute.

Standard: The Unified Code for Units of Measure 2.2 §2
"""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files

LONGEST = 120

_PREFIXES = frozenset([*"YZEPTGMkhdcmunpfazy", "da", "Ki", "Mi", "Gi", "Ti"])
_COMPONENT = re.compile(
    r"""(?P<symbol> 10[*^] | (?: ['"%*^a-zA-Z_] | \[ [!-Z\\^-z|~]+ \] )+ ) (?: [+-]?[0-9]+ )? (?: \{[!-z|~]*\} )?
    | [0-9]+ (?: \{[!-z|~]*\} )?
    | \{[!-z|~]*\}""",
    re.VERBOSE,
)


def is_ucum(code: str) -> bool:
    """Tell whether `code` is a unit term."""
    if not code or len(code) > LONGEST:
        return False
    depth = 0
    at = 1 if code[0] == "/" else 0
    while True:
        while code.startswith("(", at):
            depth, at = depth + 1, at + 1
        component = _COMPONENT.match(code, at)
        if component is None or not (component["symbol"] is None or _is_unit(component["symbol"])):
            return False
        at = component.end()
        while depth and code.startswith(")", at):
            depth, at = depth - 1, at + 1
        if at == len(code):
            return depth == 0
        if code[at] not in "./":
            return False
        at += 1


def _is_unit(symbol: str) -> bool:
    atoms = _atoms()
    if symbol in atoms:
        return True
    return any(symbol[:n] in _PREFIXES and atoms.get(symbol[n:], False) for n in (1, 2))


@cache
def _atoms() -> dict[str, bool]:
    """Give every atom, and whether a prefix may stand before it."""
    lines = files(__package__).joinpath("data/ucum.csv").read_text(encoding="ascii").splitlines()
    return {line["atom"]: line["metric"] == "yes" for line in csv.DictReader(lines, strict=True)}
