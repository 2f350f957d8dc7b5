"""Documents that nobody here wrote: read, told what they lack, and every fact accounted for."""

from __future__ import annotations

from pathlib import Path

import pytest

from mappings.cda import faults, html
from mappings.cda.read import node as nodes
from mappings.cda.read import read
from mappings.formats import json, safe_xml
from mappings.formats.faults import XmlRefused
from tests.unit.cda.read.snippets import PATIENT, one, sound

FRAGMENTS = (
    "LarsonHealthSummary",
    "MedicationSectionCodeInvalid",
    "ReferralNote2",
    "Patient_Generated_Document",
    "Supporting_Person",
)
"""Files that do not say whose they are."""


def files(corpora: Path, group: str) -> list[Path]:
    return sorted((corpora / "cda" / group).glob("*.xml"))


def test_the_valid_and_the_invalid_are_read(corpora: Path) -> None:
    facts = unknown = count = 0
    for path in (*files(corpora, "xsd-valid"), *files(corpora, "xsd-invalid")):
        count += 1
        reading = sound(read(path.read_bytes()))
        assert html.html(path.read_bytes())
        root = nodes.tree(safe_xml.parse(path.read_bytes()))
        assert reading.coverage.total == sum(len(node.facts()) for node in root.walk()), path.name
        assert len(one(reading, "Provenance")["entity"]) == 2
        assert (reading.fault is not None) == (reading.patient_id is None) == path.name.startswith(FRAGMENTS)
        if reading.fault:
            assert isinstance(reading.fault, faults.PatientMissing)
            continue
        facts, unknown = facts + reading.coverage.total, unknown + len(reading.coverage.unknown)
    assert count == 38
    assert unknown / facts < 0.05, f"{unknown} of {facts}"


def test_what_is_not_well_formed_is_refused(corpora: Path) -> None:
    broken = files(corpora, "not-well-formed")
    assert len(broken) == 3
    for path in broken:
        with pytest.raises(XmlRefused) as raised:
            read(path.read_bytes())
        assert raised.value.where.startswith("line ")


def test_words_numbers_and_identifiers_that_are_mapped_are_in_the_result(
    corpora: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim is kept: what the account calls mapped can be found in the Bundle."""
    seen: list[nodes.Node] = []
    whole = nodes.tree

    def remembered(root: object) -> nodes.Node:
        seen.append(whole(root))  # type: ignore[arg-type]
        return seen[-1]

    monkeypatch.setattr("mappings.cda.read.tree", remembered)
    for path in files(corpora, "xsd-valid"):
        reading = read(path.read_bytes())
        written = " ".join(json.dumps(reading.bundle).decode().replace("\\n", " ").split()).casefold()
        for node in seen.pop().walk():
            for fact in ("extension", nodes.TEXT):
                if fact in node.claims and fact not in node.refused and node.raw is None:
                    value = node.words if fact == nodes.TEXT else node.peek(fact)
                    said = json.dumps(value).decode()[1:-1].casefold()
                    assert len(said) > 100_000 or said in written, f"{path.name} {node.where()}/{fact}"


def test_the_whole_of_a_large_body_with_a_header(corpora: Path) -> None:
    """The largest sample lacks a header; with one it is read like any other."""
    (path,) = (corpora / "cda" / "xsd-invalid").glob("LarsonHealthSummary*")
    data = path.read_bytes().replace(b"<component>", PATIENT.encode() + b"<component>", 1)
    reading = sound(read(data))
    assert len(reading.coverage.unknown) / reading.coverage.total < 0.10
    assert len(reading.resources) > 100


def test_a_reading_leaves_nothing_behind_for_the_next(corpora: Path) -> None:
    read_before = [read(path.read_bytes()) for path in files(corpora, "xsd-valid")]
    assert [read(path.read_bytes()) for path in reversed(files(corpora, "xsd-valid"))] == read_before[::-1]
