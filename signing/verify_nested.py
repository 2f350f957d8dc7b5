"""Signed papers inside a file of social insurance or of health check-ups: the base64 of `NOIDUNGFILE` may have signatures too.

The signature of the file vouches for the base64; that of a table inside (the referral's, in its reserve field) is its signer's
own and is judged as if the table came alone. Tables without a signature are nothing to judge.

Not here: XML that stands in `NOIDUNGFILE` unencoded, as older producers wrote it: a signature in it is not at a place for
signatures.

Standard: QĐ 3176/QĐ-BYT; QĐ 2062/QĐ-BYT
Requirement: S0.10
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace

from mappings.formats import safe_xml
from mappings.formats.faults import SigningFault, XmlRefused
from signing import verify_xml, xml_parts
from signing.faults import DocumentUnreadable, NotSigned
from signing.verdict import DOCUMENT, Covered, Held

_ROOTS = (b"GIAMDINHHS", b"KHAMSUCKHOE")


def read(xml: bytes) -> list[Held | SigningFault]:
    """Return what the signatures inside the files of `xml` vouch for; nothing for XML of another kind."""
    if not any(root in xml[:4096] for root in _ROOTS):
        return []
    try:
        root = safe_xml.parse(xml)
    except XmlRefused as problem:
        raise DocumentUnreadable(problem.where, problem.detail) from problem
    if xml_parts.name_of(root).encode() not in _ROOTS:
        return []
    found: list[Held | SigningFault] = []
    for number, record in enumerate(root.iterfind("{*}THONGTINHOSO/{*}DANHSACHHOSO/{*}HOSO"), 1):
        for file in record.iterfind("{*}FILEHOSO"):
            kind = (file.findtext("{*}LOAIHOSO") or "")[:8]
            part = f"{kind if kind.isalnum() else 'FILEHOSO'} in HOSO {number}"
            found += _inside(file.findtext("{*}NOIDUNGFILE") or "", part)
    return found


def _inside(text: str, part: str) -> Iterator[Held | SigningFault]:
    try:
        table = b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return
    if b"Signature" not in table:
        return
    try:
        held = verify_xml.read(table)
    except NotSigned:
        return
    except SigningFault as fault:
        yield type(fault)(f"{part}: {fault.where}", fault.detail)
        return
    for one in held:
        if isinstance(one, Held):
            covers = tuple(Covered(part if c.part == DOCUMENT else f"{part}: {c.part}", c.data) for c in one.covers)
            yield replace(one, where=f"{part}: {one.where}", covers=covers)
        else:
            yield type(one)(f"{part}: {one.where}", one.detail)
