"""Make text fit for JSON and XML: composed characters (NFC), one kind of line end, nothing XML cannot hold.

Requirement: S2.9
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

_FORBIDDEN = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
REPLACEMENT = "\ufffd"


class Cleaner:
    """Clean texts and remember whether anything had to be replaced."""

    def __init__(self) -> None:
        self.replaced = False

    def text(self, text: str) -> str:
        """Give the text in NFC; characters that XML 1.0 forbids become U+FFFD, which a reader can see."""
        if text.isprintable() and unicodedata.is_normalized("NFC", text):
            return text
        text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
        clean, count = _FORBIDDEN.subn(REPLACEMENT, text)
        self.replaced = self.replaced or count > 0
        return clean

    def value(self, value: Any) -> Any:
        """Clean every text in a JSON-shaped value; the value itself is left alone."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {name: self.value(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self.value(part) for part in value]
        return value
