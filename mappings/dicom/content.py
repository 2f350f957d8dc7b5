"""The content tree of a structured report: its items, what each says, and the text of it as people read it.

Standard: DICOM PS3.3 §C.17.3
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mappings.dicom.attributes import Attributes, date_of, has, item, items, text, values, whole
from mappings.dicom.codings import MEANING, VALUE, key
from mappings.dicom.people import pn_to_text

NAME, TYPE, RELATION, CONTENT = "0040A043", "0040A040", "0040A010", "0040A730"
MEASURED, NUMBER, UNIT, QUALIFIER = "0040A300", "0040A30A", "004008EA", "0040A301"
_TEXT, _CODE, _DATETIME, _DATE, _TIME, _PERSON, _UID = (
    "0040A160",
    "0040A168",
    "0040A120",
    "0040A121",
    "0040A122",
    "0040A123",
    "0040A124",
)
_CONTINUITY = "0040A050"
_REFERENCE, _BY_NUMBER = "00081199", "0040DB73"

CONCLUSION, FINDING, RECOMMENDATION, TECHNIQUE, BACKGROUND = (
    "conclusion",
    "finding",
    "recommendation",
    "technique",
    "background",
)
_ROLES = {
    CONCLUSION: ("DCM 121072 121073 121076 121077", "LN 19005-8 55110-1"),
    RECOMMENDATION: ("DCM 121074 121075", "LN 18783-1"),
    TECHNIQUE: ("DCM 121064 121065", "LN 55111-5 18747-6"),
    FINDING: ("DCM 121070 121071", "LN 59776-5 18782-3"),
    BACKGROUND: (
        "DCM 121060 121062 121068 111028 121058 126200 113500 121109",
        "LN 11329-0 55115-0 18785-6 55114-3 18834-2",
    ),
}
_BY_CODE = {
    (scheme, code): role for role, lists in _ROLES.items() for scheme, *found in map(str.split, lists) for code in found
}
_BY_WORD = (
    (CONCLUSION, ("impression", "conclusion", "kết luận", "ket luan")),
    (RECOMMENDATION, ("recommendation", "đề nghị", "de nghi", "lời dặn", "loi dan", "khuyến nghị")),
    (TECHNIQUE, ("technique", "kỹ thuật", "ky thuat")),
    (FINDING, ("finding", "mô tả", "mo ta", "description of findings")),
    (BACKGROUND, ("history", "bệnh sử", "lâm sàng", "indication", "chỉ định", "comparison")),
)
_BESIDE = frozenset({"HAS OBS CONTEXT", "HAS ACQ CONTEXT", "HAS CONCEPT MOD"})


@dataclass
class Item:
    """One content item."""

    attributes: Attributes = field(repr=False)
    number: str
    """Its place: `1.3.2`. Standard: DICOM PS3.3 §C.17.3.2.5"""
    role: str = FINDING
    """What it is for in the report: its own name says so, else the heading it stands under."""
    children: list[Item] = field(default_factory=list, repr=False)

    @property
    def type(self) -> str:
        """CONTAINER, TEXT, NUM, CODE …; REFERENCE for one that only points to another."""
        return text(self.attributes, TYPE) or ("REFERENCE" if has(self.attributes, _BY_NUMBER) else "")

    @property
    def name(self) -> str:
        """What it is called."""
        return text(item(self.attributes, NAME), MEANING)

    @property
    def concept(self) -> tuple[str, str]:
        """Scheme and code of what it is called."""
        return key(item(self.attributes, NAME))

    @property
    def is_beside(self) -> bool:
        """Tell whether it only says of its parent who, how or in what language."""
        return text(self.attributes, RELATION) in _BESIDE

    @property
    def value(self) -> str:
        """What it says, as text; `""` for headings, pictures and places in them."""
        return value_text(self)

    @property
    def running_text(self) -> str:
        """What the items of a container say that is one text (ContinuityOfContent); `""` for any other item."""
        if self.type != "CONTAINER" or text(self.attributes, _CONTINUITY) != "CONTINUOUS":
            return ""
        return " ".join(child.running_text or child.value for child in self.children if not child.is_beside).strip()

    def walk(self) -> Iterator[Item]:
        """Give it and all below it, in order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def below(self, *concepts: tuple[str, str]) -> Item | None:
        """Give its first direct child of one of these names."""
        return next((child for child in self.children if child.concept in concepts), None)


def tree(attributes: Attributes) -> Item:
    """Read the content tree of a document; its depth was bounded when it was read."""
    return _read(attributes, "1", FINDING)


def _read(attributes: Attributes, number: str, role: str) -> Item:
    found = Item(attributes, number)
    found.role = _role(found) or role if number != "1" else FINDING
    found.children = [_read(one, f"{number}.{n}", found.role) for n, one in enumerate(items(attributes, CONTENT), 1)]
    return found


def _role(one: Item) -> str:
    if one.is_beside:
        return BACKGROUND
    said = _BY_CODE.get(one.concept, "")
    if said:
        return said
    name = one.name.casefold()
    return next((role for role, starts in _BY_WORD if name.startswith(starts)), "")


def is_heading(one: Item) -> bool:
    """Tell whether the name only says what part of the report the text is (Finding, Impression)."""
    return one.concept in _BY_CODE or any(one.name.casefold().startswith(starts) for _, starts in _BY_WORD)


def value_text(one: Item) -> str:
    """Give what an item says."""
    attributes, kind = one.attributes, one.type
    if kind == "NUM":
        measured = item(attributes, MEASURED)
        if not has(measured, NUMBER):
            return text(item(attributes, QUALIFIER), MEANING)
        return f"{text(measured, NUMBER)} {unit_text(measured)}".strip()
    if kind == "CODE":
        coded = item(attributes, _CODE)
        return text(coded, MEANING) or text(coded, VALUE)
    if kind == "PNAME":
        return pn_to_text(next(iter(values(attributes, _PERSON)), None))
    if kind == "DATE":
        return date_of(text(attributes, _DATE)) or text(attributes, _DATE)
    tag = {"TEXT": _TEXT, "DATETIME": _DATETIME, "TIME": _TIME, "UIDREF": _UID}.get(kind)
    return whole(attributes, tag) if tag else ""


def unit_text(measured: Attributes) -> str:
    """Give a unit as it is written behind a number; nothing for the unit of numbers without one."""
    unit = item(measured, UNIT)
    code = text(unit, VALUE)
    if code in ("1", "{no units}") or code.startswith("{"):
        return ""
    return code or text(unit, MEANING)


def lines(one: Item, depth: int = 0) -> Iterator[str]:
    """Give the narrative: a heading as a line, what stands under it further in."""
    indent = "  " * depth
    said = one.value
    if one.type == "CONTAINER":
        if one.name:
            yield f"{indent}{one.name}"
        if one.running_text:
            yield f"{indent}  {one.running_text}"
            for child in one.children:
                yield from (line for below in child.children for line in lines(below, depth + 2))
            return
    elif said:
        name = f"{one.name}: " if one.name else ""
        first, *more = said.split("\n")
        yield f"{indent}{name}{first}"
        yield from (f"{indent}  {line}" for line in more)
    for child in one.children:
        yield from lines(child, depth + 1)


def told(root: Item, role: str) -> str:
    """Give the text of one part of the report: each item a line, named unless its name is the part's own."""
    return "\n".join(_told(root, role))


def _told(parent: Item, role: str) -> Iterator[str]:
    for one in parent.children:
        if one.role == role and not one.is_beside:
            said = one.running_text or _line(one)
            if said:
                yield said
        if not one.running_text:
            yield from _told(one, role)


def _line(one: Item) -> str:
    said = one.value if one.type in ("TEXT", "CODE", "NUM", "DATE", "DATETIME") else ""
    if not said:
        return ""
    return said if is_heading(one) or not one.name else f"{one.name}: {said}"


def references(one: Item) -> list[str]:
    """Give the SOPInstanceUIDs an item refers to."""
    return [uid for found in items(one.attributes, _REFERENCE) if (uid := text(found, "00081155"))]


def code_of(one: Item) -> Attributes:
    """Give the coded value of an item."""
    return item(one.attributes, _CODE)
