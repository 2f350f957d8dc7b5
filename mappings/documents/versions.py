"""Tell one version of a paper from another, say why there is a new one, and withdraw one.

What makes two versions the same is what they say: not number, day of issue or who asked for them.

Requirement: S3.10
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from mappings.documents import narrative, wording
from mappings.documents.bundle import VERSION_EXTENSION
from mappings.documents.context import Context
from mappings.formats import json
from mappings.outcome import Resource

_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
OWN_LINES = re.compile(r'<p id="(NGAY_CT|LY_DO_SUA|CAP_LAI)"[^>]*>.*?</p>')
"""What a version says of itself on its face: day of issue, why it replaces another, that it is given out once more."""
_OWN = ("id", "date", "extension", "relatesTo", "identifier")
"""Elements of the Composition that a version has for itself."""


def digest(document: Resource) -> str:
    """Give what two versions of a paper that say the same have in common: a SHA-256 in hexadecimal."""
    composition, *others = (entry["resource"] for entry in document["entry"])
    number = document["identifier"]["value"]
    head = {name: value for name, value in composition.items() if name not in _OWN}
    said = json.canonical([head, *(_content(one) for one in others if one["resourceType"] != "Provenance")])
    text = said.decode().replace(number, "").replace('\\"', '"')
    return hashlib.sha256(OWN_LINES.sub("", text).encode()).hexdigest()


def _content(resource: Resource) -> Mapping[str, Any]:
    return {name: value for name, value in resource.items() if name != "meta"}


def is_given_again(composition: Resource) -> bool:
    """Tell whether a paper says on its face that it is given out once more."""
    texts = (part.get("text", {}).get("div", "") for part in composition.get("section", []))
    return any('<p id="CAP_LAI"' in text for text in texts)


def reason_line(context: Context) -> str:
    """Write why this version replaces another, as markup; `""` for a first version."""
    if not context.replaces or not context.reason:
        return ""
    who = f" Người yêu cầu: {context.by}." if context.by else ""
    return narrative.paragraph(f"Thay thế bản trước. Lý do: {context.reason}.{who}", "LY_DO_SUA")


def provenance(context: Context, facility: Resource, operation: str = "UPDATE") -> Resource | None:
    """Say who replaced which version, when and why; None for a first version.

    `operation` is a code of v3-DataOperation: `UPDATE`, `NULLIFY`.
    """
    if not context.replaces:
        return None
    who = {"display": context.by} if context.by else {"reference": f"Organization/{facility['id']}"}
    replaced = {"system": context.systems.document, "value": context.replaces}
    made: Resource = {
        "resourceType": "Provenance",
        "id": str(uuid5(NAMESPACE_URL, f"{context.number}/provenance")),
        "target": [{"reference": f"Composition/{context.number}"}],
        "recorded": wording.stamp(context.issued_at),
        "activity": {"coding": [{"system": _OPERATION, "code": operation}]},
        "agent": [{"who": who}],
        "entity": [{"role": "revision", "what": {"identifier": replaced}}],
    }
    if context.reason:
        made["reason"] = [{"text": context.reason}]
    return made


def cancel(document: Resource, context: Context) -> Resource:
    """Make the version that withdraws a paper: what it said, marked as entered in error, with the reason on its face.

    `document` is the version withdrawn, `context` names the new one; `context.replaces` is the withdrawn one's number.
    """
    own = context.systems.own
    entries = [dict(entry) for entry in document["entry"] if entry["resource"]["resourceType"] != "Provenance"]
    composition: Resource = dict(entries[0]["resource"])
    who = f" Người hủy: {context.by}." if context.by else ""
    said = f"GIẤY NÀY ĐÃ BỊ HỦY ngày {wording.short_date(wording.stamp(context.issued_at)[:10])}. Lý do: {context.reason}.{who}"
    withdrawal = {
        "title": "Hủy giấy",
        "text": {
            "status": "generated",
            "div": narrative.div(narrative.paragraph(said, "HUY_GIAY"), style="xCancelled"),
        },
    }
    composition |= {
        "id": context.number,
        "status": "entered-in-error",
        "date": wording.stamp(context.issued_at),
        "extension": [{"url": VERSION_EXTENSION, "valueString": str(context.version)}],
        "relatesTo": [
            {
                "code": "replaces",
                "targetIdentifier": {"system": context.systems.document, "value": context.replaces},
            }
        ],
        "section": [withdrawal, *composition["section"]],
    }
    entries[0] = {"fullUrl": f"{own}/Composition/{context.number}", "resource": composition}
    facility = next(
        entry["resource"] for entry in entries if entry["fullUrl"] == f"{own}/{composition['custodian']['reference']}"
    )
    told = provenance(context, facility, "NULLIFY")
    if told is not None:
        entries.append({"fullUrl": f"{own}/Provenance/{told['id']}", "resource": told})
    return {
        "resourceType": "Bundle",
        "id": context.number,
        "language": "vi",
        "identifier": {"system": context.systems.document, "value": context.number},
        "type": "document",
        "timestamp": wording.stamp(context.issued_at),
        "entry": entries,
    }
