"""The files that set the project up: locks, Makefile, CI, image, compose, the script that looks for servers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_image import Stage, stages
from tests.servers import AS_ROOT

CHECKOUT = Path(__file__).resolve().parents[2]
LOCKS = (
    "requirements.lock",
    "requirements-dev.lock",
    "conformance/validators/google_fhir/build.lock",
    "conformance/validators/google_fhir/requirements.lock",
)
REQUIREMENT = re.compile(
    r"([a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9,-]+\])?==([0-9][^\s;]*)((?: +--hash=sha256:[0-9a-f]{64})+)"
)

ELSEWHERE = {
    "a host that packages come from": re.compile(r"py[p]i\.[a-z]|python[h]osted|npm[j]s\.|https?://\S+/simple\b"),
    "a path of one machine": re.compile(r"(?<![\w./~-])/(?:work|root|home/[a-z]\w*|Users/\w+)(?:/|\b(?![\w.-]))"),
}


def read(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def requirements(text: str) -> Iterator[str]:
    """Yield the logical lines of a lock, comments aside."""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        content = line.split("#")[0].strip()
        if content:
            yield content


def loose(text: str) -> list[str]:
    """Return what in a lock is not one version with its hashes: ranges, options, addresses, paths."""
    return [line for line in requirements(text) if not REQUIREMENT.fullmatch(line)]


def pins(name: str) -> dict[str, str]:
    found = (REQUIREMENT.fullmatch(line) for line in requirements(read(name)))
    return {match[1]: match[2] for match in found if match}


# ---- locks ----


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_pinned_versions_with_hashes_and_nothing_else(name: str) -> None:
    assert loose(read(name)) == []
    assert pins(name)


@pytest.mark.parametrize(
    "line",
    [
        "httpx",
        "httpx==0.28.1",
        "httpx>=0.28 --hash=sha256:" + "0" * 64,
        "httpx==0.28.1 --hash=md5:" + "0" * 32,
        "--index-url https://packages.example/simple",
        "-f wheels",
        "-e .",
        "./httpx.whl",
        "httpx @ https://packages.example/httpx.whl --hash=sha256:" + "0" * 64,
    ],
)
def test_a_loose_line_is_found(line: str) -> None:
    assert loose(read("requirements.lock") + line + "\n") == [line]


def test_both_locks_agree() -> None:
    runtime, dev = (pins(name) for name in LOCKS[:2])
    assert runtime.items() <= dev.items()


def test_the_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    extras = project["optional-dependencies"]

    def names(wanted: list[str]) -> set[str]:
        return {re.split(r"[\[<>=~ ]", entry)[0].replace(".", "-") for entry in wanted}

    assert names(project["dependencies"] + extras["build"]) <= pins("requirements.lock").keys()
    assert names(extras["dev"]) <= pins("requirements-dev.lock").keys()


# ---- nothing of one machine ----


def tracked() -> list[Path]:
    if not (CHECKOUT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={CHECKOUT}", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, check=True
    ).stdout
    return [path for name in listed.decode().split("\0") if name and (path := CHECKOUT / name).is_file()]


def test_no_file_names_an_index_or_a_machine() -> None:
    found = [
        f"{path.relative_to(CHECKOUT)}: {what}: {hit.group()}"
        for path in tracked()
        if path != Path(__file__)  # its own examples
        if b"\0" not in (content := path.read_bytes())
        for what, pattern in ELSEWHERE.items()
        for hit in pattern.finditer(content.decode("utf-8", "replace"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "open('/wo" + "rk/shared/x')",
        "HOME=/ro" + "ot\n",
        '"/ho' + 'me/lan/keys.p12"',
        "https://py" + "pi.org/",
        "https://mirror.example/simple/",
    ],
)
def test_a_trace_of_a_machine_is_found(text: str) -> None:
    assert any(pattern.search(text) for pattern in ELSEWHERE.values())


@pytest.mark.parametrize(
    "text", ["/var/lib/lienthong", "docs/work/x", "https://example.test/root/x", "and/or", "`/root" + ".crl`"]
)
def test_an_ordinary_path_is_left_alone(text: str) -> None:
    assert not any(pattern.search(text) for pattern in ELSEWHERE.values())


# ---- make and CI ----


def dry_run(target: str) -> str:
    done = subprocess.run(["make", "-n", "-B", target], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("target", ["demo", "test", "check", "servers", "judges", "bench", "nightly", "lock", "clean"])
def test_make_knows_the_target(target: str) -> None:
    assert dry_run(target)


def test_make_test_runs_every_gate() -> None:
    would = dry_run("test")
    for gate in (
        "deploy/test-servers.sh",
        "deploy/judges.sh",
        "ruff format --check .",
        "ruff check .",
        "-m mypy",
        "-m pytest",
    ):
        assert gate in would, gate


def test_make_installs_from_the_locks_with_hashes_only() -> None:
    installs = [line for line in dry_run("test").splitlines() if "pip install" in line]
    assert len(installs) == 3
    for line in installs:
        assert "--require-hashes -r requirements" in line or "--no-deps --no-build-isolation --no-index -e ." in line


def test_ci_runs_make_test() -> None:
    script = CHECKOUT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert read(".ci/run").splitlines()[-1] == "exec make test"
    subprocess.run(["bash", "-n", script], check=True)


# ---- image and compose ----


@pytest.fixture(scope="module")
def image() -> list[Stage]:
    return stages(read("Dockerfile"))


def test_the_image_does_not_run_as_root(image: list[Stage]) -> None:
    words = [word for word, _ in image[-1].steps]
    assert image[-1].last("USER") not in ("root", "0")
    assert f"useradd --system --home-dir /var/lib/lienthong --create-home {image[-1].last('USER')}" in " ".join(
        argument for word, argument in image[-1].steps if word == "RUN"
    )
    assert words.index("USER") > max(n for n, word in enumerate(words) if word in ("RUN", "COPY"))


def test_the_image_asks_for_its_health_where_it_listens(image: list[Stage]) -> None:
    health = image[-1].last("HEALTHCHECK")
    ports = re.findall(r"http://127\.0\.0\.1:(\d+)/health", health)
    assert len(ports) == 1
    assert ports[0] in image[-1].last("EXPOSE").split()


def test_the_image_installs_from_the_lock_with_hashes_only(image: list[Stage]) -> None:
    commands = [
        part
        for stage in image
        for word, argument in stage.steps
        if word == "RUN"
        for part in argument.split("&&")
        if "pip install" in part
    ]
    assert [("--require-hashes -r requirements.lock" in part, "--no-index -e ." in part) for part in commands] == [
        (True, False),
        (False, True),
    ]


def test_the_image_holds_every_package(image: list[Stage]) -> None:
    copied = [argument.split()[:-1] for word, argument in image[0].steps if word == "COPY"]
    names = {name for sources in copied for name in sources}
    include = tomllib.loads(read("pyproject.toml"))["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {pattern.rstrip("*") for pattern in include} <= names
    assert [name for name in names if not (CHECKOUT / name).exists()] == []
    assert names.isdisjoint(read(".dockerignore").split())


def blocks(text: str, depth: int) -> dict[str, str]:
    """Split indented text into its keys at a depth, each with what is below it; enough of YAML for our own file."""
    found: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        indent = len(line) - len(line.lstrip())
        if indent == depth:
            key, _, rest = line.strip().partition(":")
            found[key] = rest + "\n"
        else:
            found[key] += line + "\n"
    return found


def test_compose_names_the_gateway_and_its_servers() -> None:
    text = read("deploy/compose.yaml")
    assert "\t" not in text
    top = blocks(text, 0)
    services = blocks(top["services"], 2)
    assert set(services) == {"gateway", "db", "redis"}
    gateway = blocks(services["gateway"], 4)
    assert set(blocks(gateway["depends_on"], 6)) == {"db", "redis"}
    assert "dockerfile: Dockerfile" in gateway["build"]
    for name in ("db", "redis"):
        assert "ports" not in blocks(services[name], 4), f"{name} is reached by nobody but the gateway"
    used = re.findall(r"^\s+- ([a-z]+):/", text, re.MULTILINE)
    assert set(used) == set(blocks(top["volumes"], 2))
    assert not re.search(r"PASSWORD: (?!\$\{)", text), "passwords come from the environment"


# ---- the servers of the tests ----


@pytest.fixture
def empty() -> Iterator[Path]:
    """A folder that other users can enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="lienthong-setup-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(AS_ROOT and not shutil.which("setpriv"), reason="needs setpriv to stop being root")
def test_missing_servers_are_named_in_one_message(empty: Path) -> None:
    for name in ("id", "ls"):  # all that the script calls before it can tell
        found = shutil.which(name)
        assert found
        (empty / name).symlink_to(found)
    become = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if AS_ROOT else []
    done = subprocess.run(
        [*become, "env", "-i", f"PATH={empty}", "/bin/sh", "-s"],
        input=read("deploy/test-servers.sh"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    needed, _, command = line.partition(" Install with: ")
    missing = needed.removeprefix("The tests need: ").removesuffix(".").split()
    assert {"redis-server", "xmlsec1", "softhsm2"} <= set(missing)
    assert command.startswith("sudo apt-get install ")
    assert command.split()[-len(missing) :] == missing


def test_nothing_is_said_when_all_servers_are_there() -> None:
    programs = ("redis-server", "xmlsec1", "softhsm2-util")
    if not all(map(shutil.which, programs)) or not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        pytest.skip("not all servers are on this machine")
    done = subprocess.run(["sh", "deploy/test-servers.sh"], cwd=CHECKOUT, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


# ---- the judges ----


@pytest.mark.skipif(AS_ROOT and not shutil.which("setpriv"), reason="needs setpriv to stop being root")
def test_missing_node_is_named_in_one_message(empty: Path) -> None:
    for name in ("id", "dirname"):
        found = shutil.which(name)
        assert found
        (empty / name).symlink_to(found)
    (empty / "deploy").mkdir()
    (empty / "deploy" / "judges.sh").write_text(read("deploy/judges.sh"), encoding="utf-8")
    become = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if AS_ROOT else []
    done = subprocess.run(
        [*become, "env", "-i", f"PATH={empty}", "/bin/sh", str(empty / "deploy" / "judges.sh")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    needed = "The tests need: nodejs npm. Install with: sudo apt-get install -y --no-install-recommends nodejs npm\n"
    assert done.stderr == needed


def test_nothing_is_done_when_the_judges_are_there() -> None:
    installed = CHECKOUT / ".judges" / "installed"
    assert installed.is_file(), "make judges"
    before = installed.stat().st_mtime_ns
    done = subprocess.run(["sh", "deploy/judges.sh"], cwd=CHECKOUT, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert installed.stat().st_mtime_ns == before


# ---- the first command of the README ----


@pytest.mark.nightly
def test_a_fresh_clone_runs_the_demo(tmp_path: Path) -> None:
    tracked()
    clone = tmp_path / "clone"
    git = ["git", "-c", f"safe.directory={CHECKOUT}/.git", "-c", f"safe.directory={CHECKOUT}"]
    subprocess.run([*git, "clone", "-q", CHECKOUT, clone], check=True)
    inherited = ("PATH", "HOME", "LANG")
    environment = {
        name: value for name, value in os.environ.items() if name in inherited or name.startswith(("PIP_", "SSL_"))
    }
    done = subprocess.run(
        ["make", "demo"], cwd=clone, env=environment, capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    left = subprocess.run(["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True)
    assert left.stdout == "", "what the demo leaves behind is ignored by git"
