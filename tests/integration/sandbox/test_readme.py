"""What the fault plan can do at the trust services stands in both READMEs, and nothing else does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance import sandbox
from conformance.sandbox.codes import DISTORTIONS, REFUSALS


def told(text: str) -> dict[str, tuple[set[str], set[str]]]:
    """Read the table of refusals and distortions."""
    rows = re.findall(r"^\| `(ocsp|crl|tsa|csc)` \| ([^|]*) \| ([^|]*) \|$", text, re.MULTILINE)
    return {name: (codes(refusals), codes(distortions)) for name, refusals, distortions in rows}


def codes(cell: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", cell)) - {"code"}


@pytest.mark.parametrize("name", ["README.md", "README.en.md"])
def test_both_readmes_name_every_code(name: str) -> None:
    (folder,) = sandbox.__path__
    text = (Path(folder) / name).read_text("utf-8")
    assert told(text) == {each: (set(REFUSALS[each]), set(DISTORTIONS[each])) for each in DISTORTIONS}
    assert told(text.replace("`huge` ", "")) != told(text)
