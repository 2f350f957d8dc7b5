"""xmlsec1 judges every signature of a XAdES document; openssl makes time stamps and judges ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import rfc3161_client
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree

from signing import xades, xades_levels, xades_tree, xmldsig
from signing.evidence import Evidence
from signing.faults import TimestampInvalid
from signing.testing import Authority, MemoryKey, new_rsa_key
from signing.timestamp import TimestampClient, TimestampService
from signing.xades_properties import XADES, Claims, Commitment, ProductionPlace
from tests.integration.signing.test_signature_judges import DOCUMENTS, PLACED
from tests.tsa import Tsa, tsa_certificate
from tests.unit.signing.test_xades import signed_with

pytestmark = pytest.mark.skipif(
    shutil.which("xmlsec1") is None and os.geteuid() != 0, reason="xmlsec1 is not installed and cannot be"
)

CLAIMS = Claims(
    ("Bác sĩ", 'Trưởng khoa <Nội> & \r\n\t"'), ProductionPlace(city="Hà Nội", country="VN"), Commitment.APPROVAL
)
SIGNATURES = f"//*[local-name()='Signature' and namespace-uri()='{xmldsig.NAMESPACE}']"
OPENSSL_TSA = """
[tsa]
default_tsa = it
[it]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/issuers.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.2
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = {ess}
"""


@dataclass(frozen=True)
class Xmlsec:
    folder: Path

    def accepts(self, xml: bytes, signature_id: str) -> bool:
        file = self.folder / "judged.xml"
        file.write_bytes(xml)
        names = [
            f"{XADES}:SignedProperties",
            *(f"{xmldsig.NAMESPACE}:{n}" for n in ("Signature", "SignatureValue")),
            "a",
            "c",
        ]
        ids = [word for name in names for word in ("--id-attr:Id", name)]
        command = ["xmlsec1", "--verify", "--trusted-pem", str(self.folder / "ca.pem"), *ids]
        done = subprocess.run(
            [*command, "--node-id", signature_id, str(file)],
            capture_output=True,
            timeout=30,
            check=False,
            cwd=self.folder,
        )
        assert done.returncode >= 0, "xmlsec1 was killed"
        return done.returncode == 0

    def accepts_all(self, xml: bytes, count: int) -> bool:
        names = etree.fromstring(xml).xpath(f"{SIGNATURES}/@Id")
        assert isinstance(names, list)
        assert len(names) == count
        return all(self.accepts(xml, str(name)) for name in names)


@pytest.fixture(scope="module")
def root() -> Authority:
    return Authority.root()


@pytest.fixture(scope="module")
def issuing(root: Authority) -> Authority:
    return root.intermediate()


@pytest.fixture(scope="module")
def key(issuing: Authority) -> MemoryKey:
    return issuing.issue("Bùi Thị Xuân", title="Bác sĩ")


@pytest.fixture(scope="module")
def seal(issuing: Authority) -> MemoryKey:
    return issuing.issue("Bệnh viện Thử", organisation="Bệnh viện Thử")


@pytest.fixture(scope="module")
def xmlsec(root: Authority, tmp_path_factory: pytest.TempPathFactory) -> Xmlsec:
    folder = tmp_path_factory.mktemp("judge")
    (folder / "ca.pem").write_bytes(root.pem())
    return Xmlsec(folder)


@pytest.mark.parametrize("name", [*DOCUMENTS, *PLACED])
def test_single_and_parallel_signatures(name: str, key: MemoryKey, seal: MemoryKey, xmlsec: Xmlsec) -> None:
    xml, place = (DOCUMENTS | PLACED)[name].encode(), "CHUKYDONVI" if name in PLACED else None
    assert xmlsec.accepts_all(xades.sign(xml, key, place=place, claims=CLAIMS), 1)
    first = xades.sign(xml, key, parallel=True, claims=CLAIMS)
    second = xades.sign(first, seal, place=place, parallel=True)
    name_of_first = xades_tree.find_signature(etree.fromstring(first)).get("Id") or ""
    third = xades.sign(second, seal, place=place, parallel=True, confirms=[name_of_first])
    assert xmlsec.accepts_all(third, 3)


def test_change_of_the_document_breaks_every_signature(key: MemoryKey, seal: MemoryKey, xmlsec: Xmlsec) -> None:
    signed = xades.sign(b"<r><a>37,5</a></r>", key, parallel=True)
    signed = xades.sign(signed, seal, parallel=True)
    assert xmlsec.accepts_all(signed, 2)
    changed = signed.replace(b"37,5", b"39,5")
    names = [str(name) for name in etree.fromstring(changed).xpath(f"{SIGNATURES}/@Id")]  # type: ignore[union-attr]
    assert [xmlsec.accepts(changed, name) for name in names] == [False, False]
    assert xmlsec.accepts(signed.replace(b"<r>", b"<r><b/>"), names[0]) is False


def test_change_of_a_claim_breaks_the_signature(key: MemoryKey, xmlsec: Xmlsec) -> None:
    signed = xades.sign(b"<r/>", key, claims=CLAIMS)
    assert not xmlsec.accepts_all(signed.replace("Bác sĩ<".encode(), "Giám đốc<".encode()), 1)


@pytest.mark.parametrize(("curve", "name"), [(ec.SECP256R1(), "ES256"), (ec.SECP384R1(), "ES384")])
def test_elliptic_curves(curve: ec.EllipticCurve, name: str, root: Authority, xmlsec: Xmlsec) -> None:
    private = ec.generate_private_key(curve)
    holder = root.issue("Đường cong", private_key=private)  # type: ignore[arg-type]
    prepared = xades.prepare(b"<r/>", holder.chain[0])
    assert prepared.algorithm == name
    assert xmlsec.accepts_all(xades.inject(prepared, signed_with(private, prepared), holder.chain), 1)


def test_part_of_the_document(key: MemoryKey, seal: MemoryKey, xmlsec: Xmlsec) -> None:
    xml = '<r xmlns:v="urn:v" xmlns:u="urn:u"><a Id="one"><b u:type="v:CD"/></a><c Id="two"/><CHUKYDONVI/></r>'
    signed = xades.sign(xml.encode(), key, parts=["one"])
    signed = xades.sign(signed, seal, parts=["two"], place="CHUKYDONVI")
    assert xmlsec.accepts_all(signed, 2)


def test_countersignature(key: MemoryKey, seal: MemoryKey, xmlsec: Xmlsec) -> None:
    signed = xades.sign("<r>ế</r>".encode(), key)
    prepared = xades.prepare_countersignature(signed, seal.chain[0])
    both = xades.inject(prepared, seal.sign(prepared.to_be_signed), seal.chain)
    assert xmlsec.accepts_all(both, 2)


def test_detached_file(key: MemoryKey, xmlsec: Xmlsec) -> None:
    (xmlsec.folder / "paper.pdf").write_bytes(b"%PDF-1.7 \x00\xff")
    file = xades.File("paper.pdf", b"%PDF-1.7 \x00\xff", "application/pdf")
    prepared = xades.prepare_detached([file], key.chain[0])
    signed = xades.inject(prepared, key.sign(prepared.to_be_signed), key.chain)
    assert xmlsec.accepts_all(signed, 1)
    (xmlsec.folder / "paper.pdf").write_bytes(b"%PDF-1.7 \x00\xfe")
    assert not xmlsec.accepts_all(signed, 1)


@dataclass(frozen=True)
class OpensslTsa:
    """`openssl ts -reply` behind an HTTP server."""

    folder: Path
    url: str


@pytest.fixture(scope="module", params=["sha1", "sha256"])
def openssl_tsa(
    request: pytest.FixtureRequest, issuing: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpensslTsa]:
    folder = tmp_path_factory.mktemp("tsa")
    private = new_rsa_key()
    pem = serialization.Encoding.PEM
    (folder / "tsa.pem").write_bytes(tsa_certificate(issuing, private.public_key()).public_bytes(pem))
    (folder / "issuers.pem").write_bytes(issuing.certificate.public_bytes(pem))
    plain = (pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "tsa.key").write_bytes(private.private_bytes(*plain))
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(OPENSSL_TSA.format(folder=folder, ess=request.param))
    turn = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with turn:
                (folder / "asked.tsq").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
                command = [
                    "openssl",
                    "ts",
                    "-reply",
                    "-config",
                    f"{folder}/tsa.cnf",
                    "-queryfile",
                    f"{folder}/asked.tsq",
                ]
                answer = subprocess.run(command, capture_output=True, timeout=30, check=True).stdout
                (folder / "answer.tsr").write_bytes(answer)
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield OpensslTsa(folder, f"http://127.0.0.1:{server.server_port}/tsa")
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
def test_openssl_stamps(
    hash_name: str, openssl_tsa: OpensslTsa, root: Authority, key: MemoryKey, xmlsec: Xmlsec
) -> None:
    signed = xades.sign("<r>ế</r>".encode(), key, claims=CLAIMS, parallel=True)
    data = xades_levels.timestamp_data(signed)
    service = TimestampService(openssl_tsa.url, (root.certificate,), policy="1.2.3.4.2")
    with httpx.Client() as http:
        token = TimestampClient([service], hash_name=hash_name).stamp(data, http)
        refused = TimestampService(openssl_tsa.url, (Authority.root("Lạ").certificate,))
        with pytest.raises(TimestampInvalid):
            TimestampClient([refused]).stamp(data, http)
    assert (token.policy, token.hash_name) == ("1.2.3.4.2", hash_name)
    assert xmlsec.accepts_all(xades_levels.with_timestamp(signed, token), 1)


def test_openssl_and_rfc3161_client_believe_the_same_answer(openssl_tsa: OpensslTsa, root: Authority) -> None:
    service = TimestampService(openssl_tsa.url, (root.certificate,))
    with httpx.Client() as http:
        token = TimestampClient([service]).stamp(b"data", http)
    folder = openssl_tsa.folder
    (folder / "ca.pem").write_bytes(root.pem())
    (folder / "data").write_bytes(b"data")
    command = ["openssl", "ts", "-verify", "-data", f"{folder}/data", "-in", f"{folder}/answer.tsr"]
    trust = ["-CAfile", f"{folder}/ca.pem", "-untrusted", f"{folder}/issuers.pem"]
    done = subprocess.run([*command, *trust], capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    answer = rfc3161_client.decode_timestamp_response((folder / "answer.tsr").read_bytes())
    assert answer.tst_info.serial_number == token.serial
    assert answer.tst_info.gen_time == token.at
    assert answer.tst_info.nonce == token.nonce


def test_all_levels_stay_valid_for_xmlsec1(
    root: Authority, issuing: Authority, key: MemoryKey, seal: MemoryKey, xmlsec: Xmlsec
) -> None:
    tsa = Tsa.of(issuing)
    signed = xades.sign("<r>ế<CHUKYDONVI/></r>".encode(), key, parallel=True)
    first = xades_tree.find_signature(etree.fromstring(signed)).get("Id") or ""
    signed = xades.sign(signed, seal, place="CHUKYDONVI", parallel=True)
    der = tuple(c.public_bytes(serialization.Encoding.DER) for c in (root.certificate, tsa.certificate))
    signed = xades_levels.with_timestamp(signed, tsa.token(xades_levels.timestamp_data(signed, first)), first)
    assert xmlsec.accepts_all(signed, 2)
    signed = xades_levels.with_values(signed, Evidence(der, (b"an OCSP response",)), first)
    assert xmlsec.accepts_all(signed, 2)
    stamped = tsa.token(xades_levels.archive_timestamp_data(signed, first))
    assert xmlsec.accepts_all(xades_levels.with_archive_timestamp(signed, stamped, first), 2)
