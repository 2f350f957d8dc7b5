"""What can be set, and the plan that a checked configuration becomes.

A setting is a field of a frozen dataclass, and nothing else: reading (`gateway/configuration.py`), checking and documentation
follow from the field's name, type and default. Values that are wrong by themselves raise `ValueError("field: what to write")`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from connectors.dicom_peer import PacsSettings
from connectors.kinds import load_source
from gateway.delivery.answers import Meaning
from gateway.delivery.hours import Hours
from gateway.delivery.limits import Breaker, Limit, Rules
from gateway.delivery.retry import Retry
from gateway.proof.settings import ProofSettings
from gateway.store.sealed import Keyring
from mappings.bhyt import TABLE_OF_PAPER
from mappings.bhyt.check_in_file import CHECK_IN
from mappings.bhyt.settings import Settings as InsuranceSettings
from mappings.bhyt.visit_file import RECORD
from mappings.cda import Settings as CdaSettings
from mappings.documents import Context, Facility, imaging_study
from mappings.formats.dates import zone_of
from mappings.formats.values import NO_FILE, NO_SECRET, FileName, Secret, Size, parse_address, parse_within
from mappings.guides import guides
from mappings.lab.layout import Layout
from mappings.systems import Systems
from signing.forms import Form
from signing.policy import Policies

T = TypeVar("T")
_MAX_UPLOAD = Size(30 * 1024 * 1024)
_WEB = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~%-]+)*")
_SHORTEST_TOKEN = 20

# ---- what can be set -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FacilitySettings:
    """The hospital itself, as it stands on every paper."""

    code: str
    """MA_CSKCB, five characters."""
    name: str
    """As it is printed on papers."""
    head_licence: str
    """Practice licence of the head, who answers for every paper (MA_TTDV), such as 000001/HNO-CCHN."""
    governing_body: str = ""
    """`SỞ Y TẾ …` or `BỘ Y TẾ`, printed above the name."""
    address: str = ""
    """As it is printed on papers."""
    phone: str = ""
    """As it is printed on papers."""
    departments: tuple[str, ...] = ()
    """Names of departments, as the staff list may write them (`lienthong certs import`); empty = not checked."""
    closed_lists: tuple[str, ...] = ("HIV",)
    """What a receiver without `closed_lists` may not see: `HIV` by law, `TB` where the hospital treats tuberculosis so."""
    verify_at: str = ""
    """Address that leads to verification by hash when a code is put behind it, for a QR code on papers; `""` = no code."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9A-Z]{5}", self.code):
            raise ValueError("code: a facility code (MA_CSKCB) has five characters of 0-9 and A-Z")
        if "HIV" not in self.closed_lists or not set(self.closed_lists) <= {"HIV", "TB"}:
            raise ValueError('closed_lists: "HIV", which the law demands, and "TB" where the hospital wants it')
        if self.verify_at and not self.verify_at.startswith("https://"):
            raise ValueError("verify_at: an address begins with https://")


@dataclass(frozen=True)
class StoreSettings:
    """Where the ledger is."""

    keys: Secret
    """The key file's content, as a secret: lines of `id:base64`. Make one with `lienthong key new`."""
    url: str = "sqlite:///data/ledger.db"
    """`sqlite:///path` or `postgresql://user@host/database`; a relative path counts from the folder of node.toml."""
    objects: str = "data/objects"
    """Folder of large objects (DICOM), sealed; relative to that of node.toml. Nodes on one ledger share it."""


ROLES = ("intake", "work", "deliver", "api")
"""`intake` opens the channels' sources, `work` maps, composes, seals and looks after deadlines, `deliver` sends, `api` serves
programs. Health answers on every node."""


@dataclass(frozen=True)
class NodeSettings:
    """This process."""

    name: str = "node-1"
    """Unique among the nodes on one store."""
    roles: tuple[str, ...] = ("all",)
    """What it does: `intake`, `work`, `deliver`, `api`, or `all`."""
    workers: int = 0
    """Processes for mapping and signing; 0 = one per core."""
    health: str = "127.0.0.1:8080"
    """Where `/health` and `/metrics` answer; `""` = nowhere."""
    redis: str = ""
    """`redis://…` lets nodes on one PostgreSQL share their queue and wake each other at once; without it they look into the
    ledger every second."""
    zone: str = "Asia/Ho_Chi_Minh"
    """Zone of HL7 times that carry no offset."""
    lease: timedelta = timedelta(seconds=30)
    """How long a silent worker keeps what it took; it says that it lives three times as often."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,48}", self.name):
            raise ValueError("name: letters, digits, dot, dash and underscore, 48 at most")
        if not self.roles or not set(self.roles) <= {*ROLES, "all"}:
            raise ValueError(f"roles: one or more of {', '.join(ROLES)}, or all")
        if not 0 <= self.workers <= 256:
            raise ValueError("workers: 0 to 256")
        if self.health:
            _valid("health", parse_address, self.health)
        _valid("zone", zone_of, self.zone)
        if self.lease < timedelta(seconds=1):
            raise ValueError("lease: 1s or more")

    def does(self, role: str) -> bool:
        """Tell whether this node has a role."""
        return role in self.roles or "all" in self.roles


@dataclass(frozen=True)
class HttpSettings:
    """Pages and interfaces: verification, the register of certificates, the signer's page."""

    listen: str = ""
    """Address and port, such as `0.0.0.0:8443`; `""` = nowhere."""
    tls: Literal["tls", "none", "proxy"] = "tls"
    """`tls` encrypts; `none` is for a loopback address alone; `proxy`: what stands in front encrypts."""
    certificate: FileName = NO_FILE
    """PEM file with our certificate and its chain; needed with `tls = "tls"`."""
    private_key: FileName = NO_FILE
    """PEM file with the key of `certificate`, without a password; needed with `tls = "tls"`."""
    hosts: tuple[str, ...] = ()
    """Names by which browsers reach the pages, such as `cong.benhvien.vn`; an address of numbers always may."""
    verify: Literal["open", "clients"] = "open"
    """Who may have a file verified: everybody who reaches the address, or clients and people who signed in."""
    online: bool = True
    """Whether verification asks OCSP and CRL at the addresses of trusted certificates."""
    max_size: Size = _MAX_UPLOAD
    """Largest file to verify, and largest request of any kind."""
    dicomweb_get: bool = False
    """Whether studies may also be searched by GET, as DICOMweb clients do: then patient numbers stand in addresses, which
    proxies write down. `POST /dicom-web/studies/_search` always may."""
    dicomweb_base: str = ""
    """Where readers of records fetch studies by WADO-RS, such as `https://cong.benhvien.vn:8443/dicom-web`, or the PACS's own
    address: studies mapped from now on name it as their Endpoint; `""` = they name none."""

    def __post_init__(self) -> None:
        host = _valid("listen", parse_address, self.listen)[0] if self.listen else ""
        if self.listen and self.tls == "tls" and not (self.certificate and self.private_key):
            raise ValueError(
                'certificate: TLS needs certificate and private_key; or tls = "proxy" behind one that encrypts'
            )
        if self.listen and self.tls == "none" and host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError('tls: none is for 127.0.0.1 alone; behind a proxy that encrypts write "proxy"')
        for name in self.hosts:
            if not re.fullmatch(r"[a-z0-9.-]+", name):
                raise ValueError("hosts: names in small letters, without scheme and port")
        if self.dicomweb_base and not _WEB.fullmatch(self.dicomweb_base):
            raise ValueError(
                "dicomweb_base: an address like https://cong.benhvien.vn:8443/dicom-web, without user and closing slash"
            )


@dataclass(frozen=True)
class VerifySettings:
    """`[verify]`: by what files are judged for those who ask this node."""

    policies: FileName = NO_FILE
    """Folder with the documents of the signature policies that count; a signature that follows another one is undecided.
    `""` = any does, with a note."""

    def __post_init__(self) -> None:
        if self.policies and not Path(self.policies).is_dir():
            raise ValueError("policies: a folder beside node.toml, with the documents of signature policies")


@dataclass(frozen=True)
class TraceSettings:
    """Traces of messages for OpenTelemetry: the way that each took, how long every step was; no patient data."""

    endpoint: str = ""
    """Where spans go by OTLP/HTTP, such as `http://127.0.0.1:4318/v1/traces`; `""` = no traces."""
    token: Secret = NO_SECRET
    """Sent as `Authorization: Bearer …`; empty = not sent."""
    share: float = 1.0
    """Share of the messages of which a trace is kept; the same ones on every node."""

    def __post_init__(self) -> None:
        if self.endpoint and not self.endpoint.startswith(("http://", "https://")):
            raise ValueError("endpoint: an address begins with http:// or https://")
        if not 0 < self.share <= 1:
            raise ValueError("share: above 0, 1 at most")


MAY = ("certs", "coverage", "images", "sign", "verify")
"""What a client of the interface can be allowed."""


@dataclass(frozen=True)
class ClientSettings:
    """One `[[api.client]]`: a program that uses the interface."""

    name: str
    """Stands in the audit log as who did it."""
    token: Secret
    """Sent as `Authorization: Bearer …`; 20 characters at least."""
    may: tuple[str, ...]
    """`certs`: the register of certificates · `coverage`: looking up insurance cards · `images`: reading pictures (DICOMweb) ·
    `sign`: signing tasks · `verify`: verification."""
    basis: str = ""
    """Why pictures may be handed out to it: the law, or `treatment`, `referral`, `request`. Needed with `images`."""
    closed_lists: bool = False
    """True when it may by law see pictures of persons on closed lists (HIV …); otherwise they are withheld."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,48}", self.name):
            raise ValueError("name: letters, digits, dot, dash and underscore, 48 at most")
        _long_enough(self.token)
        for one in self.may:
            if one not in MAY:
                raise ValueError(f"may: {one}; known: {', '.join(MAY)}")
        if "images" in self.may and not self.basis.strip():
            raise ValueError("basis: the law or reason that lets pictures be handed out to it")


@dataclass(frozen=True)
class ChannelSettings:
    """One channel file, without its source, destinations and tests."""

    name: str
    """Unique among the channels: small letters, digits, dashes."""
    accept: tuple[str, ...]
    """Message types, `ADT` for all of a type, `REF^I12` for one, `GDBHYT` for insurance files, `RESULT` for tables of results,
    `*` for everything. Queries about persons only one by one."""
    order_by: str = "PID-3"
    """Position whose value is the key within which order is kept; messages without it are on their own."""
    produce: tuple[str, ...] = ()
    """Papers made from what arrives here."""
    deadline: str = ""
    """From the event to the last destination's acceptance: `36h`, `end of day`, `at once` (15 minutes); without it the rules of
    each paper say (S3.8)."""
    warn: float = 0.75
    """Share of that time after which is warned of what has not arrived."""
    priority: Literal["normal", "low"] = "normal"
    """`low`: taken into the record only when nothing of other channels waits, such as what monitors send every second; order
    is then kept among the channels of low priority, by themselves."""
    profile: str = ""
    """Dialect of the laboratory instrument (ASTM) behind the channel; empty = told by its messages."""
    approver: str = ""
    """Number or practice licence of who answers for results of the instrument that name nobody."""
    instrument: str = ""
    """Name of the one instrument behind the channel, as the table `site-analyser` has it: orders of its tests are sent to it
    unasked. Only for kind `astm` with frames."""

    @property
    def is_low(self) -> bool:
        return self.priority == "low"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,47}", self.name):
            raise ValueError("name: small letters, digits and dashes, 48 at most")
        if not re.fullmatch(r"[A-Z][A-Z0-9]{2}-\d+(\.\d+)?(\.\d+)?", self.order_by):
            raise ValueError("order_by: a position such as PID-3 or PV1-19.1")
        for entry in self.accept:
            if not re.fullmatch(r"\*|[A-Z][A-Z0-9]{2,9}(\^[A-Z0-9]{3,8})?", entry):
                raise ValueError(f"accept: {entry!r} is not written like ADT, REF^I12 or *")
        if self.deadline:
            _valid("deadline", parse_within, self.deadline)
        if not 0 < self.warn <= 1:
            raise ValueError("warn: a share above 0, 1 at most")


@dataclass(frozen=True)
class SignerSettings:
    """One `[[signer]]`, without the table that says which key this person signs with."""

    code: str
    """Of the staff, unique; as in the register of certificates."""
    name: str
    """As in the certificate."""
    roles: tuple[str, ...]
    """In which this person signs: `treating_doctor`, `head_of_department`, `director` …"""
    licence: str = ""
    """Practice licence, by which papers name their doctor."""
    departments: tuple[str, ...] = ()
    """Codes or names of departments for whose papers this person signs; empty = all."""
    token: Secret = NO_SECRET
    """With which this person signs in to the signer's page; without one not at all. 20 characters at least."""
    may: tuple[str, ...] = ()
    """`certs`: sees whose certificates end when, not only the own. `roles` is empty for who signs nothing."""

    def __post_init__(self) -> None:
        if self.token:
            _long_enough(self.token)
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", self.code):
            raise ValueError("code: letters, digits, dot, dash and underscore, 64 at most")
        for one in self.may:
            if one != "certs":
                raise ValueError(f"may: {one}; known: certs")
        if "seal" in self.roles:
            raise ValueError("roles: the seal is the node's own key, [signing]")


@dataclass(frozen=True)
class RouteSettings:
    """What every `[[destination]]` has besides the settings of its kind."""

    kind: str
    """Which destination this is, such as `insurance_portal`."""
    name: str = ""
    """Unique name; the kind's when empty. Two channels that name the same destination must describe it alike."""
    papers: tuple[str, ...] = ()
    """Papers it gets; empty = all that the channel produces and that there is a rendition for it of."""
    basis: str = ""
    """Why documents may leave to it: the law, or `referral`, `emergency`, `request`. Nothing leaves without."""
    guide: str = ""
    """National guide in whose words FHIR is written, as `canonical|version`; empty = our own words, no profile claimed."""
    deadline: str = ""
    """From the event to its acceptance there, written like a channel's, in whose place it stands for this destination."""
    accepts: str = ""
    """Step of the signing policy after which a paper may leave to it, such as `doctor`; empty = when all have signed."""
    closed_lists: bool = False
    """True when the receiver may by law see diagnoses on closed lists (HIV …); otherwise such papers are withheld."""
    retry: Retry = field(default_factory=Retry)
    """How patiently it is tried again."""
    limit: Limit = field(default_factory=Limit)
    """What it bears."""
    breaker: Breaker = field(default_factory=Breaker)
    """When it counts as down."""
    hours: tuple[str, ...] = ()
    """When it is open, like `mon-fri 07:00-17:30` or `06:00-22:00`, in the node's zone; empty = always."""
    answers: Mapping[str, Meaning] = field(default_factory=dict)
    """Answer as the error queue shows it, like `maKetQua 205` → `accepted`, `refused`, `transient`, `throttled`, `uncertain`
    or `paused` (stop until a person lets it go on), where the connector's own reading does not fit."""
    node: str = ""
    """Name of the only node that calls it, for an account that bears one log-in at a time; empty = every node that delivers."""
    at_least_once: bool = False
    """True when a document whose fate is unknown may be sent again though the destination cannot be asked."""

    def __post_init__(self) -> None:
        _valid("hours", Hours.parse, self.hours)
        if self.deadline:
            _valid("deadline", parse_within, self.deadline)

    def rules(self, zone: str) -> Rules:
        return Rules(self.limit, self.breaker, Hours.parse(self.hours, zone))


# ---- the plan --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SourcePlan:
    kind: str
    settings: Any


@dataclass(frozen=True)
class Route:
    """One destination, ready to be built."""

    name: str
    common: RouteSettings
    settings: Any
    own_form: bool = False
    """True when `signing.toml` names it: its papers may be signed in another form than those of everybody else."""
    whole_visits: bool = False
    """True when a channel makes the file of every visit: an insurance destination gets that, not a file for each paper."""

    @property
    def rendition(self) -> str:
        """The rendition of a document that goes there: `cda`, `fhir`, `fhir:<tag of a guide>` …"""
        takes: str = self.settings.takes
        return f"{takes}:{guides()[self.common.guide].tag}" if self.common.guide else takes

    @property
    def renditions(self) -> tuple[str, ...]:
        """Kinds of rendition of which the first that is signed goes there."""
        own = (self.own_kind,) if self.own_form else ()
        if not self.common.accepts:
            return (*own, self.rendition)
        return (*((self.own_early_kind,) if self.own_form else ()), self.early_kind, *own, self.rendition)

    @property
    def own_kind(self) -> str:
        """The rendition in a form of its own."""
        return self._own("")

    @property
    def early_kind(self) -> str:
        """The rendition as it was after the step that it accepts."""
        return f"{self.rendition}@{self.common.accepts}"

    @property
    def own_early_kind(self) -> str:
        """The same with signatures of another level than everybody's."""
        return f"{self._own(self.common.accepts)}@"

    def _own(self, step: str) -> str:
        told = " ".join(filter(None, (self.rendition, self.name, step)))
        return f"{self.settings.takes}+{hashlib.sha256(told.encode()).hexdigest()[:4]}"

    @property
    def looks_up_cards(self) -> bool:
        """Whether it can be asked about insurance cards."""
        return bool(getattr(self.settings, "looks_up_cards", False))

    @property
    def called(self) -> tuple[str, str]:
        """Its name and kind, by which rules about forms name it."""
        return self.name, self.common.kind

    def carries(self, paper: str) -> bool:
        """Tell whether a paper goes there: one of those named, or without names every one there is such a rendition of.

        Insurance keeps one file for each visit, under its number: where whole visits go, papers go in them. A check-in is for
        who takes check-ins, the pictures of a study for who takes pictures, and nothing else.
        """
        if (paper == imaging_study.PAPER) != (self.rendition == imaging_study.RENDITION):
            return False
        if self.common.papers:
            return paper in self.common.papers
        if paper == CHECK_IN:
            return bool(getattr(self.settings, "takes_check_ins", False))
        if self.rendition != "gdbhyt":
            return True
        return paper == RECORD if self.whole_visits else paper in TABLE_OF_PAPER


@dataclass(frozen=True)
class Test:
    """A channel's own test: this input gives that output."""

    where: str
    """File and line of the test."""
    input: Path
    """One message, in a file beside the channel's."""
    expect: Path
    """JSON array of the FHIR resources it becomes."""


@dataclass(frozen=True)
class Channel:
    settings: ChannelSettings
    source: SourcePlan
    routes: tuple[str, ...]
    tests: tuple[Test, ...]
    layout: Layout | None = None
    """How the tables of results are written that its source brings; then it brings nothing else."""

    @property
    def charset(self) -> str:
        """`auto` believes MSH-18; a name overrides it. A setting of the source, because one sender speaks one charset."""
        return str(getattr(self.source.settings, "charset", "auto"))

    @property
    def takes_objects(self) -> bool:
        """Whether its source brings DICOM objects."""
        _, source = load_source(self.source.kind)
        return bool(getattr(source, "takes_objects", False))

    def accepts(self, message_type: str) -> bool:
        family = message_type.split("^", 1)[0]
        return any(entry in ("*", message_type, family) for entry in self.settings.accept)


@dataclass(frozen=True)
class SigningPlan:
    kind: str
    options: Mapping[str, object]
    trust: tuple[bytes, ...]
    """PEM files of the roots that verification believes."""
    asks: tuple[str, ...] = ()
    """Settings of the key that a person is asked for when it is opened: a PIN that is not written anywhere."""
    other_device: Literal["tell", "refuse"] = "tell"
    """What happens when a key, the node's own too, signs in another device than the hand-over record names."""


@dataclass(frozen=True)
class Signer:
    """One person who signs."""

    settings: SignerSettings
    key: SigningPlan | None
    """None: not with a key on this server."""


@dataclass(frozen=True)
class Plan:
    """Everything a node needs, checked."""

    folder: Path
    facility: FacilitySettings
    node: NodeSettings
    store: StoreSettings
    systems: Systems
    cda: CdaSettings
    signing: SigningPlan
    transport: SigningPlan
    """The key that seals envelopes; the signing key when `[transport]` is not written."""
    channels: tuple[Channel, ...]
    routes: Mapping[str, Route]
    signers: Mapping[str, Signer] = field(default_factory=dict)
    """By code."""
    policies: Policies = field(default_factory=Policies)
    proof: ProofSettings = field(default_factory=ProofSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    clients: tuple[ClientSettings, ...] = ()
    trace: TraceSettings = field(default_factory=TraceSettings)
    insurance: InsuranceSettings = field(default_factory=InsuranceSettings)
    pacs: tuple[PacsSettings, ...] = ()
    verify: VerifySettings = field(default_factory=VerifySettings)

    def insurance_of(self, paper: str) -> InsuranceSettings | None:
        """Say how the insurance file of a paper is written; None where it goes in the file of its visit."""
        whole = any(route.whole_visits for route in self.routes.values())
        named = any(paper in route.common.papers for route in self.routes.values())
        return self.insurance if paper in (RECORD, CHECK_IN) or named or not whole else None

    def form_of(self, paper: str, *destination: str) -> Form:
        """How a paper is signed, level included; with a destination, given by its name and kind, how it is for that."""
        level = self.policies.level(paper, *destination) or self.proof.usual_level
        return replace(self.policies.forms.of(paper, *destination), level=level)

    def level_of(self, paper: str, kind: str = "") -> str:
        """The level that the signatures in a rendition of a paper have to reach before it leaves."""
        own = kind.removesuffix(".s")
        for route in self.routes.values() if "+" in kind else ():
            if own in (route.own_kind, route.own_early_kind):
                return self.form_of(paper, *route.called).level
        return self.form_of(paper).level

    @property
    def routes_here(self) -> tuple[str, ...]:
        """Names of the destinations that this node may call."""
        return tuple(name for name, one in self.routes.items() if one.common.node in ("", self.node.name))

    @cached_property
    def keyring(self) -> Keyring:
        return Keyring.parse(self.store.keys)

    def paper_context(self, number: str, issued_at: datetime) -> Context:
        """Say who issues a paper, when, under which number."""
        own = self.facility
        facility = Facility(own.code, own.name, own.governing_body, own.address, own.phone, own.head_licence)
        return Context(facility, self.systems, issued_at, number)

    @property
    def site(self) -> Path:
        """The folder of the hospital's own mappings and code tables; need not exist."""
        return self.folder / "site"

    @property
    def objects_folder(self) -> Path:
        return self.folder / self.store.objects

    @property
    def store_url(self) -> str:
        return _absolute_url(self.store.url, self.folder)


def _valid(name: str, parse: Callable[[Any], T], value: object) -> T:
    try:
        return parse(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _long_enough(token: Secret) -> None:
    if len(token) < _SHORTEST_TOKEN:
        raise ValueError(f"token: {_SHORTEST_TOKEN} characters at least; make one with `openssl rand -base64 24`")


def _absolute_url(url: str, folder: Path) -> str:
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith("sqlite:////"):
        return f"{prefix}{(folder / url[len(prefix) :]).resolve()}"
    return url
