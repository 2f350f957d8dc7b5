"""The body of one message about a study: the headers of its objects, with what the gateway knows of each.

What all objects share is written once, then what a series shares, then per object the rest, in columns. Objects stand
in the order of their series and numbers, so the same objects give the same bytes whichever came first. Nothing is lost
but that order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mappings.dicom.faults import BodyInvalid
from mappings.dicom.header import INSTANCE, SERIES, STUDY, Header, text
from mappings.formats import json
from mappings.formats.faults import JsonInvalid
from mappings.outcome import Notice

VERSION = 1

Attributes = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One object of a study."""

    attributes: Attributes = field(repr=False)
    """Its header, DICOM JSON Model."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the gateway knows: `object` (id in its store), `sha256`, `size`, `transfer_syntax`, `calling` …"""
    notices: tuple[Notice, ...] = ()
    """What was odd when the header was read."""

    @classmethod
    def of(cls, header: Header, facts: Mapping[str, Any]) -> Entry:
        """Make the entry of a header; its transfer syntax becomes a fact."""
        return cls(header.attributes, {"transfer_syntax": header.transfer_syntax, **facts}, header.notices)


def join(entries: Iterable[Entry]) -> bytes:
    """Write the body. Raises `JsonInvalid` for facts that are no JSON."""
    ordered = sorted(entries, key=_place)
    by_series: dict[str, list[Entry]] = {}
    for entry in ordered:
        by_series.setdefault(text(entry.attributes, SERIES), []).append(entry)
    study = _shared([entry.attributes for entry in ordered])
    facts = _shared([entry.facts for entry in ordered])
    series = []
    for members in by_series.values():
        own = _shared([_without(entry.attributes, study) for entry in members])
        said = _shared([_without(entry.facts, facts) for entry in members])
        rests = [_without(entry.attributes, study, own) for entry in members]
        columns, rows, others = _columns(rests)
        series.append(
            {
                "attributes": own,
                "facts": said,
                "columns": columns,
                "rows": rows,
                "others": others,
                "own_facts": [_without(entry.facts, facts, said) for entry in members],
                "notices": [[[n.code, n.where, n.detail] for n in entry.notices] for entry in members],
            }
        )
    return json.dumps({"dicom": VERSION, "attributes": study, "facts": facts, "series": series})


def split(body: bytes) -> list[Entry]:
    """Read a body; attributes that objects share are the same objects in memory. Raises `BodyInvalid`."""
    try:
        content = json.loads(body)
        if content["dicom"] != VERSION:
            raise BodyInvalid("", "version")
        return [entry for series in content["series"] for entry in _members(content, series)]
    except (JsonInvalid, KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise BodyInvalid from None


def _members(content: dict[str, Any], series: dict[str, Any]) -> Iterable[Entry]:
    attributes, facts = content["attributes"] | series["attributes"], content["facts"] | series["facts"]
    columns = [(tag, vr) for tag, _, vr in (name.partition(":") for name in series["columns"])]
    described = zip(series["rows"], series["others"], series["own_facts"], series["notices"], strict=True)
    for row, other, own, notices in described:
        found = dict(attributes)
        for (tag, vr), cell in zip(columns, row, strict=True):
            if cell is not None:
                found[tag] = (
                    {"vr": vr, "Value": cell if isinstance(cell, list) else [cell]} if cell != [] else {"vr": vr}
                )
        found |= other
        said = tuple(Notice(code, where, detail) for code, where, detail in notices)
        yield Entry(dict(sorted(found.items())), facts | own, said)


def _place(entry: Entry) -> tuple[Any, ...]:
    """Give the order: study, series by number, object by number."""
    attributes = entry.attributes
    numbers = (_number(text(attributes, tag)) for tag in ("00200011", "00200013"))
    series, instance = numbers
    named = (text(attributes, STUDY), series, text(attributes, SERIES), instance, text(attributes, INSTANCE))
    return (*named, str(entry.facts.get("object", "")))


def _number(said: str) -> int:
    return int(said) if said.lstrip("-").isdecimal() and len(said) < 13 else 1 << 40


def _shared(members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give what all members have alike."""
    if not members:
        return {}
    first, *others = members
    shared, absent = dict(first), object()
    for other in others:
        get = other.get
        for name in [name for name, value in shared.items() if get(name, absent) != value]:
            del shared[name]
    return shared


def _without(own: Mapping[str, Any], *known: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in own.items() if not any(name in one for one in known)}


def _columns(rests: Sequence[Attributes]) -> tuple[list[str], list[list[Any]], list[Attributes]]:
    """Lay attributes of values alone into columns of one tag and VR: `null` = absent, `[]` = empty."""
    names: dict[str, int] = {}
    cells: list[dict[int, Any]] = []
    others: list[Attributes] = []
    for rest in rests:
        row: dict[int, Any] = {}
        other: Attributes = {}
        for tag, element in rest.items():
            if not _is_plain(element):
                other[tag] = element
                continue
            values = element.get("Value", [])
            scalar = len(values) == 1 and values[0] is not None and not isinstance(values[0], list)
            row[names.setdefault(f"{tag}:{element['vr']}", len(names))] = values[0] if scalar else values
        cells.append(row)
        others.append(other)
    return list(names), [[row.get(n) for n in range(len(names))] for row in cells], others


def _is_plain(element: Any) -> bool:
    if element.keys() == {"vr"}:
        return True
    return element.keys() == {"vr", "Value"} and isinstance(element["Value"], list) and element["Value"] != []
