"""5xxx: no signature, or one that does not hold."""

from __future__ import annotations

from mappings.formats.faults import FaultClass, SigningFault


class KeyUnavailable(SigningFault):
    """Raised when the key's holder (file, token, service) is away or broken; trying again later may help."""

    code = 5001
    fault_class = FaultClass.TRANSIENT


class NotAuthorised(SigningFault):
    """Raised when the PIN or password of a key is wrong."""

    code = 5002


class KeyUnsuitable(SigningFault):
    """Raised when a key or algorithm is too weak or of the wrong kind: SHA-1, RSA below 2048 bits, a curve we do not know."""

    code = 5003


class NotSigned(SigningFault):
    """Raised by verification when there is no signature at all."""

    code = 5004


class SignatureInvalid(SigningFault):
    """Raised by verification when bytes, signature and certificate do not belong together, or the form is not one we accept."""

    code = 5005


class CertificateUntrusted(SigningFault):
    """Raised by verification when the chain does not end at a configured root or was not valid at the time asked about."""

    code = 5006


class DocumentUnsignable(SigningFault):
    """Raised when the bytes to be signed are not XML or a Bundle of the kind asked for, or are signed already."""

    code = 5007


class CertificateOutOfDate(SigningFault):
    """Raised when signing is asked for outside the validity of the signer's certificate: nobody would accept it."""

    code = 5008


class KeyMisconfigured(SigningFault):
    """Raised when a key's kind is unknown or its settings are incomplete or wrong; `where` is the setting."""

    code = 5009


class RootsUnreadable(SigningFault):
    """Raised when a file of trusted roots holds no certificate we can read; `where` counts the files from 1."""

    code = 5010


# ---- 5030–5049: who holds a key ----


class KeyLocked(SigningFault):
    """Raised when a token or service refuses every PIN because too many were wrong: only its issuer or its PUK unlocks it."""

    code = 5030


class LastTry(SigningFault):
    """Raised instead of trying a PIN when one more wrong PIN would lock the token; a person must decide that."""

    code = 5031


class OneTimeCodeWrong(SigningFault):
    """Raised when a remote signing service refuses the one-time code (OTP), or nobody is there to give one."""

    code = 5032


class ServiceRefused(SigningFault):
    """Raised when a remote signing service says no for another reason; `detail` is the error word of its standard."""

    code = 5033


class NotWanted(SigningFault):
    """Given for a document that its signer left out of a batch at the workstation."""

    code = 5034


class SigningStopped(SigningFault):
    """Raised when a batch was stopped, by its signer or because nobody came to sign; what is signed stays good."""

    code = 5035


class AgentRefused(SigningFault):
    """Raised when a workstation agent refuses what it is sent: another version, a batch too large, a wrong form."""

    code = 5036


# ---- 505x: time stamps asked for ----


class TimestampUnavailable(SigningFault):
    """Raised when no time-stamping authority answered or none could stamp now; trying again later may help."""

    code = 5050
    fault_class = FaultClass.TRANSIENT


class TimestampInvalid(SigningFault):
    """Raised when a time stamp is not of what was sent, not as asked for, or not by an authority that may give it."""

    code = 5051


# ---- 516x: proofs gathered after a signature was made ----


class SignatureUnprovable(SigningFault):
    """Raised when the signer's certificate had ended, was revoked or on hold before a time stamp could show the signature."""

    code = 5160


class ProofPending(SigningFault):
    """Raised while no issuer has spoken of a certificate since the signature was stamped; trying again later helps."""

    code = 5161
    fault_class = FaultClass.TRANSIENT


class ProofNotOffered(SigningFault):
    """Raised when a certificate names no OCSP responder and no CRL, so that nobody will ever know whether it was revoked."""

    code = 5162


class RenewalPointless(SigningFault):
    """Raised when a new archive time stamp would end no later than the old one: the authority has no newer certificate."""

    code = 5164
    fault_class = FaultClass.TRANSIENT


class EvidenceUnreadable(SigningFault):
    """Raised for a file of evidence that is none."""

    code = 5163


# ---- 507x–509x: why a verdict is not "valid" ----


class Undecided(SigningFault):
    """What keeps verification from an answer: neither the signature nor the signer is proved wrong."""


class CertificateRevoked(CertificateUntrusted):
    """Raised when a certificate had been revoked before the signature was made."""

    code = 5070


class CertificateSuspended(CertificateUntrusted):
    """Raised when a certificate was on hold when the signature was made."""

    code = 5071


class RevocationUnknown(Undecided):
    """Raised when nobody could say whether a certificate had been revoked."""

    code = 5072


class CertificateExpired(CertificateUntrusted):
    """Raised when a certificate had ended before the signature was made."""

    code = 5073


class CertificateNotYetValid(CertificateUntrusted):
    """Raised when a certificate began after the signature was made."""

    code = 5074


class CertificateUnsuitable(CertificateUntrusted):
    """Raised when a certificate is for something else: an authority as signer, a key for TLS or time stamps."""

    code = 5075


class RevocationStale(RevocationUnknown):
    """Raised for an OCSP answer or CRL that says nothing about the moment: too old, from the future, made after the end."""

    code = 5076


class RevocationUnauthorised(RevocationUnknown):
    """Raised for an OCSP answer or CRL that is not sealed by the issuer or whom it named."""

    code = 5077


class RevocationMismatch(RevocationUnknown):
    """Raised for an OCSP answer or CRL about another certificate, another issuer or another question."""

    code = 5078


class TimeStampInvalid(SignatureInvalid):
    """Raised when a time stamp is of something else, is broken, or contradicts the signature."""

    code = 5079


class TimeStampUntrusted(Undecided):
    """Raised when a time stamp's authority is not trusted."""

    code = 5080


class ReferenceRefused(SignatureInvalid):
    """Raised for a reference that leads outside, nowhere, to several places or to a part only."""

    code = 5081


class TransformRefused(SignatureInvalid):
    """Raised for a transform that could change what is signed."""

    code = 5082


class AlgorithmRefused(SignatureInvalid):
    """Raised for an algorithm that is weak, unknown or does not fit the key."""

    code = 5083


class DocumentUnreadable(SignatureInvalid):
    """Raised when the file cannot be read in one way only: not well-formed, a DTD, entities, double names."""

    code = 5084


class KeyInfoRefused(SignatureInvalid):
    """Raised when the signature does not name its certificate by holding it."""

    code = 5085


class PropertiesRefused(SignatureInvalid):
    """Raised when the signed properties are not signed, stand twice, or speak of another certificate."""

    code = 5086


class SignatureMisplaced(SignatureInvalid):
    """Raised for a signature at a place or of a shape where it could be taken for another's."""

    code = 5087


class ContentChanged(SignatureInvalid):
    """Raised when what is referred to is not what was signed."""

    code = 5088


class SignatureValueWrong(SignatureInvalid):
    """Raised when the signature was not made with the certificate's key over these bytes."""

    code = 5089


class ProofMissing(Undecided):
    """Raised when the certificate has ended or was revoked since, and nothing proves that the signature is older."""

    code = 5090


class HeaderRefused(SignatureInvalid):
    """Raised for a JWS header that is not understood or could change what is verified."""

    code = 5091


class KindUnknown(Undecided):
    """Raised for a file of a kind whose signatures cannot be read."""

    code = 5092


# ---- 5146–5159: PDF ----


class ChangedAfterSigning(SignatureInvalid):
    """Raised when something was added after a signature that is no further signature and no proof of one."""

    code = 5146


class CertificationViolated(ChangedAfterSigning):
    """Raised when something was added that the author of a certified PDF did not permit."""

    code = 5147


class SignatureRemoved(SignatureInvalid):
    """Raised when an earlier revision held a signature that the file does not show any more."""

    code = 5148


class SignatureCovered(SignatureInvalid):
    """Raised for a signature whose block or field could hide what an earlier signer saw."""

    code = 5149


class FieldUnfit(SigningFault):
    """Raised when the field to be signed holds a signature already, is no signature field or cannot be made."""

    code = 5150


class FontMissing(SigningFault):
    """Raised when the visible block cannot be drawn: no font with its letters is installed that can be embedded."""

    code = 5151


class RoomTooSmall(SigningFault):
    """Raised when signature, chain and time stamp need more room than is kept for them in the PDF."""

    code = 5152


class PdfBroken(SignatureInvalid):
    """Raised for bytes that are no whole PDF, or one that can be read in more than one way."""

    code = 5154


class PdfEncrypted(Undecided):
    """Raised for a PDF that needs a password: neither signing nor verification sees what it shows."""

    code = 5155


class PdfActive(SignatureInvalid):
    """Raised for a PDF with scripts, XFA or content from outside: what it shows can change without a byte of it changing."""

    code = 5156


class PdfTooLarge(Undecided):
    """Raised for a PDF that is larger, or whose parts are more, than is looked at."""

    code = 5157


class ByteRangeRefused(SignatureInvalid):
    """Raised when a signature is over anything but a whole revision without the signature itself."""

    code = 5158


class ContentsRefused(SignatureInvalid):
    """Raised when the signature in a PDF is missing, empty, or anything but one CMS signature."""

    code = 5159


# ---- 5180–5199: forms of signatures ----


class SealerUnknown(Undecided):
    """Raised for a signature that does not hold its certificate, when none is given: an envelope of the data axis."""

    code = 5180


# ---- 520x: chains ----


class PathRefused(CertificateUntrusted):
    """Raised when a chain leads to a configured root but breaks a rule: its length, names, policies, strength."""

    code = 5200


class PolicyContradicted(Undecided):
    """Raised when the document of a signature policy is not the one whose hash the signer signed."""

    code = 5201


class FileUnreadable(Undecided):
    """Raised when a file cannot be read at all: away, a device, no right to read it, too long to be a paper."""

    code = 5204


class ManifestUnread(Undecided):
    """Raised when a signature covers a list of references (Manifest): what these lead to is not compared."""

    code = 5205


class PolicyUnknown(Undecided):
    """Raised when the signer followed a signature policy that is not among those whose documents were given."""

    code = 5206


class ArchiveBroken(Undecided):
    """Raised when an evidence record kept beside a file is not of all that it names, or its time stamps do not follow."""

    code = 5207
