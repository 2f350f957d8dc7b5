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
