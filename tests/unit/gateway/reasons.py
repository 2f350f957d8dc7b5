"""Every reason that the mappings give for a field that is ignored or unknown, read from the tables and from the source."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import mappings.cda.read
import mappings.device
import mappings.hl7v2
from mappings.bhyt.fhir import frame
from mappings.cda.read import node as cda_node
from mappings.device import decimation
from mappings.fhir import document
from mappings.hl7v2 import reader, segments
from tests.unit.gateway.dicom_reasons import dicom_reasons
from tests.unit.gateway.lab_reasons import lab_reasons

REFUSALS = {"ignore": 1, "withhold": 1, "give_back": 1, "leave": 0, "give_up": 0, "pass_over": 0}
"""Methods of a segment or a node that take a reason, and after how many other arguments."""


class Unreadable(Exception):
    """Raised for a reason that is made at run time: it cannot be told in another language."""


def all_reasons() -> set[str]:
    """Collect the reasons of all mappings."""
    found = {reader.UNREAD, reader.UNLISTED, reader.NO_MODULE, reader.FORGOTTEN, reader.UNUSABLE}
    found |= {
        cda_node.UNREAD,
        cda_node.UNUSABLE,
        cda_node.TOO_LONG,
        cda_node.TEMPLATE,
        cda_node.NULL_FLAVOR,
        cda_node.STRUCTURE,
        cda_node.POINTER,
        cda_node.REFUSED,
    }
    found |= {document.NO_ELEMENT, document.MODIFIER, document.RULES}
    found |= {*frame.REASONS, *(reason for one in frame.TABLES.values() for reason in one.ignored.values())}
    found |= dicom_reasons() | lab_reasons() | {decimation.RAW}
    for module in _modules():
        found.update(getattr(module, "IGNORED", {}).values())
        found.update(reasons_of(Path(module.__file__ or "").read_text(encoding="utf-8"), vars(module)))
    return found


def _modules() -> Iterator[ModuleType]:
    for package in (mappings.hl7v2, mappings.device, mappings.cda.read):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name not in (reader.__name__, segments.__name__, cda_node.__name__):
                yield importlib.import_module(found.name)


def reasons_of(source: str, names: dict[str, object]) -> set[str]:
    """Collect the reasons that calls in a source give; `names` are what its module defines.

    Raises `Unreadable` for a reason that is neither a literal nor a constant, nor a loop's variable over such.
    """
    tree = ast.parse(source)
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.For)]
    return {
        reason
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in REFUSALS
        for argument in [*node.args[REFUSALS[node.func.attr] :], *(word.value for word in node.keywords)]
        for reason in _constants(argument, loops, names)
    }


def _constants(node: ast.expr, loops: list[ast.For], names: dict[str, object]) -> set[str]:
    match node:
        case ast.Constant(value=str(reason)):
            return {reason}
        case ast.IfExp(body=body, orelse=orelse):
            return _constants(body, loops, names) | _constants(orelse, loops, names)
        case ast.Name(id=name) if isinstance(constant := names.get(name), str):
            return {constant}
        case ast.Subscript(value=ast.Name(id=name)) if isinstance(table := names.get(name), dict):
            return set(table.values())
        case ast.Name(id=name):
            within = [loop for loop in loops if name in _targets(loop) and node in ast.walk(loop)]
            if within:
                return _of_loop(within[-1], names)
    raise Unreadable(f"line {node.lineno}: {ast.unparse(node)}")


def _targets(loop: ast.For) -> set[str]:
    return {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)}


def _of_loop(loop: ast.For, names: dict[str, object]) -> set[str]:
    """Collect what a loop goes over: the words in it, and the values of the tables it names."""
    found: set[str] = set()
    for node in ast.walk(loop.iter):
        match node:
            case ast.Constant(value=str(reason)):
                found.add(reason)
            case ast.Name(id=name) if isinstance(table := names.get(name), dict):
                found.update(value for value in table.values() if isinstance(value, str))
    return found
