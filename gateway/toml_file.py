"""A TOML file that remembers where its keys stand, so that a problem can be told by file and line."""

from __future__ import annotations

import re
import tomllib
from typing import Any


class TomlFile:
    """A TOML file with the line of each of its keys."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.table: dict[str, Any] = tomllib.loads(text)
        self._lines = _key_lines(text)

    def where(self, path: str) -> str:
        """Return `file:line` of a key, of the nearest table above it when the key is absent, else of the file."""
        while path:
            if path in self._lines:
                return f"{self.name}:{self._lines[path]}"
            path = path.rpartition(".")[0]
        return f"{self.name}:1"


def _key_lines(text: str) -> dict[str, int]:
    """Map `table.key` and `table[0].key` to their 1-based lines, well enough to point a person there."""
    lines: dict[str, int] = {}
    arrays: dict[str, int] = {}
    prefix = ""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if header := re.match(r"^\[\[\s*([^\]]+?)\s*\]\]", stripped):
            arrays[header[1]] = arrays.get(header[1], -1) + 1
            prefix = f"{header[1]}[{arrays[header[1]]}]"
            lines[prefix] = number
        elif header := re.match(r"^\[\s*([^\]]+?)\s*\]", stripped):
            prefix = header[1]
            for array, index in arrays.items():
                if prefix.startswith(f"{array}."):
                    prefix = f"{array}[{index}]{prefix[len(array) :]}"
            lines[prefix] = number
        elif key := re.match(r"^([A-Za-z0-9_.-]+)\s*=\s*(.*)", stripped):
            path = f"{prefix}.{key[1]}".lstrip(".")
            lines.setdefault(path, number)
            for inner in re.findall(r"[{,]\s*([A-Za-z0-9_-]+)\s*=", key[2]):
                lines.setdefault(f"{path}.{inner}", number)
    return lines
