"""NIST's suite for certification paths and CRLs (PKITS), and OpenSSL's vectors for OCSP, as pyhanko-certvalidator carries them.

Where we decide otherwise than a vector's name says, the reason stands in `STRICTER`; where a vector sets what a relying party
may ask for (initial policies), the path is judged as one that asks for nothing, so that only what the issuers ask is compared.
"""

from __future__ import annotations

import itertools
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from signing import certificates, path, revocation
from signing.evidence import Evidence
from signing.faults import CertificateUntrusted
from tests.vectors.conftest import package, table

FOLDER = "tests/fixtures"
PKITS = table("pyhanko_certvalidator", f"{FOLDER}/nist_pkits/pkits.json")
OCSP = table("pyhanko_certvalidator", f"{FOLDER}/openssl-ocsp/openssl-ocsp.json")
NOW = datetime(2026, 11, 1, tzinfo=UTC)
STRICTER = {
    "valid_dsa_signatures_test4": "no valid chain to a configured root",
    "valid_dsa_parameter_inheritance_test5": "a certificate that cannot be read",  # a DSA key without its parameters
}
ASKS = frozenset(
    {
        "user_initial_policy_set",
        "initial_explicit_policy",
        "initial_policy_mapping_inhibit",
        "initial_any_policy_inhibit",
    }
)


def _folder(name: str) -> Path:
    found = package("pyhanko_certvalidator")
    assert found is not None
    return found / FOLDER / name


def _pkits(case: dict[str, Any]) -> str:
    """Judge a path and the lists about it; give `good` or why not."""
    files = _folder("nist_pkits")
    lists = ["TrustAnchorRootCRL.crl", *case.get("crls", [])]
    evidence = Evidence(crls=tuple((files / "crls" / name).read_bytes() for name in lists))
    names = ["TrustAnchorRootCertificate.crt", case["cert"], *case.get("other_certs", [])]
    try:
        root, leaf, *others = (certificates.from_der((files / "certs" / name).read_bytes()) for name in names)
        chain = path.find(leaf, others, [root], NOW)
    except ValueError as problem:
        return str(problem)
    except CertificateUntrusted as fault:
        return fault.detail
    signers = revocation.list_signers(others, [root], evidence, NOW, NOW)
    stands = [revocation.standing(*pair, evidence, NOW, NOW, signers).status for pair in itertools.pairwise(chain)]
    return next((one for one in stands if one != "good"), "good")


def _id(case: dict[str, Any]) -> str:
    return str(case["name"])


@pytest.mark.parametrize("case", [one for one in PKITS if not one.get("params", {}).keys() & ASKS], ids=_id)
def test_nist_path(case: dict[str, Any]) -> None:
    told = _pkits(case)
    if case["name"] in STRICTER:
        assert told == STRICTER[case["name"]]
    else:
        assert (told == "good") == ("error" not in case), told


@pytest.mark.parametrize(
    "case", [one for one in PKITS if one.get("params", {}).keys() & ASKS and "error" not in one], ids=_id
)
def test_nist_path_without_what_its_relying_party_asks(case: dict[str, Any]) -> None:
    assert _pkits(case) == "good"


def test_no_vector_of_nist_is_left_out() -> None:
    assert len(PKITS) == 246
    assert len({case["id"] for case in PKITS}) == 217
    assert sum("error" in case for case in PKITS) > 120
    assert STRICTER.keys() < {case["name"] for case in PKITS}


# ---- OCSP ----


def _ocsp(case: dict[str, Any]) -> list[revocation.Standing]:
    """Say how every certificate of the path stands by the responses of the case."""
    files = _folder("openssl-ocsp")
    names = [case["cert"], *case.get("other_certs", []), case["root"]]
    chain = [x509.load_pem_x509_certificate((files / name).read_bytes()) for name in names]
    responses = tuple(_decoded(files / name) for name in case["ocsps"])
    moment = datetime.fromisoformat(case["moment"])
    evidence = Evidence(ocsp_responses=responses)
    return [revocation.standing(*pair, evidence, moment, moment) for pair in itertools.pairwise(chain)]


def _decoded(file: Path) -> bytes:
    octets = file.read_bytes()
    return octets if octets.startswith(b"\x30") else b64decode(octets)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("case", OCSP, ids=_id)
def test_ocsp_as_it_was_in_2012(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path, "WEAK", ())
    answered = _ocsp(case)[: len(case["ocsps"])]
    good = all(one.status == "good" for one in answered)
    assert good == ("error" not in case)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("case", OCSP, ids=_id)
def test_ocsp_sealed_with_sha1_says_nothing_today(case: dict[str, Any]) -> None:
    assert {one.status for one in _ocsp(case)} == {"unknown"}
