"""Make signed files of every wrong kind: what the rightful signer would never write, and what others make of what he wrote.

Everything is written in canonical form by hand, so that the judge does not share code with what it judges.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from signing.evidence import Evidence
from signing.testing import MemoryKey, new_rsa_key

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SIGNED = datetime(2026, 5, 1, 8, tzinfo=UTC)
DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
XADES141 = "http://uri.etsi.org/01903/v1.4.1#"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = f"{DS}enveloped-signature"
FILTER = "http://www.w3.org/2002/06/xmldsig-filter2"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
SHA1 = f"{DS}sha1"
SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"
COUNTERSIGNED = "http://uri.etsi.org/01903#CountersignedSignature"
OCSP = "http://ocsp.example/"
CRL = "http://crl.example/ca.crl"
IS_SIGNATURE = f'*[local-name()="Signature" and namespace-uri()="{DS}"]'
OTHERS = f"/*/{IS_SIGNATURE} | /*/*/{IS_SIGNATURE}"
WHOLE = f'<Transform Algorithm="{ENVELOPED}"></Transform><Transform Algorithm="{C14N}"></Transform>'
PARALLEL = (
    f'<Transform Algorithm="{ENVELOPED}"></Transform><Transform Algorithm="{FILTER}">'
    f'<XPath xmlns="{FILTER}" Filter="subtract">{OTHERS}</XPath></Transform><Transform Algorithm="{C14N}"></Transform>'
)
XCLUSIVE = f'<Transform Algorithm="{EXCLUSIVE}"></Transform>'


def b64(data: bytes) -> str:
    return b64encode(data).decode()


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


# ---- certificates ----


@cache
def key_number(number: int, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Keys are dear; certificates that need not differ in theirs share them."""
    return new_rsa_key(bits)


@dataclass(frozen=True)
class Pair:
    """A certificate with its key, and what is above it."""

    key: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate
    above: tuple[x509.Certificate, ...] = ()

    @property
    def memory(self) -> MemoryKey:
        return MemoryKey(self.key, (self.certificate, *self.above))


def issue(
    issuer: Pair | None,
    name: str,
    key: int,
    *,
    ca: bool = False,
    path_length: int | None = None,
    start: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    end: datetime = datetime(2027, 1, 1, tzinfo=UTC),
    purposes: Sequence[x509.ObjectIdentifier] = (),
    signs: bool = True,
    service: bool = True,
    bits: int = 2048,
    no_check: bool = False,
    crl_sign: bool = True,
    points: Sequence[x509.DistributionPoint] = (),
    more: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> Pair:
    private = key_number(key, bits)
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if ca or purposes
        else [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Bệnh viện Thử"),
            x509.NameAttribute(NameOID.TITLE, "Bác sĩ"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    above = subject if issuer is None else issuer.certificate.subject
    seal = private if issuer is None else issuer.key
    usage = x509.KeyUsage(
        signs and not ca, signs and not ca, not signs, False, False, ca, ca and crl_sign, False, False
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca, path_length if ca else None), critical=True)
        .add_extension(usage, critical=True)
    )
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=True)
    if no_check:
        builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    if service and issuer is not None:
        place = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(OCSP))
        builder = builder.add_extension(x509.AuthorityInformationAccess([place]), critical=False)
        builder = builder.add_extension(x509.CRLDistributionPoints(points or [point(CRL)]), critical=False)
    for extension, critical in more:
        builder = builder.add_extension(extension, critical=critical)
    chain = () if issuer is None else (issuer.certificate, *issuer.above) if issuer.above or not _root(issuer) else ()
    return Pair(private, builder.sign(seal, hashes.SHA256()), chain)


def point(
    uri: str = "", *, issuer: Pair | None = None, reasons: Sequence[x509.ReasonFlags] = ()
) -> x509.DistributionPoint:
    """Say where a CRL is, of whom when not of the certificate's issuer, and for which reasons when not for all."""
    by = None if issuer is None else [x509.DirectoryName(issuer.certificate.subject)]
    names = [x509.UniformResourceIdentifier(uri)] if uri else None
    return x509.DistributionPoint(names, None, frozenset(reasons) or None, by)


def _root(pair: Pair) -> bool:
    return pair.certificate.subject == pair.certificate.issuer


# ---- revocation ----


def ocsp_response(
    about: Pair,
    issuer: Pair,
    *,
    by: Pair | None = None,
    revoked: datetime | None = None,
    reason: x509.ReasonFlags | None = None,
    at: datetime = SIGNED + timedelta(hours=1),
    until: datetime | None = SIGNED + timedelta(days=1),
    status: ocsp.OCSPCertStatus | None = None,
    nonce: bytes | None = None,
    algorithm: hashes.HashAlgorithm | None = None,
) -> bytes:
    responder = by or issuer
    found = status or (ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD)
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            about.certificate,
            issuer.certificate,
            hashes.SHA1(),
            found,
            at,
            until,
            revoked,
            reason,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
    )
    if by is not None:
        builder = builder.certificates([by.certificate])
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.sign(responder.key, algorithm or hashes.SHA256()).public_bytes(Encoding.DER)


def crl(
    issuer: Pair,
    revoked: Sequence[tuple[Pair, datetime, x509.ReasonFlags | None]] = (),
    *,
    at: datetime = SIGNED + timedelta(hours=1),
    until: datetime = SIGNED + timedelta(days=7),
    extension: x509.ExtensionType | None = None,
    number: int | None = None,
    entry: x509.ExtensionType | None = None,
    by: Pair | None = None,
    freshest: str = "",
) -> bytes:
    """Make a list; `extension` is of the list, `entry` of each entry, both critical. `by` seals it in its issuer's name.

    `freshest` is where its list of changes is.
    """
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(at)
        .next_update(until)
    )
    for pair, moment, reason in revoked:
        made = x509.RevokedCertificateBuilder().serial_number(pair.certificate.serial_number).revocation_date(moment)
        if reason is not None:
            made = made.add_extension(x509.CRLReason(reason), critical=False)
        if entry is not None:
            made = made.add_extension(entry, critical=True)
        builder = builder.add_revoked_certificate(made.build())
    if extension is not None:
        builder = builder.add_extension(extension, critical=True)
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    if freshest:
        builder = builder.add_extension(x509.FreshestCRL([point(freshest)]), critical=False)
    return builder.sign((by or issuer).key, hashes.SHA256()).public_bytes(Encoding.DER)


# ---- time stamps ----


def time_stamp(
    octets: bytes,
    authority: Pair,
    at: datetime = SIGNED + timedelta(minutes=1),
    *,
    imprint: str = "sha256",
    spoil: str = "",
    named: x509.Certificate | None = None,
) -> bytes:
    """Make a TimeStampToken; `spoil` is `content`, `seal` or `attributes`."""
    info = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": "1.2.3.4",
            "message_imprint": {
                "hash_algorithm": {"algorithm": imprint},
                "hashed_message": hashlib.new(imprint, octets).digest(),
            },
            "serial_number": 7,
            "gen_time": at,
        }
    ).dump()
    own = named or authority.certificate
    identifier = tsp.ESSCertIDv2({"cert_hash": hashlib.sha256(der(own)).digest()})
    attributes = cms.CMSAttributes(
        [
            {"type": "content_type", "values": ["tst_info"]},
            {"type": "message_digest", "values": [hashlib.sha256(info).digest()]},
            {"type": "signing_certificate_v2", "values": [tsp.SigningCertificateV2({"certs": [identifier]})]},
        ][: 2 if spoil == "attributes" else 3]
    )
    value = authority.key.sign(attributes.dump(), padding.PKCS1v15(), hashes.SHA256())
    if spoil == "seal":
        value = value[:-1] + bytes([value[-1] ^ 1])
    if spoil == "content":
        info = info.replace(hashlib.new(imprint, octets).digest(), hashlib.new(imprint, octets + b"x").digest())
    held = [asn1_x509.Certificate.load(der(one)) for one in (authority.certificate, *authority.above)]
    signer: dict[str, Any] = {
        "version": "v1",
        "sid": {
            "issuer_and_serial_number": {
                "issuer": held[0].issuer,
                "serial_number": authority.certificate.serial_number,
            }
        },
        "digest_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
        "signed_attrs": attributes,
        "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": "rsassa_pkcs1v15"}),
        "signature": value,
    }
    signed = cms.SignedData(
        {
            "version": "v3",
            "digest_algorithms": [{"algorithm": "sha256"}],
            "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info)},
            "certificates": held,
            "signer_infos": [signer],
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())


# ---- XML ----


def reference(
    octets: str | bytes,
    uri: str | None = "",
    *,
    transforms: str = WHOLE,
    kind: str = "",
    method: str = SHA256,
    digest: str = "sha256",
) -> str:
    data = octets.encode() if isinstance(octets, str) else octets
    typed = f' Type="{kind}"' if kind else ""
    address = "" if uri is None else f' URI="{uri}"'
    steps = f"<Transforms>{transforms}</Transforms>" if transforms else ""
    return (
        f'<Reference{typed}{address}>{steps}<DigestMethod Algorithm="{method}"></DigestMethod>'
        f"<DigestValue>{b64(hashlib.new(digest, data).digest())}</DigestValue></Reference>"
    )


def properties(
    certificate: x509.Certificate, identifier: str = "P", at: datetime | None = SIGNED, more: str = ""
) -> str:
    time = "" if at is None else f"<xades:SigningTime>{at.isoformat().replace('+00:00', 'Z')}</xades:SigningTime>"
    return (
        f'<xades:SignedProperties xmlns:xades="{XADES}" Id="{identifier}"><xades:SignedSignatureProperties>{time}'
        f"<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>"
        f'<DigestMethod xmlns="{DS}" Algorithm="{SHA256}"></DigestMethod>'
        f'<DigestValue xmlns="{DS}">{b64(hashlib.sha256(der(certificate)).digest())}</DigestValue>'
        f"</xades:CertDigest></xades:Cert></xades:SigningCertificateV2>{more}"
        f"</xades:SignedSignatureProperties></xades:SignedProperties>"
    )


def own(written: str, identifier: str = "P", kind: str = SIGNED_PROPERTIES) -> str:
    """Refer to signed properties."""
    return reference(written, f"#{identifier}", transforms=XCLUSIVE, kind=kind)


def key_info(*found: x509.Certificate) -> str:
    inner = "".join(f"<X509Certificate>{b64(der(one))}</X509Certificate>" for one in found)
    return f"<KeyInfo><X509Data>{inner}</X509Data></KeyInfo>"


@dataclass(frozen=True)
class Made:
    """A signature, in pieces."""

    info: str
    value: str
    key_info: str
    signed: str = ""
    identifier: str = "S"
    objects: str = ""

    @property
    def value_element(self) -> str:
        return f'<SignatureValue Id="{self.identifier}-value">{self.value}</SignatureValue>'

    @property
    def value_octets(self) -> bytes:
        """The canonical SignatureValue, of which a signature time stamp is."""
        return self.value_element.replace("<SignatureValue", f'<SignatureValue xmlns="{DS}"').encode()

    def canonical(self) -> bytes:
        """SignedInfo, SignatureValue and KeyInfo, each canonical."""
        info = self.info
        keys = self.key_info.replace("<KeyInfo", f'<KeyInfo xmlns="{DS}"')
        return info.encode() + self.value_octets + keys.encode()

    def text(self, unsigned: str = "", *, target: str | None = None) -> str:
        inner = ""
        if self.signed:
            more = (
                f"<xades:UnsignedProperties><xades:UnsignedSignatureProperties>{unsigned}"
                f"</xades:UnsignedSignatureProperties></xades:UnsignedProperties>"
                if unsigned
                else ""
            )
            inner = (
                f'<Object><xades:QualifyingProperties xmlns:xades="{XADES}" Target="#{target or self.identifier}">'
                f"{self.signed}{more}</xades:QualifyingProperties></Object>"
            )
        info = self.info.replace(f' xmlns="{DS}"', "", 1)
        parts = (info, self.value_element, self.key_info, inner, self.objects)
        return f'<Signature xmlns="{DS}" Id="{self.identifier}">{"".join(parts)}</Signature>'


def made(
    signer: MemoryKey,
    references: Sequence[str],
    signed: str = "",
    *,
    identifier: str = "S",
    method: str = RSA_SHA256,
    seal: hashes.HashAlgorithm | None = None,
    form: str = EXCLUSIVE,
    keys: str = "",
    objects: str = "",
) -> Made:
    """Let `signer` sign these references."""
    info = (
        f'<SignedInfo xmlns="{DS}"><CanonicalizationMethod Algorithm="{form}"></CanonicalizationMethod>'
        f'<SignatureMethod Algorithm="{method}"></SignatureMethod>{"".join(references)}</SignedInfo>'
    )
    value = signer.private_key.sign(info.encode(), padding.PKCS1v15(), seal or hashes.SHA256())
    return Made(info, b64(value), keys or key_info(*signer.chain), signed, identifier, objects)


def stamp_property(token: bytes, name: str = "xades:SignatureTimeStamp", declared: str = "") -> str:
    return (
        f'<{name}{declared}><CanonicalizationMethod xmlns="{DS}" Algorithm="{EXCLUSIVE}"></CanonicalizationMethod>'
        f"<xades:EncapsulatedTimeStamp>{b64(token)}</xades:EncapsulatedTimeStamp></{name}>"
    )


def values(evidence: Evidence) -> str:
    """Write CertificateValues and RevocationValues."""

    def inner(name: str, encoded: Sequence[bytes]) -> str:
        return "".join(f"<xades:{name}>{b64(one)}</xades:{name}>" for one in encoded)

    return (
        f"<xades:CertificateValues>{inner('EncapsulatedX509Certificate', evidence.certificates)}</xades:CertificateValues>"
        f"<xades:RevocationValues><xades:CRLValues>{inner('EncapsulatedCRLValue', evidence.crls)}</xades:CRLValues>"
        f"<xades:OCSPValues>{inner('EncapsulatedOCSPValue', evidence.ocsp_responses)}</xades:OCSPValues>"
        f"</xades:RevocationValues>"
    )


# ---- a world ----


TIME_STAMPING = [ExtendedKeyUsageOID.TIME_STAMPING]
LONG: dict[str, Any] = {"start": datetime(2020, 1, 1, tzinfo=UTC), "end": datetime(2041, 1, 1, tzinfo=UTC)}


class World:
    """One certificate authority with everything that belongs to it, in 2026."""

    def __init__(self) -> None:
        self.root = issue(None, "Gốc", 1, ca=True, **LONG)
        self.ca = issue(self.root, "CA", 2, ca=True, **LONG)
        self.person = issue(self.ca, "Nguyễn Thị Ánh", 3)
        self.other = issue(self.ca, "Người Khác", 4)
        self.tsa = issue(self.ca, "TSA", 5, purposes=TIME_STAMPING, service=False, **LONG)
        self.responder = issue(
            self.ca, "OCSP", 6, purposes=[ExtendedKeyUsageOID.OCSP_SIGNING], service=False, no_check=True
        )

    def good(self) -> Evidence:
        """What shows that the person and the CA were good."""
        return Evidence(
            certificates=(der(self.ca.certificate),),
            ocsp_responses=(ocsp_response(self.person, self.ca, by=self.responder),),
            crls=(crl(self.root),),
        )

    def standing(self, now: datetime) -> Evidence:
        """Answers of the day before `now` about everybody: all are good."""
        day: dict[str, Any] = {"at": now - timedelta(days=1), "until": now + timedelta(days=1)}
        return Evidence(crls=(crl(self.root, **day), crl(self.ca, **day)))

    def about(self, *, ocsp_responses: Sequence[bytes] = (), crls: Sequence[bytes] = ()) -> Evidence:
        """What is known about the person; the CA is good."""
        return Evidence(ocsp_responses=tuple(ocsp_responses), crls=(crl(self.root), *crls))

    def plain(self, document: str = "<r><a>x</a>{}</r>", signer: Pair | None = None) -> str:
        whole = made((signer or self.person).memory, [reference(document.replace("{}", ""))])
        return document.replace("{}", whole.text())

    def basic(
        self, document: str = "<r><a>x</a>{}</r>", signer: Pair | None = None, at: datetime | None = SIGNED
    ) -> Made:
        """B-B, in pieces."""
        by = signer or self.person
        written = properties(by.certificate, at=at)
        return made(by.memory, [reference(document.replace("{}", "")), own(written)], written)

    def stamped(
        self,
        document: str = "<r><a>x</a>{}</r>",
        signer: Pair | None = None,
        token: bytes | None = None,
        more: str = "",
        claimed: datetime | None = SIGNED,
        at: datetime = SIGNED + timedelta(minutes=1),
    ) -> str:
        """B-T."""
        whole = self.basic(document, signer, claimed)
        found = token if token is not None else time_stamp(whole.value_octets, self.tsa, at)
        return document.replace("{}", whole.text(stamp_property(found) + more))
