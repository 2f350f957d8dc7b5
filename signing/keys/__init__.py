"""Key providers, one module per kind: a frozen `Settings` and a `Key` that is a `KeyProvider` (signing/contract.py).

A module placed here is a kind; nothing registers it. A key belongs to the process that opened it: open it after a fork.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import typing
from collections.abc import Callable, Mapping
from datetime import timedelta

from signing.contract import Attended, KeyProvider
from signing.faults import KeyMisconfigured

Ask = Callable[[str], str]
"""Given the name of what is wanted ("OTP", "PIN"), give what the signer says; an empty text is no answer."""
_ASKING = ("remote",)


def kinds() -> tuple[str, ...]:
    """List the kinds of key that can be configured."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def key_settings(kind: str) -> type[typing.Any]:
    """Give the `Settings` dataclass of `kind`; raise LookupError when there is no such kind."""
    if kind not in kinds():
        raise LookupError(kind)
    settings: type[typing.Any] = importlib.import_module(f"{__name__}.{kind}").Settings
    return settings


def open_key(kind: str, options: Mapping[str, object], ask: Ask | None = None) -> KeyProvider:
    """Open the key of `kind` with its settings; secrets are already resolved.

    `ask` is somebody who can say what a remote service wants at a signature: a one-time code, or the PIN when none is written.
    Raises KeyMisconfigured for an unknown kind or setting, KeyUnavailable, NotAuthorised, KeyUnsuitable.
    """
    if kind not in kinds():
        raise KeyMisconfigured("kind", f"known: {', '.join(kinds())}")
    module = importlib.import_module(f"{__name__}.{kind}")
    types = typing.get_type_hints(module.Settings)
    fields = {field.name: field for field in dataclasses.fields(module.Settings)}
    for name in sorted(options.keys() - fields.keys()):
        raise KeyMisconfigured(name, f"unknown for {kind}")
    for name, field in sorted(fields.items()):
        if name not in options and field.default is dataclasses.MISSING:
            raise KeyMisconfigured(name, f"missing for {kind}")
    for name, value in options.items():
        if not isinstance(value, types[name] if types[name] in (int, timedelta) else str):
            raise KeyMisconfigured(name, "of the wrong type")
    settings = module.Settings(**{name: _as(types[name], value) for name, value in options.items()})
    key: KeyProvider = module.Key(settings, ask) if ask is not None and kind in _ASKING else module.Key(settings)
    return key


def open_unattended(kind: str, options: Mapping[str, object]) -> KeyProvider:
    """Open a key that is to sign with nobody there, such as a seal: once, before many processes open it.

    Raises what `open_key` raises, KeyMisconfigured for a key that needs a person, and for a PIN that is wrong NotAuthorised,
    after one try.
    """
    key = open_key(kind, options)
    if isinstance(key, Attended):
        key.require_unattended()
    return key


def _as(wanted: type[typing.Any], value: object) -> object:
    return wanted(value) if issubclass(wanted, str) else value
