"""XAdES above level B-B: time stamps, validation material and archive time stamps put into a signature that stands.

Every step puts bytes in and leaves each byte that was there alone, so what was signed and stamped before stays so. A time
stamp takes two phases, as a signature does: `…_data` tells what to stamp, `with_…` puts the token in. Which signature is
meant is said by its Id, or by nothing when the document has one.

    level   with_timestamp          B-T    SignatureTimeStamp
            with_values             B-LT   CertificateValues, RevocationValues; TimeStampValidationData the next times
            with_archive_timestamp  B-LTA  ArchiveTimeStamp (v1.4.1); again before the last TSA's certificate ends

Not here: getting tokens (`signing/timestamp.py`) and validation material, or judging them.

Standard: ETSI EN 319 132-1 V1.2.1 §5.3 (SignatureTimeStamp), §5.4 (values), §5.5 (archive)
Requirement: S0.5, S0.10
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lxml import etree

from signing import timestamp_token
from signing.evidence import Evidence
from signing.faults import DocumentUnsignable
from signing.timestamp_token import Token
from signing.xades_properties import XADES
from signing.xades_tree import (
    canonical_element,
    cut_for_property,
    find_by_id,
    find_signature,
    place_for_property,
    remove_others,
)
from signing.xml_parts import FILTER, OTHERS, remove
from signing.xmldsig import C14N, ENVELOPED, EXCLUSIVE_C14N, NAMESPACE, SIGNATURE, canonical_document, parse_document

XADES141 = "http://uri.etsi.org/01903/v1.4.1#"

_OBJECT = f"{{{NAMESPACE}}}Object"
_QUALIFYING = f"{{{XADES}}}QualifyingProperties"
_UNSIGNED = f"{_OBJECT}/{_QUALIFYING}/{{{XADES}}}UnsignedProperties/{{{XADES}}}UnsignedSignatureProperties"
_CERTIFICATE = f"{{{XADES}}}EncapsulatedX509Certificate"
_MATERIAL = (_CERTIFICATE, f"{{{XADES}}}EncapsulatedOCSPValue", f"{{{XADES}}}EncapsulatedCRLValue")


@dataclass(frozen=True)
class ToStamp:
    """A signed document and the place where its SignatureTimeStamp will stand."""

    data: bytes
    """What is stamped: the canonical SignatureValue."""
    before: bytes = field(repr=False)
    after: bytes = field(repr=False)

    def with_timestamp(self, token: Token) -> bytes:
        """Return the document at level B-T; raise TimestampInvalid when `token` stamps something else."""
        timestamp_token.require_imprint(token, self.data)
        stamp = _time_stamp("xades:SignatureTimeStamp", token.der)
        return b"".join((self.before, stamp.encode(), self.after))


def to_stamp(xml: bytes, signature_id: str = "") -> ToStamp:
    """Read `xml` once, for a time stamp that comes later. Raises DocumentUnsignable."""
    signature = find_signature(parse_document(xml), signature_id)
    return ToStamp(timestamp_octets(signature), *cut_for_property(xml, signature))


def timestamp_data(xml: bytes, signature_id: str = "") -> bytes:
    """Return what a SignatureTimeStamp stamps: the canonical SignatureValue. Raises DocumentUnsignable."""
    return timestamp_octets(find_signature(parse_document(xml), signature_id))


def timestamp_octets(signature: etree._Element) -> bytes:
    """Return the same of a signature that is found already."""
    return canonical_element(_child(signature, "SignatureValue"))


def with_timestamp(xml: bytes, token: Token, signature_id: str = "") -> bytes:
    """Return `xml` with `token` (over `timestamp_data`) as SignatureTimeStamp: level B-T.

    Raises TimestampInvalid when the token stamps something else, DocumentUnsignable.
    """
    return to_stamp(xml, signature_id).with_timestamp(token)


def with_values(xml: bytes, evidence: Evidence, signature_id: str = "") -> bytes:
    """Return `xml` with the validation material that its signature does not hold yet: level B-LT.

    The first time as CertificateValues and RevocationValues, later (before an archive time stamp is renewed) as
    TimeStampValidationData. Time stamps of `evidence` are not put in. The same bytes come back when nothing is new.
    Raises DocumentUnsignable, also when there is no time stamp to show that the material came after the signature.
    """
    signature = find_signature(parse_document(xml), signature_id)
    _require_stamped(signature)
    values = _values(signature, evidence)
    return _insert(xml, signature, values) if values else xml


def with_proofs(xml: bytes, proofs: Mapping[str, Evidence]) -> bytes:
    """Return `xml` with time stamps and material in the signatures with these Ids: level B-T, or B-LT.

    The same bytes as `with_timestamp` and `with_values` give one after the other, by one reading. Raises what these raise.
    """
    root = parse_document(xml)
    inserted: list[tuple[int, bytes]] = []
    for identifier, evidence in proofs.items():
        if evidence == Evidence():
            continue
        signature = find_signature(root, identifier)
        octets = timestamp_octets(signature)
        text = ""
        for der in evidence.timestamps:
            timestamp_token.require_imprint(timestamp_token.read(der), octets)
            text += _time_stamp("xades:SignatureTimeStamp", der)
        if not text:
            _require_stamped(signature)
        text += _values(signature, evidence)
        if not text:
            continue
        place = place_for_property(xml, signature)
        if len(place.before) + len(place.after) != len(xml):  # an empty tag, of somebody else's document
            return _one_by_one(xml, proofs)
        inserted.append((len(place.before), b"".join((place.opening, text.encode(), place.closing))))
    pieces, last = [], 0
    for position, text_there in sorted(inserted):
        pieces += [xml[last:position], text_there]
        last = position
    return b"".join((*pieces, xml[last:]))


def _one_by_one(xml: bytes, proofs: Mapping[str, Evidence]) -> bytes:
    for identifier, evidence in proofs.items():
        for token in evidence.timestamps:
            xml = with_timestamp(xml, timestamp_token.read(token), identifier)
        if evidence != Evidence():
            xml = with_values(xml, evidence, identifier)
    return xml


def _require_stamped(signature: etree._Element) -> None:
    if not any(element.tag == f"{{{XADES}}}SignatureTimeStamp" for element in _properties(signature)):
        raise DocumentUnsignable("SignatureTimeStamp", "none yet")


def _values(signature: etree._Element, evidence: Evidence) -> str:
    """Write the validation material that a signature does not hold yet; nothing when it holds all."""
    properties = _properties(signature)
    held = _held(signature, properties)
    certificates = _encapsulated("EncapsulatedX509Certificate", evidence.certificates, held)
    crls = _encapsulated("EncapsulatedCRLValue", evidence.crls, held)
    responses = _encapsulated("EncapsulatedOCSPValue", evidence.ocsp_responses, held)
    if not (certificates or crls or responses):
        return ""
    declared = f' xmlns:xades="{XADES}"'
    values = f"<xades:CertificateValues{declared}>{certificates}</xades:CertificateValues>" if certificates else ""
    if crls or responses:
        lists = f"<xades:CRLValues>{crls}</xades:CRLValues>" if crls else ""
        answers = f"<xades:OCSPValues>{responses}</xades:OCSPValues>" if responses else ""
        values += f"<xades:RevocationValues{declared}>{lists}{answers}</xades:RevocationValues>"
    if any(element.tag in (f"{{{XADES}}}CertificateValues", f"{{{XADES}}}RevocationValues") for element in properties):
        name = "xades141:TimeStampValidationData"
        values = f'<{name} xmlns:xades141="{XADES141}">{values}</{name}>'
    return values


def archive_timestamp_data(xml: bytes, signature_id: str = "", contents: Mapping[str, bytes] | None = None) -> bytes:
    """Return what an ArchiveTimeStamp stamps now: signed objects, signature and all unsigned properties so far.

    `contents` holds the bytes of detached objects by the URI of their reference. Raises DocumentUnsignable, also for
    references of other forms than those that `xades` and `xmldsig` write.
    Standard: ETSI EN 319 132-1 V1.2.1 §5.5.2.2
    """
    return _archive_data(xml, find_signature(parse_document(xml), signature_id), contents or {})


def with_archive_timestamp(
    xml: bytes, token: Token, signature_id: str = "", contents: Mapping[str, bytes] | None = None
) -> bytes:
    """Return `xml` with `token` (over `archive_timestamp_data`) as ArchiveTimeStamp: level B-LTA, or its renewal.

    Raises TimestampInvalid when the token stamps something else; DocumentUnsignable, also when the signature is not B-LT.
    """
    signature = find_signature(parse_document(xml), signature_id)
    if not any(element.tag == f"{{{XADES}}}RevocationValues" for element in _properties(signature)):
        raise DocumentUnsignable("RevocationValues", "none yet")
    timestamp_token.require_imprint(token, _archive_data(xml, signature, contents or {}))
    return _insert(xml, signature, _time_stamp("xades141:ArchiveTimeStamp", token.der))


def archive_tokens(signature: etree._Element) -> list[bytes]:
    """Return the archive time stamps of a signature, oldest first."""
    stamps = (one for one in _properties(signature) if one.tag == f"{{{XADES141}}}ArchiveTimeStamp")
    return [b64decode(one.text or "") for stamp in stamps for one in stamp.iter(f"{{{XADES}}}EncapsulatedTimeStamp")]


def _insert(xml: bytes, signature: etree._Element, text: str) -> bytes:
    before, after = cut_for_property(xml, signature)
    return before + text.encode() + after


def _properties(signature: etree._Element) -> list[etree._Element]:
    holder = signature.find(_UNSIGNED)
    return [] if holder is None else [element for element in holder if isinstance(element.tag, str)]


def _time_stamp(name: str, token: bytes) -> str:
    namespaces = f' xmlns:xades="{XADES}"' + (f' xmlns:xades141="{XADES141}"' if name.startswith("xades141") else "")
    return (
        f'<{name}{namespaces}><CanonicalizationMethod xmlns="{NAMESPACE}" Algorithm="{EXCLUSIVE_C14N}"/>'
        f"<xades:EncapsulatedTimeStamp>{b64encode(token).decode()}</xades:EncapsulatedTimeStamp></{name}>"
    )


def _held(signature: etree._Element, properties: Sequence[etree._Element]) -> set[bytes]:
    """Collect the material in KeyInfo and in the signature's own properties, not in counter-signatures."""
    elements = list(signature.iterfind(f"{{{NAMESPACE}}}KeyInfo//{{{NAMESPACE}}}X509Certificate"))
    for entry in properties:
        if entry.tag != f"{{{XADES}}}CounterSignature":
            elements.extend(entry.iter(*_MATERIAL))
    return {b64decode(element.text or "") for element in elements}


def _encapsulated(name: str, values: Sequence[bytes], held: set[bytes]) -> str:
    new = dict.fromkeys(value for value in values if value not in held)
    return "".join(f"<xades:{name}>{b64encode(value).decode()}</xades:{name}>" for value in new)


def _archive_data(xml: bytes, signature: etree._Element, contents: Mapping[str, bytes]) -> bytes:
    references = _child(signature, "SignedInfo").iterfind(f"{{{NAMESPACE}}}Reference")
    parts = [_referenced(xml, signature, reference, contents) for reference in references]
    parts += [canonical_element(_child(signature, name)) for name in ("SignedInfo", "SignatureValue", "KeyInfo")]
    parts += [canonical_element(element) for element in _properties(signature)]
    parts += [canonical_element(entry) for entry in signature.iterfind(_OBJECT) if entry.find(_QUALIFYING) is None]
    return b"".join(parts)


def _referenced(
    xml: bytes, signature: etree._Element, reference: etree._Element, contents: Mapping[str, bytes]
) -> bytes:
    uri = reference.get("URI")
    steps = list(reference.iterfind(f"{{{NAMESPACE}}}Transforms/{{{NAMESPACE}}}Transform"))
    algorithms = [step.get("Algorithm") for step in steps]
    if uri == "":
        return _referenced_document(xml, signature, steps)
    if uri is not None and not uri.startswith("#"):
        if uri not in contents or algorithms:
            raise DocumentUnsignable("Reference", "detached content not given, or given with transforms")
        return contents[uri]
    if algorithms in ([], [EXCLUSIVE_C14N], [C14N]):
        found = find_by_id(signature.getroottree().getroot(), (uri or "#")[1:])
        if len(found) == 1:
            return canonical_element(found[0], exclusive=algorithms != [C14N])
    raise DocumentUnsignable("Reference", "a form that is not ours")


def _referenced_document(xml: bytes, signature: etree._Element, steps: Sequence[etree._Element]) -> bytes:
    """Canonicalise a fresh tree: signatures are taken out of it."""
    filters = [step for step in steps if step.get("Algorithm") == FILTER]
    rest = [step.get("Algorithm") for step in steps if step not in filters]
    known = all((expression := f.find(f"{{{FILTER}}}XPath")) is not None and expression.text == OTHERS for f in filters)
    if not known or rest not in ([ENVELOPED], [ENVELOPED, C14N], [ENVELOPED, EXCLUSIVE_C14N]):
        raise DocumentUnsignable("Transforms", "a form that is not ours")
    number = list(signature.getroottree().getroot().iter(SIGNATURE)).index(signature)
    root = parse_document(xml)
    remove(list(root.iter(SIGNATURE))[number])
    if filters:
        remove_others(root)
    return canonical_document(root, exclusive=rest[-1] in (ENVELOPED, EXCLUSIVE_C14N))


def _child(signature: etree._Element, name: str) -> etree._Element:
    element = signature.find(f"{{{NAMESPACE}}}{name}")
    if element is None:
        raise DocumentUnsignable(name, "missing")
    return element
