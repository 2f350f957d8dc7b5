"""Mapping to FHIR on one core: parse, map, account for every field, check every resource."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.resources import files

from benchmarks.figures import Row, per_call_us
from benchmarks.peers import peers
from conformance.scenarios.load import oru, small_adt
from mappings import codes, hl7v2
from mappings.fhir import require_valid, vocabulary
from mappings.formats import er7, json

CONTEXT = hl7v2.Context("01999", message_id="0197f000-0000-7000-8000-000000000000")


def mapped(raw: bytes, *, check: bool, forgetful: bool = False) -> Callable[[], object]:
    """Do what the pipeline does with a message, up to the bytes that it stores.

    `forgetful`: with no coded value remembered from the messages before.
    """

    def work() -> bytes:
        if forgetful:
            codes.forget()
        outcome = hl7v2.map_message(er7.Message.parse(raw), CONTEXT)
        if check:
            for resource in outcome.resources:
                require_valid(resource)
        return json.dumps(list(outcome.resources))

    return work


def measure() -> list[Row]:
    rows: list[Row] = []
    whole: dict[str, float] = {}
    for name, raw, aim in (
        ("ADT", small_adt(), 500.0),
        ("ORU, 30 OBX", oru(30), 3000.0),
        ("ORU, 200 OBX", oru(200), 0.0),
    ):
        plain = per_call_us(mapped(raw, check=False))
        checked = whole[name] = per_call_us(mapped(raw, check=True))
        rows.append(Row(f"{name}: parse, map, account", plain, "us"))
        if aim:
            rows.append(Row(f"{name}: the same, and check", checked, "us", f"the aim of {aim:.0f} us", checked / aim))
        else:
            per_obx = checked / 200 / (whole["ORU, 30 OBX"] / 30)
            rows.append(Row(f"{name}: the same, and check", checked, "us", "each OBX, of one among 30", per_obx))
        strange = per_call_us(mapped(raw, check=True, forgetful=True))
        rows.append(
            Row(f"{name}: the same, every code for the first time", strange, "us", "the above", strange / checked)
        )
        for peer, microseconds in peers(raw).items():
            rows.append(
                Row(f"{name}: {peer}, parsing alone", microseconds, "us", "our whole way", microseconds / checked)
            )
    rows.extend(_tables_read())
    imported = _import_ms()
    rows.append(Row("import of all mappings of HL7 v2", imported, "ms", "the aim of 400 ms", imported / 400))
    return rows


def _tables_read() -> list[Row]:
    """Read what is read once in a process, beside the library that does the reading."""

    def ours() -> None:
        codes.table.cache_clear()
        codes.preload()

    def bare() -> None:
        for name in codes.names():
            list(csv.reader(files(codes).joinpath(f"{name}.csv").read_text(encoding="utf-8").splitlines()))

    def vocabularies() -> None:
        vocabulary._texts.cache_clear()
        vocabulary._texts()

    tables, lines, shipped = per_call_us(ours), per_call_us(bare), per_call_us(vocabularies)
    return [
        Row("every table of codes, read", tables, "us", "csv.reader alone", tables / lines),
        Row("the vocabularies of FHIR, opened", shipped, "us", "reading the tables of codes", shipped / tables),
    ]


def _import_ms() -> float:
    """Give what importing costs a fresh interpreter, the interpreter itself taken off; the median of five."""

    def took(code: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - started

    samples = sorted(took("from mappings.hl7v2 import mappers; mappers()") - took("pass") for _ in range(5))
    return samples[2] * 1000
