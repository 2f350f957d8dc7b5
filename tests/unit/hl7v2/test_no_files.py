"""A message is mapped without reading a file: everything is in memory once a worker has started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
import sys
from pathlib import Path
from mappings.formats import er7
from mappings.fhir import problems
from mappings.hl7v2 import Context, map_message, outcome_to_bundle, preload

inputs = [path.read_bytes() for path in sorted(Path("tests/golden").glob("*/*/input.hl7"))]
preload()


def map_all():
    for raw in inputs:
        context = Context(facility="01032")
        problems(outcome_to_bundle(map_message(er7.Message.parse(raw), context), context))


map_all()  # a character set and a time zone are read when the first message has them
opened = []
watching = True
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if watching and event == "open" else None)
if "planted" in sys.argv:
    open("pyproject.toml").close()
map_all()
watching = False
print(len(inputs), *sorted(set(opened)))
"""


def opened(*arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    count, *files = done.stdout.split()
    assert int(count) > 300
    return files


def test_no_golden_message_opens_a_file() -> None:
    assert opened() == []


def test_a_file_that_is_opened_is_seen() -> None:
    assert opened("planted") == ["pyproject.toml"]
