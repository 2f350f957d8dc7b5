"""Read the signatures of a PDF: which of them hold mathematically, over which revision, and what was added to it since.

What may stand behind a signature is a further signature with its block, the proof of one (DSS, document time stamps) and
nothing else: not a filled form field, an annotation, a changed page. The differences are found with pyHanko's difference
analysis, narrowed to that; a PDF that changes by itself (scripts, XFA) or whose bytes could be read in two ways is refused.

Not here: certificates, revocation and time (`validation`), passwords, what was hidden in the page before anybody signed it.

Standard: ISO 32000-1 §12.8; ISO 32000-2 §12.8.2.2; ETSI EN 319 142-1 V1.1.1 §6.3
Requirement: S0.6, S0.10, S3.9
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyhanko.pdf_utils.decode_limits import DecodePurpose
from pyhanko.sign import diff_analysis
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel

from mappings.formats.faults import SigningFault
from signing import cms, pades_field, pdf_file, pdf_signature, timestamp_token, verdict
from signing.evidence import Evidence
from signing.faults import (
    ByteRangeRefused,
    CertificationViolated,
    ChangedAfterSigning,
    NotSigned,
    PdfBroken,
    PdfTooLarge,
    PropertiesRefused,
    SignatureCovered,
    SignatureMisplaced,
    SignatureRemoved,
    TimeStampInvalid,
    TimestampInvalid,
)
from signing.pdf_file import get
from signing.pdf_signature import Entry, Found
from signing.verdict import DOCUMENT, Covered, Held, Reason, Stamped

_MAXIMUM_SIGNATURES = 50
_BLOCK = 0.25
"""How much of its page a block may cover that was added behind a signature."""
_MATERIAL = {"/Certs": DecodePurpose.CERTIFICATE, "/OCSPs": DecodePurpose.OCSP_RESPONSE, "/CRLs": DecodePurpose.CRL}
_MAXIMUM_MATERIAL = 500
_MAXIMUM_STEPS = 100_000
_ADDITIONS = diff_analysis.StandardDiffPolicy(
    global_rules=[
        diff_analysis.CatalogModificationRule(),
        diff_analysis.DocInfoRule().as_qualified(ModificationLevel.LTA_UPDATES),
        diff_analysis.XrefStreamRule().as_qualified(ModificationLevel.LTA_UPDATES),
        diff_analysis.ObjectStreamRule().as_qualified(ModificationLevel.LTA_UPDATES),
        diff_analysis.DSSCompareRule().as_qualified(ModificationLevel.LTA_UPDATES),
        diff_analysis.MetadataUpdateRule().as_qualified(ModificationLevel.LTA_UPDATES),
    ],
    form_rule=diff_analysis.FormUpdatingRule(
        field_rules=[diff_analysis.SigFieldCreationRule(), diff_analysis.SigFieldModificationRule()]
    ),
)
"""pyHanko's own rules without the one that lets form fields be filled in."""


@dataclass
class _File:
    pdf: bytes = field(repr=False)
    reader: Any
    layers: bool = False
    last: int = 0
    """Where the last signature of a person ends."""

    @property
    def revisions(self) -> int:
        return int(self.reader.xrefs.total_revisions)


def read(pdf: bytes) -> list[Held | SigningFault]:
    """Return, per signature and earliest first, what it vouches for, or the fault why it is worth nothing.

    Raises NotSigned, PdfBroken, PdfEncrypted, PdfActive, PdfTooLarge, SignatureRemoved and others when the file as a whole
    cannot be judged.
    """
    file = _File(pdf, pdf_file.opened(pdf))
    file.layers = pdf_file.require_still(file.reader)
    _bound(file)
    try:
        return _read(file)
    except pdf_file.UNREADABLE as problem:
        raise PdfBroken("file", "cannot be read") from problem


def _bound(file: _File) -> None:
    """Let the difference analysis look at so many objects and no more: it follows every way to each of them."""
    left = itertools.count(_MAXIMUM_STEPS, -1)

    def bound(look: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            if next(left) <= 0:
                raise PdfTooLarge("file", "too many ways to its objects")
            return look(*arguments, **named)

        return step

    for number in range(file.revisions):
        resolver = file.reader.get_historical_resolver(number)
        resolver.get_object = bound(resolver.get_object)


def _read(file: _File) -> list[Held | SigningFault]:
    every = pdf_signature.entries(file.reader)
    signed = [entry for entry in every if entry.value_reference is not None]
    _require_all(file, signed)
    if len(signed) > _MAXIMUM_SIGNATURES:
        raise SignatureMisplaced("AcroForm", f"more than {_MAXIMUM_SIGNATURES} signatures")
    faults: list[SigningFault] = []
    found: list[Found] = []
    for entry in signed:
        try:
            found.append(pdf_signature.locate(file.pdf, file.reader, entry))
        except SigningFault as fault:
            faults.append(fault)
    if len({one.stop for one in found}) != len(found):
        raise SignatureMisplaced("AcroForm", "two fields with one signature")
    found.sort(key=lambda one: one.stop)
    file.last = max((one.stop for one in found if not one.is_stamp), default=0)
    if not faults and all(one.is_stamp for one in found):
        raise NotSigned()
    stamps = [one for one in found if one.is_stamp]
    store = _Store(file)
    held: list[Held | SigningFault] = []
    for one in found:
        try:
            if one.is_stamp:
                _require_sound(file, one, every, alone=all(other.is_stamp for other in found[: found.index(one)]))
            else:
                held.append(_hold(file, one, every, [stamp for stamp in stamps if stamp.stop > one.stop], store))
        except SigningFault as fault:
            held.append(fault)
    return [*held, *faults]


def _require_all(file: _File, signed: Sequence[Entry]) -> None:
    """Raise SignatureRemoved when an earlier revision shows a signature that the last one does not."""
    now = {(one.name, one.value_reference) for one in signed}
    for number in range(file.revisions - 1):
        for entry in pdf_signature.entries(file.reader.get_historical_resolver(number)):
            if entry.value_reference is not None and (entry.name, entry.value_reference) not in now:
                raise SignatureRemoved(f"revision {number + 1} of {file.revisions}")


def _hold(file: _File, one: Found, every: Sequence[Entry], later: Sequence[Found], store: _Store) -> Held:
    """Return what the signature vouches for, or raise a SigningFault."""
    octets = one.octets(file.pdf)
    sealed = cms.read(one.contents, lambda name: hashlib.new(name, octets).digest())
    if one.form == "PAdES" and not sealed.names_certificate:
        raise PropertiesRefused(one.name, "does not name its certificate")
    level, doubts = _added(file, one, every)
    whole = level <= ModificationLevel.LTA_UPDATES
    part = DOCUMENT if whole else f"revision {one.revision + 1} of {file.revisions}"
    own = tuple(Stamped(token, sealed.value) for token in sealed.tokens)
    of_document = [(Stamped(cms.without_padding(stamp.contents), stamp.octets(file.pdf)), stamp) for stamp in later]
    if not own and of_document:  # a document time stamp proves the moment of a signature as well
        own, of_document = (of_document[0][0],), of_document[1:]
    return Held(
        where=one.name,
        form=one.form if one.form != "stamp" else "PAdES",
        leaf=sealed.leaf,
        others=sealed.others,
        covers=(Covered(part, file.pdf[: one.stop]),),
        claimed_at=sealed.claimed_at or one.claimed_at,
        stamps=own,
        archive_stamps=tuple(stamped for stamped, stamp in of_document if store.stands_in(stamp.revision)),
        evidence=store.evidence,
        warnings=(Reason(verdict.PDF_LAYERS),) if file.layers else (),
        doubts=doubts,
    )


def _require_sound(file: _File, stamp: Found, every: Sequence[Entry], *, alone: bool) -> None:
    """Raise what stands behind a document time stamp that may not; with signatures before it, they are judged by it."""
    if alone:
        try:
            token = timestamp_token.read(cms.without_padding(stamp.contents))
            timestamp_token.require_imprint(token, stamp.octets(file.pdf))
        except TimestampInvalid as problem:
            raise TimeStampInvalid(stamp.name, problem.detail) from problem
    _, doubts = _added(file, stamp, every)
    if doubts:
        raise doubts[0]


# ---- what was added ----


def _added(file: _File, one: Found, every: Sequence[Entry]) -> tuple[ModificationLevel, tuple[SigningFault, ...]]:
    """Return how much was added behind a signature, and the fault when it is more than may be."""
    if one.stop == len(file.pdf) or not file.pdf[one.stop :].strip():
        return ModificationLevel.NONE, ()
    if one.revision + 1 == file.revisions:
        raise ByteRangeRefused(one.name, "bytes behind it that belong to no revision")
    # what was signed is a PDF of its own, and nothing in it leads outside
    alone = pdf_file.opened(file.pdf[: one.stop])
    pdf_file.require_still(alone)
    if alone.xrefs.total_revisions != one.revision + 1:
        raise ByteRangeRefused(one.name, "not a whole revision")
    embedded: Any = EmbeddedPdfSignature(file.reader, one.entry.holder, one.name)
    embedded.compute_integrity_info(_ADDITIONS)
    if embedded.coverage not in (SignatureCoverageLevel.ENTIRE_REVISION, SignatureCoverageLevel.ENTIRE_FILE):
        raise ByteRangeRefused(one.name, "not a whole revision")
    where = f"revision {one.revision + 1} of {file.revisions}"
    difference = embedded.diff_result
    if not isinstance(difference, diff_analysis.DiffResult):
        return ModificationLevel.OTHER, (ChangedAfterSigning(where, one.name),)
    level = difference.modification_level
    if not embedded.summarise_integrity_info()["docmdp_ok"]:
        return level, (CertificationViolated(where, one.name),)
    if level > ModificationLevel.FORM_FILLING or (one.stop >= file.last and level > ModificationLevel.LTA_UPDATES):
        return level, (ChangedAfterSigning(where, one.name),)
    known = {entry.name for entry in pdf_signature.entries(alone)}
    if any(_covers(file, entry) for entry in every if entry.name not in known):
        return level, (SignatureCovered(where, one.name),)
    return level, ()


def _covers(file: _File, entry: Entry) -> bool:
    """Tell whether a field could lie over what an earlier signer saw."""
    share = pades_field.share(file.reader, entry.holder)
    return share > (_BLOCK if entry.value_reference is not None else 0)


# ---- proof ----


class _Store:
    """The document security stores of all revisions."""

    def __init__(self, file: _File) -> None:
        held: dict[str, dict[bytes, None]] = {key: {} for key in _MATERIAL}
        self._revisions: set[int] = set()
        for number in range(file.revisions):
            store = get(file.reader.get_historical_resolver(number).root, "/DSS")
            if store is None:
                continue
            self._revisions.add(number)
            for key, purpose in _MATERIAL.items():
                items = get(store, key, ())
                for one in items:
                    held[key].setdefault(one.get_object().read_data(purpose))
        if sum(map(len, held.values())) > _MAXIMUM_MATERIAL:
            raise PdfTooLarge("DSS", f"more than {_MAXIMUM_MATERIAL} items")
        self.evidence = Evidence(*(tuple(held[key]) for key in _MATERIAL))

    def stands_in(self, revision: int) -> bool:
        """Tell whether a revision holds material, so that what stamps it stamps that too."""
        return revision in self._revisions
