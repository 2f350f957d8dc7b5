"""Golden papers: `papers/<paper>/<case>/input.hl7`, played in order into a record, must give the FHIR document and the CDA.

Each message is laid over what earlier ones said, as the clinical store does. The last message that makes the paper due decides
its subject. `pytest tests/golden --accept` writes what comes out and shows the difference.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from difflib import unified_diff
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from gateway.cli.files import messages_of
from gateway.records.content import overlay
from mappings import cda, documents, hl7v2
from mappings.documents import Context, Facility
from mappings.fhir import problems
from mappings.fhir.references import bundle_references
from mappings.formats import er7, safe_xml
from mappings.outcome import Resource
from mappings.systems import DEFAULT
from tests.conftest import CORPORA

HERE = Path(__file__).resolve().parent / "papers"
CASES = sorted(path.parent for path in HERE.glob("*/*/input.hl7"))
CONTEXT = Context(
    facility=Facility(
        code="01032",
        name="Bệnh viện Đa khoa Sông Hồng",
        governing_body="SỞ Y TẾ HÀ NỘI",
        address="Số 1 đường Thử Nghiệm, phường Bồ Đề, Hà Nội",
        phone="024 0000 0000",
    ),
    systems=DEFAULT,
    issued_at=datetime(2026, 11, 10, 3, 15, 30, tzinfo=UTC),
    number="0192f6a0-1111-7abc-8def-0123456789ab",
)
SCHEMA = CORPORA / "cda-schema/normative/infrastructure/cda/CDA.xsd"


def play(case: Path) -> tuple[list[Resource], list[str]]:
    """Give the record the messages of a case leave, and the subjects its paper is due about."""
    record: dict[str, Resource] = {}
    subjects: list[str] = []
    for _, raw in messages_of(case / "input.hl7"):
        message = er7.Message.parse(raw)
        outcome = hl7v2.map_message(message, hl7v2.Context(facility=CONTEXT.facility.code))
        for new in outcome.resources:
            key = f"{new['resourceType']}/{new['id']}"
            record[key] = overlay(record[key], new, overwrite=True) if key in record else new
        subjects = documents.due(case.parent.name, hl7v2.trigger_of(message), outcome.resources) or subjects
    return list(record.values()), subjects


def papers(case: Path) -> list[Resource]:
    record, subjects = play(case)
    assert subjects, "no message makes the paper due"
    return [
        documents.compose(case.parent.name, subject, record, replace(CONTEXT, number=CONTEXT.number[:-1] + str(n)))
        for n, subject in enumerate(subjects)
    ]


def as_json(value: Any) -> str:
    """Write JSON that shows every digit of a decimal."""

    def plain(number: Any) -> str:
        assert isinstance(number, Decimal), type(number)
        return f"@@{number}@@"

    return re.sub(r'"@@([^"]*)@@"', r"\1", json.dumps(value, ensure_ascii=False, indent=1, default=plain)) + "\n"


def as_xml(document: bytes) -> str:
    root = safe_xml.parse(document)
    etree.indent(root)
    return etree.tostring(root, encoding="unicode") + "\n"


def _compare(found: str, target: Path, accept: bool) -> None:
    expected = target.read_text(encoding="utf-8") if target.exists() else ""
    difference = "\n".join(unified_diff(expected.splitlines(), found.splitlines(), "expected", "found", lineterm=""))
    if difference and accept:
        target.write_text(found, encoding="utf-8")
        print(difference)  # noqa: T201  (what was accepted must be seen)
        return
    assert not difference, f"{target}\n{difference}"


@cache
def schema() -> etree.XMLSchema | None:
    return etree.XMLSchema(etree.parse(SCHEMA)) if SCHEMA.exists() else None


def test_every_paper_has_a_pair() -> None:
    assert {case.parent.name for case in CASES} == set(documents.PAPERS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_pair(case: Path, accept: bool) -> None:
    made = papers(case)
    _compare(as_json(made if len(made) > 1 else made[0]), case / "expected.fhir.json", accept)
    _compare("".join(as_xml(cda.render(bundle)) for bundle in made), case / "expected.cda.xml", accept)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_papers_are_sound(case: Path) -> None:
    for bundle in papers(case):
        assert problems(bundle) == []
        assert bundle_references(bundle) == []
        written = cda.render(bundle)
        assert cda.render(bundle) == written
        if known := schema():
            known.assertValid(safe_xml.parse(written))
