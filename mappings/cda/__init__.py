"""Render FHIR documents as HL7 CDA R2, ready to be signed.

Plain CDA R2: no template of another country is claimed. The narrative of the FHIR sections is taken over element by element, so
both renditions say the same; entries repeat what is coded. Does not sign: the signature is added as last child of the root, and
the bytes given here are the ones that are valid against the schema.

Requirement: S1.3, S3.3
"""

from __future__ import annotations

from typing import Any

from lxml import etree

from mappings.cda import narrative
from mappings.cda.datatypes import NS, XSI, Node, coded, el
from mappings.cda.entries import entries
from mappings.cda.header import header
from mappings.cda.source import Source
from mappings.outcome import Resource

__all__ = ["render"]


def render(bundle: Resource) -> bytes:
    """Render a document Bundle of ours as final, unsigned CDA bytes: UTF-8 with declaration.

    The same Bundle gives the same bytes. Raises `NotADocument`, `NarrativeUnsupported`.
    """
    source = Source(bundle)
    prefixes: dict[Any, str] = {None: NS, "xsi": XSI}
    root = etree.Element(f"{{{NS}}}ClinicalDocument", nsmap=prefixes)
    root.extend([node for node in header(source) if node is not None])
    root.append(
        el("component", el("structuredBody", *(_section(section, source) for section in source.composition["section"])))
    )
    etree.cleanup_namespaces(root, keep_ns_prefixes=["xsi"])
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _section(section: dict[str, object], source: Source) -> Node:
    text = section["text"]
    assert isinstance(text, dict)
    block = narrative.text(text["div"])
    cells = narrative.cell_ids(block)
    code, listed = section.get("code"), section.get("entry", [])
    assert isinstance(listed, list)
    found = [resource for one in listed if (resource := source.get(one))]
    return el(
        "component",
        el(
            "section",
            coded("code", code) if isinstance(code, dict) else None,
            el("title", str(section["title"])),
            block,
            *entries(found, cells, source),
            nullFlavor="NI" if "emptyReason" in section else None,
        ),
    )
