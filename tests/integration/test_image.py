"""The Dockerfile, replayed without a container engine: its own install, start and health commands, taken from the file.

Twice: in an empty folder with this machine's Python, and in Debian roots made by debootstrap, one per stage, into which
nothing comes but what the file says. What `apt-get` would install is checked (folder) or given to debootstrap (roots).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.servers import AS_ROOT, free_port, wait_until
from tests.site import write_site

CHECKOUT = Path(__file__).resolve().parents[2]
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OURS = re.compile(r"(?<![\w./])/(?:opt|etc|var/lib)/lienthong\b")
"""The places of the image that the file names."""


@dataclass
class Stage:
    """One `FROM`: what it copies, runs and sets, in the file's order."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def last(self, instruction: str) -> str:
        return [argument for word, argument in self.steps if word == instruction][-1]

    def variables(self) -> dict[str, str]:
        pairs = (pair for word, argument in self.steps if word == "ENV" for pair in shlex.split(argument))
        return dict(pair.split("=", 1) for pair in pairs)

    def packages(self) -> list[str]:
        """Return what its `apt-get install` names."""
        found: list[str] = []
        for word, argument in self.steps:
            for command in argument.split("&&") if word == "RUN" else ():
                if "apt-get install" in command:
                    found += [word for word in command.split()[2:] if not word.startswith("-")]
        return found


def stages(dockerfile: str) -> list[Stage]:
    """Read a Dockerfile; only what ours uses."""
    lines = [line for line in dockerfile.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, argument = line.split(None, 1)
        if word == "FROM":
            base, _, name = argument.partition(" AS ")
            found.append(Stage(base, name))
        else:
            found[-1].steps.append((word, argument))
    return found


def own_commands(run: str, *, in_debian: bool) -> str:
    """Return a `RUN` line without what installs packages and, outside a Debian root, without what makes accounts."""
    foreign = ("apt-get ", "rm -rf /var/lib/apt/") + (() if in_debian else ("useradd ",))
    return " && ".join(part.strip() for part in run.split("&&") if not part.strip().startswith(foreign))


class Folder:
    """An empty folder instead of a root; the image's places are below it, and `nobody` is its user."""

    in_debian = False

    def __init__(self, base: Path) -> None:
        self.base = base
        python = "/usr/bin" if Path("/usr/bin/python3").exists() else str(Path(sys.executable).resolve().parent)
        self.path = f"{python}:{SYSTEM_PATH}"

    def at(self, place: str) -> Path:
        return self.base / place.lstrip("/")

    def text(self, value: str) -> str:
        return OURS.sub(lambda found: str(self.at(found.group())), value)

    def command(self, words: Sequence[str], user: str, folder: str) -> list[str]:
        become = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if user and AS_ROOT else []
        return ["env", f"--chdir={self.at(folder)}", *become, *words]

    def own(self, place: str, user: str) -> None:
        if AS_ROOT and user:
            _give(self.at(place), "nobody", "nogroup")


class DebianRoot:
    """A root made by debootstrap; commands see nothing outside it."""

    in_debian = True
    path = SYSTEM_PATH

    def __init__(self, base: Path, release: str, packages: Sequence[str]) -> None:
        self.base = base
        names = ",".join(packages)
        make = ["debootstrap", "--variant=minbase", f"--include={names}", release, str(base)]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL)

    def at(self, place: str) -> Path:
        return self.base / place.lstrip("/")

    def text(self, value: str) -> str:
        return value

    def command(self, words: Sequence[str], user: str, folder: str) -> list[str]:
        enter = f'mount -t proc proc "{self.base}/proc"; mount --rbind /dev "{self.base}/dev"; exec "$@"'
        become = [f"--userspec={user}"] if user else []
        inside = ["chroot", *become, str(self.base), "/usr/bin/env", f"--chdir={folder}", *words]
        return ["unshare", "--mount", "sh", "-ec", enter, "sh", *inside]

    def own(self, place: str, user: str) -> None:
        accounts = (line.split(":") for line in (self.base / "etc/passwd").read_text().splitlines())
        ((uid, gid),) = [(int(entry[2]), int(entry[3])) for entry in accounts if entry[0] == user]
        _give(self.at(place), uid, gid)


Root = Folder | DebianRoot


def _give(folder: Path, user: str | int, group: str | int) -> None:
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, user, group)


@pytest.fixture
def empty() -> Iterator[Path]:
    """A folder that other users can enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="lienthong-image-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def build(stage: Stage, root: Root, others: Mapping[str, Root], pip: Mapping[str, str]) -> None:
    """Carry out the steps of a stage that change files."""
    folder = "/"
    for word, argument in stage.steps:
        if word == "WORKDIR":
            folder = argument
            root.at(folder).mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            copy(argument, root, folder, others)
        elif word == "RUN" and (line := own_commands(argument, in_debian=root.in_debian)):
            environment = {"PATH": root.path, "HOME": "/tmp", **pip}
            subprocess.run(root.command(["sh", "-ec", root.text(line)], "", folder), check=True, env=environment)


def copy(argument: str, root: Root, folder: str, others: Mapping[str, Root]) -> None:
    *sources, target = (word for word in argument.split() if not word.startswith("--"))
    other = re.search(r"--from=(\S+)", argument)
    into = root.at(target) if target.startswith("/") else root.at(folder) / target
    for source in sources:
        start = others[other[1]].at(source) if other else CHECKOUT / source
        if start == into:
            continue  # both stages are the same folder
        if start.is_dir():
            shutil.copytree(
                start, into, symlinks=True, ignore=shutil.ignore_patterns("__pycache__") if not other else None
            )
        else:
            shutil.copy(start, into / start.name if target.endswith("/") else into)


@contextmanager
def serving(stage: Stage, root: Root, port: int) -> Iterator[tuple[subprocess.Popen[bytes], list[str], dict[str, str]]]:
    """Start the image's command as the image's user with a site of ours; give the health command and its environment."""
    user = stage.last("USER")
    variables = {name: root.text(value) for name, value in stage.variables().items()}
    variables["PATH"] = variables["PATH"].replace("$PATH", root.path)
    environment = {**variables, "HOME": root.text("/var/lib/lienthong"), "LANG": "C.UTF-8"}
    config = stage.variables()["LIENTHONG_CONFIG"]
    write_site(root.at(config), health=f"127.0.0.1:{port}")
    root.own(config, user)
    health = stage.last("HEALTHCHECK").partition("CMD ")[2].replace(":8080/", f":{port}/")
    start: list[str] = json.loads(stage.last("CMD"))
    process = subprocess.Popen(root.command(start, user, "/"), env=environment, stdout=subprocess.PIPE)
    try:
        yield process, root.command(json.loads(health), user, "/"), environment
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def judge(stage: Stage, root: Root) -> None:
    """Start, ask for health, tell it to stop."""
    with serving(stage, root, free_port()) as (process, health, environment):
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the node did not start"
        assert set(json.loads(line)["listening"]) == {"his", "health"}
        owner = Path(f"/proc/{process.pid}").stat().st_uid
        assert not (AS_ROOT and owner == 0), "the node runs as root"
        wait_until(lambda: subprocess.run(health, env=environment, check=False).returncode == 0, 20)
        process.terminate()
        assert process.wait(30) == 0
        assert subprocess.run(health, env=environment, check=False, stderr=subprocess.DEVNULL).returncode != 0


@pytest.fixture(scope="module")
def image() -> list[Stage]:
    return stages((CHECKOUT / "Dockerfile").read_text(encoding="utf-8"))


@pytest.mark.nightly
def test_in_an_empty_folder(image: list[Stage], empty: Path) -> None:
    root = Folder(empty)
    for stage in image:
        for package in stage.packages():
            policy = subprocess.run(["apt-cache", "policy", package], capture_output=True, text=True, check=True).stdout
            assert re.search(r"Candidate: \d", policy), f"Debian has no package {package}"
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    for stage in image:
        build(stage, root, {image[0].name: root}, pip)
    judge(image[-1], root)


@pytest.mark.nightly
@pytest.mark.skipif(not (AS_ROOT and shutil.which("debootstrap")), reason="needs root and debootstrap")
def test_in_debian_roots(image: list[Stage], empty: Path) -> None:
    roots: dict[str, Root] = {}
    for number, stage in enumerate(image):
        assert stage.base == "debian:12-slim"
        root = DebianRoot(empty / str(number), "bookworm", stage.packages())
        fetched: dict[str, str] = {}
        if number == 0:  # fetched out here, with this machine's way to an index; installed in there, without any
            fetch = ["pip", "download", "-q", "--no-deps", "--only-binary=:all:", "--python-version=3.11"]
            lock = str(CHECKOUT / "requirements.lock")
            wheels = str(root.at("/wheels"))
            subprocess.run([sys.executable, "-m", *fetch, "--require-hashes", "-r", lock, "-d", wheels], check=True)
            fetched = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}
        build(stage, root, roots, fetched)
        roots[stage.name] = root
    judge(image[-1], root)
