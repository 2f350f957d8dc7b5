"""Account for every populated attribute of a study: where it went, why it was left out, or that nobody knows it.

An attribute has one position, whichever objects and items it stands in. What stands in the table of a subject is mapped
when it is found in the resources, and was not given back; the rest has a reason by tag, by sequence or by group, or is
unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from mappings.dicom.codings import PARTS
from mappings.dicom.draft import Draft, position
from mappings.hl7v2.targets import alternatives, present
from mappings.outcome import Coverage, Resource

CONTENT = "0040A730"
"""ContentSequence: its items account for themselves."""
PRIVATE = "private attribute of the maker"
LEFT_OUT = "longer than what is kept of a header; it is in the object"
UNMAPPED = "no mapping of this attribute"
NOTHING_CAME = "nothing could be made of it"
_CODE_REST = "where the code was chosen from, not what it means"
_ACQUISITION = "how the picture was taken"
_PIXELS = "how the pixels are written"
_GEOMETRY = "where the picture lies in space and time"
_TREATMENT = "content of a radiotherapy object; it is in the object"
_DISPLAY = "how the picture is to be shown"
_PRINT = "film and printing"
_SEGMENT = "content of the object; it is in the object"
_STORAGE = "storage of the sender"

GROUPS = {
    "0002": "file meta information",
    "0004": "directory of a medium",
    "0012": "clinical trial",
    "0014": "testing of materials",
    "0018": _ACQUISITION,
    "0020": _GEOMETRY,
    "0022": _ACQUISITION,
    "0024": "visual field test; it is in the object",
    "0028": _PIXELS,
    "0034": "streaming of video",
    "003A": "how the waveform is written",
    "0042": "content of the object; it is in the object",
    "0046": "optics measurement; it is in the object",
    "0048": _ACQUISITION,
    "0050": _ACQUISITION,
    "0052": _ACQUISITION,
    "0054": _ACQUISITION,
    "0060": _PIXELS,
    "0062": _SEGMENT,
    "0064": _SEGMENT,
    "0066": _SEGMENT,
    "0068": "implant template; it is in the object",
    "006A": _SEGMENT,
    "0070": _DISPLAY,
    "0072": _DISPLAY,
    "0074": "workflow of radiotherapy",
    "0076": "implant template; it is in the object",
    "0078": "implant template; it is in the object",
    "0080": _SEGMENT,
    "0082": _SEGMENT,
    "0088": _STORAGE,
    "0100": "authorisation of equipment",
    "0400": "digital signature or encryption of the object",
    "2000": _PRINT,
    "2010": _PRINT,
    "2020": _PRINT,
    "2030": _PRINT,
    "2040": _PRINT,
    "2050": _DISPLAY,
    "2100": _PRINT,
    "2110": _PRINT,
    "2120": _PRINT,
    "2130": _PRINT,
    "2200": "media creation",
    "3002": _TREATMENT,
    "3004": _TREATMENT,
    "3006": _TREATMENT,
    "3008": _TREATMENT,
    "300A": _TREATMENT,
    "300C": _TREATMENT,
    "300E": _TREATMENT,
    "3010": _TREATMENT,
    "4008": "retired results and interpretations of DICOM",
    "5200": "functional groups of the frames; they are in the object",
    "5400": "the waveform",
    "5600": "spectroscopy data",
    "7FE0": "the pixels",
}
"""Groups of which nothing is used beyond what the tables of the subjects name."""


class Tables:
    """What all subjects say of their attributes."""

    def __init__(
        self, mapped: Mapping[str, str], coded: Mapping[str, str], ignored: Mapping[str, str], below: Mapping[str, str]
    ) -> None:
        """`coded`: sequences of codes → target. `below`: sequences that are left out with all that is in them → reason."""
        self.mapped, self.coded, self.ignored, self.below = mapped, coded, ignored, below

    def target(self, path: str) -> str:
        """Give where a path goes; `""` when it goes nowhere."""
        if path in self.mapped:
            return self.mapped[path]
        parent, _, leaf = path.rpartition("/")
        return self.coded.get(parent, "") if leaf in PARTS else ""

    def reason(self, path: str) -> str:
        """Give why a path is left out; `""` when nobody knows."""
        tags = path.split("/")
        parent, leaf = "/".join(tags[:-1]), tags[-1]
        if any(int(tag[3], 16) % 2 for tag in tags):
            return PRIVATE
        if path in self.ignored:
            return self.ignored[path]
        for n in range(len(tags), 0, -1):
            if reason := self.below.get("/".join(tags[:n])):
                return reason
        if parent in self.coded and leaf.startswith("0008"):
            return _CODE_REST
        group = tags[0][:4]
        if group.startswith(("50", "60")) and group not in ("5200", "5400", "5600"):
            return "overlay or curve"
        return GROUPS.get(group, "") or (self.ignored.get(leaf, "") if parent else "")


def account(draft: Draft, tables: Tables) -> Coverage:
    """Give the coverage of a study."""
    found: tuple[dict[str, str], dict[str, str], dict[str, str]] = ({}, {}, {})
    mapped, ignored, unknown = found
    there = _There(draft.resources)
    for path, left_out in sorted(_paths(draft)):
        where = position(path)
        target = draft.used.get(path, "") or tables.target(path)
        if path in draft.given_back:
            unknown[where] = draft.given_back[path]
        elif path in draft.left:
            ignored[where] = draft.left[path]
        elif target and not left_out:
            if there.has(target):
                mapped[where] = target
            else:
                unknown[where] = NOTHING_CAME
        elif reason := tables.reason(path):
            ignored[where] = reason
        elif left_out:
            ignored[where] = LEFT_OUT
        else:
            unknown[where] = UNMAPPED
    by_kind = dict(zip(("mapped", "ignored", "unknown"), found, strict=True))
    for where, (kind, said) in draft.content.items():
        by_kind[kind][where] = said
    return Coverage(mapped, ignored, unknown)


class _There:
    """What the resources hold, asked for by element path."""

    def __init__(self, resources: list[Resource]) -> None:
        self._by_type: dict[str, list[Resource]] = {}
        for resource in resources:
            self._by_type.setdefault(resource["resourceType"], []).append(resource)
        self.has = lru_cache(maxsize=None)(self._has)

    def _has(self, target: str) -> bool:
        return any(
            not path or present(resource, path)
            for kind, path in alternatives(target)
            for resource in self._by_type.get(kind, ())
        )


def _paths(draft: Draft) -> set[tuple[str, bool]]:
    """Give the path of every populated attribute, and whether its value was left out; the content of documents apart."""
    found: dict[str, bool] = {}
    seen: set[int] = set()
    for entry in draft.entries:
        for tag, element in entry.attributes.items():
            if id(element) not in seen:
                seen.add(id(element))
                if tag != CONTENT:
                    _walk(tag, element, found)
    return set(found.items())


def _walk(path: str, element: Any, found: dict[str, bool]) -> None:
    if not isinstance(element, dict) or len(element) < 2:
        return
    if element.get("vr") != "SQ" or "Value" not in element:
        left_out = "BulkDataURI" in element
        found[path] = found.get(path, True) and left_out
        return
    for below, inner in _members(element):
        _walk(f"{path}/{below}", inner, found)


def _members(element: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for item in element["Value"]:
        if isinstance(item, dict):
            yield from item.items()
