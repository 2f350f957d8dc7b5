"""Real DICOM peers for tests: Orthanc, DCMTK's tools, and a sender that sends bytes as they are, or stops where it is told.

All of it on this machine and on free ports; nobody here is reachable from elsewhere.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import build_context
from pynetdicom.dsutils import decode, encode
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)

from tests.servers import Server, free_port, listens, need

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
FAST = {**os.environ, "TCP_NODELAY": "1"}
"""Without it Debian's DCMTK waits 40 ms for each object."""


def tool(name: str, *arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run one of DCMTK's tools and give what it said; `check` nothing."""
    program = shutil.which(name)
    need(program, name)
    command = [str(program), *arguments]
    told = subprocess.run(command, capture_output=True, env=FAST, timeout=timeout_s, check=False)
    return subprocess.CompletedProcess(
        command, told.returncode, told.stdout.decode("latin-1"), told.stderr.decode("latin-1")
    )


# ---- Orthanc ----


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc; `peers` are its modalities by name."""

    url: str
    dicom_port: int
    title: str
    server: Server

    def stop(self) -> None:
        self.server.end()

    def __enter__(self) -> Orthanc:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def upload(self, content: bytes) -> str:
        """Put a file in and give Orthanc's name of the instance."""
        return str(self._call("POST", "/instances", content=content)["ID"])

    def store(self, peer: str, instances: list[str], **more: Any) -> Any:
        """Have it send by C-STORE; give its report. Raises for a status that is no success."""
        return self._call("POST", f"/modalities/{peer}/store", json={"Resources": instances, **more})

    def call(self, method: str, path: str, **more: Any) -> Any:
        return self._call(method, path, **more)

    def _call(self, method: str, path: str, **more: Any) -> Any:
        answer = httpx.request(method, self.url + path, timeout=60, trust_env=False, **more)
        answer.raise_for_status()
        return answer.json() if answer.content else None


def orthanc(folder: Path, peers: Mapping[str, tuple[str, int]], title: str = "ORTHANC", **settings: object) -> Orthanc:
    """Start an Orthanc in `folder` that nobody from elsewhere can reach; `peers` maps names to AE title and port here."""
    program = shutil.which("Orthanc")
    need(program, "Orthanc")
    folder.mkdir(parents=True, exist_ok=True)
    http, dicom = free_port(), int(str(settings.get("DicomPort", free_port())))
    configuration = {
        "Name": "test",
        "StorageDirectory": str(folder / "store"),
        "IndexDirectory": str(folder / "store"),
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "HttpPort": http,
        "DicomPort": dicom,
        "DicomAet": title,
        "DicomModalities": {name: [aet, "127.0.0.1", port] for name, (aet, port) in peers.items()},
        "Plugins": [],
        "DicomAssociationCloseDelay": 0,
        **settings,
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(configuration), encoding="utf-8")
    url = f"http://127.0.0.1:{http}"
    command = ["/usr/bin/env", "TCP_NODELAY=1", str(program), str(path)]
    server = Server(command, lambda: _answers(f"{url}/system"), str(folder), signal.SIGTERM)
    server.url = url
    return Orthanc(url, dicom, title, server)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


# ---- storescp ----


@dataclass(frozen=True)
class Storescp:
    """DCMTK's receiver, which keeps data sets as they come."""

    port: int
    folder: Path

    def files(self) -> list[bytes]:
        """Give the files received since the last call."""
        found = sorted(self.folder.iterdir())
        contents = [path.read_bytes() for path in found]
        for path in found:
            path.unlink()
        return contents


@contextmanager
def storescp(folder: Path) -> Iterator[Storescp]:
    program = shutil.which("storescp")
    need(program, "storescp")
    folder.mkdir()
    port = free_port()
    command = [str(program), "+xa", "+B", "-od", str(folder), str(port)]
    server = Server(["/usr/bin/env", "TCP_NODELAY=1", *command], lambda: listens(port), str(folder), signal.SIGTERM)
    try:
        yield Storescp(port, folder)
    finally:
        server.end()


def command_set(elements: Mapping[int, bytes]) -> bytes:
    """Encode elements of group 0000, in implicit VR, with their group length before them."""
    body = b"".join(
        struct.pack("<HHL", 0, number, len(value) + len(value) % 2) + value + b"\x00" * (len(value) % 2)
        for number, value in sorted(elements.items())
    )
    return struct.pack("<HHLL", 0, 0, 4, len(body)) + body


def commitment_request(transaction: str, objects: list[tuple[str, str]]) -> tuple[dict[int, bytes], bytes]:
    """Give command elements and data set (explicit VR) of an N-ACTION that asks for storage commitment."""
    asked = Dataset()
    asked.TransactionUID = transaction
    asked.ReferencedSOPSequence = []
    for sop_class, sop_instance in objects:
        one = Dataset()
        one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = sop_class, sop_instance
        asked.ReferencedSOPSequence.append(one)
    command = {
        0x0003: b"1.2.840.10008.1.20.1",
        0x0100: struct.pack("<H", 0x0130),
        0x0110: struct.pack("<H", 77),
        0x0800: struct.pack("<H", 0x0001),
        0x1001: b"1.2.840.10008.1.20.1.1",
        0x1008: struct.pack("<H", 1),
    }
    return command, encode(asked, False, True) or b""


# ---- a sender made of nothing but a socket ----


class Sender:
    """Speaks the upper layer byte by byte: sends a data set as it is, and stops wherever a test wants."""

    def __init__(
        self,
        port: int,
        contexts: Mapping[str, list[str]] | None = None,
        calling: str = "TEST",
        called: str = "GATEWAY",
        wrap: Any = None,
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        if wrap is not None:
            self.socket = wrap(self.socket)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.contexts = dict(contexts or {CT: [EXPLICIT]})
        self.answer = b""
        self._calling, self._called = calling, called
        self._number = 0

    def __enter__(self) -> Sender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def associate(self) -> int:
        """Ask for an association; give the type of the answer: 2 accepted, 3 rejected."""
        request = A_ASSOCIATE()
        request.application_context_name = UID("1.2.840.10008.3.1.1.1")
        request.calling_ae_title, request.called_ae_title = self._calling, self._called
        contexts = [build_context(uid, syntaxes) for uid, syntaxes in self.contexts.items()]
        for index, context in enumerate(contexts):
            context.context_id = 2 * index + 1
        request.presentation_context_definition_list = contexts
        length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
        length.maximum_length_received = 16384
        implementation.implementation_class_uid = UID("1.2.3.4")
        request.user_information = [length, implementation]
        self.socket.sendall(A_ASSOCIATE_RQ(request).encode())
        kind, self.answer = self.read()
        return kind

    def store(
        self,
        data_set: bytes,
        sop_instance: str,
        sop_class: str = CT,
        *,
        context: int = 1,
        upto: int | None = None,
        chunk: int = 16000,
    ) -> None:
        """Send C-STORE; only the first `upto` bytes of the data set when that is given, and then no end of it."""
        self._number += 1
        command = {
            0x0002: sop_class.encode(),
            0x0100: struct.pack("<H", 0x0001),
            0x0110: struct.pack("<H", self._number),
            0x0700: struct.pack("<H", 0),
            0x0800: struct.pack("<H", 0x0001),
            0x1000: sop_instance.encode(),
        }
        self.command(command, context)
        whole = data_set if upto is None else data_set[:upto]
        pieces = [whole[start : start + chunk] for start in range(0, len(whole), chunk)] or [b""]
        for index, piece in enumerate(pieces):
            last = upto is None and index == len(pieces) - 1
            self.values((context, bytes([2 if last else 0]) + piece))

    def command(self, elements: Mapping[int, bytes], context: int = 1) -> None:
        """Send a command set: element numbers of group 0000 and their values, whatever these are."""
        self.values((context, b"\x03" + command_set(elements)))

    def values(self, *values: tuple[int, bytes]) -> None:
        """Send one P-DATA-TF."""
        items = b"".join(struct.pack(">LB", len(data) + 1, context) + data for context, data in values)
        self.socket.sendall(struct.pack(">BBL", 4, 0, len(items)) + items)

    def status(self) -> int:
        """Read a response and give its status."""
        return int(self.response().Status)

    def response(self) -> Dataset:
        kind, content = self.read()
        assert kind == 4, f"PDU of type {kind}"
        return decode(BytesIO(content[6:]), True, True)

    def read(self) -> tuple[int, bytes]:
        """Read one PDU; type 0 at the end of the connection."""
        try:
            header = self._exactly(6)
            kind, _, length = struct.unpack(">BBL", header)
            return int(kind), self._exactly(length)
        except (EOFError, ConnectionError):
            return 0, b""

    def release(self) -> None:
        self.socket.sendall(struct.pack(">BBL4x", 5, 0, 4))
        assert self.read()[0] == 6

    def abort(self) -> None:
        self.socket.sendall(struct.pack(">BBL4x", 7, 0, 4))
        self.socket.close()

    def reset(self) -> None:
        """Vanish."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _exactly(self, count: int) -> bytes:
        content = b""
        while len(content) < count:
            piece = self.socket.recv(count - len(content))
            if not piece:
                raise EOFError
            content += piece
        return content


# ---- dcmqrscp ----


@contextmanager
def dcmqrscp(folder: Path, peers: Mapping[str, tuple[str, int]], title: str = "DCMQRSCP") -> Iterator[int]:
    """Run DCMTK's archive in `folder` and give its port; `peers` maps names to AE title and port here. Send with `storescu`."""
    program = shutil.which("dcmqrscp")
    need(program, "dcmqrscp")
    store = folder / "store"
    store.mkdir(parents=True)
    port = free_port()
    hosts = "\n".join(f"{name} = ({aet}, localhost, {number})" for name, (aet, number) in peers.items())
    path = folder / "dcmqrscp.cfg"
    path.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 65536\nMaxAssociations = 8\n"
        f"HostTable BEGIN\n{hosts}\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\n{title} {store} RW (200, 1024mb) ANY\nAETable END\n",
        encoding="ascii",
    )
    command = ["/usr/bin/env", "TCP_NODELAY=1", str(program), "-c", str(path), str(port)]
    server = Server(command, lambda: listens(port), str(folder), signal.SIGTERM)
    try:
        yield port
    finally:
        server.end()


# ---- a PACS made of nothing but a socket ----


class Caller:
    """What called a `Scripted` PACS: reads what it asks, and answers as a test wants."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.contexts: list[Any] = []
        self.calling = ""

    def read(self) -> tuple[int, bytes]:
        """Read one PDU; type 0 at the end of the connection."""
        try:
            header = self._exactly(6)
            kind, _, length = struct.unpack(">BBL", header)
            return int(kind), header + self._exactly(length)
        except (EOFError, OSError):
            return 0, b""

    def asked(self) -> None:
        """Read A-ASSOCIATE-RQ."""
        kind, content = self.read()
        assert kind == 1
        request = A_ASSOCIATE_RQ()
        request.decode(content)
        primitive = request.to_primitive()
        self.calling = primitive.calling_ae_title
        self.contexts = primitive.presentation_context_definition_list
        self._request = primitive

    def accept(self, *refused: str, length: int = 16384) -> None:
        """Accept every context, in its first transfer syntax, but those of these abstract syntaxes."""
        answer = A_ASSOCIATE()
        answer.application_context_name = UID("1.2.840.10008.3.1.1.1")
        answer.calling_ae_title = self._request.calling_ae_title
        answer.called_ae_title = self._request.called_ae_title
        answer.result, answer.result_source = 0, 1
        for context in self.contexts:
            context.result = 3 if context.abstract_syntax in refused else 0
            context.transfer_syntax = context.transfer_syntax[:1]
        answer.presentation_context_definition_results_list = self.contexts
        limit, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
        limit.maximum_length_received = length
        implementation.implementation_class_uid = UID("1.2.3.4")
        answer.user_information = [limit, implementation, *_roles(self._request)]
        self.socket.sendall(A_ASSOCIATE_AC(answer).encode())

    def reject(self, result: int, source: int, reason: int) -> None:
        self.socket.sendall(struct.pack(">BBLBBBB", 3, 0, 4, 0, result, source, reason))

    def abort(self) -> None:
        self.socket.sendall(struct.pack(">BBL4x", 7, 0, 4))

    def message(self) -> tuple[Dataset, bytes]:
        """Read a message: command set, and data set where there is one."""
        command, data, whole = b"", b"", False
        found: Dataset | None = None
        while not whole:
            kind, content = self.read()
            assert kind == 4, f"PDU of type {kind}"
            position = 6
            while position < len(content):
                (size,) = struct.unpack(">L", content[position : position + 4])
                header, value = content[position + 5], content[position + 6 : position + 4 + size]
                position += 4 + size
                if header & 1:
                    command += value
                    if header & 2:
                        found = decode(BytesIO(command), True, True)
                        whole = found.CommandDataSetType == 0x0101
                else:
                    data += value
                    whole = bool(header & 2)
        assert found is not None
        return found, data

    def answer(
        self,
        asked: Dataset,
        status: int | None,
        data: bytes | None = None,
        context: int = 1,
        field: int | None = None,
        **more: int,
    ) -> None:
        """Answer a request; numbers of sub-operations by letter: R, C, F, W."""
        elements = {
            0x0002: str(asked.get("AffectedSOPClassUID") or asked.get("RequestedSOPClassUID")).encode(),
            0x0100: struct.pack("<H", asked.CommandField | 0x8000 if field is None else field),
            0x0120: struct.pack("<H", asked.MessageID),
            0x0800: struct.pack("<H", 0x0101 if data is None else 0x0001),
        }
        if status is not None:
            elements[0x0900] = struct.pack("<H", status)
        for letter, number in more.items():
            elements[{"R": 0x1020, "C": 0x1021, "F": 0x1022, "W": 0x1023}[letter]] = struct.pack("<H", number)
        self.values((context, b"\x03" + command_set(elements)))
        if data is not None:
            self.values((context, b"\x02" + data))

    def values(self, *values: tuple[int, bytes]) -> None:
        items = b"".join(struct.pack(">LB", len(data) + 1, context) + data for context, data in values)
        self.socket.sendall(struct.pack(">BBL", 4, 0, len(items)) + items)

    def _exactly(self, count: int) -> bytes:
        content = b""
        while len(content) < count:
            piece = self.socket.recv(count - len(content))
            if not piece:
                raise EOFError
            content += piece
        return content


def _roles(request: Any) -> list[Any]:
    return [one for one in request.user_information if isinstance(one, SCP_SCU_RoleSelectionNegotiation)]


class Scripted:
    """A PACS that does with each caller what a function says, one after the other; tells what broke in it at the end."""

    def __init__(self, *scripts: Callable[[Caller], None]) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._scripts = scripts
        self._broken: list[BaseException] = []
        self.done = threading.Event()
        """Set by a test to let scripts that wait end."""
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        for script in self._scripts:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(20)
                try:
                    script(Caller(connection))
                except (AssertionError, OSError) as error:
                    self._broken.append(error)

    def __enter__(self) -> Scripted:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.done.set()
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(30)
        assert not self._broken, self._broken
