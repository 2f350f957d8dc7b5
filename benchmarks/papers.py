"""Papers: each against one bare RSA-2048 signature; a summary of 40 entries, and one of 40 resources, against
reading and canonicalising its bytes."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from lxml import etree

from benchmarks.figures import Row, in_turns, per_call_us
from conformance.sandbox.ca import DemoCA
from conformance.scenarios.hospital_day import hospital_day
from gateway import steps
from mappings import cda, documents, hl7v2
from mappings.cda.html import html
from mappings.cda.pdf import pdf
from mappings.documents import Facility
from mappings.formats import er7, json
from mappings.outcome import Resource
from signing import xmldsig
from signing.keys import open_key


def samples() -> dict[str, tuple[str, list[Resource]]]:
    """Take one subject and record per paper from a hospital's day."""
    context = hl7v2.Context("01999")
    records: dict[str, dict[tuple[str, str], Resource]] = {}
    found: dict[str, tuple[str, list[Resource]]] = {}
    day = hospital_day(encounters=60)
    papers = sorted(day.expected_papers())
    for event in day.events:
        if event.expect != "accepted":
            continue
        message = er7.Message.parse(event.raw)
        outcome = hl7v2.map_message(message, context)
        record = records.setdefault(outcome.patient_id or "", {})
        record.update({(r["resourceType"], r["id"]): r for r in outcome.resources})
        for paper in papers:
            for subject in documents.due(paper, event.label, outcome.resources):
                found.setdefault(paper, (subject, list(record.values())))
    return found


def measure() -> list[Row]:
    facility = Facility("01999", "Bệnh viện Đa khoa Liên Thông", "SỞ Y TẾ HÀ NỘI", "1 phố Liên Thông", "")
    context = documents.Context(
        facility=facility,
        systems=hl7v2.Context("01999").systems,
        issued_at=datetime(2026, 11, 21, tzinfo=UTC),
        number="0197f000-0000-7000-8000-000000000000",
    )
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        identity = DemoCA(Path(folder)).issue("Bệnh viện", organisation="Bệnh viện")
        file = Path(folder) / "key.p12"
        file.write_bytes(identity.pkcs12("x"))
        key = open_key("pkcs12", {"file": str(file), "password": "x"})
    bare = per_call_us(lambda: key.sign(b"x" * 400))
    rows.append(Row("bare RSA-2048 signature", bare, "us"))
    for paper, (subject, record) in sorted(samples().items()):
        packed = json.dumps(record)
        compose = per_call_us(lambda s=subject, p=paper, r=packed: steps.compose(p, s, r, context, "000001/HNO-CCHN"))  # type: ignore[misc]
        unsigned = cda.render(documents.compose(paper, subject, record, context))
        sign = per_call_us(lambda u=unsigned: xmldsig.sign(u, key))  # type: ignore[misc]
        show = per_call_us(lambda u=unsigned: html(u))  # type: ignore[misc]  # mypy infers no lambda defaults
        rows += [
            Row(f"{paper}: HTML of {len(unsigned) / 1024:.0f} KB of CDA", show, "us", "bare signature", show / bare),
            Row(f"{paper}: compose, check, render CDA and XML", compose, "us", "bare signature", compose / bare),
            Row(f"{paper}: sign {len(unsigned) / 1024:.0f} KB of CDA", sign, "us", "bare signature", sign / bare),
        ]
    return [*rows, *_summary(context, _entries, "entries"), *_summary(context, _resources, "resources")]


def _summary(context: documents.Context, size: Callable[[Resource], int], of: str) -> list[Row]:
    """Measure the health summary of the fullest visit of the day, cut to `MOST`, step by step, each in its turn."""
    subject, record = max(_visits(), key=lambda pair: len(pair[1]))
    results = [r for r in record if r["resourceType"] in ("Observation", "DiagnosticReport")]

    def composed(kept: int) -> Resource:
        left_out = {id(r) for r in results[kept:]}
        return documents.compose("health_summary", subject, [r for r in record if id(r) not in left_out], context)

    kept = next(n for n in range(len(results), -1, -1) if size(composed(n)) <= MOST)
    left_out = {id(r) for r in results[kept:]}
    record = [r for r in record if id(r) not in left_out]
    bundle = composed(kept)
    written = cda.render(bundle)
    gc.collect()
    gc.freeze()
    least = in_turns(
        {
            "lxml parse and canonicalise": lambda: etree.tostring(etree.fromstring(written), method="c14n"),
            "Bundle": lambda: documents.compose("health_summary", subject, record, context),
            "CDA": lambda: cda.render(bundle),
            "HTML": lambda: html(written),
        }
    )
    floor = least.pop("lxml parse and canonicalise")
    title = f"summary of {size(bundle)} {of}, {len(written) / 1024:.0f} KB, least"
    return [
        Row(f"{title}: lxml parse and canonicalise", floor, "us"),
        *(Row(f"{title}: {step}", us, "us", "parse and c14n", us / floor) for step, us in least.items()),
        Row(f"{title}: PDF", per_call_us(lambda: pdf(written), seconds=2), "us", "parse and c14n"),
    ]


MOST = 40
"""Entries in the sections of a summary, or resources of its Bundle."""


def _entries(bundle: Resource) -> int:
    return sum(len(section.get("entry", ())) for section in bundle["entry"][0]["resource"]["section"])


def _resources(bundle: Resource) -> int:
    return len(bundle["entry"])


def _visits() -> list[tuple[str, list[Resource]]]:
    """Give every visit of the day that ended, with all that was said of its patient."""
    records: dict[str, dict[tuple[str, str], Resource]] = {}
    visits: dict[str, str] = {}
    for event in hospital_day(encounters=60).events:
        if event.expect != "accepted":
            continue
        outcome = hl7v2.map_message(er7.Message.parse(event.raw), hl7v2.Context("01999"))
        record = records.setdefault(outcome.patient_id or "", {})
        record.update({(r["resourceType"], r["id"]): r for r in outcome.resources})
        for subject in documents.due("health_summary", event.label, outcome.resources):
            visits[subject] = outcome.patient_id or ""
    return [(subject, list(records[patient].values())) for subject, patient in visits.items()]
