"""`python -m conformance.validators FILE|FOLDER …`: judge Bundles from the command line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from conformance.validators.bench import JUDGES, judge
from conformance.validators.finding import NotInstalled
from conformance.validators.sources import bundles

EXAMPLES = """\
judges: %s

examples:
  python -m conformance.validators bundle.json
  python -m conformance.validators --judge medplum --judge terminology bundles/
  lienthong map --json messages/ > mapped.ndjson && python -m conformance.validators --json mapped.ndjson

exit code: 0 nothing found, 1 findings, 2 not judged
"""


def main(words: Sequence[str] | None = None) -> int:
    """Judge what the command line names, print the findings, give the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance.validators",
        description="Judge FHIR R4 Bundles with several validators that nobody here wrote. "
        "Reads FHIR JSON, and JSON lines with a resource or a member `bundle` each.",
        epilog=EXAMPLES % ", ".join(JUDGES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE|FOLDER")
    parser.add_argument(
        "--judge", action="append", choices=JUDGES, metavar="NAME", help="only this judge; may be repeated"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per finding and line")
    parser.add_argument("--everything", action="store_true", help="show known errors of the judges themselves too")
    options = parser.parse_args(words)
    try:
        named = [one for path in options.paths for one in bundles(path)]
        if not named:
            raise ValueError("nothing to judge: no FHIR JSON there")
        found = judge(named, options.judge or JUDGES, everything=options.everything)
    except (OSError, ValueError, NotInstalled) as refused:
        sys.stderr.write(f"{refused}\n")
        return 2
    for finding in found:
        if options.json:
            sys.stdout.write(json.dumps(asdict(finding), ensure_ascii=False) + "\n")
        else:
            sys.stdout.write(f"{finding.name}: {finding.path}: {finding.text} [{finding.judge}]\n")
    if not options.json:
        sys.stdout.write(f"{len(named)} judged, {len(found)} findings\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
