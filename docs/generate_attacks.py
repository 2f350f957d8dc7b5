"""Write docs/attacks.md: every attack and failure of the table in tests/unit/signing, the verdict wanted and the one given.

    python -m docs.generate_attacks            judge every case and write the page
    python -m docs.generate_attacks --check    exit 1 when the page is not what the table and the verdicts say
    python -m docs.generate_attacks --print    print the table; exit 1 when a verdict is another one than expected

Keys and certificates are made anew at every run; what is on the page does not depend on them.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.text import text
from tests.unit import signing as folder
from tests.unit.signing.attacks import Case
from tests.unit.signing.forge import World
from tests.unit.signing.test_attacks import CASES, judged

PAGE = Path(__file__).with_name("attacks.md")

_SECTIONS = tuple(
    importlib.import_module(f"{folder.__name__}.{found.name}")
    for found in pkgutil.iter_modules(folder.__path__)
    if found.name.startswith("attacks_")
)
_HEAD = """\
# Attacks and failures: what verification says

<!-- Written by docs/generate_attacks.py, which judges every case; a test fails when it is stale. Do not edit by hand. -->

{total} files, each made for one purpose (`tests/unit/signing/attacks_*.py`): {refused} must not be called valid, {valid} must.
Verdict and reason are those of `signing.validation.validate`, which `lienthong verify` prints. *expected* is written in the
table, *got* came out when this page was written. The same in a terminal: `make attacks`.

*Trang này do máy sinh ra: mỗi dòng là một tệp cố ý làm sai (hoặc đúng) và kết luận phải nhận được; giải thích từng mã LT bằng
tiếng Việt: `gateway/text/vi.toml`.*
"""


@dataclass(frozen=True)
class Row:
    """One case, judged."""

    name: str
    expected: str
    got: str
    reason: str
    """What is said to people, in English; empty for a file that is valid."""

    @property
    def as_expected(self) -> bool:
        return self.expected == self.got


def rows(cases: Sequence[Case]) -> Iterator[Row]:
    """Judge cases, in a world of certificates made for it."""
    world = World()
    for case in cases:
        told = judged(world, case)
        codes = [reason.code for reason in told.reasons]
        wanted = [case.reason.code] if case.reason else []
        what = "; ".join(text(code, "en").what for code in codes)
        yield Row(case.name, _said(case.verdict, wanted), _said(told.verdict, codes), what)


def _said(verdict: str, codes: Sequence[int]) -> str:
    return " ".join((verdict, *(f"LT{code:04d}" for code in codes)))


def page() -> str:
    """Return the page as it has to be."""
    refused = sum(case.verdict != "valid" for case in CASES)
    lines = [_HEAD.format(total=len(CASES), refused=refused, valid=len(CASES) - refused)]
    number = 0
    for section in _SECTIONS:
        title = (section.__doc__ or "").splitlines()[0].rstrip(".")
        lines += [f"## {title}\n", "| | case | expected | got | reason |", "|---|---|---|---|---|"]
        for row in rows(section.CASES):
            number += 1
            mark = "" if row.as_expected else " **WRONG**"
            lines.append(f"| {number} | {_cell(row.name)} | {row.expected} | {row.got}{mark} | {_cell(row.reason)} |")
        lines.append("")
    return "\n".join(lines)


def _cell(said: str) -> str:
    return said.replace("|", "\\|").replace("<", "&lt;")


def stale() -> bool:
    """Tell whether the page is not what the table and the verdicts say."""
    return not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page()


def _print() -> int:
    found = list(rows(CASES))
    width = max(len(row.name) for row in found)
    for row in found:
        mark = "ok   " if row.as_expected else "WRONG"
        sys.stdout.write(f"{mark} {row.name:<{width}}  {row.expected:<17} {row.got}\n")
    wrong = sum(not row.as_expected for row in found)
    sys.stdout.write(f"{len(found)} cases, {wrong} with another verdict than expected\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    if "--print" in sys.argv[1:]:
        sys.exit(_print())
    if "--check" in sys.argv[1:]:
        sys.exit(f"{PAGE.name} is stale: run python -m docs.generate_attacks" if stale() else 0)
    PAGE.write_text(page(), encoding="utf-8")
