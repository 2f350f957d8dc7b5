"""The table of attacks and failures: for each a file, and the verdict and reason that it has to get."""

from __future__ import annotations

import pytest

from signing.evidence import Evidence
from signing.validation import Trust, validate
from signing.verdict import Report
from tests.unit.signing import attacks_chains, attacks_foreign, attacks_json, attacks_pdf, attacks_trust, attacks_xml
from tests.unit.signing.attacks import Case, Scene
from tests.unit.signing.forge import World, crl

CASES = [
    *attacks_xml.CASES,
    *attacks_trust.CASES,
    *attacks_chains.CASES,
    *attacks_foreign.CASES,
    *attacks_json.CASES,
    *attacks_pdf.CASES,
]


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def judged(world: World, case: Case) -> Report:
    found = case.make(world)
    scene = found if isinstance(found, Scene) else Scene(found)
    data = scene.data if isinstance(scene.data, bytes) else scene.data.encode()
    # a plain signature is judged for now, so what is at hand by default is of now
    evidence = world.standing(scene.now) if scene.evidence is None else scene.evidence
    roots = [world.root.certificate] if scene.roots is None else scene.roots
    return validate(data, Trust(roots, evidence=evidence, policies=scene.policies), scene.now, scene.files)


@pytest.mark.parametrize("case", [pytest.param(one, id=one.name) for one in CASES])
def test_case(case: Case, world: World) -> None:
    told = judged(world, case)
    codes = [reason.code for reason in told.reasons]
    assert (told.verdict, codes) == (case.verdict, [case.reason.code] if case.reason else [])
    assert bool(told.covers) == (case.verdict == "valid")
    if case.level:
        assert [signed.level for signed in told.signers] == [case.level]


def test_the_table_is_large_and_every_name_stands_once() -> None:
    refused = [case for case in CASES if case.verdict != "valid"]
    assert len(refused) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


def test_without_roots_nothing_is_valid(world: World) -> None:
    for case in CASES:
        if case.verdict == "valid":
            found = case.make(world)
            data = found.data if isinstance(found, Scene) else found
            octets = data if isinstance(data, bytes) else data.encode()
            assert validate(octets, Trust([], evidence=Evidence(crls=(crl(world.root),)))).verdict == "invalid"
