"""Paths to what a hospital trusts, which need not be a root."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from signing import path
from signing.testing import Authority

NOW = datetime.now(UTC)


@pytest.mark.parametrize("below", [0, 1, 3])
def test_an_authority_below_another_may_be_what_is_trusted(below: int) -> None:
    trusted = authority = Authority.root().intermediate()
    for n in range(below):
        authority = authority.intermediate(f"CA {n}")
    leaf, *others = authority.issue("Vũ Thị Sáu").chain
    found = path.find(leaf, others, [trusted.certificate], NOW)
    assert (found[0], found[-1], len(found)) == (leaf, trusted.certificate, below + 2)
