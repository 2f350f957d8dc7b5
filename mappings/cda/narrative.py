"""Turn the XHTML of a FHIR section into the narrative block of a CDA section, and find what an entry says in it.

Only the markup our own papers use is known; anything else is a fault, because what is signed must be what was shown.

Standard: CDA R2 §4.3.5
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

from mappings.cda.faults import NarrativeUnsupported
from mappings.cda.markup import Markup, attribute, escape
from mappings.formats import safe_xml
from mappings.formats.faults import XmlRefused

_XHTML = "http://www.w3.org/1999/xhtml}"
_SAME = {
    f"{_XHTML}{ours}": theirs
    for ours, theirs in (
        ("table", "table"),
        ("thead", "thead"),
        ("tbody", "tbody"),
        ("tr", "tr"),
        ("th", "th"),
        ("td", "td"),
        ("br", "br"),
        ("p", "paragraph"),
        ("span", "content"),
    )
}
_NAME = re.compile(r"[^\W\d][\w.-]*")


class Block:
    """The narrative of one section.

    A cell with an id can be pointed to; ids stay what they are, unless another section has the same one, or XML has no place
    for it. `taken` are the ids of the document so far. Raises `NarrativeUnsupported`, `XmlRefused`.
    """

    def __init__(self, div: str, number: int, taken: set[str]) -> None:
        self._number = number
        self._taken = taken
        self._keys: dict[str, str] = {}
        reading = _Reading(self._name)
        safe_xml.tell(div, reading.start, reading.end, reading.text, reading.other)
        self._style = attribute("styleCode", reading.classes) if reading.classes else ""
        self._rows = reading.rows
        self._inner = "".join(reading.written)
        self._whole = ""
        self._used: set[int] = set()

    @property
    def markup(self) -> Markup:
        """The `text` element; it has an id of its own once something points to the whole of it."""
        name = (f' ID="{self._whole}"' if self._whole else "") + self._style
        return (f"<text{name}>{self._inner}</text>" if self._inner else f"<text{name}/>",)

    def _name(self, key: str) -> str:
        name = key if _NAME.fullmatch(key) else "N." + re.sub(r"[^\w.-]", "_", key)
        if name in self._taken:
            name = f"{name}.{self._number}"
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        self._keys.setdefault(key, name)
        return name

    # ---- what an entry points to ----

    def key(self, keys: Iterable[str]) -> str:
        """Give the id of the cell that has one of the keys; `""` when there is none."""
        return next((self._keys[key] for key in keys if key in self._keys), "")

    def saying(self, words: Iterable[str], value: str = "") -> str:
        """Give the id of the cell that says one of some words, the first row that no entry has taken yet; of its row the cell
        that says the value, when there is one."""
        for said in words:
            n, found = self._exactly(said) or self._containing(said)
            if found:
                row = self._rows[n]
                if len(row) > 1:
                    self._used.add(n)
                others = (name for name, text in row if name != found and value and text.startswith(value))
                return next(others, found)
        return ""

    def _exactly(self, said: str) -> tuple[int, str] | None:
        """Give the first free row that has a cell with these words alone, and the id of the cell."""
        for n, name in self._saying.get(said, ()):
            if n not in self._used:
                return n, name
        return None

    @cached_property
    def _saying(self) -> Mapping[str, Sequence[tuple[int, str]]]:
        """What a cell says → its row and its id, of every cell that says it."""
        found: dict[str, list[tuple[int, str]]] = {}
        for n, row in enumerate(self._rows):
            for name, text in row:
                found.setdefault(text, []).append((n, name))
        return found

    def _containing(self, said: str) -> tuple[int, str]:
        """Give the first free row that says some words among others, and the id of its cell."""
        if len(said) > 3 and said in self._all:
            for n, row in enumerate(self._rows):
                if n not in self._used:
                    for name, text in row:
                        if said in text:
                            return n, name
        return -1, ""

    def showing(self, value: str) -> str:
        """Give the id of the first cell that shows a value, alone or among other words; `""` when there is none."""
        alone = self._saying.get(value) if len(value) > 1 else None
        if alone:
            return alone[0][1]
        if len(value) <= 3 or value not in self._all:
            return ""
        return next((name for row in self._rows for name, text in row if value in text), "")

    @cached_property
    def _all(self) -> str:
        """What all cells say: most words that no cell contains are not in here."""
        return "\n".join(text for row in self._rows for _, text in row)

    def whole(self) -> str:
        """Give the id of the narrative itself."""
        if not self._whole:
            self._whole = f"S.{self._number}"
            self._taken.add(self._whole)
        return self._whole


class _Reading:
    """Writes what stands inside the division, and notes which cell of which row says what."""

    def __init__(self, name: Callable[[str], str]) -> None:
        self.classes = ""
        self.written: list[str] = []
        self.rows: list[list[tuple[str, str]]] = []
        self._name = name
        self._row: list[tuple[str, str]] = []
        self._said: list[str] = []
        self._open: list[tuple[str, str, list[tuple[str, str]], int, int]] = []
        self._empty = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = _SAME.get(tag)
        if not self._open:
            if tag != f"{_XHTML}div":
                raise NarrativeUnsupported("div")
            self.classes = attributes.get("class", "")
            self._open.append(("", "", self._row, 0, 0))
            return
        if name is None:
            said = tag.removeprefix(_XHTML)
            raise NarrativeUnsupported(said if said.isalnum() else "")
        if len(self._open) > safe_xml.MAX_DEPTH:
            raise XmlRefused("", f"deeper than {safe_xml.MAX_DEPTH} elements")
        if self._empty:
            self.written.append(">")
        self._empty = True
        if name == "tr":
            self._row = []
            self.rows.append(self._row)
        head, key = f"<{name}", ""
        if attributes:
            if key := attributes.get("id", ""):
                key = self._name(key)
                head += f' ID="{key}"'
                self._row.append((key, ""))
            if classes := attributes.get("class"):
                head += attribute("styleCode", classes)
        self.written.append(head)
        self._open.append((name, key, self._row, len(self._row) - 1, len(self._said)))

    def text(self, text: str) -> None:
        if self._empty:
            self._empty = False
            self.written.append(">")
        self._said.append(text)
        self.written.append(escape(text))

    def end(self, _tag: str) -> None:
        name, key, row, place, since = self._open.pop()
        if name:
            self.written.append("/>" if self._empty else f"</{name}>")
        self._empty = False
        if key:
            row[place] = (key, "".join(self._said[since:]))

    def other(self, *_: object) -> None:
        """Refuse what is neither an element nor text."""
        raise NarrativeUnsupported("")
