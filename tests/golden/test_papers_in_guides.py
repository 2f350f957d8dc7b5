"""Every golden paper in the words of every guide: still a sound document, claiming the guide's documents where it has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mappings import cda
from mappings.fhir import problems
from mappings.fhir.references import bundle_references
from mappings.guides import Guide, guides, in_guide
from mappings.outcome import Resource
from tests.golden.test_papers import CASES, papers

COMMUNITY = "http://fhir.hl7.org.vn/core/StructureDefinition/"
SUMMARY = "health_summary"


def claimed(resource: Resource) -> list[str]:
    found: list[str] = resource.get("meta", {}).get("profile", [])
    return [url.rpartition("/")[2] for url in found]


@pytest.mark.parametrize("guide", guides().values(), ids=lambda guide: guide.key)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_a_paper_stays_a_sound_document(case: Path, guide: Guide) -> None:
    for before in papers(case):
        said = in_guide(before, guide)
        assert problems(said) == []
        assert bundle_references(said) == []
        assert [entry["fullUrl"] for entry in said["entry"]] == [entry["fullUrl"] for entry in before["entry"]]
        assert said["entry"][0]["resource"]["resourceType"] == "Composition"
        assert sections(said) == sections(before)


def sections(bundle: Resource) -> Any:
    return [(one["title"], one["text"]) for one in bundle["entry"][0]["resource"]["section"]]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_documents_claim_what_the_community_guide_has_for_them(case: Path) -> None:
    (guide,) = (one for one in guides().values() if one.canonical in COMMUNITY)
    for before in papers(case):
        said = in_guide(before, guide)
        head = said["entry"][0]["resource"]
        if case.parent.name == SUMMARY:
            assert claimed(said) == ["vn-core-health-record-summary-bundle|0.6.0"]
            assert claimed(head) == ["vn-core-composition-health-record-summary|0.6.0"]
            assert head["title"] in head["text"]["div"]
        else:
            assert claimed(said) == ["vn-core-bundle|0.6.0"]
            assert claimed(head) == ["vn-core-composition|0.6.0"]
            assert "text" not in head


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_the_other_guide_has_no_documents_and_none_is_claimed(case: Path) -> None:
    (guide,) = (one for one in guides().values() if one.canonical not in COMMUNITY)
    for before in papers(case):
        said = in_guide(before, guide)
        assert claimed(said) == claimed(said["entry"][0]["resource"]) == []


def test_a_bundle_that_is_no_document_claims_none() -> None:
    (guide,) = (one for one in guides().values() if one.canonical in COMMUNITY)
    (before, *_) = papers(CASES[0])
    for broken in ({"type": "collection"}, {"timestamp": None}):
        bundle = {name: value for name, value in (before | broken).items() if value is not None}
        assert claimed(in_guide(bundle, guide)) == []


def test_the_other_words_are_still_rendered() -> None:
    (guide,) = (one for one in guides().values() if one.canonical not in COMMUNITY)
    for before in papers(CASES[0]):
        assert cda.render(in_guide(before, guide)).startswith(b"<?xml")
