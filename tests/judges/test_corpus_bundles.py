"""What other people's messages become is valid FHIR for every judge."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from conformance.validators import judge
from mappings.formats import er7
from mappings.formats.faults import Fault
from mappings.hl7v2 import known, map_message, trigger_of
from tests.judges.bundles import CONTEXT, bundle_of, table


def bundles(corpora: Path) -> list[tuple[str, bytes]]:
    found = []
    folder = corpora / "hl7v2"
    with (folder / "index.csv").open(encoding="utf-8", newline="") as index:
        for row in csv.DictReader(index):
            try:
                message = er7.Message.parse((folder / row["file"]).read_bytes())
                if known(trigger_of(message)):
                    found.append((row["file"], bundle_of(map_message(message, CONTEXT))))
            except Fault:
                continue
    return found


@pytest.mark.parametrize("part", ["a third", pytest.param("all", marks=pytest.mark.nightly)])
def test_every_bundle_of_the_corpus_is_clean(corpora: Path, part: str) -> None:
    made = bundles(corpora)
    assert len(made) > 250
    if part != "all":
        made = made[::3]
    found = judge(made)
    assert not found, "\n" + table(found)
