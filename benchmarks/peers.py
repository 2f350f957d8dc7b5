"""Parsers that other people wrote, on the same bytes: hl7apy, and where node and its packages are present a JavaScript one.

Parsing alone: neither maps, neither unescapes a value that nobody asks for.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from hl7apy.parser import parse_message

from benchmarks.figures import per_call_us

SCRIPT = Path(__file__).resolve().with_suffix(".mjs")
NODE_FOLDER = Path(__file__).resolve().parents[1] / ".judges" / "node"
"""Where `deploy/judges.sh` puts the node packages."""


def peers(raw: bytes, node_folder: Path = NODE_FOLDER) -> dict[str, float]:
    """Give the CPU time of one parse in microseconds by parser; a parser that is not installed is left out."""
    text = raw.decode()
    found = {"hl7apy parse": per_call_us(lambda: parse_message(text, find_groups=False), seconds=0.3)}
    node = shutil.which("node")
    if node and (node_folder / "node_modules/@medplum/core").is_dir():
        command = [node, str(SCRIPT), str(node_folder)]
        answer = subprocess.run(command, input=raw, capture_output=True, check=True, timeout=60)
        found["@medplum/core parse (JavaScript)"] = float(answer.stdout)
    return found
