"""Our own verifier reads what we make, at every level, and believes an archived signature when the CA is long gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree

from signing import validation, xades, xades_levels, xades_tree
from signing.algorithms import ALGORITHMS
from signing.evidence import Evidence
from signing.testing import Authority, MemoryKey
from signing.validation import Trust
from signing.xades_properties import Claims
from tests.tsa import Tsa
from tests.unit.signing.test_xades import signed_with
from tests.unit.signing.test_xades_levels import DOCUMENT, archived, crl, der, response, stamped


@pytest.fixture(scope="module")
def tsa(issuing: Authority) -> Tsa:
    return Tsa.of(issuing)


def evidence_for(root: Authority, issuing: Authority, key: MemoryKey, tsa: Tsa) -> Evidence:
    """Gather what shows that every certificate is good now."""
    answers = tuple(response(issuing, certificate) for certificate in (key.chain[0], tsa.certificate))
    held = (der(root.certificate), der(issuing.certificate), der(tsa.certificate))
    return Evidence(held, answers, (crl(root),))


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_every_algorithm(name: str, root: Authority, key: MemoryKey) -> None:
    private, chain = key.private_key, key.chain
    if name.startswith("ES"):
        curve = ec.SECP256R1() if name == "ES256" else ec.SECP384R1()
        private = ec.generate_private_key(curve)  # type: ignore[assignment]
        chain = root.issue("Đường cong", private_key=private).chain
    prepared = xades.prepare(DOCUMENT, chain[0], algorithm=name)
    report = validation.validate(
        xades.inject(prepared, signed_with(private, prepared), chain), Trust([root.certificate])
    )
    assert report.verdict == "valid", report.reasons
    assert [signed.level for signed in report.signers] == ["B-B"]


@pytest.mark.parametrize("parallel", [False, True])
def test_levels(parallel: bool, root: Authority, issuing: Authority, key: MemoryKey, tsa: Tsa) -> None:
    trust = Trust([root.certificate])
    xml = xades.sign(DOCUMENT, key, parallel=parallel)
    levels = []
    steps: list[Callable[[bytes], bytes]] = [
        lambda signed: signed,
        lambda signed: stamped(signed, tsa),
        lambda signed: xades_levels.with_values(signed, evidence_for(root, issuing, key, tsa)),
        lambda signed: archived(signed, tsa),
        lambda signed: archived(signed, tsa),
    ]
    for step in steps:
        xml = step(xml)
        report = validation.validate(xml, trust)
        assert report.verdict == "valid", report.reasons
        assert report.data is not None
        assert "Đặng".encode() in report.data
        levels.append(report.signers[0].level)
    assert levels == ["B-B", "B-T", "B-LT", "B-LTA", "B-LTA"]


def test_long_term_is_believed_ten_years_later_offline(
    root: Authority, issuing: Authority, key: MemoryKey, tsa: Tsa
) -> None:
    later = datetime.now(UTC) + timedelta(days=3650)
    xml = stamped(xades.sign(DOCUMENT, key), tsa)
    assert validation.validate(xml, Trust([root.certificate]), later).verdict != "invalid"
    xml = xades_levels.with_values(xml, evidence_for(root, issuing, key, tsa))
    report = validation.validate(xml, Trust([root.certificate]), later)
    assert report.verdict == "valid", report.reasons
    report = validation.validate(archived(xml, tsa), Trust([root.certificate]), later)
    assert report.verdict == "valid", report.reasons


def test_several_signers(root: Authority, issuing: Authority, key: MemoryKey, tsa: Tsa) -> None:
    doctor = xades.sign(DOCUMENT, key, parallel=True, claims=Claims(("Bác sĩ",)))
    name = xades_tree.find_signature(etree.fromstring(doctor)).get("Id") or ""
    head = issuing.issue("Trưởng khoa")
    both = xades.sign(doctor, head, parallel=True)
    prepared = xades.prepare_countersignature(both, head.chain[0], name)
    both = xades.inject(prepared, head.sign(prepared.to_be_signed), head.chain)
    seal = issuing.issue("Bệnh viện")
    sealed = xades.sign(both, seal, place="CHUKYDONVI", parallel=True, confirms=[name])
    sealed = stamped(sealed, tsa, name)
    report = validation.validate(sealed, Trust([root.certificate]))
    assert report.verdict == "valid", report.reasons
    assert sorted(signed.signer.name for signed in report.signers) == sorted(
        ["Nguyễn Thị Ánh", "Trưởng khoa", "Trưởng khoa", "Bệnh viện"]
    )
    changed = sealed.replace("Đặng".encode(), b"x")
    assert validation.validate(changed, Trust([root.certificate])).verdict == "invalid"


def test_detached(root: Authority, key: MemoryKey) -> None:
    prepared = xades.prepare_detached([xades.File("a.pdf", b"%PDF")], key.chain[0])
    signed = xades.inject(prepared, key.sign(prepared.to_be_signed), key.chain)
    trust = Trust([root.certificate])
    assert validation.validate(signed, trust, files={"a.pdf": b"%PDF"}).verdict == "valid"
    assert validation.validate(signed, trust, files={"a.pdf": b"%PDE"}).verdict == "invalid"
    assert validation.validate(signed, trust).verdict == "invalid"
