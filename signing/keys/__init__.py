"""Key providers, one module per kind: a frozen `Settings` and a `Key` that is a `KeyProvider` (signing/contract.py).

A module placed here is a kind; nothing registers it. A key belongs to the process that opened it: open it after a fork.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import typing
from collections.abc import Mapping

from signing.contract import KeyProvider
from signing.faults import KeyMisconfigured


def kinds() -> tuple[str, ...]:
    """List the kinds of key that can be configured."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def key_settings(kind: str) -> type[typing.Any]:
    """Give the `Settings` dataclass of `kind`; raise LookupError when there is no such kind."""
    if kind not in kinds():
        raise LookupError(kind)
    settings: type[typing.Any] = importlib.import_module(f"{__name__}.{kind}").Settings
    return settings


def open_key(kind: str, options: Mapping[str, object]) -> KeyProvider:
    """Open the key of `kind` with its settings; secrets are already resolved.

    Raises KeyMisconfigured for an unknown kind or setting, KeyUnavailable, NotAuthorised, KeyUnsuitable.
    """
    if kind not in kinds():
        raise KeyMisconfigured("kind", f"known: {', '.join(kinds())}")
    module = importlib.import_module(f"{__name__}.{kind}")
    types = typing.get_type_hints(module.Settings)
    names = {field.name for field in dataclasses.fields(module.Settings)}
    for name in sorted(names ^ options.keys()):
        raise KeyMisconfigured(name, f"unknown for {kind}" if name in options else f"missing for {kind}")
    for name, value in options.items():
        if not isinstance(value, str):
            raise KeyMisconfigured(name, "not a text")
    key: KeyProvider = module.Key(module.Settings(**{name: types[name](value) for name, value in options.items()}))
    return key
