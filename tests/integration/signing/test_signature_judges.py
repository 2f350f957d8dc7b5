"""Other people's software judges our signatures, and we judge theirs: xmlsec1 (a separate program) and signxml."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from signing import verify, xmldsig
from signing.faults import SignatureInvalid
from signing.testing import Authority, MemoryKey

pytestmark = pytest.mark.skipif(
    shutil.which("xmlsec1") is None and os.geteuid() != 0, reason="xmlsec1 is not installed and cannot be"
)

CORPUS = Path(__file__).resolve().parents[4] / "shared/corpora/cda/xsd-valid"

DOCUMENTS: dict[str, str] = {
    "small": "<r><a>x</a></r>",
    "empty root": "<r />\n",
    "vietnamese": "<?xml version='1.0' encoding='UTF-8'?>\n<r ten='Đặng Thị Ngọc Ánh'>Khám sức khỏe — “ổn”, 37,5 °C 😀</r>",
    "byte order mark": '\ufeff<?xml version="1.0" encoding="utf-8"?>\r\n<r>ế</r>',
    "mixed line endings": "<r a='1\r\n2'>\r\n<a>\n\r</a>\r&#13;&#10;\t</r>\r\n",
    "namespaces": (
        '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xmlns:voc="urn:hl7-org:v3/voc" xmlns:unused="urn:u"><value xsi:type="voc:CD" code="1"/>'
        '<sdtc:x xmlns:sdtc="urn:hl7-org:sdtc" sdtc:y="1" xml:lang="vi"/><n xmlns="">n</n></ClinicalDocument>'
    ),
    "prefixed root": '<ds:r xmlns:ds="urn:not-dsig"><ds:a/></ds:r>',
    "comments": "<!-- 1 --><r><!-- </r> --><a>a</a><!-- 2 --><b>b</b></r><!-- </r> -->",
    "inner instruction": "<r><?xml-stylesheet href='a'?>x<?p?></r>",
    "instructions beside the root": "<?xml-stylesheet href='cda.xsl'?>\n<r>x</r>\n<?after </r> <? x?>\n",
    "cdata": "<r><![CDATA[CSST<M75_T37> ]] </r>]]>&lt;&amp;</r>",
}
PLACED = {
    "empty tag": "<GIAMDINHHS xmlns:xsd='urn:x'>\r\n<X/>\r\n<CHUKYDONVI/>\r\n</GIAMDINHHS>",
    "two tags": "<GIAMDINHHS><!-- <CHUKYDONVI/> --><CHUKYDONVI></CHUKYDONVI></GIAMDINHHS>",
}


@dataclass(frozen=True)
class Judge:
    """`xmlsec1 --verify --trusted-pem ca.pem FILE`, nothing else on the command line."""

    directory: Path

    def accepts(self, xml: bytes) -> bool:
        file = self.directory / "judged.xml"
        file.write_bytes(xml)
        command = ["xmlsec1", "--verify", "--trusted-pem", str(self.directory / "ca.pem"), str(file)]
        done = subprocess.run(command, capture_output=True, timeout=30, check=False)
        assert done.returncode >= 0, "xmlsec1 was killed"
        return done.returncode == 0

    def signxml_accepts(self, xml: bytes) -> bool:
        XMLVerifier().verify(
            xml,
            ca_pem_file=str(self.directory / "ca.pem"),
            expect_config=SignatureConfiguration(location=".//", expect_references=1),
        )
        return True


@pytest.fixture(scope="module")
def root() -> Authority:
    return Authority.root()


@pytest.fixture(scope="module")
def key(root: Authority) -> MemoryKey:
    return root.intermediate().issue("Bùi Thị Xuân", title="Bác sĩ")


@pytest.fixture(scope="module")
def judge(root: Authority, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    directory = tmp_path_factory.mktemp("judge")
    (directory / "ca.pem").write_bytes(root.pem())
    return Judge(directory)


@pytest.mark.parametrize("name", [*DOCUMENTS, *PLACED])
def test_all_judges_accept(name: str, root: Authority, key: MemoryKey, judge: Judge) -> None:
    xml = (DOCUMENTS | PLACED)[name].encode()
    signed = xmldsig.sign(xml, key, "CHUKYDONVI" if name in PLACED else None)
    verify.verify(signed, [root.certificate])
    assert judge.accepts(signed)
    if name != "instructions beside the root":  # signxml leaves these out of the hash; W3C and xmlsec1 have them in
        assert judge.signxml_accepts(signed)


def test_root_in_the_chain_does_no_harm(root: Authority, key: MemoryKey, judge: Judge) -> None:
    signed = xmldsig.sign(b"<r/>", MemoryKey(key.private_key, (*key.chain, root.certificate)))
    verify.verify(signed, [root.certificate])
    assert judge.accepts(signed)
    assert judge.signxml_accepts(signed)


def test_real_documents(root: Authority, key: MemoryKey, judge: Judge) -> None:
    if not CORPUS.parent.parent.is_dir():
        pytest.skip("the corpora are not here")
    files = [file for file in sorted(CORPUS.rglob("*.xml")) if b"<!DOCTYPE" not in file.read_bytes()][:12]
    assert len(files) >= 5
    for file in files:
        xml = file.read_bytes()
        signed = xmldsig.sign(xml, key)
        found = re.search(rb"<Signature xmlns=.*</Signature>", signed, re.DOTALL)
        assert found is not None
        assert signed.replace(found[0], b"", 1) == xml
        verify.verify(signed, [root.certificate])
        assert judge.accepts(signed)


CHANGEABLE = (
    '<?style a?><r xmlns:v="urn:v" a="1"> \n<HO_TEN>Trần Thị Bưởi</HO_TEN>\t<GIA>4.50</GIA><?p x?>\n</r>'
).encode()


def test_one_changed_byte_is_refused_by_both(root: Authority, key: MemoryKey, judge: Judge) -> None:
    signed = xmldsig.sign(CHANGEABLE, key)
    info_end = signed.index(b"</SignatureValue>")
    blanks = [position for position in range(len(CHANGEABLE) - 4) if CHANGEABLE[position : position + 1].isspace()]
    sample = sorted({*blanks, *range(2, len(CHANGEABLE) - 4, 9), *range(len(CHANGEABLE), info_end, 61)})
    assert judge.accepts(signed)
    accepted = []
    for position in sample:
        changed = bytearray(signed)
        changed[position] = ord("\t") if changed[position : position + 1] == b" " else changed[position] ^ 1
        if _ours_accepts(bytes(changed), root) or judge.accepts(bytes(changed)):
            accepted.append((position, signed[position - 5 : position + 5]))
    # Blanks between attributes and after a target are not content: canonicalisation drops the difference.
    assert [found for found in accepted if not _between_attributes(signed, found[0])] == []


def _between_attributes(xml: bytes, position: int) -> bool:
    return xml[position : position + 1] == b" " and any(
        found.start() < position < found.end() for found in re.finditer(rb"<[^>]*>", xml)
    )


def _ours_accepts(xml: bytes, root: Authority) -> bool:
    try:
        verify.verify(xml, [root.certificate])
    except Exception:  # noqa: BLE001 - any refusal counts here; which one is tested elsewhere
        return False
    return True


def test_wrong_root_is_refused_by_both(key: MemoryKey, judge: Judge) -> None:
    stranger = Authority.root()
    signed = xmldsig.sign(b"<r/>", stranger.issue("Lạ", private_key=key.private_key))
    assert not judge.accepts(signed)
    assert _ours_accepts(signed, stranger)


@pytest.mark.parametrize(
    "method", [CanonicalizationMethod.CANONICAL_XML_1_0, CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0]
)
def test_signatures_by_signxml_are_accepted(
    method: CanonicalizationMethod, root: Authority, key: MemoryKey, judge: Judge
) -> None:
    signer = XMLSigner(method=SignatureConstructionMethod.enveloped, c14n_algorithm=method)
    tree = etree.fromstring('<r xmlns:v="urn:v"><a>Lý</a></r>'.encode())
    signed = etree.tostring(signer.sign(tree, key=key.private_key, cert=list(key.chain), always_add_key_value=True))
    assert judge.accepts(signed)
    declaration = "" if "exc-c14n" in method.value else ' xmlns:v="urn:v"'
    assert verify.verify(signed, [root.certificate]).data == f"<r{declaration}><a>Lý</a></r>".encode()


TEMPLATE = (
    '<v:r xmlns:v="urn:v" xmlns:w="urn:w"><a>Phạm</a><CHUKYDONVI>\n<ds:Signature xmlns:ds="{ns}" Id="s">\n<ds:SignedInfo>\n'
    '<ds:CanonicalizationMethod Algorithm="{c14n}"/>\n<ds:SignatureMethod Algorithm="{rsa}"/>\n<ds:Reference URI="">'
    '<ds:Transforms><ds:Transform Algorithm="{enveloped}"/></ds:Transforms>\n<ds:DigestMethod Algorithm="{sha}"/>'
    "<ds:DigestValue/></ds:Reference></ds:SignedInfo>\n<ds:SignatureValue/>\n<ds:KeyInfo><ds:X509Data/></ds:KeyInfo>"
    "</ds:Signature>\n after </CHUKYDONVI></v:r>"
)


def test_signatures_by_xmlsec1_are_accepted(root: Authority, key: MemoryKey, tmp_path: Path) -> None:
    names = {"ns": xmldsig.NAMESPACE, "c14n": xmldsig.C14N, "rsa": xmldsig.RSA_SHA256, "sha": xmldsig.SHA256}
    (tmp_path / "template.xml").write_text(TEMPLATE.format(**names, enveloped=xmldsig.ENVELOPED))
    private = key.private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "key.pem").write_bytes(private)
    for number, certificate in enumerate(key.chain):
        (tmp_path / f"{number}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pair = f"{tmp_path}/key.pem,{tmp_path}/0.pem,{tmp_path}/1.pem"
    command = ["xmlsec1", "--sign", "--privkey-pem", pair, f"{tmp_path}/template.xml"]
    signed = subprocess.run(command, capture_output=True, timeout=30, check=True).stdout
    verified = verify.verify(signed, [root.certificate])
    expected = '<v:r xmlns:v="urn:v" xmlns:w="urn:w"><a>Phạm</a><CHUKYDONVI>\n\n after </CHUKYDONVI></v:r>'
    assert verified.data == expected.encode()
    with pytest.raises(SignatureInvalid):
        verify.verify(signed.replace(b"urn:w", b"urn:x"), [root.certificate])
