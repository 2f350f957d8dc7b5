"""The complete code systems of HL7: which codes they have, and the official display of each.

A validator knows these systems whole and calls a coding wrong whose code or display is not in them, so ask here before
claiming one. Holds neither value sets nor the terminologies of others (LOINC, SNOMED CT, ICD, CVX …).

Made by `deploy/generate_fhir_vocabulary.py`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType


def members(system: str) -> Mapping[str, str] | None:
    """Give the official display of every code of a system, `""` where editions differ; `None` for a system not held whole."""
    return _members(system) if system in _texts() else None


@cache
def _members(system: str) -> Mapping[str, str]:
    text = _texts()[system]
    pairs = (line.partition("\t") for line in text.split("\n"))
    return MappingProxyType({code: display for code, _, display in pairs})


def systems() -> list[str]:
    """List the systems there are."""
    return sorted(_texts())


@cache
def _texts() -> dict[str, str]:
    packed = files(__package__).joinpath("vocabulary.json.gz").read_bytes()
    content: dict[str, dict[str, str]] = json.loads(gzip.decompress(packed))
    return content["systems"]
