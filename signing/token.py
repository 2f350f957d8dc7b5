"""Tokens behind a PKCS#11 module: finding one, what it tells without its PIN, and how near it is to locking itself.

A module is started for several threads at once, which python-pkcs11 leaves out: without it two threads that sign at the same
time break the module. One that cannot be shared so is used by one thread after the other. Signing is in `keys/pkcs11.py`.

Standard: PKCS #11 v2.40 §5.4 (C_Initialize, CKF_OS_LOCKING_OK), §3.2 (CK_TOKEN_INFO)
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import pkcs11
from cryptography import x509
from pkcs11 import exceptions as p11

from signing import certificates
from signing.algorithms import ALGORITHMS, PublicKey, names_for
from signing.faults import KeyUnavailable, KeyUnsuitable

_OS_LOCKING_OK = 2
_CANNOT_LOCK = (9, 10)
"""CKR_NEED_TO_CREATE_THREADS, CKR_CANT_LOCK."""


MECHANISMS = {
    "pkcs1": pkcs11.Mechanism.RSA_PKCS,
    "pss": pkcs11.Mechanism.RSA_PKCS_PSS,
    "ecdsa": pkcs11.Mechanism.ECDSA,
}
"""With which a token signs a hash, by the scheme of an algorithm."""


class PinState(Enum):
    """What the token says of wrong PINs since the last right one; it does not say how many are left."""

    FINE = "fine"
    WRONG_BEFORE = "wrong before"
    LAST_TRY = "last try"
    LOCKED = "locked"


@dataclass(frozen=True)
class View:
    """What a token shows to everybody."""

    label: str
    serial: str
    pin: PinState
    certificates: tuple[x509.Certificate, ...]
    mechanisms: frozenset[object] = field(repr=False)


@dataclass(frozen=True)
class Module:
    """A started module; started anew it is another one, which numbers its sessions from the beginning."""

    library: Any
    turn: AbstractContextManager[object]
    """To be held during every call; holds nobody up unless the module is for one thread."""
    parallel: bool


_loaded: dict[str, Module] = {}
_loading = threading.Lock()


def load(file: str) -> Module:
    """Start the module in `file`, once in a process; raise KeyUnavailable."""
    file = str(file)  # the library takes no subclass of str
    with _loading:
        if file not in _loaded or not _loaded[file].library.initialized:
            try:
                library = pkcs11.lib(file)
                parallel = _start_for_threads(file)
            except (p11.PKCS11Error, OSError) as problem:
                raise KeyUnavailable("module", "cannot be loaded or started") from problem
            _loaded[file] = _started(library, parallel)
        return _loaded[file]


def _started(library: Any, parallel: bool) -> Module:
    return Module(library, nullcontext() if parallel else threading.RLock(), parallel)


def restart(file: str) -> None:
    """Start the module anew: every session is lost, and it looks for tokens again. SoftHSM looks at no other time."""
    module = load(file)
    with _loading:
        module.library.reinitialize()
        _loaded[file] = _started(module.library, module.parallel and _start_for_threads(file))


def is_running(module: Module) -> bool:
    """Tell whether this start of the module is the present one: the number of an older session may be another's by now."""
    return any(one is module for one in _loaded.values())


def serial(token: Any) -> str:
    """Give the serial number that a token states."""
    return str(token.serial.decode("ascii", "replace")).strip()


def find(module: Module, label: str) -> Any:
    """Give the token called `label`, or the only one when `label` is empty; raise KeyUnavailable, KeyUnsuitable."""
    with module.turn, reaching():
        flags = pkcs11.TokenFlag.TOKEN_INITIALIZED
        tokens = list(module.library.get_tokens(token_label=label or None, token_flags=flags))
    if not tokens:
        raise KeyUnavailable("token", "not there")
    if len(tokens) > 1:
        raise KeyUnsuitable("token", f"{len(tokens)} tokens fit")
    return tokens[0]


def pin_state(token: Any) -> PinState:
    """Tell what the token said when it was found."""
    flags = token.flags
    if flags & pkcs11.TokenFlag.USER_PIN_LOCKED:
        return PinState.LOCKED
    if flags & pkcs11.TokenFlag.USER_PIN_FINAL_TRY:
        return PinState.LAST_TRY
    return PinState.WRONG_BEFORE if flags & pkcs11.TokenFlag.USER_PIN_COUNT_LOW else PinState.FINE


def view(file: str, label: str) -> View:
    """Read what needs no PIN; raise KeyUnavailable, KeyUnsuitable."""
    module = load(file)
    token = find(module, label)
    with module.turn, reaching():
        session = token.open()
        try:
            found = read_certificates(session)
        finally:
            session.close()
        mechanisms = frozenset(token.slot.get_mechanisms())
    return View(token.label, serial(token), pin_state(token), found, mechanisms)


def algorithms(key: PublicKey, mechanisms: Collection[object]) -> tuple[str, ...]:
    """Name what a token with these mechanisms can do with such a key."""
    return tuple(name for name in names_for(key) if MECHANISMS[ALGORITHMS[name].scheme] in mechanisms)


def read_certificates(session: Any) -> tuple[x509.Certificate, ...]:
    """Read every certificate that is one; those that are good longest come first."""
    found = []
    for entry in list(session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE})):
        try:
            found.append(x509.load_der_x509_certificate(bytes(entry[pkcs11.Attribute.VALUE])))
        except certificates.UNREADABLE:
            continue  # another application's object
    return tuple(sorted(found, key=lambda one: one.not_valid_after_utc, reverse=True))


def signer_chain(found: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...]:
    """Give the chain of the only signer's key among `found`, with its certificate that is good longest; raise KeyUnsuitable."""
    leaves = [certificate for certificate in found if not certificates.is_authority(certificate)]
    keys = [certificates.public_key(leaf) for leaf in leaves]
    if not keys or any(key != keys[0] for key in keys):
        raise KeyUnsuitable("token", f"{len(leaves)} certificates of signers")
    return certificates.order_chain(leaves[0], found)


@contextmanager
def reaching() -> Iterator[None]:
    """Turn what the module raises into KeyUnavailable."""
    try:
        yield
    except p11.PKCS11Error as problem:
        raise KeyUnavailable("token", type(problem).__name__) from problem


# ---- C_Initialize with CKF_OS_LOCKING_OK ----


class _Arguments(ctypes.Structure):
    """CK_C_INITIALIZE_ARGS: the module locks with what the system has, so the four functions stay empty."""

    if sys.platform == "win32":
        _pack_ = 1
    _fields_ = [  # ctypes reads a list
        *((name, ctypes.c_void_p) for name in ("create", "destroy", "lock", "unlock")),
        ("flags", ctypes.c_ulong),
        ("reserved", ctypes.c_void_p),
    ]


_Function = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p)


class _Functions(ctypes.Structure):
    """The head of CK_FUNCTION_LIST."""

    if sys.platform == "win32":
        _pack_ = 1
    _fields_ = [("version", ctypes.c_ubyte * 2), ("initialize", _Function), ("finalize", _Function)]


def _start_for_threads(file: str) -> bool:
    """Start a module again that python-pkcs11 has just started; tell whether threads may share it."""
    functions = ctypes.POINTER(_Functions)()
    ctypes.CDLL(file).C_GetFunctionList(ctypes.byref(functions))
    finalize, initialize = functions.contents.finalize, functions.contents.initialize
    finalize(None)
    arguments = _Arguments(flags=_OS_LOCKING_OK)
    answer = initialize(ctypes.addressof(arguments))
    shared = answer not in _CANNOT_LOCK
    if not shared:
        answer = initialize(None)
    if answer:
        raise OSError(f"C_Initialize: {answer:#x}")
    return shared
