"""Write docs/mapping-coverage.md from the mappings themselves: which fields of which segment go where, ignored or unknown.

    python docs/generate_mapping_coverage.py            write the page
    python docs/generate_mapping_coverage.py --check    exit 1 when the page is not what the mappings do

The first part is measured: every pair of tests/golden is mapped and its fields are counted per message type and segment. The
second part is declared: the tables `MAPPED` and `IGNORED` of each segment's module.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from mappings.formats import astm, er7
from mappings.hl7v2 import Context, map_message, mappers, segments, trigger_of
from mappings.lab.astm import map_message as map_records
from mappings.lab.astm import read
from mappings.lab.context import Context as LabContext
from mappings.lab.fields import IGNORED, WHOLE
from mappings.outcome import Coverage

PAGE = Path(__file__).with_name("mapping-coverage.md")
GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden"

_HEAD = """\
# Mapping coverage: HL7 v2 to FHIR R4

<!-- Written by docs/generate_mapping_coverage.py from the mappings; a test fails when it is stale. Do not edit by hand. -->

What becomes of each field. `lienthong map FILE` shows the same for a message of your own, field by field, with the place.

*Trang này được sinh ra từ mã nguồn nên bằng tiếng Anh. Muốn xem một thông điệp cụ thể: `lienthong map TỆP` (xem
[van-hanh.md](van-hanh.md)).*

"""


@dataclass
class Tally:
    """Field numbers of one segment in one message type, by fate."""

    mapped: set[int] = field(default_factory=set)
    ignored: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)
    fields: int = 0
    """Populated fields over all pairs, repeated segments counted."""

    def add(self, n: int, state: str) -> None:
        getattr(self, state).add(n)
        self.fields += 1


def measured() -> dict[str, dict[str, Tally]]:
    """Map every golden pair: message type → segment → fates."""
    found: dict[str, dict[str, Tally]] = defaultdict(lambda: defaultdict(Tally))
    for path in sorted(GOLDEN.glob("*/*/input.hl7")):
        message = er7.Message.parse(path.read_bytes())
        coverage = map_message(message, Context(facility="01032")).coverage
        for position, state in _fates(coverage):
            segment, _, n = position.rpartition("-")
            found[trigger_of(message)][segment[:3]].add(int(n), state)
    return found


def _fates(coverage: Coverage) -> Iterator[tuple[str, str]]:
    for state in ("mapped", "ignored", "unknown"):
        yield from ((position, state) for position in getattr(coverage, state))


def page() -> str:
    """Give the whole page."""
    return _HEAD + "\n".join([*_measured(measured()), *_instruments(), *_declared()]) + "\n"


def _instruments() -> Iterator[str]:
    """Tell what becomes of records of laboratory instruments: where each field went in the pairs, or why it never does."""
    found: dict[tuple[str, int], set[str]] = defaultdict(set)
    for path in sorted(GOLDEN.glob("astm/*/input.astm")):
        outcome = map_records(read(astm.Message.parse(path.read_bytes())), LabContext(facility="01032"))
        for position, target in outcome.coverage.mapped.items():
            record, _, number = position.rpartition("-")
            found[record[:1], int(number)].update(target.split(" | "))
    yield "\n## Records of laboratory instruments (ASTM E1394, CLSI LIS2-A2)\n"
    yield "Where a field went in the pairs of `tests/golden/astm`; a dialect may have it elsewhere (operations.md §30).\n"
    yield "| field | goes to | or why not |"
    yield "|---|---|---|"
    left = {(record, n): why for record, table in IGNORED.items() for n, why in table.items()}
    for record, n in sorted(found.keys() | left.keys(), key=lambda key: ("HPORCQL".index(key[0]), key[1])):
        places = ", ".join(f"`{target}`" for target in sorted(found.get((record, n), ())))
        yield f"| {record}-{n} | {places} | {left.get((record, n), '')} |"
    for record, why in WHOLE.items():
        yield f"| {record} | | {why} |"


def _measured(found: dict[str, dict[str, Tally]]) -> Iterator[str]:
    yield "## Message types\n"
    yield f"{len(mappers())} message types are mapped. Counted over the pairs of `tests/golden`, per segment: fields seen.\n"
    yield "| message | segment | fields | mapped | ignored on purpose | unknown |"
    yield "|---|---|--:|---|---|---|"
    for trigger in sorted(found):
        for segment in sorted(found[trigger]):
            tally = found[trigger][segment]
            fates = " | ".join(_numbers(numbers) for numbers in (tally.mapped, tally.ignored, tally.unknown))
            yield f"| {trigger} | {segment} | {tally.fields} | {fates} |"
    silent = sorted(set(mappers()) - {name for trigger in found for name in (trigger, trigger.partition("^")[0])})
    if silent:
        yield f"\nMapped, and without a pair: {', '.join(silent)}."


def _declared() -> Iterator[str]:
    yield "\n## Segments\n"
    for entry in iter_modules(segments.__path__):
        module = import_module(f"{segments.__name__}.{entry.name}")
        yield f"### {entry.name.upper()}\n"
        yield str(module.__doc__).strip().splitlines()[0] + "\n"
        yield "| field | goes to | or why not |"
        yield "|---|---|---|"
        mapped = module.MAPPED
        for n in sorted({*mapped, *module.IGNORED}):
            target = mapped.get(n, "").replace(" | ", ", ")
            places = f"`{target}`".replace(", ", "`, `") if target else ""
            yield f"| {entry.name.upper()}-{n} | {places} | {module.IGNORED.get(n, '')} |"
        yield ""


def _numbers(numbers: Iterable[int]) -> str:
    """Write field numbers with runs drawn together: `1–3, 5`."""
    runs: list[list[int]] = []
    for n in sorted(numbers):
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


def stale(path: Path = PAGE) -> bool:
    """Tell whether the page says something else than the mappings do."""
    return not path.is_file() or path.read_text(encoding="utf-8") != page()


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(1 if stale() else 0)
    PAGE.write_text(page(), encoding="utf-8")
