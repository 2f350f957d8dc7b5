"""A small hospital for tests: keys, configuration, and a node in a process of its own."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from conformance.sandbox.ca import DemoCA
from gateway.cli import main
from gateway.cli.output import console, errors
from gateway.store.sealed import new_key_line

PASSWORD = "a password of a test"
GLN = "8930000000019"

NODE = """\
[facility]
code = "01999"
name = "Bệnh viện Đa khoa Thử Nghiệm"
head_licence = "000001/HNO-CCHN"
governing_body = "SỞ Y TẾ HÀ NỘI"
address = "1 phố Thử Nghiệm"

[node]
name = "{name}"
health = "{health}"
workers = 1
lease = "2s"
redis = "{redis}"

[store]
url = "{store}"
keys = "secret:store-keys"

[signing]
kind = "pkcs12"
file = "keys/facility.p12"
password = "secret:keys"
trust = ["keys/ca.pem"]
"""

CHANNEL = """\
name = "{name}"
source = {{ kind = "mllp", listen = "127.0.0.1:0", tls = "none" }}
accept = {accept}
produce = {produce}
"""

ALL_PAPERS = ("discharge_paper", "referral", "reexamination", "lab_report")


def write_site(
    folder: Path,
    *,
    store: str = "sqlite:///ledger/ledger.db",
    name: str = "n1",
    health: str = "",
    redis: str = "",
    accept: tuple[str, ...] = ("*",),
    produce: tuple[str, ...] = ALL_PAPERS,
    destinations: str = "",
    ca: DemoCA | None = None,
    signers: str = "",
    policies: str = "",
) -> Path:
    """Write a configuration with one channel `his` and return its folder."""
    (folder / "secrets").mkdir(parents=True, exist_ok=True)
    (folder / "channels").mkdir(exist_ok=True)
    keys = folder / "keys"
    keys.mkdir(exist_ok=True)
    authority = ca or DemoCA(folder / "ca")
    identity = authority.issue("Bệnh viện Đa khoa Thử Nghiệm", organisation="Bệnh viện Đa khoa Thử Nghiệm")
    (keys / "facility.p12").write_bytes(identity.pkcs12(PASSWORD))
    (keys / "facility.pem").write_bytes(identity.pem)
    (keys / "ca.pem").write_bytes(authority.pem_file.read_bytes())
    (folder / "secrets" / "keys").write_text(PASSWORD)
    (folder / "secrets" / "destinations").write_text(PASSWORD)
    vault = folder / "secrets" / "store-keys"
    if not vault.exists():
        vault.write_text(new_key_line("k1"))
    node = NODE.format(name=name, health=health, redis=redis, store=store)
    (folder / "node.toml").write_text(node + signers, encoding="utf-8")
    if policies:
        (folder / "signing.toml").write_text(policies, encoding="utf-8")
    channel = CHANNEL.format(name="his", accept=json.dumps(list(accept)), produce=json.dumps(list(produce)))
    (folder / "channels" / "his.toml").write_text(channel + destinations, encoding="utf-8")
    return folder


def destinations(addresses: Mapping[str, str], names: tuple[str, ...] = ()) -> str:
    """Return `[[destination]]` tables for a sandbox's addresses."""
    own = {
        "insurance_portal": 'username = "01999_BV"\npassword = "secret:destinations"\nfacility = "01999"',
        "moh_axis": (
            f'username = "01999_BV"\npassword = "secret:destinations"\nsender_id = "{GLN}"\ntxn_type = "sync_document"'
        ),
        "national_coordination": 'client_id = "01999_BV"\nclient_secret = "secret:destinations"\nsender = "01999"',
    }
    if "fhir_rest" in names:
        own["fhir_rest"] = 'token_url = "/token"\nclient_id = "01999_BV"\nclient_secret = "secret:destinations"'
    return "".join(
        f'\n[[destination]]\nkind = "{name}"\nurl = "{addresses[name]}"\n{own[name]}\nbasis = "test"\n'
        'retry = { first = "50ms", factor = 2.0, cap = "400ms", give_up_after = "1h" }\n'
        'breaker = { failures = 50, open_for = "200ms" }\n'
        for name in names or own
    )


@dataclass
class NodeProcess:
    """A node as its own process group, so that a kill takes its workers too or leaves them behind, as asked."""

    config: Path
    process: subprocess.Popen[bytes]
    listening: dict[str, str] = field(default_factory=dict)

    def address(self, channel: str = "his") -> tuple[str, int]:
        host, _, port = self.listening[channel].rpartition(":")
        return host, int(port)

    def kill(self) -> None:
        """SIGKILL the node alone; its workers must notice by themselves."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


class DiedAtStart(AssertionError):
    """A node ended before it listened: exit code and the end of its log."""


def start_node(config: Path, module: str = "gateway.cli", *options: str, **environment: str) -> NodeProcess:
    """Start `lienthong serve` and wait until it listens; its log is `config/node.log`."""
    with (config / "node.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, "serve", "--config", str(config), *options],
            stdout=subprocess.PIPE,
            stderr=log,
            env=os.environ | environment,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.stdout.close()
        raise DiedAtStart(process.wait(), (config / "node.log").read_text()[-2000:])
    return NodeProcess(config, process, json.loads(line)["listening"])


@contextmanager
def running_node(config: Path, *options: str, **environment: str) -> Iterator[NodeProcess]:
    node = start_node(config, "gateway.cli", *options, **environment)
    try:
        yield node
    finally:
        if node.process.poll() is None:
            node.stop()
        if node.process.stdout is not None:
            node.process.stdout.close()


_WITH_CHILDREN = ("demo", "sandbox", "serve")


def cli(*arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    """Run `lienthong` with arguments: in this process, because to start one takes longer than most commands do.

    What waits for signals, and what is asked for while an event loop runs, gets a process of its own.
    """
    if arguments[:1] in [(name,) for name in _WITH_CHILDREN] or asyncio._get_running_loop():
        command = [sys.executable, "-m", "gateway.cli", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=check, timeout=400)
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    interrupt = signal.getsignal(signal.SIGINT)
    console.width = errors.width = int(os.environ.get("COLUMNS", "80"))
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, "argv", ["lienthong", *arguments]):
        try:
            main()
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else int(left.code is not None)
        except Exception:  # noqa: BLE001 - as an interpreter that ends with a traceback
            traceback.print_exc()
            code = 1
        finally:
            signal.signal(signal.SIGINT, interrupt)
    said, complained = (stream.buffer.getvalue().decode() for stream in (out, err))
    if check and code:
        raise subprocess.CalledProcessError(code, ["lienthong", *arguments], said, complained)
    return subprocess.CompletedProcess(["lienthong", *arguments], code, said, complained)


def cli_json(*arguments: str) -> Any:
    done = cli(*arguments, "--json")
    assert done.stdout, done.stderr
    return json.loads(done.stdout)
