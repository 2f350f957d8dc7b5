"""XML signatures of W3C's interoperability days, of Aleksey Sanin, Baltimore (merlin), Phaos, ETSI's plugtests and DSS, as
signxml carries them: which hold, and what keeps us from the others.

`xml.csv` says for each file what its name or its authors say of it, and what we say: `holds`, or the fault with its reason.
Nothing that is named invalid may hold; what is valid and refused is refused for a named reason (SHA-1, DSA, a key without a
certificate…).
"""

from __future__ import annotations

import csv
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import keys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from lxml import etree

from mappings.formats.faults import SigningFault
from signing import certificates, path, timestamp_token, verify_xml
from signing.faults import TimestampInvalid
from signing.testing import new_rsa_key
from signing.validation import Trust, validate
from signing.verdict import Held, Stamped
from tests.unit.signing.forge import b64, der
from tests.vectors.conftest import package

DS = "{http://www.w3.org/2000/09/xmldsig#}"
DSIG11 = "{http://www.w3.org/2009/xmldsig11#}"


@dataclass(frozen=True)
class Row:
    file: str
    named: str
    ours: str
    detail: str


ROWS = [Row(**row) for row in csv.DictReader((Path(__file__).parent / "xml.csv").read_text("utf-8").splitlines())]


def _folder() -> Path:
    found = package("signxml")
    assert found is not None
    return found / "test"


def _read(row: Row) -> tuple[str, str]:
    try:
        found = verify_xml.read((_folder() / row.file).read_bytes())
    except SigningFault as fault:
        return type(fault).__name__, fault.detail
    faults = [
        one
        for signature in found
        for one in ([*signature.countersigned, *signature.doubts] if isinstance(signature, Held) else [signature])
        if isinstance(one, SigningFault)
    ]
    return (type(faults[0]).__name__, faults[0].detail) if faults else ("holds", "")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.file)
def test_file(row: Row) -> None:
    assert _read(row) == (row.ours, row.detail)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.file)
def test_without_roots_nobody_is_believed(row: Row) -> None:
    assert validate((_folder() / row.file).read_bytes(), Trust([])).verdict == "invalid"


def test_nothing_that_is_named_invalid_holds_and_no_file_is_left_out() -> None:
    assert not [row.file for row in ROWS if row.named == "invalid" and row.ours == "holds"]
    present = {
        str(file.relative_to(_folder())) for file in _folder().rglob("*.xml") if b"Signature" in file.read_bytes()
    }
    assert present <= {row.file for row in ROWS}
    assert sum(row.ours == "holds" for row in ROWS) >= 38


# ---- keys without a certificate: the same files, with a certificate for their key put in ----


AUTHORITY = new_rsa_key()
WEAK = ("sha1", "sha224", "p521")
BARE = [row for row in ROWS if row.file.startswith("interop/TR2012/") and "hmac" not in row.file]
ELSEWHERE = ("keyinforeference", "x509digest")


def _key(key_info: etree._Element) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    def number(name: str) -> int:
        return int.from_bytes(_octets(key_info.find(f".//{DS}{name}")))

    if (encoded := key_info.find(f"{DSIG11}DEREncodedKeyValue")) is not None:
        found = serialization.load_der_public_key(_octets(encoded))
        assert isinstance(found, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)
        return found
    if key_info.find(f".//{DS}Modulus") is not None:
        return rsa.RSAPublicNumbers(number("Exponent"), number("Modulus")).public_key()
    named, point = key_info.find(f".//{DSIG11}NamedCurve"), key_info.find(f".//{DSIG11}PublicKey")
    assert named is not None
    curve = keys.NamedCurve.map((named.get("URI") or "").removeprefix("urn:oid:"))
    curves: dict[str, ec.EllipticCurve] = {
        "secp256r1": ec.SECP256R1(),
        "secp384r1": ec.SECP384R1(),
        "secp521r1": ec.SECP521R1(),
    }
    return ec.EllipticCurvePublicKey.from_encoded_point(curves[curve], _octets(point))


def _octets(element: etree._Element | None) -> bytes:
    assert element is not None
    return b64decode(element.text or "")


def _certified(file: Path) -> bytes:
    root = etree.fromstring(file.read_bytes())
    key_info = root.find(f"{DS}KeyInfo")
    assert key_info is not None
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "W3C")]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA")]))
        .public_key(_key(key_info))
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(AUTHORITY, hashes.SHA256())
    )
    for child in list(key_info):
        key_info.remove(child)
    held = etree.SubElement(etree.SubElement(key_info, f"{DS}X509Data"), f"{DS}X509Certificate")
    held.text = b64(der(certificate))
    return etree.tostring(root)


@pytest.mark.parametrize(
    "row", [row for row in BARE if not any(one in row.file for one in ELSEWHERE)], ids=lambda row: row.file
)
def test_key_value_with_a_certificate_for_it(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their arithmetic is ours; what is weak stays refused, and RSA keys of 1024 bits count only here."""
    certified = _certified(_folder() / row.file)
    if "rsa" in row.file:
        assert isinstance(verify_xml.read(certified)[0], SigningFault)
    monkeypatch.setattr(path, "MINIMUM_RSA_BITS", 1024)
    (found,) = verify_xml.read(certified)
    if any(weak in row.file for weak in WEAK) or b"xmldsig#sha1" in certified:
        assert isinstance(found, SigningFault)
        assert found.code == 5083
    else:
        assert isinstance(found, Held)


# ---- time stamps that others made ----


ALTERED = {
    "xades/xades-lta-with-additional-cert-in-keyinfo.xml": "stamps something else",
    "xades/xades-attr-authorities-values.xml": "hash sha1",
}
"""Archive time stamps that do not hold, and why."""


def _stamps() -> list[tuple[str, str, Stamped, list[x509.Certificate]]]:
    found = []
    for row in ROWS:
        if row.ours != "holds" or package("signxml") is None:
            continue
        for held in verify_xml.read((_folder() / row.file).read_bytes()):
            assert isinstance(held, Held)
            known = [certificates.from_der(one) for one in held.evidence.certificates]
            found += [(row.file, "signature", one, known) for one in held.stamps]
            found += [(row.file, "archive", one, known) for one in held.archive_stamps]
    return found


def test_time_stamps() -> None:
    """RFC 3161 tokens of nine authorities over what XAdES says they are over."""
    stamps = _stamps()
    for file, kind, stamp, known in stamps:
        if kind == "archive" and file in ALTERED:
            with pytest.raises(TimestampInvalid, match=ALTERED[file]):
                timestamp_token.require_imprint(timestamp_token.read(stamp.token, known), stamp.octets)
        else:
            timestamp_token.require_imprint(timestamp_token.read(stamp.token, known), stamp.octets)
    assert [sum(kind == one for _, kind, _, _ in stamps) for one in ("signature", "archive")] == [19, 8]


def test_a_time_stamp_over_anything_else_does_not_hold() -> None:
    for _, _, stamp, known in _stamps():
        with pytest.raises(TimestampInvalid):
            timestamp_token.require_imprint(timestamp_token.read(stamp.token, known), stamp.octets + b"x")
