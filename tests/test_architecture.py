"""The arrows of the house: who may import whom. DESIGN: rooms, and who may walk where."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PACKAGES = ("gateway", "connectors", "signing", "mappings", "conformance")
ALLOWED = {
    "gateway": ("connectors", "signing", "mappings"),
    "connectors": ("mappings.formats",),
    "signing": ("mappings.formats",),
    "mappings": (),
    "conformance": (),
}
DEMO = "gateway.cli"
"""May start the sandbox and play its scenario, from outside, over the wire."""

STEPS = (
    ("gateway.cli", "gateway.app"),
    ("gateway.api", "gateway.console", "gateway.hub"),
    (
        "gateway.accounts",
        "gateway.cards",
        "gateway.commitments",
        "gateway.certificates",
        "gateway.device_windows",
        "gateway.export",
        "gateway.image_reading",
        "gateway.imaging_steps",
        "gateway.instrument_intake",
        "gateway.intake",
        "gateway.lab_calls",
        "gateway.lab_intake",
        "gateway.lab_steps",
        "gateway.membership",
        "gateway.object_intake",
        "gateway.pacs",
        "gateway.papers",
        "gateway.pictures",
        "gateway.pipeline",
        "gateway.proof",
        "gateway.queries",
        "gateway.renderings",
        "gateway.steps",
        "gateway.pool",
        "gateway.portal_calls",
        "gateway.relief",
        "gateway.repair",
        "gateway.probes",
        "gateway.procedure_steps",
        "gateway.result_intake",
        "gateway.result_steps",
        "gateway.pruning",
        "gateway.signing_case",
        "gateway.signing_desk",
        "gateway.signing_relay",
        "gateway.signing_review",
        "gateway.signing_run",
        "gateway.signing_statements",
        "gateway.signing_tasks",
        "gateway.studies",
        "gateway.unknown_units",
        "gateway.verification",
        "gateway.visit_intake",
        "gateway.visit_steps",
        "gateway.delivery",
        "gateway.records",
        "gateway.security",
        "gateway.ops",
    ),
    (
        "gateway.store",
        "gateway.states",
        "gateway.configuration",
        "gateway.settings",
        "gateway.signing_forms",
        "gateway.site",
        "gateway.toml_file",
    ),
    (
        "gateway.faults",
        "gateway.clock",
        "gateway.meters",
        "gateway.text",
        "gateway.memory",
        "gateway.safe_log",
        "gateway.tasks",
        "gateway.tracing",
        "gateway.tracing_export",
        "gateway.wake",
    ),
)
"""The four steps inside the gateway, highest first, and what all of them stand on."""

POLICY_VALUES = (
    "gateway.delivery.retry",
    "gateway.delivery.limits",
    "gateway.delivery.hours",
    "gateway.delivery.answers",
    "gateway.proof.settings",
)
"""Pure values that settings are made of; they import nothing above the ground."""

PURE = ("socket", "ssl", "subprocess", "sqlite3", "sqlalchemy", "httpx", "asyncio", "urllib.request", "redis")
"""What no mapping may import: mappings do no I/O."""


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            relative = path.relative_to(root).with_suffix("")
            parts = relative.parts[:-1] if relative.name == "__init__" else relative.parts
            yield ".".join(parts), path


def imports(path: Path) -> Iterator[str]:
    """Yield every module a file imports, wherever in the file the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def step(name: str) -> int | None:
    if any(within(name, value) for value in POLICY_VALUES):
        return len(STEPS) - 1
    return next((i for i, group in enumerate(STEPS) if any(within(name, entry) for entry in group)), None)


def violations(root: Path) -> list[str]:
    found: list[str] = []
    for name, path in modules(root):
        package = name.partition(".")[0]
        for target in imports(path):
            top = target.partition(".")[0]
            if top in PACKAGES and top != package:
                demo = within(name, DEMO) and top == "conformance"
                if not demo and not any(within(target, allowed) for allowed in ALLOWED[package]):
                    if target in PACKAGES and any(allowed.startswith(target + ".") for allowed in ALLOWED[package]):
                        continue  # `from mappings import formats` names mappings and then mappings.formats
                    found.append(f"{name} imports {target}")
            if package == "mappings" and any(within(target, banned) for banned in PURE):
                found.append(f"{name} imports {target}: mappings do no I/O")
            if package == "gateway" and top == "gateway":
                here, there = step(name), step(target)
                if here is not None and there is not None and there < here:
                    found.append(f"{name} imports {target}: upwards inside the gateway")
            if within(name, "gateway.api") and within(target, "gateway.store"):
                found.append(f"{name} imports {target}: a face never touches the store")
    return found


def test_arrows_point_down() -> None:
    assert violations(ROOT) == []


def test_every_module_of_the_gateway_has_a_step() -> None:
    unplaced = [name for name, _ in modules(ROOT) if name.startswith("gateway.") and step(name) is None]
    assert unplaced == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("mappings/planted.py", "import gateway.store.engine"),
        ("mappings/planted.py", "import sqlalchemy"),
        ("mappings/planted.py", "def f():\n    import socket"),
        ("connectors/planted.py", "from signing import contract"),
        ("connectors/planted.py", "from mappings import hl7v2"),
        ("connectors/planted.py", "from mappings.documents import PAPERS"),
        ("signing/planted.py", "from connectors.contract import Answer"),
        ("conformance/planted.py", "from mappings.formats import er7"),
        ("gateway/store/planted.py", "from gateway.delivery import worker"),
        ("gateway/intake/planted.py", "from gateway.api import health"),
        ("gateway/pipeline/planted.py", "import conformance.sandbox"),
        ("gateway/api/planted.py", "from gateway.store import messages"),
    ],
)
def test_a_planted_arrow_is_found(tmp_path: Path, module: str, line: str) -> None:
    planted = tmp_path / module
    planted.parent.mkdir(parents=True)
    planted.write_text(line + "\n")
    assert violations(tmp_path)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("connectors/fine.py", "from mappings.formats import er7"),
        ("connectors/fine.py", "import mappings.formats.faults"),
        ("gateway/cli/fine.py", "from conformance.sandbox import server"),
        ("gateway/app.py", "from gateway.store.engine import Store"),
    ],
)
def test_an_allowed_arrow_is_left_alone(tmp_path: Path, module: str, line: str) -> None:
    fine = tmp_path / module
    fine.parent.mkdir(parents=True)
    fine.write_text(line + "\n")
    assert violations(tmp_path) == []
