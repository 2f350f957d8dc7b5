"""How the signatures of several people and the seal of the facility stand on one XML document.

Everybody signs the document without the signatures of the others (decision 0015), so each stays valid when the next is added;
whoever countersigns covers the values of those before, too. With signatures of people the seal is one of them, the last; alone
it is a plain XML signature, as interfaces ask; its form may be another (`signing/forms.py`). Nothing is serialised again (P6).

Everything that decides this is here; who signs and when is decided elsewhere.

Requirement: S3.6, S3.7
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from lxml import etree

from mappings.formats.faults import SigningFault
from signing import certificates, jws, provenance, timestamp_token, verify_xml, xades, xades_levels, xmldsig
from signing.contract import KeyProvider
from signing.evidence import Evidence
from signing.faults import DocumentUnsignable
from signing.forms import USUAL, Form
from signing.policy import SEAL
from signing.positions import ids_of, with_ids
from signing.verdict import DOCUMENT, Held
from signing.xades_properties import XADES, Claims
from signing.xades_tree import remove_others
from signing.xmldsig import NAMESPACE, SIGNATURE, canonical_document, parse_document

_PLAIN = "RS256"
"""What every interface with plain signatures names; a key that does it signs so unless asked otherwise."""


def prepare(
    xml: bytes,
    certificate: x509.Certificate,
    at: datetime,
    *,
    role: str,
    algorithm: str = "",
    countersigns: bool = False,
) -> xades.Prepared:
    """Hash `xml` for a person's signature; raise DocumentUnsignable, KeyUnsuitable, CertificateOutOfDate.

    The same arguments give the same `to_be_signed` after somebody else has signed, unless it countersigns.
    """
    confirms = _identifiers(xml) if countersigns else ()
    return xades.prepare(
        xml, certificate, parallel=True, claims=Claims((role,)), algorithm=algorithm, at=at, confirms=confirms
    )


def finish(prepared: xades.Prepared, signature: bytes, chain: Sequence[x509.Certificate]) -> bytes:
    """Return the document with the signature; raise KeyUnsuitable when it was not made with the key of `chain[0]`."""
    return xades.inject(prepared, signature, chain)


def seal(
    xml: bytes,
    key: KeyProvider,
    place: str | None = None,
    form: Form = USUAL,
    parts: Sequence[str] = (),
) -> bytes:
    """Return `xml` with the seal of the facility, in `form`; above B-B so that proofs can be put into the signature later.

    In a `place` that an interface asks for the form stays the interface's, which holds no proofs.
    `parts` are the children of the root that a seal over parts covers; they get their names as Ids. A detached seal is made by
    `seal_beside`. Raises DocumentUnsignable, KeyUnsuitable, CertificateOutOfDate and what `key.sign` raises.
    """
    several = place is None and (form.lasting or (b"Signature" in xml and bool(_identifiers(xml))))
    plain = form.signature == "xmldsig" or (not form.signature and not several)
    algorithm = form.algorithm(key.algorithms) or (_PLAIN if plain and _PLAIN in key.algorithms else key.algorithms[0])
    covered: Sequence[str] = ()
    if form.reference == "parts":
        if not parts:
            raise DocumentUnsignable("Reference", "parts of a document that has none to be signed")
        xml = with_ids(xml, parse_document(xml), parts)
        covered = ids_of(parse_document(xml), parts)
    elif plain and not several and algorithm == _PLAIN:
        return xmldsig.sign(xml, key, place)
    return xades.sign(
        xml, key, place=place, parallel=several, parts=covered, plain=plain, claims=Claims((SEAL,)), algorithm=algorithm
    )


def seal_beside(file: xades.File, key: KeyProvider, form: Form = USUAL) -> bytes:
    """Return a document with the seal of the facility over a file that stays as it is. Raises as `seal` does."""
    algorithm = form.algorithm(key.algorithms) or key.algorithms[0]
    plain = form.signature == "xmldsig"
    prepared = xades.prepare_detached([file], key.chain[0], plain=plain, claims=Claims((SEAL,)), algorithm=algorithm)
    return xades.inject(prepared, key.sign(prepared.to_be_signed, prepared.algorithm), key.chain)


def signed_by(xml: bytes) -> tuple[x509.Certificate, ...]:
    """Return the certificates of everybody who signed, in the order of the document; raise what is wrong with a signature.

    Whether they are trusted, or might sign, is not asked.
    """
    if b"Signature" not in xml or not _identifiers(xml):
        return ()
    found = verify_xml.read(xml)
    for held in found:
        if not isinstance(held, Held):
            raise held
    return tuple(held.leaf for held in found if isinstance(held, Held))


@dataclass(frozen=True)
class Mark:
    """One signature in a file."""

    identifier: str
    """Its Id; empty when it has none."""
    octets: bytes = field(repr=False)
    """What a time stamp of it is over: the canonical SignatureValue, or the octets of a JWS."""
    holds_proofs: bool
    """True when proofs are put into the file; else they are kept beside it."""


def marks(file: bytes) -> list[Mark]:
    """Find the signatures of a file of ours, in the order in which they were made.

    Those beside a file, and those in a place that an interface asks for, hold no proofs.
    """
    if file[:1] == b"{":
        apart = [Mark(identifier, octets, False) for identifier, octets in provenance.values(file)]
        return [*apart, Mark("", jws.value_of(file), False)]
    root = parse_document(file)
    found = [one for one in root.iter(SIGNATURE) if next(one.iterancestors(SIGNATURE), None) is None]
    return [
        Mark(
            one.get("Id", ""),
            xades_levels.timestamp_octets(one),
            one.getparent() is root
            and one.find(f"{{{NAMESPACE}}}Object/{{{XADES}}}QualifyingProperties") is not None
            and not _is_beside(one),
        )
        for one in found
    ]


def _is_beside(signature: etree._Element) -> bool:
    """Tell whether a signature is about another file; its own properties are no reference to that."""
    references = signature.iterfind(f"{{{NAMESPACE}}}SignedInfo/{{{NAMESPACE}}}Reference")
    return any(uri and not uri.startswith("#") for uri in (one.get("URI") for one in references))


def with_proofs(xml: bytes, proofs: Mapping[str, Evidence]) -> bytes:
    """Put time stamps, and then the rest of the material, into the signatures with these Ids: B-T or B-LT.

    Without material a signature stays as it is. Nobody's changes: each leaves out the others, and who countersigned covers
    values alone.
    Raises DocumentUnsignable, TimestampInvalid.
    """
    return xades_levels.with_proofs(xml, proofs)


def archive_data(xml: bytes, identifier: str) -> bytes:
    """Return what the next archive time stamp of a signature is over."""
    return xades_levels.archive_timestamp_data(xml, identifier)


def with_archive(xml: bytes, tokens: Mapping[str, bytes]) -> bytes:
    """Put archive time stamps into the signatures with these Ids: B-LTA. Raises DocumentUnsignable, TimestampInvalid."""
    for identifier, token in tokens.items():
        xml = xades_levels.with_archive_timestamp(xml, timestamp_token.read(token), identifier)
    return xml


def content_sha256(xml: bytes) -> bytes:
    """Hash what everybody signs: the canonical document without the signatures; the same before and after each of them."""
    root = parse_document(xml)
    remove_others(root)
    return hashlib.sha256(canonical_document(root)).digest()


def signers(xml: bytes, roots: Sequence[x509.Certificate], at: datetime) -> list[certificates.Signer]:
    """Name everybody who signed, in order; nobody when one signature does not hold or is not over the whole document."""
    try:
        found = verify_xml.read(xml)
        for held in found:
            if not isinstance(held, Held):
                raise held
            if held.doubts or not any(covered.part == DOCUMENT for covered in held.covers):
                return []
            certificates.require_trusted(held.leaf, held.others, roots, at)
    except SigningFault:
        return []
    return [certificates.signer_of(held.leaf) for held in found if isinstance(held, Held)]


def archive_tokens(xml: bytes) -> dict[str, list[bytes]]:
    """Return the archive time stamps of each signature that has any, by its Id, oldest first."""
    return {
        one.get("Id", ""): tokens
        for one in parse_document(xml).iterchildren(SIGNATURE)
        if (tokens := xades_levels.archive_tokens(one))
    }


def _identifiers(xml: bytes) -> tuple[str, ...]:
    return tuple(signature.get("Id", "") for signature in parse_document(xml).iterchildren(SIGNATURE))
