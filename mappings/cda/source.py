"""Read what the CDA rendition needs from a document Bundle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mappings.cda.faults import NotADocument
from mappings.outcome import Resource

PAPER = "/CodeSystem/paper"
"""How the system of our paper names ends, whatever its base."""


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
        self._resources: dict[str, Resource] = {}
        self._urls: dict[str, str] = {}
        self._listed: list[Resource] | None = None
        self.written: set[str] = set()
        """`Type/id` of what entries repeat so far."""
        self.mentioned: list[Resource] = []
        """What entries so far refer to."""
        for entry in entries:
            resource = entry["resource"]
            key = f"{resource['resourceType']}/{resource['id']}"
            self._resources[key] = resource
            if "fullUrl" in entry:
                self._resources[entry["fullUrl"]] = resource
                self._urls[key] = entry["fullUrl"]
        for element in ("identifier", "subject", "date", "title", "type", "custodian", "section"):
            if element not in first:
                raise NotADocument(f"Composition.{element}")
        self.patient = self._must(first["subject"], "subject")
        self.custodian = self._must(first["custodian"], "custodian")
        self.encounter = self.get(first.get("encounter", {}))
        self.authors = [self._must(author, "author") for author in first.get("author", [])]

    def get(self, reference: dict[str, Any] | None) -> Resource | None:
        """Give the resource a Reference points to, inside the bundle."""
        return self._resources.get(reference.get("reference", "")) if reference else None

    def url(self, resource: Resource) -> str:
        """Give the `fullUrl` of a resource, `Type/id` when it has none."""
        key = f"{resource['resourceType']}/{resource['id']}"
        return self._urls.get(key, key)

    def _must(self, reference: dict[str, Any], element: str) -> Resource:
        found = self.get(reference)
        if found is None:
            raise NotADocument(f"Composition.{element}")
        return found

    @property
    def paper(self) -> dict[str, Any]:
        """Give the Coding that says which paper of ours this is, in which edition; empty when it is none of ours."""
        codings: list[dict[str, Any]] = self.composition["type"].get("coding", [])
        return next((coding for coding in codings if coding.get("system", "").endswith(PAPER)), {})

    def attesters(self, *modes: str) -> Iterator[tuple[dict[str, Any], Resource | None]]:
        """Give who attests in one of the modes (`professional`, `legal` …): the attester, and the resource of its party."""
        for attester in self.composition.get("attester", []):
            if attester.get("mode") in modes and attester.get("party"):
                yield attester, self.get(attester["party"])

    def is_listed(self, resource: Resource) -> bool:
        """Tell whether a section is made of a resource."""
        return any(one is resource for one in self.of_type(resource["resourceType"]))

    def of_type(self, *resource_types: str) -> Iterator[Resource]:
        """Give the resources of some types that the sections are made of, each once."""
        if self._listed is None:
            references = (
                entry for section in sections(self.composition["section"]) for entry in section.get("entry", [])
            )
            found = (self.get(reference) for reference in references)
            self._listed = list({id(one): one for one in found if one}.values())
        return (one for one in self._listed if one["resourceType"] in resource_types)

    def all(self, resource_type: str) -> Iterable[Resource]:
        """Give every resource of a type in the bundle."""
        for entry in self.bundle["entry"]:
            if entry["resource"]["resourceType"] == resource_type:
                yield entry["resource"]


def sections(listed: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give sections and the sections inside them."""
    for section in listed:
        yield section
        yield from sections(section.get("section", []))
