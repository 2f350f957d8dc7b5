"""What each table takes from a paper of ours: one module per paper, field → where its text comes from.

A module has the type of resource its paper is about (`SUBJECT`) and the fields of its table in every decision (`SOURCES`);
`visit` has the summary that goes with all of them. Modules are found by the paper's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from mappings.bhyt.papers import visit
from mappings.bhyt.sheet import FieldSource
from mappings.documents.record import TABLE_OF_PAPER as TABLE_OF_PAPER

_MODULES = {paper: import_module(f"{__name__}.{paper}") for paper in TABLE_OF_PAPER}

SUBJECT: Mapping[str, str] = {paper: module.SUBJECT for paper, module in _MODULES.items()}
"""Paper → the type of resource it is about."""

SOURCES: Mapping[str, Mapping[str, FieldSource]] = {
    "XML1": visit.SOURCES,
    **{TABLE_OF_PAPER[paper]: module.SOURCES for paper, module in _MODULES.items()},
}
"""Table → field → where its text comes from."""
