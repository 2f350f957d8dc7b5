"""What the sandbox believes of a signature, and what it makes of bytes that nobody honest would send."""

from __future__ import annotations

import base64
import random
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.signer import XMLSigner
from signxml.xades.xades import XAdESSigner

from conformance.sandbox.authority import Authority
from conformance.sandbox.ca import DemoCA, Identity
from conformance.sandbox.holders import Holder
from conformance.sandbox.signatures import (
    DS,
    FILTER,
    NotSignedError,
    NotXmlError,
    SignatureError,
    Trust,
    check_whole,
    parse,
)
from tests.integration.sandbox.peer import cda, sign


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> DemoCA:
    return DemoCA(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def signer(ca: DemoCA) -> Identity:
    return ca.issue("Nguyễn Thị Bác", title="Bác sĩ", organisation="Bệnh viện A")


def signers(body: bytes, ca_pem_file: Path) -> list[str]:
    return check_whole(parse(body), Trust(ca_pem_file))


def test_xades_is_believed_like_xmldsig(ca: DemoCA, signer: Identity) -> None:
    made = XAdESSigner().sign(etree.fromstring(cda()), key=signer.key_pem, cert=signer.pem.decode())
    body = etree.tostring(made)
    assert b"SigningTime" in body
    assert signers(body, ca.pem_file) == ["Nguyễn Thị Bác"]
    with pytest.raises(SignatureError):
        signers(body.replace(b"SigningTime>20", b"SigningTime>19"), ca.pem_file)


def test_instructions_around_the_root_are_part_of_the_document(ca: DemoCA, signer: Identity) -> None:
    """Computed here by the definition: the digest is over the canonical document, the instruction included."""
    instruction = '<?xml-stylesheet href="ấn.xsl"?>'
    whole = sign_document(instruction + cda(), signer)
    assert signers(whole, ca.pem_file) == ["Nguyễn Thị Bác"]
    for changed in (whole.replace("ấn".encode(), b"in"), whole.removeprefix(instruction.encode()), whole + b"<?more?>"):
        with pytest.raises(SignatureError):
            signers(changed, ca.pem_file)


def test_the_form_that_dotnet_writes_is_believed(ca: DemoCA, signer: Identity) -> None:
    assert signers(sign_document(cda(), signer), ca.pem_file) == ["Nguyễn Thị Bác"]


def sign_document(xml: str, signer: Identity) -> bytes:
    """Sign by hand: no prefix, Canonical XML 1.0 throughout, lxml's canonicaliser over the whole document tree."""
    c14n = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
    tree = etree.fromstring(xml).getroottree()
    digest = base64.b64encode(sha256(etree.tostring(tree, method="c14n", with_comments=False)).digest()).decode()
    info = (
        f'<SignedInfo xmlns="{DS}"><CanonicalizationMethod Algorithm="{c14n}"></CanonicalizationMethod>'
        '<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"></SignatureMethod>'
        f'<Reference URI=""><Transforms><Transform Algorithm="{DS}enveloped-signature"></Transform>'
        f'<Transform Algorithm="{c14n}"></Transform></Transforms>'
        '<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></DigestMethod>'
        f"<DigestValue>{digest}</DigestValue></Reference></SignedInfo>"
    )
    value = base64.b64encode(signer.key.sign(info.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    certificate = base64.b64encode(signer.certificate.public_bytes(Encoding.DER)).decode()
    inherited = info.replace(f'<SignedInfo xmlns="{DS}">', "<SignedInfo>")
    signature = (
        f'<Signature xmlns="{DS}">{inherited}<SignatureValue>{value}</SignatureValue><KeyInfo><X509Data>'
        f"<X509Certificate>{certificate}</X509Certificate></X509Data></KeyInfo></Signature>"
    )
    return xml.replace("</ClinicalDocument>", signature + "</ClinicalDocument>").encode()


def test_a_document_type_is_never_read(signer: Identity) -> None:
    with pytest.raises(NotXmlError):
        parse(b"<!DOCTYPE x><x/>")
    with pytest.raises(NotXmlError):
        parse(b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><x>&e;</x>')


def test_unsigned_is_not_wrong(ca: DemoCA) -> None:
    with pytest.raises(NotSignedError):
        signers(cda().encode(), ca.pem_file)


def test_a_moved_signed_part_does_not_cover_the_new_root(ca: DemoCA, signer: Identity) -> None:
    """The classic wrapping attack: the signed document goes inside another one of the same name."""
    inner = sign(cda().replace("<ClinicalDocument ", '<ClinicalDocument ID="a" ', 1), signer, references=["#a"])
    assert signers(inner, ca.pem_file) == ["Nguyễn Thị Bác"]
    wrapped = b'<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="2.25.9"/>' + inner + b"</ClinicalDocument>"
    with pytest.raises(SignatureError):
        signers(wrapped, ca.pem_file)


def test_mutations_give_only_the_three_refusals_and_never_another_content(ca: DemoCA, signer: Identity) -> None:
    good = sign(cda(), signer)
    content = unsigned(good)
    chance = random.Random(2062)
    accepted = 0
    for _ in range(400):
        changed = mutate(good, chance)
        try:
            signers(changed, ca.pem_file)
        except (NotXmlError, NotSignedError, SignatureError):
            continue
        accepted += 1
        assert unsigned(changed) == content
    assert accepted < 100


def unsigned(body: bytes) -> bytes:
    root = parse(body)
    for signature in root.findall(f".//{{{DS}}}Signature"):
        parent = signature.getparent()
        assert parent is not None
        parent.remove(signature)
    return etree.tostring(root, method="c14n", with_comments=False)


def mutate(body: bytes, chance: random.Random) -> bytes:
    changed = bytearray(body)
    at = chance.randrange(len(changed))
    match chance.randrange(3):
        case 0:
            changed[at] = chance.randrange(256)
        case 1:
            del changed[at : at + chance.randint(1, 60)]
        case _:
            start = chance.randrange(len(changed))
            changed[at:at] = changed[start : start + chance.randint(1, 300)]
    return bytes(changed)


SUBTRACT = "/*/*[local-name()='Signature']"


def parallel(expression: str = SUBTRACT, kind: str = "subtract") -> bytes:
    """Write a transform by which signatures beside each other leave each other out."""
    return (
        f'<Transform xmlns="{DS}" Algorithm="{FILTER}"><XPath xmlns="{FILTER}" Filter="{kind}">{expression}</XPath></Transform>'
    ).encode()


def sign_beside(body: bytes, signer: Identity, transform: bytes) -> bytes:
    """Add a signature by the definition: the digest is over the canonical document without any signature."""
    root = parse(body)
    for each in root.findall(f"{{{DS}}}Signature"):
        root.remove(each)
    digest = base64.b64encode(sha256(etree.tostring(root, method="c14n")).digest()).decode()
    info = (
        f'<SignedInfo xmlns="{DS}"><CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>'
        '<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><Reference URI=""><Transforms>'
        '<Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>'
        f"{transform.decode()}"
        '<Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/></Transforms>'
        '<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
        f"<DigestValue>{digest}</DigestValue></Reference></SignedInfo>"
    )
    value = signer.key.sign(etree.tostring(parse(info.encode()), method="c14n"), padding.PKCS1v15(), hashes.SHA256())
    certificate = base64.b64encode(signer.certificate.public_bytes(Encoding.DER)).decode()
    signature = (
        f'<Signature xmlns="{DS}">{info}<SignatureValue>{base64.b64encode(value).decode()}</SignatureValue>'
        f"<KeyInfo><X509Data><X509Certificate>{certificate}</X509Certificate></X509Data></KeyInfo></Signature>"
    )
    end = body.rindex(b"</")
    return body[:end] + signature.encode() + body[end:]


def test_signatures_beside_each_other_all_hold(ca: DemoCA, signer: Identity) -> None:
    head = ca.issue("Lê Thị Trưởng")
    both = sign_beside(sign_beside(cda().encode(), signer, parallel()), head, parallel())
    assert signers(both, ca.pem_file) == ["Nguyễn Thị Bác", "Lê Thị Trưởng"]
    for changed in (both.replace(b"ra vi", b"vao vi"), both.replace(b"<DigestValue>", b"<DigestValue>A", 1)):
        assert changed != both
        with pytest.raises(SignatureError):
            signers(changed, ca.pem_file)


@pytest.mark.parametrize(
    "transform",
    [
        parallel("//*[local-name()='title']"),
        parallel("/*/*[local-name()='title']"),
        parallel(kind="intersect"),
        parallel("("),
    ],
)
def test_a_filter_that_takes_out_anything_else_is_refused(transform: bytes, ca: DemoCA, signer: Identity) -> None:
    with pytest.raises(SignatureError):
        signers(sign_beside(cda().encode(), signer, transform), ca.pem_file)


def test_a_certificate_has_to_have_been_good_when_it_signed(ca: DemoCA) -> None:
    now = datetime.now(UTC)
    authority = Authority(ca, lambda: datetime.now(UTC))
    held = authority.issue(Holder("Nguyễn Thị Bác"))
    trust = Trust(ca.pem_file, authority.holds)
    chain = [each.public_bytes(Encoding.PEM).decode() for each in (held.certificate, *held.chain[:-1])]
    made = XAdESSigner().sign(etree.fromstring(cda()), key=held.key_pem, cert=chain)
    plain = XMLSigner().sign(etree.fromstring(cda()), key=held.key_pem, cert=chain)
    xades, dsig = etree.tostring(made), etree.tostring(plain)
    assert check_whole(parse(xades), trust) == check_whole(parse(dsig), trust) == ["Nguyễn Thị Bác"]
    authority.suspend(held.certificate.serial_number, now + timedelta(minutes=1))
    assert check_whole(parse(xades), trust)
    authority.resume(held.certificate.serial_number)
    authority.suspend(held.certificate.serial_number, now - timedelta(minutes=1))
    for body in (xades, dsig):
        with pytest.raises(SignatureError, match="suspended"):
            check_whole(parse(body), trust)
    authority.resume(held.certificate.serial_number)
    assert check_whole(parse(xades), trust)
    authority.suspend(held.certificate.serial_number, now + timedelta(hours=1))
    assert check_whole(parse(dsig), trust), "a signature without a moment is judged at arrival"
