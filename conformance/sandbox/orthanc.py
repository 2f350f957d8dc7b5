"""Use a real Orthanc as the PACS that sends, when it is installed: on this machine only, in a folder that ends with it.

Orthanc always listens on all addresses of the machine; this one answers HTTP from this machine with a password, and DICOM from
the one peer it sends to, at that peer's address, and nobody else.
"""

from __future__ import annotations

import json
import random
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
from pydicom.dataset import Dataset

from conformance.sandbox.pacs import SUCCESS, Address, Committed, Pacs, Sender, Sent, part10

PEER: Final = "LIENTHONG"
"""What Orthanc calls the one modality that it sends to."""
FAILED: Final = "failed"
"""Stands in place of a DIMSE status: Orthanc's interface does not tell it."""

_START_S: Final = 30.0
_PAUSE_S: Final = 0.05
_PATIENCE_S: Final = 2.0
_TIMEOUT_S: Final = 60.0
_USER: Final = "sandbox"


class OrthancDidNotStart(OSError):
    """Orthanc is installed and did not come up; its log says why."""


def installed() -> str | None:
    """Give where Orthanc is, None when it is not installed."""
    return shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")


@contextmanager
def orthanc(ae_title: str = "PACS", dicom_port: int = 0, http_port: int = 0) -> Iterator[Sender]:
    """Run Orthanc, or `Pacs` where it is not installed, and give what sends. A port of 0 takes a free one."""
    program = installed()
    if program is None:
        with Pacs(ae_title, port=dicom_port) as pacs:
            yield pacs
        return
    with tempfile.TemporaryDirectory(prefix="orthanc-") as name:
        running = Orthanc(program, Path(name), ae_title, dicom_port or _free_port(), http_port or _free_port())
        try:
            running.start()
            yield running
        finally:
            running.stop()


class Orthanc:
    """One Orthanc, driven by its REST interface; it knows one peer at a time, the one it was last told to send to."""

    def __init__(self, program: str, folder: Path, ae_title: str, dicom_port: int, http_port: int) -> None:
        self.ae_title = ae_title
        self.address: Address = ("127.0.0.1", dicom_port)
        self._folder = folder
        self._password = secrets.token_urlsafe(16)
        self._command = [program, str(folder / "orthanc.json")]
        self._settings = _settings(folder, ae_title, dicom_port, http_port) | {
            "RegisteredUsers": {_USER: self._password}
        }
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{http_port}",
            auth=(_USER, self._password),
            timeout=_TIMEOUT_S,
            trust_env=False,
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers; raises OrthancDidNotStart."""
        configuration = self._folder / "orthanc.json"
        configuration.touch(0o600)
        configuration.write_text(json.dumps(self._settings), encoding="utf-8")
        with (self._folder / "orthanc.log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 — a program of this machine, nothing of a caller's
                self._command, stdout=log, stderr=log, cwd=self._folder, env={"TCP_NODELAY": "1"}
            )
        until = time.monotonic() + _START_S
        while time.monotonic() < until and self._process.poll() is None:
            with suppress(httpx.TransportError):
                if self._client.get("/system", timeout=_PATIENCE_S).is_success:
                    return
            time.sleep(_PAUSE_S)
        told = (self._folder / "orthanc.log").read_text(encoding="utf-8", errors="replace").splitlines()
        raise OrthancDidNotStart("\n".join(told[-5:]))

    def stop(self) -> None:
        """End it at once: in good order it takes three seconds, and what it holds is lost anyway."""
        self._client.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def send(self, address: Address, ae_title: str, datasets: Sequence[Dataset]) -> Sent:
        """Put the objects into Orthanc and have it send them on one association, in an order of its own.

        It stops at the first that the peer does not take and does not tell how many went before: all count as failed.
        """
        self._meet(address, ae_title)
        resources = [self._put(one) for one in datasets]
        answer = self._client.post(f"/modalities/{PEER}/store", json={"Resources": resources, "Synchronous": True})
        return Sent(Counter({SUCCESS if answer.is_success else FAILED: len(datasets)}))

    def commit(
        self, address: Address, ae_title: str, datasets: Sequence[Dataset], timeout_s: float = _TIMEOUT_S
    ) -> Committed | None:
        """Have Orthanc ask whether the peer keeps these objects; the peer has to know Orthanc's address."""
        self._meet(address, ae_title)
        wanted = [[str(one.SOPClassUID), str(one.SOPInstanceUID)] for one in datasets]
        asked = self._client.post(f"/modalities/{PEER}/storage-commitment", json={"DicomInstances": wanted})
        until = time.monotonic() + timeout_s
        while asked.is_success and time.monotonic() < until:
            report = self._client.get(asked.json()["Path"]).raise_for_status().json()
            if report["Status"] != "Pending":
                return Committed(_instances(report, "Success"), _instances(report, "Failures"))
            time.sleep(_PAUSE_S)
        return None

    def _meet(self, address: Address, ae_title: str) -> None:
        host, port = address
        peer = {"AET": ae_title, "Host": host, "Port": port, "AllowTranscoding": False}
        self._client.put(f"/modalities/{PEER}", json=peer).raise_for_status()

    def _put(self, dataset: Dataset) -> str:
        answer = self._client.post("/instances", content=part10(dataset)).raise_for_status()
        return str(answer.json()["ID"])


def _settings(folder: Path, ae_title: str, dicom_port: int, http_port: int) -> dict[str, Any]:
    return {
        "Name": ae_title,
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "Plugins": [],
        "LuaScripts": [],
        "SyncStorageArea": False,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "WebDavEnabled": False,
        "ExecuteLuaEnabled": False,
        "DicomAet": ae_title,
        "DicomPort": dicom_port,
        "DicomCheckCalledAet": True,
        "DicomCheckModalityHost": True,
        "DicomAlwaysAllowEcho": False,
        "DicomAlwaysAllowStore": False,
        "DicomAlwaysAllowFind": False,
        "DicomAlwaysAllowGet": False,
        "DicomAlwaysAllowMove": False,
        "TranscodeDicomProtocol": False,
        "SaveJobs": False,
    }


def _instances(report: dict[str, Any], part: str) -> frozenset[str]:
    return frozenset(one["SOPInstanceUID"] for one in report.get(part) or ())


def _free_port() -> int:
    """Give a port below those that the system lends to clients."""
    while True:
        port = random.randrange(15_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
