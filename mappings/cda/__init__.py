"""Render FHIR documents as HL7 CDA R2, ready to be signed.

Plain CDA R2: no template of another country is claimed. The narrative of the FHIR sections is taken over element by element, so
both renditions say the same; entries repeat what is coded and point to where the narrative shows it. Does not sign: the
signature is added as last child of the root, and the bytes given here are the ones that are valid against the schema.

Requirement: S1.3, S3.3
"""

from __future__ import annotations

from itertools import count
from typing import Any

from mappings.cda.datatypes import DataTypes
from mappings.cda.entries import entries
from mappings.cda.header import Header
from mappings.cda.markup import Markup, document, el
from mappings.cda.narrative import Block
from mappings.cda.people import People
from mappings.cda.settings import DEFAULT, Settings
from mappings.cda.source import Source
from mappings.cda.writer import Writer
from mappings.outcome import Resource

__all__ = ["DEFAULT", "Settings", "render"]


def render(bundle: Resource, settings: Settings = DEFAULT) -> bytes:
    """Render a document Bundle of ours as final, unsigned CDA bytes: UTF-8 with declaration.

    The same Bundle and settings give the same bytes. Raises `NotADocument`, `NarrativeUnsupported`.
    """
    return _Document(Source(bundle), settings).bytes()


class _Document:
    def __init__(self, source: Source, settings: Settings) -> None:
        self._source = source
        self._types = DataTypes(settings.oids)
        self._people = People(source, self._types)
        self._header = Header(source, self._types, self._people, settings)
        self._taken: set[str] = set()
        self._numbers = count(1)

    def bytes(self) -> bytes:
        header = list(self._header.elements())
        body = el("structuredBody", *(self._section(section) for section in self._source.composition["section"]))
        return document("ClinicalDocument", *header, el("component", body))

    def _section(self, section: dict[str, Any]) -> Markup:
        block = Block(section["text"]["div"], next(self._numbers), self._taken)
        found = [resource for one in section.get("entry", []) if (resource := self._source.get(one))]
        made = entries(found, Writer(self._source, self._types, self._people, block, found))
        code = section.get("code")
        return el(
            "component",
            el(
                "section",
                self._types.coded("code", code) if code else None,
                el("title", section["title"]) if section.get("title") else None,
                block.markup,
                *made,
                *(self._section(inner) for inner in section.get("section", [])),
                nullFlavor="NI" if "emptyReason" in section else None,
            ),
        )
