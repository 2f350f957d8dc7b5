"""Check a CDA document against the schema of CDA R2 and against our own rules for its paper.

Texts of problems come from the schema and the rules, never from the document. Does not load a schema: whoever calls has one.

Requirement: S3.3
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from lxml import etree
from lxml.isoschematron import Schematron  # type: ignore[import-not-found]  # the stubs leave it out

from mappings.cda.markup import NS
from mappings.cda.schematron import SVRL
from mappings.cda.source import PAPER
from mappings.documents import form
from mappings.formats import safe_xml

_SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_FAILED = f"{{{SVRL}}}failed-assert"
_STEP = re.compile(r"\*\[local-name\(\)='(\w+)' and namespace-uri\(\)='[^']*'\]")
_CODE = f"{{{NS}}}code"


@dataclass(frozen=True)
class Problem:
    """One thing that is not as it must be."""

    rule: str
    """Id of the rule; of the schema the kind of error, such as `SCHEMAV_ELEMENT_CONTENT`."""
    where: str
    """XPath of the element."""
    said: str
    """What is wrong, in Vietnamese; `""` when the rule says it all."""


@dataclass(frozen=True)
class Checked:
    """What was found in a document."""

    paper: str
    """Which paper of ours it is; `""` when it is none, and then no rules of ours were run."""
    problems: tuple[Problem, ...]


def check(document: bytes, schema: etree.XMLSchema | None = None, paper: str = "") -> Checked:
    """Check a document, signed or not, with a schema when there is one; raises `XmlRefused`.

    Without `paper` the rules are those of the paper the document says it is.
    """
    return checked_tree(safe_xml.parse(document), schema, paper)


def checked_tree(root: etree._Element, schema: etree.XMLSchema | None = None, paper: str = "") -> Checked:
    """Check a document that is a tree already; its signature is taken out."""
    for signature in root.findall(_SIGNATURE):
        root.remove(signature)
    paper = paper or paper_of(root)
    found = list(_against_schema(root, schema)) if schema is not None else []
    return Checked(paper, (*found, *(_against_rules(root, rules(paper)) if paper else ())))


def paper_of(root: etree._Element) -> str:
    """Give which paper of ours a document says it is; `""` when it is none."""
    for kind in [*root.iterfind(_CODE), *root.iterfind(f"{_CODE}/{{{NS}}}translation")]:
        code = kind.get("code", "")
        if kind.get("codeSystemName", "").endswith(PAPER) and code in form.names():
            return code
    return ""


@cache
def rules(paper: str) -> Any:
    """Give the compiled rules of a paper; compiled once."""
    written = files("mappings.cda.schematron").joinpath(f"{paper}.sch").read_bytes()
    return compiled(written)


def compiled(written: bytes) -> Any:
    """Compile Schematron."""
    return Schematron(safe_xml.parse(written).getroottree(), store_report=True, validate_schema=False)


def _against_schema(root: etree._Element, schema: etree.XMLSchema) -> Iterator[Problem]:
    if not schema.validate(root):
        for entry in schema.error_log:  # type: ignore[attr-defined]  # the stubs leave it out
            yield Problem(entry.type_name, entry.path or f"line {entry.line}", "")


def _against_rules(root: etree._Element, known: Any) -> Iterator[Problem]:
    if known.validate(root.getroottree()):
        return
    for failed in known.validation_report.iter(_FAILED):
        said = " ".join("".join(str(part) for part in failed.itertext()).split())
        yield Problem(failed.get("id", ""), _path(failed.get("location", "")), said)


def _path(location: str) -> str:
    """Write the location of a report as people read it: elements by their names."""
    return _STEP.sub(r"\1", location)
