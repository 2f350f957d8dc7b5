"""The work of the pipeline that costs CPU: pure functions on bytes, run in a process pool.

Everything they need comes in as arguments or was put in place once by `prepare`; they know no database and no clock. What
goes in and comes out is bytes and small values, so that crossing to another process is cheap.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, partial
from pathlib import Path

from cryptography.hazmat.primitives import hashes

from gateway import device_windows, imaging_steps, lab_steps, result_steps, signing_statements, visit_steps
from gateway.clock import to_instant
from gateway.faults import InternalFault, SignatureUnrecorded
from gateway.safe_log import describe
from gateway.signing_case import Facts, facts
from gateway.signing_forms import PLACES, base_kind, parts_of
from gateway.signing_statements import Person
from gateway.site import load_site
from mappings import bhyt, cda, documents, hl7v2
from mappings.bhyt import visit_file
from mappings.bhyt.check_in_file import CHECK_IN, check_in_file
from mappings.bhyt.faults import WithdrawalNotCarried
from mappings.bhyt.settings import DEFAULT as INSURANCE
from mappings.bhyt.settings import Settings as InsuranceSettings
from mappings.device import decimation
from mappings.documents import imaging_study
from mappings.fhir import bundle_references, require_valid
from mappings.formats import dates, er7, json
from mappings.formats.faults import Fault
from mappings.guides import guides, in_guide
from mappings.hl7v2.business_keys import business_keys
from mappings.lab import limits
from mappings.lab.layout import Layout
from mappings.lab.rows import is_rows
from mappings.outcome import IdentityChange, Outcome, Resource
from mappings.systems import Systems
from signing import joint, jws, proving, xades
from signing.contract import KeyProvider, device_of
from signing.forms import CANONICAL, USUAL, Form
from signing.keys import open_key

_opener: Callable[[], KeyProvider] | None = None
_OCCURRENCE = re.compile(r"\[\d+\]")
_ALONE = imaging_steps.Around()
_WHOLE_FILES = (visit_steps.FILE, result_steps.FILE)
"""Files of several visits or reports: each of these is mapped, and accounts for its own fields."""


def prepare(kind: str, options: Mapping[str, object], site: Path, watch_parent: bool = True) -> None:
    """Load the site's own mappings once per process; make a worker die with the node it works for.

    The signing key is opened at the first signature, and once: while its holder is away mapping goes on.
    """
    global _opener
    _opener = cache(partial(open_key, kind, options))
    load_site(site)
    hl7v2.preload()
    parent = multiprocessing.parent_process()
    if watch_parent and parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)


@dataclass(frozen=True)
class Mapped:
    """What became of a message."""

    resources: bytes
    """JSON array of FHIR resources."""
    counts: tuple[int, int, int]
    positions: bytes
    """JSON: mapped, ignored, unknown, notices."""
    patient_id: str | None
    sent_at: int
    """When its sender made the message, as a stored instant; 0 when it says no more than the day."""
    identity: tuple[IdentityChange, ...]
    cleared: Mapping[str, tuple[str, ...]]
    """Reference → elements that the sender takes out."""
    assumed: Mapping[str, tuple[str, ...]]
    """Reference → elements that are no better than what is known."""
    unmapped: tuple[tuple[str, str, str, str], ...]
    """(system, code, field, display) of site codes that no table takes to a shared catalogue."""
    due: tuple[documents.Due, ...]
    """What is asked of papers now."""
    keys: tuple[tuple[str, str], ...]
    """(kind, value) of the numbers by which people look for it."""
    critical: tuple[limits.Critical, ...] = ()
    """Results that whoever treats the person must be told of at once."""
    samples: device_windows.Packed = ()
    """Values of devices that wait for the others of their window."""
    values: Mapping[str, int] = field(default_factory=dict)
    """What became of the measurements of devices: how many are taken one by one, wait for a window, stay in the message."""


@dataclass(frozen=True)
class LabChannel:
    """What the mapping of an instrument's message, or of a report out of a table, is told besides it."""

    profile: str = ""
    approver: str = ""
    layout: Layout | None = None
    known: Mapping[str, lab_steps.Known] = field(default_factory=dict)


def persons_asked(raw: bytes, charset: str, trigger: str, told: LabChannel) -> tuple[lab_steps.Person, ...]:
    """Say whom a message of a laboratory names, so that they can be looked up; none for any other message."""
    if lab_steps.is_lab(trigger):
        return lab_steps.persons_of(lab_steps.read_records(raw, charset, told.profile))
    return result_steps.asked_of(raw, told.layout) if trigger == result_steps.ROWS else ()


def map_message(
    raw: bytes,
    charset: str,
    trigger: str,
    context: hl7v2.Context,
    produce: Sequence[str],
    around: imaging_steps.Around = _ALONE,
    told: LabChannel = LabChannel(),
) -> Mapped | None:
    """Map one message to FHIR and say which papers are due; None when no mapping knows its type.

    `around` is for a message about a study, `told` for what comes from a laboratory without HL7 v2.
    """
    if lab_steps.is_lab(trigger):
        read = lab_steps.read_records(raw, charset, told.profile)
        outcome = lab_steps.map_records(read, context, told.approver, told.known)
        people = {one.patient["id"]: one.patient for one in told.known.values()}
        return _mapped(outcome, (trigger,), produce, lab_steps.keys_of(read), people=people)
    if visit_steps.is_visit(trigger):
        visit = visit_steps.map_visit(raw, context.systems, context.facility, context.message_id)
        return _mapped(visit.outcome, visit.triggers, produce, visit.keys)
    if trigger == result_steps.ROWS:
        outcome = result_steps.map_report(raw, told.layout, context, told.known)
        people = {one.patient["id"]: one.patient for one in told.known.values()}
        return _mapped(outcome, (result_steps.TRIGGER,), produce, result_steps.keys_of(raw, told.layout), people=people)
    if trigger in _WHOLE_FILES:
        return None
    if imaging_steps.is_study(trigger):
        study = imaging_steps.map_study(raw, context, around)
        return _mapped(study, (trigger,), produce, imaging_steps.keys_of(raw))
    message = er7.Message.parse(raw, charset)
    if not hl7v2.known(trigger):
        return None
    outcome = hl7v2.map_message(message, context)
    return _mapped(outcome, (trigger,), produce, tuple(business_keys(message)), message.notices)


def _mapped(
    outcome: Outcome,
    triggers: Sequence[str],
    produce: Sequence[str],
    keys: tuple[tuple[str, str], ...],
    noticed: Sequence[tuple[int, str, str]] = (),
    people: Mapping[str, Resource] | None = None,
) -> Mapped:
    limited = limits.judge(outcome.resources, people or {}, outcome.sent_at)
    for resource in outcome.resources:
        require_valid(resource)
    sifted = decimation.sift(outcome)
    asked = (
        one for paper in produce for trigger in triggers for one in documents.asked(paper, trigger, outcome.resources)
    )
    due = {(one.paper, one.subject, one.act): one for one in asked}
    outcome = sifted.outcome
    coverage = outcome.coverage
    notices = [(n.code, n.where, n.detail) for n in outcome.notices] + list(noticed)
    positions = {
        "mapped": dict(coverage.mapped),
        "ignored": dict(coverage.ignored),
        "unknown": dict(coverage.unknown),
        "notices": notices,
    }
    return Mapped(
        json.dumps(list(outcome.resources)),
        (len(coverage.mapped), len(coverage.ignored), len(coverage.unknown)),
        json.dumps(positions),
        outcome.patient_id,
        to_instant(datetime.fromisoformat(outcome.sent_at)) if "T" in outcome.sent_at else 0,
        tuple(outcome.identity),
        dict(outcome.cleared),
        dict(outcome.assumed),
        tuple((one.system, one.code, _OCCURRENCE.sub("", one.where), one.display) for one in outcome.unmapped),
        tuple(due.values()),
        keys,
        limited,
        device_windows.pack(sifted),
        sifted.fates,
    )


def business_keys_of(
    batch: Sequence[tuple[bytes, str, Layout | None]],
) -> list[tuple[tuple[str, str], ...] | None]:
    """Return the keys of messages, each given with charset and layout of its channel; None for one that cannot be read."""
    found: list[tuple[tuple[str, str], ...] | None] = []
    for raw, charset, layout in batch:
        try:
            if imaging_steps.is_body(raw):
                found.append(imaging_steps.keys_of(raw))
            elif is_rows(raw):
                found.append(result_steps.keys_of(raw, layout))
            elif lab_steps.is_records(raw):
                found.append(lab_steps.keys_of(lab_steps.read_records(raw, charset)))
            elif visit_steps.is_file(raw):
                found.append(tuple(visit_steps.keys_of_message(raw)))
            else:
                found.append(tuple(business_keys(er7.Message.parse(raw, charset))))
        except Fault:
            found.append(None)
    return found


def populated(raw: bytes, charset: str, trigger: str) -> dict[str, str]:
    """Return the positions of all populated fields of a message that no mapping knows: all of them are unknown."""
    if trigger in _WHOLE_FILES or visit_steps.is_file(raw):
        return {}
    message = er7.Message.parse(raw, charset)
    reason = "no mapping knows the message type"
    return {f"{segment.position()}-{n}": reason for segment in message.segments for n in segment.populated()}


@dataclass(frozen=True)
class Paper:
    """A composed paper and its renditions, not signed yet."""

    renditions: Mapping[str, bytes]
    """Kind → unsigned bytes: `fhir`, `cda`, `gdbhyt`, and `fhir:<tag>` for every guide asked for; or `pictures` alone."""
    refused: Mapping[str, Fault]
    """Kind → why it could not be written; the others go their way."""
    digest: str
    """What versions that say the same have in common."""
    facts: Facts | None
    """What decides who signs; None: nobody does, the facility neither."""


def compose(
    paper: str,
    subject: str,
    record: bytes,
    context: documents.Context,
    head_licence: str,
    asked_for: Sequence[str] = (),
    realm: cda.Settings = cda.DEFAULT,
    insurance: InsuranceSettings | None = INSURANCE,
) -> Paper:
    """Compose a paper from a person's record and render it, in FHIR also in the words of the guides asked for.

    `head_licence` is the licence of the facility's head, `realm` how CDA is written here, `insurance` how insurance files
    are; None: none is written.
    """
    resources: list[Resource] = json.loads(record)
    bundle = documents.compose(paper, subject, resources, context)
    refused: dict[str, Fault] = {}
    insured: dict[str, bytes] = {}
    try:
        if insurance is not None:
            insured["gdbhyt"] = _insured(paper, bundle, context, head_licence, insurance)
    except Fault as fault:
        refused["gdbhyt"] = fault
    return _paper(bundle, realm, {**_guided(bundle, asked_for, context.systems), **insured}, refused)


def _insured(paper: str, bundle: Resource, context: documents.Context, head: str, settings: InsuranceSettings) -> bytes:
    """Write the insurance file of a paper, or of a whole visit."""
    made_on = _day_of(context)
    if paper == CHECK_IN:
        return check_in_file(bundle, context, settings=settings)
    if paper == visit_file.RECORD:
        return visit_file.record_to_envelope(bundle, context, made_on=made_on, head=head, settings=settings)
    return bhyt.paper_to_envelope(
        bundle,
        facility=context.facility.code,
        made_on=made_on,
        head=head,
        systems=context.systems,
        calendar=settings.calendar,
    )


def _day_of(context: documents.Context) -> date:
    return context.issued_at.astimezone(dates.zone_of(dates.VIETNAM)).date()


def cancel(
    issued: bytes,
    context: documents.Context,
    asked_for: Sequence[str] = (),
    realm: cda.Settings = cda.DEFAULT,
    insurance: InsuranceSettings = INSURANCE,
) -> Paper:
    """Make the version that withdraws an issued paper, of the FHIR document of that."""
    before = signing_statements.without_provenance(json.loads(issued))
    bundle = documents.cancel(before, context)
    renditions = _guided(bundle, asked_for, context.systems)
    refused: dict[str, Fault] = {}
    if visit_file.is_record(before):
        made_on, head = _day_of(context), context.facility.head_licence
        renditions["gdbhyt"] = visit_file.record_to_envelope(
            before, context, made_on=made_on, head=head, settings=insurance, withdrawn=True
        )
    else:
        refused["gdbhyt"] = WithdrawalNotCarried()
    return _paper(bundle, realm, renditions, refused)


def _paper(bundle: Resource, realm: cda.Settings, more: Mapping[str, bytes], refused: Mapping[str, Fault]) -> Paper:
    require_valid(bundle)
    dangling = bundle_references(bundle)
    if dangling:
        raise InternalFault(dangling[0].path, dangling[0].rule)
    renditions = {"fhir": _unsigned(bundle), "cda": cda.render(bundle, realm), **more}
    return Paper(renditions, refused, documents.digest(bundle), facts(bundle))


def _guided(bundle: Resource, asked_for: Sequence[str], systems: Systems) -> dict[str, bytes]:
    """Say a document in the words of each guide asked for."""
    said = {}
    for guide in (guides()[key] for key in asked_for):
        document = in_guide(bundle, guide, systems)
        require_valid(document)
        said[f"fhir:{guide.tag}"] = _unsigned(document)
    return said


def _unsigned(document: Resource) -> bytes:
    """Write a document as it will be signed: without the Bundle's id, which every server that stores it gives anew."""
    return json.canonical({name: value for name, value in document.items() if name != "id"})


def media_type(kind: str) -> str:
    """Give the media type of a kind of rendition."""
    if kind == imaging_study.RENDITION:
        return imaging_study.MEDIA_TYPE
    return "application/fhir+json" if is_fhir(kind) else "application/xml"


def is_fhir(kind: str) -> bool:
    """Tell whether a rendition is FHIR: in our own words, or in a guide's."""
    return base_kind(kind) == "fhir"


@dataclass(frozen=True)
class Signed:
    body: bytes
    sha256: str
    signer: str
    certificate_sha256: str
    marks: tuple[joint.Mark, ...]
    """Of the signatures that were made now: of one in XML, in FHIR of those of Provenance and of the Bundle."""
    chain: tuple[bytes, ...]
    """Certificates in DER, the signer's first."""
    device: str = ""
    """Serial number of the device that holds the key, as it states it."""


def sign(unsigned: bytes, kind: str, form: Form = USUAL, people: Sequence[Person] = ()) -> Signed:
    """Seal bytes with the key of this process, in `form`; people may have signed them.

    `people` signed another rendition: a FHIR document says so, when its form wants Provenance.
    """
    key = _sealing_key()
    if is_fhir(kind):
        canonical = CANONICAL[form.canonical or "rfc8785"]
        document = json.loads(unsigned)
        who, algorithm = _custodian(document), form.algorithm(key.algorithms)
        if form.provenance:
            unsigned = signing_statements.with_provenance(document, people, who, key, algorithm, canonical)
        body = jws.sign(unsigned, key, who=who, algorithm=algorithm, canonical=canonical)
    else:
        base = base_kind(kind)
        body = joint.seal(unsigned, key, PLACES[base], form, parts_of(base, unsigned, form))
    return _signed(body, key)


def require_signed_by(unsigned: bytes, certificates: Sequence[str]) -> None:
    """Raise SignatureUnrecorded unless people signed an XML document with these certificates (SHA-256), as often as named.

    Raises what is wrong with a signature that does not hold.
    """
    if unsigned[:1] == b"{":
        return
    found = [one.fingerprint(hashes.SHA256()).hex() for one in joint.signed_by(unsigned)]
    if sorted(found) != sorted(certificates):
        raise SignatureUnrecorded(detail=f"{len(found)} signatures, {len(certificates)} recorded")


def _sealing_key() -> KeyProvider:
    assert _opener is not None, "prepare() comes first"
    return _opener()


def sign_beside(unsigned: bytes, name: str, form: Form) -> Signed:
    """Seal final bytes with a signature that is a document of its own and calls them `name`."""
    key = _sealing_key()
    body = joint.seal_beside(xades.File(name, unsigned, "application/xml"), key, form)
    return _signed(body, key)


def _signed(body: bytes, key: KeyProvider) -> Signed:
    leaf = key.chain[0]
    marks = joint.marks(body)
    return Signed(
        body,
        hashlib.sha256(body).hexdigest(),
        leaf.subject.rfc4514_string(),
        leaf.fingerprint(hashes.SHA256()).hex(),
        tuple(marks if body[:1] == b"{" else marks[-1:]),
        proving.der(key.chain),
        device_of(key),
    )


def _custodian(bundle: Resource) -> dict[str, str]:
    """Refer to the facility that answers for a document: its seal signs."""
    custodian: dict[str, str] = bundle["entry"][0]["resource"]["custodian"]
    target = f"/{custodian['reference']}"
    (url,) = (entry["fullUrl"] for entry in bundle["entry"] if entry["fullUrl"].endswith(target))
    return {**custodian, "reference": url}


def guarded(function: object, *arguments: object) -> object:
    """Call a step; turn whatever is not a fault of ours into InternalFault, without its text."""
    assert callable(function)
    try:
        return function(*arguments)
    except Fault:
        raise
    except Exception as error:  # noqa: BLE001 - promised: only faults cross
        raise InternalFault(detail=describe(error)) from None
