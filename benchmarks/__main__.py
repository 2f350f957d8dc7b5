"""`make bench`: measure, each figure beside its limit or peer from the same run, and keep the results with machine and commit.

python -m benchmarks                  everything, about five minutes
python -m benchmarks intake er7       some subjects
"""

from __future__ import annotations

import importlib
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figures import Row, show

SUBJECTS = ("disk", "er7", "mapping", "bhyt", "papers", "signing", "signing_keys", "intake", "whole_way", "start")
LONG = ("delivery", "search", "bhyt_check", "dicom", "dicom_large", "dicom_out", "lab", "result_tables", "device")
"""Only when they are named: they make ledgers of ten million rows or a file of 700 MB, need Orthanc and DCMTK, or take both
cores for minutes."""
RESULTS = Path(__file__).parent / "results"


def main(names: list[str]) -> int:
    unknown = set(names) - {*SUBJECTS, *LONG}
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join((*SUBJECTS, *LONG))}")
        return 2
    found: dict[str, list[Row]] = {}
    for name in names or SUBJECTS:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"\n{str(module.__doc__).splitlines()[0]}", flush=True)
        found[name] = module.measure()
        show(found[name])
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(
        json.dumps(
            {
                "machine": _machine(),
                "commit": _commit(),
                "figures": {k: [r.as_dict() for r in v] for k, v in found.items()},
            },
            indent=1,
        )
        + "\n",
        encoding="utf-8",
    )
    print(f"\n{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    return 0


def _machine() -> dict[str, str]:
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
    cores = sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines())
    return {"cpu": cpu, "cores": str(cores), "python": platform.python_version(), "system": platform.platform()}


def _commit() -> str:
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return asked.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
