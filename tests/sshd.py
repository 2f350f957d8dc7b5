"""A real OpenSSH server on a free port that lets one account without rights in, for SFTP alone."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from tests.servers import AS_ROOT, Server, free_port, listens, need

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/authorized
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""


@dataclass
class Sshd:
    """`drop` is a folder that the account may write, `key` its private key, `fingerprint` the server's own."""

    server: Server
    port: int
    user: str
    key: Path
    fingerprint: str
    known_hosts: Path
    drop: Path

    def cut(self) -> None:
        """End every session, but not the server."""
        for child in _children(self.server.process.pid):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

    def stop(self) -> None:
        self.cut()
        self.server.end()


@contextmanager
def sshd() -> Iterator[Sshd]:
    """Run a server; fail or skip where there is none."""
    program = Path("/usr/sbin/sshd")
    need(program.exists(), "openssh-server")
    folder = Path(tempfile.mkdtemp(prefix="lienthong-sshd-"))
    try:
        folder.chmod(0o755)
        port, user = free_port(), "nobody" if AS_ROOT else getpass.getuser()
        host, own = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
        host.write_private_key(folder / "host")
        own.write_private_key(folder / "own")
        own.write_public_key(folder / "authorized")
        (folder / "known").write_text(f"[127.0.0.1]:{port} {host.export_public_key().decode()}")
        (folder / "config").write_text(_CONFIG.format(port=port, folder=folder))
        (folder / "host").chmod(0o600)
        drop = folder / "drop"
        drop.mkdir()
        drop.chmod(0o777)
        if AS_ROOT:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # as the service of the package would
        command = [str(program), "-D", "-e", "-f", str(folder / "config")]
        server = Server(command, lambda: listens(port), str(folder), signal.SIGTERM)
        house = Sshd(server, port, user, folder / "own", host.get_fingerprint("sha256"), folder / "known", drop)
        try:
            yield house
        finally:
            house.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _children(parent: int) -> Iterator[int]:
    """Yield a process's descendants, the youngest first."""
    with suppress(OSError):
        for text in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
            yield from _children(int(text))
            yield int(text)
