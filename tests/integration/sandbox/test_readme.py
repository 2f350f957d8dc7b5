"""What the fault plan can do, and what the insurance portal answers and can be told, stands in both READMEs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance import sandbox
from conformance.sandbox.codes import DISTORTIONS, PORTAL, REFUSALS
from conformance.sandbox.faults import Action
from conformance.sandbox.portal.forms import FORMS
from conformance.sandbox.portal.switches import Board, Switches


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


CONFIDENCE = {
    "README.md": {"published": "có tài liệu", "reported": "nhiều nơi mô tả", "doubtful": "chưa chắc"},
    "README.en.md": {"published": "published", "reported": "reported", "doubtful": "doubtful"},
}


@pytest.mark.parametrize("name", sorted(CONFIDENCE))
def test_both_readmes_name_every_call_of_the_portal_with_its_confidence(name: str) -> None:
    (folder,) = sandbox.__path__
    text = (Path(folder) / name).read_text("utf-8")
    for form in FORMS:
        (line,) = [line for line in text.splitlines() if line.startswith("|") and f"`{form.path}`" in line]
        assert CONFIDENCE[name][form.confidence] in line
        assert all(f"`{kind}`" in line for kind in form.types)


@pytest.mark.parametrize("name", sorted(CONFIDENCE))
def test_both_readmes_name_every_switch_fault_and_code(name: str) -> None:
    (folder,) = sandbox.__path__
    text = (Path(folder) / name).read_text("utf-8")
    first_cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    named = set(re.findall(r"`(\w+)`", " ".join(first_cells)))
    assert set(Board(Switches()).state()) <= named
    assert {str(action) for action in Action} <= named
    (line,) = [line for line in text.splitlines() if "200, 401, 402" in line]
    assert set(re.findall(r"\b\d{3,4}\b", line.partition(". ")[0])) == set(PORTAL)
