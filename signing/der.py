"""Walk the elements of ASN.1 bytes from strangers: where each begins and ends, and no meaning.

For what is read for every signature; asn1crypto, which knows the meaning of everything, takes ten times as long. Lengths may
be indefinite, as BER has them: some authorities write CMS so.

Standard: ITU-T X.690 §8.1
"""

from __future__ import annotations

from collections.abc import Iterator

_DEPTH = 16
"""Of elements of indefinite length in each other: each level is walked once more."""


class Element:
    """One element of `data`; what is inside is looked at when it is asked for."""

    __slots__ = ("begin", "data", "end", "start", "stop", "tag")

    def __init__(self, data: bytes, start: int, limit: int, depth: int = 0) -> None:
        """Read the element that begins at `start`; raise ValueError when it does not end before `limit`."""
        if limit - start < 2:
            raise ValueError("cut off")
        self.data, self.start, self.tag = data, start, data[start]
        if self.tag & 0x1F == 0x1F:
            raise ValueError("a tag of several bytes")
        size, self.begin = data[start + 1], start + 2
        if size == 0x80:
            self._find_end(limit, depth)
            return
        if size > 0x80:
            count = size & 0x7F
            if count > 4:
                raise ValueError("too long")
            size = int.from_bytes(data[self.begin : self.begin + count])
            self.begin += count
        self.end = self.stop = self.begin + size
        if self.stop > limit:
            raise ValueError("cut off")

    def _find_end(self, limit: int, depth: int) -> None:
        if not self.tag & 0x20 or depth >= _DEPTH:
            raise ValueError("of indefinite length and not constructed, or too deep")
        at = self.begin
        while self.data[at : at + 2] != b"\0\0":
            at = Element(self.data, at, limit, depth + 1).stop
        self.end, self.stop = at, at + 2
        if self.stop > limit:
            raise ValueError("cut off")

    @property
    def whole(self) -> bytes:
        """Its bytes, tag and length included."""
        return self.data[self.start : self.stop]

    @property
    def content(self) -> bytes:
        """Its bytes without tag and length."""
        return self.data[self.begin : self.end]

    @property
    def number(self) -> int:
        """The value of an INTEGER."""
        if self.tag != 0x02 or self.begin == self.end:
            raise ValueError("no INTEGER")
        return int.from_bytes(self.content, signed=True)

    @property
    def octets(self) -> bytes:
        """The value of an OCTET STRING, also of one in pieces."""
        if self.tag == 0x24:
            return b"".join(one.octets for one in self)
        if self.tag != 0x04:
            raise ValueError("no OCTET STRING")
        return self.content

    def under(self, tag: int) -> bytes:
        """Return the same content under another tag, with a definite length."""
        if self.end == self.stop:
            return bytes((tag,)) + self.data[self.start + 1 : self.stop]
        return tagged(tag, self.content)

    def inside(self, tag: int) -> list[Element]:
        """Return what an element of this tag holds; raise ValueError when it has another."""
        if self.tag != tag:
            raise ValueError(f"tag {self.tag:#x}, not {tag:#x}")
        return list(self)

    def __iter__(self) -> Iterator[Element]:
        if not self.tag & 0x20:
            raise ValueError("not constructed")
        at = self.begin
        while at < self.end:
            one = Element(self.data, at, self.end)
            yield one
            at = one.stop


def tagged(tag: int, *parts: bytes) -> bytes:
    """Write an element of this tag around `parts`, with a definite length."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def element(data: bytes) -> Element:
    """Return the one element that `data` is; raise ValueError when there is less or more."""
    found = Element(data, 0, len(data))
    if found.stop != len(data):
        raise ValueError("more behind it")
    return found
