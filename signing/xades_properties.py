"""What a signer says about a signature: the SignedProperties of XAdES, written in their canonical form.

The text is embedded as it is hashed, with every namespace declared where the canonical form has it, so that no serialiser
stands between. Not here: signature policies, attribute certificates, signed assertions, time stamps over content.

Standard: ETSI EN 319 132-1 V1.2.1 §5.2, §6.3
Requirement: S3.6, S3.9
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing.faults import DocumentUnsignable

XADES = "http://uri.etsi.org/01903/v1.3.2#"
DSIG = "http://www.w3.org/2000/09/xmldsig#"

_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Commitment(Enum):
    """What the signer commits to. Standard: ETSI TS 119 172-1 §B, EN 319 132-1 §5.2.3."""

    ORIGIN = "http://uri.etsi.org/01903/v1.2.2#ProofOfOrigin"
    RECEIPT = "http://uri.etsi.org/01903/v1.2.2#ProofOfReceipt"
    DELIVERY = "http://uri.etsi.org/01903/v1.2.2#ProofOfDelivery"
    SENDER = "http://uri.etsi.org/01903/v1.2.2#ProofOfSender"
    APPROVAL = "http://uri.etsi.org/01903/v1.2.2#ProofOfApproval"
    CREATION = "http://uri.etsi.org/01903/v1.2.2#ProofOfCreation"


@dataclass(frozen=True)
class ProductionPlace:
    """Where the signer says to have signed (SignatureProductionPlaceV2); what is empty is left out."""

    city: str = ""
    street: str = ""
    province: str = ""
    postal_code: str = ""
    country: str = ""


@dataclass(frozen=True)
class Claims:
    """What the signer says besides the time; nobody vouches for it."""

    roles: tuple[str, ...] = ()
    """Professional title, post: one ClaimedRole each."""
    production_place: ProductionPlace | None = None
    commitment: Commitment | None = None


@dataclass(frozen=True)
class DataObject:
    """One signed object, as DataObjectFormat names it."""

    reference_id: str
    mime_type: str


def signed_properties(
    identifier: str,
    certificate: x509.Certificate,
    at: datetime,
    claims: Claims,
    objects: Sequence[DataObject],
    digest_name: str,
    digest_uri: str,
) -> bytes:
    """Return the canonical SignedProperties (Exclusive XML Canonicalization) with Id `identifier`.

    Times are written in UTC to the second, texts in Unicode NFC. Raises DocumentUnsignable for a text that XML cannot hold.
    """
    digest = hashlib.new(digest_name, certificate.public_bytes(Encoding.DER)).digest()
    formats = "".join(
        f'<xades:DataObjectFormat ObjectReference="#{described.reference_id}">'
        f"<xades:MimeType>{_text('mime_type', described.mime_type)}</xades:MimeType></xades:DataObjectFormat>"
        for described in objects
    )
    data_objects = formats + _commitment(claims.commitment)
    return (
        f'<xades:SignedProperties xmlns:xades="{XADES}" Id="{identifier}"><xades:SignedSignatureProperties>'
        f"<xades:SigningTime>{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}</xades:SigningTime>"
        "<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>"
        f'<DigestMethod xmlns="{DSIG}" Algorithm="{digest_uri}"></DigestMethod>'
        f'<DigestValue xmlns="{DSIG}">{b64encode(digest).decode()}</DigestValue>'
        "</xades:CertDigest></xades:Cert></xades:SigningCertificateV2>"
        f"{_production_place(claims.production_place)}{_roles(claims.roles)}</xades:SignedSignatureProperties>"
        + (
            f"<xades:SignedDataObjectProperties>{data_objects}</xades:SignedDataObjectProperties>"
            if data_objects
            else ""
        )
        + "</xades:SignedProperties>"
    ).encode()


def _production_place(place: ProductionPlace | None) -> str:
    if place is None:
        return ""
    parts = {
        "City": place.city,
        "StreetAddress": place.street,
        "StateOrProvince": place.province,
        "PostalCode": place.postal_code,
        "CountryName": place.country,
    }
    inside = "".join(f"<xades:{name}>{_text(name, part)}</xades:{name}>" for name, part in parts.items() if part)
    return f"<xades:SignatureProductionPlaceV2>{inside}</xades:SignatureProductionPlaceV2>" if inside else ""


def _roles(roles: Sequence[str]) -> str:
    if not roles:
        return ""
    inside = "".join(f"<xades:ClaimedRole>{_text('ClaimedRole', role)}</xades:ClaimedRole>" for role in roles)
    return f"<xades:SignerRoleV2><xades:ClaimedRoles>{inside}</xades:ClaimedRoles></xades:SignerRoleV2>"


def _commitment(commitment: Commitment | None) -> str:
    if commitment is None:
        return ""
    return (
        "<xades:CommitmentTypeIndication><xades:CommitmentTypeId>"
        f"<xades:Identifier>{commitment.value}</xades:Identifier></xades:CommitmentTypeId>"
        "<xades:AllSignedDataObjects></xades:AllSignedDataObjects></xades:CommitmentTypeIndication>"
    )


def _text(name: str, text: str) -> str:
    """Escape as Canonical XML does."""
    if _NO_XML.search(text):
        raise DocumentUnsignable(name, "a character that XML cannot hold")
    composed = unicodedata.normalize("NFC", text)
    return composed.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")
