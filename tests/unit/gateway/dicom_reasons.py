"""Every reason that the mapping of DICOM gives for an attribute that is ignored or unknown."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import mappings.dicom
from mappings.dicom import coverage, measurements, sr

_CALLS = {"give_back": 1, "_leave": 1, "setdefault": 1, "fromkeys": 1}
"""Calls that take a reason, and after how many other arguments."""
_KINDS = ("ignored", "unknown")


def dicom_reasons() -> set[str]:
    """Collect them from the tables and from the source."""
    found = {
        coverage.PRIVATE,
        coverage.LEFT_OUT,
        coverage.UNMAPPED,
        coverage.NOTHING_CAME,
        coverage._CODE_REST,
        measurements.DOSE_PARAMETER,
        sr._REPLACED,
        sr._OTHER_KIND,
        *coverage.GROUPS.values(),
        *sr._PLACES.values(),
    }
    for one in pkgutil.iter_modules(mappings.dicom.__path__):
        module = importlib.import_module(f"mappings.dicom.{one.name}")
        for table in ("IGNORED", "BELOW"):
            found.update(getattr(module, table, {}).values())
        found.update(_written(ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8"))))
    return found


def _written(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Tuple(elts=[ast.Constant(value=kind), ast.Constant(value=str(reason))]) if kind in _KINDS:
                yield reason
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=arguments) if name in _CALLS:
                for argument in arguments[_CALLS[name] :]:
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and " " in argument.value:
                        yield argument.value
