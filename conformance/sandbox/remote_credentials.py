"""Keep keys for their holders and unlock them: PIN, one-time code, authorization for a number of signatures.

What the remote signer decides; `remote_signer.py` speaks the interface. Codes go to no telephone: the admin port shows
them.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from conformance.sandbox.authority import Authority
from conformance.sandbox.ca import write_private
from conformance.sandbox.holders import Credential, Holder, KeyKind, PrivateKey, Validity, load_key

Scal = Literal["1", "2"]
WRONG_TRIES: Final = 3
"""Wrong PINs or codes in a row that lock a credential."""
CODE_LIFE: Final = timedelta(minutes=5)


class UnlockError(Exception):
    """Raised with the name of the CSC error when a credential is not unlocked or does not sign."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Scheme:
    """How a hash is signed."""

    hash: hashes.HashAlgorithm
    pss: bool = False
    salt_length: int = 0
    mgf_hash: hashes.HashAlgorithm | None = None


@dataclass(frozen=True)
class Terms:
    """On what conditions a credential signs."""

    user: str
    """Whose it is: `userID` of the interface."""
    pin: str
    one_time_code: bool = True
    """Whether a code is asked for beside the PIN."""
    scal: Scal = "2"
    """2: an authorization holds for the hashes it names and no others."""
    multisign: int = 50
    """The most signatures of one authorization."""


@dataclass
class RemoteCredential:
    """A key that stays here."""

    identifier: str
    held: Credential
    terms: Terms
    wrong_tries: int = 0
    one_time_code: str = ""
    code_until: datetime | None = None

    @property
    def locked(self) -> bool:
        """Whether too many wrong tries closed it; the admin interface opens it again."""
        return self.wrong_tries >= WRONG_TRIES


@dataclass
class Activation:
    """What an authorization is good for: the SAD."""

    credential: RemoteCredential
    remaining: int
    digests: frozenset[bytes] | None
    """The only hashes it signs; None: any."""
    expires_at: datetime


class RemoteCredentials:
    """Hold credentials, and the authorizations given; the former outlive a stop, the latter do not."""

    def __init__(self, authority: Authority, activation_life_s: int) -> None:
        self._authority = authority
        self._file = authority.root.folder / "remote-signer.json"
        self._activations: dict[str, Activation] = {}
        self.activation_life_s = activation_life_s
        self.all: dict[str, RemoteCredential] = {}
        if self._file.exists():
            self._load()

    def add(
        self,
        holder: Holder,
        terms: Terms,
        *,
        key: KeyKind = "rsa2048",
        validity: Validity | None = None,
        identifier: str = "",
    ) -> RemoteCredential:
        """Make a key here and have it certified."""
        identifier = identifier or secrets.token_hex(8)
        credential = RemoteCredential(identifier, self._authority.issue(holder, key, validity), terms)
        self.all[identifier] = credential
        self._save()
        return credential

    def send_code(self, credential: RemoteCredential) -> None:
        """Make a new one-time code; the one before is void."""
        credential.one_time_code = f"{secrets.randbelow(10**6):06d}"
        credential.code_until = self._authority.clock() + CODE_LIFE

    def unlock(self, credential: RemoteCredential) -> None:
        """Forget the wrong tries."""
        credential.wrong_tries = 0

    def require_usable(self, credential: RemoteCredential) -> None:
        """Raise UnlockError unless the certificate holds now."""
        state = self.state(credential)
        if state == "expired":
            raise UnlockError("certificate_expired")
        if state != "valid":
            raise UnlockError("credential_disabled")

    def state(self, credential: RemoteCredential) -> Literal["valid", "expired", "revoked", "suspended"]:
        """Return the state of the certificate in the register."""
        return self._authority.find(credential.held.certificate.serial_number).state(self._authority.clock())

    def authorize(
        self, credential: RemoteCredential, given: dict[str, str], count: int, digests: frozenset[bytes] | None
    ) -> str:
        """Check PIN and code and return a SAD for `count` signatures. Raises UnlockError."""
        self.require_usable(credential)
        if credential.locked:
            raise UnlockError("credential_locked")
        if count > credential.terms.multisign:
            raise UnlockError("too_many_signatures")
        if not self._opens(credential, given):
            credential.wrong_tries += 1
            raise UnlockError("invalid_authentication_data")
        credential.wrong_tries, credential.one_time_code = 0, ""
        return self._activate(credential, count, digests)

    def extend(self, sad: str, credential: RemoteCredential, digests: frozenset[bytes] | None) -> str:
        """Replace a SAD by one for the signatures that remain. Raises UnlockError."""
        activation = self.activation(sad, credential)
        del self._activations[sad]
        return self._activate(credential, activation.remaining, digests)

    def activation(self, sad: str, credential: RemoteCredential) -> Activation:
        """Return what a SAD is good for. Raises UnlockError when it is for another credential, spent or expired."""
        found = self._activations.get(sad)
        if found is None or found.credential is not credential:
            raise UnlockError("invalid_sad")
        if self._authority.clock() >= found.expires_at:
            raise UnlockError("sad_expired")
        return found

    def sign(self, sad: str, credential: RemoteCredential, digests: list[bytes], scheme: Scheme) -> list[bytes]:
        """Sign hashes within what the SAD allows; the last signature spends it. Raises UnlockError."""
        self.require_usable(credential)
        activation = self.activation(sad, credential)
        if activation.digests is not None and not activation.digests.issuperset(digests):
            raise UnlockError("hash_not_authorized")
        if len(digests) > activation.remaining:
            raise UnlockError("too_many_signatures")
        activation.remaining -= len(digests)
        if activation.remaining == 0:
            del self._activations[sad]
        return [sign_digest(credential.held.key, digest, scheme) for digest in digests]

    def forget(self, sad: str) -> None:
        """Lose a SAD."""
        self._activations.pop(sad, None)

    def forget_all(self) -> None:
        """Lose every SAD, as a service does that starts again."""
        self._activations.clear()

    def _opens(self, credential: RemoteCredential, given: dict[str, str]) -> bool:
        pin_right = secrets.compare_digest(given.get("PIN", "").encode(), credential.terms.pin.encode())
        if not credential.terms.one_time_code:
            return pin_right
        code, until = credential.one_time_code, credential.code_until
        fresh = bool(code) and until is not None and self._authority.clock() < until
        return pin_right and fresh and secrets.compare_digest(given.get("OTP", "").encode(), code.encode())

    def _activate(self, credential: RemoteCredential, count: int, digests: frozenset[bytes] | None) -> str:
        sad = secrets.token_urlsafe(32)
        expires_at = self._authority.clock() + timedelta(seconds=self.activation_life_s)
        self._activations[sad] = Activation(credential, count, digests, expires_at)
        return sad

    def _save(self) -> None:
        lines = [
            {
                "identifier": one.identifier,
                "key": one.held.key_pem.decode(),
                "certificate": one.held.pem.decode(),
                "terms": asdict(one.terms),
            }
            for one in self.all.values()
        ]
        fresh = self._file.with_suffix(".new")
        write_private(fresh, json.dumps(lines, ensure_ascii=False, indent=1).encode())
        fresh.replace(self._file)

    def _load(self) -> None:
        lines: list[dict[str, Any]] = json.loads(self._file.read_bytes())
        for line in lines:
            certificate = x509.load_pem_x509_certificate(line["certificate"].encode())
            held = self._authority.credential(load_key(line["key"].encode()), certificate)
            self.all[line["identifier"]] = RemoteCredential(line["identifier"], held, Terms(**line["terms"]))


def sign_digest(key: PrivateKey, digest: bytes, scheme: Scheme) -> bytes:
    """Sign a hash; an ECDSA signature is a DER SEQUENCE of r and s."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(digest, ec.ECDSA(Prehashed(scheme.hash)))
    if not scheme.pss:
        return key.sign(digest, padding.PKCS1v15(), Prehashed(scheme.hash))
    pss = padding.PSS(padding.MGF1(scheme.mgf_hash or scheme.hash), scheme.salt_length)
    return key.sign(digest, pss, Prehashed(scheme.hash))
