"""Verification believes nothing but a whole document under one signature of a trusted certificate."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from mappings.formats.faults import SigningFault
from signing import verify, xmldsig
from signing.faults import CertificateUntrusted, KeyUnsuitable, NotSigned, SignatureInvalid
from signing.testing import Authority, MemoryKey, new_rsa_key

DOCUMENT = (
    '<?xml-stylesheet href="cda.xsl"?>\n<GIAMDINHHS xmlns:v="urn:v"><HO_TEN a="1">Trần Đại Nghĩa</HO_TEN>\n'
    "\t<GIA>4.50</GIA><?p x?><CHUKYDONVI></CHUKYDONVI></GIAMDINHHS>"
).encode()


def signed(key: MemoryKey, xml: bytes = DOCUMENT, place: str | None = "CHUKYDONVI") -> bytes:
    prepared = xmldsig.prepare(xml, place)
    return xmldsig.inject(prepared, key.sign(prepared.to_be_signed), key.chain)


def forged(
    key: MemoryKey, edit: Callable[[str], str], xml: bytes = DOCUMENT, seal: hashes.HashAlgorithm | None = None
) -> bytes:
    """Let the rightful signer sign another SignedInfo than ours."""
    prepared = xmldsig.prepare(xml, "CHUKYDONVI")
    info = edit(prepared.to_be_signed.decode()).encode()
    value = b64encode(key.private_key.sign(info, padding.PKCS1v15(), seal or hashes.SHA256()))
    whole = xmldsig.inject(prepared, key.sign(prepared.to_be_signed), key.chain)
    whole = re.sub(rb"<SignedInfo>.*</SignedInfo>", lambda _: info, whole)
    return re.sub(rb"<SignatureValue>.*</SignatureValue>", b"<SignatureValue>" + value + b"</SignatureValue>", whole)


def element(xml: bytes) -> bytes:
    found = re.search(rb"<Signature .*</Signature>", xml, re.DOTALL)
    assert found is not None
    return found[0]


def test_result_is_what_was_signed_and_by_whom(root: Authority, key: MemoryKey) -> None:
    verified = verify.verify(signed(key), [root.certificate])
    assert verified.data == DOCUMENT
    assert verified.signer.name == "Nguyễn Thị Ánh"
    assert verified.signer.title == "Bác sĩ"
    assert verified.signer.organisation == "Bệnh viện Thử"
    assert verified.signer.identifier == "MST:0100000000"
    assert verified.signer.sha256 == key.chain[0].fingerprint(hashes.SHA256()).hex()
    assert verified.chain == (*key.chain, root.certificate)
    assert (verified.revocation, verified.claimed_at) == ("not checked", None)
    assert "4.50" not in repr(verified)


# The library warns of a serial number that is not positive; a changed byte can make one.
ODD_SERIAL = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


@ODD_SERIAL
@pytest.mark.parametrize("offset", range(4))
def test_any_changed_byte_is_refused(offset: int, root: Authority, key: MemoryKey) -> None:
    whole = signed(key)
    assert verify.verify(whole, [root.certificate]).data == DOCUMENT
    accepted = []
    for position in range(offset * 5, len(whole), 20):
        changed = bytearray(whole)
        changed[position] ^= 1
        try:
            verify.verify(bytes(changed), [root.certificate])
            accepted.append(position)
        except SigningFault:
            pass
    assert accepted == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("4.50", "4.5"),
        ("</HO_TEN>\n\t<GIA>", "</HO_TEN>\n<GIA>"),
        ("</HO_TEN>\n", "</HO_TEN>\n\n"),
        ("urn:v", "urn:w"),
        ("cda.xsl", "cdb.xsl"),
        ("<?p x?>", ""),
        ('a="1"', 'a="1" b=""'),
        ("Đại", "Đa\u0323\u0300i"),
    ],
)
def test_small_changes_are_refused(old: str, new: str, root: Authority, key: MemoryKey) -> None:
    changed = signed(key).replace(old.encode(), new.encode())
    with pytest.raises(SignatureInvalid, match="content changed"):
        verify.verify(changed, [root.certificate])


def test_comments_are_outside_the_signature_and_outside_the_result(root: Authority, key: MemoryKey) -> None:
    changed = signed(key).replace(b"<GIA>", b"<!-- 45.0 --><GIA>")
    assert verify.verify(changed, [root.certificate]).data == DOCUMENT


def test_unsigned_is_told_apart(root: Authority) -> None:
    with pytest.raises(NotSigned):
        verify.verify(DOCUMENT, [root.certificate])


# ---- wrapping: genuine signatures in documents their signer never saw ----


def test_signed_document_wrapped_in_another_is_refused(root: Authority, key: MemoryKey) -> None:
    genuine = signed(key).split(b"?>\n", 1)[1]
    with pytest.raises(SignatureInvalid, match="not at a place"):
        verify.verify(b"<GIAMDINHHS><HO_TEN>Khac</HO_TEN>" + genuine + b"</GIAMDINHHS>", [root.certificate])


def test_signature_moved_to_another_document_is_refused(root: Authority, key: MemoryKey) -> None:
    for thief in (b"<r>%s</r>", b"<r><CHUKYDONVI>%s</CHUKYDONVI></r>"):
        with pytest.raises(SignatureInvalid, match="content changed"):
            verify.verify(thief % element(signed(key)), [root.certificate])


@pytest.mark.parametrize("place", [b"<HO_TEN>%s</HO_TEN>", b"<a><CHUKYDONVI>%s</CHUKYDONVI></a>"])
def test_signature_inside_another_element_is_refused(place: bytes, root: Authority, key: MemoryKey) -> None:
    with pytest.raises(SignatureInvalid, match="not at a place"):
        verify.verify(b"<r>" + place % element(signed(key)) + b"</r>", [root.certificate])


def test_signature_as_root_is_refused(root: Authority, key: MemoryKey) -> None:
    with pytest.raises(SignatureInvalid):
        verify.verify(element(signed(key)), [root.certificate])


def test_second_signature_is_refused(root: Authority, key: MemoryKey) -> None:
    whole = signed(key)
    for second in (element(whole) * 2, b'<s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"/>' + element(whole)):
        with pytest.raises(SignatureInvalid, match="2 signatures"):
            verify.verify(whole.replace(element(whole), second), [root.certificate])


def test_content_hidden_inside_the_signature_is_refused(root: Authority, key: MemoryKey) -> None:
    hidden = b"<Object><HO_TEN>Khac</HO_TEN></Object></Signature>"
    with pytest.raises(SignatureInvalid):
        verify.verify(signed(key).replace(b"</Signature>", hidden), [root.certificate])


# ---- forms we do not accept, though the rightful signer made them ----

REFERENCE = re.compile(r"<Reference .*</Reference>")
DIGEST = re.compile(r"<DigestValue>.*</DigestValue>")
SHA1 = "http://www.w3.org/2000/09/xmldsig#sha1"


def test_the_forging_helper_makes_good_signatures_too(root: Authority, key: MemoryKey) -> None:
    verify.verify(forged(key, lambda info: info), [root.certificate])
    sha512 = forged(key, lambda info: info.replace("rsa-sha256", "rsa-sha512"), seal=hashes.SHA512())
    verify.verify(sha512, [root.certificate])
    plain = forged(key, lambda info: info.replace(f'<Transform Algorithm="{xmldsig.C14N}"></Transform>', ""))
    verify.verify(plain, [root.certificate])


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda info: REFERENCE.sub(lambda found: found[0] * 2, info), id="two references"),
        pytest.param(lambda info: REFERENCE.sub("", info), id="no reference"),
        pytest.param(lambda info: info.replace('URI=""', 'URI="#a"'), id="reference to an Id"),
        pytest.param(lambda info: info.replace('URI=""', 'URI="http://127.0.0.1/"'), id="reference outwards"),
        pytest.param(lambda info: info.replace(' URI=""', ""), id="reference without URI"),
        pytest.param(lambda info: info.replace(xmldsig.ENVELOPED, xmldsig.C14N), id="not enveloped"),
        pytest.param(lambda info: info.replace(xmldsig.C14N, "http://www.w3.org/TR/1999/REC-xslt-19991116"), id="XSLT"),
        pytest.param(
            lambda info: info.replace(xmldsig.C14N, "http://www.w3.org/TR/1999/REC-xpath-19991116"), id="XPath"
        ),
        pytest.param(
            lambda info: re.sub(r"<Transforms>.*</Transforms>", "<Transforms></Transforms>", info), id="no transform"
        ),
        pytest.param(
            lambda info: DIGEST.sub(
                f"<DigestValue>{b64encode(hashlib.sha1(DOCUMENT).digest()).decode()}</DigestValue>",
                info.replace(xmldsig.SHA256, SHA1),
            ),
            id="SHA-1 digest",
        ),
        pytest.param(lambda info: info.replace("<DigestValue>", "<DigestValue> x"), id="not base64"),
        pytest.param(lambda info: info.replace(xmldsig.RSA_SHA256, f"{xmldsig.NAMESPACE}hmac-sha1"), id="HMAC"),
        pytest.param(lambda info: info.replace(xmldsig.EXCLUSIVE_C14N, "urn:none"), id="unknown canonical form"),
    ],
)
def test_other_forms_are_refused(edit: Callable[[str], str], root: Authority, key: MemoryKey) -> None:
    with pytest.raises(SignatureInvalid):
        verify.verify(forged(key, edit), [root.certificate])


def test_sha1_signature_is_refused(root: Authority, key: MemoryKey) -> None:
    weak = forged(
        key, lambda info: info.replace(xmldsig.RSA_SHA256, f"{xmldsig.NAMESPACE}rsa-sha1"), seal=hashes.SHA1()
    )
    with pytest.raises(SignatureInvalid, match="algorithm not accepted"):
        verify.verify(weak, [root.certificate])


def test_second_spelling_of_the_same_octets_is_refused(root: Authority, key: MemoryKey) -> None:
    def respelled(found: re.Match[bytes]) -> bytes:
        return bytes((found[1][0] + 1,)) + found[2]  # two octets short of a group: four bits of this letter are spare

    changed = re.sub(rb"(.)(==</SignatureValue>)", respelled, signed(key))
    assert changed != signed(key)
    with pytest.raises(SignatureInvalid, match="not base64"):
        verify.verify(changed, [root.certificate])


@pytest.mark.parametrize("after", [b"</SignatureValue>", b"</SignedInfo>", b'xmldsig#">'])
def test_text_between_the_parts_is_refused(after: bytes, root: Authority, key: MemoryKey) -> None:
    verify.verify(signed(key).replace(after, after + b"\n", 1), [root.certificate])
    with pytest.raises(SignatureInvalid, match="text between"):
        verify.verify(signed(key).replace(after, after + b"x", 1), [root.certificate])


@pytest.mark.parametrize("inserted", [b"<!-- x -->", b"<?x?>"])
@pytest.mark.parametrize("at", [b"<DigestValue>", b"<SignatureValue>", b"<X509Certificate>", b"<SignedInfo>"])
def test_comment_inside_the_signature_is_refused(inserted: bytes, at: bytes, root: Authority, key: MemoryKey) -> None:
    with pytest.raises(SignatureInvalid, match="comment or processing instruction"):
        verify.verify(signed(key).replace(at, at + inserted), [root.certificate])


def test_without_certificate_is_refused(root: Authority, key: MemoryKey) -> None:
    whole = signed(key)
    for bare in (rb"<KeyInfo></KeyInfo>", b""):
        with pytest.raises(SignatureInvalid):
            verify.verify(re.sub(rb"<KeyInfo>.*</KeyInfo>", bare, whole), [root.certificate])


# ---- who may sign ----


def test_certificate_of_somebody_else_is_refused(root: Authority, issuing: Authority, key: MemoryKey) -> None:
    other = b64encode(issuing.issue("Khác").chain[0].public_bytes(serialization.Encoding.DER))
    own = b64encode(key.chain[0].public_bytes(serialization.Encoding.DER))
    with pytest.raises(SignatureInvalid):
        verify.verify(signed(key).replace(own, other), [root.certificate])


def test_wrong_root_is_refused(root: Authority, key: MemoryKey) -> None:
    namesake = Authority.root()
    assert namesake.certificate.subject == root.certificate.subject
    for roots in ([namesake.certificate], []):
        with pytest.raises(CertificateUntrusted):
            verify.verify(signed(key), roots)


def test_certificates_in_any_order_are_accepted(root: Authority, key: MemoryKey) -> None:
    turned = re.sub(rb"(<X509Certificate>.*?</X509Certificate>)(.*)(</X509Data>)", rb"\2\1\3", signed(key))
    assert turned != signed(key)
    verify.verify(turned, [root.certificate])


def test_missing_intermediate_is_refused(root: Authority, key: MemoryKey) -> None:
    with pytest.raises(CertificateUntrusted):
        verify.verify(signed(MemoryKey(key.private_key, key.chain[:1])), [root.certificate])


def test_validity_is_judged_at_the_time_asked_about(root: Authority, issuing: Authority, key: MemoryKey) -> None:
    now = datetime.now(UTC)
    late = issuing.issue(
        "Trễ", private_key=key.private_key, not_before=now - timedelta(days=20), not_after=now - timedelta(days=10)
    )
    whole = signed(late)
    then = now - timedelta(days=15)
    assert verify.verify(whole, [root.certificate], then).checked_for == then
    for moment in (None, now, now - timedelta(days=21)):
        with pytest.raises(CertificateUntrusted, match="valid "):
            verify.verify(whole, [root.certificate], moment)


def certificate_with(
    issuer: Authority,
    subject: rsa.RSAPrivateKey,
    *,
    authority: bool | None,
    signs_data: bool = True,
    signs_certificates: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    usage = x509.KeyUsage(signs_data, False, not signs_data, False, False, signs_certificates, False, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Lạ")]))
        .issuer_name(issuer.certificate.subject)
        .public_key(subject.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(usage, critical=True)
    )
    if authority is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    return builder.sign(issuer.private_key, hashes.SHA256())


def test_signer_may_come_without_constraints(root: Authority, key: MemoryKey) -> None:
    plain = certificate_with(root, key.private_key, authority=None)
    verify.verify(signed(MemoryKey(key.private_key, (plain,))), [root.certificate])


def test_signer_that_is_an_authority_is_refused(root: Authority, key: MemoryKey) -> None:
    odd = certificate_with(root, key.private_key, authority=True, signs_certificates=True)
    with pytest.raises(CertificateUntrusted):
        verify.verify(signed(MemoryKey(key.private_key, (odd,))), [root.certificate])


def test_signer_whose_key_is_for_something_else_is_refused(root: Authority, key: MemoryKey) -> None:
    odd = certificate_with(root, key.private_key, authority=False, signs_data=False)
    with pytest.raises(CertificateUntrusted):
        verify.verify(signed(MemoryKey(key.private_key, (odd,))), [root.certificate])


@pytest.mark.parametrize(
    ("authority", "signs_certificates", "accepted"),
    [(True, True, True), (False, True, False), (None, True, False), (True, False, False)],
)
def test_issuer_must_be_an_authority(
    authority: bool | None, signs_certificates: bool, accepted: bool, root: Authority, key: MemoryKey
) -> None:
    middle = new_rsa_key()
    odd = certificate_with(root, middle, authority=authority, signs_certificates=signs_certificates)
    leaf = Authority(middle, odd, (odd,)).issue("Ai", private_key=key.private_key)
    if accepted:
        verify.verify(signed(leaf), [root.certificate])
        return
    with pytest.raises(CertificateUntrusted):
        verify.verify(signed(leaf), [root.certificate])


def test_certificate_sealed_with_sha1_is_refused(root: Authority, key: MemoryKey) -> None:
    sha1_with_rsa, sha256_with_rsa = (bytes.fromhex(f"2a864886f70d0101{last}") for last in ("05", "0b"))
    good = certificate_with(root, key.private_key, authority=False)
    content = good.tbs_certificate_bytes.replace(sha256_with_rsa, sha1_with_rsa)
    seal = root.private_key.sign(content, padding.PKCS1v15(), hashes.SHA1())
    der = good.public_bytes(serialization.Encoding.DER).replace(good.tbs_certificate_bytes, content)
    odd = x509.load_der_x509_certificate(der.replace(sha256_with_rsa, sha1_with_rsa).replace(good.signature, seal))
    with pytest.raises(KeyUnsuitable, match="sha1"):
        signed(MemoryKey(key.private_key, (odd,)))


def test_two_chains_in_one_signature_are_refused(root: Authority, issuing: Authority, key: MemoryKey) -> None:
    other = issuing.issue("Khác", private_key=key.private_key)
    with pytest.raises(SignatureInvalid, match="2 chains"):
        verify.verify(signed(MemoryKey(key.private_key, (*key.chain, other.chain[0]))), [root.certificate])


def test_certificate_of_an_unknown_version_is_refused(root: Authority, key: MemoryKey) -> None:
    der = key.chain[0].public_bytes(serialization.Encoding.DER)
    damaged = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x0a", 1)
    with pytest.raises(SignatureInvalid, match="cannot be read"):
        verify.verify(signed(key).replace(b64encode(der), b64encode(damaged)), [root.certificate])


def test_signer_cannot_issue(root: Authority, key: MemoryKey) -> None:
    pretended = Authority(key.private_key, key.chain[0], key.chain)
    with pytest.raises(CertificateUntrusted):
        verify.verify(signed(pretended.issue("Giả", private_key=key.private_key)), [root.certificate])


def test_authority_cannot_sign_papers(root: Authority, issuing: Authority) -> None:
    with pytest.raises(CertificateUntrusted):
        verify.verify(signed(MemoryKey(issuing.private_key, issuing.issuers)), [root.certificate])


def test_self_signed_is_refused(root: Authority, key: MemoryKey) -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Tự ký")])
    alone = Authority(key.private_key, root.certificate).issue("Tự ký", private_key=key.private_key)
    assert alone.chain[0].subject == name
    with pytest.raises(CertificateUntrusted):
        verify.verify(signed(alone), [root.certificate])


def test_weak_key_is_refused(root: Authority, issuing: Authority, key: MemoryKey) -> None:
    weak = issuing.issue("Yếu", private_key=new_rsa_key(1024))
    prepared = xmldsig.prepare(DOCUMENT, "CHUKYDONVI")
    whole = xmldsig.inject(prepared, key.sign(prepared.to_be_signed), key.chain)
    own = b64encode(key.chain[0].public_bytes(serialization.Encoding.DER))
    whole = whole.replace(own, b64encode(weak.chain[0].public_bytes(serialization.Encoding.DER)))
    value = b"<SignatureValue>" + b64encode(weak.sign(prepared.to_be_signed)) + b"</SignatureValue>"
    whole = re.sub(rb"<SignatureValue>.*</SignatureValue>", value, whole)
    with pytest.raises(SignatureInvalid, match="1024"):
        verify.verify(whole, [root.certificate])


@ODD_SERIAL
@pytest.mark.parametrize("which", [0, 1])
def test_damaged_certificates_are_refused_by_a_fault_of_ours(which: int, root: Authority, key: MemoryKey) -> None:
    whole, chance = signed(key), Random(which)
    der = key.chain[which].public_bytes(serialization.Encoding.DER)
    for _ in range(400):
        damaged = bytearray(der)
        position = chance.randrange(len(der))
        damaged[position] = (damaged[position] + chance.randrange(1, 256)) % 256
        with pytest.raises(SigningFault):
            verify.verify(whole.replace(b64encode(der), b64encode(damaged)), [root.certificate])


# ---- hostile input ----


@pytest.mark.parametrize(
    "xml",
    [
        b"",
        b"\x00",
        b"<r>",
        b"\xff\xfe",
        b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><r>&b;</r>',
        b'<!DOCTYPE r SYSTEM "file:///etc/hostname"><r/>',
        b"<a>" * 100_000 + b"</a>" * 100_000,
        b"<r" + b" a='1'" * 2 + b"/>",
        b"<r>" + b'<s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"/>' * 50_000 + b"</r>",
    ],
    ids=["empty", "nul", "cut off", "half a mark", "entities", "external DTD", "deep", "attribute twice", "many"],
)
def test_hostile_input_is_refused(xml: bytes, root: Authority) -> None:
    with pytest.raises(SignatureInvalid):
        verify.verify(xml, [root.certificate])


def test_document_type_added_to_a_signed_document_is_refused(root: Authority, key: MemoryKey) -> None:
    with pytest.raises(SignatureInvalid):
        verify.verify(b"<!DOCTYPE GIAMDINHHS>" + signed(key), [root.certificate])


def test_too_many_certificates_are_refused_before_any_work(root: Authority, key: MemoryKey) -> None:
    many = re.sub(rb"(<X509Certificate>.*?</X509Certificate>)", lambda found: found[1] * 30, signed(key))
    with pytest.raises(SignatureInvalid, match="certificates"):
        verify.verify(many, [root.certificate])
