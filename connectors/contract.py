"""What a source and a destination are; the gateway imports this, never the other way.

A source frames bytes and sends back the answer it is given: it parses nothing. A destination carries final bytes out and
turns whatever comes back into a receipt or one of the four classes of fault.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from mappings.formats.faults import IntakeFault


@dataclass(frozen=True)
class Answer:
    """What the sender is told, ready for the wire in the source's content format (framing is the source's)."""

    frames: tuple[bytes, ...]
    """In order; one or two (accept and application acknowledgement)."""
    positive: bool
    message_id: str | None
    """The ledger's id; None only when the ledger itself failed."""

    @property
    def whole(self) -> bytes:
        """Give all frames as one, for a wire that carries one answer."""
        return b"".join(one if one.endswith((b"\r", b"\n")) else one + b"\n" for one in self.frames[:-1]) + b"".join(
            self.frames[-1:]
        )


class Intake(Protocol):
    """What the gateway offers to a source."""

    async def receive(self, raw: bytes, peer: str, fault: IntakeFault | None = None) -> Answer:
        """Make `raw` durable, then give the answer. Never raises: a failing store gives a negative answer.

        `fault` is what the source itself found wrong with the frame (too large, cut off); `raw` then holds what was read.
        """
        ...

    def answered(self, answer: Answer) -> None:
        """Note that the answer's bytes were handed to the network: its own fact, apart from having taken the message."""
        ...


class DialogueIntake(Intake, Protocol):
    """What the gateway offers to a source that transmits answers in a session of their own, as analysers are answered."""

    def unanswered(self, answer: Answer, fault: IntakeFault) -> None:
        """Note that a peer asked and did not take the answer, and why; a person can see it at the message."""
        ...


@dataclass(frozen=True)
class OwedOrders:
    """What an instrument is to be told unasked, given out for one try."""

    records: bytes = field(repr=False)


@runtime_checkable
class OrderIntake(DialogueIntake, Protocol):
    """What the gateway offers to a source of one instrument that is told its orders unasked."""

    async def owed_orders(self, most: int) -> Sequence[OwedOrders]:
        """Give at most so many messages, in the order in which they are to be told; each for one try.

        Whoever is given one says what came of it before asking for more. Raises Fault: the ledger is away.
        """
        ...

    async def note_orders(self, told: OwedOrders, fault: IntakeFault | None) -> None:
        """Note that the instrument took a message, or why not: OrdersNotTaken comes again, OrdersRefused needs a person.

        Raises Fault: the ledger is away.
        """
        ...


@dataclass(frozen=True)
class ObjectNames:
    """What the protocol itself said of an object, whatever its content says."""

    sop_class: str
    """SOP Class UID; empty when the protocol names none (STOW-RS)."""
    sop_instance: str
    """SOP Instance UID; empty when the protocol names none."""
    transfer_syntax: str
    """Transfer Syntax UID that the object is written in."""
    calling: str
    """Who sent it: the AE title, or the name of an HTTP client."""
    called: str = ""
    """Whom it was sent to: our AE title; empty over HTTP."""
    study: str = ""
    """Study Instance UID that it was sent to; empty when the protocol names none (C-STORE)."""


@dataclass(frozen=True)
class ObjectAnswer:
    """What becomes of an object, for the source to say in its protocol's own words."""

    taken: bool
    """It is durable here, now or since an earlier time: the only positive answer (promise P1)."""
    instance_id: str = ""
    """The ledger's id of the object; of a repeat that of the first."""
    repeat: bool = False
    """The same bytes came before under the same SOP Instance UID."""
    fault: IntakeFault | None = None
    """Why it was not taken. TRANSIENT: the sender may try again; else it is this object's fault and stays one."""
    sop_class: str = ""
    """SOP Class UID as the object itself has it; empty, as those below, where that could not be read."""
    sop_instance: str = ""
    study: str = ""


class Deposit(Protocol):
    """One object on its way to disk. Any thread may call; never two at once. Ends with `commit` or `discard`, once."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Add bytes of the DICOM file (PS3.10: preamble, `DICM`, file meta, data set) as they arrive, sealed on the way.

        What a view shows is only there during the call.
        Raises IntakeFault: `ObjectTooLarge`, or a TRANSIENT one when the disk does not take more; then only `discard` follows.
        """
        ...

    def commit(self, names: ObjectNames) -> ObjectAnswer:
        """Make it durable and enter it in the ledger, then answer. Blocks. Never raises."""
        ...

    def discard(self, fault: IntakeFault) -> None:
        """Say that it did not arrive whole. What came of it is kept in quarantine with the fault; nobody was told yes."""
        ...


@dataclass(frozen=True)
class StepReport:
    """What a modality says of a procedure step (MPPS)."""

    sop_instance: str
    begins: bool
    """It begins (N-CREATE); else it goes on or ends (N-SET)."""
    attributes: Mapping[str, Any] = field(repr=False)
    """In the DICOM JSON Model: the whole step, or what changes of it."""
    calling: str
    """AE title of the modality."""


class Deposits(Protocol):
    """Where objects go that are too large for memory."""

    def deposit(self, peer: str) -> Deposit:
        """Begin an object; `peer` is `address:port`."""
        ...


@dataclass(frozen=True)
class CommitmentRequest:
    """What a device wants to know: is each of these objects kept for certain? Standard: DICOM PS3.4 §J.3.2"""

    transaction: str
    """TransactionUID."""
    calling: str
    """AE title of the device."""
    objects: tuple[tuple[str, str], ...]
    """SOP class and SOP instance of each."""


@dataclass(frozen=True)
class OwedReport:
    """The answer that a device waits for, given out for one try."""

    id: str
    request: CommitmentRequest


class ObjectIntake(Intake, Deposits, Protocol):
    """What the gateway offers to a source of objects."""

    def holds(self, sop_class: str, sop_instance: str) -> bool:
        """Tell whether an object is durable here, as storage commitment asks. Blocks. Raises IntakeFault (TRANSIENT)."""
        ...

    def worklist(self, query: Mapping[str, str], calling: str) -> Sequence[Mapping[str, Any]]:
        """Give the imaging orders in force that fit what the device `calling` asks for, in the DICOM JSON Model. Blocks.

        `query`: path of tags → value, `{"00100010": "TRAN*", "00400100/00080060": "CT"}`; an empty value fits all. An
        answer has every attribute that is supported, empty where nobody told it. Raises IntakeFault: WorklistQueryInvalid,
        WorklistTooWide, LedgerAway (TRANSIENT).
        """
        ...

    def owe_report(self, request: CommitmentRequest) -> None:
        """Make it durable that a device is owed a report; the same asked again is owed once (promise P3). Blocks.

        Raises IntakeFault: CommitmentClash, CommitmentsTooMany (TRANSIENT), LedgerAway (TRANSIENT).
        """
        ...

    def owed_reports(self, most: int, calling: str = "") -> Sequence[OwedReport]:
        """Give at most so many reports whose time has come, of `calling` before it too; each for one try. Blocks.

        What is given comes again later, unless `note_report` says that it was taken. Raises IntakeFault: LedgerAway.
        """
        ...

    def note_report(self, report: OwedReport, missing: int, fault: IntakeFault | None) -> None:
        """Note that a report was taken, which named so many objects as missing, or by `fault` why it was not. Blocks.

        Raises IntakeFault: LedgerAway (TRANSIENT).
        """
        ...

    def note_step(self, report: StepReport) -> None:
        """Make what a modality says of a procedure step durable; the same again changes nothing (promise P3). Blocks.

        Raises IntakeFault: StepExists, StepUnknown, StepEnded, StepInvalid, StepIncomplete, LedgerAway (TRANSIENT).
        """
        ...


class Source(Protocol):
    """Listens until cancelled. Built as `Source(settings)` from its module's frozen `Settings` dataclass.

    A static method `check(settings)` beside is what `lienthong check` calls: it raises an `IntakeFault` for what `run` would
    raise, and changes nothing. `takes_objects = True` says that it wants an `ObjectIntake`. Whether an address is free is
    looked at for all kinds whose settings have `listen`.
    """

    def __init__(self, settings: Any) -> None: ...

    async def run(self, intake: Intake, ready: Callable[[str], None]) -> None:
        """Call `ready("host:port")` once listening; on cancellation stop taking, finish answers under way, return."""
        ...


@runtime_checkable
class Fetching(Protocol):
    """A source that fetches what lies elsewhere; it can say how that stands."""

    def counts(self) -> Mapping[str, int]:
        """Give numbers by name: `away` is 1 while the place does not answer; `seen`, `waiting` and `stuck` count files."""
        ...


@dataclass(frozen=True)
class Picture:
    """One DICOM object of a study that leaves."""

    series: str
    """Series Instance UID."""
    sop_instance: str
    """SOP Instance UID."""
    sop_class: str
    """SOP Class UID."""
    transfer_syntax: str
    """Transfer Syntax UID that it is kept in, and leaves in."""
    size: int
    """Bytes of its DICOM file (PS3.10)."""
    sha256: str
    """Of the same."""


class Pictures(Protocol):
    """A study as a document: which objects it has, and where their bytes are."""

    @property
    def study(self) -> str:
        """Study Instance UID."""
        ...

    @property
    def objects(self) -> Sequence[Picture]:
        """All of them, in the order in which they leave: by series, then as they came."""
        ...

    def read(self, one: Picture) -> Iterator[bytes]:
        """Give the DICOM file in pieces, in the calling thread; any thread, several at once.

        What is given to its end is what was kept, to the byte: it ends with a fault instead when it is not. Raises Fault:
        TRANSIENT where the files are away, REFUSED where they are broken.
        """
        ...


@dataclass(frozen=True)
class Outbound:
    """One document on its way to one destination. The same on every attempt (promise P3)."""

    key: str
    """UUID text, stable for the life of the delivery; what the destination uses to recognise a repeat."""
    kind: str
    """Name of the paper: `discharge_paper`, `referral`, `reexamination`, `lab_report` …"""
    body: bytes
    """Final bytes; sent unchanged (promise P6)."""
    media_type: str
    """May say for which decision it was written, where a destination takes several: `application/xml; decision=4750`."""
    sha256: str
    created_at: datetime
    """When the delivery was made; whatever an envelope needs as its time comes from here, so that a repeat is identical."""
    facility: str
    """Code of the issuing facility (MA_CSKCB, five characters)."""
    signature: bytes = b""
    """A detached signature that lies beside `body`; only for destinations with `takes_signature_beside`."""
    pictures: Pictures | None = None
    """The objects that `body` lists; only for destinations that take `pictures`."""


@dataclass(frozen=True)
class Receipt:
    """The destination's own yes, kept as evidence."""

    reference: str
    """What the destination calls it: maGiaoDich, txn_id, …"""
    evidence: bytes
    """The answer's body as it came."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Status codes and times of the answer; no patient data."""


class Seal(Protocol):
    """Signs an envelope with the facility's transport key: RSA PKCS#1 v1.5 with SHA-256 over `data`."""

    def __call__(self, data: bytes) -> bytes: ...


class Destination(Protocol):
    """Built as `Destination(name, settings, seal)`; one HTTP client or socket pool for its whole life.

    `settings.takes` names the rendition it carries: `cda`, `gdbhyt`, `fhir` or `pictures`; a ClassVar of the module's frozen
    `Settings`, or a property when a setting decides. `takes_signature_beside = True` there: it can carry a signature as a file
    of its own; then the signature refers to `body` as the destination names it. `takes_check_ins = True`: check-ins of
    visits (XML0) go there without being named.
    """

    def __init__(self, name: str, settings: Any, seal: Seal) -> None: ...

    async def deliver(self, document: Outbound) -> Receipt:
        """Send once. Raise Unreachable, Refused, Throttled or Uncertain; the destination's own success test decides."""
        ...

    async def find(self, document: Outbound) -> Receipt | None:
        """Ask whether an earlier attempt arrived: its receipt, or None when it certainly did not.

        Raises CannotAsk when the destination offers no such question, Unreachable or Throttled when it cannot answer now.
        """
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Interruptible(Protocol):
    """A destination whose deliveries may take longer than a node that ends can wait."""

    def interrupt(self) -> None:
        """Have deliveries under way end soon, with a TRANSIENT fault, at a point from which they can go on."""
        ...


@dataclass(frozen=True)
class CardQuestion:
    """Whose insurance card is asked about, in the words of the insurer."""

    number: str = field(repr=False)
    """Card (15 characters), insurance number (10) or personal identification number (12)."""
    name: str = field(repr=False)
    born: str = field(repr=False)
    """`dd/MM/yyyy`, `MM/yyyy` or `yyyy`."""


@dataclass(frozen=True)
class CardReply:
    """The insurer's own answer; what it means is read by `mappings`."""

    code: str
    body: bytes = field(repr=False)


class Cards(Protocol):
    """Asks an insurer about cards."""

    permit: Callable[[], Awaitable[None]]
    """Called before every look-up; raises when there may be no more. Whoever counts over all nodes puts it here."""

    async def look_up(self, question: CardQuestion, permit: Callable[[], Awaitable[None]] | None = None) -> CardReply:
        """Ask once; `permit` in place of the usual one.

        Raises LookupUnanswered, LookupRestricted, LookupServerTrouble, Unreachable, Throttled, LoginRefused.
        """
        ...

    async def shared_costs(
        self, question: CardQuestion, permit: Callable[[], Awaitable[None]] | None = None
    ) -> CardReply:
        """Ask once what the person has paid of shared costs this year; raises as `look_up` does."""
        ...


@runtime_checkable
class LooksUpCards(Protocol):
    """A destination whose `settings.looks_up_cards` is true."""

    cards: Cards
