"""What the mapping of a study must know that is not in the headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mappings.hl7v2.context import Context as Hl7Context


@dataclass(frozen=True)
class Context(Hl7Context):
    """Say for whom a study is mapped; ids are made as for HL7 v2, so that both meet in one record."""

    issuers: frozenset[str] = frozenset()
    """Names (IssuerOfPatientID) under which this hospital gives patient numbers. None named: as in HL7 v2, the numbers of
    whoever stands first are this hospital's."""
    wado: str = ""
    """Base of the DICOMweb service where the objects are fetched; empty: no Endpoint."""
    requests: Mapping[str, str] = field(default_factory=dict)
    """Accession number → `ServiceRequest/<id>` that the record has for it already: the study then belongs to that one."""
