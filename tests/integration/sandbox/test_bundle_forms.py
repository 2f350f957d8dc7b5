"""The sandbox judges FHIR documents in every form that can be asked for, and finds a changed digit in each."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.sandbox.bundle_signatures import check_bundle
from conformance.sandbox.signatures import SignatureError, Trust
from signing import jws
from signing.testing import Authority

BUNDLE = (
    b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Observation","valueQuantity":{"value":4.50}}}]}'
)


@pytest.mark.parametrize("canonical", jws.CANONICAL_FORMS)
@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS384"])
def test_every_form(canonical: str, algorithm: str, tmp_path: Path) -> None:
    root = Authority.root()
    key = root.issue("Bệnh viện Thử")
    (tmp_path / "ca.pem").write_bytes(root.pem())
    signed = jws.sign(BUNDLE, key, who={"display": "BV"}, algorithm=algorithm, canonical=canonical)
    assert check_bundle(signed, Trust(tmp_path / "ca.pem")) == ["Bệnh viện Thử"]
    with pytest.raises(SignatureError):
        check_bundle(signed.replace(b"4.50", b"4.5"), Trust(tmp_path / "ca.pem"))
