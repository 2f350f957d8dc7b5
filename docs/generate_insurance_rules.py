"""Write docs/insurance-rules.md from the rules themselves: id, severity, tables, source, texts, and the block errors foreseen.

python docs/generate_insurance_rules.py            write the page
python docs/generate_insurance_rules.py --check    exit 1 when the page is not what the rules say
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from mappings.bhyt.rules import RULES, Rule
from mappings.bhyt.rules.block_errors import BLOCK_ERRORS, NOT_FORESEEN, rules_of
from mappings.bhyt.rules.texts import text
from mappings.bhyt.tables import DECISIONS

PAGE = Path(__file__).with_name("insurance-rules.md")

_HEAD = """\
# Rules of the insurance file: what `lienthong bhyt check` looks at

<!-- Written by docs/generate_insurance_rules.py from the code; a test fails when it is stale. Do not edit by hand. -->

{rules} rules; {blocks} of them block (the portal or its assessment sends the record back), the others warn. The letters before
the dash name the table (`B3-042`: XML3), `BF` the form of the file, `BC` codes of several tables, `BS` staff, `BP` papers, `BT`
which tables there are, `BR` several records of one run. A rule that needs a list does not run without it.

Sources are second-hand: *README* is the collection of facts that the project was built on (public repositories and guides; the
text of the appendix of QĐ 3176 was not available), *portal sheet* the validation sheet of QĐ 4750, *block error* the list of
the assessment system. What is doubtful is a setting: `lienthong bhyt check --set NAME=VALUE`.

*Trang này được sinh ra từ mã nguồn; mỗi quy tắc có cả hai thứ tiếng. Cách dùng: [van-hanh.md](van-hanh.md), mục 25.*
"""


def page() -> str:
    """Give the whole page."""
    blocks = sum(rule.severity == "blocks" for rule in RULES.values())
    return "\n".join([_HEAD.format(rules=len(RULES), blocks=blocks), *_subjects(), *_block_errors()])


def stale(path: Path = PAGE) -> bool:
    """Say whether a page is not what the rules say now."""
    return not path.is_file() or path.read_text(encoding="utf-8") != page()


def _subjects() -> Iterator[str]:
    for module, rules in groupby(RULES.values(), key=lambda rule: rule.check.__module__):
        said = (sys.modules[module].__doc__ or "").splitlines()[0]
        yield f"## {module.rpartition('.')[2]}\n"
        yield f"{said}\n"
        yield "| id | severity | tables | in force | needs | what is wrong — what to do | source |"
        yield "|---|---|---|---|---|---|---|"
        for rule in rules:
            told = f"{_cell(text(rule.id, 'en'))}<br>*{_cell(text(rule.id, 'vi'))}*"
            tables, needs = " ".join(rule.tables), " ".join(rule.needs)
            yield f"| `{rule.id}` | {rule.severity} | {tables} | {_period(rule)} | {needs} | {told} | {_cell(rule.source)} |"
        yield ""


def _period(rule: Rule) -> str:
    parts = [] if rule.decisions == DECISIONS else [f"QĐ {', '.join(rule.decisions)}"]
    if rule.valid_from:
        parts.append(f"from {rule.valid_from}")
    if rule.valid_to:
        parts.append(f"to {rule.valid_to}")
    return "; ".join(parts)


def _block_errors() -> Iterator[str]:
    yield "## Block errors of the assessment system\n"
    yield "| error | of | foreseen by |"
    yield "|---|---|---|"
    for error, subject in BLOCK_ERRORS.items():
        foreseen = (
            " ".join(f"`{rule}`" for rule in rules_of(error)) or f"not to be seen from outside: {NOT_FORESEEN[error]}"
        )
        yield f"| {error} | {subject} | {foreseen} |"
    yield ""


def _cell(said: str) -> str:
    return said.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(1 if stale() else 0)
    PAGE.write_text(page(), encoding="utf-8")
