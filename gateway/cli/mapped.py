"""One message, what became of it, and the account of its fields, as `lienthong map` tells it. Does not print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gateway import lab_steps, result_steps
from gateway.cli.output import said
from gateway.faults import InternalFault
from gateway.safe_log import describe
from mappings.fhir import require_valid
from mappings.formats import astm, er7
from mappings.formats.er7_header import read_header
from mappings.formats.faults import Fault
from mappings.hl7v2 import Context, map_message, outcome_to_bundle, targets, trigger_of
from mappings.lab.layout import Layout
from mappings.lab.report import cell
from mappings.lab.rows import Row, read_rows, split_reports
from mappings.outcome import Outcome

STATES = ("mapped", "ignored", "unknown")


@dataclass
class Mapped:
    """One message and what became of it."""

    file: str
    type: str
    message: er7.Message | astm.Message | None = None
    rows: Sequence[Row] = ()
    """Of a report out of a table of results, in place of the message."""
    outcome: Outcome | None = None
    bundle: dict[str, Any] | None = None
    fault: Fault | None = None

    def fields(self) -> list[dict[str, str]]:
        """List every populated field in the order of the message: position, state, target, reason."""
        message, outcome = self.message, self.outcome
        positions = [cell(row, label) for row in self.rows for label in row.cells]
        if message is not None:
            positions = list(_populated(message))
        found = []
        places = targets.Places(outcome) if outcome else None
        for position in positions:
            entry = {"position": position, "state": "unknown", "target": "", "reason": ""}
            if outcome is None or places is None:
                entry["reason"] = f"LT{self.fault.code:04d}" if self.fault else ""
            elif position in outcome.coverage.mapped:
                target = outcome.coverage.mapped[position]
                entry["state"] = "mapped"
                entry["target"] = ", ".join(places.of(position, target)) or target
            elif position in outcome.coverage.ignored:
                entry["state"], entry["reason"] = "ignored", outcome.coverage.ignored[position]
            else:
                entry["reason"] = outcome.coverage.unknown[position]
            found.append(entry)
        return found

    def as_dict(self) -> dict[str, Any]:
        fields = self.fields()
        counts = {state: sum(entry["state"] == state for entry in fields) for state in STATES}
        notices = self.outcome.notices if self.outcome else ()
        return {
            "file": self.file,
            "type": self.type,
            "outcome": "fault" if self.fault else "mapped",
            "bundle": self.bundle,
            "coverage": {"populated": len(fields), **counts, "fields": fields},
            "faults": [said(self.fault.code, self.fault.where, self.fault.detail)] if self.fault else [],
            "notices": [said(notice.code, notice.where, notice.detail) for notice in notices],
        }


def map_one(name: str, raw: bytes, context: Context, charset: str) -> Mapped:
    """Map one message; whatever goes wrong is a fault of it, never an exception."""
    header = read_header(raw)
    mapped = Mapped(name, f"{header.type}^{header.trigger}".strip("^"))
    if lab_steps.is_records(raw):
        return _map_records(mapped, raw, context, charset)
    try:
        mapped.message = message = er7.Message.parse(raw, charset)
        mapped.type = trigger_of(message)
        outcome = map_message(message, context)
        for resource in (*outcome.about, *outcome.resources):
            require_valid(resource)
        mapped.bundle = outcome_to_bundle(outcome, context)
        mapped.outcome = outcome
    except Fault as fault:
        mapped.fault = fault
    except Exception as error:  # noqa: BLE001 - one message must not end the run over a folder
        mapped.fault = InternalFault(detail=describe(error))
    return mapped


def _map_records(mapped: Mapped, raw: bytes, context: Context, charset: str) -> Mapped:
    mapped.type = lab_steps.FAMILY
    try:
        read = lab_steps.read_records(raw, charset)
        mapped.message = read.message
        mapped.type = lab_steps.kind_of(read)
        outcome = lab_steps.map_records(read, context)
        for resource in (*outcome.about, *outcome.resources):
            require_valid(resource)
        mapped.bundle = outcome_to_bundle(outcome, context) if outcome.about else None
        mapped.outcome = outcome
    except Fault as fault:
        mapped.fault = fault
    except Exception as error:  # noqa: BLE001 - one message must not end the run over a folder
        mapped.fault = InternalFault(detail=describe(error))
    return mapped


def map_table(name: str, raw: bytes, layout: Layout, context: Context) -> Iterator[Mapped]:
    """Map each report of a table of results; a table that cannot be read is one with its fault."""
    try:
        reports = list(split_reports(raw, layout, ""))
    except Fault as fault:
        yield Mapped(name, result_steps.FILE, fault=fault)
        return
    for number, one in enumerate(reports, 1):
        mapped = Mapped(f"{name}#{number}", result_steps.ROWS, rows=read_rows(one.body)[0], fault=one.fault)
        yield mapped if one.fault else _map_report(mapped, one.body, layout, context)


def _map_report(mapped: Mapped, body: bytes, layout: Layout, context: Context) -> Mapped:
    try:
        outcome = result_steps.map_report(body, layout, context, {})
        for resource in (*outcome.about, *outcome.resources):
            require_valid(resource)
        mapped.bundle = outcome_to_bundle(outcome, context)
        mapped.outcome = outcome
    except Fault as fault:
        mapped.fault = fault
    except Exception as error:  # noqa: BLE001 - one report must not end the run over a table
        mapped.fault = InternalFault(detail=describe(error))
    return mapped


def segments_of(message: er7.Message | astm.Message) -> Sequence[er7.Segment | astm.Record]:
    """Give the segments, or the records, of a message."""
    return message.records if isinstance(message, astm.Message) else message.segments


def _populated(message: er7.Message | astm.Message) -> Iterator[str]:
    for segment in segments_of(message):
        position = segment.position()
        yield from (f"{position}-{n}" for n in segment.populated())
