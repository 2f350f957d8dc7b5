"""What CDA documents become is valid FHIR for every judge: our pairs, and the documents of others."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from conformance.validators import judge
from mappings.cda.read import read
from mappings.formats import json
from mappings.formats.faults import Fault
from tests.golden.test_cda_read import CASES
from tests.judges.bundles import table


def bundles(files: Iterable[Path]) -> list[tuple[str, bytes]]:
    found = []
    for file in files:
        try:
            found.append((file.name, json.dumps(read(file.read_bytes()).bundle)))
        except Fault:
            continue
    return found


def test_every_golden_bundle_is_clean() -> None:
    found = judge(bundles(case / "input.xml" for case in CASES))
    assert not found, "\n" + table(found)


def test_every_bundle_of_the_corpus_is_clean(corpora: Path) -> None:
    made = bundles(sorted((corpora / "cda").glob("*/*.xml")))
    assert len(made) == 38
    found = judge(made)
    assert not found, "\n" + table(found)
