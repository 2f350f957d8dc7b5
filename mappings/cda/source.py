"""Read what the CDA rendition needs from a document Bundle."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mappings.cda.faults import NotADocument
from mappings.outcome import Resource


class Source:
    """A document Bundle of ours; raises `NotADocument` when it is none."""

    def __init__(self, bundle: Resource) -> None:
        entries = bundle.get("entry", [])
        first = entries[0].get("resource", {}) if entries else {}
        if bundle.get("type") != "document" or first.get("resourceType") != "Composition":
            raise NotADocument("Bundle.entry[0]")
        if "value" not in bundle.get("identifier", {}):
            raise NotADocument("Bundle.identifier")
        self.bundle = bundle
        self.composition: Resource = first
        self._resources = {}
        for entry in entries:
            resource = entry["resource"]
            self._resources[f"{resource['resourceType']}/{resource['id']}"] = resource
            if "fullUrl" in entry:
                self._resources[entry["fullUrl"]] = resource
        for element in ("identifier", "subject", "date", "title", "type", "custodian", "section"):
            if element not in first:
                raise NotADocument(f"Composition.{element}")
        self.patient = self._must(first["subject"], "subject")
        self.custodian = self._must(first["custodian"], "custodian")
        self.encounter = self.get(first.get("encounter", {}))
        self.authors = [self._must(author, "author") for author in first.get("author", [])]

    def get(self, reference: dict[str, Any]) -> Resource | None:
        """Give the resource a Reference points to, inside the bundle."""
        return self._resources.get(reference.get("reference", ""))

    def _must(self, reference: dict[str, Any], element: str) -> Resource:
        found = self.get(reference)
        if found is None:
            raise NotADocument(f"Composition.{element}")
        return found

    def attesters(self, mode: str) -> Iterable[Resource]:
        """Give who attests in a mode: `professional`, `legal`."""
        for attester in self.composition.get("attester", []):
            found = self.get(attester.get("party", {}))
            if attester.get("mode") == mode and found:
                yield found

    def of_type(self, resource_type: str) -> Iterable[Resource]:
        """Give the resources of a type that the sections are made of, each once."""
        seen: set[str] = set()
        for section in self.composition["section"]:
            for entry in section.get("entry", []):
                found = self.get(entry)
                if found and found["resourceType"] == resource_type and found["id"] not in seen:
                    seen.add(found["id"])
                    yield found
