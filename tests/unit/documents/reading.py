"""Read what a composed paper shows: the rows of its narratives, in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lxml import etree

from mappings.documents import form
from mappings.formats import safe_xml
from mappings.outcome import Resource

_H = "{http://www.w3.org/1999/xhtml}"


def composition(bundle: Resource) -> dict[str, Any]:
    found: dict[str, Any] = bundle["entry"][0]["resource"]
    return found


def divs(bundle: Resource) -> Iterator[etree._Element]:
    for section in composition(bundle)["section"]:
        yield safe_xml.parse(section["text"]["div"].encode())


def text_of(node: etree._Element) -> str:
    for line_end in node.iter(f"{_H}br"):
        line_end.text = "\n"
    return "".join(str(part) for part in node.itertext())


def titles(paper: str) -> set[str]:
    """Give every title a paper may have."""
    sheet = form.form(paper)
    return {sheet.title, *(title for edition in sheet.editions for title in edition.titles.values())}


def labels(bundle: Resource) -> list[str]:
    """Give the labels of rows in the order they are shown; signature blocks and tables left out."""
    rows = [row for div in list(divs(bundle))[:-1] for row in div.iter(f"{_H}tr")]
    return [text_of(row[0]) for row in rows if row[0].tag == f"{_H}th" and row[-1].tag == f"{_H}td"]


def cells(bundle: Resource) -> dict[str, str]:
    """Give key → text of every cell that has a key."""
    nodes = [node for div in divs(bundle) for node in div.iter()]
    return {key: text_of(node) for node in nodes if (key := node.get("id"))}


def table(bundle: Resource) -> list[list[str]]:
    """Give the lines of the one table with a head, the head first."""
    for div in divs(bundle):
        for found in div.iter(f"{_H}table"):
            if found.find(f"{_H}thead") is not None:
                return [[text_of(cell) for cell in row] for row in found.iter(f"{_H}tr")]
    return []
