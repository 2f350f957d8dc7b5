"""Write docs/metrics.md from the meters themselves: name, form, labels, meaning of everything that `GET /metrics` says.

python docs/generate_metrics.py            write the page
python docs/generate_metrics.py --check    exit 1 when the page is not what the meters say
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from gateway import meters
from gateway.ops.metrics import FRESH_S, LEDGER, PICKUP

PAGE = Path(__file__).with_name("metrics.md")

_HEAD = """\
# Metrics: what `GET /metrics` says

<!-- Written by docs/generate_metrics.py from the code; a test fails when it is stale. Do not edit by hand. -->

`GET /metrics` on the address `node.health` answers in the format of Prometheus (or OpenMetrics, if asked). Names of labels take
values of configuration (channels, destinations, roles, the node) or of closed tables (states, events, classes of fault, message
types that are known); anything else is counted as `other`. No value says anything of a patient.

*Trang này được sinh ra từ mã nguồn nên bằng tiếng Anh; cách dùng bằng tiếng Việt: [van-hanh.md](van-hanh.md), mục 24.*
"""


def page() -> str:
    """Give the whole page."""
    return "\n".join([_HEAD, *_process(), *_ledger()])


def stale(path: Path = PAGE) -> bool:
    """Say whether a page is not what the meters say now."""
    return not path.is_file() or path.read_text(encoding="utf-8") != page()


def own() -> list[tuple[str, str, tuple[str, ...], str]]:
    """Give name, form, labels and meaning of the meters of a process, in the order in which they are written down."""
    found = []
    for meter in vars(meters).values():
        if isinstance(meter, MetricWrapperBase):
            (family,) = meter.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found.append((name, family.type, tuple(meter._labelnames), family.documentation))
    return found


def _process() -> Iterator[str]:
    yield "## Counted by each process since it started\n"
    yield "Add them up over nodes. `process_…` and `python_info` are the Prometheus library's own.\n"
    yield from _table(own())
    yield "## How this process finds the places from which it fetches files\n"
    yield "Of channels whose source is `folder` or `sftp`.\n"
    yield from _table((name, "gauge", labels, text) for name, (text, labels) in PICKUP.items())


def _ledger() -> Iterator[str]:
    yield "## Counted in the ledger when somebody asks\n"
    yield (
        f"The same on every node of one ledger: take the maximum over nodes, not the sum. At most {FRESH_S:g} s old, "
        "older when counting takes long.\n"
    )
    yield from _table((name, "gauge", labels, text) for name, (text, labels) in LEDGER.items())


def _table(rows: Iterable[tuple[str, str, tuple[str, ...], str]]) -> Iterator[str]:
    lines = ["| name | form | labels | meaning |", "|---|---|---|---|"]
    for name, form, labels, text in rows:
        lines.append(f"| `{name}` | {form} | {', '.join(f'`{label}`' for label in labels)} | {text} |")
    yield "\n".join(lines) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(1 if stale() else 0)
    PAGE.write_text(page(), encoding="utf-8")
