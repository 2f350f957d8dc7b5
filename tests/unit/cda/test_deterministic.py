"""The same document and settings give the same bytes in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import hashlib, sys
from pathlib import Path
from mappings import cda
from mappings.formats import json
digest = hashlib.sha256()
for path in sorted(Path("tests/golden/papers").glob("*/*/expected.fhir.json")):
    read = json.loads(path.read_bytes())
    for bundle in read if isinstance(read, list) else [read]:
        digest.update(cda.render(bundle))
sys.stdout.write(digest.hexdigest())
"""


def digest(seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_two_processes_write_the_same_bytes() -> None:
    first = digest("1")
    assert len(first) == 64
    assert digest("4711") == first
