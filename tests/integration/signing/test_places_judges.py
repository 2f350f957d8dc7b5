"""Places where interfaces have signatures, in both reference modes: we judge files by xmlsec1, and xmlsec1 judges ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from lxml import etree

from signing import positions, xades, xml_parts, xmldsig
from signing.testing import Authority, MemoryKey
from signing.validation import Trust, validate
from signing.verdict import Report
from tests.site import cli

pytestmark = pytest.mark.skipif(
    shutil.which("xmlsec1") is None and os.geteuid() != 0, reason="xmlsec1 is not installed and cannot be"
)

ENVELOPED = f'<Transform Algorithm="{xmldsig.ENVELOPED}"/>'
C14N = f'<Transform Algorithm="{xmldsig.C14N}"/>'
WITHOUT = f'<Transform Algorithm="{xml_parts.XPATH}">{xml_parts.NO_SIGNATURE}</Transform>'
UNIT = "<THONGTINDONVI{d}><MACSKCB>01001</MACSKCB></THONGTINDONVI>"
RECORDS = (
    "<THONGTINHOSO{h}><NGAYLAP>20260821</NGAYLAP><SOLUONGHOSO>1</SOLUONGHOSO><DANHSACHHOSO><HOSO><FILEHOSO><LOAIHOSO>{kind}"
    "</LOAIHOSO><NOIDUNGFILE>{inside}</NOIDUNGFILE></FILEHOSO></HOSO></DANHSACHHOSO></THONGTINHOSO>"
)
REFERRAL = "<CHI_TIEU_GIAYCHUYENTUYEN><HO_TEN>Đặng Thị Ánh</HO_TEN><DU_PHONG>{}</DU_PHONG></CHI_TIEU_GIAYCHUYENTUYEN>"


def envelope(holder: str, *, ids: bool, root: str = "GIAMDINHHS", inside: str = "QQ==", kind: str = "XML1") -> str:
    unit = UNIT.format(d=' Id="THONGTINDONVI"' if ids else "")
    records = RECORDS.format(h=' Id="THONGTINHOSO"' if ids else "", kind=kind, inside=inside)
    return f'<{root} xmlns:xsi="urn:x">\n{unit}\n{records}<CHUKYDONVI>{holder}</CHUKYDONVI></{root}>'


def template(name: str, *, parts: bool = False, several: bool = False) -> str:
    def reference(uri: str, steps: str) -> str:
        return (
            f'<Reference URI="{uri}"><Transforms>{steps}</Transforms><DigestMethod Algorithm="{xmldsig.SHA256}"/>'
            "<DigestValue/></Reference>"
        )

    references = reference("", ENVELOPED + (WITHOUT if several else "") + C14N)
    if parts:
        references = reference("#THONGTINDONVI", C14N) + reference("#THONGTINHOSO", C14N)
    return (
        f'<Signature xmlns="{xmldsig.NAMESPACE}" Id="{name}"><SignedInfo><CanonicalizationMethod '
        f'Algorithm="{xmldsig.C14N}"/><SignatureMethod Algorithm="{xmldsig.RSA_SHA256}"/>{references}</SignedInfo>'
        "<SignatureValue/><KeyInfo><X509Data/></KeyInfo></Signature>"
    )


def health_check(*, parts: bool, holders: tuple[str, ...] = ("CKS_NGUOI_KET_LUAN", "CKS_BENH_VIEN")) -> str:
    several = len(holders) > 1
    inside = "".join(f"<{one}>{template(one, parts=parts, several=several)}</{one}>" for one in holders)
    return envelope(inside, ids=parts, root="KHAMSUCKHOE")


def bare(root: str, place: str) -> str:
    return f"<{root}><MA_LK>1</MA_LK><{place}>{template('s')}</{place}></{root}>"


MADE: dict[str, tuple[str, tuple[str, ...]]] = {
    "GIAMDINHHS, whole": (envelope(template("s"), ids=False), ("s",)),
    "GIAMDINHHS, by Id": (envelope(template("s", parts=True), ids=True), ("s",)),
    "GIAMDINHHS, two, whole": (
        envelope(template("s", several=True) + template("t", several=True), ids=False),
        ("s", "t"),
    ),
    "GIAMDINHHS, two, by Id": (envelope(template("s", parts=True) + template("t", parts=True), ids=True), ("s", "t")),
    "health check, whole": (health_check(parts=False), ("CKS_NGUOI_KET_LUAN", "CKS_BENH_VIEN")),
    "health check, by Id": (health_check(parts=True), ("CKS_NGUOI_KET_LUAN", "CKS_BENH_VIEN")),
    "health check, hospital alone": (health_check(parts=False, holders=("CKS_BENH_VIEN",)), ("CKS_BENH_VIEN",)),
    "table 0": (bare("CHI_TIEU_TRANG_THAI_KCB", "CHUKYDONVI"), ("s",)),
    "table 12": (bare("CHI_TIEU_GIAM_DINH_YKHOA", "CHUKYDONVI"), ("s",)),
    "table 13, reserve": (REFERRAL.format(template("s")), ("s",)),
    "table 14, reserve": (bare("CHI_TIEU_GIAYHEN_KHAMLAI", "DU_PHONG"), ("s",)),
    "certificates of social insurance": (bare("HSCHUNGTU", "CHUKYDONVI"), ("s",)),
    "catalogue": (bare("HSDANHMUC", "CHUKYDONVI"), ("s",)),
}


@dataclass(frozen=True)
class Xmlsec:
    folder: Path
    root: Authority

    def sign(self, text: str, names: tuple[str, ...]) -> bytes:
        file = self.folder / "made.xml"
        file.write_text(text)
        for name in names:
            done = self._run("--sign", "--privkey-pem", "key.pem,0.pem,1.pem", "--node-id", name, "made.xml")
            file.write_bytes(done.stdout)
        return file.read_bytes()

    def accepts(self, xml: bytes) -> bool:
        (self.folder / "judged.xml").write_bytes(xml)
        names = [str(one.get("Id")) for one in etree.fromstring(xml).iter(xmldsig.SIGNATURE)]
        runs = [self._run("--verify", "--trusted-pem", "ca.pem", "--node-id", one, "judged.xml") for one in names]
        return bool(runs) and all(one.returncode == 0 for one in runs)

    def _run(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        names = ["THONGTINDONVI", "THONGTINHOSO", f"{xmldsig.NAMESPACE}:Signature"]
        ids = [word for name in names for word in ("--id-attr:Id", name)]
        whole = ["xmlsec1", command[0], *ids, *command[1:]]
        return subprocess.run(whole, capture_output=True, timeout=30, check=False, cwd=self.folder)

    def judged(self, xml: bytes) -> Report:
        return validate(xml, Trust([self.root.certificate]))


@pytest.fixture(scope="module")
def key() -> MemoryKey:
    return Authority.root().intermediate().issue("Bệnh viện Thử")


@pytest.fixture(scope="module")
def xmlsec(tmp_path_factory: pytest.TempPathFactory) -> tuple[Xmlsec, MemoryKey]:
    root = Authority.root()
    signer = root.intermediate().issue("Bệnh viện Thử")
    folder = tmp_path_factory.mktemp("places")
    (folder / "ca.pem").write_bytes(root.pem())
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(signer.private_key.private_bytes(*plain))
    for number, certificate in enumerate(signer.chain):
        (folder / f"{number}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Xmlsec(folder, root), signer


@pytest.mark.parametrize("name", MADE)
def test_a_file_by_xmlsec1_is_valid_and_no_change_of_it_is(name: str, xmlsec: tuple[Xmlsec, MemoryKey]) -> None:
    judge, _ = xmlsec
    text, names = MADE[name]
    signed = judge.sign(text, names)
    assert judge.accepts(signed)
    told = judge.judged(signed)
    assert (told.verdict, told.reasons, len(told.signers)) == ("valid", (), len(names))
    covered = {one.part for one in told.covers}
    assert covered == ({"THONGTINDONVI", "THONGTINHOSO"} if "by Id" in name else {"document"})
    for old, new in ((b"01001", b"01002"), (b"<MA_LK>1", b"<MA_LK>2"), (b"<HO_TEN>", b"<HO_TEN>x")):
        if old in signed:
            changed = signed.replace(old, new)
            assert not judge.accepts(changed)
            assert judge.judged(changed).verdict == "invalid"


def test_a_part_that_nobody_signed_is_found(xmlsec: tuple[Xmlsec, MemoryKey]) -> None:
    judge, _ = xmlsec
    signed = judge.sign(*MADE["GIAMDINHHS, by Id"])
    added = signed.replace(b"<CHUKYDONVI>", b"<THEM>1</THEM><CHUKYDONVI>")
    assert judge.accepts(added)  # xmlsec1 says only that the references hold
    assert judge.judged(added).verdict == "invalid"
    hidden = signed.replace(b"</CHUKYDONVI>", b"<THEM>1</THEM></CHUKYDONVI>")
    assert judge.judged(hidden).verdict == "invalid"


def test_a_signature_elsewhere_is_misplaced(xmlsec: tuple[Xmlsec, MemoryKey]) -> None:
    judge, _ = xmlsec
    for text in (
        bare("HSCHUNGTU", "DU_PHONG"),
        bare("HSCHUNGTU", "CKS_BENH_VIEN"),
        f"<KHAMSUCKHOE><CHUKYDONVI><CHUKYDONVI>{template('s')}</CHUKYDONVI></CHUKYDONVI></KHAMSUCKHOE>",
    ):
        signed = judge.sign(text, ("s",))
        assert judge.accepts(signed)
        assert [one.code for one in judge.judged(signed).reasons] == [5087]


def test_the_signed_referral_inside_the_file(xmlsec: tuple[Xmlsec, MemoryKey], tmp_path: Path) -> None:
    judge, _ = xmlsec
    inner = judge.sign(REFERRAL.format(template("s")), ("s",))
    good = judge.sign(envelope(template("s"), ids=False, kind="XML13", inside=b64encode(inner).decode()), ("s",))
    told = judge.judged(good)
    assert (told.verdict, [one.where for one in told.signers]) == ("valid", ["Signature", "XML13 in HOSO 1: Signature"])
    assert [one.part for one in told.covers] == ["document", "XML13 in HOSO 1"]
    spoiled = b64encode(inner.replace(b"<HO_TEN>", b"<HO_TEN>x")).decode()
    bad = judge.sign(envelope(template("s"), ids=False, kind="XML13", inside=spoiled), ("s",))
    assert judge.accepts(bad)  # the file is whole; the paper inside is not
    told = judge.judged(bad)
    assert (told.verdict, [(one.code, one.where) for one in told.reasons]) == (
        "invalid",
        [(5088, "XML13 in HOSO 1: Reference")],
    )
    (tmp_path / "good.xml").write_bytes(good)
    ca = str(judge.folder / "ca.pem")
    done = cli("verify", "--json", "--offline", "--trust", ca, str(tmp_path / "good.xml"))
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "valid")


HEALTH = envelope("<CKS_NGUOI_KET_LUAN/><CKS_BENH_VIEN/>", ids=False, root="KHAMSUCKHOE")
CONTENT = ("THONGTINDONVI", "THONGTINHOSO")


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("parts", [False, True])
def test_our_own_at_both_places_of_the_health_check(plain: bool, parts: bool, xmlsec: tuple[Xmlsec, MemoryKey]) -> None:
    judge, key = xmlsec
    xml = HEALTH.encode()
    if parts:
        xml = positions.with_ids(xml, etree.fromstring(xml), CONTENT)
    for place in ("CKS_NGUOI_KET_LUAN", "CKS_BENH_VIEN"):
        xml = xades.sign(xml, key, place=place, plain=plain, parallel=True, parts=CONTENT if parts else ())
    if plain:
        assert judge.accepts(xml)
    told = judge.judged(xml)
    assert (told.verdict, told.reasons, len(told.signers)) == ("valid", (), 2)
    assert {one.level for one in told.signers} == {"XMLDSig" if plain else "B-B"}


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
def test_our_own_in_the_insurance_file(algorithm: str, xmlsec: tuple[Xmlsec, MemoryKey]) -> None:
    judge, key = xmlsec
    xml = envelope("", ids=False).encode()
    xml = positions.with_ids(xml, etree.fromstring(xml), CONTENT)
    assert xml == envelope("", ids=True).encode()
    signed = xades.sign(xml, key, place="CHUKYDONVI", plain=True, parts=CONTENT, algorithm=algorithm)
    assert judge.accepts(signed)
    assert judge.judged(signed).verdict == "valid"
