"""Faults of the gateway itself: 1xxx configuration, 22xx intake's own rules, 51xx signers, 7xxx access, 8xxx store."""

from __future__ import annotations

from mappings.formats.faults import Fault, FaultClass, IntakeFault, SigningFault


class ConfigFault(Fault):
    """1xxx. Start refused; every problem is reported at once."""


class FileUnreadable(ConfigFault):
    """Raised when a configuration file is missing, unreadable or not TOML; `where` is file and line."""

    code = 1001


class SettingUnknown(ConfigFault):
    """Raised for a key that no setting has: most often a slip of the pen."""

    code = 1002


class SettingMissing(ConfigFault):
    """Raised for a setting without default that is not written."""

    code = 1003


class SettingInvalid(ConfigFault):
    """Raised when a value has the wrong type, form or range."""

    code = 1004


class KindUnknown(ConfigFault):
    """Raised when no module serves a source, destination, paper or key of that name."""

    code = 1005


class SecretMissing(ConfigFault):
    """Raised when `secret:name` is found neither in the environment nor in the secrets folder."""

    code = 1006


class AddressTaken(ConfigFault):
    """Raised when a listening address cannot be bound."""

    code = 1007


class NameTaken(ConfigFault):
    """Raised when two channels share a name, or two different destinations do."""

    code = 1008


class FileMissing(ConfigFault):
    """Raised when a file that a setting names does not exist or cannot be read."""

    code = 1009


class ConfigInvalid(ConfigFault):
    """Raised once, carrying every problem found."""

    code = 1010

    def __init__(self, problems: tuple[ConfigFault, ...]) -> None:
        super().__init__(detail=f"{len(problems)} problems")
        self.problems = problems


class NodeRunning(ConfigFault):
    """Raised when another process already runs under this node's name on the same store."""

    code = 1011


class SchemaTooNew(ConfigFault):
    """Raised when a newer version has changed the ledger so that this one may not work on it; `detail` says which schemas."""

    code = 1014


class SchemaWaits(ConfigFault):
    """Raised when the ledger must first be changed in a way that older nodes do not bear; `detail` names those that live."""

    code = 1015


class ServerMissing(ConfigFault):
    """Raised when a command needs a server program that is not installed; `detail` is the command that installs it."""

    code = 1016


class PacsNotReached(ConfigFault):
    """Raised when `lienthong check` asks a PACS whether it is there (C-ECHO) and gets no yes; `detail` is its fault."""

    code = 1017


class DirectorMissing(ConfigFault):
    """Raised, as a warning, when papers on deaths or of high legal value may be issued without the director's own signature."""

    code = 1018


class ChannelTestFailed(ConfigFault):
    """Raised when a channel's own `[[test]]` does not give what it expects; `where` names the file and line."""

    code = 1012


class SiteInvalid(ConfigFault):
    """Raised when a file of the site folder cannot be used; `where` is file and line."""

    code = 1013


class ControlIdMissing(IntakeFault):
    """Raised when MSH-10 is empty: without it a repeat cannot be told from a new message."""

    code = 2201


class ControlIdReused(IntakeFault):
    """Raised when a sender uses a control id again for other content; neither message overwrites the other."""

    code = 2202


class TypeNotAccepted(IntakeFault):
    """Raised when MSH-9 is not in the channel's `accept` list."""

    code = 2203


class QueryNotAllowed(IntakeFault):
    """Raised when a query comes through a channel whose `accept` does not name it: answers disclose data about persons."""

    code = 2204


class QueryTooWide(IntakeFault):
    """Raised when a query describes too many persons to be answered about any; `detail` says what would narrow it."""

    code = 2205


class QueryNotUnderstood(IntakeFault):
    """Raised when a query asks what is not understood, or by criteria that are not: its answer would be wider than it."""

    code = 2206


class DomainNotServed(IntakeFault):
    """Raised when numbers are to be allocated in a domain that is not the gateway's own; `where` is its place in QPD-3."""

    code = 2207


# ---- 51xx: the register of certificates ----


class CertificateUnregistered(SigningFault):
    """Raised when a certificate is to sign that is not in the register; `detail` is the start of its fingerprint."""

    code = 5100


class CertificateNotActive(SigningFault):
    """Raised when a certificate is to sign that is not active yet; `detail` names its state or the start of its validity."""

    code = 5101


class CertificateSuspended(SigningFault):
    """Raised when a certificate is to sign while it is suspended."""

    code = 5102


class CertificateWithdrawn(SigningFault):
    """Raised when a certificate is to sign that the register knows as revoked; `detail` says since when."""

    code = 5103


class CertificateExpired(SigningFault):
    """Raised when a certificate is to sign after its end."""

    code = 5104


class CertificateOfAnother(SigningFault):
    """Raised when a certificate is to sign for somebody who is not its holder."""

    code = 5105


class RoleNotHeld(SigningFault):
    """Raised when a certificate is to sign in a role that its holder does not have; `detail` names the role."""

    code = 5106


class HandOverMissing(SigningFault):
    """Raised when a certificate is to become active without a record of its hand-over."""

    code = 5107


class CommitmentMissing(SigningFault):
    """Raised when a certificate is to become active and its holder has not signed the commitment."""

    code = 5108


class ReasonMissing(SigningFault):
    """Raised when something is done without a reason that must have one."""

    code = 5109


class CertificateUnreadable(SigningFault):
    """Raised when a file is not a certificate in PEM or DER."""

    code = 5110


class NameDiffers(SigningFault):
    """Raised when a certificate is to be given to a holder whom it does not name; `detail` says what differs."""

    code = 5111


class CertificateTaken(SigningFault):
    """Raised when a certificate is in the register already; `where` is its id there."""

    code = 5112


class HolderUnknown(SigningFault):
    """Raised when no holder has the code or id that was given."""

    code = 5113


class CertificateUnknown(SigningFault):
    """Raised when what was given names no certificate, or several; `detail` says which."""

    code = 5114


class IncidentOpen(SigningFault):
    """Raised when a certificate is to be used again whose device is lost or key exposed; `where` is the incident."""

    code = 5115


class NotReceivedInPerson(SigningFault):
    """Raised when a person's device is handed to somebody else."""

    code = 5116


class RenewalOpen(SigningFault):
    """Raised when a certificate is to be renewed that is being renewed; `where` is the renewal."""

    code = 5117


class DayImpossible(SigningFault):
    """Raised when something is said to have happened in the future, or before it could."""

    code = 5118


class DeviceDiffers(SigningFault):
    """Raised when a key signs in another device than the hand-over record of its certificate names."""

    code = 5119


# ---- 514x: the signing desk ----


class SignerUnknown(SigningFault):
    """Raised when no `[[signer]]` has the code given, or it names no key to sign with; `where` is the code."""

    code = 5140


class NotYourTurn(SigningFault):
    """Raised when somebody is to sign before those who come first; `detail` names the step that is waited for."""

    code = 5141


class SignerNotEntitled(SigningFault):
    """Raised when a task is for another role, another person or another department, and nobody delegated it."""

    code = 5142


class SignatureRefused(SigningFault):
    """Raised when a paper would say again what somebody refused to sign; `where` is who, `detail` the role."""

    code = 5143


class SkipNotAllowed(SigningFault):
    """Raised when a signature is to be left out by somebody whom the policy does not allow that."""

    code = 5144


class TaskGone(SigningFault):
    """Raised when a signing task is not open any more: signed, refused, left out, or void; `detail` is its state."""

    code = 5145


class SignatureUnrecorded(SigningFault):
    """Raised when a paper about to be sealed is not as the desk kept it, or a certificate on it might not sign then."""

    code = 5139


class DocumentWithheld(Fault):
    """Raised by the egress gate when no recorded basis or a closed list forbids sending (promise P10)."""

    code = 7001


class AccessFault(Fault):
    """7xxx. A face refuses a request: who asks, how it is asked, or for what."""


class TokenWrong(AccessFault):
    """Raised when a request brings no token or one that nobody has, and when somebody signs in with a wrong one."""

    code = 7002


class NotAllowed(AccessFault):
    """Raised when a client asks for what its `may` does not name; `detail` is what it would need."""

    code = 7003


class RequestNotUnderstood(AccessFault):
    """Raised when a request is not of the form its address asks for; `where` is the field, `detail` the form."""

    code = 7004


class RequestTooLarge(AccessFault):
    """Raised when a request is larger than `http.max_size`; `detail` is that size."""

    code = 7005


class HostUnknown(AccessFault):
    """Raised when a browser calls the gateway by a name that `http.hosts` does not have: perhaps one that was rebound."""

    code = 7006


class ForeignRequest(AccessFault):
    """Raised when a page that is not ours sends a form or request in somebody's name."""

    code = 7007


class FaceBusy(AccessFault):
    """Raised when too many ask at the same time, or somebody tries tokens."""

    code = 7008
    fault_class = FaultClass.THROTTLED


class NoSuchPage(AccessFault):
    """Raised for an address that leads nowhere, and for a method that it does not know."""

    code = 7009


class NotSignedIn(AccessFault):
    """Raised when a page is for people who signed in."""

    code = 7010


class NotIssuedHere(AccessFault):
    """Raised when no paper issued here has the hash that was asked about."""

    code = 7011


class SittingUnknown(AccessFault):
    """Raised when signatures come back for a sitting that is not this person's, or over for long."""

    code = 7012


class CardsNotServed(AccessFault):
    """Raised when no destination of this node looks up insurance cards, or not the one that is named."""

    code = 7013


class CardQuestionIncomplete(AccessFault):
    """Raised when a card look-up lacks number, name or birth date in a form that the insurer takes; `detail` names which."""

    code = 7014


class LookupsStopped(AccessFault):
    """Raised when card look-ups are stopped: too many were made, or a person stopped them; `detail` says why."""

    code = 7015


class QueryInAddress(AccessFault):
    """Raised when pictures are searched by GET and the hospital has not allowed patient numbers in addresses."""

    code = 7016


class FormNotOffered(AccessFault):
    """Raised when an answer is asked for in a form that the gateway does not give; `detail` says which it gives."""

    code = 7017


class NoSuchPicture(AccessFault):
    """Raised when no such study, series or object may be handed out to a client: there is none, or it is withheld."""

    code = 7018


class NamesAnother(AccessFault):
    """Raised when a study is asked for that a person gave to somebody else than its objects name."""

    code = 7019


class SearchTooBroad(AccessFault):
    """Raised when a search for studies would have to look at more of them than is done; `detail` says how many."""

    code = 7020


class StoreFault(Fault):
    """8xxx. Nothing was stored; intake answers "try again" and never acknowledges."""

    fault_class = FaultClass.TRANSIENT


class StoreUnavailable(StoreFault):
    """Raised when the database cannot be reached or written (disk full, locked, connection lost)."""

    code = 8001


class KeyUnknown(StoreFault):
    """Raised when sealed bytes name a key id that the keyring does not hold."""

    code = 8002
    fault_class = FaultClass.REFUSED


class SealBroken(StoreFault):
    """Raised when sealed bytes do not open: changed on disk, or moved to another row."""

    code = 8003
    fault_class = FaultClass.REFUSED


class InternalFault(Fault):
    """Raised in place of an unexpected exception of ours inside a step; the traceback's place is in the log, without data."""

    code = 8101


class WorkerLost(Fault):
    """Raised when the process that did a step died; the step is done again."""

    code = 8104
    fault_class = FaultClass.TRANSIENT


class NothingThere(Fault):
    """Raised by commands when the id they were given names nothing."""

    code = 8102


class PaperNotThere(Fault):
    """Raised by commands when a visit has no such paper, none was issued, or no channel produces it; `detail` says which."""

    code = 8106


class NotPossibleNow(Fault):
    """Raised when a command asks for a step that the present state does not allow; `detail` names state and step."""

    code = 8103


class IdentityInUse(Fault):
    """Raised when a merge or move cannot be undone because a later one builds on it; `detail` names what to undo first."""

    code = 8105


class SkippedByPerson(Fault):
    """Set when a person took a delivery out of the way of those after it; why is in the log of actions."""

    code = 8108


class ItemDeadly(Fault):
    """Set when a step killed the process that did it twice, the second time while nothing else was under way there."""

    code = 8109


class LeadershipLost(Fault):
    """Raised when a node acts for all that does not lead any more; nothing of that act is stored."""

    code = 8110
    fault_class = FaultClass.TRANSIENT


class PaperOvertaken(Fault):
    """Raised when the version before was signed while a paper was being composed; it is composed again."""

    code = 8107
    fault_class = FaultClass.TRANSIENT


class StudyUnsettled(Fault):
    """Raised when a study is to leave whose newest message is not in the record, or that is being moved; tried again."""

    code = 8121
    fault_class = FaultClass.TRANSIENT


class DestinationsUnnamed(Fault):
    """Raised when something would leave to destinations that a person did not name one by one; `detail` names them."""

    code = 8120
