"""A CDA document as nodes that remember what became of each of their facts (promise P7).

A fact is an attribute or the text of an element; the narrative of a section is one fact. Double entry: whoever reads a fact
claims it (`node["code"]`, `node.said()`), the element it went to stands at the node or above it (`becomes`, `first(…, to)`).
What nobody read ends as unknown, by XPath: nothing is lost by being forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from lxml import etree

from mappings.cda.faults import DocumentTooLarge
from mappings.outcome import Coverage

V3 = "urn:hl7-org:v3"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
_PREFIXES = {V3: "", "urn:hl7-org:sdtc": "sdtc:"}
MOST_ELEMENTS = 500_000
TEXT = "text()"
_CONTROL = re.compile(r"[\x7f]")
"""What XML allows in a text and FHIR does not."""

UNREAD = "no mapping knows the element"
REFUSED = "the document was refused as a whole"
LONGEST = 1024 * 1024
"""Characters of a FHIR string."""
TOO_LONG = "longer than a text of FHIR may be"
UNUSABLE = "not usable as it was sent"
TEMPLATE = "names a template; the mapping goes by codes and classes"
NULL_FLAVOR = "says that nothing is known"
POINTER = "points to words of the narrative, which its section shows"
STRUCTURE = "steers the reading of the element; no fact of its own"
_STRUCTURAL = frozenset(
    {
        *("classCode", "moodCode", "typeCode", "determinerCode", "contextControlCode", "contextConductionInd"),
        *("inversionInd", "institutionSpecified", "operator", "mediaType", "representation", "displayable"),
        *("partType", "independentInd", "seperatableInd", "separatableInd", "inclusive", "ID", "unsorted"),
    }
)
_NAMES_A_TEMPLATE = frozenset({"templateId", "typeId", "realmCode"})


class Node:
    """One element. One that is not there is false, and every question to it is answered with nothing."""

    __slots__ = (
        "attributes",
        "children",
        "claims",
        "done",
        "name",
        "parent",
        "path",
        "raw",
        "reason",
        "refused",
        "resource",
        "step",
        "words",
        "written",
    )

    def __init__(self, name: str, attributes: dict[str, str], written: str, parent: Node | None) -> None:
        self.name = name
        self.step = name
        """Its step of an XPath: the name, with an index where siblings share it."""
        self.attributes = attributes
        self.written = written
        self.words = " ".join(written.split())
        """Its own text, white space at the ends taken away and single inside."""
        self.parent = parent
        self.children: list[Node] = []
        self.raw: etree._Element | None = None
        """The narrative block, which is not taken apart into nodes."""
        self.claims: set[str] = set()
        self.refused: dict[str, tuple[str, str]] = {}
        self.reason: tuple[str, str] | None = None
        self.resource = ""
        self.path = ""
        self.done = False
        """A statement that was read: it is read once."""

    def __bool__(self) -> bool:
        return bool(self.name)

    def __getitem__(self, attribute: str) -> str:
        """Take an attribute for use, white space at the ends taken away; `""` when there is none."""
        value = self.attributes.get(attribute)
        if value is None:
            return ""
        if len(value) > LONGEST:
            self.give_back(attribute, TOO_LONG)
            return ""
        self.claims.add(attribute)
        return value.strip()

    def peek(self, attribute: str) -> str:
        """Look at an attribute without claiming it."""
        return self.attributes.get(attribute, "").strip()

    @property
    def type(self) -> str:
        """The data type the sender names (`xsi:type`), without its prefix."""
        return self.attributes.get("xsi:type", "").rpartition(":")[2]

    def said(self) -> str:
        """Take the element's own text for use."""
        if len(self.words) > LONGEST:
            self.give_back(TEXT, TOO_LONG)
            return ""
        if self.words:
            self.claims.add(TEXT)
        return self.words

    def prose(self) -> str:
        """Take the element's own text for use, its line ends kept."""
        if not self.said():
            return ""
        return "\n".join(line for one in self.written.split("\n") if (line := " ".join(one.split())))

    def all_said(self) -> str:
        """Take the text of the element and of everything in it, in the order of the document."""
        parts = [node.said() for node in self.walk()]
        return " ".join(part for part in parts if part)

    def first(self, name: str, to: str = "") -> Node:
        """Give the first child of that name; `to` is the FHIR element it goes to."""
        for child in self.children:
            if child.name == name:
                child.path = to or child.path
                return child
        return NOTHING

    def all(self, name: str, to: str = "") -> list[Node]:
        """Give the children of that name."""
        found = [child for child in self.children if child.name == name]
        if to:
            for child in found:
                child.path = to
        return found

    def down(self, *names: str) -> Node:
        """Give the first descendant by the names of the way to it."""
        node = self
        for name in names:
            node = node.first(name)
        return node

    def walk(self) -> Iterator[Node]:
        """Give this element and all below it, in the order of the document."""
        waiting = [self] if self else []
        while waiting:
            node = waiting.pop()
            yield node
            waiting += reversed(node.children)

    def take(self, *attributes: str) -> None:
        """Claim attributes that were looked at."""
        self.claims.update(name for name in attributes if name in self.attributes)

    def becomes(self, reference: str, path: str = "") -> None:
        """Say which resource, and which element of it, the facts here and below went to."""
        self.resource, self.path = reference, path

    def ignore(self, fact: str, reason: str) -> None:
        """Leave one fact out on purpose, unless it was claimed: an attribute, or `TEXT`."""
        if fact not in self.claims and (fact in self.attributes or fact == TEXT):
            self.refused[fact] = ("ignored", reason)

    def give_back(self, fact: str, reason: str = UNUSABLE) -> None:
        """Say that one fact was taken but could not be used: it is unknown."""
        if fact in self.attributes or fact == TEXT:
            self.refused[fact] = ("unknown", reason)

    def pass_over(self, reason: str) -> None:
        """Leave out on purpose what nobody claims here and below."""
        self.reason = ("ignored", reason)

    def leave(self, reason: str) -> None:
        """Say why what nobody claims here and below is unknown."""
        self.reason = ("unknown", reason)

    def give_up(self, reason: str) -> None:
        """Take back every claim here and below: nothing came of it."""
        for node in self.walk():
            node.claims.clear()
            node.refused.clear()
            node.reason = None
        self.leave(reason)

    def facts(self) -> list[str]:
        """Name the facts of this element: its attributes, save those of the schema instance, and its text."""
        found = [name for name in self.attributes if not name.startswith("xsi:")]
        return [*found, TEXT] if self.words else found

    def where(self) -> str:
        """Give the XPath, with an index where siblings share a name."""
        steps = []
        node: Node | None = self
        while node:
            steps.append(node.step)
            node = node.parent
        return "/" + "/".join(reversed(steps))


class _Nothing(Node):
    """The one element that is never there; what is said of it is forgotten, because every document asks the same one."""

    __slots__ = ()

    def __init__(self) -> None:
        for name, value in (("name", ""), ("step", ""), ("written", ""), ("words", ""), ("resource", ""), ("path", "")):
            object.__setattr__(self, name, value)
        for name, empty in (("attributes", {}), ("refused", {}), ("children", ()), ("claims", set())):
            object.__setattr__(self, name, empty)
        for name in ("parent", "raw", "reason", "done"):
            object.__setattr__(self, name, None)

    def __setattr__(self, name: str, value: object) -> None:
        """Forget it."""

    def give_back(self, fact: str, reason: str = UNUSABLE) -> None:
        """Forget it."""

    def ignore(self, fact: str, reason: str) -> None:
        """Forget it."""


NOTHING = _Nothing()


def tree(root: etree._Element) -> Node:
    """Make nodes of a document; raises `DocumentTooLarge` for more elements than a document of people has."""
    top = _node(root, None)
    waiting: list[tuple[etree._Element, Node]] = [(root, top)]
    count = 0
    while waiting:
        element, node = waiting.pop()
        for child in element:
            if child.tag in (etree.Comment, etree.ProcessingInstruction, etree.Entity):
                continue
            count += 1
            if count > MOST_ELEMENTS:
                raise DocumentTooLarge("", f"more than {MOST_ELEMENTS} elements")
            made = _node(child, node)
            node.children.append(made)
            if made.name == "text" and node.name == "section":
                made.raw = child
                made.words = "…" if any(str(part).strip() for part in child.itertext()) else ""
            else:
                waiting.append((child, made))
    for node in top.walk():
        _number(node.children)
    return top


def _number(children: list[Node]) -> None:
    counts: dict[str, int] = {}
    for child in children:
        counts[child.name] = counts.get(child.name, 0) + 1
    seen: dict[str, int] = {}
    for child in children:
        at = seen[child.name] = seen.get(child.name, 0) + 1
        if counts[child.name] > 1:
            child.step = f"{child.name}[{at}]"


def _node(element: etree._Element, parent: Node | None) -> Node:
    attributes = {_name(str(name)): _CONTROL.sub("", str(value)) for name, value in element.attrib.items()}
    own = "".join([str(element.text or ""), *(str(child.tail or "") for child in element)])
    return Node(_name(str(element.tag)), attributes, _CONTROL.sub("", own), parent)


def _name(name: str) -> str:
    space, closed, local = name[1:].rpartition("}") if name.startswith("{") else ("", "", name)
    if not closed:
        return local
    if space == XSI:
        return f"xsi:{local}"
    return _PREFIXES[space] + local if space in _PREFIXES else f"{{{space}}}{local}"


def coverage(top: Node, shown: Container[str] = ()) -> Coverage:
    """Close the account: every fact is mapped, ignored or unknown, and only one of these.

    `shown` are the IDs of the narrative: what only points there is no fact of its own.
    """
    for node in top.walk():
        if node.name == "reference" and node.peek("value").removeprefix("#") in shown and node.peek("value")[:1] == "#":
            node.ignore("value", POINTER)
    mapped: dict[str, str] = {}
    ignored: dict[str, str] = {}
    unknown: dict[str, str] = {}
    used = _used(top)
    waiting: list[tuple[Node, str, str, str, tuple[str, str] | None]] = [(top, f"/{top.name}", "", "", None)]
    while waiting:
        node, where, resource, path, reason = waiting.pop()
        if node.resource:
            resource, path = node.resource, ""
        path = node.path or path
        reason = node.reason or reason
        for fact in node.facts():
            position = f"{where}/{fact}" if fact == TEXT else f"{where}/@{fact}"
            state, said = _state(node, fact, reason, id(node) in used)
            if state == "mapped":
                mapped[position] = path if path[:1].isupper() else ".".join(part for part in (resource, path) if part)
            else:
                (ignored if state == "ignored" else unknown)[position] = said
        waiting += [(child, f"{where}/{child.step}", resource, path, reason) for child in reversed(node.children)]
    return Coverage(mapped, ignored, unknown)


def refused(top: Node) -> Coverage:
    """Account for a document of which nothing was taken: every fact is unknown."""
    unknown: dict[str, str] = {}
    waiting = [(top, f"/{top.name}")]
    while waiting:
        node, where = waiting.pop()
        for fact in node.facts():
            unknown[f"{where}/{fact}" if fact == TEXT else f"{where}/@{fact}"] = REFUSED
        waiting += [(child, f"{where}/{child.step}") for child in reversed(node.children)]
    return Coverage(unknown=unknown)


def _state(node: Node, fact: str, reason: tuple[str, str] | None, used: bool) -> tuple[str, str]:
    if fact in node.refused:
        return node.refused[fact]
    if fact in node.claims:
        return "mapped", ""
    if node.name in _NAMES_A_TEMPLATE:
        return "ignored", TEMPLATE
    if fact == "nullFlavor":
        return "ignored", NULL_FLAVOR
    if fact in _STRUCTURAL and used:
        return "ignored", STRUCTURE
    return reason or ("unknown", UNREAD)


def _used(top: Node) -> set[int]:
    """Find the nodes of which, or below which, something was claimed."""
    found: set[int] = set()
    for node in top.walk():
        if node.claims:
            above: Node | None = node
            while above and id(above) not in found:
                found.add(id(above))
                above = above.parent
    return found
