"""Give a paper in the form somebody wants to see: signed bytes as they are, pages made of them, or a preview.

An issued paper is never composed anew: its pages are made of the bytes that were signed, and show only signatures that were
checked just now. Requirement: S3.9.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway import steps
from gateway.clock import to_datetime
from gateway.faults import NothingThere
from gateway.settings import Plan
from gateway.store import documents
from mappings.cda import html as page
from mappings.cda.pdf import pdf
from mappings.documents import Context
from mappings.formats import json
from mappings.outcome import Resource
from signing import joint
from signing.certificates import load_roots
from signing.policy import SEAL

KINDS = ("cda", "fhir", "gdbhyt", "html", "pdf")
"""What a paper can be given as."""
_SLOTS = {SEAL: "legal", "director": "legal", "treating_doctor": "professional"}
"""Role of a signer → the place of its block on the form; further ones stand beside."""
_SUFFIX = {"cda": "cda.xml", "fhir": "fhir.json", "gdbhyt": "gdbhyt.xml", "html": "html", "pdf": "pdf"}


@dataclass(frozen=True)
class Source:
    """A paper with what its renditions are made of."""

    version: int
    """0 for a preview."""
    signed: bool
    bodies: Mapping[str, bytes]
    """Kind of rendition → final bytes."""
    options: page.Options


def stored(connection: Connection, plan: Plan, row: Row[Any], printed: tuple[int, str] | None = None) -> Source:
    """Open an issued paper; signatures are shown when they verify against the node's own roots.

    `printed` says when and by whom it is turned into paper; then the page says what such a copy must say.
    """
    bodies = {
        one.kind: plan.keyring.open(one.body, f"{row.id}/{one.kind}")
        for one in documents.renditions(connection, row.id)
    }
    stamp = {"cancel": page.Stamp.CANCELLED, "reissue": page.Stamp.REISSUED}.get(row.act)
    code = hashlib.sha256(bodies["cda"]).hexdigest()
    copy = printed and page.Copy("Liên Thông", plan.facility.name, code, to_datetime(printed[0]), printed[1])
    options = page.Options(
        signatures=_signatures(connection, plan, row, bodies["cda"]),
        stamp=stamp,
        copy=copy,
        verify_at=plan.facility.verify_at,
        code=code,
    )
    return Source(row.version, True, bodies, options)


def _signatures(connection: Connection, plan: Plan, row: Row[Any], cda: bytes) -> tuple[page.Signed, ...]:
    """Give the block of everybody who signed, when all the signatures verify."""
    kept = {
        one.certificate_sha256: one
        for one in documents.signatures(connection, row.id)
        if one.kind == "cda" and one.voided_at is None
    }
    sealed_at = to_datetime(row.signed_at)
    blocks: list[page.Signed] = []
    for signed in joint.signers(cda, load_roots(plan.signing.trust), sealed_at):
        one = kept.get(signed.sha256)
        slot = _SLOTS.get(one.role if one else SEAL, "other")
        at = to_datetime(one.signed_at) if one else sealed_at
        blocks.append(page.Signed(slot, signed.name, signed.title, at, signed.serial))
    return tuple(blocks)


def preview(paper: str, subject: str, record: Sequence[Resource], context: Context, plan: Plan) -> Source:
    """Compose a paper that is not issued, to be looked at: nothing of it is kept, and its pages say that it is a draft.

    Raises the faults of composing.
    """
    head = plan.facility.head_licence
    made = steps.compose(
        paper, subject, json.dumps(list(record)), context, head, realm=plan.cda, insurance=plan.insurance
    )
    return Source(0, False, made.renditions, page.Options(stamp=page.Stamp.DRAFT))


def render(source: Source, kind: str) -> tuple[str, bytes]:
    """Give the suffix of the file and its bytes; raises NothingThere for a rendition this paper does not have."""
    if kind == "html":
        return _SUFFIX[kind], page.html(source.bodies["cda"], source.options)
    if kind == "pdf":
        return _SUFFIX[kind], pdf(source.bodies["cda"], source.options)
    if kind not in source.bodies:
        raise NothingThere(kind)
    return _SUFFIX[kind], source.bodies[kind]
