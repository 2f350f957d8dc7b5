"""Parse XML from strangers: the only door to a parser in the product.

Nothing outside the given bytes is ever read: no DTD (so no entities of the sender's making), no network, no inclusion. Does not
validate against a schema.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from typing import BinaryIO, cast
from xml.parsers import expat

from lxml import etree

from mappings.formats.faults import XmlRefused

MAX_SIZE = 64 * 1024**2
MAX_DEPTH = 256
_LIBRARY_SIZE = 10_000_000
"""Above this length of one text libxml2 wants to be told that a huge document is meant."""
_LIBRARY_DEPTH = 256
"""Deeper than this libxml2 goes only when a huge document is meant."""

_PROLOG = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:(?:<\?.*?\?>|<!--.*?-->)\s*)*+", re.DOTALL)


def parse(data: bytes, max_size: int = MAX_SIZE, max_depth: int = MAX_DEPTH) -> etree._Element:
    """Give the root element, or raise XmlRefused; `where` is the line when there is one.

    Comments, processing instructions, CDATA and white space are kept, so that what was signed can be checked as it came.
    """
    if not data:
        raise XmlRefused("", "empty")
    if len(data) > max_size:
        raise XmlRefused("", f"more than {max_size} bytes")
    if _has_doctype(data):
        raise XmlRefused("", "a DTD is not accepted")
    huge = len(data) > _LIBRARY_SIZE
    try:
        root = etree.fromstring(data, _parser(huge))
    except etree.XMLSyntaxError as problem:
        raise _refused(problem) from None
    except (ValueError, LookupError):
        raise XmlRefused("line 1", "not well-formed") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise XmlRefused("", "a DTD is not accepted")
    if (huge or max_depth < _LIBRARY_DEPTH) and _deeper_than(max_depth)(root):
        raise XmlRefused("", f"deeper than {max_depth} elements")
    return root


def tell(
    text: str,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    said: Callable[[str], None],
    other: Callable[..., None],
) -> None:
    """Tell of one element after the other, named `{name space}tag` without the first brace; makes no tree.

    For many small pieces, which it reads in half the time of `parse`. `other` hears of comments and processing
    instructions. Raises XmlRefused, and whatever those who are told raise.
    """
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, said
    parser.CommentHandler = parser.ProcessingInstructionHandler = other
    parser.StartDoctypeDeclHandler = _no_dtd
    try:
        parser.Parse(text, True)
    except expat.ExpatError as problem:
        raise XmlRefused(f"line {problem.lineno}", "not well-formed") from None
    except UnicodeEncodeError:
        raise XmlRefused("line 1", _SAID["ERR_INVALID_CHAR"]) from None


def _no_dtd(*_: object) -> None:
    raise XmlRefused("", "a DTD is not accepted")


def stream(source: BinaryIO, names: Collection[str], max_depth: int = MAX_DEPTH) -> Iterator[etree._Element]:
    """Give every element with one of the local `names`, whole, as soon as it ends, and at last the root.

    For files too large to hold: what was given is forgotten, so memory is that of the largest such element, and `names` are the
    records of the file; between two of them lie at most MAX_SIZE bytes. Raises XmlRefused, also after elements were given.
    """
    begun = source.read(_PROLOG_SIZE)
    if not begun:
        raise XmlRefused("", "empty")
    if _has_doctype(begun):
        raise XmlRefused("", "a DTD is not accepted")
    parser = etree.XMLPullParser(
        ("start", "end"), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True, collect_ids=False
    )
    depth, held = 0, 0
    root: etree._Element | None = None
    try:
        while begun:
            held += len(begun)
            if held > MAX_SIZE + _CHUNK:
                raise XmlRefused("", f"more than {MAX_SIZE} bytes in one record")
            parser.feed(begun)
            for event, found in parser.read_events():
                element = cast("etree._Element", found)
                if event == "start":
                    depth += 1
                    if root is None:
                        root = element
                        if element.getroottree().docinfo.internalDTD is not None:
                            raise XmlRefused("", "a DTD is not accepted")
                    if depth > max_depth:
                        raise XmlRefused("", f"deeper than {max_depth} elements")
                    continue
                depth -= 1
                if depth and element.tag.rpartition("}")[2] in names:
                    yield element
                    _forget(element)
                    held = 0
            begun = source.read(_CHUNK)
        root = parser.close()
    except etree.XMLSyntaxError as problem:
        raise _refused(problem) from None
    except (ValueError, LookupError):
        raise XmlRefused("line 1", "not well-formed") from None
    yield root


_CHUNK = 1 << 16
_PROLOG_SIZE = 1 << 16


def _forget(element: etree._Element) -> None:
    """Free what an element held and its elder siblings; the element stays, empty, so that its parent can go on."""
    tail = element.tail
    element.clear()
    element.tail = tail
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


_NOT_OF_ITS_CHARSET = "bytes that are not of its charset"
_CHARSET_UNKNOWN = "a charset nobody knows"
WRONG_CHARSET = frozenset({_NOT_OF_ITS_CHARSET, _CHARSET_UNKNOWN})
"""Details of XmlRefused that speak of the charset."""
_SAID = {
    "ERR_DOCUMENT_EMPTY": "not XML: no element",
    "ERR_TAG_NOT_FINISHED": "cut off",
    "ERR_DOCUMENT_END": "more after the end",
    "ERR_INVALID_ENCODING": _NOT_OF_ITS_CHARSET,
    "I18N_CONV_FAILED": _NOT_OF_ITS_CHARSET,
    "ERR_INVALID_CHAR": "a character that XML does not have",
    "ERR_UNSUPPORTED_ENCODING": _CHARSET_UNKNOWN,
    "ERR_UNKNOWN_ENCODING": _CHARSET_UNKNOWN,
    "ERR_RESOURCE_LIMIT": "too large or too deep",
}
"""What the library calls it → what a sender can do something about; the rest keeps the library's name."""


def _refused(problem: etree.XMLSyntaxError) -> XmlRefused:
    last = getattr(problem.error_log, "last_error", None)  # its message may quote the content, its type does not
    return XmlRefused(
        f"line {problem.lineno or 1}", _SAID.get(last.type_name, last.type_name) if last else "not well-formed"
    )


def _has_doctype(data: bytes) -> bool:
    """Look at the prolog only: `<!DOCTYPE` inside CDATA or a comment is content."""
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = (
        data.decode("utf-16", "replace").encode() if wide else data
    )  # else no copy: it would cost as much as the parse
    prolog = _PROLOG.match(text)
    return prolog is not None and text.startswith(b"<!DOCTYPE", prolog.end())


_parsers = threading.local()
"""One parser per thread and size: making one costs a twentieth of what it parses, and two threads cannot share one."""


def _parser(huge: bool) -> etree.XMLParser:
    name = "huge" if huge else "usual"
    found: etree.XMLParser | None = getattr(_parsers, name, None)
    if found is None:
        found = etree.XMLParser(
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            huge_tree=huge,
            strip_cdata=False,
            collect_ids=False,  # only XPath's id() asks for them, and only a DTD declares any but xml:id
        )
        setattr(_parsers, name, found)
    return found


@lru_cache(maxsize=8)
def _deeper_than(depth: int) -> etree.XPath:
    return etree.XPath(f"boolean({'/*' * (depth + 1)})")
