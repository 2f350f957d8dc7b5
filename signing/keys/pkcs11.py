"""An RSA or ECDSA key in a token or HSM, through the vendor's PKCS#11 module.

The PIN stays in memory, for logging in again after the token was away; it is never written anywhere. A wrong PIN is tried once
and then never again by this object, because a token locks itself after a few; nor is a last try ever used up. A module must
not be carried over a fork: open the key in the process that signs. A key that wants its PIN at every signature
(CKA_ALWAYS_AUTHENTICATE) gets it.

Standard: PKCS #11 v2.40 (CKM_RSA_PKCS, CKM_RSA_PKCS_PSS, CKM_ECDSA); RFC 8017 §9.2
"""

from __future__ import annotations

import hmac
import os
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pkcs11
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from pkcs11 import exceptions as p11

from mappings.formats.values import FileName, Secret
from signing import certificates, token
from signing.algorithms import ALGORITHMS, Algorithm, PublicKey, one_of
from signing.contract import ToSign
from signing.faults import KeyLocked, KeyUnavailable, KeyUnsuitable, LastTry, NotAuthorised

_PIN_REFUSED = (p11.PinIncorrect, p11.PinInvalid, p11.PinLenRange, p11.PinExpired)
_CANNOT = (p11.MechanismInvalid, p11.MechanismParamInvalid, p11.KeyTypeInconsistent, p11.KeySizeRange, p11.DataLenRange)
_DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
_HASHES = {
    "sha256": (pkcs11.Mechanism.SHA256, pkcs11.MGF.SHA256),
    "sha384": (pkcs11.Mechanism.SHA384, pkcs11.MGF.SHA384),
    "sha512": (pkcs11.Mechanism.SHA512, pkcs11.MGF.SHA512),
}


_SALT = os.urandom(32)
_right: dict[bytes, bytes] = {}
"""Serial of a token → what the PIN that opened it last in this process hashes to."""


@dataclass(frozen=True)
class Settings:
    module: FileName
    """Path of the vendor's shared library."""
    token: str
    """Label of the token; empty when there is only one."""
    pin: Secret
    """Of the token's user."""
    key: str = ""
    """Label (CKA_LABEL) of the private key; empty when there is only one."""
    sessions: int = 1
    """How many signatures may be made at once; an HSM profits, a USB token does one after the other."""


class Key:
    """Sign inside the token; threads share its sessions."""

    chain: tuple[x509.Certificate, ...]
    algorithms: tuple[str, ...]
    device: str

    def __init__(self, settings: Settings, *, last_try: bool = False) -> None:
        """Log in; `last_try` uses up the last try before the token locks, which only a person may decide."""
        if settings.sessions < 1:
            raise KeyUnsuitable("sessions", "less than one")
        self._settings = settings
        self._last_try = last_try
        self._opening = threading.Lock()
        self._login: _Login | None = None
        self._stop: type[NotAuthorised] | type[KeyLocked] | None = None
        self.chain = ()
        self._current()

    def sign(self, data: bytes, algorithm: str = "") -> bytes:
        """Return the signature over `data`; only its hash goes to the token.

        A session the token has forgotten is opened again, once; then KeyUnavailable.
        """
        chosen = one_of(self.algorithms, algorithm)
        return self._sign(chosen, chosen.digest(data))

    def sign_hashes(self, documents: Sequence[ToSign], algorithm: str = "") -> Iterator[bytes]:
        """Sign hashes on all sessions; give the signatures in order."""
        digests = [document.digest for document in documents]
        chosen = one_of(self.algorithms, algorithm, digests)
        if self._settings.sessions == 1:
            return (self._sign(chosen, digest) for digest in digests)
        return self._in_parallel(chosen, digests)

    def pin_state(self) -> token.PinState:
        """Tell what the token says now about wrong PINs."""
        return token.pin_state(token.find(token.load(self._settings.module), self._settings.token))

    def close(self) -> None:
        """Log out. The next signature logs in again."""
        with self._opening:
            login, self._login = self._login, None
            if login is not None:
                login.close()

    def __repr__(self) -> str:
        return f"<pkcs11 key, certificate {self.chain[0].serial_number:x}>"

    def _in_parallel(self, algorithm: Algorithm, digests: list[bytes]) -> Iterator[bytes]:
        ahead = 2 * self._settings.sessions
        waiting: deque[Future[bytes]] = deque()
        with ThreadPoolExecutor(self._settings.sessions) as threads:
            try:
                for digest in digests:
                    waiting.append(threads.submit(self._sign, algorithm, digest))
                    if len(waiting) > ahead:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _sign(self, algorithm: Algorithm, digest: bytes) -> bytes:
        for again in (True, False):
            login = self._current()
            try:
                return login.sign(algorithm, digest)
            except _CANNOT as problem:
                raise KeyUnsuitable("alg", type(problem).__name__) from problem
            except (*_PIN_REFUSED, p11.PinLocked) as problem:  # of a key that asks at every signature
                self._retire(login)
                raise self._refused(problem) from problem
            except p11.PKCS11Error as problem:
                self._retire(login)
                if not again:
                    raise KeyUnavailable("token", type(problem).__name__) from problem
        raise AssertionError("unreachable")

    def _current(self) -> _Login:
        with self._opening:
            if self._login is None:
                self._login = self._log_in()
                weakref.finalize(self, self._login.close)
            return self._login

    def _retire(self, login: _Login) -> None:
        with self._opening:
            if self._login is login:
                self._login = None
                login.close()

    def _log_in(self) -> _Login:
        if self._stop is not None:
            raise self._stop("pin", "refused before; not tried again")
        module = token.load(self._settings.module)
        found = token.find(module, self._settings.token)
        match token.pin_state(found):
            case token.PinState.LOCKED:
                raise KeyLocked("pin", token.PinState.LOCKED.value)
            case token.PinState.LAST_TRY if not self._last_try:
                raise LastTry("pin", token.PinState.LAST_TRY.value)
        try:
            login = _Login(module, found, self._settings)
            try:
                self._recognise(login, found)
            except BaseException:
                login.close()
                raise
        except (*_PIN_REFUSED, p11.PinLocked) as problem:
            raise self._refused(problem) from problem
        except p11.NoSuchKey as problem:
            raise KeyUnavailable("key", "no private key with this label") from problem
        except p11.MultipleObjectsReturned as problem:
            raise KeyUnsuitable("key", "several private keys fit") from problem
        except p11.PKCS11Error as problem:
            raise KeyUnavailable("token", type(problem).__name__) from problem
        return login

    def _refused(self, problem: p11.PKCS11Error) -> NotAuthorised | KeyLocked:
        """Tell why no PIN is sent any more, with what the token says of wrong ones."""
        try:
            state = self.pin_state()
        except (KeyUnavailable, KeyUnsuitable):
            state = token.PinState.WRONG_BEFORE
        locked = isinstance(problem, p11.PinLocked) or state is token.PinState.LOCKED
        self._stop = KeyLocked if locked else NotAuthorised
        return self._stop("pin", "locked" if locked else f"{type(problem).__name__}; {state.value}")

    def _recognise(self, login: _Login, found: Any) -> None:
        """Find the certificate by a signature: what a key says of its public half differs from token to token."""
        mechanisms = found.slot.get_mechanisms()
        self.device = token.serial(found)
        candidates = list(self.chain[:1]) or [one for one in login.certificates if not certificates.is_authority(one)]
        digests: dict[str, tuple[bytes, bytes]] = {}
        unsuitable: KeyUnsuitable | None = None
        for certificate in candidates:
            try:
                public_key = certificates.public_key(certificate)
            except KeyUnsuitable as problem:
                unsuitable = problem
                continue
            names = token.algorithms(public_key, mechanisms)
            if not names or not login.is_kind_of(public_key):
                continue
            probe = ALGORITHMS[names[0]]
            if probe.name not in digests:
                digest = os.urandom(probe.hash.digest_size)
                digests[probe.name] = (digest, login.sign(probe, digest))
            digest, signature = digests[probe.name]
            if probe.holds_digest(public_key, signature, digest):
                self.chain = self.chain or certificates.order_chain(certificate, login.certificates)
                self.algorithms = names
                return
        raise unsuitable or KeyUnsuitable(
            "token", "another key than before" if self.chain else "no certificate for this key"
        )


class _Login:
    """One login, and sessions that sign under it; thrown away whole when one of them fails.

    The session that logged in signs nothing: closing it logs all of them out. One that signs is never closed under the hands of
    the thread that uses it: modules do not bear that.
    """

    certificates: tuple[x509.Certificate, ...]

    def __init__(self, module: token.Module, found: Any, settings: Settings) -> None:
        self._module = module
        self._pin = str(settings.pin)
        self._changed = threading.Condition()
        self._free: list[tuple[Any, Any]] = []
        self._closed = False
        with module.turn:
            self._first = _log_in(found, self._pin)
            try:
                self.certificates = token.read_certificates(self._first)
                for _ in range(settings.sessions if module.parallel else 1):
                    if not self._open_one(found, settings.key):
                        break
                key = self._free[0][1]
                self._type = key.key_type
                self._asks_always = _asks_always(key)
            except BaseException:
                self.close()
                raise

    def _open_one(self, found: Any, label: str) -> bool:
        try:
            session = found.open()
        except p11.SessionCount:
            if not self._free:
                raise
            return False  # the token has no more than these
        try:
            self._free.append((session, _find_key(session, label)))
        except p11.PKCS11Error:
            _close(session)
            raise
        return True

    def is_kind_of(self, public_key: PublicKey) -> bool:
        """Tell whether the token's key is of the same type."""
        return bool(self._type == pkcs11.KeyType.EC) == isinstance(public_key, ec.EllipticCurvePublicKey)

    def sign(self, algorithm: Algorithm, digest: bytes) -> bytes:
        """Sign on a free session, waiting for one."""
        name = algorithm.hash.name
        parameter: object = None
        data = digest
        if algorithm.scheme == "pkcs1":
            data = _DIGEST_INFO[name] + digest
        elif algorithm.scheme == "pss":
            parameter = (*_HASHES[name], algorithm.hash.digest_size)
        session, key = self._take()
        try:
            with self._module.turn:
                if not token.is_running(self._module):
                    raise p11.SessionHandleInvalid
                return bytes(
                    key.sign(
                        data,
                        mechanism=token.MECHANISMS[algorithm.scheme],
                        mechanism_param=parameter,
                        pin=self._pin if self._asks_always else None,
                    )
                )
        finally:
            self._give_back(session, key)

    def close(self) -> None:
        """Log out; whoever waits for a session gets SessionClosed."""
        with self._changed:
            self._closed = True
            idle, self._free = self._free, []
            self._changed.notify_all()
        with self._module.turn:
            self._end(self._first)
            for session, _ in idle:
                self._end(session)

    def _take(self) -> tuple[Any, Any]:
        with self._changed:
            while not self._free:
                if self._closed:
                    raise p11.SessionClosed
                self._changed.wait()
            return self._free.pop()

    def _give_back(self, session: Any, key: Any) -> None:
        with self._changed:
            if not self._closed:
                self._free.append((session, key))
                self._changed.notify()
                return
        with self._module.turn:
            self._end(session)

    def _end(self, session: Any) -> None:
        if token.is_running(self._module):
            _close(session)


def _log_in(found: Any, pin: str) -> Any:
    """Open a session that is logged in; raise PinIncorrect for a wrong PIN even where another key of the token is open."""
    seen = hmac.digest(_SALT, pin.encode(), "sha256")
    try:
        session = found.open(user_pin=pin)
    except p11.UserAlreadyLoggedIn:  # login belongs to the process, and the token does not look at the PIN then
        if _right.get(found.serial, seen) != seen:
            raise p11.PinIncorrect from None
        return found.open()
    _right[found.serial] = seen
    return session


def _close(session: Any) -> None:
    try:
        session.close()
    except p11.PKCS11Error:
        pass  # the token is gone and took the session with it


def _find_key(session: Any, label: str) -> Any:
    """Find the private key; the search is read to its end, because one left open fails later in another place."""
    wanted: dict[pkcs11.Attribute, object] = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}
    found = list(session.get_objects({**wanted, pkcs11.Attribute.LABEL: label} if label else wanted))
    if len(found) > 1:
        raise p11.MultipleObjectsReturned
    if not found:
        raise p11.NoSuchKey
    return found[0]


def _asks_always(key: Any) -> bool:
    try:
        return bool(key[pkcs11.Attribute.ALWAYS_AUTHENTICATE])
    except p11.PKCS11Error:
        return False  # tokens older than the attribute
