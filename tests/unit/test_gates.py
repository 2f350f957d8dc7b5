"""Every gate is seen to fire: an error is planted in a copy of the project's own configuration, and the gate finds it.

The arrows between packages have theirs in `tests/test_architecture.py`, the plans of queries in `tests/plans`, the set-up
files in `tests/integration/test_setup.py`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.golden import test_golden as golden

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with our configuration and nothing in it."""
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    return tmp_path


def plant(project: Path, name: str, text: str) -> None:
    path = project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")


def run(folder: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


CLEAN = '''
    """Add numbers."""


    def add(one: int, two: int) -> int:
        return one + two
'''

LINT = {
    "an unused import": ("gateway/planted.py", "import os\n", "F401"),
    "print in the product": ("gateway/planted.py", "print('x')\n", "T201"),
    "SQL made of strings": (
        "gateway/store/planted.py",
        "def find(c, name):\n    return c.execute(f\"SELECT * FROM message WHERE id = '{name}'\")\n",
        "S608",
    ),
    "a bare except": ("mappings/planted.py", "try:\n    pass\nexcept:\n    raise ValueError from None\n", "E722"),
    "an exception swallowed": (
        "connectors/planted.py",
        "try:\n    pass\nexcept Exception:\n    x = 1\n",
        "BLE001",
    ),
    "a naive datetime": ("mappings/planted.py", "import datetime\n\nx = datetime.datetime.now()\n", "DTZ005"),
    "a blocking call in a coroutine": (
        "connectors/planted.py",
        "import time\n\n\nasync def wait() -> None:\n    time.sleep(1)\n",
        "ASYNC251",
    ),
    "a shell": ("gateway/planted.py", "import subprocess\n\nsubprocess.run('ls', shell=True)\n", "S602"),
    "an unsafe digest": ("signing/planted.py", "import hashlib\n\nx = hashlib.md5(b'')\n", "S324"),
    "a noqa that hides nothing": ("gateway/planted.py", "x = 1  # noqa: F401\n", "RUF100"),
}


def test_lint_fires(project: Path) -> None:
    for name, (path, text, _) in LINT.items():
        plant(project, path.replace("planted", name.replace(" ", "_")), text)
    plant(project, "gateway/clean.py", CLEAN)
    code, said = run(project, "ruff", "check", "--no-cache", "--output-format=concise", ".")
    assert code == 1
    for name, (path, _, rule) in LINT.items():
        place = path.replace("planted", name.replace(" ", "_"))
        assert re.search(rf"^{place}:.* {rule} ", said, re.MULTILINE), f"{name}\n{said}"
    assert "clean.py" not in said


def test_format_fires(project: Path) -> None:
    plant(project, "gateway/planted.py", "x = {'a':1}\n")
    plant(project, "gateway/clean.py", CLEAN)
    code, said = run(project, "ruff", "format", "--no-cache", "--check", ".")
    assert code == 1
    assert "gateway/planted.py" in said
    assert "clean.py" not in said


TYPES = {
    "untyped_def": ("def f(x):\n    return x\n", "no-untyped-def"),
    "wrong_return": ("def f() -> int:\n    return ''\n", "return-value"),
    "bare_generic": ("def f(x: dict) -> None:\n    pass\n", "type-arg"),
    "any_out": (
        "from typing import Any\n\n\ndef f(x: Any) -> int:\n    return x\n",
        "no-any-return",
    ),
    "dead_code": ("def f(x: int) -> int:\n    if isinstance(x, str):\n        return 1\n    return 2\n", "unreachable"),
    "needless_ignore": ("x: int = 1  # type: ignore[assignment]\n", "unused-ignore"),
}


def test_types_fire(project: Path) -> None:
    for name, (text, _) in TYPES.items():
        plant(project, f"gateway/{name}.py", text)
    plant(project, "gateway/clean.py", CLEAN)
    code, said = run(project, "mypy", "--cache-dir", str(project / "cache"), "gateway")
    assert code == 1
    for name, (_, rule) in TYPES.items():
        assert re.search(rf"^gateway/{name}\.py:.*\[{rule}\]$", said, re.MULTILINE), f"{name}\n{said}"
    assert "clean.py" not in said


TESTS = """
    import warnings
    from pathlib import Path

    import pytest


    def test_fine() -> None:
        pass


    def test_warns() -> None:
        warnings.warn("old", DeprecationWarning)


    def test_leaves_a_file_open() -> None:
        Path(__file__).open()


    async def test_never_awaited() -> None:
        pass
"""


def test_warnings_are_errors(project: Path) -> None:
    plant(project, "tests/test_planted.py", TESTS)
    code, said = run(project, "pytest", "-q", "-rA")
    assert code == 1
    assert "PASSED tests/test_planted.py::test_fine" in said
    for name in ("test_warns", "test_leaves_a_file_open", "test_never_awaited"):
        assert f"FAILED tests/test_planted.py::{name}" in said, said


def test_an_unknown_marker_is_an_error(project: Path) -> None:
    plant(project, "tests/test_planted.py", "import pytest\n\n\n@pytest.mark.nightlyy\ndef test_x() -> None: ...\n")
    code, said = run(project, "pytest", "-q")
    assert code == 2
    assert "'nightlyy' not found in `markers`" in said


def copy_of_a_case(folder: Path) -> Path:
    case = next(case for case in golden.CASES if case.parent.name == "adt_a01")
    return Path(shutil.copytree(case, folder / "case"))


def test_a_golden_pair_that_changed_is_found(tmp_path: Path) -> None:
    case = copy_of_a_case(tmp_path)
    golden.test_pair(case, accept=False)
    expected = case / "expected.json"
    text = expected.read_text(encoding="utf-8")
    expected.write_text(text.replace('"resourceType": "Patient"', '"resourceType": "Person"'), encoding="utf-8")
    with pytest.raises(AssertionError, match="Person"):
        golden.test_pair(case, accept=False)
    expected.unlink()
    with pytest.raises(AssertionError, match="Patient"):
        golden.test_pair(case, accept=False)


def test_accepting_writes_what_came_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = copy_of_a_case(tmp_path)
    expected = case / "expected.json"
    text = expected.read_text(encoding="utf-8")
    expected.write_text(text.replace('"Patient"', '"Person"'), encoding="utf-8")
    golden.test_pair(case, accept=True)
    assert expected.read_text(encoding="utf-8") == text
    assert "Person" in capsys.readouterr().out, "the difference is shown"


@pytest.mark.parametrize(
    ("number", "check"),
    [
        (9999, "test_every_fault_has_a_text('vi')"),
        (9999, "test_every_fault_has_a_text('en')"),
        (2101, "test_codes_are_unique()"),
    ],
)
def test_a_fault_without_a_text_is_found(number: int, check: str) -> None:
    planted = f"class Planted(Fault):\n    code = {number}\n"
    script = "from mappings.formats.faults import Fault\nfrom tests.unit.gateway import test_text\n"
    fine = subprocess.run([sys.executable, "-c", f"{script}test_text.{check}"], cwd=CHECKOUT, check=False)
    assert fine.returncode == 0
    code, said = run_script(f"{script}{planted}test_text.{check}")
    assert code == 1
    assert "AssertionError" in said


def run_script(script: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr
