"""Faults of the edges: 21xx framing and limits of sources, 6xxx of destinations.

A fault with `stops = True` is about the destination and not about one document: it is left alone until a person lets it go on.
"""

from __future__ import annotations

from datetime import timedelta

from mappings.formats.faults import DeliveryFault, FaultClass, IntakeFault


class TooLarge(IntakeFault):
    """Raised when a frame passes the channel's `max_size`; only its beginning is kept."""

    code = 2101


class FrameIncomplete(IntakeFault):
    """Raised when a peer leaves or falls silent in the middle of a frame."""

    code = 2102


class FrameInvalid(IntakeFault):
    """Raised when bytes arrive outside a frame."""

    code = 2103


class ListenFailed(IntakeFault):
    """Raised by `Source.run` when its address cannot be opened: taken, not ours, or not permitted."""

    code = 2104
    fault_class = FaultClass.TRANSIENT


class TlsFilesUnusable(IntakeFault):
    """Raised by `Source.run` when certificate, private key or client CA cannot be read or do not belong together."""

    code = 2105


class PickupFolderUnusable(IntakeFault):
    """Raised by `Source.run` when its folder is not there, or is not ours to read and to move files in."""

    code = 2106


class PickupAway(IntakeFault):
    """Noted when the place from which files are fetched does not answer; it is asked again, and nothing is lost meanwhile."""

    code = 2107
    fault_class = FaultClass.TRANSIENT


class PickupFileWaits(IntakeFault):
    """Noted when a file could not be read or its message not be kept; it stays where it is and is tried again."""

    code = 2108
    fault_class = FaultClass.TRANSIENT


class PickupFileStuck(IntakeFault):
    """Noted when a message is in the ledger and its file cannot be put away; only that is tried again."""

    code = 2109
    fault_class = FaultClass.TRANSIENT


class PickupKeysUnusable(IntakeFault):
    """Raised by `Source.run` when the file with our private key or with the server's known keys cannot be used."""

    code = 2110


class PickupHostKeyStrange(PickupAway):
    """Noted when the server shows a key that was not named; nothing was sent to it. `detail` is what it showed."""

    code = 2111


class PickupLoginRefused(PickupAway):
    """Noted when the server does not let our account in; tried again seldom, and a person must look."""

    code = 2112


class ObjectTooLarge(IntakeFault):
    """Raised when a DICOM object passes the channel's `max_size`; only its beginning is kept."""

    code = 2120


class ObjectIncomplete(IntakeFault):
    """Noted when an association is aborted, or a peer leaves, in the middle of an object."""

    code = 2121


class ObjectUnreadable(IntakeFault):
    """Raised when an object is no DICOM data set: not readable to the end, or without the UIDs that name it."""

    code = 2122


class ObjectMisnamed(IntakeFault):
    """Raised when an object has other UIDs inside than it was sent under."""

    code = 2123


class ObjectClash(IntakeFault):
    """Raised when another object with the same SOP Instance UID is kept already: neither replaces the other (promise P3)."""

    code = 2124


class ObjectStoreAway(IntakeFault):
    """Raised when the disk or the ledger does not take an object now; nothing of it is kept, and the sender may try again."""

    code = 2125
    fault_class = FaultClass.TRANSIENT


class PeerNotAllowed(IntakeFault):
    """Raised when somebody calls whose AE title, address or certificate the channel does not allow."""

    code = 2126


class WorklistQueryInvalid(IntakeFault):
    """Raised when a device asks for something that is none, such as a day that does not exist; `where` is the attribute."""

    code = 2140


class WorklistTooWide(IntakeFault):
    """Raised when more orders fit a device's question than are given at once; `detail` is the limit."""

    code = 2141


class LedgerAway(IntakeFault):
    """Raised when the ledger neither answers nor takes what a device asks or tells; the device may try again."""

    code = 2142
    fault_class = FaultClass.TRANSIENT


class StepExists(IntakeFault):
    """Raised when a device begins a procedure step that was begun before, with something else in it."""

    code = 2143


class StepUnknown(IntakeFault):
    """Raised when a device goes on with a procedure step that it never began here."""

    code = 2144


class StepEnded(IntakeFault):
    """Raised when a device changes a procedure step that is completed or discontinued."""

    code = 2145


class StepInvalid(IntakeFault):
    """Raised when what a device says of a procedure step is not what the standard wants; `where` is the attribute."""

    code = 2146


class StepIncomplete(IntakeFault):
    """Raised when what a device says of a procedure step lacks an attribute that is needed; `where` is the attribute."""

    code = 2147


class CommitmentClash(IntakeFault):
    """Raised when a device asks for storage commitment under the transaction UID of another request that it waits for."""

    code = 2148


class CommitmentsTooMany(IntakeFault):
    """Raised when more reports of storage commitment wait for their devices than a channel may owe; `detail` is the limit."""

    code = 2149
    fault_class = FaultClass.TRANSIENT


class CommitmentNotTaken(IntakeFault):
    """Raised when a device does not take its report of storage commitment; `where` is its AE title, `detail` what happened."""

    code = 2139
    fault_class = FaultClass.TRANSIENT


class MultipartInvalid(IntakeFault):
    """Raised when the body of a STOW-RS request is not made of parts as RFC 2046 has it; objects before that point stay."""

    code = 2130


class PartNotDicom(IntakeFault):
    """Raised when a part of a STOW-RS request is no plain DICOM file; nothing of it is kept."""

    code = 2131


class TooManyParts(IntakeFault):
    """Raised when a STOW-RS request has more parts than the channel allows; those before stay, the rest is not read."""

    code = 2132


# ---- 215x: analysers (ASTM) ----


class MessageUnended(IntakeFault):
    """Noted when an analyser ends, breaks off or begins again before the terminator (L), or did not begin with a header (H)."""

    code = 2150


class FramesRefused(IntakeFault):
    """Noted when a sender gives up on a frame that never came whole: wrong checksum, wrong number, too long."""

    code = 2151


class OutsideSession(IntakeFault):
    """Noted when bytes come that belong to no session and no message; often the framing or the speed is set wrongly."""

    code = 2152


class AnswerNotTaken(IntakeFault):
    """Noted when an analyser asked and does not take the answer: it stays silent, busy, refuses it or is gone."""

    code = 2153


class SerialLineUnusable(IntakeFault):
    """Raised by `Source.run` when the serial line is not there, not ours to use, taken, or does not know the speed."""

    code = 2154


class AnalyserAway(IntakeFault):
    """Noted when an analyser that we call does not answer, or its serial line is gone; it is called again."""

    code = 2155
    fault_class = FaultClass.TRANSIENT


class OrdersNotTaken(IntakeFault):
    """Noted when an analyser that is told an order stays silent, busy or is gone; it is told again."""

    code = 2156
    fault_class = FaultClass.TRANSIENT


class OrdersRefused(IntakeFault):
    """Noted when an analyser answers every frame of an order with NAK."""

    code = 2157


class Unreachable(DeliveryFault):
    """Raised when nothing was sent: refused connection, no name, no TLS, or a time-out before the request left."""

    code = 6001
    fault_class = FaultClass.TRANSIENT


class Refused(DeliveryFault):
    """Raised on a clear no about this document: it will be no tomorrow too."""

    code = 6002
    fault_class = FaultClass.REFUSED


class Throttled(DeliveryFault):
    """Raised on 429/503 and their like; `retry_after` is what the destination asked for, if it did."""

    code = 6003
    fault_class = FaultClass.THROTTLED

    def __init__(self, where: str = "", detail: str = "", retry_after: timedelta | None = None) -> None:
        super().__init__(where, detail)
        self.retry_after = retry_after


class Uncertain(DeliveryFault):
    """Raised when the request left and no usable answer came back: it may or may not have arrived."""

    code = 6004
    fault_class = FaultClass.UNCERTAIN


class ServerTrouble(DeliveryFault):
    """Raised when the destination itself says it failed and stored nothing; the same bytes may be sent again later."""

    code = 6005
    fault_class = FaultClass.TRANSIENT


class LoginRefused(DeliveryFault):
    """Raised when the destination does not accept our account; retried slowly, and a person must look."""

    code = 6006
    fault_class = FaultClass.TRANSIENT


class CannotAsk(DeliveryFault):
    """Raised by `find` when the destination has no way to ask: a person must look at its page."""

    code = 6007
    fault_class = FaultClass.REFUSED


class InterfaceClosed(DeliveryFault):
    """Raised when the destination no longer has, or never had, the address we call (HTTP 404, 405, 410).

    It is no answer about this document, so the queue is kept and tried slowly; a person must look.
    """

    code = 6008
    fault_class = FaultClass.TRANSIENT


class TrustFileUnusable(DeliveryFault):
    """Raised when a destination is built whose `ca` file cannot be read or holds no certificate."""

    code = 6009


class WrongFacility(DeliveryFault):
    """Raised before anything is sent, when the document is of another facility than the destination's account."""

    code = 6010


class FolderUnusable(DeliveryFault):
    """Raised when the folder cannot be written: absent, full, or not permitted. Nothing was left there."""

    code = 6011
    fault_class = FaultClass.TRANSIENT


class NotArrived(DeliveryFault):
    """Noted when a destination was asked about an earlier request and does not know it; it is sent again."""

    code = 6012
    fault_class = FaultClass.TRANSIENT


# ---- 604x: the insurance portal ----


class VersionMixed(DeliveryFault):
    """Raised before anything is sent, when a file was written for another decision than the address it would go to."""

    code = 6040


class VersionClosed(InterfaceClosed):
    """Raised when the portal has no address any more for files of this decision; `detail` names it."""

    code = 6041
    stops = True


class AccountRefused(LoginRefused):
    """Raised when the portal says no to the account itself: wrong password, no permission. Further tries could lock it."""

    code = 6042
    stops = True


class LookupUnanswered(DeliveryFault):
    """Raised when a card look-up left and nothing usable came back; it is not repeated by itself."""

    code = 6043


class LookupRestricted(DeliveryFault):
    """Raised when the portal lets this account look up nothing more: it is on the list of restricted accounts."""

    code = 6044


class LookupServerTrouble(DeliveryFault):
    """Raised when the portal says that it failed at a look-up."""

    code = 6045
    fault_class = FaultClass.TRANSIENT


# ---- 606x: a PACS that is asked ----


class PacsUnreachable(DeliveryFault):
    """Raised when there is no association: no name, no connection, no TLS; `detail` says which. Nothing was asked."""

    code = 6060
    fault_class = FaultClass.TRANSIENT


class AssociationRejected(DeliveryFault):
    """Raised when a PACS does not let us in and will not tomorrow: one of both AE titles is not known there."""

    code = 6061


class ServiceNotOffered(DeliveryFault):
    """Raised when a PACS does not do what is asked (query, C-MOVE, C-GET, storage commitment) for us; `detail` names it."""

    code = 6062


class PacsBusy(DeliveryFault):
    """Raised when a PACS is out of resources or full for the moment."""

    code = 6063
    fault_class = FaultClass.TRANSIENT


class PacsRefused(DeliveryFault):
    """Raised when a PACS says no to what is asked: not authorised, or not as it wants to be asked; `detail` is its status."""

    code = 6064


class MoveDestinationUnknown(DeliveryFault):
    """Raised when a PACS does not know the AE title to which it shall send."""

    code = 6065


class PacsCannotProcess(DeliveryFault):
    """Raised when a PACS says that it failed at what is asked; `detail` is its status."""

    code = 6066


class PacsBrokeOff(DeliveryFault):
    """Raised when a PACS aborts, releases or leaves before its last answer."""

    code = 6067
    fault_class = FaultClass.TRANSIENT


class PacsSilent(DeliveryFault):
    """Raised when a PACS does not answer in time; `detail` says for how long it was waited."""

    code = 6068
    fault_class = FaultClass.TRANSIENT


class PacsAnswerInvalid(DeliveryFault):
    """Raised when a PACS answers what is no DICOM, or not what was asked."""

    code = 6069


class QuestionInvalid(DeliveryFault):
    """Raised before anything is sent, when a PACS cannot be asked for that: a value is too long or has forbidden signs."""

    code = 6070


class CommitmentUnreported(DeliveryFault):
    """Raised when a PACS took a request for storage commitment and its report did not come in time."""

    code = 6071
    fault_class = FaultClass.TRANSIENT


class PacsTlsUnusable(DeliveryFault):
    """Raised before anything is sent, when certificate, private key or authorities of a PACS cannot be used."""

    code = 6072


class ReportsUnheard(DeliveryFault):
    """Raised before anything is sent, when the address for reports of storage commitment cannot be opened."""

    code = 6073
    fault_class = FaultClass.TRANSIENT


# ---- 608x: pictures that leave ----


class ObjectsNotTaken(DeliveryFault):
    """Raised when a receiver does not take objects of a class in the transfer syntax in which they are kept.

    `detail` names both and counts. Everything else of the study was sent.
    """

    code = 6080


class ObjectsRefused(DeliveryFault):
    """Raised when a receiver says no to objects, one by one; `detail` is its first status, `where` counts.

    Everything else of the study was sent.
    """

    code = 6081


class StudyCutShort(DeliveryFault):
    """Raised when the connection was lost in the middle of a study: what was confirmed arrived, of one object nobody knows."""

    code = 6082
    fault_class = FaultClass.UNCERTAIN


class ObjectsNotKept(DeliveryFault):
    """Raised when a receiver says that it does not keep objects for certain; `detail` is its first reason, `where` counts."""

    code = 6083


class ObjectsNotKeptYet(ObjectsNotKept):
    """The same, for a reason that passes: it is asked again."""

    code = 6084
    fault_class = FaultClass.TRANSIENT


class NoPictures(DeliveryFault):
    """Raised before anything is sent, when what shall leave is no study."""

    code = 6085


class StudyInterrupted(DeliveryFault):
    """Raised when this node ends in the middle of a study, between two objects; it goes on where it is. `detail` counts."""

    code = 6086
    fault_class = FaultClass.TRANSIENT
