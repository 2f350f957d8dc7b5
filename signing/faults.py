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
