"""A real Orthanc with its DICOMweb plugin, for one test: on this machine only, in a folder of its own."""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.servers import Server, free_port, need

_PROGRAM = "/usr/sbin/Orthanc"
_PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


@contextmanager
def orthanc(servers: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Run one that knows these DICOMweb servers, and give its URL."""
    need(shutil.which(_PROGRAM) and Path(_PLUGIN).exists(), "Orthanc with orthanc-dicomweb")
    folder = Path(tempfile.mkdtemp(prefix="lienthong-orthanc-"))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {
        "Name": "test",
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "Plugins": [_PLUGIN],
        "HttpPort": port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomServerEnabled": False,
        "OverwriteInstances": False,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False, "Servers": servers},
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(settings))

    def ready() -> bool:
        try:
            return httpx.get(url + "/system", timeout=1).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        server = Server([_PROGRAM, str(path)], ready, str(folder), signal.SIGTERM)
        try:
            yield url
        finally:
            server.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
